//! The operators of the format. Each has one room, a file of this module: its row of the support table, the version of
//! it that a network needs, and how it is read and written.

mod binary;
mod convert;
mod convolution;
mod fully_connected;
mod join;
mod lacking;
mod pad;
mod plain;
mod pool;
mod recurrent;
mod reduce;
mod reshape;
mod resize;
mod slice;
mod softmax;
mod split;
mod svdf;
mod transpose;
mod unary;
mod variables;

pub use lacking::LACKING;
pub(crate) use plain::UNLIKE;
pub(crate) use recurrent::{gates, states};

use crate::error::WriteError;
use crate::flat::Field;
use crate::read::call::{Call, Trouble, malformed, odd};
use crate::support::Builtin;
use crate::write::options::Options;
use crate::write::{Signature, Writer};
use smidgen_ir::ElementType::{self, Bool, Float32, Int8, Int16, Int32, Int64, Uint8};
use smidgen_ir::names::in_tflite;
use smidgen_ir::{Function, Op};

/// What an operator decodes to: the operator, and the indices in the file of the tensors that it reads.
pub(crate) type Decoded = (Op, Vec<usize>);

/// What an operator is written as: its builtin, its inputs in the format's order, its options.
pub(crate) type Written = (Builtin, Vec<usize>, Options);

/// An operator of the format.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    /// Which.
    pub builtin: Builtin,
    /// Types of data that it takes.
    pub types: &'static [ElementType],
    /// What else is to be known of it.
    pub remarks: &'static str,
    /// The value of `BuiltinOptions` that goes with it; 0 where it has none of interest.
    pub options: u8,
    /// The lowest version that covers what a network asks of it.
    pub version: fn(&Signature<'_>) -> i32,
    /// Decodes it.
    pub read: fn(&Call<'_>) -> Result<Decoded, Trouble>,
}

/// Declares the operators of a room: gives [`Builtin`] a constant for each, and the room its rows.
macro_rules! builtins {
    ($($variant:ident = $name:literal {
        types: $types:ident,
        remarks: $remarks:literal,
        options: $options:literal,
        version: $version:expr,
        read: $read:expr,
    })*) => {
        #[allow(non_upper_case_globals)] // as variants are named, since that is what they are used as
        impl Builtin {
            $(#[doc = $name] pub(crate) const $variant: Self = Self::named($name);)*
        }

        pub(super) const ROWS: &[super::Row] = &[$(super::Row {
            builtin: Builtin::$variant,
            types: $types,
            remarks: $remarks,
            options: $options,
            version: $version,
            read: $read,
        }),*];
    };
}
use builtins;

/// All operators of the format that can be read.
pub(crate) fn rows() -> impl Iterator<Item = Row> {
    let rooms = [
        binary::ROWS,
        convert::ROWS,
        convolution::ROWS,
        fully_connected::ROWS,
        join::ROWS,
        pad::ROWS,
        plain::ROWS,
        pool::ROWS,
        recurrent::ROWS,
        reduce::ROWS,
        reshape::ROWS,
        resize::ROWS,
        slice::ROWS,
        softmax::ROWS,
        split::ROWS,
        svdf::ROWS,
        transpose::ROWS,
        unary::ROWS,
        variables::ROWS,
    ];
    let functions = Function::ALL.iter().filter(|&&f| in_tflite(f)).map(|&function| unary::function_row(function));
    rooms.into_iter().flatten().copied().chain(functions)
}

/// Writes one operator of a graph.
pub(crate) fn write(writer: &mut Writer<'_, '_>, op: &Op) -> Result<Written, WriteError> {
    match op {
        Op::Conv2d(conv) => convolution::write_conv(writer, conv),
        Op::DepthwiseConv2d { conv, multiplier } => convolution::write_depthwise(writer, conv, *multiplier),
        Op::TransposeConv { stride, padding, output: _, activation } => {
            convolution::write_transpose_conv(writer, *stride, *padding, *activation)
        }
        Op::FullyConnected { keep_num_dims, asymmetric_quantize_inputs, activation } => {
            fully_connected::write(writer, *keep_num_dims, *asymmetric_quantize_inputs, *activation)
        }
        Op::Binary { kind, activation } => binary::write(writer, *kind, *activation),
        Op::Pool2d { kind, window, stride, padding, activation } => {
            pool::write(writer, *kind, [*window, *stride], *padding, *activation)
        }
        Op::Reduce { kind, axes, keep_dims } => reduce::write(writer, *kind, axes, *keep_dims),
        Op::Pad { pads, value } => pad::write(writer, pads, *value),
        Op::Reshape { kind, shape } => reshape::write(writer, *kind, shape),
        Op::Transpose { perm } => transpose::write(writer, perm),
        Op::Concatenation { axis, activation } => join::write_concatenation(writer, *axis, *activation),
        Op::Split { axis, parts } => split::write_split(writer, *axis, *parts),
        Op::Pack { axis } => join::write_pack(writer, *axis),
        Op::Unpack { axis } => split::write_unpack(writer, *axis),
        Op::Slice { begin, size } => slice::write_slice(writer, begin, size),
        Op::StridedSlice { axes } => slice::write_strided_slice(writer, axes),
        Op::Resize { kind, output, align_corners, half_pixel_centers } => {
            resize::write(writer, *kind, *output, [*align_corners, *half_pixel_centers])
        }
        Op::Softmax { beta } => softmax::write(writer, *beta),
        Op::Normalise(kind) => softmax::write_normalise(writer, *kind),
        Op::Unary(kind) => unary::write(writer, *kind),
        Op::Prelu => writer.plain(Builtin::Prelu),
        Op::ArgMax { axis } => reduce::write_arg_max(writer, *axis),
        Op::Compare(kind) => plain::write_compare(writer, *kind),
        Op::Select => writer.plain(Builtin::SelectV2),
        Op::Gather { axis, batch } => plain::write_gather(writer, *axis, *batch),
        Op::Cast => writer.plain(Builtin::Cast),
        Op::BatchMatmul { adjoint } => plain::write_batch_matmul(writer, *adjoint),
        Op::Quantize => writer.plain(Builtin::Quantize),
        Op::Dequantize => writer.plain(Builtin::Dequantize),
        Op::Recurrent(layer) => recurrent::write(writer, layer),
        Op::Svdf { rank, activation } => svdf::write(writer, *rank, *activation),
    }
}

/// Types on which smidgen computes.
const COMPUTE: &[ElementType] = &[Int8, Uint8, Float32];
/// The same for what has a form for int16 activations too.
const WIDE: &[ElementType] = &[Int8, Uint8, Int16, Float32];
/// Types of what has no form for uint8 or int16.
const NARROW: &[ElementType] = &[Int8, Float32];
/// Types of what has a form for int16 activations and none for uint8.
const SIGNED: &[ElementType] = &[Int8, Int16, Float32];
/// Types of what has no integer form.
const FLOAT: &[ElementType] = &[Float32];
/// Types that it moves around.
pub(crate) const MOVE: &[ElementType] = &[Int8, Uint8, Float32, Int16, Int32, Int64, Bool];

/// An operator with one input and one output.
fn one(call: &Call<'_>, op: Op) -> Result<Decoded, Trouble> {
    call.arity(1..=1, 1)?;
    call.data(0)?;
    Ok((op, vec![call.index(0)?]))
}

/// All inputs, each of a type that the operator takes.
fn all(call: &Call<'_>) -> Result<Vec<usize>, Trouble> {
    (0..call.inputs.len())
        .map(|i| {
            call.data(i)?;
            call.index(i)
        })
        .collect()
}

/// `value` as a size along an axis.
fn size(value: i64, name: &str) -> Result<usize, Trouble> {
    match usize::try_from(value) {
        Ok(size) if value <= i64::from(i32::MAX) => Ok(size),
        _ => malformed(format!("{value} in its {name}")),
    }
}

/// A float of the options, which must be finite.
fn float(call: &Call<'_>, field: Field<f32>) -> Result<f32, Trouble> {
    match call.option(field)?.unwrap_or(0.0) {
        value if value.is_finite() => Ok(value),
        value => odd(format!("a parameter of {value}")),
    }
}
