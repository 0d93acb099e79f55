//! The validator that every front end and every rewrite must pass.
//!
//! The contract: if [`validate`] accepts a graph, nothing after it panics. It enforces, in this order:
//!
//! Structure
//! 1. Every tensor that an operator or the graph names exists.
//! 2. The graph has an output. Its inputs are distinct; none is a constant.
//! 3. Each tensor is written at most once, and never if it is a constant, a graph input or the value of a variable.
//! 4. Each operator reads only graph inputs, constants, values of variables and what an earlier operator wrote; the
//!    same holds for the graph's outputs. Otherwise the error says whether sorting would help or names the cycle.
//! 5. The value of a variable is a tensor of its own: no constant, no graph input, not that of another variable. What
//!    the variable holds first is a constant, what it holds next is there at the end, and both have the value's shape,
//!    type and quantisation.
//!
//! Tensors
//! 6. No tensor has more than [`MAX_RANK`] dimensions, a dimension of 0, or more than [`MAX_BYTES`] bytes; all of them
//!    together fit `isize`.
//! 7. A constant has exactly the bytes of its shape and element type.
//! 8. Quantised elements are int4, int8, int16 or int32. Scales are finite and positive, zero points lie in the element
//!    type's range, and a per-channel quantisation names an axis of the tensor and has one entry for each index along
//!    it.
//! 9. Only constants are int4, quantised int32 or quantised per channel.
//!
//! Operators
//! 10. Shapes and element types of the outputs are those that [`infer`] says, which also checks every parameter against
//!     its input: axes, permutations, slices, strides of at least 1, windows that fit.
//! 11. No stride, dilation, window, padding or output size is above 2^31 - 1. A PAD's value is of the tensor's type and
//!     in its range. The factor of a SOFTMAX is positive and finite, the slope of a LEAKY_RELU finite. MINIMUM, MAXIMUM
//!     and CONCATENATIONs of anything but float32 have no fused activation.
//! 12. Weights, biases and PRELU's slopes are constant, or computed from constants alone: then
//!     [`fold_constants`](crate::passes::fold_constants) makes constants of them.
//! 13. Arithmetic is on float32 throughout, or on per-tensor quantised int8 or int16 throughout where the operator's
//!     [traits](crate::Traits) have that form. Then weights are int8 or int4 (those of convolutions with zero points
//!     0, per-channel scales along the output channels) and biases int32; only CONV_2D takes int8 weights with
//!     float32, with one scale and zero point 0. QUANTIZE makes int8 or int16 of float32, int8 or int16; DEQUANTIZE
//!     makes float32 of int8, int16 or any quantised constant; ARG_MAX makes int32 or int64. Comparisons, SELECT_V2 and
//!     CAST take what is not quantised.
//! 14. Operators whose values are not [computed](crate::Values) have outputs of exactly their inputs' type and
//!     quantisation. The output of int8 SOFTMAX and LOGISTIC has scale 1/256 and zero point -128.
//! 15. The factor from an operator's accumulator to its output (input scale times weight scale over output scale) is
//!     below 2^30, for ADD and SUB below 2^19, so that it can be written as a multiplier and a shift.
//! 16. The multiply-accumulates of the whole graph can be counted in 64 bits.
//!
//! Whether an int32 accumulator can overflow is not checked here: it depends on the weights.

mod error;
mod order;
mod tensors;
pub(crate) mod types;

pub use error::{OperatorError, OperatorRef, TensorError, TensorRef, ValidateError, VariableError};
pub use tensors::beyond_bounds;
pub(crate) use types::{
    BYTES_OR_INT16, FACTOR_LIMIT, INT8, INT8_OR_INT16, Rules, SUM_FACTOR_LIMIT, WIDE_SUM_FACTOR_LIMIT, is_float,
    is_int8, is_int16, is_uint8,
};

use crate::cost;
use crate::graph::{Graph, OpId, Operator};
use crate::infer::{Inferred, infer};
use crate::ops::Padding;
use crate::passes::foldable;
use crate::tensor::{ElementType, Tensor};

/// Most dimensions of a tensor.
pub const MAX_RANK: usize = 6;
/// Most bytes of one tensor; also the greatest size along an axis and the greatest parameter.
pub const MAX_BYTES: usize = i32::MAX as usize;

/// Checks every invariant in the [module's list](self).
///
/// # Errors
/// The first violation found, naming the operator or tensor.
pub fn validate(graph: &Graph) -> Result<(), ValidateError> {
    order::check(graph)?;
    tensors::check(graph)?;
    let foldable = foldable(graph);
    for (i, operator) in graph.operators.iter().enumerate() {
        check_operator(graph, operator, &foldable).map_err(|fault| ValidateError::Operator {
            operator: OperatorRef::new(graph, OpId(i as u32)),
            fault: fault.into(),
        })?;
    }
    cost::checked_total_macs(graph).ok_or(ValidateError::TooManyMacs)?;
    Ok(())
}

fn check_operator(graph: &Graph, operator: &Operator, foldable: &[bool]) -> Result<(), OperatorError> {
    let inputs: Vec<&Tensor> = operator.inputs.iter().map(|&t| graph.tensor(t)).collect();
    operator.op.spec(|spec| spec.parameters(Parameters))?;
    let inferred = infer(&operator.op, &inputs)?;
    outputs(graph, operator, &inferred)?;
    if operator.uint8 {
        let &first = operator.inputs.first().ok_or(OperatorError::Uint8)?;
        if !operator.op.traits().uint8 || !is_int8(&graph.tensor(first).dtype) {
            return Err(OperatorError::Uint8);
        }
    }
    operator.op.spec(|spec| spec.types(&Rules { graph, operator, foldable }))
}

fn outputs(graph: &Graph, operator: &Operator, inferred: &[Inferred]) -> Result<(), OperatorError> {
    if operator.outputs.len() != inferred.len() {
        return Err(OperatorError::OutputCount { expected: inferred.len(), found: operator.outputs.len() });
    }
    for (&id, expected) in operator.outputs.iter().zip(inferred) {
        let found = graph.tensor(id);
        if found.shape != expected.shape {
            let (expected, found) = (expected.shape.clone(), found.shape.clone());
            return Err(OperatorError::OutputShape { tensor: TensorRef::new(graph, id), expected, found });
        }
        if let Some(element) = expected.element
            && element != found.element()
        {
            let tensor = TensorRef::new(graph, id);
            return Err(OperatorError::OutputElement { tensor, expected: element, found: found.element() });
        }
    }
    Ok(())
}

/// Checks of parameters that [`infer`] does not bound.
#[derive(Clone, Copy)]
pub(crate) struct Parameters;

impl Parameters {
    /// None is above [`MAX_BYTES`].
    pub(crate) fn small(self, parameter: &'static str, values: &[usize]) -> Result<(), OperatorError> {
        match values.iter().find(|&&v| v > MAX_BYTES) {
            Some(&found) => Err(OperatorError::TooLarge { parameter, found }),
            None => Ok(()),
        }
    }

    /// [`Parameters::small`] of each side of a padding.
    pub(crate) fn padding(self, padding: &Padding) -> Result<(), OperatorError> {
        match *padding {
            Padding::Explicit { top, bottom, left, right } => self.small("the padding", &[top, bottom, left, right]),
            Padding::Same | Padding::Valid => Ok(()),
        }
    }

    /// It is a finite number.
    pub(crate) fn finite(self, parameter: &'static str, value: f32) -> Result<(), OperatorError> {
        match value.is_finite() {
            true => Ok(()),
            false => Err(OperatorError::NotFinite { parameter, found: value }),
        }
    }
}

/// Least and greatest stored integer of an element type, as far as 32 bits hold them; `None` for floats.
pub(crate) fn element_range(element: ElementType) -> Option<(i32, i32)> {
    let (least, most) = element.range()?;
    Some((least.max(i32::MIN.into()) as i32, most.min(i32::MAX.into()) as i32))
}

#[cfg(test)]
mod tests;
