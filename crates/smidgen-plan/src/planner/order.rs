//! The order of the steps. The graph's order is one of many; with branches another may keep less alive.

use crate::schedule::Flow;
use smidgen_program::{Lowered, StepId, Variable};
use std::borrow::Cow;
use std::collections::HashMap;

/// States that the search keeps at most; a network that needs more keeps its own order.
const MOST_STATES: usize = 20_000;
/// Steps of all states together: each state says of every step whether it is done.
const MOST_MARKS: usize = 256 * MOST_STATES;

/// The network in its own order and, where it is better when run layer by layer, in the order found by search.
pub(crate) fn candidates(lowered: &Lowered) -> Vec<Cow<'_, Lowered>> {
    let mut orders = vec![Cow::Borrowed(lowered)];
    if let Some(order) = search(lowered) {
        orders.push(Cow::Owned(permuted(lowered, &order)));
    }
    orders
}

/// The steps in another order.
fn permuted(lowered: &Lowered, order: &[StepId]) -> Lowered {
    Lowered { steps: order.iter().map(|s| lowered.steps[s.index()].clone()).collect(), ..lowered.clone() }
}

/// What is done so far and how: reached with the least peak.
struct State {
    peak: usize,
    /// Index of the state before and the step taken from it.
    from: Option<(usize, usize)>,
    done: Vec<bool>,
}

/// The order of whole steps with the least peak of live bytes, if it is less than that of the present order: breadth first over the
/// sets of finished steps, keeping for each set the best way to it. `None` also if there are too many sets.
fn search(lowered: &Lowered) -> Option<Vec<StepId>> {
    let flow = Flow::new(lowered);
    let n = lowered.steps.len();
    // Steps that change what outlives them, as those of training do, stay in the order in which they were written: some of them are run alone.
    let updates = |variable: &Variable| {
        flow.producer[variable.next.index()].is_some_and(|s| flow.readers[variable.value.index()].contains(&s))
    };
    if lowered.variables.iter().any(updates) {
        return None;
    }
    if (0..n).all(|at| flow.alive_count(at) <= 1) {
        return None;
    }
    let mut states = vec![State { peak: 0, from: None, done: vec![false; n] }];
    let mut front = vec![0];
    for _ in 0..n {
        let mut next: HashMap<Vec<bool>, usize> = HashMap::new();
        let mut order = Vec::new();
        for &index in &front {
            for s in 0..n {
                if !ready(&flow, &states[index].done, s) {
                    continue;
                }
                let peak = states[index].peak.max(bytes(&flow, &states[index].done, s));
                let mut done = states[index].done.clone();
                done[s] = true;
                match next.get(&done) {
                    Some(&known) if states[known].peak <= peak => {}
                    Some(&known) => {
                        states[known].peak = peak;
                        states[known].from = Some((index, s));
                    }
                    None => {
                        next.insert(done.clone(), states.len());
                        order.push(states.len());
                        states.push(State { peak, from: Some((index, s)), done });
                    }
                }
                if states.len() > MOST_STATES || states.len() * n > MOST_MARKS {
                    return None;
                }
            }
        }
        front = order;
    }
    let last = *front.first()?;
    let mut given = vec![false; n];
    let mut present = 0;
    for s in 0..n {
        present = present.max(bytes(&flow, &given, s));
        given[s] = true;
    }
    if states[last].peak >= present {
        return None;
    }
    let mut order = Vec::with_capacity(n);
    let mut at = last;
    while let Some((before, s)) = states[at].from {
        order.push(Flow::step_id(s));
        at = before;
    }
    order.reverse();
    Some(order)
}

fn ready(flow: &Flow, done: &[bool], s: usize) -> bool {
    let assignable = flow.after[s].iter().all(|&reader| done[reader]);
    !done[s] && assignable && flow.reads(s).all(|(b, _)| flow.producer[b].is_none_or(|p| done[p]))
}

/// Bytes alive while step `s` runs whole after the steps in `done`.
fn bytes(flow: &Flow, done: &[bool], s: usize) -> usize {
    let buffers = &flow.lowered.buffers;
    let alive = |b: usize| {
        let written = flow.producer[b].is_none_or(|p| done[p] || p == s);
        written && (flow.output[b] || flow.readers[b].iter().any(|&r| !done[r]) || flow.producer[b] == Some(s))
    };
    (0..buffers.len()).filter(|&b| !flow.persistent[b] && alive(b)).map(|b| buffers[b].bytes()).sum::<usize>()
        + flow.lowered.steps[s].scratch_bytes
}
