//! BATCH_MATMUL.

use super::spec::{NARROW, named, one};
use super::{Op, OpSpec, Traits, view};
use crate::cost::ReceptiveField;
use crate::infer::{Inferred, Role, ShapeError, broadcast};
use crate::tensor::{Shape, Tensor};
use crate::text::{Attributes, Given, ParseErrorKind};
use crate::validate::{OperatorError, Rules};
use std::ops::RangeInclusive;

impl OpSpec for view::BatchMatmul<'_> {
    fn name(&self) -> &'static str {
        "BATCH_MATMUL"
    }

    fn traits(&self) -> Traits {
        NARROW
    }

    fn inputs(&self) -> RangeInclusive<usize> {
        2..=2
    }

    fn infer(&self, inputs: &[&Tensor]) -> Result<Vec<Inferred>, ShapeError> {
        let mut batches = Vec::new();
        let mut matrices = Vec::new();
        for (i, x) in inputs.iter().enumerate() {
            let (leading, last) = x.shape.0.split_at(x.shape.rank().saturating_sub(2));
            let &[rows, cols] = last else {
                return Err(ShapeError::Rank { role: Role::Input(i), expected: 2, found: x.shape.clone() });
            };
            batches.push(Shape(leading.to_vec()));
            matrices.push(if self.adjoint[i] { [cols, rows] } else { [rows, cols] });
        }
        let ([m, k], [depth, n]) = (matrices[0], matrices[1]);
        if k != depth {
            let found = inputs[1].shape.clone();
            let axis = found.rank() - if self.adjoint[1] { 1 } else { 2 };
            return Err(ShapeError::Dimension { role: Role::Input(1), axis, expected: k, got: depth, found });
        }
        let Shape(mut dims) = broadcast(&batches[0], &batches[1])?;
        dims.extend([m, n]);
        Ok(one(inputs, Shape(dims)))
    }

    fn types(&self, rules: &Rules<'_>) -> Result<(), OperatorError> {
        rules.arithmetic()?;
        rules.product()
    }

    fn products(&self, input: &[usize]) -> Option<usize> {
        input.get(input.len().checked_sub(if self.adjoint[0] { 2 } else { 1 })?).copied()
    }

    fn field(&self, _: ReceptiveField, _: &[&Shape], _: &Shape) -> ReceptiveField {
        ReceptiveField::Whole
    }

    fn attributes(&self, out: &mut Attributes) {
        out.flag("adjoint_a", self.adjoint[0]);
        out.flag("adjoint_b", self.adjoint[1]);
    }

    fn parse(name: &str, given: &mut Given) -> Result<Option<Op>, ParseErrorKind> {
        named(name, "BATCH_MATMUL", || {
            Ok(Op::BatchMatmul { adjoint: [given.flag("adjoint_a")?, given.flag("adjoint_b")?] })
        })
    }
}
