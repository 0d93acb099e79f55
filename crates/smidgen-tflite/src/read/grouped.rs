//! Convolutions in groups, which the format says by weights of fewer channels than the input has.
//!
//! Each group of outputs sees its own part of the input's channels. A group for each channel is a DEPTHWISE_CONV_2D; others become a SPLIT, a
//! CONV_2D for each part and a CONCATENATION, with the same sums and scales.

use super::tensors::{Refusal, Source};
use super::unroll::Progress;
use smidgen_ir::{Activation, ConvParams, DataType, ElementType, Op, Quantisation};
use std::ops::Range;

/// The number of groups, and of outputs of each, of a CONV_2D with such an input and weights; `None` if it has one group.
pub(crate) fn groups(x: &[usize], weights: &[usize]) -> Option<[usize; 2]> {
    let (&[.., depth], &[filters, _, _, taken]) = (x, weights) else { return None };
    let groups = depth.checked_div(taken).filter(|&groups| groups > 1 && groups * taken == depth)?;
    (filters > 0 && filters.is_multiple_of(groups)).then_some([groups, filters / groups])
}

impl Progress<'_> {
    /// Takes a CONV_2D in so many groups, each with so many outputs. False if that would become too many operators.
    pub(super) fn grouped(
        &mut self,
        index: usize,
        conv: ConvParams,
        inputs: &[usize],
        [groups, each]: [usize; 2],
    ) -> bool {
        let (x, weights, bias) = (inputs[0], inputs[1], inputs.get(2).copied());
        let y = self.wirings[index].outputs[0];
        let taken = self.tensors[weights].shape[3];
        if taken == 1 {
            let weights = self.turned(weights);
            let op = Op::DepthwiseConv2d { conv, multiplier: each };
            self.emit(index, op, [x, weights].into_iter().chain(bias).collect(), vec![y]);
            return true;
        }
        if !self.becomes(groups + 2) {
            return false;
        }
        let parts: Vec<usize> = (0..groups).map(|_| self.like(x, Vec::new())).collect();
        self.emit(index, Op::Split { axis: 3, parts: groups }, vec![x], parts.clone());
        let mut made = Vec::with_capacity(groups);
        for (group, part) in parts.into_iter().enumerate() {
            let constants = [Some(weights), bias].into_iter().flatten();
            let constants: Vec<usize> = constants.map(|t| self.filters(t, group * each, each)).collect();
            let part_of_y = self.like(y, Vec::new());
            self.emit(index, Op::Conv2d(conv), [part].into_iter().chain(constants).collect(), vec![part_of_y]);
            made.push(part_of_y);
        }
        self.emit(index, Op::Concatenation { axis: 3, activation: Activation::None }, made, vec![y]);
        true
    }

    /// The constant of so many filters from `first` on, along the first axis.
    fn filters(&mut self, t: usize, first: usize, count: usize) -> usize {
        let source = &self.tensors[t];
        let mut shape = source.shape.clone();
        let all = std::mem::replace(&mut shape[0], count);
        let data = source.data.clone().unwrap_or_else(|| [].into());
        let bytes = data.len() / all.max(1);
        let dtype = scales_of(source, first..first + count, 0);
        let data = data[first * bytes..(first + count) * bytes].into();
        let part = Source { shape, dtype, data: Some(data), ..source.clone() };
        self.tensors.push(part);
        self.tensors.len() - 1
    }

    /// Weights of filters with one channel each as those of a DEPTHWISE_CONV_2D, whose last axis the filters are.
    fn turned(&mut self, t: usize) -> usize {
        let source = &self.tensors[t];
        let [filters, rows, columns, _] = source.shape[..] else { return t };
        let data = source.data.clone().unwrap_or_else(|| [].into());
        let taps = rows * columns;
        let bytes = data.len() / (filters * taps).max(1);
        let place = |at: usize| (at % filters) * taps + at / filters;
        let data: Vec<u8> =
            (0..filters * taps).flat_map(|at| data[place(at) * bytes..][..bytes].iter().copied()).collect();
        let dtype = scales_of(source, 0..filters, 3);
        let shape = vec![1, rows, columns, filters];
        self.tensors.push(Source { shape, dtype, data: Some(data.into()), ..source.clone() });
        self.tensors.len() - 1
    }
}

/// The type of some of a constant's filters, which lie along another axis then: with their own scales, where each has one.
fn scales_of(source: &Source, filters: Range<usize>, axis: usize) -> Result<DataType, Refusal> {
    match &source.dtype {
        Ok(DataType::Quantised(element, Quantisation::PerChannel { axis: 0, scales, zero_points })) => {
            let (scales, zero_points) = (scales[filters.clone()].to_vec(), zero_points[filters].to_vec());
            Ok(DataType::Quantised(*element, Quantisation::PerChannel { axis, scales, zero_points }))
        }
        dtype => dtype.clone(),
    }
}

/// True if the constant's elements are whole bytes, and their scales such that a part of them has its own.
pub(crate) fn divides(weights: &Source) -> bool {
    let along = match weights.dtype.as_ref().ok().and_then(DataType::quantisation) {
        Some(Quantisation::PerChannel { axis, .. }) => *axis == 0,
        _ => true,
    };
    along && weights.element() != ElementType::Int4
}
