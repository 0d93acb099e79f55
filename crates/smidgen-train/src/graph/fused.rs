//! Convolutions and fully connected layers.

use super::{Importer, Layout, Norm};
use crate::builder::Value;
use crate::conv::{Conv, ConvKind, Dense};
use crate::error::TrainError;
use crate::geometry::Geometry;
use crate::net::{Activation, Affine, Role};
use crate::pass::EPSILON;
use crate::plain::Plain;
use crate::plain::gather::{Gather, Origin};
use smidgen_ir::{ConvParams, Operator, Padding, Window};

impl Importer<'_> {
    /// Height, width and channels of input 0, of which there must be one image.
    fn image(&self, operator: &Operator) -> Result<[usize; 3], TrainError> {
        match self.dims(operator.inputs[0]) {
            [1, h, w, c] => Ok([*h, *w, *c]),
            _ => self.refuse(operator, "its input is not one image"),
        }
    }

    fn addend(&mut self, operator: &Operator, co: usize, fan_in: usize) -> Result<Affine, TrainError> {
        if operator.inputs.len() < 3 {
            return Ok(Affine::Unit);
        }
        let index = self.graph.operators.iter().position(|other| std::ptr::eq(other, operator));
        if index.is_some_and(|index| self.normalised[index]) {
            let scale = format!("{}.scale", self.name(operator));
            let scale = self.builder.parameter(scale, vec![co], Role::Scale, fan_in);
            // With a variance of 1 this makes a factor of 1.
            self.parameters.extend(std::iter::repeat_n((1.0 + EPSILON).sqrt() as f32, co));
            let shift = self.parameter(operator, 2, Layout::Same, vec![co], Role::Shift, fan_in)?;
            let affine = Affine::Norm { scale, shift, state: self.builder.state(co) };
            for binding in &mut self.bindings {
                if let Some(k) = [1, 2].into_iter().find(|&k| operator.inputs[k] == binding.tensor) {
                    binding.norm = Some(Norm { affine, channels: co, is_bias: k == 2 });
                }
            }
            return Ok(affine);
        }
        Ok(Affine::Bias(self.parameter(operator, 2, Layout::Same, vec![co], Role::Bias, fan_in)?))
    }

    /// A dense convolution, or a depthwise one with a multiplier.
    pub(super) fn conv(
        &mut self,
        operator: &Operator,
        params: &ConvParams,
        multiplier: Option<usize>,
    ) -> Result<Value, TrainError> {
        let mut x = self.value(operator, 0)?;
        let [h, w, c] = self.image(operator)?;
        let (name, shape) = (self.name(operator), self.output_shape(operator));
        let weights = self.dims(operator.inputs[1]);
        let kernel = [weights[1], weights[2]];
        let (taps, co) = (kernel[0] * kernel[1], shape[2]);
        let ConvParams { stride, dilation, padding, activation } = *params;
        let Some(geometry) = Geometry::new([h, w], kernel, stride, dilation, padding) else {
            return self.refuse(operator, "its window fits nowhere");
        };
        // One channel that is convolved depthwise is convolved densely.
        let depthwise = multiplier.filter(|_| c > 1);
        let ci = if depthwise.is_some() { co } else { c };
        if let Some(multiplier) = depthwise.filter(|&m| m > 1) {
            let repeated = |i: usize| Origin::Input { input: 0, index: (i / co * c + i % co / multiplier) as u32 };
            let gather = Gather { origins: (0..h * w * co).map(repeated).collect() };
            let (name, shape) = (format!("{name}.repeated"), vec![h, w, co]);
            x = self.builder.plain(&name, Plain::Gather(gather), &[x], shape, Activation::None);
        }
        let (layout, dimensions) = match (multiplier, depthwise) {
            (_, Some(_)) => (Layout::Same, vec![kernel[0], kernel[1], co]),
            // The weights of one channel are `[1, kh, kw, co]` already.
            (Some(_), None) => (Layout::Same, vec![kernel[0], kernel[1], c, co]),
            (None, None) => (Layout::OutputFirst { taps, ci, co }, vec![kernel[0], kernel[1], c, co]),
        };
        let fan_in = if depthwise.is_some() { taps } else { taps * c };
        let weight = self.parameter(operator, 1, layout, dimensions, Role::Weight, fan_in)?;
        let affine = self.addend(operator, co, fan_in)?;
        let weights = if depthwise.is_some() { taps * co } else { taps * ci * co };
        let kind = if depthwise.is_some() {
            ConvKind::Depthwise(geometry)
        } else if geometry.is_pointwise() {
            ConvKind::Pointwise { rows: geometry.output_pixels() }
        } else {
            ConvKind::Dense(Dense::new(geometry, ci, co))
        };
        self.quantise(operator, co, weight, weights, affine)?;
        let conv = Conv { kind, ci, co, weight, weights };
        Ok(self.builder.convolution(&name, x, conv, shape, affine, activation.into()))
    }

    /// A transposed convolution: zeros between the pixels, then a convolution with the taps in falling order.
    pub(super) fn transpose_conv(
        &mut self,
        operator: &Operator,
        stride: [usize; 2],
        padding: Padding,
        output: [usize; 2],
        activation: Activation,
    ) -> Result<Value, TrainError> {
        let x = self.value(operator, 0)?;
        let [h, w, c] = self.image(operator)?;
        let (name, shape) = (self.name(operator), self.output_shape(operator));
        let weights = self.dims(operator.inputs[1]);
        let kernel = [weights[1], weights[2]];
        let (taps, co) = (kernel[0] * kernel[1], shape[2]);
        let mut before = [0; 2];
        for (i, before) in before.iter_mut().enumerate() {
            let Some(window) = Window::resolve(output[i], kernel[i], stride[i], 1, padding, i) else {
                return self.refuse(operator, "its window fits nowhere");
            };
            *before = window.before;
        }
        let spread = [0, 1].map(|i| output[i] + kernel[i] - 1);
        // The input pixel that lies at a place of the spread image.
        let pixel = |i: usize, at: usize, size: usize| {
            let from = (at + before[i]).checked_sub(kernel[i] - 1)?;
            (from % stride[i] == 0 && from / stride[i] < size).then_some(from / stride[i])
        };
        let mut origins = Vec::with_capacity(spread[0] * spread[1] * c);
        for y in 0..spread[0] {
            for z in 0..spread[1] {
                for channel in 0..c {
                    origins.push(match (pixel(0, y, h), pixel(1, z, w)) {
                        (Some(row), Some(column)) => {
                            Origin::Input { input: 0, index: ((row * w + column) * c + channel) as u32 }
                        }
                        _ => Origin::Constant(0.0),
                    });
                }
            }
        }
        let (plain, between) = (Plain::Gather(Gather { origins }), format!("{name}.spread"));
        let x = self.builder.plain(&between, plain, &[x], vec![spread[0], spread[1], c], Activation::None);
        let Some(geometry) = Geometry::new(spread, kernel, [1; 2], [1; 2], Padding::Valid) else {
            return self.refuse(operator, "its window fits nowhere");
        };
        let layout = Layout::Flipped { taps, ci: c, co };
        let dimensions = vec![kernel[0], kernel[1], c, co];
        let weight = self.parameter(operator, 1, layout, dimensions, Role::Weight, taps * c)?;
        let affine = self.addend(operator, co, taps * c)?;
        let kind = if geometry.is_pointwise() {
            ConvKind::Pointwise { rows: geometry.output_pixels() }
        } else {
            ConvKind::Dense(Dense::new(geometry, c, co))
        };
        self.quantise(operator, co, weight, taps * c * co, affine)?;
        let conv = Conv { kind, ci: c, co, weight, weights: taps * c * co };
        Ok(self.builder.convolution(&name, x, conv, shape, affine, activation))
    }

    pub(super) fn fully_connected(&mut self, operator: &Operator, activation: Activation) -> Result<Value, TrainError> {
        let mut x = self.value(operator, 0)?;
        let (name, shape) = (self.name(operator), self.output_shape(operator));
        let [co, ci] = *self.dims(operator.inputs[1]) else {
            return self.refuse(operator, "its weights are no matrix");
        };
        if ci == 0 || co == 0 {
            return self.refuse(operator, "its weights are empty");
        }
        let node = &self.builder.nodes[x.0];
        let rows = node.len() / ci;
        if node.channels() != ci {
            // Rows of another length than the layers before have channels.
            let name = format!("{name}.rows");
            x = self.builder.reshape(&name, x, vec![rows, ci]);
        }
        let layout = Layout::OutputFirst { taps: 1, ci, co };
        let weight = self.parameter(operator, 1, layout, vec![ci, co], Role::Weight, ci)?;
        let affine = self.addend(operator, co, ci)?;
        self.quantise(operator, co, weight, ci * co, affine)?;
        let conv = Conv { kind: ConvKind::Pointwise { rows }, ci, co, weight, weights: ci * co };
        Ok(self.builder.convolution(&name, x, conv, shape, affine, activation))
    }
}
