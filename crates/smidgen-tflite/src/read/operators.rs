//! Decoding of operators: one arm for each, exhaustively.

use super::call::{Call, Trouble, axis, caused, malformed, odd, unsupported};
use super::cause::STATE;
use super::movement;
use crate::schema::{
    arg_max, arithmetic, concatenation, conv, depthwise, fully_connected, leaky_relu, pool, reducer, resize_bilinear,
    resize_nearest, softmax, transpose_conv,
};
use crate::support::Builtin;
use smidgen_ir::{
    Activation, BinaryKind, ConvParams, ElementType, Op, PoolKind, ReduceKind, ReshapeKind, ResizeKind, UnaryKind,
    power_of_two,
};

/// What an operator decodes to: the operator, and the indices in the file of the tensors that it reads.
pub(super) type Decoded = (Op, Vec<usize>);

impl Call<'_> {
    pub(super) fn decode(&self) -> Result<Decoded, Trouble> {
        match self.builtin {
            Builtin::Conv2d => self.conv(),
            Builtin::DepthwiseConv2d => self.depthwise(),
            Builtin::TransposeConv => self.transpose_conv(),
            Builtin::FullyConnected => self.fully_connected(),
            Builtin::Add => self.binary(BinaryKind::Add),
            Builtin::Sub => self.binary(BinaryKind::Sub),
            Builtin::Mul => self.binary(BinaryKind::Mul),
            Builtin::Div => self.binary(BinaryKind::Div),
            Builtin::Minimum => self.binary(BinaryKind::Minimum),
            Builtin::Maximum => self.binary(BinaryKind::Maximum),
            Builtin::AveragePool2d => self.pool(PoolKind::Average),
            Builtin::MaxPool2d => self.pool(PoolKind::Max),
            Builtin::Mean => self.reduce(ReduceKind::Mean),
            Builtin::Sum => self.reduce(ReduceKind::Sum),
            Builtin::Pad => movement::pad(self, false),
            Builtin::PadV2 => movement::pad(self, true),
            Builtin::Reshape => movement::reshape(self),
            Builtin::Squeeze => movement::squeeze(self),
            Builtin::ExpandDims => movement::expand_dims(self),
            Builtin::Transpose => movement::transpose(self),
            Builtin::Concatenation => self.concatenation(),
            Builtin::Split => movement::split(self),
            Builtin::Pack => movement::pack(self),
            Builtin::Unpack => movement::unpack(self),
            Builtin::Slice => movement::slice(self),
            Builtin::StridedSlice => movement::strided_slice(self),
            Builtin::ResizeBilinear => self.resize(ResizeKind::Bilinear),
            Builtin::ResizeNearestNeighbor => self.resize(ResizeKind::Nearest),
            Builtin::Softmax => self.one(Op::Softmax { beta: self.float(softmax::beta)? }),
            Builtin::Logistic => self.one(Op::Unary(UnaryKind::Logistic)),
            Builtin::Tanh => self.one(Op::Unary(UnaryKind::Tanh)),
            Builtin::Relu => self.one(Op::Unary(UnaryKind::Relu)),
            Builtin::ReluN1To1 => self.one(Op::Unary(UnaryKind::ReluN1To1)),
            Builtin::Relu6 => self.one(Op::Unary(UnaryKind::Relu6)),
            Builtin::LeakyRelu => self.one(Op::Unary(UnaryKind::LeakyRelu { alpha: self.float(leaky_relu::alpha)? })),
            Builtin::HardSwish => self.one(Op::Unary(UnaryKind::HardSwish)),
            Builtin::Exp => self.one(Op::Unary(UnaryKind::Exp)),
            Builtin::Log => self.one(Op::Unary(UnaryKind::Log)),
            Builtin::Function(function) => self.one(Op::Unary(UnaryKind::Function(function))),
            Builtin::Prelu => self.prelu(),
            Builtin::ArgMax => self.arg_max(),
            Builtin::Quantize => self.one(Op::Quantize),
            Builtin::Dequantize => self.one(Op::Dequantize),
            Builtin::ReadVariable => {
                // What was assigned before, under another name.
                self.arity(1..=1, 1)?;
                let (from, to) = (self.data(0)?, self.output(0));
                if let (Ok(assigned), Ok(read)) = (&from.dtype, &to.dtype)
                    && assigned != read
                {
                    return caused(format!("it reads {read} from a variable to which {assigned} was assigned"), &STATE);
                }
                let shape = from.shape.clone();
                Ok((Op::Reshape { kind: ReshapeKind::Reshape, shape }, vec![self.index(0)?]))
            }
            Builtin::AssignVariable | Builtin::CallOnce | Builtin::VarHandle => {
                caused("it has a form that is not supported", &STATE)
            }
        }
    }

    /// An operator with one input and one output.
    fn one(&self, op: Op) -> Result<Decoded, Trouble> {
        self.arity(1..=1, 1)?;
        self.data(0)?;
        Ok((op, vec![self.index(0)?]))
    }

    /// A float of the options, which must be finite.
    fn float(&self, field: crate::flat::Field<f32>) -> Result<f32, Trouble> {
        match self.option(field)?.unwrap_or(0.0) {
            value if value.is_finite() => Ok(value),
            value => odd(format!("a parameter of {value}")),
        }
    }

    fn conv(&self) -> Result<Decoded, Trouble> {
        self.arity(2..=3, 1)?;
        let params = ConvParams {
            stride: [
                self.positive(conv::stride_h, 0, "vertical stride")?,
                self.positive(conv::stride_w, 0, "horizontal stride")?,
            ],
            dilation: [
                self.positive(conv::dilation_h, 1, "vertical dilation")?,
                self.positive(conv::dilation_w, 1, "horizontal dilation")?,
            ],
            padding: self.padding(conv::padding)?,
            activation: self.activation(conv::activation)?,
        };
        let used = self.weighted(0, 1, 2)?;
        if let (&[.., depth], &[_, _, _, taken]) = (self.input(0)?.shape.as_slice(), self.input(1)?.shape.as_slice())
            && taken != 0
            && taken != depth
            && depth.is_multiple_of(taken)
        {
            return unsupported(
                format!("it is a convolution in {} groups", depth / taken),
                "use CONV_2D with one group, or DEPTHWISE_CONV_2D",
            );
        }
        Ok((Op::Conv2d(params), used))
    }

    fn depthwise(&self) -> Result<Decoded, Trouble> {
        self.arity(2..=3, 1)?;
        let conv = ConvParams {
            stride: [
                self.positive(depthwise::stride_h, 0, "vertical stride")?,
                self.positive(depthwise::stride_w, 0, "horizontal stride")?,
            ],
            dilation: [
                self.positive(depthwise::dilation_h, 1, "vertical dilation")?,
                self.positive(depthwise::dilation_w, 1, "horizontal dilation")?,
            ],
            padding: self.padding(depthwise::padding)?,
            activation: self.activation(depthwise::activation)?,
        };
        let used = self.weighted(0, 1, 2)?;
        // Converters do not always store the multiplier; the reference takes it from the shapes too.
        let (input, weights) = (&self.input(0)?.shape, &self.input(1)?.shape);
        let multiplier = match (input.last(), weights.last()) {
            (Some(&depth), Some(&filters)) if depth > 0 && filters > 0 && filters.is_multiple_of(depth) => {
                filters / depth
            }
            _ => {
                let (x, w) = (smidgen_ir::Shape(input.clone()), smidgen_ir::Shape(weights.clone()));
                return malformed(format!("{w} weights do not divide into the channels of {x}"));
            }
        };
        Ok((Op::DepthwiseConv2d { conv, multiplier }, used))
    }

    fn transpose_conv(&self) -> Result<Decoded, Trouble> {
        self.arity(3..=4, 1)?;
        let output = match self.parameter(0, "output shape", 4)?.as_slice() {
            &[_, h, w, _] if h > 0 && w > 0 => [h as usize, w as usize],
            other => return malformed(format!("an output shape of {other:?}")),
        };
        let op = Op::TransposeConv {
            stride: [
                self.positive(transpose_conv::stride_h, 0, "vertical stride")?,
                self.positive(transpose_conv::stride_w, 0, "horizontal stride")?,
            ],
            padding: self.padding(transpose_conv::padding)?,
            output,
            activation: self.activation(transpose_conv::activation)?,
        };
        Ok((op, self.weighted(2, 1, 3)?))
    }

    fn fully_connected(&self) -> Result<Decoded, Trouble> {
        self.arity(2..=3, 1)?;
        if self.option(fully_connected::weights_format)?.unwrap_or(0) != 0 {
            return unsupported("its weights are stored shuffled", "convert the network with default weights");
        }
        let op = Op::FullyConnected {
            keep_num_dims: self.flag(fully_connected::keep_num_dims)?,
            activation: self.activation(fully_connected::activation)?,
        };
        Ok((op, self.weighted(0, 1, 2)?))
    }

    fn binary(&self, kind: BinaryKind) -> Result<Decoded, Trouble> {
        self.arity(2..=2, 1)?;
        self.data(0)?;
        self.data(1)?;
        let activation = match kind {
            BinaryKind::Add | BinaryKind::Sub | BinaryKind::Mul | BinaryKind::Div => {
                self.activation(arithmetic::activation)?
            }
            BinaryKind::Minimum | BinaryKind::Maximum => Activation::None,
        };
        if matches!(kind, BinaryKind::Add | BinaryKind::Sub)
            && self.option(arithmetic::pot_scale_int16)?.unwrap_or(true)
        {
            self.powers_of_two()?;
        }
        Ok((Op::Binary { kind, activation }, vec![self.index(0)?, self.index(1)?]))
    }

    /// ADD and SUB of int16 with scales that are different powers of two, in files that ask for it: there the reference rounds an
    /// operand alone, where it otherwise rounds the sum.
    fn powers_of_two(&self) -> Result<(), Trouble> {
        let exponents = [self.input(0)?, self.input(1)?, self.output(0)].map(|source| {
            let dtype = source.dtype.as_ref().ok().filter(|dtype| dtype.element() == ElementType::Int16)?;
            power_of_two(dtype.quantisation()?.per_tensor()?.0)
        });
        let [Some(a), Some(b), Some(y)] = exponents else { return Ok(()) };
        if a == y && b == y {
            return Ok(());
        }
        unsupported(
            "its scales are different powers of two, and pot_scale_int16 is not false",
            "use a converter since TensorFlow 2.3, which sets it to false",
        )
    }

    fn pool(&self, kind: PoolKind) -> Result<Decoded, Trouble> {
        self.one(Op::Pool2d {
            kind,
            window: [
                self.positive(pool::filter_h, 0, "window's height")?,
                self.positive(pool::filter_w, 0, "window's width")?,
            ],
            stride: [
                self.positive(pool::stride_h, 0, "vertical stride")?,
                self.positive(pool::stride_w, 0, "horizontal stride")?,
            ],
            padding: self.padding(pool::padding)?,
            activation: self.activation(pool::activation)?,
        })
    }

    fn reduce(&self, kind: ReduceKind) -> Result<Decoded, Trouble> {
        self.arity(2..=2, 1)?;
        let rank = self.data(0)?.shape.len();
        let listed = self.parameter(1, "axes", 2 * super::tensors::MAX_RANK)?;
        if rank == 0 && !listed.is_empty() {
            return odd("it reduces a tensor without dimensions");
        }
        let mut axes = listed.into_iter().map(|a| axis(a, rank)).collect::<Result<Vec<_>, _>>()?;
        axes.sort_unstable();
        axes.dedup();
        let keep_dims = self.flag(reducer::keep_dims)?;
        Ok((Op::Reduce { kind, axes, keep_dims }, vec![self.index(0)?]))
    }

    fn concatenation(&self) -> Result<Decoded, Trouble> {
        self.arity(1..=usize::MAX, 1)?;
        let rank = self.data(0)?.shape.len();
        let op = Op::Concatenation {
            axis: axis(self.number(concatenation::axis, 0)?.into(), rank)?,
            activation: self.activation(concatenation::activation)?,
        };
        if let Op::Concatenation { activation, .. } = &op
            && *activation != Activation::None
            && self.input(0)?.element() != ElementType::Float32
        {
            return unsupported("a fused activation on an integer concatenation", "use a separate operator");
        }
        Ok((op, movement::all(self)?))
    }

    fn resize(&self, kind: ResizeKind) -> Result<Decoded, Trouble> {
        self.arity(2..=2, 1)?;
        self.data(0)?;
        let output = match self.parameter(1, "size", 2)?.as_slice() {
            &[h, w] if h > 0 && w > 0 => [h as usize, w as usize],
            other => return odd(format!("a size of {other:?}")),
        };
        let (align_corners, half_pixel_centers) = match kind {
            ResizeKind::Bilinear => {
                (self.flag(resize_bilinear::align_corners)?, self.flag(resize_bilinear::half_pixel_centers)?)
            }
            ResizeKind::Nearest => {
                (self.flag(resize_nearest::align_corners)?, self.flag(resize_nearest::half_pixel_centers)?)
            }
        };
        Ok((Op::Resize { kind, output, align_corners, half_pixel_centers }, vec![self.index(0)?]))
    }

    fn prelu(&self) -> Result<Decoded, Trouble> {
        self.arity(2..=2, 1)?;
        self.data(0)?;
        self.data(1)?;
        self.constant(1, "alpha")?;
        Ok((Op::Prelu, vec![self.index(0)?, self.index(1)?]))
    }

    fn arg_max(&self) -> Result<Decoded, Trouble> {
        self.arity(2..=2, 1)?;
        let rank = self.data(0)?.shape.len();
        let code = match self.output(0).element() {
            ElementType::Int32 => 2,
            ElementType::Int64 => 4,
            other => return odd(format!("its output is {other}; it can be int32 or int64")),
        };
        if let Some(stated) = self.option(arg_max::output_type)?.filter(|&stated| stated != code) {
            return odd(format!("its options give it an output of type {stated}, its output tensor {code}"));
        }
        Ok((Op::ArgMax { axis: axis(self.scalar(1, "axis")?, rank)? }, vec![self.index(0)?]))
    }
}
