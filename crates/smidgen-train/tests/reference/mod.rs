//! An independent reference: networks computed in f64 by the definitions, forward alone. Gradients are its central
//! differences, so no formula of a backward pass is shared with what is tested.
#![allow(dead_code)]

pub mod graph;
pub mod module;
pub mod oracle;
pub mod sketch;

use smidgen_ir::{Padding, Window};
use smidgen_train::{Activation, Addend, Builder, ConvLayer, Loss, Net, Random, Settings, TrainError, Value};
use std::collections::HashMap;

/// A layer; `x` and `y` are indices of earlier values, 0 the input.
#[derive(Clone, Debug)]
pub enum Layer {
    Conv { x: usize, filters: usize, layer: ConvLayer },
    Depthwise { x: usize, layer: ConvLayer },
    Add { x: usize, y: usize, activation: Activation },
    Activate { x: usize, activation: Activation },
    Pool { x: usize },
    Linear { x: usize, outputs: usize, addend: Addend, activation: Activation },
}

/// A network: its layers in order, the last the output.
#[derive(Clone, Debug)]
pub struct Model {
    pub input: Vec<usize>,
    pub layers: Vec<Layer>,
}

fn name(i: usize) -> String {
    format!("layer{i}")
}

impl Model {
    /// The network as the engine has it.
    pub fn net(&self) -> Result<Net, TrainError> {
        let mut b = Builder::new(&self.input);
        let mut values: Vec<Value> = vec![b.input()];
        for (i, layer) in self.layers.iter().enumerate() {
            let name = name(i);
            let value = match layer {
                Layer::Conv { x, filters, layer } => b.conv(&name, values[*x], *filters, *layer)?,
                Layer::Depthwise { x, layer } => b.depthwise(&name, values[*x], *layer)?,
                Layer::Add { x, y, activation } => b.add(&name, values[*x], values[*y], *activation)?,
                Layer::Activate { x, activation } => b.activate(&name, values[*x], *activation),
                Layer::Pool { x } => b.global_pool(&name, values[*x])?,
                Layer::Linear { x, outputs, addend, activation } => {
                    b.linear(&name, values[*x], *outputs, *addend, *activation)?
                }
            };
            values.push(value);
        }
        b.build(values[values.len() - 1])
    }

    /// The mean loss of a batch, normalised shard by shard.
    pub fn loss(&self, net: &Net, p: &[f64], inputs: &[f64], labels: &[u32], shard: usize, loss: &Loss) -> f64 {
        let len: usize = self.input.iter().product();
        let mut total = 0.0;
        for (x, labels) in inputs.chunks(shard * len).zip(labels.chunks(shard)) {
            let out = self.forward(net, p, x, labels.len());
            let classes = out.len() / labels.len();
            for (y, &label) in out.chunks(classes).zip(labels) {
                let log = y.iter().map(|v| v.exp()).sum::<f64>().ln();
                let smoothing = f64::from(loss.smoothing);
                for (j, v) in y.iter().enumerate() {
                    let own = if j == label as usize { 1.0 - smoothing } else { 0.0 };
                    total -= (own + smoothing / classes as f64) * (v - log);
                }
            }
        }
        total / labels.len() as f64
    }

    /// The outputs of `n` samples that are normalised together.
    pub fn forward(&self, net: &Net, p: &[f64], inputs: &[f64], n: usize) -> Vec<f64> {
        let parameters: HashMap<&str, &[f64]> =
            net.parameters().iter().map(|q| (q.name.as_str(), &p[q.range()])).collect();
        let get = |i: usize, what: &str| parameters.get(format!("{}.{what}", name(i)).as_str()).copied();
        let mut values = vec![(inputs.to_vec(), self.input.clone())];
        for (i, layer) in self.layers.iter().enumerate() {
            let value = match layer {
                Layer::Conv { x, filters, layer } => {
                    let (x, shape) = &values[*x];
                    let (z, shape) = conv(x, shape, n, get(i, "weight").unwrap(), *filters, layer, false);
                    (finish(z, *filters, layer.addend, layer.activation, &|w| get(i, w)), shape)
                }
                Layer::Depthwise { x, layer } => {
                    let (x, shape) = &values[*x];
                    let (z, out) = conv(x, shape, n, get(i, "weight").unwrap(), shape[2], layer, true);
                    (finish(z, shape[2], layer.addend, layer.activation, &|w| get(i, w)), out)
                }
                Layer::Add { x, y, activation } => {
                    let sum = values[*x].0.iter().zip(&values[*y].0).map(|(a, b)| activate(a + b, *activation));
                    (sum.collect(), values[*x].1.clone())
                }
                Layer::Activate { x, activation } => {
                    (values[*x].0.iter().map(|&v| activate(v, *activation)).collect(), values[*x].1.clone())
                }
                Layer::Pool { x } => {
                    let (x, shape) = &values[*x];
                    let (pixels, c) = (shape[0] * shape[1], shape[2]);
                    let mean = |i: usize| {
                        (0..pixels).map(|r| x[(i / c * pixels + r) * c + i % c]).sum::<f64>() / pixels as f64
                    };
                    ((0..n * c).map(mean).collect(), vec![c])
                }
                Layer::Linear { x, outputs, addend, activation } => {
                    let (x, shape) = &values[*x];
                    let (w, k) = (get(i, "weight").unwrap(), shape[shape.len() - 1]);
                    let mut z = Vec::new();
                    for row in x.chunks(k) {
                        for o in 0..*outputs {
                            z.push(row.iter().enumerate().map(|(i, v)| v * w[i * outputs + o]).sum::<f64>());
                        }
                    }
                    let mut out = shape.clone();
                    *out.last_mut().unwrap() = *outputs;
                    (finish(z, *outputs, *addend, *activation, &|w| get(i, w)), out)
                }
            };
            values.push(value);
        }
        values.pop().unwrap().0
    }
}

/// A convolution by its definition.
fn conv(
    x: &[f64],
    shape: &[usize],
    n: usize,
    w: &[f64],
    co: usize,
    layer: &ConvLayer,
    depthwise: bool,
) -> (Vec<f64>, Vec<usize>) {
    let (h, wd, ci) = (shape[0], shape[1], shape[2]);
    let size = |input: usize, i: usize| {
        let (s, extent) = (layer.stride[i], (layer.kernel[i] - 1) * layer.dilation[i] + 1);
        match layer.padding {
            Padding::Same => {
                let out = input.div_ceil(s);
                (out, ((out - 1) * s + extent).saturating_sub(input) / 2)
            }
            Padding::Valid => ((input - extent) / s + 1, 0),
            Padding::Explicit { top, bottom, left, right } => {
                let (before, after) = if i == 0 { (top, bottom) } else { (left, right) };
                ((input + before + after - extent) / s + 1, before)
            }
        }
    };
    let ((oh, top), (ow, left)) = (size(h, 0), size(wd, 1));
    let mut z = Vec::new();
    for i in 0..n {
        for oy in 0..oh {
            for ox in 0..ow {
                for o in 0..co {
                    let mut sum = 0.0;
                    for ky in 0..layer.kernel[0] {
                        for kx in 0..layer.kernel[1] {
                            let y = (oy * layer.stride[0] + ky * layer.dilation[0]) as isize - top as isize;
                            let xx = (ox * layer.stride[1] + kx * layer.dilation[1]) as isize - left as isize;
                            if y < 0 || xx < 0 || y >= h as isize || xx >= wd as isize {
                                continue;
                            }
                            let pixel = ((i * h + y as usize) * wd + xx as usize) * ci;
                            let tap = ky * layer.kernel[1] + kx;
                            if depthwise {
                                sum += x[pixel + o] * w[tap * co + o];
                            } else {
                                for c in 0..ci {
                                    sum += x[pixel + c] * w[(tap * ci + c) * co + o];
                                }
                            }
                        }
                    }
                    z.push(sum);
                }
            }
        }
    }
    (z, vec![oh, ow, co])
}

/// Normalisation or bias, then the activation.
fn finish<'a>(
    mut z: Vec<f64>,
    c: usize,
    addend: Addend,
    activation: Activation,
    get: &dyn Fn(&str) -> Option<&'a [f64]>,
) -> Vec<f64> {
    match addend {
        Addend::None => {}
        Addend::Bias => {
            let bias = get("bias").unwrap();
            z.iter_mut().enumerate().for_each(|(i, v)| *v += bias[i % c]);
        }
        Addend::Norm => {
            let (scale, shift, rows) = (get("scale").unwrap(), get("shift").unwrap(), z.len() / c);
            for j in 0..c {
                let mean = (0..rows).map(|r| z[r * c + j]).sum::<f64>() / rows as f64;
                let variance = (0..rows).map(|r| (z[r * c + j] - mean).powi(2)).sum::<f64>() / rows as f64;
                for r in 0..rows {
                    let v = &mut z[r * c + j];
                    *v = (*v - mean) / (variance + 1e-5).sqrt() * scale[j] + shift[j];
                }
            }
        }
    }
    z.iter_mut().for_each(|v| *v = activate(*v, activation));
    z
}

fn activate(v: f64, activation: Activation) -> f64 {
    match activation {
        Activation::None => v,
        Activation::Relu => v.max(0.0),
        Activation::Relu6 => v.clamp(0.0, 6.0),
        Activation::ReluN1To1 => v.clamp(-1.0, 1.0),
        Activation::HardSwish => v * (v + 3.0).clamp(0.0, 6.0) / 6.0,
    }
}

/// Settings of tests: nothing that the machine has a say in.
pub fn settings(batch: usize, shard: usize) -> Settings {
    let loss = Loss { smoothing: 0.1, distillation: 0.0 };
    Settings { batch, shard, threads: 1, loss, ..Settings::default() }
}

/// Parameters away from the symmetric start: factors 0.5 to 1.5, summands -0.5 to 1.
pub fn parameters(net: &Net, random: &mut Random) -> Vec<f32> {
    let mut p = net.initial_parameters(random.bits());
    for q in net.parameters() {
        match q.role {
            smidgen_train::Role::Scale => p[q.range()].iter_mut().for_each(|x| *x = random.uniform(0.5, 1.5)),
            smidgen_train::Role::Shift => p[q.range()].iter_mut().for_each(|x| *x = random.uniform(-0.5, 1.0)),
            _ => {}
        }
    }
    p
}

/// Whether outputs are equal to 1e-5 of the greatest.
pub fn close(given: &[f32], expected: &[f32]) -> Result<(), String> {
    let size = expected.iter().fold(1f32, |m, v| m.max(v.abs()));
    let far = given.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
    if given.len() == expected.len() && far <= 1e-5 * size { Ok(()) } else { Err(format!("{far} of {size} apart")) }
}

/// Uniform in -2 to 2.
pub fn noise(len: usize, random: &mut Random) -> Vec<f32> {
    (0..len).map(|_| random.uniform(-2.0, 2.0)).collect()
}

/// Doubles of floats.
pub fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&v| f64::from(v)).collect()
}

/// Which elements of a parameter of `len` elements are compared: all of few, some of many.
pub fn chosen(len: usize, random: &mut Random) -> Vec<usize> {
    const MOST: usize = 24;
    if len <= MOST { (0..len).collect() } else { (0..MOST).map(|_| random.below(len)).collect() }
}

/// Central difference of `f` in coordinate `i`.
pub fn difference(p: &mut [f64], i: usize, f: &dyn Fn(&[f64]) -> f64) -> f64 {
    const STEP: f64 = 1e-6;
    let own = p[i];
    p[i] = own + STEP;
    let up = f(p);
    p[i] = own - STEP;
    let down = f(p);
    p[i] = own;
    (up - down) / (2.0 * STEP)
}

/// Pictures of stripes, `[12, 12, 3]`: their class is the direction, everything else about them is random; `noise` is the most that is added to
/// a wave between -1 and 1.
pub fn stripes(n: usize, noise: f32, random: &mut Random) -> (Vec<f32>, Vec<u32>) {
    let (mut inputs, mut labels) = (Vec::new(), Vec::new());
    for _ in 0..n {
        let label = random.below(4);
        let (dy, dx) = [(0.0, 1.0), (1.0, 0.0), (0.7, 0.7), (0.7, -0.7)][label];
        let (phase, pitch) = (random.uniform(0.0, 6.0), random.uniform(1.2, 1.8));
        for y in 0..12 {
            for x in 0..12 {
                let wave = ((dy * y as f32 + dx * x as f32) * pitch + phase).sin();
                inputs.extend((0..3).map(|_| wave + random.uniform(-noise, noise)));
            }
        }
        labels.push(label as u32);
    }
    (inputs, labels)
}
