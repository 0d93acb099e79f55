//! Dilated convolutions that are written as three operators.
//!
//! TensorFlow computes a convolution with a dilation of `d` as SPACE_TO_BATCH_ND, which pads and deals every `d`-th row and column out to an image of
//! its own, a convolution without dilation, and BATCH_TO_SPACE_ND, which puts the images together again and crops. A converter that does not see
//! through this leaves the three as they are; of one spatial axis there are EXPAND_DIMS and SQUEEZE, or RESHAPE, around the convolution. All that is one
//! convolution with explicit padding: what the padding adds on a side and the crop takes away again cancels.

use super::call::Call;
use super::tensors::Source;
use super::{Code, Wiring};
use crate::support::Builtin;
use smidgen_ir::front::SupportEntry;
use smidgen_ir::{ConvParams, Op, Padding};
use std::collections::HashMap;

/// Operators that are read around a convolution.
pub const AROUND: [SupportEntry; 2] = [around("BATCH_TO_SPACE_ND"), around("SPACE_TO_BATCH_ND")];

const fn around(name: &'static str) -> SupportEntry {
    let remarks = "around CONV_2D or DEPTHWISE_CONV_2D with strides of 1: a dilated convolution";
    SupportEntry { name, types: &[], remarks }
}

/// What becomes of an operator.
pub(super) enum Rewrite {
    /// A convolution with another dilation and padding.
    Window { dilation: [usize; 2], padding: Padding },
    /// A RESHAPE to another shape.
    Shape(Vec<usize>),
}

impl Rewrite {
    /// The operator in place of one that was read.
    pub fn apply(&self, mut op: Op) -> Op {
        if let (Self::Window { dilation, padding }, Some(conv)) = (self, window(&mut op)) {
            (conv.dilation, conv.padding) = (*dilation, *padding);
        }
        op
    }
}

/// The parameters of a convolution.
fn window(op: &mut Op) -> Option<&mut ConvParams> {
    match op {
        Op::Conv2d(conv) | Op::DepthwiseConv2d { conv, .. } => Some(conv),
        _ => None,
    }
}

/// Finds such operators, joins the ends of each to what stays, marks in `folded` what goes, and says what becomes of what stays.
pub(super) fn joined(
    wirings: &mut [Wiring<'_>],
    codes: &[Code],
    folded: &mut [bool],
    tensors: &[Source],
    outputs: &[usize],
) -> HashMap<usize, Rewrite> {
    let mut rewrites = HashMap::new();
    let named = |wiring: &Wiring<'_>, name: &str| codes[wiring.code].name() == name;
    let firsts: Vec<usize> = (0..wirings.len()).filter(|&i| named(&wirings[i], AROUND[1].name)).collect();
    if firsts.is_empty() {
        return rewrites;
    }
    // For each tensor, its only reader.
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); tensors.len()];
    for (i, wiring) in wirings.iter().enumerate() {
        wiring.inputs.iter().flatten().for_each(|&t| readers[t].push(i));
    }
    outputs.iter().for_each(|&t| readers[t].push(usize::MAX));
    for first in firsts {
        // Convolutions may share what deals the rows and columns out: then all of its readers are such, or none is changed.
        let [dealt] = wirings[first].outputs[..] else { continue };
        let lines = |&begin: &usize| -> Vec<[usize; 2]> {
            let around = wirings.get(begin).is_some_and(|w| matches!(codes[w.code].name(), "EXPAND_DIMS" | "RESHAPE"));
            match wirings.get(begin).and_then(|wiring| wiring.outputs.first()) {
                Some(&line) if around => readers[line].iter().map(|&middle| [begin, middle]).collect(),
                _ => vec![[begin, begin]],
            }
        };
        let paths: Vec<[usize; 2]> = readers[dealt].iter().flat_map(lines).collect();
        let all: Option<Vec<Found>> =
            paths.iter().map(|&path| Found::from(first, path, wirings, codes, tensors, &readers)).collect();
        for found in all.into_iter().flatten() {
            let Found { between, last, x, y, dilation, padding } = found;
            let (&begin, &end) = (between.first().unwrap_or(&first), between.last().unwrap_or(&last));
            wirings[begin].inputs[0] = Some(x);
            wirings[end].outputs[0] = y;
            // What they read and wrote is no matter of the graph: between them a batch size may be open.
            for gone in [first, last] {
                folded[gone] = true;
                (wirings[gone].inputs, wirings[gone].outputs) = (Vec::new(), Vec::new());
            }
            let middle = between[between.len() / 2];
            rewrites.insert(middle, Rewrite::Window { dilation, padding });
            if let [before, _, after] = between[..] {
                let line = |dims: &[usize], like: &[usize]| -> Vec<usize> {
                    // A line of pixels as an image that is one pixel high, or wide.
                    let [n, length, depth] = dims else { return dims.to_vec() };
                    if like.get(1) == Some(&1) { vec![*n, 1, *length, *depth] } else { vec![*n, *length, 1, *depth] }
                };
                let image = &tensors[wirings[before].outputs[0]].shape;
                if named(&wirings[before], "RESHAPE") {
                    rewrites.insert(before, Rewrite::Shape(line(&tensors[x].shape, image)));
                }
                if named(&wirings[after], "RESHAPE") {
                    rewrites.insert(after, Rewrite::Shape(tensors[y].shape.clone()));
                }
            }
        }
    }
    rewrites
}

/// The operators of a dilated convolution.
struct Found {
    /// The convolution, or it and what turns lines into images and back.
    between: Vec<usize>,
    last: usize,
    /// What goes in and what comes out.
    x: usize,
    y: usize,
    dilation: [usize; 2],
    padding: Padding,
}

impl Found {
    fn from(
        first: usize,
        [begin, middle]: [usize; 2],
        wirings: &[Wiring<'_>],
        codes: &[Code],
        tensors: &[Source],
        readers: &[Vec<usize>],
    ) -> Option<Self> {
        let name = |i: usize| codes[wirings[i].code].name();
        // The one operator that reads what another one writes, first of its inputs.
        let next = |i: usize| -> Option<usize> {
            let [t] = wirings[i].outputs[..] else { return None };
            let [reader] = readers[t][..] else { return None };
            (wirings.get(reader)?.inputs.first() == Some(&Some(t))).then_some(reader)
        };
        // Each reads what the one before it writes as the first of its inputs.
        let follows = |i: usize, before: usize| {
            let from = wirings[before].outputs.first().copied();
            wirings.get(i).is_some_and(|wiring| from.is_some() && wiring.inputs.first() == Some(&from))
        };
        if !follows(begin, first) || (middle != begin && !follows(middle, begin)) {
            return None;
        }
        let mut between = vec![begin];
        if middle != begin {
            between.push(middle);
            between.push(next(middle)?);
            if !matches!(name(between[2]), "SQUEEZE" | "RESHAPE") {
                return None;
            }
        }
        let last = next(*between.last()?).filter(|&last| name(last) == AROUND[0].name)?;
        let ([Some(x), Some(block), Some(pads)], [Some(c), Some(same), Some(crops)], [y]) =
            (&wirings[first].inputs[..], &wirings[last].inputs[..], &wirings[last].outputs[..])
        else {
            return None;
        };
        let sizes = |t: usize| -> Option<Vec<usize>> {
            tensors[t].integers()?.into_iter().map(|n| usize::try_from(n).ok()).collect()
        };
        let (block, same, pads, crops) = (sizes(*block)?, sizes(*same)?, sizes(*pads)?, sizes(*crops)?);
        let (own, other) = (&tensors[*x], &tensors[*y]);
        let alike = |a: &Source, b: &Source| matches!((&a.dtype, &b.dtype), (Ok(a), Ok(b)) if a == b);
        let dealt = &tensors[wirings[first].outputs[0]];
        if !alike(own, dealt) || !alike(other, &tensors[*c]) || own.shape.len() != block.len() + 2 || same != block {
            return None;
        }
        // What is left of a side's padding after the crop.
        let sides = |axis: usize| -> Option<[usize; 2]> {
            let side = |side: usize| pads.get(2 * axis + side)?.checked_sub(*crops.get(2 * axis + side)?);
            Some([side(0)?, side(1)?])
        };
        let (dilation, [[top, bottom], [left, right]]) = match (&block[..], between.len()) {
            (&[rows, columns], 1) => ([rows, columns], [sides(0)?, sides(1)?]),
            (&[length], 3) => match tensors[wirings[between[0]].outputs[0]].shape[..] {
                [_, 1, _, _] => ([1, length], [[0, 0], sides(0)?]),
                [_, _, 1, _] => ([length, 1], [sides(0)?, [0, 0]]),
                _ => return None,
            },
            _ => return None,
        };
        let middle = between[between.len() / 2];
        let Code::Known(builtin @ (Builtin::Conv2d | Builtin::DepthwiseConv2d)) = codes[wirings[middle].code] else {
            return None;
        };
        let call = Call::new(builtin, &wirings[middle], tensors, false).ok()?;
        let (mut op, _) = (builtin.row().read)(&call).ok()?;
        let conv = window(&mut op)?;
        let plain = conv.stride == [1, 1] && conv.dilation == [1, 1] && conv.padding == Padding::Valid;
        let padding = Padding::Explicit { top, bottom, left, right };
        let padding = if [top, bottom, left, right] == [0; 4] { Padding::Valid } else { padding };
        (plain && dilation.iter().all(|&d| d > 0)).then_some(Self { between, last, x: *x, y: *y, dilation, padding })
    }
}
