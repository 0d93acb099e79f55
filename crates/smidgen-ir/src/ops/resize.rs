//! RESIZE_NEAREST_NEIGHBOR and RESIZE_BILINEAR.

use super::spec::{AVERAGES, CHOOSES, kinds, one};
use super::{Op, OpSpec, Traits, view};
use crate::cost::ReceptiveField;
use crate::graph::Operator;
use crate::infer::{Inferred, Role, ShapeError, nhwc};
use crate::tensor::{ElementType, Shape, Tensor};
use crate::text::{Attributes, Given, ParseErrorKind};
use crate::validate::{OperatorError, Rules};
use std::ops::RangeInclusive;

kinds! {
    /// Interpolation of a spatial resize.
    ResizeKind {
        /// Nearest neighbour.
        Nearest = "RESIZE_NEAREST_NEIGHBOR",
        /// Bilinear.
        Bilinear = "RESIZE_BILINEAR",
    }
}

impl OpSpec for view::Resize<'_> {
    fn name(&self) -> &'static str {
        self.kind.name()
    }

    fn traits(&self) -> Traits {
        match self.kind {
            ResizeKind::Nearest => CHOOSES,
            ResizeKind::Bilinear => Traits { uint8: true, ..AVERAGES },
        }
    }

    fn inputs(&self) -> RangeInclusive<usize> {
        1..=1
    }

    fn infer(&self, inputs: &[&Tensor]) -> Result<Vec<Inferred>, ShapeError> {
        let [n, _, _, c] = nhwc(inputs[0], Role::Input(0))?;
        if self.output.contains(&0) {
            return Err(ShapeError::Zero { parameter: "the output size" });
        }
        // The nearest neighbour is defined with both set, bilinear interpolation is not.
        if *self.kind == ResizeKind::Bilinear && *self.align_corners && *self.half_pixel_centers {
            return Err(ShapeError::ResizeOptions);
        }
        Ok(one(inputs, Shape(vec![n, self.output[0], self.output[1], c])))
    }

    fn types(&self, rules: &Rules<'_>) -> Result<(), OperatorError> {
        rules.arithmetic()?;
        rules.unchanged()
    }

    fn field(&self, seen: ReceptiveField, inputs: &[&Shape], _: &Shape) -> ReceptiveField {
        let extent = match self.kind {
            ResizeKind::Nearest => 1,
            ResizeKind::Bilinear => 2,
        };
        let step = [0, 1].map(|axis| inputs[0].0[1 + axis] as f64 / self.output[axis] as f64);
        seen.through([extent; 2], step)
    }

    fn is_identity(&self, _: &Operator, x: &Tensor) -> bool {
        // Between equal sizes every sample falls on a pixel; in floats its neighbour, weighted 0, may still be
        // infinite.
        *self.kind == ResizeKind::Nearest || x.element() != ElementType::Float32
    }

    fn attributes(&self, out: &mut Attributes) {
        out.list("output", self.output);
        out.flag("align_corners", *self.align_corners);
        out.flag("half_pixel_centers", *self.half_pixel_centers);
    }

    fn parse(name: &str, given: &mut Given) -> Result<Option<Op>, ParseErrorKind> {
        let Some(kind) = ResizeKind::named(name) else { return Ok(None) };
        let output = given.pair("output")?;
        let (align_corners, half_pixel_centers) = (given.flag("align_corners")?, given.flag("half_pixel_centers")?);
        Ok(Some(Op::Resize { kind, output, align_corners, half_pixel_centers }))
    }
}
