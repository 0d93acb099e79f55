//! A float graph computed in f64, each operator by its definition.

use smidgen_ir::{
    Activation, BinaryKind, Function, Graph, Op, PadValue, PoolKind, ReduceKind, ResizeKind, TensorId, UnaryKind,
    Window,
};

/// Elements and dimensions.
#[derive(Clone, Debug)]
pub struct Array {
    pub dims: Vec<usize>,
    pub data: Vec<f64>,
}

impl Array {
    fn strides(&self) -> Vec<usize> {
        (0..self.dims.len()).map(|i| self.dims[i + 1..].iter().product()).collect()
    }

    fn at(&self, index: &[usize]) -> f64 {
        self.data[index.iter().zip(self.strides()).map(|(i, s)| i * s).sum::<usize>()]
    }

    /// With broadcasting to a shape of at least this rank.
    fn broadcast(&self, index: &[usize]) -> f64 {
        let own = &index[index.len() - self.dims.len()..];
        self.at(&own.iter().zip(&self.dims).map(|(&i, &d)| if d == 1 { 0 } else { i }).collect::<Vec<_>>())
    }
}

/// The array whose element at each index is `f` of it.
fn array(dims: &[usize], mut f: impl FnMut(&[usize]) -> f64) -> Array {
    let mut data = Vec::new();
    for mut i in 0..dims.iter().product::<usize>() {
        let mut index = vec![0; dims.len()];
        for (axis, &d) in dims.iter().enumerate().rev() {
            index[axis] = i % d;
            i /= d;
        }
        data.push(f(&index));
    }
    Array { dims: dims.to_vec(), data }
}

fn clamp(v: f64, activation: Activation) -> f64 {
    let (low, high) = activation.range();
    v.clamp(f64::from(low), f64::from(high))
}

/// The tensor `wanted` of a graph; `constants` replaces the elements of constants.
pub fn evaluate(graph: &Graph, input: &[f64], constants: &dyn Fn(TensorId) -> Vec<f64>, wanted: TensorId) -> Array {
    let mut values: Vec<Option<Array>> = vec![None; graph.tensors.len()];
    for (i, tensor) in graph.tensors.iter().enumerate() {
        if tensor.is_constant() {
            let data = constants(TensorId(i as u32));
            values[i] = Some(Array { dims: tensor.shape.dims().to_vec(), data });
        }
    }
    let first = graph.inputs[0];
    values[first.index()] = Some(Array { dims: graph.tensor(first).shape.dims().to_vec(), data: input.to_vec() });
    for operator in &graph.operators {
        let inputs: Vec<Array> = operator.inputs.iter().map(|t| values[t.index()].clone().unwrap()).collect();
        let shapes: Vec<Vec<usize>> = operator.outputs.iter().map(|&t| graph.tensor(t).shape.dims().to_vec()).collect();
        for (k, &output) in operator.outputs.iter().enumerate() {
            values[output.index()] = Some(compute(&operator.op, &inputs, &shapes[k], k));
        }
    }
    values[wanted.index()].clone().unwrap()
}

fn compute(op: &Op, inputs: &[Array], shape: &[usize], k: usize) -> Array {
    let x = &inputs[0];
    let bias = |o: usize| inputs.get(2).map_or(0.0, |b| b.data[o]);
    match op {
        Op::Conv2d(p) | Op::DepthwiseConv2d { conv: p, .. } => {
            let w = &inputs[1];
            let along = |i: usize| {
                Window::resolve(x.dims[i + 1], w.dims[i + 1], p.stride[i], p.dilation[i], p.padding, i).unwrap()
            };
            let (rows, columns) = (along(0), along(1));
            array(shape, |i| {
                let mut sum = bias(i[3]);
                for ky in 0..rows.size {
                    for kx in 0..columns.size {
                        let y = (i[1] * rows.stride + ky * rows.dilation).wrapping_sub(rows.before);
                        let z = (i[2] * columns.stride + kx * columns.dilation).wrapping_sub(columns.before);
                        if y >= x.dims[1] || z >= x.dims[2] {
                            continue;
                        }
                        if let Op::DepthwiseConv2d { multiplier, .. } = op {
                            sum += x.at(&[i[0], y, z, i[3] / multiplier]) * w.at(&[0, ky, kx, i[3]]);
                        } else {
                            for c in 0..x.dims[3] {
                                sum += x.at(&[i[0], y, z, c]) * w.at(&[i[3], ky, kx, c]);
                            }
                        }
                    }
                }
                clamp(sum, p.activation)
            })
        }
        Op::TransposeConv { stride, padding, output, activation } => {
            let w = &inputs[1];
            let along = |i: usize| Window::resolve(output[i], w.dims[i + 1], stride[i], 1, *padding, i).unwrap().before;
            let before = [along(0), along(1)];
            let mut y = array(shape, |i| bias(i[3]));
            // What the definition scatters.
            let (h, wd, c, co) = (x.dims[1], x.dims[2], x.dims[3], shape[3]);
            for iy in 0..h {
                for ix in 0..wd {
                    for ky in 0..w.dims[1] {
                        for kx in 0..w.dims[2] {
                            let oy = (iy * stride[0] + ky).wrapping_sub(before[0]);
                            let ox = (ix * stride[1] + kx).wrapping_sub(before[1]);
                            if oy >= shape[1] || ox >= shape[2] {
                                continue;
                            }
                            for o in 0..co {
                                let products = (0..c).map(|c| x.at(&[0, iy, ix, c]) * w.at(&[o, ky, kx, c]));
                                y.data[(oy * shape[2] + ox) * co + o] += products.sum::<f64>();
                            }
                        }
                    }
                }
            }
            y.data.iter_mut().for_each(|v| *v = clamp(*v, *activation));
            y
        }
        Op::FullyConnected { activation, .. } => {
            let (w, mut data) = (&inputs[1], Vec::new());
            for row in x.data.chunks(w.dims[1]) {
                for o in 0..w.dims[0] {
                    let dot = row.iter().enumerate().map(|(i, v)| v * w.at(&[o, i])).sum::<f64>();
                    data.push(clamp(dot + bias(o), *activation));
                }
            }
            Array { dims: shape.to_vec(), data }
        }
        Op::Binary { kind, activation } => array(shape, |i| {
            let (a, b) = (x.broadcast(i), inputs[1].broadcast(i));
            let y = match kind {
                BinaryKind::Add => a + b,
                BinaryKind::Sub => a - b,
                BinaryKind::Mul => a * b,
                BinaryKind::Div => a / b,
                BinaryKind::Minimum => a.min(b),
                BinaryKind::Maximum => a.max(b),
                BinaryKind::SquaredDifference => (a - b).powi(2),
            };
            clamp(y, *activation)
        }),
        Op::Pool2d { kind, window, stride, padding, activation } => {
            let along = |i: usize| Window::resolve(x.dims[i + 1], window[i], stride[i], 1, *padding, i).unwrap();
            let (rows, columns) = (along(0), along(1));
            array(shape, |i| {
                let mut seen = Vec::new();
                for ky in 0..rows.size {
                    for kx in 0..columns.size {
                        let y = (i[1] * rows.stride + ky).wrapping_sub(rows.before);
                        let z = (i[2] * columns.stride + kx).wrapping_sub(columns.before);
                        if y < x.dims[1] && z < x.dims[2] {
                            seen.push(x.at(&[i[0], y, z, i[3]]));
                        }
                    }
                }
                let y = match kind {
                    PoolKind::Average => seen.iter().sum::<f64>() / seen.len() as f64,
                    PoolKind::Max => seen.into_iter().fold(f64::NEG_INFINITY, f64::max),
                };
                clamp(y, *activation)
            })
        }
        Op::Reduce { kind, axes, .. } => {
            let kept: Vec<usize> = (0..x.dims.len()).filter(|a| !axes.contains(a)).collect();
            let size: usize = axes.iter().map(|&a| x.dims[a]).product();
            let places = kept.iter().map(|&a| x.dims[a]).collect::<Vec<_>>();
            let (start, join): (f64, fn(f64, f64) -> f64) = match kind {
                ReduceKind::Mean | ReduceKind::Sum => (0.0, |a, b| a + b),
                ReduceKind::Max => (f64::NEG_INFINITY, f64::max),
                ReduceKind::Min => (f64::INFINITY, f64::min),
            };
            let mut sums = array(&places, |_| start);
            let steps = sums.strides();
            array(&x.dims, |i| {
                let to: usize = kept.iter().zip(&steps).map(|(&a, s)| i[a] * s).sum();
                sums.data[to] = join(sums.data[to], x.at(i));
                0.0
            });
            let by = if *kind == ReduceKind::Mean { size as f64 } else { 1.0 };
            Array { dims: shape.to_vec(), data: sums.data.iter().map(|v| v / by).collect() }
        }
        Op::Pad { pads, value } => array(shape, |i| {
            let from: Vec<usize> = i.iter().zip(pads).map(|(i, p)| i.wrapping_sub(p[0])).collect();
            match value {
                _ if from.iter().zip(&x.dims).all(|(i, d)| i < d) => x.at(&from),
                PadValue::Float(v) => f64::from(*v),
                _ => 0.0,
            }
        }),
        Op::Reshape { .. } => Array { dims: shape.to_vec(), data: x.data.clone() },
        Op::Transpose { perm } => array(shape, |i| {
            let mut from = vec![0; i.len()];
            perm.iter().zip(i).for_each(|(&axis, &i)| from[axis] = i);
            x.at(&from)
        }),
        Op::Concatenation { axis, activation } => array(shape, |i| {
            let (mut from, mut k) = (i.to_vec(), 0);
            while from[*axis] >= inputs[k].dims[*axis] {
                from[*axis] -= inputs[k].dims[*axis];
                k += 1;
            }
            clamp(inputs[k].at(&from), *activation)
        }),
        Op::Split { axis, .. } => array(shape, |i| {
            let mut from = i.to_vec();
            from[*axis] += k * shape[*axis];
            x.at(&from)
        }),
        Op::Pack { axis } => array(shape, |i| {
            let mut from = i.to_vec();
            let k = from.remove(*axis);
            inputs[k].at(&from)
        }),
        Op::Unpack { axis } => array(shape, |i| {
            let mut from = i.to_vec();
            from.insert(*axis, k);
            x.at(&from)
        }),
        Op::Slice { begin, .. } => array(shape, |i| x.at(&i.iter().zip(begin).map(|(i, b)| i + b).collect::<Vec<_>>())),
        Op::StridedSlice { axes } => {
            let lens: Vec<usize> = axes.iter().map(|a| a.len).collect();
            let taken = array(&lens, |i| {
                let from = i.iter().zip(axes).map(|(&i, a)| (a.start as isize + i as isize * a.stride) as usize);
                x.at(&from.collect::<Vec<_>>())
            });
            Array { dims: shape.to_vec(), data: taken.data }
        }
        Op::Resize { kind, align_corners, half_pixel_centers, .. } => {
            let half = if *half_pixel_centers { 0.5 } else { 0.0 };
            let place = |i: usize, input: usize, output: usize| {
                // The step is a single in every implementation.
                let step = if *align_corners && output > 1 {
                    (input - 1) as f32 / (output - 1) as f32
                } else {
                    input as f32 / output as f32
                };
                (i as f64 + half) * f64::from(step)
            };
            array(shape, |i| {
                let (y, z) = (place(i[1], x.dims[1], shape[1]), place(i[2], x.dims[2], shape[2]));
                let inside = |v: f64, size: usize| v.clamp(0.0, size as f64 - 1.0) as usize;
                if *kind == ResizeKind::Nearest {
                    let round = |v: f64| if *align_corners { v.round() } else { v.floor() };
                    return x.at(&[i[0], inside(round(y), x.dims[1]), inside(round(z), x.dims[2]), i[3]]);
                }
                let (y, z) = (y - half, z - half);
                let (fy, fz) = (y - y.floor(), z - z.floor());
                let corner = |y: f64, z: f64| x.at(&[i[0], inside(y, x.dims[1]), inside(z, x.dims[2]), i[3]]);
                let top = corner(y.floor(), z.floor()) * (1.0 - fz) + corner(y.floor(), z.ceil()) * fz;
                let bottom = corner(y.ceil(), z.floor()) * (1.0 - fz) + corner(y.ceil(), z.ceil()) * fz;
                top * (1.0 - fy) + bottom * fy
            })
        }
        Op::Softmax { beta } => {
            let mut data = Vec::new();
            for row in x.data.chunks(shape[shape.len() - 1]) {
                let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let powers: Vec<f64> = row.iter().map(|v| (f64::from(*beta) * (v - most)).exp()).collect();
                let total: f64 = powers.iter().sum();
                data.extend(powers.iter().map(|p| p / total));
            }
            Array { dims: shape.to_vec(), data }
        }
        Op::Unary(kind) => array(shape, |i| {
            let v = x.at(i);
            match *kind {
                UnaryKind::Logistic => 1.0 / (1.0 + (-v).exp()),
                UnaryKind::Tanh => v.tanh(),
                UnaryKind::Relu => v.max(0.0),
                UnaryKind::ReluN1To1 => v.clamp(-1.0, 1.0),
                UnaryKind::Relu6 => v.clamp(0.0, 6.0),
                UnaryKind::LeakyRelu { alpha } => v.max(0.0) + f64::from(alpha) * v.min(0.0),
                UnaryKind::HardSwish => v * (v + 3.0).clamp(0.0, 6.0) / 6.0,
                UnaryKind::Exp => v.exp(),
                UnaryKind::Log => v.ln(),
                UnaryKind::Function(Function::Sqrt) => v.sqrt(),
                UnaryKind::Function(Function::Round) => v.round_ties_even(),
                UnaryKind::Function(Function::Floor) => v.floor(),
                UnaryKind::Function(Function::Ceil) => v.ceil(),
                UnaryKind::Function(Function::Abs) => v.abs(),
                UnaryKind::Function(Function::Neg) => -v,
                UnaryKind::Function(Function::Square) => v * v,
                UnaryKind::Function(Function::Rsqrt) => 1.0 / v.sqrt(),
                UnaryKind::Function(Function::Sin) => v.sin(),
                UnaryKind::Function(Function::Cos) => v.cos(),
                UnaryKind::Function(Function::Elu) => v.max(0.0) + v.min(0.0).exp_m1(),
                UnaryKind::Function(Function::Sign) if v == 0.0 => 0.0,
                UnaryKind::Function(Function::Sign) => v.signum(),
                UnaryKind::Function(Function::Tan) => v.tan(),
                UnaryKind::Function(Function::Asin) => v.asin(),
                UnaryKind::Function(Function::Acos) => v.acos(),
                UnaryKind::Function(Function::Atan) => v.atan(),
                UnaryKind::Function(Function::Sinh) => v.sinh(),
                UnaryKind::Function(Function::Cosh) => v.cosh(),
                UnaryKind::Function(Function::Asinh) => v.asinh(),
                UnaryKind::Function(Function::Acosh) => v.acosh(),
                UnaryKind::Function(Function::Atanh) => v.atanh(),
                UnaryKind::Function(Function::Erf) => libm::erf(v),
                UnaryKind::Function(Function::Gelu) => 0.5 * v * libm::erfc(-v * std::f64::consts::FRAC_1_SQRT_2),
                UnaryKind::Function(Function::GeluTanh) => {
                    let slope = (2.0 / std::f64::consts::PI).sqrt();
                    0.5 * v * (1.0 + (slope * (v + 0.044715 * v * v * v)).tanh())
                }
                UnaryKind::Function(Function::Softplus) => v.exp().ln_1p(),
            }
        }),
        Op::BatchMatmul { adjoint } => {
            let w = &inputs[1];
            let rank = shape.len();
            let depth = x.dims[x.dims.len() - if adjoint[0] { 2 } else { 1 }];
            array(shape, |i| {
                let at = |operand: &Array, turned: bool, row: usize, column: usize| {
                    let own = operand.dims.len();
                    let mut place: Vec<usize> = (0..own - 2)
                        .map(|axis| if operand.dims[axis] == 1 { 0 } else { i[axis + rank - own] })
                        .collect();
                    place.extend(if turned { [column, row] } else { [row, column] });
                    operand.at(&place)
                };
                (0..depth).map(|k| at(x, adjoint[0], i[rank - 2], k) * at(w, adjoint[1], k, i[rank - 1])).sum()
            })
        }
        Op::Prelu => array(shape, |i| {
            let v = x.at(i);
            v.max(0.0) + inputs[1].broadcast(i) * v.min(0.0)
        }),
        Op::ArgMax { .. }
        | Op::Normalise(_)
        | Op::Compare(_)
        | Op::Select
        | Op::Gather { .. }
        | Op::Cast
        | Op::Quantize
        | Op::Dequantize
        | Op::Recurrent(_)
        | Op::Svdf { .. } => panic!("no operator of real numbers"),
    }
}
