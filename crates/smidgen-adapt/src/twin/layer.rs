//! Layers with weights: what of them is trained, and how it moves.

use super::number::{Convolve, Form, Number};
use crate::compile::{DEAD_SCALE, chosen};
use crate::error::AdaptError;
use crate::lite_residual::Trained;
use crate::memory::selected;
use crate::scheme::Scheme;
use crate::surrogate::{convolution, refuse, scale, weight_scale};
use smidgen_ir::Quantisation;

/// A convolution or fully connected layer, in real numbers.
#[derive(Clone, Debug)]
pub(super) struct Layer<T: Number> {
    /// Among the convolutions, by the scheme's numbers.
    pub number: usize,
    form: Form,
    /// Outputs of a channel of a depthwise convolution.
    multiplier: usize,
    engine: T::Convolution,
    /// As the layer uses them: `[taps, inputs, outputs]`, of depthwise convolutions `[taps, outputs]`.
    pub weights: Vec<T>,
    pub bias: Vec<T>,
    /// For each weight what a step of it is multiplied with, 0 where it is not trained; empty if none is.
    weight_steps: Vec<T>,
    bias_steps: Vec<T>,
    /// Input channels whose weights are trained, in ascending order.
    pub channels: Vec<u16>,
    pub weight_gradient: Vec<T>,
    pub bias_gradient: Vec<T>,
    /// Gradients of weights and biases, multiplied by their rates, that have not moved anything yet.
    collected: [Vec<T>; 2],
    /// Where weights and biases stay integers.
    integers: Option<Integers<T>>,
    /// The input of a depthwise convolution with a multiplier, and its gradient, with as many channels as the output.
    wide: [Vec<T>; 2],
}

/// Integers, and what training has added to them before they are rounded, in real numbers: so that what was not trained
/// is exact.
#[derive(Clone, Debug)]
struct Integers<T> {
    weights: Vec<i32>,
    bias: Vec<i32>,
    moved_weights: Vec<T>,
    moved_bias: Vec<T>,
    /// What one stands for, by output channel.
    weight_scales: Vec<f64>,
    bias_scales: Vec<f64>,
}

/// An integer and what was added to it, as stored.
fn rounded(integer: i32, moved: f64, scale: f64, least: f64, most: f64) -> i32 {
    (f64::from(integer) + moved / scale).round_ties_even().clamp(least, most) as i32
}

impl<T: Number> Layer<T> {
    /// A layer of a network, with what a scheme trains of it. `integers`: its weights and biases stay integers, with
    /// copies in floats.
    pub fn new(
        Trained { features, parts, biases }: &Trained,
        scheme: &Scheme,
        (index, number): (usize, usize),
        integers: bool,
    ) -> Result<Self, AdaptError> {
        let graph = &features.graph;
        let operator = &graph.operators[index];
        let refused = |reason: &str| refuse(graph, index, reason);
        let (mut window, images, depthwise) =
            convolution(graph, operator).ok_or_else(|| refused("its input has no rows and columns"))?;
        let tensor = graph.tensor(operator.inputs[1]);
        let stored = tensor.integers().ok_or_else(|| refused("its weights are not constant"))?;
        let ([_, _, inputs], [_, _, outputs]) = (window.input, window.output);
        let multiplier = if depthwise { outputs / inputs.max(1) } else { 1 };
        if depthwise {
            window.input[2] = outputs;
        }
        let form = Form { window, images, depthwise };
        let engine = T::Convolution::new(form).ok_or_else(|| refused("its window fits nowhere"))?;
        let taps = window.area();
        let weight_zero = |o: usize| match tensor.dtype.quantisation() {
            Some(Quantisation::PerTensor { zero_point, .. }) => *zero_point,
            Some(Quantisation::PerChannel { zero_points, .. }) => zero_points.get(o).copied().unwrap_or(0),
            None => 0,
        };
        // The graph has them as [outputs, taps, inputs], of depthwise layers [taps, outputs].
        let place = |i: usize| match depthwise {
            true => i,
            false => (i % outputs * taps + i / outputs / inputs) * inputs + i / outputs % inputs,
        };
        let whole: Vec<i32> = (0..stored.len()).map(|i| stored[place(i)] - weight_zero(i % outputs)).collect();
        let bias: Vec<i32> = operator.inputs.get(2).and_then(|&id| graph.tensor(id).integers()).unwrap_or_default();
        let bias: Vec<i32> = (0..outputs).map(|o| bias.get(o).copied().unwrap_or(0)).collect();
        let input_scale = scale(graph.tensor(operator.inputs[0])).0;
        let weight_scales: Vec<f64> = (0..outputs).map(|o| weight_scale(tensor, o)).collect();
        let bias_scales: Vec<f64> = weight_scales.iter().map(|s| s * input_scale).collect();
        let real = |all: &[i32], scales: &[f64]| -> Vec<T> {
            all.iter().enumerate().map(|(i, &x)| T::of(f64::from(x) * scales[i % outputs])).collect()
        };

        let part = parts[number];
        let channels = match (part, depthwise) {
            (None, _) => Vec::new(),
            (Some(_), true) => (0..inputs as u16).collect(),
            (Some(ratio), false) => {
                let bytes: Vec<u8> = stored.iter().map(|&w| w as i8 as u8).collect();
                chosen(&bytes, inputs, selected(inputs, ratio), scheme.weight_select_criteria)
            }
        };
        // Of real numbers a step is the gradient's; integers that are not scaled by what they stand for take a
        // smaller one.
        let step = |scale: f64| if integers && !scheme.quantisation_aware_scaling { scale * scale } else { 1.0 };
        let alive = |o: usize| weight_scales[o] > DEAD_SCALE;
        let weight_step = |i: usize| {
            let (o, c) = (i % outputs, i / outputs % inputs.max(1));
            let trained = depthwise || channels.binary_search(&(c as u16)).is_ok();
            T::of(if trained && alive(o) { step(weight_scales[o]) } else { 0.0 })
        };
        let bias_step = |o: usize| {
            let within = bias[o].unsigned_abs() < i32::MAX as u32;
            T::of(if alive(o) && within { step(bias_scales[o]) } else { 0.0 })
        };
        let weight_steps = if channels.is_empty() { Vec::new() } else { (0..whole.len()).map(weight_step).collect() };
        let bias_steps = if biases[number] { (0..outputs).map(bias_step).collect() } else { Vec::new() };
        let zeros = |n: usize| vec![T::default(); n];
        let mut layer = Self {
            number,
            form,
            multiplier,
            engine,
            weights: real(&whole, &weight_scales),
            bias: real(&bias, &bias_scales),
            weight_gradient: zeros(weight_steps.len()),
            bias_gradient: zeros(bias_steps.len()),
            collected: [Vec::new(), Vec::new()],
            integers: integers.then(|| Integers {
                moved_weights: zeros(weight_steps.len()),
                moved_bias: zeros(bias_steps.len()),
                weights: whole,
                bias,
                weight_scales,
                bias_scales,
            }),
            weight_steps,
            bias_steps,
            channels,
            wide: [Vec::new(), Vec::new()],
        };
        layer.engine.pack(&layer.weights);
        Ok(layer)
    }

    pub fn trains_weights(&self) -> bool {
        !self.weight_steps.is_empty()
    }

    pub fn trains_bias(&self) -> bool {
        !self.bias_steps.is_empty()
    }

    /// How many numbers are trained.
    pub fn trained(&self) -> usize {
        let taps = self.form.window.area();
        let each = if self.form.depthwise { self.multiplier } else { self.bias.len() };
        self.channels.len() * each * taps + self.bias_steps.len()
    }

    fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// The elements of the input as a depthwise convolution with a multiplier reads them.
    fn widen(&mut self, x: &[T]) {
        let (multiplier, wide) = (self.multiplier, &mut self.wide[0]);
        wide.clear();
        wide.extend(x.iter().flat_map(|&x| std::iter::repeat_n(x, multiplier)));
    }

    /// Sums and biases.
    pub fn forward(&mut self, x: &[T], z: &mut [T]) {
        if self.multiplier > 1 {
            self.widen(x);
        }
        let x = if self.multiplier > 1 { &self.wide[0] } else { x };
        self.engine.forward(x, &self.weights, z);
        for row in z.chunks_exact_mut(self.bias.len()) {
            row.iter_mut().zip(&self.bias).for_each(|(z, &b)| *z += b);
        }
    }

    /// Gradients of what is trained, from that of the sums; that of the input is added to `dx`, if it is wanted.
    pub fn backward(&mut self, x: &[T], dz: &[T], dx: Option<&mut [T]>) {
        if self.trains_bias() {
            self.bias_gradient.fill(T::default());
            for row in dz.chunks_exact(self.bias.len()) {
                self.bias_gradient.iter_mut().zip(row).for_each(|(sum, &g)| *sum += g);
            }
        }
        let trains = self.trains_weights();
        if !trains && dx.is_none() {
            return;
        }
        if self.multiplier == 1 {
            let dw = trains.then_some(&mut self.weight_gradient[..]);
            return self.engine.backward(x, &self.weights, dz, dw, dx);
        }
        self.widen(x);
        let [wide, gradient] = &mut self.wide;
        gradient.clear();
        gradient.resize(wide.len(), T::default());
        let dw = trains.then_some(&mut self.weight_gradient[..]);
        self.engine.backward(wide, &self.weights, dz, dw, Some(gradient));
        for (dx, parts) in dx.into_iter().flatten().zip(gradient.chunks_exact(self.multiplier)) {
            parts.iter().for_each(|&part| *dx += part);
        }
    }

    /// A step against the gradients. Whether anything is trained here.
    pub fn step(&mut self, rate: T) -> bool {
        let (trains, outputs) = (self.trains_weights(), self.outputs());
        let move_by = |values: &mut [T], steps: &[T], gradient: &[T]| {
            for ((value, &step), &gradient) in values.iter_mut().zip(steps).zip(gradient) {
                *value -= rate * (step * gradient);
            }
        };
        match &mut self.integers {
            None => {
                move_by(&mut self.weights, &self.weight_steps, &self.weight_gradient);
                move_by(&mut self.bias, &self.bias_steps, &self.bias_gradient);
            }
            Some(integers) => {
                move_by(&mut integers.moved_weights, &self.weight_steps, &self.weight_gradient);
                move_by(&mut integers.moved_bias, &self.bias_steps, &self.bias_gradient);
                for (i, &moved) in integers.moved_weights.iter().enumerate() {
                    if moved != T::default() {
                        let scale = integers.weight_scales[i % outputs];
                        let integer = rounded(integers.weights[i], moved.real(), scale, -127.0, 127.0);
                        self.weights[i] = T::of(f64::from(integer) * scale);
                    }
                }
            }
        }
        if trains {
            self.engine.pack(&self.weights);
        }
        trains || self.trains_bias()
    }

    /// Adds a step against the gradients, multiplied by the rate, to what is collected; `now`: what was collected takes the gradients' places, for
    /// a [`step`](Self::step) with a rate of 1.
    pub fn collect(&mut self, rate: T, now: bool) {
        let [weights, biases] = &mut self.collected;
        for (sums, gradient) in [(weights, &mut self.weight_gradient), (biases, &mut self.bias_gradient)] {
            sums.resize(gradient.len(), T::default());
            sums.iter_mut().zip(&*gradient).for_each(|(sum, &g)| *sum += rate * g);
            if now {
                std::mem::swap(sums, gradient);
                sums.clear();
            }
        }
    }

    /// Input channels.
    #[cfg(test)]
    pub fn inputs(&self) -> usize {
        self.form.window.input[2]
    }

    #[cfg(test)]
    pub fn is_depthwise(&self) -> bool {
        self.form.depthwise
    }

    /// The bytes of the integers that are trained, as a training step keeps them: weights of the channels that are,
    /// `[outputs, taps, channels]`, of depthwise convolutions `[taps, outputs]`.
    pub fn weight_bytes(&self) -> Vec<u8> {
        let Some(integers) = &self.integers else { return Vec::new() };
        let (outputs, inputs, taps) = (self.outputs(), self.form.window.input[2], self.form.window.area());
        let at = |i: usize| {
            let moved = integers.moved_weights[i].real();
            rounded(integers.weights[i], moved, integers.weight_scales[i % outputs], -127.0, 127.0) as i8 as u8
        };
        if self.form.depthwise {
            return (0..taps * outputs).map(at).collect();
        }
        let places = (0..outputs * taps).flat_map(|ot| {
            let place = move |&c: &u16| (ot % taps * inputs + usize::from(c)) * outputs + ot / taps;
            self.channels.iter().map(place)
        });
        places.map(at).collect()
    }

    /// The bytes of the biases as integers.
    pub fn bias_bytes(&self) -> Vec<u8> {
        let Some(integers) = &self.integers else { return Vec::new() };
        let (least, most) = (f64::from(i32::MIN), f64::from(i32::MAX));
        let all = integers.bias.iter().zip(&integers.moved_bias).zip(&integers.bias_scales);
        let word = |((&bias, &moved), &scale): ((&i32, &T), &f64)| rounded(bias, moved.real(), scale, least, most);
        all.map(word).flat_map(i32::to_le_bytes).collect()
    }
}
