//! Operators of a network in real numbers: what they compute, and how gradients pass them.

use super::layer::Layer;
use super::number::Number;
use crate::error::AdaptError;
use crate::lite_residual::Trained;
use crate::movement::{Movement, Tap, movement, resize_taps};
use crate::network::Features;
use crate::scheme::Scheme;
use crate::surrogate::{average, function, function_of, limits, product_sizes, refuse, scale, window_of};
use smidgen_certify::certify;
use smidgen_exec::Executor;
use smidgen_ir::passes::remove_dead;
use smidgen_ir::{Activation, BinaryKind, ElementType, Op, PoolKind, TensorId, UnaryKind};
use smidgen_kernels::Window2d;
use smidgen_lower::LowerOptions;

/// An operator.
#[derive(Clone, Debug)]
pub(super) struct Node<T> {
    /// Its index in the graph.
    pub index: usize,
    pub inputs: Vec<usize>,
    pub outputs: Vec<usize>,
    /// What each output is clamped to.
    limits: Vec<[T; 2]>,
    pub kind: Kind,
}

/// What an operator computes.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// The layer with this index.
    Layer(usize),
    Average(Window2d, usize),
    Greatest(Window2d, usize),
    Moves(Vec<Moved>),
    Function(UnaryKind),
    Resize(Box<Resize>),
    Product {
        channels: usize,
        broadcast: [bool; 2],
    },
    Sum,
    /// No gradient passes it: the integer operator, on rounded numbers. Tensors that it is fed, scale and zero point
    /// of these and of its outputs.
    Integer(Box<Executor>, Vec<(usize, Grid)>, Vec<Grid>),
}

/// Scale and zero point.
type Grid = (f64, i32);

/// Where the elements of an input are in an output, and what each counts there.
#[derive(Clone, Debug)]
pub(super) struct Moved {
    input: usize,
    output: usize,
    places: Vec<Option<usize>>,
    weight: f64,
}

/// What each output index along rows and columns takes.
#[derive(Clone, Debug)]
pub(super) struct Resize {
    rows: Vec<Tap>,
    columns: Vec<Tap>,
    images: usize,
    input: [usize; 3],
}

/// Numbers by tensor.
pub(super) type Values<T> = Vec<Vec<T>>;

impl<T: Number> Node<T> {
    /// An operator of a network; one with weights comes with its layer. `passed`: gradients have to pass it.
    pub fn new(
        trained: &Trained,
        scheme: &Scheme,
        (index, layers): (usize, &mut Vec<Layer<T>>),
        (passed, integers): (bool, bool),
    ) -> Result<Self, AdaptError> {
        let features = &trained.features;
        let graph = &features.graph;
        let operator = &graph.operators[index];
        let activation = match operator.op {
            Op::Conv2d(conv) | Op::DepthwiseConv2d { conv, .. } => conv.activation,
            Op::FullyConnected { activation, .. }
            | Op::Binary { activation, .. }
            | Op::Pool2d { activation, .. }
            | Op::Concatenation { activation, .. } => activation,
            _ => Activation::None,
        };
        let all_int8 = operator.outputs.iter().chain(operator.inputs.first()).all(|&id| {
            let tensor = graph.tensor(id);
            tensor.element() == ElementType::Int8 && tensor.per_tensor().is_some()
        });
        let known = if all_int8 { Self::known(trained, scheme, (index, layers), integers)? } else { None };
        let kind = match known {
            Some(kind) => kind,
            None if passed => return Err(refuse(graph, index, "none is known; train only what comes after it")),
            None => Self::integer(features, index)?,
        };
        let limit = |&id: &TensorId| {
            let tensor = graph.tensor(id);
            let ((low, high), (scale, zero)) = (limits(activation, tensor), scale(tensor));
            [low, high].map(|limit| T::of(scale * (limit - f64::from(zero))))
        };
        Ok(Self {
            index,
            inputs: operator.inputs.iter().map(|id| id.index()).collect(),
            outputs: operator.outputs.iter().map(|id| id.index()).collect(),
            limits: operator.outputs.iter().map(limit).collect(),
            kind,
        })
    }

    fn known(
        trained: &Trained,
        scheme: &Scheme,
        (index, layers): (usize, &mut Vec<Layer<T>>),
        integers: bool,
    ) -> Result<Option<Kind>, AdaptError> {
        let features = &trained.features;
        let graph = &features.graph;
        let operator = &graph.operators[index];
        let alike = |id: &TensorId| graph.tensor(*id).shape == graph.tensor(operator.outputs[0]).shape;
        if let Some(number) = features.convolutions.iter().position(|id| id.index() == index) {
            layers.push(Layer::new(trained, scheme, (index, number), integers)?);
            return Ok(Some(Kind::Layer(layers.len() - 1)));
        }
        if let Some((window, images)) = average(graph, operator) {
            return Ok(Some(Kind::Average(window, images)));
        }
        let parts = (0..operator.inputs.len()).flat_map(|i| (0..operator.outputs.len()).map(move |k| (i, k)));
        let moves: Vec<Moved> = parts
            .filter_map(|(input, output)| {
                let moved = movement(graph, operator, input, output)?;
                let Movement { weight, .. } = moved;
                Some(Moved { input, output, places: moved.places(), weight })
            })
            .collect();
        if !moves.is_empty() {
            return Ok(Some(Kind::Moves(moves)));
        }
        Ok(match &operator.op {
            op if function_of(op).is_some_and(|kind| function(kind, 0.0).is_some()) => {
                function_of(op).map(Kind::Function)
            }
            Op::Pool2d { kind: PoolKind::Max, window, stride, padding, .. } => {
                window_of(graph, operator, *window, *stride, *padding)
                    .map(|(window, images)| Kind::Greatest(window, images))
            }
            Op::Resize { kind, align_corners, half_pixel_centers, .. } => {
                let [x, y] = [operator.inputs[0], operator.outputs[0]].map(|id| graph.tensor(id).shape.nhwc());
                x.zip(y).map(|([images, height, width, channels], [_, rows, columns, _])| {
                    let along = |sizes| resize_taps(*kind, sizes, *align_corners, *half_pixel_centers);
                    Kind::Resize(Box::new(Resize {
                        rows: along([height, rows]),
                        columns: along([width, columns]),
                        images,
                        input: [height, width, channels],
                    }))
                })
            }
            Op::Binary { kind: BinaryKind::Mul, .. } => {
                product_sizes(graph, operator).map(|(sizes, broadcast)| Kind::Product { channels: sizes[1], broadcast })
            }
            Op::Binary { kind: BinaryKind::Add, .. } if operator.inputs.iter().all(alike) => Some(Kind::Sum),
            _ => None,
        })
    }

    /// The operator by itself, in integers.
    fn integer(features: &Features, index: usize) -> Result<Kind, AdaptError> {
        let operator = &features.graph.operators[index];
        let mut graph = features.graph.clone();
        let mut fed: Vec<TensorId> = Vec::new();
        for &id in operator.inputs.iter().filter(|&&id| !graph.tensor(id).is_constant()) {
            if !fed.contains(&id) {
                fed.push(id);
            }
        }
        let grids = |ids: &[TensorId]| -> Result<Vec<Grid>, AdaptError> {
            let grid = |&id: &TensorId| {
                let tensor = features.graph.tensor(id);
                let known = tensor.element() == ElementType::Int8 && tensor.per_tensor().is_some();
                known.then(|| scale(tensor)).ok_or_else(|| {
                    let reason = format!("and `{}` is {}, which stands for no real numbers", tensor.name, tensor.dtype);
                    refuse(&features.graph, index, &reason)
                })
            };
            ids.iter().map(grid).collect()
        };
        let (inputs, outputs) = (grids(&fed)?, grids(&operator.outputs)?);
        let inputs = fed.iter().map(|id| id.index()).zip(inputs).collect();
        (graph.inputs, graph.outputs) = (fed, operator.outputs.clone());
        graph.operators = vec![operator.clone()];
        remove_dead(&mut graph);
        let lowered = smidgen_lower::lower(&graph, &LowerOptions::default())?;
        let program = certify(smidgen_plan::layer_wise(&lowered));
        let program = program.map_err(|error| AdaptError::Internal(error.to_string()))?;
        Ok(Kind::Integer(Box::new(Executor::new(program)), inputs, outputs))
    }

    /// Computes the outputs. For those that gradients pass, `through` gets what counts of the gradient of each element.
    pub fn forward(
        &mut self,
        layers: &mut [Layer<T>],
        values: &mut Values<T>,
        through: &mut Values<T>,
    ) -> Result<(), AdaptError> {
        let mut outputs: Values<T> = self.outputs.iter().map(|&id| std::mem::take(&mut values[id])).collect();
        let (x, zero) = (&values[self.inputs[0]], T::default());
        // Slopes of functions; else all 1.
        let mut slopes: Option<Vec<T>> = None;
        match &mut self.kind {
            Kind::Layer(at) => layers[*at].forward(x, &mut outputs[0]),
            Kind::Average(window, images) => {
                outputs[0].fill(zero);
                each_tap(window, *images, |from, to, share| outputs[0][to] += x[from] * T::of(share));
            }
            Kind::Greatest(window, images) => {
                each_greatest(window, *images, x, |from, to| outputs[0][to] = x[from]);
            }
            Kind::Moves(moves) => {
                outputs.iter_mut().for_each(|output| output.fill(zero));
                for moved in moves {
                    let weight = T::of(moved.weight);
                    for (&x, place) in values[self.inputs[moved.input]].iter().zip(&moved.places) {
                        if let Some(at) = *place {
                            outputs[moved.output][at] += x * weight;
                        }
                    }
                }
            }
            Kind::Function(kind) => {
                let both = |x: &T| function(*kind, x.real()).unwrap_or_default();
                let found: Vec<(f64, f64)> = x.iter().map(both).collect();
                outputs[0].iter_mut().zip(&found).for_each(|(y, found)| *y = T::of(found.0));
                slopes = Some(found.iter().map(|found| T::of(found.1)).collect());
            }
            Kind::Resize(resize) => {
                outputs[0].fill(zero);
                resize.each(|from, to, share| outputs[0][to] += x[from] * T::of(share));
            }
            Kind::Product { channels, broadcast } => {
                let other = &values[self.inputs[1]];
                let at = |one: bool, i: usize| if one { i % *channels } else { i };
                for (i, y) in outputs[0].iter_mut().enumerate() {
                    *y = x[at(broadcast[0], i)] * other[at(broadcast[1], i)];
                }
            }
            Kind::Sum => {
                let other = &values[self.inputs[1]];
                outputs[0].iter_mut().zip(x.iter().zip(other)).for_each(|(y, (&a, &b))| *y = a + b);
            }
            Kind::Integer(executor, given, taken) => {
                let internal = |error: smidgen_exec::ExecError| AdaptError::Internal(error.to_string());
                for (i, &(id, (scale, zero))) in given.iter().enumerate() {
                    let stored = |x: &T| (x.real() / scale).round() + f64::from(zero);
                    let bytes: Vec<u8> =
                        values[id].iter().map(|x| stored(x).clamp(-128.0, 127.0) as i8 as u8).collect();
                    executor.set_input(i, &bytes).map_err(internal)?;
                }
                executor.run();
                for (k, (output, &grid)) in outputs.iter_mut().zip(taken.iter()).enumerate() {
                    output.iter_mut().zip(executor.output(k)).for_each(|(y, &byte)| *y = real(byte, grid));
                }
            }
        }
        for ((output, &id), &[low, high]) in outputs.into_iter().zip(&self.outputs).zip(&self.limits) {
            let (mut output, passes) = (output, &mut through[id]);
            let one = T::of(1.0);
            if !passes.is_empty() {
                for (passes, &y) in passes.iter_mut().zip(&output) {
                    *passes = if y >= low && y <= high { one } else { zero };
                }
                for (passes, slope) in passes.iter_mut().zip(slopes.iter().flatten()) {
                    *passes *= *slope;
                }
            }
            for y in &mut output {
                *y = if *y < low { low } else { *y };
                *y = if *y > high { high } else { *y };
            }
            values[id] = output;
        }
        Ok(())
    }

    /// Adds to the gradients of the inputs that have some what those of the outputs give, and computes those of the
    /// layer.
    pub fn backward(
        &self,
        layers: &mut [Layer<T>],
        (values, through): (&Values<T>, &Values<T>),
        gradients: &mut Values<T>,
    ) {
        for (k, &output) in self.outputs.iter().enumerate() {
            let mut g = std::mem::take(&mut gradients[output]);
            g.iter_mut().zip(&through[output]).for_each(|(g, &passes)| *g *= passes);
            let input = self.inputs[0];
            let x = &values[input];
            match &self.kind {
                Kind::Layer(at) => {
                    let dx = Some(&mut gradients[input][..]).filter(|dx| !dx.is_empty());
                    layers[*at].backward(x, &g, dx);
                }
                Kind::Average(window, images) => {
                    let dx = &mut gradients[input];
                    each_tap(window, *images, |from, to, share| dx[from] += g[to] * T::of(share));
                }
                Kind::Greatest(window, images) => {
                    let dx = &mut gradients[input];
                    each_greatest(window, *images, x, |from, to| dx[from] += g[to]);
                }
                Kind::Moves(moves) => {
                    for moved in moves.iter().filter(|moved| moved.output == k) {
                        let weight = T::of(moved.weight);
                        for (dx, place) in gradients[self.inputs[moved.input]].iter_mut().zip(&moved.places) {
                            if let Some(at) = *place {
                                *dx += g[at] * weight;
                            }
                        }
                    }
                }
                Kind::Function(_) => gradients[input].iter_mut().zip(&g).for_each(|(dx, &g)| *dx += g),
                Kind::Resize(resize) => {
                    let dx = &mut gradients[input];
                    resize.each(|from, to, share| dx[from] += g[to] * T::of(share));
                }
                Kind::Product { channels, broadcast } => {
                    let at = |one: bool, i: usize| if one { i % *channels } else { i };
                    for k in 0..2 {
                        let other = &values[self.inputs[1 - k]];
                        let dx = &mut gradients[self.inputs[k]];
                        if dx.is_empty() {
                            continue;
                        }
                        for (i, &g) in g.iter().enumerate() {
                            dx[at(broadcast[k], i)] += g * other[at(broadcast[1 - k], i)];
                        }
                    }
                }
                Kind::Sum => {
                    for &input in &self.inputs {
                        gradients[input].iter_mut().zip(&g).for_each(|(dx, &g)| *dx += g);
                    }
                }
                // It is never passed.
                Kind::Integer(..) => {}
            }
            gradients[output] = g;
        }
    }
}

/// What a stored byte stands for.
pub(super) fn real<T: Number>(byte: u8, (scale, zero): Grid) -> T {
    T::of(scale * f64::from(i32::from(byte as i8) - zero))
}

/// Calls `each` with the pixels of the input that a window covers, row by row, and the output's pixel.
fn each_window(window: &Window2d, images: usize, mut each: impl FnMut(&[usize], usize)) {
    let ([height, width, _], [rows, columns, _]) = (window.input, window.output);
    let mut covered = Vec::new();
    for row in 0..images * rows {
        let (image, oy) = (row / rows, row % rows);
        let (taps_y, y0) = window.taps(0, oy);
        for ox in 0..columns {
            let (taps_x, x0) = window.taps(1, ox);
            let pixels = (y0..y0 + taps_y.len()).flat_map(|y| (x0..x0 + taps_x.len()).map(move |x| (y, x)));
            covered.clear();
            covered.extend(pixels.map(|(y, x)| (image * height + y) * width + x));
            each(&covered, row * columns + ox);
        }
    }
}

/// Calls `each` with an element of the input, one of the output, and the share of the first in the second.
fn each_tap(window: &Window2d, images: usize, mut each: impl FnMut(usize, usize, f64)) {
    let channels = window.input[2];
    each_window(window, images, |covered, to| {
        let share = 1.0 / covered.len().max(1) as f64;
        for from in covered {
            (0..channels).for_each(|c| each(from * channels + c, to * channels + c, share));
        }
    });
}

/// Calls `each` with the first of the greatest elements of a window, and the output's element.
pub(super) fn each_greatest<T: Number>(window: &Window2d, images: usize, x: &[T], mut each: impl FnMut(usize, usize)) {
    let channels = window.input[2];
    each_window(window, images, |covered, to| {
        for c in 0..channels {
            let all = covered.iter().map(|from| from * channels + c);
            if let Some(best) = all.reduce(|best, at| if x[best] >= x[at] { best } else { at }) {
                each(best, to * channels + c);
            }
        }
    });
}

impl Resize {
    /// Calls `each` with an element of the input, one of the output, and the share of the first in the second.
    fn each(&self, mut each: impl FnMut(usize, usize, f64)) {
        let [height, width, channels] = self.input;
        for image in 0..self.images {
            for (oy, &(y0, y1, sy)) in self.rows.iter().enumerate() {
                for (ox, &(x0, x1, sx)) in self.columns.iter().enumerate() {
                    let to = ((image * self.rows.len() + oy) * self.columns.len() + ox) * channels;
                    for (y, by_row) in [(y0, 1.0 - sy), (y1, sy)] {
                        for (x, by_column) in [(x0, 1.0 - sx), (x1, sx)] {
                            let from = ((image * height + y) * width + x) * channels;
                            (0..channels).for_each(|c| each(from + c, to + c, by_row * by_column));
                        }
                    }
                }
            }
        }
    }
}
