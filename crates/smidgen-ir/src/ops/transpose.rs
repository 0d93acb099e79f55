//! TRANSPOSE.

use super::spec::{MOVES, entries, named, one, while_pixels};
use super::{Op, OpSpec, Traits, view};
use crate::cost::ReceptiveField;
use crate::graph::Operator;
use crate::infer::{Inferred, ShapeError};
use crate::tensor::{Shape, Tensor};
use crate::text::{Attributes, Given, ParseErrorKind};
use crate::validate::{OperatorError, Rules};
use std::ops::RangeInclusive;

impl OpSpec for view::Transpose<'_> {
    fn name(&self) -> &'static str {
        "TRANSPOSE"
    }

    fn traits(&self) -> Traits {
        MOVES
    }

    fn inputs(&self) -> RangeInclusive<usize> {
        1..=1
    }

    fn infer(&self, inputs: &[&Tensor]) -> Result<Vec<Inferred>, ShapeError> {
        let (x, perm) = (&inputs[0].shape, self.perm);
        entries(x, "the permutation", perm.len())?;
        let mut seen = vec![false; perm.len()];
        for &axis in perm {
            match seen.get_mut(axis) {
                Some(seen) if !*seen => *seen = true,
                _ => return Err(ShapeError::Permutation { perm: perm.to_vec() }),
            }
        }
        Ok(one(inputs, Shape(perm.iter().map(|&axis| x.0[axis]).collect())))
    }

    fn types(&self, rules: &Rules<'_>) -> Result<(), OperatorError> {
        rules.unchanged()
    }

    fn field(&self, seen: ReceptiveField, _: &[&Shape], _: &Shape) -> ReceptiveField {
        while_pixels(self.perm.get(1) == Some(&1) && self.perm.get(2) == Some(&2), seen)
    }

    fn is_identity(&self, _: &Operator, _: &Tensor) -> bool {
        self.perm.is_sorted()
    }

    fn only_relabels(&self, _: &Operator, x: &Shape) -> bool {
        let moved: Vec<usize> = self.perm.iter().copied().filter(|&axis| x.0[axis] != 1).collect();
        moved.is_sorted() && !self.perm.is_sorted()
    }

    fn attributes(&self, out: &mut Attributes) {
        out.list("perm", self.perm);
    }

    fn parse(name: &str, given: &mut Given) -> Result<Option<Op>, ParseErrorKind> {
        named(name, "TRANSPOSE", || Ok(Op::Transpose { perm: given.numbers("perm")? }))
    }
}
