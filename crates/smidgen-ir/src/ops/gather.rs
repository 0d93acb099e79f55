//! GATHER.

use super::spec::{MOVES, axis_size, named, one};
use super::{Op, OpSpec, Traits, view};
use crate::cost::ReceptiveField;
use crate::infer::{Inferred, Role, ShapeError};
use crate::tensor::{DataType, ElementType, Shape, Tensor};
use crate::text::{Attributes, Given, ParseErrorKind};
use crate::validate::{OperatorError, Rules};
use std::ops::RangeInclusive;

/// Types of indices.
fn is_index(dtype: &DataType) -> bool {
    matches!(dtype, DataType::Plain(ElementType::Int16 | ElementType::Int32 | ElementType::Int64))
}

impl OpSpec for view::Gather<'_> {
    fn name(&self) -> &'static str {
        "GATHER"
    }

    fn traits(&self) -> Traits {
        MOVES
    }

    fn inputs(&self) -> RangeInclusive<usize> {
        2..=2
    }

    fn infer(&self, inputs: &[&Tensor]) -> Result<Vec<Inferred>, ShapeError> {
        let (table, indices) = (&inputs[0].shape, &inputs[1].shape);
        let (axis, batch) = (*self.axis, *self.batch);
        axis_size(table, axis)?;
        if batch > axis.min(indices.rank()) {
            return Err(ShapeError::Axis { axis: batch, rank: axis.min(indices.rank()) });
        }
        for shared in 0..batch {
            let (expected, got) = (table.0[shared], indices.0[shared]);
            if expected != got {
                let found = indices.clone();
                return Err(ShapeError::Dimension { role: Role::Input(1), axis: shared, expected, got, found });
            }
        }
        Ok(one(inputs, Shape([&table.0[..axis], &indices.0[batch..], &table.0[axis + 1..]].concat())))
    }

    fn types(&self, rules: &Rules<'_>) -> Result<(), OperatorError> {
        let (table, y) = (rules.operator.inputs[0], rules.operator.outputs[0]);
        rules.expect(table, "a type of whole bytes", |d| d.element() != ElementType::Int4)?;
        rules.expect(rules.operator.inputs[1], "i16, i32 or i64 without quantisation", is_index)?;
        let first = rules.tensor(table).dtype.clone();
        rules.expect(y, format!("{first}, like the first input"), |d| *d == first)
    }

    fn field(&self, _: ReceptiveField, _: &[&Shape], _: &Shape) -> ReceptiveField {
        ReceptiveField::Whole
    }

    fn attributes(&self, out: &mut Attributes) {
        out.add("axis", self.axis);
        if *self.batch > 0 {
            out.add("batch", self.batch);
        }
    }

    fn parse(name: &str, given: &mut Given) -> Result<Option<Op>, ParseErrorKind> {
        named(name, "GATHER", || Ok(Op::Gather { axis: given.number("axis")?, batch: given.number_or("batch", 0)? }))
    }
}
