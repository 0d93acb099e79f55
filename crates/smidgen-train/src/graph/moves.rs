//! Operators that move elements, as tables of origins.

use super::{Importer, Source};
use crate::builder::Value;
use crate::error::TrainError;
use crate::net::Activation;
use crate::plain::Plain;
use crate::plain::gather::{Gather, Origin};
use smidgen_ir::{Op, Operator, PadValue};

/// Elements from one index to the next along each axis, row-major.
pub(super) fn strides(dims: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; dims.len()];
    for i in (1..dims.len()).rev() {
        strides[i - 1] = strides[i] * dims[i];
    }
    strides
}

/// All indices of a shape in row-major order.
pub(super) fn indices(dims: &[usize]) -> impl Iterator<Item = Vec<usize>> {
    let strides = strides(dims);
    let dims = dims.to_vec();
    (0..dims.iter().product()).map(move |i| strides.iter().zip(&dims).map(|(s, d)| i / s % d).collect())
}

/// The element at an index.
fn at(index: impl IntoIterator<Item = usize>, strides: &[usize]) -> usize {
    index.into_iter().zip(strides).map(|(i, s)| i * s).sum()
}

impl Importer<'_> {
    /// A plain node of origins; those of constant inputs are replaced by the constants.
    pub(super) fn gather(
        &mut self,
        operator: &Operator,
        shape: Vec<usize>,
        name: &str,
        activation: Activation,
        origins: Vec<Origin>,
    ) -> Result<Value, TrainError> {
        let mut inputs = Vec::new();
        let mut sources = Vec::new();
        for k in 0..operator.inputs.len() {
            let source = self.source(operator, k)?;
            if let Source::Value(value) = source {
                inputs.push(value);
            }
            sources.push((source, inputs.len()));
        }
        if inputs.is_empty() {
            return self.refuse(operator, "what it reads is constant: fold constants first");
        }
        let resolve = |origin| match origin {
            Origin::Input { input, index } => match &sources[input as usize] {
                (Source::Value(_), count) => Origin::Input { input: *count as u32 - 1, index },
                (Source::Constant(elements), _) => Origin::Constant(elements[index as usize]),
            },
            constant => constant,
        };
        let gather = Gather { origins: origins.into_iter().map(resolve).collect() };
        Ok(self.builder.plain(name, Plain::Gather(gather), &inputs, shape, activation))
    }

    /// Operators with one output.
    pub(super) fn moved(&mut self, operator: &Operator) -> Result<Value, TrainError> {
        let output = self.dims(operator.outputs[0]).to_vec();
        let from = strides(self.dims(operator.inputs[0]));
        let dims = self.dims(operator.inputs[0]).to_vec();
        let of = |index: usize| Origin::Input { input: 0, index: index as u32 };
        let mut activation = Activation::None;
        let origins: Vec<Origin> = match &operator.op {
            Op::Pad { pads, value } => {
                let fill = match value {
                    PadValue::Zero => 0.0,
                    PadValue::Float(x) => *x,
                    PadValue::Integer(_) => return self.refuse(operator, "it fills with an integer"),
                };
                let place = |index: Vec<usize>| {
                    let inner = |(axis, i): (usize, usize)| i.checked_sub(pads[axis][0]).filter(|&j| j < dims[axis]);
                    let inside: Option<Vec<usize>> = index.into_iter().enumerate().map(inner).collect();
                    inside.map_or(Origin::Constant(fill), |i| of(at(i, &from)))
                };
                indices(&output).map(place).collect()
            }
            Op::Transpose { perm } => {
                let steps: Vec<usize> = perm.iter().map(|&axis| from[axis]).collect();
                indices(&output).map(|i| of(at(i, &steps))).collect()
            }
            Op::Slice { begin, .. } => {
                indices(&output).map(|i| of(at(i.iter().zip(begin).map(|(i, b)| i + b), &from))).collect()
            }
            Op::StridedSlice { axes } => {
                // The box before axes are dropped has as many elements, in the same order.
                let taken: Vec<usize> = axes.iter().map(|a| a.len).collect();
                let start =
                    |(i, a): (usize, &smidgen_ir::AxisSlice)| (a.start as isize + i as isize * a.stride) as usize;
                indices(&taken).map(|i| of(at(i.into_iter().zip(axes).map(start), &from))).collect()
            }
            Op::Concatenation { axis, activation: fused } => {
                activation = (*fused).into();
                self.joined(operator, &output, *axis, false)
            }
            Op::Pack { axis } => self.joined(operator, &output, *axis, true),
            _ => return self.refuse(operator, "it has no gradient"),
        };
        let (name, shape) = (self.name(operator), self.output_shape(operator));
        self.gather(operator, shape, &name, activation, origins)
    }

    /// Inputs joined along an axis, which is new or not.
    fn joined(&self, operator: &Operator, output: &[usize], axis: usize, new: bool) -> Vec<Origin> {
        // For each index along the axis: the input, and the index there.
        let mut parts = Vec::new();
        for (k, &t) in operator.inputs.iter().enumerate() {
            let size = if new { 1 } else { self.dims(t)[axis] };
            parts.extend((0..size).map(|i| (k, i)));
        }
        let place = |mut index: Vec<usize>| {
            let (k, i) = parts[index[axis]];
            if new {
                index.remove(axis);
            } else {
                index[axis] = i;
            }
            Origin::Input { input: k as u32, index: at(index, &strides(self.dims(operator.inputs[k]))) as u32 }
        };
        indices(output).map(place).collect()
    }

    /// Output `k` of an operator with several.
    pub(super) fn part(&mut self, operator: &Operator, k: usize) -> Result<Value, TrainError> {
        let output = self.dims(operator.outputs[k]).to_vec();
        let from = strides(self.dims(operator.inputs[0]));
        let place = |mut index: Vec<usize>| {
            match operator.op {
                Op::Unpack { axis } => index.insert(axis, k),
                Op::Split { axis, .. } => index[axis] += k * output[axis],
                _ => {}
            }
            Origin::Input { input: 0, index: at(index, &from) as u32 }
        };
        let origins = indices(&output).map(place).collect();
        let name = self.graph.tensor(operator.outputs[k]).name.clone();
        self.gather(operator, super::stripped(&output), &name, Activation::None, origins)
    }
}
