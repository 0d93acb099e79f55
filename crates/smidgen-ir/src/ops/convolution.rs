//! CONV_2D, DEPTHWISE_CONV_2D and TRANSPOSE_CONV.

use super::spec::{COMPUTES, named, one};
use super::{Activation, Op, OpSpec, Padding, Traits, Weights, view};
use crate::cost::ReceptiveField;
use crate::infer::{AXES, Inferred, Role, ShapeError, bias, dimension, nhwc, window};
use crate::tensor::{Shape, Tensor};
use crate::text::{Attributes, Given, ParseErrorKind};
use crate::validate::{OperatorError, Parameters, Rules};
use std::ops::RangeInclusive;

/// Stride, dilation and padding of a convolution, `[height, width]` where there are two.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ConvParams {
    /// Steps between neighbouring windows; at least 1.
    pub stride: [usize; 2],
    /// Distance between neighbouring taps; at least 1.
    pub dilation: [usize; 2],
    /// Spatial padding.
    pub padding: Padding,
    /// Fused activation.
    pub activation: Activation,
}

impl ConvParams {
    fn check(&self, check: Parameters) -> Result<(), OperatorError> {
        check.small("the stride", &self.stride)?;
        check.small("the dilation", &self.dilation)?;
        check.padding(&self.padding)
    }

    /// Window positions along height and width.
    fn positions(&self, image: [usize; 2], kernel: [usize; 2]) -> Result<[usize; 2], ShapeError> {
        let size =
            |axis: usize| window(axis, image[axis], kernel[axis], self.stride[axis], self.dilation[axis], self.padding);
        Ok([size(0)?, size(1)?])
    }

    fn field(&self, seen: ReceptiveField, weights: &Shape) -> ReceptiveField {
        let extent = |size: usize, dilation: usize| (size - 1).saturating_mul(dilation).saturating_add(1);
        let extents = [extent(weights.0[1], self.dilation[0]), extent(weights.0[2], self.dilation[1])];
        seen.through(extents, self.stride.map(|n| n as f64))
    }

    fn attributes(&self, out: &mut Attributes) {
        out.list("stride", &self.stride);
        if self.dilation != [1, 1] {
            out.list("dilation", &self.dilation);
        }
        out.padding(self.padding);
        out.activation(self.activation);
    }

    fn parse(given: &mut Given) -> Result<Self, ParseErrorKind> {
        Ok(Self {
            stride: given.pair("stride")?,
            dilation: given.pair_or("dilation", [1, 1])?,
            padding: given.padding()?,
            activation: given.activation()?,
        })
    }
}

impl OpSpec for view::Conv2d<'_> {
    fn name(&self) -> &'static str {
        "CONV_2D"
    }

    fn traits(&self) -> Traits {
        let weights = Weights { axis: 0, int4: true, zero_point: false, hybrid: true };
        Traits { uint8: true, weights: Some(weights), ..COMPUTES }
    }

    fn inputs(&self) -> RangeInclusive<usize> {
        2..=3
    }

    fn activation(&self) -> Option<Activation> {
        Some(self.0.activation)
    }

    fn parameters(&self, check: Parameters) -> Result<(), OperatorError> {
        self.0.check(check)
    }

    fn infer(&self, inputs: &[&Tensor]) -> Result<Vec<Inferred>, ShapeError> {
        let [n, h, w, c] = nhwc(inputs[0], Role::Input(0))?;
        let [o, kh, kw, _] = nhwc(inputs[1], Role::Weights)?;
        dimension(inputs[1], Role::Weights, 3, c)?;
        bias(inputs, o)?;
        let [oh, ow] = self.0.positions([h, w], [kh, kw])?;
        Ok(one(inputs, Shape(vec![n, oh, ow, o])))
    }

    fn types(&self, rules: &Rules<'_>) -> Result<(), OperatorError> {
        rules.weighted()
    }

    fn positions<'a>(&self, _: &'a [usize], output: &'a [usize]) -> Option<&'a [usize]> {
        Some(&output[..3])
    }

    fn field(&self, seen: ReceptiveField, inputs: &[&Shape], _: &Shape) -> ReceptiveField {
        self.0.field(seen, inputs[1])
    }

    fn attributes(&self, out: &mut Attributes) {
        self.0.attributes(out);
    }

    fn parse(name: &str, given: &mut Given) -> Result<Option<Op>, ParseErrorKind> {
        named(name, "CONV_2D", || Ok(Op::Conv2d(ConvParams::parse(given)?)))
    }
}

impl OpSpec for view::DepthwiseConv2d<'_> {
    fn name(&self) -> &'static str {
        "DEPTHWISE_CONV_2D"
    }

    fn traits(&self) -> Traits {
        let weights = Weights { axis: 3, int4: true, zero_point: false, hybrid: true };
        Traits { uint8: true, weights: Some(weights), ..COMPUTES }
    }

    fn inputs(&self) -> RangeInclusive<usize> {
        2..=3
    }

    fn activation(&self) -> Option<Activation> {
        Some(self.conv.activation)
    }

    fn parameters(&self, check: Parameters) -> Result<(), OperatorError> {
        self.conv.check(check)
    }

    fn infer(&self, inputs: &[&Tensor]) -> Result<Vec<Inferred>, ShapeError> {
        let [n, h, w, c] = nhwc(inputs[0], Role::Input(0))?;
        let [_, kh, kw, o] = nhwc(inputs[1], Role::Weights)?;
        if *self.multiplier == 0 {
            return Err(ShapeError::Zero { parameter: "the depth multiplier" });
        }
        let channels =
            c.checked_mul(*self.multiplier).ok_or(ShapeError::Overflow { what: "the number of channels" })?;
        dimension(inputs[1], Role::Weights, 0, 1)?;
        dimension(inputs[1], Role::Weights, 3, channels)?;
        bias(inputs, o)?;
        let [oh, ow] = self.conv.positions([h, w], [kh, kw])?;
        Ok(one(inputs, Shape(vec![n, oh, ow, o])))
    }

    fn types(&self, rules: &Rules<'_>) -> Result<(), OperatorError> {
        rules.weighted()
    }

    fn positions<'a>(&self, _: &'a [usize], output: &'a [usize]) -> Option<&'a [usize]> {
        Some(&output[..3])
    }

    fn field(&self, seen: ReceptiveField, inputs: &[&Shape], _: &Shape) -> ReceptiveField {
        self.conv.field(seen, inputs[1])
    }

    fn attributes(&self, out: &mut Attributes) {
        self.conv.attributes(out);
        out.add("multiplier", self.multiplier);
    }

    fn parse(name: &str, given: &mut Given) -> Result<Option<Op>, ParseErrorKind> {
        named(name, "DEPTHWISE_CONV_2D", || {
            Ok(Op::DepthwiseConv2d { conv: ConvParams::parse(given)?, multiplier: given.number("multiplier")? })
        })
    }
}

impl OpSpec for view::TransposeConv<'_> {
    fn name(&self) -> &'static str {
        "TRANSPOSE_CONV"
    }

    fn traits(&self) -> Traits {
        // Nothing computes with int4 here: the reference has no such kernel either.
        let weights = Weights { axis: 0, int4: false, zero_point: false, hybrid: false };
        Traits { uint8: true, weights: Some(weights), ..COMPUTES }
    }

    fn inputs(&self) -> RangeInclusive<usize> {
        2..=3
    }

    fn activation(&self) -> Option<Activation> {
        Some(*self.activation)
    }

    fn parameters(&self, check: Parameters) -> Result<(), OperatorError> {
        check.small("the stride", self.stride)?;
        check.small("the output size", self.output)
    }

    fn infer(&self, inputs: &[&Tensor]) -> Result<Vec<Inferred>, ShapeError> {
        if matches!(self.padding, Padding::Explicit { .. }) {
            return Err(ShapeError::ExplicitPadding);
        }
        let [n, h, w, c] = nhwc(inputs[0], Role::Input(0))?;
        let [o, kh, kw, _] = nhwc(inputs[1], Role::Weights)?;
        dimension(inputs[1], Role::Weights, 3, c)?;
        bias(inputs, o)?;
        let output = *self.output;
        for axis in 0..2 {
            let input = [h, w][axis];
            let back = window(axis, output[axis], [kh, kw][axis], self.stride[axis], 1, *self.padding)?;
            if back != input {
                return Err(ShapeError::TransposedSize { axis: AXES[axis], input, output: output[axis], back });
            }
        }
        Ok(one(inputs, Shape(vec![n, output[0], output[1], o])))
    }

    fn types(&self, rules: &Rules<'_>) -> Result<(), OperatorError> {
        rules.weighted()
    }

    fn positions<'a>(&self, input: &'a [usize], _: &'a [usize]) -> Option<&'a [usize]> {
        Some(&input[..3])
    }

    fn field(&self, seen: ReceptiveField, inputs: &[&Shape], _: &Shape) -> ReceptiveField {
        // Of the kernel's taps, every `stride`-th meets an input pixel.
        let weights = &inputs[1].0;
        let extents = [weights[1].div_ceil(self.stride[0]), weights[2].div_ceil(self.stride[1])];
        seen.through(extents, self.stride.map(|n| 1.0 / n as f64))
    }

    fn attributes(&self, out: &mut Attributes) {
        out.list("stride", self.stride);
        out.padding(*self.padding);
        out.list("output", self.output);
        out.activation(*self.activation);
    }

    fn parse(name: &str, given: &mut Given) -> Result<Option<Op>, ParseErrorKind> {
        named(name, "TRANSPOSE_CONV", || {
            Ok(Op::TransposeConv {
                stride: given.pair("stride")?,
                padding: given.padding()?,
                output: given.pair("output")?,
                activation: given.activation()?,
            })
        })
    }
}
