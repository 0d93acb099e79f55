//! Element-wise functions of two operands: arithmetic with broadcasting, and PRELU.

use super::spec::{CHOOSES, COMPUTES, NARROW, alike, kinds, named, one};
use super::{Activation, Op, OpSpec, Traits, view};
use crate::cost::ReceptiveField;
use crate::infer::{Inferred, Role, ShapeError, broadcast};
use crate::tensor::{ElementType, Shape, Tensor};
use crate::text::{Attributes, Given, ParseErrorKind};
use crate::validate::types::{INT8, is_int8};
use crate::validate::{FACTOR_LIMIT, OperatorError, Parameters, Rules, SUM_FACTOR_LIMIT, WIDE_SUM_FACTOR_LIMIT};
use std::ops::RangeInclusive;

kinds! {
    /// Which two-operand arithmetic.
    BinaryKind {
        /// `a + b`.
        Add = "ADD",
        /// `a - b`.
        Sub = "SUB",
        /// `a * b`.
        Mul = "MUL",
        /// `a / b`; of float32 and int8.
        Div = "DIV",
        /// The smaller.
        Minimum = "MINIMUM",
        /// The larger.
        Maximum = "MAXIMUM",
        /// `(a - b)^2`; of int8 alone, since SUB and MUL give it on floats.
        SquaredDifference = "SQUARED_DIFFERENCE",
    }
}

impl BinaryKind {
    /// True if the format has a place for an activation of it.
    pub fn takes_activation(self) -> bool {
        !matches!(self, Self::Minimum | Self::Maximum | Self::SquaredDifference)
    }
}

/// DIV of int8: the quotient of the operands' scales, in steps of the output, is below two to the power of this. Then no shift goes left.
const QUOTIENT_LIMIT: u32 = 22;

impl OpSpec for view::Binary<'_> {
    fn name(&self) -> &'static str {
        self.kind.name()
    }

    fn traits(&self) -> Traits {
        match self.kind {
            BinaryKind::Add | BinaryKind::Sub | BinaryKind::Mul => COMPUTES,
            BinaryKind::Div => NARROW,
            BinaryKind::SquaredDifference => Traits { float: false, ..NARROW },
            BinaryKind::Minimum | BinaryKind::Maximum => CHOOSES,
        }
    }

    fn inputs(&self) -> RangeInclusive<usize> {
        2..=2
    }

    fn activation(&self) -> Option<Activation> {
        Some(*self.activation)
    }

    fn parameters(&self, _: Parameters) -> Result<(), OperatorError> {
        match self.kind.takes_activation() || *self.activation == Activation::None {
            true => Ok(()),
            false => Err(OperatorError::FusedActivation),
        }
    }

    fn infer(&self, inputs: &[&Tensor]) -> Result<Vec<Inferred>, ShapeError> {
        Ok(one(inputs, broadcast(&inputs[0].shape, &inputs[1].shape)?))
    }

    fn types(&self, rules: &Rules<'_>) -> Result<(), OperatorError> {
        match self.kind {
            BinaryKind::Add | BinaryKind::Sub => {
                rules.arithmetic()?;
                let wide = rules.input(0).element() == ElementType::Int16;
                rules.ratios(if wide { WIDE_SUM_FACTOR_LIMIT } else { SUM_FACTOR_LIMIT })
            }
            BinaryKind::Mul => {
                rules.arithmetic()?;
                rules.product()
            }
            BinaryKind::Div => {
                rules.arithmetic()?;
                let [a, b] = [0, 1].map(|i| rules.scale(rules.operator.inputs[i]));
                rules.factor(a / b, rules.operator.outputs[0], QUOTIENT_LIMIT)
            }
            BinaryKind::SquaredDifference => {
                rules.expect(rules.operator.inputs[0], format!("{INT8}: on floats SUB and MUL give this"), is_int8)?;
                rules.arithmetic()?;
                rules.ratios(SUM_FACTOR_LIMIT)?;
                let [a, b] = [0, 1].map(|i| rules.scale(rules.operator.inputs[i]));
                // The reference stops at what is not below 1.
                rules.factor((2.0 * a.max(b)).powi(2) / 16384.0, rules.operator.outputs[0], 0)
            }
            BinaryKind::Minimum | BinaryKind::Maximum => {
                rules.arithmetic()?;
                rules.unchanged()
            }
        }
    }

    fn field(&self, seen: ReceptiveField, _: &[&Shape], _: &Shape) -> ReceptiveField {
        seen
    }

    fn attributes(&self, out: &mut Attributes) {
        out.activation(*self.activation);
    }

    fn parse(name: &str, given: &mut Given) -> Result<Option<Op>, ParseErrorKind> {
        let Some(kind) = BinaryKind::named(name) else { return Ok(None) };
        Ok(Some(Op::Binary { kind, activation: given.activation()? }))
    }
}

impl OpSpec for view::Prelu {
    fn name(&self) -> &'static str {
        "PRELU"
    }

    fn traits(&self) -> Traits {
        NARROW
    }

    fn inputs(&self) -> RangeInclusive<usize> {
        2..=2
    }

    fn infer(&self, inputs: &[&Tensor]) -> Result<Vec<Inferred>, ShapeError> {
        let (x, alpha) = (inputs[0], inputs[1]);
        if broadcast(&x.shape, &alpha.shape)? != x.shape {
            let (expected, found) = (x.shape.clone(), alpha.shape.clone());
            return Err(ShapeError::Shape { role: Role::Alpha, expected, found });
        }
        Ok(alike(inputs))
    }

    fn types(&self, rules: &Rules<'_>) -> Result<(), OperatorError> {
        rules.constant(1, "alpha")?;
        rules.arithmetic()?;
        rules.ratios(FACTOR_LIMIT)?;
        rules.product()
    }

    fn field(&self, seen: ReceptiveField, _: &[&Shape], _: &Shape) -> ReceptiveField {
        seen
    }

    fn parse(name: &str, _: &mut Given) -> Result<Option<Op>, ParseErrorKind> {
        named(name, "PRELU", || Ok(Op::Prelu))
    }
}
