//! SOFTMAX.

use super::spec::{COMPUTES, alike, named};
use super::{Op, OpSpec, Traits, view};
use crate::cost::ReceptiveField;
use crate::infer::{Inferred, ShapeError};
use crate::tensor::{Shape, Tensor};
use crate::text::{Attributes, Given, ParseErrorKind, float};
use crate::validate::{OperatorError, Parameters, Rules};
use std::ops::RangeInclusive;

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
        if inputs[0].shape.rank() == 0 {
            return Err(ShapeError::Axis { axis: 0, rank: 0 });
        }
        Ok(alike(inputs))
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
