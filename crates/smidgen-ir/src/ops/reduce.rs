//! Reductions over axes: MEAN, SUM, REDUCE_MAX, REDUCE_MIN and ARG_MAX.

use super::spec::{CHOOSES, COMPUTES, NARROW, kinds, named, one, while_pixels};
use super::{Op, OpSpec, Traits, view};
use crate::cost::ReceptiveField;
use crate::infer::{Inferred, ShapeError};
use crate::tensor::{DataType, ElementType, Shape, Tensor};
use crate::text::{Attributes, Given, ParseErrorKind};
use crate::validate::{FACTOR_LIMIT, OperatorError, Rules};
use std::ops::RangeInclusive;

kinds! {
    /// Which reduction.
    ReduceKind {
        /// Arithmetic mean.
        Mean = "MEAN",
        /// Sum.
        Sum = "SUM",
        /// The greatest element.
        Max = "REDUCE_MAX",
        /// The least element.
        Min = "REDUCE_MIN",
    }
}

impl ReduceKind {
    /// The factor with which each of `count` elements goes into the result; `None` if that is no weighted sum.
    pub fn weight(self, count: usize) -> Option<f32> {
        match self {
            Self::Mean => Some(1.0 / count as f32),
            Self::Sum => Some(1.0),
            Self::Max | Self::Min => None,
        }
    }
}

impl OpSpec for view::Reduce<'_> {
    fn name(&self) -> &'static str {
        self.kind.name()
    }

    fn traits(&self) -> Traits {
        match self.kind {
            ReduceKind::Mean => COMPUTES,
            ReduceKind::Sum => Traits { uint8: true, ..NARROW },
            ReduceKind::Max | ReduceKind::Min => CHOOSES,
        }
    }

    fn inputs(&self) -> RangeInclusive<usize> {
        1..=1
    }

    fn infer(&self, inputs: &[&Tensor]) -> Result<Vec<Inferred>, ShapeError> {
        Ok(one(inputs, reduced(&inputs[0].shape, self.axes, *self.keep_dims)?))
    }

    fn types(&self, rules: &Rules<'_>) -> Result<(), OperatorError> {
        rules.arithmetic()?;
        match self.kind {
            ReduceKind::Mean | ReduceKind::Sum => rules.ratios(FACTOR_LIMIT),
            ReduceKind::Max | ReduceKind::Min => rules.unchanged(),
        }
    }

    fn field(&self, seen: ReceptiveField, inputs: &[&Shape], output: &Shape) -> ReceptiveField {
        let images = inputs[0].rank() == 4 && output.rank() == 4;
        while_pixels(images && !self.axes.contains(&1) && !self.axes.contains(&2), seen)
    }

    fn attributes(&self, out: &mut Attributes) {
        out.list("axes", self.axes);
        out.flag("keep_dims", *self.keep_dims);
    }

    fn parse(name: &str, given: &mut Given) -> Result<Option<Op>, ParseErrorKind> {
        let Some(kind) = ReduceKind::named(name) else { return Ok(None) };
        Ok(Some(Op::Reduce { kind, axes: given.numbers("axes")?, keep_dims: given.flag("keep_dims")? }))
    }
}

impl OpSpec for view::ArgMax<'_> {
    fn name(&self) -> &'static str {
        "ARG_MAX"
    }

    fn traits(&self) -> Traits {
        NARROW
    }

    fn inputs(&self) -> RangeInclusive<usize> {
        1..=1
    }

    fn infer(&self, inputs: &[&Tensor]) -> Result<Vec<Inferred>, ShapeError> {
        let shape = reduced(&inputs[0].shape, std::slice::from_ref(self.axis), false)?;
        Ok(vec![Inferred { shape, element: None }])
    }

    fn types(&self, rules: &Rules<'_>) -> Result<(), OperatorError> {
        rules.real(rules.operator.inputs[0])?;
        let plain = |d: &DataType| {
            matches!(d, DataType::Plain(ElementType::Int32)) || matches!(d, DataType::Plain(ElementType::Int64))
        };
        rules.expect(rules.operator.outputs[0], "i32 or i64 without quantisation", plain)
    }

    fn field(&self, _: ReceptiveField, _: &[&Shape], _: &Shape) -> ReceptiveField {
        ReceptiveField::Whole
    }

    fn attributes(&self, out: &mut Attributes) {
        out.add("axis", self.axis);
    }

    fn parse(name: &str, given: &mut Given) -> Result<Option<Op>, ParseErrorKind> {
        named(name, "ARG_MAX", || Ok(Op::ArgMax { axis: given.number("axis")? }))
    }
}

/// `x` without some axes, or with size 1 there.
fn reduced(x: &Shape, axes: &[usize], keep_dims: bool) -> Result<Shape, ShapeError> {
    if axes.windows(2).any(|w| w[0] >= w[1]) {
        return Err(ShapeError::AxisOrder { axes: axes.to_vec() });
    }
    if let Some(&axis) = axes.iter().find(|&&a| a >= x.rank()) {
        return Err(ShapeError::Axis { axis, rank: x.rank() });
    }
    let kept = x.0.iter().enumerate().filter_map(|(i, &size)| match axes.contains(&i) {
        false => Some(size),
        true => keep_dims.then_some(1),
    });
    Ok(Shape(kept.collect()))
}
