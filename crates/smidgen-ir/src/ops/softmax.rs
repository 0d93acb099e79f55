//! SOFTMAX, and what else treats each vector along the last axis as one.

use super::spec::{COMPUTES, NARROW, alike, kinds, named};
use super::{Op, OpSpec, Traits, view};
use crate::cost::ReceptiveField;
use crate::infer::{Inferred, ShapeError};
use crate::tensor::{DataType, Shape, Tensor};
use crate::text::{Attributes, Given, ParseErrorKind, float};
use crate::validate::types::{INT8, is_int8};
use crate::validate::{OperatorError, Parameters, Rules};
use std::ops::RangeInclusive;

/// One output like the first input, which has a last axis.
fn along_last(inputs: &[&Tensor]) -> Result<Vec<Inferred>, ShapeError> {
    if inputs[0].shape.rank() == 0 {
        return Err(ShapeError::Axis { axis: 0, rank: 0 });
    }
    Ok(alike(inputs))
}

impl OpSpec for view::Softmax<'_> {
    fn name(&self) -> &'static str {
        "SOFTMAX"
    }

    fn traits(&self) -> Traits {
        COMPUTES
    }

    fn inputs(&self) -> RangeInclusive<usize> {
        1..=1
    }

    fn parameters(&self, check: Parameters) -> Result<(), OperatorError> {
        check.finite("beta", *self.beta)?;
        if *self.beta <= 0.0 {
            return Err(OperatorError::NotPositive { parameter: "beta", found: *self.beta });
        }
        Ok(())
    }

    fn infer(&self, inputs: &[&Tensor]) -> Result<Vec<Inferred>, ShapeError> {
        along_last(inputs)
    }

    fn types(&self, rules: &Rules<'_>) -> Result<(), OperatorError> {
        rules.arithmetic()?;
        rules.probability()
    }

    fn field(&self, seen: ReceptiveField, _: &[&Shape], _: &Shape) -> ReceptiveField {
        seen
    }

    fn attributes(&self, out: &mut Attributes) {
        out.add("beta", float(*self.beta));
    }

    fn parse(name: &str, given: &mut Given) -> Result<Option<Op>, ParseErrorKind> {
        named(name, "SOFTMAX", || Ok(Op::Softmax { beta: given.float("beta")? }))
    }
}

kinds! {
    /// Which function of the vectors along the last axis.
    NormaliseKind {
        /// The vector over its length.
        L2 = "L2_NORMALIZATION",
        /// The logarithm of each element's share of the exponentials.
        LogSoftmax = "LOG_SOFTMAX",
    }
}

impl NormaliseKind {
    /// The quantisation that outputs of int8 have.
    pub fn output(self) -> DataType {
        match self {
            Self::L2 => DataType::int8(1.0 / 128.0, 0),
            Self::LogSoftmax => DataType::int8(1.0 / 16.0, 127),
        }
    }
}

impl OpSpec for view::Normalise<'_> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn traits(&self) -> Traits {
        Traits { float: false, ..NARROW }
    }

    fn inputs(&self) -> RangeInclusive<usize> {
        1..=1
    }

    fn infer(&self, inputs: &[&Tensor]) -> Result<Vec<Inferred>, ShapeError> {
        along_last(inputs)
    }

    fn types(&self, rules: &Rules<'_>) -> Result<(), OperatorError> {
        rules.expect(rules.operator.inputs[0], format!("{INT8}: on floats other operators give this"), is_int8)?;
        let fixed = self.0.output();
        rules.expect(rules.operator.outputs[0], fixed.to_string(), |d| *d == fixed)
    }

    fn field(&self, seen: ReceptiveField, _: &[&Shape], _: &Shape) -> ReceptiveField {
        seen
    }

    fn parse(name: &str, _: &mut Given) -> Result<Option<Op>, ParseErrorKind> {
        Ok(NormaliseKind::named(name).map(Op::Normalise))
    }
}
