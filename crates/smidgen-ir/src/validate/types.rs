//! Rules of types of which operators choose theirs: which types go together, which inputs must be constant, and how
//! far scales may lie apart.

use super::{OperatorError, TensorRef};
use crate::graph::{Graph, Operator};
use crate::ops::Weights;
use crate::tensor::{DataType, ElementType, Quantisation, Tensor, TensorId};

/// An operator's accumulator times a factor gives its output; bound on that factor, as a power of two.
pub(crate) const FACTOR_LIMIT: u32 = 30;
/// The same for ADD and SUB, whose accumulator has 20 fractional bits and one bit of head room.
pub(crate) const SUM_FACTOR_LIMIT: u32 = 19;
/// The same on int16, where it has 15.
pub(crate) const WIDE_SUM_FACTOR_LIMIT: u32 = 14;
/// The same for layers with weights on int16, whose 64-bit accumulators have room for no more.
const WIDE_FACTOR_LIMIT: u32 = 7;

const NARROW: &str =
    "f32, or i8 quantised per tensor: this operator has no form for i16, put QUANTIZE to i8 before and to i16 after it";
pub(crate) const INT8: &str = "i8 quantised per tensor";
const INT16: &str = "i16 quantised per tensor with zero point 0";

pub(crate) fn is_float(dtype: &DataType) -> bool {
    *dtype == DataType::FLOAT32
}

pub(crate) fn is_int8(dtype: &DataType) -> bool {
    matches!(dtype, DataType::Quantised(ElementType::Int8, Quantisation::PerTensor { .. }))
}

pub(crate) fn is_uint8(dtype: &DataType) -> bool {
    matches!(dtype, DataType::Quantised(ElementType::Uint8, Quantisation::PerTensor { .. }))
}

pub(crate) const INT8_OR_INT16: &str = "i8 quantised per tensor, or i16 with zero point 0";
/// At the ends of a network.
pub(crate) const BYTES_OR_INT16: &str = "i8 or u8 quantised per tensor, or i16 with zero point 0";

/// TensorFlow Lite's int16 is symmetric.
pub(crate) fn is_int16(dtype: &DataType) -> bool {
    matches!(dtype, DataType::Quantised(ElementType::Int16, Quantisation::PerTensor { zero_point: 0, .. }))
}

/// An operator and the rules that it may choose.
pub(crate) struct Rules<'a> {
    pub(super) graph: &'a Graph,
    pub(crate) operator: &'a Operator,
    /// Which tensors are constants or computed from constants alone.
    pub(super) foldable: &'a [bool],
}

impl Rules<'_> {
    pub(crate) fn tensor(&self, id: TensorId) -> &Tensor {
        self.graph.tensor(id)
    }

    /// The input of this index.
    pub(crate) fn input(&self, index: usize) -> &Tensor {
        self.tensor(self.operator.inputs[index])
    }

    /// The tensor has a type that is accepted.
    pub(crate) fn expect(
        &self,
        id: TensorId,
        expected: impl Into<String>,
        accept: impl Fn(&DataType) -> bool,
    ) -> Result<(), OperatorError> {
        let found = &self.tensor(id).dtype;
        if accept(found) {
            return Ok(());
        }
        let (tensor, found) = (TensorRef::new(self.graph, id), found.clone());
        Err(OperatorError::Type { tensor, expected: expected.into(), found })
    }

    /// The tensor stands for real numbers that kernels compute with.
    pub(crate) fn real(&self, id: TensorId) -> Result<(), OperatorError> {
        let wide = self.operator.op.takes_int16();
        let expected = if wide { "f32, i8 quantised per tensor, or i16 with zero point 0" } else { NARROW };
        self.expect(id, expected, |d| is_float(d) || is_int8(d) || (wide && is_int16(d)))
    }

    /// The input of this index, if there is one, is a constant or computed from constants.
    pub(crate) fn constant(&self, input: usize, what: &'static str) -> Result<(), OperatorError> {
        match self.operator.inputs.get(input) {
            Some(&id) if !self.foldable[id.index()] => {
                Err(OperatorError::NotConstant { what, tensor: TensorRef::new(self.graph, id) })
            }
            _ => Ok(()),
        }
    }

    fn ids(&self) -> impl Iterator<Item = TensorId> {
        self.operator.inputs.iter().chain(&self.operator.outputs).copied()
    }

    fn all_integers(&self) -> bool {
        self.ids().all(|t| self.is_quantised(t))
    }

    fn is_quantised(&self, id: TensorId) -> bool {
        let dtype = &self.tensor(id).dtype;
        is_int8(dtype) || is_int16(dtype)
    }

    /// All inputs and outputs are float32, or all are int8, or all int16 if the operator [takes it](Op::takes_int16).
    pub(crate) fn arithmetic(&self) -> Result<(), OperatorError> {
        let first = self.operator.inputs[0];
        self.real(first)?;
        let (expected, accept): (_, fn(&DataType) -> bool) = match self.tensor(first).element() {
            ElementType::Float32 => ("f32", is_float),
            ElementType::Int16 => (INT16, is_int16),
            _ => (INT8, is_int8),
        };
        self.ids().try_for_each(|t| self.expect(t, format!("{expected}, like the first input"), accept))
    }

    /// All inputs and outputs are float32.
    pub(crate) fn floats(&self) -> Result<(), OperatorError> {
        self.ids().try_for_each(|t| self.expect(t, "f32", is_float))
    }

    /// All inputs and outputs have exactly the first input's type.
    pub(crate) fn unchanged(&self) -> Result<(), OperatorError> {
        let first = &self.tensor(self.operator.inputs[0]).dtype;
        self.ids().try_for_each(|t| self.expect(t, format!("{first}, like the first input"), |d| d == first))
    }

    /// A convolution or fully connected layer, with the [weights](crate::ops::Weights) that its traits say; a layer
    /// without any passes.
    pub(crate) fn weighted(&self) -> Result<(), OperatorError> {
        let Some(Weights { axis, int4, zero_point, hybrid }) = self.operator.op.traits().weights else { return Ok(()) };
        if !int4 {
            self.expect(
                self.operator.inputs[1],
                "i8 or f32: i4 weights are for CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED",
                |d| d.element() != ElementType::Int4,
            )?;
        }
        self.constant(1, "the weights")?;
        self.constant(2, "the bias")?;
        let (x, weights, y) = (self.operator.inputs[0], self.operator.inputs[1], self.operator.outputs[0]);
        let bias = self.operator.inputs.get(2).copied();
        self.real(x)?;
        if is_float(&self.tensor(x).dtype) {
            if hybrid && matches!(self.tensor(weights).element(), ElementType::Int8 | ElementType::Int4) {
                let expected =
                    format!("f32, or i8 or i4 with zero points 0, quantised per tensor or along axis {axis}");
                self.expect(weights, expected, |d| d.is_symmetric_weights(axis))?;
                return [bias, Some(y)]
                    .into_iter()
                    .flatten()
                    .try_for_each(|t| self.expect(t, "f32, like the first input", is_float));
            }
            return [Some(weights), bias, Some(y)]
                .into_iter()
                .flatten()
                .try_for_each(|t| self.expect(t, "f32, like the first input", is_float));
        }
        let wide = is_int16(&self.tensor(x).dtype);
        let (elements, symmetric) = if wide { ("i8", true) } else { ("i8 or i4", !zero_point && !self.operator.uint8) };
        let expected = match symmetric {
            true => format!("{elements} with zero points 0, quantised per tensor or along axis {axis}"),
            false => format!("{elements}, quantised per tensor or along axis {axis}"),
        };
        self.expect(weights, expected, |d| {
            let DataType::Quantised(element, quantisation) = d else { return false };
            let stored = *element == ElementType::Int8 || (!wide && *element == ElementType::Int4);
            stored
                && match quantisation {
                    Quantisation::PerTensor { zero_point, .. } => !symmetric || *zero_point == 0,
                    // Per-channel zero points have no kernel anywhere: the format requires 0.
                    Quantisation::PerChannel { axis: a, zero_points, .. } => {
                        *a == axis && zero_points.iter().all(|&z| z == 0)
                    }
                }
        })?;
        if let Some(bias) = bias {
            if wide {
                self.expect(bias, "i64, like all biases of layers on i16", |d| d.element() == ElementType::Int64)?;
            } else {
                self.expect(bias, "i32", |d| d.element() == ElementType::Int32)?;
            }
        }
        if wide {
            self.expect(y, format!("{INT16}, like the first input"), is_int16)?;
        } else {
            self.expect(y, INT8, is_int8)?;
        }
        let largest = match self.tensor(weights).dtype.quantisation() {
            Some(Quantisation::PerTensor { scale, .. }) => *scale,
            Some(Quantisation::PerChannel { scales, .. }) => scales.iter().copied().fold(0.0, f32::max),
            None => return Ok(()),
        };
        let limit = if wide { WIDE_FACTOR_LIMIT } else { FACTOR_LIMIT };
        self.factor(self.scale(x) * f64::from(largest), y, limit)
    }

    /// The output of a function with values in 0..1 has scale 1/256 and zero point -128 (int8), or 1/32768 and 0
    /// (int16).
    pub(crate) fn probability(&self) -> Result<(), OperatorError> {
        let y = self.operator.outputs[0];
        let fixed = match self.tensor(y).element() {
            ElementType::Float32 => return Ok(()),
            ElementType::Int16 => DataType::int16(1.0 / 32768.0),
            _ => DataType::int8(1.0 / 256.0, -128),
        };
        self.expect(y, fixed.to_string(), |d| *d == fixed)
    }

    /// The int16 output of a function with values in -1..1 has scale 1/32768.
    pub(crate) fn fraction(&self) -> Result<(), OperatorError> {
        let y = self.operator.outputs[0];
        if self.tensor(y).element() != ElementType::Int16 {
            return Ok(());
        }
        let fixed = DataType::int16(1.0 / 32768.0);
        self.expect(y, fixed.to_string(), |d| *d == fixed)
    }

    /// The scale of a per-tensor quantised tensor; 1 for any other.
    pub(crate) fn scale(&self, id: TensorId) -> f64 {
        self.tensor(id).per_tensor().map_or(1.0, |(scale, _)| f64::from(scale))
    }

    /// The factor from an accumulator of this scale to an output is [limited](Self::limited).
    pub(crate) fn factor(&self, accumulator: f64, output: TensorId, limit: u32) -> Result<(), OperatorError> {
        self.limited(accumulator / self.scale(output), output, limit)
    }

    /// A factor on the way to an output stays below two to the power of the limit.
    pub(crate) fn limited(&self, factor: f64, output: TensorId, limit: u32) -> Result<(), OperatorError> {
        if factor < f64::from(1u32 << limit) {
            return Ok(());
        }
        Err(OperatorError::Factor { tensor: TensorRef::new(self.graph, output), factor, limit })
    }

    /// Each input's scale over each output's stays below the limit. Floats have scale 1 on both sides and always pass.
    pub(crate) fn ratios(&self, limit: u32) -> Result<(), OperatorError> {
        if !self.all_integers() {
            return Ok(());
        }
        for &x in &self.operator.inputs {
            self.operator.outputs.iter().try_for_each(|&y| self.factor(self.scale(x), y, limit))?;
        }
        Ok(())
    }

    /// The factor of a LEAKY_RELU's negative side stays below the limit.
    pub(crate) fn slope(&self, alpha: f32) -> Result<(), OperatorError> {
        if !self.all_integers() {
            return Ok(());
        }
        let accumulator = self.scale(self.operator.inputs[0]) * f64::from(alpha.abs());
        self.factor(accumulator, self.operator.outputs[0], FACTOR_LIMIT)
    }

    /// The product of the inputs' scales over the output's stays below the limit.
    pub(crate) fn product(&self) -> Result<(), OperatorError> {
        if !self.all_integers() {
            return Ok(());
        }
        let accumulator = self.operator.inputs.iter().map(|&x| self.scale(x)).product();
        self.factor(accumulator, self.operator.outputs[0], FACTOR_LIMIT)
    }
}
