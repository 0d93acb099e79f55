//! AVERAGE_POOL_2D and MAX_POOL_2D.

use super::spec::{AVERAGES, CHOOSES, kinds, one};
use super::{Activation, Op, OpSpec, Padding, Traits, view};
use crate::cost::ReceptiveField;
use crate::graph::Operator;
use crate::infer::{Inferred, Role, ShapeError, nhwc, window};
use crate::tensor::{Shape, Tensor};
use crate::text::{Attributes, Given, ParseErrorKind};
use crate::validate::{OperatorError, Parameters, Rules};
use std::ops::RangeInclusive;

kinds! {
    /// Which pooling.
    PoolKind {
        /// Mean of the window's elements that lie inside the input.
        Average = "AVERAGE_POOL_2D",
        /// Greatest of the window's elements.
        Max = "MAX_POOL_2D",
    }
}

impl OpSpec for view::Pool2d<'_> {
    fn name(&self) -> &'static str {
        self.kind.name()
    }

    fn traits(&self) -> Traits {
        match self.kind {
            PoolKind::Average => Traits { uint8: true, ..AVERAGES },
            PoolKind::Max => CHOOSES,
        }
    }

    fn inputs(&self) -> RangeInclusive<usize> {
        1..=1
    }

    fn activation(&self) -> Option<Activation> {
        Some(*self.activation)
    }

    fn parameters(&self, check: Parameters) -> Result<(), OperatorError> {
        check.small("the window", self.window)?;
        check.small("the stride", self.stride)?;
        check.padding(self.padding)
    }

    fn infer(&self, inputs: &[&Tensor]) -> Result<Vec<Inferred>, ShapeError> {
        let (size, stride) = (*self.window, *self.stride);
        if let Padding::Explicit { top, bottom, left, right } = *self.padding
            && ([top, bottom].iter().any(|&p| p >= size[0]) || [left, right].iter().any(|&p| p >= size[1]))
        {
            return Err(ShapeError::WidePadding { window: size });
        }
        let [n, h, w, c] = nhwc(inputs[0], Role::Input(0))?;
        let oh = window(0, h, size[0], stride[0], 1, *self.padding)?;
        let ow = window(1, w, size[1], stride[1], 1, *self.padding)?;
        Ok(one(inputs, Shape(vec![n, oh, ow, c])))
    }

    fn types(&self, rules: &Rules<'_>) -> Result<(), OperatorError> {
        rules.arithmetic()?;
        rules.unchanged()
    }

    fn field(&self, seen: ReceptiveField, _: &[&Shape], _: &Shape) -> ReceptiveField {
        seen.through(*self.window, self.stride.map(|n| n as f64))
    }

    fn is_identity(&self, _: &Operator, _: &Tensor) -> bool {
        *self.window == [1, 1] && *self.stride == [1, 1] && *self.activation == Activation::None
    }

    fn attributes(&self, out: &mut Attributes) {
        out.list("window", self.window);
        out.list("stride", self.stride);
        out.padding(*self.padding);
        out.activation(*self.activation);
    }

    fn parse(name: &str, given: &mut Given) -> Result<Option<Op>, ParseErrorKind> {
        let Some(kind) = PoolKind::named(name) else { return Ok(None) };
        let (window, stride) = (given.pair("window")?, given.pair("stride")?);
        let (padding, activation) = (given.padding()?, given.activation()?);
        Ok(Some(Op::Pool2d { kind, window, stride, padding, activation }))
    }
}
