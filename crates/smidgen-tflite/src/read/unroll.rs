//! Operators that run other subgraphs (WHILE, IF, CALL), where it is known when reading what they will do: each turn of a loop becomes
//! operators of its own.
//!
//! Keras writes GRU, LSTM and RNN layers so: a loop that counts to a fixed number of steps, takes one step of the input in each turn and
//! puts the state into a list. What the loop counts are constants, and folding computes them turn by turn; a list of tensors
//! (TensorListReserve, TensorListSetItem, ...) is which tensor is at which place, and needs no operator until it is stacked.

use super::cause::{CONTROL, NO_CONVERTER};
use super::fold::Fold;
use super::lists::{List, Set};
use super::tensors::Source;
use super::{Code, Reader, Wiring, shape_outputs, widened};
use crate::error::ReadError;
use crate::flat::Record;
use crate::schema::{call, if_options, model, operator, subgraph, while_options};
use smidgen_ir::front::{SupportEntry, quoted};
use smidgen_ir::{Op, ReshapeKind};
use std::collections::{HashMap, HashSet, VecDeque};
use std::rc::Rc;

/// Operators that all turns of all loops, and operators that others give, may come to. More make no network for a microcontroller, but a file of a few
/// kilobytes could ask for billions.
pub(super) const MOST: usize = 20_000;

/// Operators that are taken here and nowhere else, in alphabetical order. GATHER of constants is [computed](super::COMPUTED).
pub const UNROLLED: [SupportEntry; 3] = [
    unrolled("CALL", "of any subgraph, which takes its place"),
    unrolled("IF", "where its condition is known when reading: the branch that is taken takes its place"),
    unrolled(
        "WHILE",
        "where its condition is known when reading in every turn, as of Keras' recurrent layers with a fixed number of steps: each turn becomes \
         operators of its own; with TensorListReserve, TensorListSetItem and others of lists. What a turn hands on is what its subgraph says: \
         variables that change places are exchanged, where LiteRT overwrites one with the other",
    ),
];

const fn unrolled(name: &'static str, remarks: &'static str) -> SupportEntry {
    SupportEntry { name, types: &[], remarks }
}

/// The operators with options that are resolved here, and the numbers of the options' tables.
const TAGS: [(&str, u8); 3] = [("CALL", 16), ("IF", 92), ("WHILE", 93)];

/// Tensors and operators that all turns may copy or look at, and tensors that lists may hand on: what a file asks for in a few kilobytes
/// takes neither long nor much memory.
const MOST_COPIED: usize = 200_000;

/// What to do about a loop that would become too large a network.
const FEWER: &str = "give the layer fewer steps; or let the network be a single step, with the state as an input and an output of it, and \
                     write the loop in your own code";

/// What to do about a number of turns that depends on data.
const FIXED: &str = "if the loop is a Keras LSTM, GRU or RNN, give its input a fixed number of steps (and no mask), and convert again; else let \
                     the network be a single turn, and write the loop in your own code";

/// How much of a tensor's name each turn repeats.
const NAME: usize = 48;

/// What is read next.
pub(super) enum Task {
    /// An operator, by its place among all.
    Operator(usize),
    /// The next turn of a loop, by its number.
    Turn(usize),
}

/// What reading operators has come to.
pub(super) struct Progress<'a> {
    /// All operators: those of the file's first subgraph, then those of turns.
    pub wirings: Vec<Wiring<'a>>,
    /// For each that is not the file's own, which of those it comes from.
    pub origins: Vec<usize>,
    pub tensors: Vec<Source>,
    /// The graph's operators: which of the `wirings` writes, what it does, what it reads.
    pub operators: Vec<(usize, Op, Vec<usize>)>,
    pub tasks: VecDeque<Task>,
    loops: Vec<Loop<'a>>,
    /// The subgraphs that were read, by their numbers; none where there is no such.
    templates: HashMap<usize, Option<Rc<Template<'a>>>>,
    pub(super) lists: HashMap<usize, List>,
    /// All that was set in lists.
    pub(super) sets: Vec<Set>,
    /// Of [`MOST_COPIED`], what is used up.
    copied: usize,
    /// For operators of turns, the loop.
    within: HashMap<usize, usize>,
    /// Tensors that are known when reading, but for which their type has no number.
    pub beyond: HashSet<usize>,
    /// Why operators could not be resolved, and what to do about it, by their places among all.
    pub left: HashMap<usize, (String, &'static str)>,
    /// The operators of the file's first subgraph.
    own: usize,
}

/// A subgraph that an operator runs.
struct Template<'a> {
    tensors: Vec<Source>,
    wirings: Vec<Wiring<'a>>,
    inputs: Vec<usize>,
    outputs: Vec<usize>,
}

impl Template<'_> {
    /// True if it has so many inputs and outputs.
    fn takes(&self, inputs: usize, outputs: usize) -> bool {
        self.inputs.len() == inputs && self.outputs.len() == outputs
    }

    /// Its tensors and operators.
    fn size(&self) -> usize {
        self.tensors.len() + self.wirings.len()
    }
}

struct Loop<'a> {
    /// The operator.
    at: usize,
    /// The subgraph that it runs in each turn.
    number: usize,
    /// Says whether there is another turn; without it there is one.
    condition: Option<Rc<Template<'a>>>,
    body: Rc<Template<'a>>,
    /// The tensors that the next turn is given.
    state: Vec<usize>,
    turns: usize,
    /// Where the body's constants are, which all turns share.
    constants: HashMap<usize, usize>,
}

impl<'a> Progress<'a> {
    pub fn new(wirings: Vec<Wiring<'a>>, tensors: Vec<Source>, folded: &[bool]) -> Self {
        let own = wirings.len();
        let tasks = (0..own).filter(|&index| !folded[index]).map(Task::Operator).collect();
        Self {
            wirings,
            origins: Vec::new(),
            tensors,
            operators: Vec::new(),
            tasks,
            loops: Vec::new(),
            templates: HashMap::new(),
            lists: HashMap::new(),
            sets: Vec::new(),
            copied: 0,
            within: HashMap::new(),
            beyond: HashSet::new(),
            left: HashMap::new(),
            own,
        }
    }

    /// The file's operator that one comes from.
    pub fn origin(&self, index: usize) -> usize {
        if index < self.own { index } else { self.origins[index - self.own] }
    }

    /// The operator that a loop is.
    pub fn operator_of(&self, number: usize) -> usize {
        self.loops[number].at
    }

    /// Adds an operator that comes from `from`.
    fn wire(&mut self, from: usize, wiring: Wiring<'a>) -> usize {
        self.origins.push(self.origin(from));
        self.wirings.push(wiring);
        self.wirings.len() - 1
    }

    /// Uses up so much of [`MOST_COPIED`]; false if that is more than is left.
    pub(super) fn copies(&mut self, count: usize) -> bool {
        self.copied = self.copied.saturating_add(count);
        self.copied <= MOST_COPIED
    }

    /// True if one operator may become so many: they count as those of turns do.
    pub(super) fn becomes(&mut self, count: usize) -> bool {
        self.copies(count) && self.wirings.len().saturating_add(count) <= self.own + MOST
    }

    /// Adds an operator of the graph that comes from `from`.
    pub(super) fn emit(&mut self, from: usize, op: Op, inputs: Vec<usize>, outputs: Vec<usize>) {
        shape_outputs(&op, &inputs, &outputs, &mut self.tensors);
        let Wiring { record, code, .. } = self.wirings[from];
        let index =
            self.wire(from, Wiring { record, code, inputs: inputs.iter().copied().map(Some).collect(), outputs });
        self.operators.push((index, op, inputs));
    }

    /// A tensor like another one, of another shape.
    pub(super) fn like(&mut self, t: usize, shape: Vec<usize>) -> usize {
        let Source { name, dtype, uint8, .. } = &self.tensors[t];
        let source = Source { shape, uint8: *uint8, ..Source::activation(short(name), dtype.clone()) };
        self.tensors.push(source);
        self.tensors.len() - 1
    }

    /// Lets a tensor be another one.
    pub(super) fn alias(&mut self, from: usize, t: usize, is: usize) {
        if let Some(list) = self.lists.get(&is).cloned() {
            self.lists.insert(t, list);
        } else if self.tensors[is].stored {
            let Source { shape, data, dtype, uint8, .. } = self.tensors[is].clone();
            let to = &mut self.tensors[t];
            (to.shape, to.data, to.dtype, to.stored, to.open) = (shape, data, dtype, true, false);
            to.uint8 = uint8;
        } else if self.tensors[is].dtype.is_ok() {
            let shape = self.tensors[is].shape.clone();
            self.emit(from, Op::Reshape { kind: ReshapeKind::Reshape, shape }, vec![is], vec![t]);
        }
    }

    /// The integers of an input that is a constant.
    pub(super) fn integers(&self, wiring: &Wiring<'_>, input: usize) -> Option<Vec<i64>> {
        self.tensors[wiring.inputs.get(input).copied()??].integers()
    }

    /// Notes why an operator could not be resolved, and what to do about it. Always false.
    pub(super) fn leave(&mut self, index: usize, reason: String, hint: &'static str) -> bool {
        self.left.insert(index, (reason, hint));
        false
    }

    /// True if an operator is in a turn of a loop that runs this subgraph, or in one within it.
    fn runs(&self, index: usize, number: usize) -> bool {
        let outer = |&at: &usize| self.within.get(&self.loops[at].at).copied();
        std::iter::successors(self.within.get(&index).copied(), outer).any(|at| self.loops[at].number == number)
    }

    /// The operator is done with.
    fn done(&mut self, index: usize) -> bool {
        // What it read and wrote is no matter of the graph.
        (self.wirings[index].inputs, self.wirings[index].outputs) = (Vec::new(), Vec::new());
        true
    }
}

/// As much of a name as each turn repeats.
fn short(name: &str) -> String {
    name.chars().take(NAME).collect()
}

impl<'a> Reader<'a> {
    /// Takes an operator that is none of the graph's, and that what is known when reading decides. True if that could be done.
    pub(super) fn resolve(&self, index: usize, codes: &[Code], all: &mut Progress<'a>) -> Result<bool, ReadError> {
        let record = all.wirings[index].record;
        let options = record.get(operator::builtin_options)?;
        let (name, why) = match &codes[all.wirings[index].code] {
            Code::Unknown { name, why } => (name, why),
            // Some of these become others where they compute on floats.
            Code::Known(builtin) => {
                let tag = record.get(operator::builtin_options_type)?.unwrap_or(0);
                return Ok(all.compose(index, builtin.name(), options, tag)? && all.done(index));
            }
        };
        if let Some(name) = name.strip_prefix("CUSTOM \"").and_then(|name| name.strip_suffix('"')) {
            return Ok(why.cause == Some(CONTROL.name) && all.list(index, name) && all.done(index));
        }
        let tag = record.get(operator::builtin_options_type)?.unwrap_or(0);
        if all.compose(index, name, options, tag)? {
            return Ok(all.done(index));
        }
        let Some(options) = options.filter(|_| TAGS.contains(&(name.as_str(), tag))) else { return Ok(false) };
        let inputs: Option<Vec<usize>> = all.wirings[index].inputs.iter().copied().collect();
        let (number, condition, state) = match (name.as_str(), inputs) {
            ("CALL", Some(state)) => (options.get(call::subgraph)?.unwrap_or(0) as i32, None, state),
            ("IF", Some(inputs)) => {
                let Some((&condition, state)) = inputs.split_first() else { return Ok(false) };
                let Some(data) = all.tensors[condition].data.clone() else {
                    let name = quoted(&all.tensors[condition].name);
                    let reason = format!("which branch it takes depends on {name}, which is not known when reading");
                    return Ok(all.leave(index, reason, CONTROL.hint));
                };
                let field = match data.first().is_some_and(|&byte| byte != 0) {
                    true => if_options::then_subgraph_index,
                    false => if_options::else_subgraph_index,
                };
                (options.get(field)?.unwrap_or(0), None, state.to_vec())
            }
            ("WHILE", Some(state)) => {
                let condition = options.get(while_options::cond_subgraph_index)?.unwrap_or(0);
                (options.get(while_options::body_subgraph_index)?.unwrap_or(0), Some(condition), state)
            }
            _ => return Ok(false),
        };
        let results = all.wirings[index].outputs.len();
        let condition = match condition {
            None => None,
            Some(number) => match self.runnable(index, number, [state.len(), 1], codes, all)? {
                None => return Ok(false),
                template => template,
            },
        };
        let Some(body) = self.runnable(index, number, [state.len(), results], codes, all)? else { return Ok(false) };
        let number = number as usize;
        all.loops.push(Loop { at: index, number, condition, body, state, turns: 0, constants: HashMap::new() });
        all.tasks.push_front(Task::Turn(all.loops.len() - 1));
        Ok(true)
    }

    /// The subgraph that an operator runs, if there is such and it takes and gives so many tensors; else why not is noted.
    fn runnable(
        &self,
        index: usize,
        number: i32,
        [inputs, outputs]: [usize; 2],
        codes: &[Code],
        all: &mut Progress<'a>,
    ) -> Result<Option<Rc<Template<'a>>>, ReadError> {
        let template = self.template(number, codes, all)?;
        let count = self.model.records(model::subgraphs)?.len();
        let reason = match template {
            // The first is the network itself, which the operator is in.
            None if number == 0 => "it runs subgraph 0, the one that it is in: a recursion".into(),
            None if usize::try_from(number).is_ok_and(|number| number < count) => {
                format!("it runs subgraph {number}, whose inputs or outputs are tensors that it does not have")
            }
            None => format!("it runs subgraph {number}, and the file has {count}, numbered from 0"),
            Some(_) if all.runs(index, number as usize) => {
                format!("it runs subgraph {number}, which it is in itself: a recursion")
            }
            Some(template) if !template.takes(inputs, outputs) => format!(
                "it hands {inputs} tensors to subgraph {number} and takes {outputs} back, and that takes {} and gives {}",
                template.inputs.len(),
                template.outputs.len()
            ),
            template => return Ok(template),
        };
        all.leave(index, reason, NO_CONVERTER);
        Ok(None)
    }

    /// A subgraph, which is read once however often it is run.
    fn template(
        &self,
        number: i32,
        codes: &[Code],
        all: &mut Progress<'a>,
    ) -> Result<Option<Rc<Template<'a>>>, ReadError> {
        let Some(number) = usize::try_from(number).ok().filter(|&number| number > 0) else { return Ok(None) };
        if let Some(template) = all.templates.get(&number) {
            return Ok(template.clone());
        }
        let template = self.read_template(number, codes)?;
        all.templates.insert(number, template.clone());
        Ok(template)
    }

    fn read_template(&self, number: usize, codes: &[Code]) -> Result<Option<Rc<Template<'a>>>, ReadError> {
        let Some(record) = self.model.records(model::subgraphs)?.get(number)? else { return Ok(None) };
        let mut tensors = self.tensors(record)?;
        let list = |record: Record<'a>, field| -> Result<Option<Vec<usize>>, ReadError> {
            let numbers = record.numbers(field)?;
            self.budget.take(numbers.len() * size_of::<usize>())?;
            Ok(numbers.iter().map(|t| usize::try_from(t).ok().filter(|&t| t < tensors.len())).collect())
        };
        let (Some(ins), Some(outs)) = (list(record, subgraph::inputs)?, list(record, subgraph::outputs)?) else {
            return Ok(None);
        };
        let wirings = self.wirings(record, codes.len(), tensors.len())?;
        let folded = widened(&wirings, codes, &mut tensors);
        let wirings = wirings.into_iter().zip(folded).filter(|(_, folded)| !folded).map(|(wiring, _)| wiring).collect();
        Ok(Some(Rc::new(Template { tensors, wirings, inputs: ins, outputs: outs })))
    }

    /// Whether there is another turn; `None` if that depends on data.
    fn continues(&self, turn: &Loop<'a>, codes: &[Code], all: &Progress<'a>) -> Result<Option<bool>, ReadError> {
        let Some(condition) = &turn.condition else { return Ok(Some(turn.turns == 0)) };
        let mut tensors = condition.tensors.clone();
        for (&input, &state) in condition.inputs.iter().zip(&turn.state) {
            tensors[input] = all.tensors[state].clone();
        }
        for wiring in &condition.wirings {
            if let Some(constants) = Fold::new(wiring, &codes[wiring.code], &tensors).evaluate()? {
                for (&t, constant) in wiring.outputs.iter().zip(constants) {
                    tensors[t].hold(constant);
                }
            }
        }
        let data = condition.outputs.first().and_then(|&t| tensors[t].data.as_ref());
        Ok(data.and_then(|data| data.first()).map(|&byte| byte != 0))
    }

    /// Why it cannot be told whether a loop has another turn.
    fn undecided(&self, turn: &Loop<'a>, all: &Progress<'a>) -> String {
        let condition = turn.condition.as_ref();
        let read =
            |input: &usize| condition.is_some_and(|c| c.wirings.iter().any(|w| w.inputs.contains(&Some(*input))));
        let inputs = condition.map_or(&[][..], |condition| &condition.inputs);
        let unknown: Vec<usize> = (inputs.iter().zip(&turn.state))
            .filter(|(input, state)| read(input) && all.tensors[**state].data.is_none())
            .map(|(_, &state)| state)
            .collect();
        let name = |&t: &usize| quoted(&all.tensors[t].name);
        // The turn that is asked about is counted already.
        let turns = turn.turns - 1;
        match unknown.iter().find(|t| all.beyond.contains(t)) {
            Some(t) => {
                format!("{}, by which it counts its turns, leaves the range of its type in turn {turns}", name(t))
            }
            None if unknown.is_empty() => format!("whether it ends after {turns} turns is not known when reading"),
            None => {
                let names: Vec<String> = unknown.iter().take(3).map(name).collect();
                let names = names.join(" and ");
                format!("whether it ends after {turns} turns depends on {names}, which is not known when reading")
            }
        }
    }

    /// Adds the next turn of a loop, or ends it. False if it cannot be told whether there is one, or there are too many.
    pub(super) fn turn(&self, number: usize, codes: &[Code], all: &mut Progress<'a>) -> Result<bool, ReadError> {
        let turn = &all.loops[number];
        let (at, body, state) = (turn.at, turn.body.clone(), turn.state.clone());
        let looked_at = 1 + body.size() + turn.condition.as_ref().map_or(0, |condition| condition.size());
        let (number_of, turns) = (turn.number, turn.turns);
        if !all.copies(looked_at) {
            let what = format!(
                "after {turns} turns of subgraph {number_of}, all loops have come to more than {MOST_COPIED} tensors and operators"
            );
            return Ok(all.leave(at, what, FEWER));
        }
        let next = self.continues(&all.loops[number], codes, all)?;
        all.loops[number].turns += 1;
        match next {
            None => {
                let reason = self.undecided(&all.loops[number], all);
                return Ok(all.leave(at, reason, FIXED));
            }
            Some(false) => {
                let outputs = all.wirings[at].outputs.clone();
                outputs.iter().zip(&state).for_each(|(&t, &is)| all.alias(at, t, is));
                all.done(at);
                return Ok(true);
            }
            // A body without operators never comes to an end, and adds nothing.
            Some(true) if all.loops[number].turns > MOST => {
                let reason = format!("it does not end within {MOST} turns of subgraph {number_of}");
                return Ok(all.leave(at, reason, FEWER));
            }
            Some(true) if all.wirings.len() + body.wirings.len() > all.own + MOST => {
                let reason = format!(
                    "after {turns} turns of subgraph {number_of}, all loops have come to more than {MOST} operators"
                );
                return Ok(all.leave(at, reason, FEWER));
            }
            Some(true) => {}
        }
        let mut places: Vec<Option<usize>> = vec![None; body.tensors.len()];
        body.inputs.iter().zip(&state).for_each(|(&input, &is)| places[input] = Some(is));
        let mut place = |t: usize, all: &mut Progress<'a>| {
            if let Some(place) = places[t] {
                return place;
            }
            let source = &body.tensors[t];
            let place = match all.loops[number].constants.get(&t).filter(|_| source.stored) {
                Some(&place) => place,
                None => {
                    all.tensors.push(Source { name: short(&source.name), ..source.clone() });
                    all.tensors.len() - 1
                }
            };
            if source.stored {
                all.loops[number].constants.insert(t, place);
            }
            places[t] = Some(place);
            place
        };
        let mut added = Vec::new();
        for wiring in &body.wirings {
            let inputs = wiring.inputs.iter().map(|t| t.map(|t| place(t, all))).collect();
            let outputs = wiring.outputs.iter().map(|&t| place(t, all)).collect();
            let index = all.wire(at, Wiring { record: wiring.record, code: wiring.code, inputs, outputs });
            all.within.insert(index, number);
            added.push(index);
        }
        all.loops[number].state = body.outputs.iter().map(|&t| place(t, all)).collect();
        all.tasks.push_front(Task::Turn(number));
        added.into_iter().rev().for_each(|index| all.tasks.push_front(Task::Operator(index)));
        Ok(true)
    }
}
