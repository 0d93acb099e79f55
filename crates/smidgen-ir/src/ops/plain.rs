//! Comparisons and logic, SELECT_V2, CAST: of elements whose stored value is their value, the first two of quantised ones as well.

use super::spec::{COMPUTES, FLOAT, NARROW, kinds, named};
use super::{Op, OpSpec, Traits, view};
use crate::cost::ReceptiveField;
use crate::graph::Operator;
use crate::infer::{Inferred, ShapeError, broadcast};
use crate::tensor::{DataType, ElementType, Shape, Tensor};
use crate::text::{Given, ParseErrorKind};
use crate::validate::types::{INT8, is_int8, is_int16};
use crate::validate::{OperatorError, Rules};
use std::ops::RangeInclusive;

kinds! {
    /// Which question about two elements.
    CompareKind {
        /// `a == b`.
        Equal = "EQUAL",
        /// `a != b`.
        NotEqual = "NOT_EQUAL",
        /// `a < b`.
        Less = "LESS",
        /// `a <= b`.
        LessEqual = "LESS_EQUAL",
        /// `a > b`.
        Greater = "GREATER",
        /// `a >= b`.
        GreaterEqual = "GREATER_EQUAL",
        /// Both hold.
        And = "LOGICAL_AND",
        /// One of them holds.
        Or = "LOGICAL_OR",
    }
}

const BOOL: DataType = DataType::Plain(ElementType::Bool);

/// Elements that are their own value, one or more bytes each.
fn is_plain(dtype: &DataType) -> bool {
    matches!(dtype, DataType::Plain(element) if *element != ElementType::Int4)
}

/// The greatest scale of int8 that are compared is below two to the power of this: there the 24 bits of an operand on the common scale end.
const COMPARED_LIMIT: u32 = 14;

impl OpSpec for view::Compare<'_> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn traits(&self) -> Traits {
        match self.0 {
            CompareKind::And | CompareKind::Or => FLOAT,
            _ => NARROW,
        }
    }

    fn inputs(&self) -> RangeInclusive<usize> {
        2..=2
    }

    fn infer(&self, inputs: &[&Tensor]) -> Result<Vec<Inferred>, ShapeError> {
        let shape = broadcast(&inputs[0].shape, &inputs[1].shape)?;
        Ok(vec![Inferred { shape, element: Some(ElementType::Bool) }])
    }

    fn types(&self, rules: &Rules<'_>) -> Result<(), OperatorError> {
        let ([a, b], y) = ([rules.operator.inputs[0], rules.operator.inputs[1]], rules.operator.outputs[0]);
        if matches!(self.0, CompareKind::And | CompareKind::Or) {
            return [a, b, y].into_iter().try_for_each(|t| rules.expect(t, "bool", |d| *d == BOOL));
        }
        rules.expect(y, "bool", |d| *d == BOOL)?;
        if is_int8(&rules.tensor(a).dtype) {
            rules.expect(b, format!("{INT8}, like the first input"), is_int8)?;
            return [a, b].into_iter().try_for_each(|t| rules.limited(rules.scale(t), y, COMPARED_LIMIT));
        }
        rules.expect(a, "i8 quantised per tensor, or a type without quantisation", is_plain)?;
        let first = rules.tensor(a).dtype.clone();
        rules.expect(b, format!("{first}, like the first input"), |d| *d == first)
    }

    fn field(&self, seen: ReceptiveField, _: &[&Shape], _: &Shape) -> ReceptiveField {
        seen
    }

    fn parse(name: &str, _: &mut Given) -> Result<Option<Op>, ParseErrorKind> {
        Ok(CompareKind::named(name).map(Op::Compare))
    }
}

impl OpSpec for view::Select {
    fn name(&self) -> &'static str {
        "SELECT_V2"
    }

    fn traits(&self) -> Traits {
        COMPUTES
    }

    fn inputs(&self) -> RangeInclusive<usize> {
        3..=3
    }

    fn infer(&self, inputs: &[&Tensor]) -> Result<Vec<Inferred>, ShapeError> {
        let shape = broadcast(&inputs[0].shape, &broadcast(&inputs[1].shape, &inputs[2].shape)?)?;
        Ok(vec![Inferred { shape, element: Some(inputs[1].element()) }])
    }

    fn types(&self, rules: &Rules<'_>) -> Result<(), OperatorError> {
        let operator = rules.operator;
        rules.expect(operator.inputs[0], "bool", |d| *d == BOOL)?;
        let whole = |d: &DataType| is_plain(d) || is_int8(d) || is_int16(d);
        rules.expect(operator.inputs[1], "a type without quantisation, or i8 or i16 quantised per tensor", whole)?;
        let first = rules.input(1).dtype.clone();
        [operator.inputs[2], operator.outputs[0]]
            .into_iter()
            .try_for_each(|t| rules.expect(t, format!("{first}, like the second input"), |d| *d == first))
    }

    fn field(&self, seen: ReceptiveField, _: &[&Shape], _: &Shape) -> ReceptiveField {
        seen
    }

    fn parse(name: &str, _: &mut Given) -> Result<Option<Op>, ParseErrorKind> {
        named(name, "SELECT_V2", || Ok(Op::Select))
    }
}

impl OpSpec for view::Cast {
    fn name(&self) -> &'static str {
        "CAST"
    }

    fn traits(&self) -> Traits {
        FLOAT
    }

    fn inputs(&self) -> RangeInclusive<usize> {
        1..=1
    }

    fn infer(&self, inputs: &[&Tensor]) -> Result<Vec<Inferred>, ShapeError> {
        Ok(vec![Inferred { shape: inputs[0].shape.clone(), element: None }])
    }

    fn types(&self, rules: &Rules<'_>) -> Result<(), OperatorError> {
        let (x, y) = (rules.operator.inputs[0], rules.operator.outputs[0]);
        [x, y].into_iter().try_for_each(|t| rules.expect(t, "a type without quantisation", is_plain))
    }

    fn field(&self, seen: ReceptiveField, _: &[&Shape], _: &Shape) -> ReceptiveField {
        seen
    }

    fn is_identity(&self, _: &Operator, _: &Tensor) -> bool {
        true
    }

    fn parse(name: &str, _: &mut Given) -> Result<Option<Op>, ParseErrorKind> {
        named(name, "CAST", || Ok(Op::Cast))
    }
}
