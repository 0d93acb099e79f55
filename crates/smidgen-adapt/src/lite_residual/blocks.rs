//! Where modules have a place: inverted residual blocks, those of ResNets, and depthwise layers with the pointwise one
//! behind.

use crate::movement::sizes;
use crate::network::is_convolution;
use smidgen_ir::{BinaryKind, ElementType, Graph, Op, OpId, Operator, TensorId};

/// A part of a network that a module lies beside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Block {
    /// What it reads.
    pub input: TensorId,
    /// What it gives: of a residual block the sum.
    pub output: TensorId,
    /// Its operators on the way from one to the other, in order; a gate's are not among them.
    pub operators: Vec<OpId>,
    /// The product of its strides.
    pub stride: [usize; 2],
}

/// Operators between two convolutions of a block, or a block and the next, at most.
const LONGEST: usize = 24;
/// Convolutions on the way through a block, at most.
pub(super) const MOST_CONVOLUTIONS: usize = 6;

/// Finds blocks in networks.
struct Finder<'a> {
    graph: &'a Graph,
    producers: Vec<Option<OpId>>,
    /// Operators that belong to a block that was found.
    taken: Vec<bool>,
}

/// A step back: the operator, and what it reads.
type Link = (OpId, TensorId);

impl Finder<'_> {
    fn operator(&self, id: OpId) -> &Operator {
        &self.graph.operators[id.index()]
    }

    /// The way back from a tensor, along the greatest operand of products (the other one is a gate), as long as there
    /// is one way.
    fn back(&self, mut at: TensorId) -> Vec<Link> {
        let mut way = Vec::new();
        while let Some(id) = self.producers[at.index()].filter(|_| way.len() < LONGEST) {
            let operator = self.operator(id);
            let (first, second) = (operator.inputs[0], operator.inputs.get(1).copied());
            let size = |id: TensorId| self.graph.tensor(id).shape.elements();
            let constant = |id: TensorId| self.graph.tensor(id).is_constant();
            at = match (&operator.op, second) {
                (op, _) if is_convolution(op) => first,
                (Op::Unary(_) | Op::Quantize | Op::Pad { .. } | Op::Pool2d { .. }, _) => first,
                (Op::Binary { kind: BinaryKind::Mul, .. }, Some(second)) => {
                    if constant(first) || (!constant(second) && size(second) > size(first)) { second } else { first }
                }
                _ => break,
            };
            way.push((id, at));
        }
        way
    }

    /// Whether a tensor is int8 with one scale, of rows, columns and channels.
    fn fits(&self, id: TensorId) -> bool {
        let tensor = self.graph.tensor(id);
        tensor.element() == ElementType::Int8 && tensor.per_tensor().is_some() && tensor.shape.nhwc().is_some()
    }

    /// The block on this way, if it is one; `side` are operators of its shortcut.
    fn block(&mut self, way: &[Link], side: &[Link], output: TensorId, last: OpId) -> Option<Block> {
        let input = way.last().or(side.last())?.1;
        let all = || way.iter().chain(side).map(|&(id, _)| id);
        let convolutions = all().filter(|&id| is_convolution(&self.operator(id).op)).count();
        let free = all().all(|id| !self.taken[id.index()]);
        if !free || !(1..=MOST_CONVOLUTIONS).contains(&convolutions) || !self.fits(input) || !self.fits(output) {
            return None;
        }
        if self.graph.tensor(input).shape.dims()[0] != self.graph.tensor(output).shape.dims()[0] {
            return None;
        }
        let longer = if way.len() >= side.len() { way } else { side };
        let stride = longer.iter().fold([1, 1], |all, &(id, _)| {
            let stride = match &self.operator(id).op {
                Op::Conv2d(conv) | Op::DepthwiseConv2d { conv, .. } => conv.stride,
                Op::Pool2d { stride, .. } => *stride,
                _ => [1, 1],
            };
            [all[0] * stride[0], all[1] * stride[1]]
        });
        let mut operators: Vec<OpId> = all().chain([last]).collect();
        operators.sort_unstable_by_key(|id| id.index());
        operators.dedup();
        operators.iter().for_each(|id| self.taken[id.index()] = true);
        Some(Block { input, output, operators, stride })
    }

    /// A sum of a tensor, or of something short that follows from it, with what convolutions make of it.
    fn residual(&mut self, id: OpId) -> Option<Block> {
        let operator = self.operator(id);
        let (&[a, b], &[output]) = (&operator.inputs[..], &operator.outputs[..]) else { return None };
        if !matches!(operator.op, Op::Binary { kind: BinaryKind::Add, .. }) {
            return None;
        }
        let (way, side) = (self.back(a), self.back(b));
        let tensors = |from: TensorId, way: &[Link]| -> Vec<TensorId> {
            [from].into_iter().chain(way.iter().map(|&(_, at)| at)).collect()
        };
        let (ta, tb) = (tensors(a, &way), tensors(b, &side));
        let (i, j) = ta.iter().enumerate().find_map(|(i, at)| Some((i, tb.iter().position(|other| other == at)?)))?;
        let (longer, shorter) = if i >= j { (&way[..i], &side[..j]) } else { (&side[..j], &way[..i]) };
        self.block(longer, shorter, output, id)
    }

    /// A pointwise convolution behind a depthwise one, and the pointwise one that widens in front of it.
    fn inverted(&mut self, id: OpId) -> Option<Block> {
        if !self.pointwise(id) || self.taken[id.index()] {
            return None;
        }
        let output = self.operator(id).outputs[0];
        let way = self.back(output);
        let convolutions: Vec<usize> =
            (0..way.len()).filter(|&i| is_convolution(&self.operator(way[i].0).op)).collect();
        let &[_, depthwise, ref before @ ..] = &convolutions[..] else { return None };
        if !matches!(self.operator(way[depthwise].0).op, Op::DepthwiseConv2d { .. }) {
            return None;
        }
        let channels = |id: TensorId| sizes(self.graph.tensor(id).shape.dims())[1];
        let widens = before.first().copied().filter(|&i| {
            let (id, input) = way[i];
            self.pointwise(id)
                && !self.taken[id.index()]
                && channels(self.operator(id).outputs[0]) >= channels(input)
                && self.graph.tensor(input).shape.nhwc().is_some_and(|[_, h, w, _]| h * w > 1)
        });
        let padded = |i: usize| way.get(i).is_some_and(|&(id, _)| matches!(self.operator(id).op, Op::Pad { .. }));
        let mut end = widens.unwrap_or(depthwise) + 1;
        // What pads in front of a window belongs to it.
        end += usize::from(padded(end));
        let (way, last) = (way[..end].to_vec(), id);
        self.block(&way, &[], output, last)
    }

    fn pointwise(&self, id: OpId) -> bool {
        let operator = self.operator(id);
        let taps = |id: TensorId| self.graph.tensor(id).shape.nhwc().map(|[_, h, w, _]| [h, w]);
        match &operator.op {
            Op::Conv2d(conv) => conv.stride == [1, 1] && taps(operator.inputs[1]) == Some([1, 1]),
            _ => false,
        }
    }
}

/// The blocks of a network, in order: sums of a tensor and of what up to six convolutions make of it (inverted residual
/// blocks with a shortcut, those of ResNets, with a convolution in the shortcut or without), and depthwise convolutions
/// with the pointwise one behind and, if it widens, the one in front.
pub fn blocks(graph: &Graph) -> Vec<Block> {
    let count = graph.operators.len();
    let mut finder = Finder { graph, producers: graph.producers(), taken: vec![false; count] };
    let ids = || (0..count as u32).map(OpId);
    let mut found: Vec<Block> = ids().filter_map(|id| finder.residual(id)).collect();
    found.extend(ids().filter_map(|id| finder.inverted(id)).collect::<Vec<_>>());
    found.sort_by_key(|block| block.operators.last().map(|id| id.index()));
    found
}
