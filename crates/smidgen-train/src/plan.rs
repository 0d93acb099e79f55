//! Which gradients there are, in which buffers they lie, and who completes them.
//!
//! Nodes run backward in falling order. A value's gradient is the sum of what its readers give, the last in execution
//! order first; who comes last in time masks and sums it, while it is in cache. Buffers are shared by gradients that
//! are not needed at the same time.
//!
//! A sum passes its own gradient on unchanged, so a buffer can serve both: the gradient of a residual branch *is* that
//! of the sum, and that of the block's input begins as it. Sharing is safe if each value of a buffer is read before
//! anything meant for another is written there; [`Group`] holds what that takes to check.

use crate::net::{Affine, Kind, Node};
use crate::simd::Form;

/// How a node gives a gradient to one of its inputs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Write {
    /// Other readers have written: add.
    pub plus: bool,
    /// No reader follows: mask and sum, if the value asks for it.
    pub last: bool,
    /// The input's gradient lies where the node's own lies, and is there already.
    pub alias: bool,
}

/// The backward pass, planned.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// Nodes that the output depends on.
    pub live: Vec<bool>,
    /// For each node, how it gives gradients to its inputs; `None` where none is needed.
    pub writes: Vec<Vec<Option<Write>>>,
    /// For each value, the buffer of its gradient.
    pub slot: Vec<Option<usize>>,
    /// Elements of each buffer for one sample.
    pub slots: Vec<usize>,
    /// The loss alone writes the output's gradient.
    pub output_last: bool,
    /// For each convolution, whether nobody has written the gradient of its weights before: of layers that share them,
    /// the last.
    pub fresh: Vec<bool>,
}

/// Values whose gradients lie in one buffer.
#[derive(Clone, Debug, Default)]
struct Group {
    /// The values: each is read when its node runs backward.
    members: Vec<usize>,
    /// Nodes that write there, other than for the first member.
    writers: Vec<usize>,
    /// The first node that writes there; the number of nodes for the loss.
    start: usize,
    /// Elements for one sample.
    len: usize,
}

impl Group {
    /// Whether value `p`, an input of the sum `i` of this group, may join it, with these other readers.
    ///
    /// Members that run after `i` must be read before anything for `p` is written, and `p` before anything for them is.
    fn admits(&self, i: usize, p: usize, others: &[usize], masks: bool) -> bool {
        let waiting = || self.members.iter().filter(|&&m| m < i);
        waiting().all(|m| others.iter().all(|j| j < m))
            && self.writers.iter().filter(|&&w| w < i).all(|&w| w < p)
            && !(masks && waiting().next().is_some())
    }
}

impl Plan {
    /// Plans the backward pass of a network.
    pub(crate) fn new(nodes: &[Node], output: usize) -> Self {
        let count = nodes.len();
        let mut live = vec![false; count];
        live[output] = true;
        for i in (0..count).rev().filter(|&i| i <= output) {
            if live[i] {
                nodes[i].inputs.iter().for_each(|&p| live[p] = true);
            }
        }
        let mut trained = vec![false; count];
        for (i, node) in nodes.iter().enumerate() {
            let own = matches!(&node.kind, Kind::Conv(_)) || has_slopes(node);
            trained[i] = live[i] && (own && !node.frozen || node.inputs.iter().any(|&p| trained[p]));
        }
        // Readers of each value in the order of the backward pass.
        let mut readers: Vec<Vec<(usize, usize)>> = vec![Vec::new(); count];
        for i in (0..count).rev().filter(|&i| live[i]) {
            for (k, &p) in nodes[i].inputs.iter().enumerate() {
                readers[p].push((i, k));
            }
        }
        let mut writes: Vec<Vec<Option<Write>>> = nodes.iter().map(|n| vec![None; n.inputs.len()]).collect();
        for p in (0..count).filter(|&p| trained[p]) {
            let loss = usize::from(p == output);
            for (place, &(i, k)) in readers[p].iter().enumerate() {
                let last = place + 1 == readers[p].len() && needs_completion(&nodes[p]);
                writes[i][k] = Some(Write { plus: place + loss > 0, last, alias: false });
            }
        }

        let mut groups: Vec<Group> = Vec::new();
        let mut group_of: Vec<Option<usize>> = vec![None; count];
        for i in (0..count).rev().filter(|&i| trained[i]) {
            let own = *group_of[i].get_or_insert_with(|| {
                let start = if i == output { count } else { readers[i][0].0 };
                groups.push(Group { members: vec![i], writers: Vec::new(), start, len: nodes[i].len() });
                groups.len() - 1
            });
            if !matches!(nodes[i].kind, Kind::Sum) {
                continue;
            }
            for (own_write, &p) in writes[i].iter_mut().zip(&nodes[i].inputs) {
                let Some(write) = *own_write else { continue };
                if write.plus || group_of[p].is_some() || nodes[i].inputs.iter().filter(|&&q| q == p).count() > 1 {
                    continue;
                }
                let others: Vec<usize> = readers[p][1..].iter().map(|&(j, _)| j).collect();
                // Masking where it lies would spoil it for the other operand, whether that shares the buffer or copies
                // later.
                let masks = write.last && nodes[p].form != Form::NONE;
                let alone = !masks || nodes[i].inputs.len() == 1;
                if alone && groups[own].admits(i, p, &others, masks) {
                    groups[own].members.push(p);
                    groups[own].writers.extend(others);
                    group_of[p] = Some(own);
                    *own_write = Some(Write { alias: true, ..write });
                }
            }
        }

        let mut written = Vec::new();
        let mut fresh = vec![false; count];
        for i in (0..count).rev().filter(|&i| trained[i]) {
            if let Kind::Conv(conv) = &nodes[i].kind {
                fresh[i] = !written.contains(&conv.weight);
                written.push(conv.weight);
            }
        }

        let (slot_of_group, slots) = allocate(&groups);
        let slot = group_of.iter().map(|g| g.map(|g| slot_of_group[g])).collect();
        let output_last = readers[output].is_empty() && needs_completion(&nodes[output]);
        Self { live, writes, slot, slots, output_last, fresh }
    }

    /// Whether anything of this value's node is trained, or of what it reads.
    pub(crate) fn trained(&self, i: usize) -> bool {
        self.slot[i].is_some()
    }
}

/// Whether a node has slopes of PRELU.
fn has_slopes(node: &Node) -> bool {
    matches!(&node.kind, Kind::Plain(plain) if matches!(**plain, crate::plain::Plain::Prelu(_)))
}

/// Whether a value's gradient must be masked or summed.
fn needs_completion(node: &Node) -> bool {
    node.affine != Affine::Unit || node.form != Form::NONE
}

/// Gives each group a buffer; groups whose times do not meet may have the same.
fn allocate(groups: &[Group]) -> (Vec<usize>, Vec<usize>) {
    let mut order: Vec<usize> = (0..groups.len()).collect();
    order.sort_by_key(|&g| std::cmp::Reverse(groups[g].start));
    let end = |g: &Group| g.members.iter().copied().min().unwrap_or(0);
    // For each buffer: its size, and the node after which it is free.
    let mut slots: Vec<(usize, usize)> = Vec::new();
    let mut slot_of = vec![0; groups.len()];
    for g in order {
        let group = &groups[g];
        let free = (0..slots.len()).filter(|&s| slots[s].1 > group.start);
        // The smallest that is large enough, else the largest.
        let best = free.min_by_key(|&s| {
            let size = slots[s].0;
            (size < group.len, if size < group.len { usize::MAX - size } else { size })
        });
        let chosen = best.unwrap_or_else(|| {
            slots.push((0, 0));
            slots.len() - 1
        });
        slots[chosen] = (slots[chosen].0.max(group.len), end(group));
        slot_of[g] = chosen;
    }
    (slot_of, slots.into_iter().map(|(size, _)| size).collect())
}
