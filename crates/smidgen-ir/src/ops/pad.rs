//! PAD and PADV2.

use super::spec::{MOVES, entries, one};
use super::{Op, OpSpec, Traits, view};
use crate::cost::ReceptiveField;
use crate::graph::Operator;
use crate::infer::{Inferred, ShapeError};
use crate::tensor::{Shape, Tensor};
use crate::text::{Attributes, Given, ParseErrorKind, float, list, parse_float};
use crate::validate::{OperatorError, Parameters, Rules, element_range};
use std::ops::RangeInclusive;

/// What PAD fills with.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum PadValue {
    /// Real zero: the output's zero point where quantised.
    Zero,
    /// This stored integer (PADV2 on an integer tensor).
    Integer(i32),
    /// This float (PADV2 on a float tensor).
    Float(f32),
}

impl OpSpec for view::Pad<'_> {
    fn name(&self) -> &'static str {
        match self.value {
            PadValue::Zero => "PAD",
            PadValue::Integer(_) | PadValue::Float(_) => "PADV2",
        }
    }

    fn traits(&self) -> Traits {
        MOVES
    }

    fn inputs(&self) -> RangeInclusive<usize> {
        1..=1
    }

    fn parameters(&self, check: Parameters) -> Result<(), OperatorError> {
        check.small("the padding", self.pads.as_flattened())
    }

    fn infer(&self, inputs: &[&Tensor]) -> Result<Vec<Inferred>, ShapeError> {
        let x = &inputs[0].shape;
        entries(x, "the padding", self.pads.len())?;
        let padded =
            x.0.iter()
                .zip(self.pads)
                .map(|(&size, &[before, after])| size.checked_add(before)?.checked_add(after))
                .collect::<Option<Vec<_>>>()
                .ok_or(ShapeError::Overflow { what: "the padded size" })?;
        Ok(one(inputs, Shape(padded)))
    }

    fn types(&self, rules: &Rules<'_>) -> Result<(), OperatorError> {
        let (value, element) = (*self.value, rules.input(0).element());
        let fits = match (value, element_range(element)) {
            (PadValue::Zero, _) => true,
            (PadValue::Float(_), None) => true,
            (PadValue::Integer(v), Some((low, high))) => (low..=high).contains(&v),
            (PadValue::Float(_), Some(_)) | (PadValue::Integer(_), None) => false,
        };
        if !fits {
            return Err(OperatorError::PadValue { value, element });
        }
        rules.unchanged()
    }

    fn field(&self, seen: ReceptiveField, _: &[&Shape], _: &Shape) -> ReceptiveField {
        seen
    }

    fn is_identity(&self, _: &Operator, _: &Tensor) -> bool {
        true
    }

    fn attributes(&self, out: &mut Attributes) {
        let pairs: Vec<String> = self.pads.iter().map(|p| list(p)).collect();
        out.list("pads", &pairs);
        match self.value {
            PadValue::Zero => {}
            PadValue::Integer(v) => out.add("value", v),
            PadValue::Float(v) => out.add("value", float(*v)),
        }
    }

    fn parse(name: &str, given: &mut Given) -> Result<Option<Op>, ParseErrorKind> {
        if !matches!(name, "PAD" | "PADV2") {
            return Ok(None);
        }
        let pads = given
            .need("pads", "a list of [before, after]", |v| v.entries()?.iter().map(|pair| pair.pair()).collect())?;
        let value = match name {
            "PAD" => PadValue::Zero,
            _ => given.need("value", "an integer or a float", |v| {
                let word = v.word()?;
                word.parse().ok().map(PadValue::Integer).or_else(|| parse_float(word).map(PadValue::Float))
            })?,
        };
        Ok(Some(Op::Pad { pads, value }))
    }
}
