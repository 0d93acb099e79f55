//! SPLIT and UNPACK.

use super::spec::{MOVES, axis_size, named};
use super::{Op, OpSpec, Traits, view};
use crate::cost::ReceptiveField;
use crate::graph::Operator;
use crate::infer::{Inferred, ShapeError};
use crate::tensor::{Shape, Tensor};
use crate::text::{Attributes, Given, ParseErrorKind};
use crate::validate::{OperatorError, Rules};
use std::ops::RangeInclusive;

/// Most outputs that a SPLIT or UNPACK may have: far above any network's, and few enough to list.
const MOST_PARTS: usize = 1 << 16;

fn parts_of(inputs: &[&Tensor], shape: Shape, parts: usize) -> Vec<Inferred> {
    vec![Inferred { shape, element: Some(inputs[0].element()) }; parts]
}

impl OpSpec for view::Split<'_> {
    fn name(&self) -> &'static str {
        "SPLIT"
    }

    fn traits(&self) -> Traits {
        MOVES
    }

    fn inputs(&self) -> RangeInclusive<usize> {
        1..=1
    }

    fn infer(&self, inputs: &[&Tensor]) -> Result<Vec<Inferred>, ShapeError> {
        let (axis, parts) = (*self.axis, *self.parts);
        let mut shape = inputs[0].shape.clone();
        let size = axis_size(&shape, axis)?;
        // More parts than indices would give empty outputs, as many as a hostile file asks for.
        if parts == 0 || parts > size.min(MOST_PARTS) || size % parts != 0 {
            return Err(ShapeError::Parts { axis, size, parts });
        }
        shape.0[axis] = size / parts;
        Ok(parts_of(inputs, shape, parts))
    }

    fn types(&self, rules: &Rules<'_>) -> Result<(), OperatorError> {
        rules.unchanged()
    }

    fn field(&self, seen: ReceptiveField, _: &[&Shape], _: &Shape) -> ReceptiveField {
        seen
    }

    fn is_identity(&self, _: &Operator, _: &Tensor) -> bool {
        true
    }

    fn attributes(&self, out: &mut Attributes) {
        out.add("axis", self.axis);
        out.add("parts", self.parts);
    }

    fn parse(name: &str, given: &mut Given) -> Result<Option<Op>, ParseErrorKind> {
        named(name, "SPLIT", || Ok(Op::Split { axis: given.number("axis")?, parts: given.number("parts")? }))
    }
}

impl OpSpec for view::Unpack<'_> {
    fn name(&self) -> &'static str {
        "UNPACK"
    }

    fn traits(&self) -> Traits {
        MOVES
    }

    fn inputs(&self) -> RangeInclusive<usize> {
        1..=1
    }

    fn infer(&self, inputs: &[&Tensor]) -> Result<Vec<Inferred>, ShapeError> {
        let mut shape = inputs[0].shape.clone();
        let parts = axis_size(&shape, *self.axis)?;
        if parts > MOST_PARTS {
            return Err(ShapeError::Overflow { what: "the number of outputs" });
        }
        shape.0.remove(*self.axis);
        Ok(parts_of(inputs, shape, parts))
    }

    fn types(&self, rules: &Rules<'_>) -> Result<(), OperatorError> {
        rules.unchanged()
    }

    fn field(&self, _: ReceptiveField, _: &[&Shape], _: &Shape) -> ReceptiveField {
        ReceptiveField::Whole
    }

    fn only_relabels(&self, operator: &Operator, _: &Shape) -> bool {
        operator.outputs.len() == 1
    }

    fn attributes(&self, out: &mut Attributes) {
        out.add("axis", self.axis);
    }

    fn parse(name: &str, given: &mut Given) -> Result<Option<Op>, ParseErrorKind> {
        named(name, "UNPACK", || Ok(Op::Unpack { axis: given.number("axis")? }))
    }
}
