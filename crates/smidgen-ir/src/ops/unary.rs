//! Element-wise functions of one operand.

use super::spec::{COMPUTES, FLOAT, NARROW, alike};
use super::{Function, Op, OpSpec, Traits, view};
use crate::cost::ReceptiveField;
use crate::infer::{Inferred, ShapeError};
use crate::names::{names, tflite_function};
use crate::tensor::{Shape, Tensor};
use crate::text::{Attributes, Given, ParseErrorKind, float};
use crate::validate::{FACTOR_LIMIT, OperatorError, Parameters, Rules};
use std::ops::RangeInclusive;

/// Which element-wise function of one operand.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum UnaryKind {
    /// `1 / (1 + exp(-x))`.
    Logistic,
    /// Hyperbolic tangent.
    Tanh,
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, -1), 1)`.
    ReluN1To1,
    /// `min(max(x, 0), 6)`.
    Relu6,
    /// `x` where positive, else `alpha * x`.
    LeakyRelu {
        /// Slope for negative inputs.
        alpha: f32,
    },
    /// `x * min(max(x + 3, 0), 6) / 6`.
    HardSwish,
    /// `e^x`.
    Exp,
    /// Natural logarithm. What is not positive becomes the least number that an output of integers holds.
    Log,
    /// A function without parameters; of some there are forms for integers, which [`Op::traits`](crate::Op::traits) says.
    Function(Function),
}

/// Of which types TensorFlow Lite's reference has kernels for a function without parameters. Integers below 0, of which SQRT and RSQRT of
/// its reference stop, have the result of 0 here.
fn function_traits(function: Function) -> Traits {
    match function {
        Function::Abs | Function::Rsqrt | Function::Gelu | Function::GeluTanh => COMPUTES,
        // SQRT of int16 has one as well, which computes each element on floats.
        Function::Sqrt => NARROW,
        _ => FLOAT,
    }
}

impl OpSpec for view::Unary<'_> {
    fn name(&self) -> &'static str {
        match self.0 {
            UnaryKind::Logistic => "LOGISTIC",
            UnaryKind::Tanh => "TANH",
            UnaryKind::Relu => "RELU",
            UnaryKind::ReluN1To1 => "RELU_N1_TO_1",
            UnaryKind::Relu6 => "RELU6",
            UnaryKind::LeakyRelu { .. } => "LEAKY_RELU",
            UnaryKind::HardSwish => "HARD_SWISH",
            UnaryKind::Exp => "EXP",
            UnaryKind::Log => "LOG",
            UnaryKind::Function(function) => names(*function).0,
        }
    }

    fn traits(&self) -> Traits {
        match self.0 {
            UnaryKind::Logistic
            | UnaryKind::Tanh
            | UnaryKind::Relu
            | UnaryKind::Relu6
            | UnaryKind::LeakyRelu { .. }
            | UnaryKind::Exp
            | UnaryKind::Log => COMPUTES,
            UnaryKind::ReluN1To1 | UnaryKind::HardSwish => NARROW,
            UnaryKind::Function(function) => function_traits(*function),
        }
    }

    fn inputs(&self) -> RangeInclusive<usize> {
        1..=1
    }

    fn parameters(&self, check: Parameters) -> Result<(), OperatorError> {
        match self.0 {
            UnaryKind::LeakyRelu { alpha } => check.finite("alpha", *alpha),
            _ => Ok(()),
        }
    }

    fn infer(&self, inputs: &[&Tensor]) -> Result<Vec<Inferred>, ShapeError> {
        Ok(alike(inputs))
    }

    fn types(&self, rules: &Rules<'_>) -> Result<(), OperatorError> {
        if !self.traits().int8 {
            return rules.floats();
        }
        rules.arithmetic()?;
        match self.0 {
            UnaryKind::Logistic => rules.probability(),
            UnaryKind::LeakyRelu { alpha } => {
                rules.ratios(FACTOR_LIMIT)?;
                rules.slope(*alpha)
            }
            UnaryKind::Function(Function::Abs) => rules.ratios(FACTOR_LIMIT),
            // A table has no factor that could be too large.
            UnaryKind::Exp | UnaryKind::Log | UnaryKind::Function(_) => Ok(()),
            UnaryKind::Tanh => {
                rules.ratios(FACTOR_LIMIT)?;
                rules.fraction()
            }
            UnaryKind::Relu | UnaryKind::ReluN1To1 | UnaryKind::Relu6 | UnaryKind::HardSwish => {
                rules.ratios(FACTOR_LIMIT)
            }
        }
    }

    fn field(&self, seen: ReceptiveField, _: &[&Shape], _: &Shape) -> ReceptiveField {
        seen
    }

    fn attributes(&self, out: &mut Attributes) {
        if let UnaryKind::LeakyRelu { alpha } = self.0 {
            out.add("alpha", float(*alpha));
        }
    }

    fn parse(name: &str, given: &mut Given) -> Result<Option<Op>, ParseErrorKind> {
        Ok(Some(Op::Unary(match name {
            "LOGISTIC" => UnaryKind::Logistic,
            "TANH" => UnaryKind::Tanh,
            "RELU" => UnaryKind::Relu,
            "RELU_N1_TO_1" => UnaryKind::ReluN1To1,
            "RELU6" => UnaryKind::Relu6,
            "LEAKY_RELU" => UnaryKind::LeakyRelu { alpha: given.float("alpha")? },
            "HARD_SWISH" => UnaryKind::HardSwish,
            "EXP" => UnaryKind::Exp,
            "LOG" => UnaryKind::Log,
            _ => match tflite_function(name) {
                Some(function) => UnaryKind::Function(function),
                None => return Ok(None),
            },
        })))
    }
}
