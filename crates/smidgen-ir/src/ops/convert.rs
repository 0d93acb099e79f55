//! QUANTIZE and DEQUANTIZE.

use super::spec::{COMPUTES, named};
use super::{Op, OpSpec, Traits, view};
use crate::cost::ReceptiveField;
use crate::graph::Operator;
use crate::infer::{Inferred, ShapeError};
use crate::tensor::{ElementType, Shape, Tensor};
use crate::text::{Given, ParseErrorKind};
use crate::validate::{
    BYTES_OR_INT16, FACTOR_LIMIT, INT8_OR_INT16, OperatorError, Rules, is_float, is_int8, is_int16, is_uint8,
};
use std::ops::RangeInclusive;

impl OpSpec for view::Quantize {
    fn name(&self) -> &'static str {
        "QUANTIZE"
    }

    fn traits(&self) -> Traits {
        COMPUTES
    }

    fn inputs(&self) -> RangeInclusive<usize> {
        1..=1
    }

    fn infer(&self, inputs: &[&Tensor]) -> Result<Vec<Inferred>, ShapeError> {
        Ok(vec![Inferred { shape: inputs[0].shape.clone(), element: None }])
    }

    fn types(&self, rules: &Rules<'_>) -> Result<(), OperatorError> {
        let ([x, ..], [y, ..]) = (&rules.operator.inputs[..], &rules.operator.outputs[..]) else { return Ok(()) };
        // The reference has no form between uint8 and int16.
        if is_int16(&rules.tensor(*x).dtype) || is_int16(&rules.tensor(*y).dtype) {
            rules.expect(*x, "f32, i8 quantised per tensor, or i16 with zero point 0", |d| {
                is_float(d) || is_int8(d) || is_int16(d)
            })?;
            rules.expect(*y, INT8_OR_INT16, |d| is_int8(d) || is_int16(d))?;
        } else {
            rules.expect(*x, "f32, i8 or u8 quantised per tensor, or i16 with zero point 0", |d| {
                is_float(d) || is_int8(d) || is_uint8(d)
            })?;
            rules.expect(*y, BYTES_OR_INT16, |d| is_int8(d) || is_uint8(d))?;
        }
        rules.ratios(FACTOR_LIMIT)
    }

    fn field(&self, seen: ReceptiveField, _: &[&Shape], _: &Shape) -> ReceptiveField {
        seen
    }

    fn is_identity(&self, _: &Operator, _: &Tensor) -> bool {
        true
    }

    fn parse(name: &str, _: &mut Given) -> Result<Option<Op>, ParseErrorKind> {
        named(name, "QUANTIZE", || Ok(Op::Quantize))
    }
}

impl OpSpec for view::Dequantize {
    fn name(&self) -> &'static str {
        "DEQUANTIZE"
    }

    fn traits(&self) -> Traits {
        COMPUTES
    }

    fn inputs(&self) -> RangeInclusive<usize> {
        1..=1
    }

    fn infer(&self, inputs: &[&Tensor]) -> Result<Vec<Inferred>, ShapeError> {
        Ok(vec![Inferred { shape: inputs[0].shape.clone(), element: Some(ElementType::Float32) }])
    }

    fn types(&self, rules: &Rules<'_>) -> Result<(), OperatorError> {
        let input = rules.operator.inputs[0];
        if rules.input(0).is_constant() {
            rules.expect(input, "quantised integers", |d| d.quantisation().is_some())?;
        } else {
            rules.expect(input, BYTES_OR_INT16, |d| is_int8(d) || is_uint8(d) || is_int16(d))?;
        }
        rules.expect(rules.operator.outputs[0], "f32", is_float)
    }

    fn field(&self, seen: ReceptiveField, _: &[&Shape], _: &Shape) -> ReceptiveField {
        seen
    }

    fn parse(name: &str, _: &mut Given) -> Result<Option<Op>, ParseErrorKind> {
        named(name, "DEQUANTIZE", || Ok(Op::Dequantize))
    }
}
