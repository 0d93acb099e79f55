//! RESHAPE, SQUEEZE and EXPAND_DIMS.

use super::spec::{MOVES, kinds, one, while_pixels};
use super::{Op, OpSpec, Traits, view};
use crate::cost::ReceptiveField;
use crate::graph::Operator;
use crate::infer::{Inferred, ShapeError};
use crate::tensor::{Shape, Tensor};
use crate::text::{Attributes, Given, ParseErrorKind};
use crate::validate::{OperatorError, Rules};
use std::ops::RangeInclusive;

kinds! {
    /// Which name a change of shape had in the source; all three only relabel the same bytes.
    ReshapeKind {
        /// RESHAPE.
        Reshape = "RESHAPE",
        /// SQUEEZE: drops dimensions of size 1.
        Squeeze = "SQUEEZE",
        /// EXPAND_DIMS: inserts a dimension of size 1.
        ExpandDims = "EXPAND_DIMS",
    }
}

impl OpSpec for view::Reshape<'_> {
    fn name(&self) -> &'static str {
        self.kind.name()
    }

    fn traits(&self) -> Traits {
        MOVES
    }

    fn inputs(&self) -> RangeInclusive<usize> {
        1..=1
    }

    fn infer(&self, inputs: &[&Tensor]) -> Result<Vec<Inferred>, ShapeError> {
        let (from, to) = (&inputs[0].shape, Shape(self.shape.to_vec()));
        match (from.checked_elements(), to.checked_elements()) {
            (Some(a), Some(b)) if a == b => Ok(one(inputs, to)),
            (Some(_), Some(_)) => Err(ShapeError::Elements { from: from.clone(), to }),
            _ => Err(ShapeError::Overflow { what: "the number of elements" }),
        }
    }

    fn types(&self, rules: &Rules<'_>) -> Result<(), OperatorError> {
        rules.unchanged()
    }

    fn field(&self, seen: ReceptiveField, inputs: &[&Shape], output: &Shape) -> ReceptiveField {
        while_pixels(inputs[0] == output, seen)
    }

    fn is_identity(&self, _: &Operator, _: &Tensor) -> bool {
        true
    }

    fn attributes(&self, out: &mut Attributes) {
        out.list("shape", self.shape);
    }

    fn parse(name: &str, given: &mut Given) -> Result<Option<Op>, ParseErrorKind> {
        let Some(kind) = ReshapeKind::named(name) else { return Ok(None) };
        Ok(Some(Op::Reshape { kind, shape: given.numbers("shape")? }))
    }
}
