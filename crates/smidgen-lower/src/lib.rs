//! Lowering: from a graph to [steps](smidgen_program::Step) with every parameter resolved, and no decision about memory.
//!
//! One file for each operator family; `operator` matches every operator, so that a new one cannot be forgotten. Arithmetic that
//! gives multipliers and clamps is in double precision, in the order of operations of TensorFlow Lite, whose bytes it must
//! reproduce.
//!
//! An operator that only relabels bytes becomes no step: its output names the buffer of its input, seen with another
//! extent. Variables come last (`variables`).

mod builder;
mod conv;
mod convert;
mod elementwise;
mod elementwise_int16;
mod epilogue;
mod error;
mod fully_connected;
mod hybrid;
mod limits;
mod movement;
mod offset;
mod options;
mod plain;
mod pool;
mod product;
mod quant;
mod recurrent;
mod reduce;
mod resize;
mod softmax;
mod sum;
mod svdf;
mod tables;
mod variables;
mod window;

pub use error::LowerError;
pub use limits::{MOST_LIVE_BYTES, MOST_LIVE_TENSORS, MOST_ROWS, MOST_TENSOR_BYTES};
pub use options::{KernelSet, LowerOptions, Reference};

use builder::Builder;
use epilogue::Proofs;
use error::Refusal;
use smidgen_ir::{Graph, Op, Operator};
use smidgen_program::program::Lowered;

/// Turns a validated graph into steps.
///
/// # Errors
/// [`LowerError`] names the first operator that has no kernel for its types, and says why; or the tensor that no board holds.
pub fn lower(graph: &Graph, options: &LowerOptions) -> Result<Lowered, LowerError> {
    Lowerer::new(*options).lower(graph)
}

/// Lowers networks and remembers what it has proven of their layers, so that those that a later network shares take next to no time.
#[derive(Debug, Default)]
pub struct Lowerer {
    options: LowerOptions,
    proofs: Proofs,
}

impl Lowerer {
    /// With these options.
    pub fn new(options: LowerOptions) -> Self {
        Self { options, proofs: Proofs::default() }
    }

    /// As [`lower`] with this one's options.
    ///
    /// # Errors
    /// As [`lower`].
    pub fn lower(&self, graph: &Graph) -> Result<Lowered, LowerError> {
        all(Builder::new(graph, self.options, &self.proofs))
    }
}

/// The same steps with the kernels that firmware runs, but without a look at the weights: what a plan takes is known, and nothing can be run.
/// Layers are taken to have the cheap finish that nearly all can be proven to have.
///
/// # Errors
/// As [`lower`]; what depends on the values of weights is not found.
pub fn select(graph: &Graph, options: &LowerOptions) -> Result<Lowered, LowerError> {
    all(Builder::unread(graph, options.for_mcu(), &Proofs::default()))
}

fn all(mut builder: Builder) -> Result<Lowered, LowerError> {
    let graph = builder.graph;
    limits::check(graph)?;
    for (index, item) in graph.operators.iter().enumerate() {
        builder.begin(index);
        operator(&mut builder, item).map_err(|refusal| LowerError::Unsupported {
            index,
            operator: item.op.name(),
            output: item.outputs.first().map_or_else(String::new, |&t| graph.tensor(t).name.clone()),
            reason: refusal.0,
        })?;
    }
    Ok(builder.build())
}

/// Lowers one operator.
fn operator(builder: &mut Builder, operator: &Operator) -> Result<(), Refusal> {
    match &operator.op {
        Op::Conv2d(params) => conv::conv2d(builder, operator, params),
        Op::DepthwiseConv2d { conv, multiplier } => conv::depthwise(builder, operator, conv, *multiplier),
        Op::TransposeConv { stride, padding, activation, .. } => {
            conv::transpose_conv(builder, operator, *stride, *padding, *activation)
        }
        Op::Pool2d { kind, window, stride, padding, activation } => {
            pool::pool(builder, operator, *kind, *window, *stride, *padding, *activation)
        }
        Op::Reshape { .. } => builder.alias(operator.inputs[0], operator.outputs[0]),
        Op::FullyConnected { keep_num_dims: _, asymmetric_quantize_inputs, activation } => {
            fully_connected::fully_connected(builder, operator, *asymmetric_quantize_inputs, *activation)
        }
        Op::Binary { kind, activation } => elementwise::binary(builder, operator, *kind, *activation),
        Op::Unary(kind) => elementwise::unary(builder, operator, *kind),
        Op::Prelu => elementwise::prelu(builder, operator),
        Op::Softmax { beta } => softmax::softmax(builder, operator, *beta),
        Op::Normalise(kind) => softmax::normalise(builder, operator, *kind),
        Op::Quantize => convert::quantize(builder, operator),
        Op::Dequantize => convert::dequantize(builder, operator),
        Op::ArgMax { axis } => convert::arg_max(builder, operator, *axis),
        Op::Compare(kind) => plain::compare(builder, operator, *kind),
        Op::Select => plain::select(builder, operator),
        Op::Gather { axis, batch } => plain::gather(builder, operator, *axis, *batch),
        Op::Cast => plain::cast(builder, operator),
        Op::BatchMatmul { adjoint } => plain::matmul(builder, operator, *adjoint),
        Op::Reduce { kind, axes, .. } => reduce::reduce(builder, operator, *kind, axes),
        Op::Resize { kind, align_corners, half_pixel_centers, .. } => {
            resize::resize(builder, operator, *kind, *align_corners, *half_pixel_centers)
        }
        Op::Pad { pads, value } => movement::pad(builder, operator, pads, *value),
        Op::Slice { begin, size } => movement::slice(builder, operator, begin, size),
        Op::StridedSlice { axes } => movement::strided_slice(builder, operator, axes),
        Op::Split { axis, .. } => movement::split(builder, operator, *axis),
        Op::Unpack { axis } => movement::unpack(builder, operator, *axis),
        Op::Concatenation { axis, activation } => movement::concatenation(builder, operator, *axis, *activation),
        Op::Pack { axis } => movement::pack(builder, operator, *axis),
        Op::Recurrent(layer) => recurrent::recurrent(builder, operator, layer),
        Op::Svdf { rank, activation } => svdf::svdf(builder, operator, *rank, *activation),
        Op::Transpose { perm } => movement::transpose(builder, operator, perm),
    }
}
