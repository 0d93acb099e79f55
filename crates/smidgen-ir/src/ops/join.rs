//! CONCATENATION and PACK.

use super::spec::{MOVES, axis_size, named, one};
use super::{Activation, Op, OpSpec, Traits, view};
use crate::cost::ReceptiveField;
use crate::graph::Operator;
use crate::infer::{Inferred, Role, ShapeError};
use crate::tensor::{Shape, Tensor};
use crate::text::{Attributes, Given, ParseErrorKind};
use crate::validate::{OperatorError, Rules, is_float};
use std::ops::RangeInclusive;

impl OpSpec for view::Concatenation<'_> {
    fn name(&self) -> &'static str {
        "CONCATENATION"
    }

    fn traits(&self) -> Traits {
        Traits { uint8: true, ..MOVES }
    }

    fn inputs(&self) -> RangeInclusive<usize> {
        1..=usize::MAX
    }

    fn activation(&self) -> Option<Activation> {
        Some(*self.activation)
    }

    fn infer(&self, inputs: &[&Tensor]) -> Result<Vec<Inferred>, ShapeError> {
        let axis = *self.axis;
        let mut shape = inputs[0].shape.clone();
        let mut total = axis_size(&shape, axis)?;
        for (i, x) in inputs.iter().enumerate().skip(1) {
            let mut expected = shape.clone();
            expected.0[axis] = x.shape.0.get(axis).copied().unwrap_or(0);
            if x.shape != expected {
                return Err(ShapeError::Shape { role: Role::Input(i), expected, found: x.shape.clone() });
            }
            total = total.checked_add(x.shape.0[axis]).ok_or(ShapeError::Overflow { what: "the joined size" })?;
        }
        shape.0[axis] = total;
        Ok(one(inputs, shape))
    }

    fn types(&self, rules: &Rules<'_>) -> Result<(), OperatorError> {
        if *self.activation != Activation::None && !is_float(&rules.input(0).dtype) {
            return Err(OperatorError::FusedActivation);
        }
        // Kernels of uint8 bring each input to the output's scale.
        if rules.operator.uint8 { rules.arithmetic() } else { rules.unchanged() }
    }

    fn field(&self, seen: ReceptiveField, _: &[&Shape], _: &Shape) -> ReceptiveField {
        seen
    }

    fn is_identity(&self, operator: &Operator, _: &Tensor) -> bool {
        operator.inputs.len() == 1 && *self.activation == Activation::None
    }

    fn attributes(&self, out: &mut Attributes) {
        out.add("axis", self.axis);
        out.activation(*self.activation);
    }

    fn parse(name: &str, given: &mut Given) -> Result<Option<Op>, ParseErrorKind> {
        named(name, "CONCATENATION", || {
            Ok(Op::Concatenation { axis: given.number("axis")?, activation: given.activation()? })
        })
    }
}

impl OpSpec for view::Pack<'_> {
    fn name(&self) -> &'static str {
        "PACK"
    }

    fn traits(&self) -> Traits {
        MOVES
    }

    fn inputs(&self) -> RangeInclusive<usize> {
        1..=usize::MAX
    }

    fn infer(&self, inputs: &[&Tensor]) -> Result<Vec<Inferred>, ShapeError> {
        let (axis, first) = (*self.axis, &inputs[0].shape);
        if axis > first.rank() {
            return Err(ShapeError::Axis { axis, rank: first.rank() + 1 });
        }
        for (i, x) in inputs.iter().enumerate().skip(1) {
            if x.shape != *first {
                let (expected, found) = (first.clone(), x.shape.clone());
                return Err(ShapeError::Shape { role: Role::Input(i), expected, found });
            }
        }
        let mut shape = first.clone();
        shape.0.insert(axis, inputs.len());
        Ok(one(inputs, shape))
    }

    fn types(&self, rules: &Rules<'_>) -> Result<(), OperatorError> {
        rules.unchanged()
    }

    fn field(&self, _: ReceptiveField, _: &[&Shape], _: &Shape) -> ReceptiveField {
        ReceptiveField::Whole
    }

    fn only_relabels(&self, operator: &Operator, _: &Shape) -> bool {
        operator.inputs.len() == 1
    }

    fn attributes(&self, out: &mut Attributes) {
        out.add("axis", self.axis);
    }

    fn parse(name: &str, given: &mut Given) -> Result<Option<Op>, ParseErrorKind> {
        named(name, "PACK", || Ok(Op::Pack { axis: given.number("axis")? }))
    }
}
