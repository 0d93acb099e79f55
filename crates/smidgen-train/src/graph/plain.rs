//! Arithmetic, reductions, pools, resizing and functions of elements.

use super::moves::{indices, strides};
use super::{Importer, Layout, Source};
use crate::builder::Value;
use crate::error::TrainError;
use crate::net::{Activation, Role};
use crate::plain::binary::Binary;
use crate::plain::gather::Origin;
use crate::plain::matmul::Matmul;
use crate::plain::max_pool::MaxPool;
use crate::plain::prelu::Prelu;
use crate::plain::softmax::Softmax;
use crate::plain::unary::Unary;
use crate::plain::weighted::Weighted;
use crate::plain::{Operand, Plain};
use smidgen_ir::{BinaryKind, Operator, Padding, PoolKind, ReduceKind, ResizeKind, UnaryKind, Window};

/// For each element of `output`, the element of an operand of shape `dims` that is broadcast to it.
fn broadcast(output: &[usize], dims: &[usize]) -> Vec<u32> {
    let missing = output.len() - dims.len();
    let steps = strides(dims);
    let place = |index: Vec<usize>| {
        let along = |(axis, i): (usize, usize)| if dims[axis] == 1 { 0 } else { i * steps[axis] };
        index[missing..].iter().copied().enumerate().map(along).sum::<usize>() as u32
    };
    indices(output).map(place).collect()
}

impl Importer<'_> {
    pub(super) fn binary(
        &mut self,
        operator: &Operator,
        kind: BinaryKind,
        activation: Activation,
    ) -> Result<Value, TrainError> {
        let (name, shape) = (self.name(operator), self.output_shape(operator));
        let output = self.dims(operator.outputs[0]).to_vec();
        let sources = [self.source(operator, 0)?, self.source(operator, 1)?];
        let dims = [0, 1].map(|k| self.dims(operator.inputs[k]).to_vec());
        if let (BinaryKind::Add, [Source::Value(a), Source::Value(b)]) = (kind, &sources)
            && dims[0] == dims[1]
            && self.builder.shape(*a) == self.builder.shape(*b)
        {
            return self.builder.add(&name, *a, *b, activation);
        }
        let ([a, b], inputs) = self.operands(operator, &sources)?;
        let (a_of, b_of) = (broadcast(&output, &dims[0]), broadcast(&output, &dims[1]));
        let binary = Binary { kind, a, b, a_of, b_of };
        Ok(self.builder.plain(&name, Plain::Binary(binary), &inputs, shape, activation))
    }

    /// Two operands, of which one may be constant, and what a node of them reads.
    fn operands(&self, operator: &Operator, sources: &[Source; 2]) -> Result<([Operand; 2], Vec<Value>), TrainError> {
        let mut inputs = Vec::new();
        let operands = sources.each_ref().map(|source| match source {
            Source::Value(value) => {
                inputs.push(*value);
                Operand::Input(inputs.len() - 1)
            }
            Source::Constant(elements) => Operand::Constant(elements.clone()),
        });
        if inputs.is_empty() {
            return self.refuse(operator, "what it reads is constant: fold constants first");
        }
        Ok((operands, inputs))
    }

    pub(super) fn matmul(&mut self, operator: &Operator, adjoint: [bool; 2]) -> Result<Value, TrainError> {
        let (name, shape) = (self.name(operator), self.output_shape(operator));
        let sources = [self.source(operator, 0)?, self.source(operator, 1)?];
        let ([a, b], inputs) = self.operands(operator, &sources)?;
        // Every pair of matrices is one of the leading axes' places, and there each operand is broadcast by itself.
        let output = self.dims(operator.outputs[0]);
        let (leading, matrix) = output.split_at(output.len() - 2);
        let operands = [0, 1].map(|k| self.dims(operator.inputs[k]).split_at(self.dims(operator.inputs[k]).len() - 2));
        let [a_of, b_of] = operands.map(|(own, matrix)| {
            let size: usize = matrix.iter().product();
            broadcast(leading, own).into_iter().map(move |at| at as usize * size)
        });
        let steps = [0, 1].map(|k| if adjoint[k] { [1, operands[k].1[1]] } else { [operands[k].1[1], 1] });
        let depth = operands[0].1[if adjoint[0] { 0 } else { 1 }];
        let sizes = [matrix[0], depth, matrix[1]];
        let starts = a_of.zip(b_of).map(|(a, b)| [a, b]).collect();
        let plain = Plain::Matmul(Matmul { a, b, starts, sizes, steps });
        Ok(self.builder.plain(&name, plain, &inputs, shape, Activation::None))
    }

    pub(super) fn pool(
        &mut self,
        operator: &Operator,
        kind: PoolKind,
        window: [usize; 2],
        stride: [usize; 2],
        padding: Padding,
        activation: Activation,
    ) -> Result<Value, TrainError> {
        let (x, name, shape) = (self.value(operator, 0)?, self.name(operator), self.output_shape(operator));
        let [n, h, w, c] = *self.dims(operator.inputs[0]) else {
            return self.refuse(operator, "its input is no image");
        };
        let resolve = |i: usize, size: usize| Window::resolve(size, window[i], stride[i], 1, padding, i);
        let (Some(rows), Some(columns)) = (resolve(0, h), resolve(1, w)) else {
            return self.refuse(operator, "its window fits nowhere");
        };
        // The inputs of a window along one axis, of those that exist.
        let span = |w: &Window, at: usize, size: usize| {
            let first = (at * w.stride).saturating_sub(w.before);
            let end = (at * w.stride + w.size).saturating_sub(w.before).min(size);
            first..end
        };
        let (mut weighted, mut greatest) = (Weighted::default(), MaxPool::default());
        for image in 0..n {
            for y in 0..rows.output {
                for z in 0..columns.output {
                    let (ys, zs) = (span(&rows, y, h), span(&columns, z, w));
                    if ys.is_empty() || zs.is_empty() {
                        return self.refuse(operator, "a window lies wholly in the padding");
                    }
                    let share = 1.0 / (ys.len() * zs.len()) as f32;
                    for channel in 0..c {
                        let elements = ys.clone().flat_map(|y| zs.clone().map(move |z| (y, z)));
                        let elements = elements.map(|(y, z)| ((image * h + y) * w + z) * c + channel);
                        match kind {
                            PoolKind::Average => weighted.push(elements.map(|i| (i, share))),
                            PoolKind::Max => greatest.push(elements),
                        }
                    }
                }
            }
        }
        let plain = match kind {
            PoolKind::Average => Plain::Weighted(weighted),
            PoolKind::Max => Plain::MaxPool(greatest),
        };
        Ok(self.builder.plain(&name, plain, &[x], shape, activation))
    }

    pub(super) fn reduce(
        &mut self,
        operator: &Operator,
        kind: ReduceKind,
        axes: &[usize],
    ) -> Result<Value, TrainError> {
        let (x, name, shape) = (self.value(operator, 0)?, self.name(operator), self.output_shape(operator));
        let dims = self.dims(operator.inputs[0]).to_vec();
        if kind == ReduceKind::Mean && dims.len() == 4 && dims[0] == 1 && axes == [1, 2] {
            let pooled = self.builder.global_pool(&name, x)?;
            return Ok(self.builder.reshape(&name, pooled, shape));
        }
        let steps = strides(&dims);
        let kept: Vec<usize> = (0..dims.len()).filter(|axis| !axes.contains(axis)).collect();
        let pick = |which: &[usize]| which.iter().map(|&axis| dims[axis]).collect::<Vec<_>>();
        let offset =
            |which: &[usize], index: Vec<usize>| which.iter().zip(index).map(|(&a, i)| steps[a] * i).sum::<usize>();
        let inner: Vec<usize> = indices(&pick(axes)).map(|i| offset(axes, i)).collect();
        let left = pick(&kept);
        let outputs = indices(&left).map(|index| offset(&kept, index));
        if let Some(weight) = kind.weight(inner.len()) {
            let mut weighted = Weighted::default();
            outputs.for_each(|base| weighted.push(inner.iter().map(|i| (base + i, weight))));
            return Ok(self.builder.plain(&name, Plain::Weighted(weighted), &[x], shape, Activation::None));
        }
        let mut greatest = MaxPool::default();
        outputs.for_each(|base| greatest.push(inner.iter().map(|i| base + i)));
        // The least is the negative of the greatest of what is negated.
        let negative = |elements: usize| {
            let mut weighted = Weighted::default();
            (0..elements).for_each(|i| weighted.push([(i, -1.0)]));
            Plain::Weighted(weighted)
        };
        let (sources, results) = (dims.iter().product(), left.iter().product());
        match kind {
            ReduceKind::Max => Ok(self.builder.plain(&name, Plain::MaxPool(greatest), &[x], shape, Activation::None)),
            ReduceKind::Min => {
                let x = self.builder.plain(&name, negative(sources), &[x], dims, Activation::None);
                let y = self.builder.plain(&name, Plain::MaxPool(greatest), &[x], shape.clone(), Activation::None);
                Ok(self.builder.plain(&name, negative(results), &[y], shape, Activation::None))
            }
            _ => self.refuse(operator, "its gradient is not known here"),
        }
    }

    pub(super) fn resize(
        &mut self,
        operator: &Operator,
        kind: ResizeKind,
        align_corners: bool,
        half_pixel_centers: bool,
    ) -> Result<Value, TrainError> {
        let (x, name, shape) = (self.value(operator, 0)?, self.name(operator), self.output_shape(operator));
        let ([n, h, w, c], [_, oh, ow, _]) =
            (image(self.dims(operator.inputs[0])), image(self.dims(operator.outputs[0])));
        let step = |input: usize, output: usize| {
            if align_corners && output > 1 {
                (input - 1) as f32 / (output - 1) as f32
            } else {
                input as f32 / output as f32
            }
        };
        let half = if half_pixel_centers { 0.5 } else { 0.0 };
        let nearest = |i: usize, input: usize, output: usize| {
            let position = (i as f32 + half) * step(input, output);
            let index = if align_corners { libm::roundf(position) } else { libm::floorf(position) };
            (index as usize).min(input - 1)
        };
        // The two neighbours, and the second one's share: what lies outside is the border's pixel.
        let linear = |i: usize, input: usize, output: usize| {
            let position = (i as f32 + half) * step(input, output) - half;
            let last = input as i32 - 1;
            let first = (libm::floorf(position) as i32).clamp(0, last);
            let second = (libm::ceilf(position) as i32).clamp(0, last);
            (first as usize, second as usize, position - first as f32)
        };
        let (mut origins, mut weighted) = (Vec::new(), Weighted::default());
        for image in 0..n {
            for y in 0..oh {
                for z in 0..ow {
                    for channel in 0..c {
                        let at = |y: usize, z: usize| ((image * h + y) * w + z) * c + channel;
                        if kind == ResizeKind::Nearest {
                            let index = at(nearest(y, h, oh), nearest(z, w, ow));
                            origins.push(Origin::Input { input: 0, index: index as u32 });
                            continue;
                        }
                        let ((y0, y1, fy), (z0, z1, fz)) = (linear(y, h, oh), linear(z, w, ow));
                        weighted.push([
                            (at(y0, z0), (1.0 - fy) * (1.0 - fz)),
                            (at(y1, z0), fy * (1.0 - fz)),
                            (at(y0, z1), (1.0 - fy) * fz),
                            (at(y1, z1), fy * fz),
                        ]);
                    }
                }
            }
        }
        match kind {
            ResizeKind::Nearest => self.gather(operator, shape, &name, Activation::None, origins),
            ResizeKind::Bilinear => {
                Ok(self.builder.plain(&name, Plain::Weighted(weighted), &[x], shape, Activation::None))
            }
        }
    }

    pub(super) fn softmax(&mut self, operator: &Operator, beta: f32) -> Result<Value, TrainError> {
        let (x, name, shape) = (self.value(operator, 0)?, self.name(operator), self.output_shape(operator));
        let width = self.dims(operator.inputs[0]).last().copied().unwrap_or(1);
        Ok(self.builder.plain(&name, Plain::Softmax(Softmax { beta, width }), &[x], shape, Activation::None))
    }

    pub(super) fn function(&mut self, operator: &Operator, x: Value, kind: UnaryKind) -> Value {
        let (name, shape) = (self.name(operator), self.output_shape(operator));
        self.builder.plain(&name, Plain::Unary(Unary { kind }), &[x], shape, Activation::None)
    }

    pub(super) fn prelu(&mut self, operator: &Operator) -> Result<Value, TrainError> {
        let (x, name, shape) = (self.value(operator, 0)?, self.name(operator), self.output_shape(operator));
        let dims = self.dims(operator.inputs[1]).to_vec();
        let slope_of = broadcast(self.dims(operator.outputs[0]), &dims);
        let offset = self.parameter(operator, 1, Layout::Same, dims, Role::Slope, 1)?;
        Ok(self.builder.plain(&name, Plain::Prelu(Prelu { offset, slope_of }), &[x], shape, Activation::None))
    }
}

/// Sizes of an image; of what is none, which a valid graph does not have here, no sizes.
fn image(dims: &[usize]) -> [usize; 4] {
    dims.try_into().unwrap_or([0; 4])
}
