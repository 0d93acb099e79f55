//! Lowering of each operator to the format's builtins.

use super::draft::{Draft, DraftOperator};
use super::options::{Options, activation};
use super::{element_code, shapes, versions};
use crate::error::WriteError;
use crate::support::Builtin;
use smidgen_ir::front::quoted;
use smidgen_ir::{
    AxisSlice, BinaryKind, ConvParams, DataType, ElementType, Op, Operator, PadValue, Padding, PoolKind, Quantisation,
    ReduceKind, ReshapeKind, ResizeKind, Tensor, TensorId, UnaryKind, Window,
};
use std::borrow::Cow;

/// An operator on its way into the draft.
struct Lowering<'g, 'd> {
    draft: &'d mut Draft<'g>,
    index: usize,
    operator: &'g Operator,
    inputs: Vec<usize>,
    outputs: Vec<usize>,
}

/// Builtin, inputs in the format's order, options.
type Lowered = (Builtin, Vec<usize>, Options);

impl<'g> Draft<'g> {
    /// Adds an operator of the graph.
    pub(super) fn lower(&mut self, index: usize, operator: &'g Operator) -> Result<(), WriteError> {
        let count = self.graph.tensors.len();
        let known = |id: &TensorId| {
            Some(id.index()).filter(|&t| t < count).ok_or_else(|| WriteError::Graph {
                what: format!("operator {index} {} names {id}, but there are {count} tensors", operator.op.name()),
            })
        };
        let inputs = operator.inputs.iter().map(known).collect::<Result<Vec<_>, _>>()?;
        let outputs = operator.outputs.iter().map(known).collect::<Result<Vec<_>, _>>()?;
        let mut lowering = Lowering { draft: self, index, operator, inputs, outputs };
        let (builtin, inputs, options) = lowering.lower()?;
        let outputs = lowering.outputs;
        let version = versions::version(builtin, &self.tensors, &inputs, &outputs, &options);
        self.push(DraftOperator { builtin, version, inputs, outputs, options });
        Ok(())
    }
}

impl<'g> Lowering<'g, '_> {
    fn fail(&self, what: impl Into<String>) -> WriteError {
        let name = self.outputs.first().map_or("", |&t| &self.draft.tensors[t].name);
        WriteError::Operator {
            index: self.index,
            operator: self.operator.op.name().into(),
            output: quoted(name),
            what: what.into(),
        }
    }

    /// A number that the format stores in 32 bits.
    fn int(&self, value: usize) -> Result<i32, WriteError> {
        i32::try_from(value).map_err(|_| self.fail(format!("a parameter of {value} is too large")))
    }

    fn ints(&self, values: impl IntoIterator<Item = usize>) -> Result<Vec<i32>, WriteError> {
        values.into_iter().map(|v| self.int(v)).collect()
    }

    fn pair(&self, [h, w]: [usize; 2]) -> Result<[i32; 2], WriteError> {
        Ok([self.int(h)?, self.int(w)?])
    }

    /// Input `i` as the graph has it: a PAD put in front does not change it.
    fn input(&self, i: usize) -> Result<&'g Tensor, WriteError> {
        let t = self.operator.inputs.get(i).ok_or_else(|| self.fail(format!("it has no input {i}")))?;
        Ok(self.draft.graph.tensor(*t))
    }

    fn output(&self) -> Result<&'g Tensor, WriteError> {
        let t = self.outputs.first().ok_or_else(|| self.fail("it has no output"))?;
        Ok(&self.draft.graph.tensors[*t])
    }

    /// A constant parameter, named after the operator's output.
    fn parameter(&mut self, name: &str, values: &[i32]) -> Result<usize, WriteError> {
        let name = format!("{}/{name}", self.output()?.name);
        Ok(self.draft.parameter(name, values, false))
    }

    fn scalar(&mut self, name: &str, value: usize) -> Result<usize, WriteError> {
        let (value, name) = (self.int(value)?, format!("{}/{name}", self.output()?.name));
        Ok(self.draft.parameter(name, &[value], true))
    }

    /// The inputs, then one more.
    fn and(&self, extra: usize) -> Vec<usize> {
        self.inputs.iter().copied().chain([extra]).collect()
    }

    fn plain(&self, builtin: Builtin) -> Result<Lowered, WriteError> {
        Ok((builtin, self.inputs.clone(), Options::None))
    }

    fn with(&self, builtin: Builtin, options: Options) -> Result<Lowered, WriteError> {
        Ok((builtin, self.inputs.clone(), options))
    }

    fn lower(&mut self) -> Result<Lowered, WriteError> {
        let op = &self.operator.op;
        match op {
            Op::Conv2d(conv) => {
                let padding = self.conv_padding(conv)?;
                let (stride, dilation) = (self.pair(conv.stride)?, self.pair(conv.dilation)?);
                let options = Options::Conv { padding, stride, dilation, activation: activation(conv.activation) };
                if self.inputs.len() == 2 {
                    let bias = self.zero_bias()?;
                    self.inputs.push(bias);
                }
                self.with(Builtin::Conv2d, options)
            }
            Op::DepthwiseConv2d { conv, multiplier } => {
                let padding = self.conv_padding(conv)?;
                let options = Options::Depthwise {
                    padding,
                    stride: self.pair(conv.stride)?,
                    dilation: self.pair(conv.dilation)?,
                    activation: activation(conv.activation),
                    multiplier: self.int(*multiplier)?,
                };
                self.with(Builtin::DepthwiseConv2d, options)
            }
            Op::TransposeConv { stride, padding, output: _, activation: fused } => {
                let shape = self.ints(self.output()?.shape.0.iter().copied())?;
                let shape = self.parameter("shape", &shape)?;
                let options = Options::TransposeConv {
                    padding: self.plain_padding(*padding)?,
                    stride: self.pair(*stride)?,
                    activation: activation(*fused),
                };
                let inputs = match *self.inputs.as_slice() {
                    [x, weights] => vec![shape, weights, x],
                    [x, weights, bias] => vec![shape, weights, x, bias],
                    _ => return Err(self.fail("it needs two or three inputs")),
                };
                Ok((Builtin::TransposeConv, inputs, options))
            }
            Op::FullyConnected { keep_num_dims, activation: fused } => self.with(
                Builtin::FullyConnected,
                Options::FullyConnected { activation: activation(*fused), keep_num_dims: *keep_num_dims },
            ),
            Op::Binary { kind, activation: fused } => {
                let sum = matches!(kind, BinaryKind::Add | BinaryKind::Sub);
                let activation = activation(*fused);
                let options = match self.input(0)?.element() {
                    ElementType::Int16 if sum => Options::WideSum { activation },
                    _ => Options::Arithmetic { activation },
                };
                match kind {
                    BinaryKind::Add => self.with(Builtin::Add, options),
                    BinaryKind::Sub => self.with(Builtin::Sub, options),
                    BinaryKind::Mul => self.with(Builtin::Mul, options),
                    BinaryKind::Div => self.with(Builtin::Div, options),
                    BinaryKind::Minimum => self.plain(Builtin::Minimum),
                    BinaryKind::Maximum => self.plain(Builtin::Maximum),
                }
            }
            Op::Pool2d { kind, window, stride, padding, activation: fused } => {
                let padding = match (kind, self.input(0)?.element()) {
                    (PoolKind::Average, _) => self.plain_padding(*padding)?,
                    // What is less than any other element is never the greatest.
                    (PoolKind::Max, ElementType::Float32) => {
                        self.padding(*padding, *window, *stride, [1, 1], PadValue::Float(f32::MIN))?
                    }
                    (PoolKind::Max, ElementType::Int16) => {
                        self.padding(*padding, *window, *stride, [1, 1], PadValue::Integer(i16::MIN.into()))?
                    }
                    (PoolKind::Max, _) => self.padding(*padding, *window, *stride, [1, 1], PadValue::Integer(-128))?,
                };
                let options = Options::Pool {
                    padding,
                    stride: self.pair(*stride)?,
                    window: self.pair(*window)?,
                    activation: activation(*fused),
                };
                match kind {
                    PoolKind::Average => self.with(Builtin::AveragePool2d, options),
                    PoolKind::Max => self.with(Builtin::MaxPool2d, options),
                }
            }
            Op::Reduce { kind, axes, keep_dims } => {
                let axes = self.ints(axes.iter().copied())?;
                let axes = self.parameter("axes", &axes)?;
                let builtin = match kind {
                    ReduceKind::Mean => Builtin::Mean,
                    ReduceKind::Sum => Builtin::Sum,
                };
                Ok((builtin, self.and(axes), Options::Reducer { keep_dims: *keep_dims }))
            }
            Op::Pad { pads, value } => {
                let paddings = self.paddings(&self.output()?.name, pads)?;
                let mut inputs = self.and(paddings);
                match self.pad_value(*value)? {
                    None => Ok((Builtin::Pad, inputs, Options::None)),
                    Some(value) => {
                        inputs.push(value);
                        Ok((Builtin::PadV2, inputs, Options::None))
                    }
                }
            }
            Op::Reshape { kind, shape } => self.reshape(*kind, shape),
            Op::Transpose { perm } => {
                let perm = self.ints(perm.iter().copied())?;
                let perm = self.parameter("permutation", &perm)?;
                Ok((Builtin::Transpose, self.and(perm), Options::None))
            }
            Op::Concatenation { axis, activation: fused } => {
                let options = Options::Concatenation { axis: self.int(*axis)?, activation: activation(*fused) };
                self.with(Builtin::Concatenation, options)
            }
            Op::Split { axis, parts } => {
                let axis = self.scalar("axis", *axis)?;
                let inputs = [axis].into_iter().chain(self.inputs.iter().copied()).collect();
                Ok((Builtin::Split, inputs, Options::Split { parts: self.int(*parts)? }))
            }
            Op::Pack { axis } => {
                let options = Options::Pack { values: self.int(self.inputs.len())?, axis: self.int(*axis)? };
                self.with(Builtin::Pack, options)
            }
            Op::Unpack { axis } => {
                let options = Options::Unpack { values: self.int(self.outputs.len())?, axis: self.int(*axis)? };
                self.with(Builtin::Unpack, options)
            }
            Op::Slice { begin, size } => {
                let (begin, size) = (self.ints(begin.iter().copied())?, self.ints(size.iter().copied())?);
                let mut inputs = self.inputs.clone();
                inputs.push(self.parameter("begin", &begin)?);
                inputs.push(self.parameter("size", &size)?);
                Ok((Builtin::Slice, inputs, Options::None))
            }
            Op::StridedSlice { axes } => self.strided_slice(axes),
            Op::Resize { kind, output, align_corners, half_pixel_centers } => {
                let size = self.pair(*output)?;
                let size = self.parameter("size", &size)?;
                let (align_corners, half_pixel_centers) = (*align_corners, *half_pixel_centers);
                let (builtin, options) = match kind {
                    ResizeKind::Bilinear => {
                        (Builtin::ResizeBilinear, Options::ResizeBilinear { align_corners, half_pixel_centers })
                    }
                    ResizeKind::Nearest => {
                        (Builtin::ResizeNearestNeighbor, Options::ResizeNearest { align_corners, half_pixel_centers })
                    }
                };
                Ok((builtin, self.and(size), options))
            }
            Op::Softmax { beta } => self.with(Builtin::Softmax, Options::Softmax { beta: *beta }),
            Op::Unary(kind) => match kind {
                UnaryKind::Logistic => self.plain(Builtin::Logistic),
                UnaryKind::Tanh => self.plain(Builtin::Tanh),
                UnaryKind::Relu => self.plain(Builtin::Relu),
                UnaryKind::ReluN1To1 => self.plain(Builtin::ReluN1To1),
                UnaryKind::Relu6 => self.plain(Builtin::Relu6),
                UnaryKind::LeakyRelu { alpha } => self.with(Builtin::LeakyRelu, Options::LeakyRelu { alpha: *alpha }),
                UnaryKind::HardSwish => self.plain(Builtin::HardSwish),
                UnaryKind::Exp => self.plain(Builtin::Exp),
                UnaryKind::Log => self.plain(Builtin::Log),
                UnaryKind::Function(function) => self.plain(Builtin::Function(*function)),
            },
            Op::Prelu => self.plain(Builtin::Prelu),
            Op::ArgMax { axis } => {
                let axis = self.scalar("axis", *axis)?;
                let output_type = element_code(self.output()?.element());
                Ok((Builtin::ArgMax, self.and(axis), Options::ArgMax { output_type }))
            }
            Op::Quantize => self.plain(Builtin::Quantize),
            Op::Dequantize => self.plain(Builtin::Dequantize),
        }
    }

    fn plain_padding(&self, padding: Padding) -> Result<i8, WriteError> {
        match padding {
            Padding::Same => Ok(0),
            Padding::Valid => Ok(1),
            Padding::Explicit { .. } => {
                Err(self.fail("its padding is neither SAME nor VALID, which is all the format has for it"))
            }
        }
    }

    fn conv_padding(&mut self, conv: &ConvParams) -> Result<i8, WriteError> {
        let Some([_, kh, kw, _]) = self.input(1)?.shape.nhwc() else {
            return Err(self.fail("its weights need four dimensions"));
        };
        self.padding(conv.padding, [kh, kw], conv.stride, conv.dilation, PadValue::Zero)
    }

    /// The number of a window's padding. Padding that is neither SAME nor VALID is put in a PAD of its own in front, which fills
    /// with `value`.
    fn padding(
        &mut self,
        padding: Padding,
        window: [usize; 2],
        stride: [usize; 2],
        dilation: [usize; 2],
        value: PadValue,
    ) -> Result<i8, WriteError> {
        let Padding::Explicit { top, bottom, left, right } = padding else {
            return self.plain_padding(padding);
        };
        let x = self.input(0)?;
        let Some(image) = x.shape.nhwc() else {
            return Err(self.fail("its input needs four dimensions"));
        };
        let resolve = |padding, axis: usize| {
            Window::resolve(image[1 + axis], window[axis], stride[axis], dilation[axis], padding, axis)
        };
        let wanted = [resolve(padding, 0), resolve(padding, 1)];
        for (number, padding) in [(0, Padding::Same), (1, Padding::Valid)] {
            if wanted == [resolve(padding, 0), resolve(padding, 1)] && wanted[0].is_some() {
                return Ok(number);
            }
        }
        let pads = [[0, 0], [top, bottom], [left, right], [0, 0]];
        let shape = image.iter().zip(pads).map(|(&size, [before, after])| {
            let padded = size.checked_add(before).and_then(|size| size.checked_add(after));
            self.int(padded.unwrap_or(usize::MAX))
        });
        let shape = shape.collect::<Result<Vec<_>, _>>()?;
        let name = format!("{}/padded", self.output()?.name);
        let paddings = self.paddings(&name, &pads)?;
        let padded = self.draft.activation(name, shape, &x.dtype);
        let fill = self.pad_value(value)?;
        let builtin = if fill.is_some() { Builtin::PadV2 } else { Builtin::Pad };
        let inputs = [self.inputs[0], paddings].into_iter().chain(fill).collect::<Vec<_>>();
        let outputs = vec![padded];
        let version = versions::version(builtin, &self.draft.tensors, &inputs, &outputs, &Options::None);
        self.draft.push(DraftOperator { builtin, version, inputs, outputs, options: Options::None });
        self.inputs[0] = padded;
        Ok(1)
    }

    /// A bias of zeros, without which the reference interpreter takes no CONV_2D.
    fn zero_bias(&mut self) -> Result<usize, WriteError> {
        let (x, weights) = (self.input(0)?, self.input(1)?);
        let channels = weights.shape.0.first().copied().unwrap_or(0);
        // Two int4 weights to a byte; anything less is no weight for some channel.
        if channels > 2 * weights.data.as_ref().map_or(0, |data| data.len()) {
            return Err(self.fail("its weights are not a constant, or empty"));
        }
        let bias = if x.element() == ElementType::Int16 { ElementType::Int64 } else { ElementType::Int32 };
        let dtype = match (x.per_tensor(), weights.dtype.quantisation()) {
            (Some((x, _)), Some(weights)) => {
                // A product that vanishes would be no scale; that of a bias of zeros says nothing anyway.
                let scale = |weights: &f32| (x * weights).clamp(f32::MIN_POSITIVE, f32::MAX);
                let quantisation = match weights {
                    Quantisation::PerTensor { scale: s, .. } => {
                        Quantisation::PerTensor { scale: scale(s), zero_point: 0 }
                    }
                    Quantisation::PerChannel { scales, .. } => Quantisation::PerChannel {
                        axis: 0,
                        scales: scales.iter().map(scale).collect(),
                        zero_points: vec![0; scales.len()],
                    },
                };
                DataType::Quantised(bias, quantisation)
            }
            _ => DataType::FLOAT32,
        };
        let name = format!("{}/bias", self.output()?.name);
        let shape = vec![self.int(channels)?];
        let bytes = dtype.element().bytes(channels).unwrap_or_default();
        Ok(self.draft.constant(name, shape, Cow::Owned(dtype), vec![0; bytes]))
    }

    /// The parameter of the PAD that writes `output`: a row of before and after for each axis.
    fn paddings(&mut self, output: &str, pads: &[[usize; 2]]) -> Result<usize, WriteError> {
        let values = self.ints(pads.iter().flatten().copied())?;
        let name = format!("{output}/paddings");
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let dtype = Cow::Owned(DataType::Plain(ElementType::Int32));
        Ok(self.draft.constant(name, vec![pads.len() as i32, 2], dtype, bytes))
    }

    fn pad_value(&mut self, value: PadValue) -> Result<Option<usize>, WriteError> {
        let x = self.input(0)?;
        let bytes = match (value, x.element()) {
            (PadValue::Zero, _) => return Ok(None),
            (PadValue::Float(value), ElementType::Float32) => value.to_le_bytes().to_vec(),
            (PadValue::Integer(value), ElementType::Int8 | ElementType::Bool) => vec![value as u8],
            (PadValue::Integer(value), ElementType::Int16) => (value as i16).to_le_bytes().to_vec(),
            (PadValue::Integer(value), ElementType::Int32) => value.to_le_bytes().to_vec(),
            (PadValue::Integer(value), ElementType::Int64) => i64::from(value).to_le_bytes().to_vec(),
            (_, element) => return Err(self.fail(format!("{value:?} does not pad a tensor of {element}"))),
        };
        let name = format!("{}/value", self.output()?.name);
        Ok(Some(self.draft.constant(name, Vec::new(), Cow::Borrowed(&x.dtype), bytes)))
    }

    fn reshape(&mut self, kind: ReshapeKind, shape: &[usize]) -> Result<Lowered, WriteError> {
        let from = &self.input(0)?.shape.0;
        match kind {
            ReshapeKind::Squeeze => {
                if let Some(dropped) = shapes::squeezed(from, shape) {
                    let dims = self.ints(dropped)?;
                    return self.with(Builtin::Squeeze, Options::Squeeze { dims });
                }
            }
            ReshapeKind::ExpandDims => {
                if let Some(axis) = shapes::expanded(from, shape) {
                    let axis = self.scalar("axis", axis)?;
                    return Ok((Builtin::ExpandDims, self.and(axis), Options::None));
                }
            }
            ReshapeKind::Reshape => {}
        }
        if shape.is_empty() {
            // A constant without elements cannot be stored; [0] in the options is how the format says scalar.
            return self.with(Builtin::Reshape, Options::Reshape { new_shape: vec![0] });
        }
        let new_shape = self.ints(shape.iter().copied())?;
        let tensor = self.parameter("shape", &new_shape)?;
        Ok((Builtin::Reshape, self.and(tensor), Options::Reshape { new_shape }))
    }

    fn strided_slice(&mut self, axes: &[AxisSlice]) -> Result<Lowered, WriteError> {
        let (mut begin, mut end, mut strides, mut shrink) = (Vec::new(), Vec::new(), Vec::new(), 0);
        for (i, slice) in axes.iter().enumerate() {
            let too_large = || self.fail(format!("the slice {slice:?} is too large"));
            let start = self.int(slice.start)?;
            // An axis that is dropped is one index, whatever the stride; the reference writes nothing where that is negative.
            let stride = if slice.shrink { 1 } else { i32::try_from(slice.stride).map_err(|_| too_large())? };
            let stop = match slice.len.checked_sub(1) {
                None => i64::from(start),
                Some(steps) => {
                    let steps = i64::from(self.int(steps)?);
                    // One past the last index taken, in the direction of travel.
                    steps
                        .checked_mul(stride.into())
                        .and_then(|way| way.checked_add(i64::from(start) + i64::from(stride.signum())))
                        .ok_or_else(too_large)?
                }
            };
            // -1 would count from the back; one less than the last index from the back is one before the first.
            let dim = self.input(0)?.shape.0.get(i).copied().unwrap_or(0) as i64;
            let stop = if stop < 0 { -dim - 1 } else { stop };
            begin.push(start);
            end.push(i32::try_from(stop).map_err(|_| too_large())?);
            strides.push(stride);
            if slice.shrink {
                if i >= 31 {
                    return Err(too_large());
                }
                shrink |= 1 << i;
            }
        }
        let mut inputs = self.inputs.clone();
        inputs.push(self.parameter("begin", &begin)?);
        inputs.push(self.parameter("end", &end)?);
        inputs.push(self.parameter("strides", &strides)?);
        Ok((Builtin::StridedSlice, inputs, Options::StridedSlice { shrink }))
    }
}
