//! Networks that compute with uint8, the quantisation of TensorFlow 1: read as the networks of int8 that they are
//! once 128 is taken from every stored number and every zero point.
//!
//! What comes in and goes out stays uint8, behind a QUANTIZE of one scale. Weights keep their zero point only where
//! they would not fit int8 without; an operator whose kernels of uint8 round otherwise than those of int8 is
//! [marked](smidgen_ir::Operator::uint8).

use super::call::{Trouble, unsupported};
use super::cause::MIXED;
use super::tensors::{Refusal, Source};
use super::{Code, Reader, Wiring};
use crate::error::ReadError;
use crate::support::Builtin;
use smidgen_ir::{DataType, ElementType, Graph, Op, Quantisation, Tensor, TensorId};
use std::collections::HashMap;
use std::ops::RangeInclusive;

/// What int8 holds.
const INT8: RangeInclusive<i32> = -128..=127;

/// True if an operator computes with quantised uint8, more than moving or converting it.
pub(super) fn computes(wirings: &[Wiring<'_>], codes: &[Code], tensors: &[Source]) -> bool {
    wirings.iter().any(|wiring| {
        let Code::Known(builtin) = &codes[wiring.code] else { return false };
        let dtype = |&t: &usize| tensors[t].dtype.as_ref().ok();
        let mut inputs = wiring.inputs.iter().flatten();
        // Inputs of scales of their own are brought to the output's.
        let joins = *builtin == Builtin::Concatenation
            && wiring.outputs.first().is_some_and(|y| inputs.clone().any(|x| dtype(x) != dtype(y)));
        (builtin.computes() || joins)
            && inputs.any(|&t| tensors[t].element() == ElementType::Uint8 && tensors[t].has_scales())
    })
}

impl Reader<'_> {
    /// Takes 128 from every quantised uint8.
    pub(super) fn shift(&self, tensors: &mut [Source]) -> Result<(), ReadError> {
        for source in tensors {
            let Ok(DataType::Quantised(ElementType::Uint8, quantisation)) = &source.dtype else { continue };
            let Quantisation::PerTensor { scale, zero_point } = *quantisation else {
                source.dtype = Err(Refusal::unsupported(
                    "it is of uint8 with a scale for each channel, which no kernel takes",
                    "quantise it with one scale, or to int8",
                ));
                continue;
            };
            if let Some(data) = &source.data {
                self.budget.take(data.len())?;
                source.data = Some(data.iter().map(|byte| byte ^ 0x80).collect());
            }
            source.uint8 = Some((scale, zero_point));
            source.dtype = Ok(DataType::int8(scale, zero_point - 128));
        }
        Ok(())
    }

    /// Takes their zero point from weights that fit int8 without it.
    pub(super) fn centre_weights(
        &self,
        builtin: Builtin,
        wiring: &Wiring<'_>,
        tensors: &mut [Source],
    ) -> Result<(), ReadError> {
        let weighted = [Builtin::Conv2d, Builtin::DepthwiseConv2d, Builtin::TransposeConv, Builtin::FullyConnected]
            .contains(&builtin);
        let Some(&Some(weights)) = wiring.inputs.get(1).filter(|_| weighted) else { return Ok(()) };
        let source = &mut tensors[weights];
        let (Some((scale, zero_point)), Some(data)) = (source.uint8, &source.data) else { return Ok(()) };
        let zero_point = zero_point - 128;
        let stored = source.dtype.as_ref().ok().and_then(DataType::quantisation).and_then(Quantisation::per_tensor);
        if zero_point == 0 || stored != Some((scale, zero_point)) {
            return Ok(());
        }
        let centred = |&byte: &u8| i32::from(byte as i8) - zero_point;
        if data.iter().all(|byte| INT8.contains(&centred(byte))) {
            self.budget.take(data.len())?;
            source.data = Some(data.iter().map(|byte| centred(byte) as u8).collect());
            source.dtype = Ok(DataType::int8(scale, 0));
        }
        Ok(())
    }
}

/// Refuses an operator with integers of either kind, which no kernel takes.
pub(super) fn unmixed(builtin: Builtin, wiring: &Wiring<'_>, tensors: &[Source]) -> Result<(), Trouble> {
    if matches!(builtin, Builtin::Quantize | Builtin::Dequantize) {
        return Ok(());
    }
    let all = wiring.inputs.iter().flatten().chain(&wiring.outputs).map(|&t| &tensors[t]);
    let bytes =
        all.filter(|source| source.has_scales() && matches!(source.element(), ElementType::Int8 | ElementType::Int4));
    let mut kinds = bytes.map(|source| source.uint8.is_some());
    let first = kinds.next();
    if kinds.all(|kind| Some(kind) == first) {
        return Ok(());
    }
    unsupported("it has uint8 beside int8, which no kernel takes", MIXED)
}

/// True if an operator computes as kernels of uint8 do and those of int8 do not.
pub(super) fn differs(op: &Op, inputs: &[usize], outputs: &[usize], tensors: &[Source]) -> bool {
    let quantisation = |t: usize| tensors[t].dtype.as_ref().ok().and_then(DataType::quantisation);
    let traits = op.traits();
    if !traits.uint8 || inputs.first().is_none_or(|&x| tensors[x].uint8.is_none()) {
        return false;
    }
    if traits.weights.is_some() {
        let zero_point = |weights: &usize| quantisation(*weights).and_then(Quantisation::per_tensor);
        return inputs.get(1).and_then(zero_point).is_some_and(|(_, zero_point)| zero_point != 0);
    }
    if let Op::Concatenation { .. } = op {
        return inputs.iter().any(|&x| quantisation(x) != quantisation(outputs[0]));
    }
    true
}

/// Inputs and outputs of the graph that stay uint8.
pub(super) struct Ends(HashMap<usize, Option<TensorId>>);

impl Ends {
    /// Those among the inputs and outputs of the file.
    pub(super) fn of(tensors: &[Source], ports: [&[usize]; 2]) -> Self {
        Self(ports.into_iter().flatten().filter(|&&t| tensors[t].uint8.is_some()).map(|&t| (t, None)).collect())
    }

    /// Adds a tensor to the graph, and beside it the one of uint8 that it is outside if it is an end.
    pub(super) fn add(&mut self, graph: &mut Graph, index: usize, tensor: Tensor, end: (f32, i32)) -> TensorId {
        let Some(outside) = self.0.get_mut(&index) else { return graph.add_tensor(tensor) };
        let (scale, zero_point) = end;
        let dtype = DataType::Quantised(ElementType::Uint8, Quantisation::PerTensor { scale, zero_point });
        *outside = Some(graph.add_tensor(Tensor { dtype, data: None, ..tensor.clone() }));
        graph.add_tensor(Tensor { name: format!("{} as int8", tensor.name), source: None, ..tensor })
    }

    fn outside(&self, index: usize, ids: &[TensorId]) -> TensorId {
        self.0.get(&index).copied().flatten().unwrap_or(ids[index])
    }

    /// Names the graph's inputs, each with the QUANTIZE from uint8 that it needs.
    pub(super) fn enter(&self, graph: &mut Graph, inputs: &[usize], ids: &[TensorId]) {
        graph.inputs = inputs.iter().map(|&t| self.outside(t, ids)).collect();
        for (&t, &x) in inputs.iter().zip(&graph.inputs.clone()) {
            if x != ids[t] {
                graph.add_operator(Op::Quantize, vec![x], vec![ids[t]]);
            }
        }
    }

    /// Names the graph's outputs, each with the QUANTIZE to uint8 that it needs.
    pub(super) fn leave(&self, graph: &mut Graph, outputs: &[usize], ids: &[TensorId]) {
        graph.outputs = outputs.iter().map(|&t| self.outside(t, ids)).collect();
        let mut written = graph.inputs.clone();
        for (&t, &y) in outputs.iter().zip(&graph.outputs.clone()) {
            if y != ids[t] && !written.contains(&y) {
                written.push(y);
                graph.add_operator(Op::Quantize, vec![ids[t]], vec![y]);
            }
        }
    }
}
