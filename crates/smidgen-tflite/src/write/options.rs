//! An operator's options, still without regard to how tables are laid out.

use super::tree::Node;
use crate::schema::{
    arg_max, arithmetic, batch_matmul, call_once, concatenation, conv, depthwise, fully_connected, gather, gelu,
    leaky_relu, pack, pool, reducer, reshape, resize_bilinear, resize_nearest, sequence_lstm, sequence_rnn, softmax,
    split, squeeze, strided_slice, svdf, transpose_conv, unpack, var_handle,
};
use smidgen_ir::Activation;

/// Options as the format has them: `[height, width]` where there are two, activations and paddings by their numbers. `WideSum` is for ADD
/// and SUB of int16.
pub(crate) enum Options {
    None,
    Conv { padding: i8, stride: [i32; 2], dilation: [i32; 2], activation: i8 },
    Depthwise { padding: i8, stride: [i32; 2], dilation: [i32; 2], activation: i8, multiplier: i32 },
    TransposeConv { padding: i8, stride: [i32; 2], activation: i8 },
    FullyConnected { activation: i8, keep_num_dims: bool, asymmetric_quantize_inputs: bool },
    Arithmetic { activation: i8 },
    WideSum { activation: i8 },
    Pool { padding: i8, stride: [i32; 2], window: [i32; 2], activation: i8 },
    Reducer { keep_dims: bool },
    Reshape { new_shape: Vec<i32> },
    Squeeze { dims: Vec<i32> },
    Concatenation { axis: i32, activation: i8 },
    Split { parts: i32 },
    Pack { values: i32, axis: i32 },
    Unpack { values: i32, axis: i32 },
    StridedSlice { shrink: i32 },
    ResizeBilinear { align_corners: bool, half_pixel_centers: bool },
    ResizeNearest { align_corners: bool, half_pixel_centers: bool },
    SequenceLstm { activation: i8, clip: f32, time_major: bool, asymmetric_quantize_inputs: bool },
    SequenceRnn { activation: i8, time_major: bool, asymmetric_quantize_inputs: bool },
    Svdf { rank: i32, activation: i8 },
    Softmax { beta: f32 },
    LeakyRelu { alpha: f32 },
    Gelu { approximate: bool },
    ArgMax { output_type: i8 },
    BatchMatmul { adjoint: [bool; 2] },
    Gather { axis: i32, batch: i32 },
    CallOnce { subgraph: i32 },
    VarHandle { shared_name: String },
}

/// The number of a fused activation.
pub(crate) fn activation(activation: Activation) -> i8 {
    match activation {
        Activation::None => 0,
        Activation::Relu => 1,
        Activation::ReluN1To1 => 2,
        Activation::Relu6 => 3,
    }
}

/// The table of options, if there are any.
pub(crate) fn node<'a>(options: &Options) -> Option<Node<'a>> {
    let node = Node::default();
    Some(match *options {
        Options::None => return None,
        Options::Conv { padding, stride, dilation, activation } => node
            .with(conv::padding, padding)
            .with(conv::stride_w, stride[1])
            .with(conv::stride_h, stride[0])
            .with(conv::activation, activation)
            .with(conv::dilation_w, dilation[1])
            .with(conv::dilation_h, dilation[0]),
        Options::Depthwise { padding, stride, dilation, activation, multiplier } => node
            .with(depthwise::padding, padding)
            .with(depthwise::stride_w, stride[1])
            .with(depthwise::stride_h, stride[0])
            .with(depthwise::multiplier, multiplier)
            .with(depthwise::activation, activation)
            .with(depthwise::dilation_w, dilation[1])
            .with(depthwise::dilation_h, dilation[0]),
        Options::TransposeConv { padding, stride, activation } => node
            .with(transpose_conv::padding, padding)
            .with(transpose_conv::stride_w, stride[1])
            .with(transpose_conv::stride_h, stride[0])
            .with(transpose_conv::activation, activation),
        Options::FullyConnected { activation, keep_num_dims, asymmetric_quantize_inputs } => {
            let node = node
                .with(fully_connected::activation, activation)
                .with(fully_connected::weights_format, 0)
                .with(fully_connected::keep_num_dims, keep_num_dims);
            // Says nothing of most layers.
            match asymmetric_quantize_inputs {
                true => node.with(fully_connected::asymmetric_quantize_inputs, true),
                false => node,
            }
        }
        Options::Arithmetic { activation } => node.with(arithmetic::activation, activation),
        // Left out it would be true: an older way to compute where scales are powers of two.
        Options::WideSum { activation } => {
            node.with(arithmetic::activation, activation).with(arithmetic::pot_scale_int16, false)
        }
        Options::Pool { padding, stride, window, activation } => node
            .with(pool::padding, padding)
            .with(pool::stride_w, stride[1])
            .with(pool::stride_h, stride[0])
            .with(pool::filter_w, window[1])
            .with(pool::filter_h, window[0])
            .with(pool::activation, activation),
        Options::Reducer { keep_dims } => node.with(reducer::keep_dims, keep_dims),
        Options::Reshape { ref new_shape } => node.with(reshape::new_shape, new_shape.clone()),
        Options::Squeeze { ref dims } => node.with(squeeze::squeeze_dims, dims.clone()),
        Options::Concatenation { axis, activation } => {
            node.with(concatenation::axis, axis).with(concatenation::activation, activation)
        }
        Options::Split { parts } => node.with(split::num_splits, parts),
        Options::Pack { values, axis } => node.with(pack::values_count, values).with(pack::axis, axis),
        Options::Unpack { values, axis } => node.with(unpack::num, values).with(unpack::axis, axis),
        Options::StridedSlice { shrink } => node
            .with(strided_slice::begin_mask, 0)
            .with(strided_slice::end_mask, 0)
            .with(strided_slice::ellipsis_mask, 0)
            .with(strided_slice::new_axis_mask, 0)
            .with(strided_slice::shrink_axis_mask, shrink),
        Options::ResizeBilinear { align_corners, half_pixel_centers } => node
            .with(resize_bilinear::align_corners, align_corners)
            .with(resize_bilinear::half_pixel_centers, half_pixel_centers),
        Options::ResizeNearest { align_corners, half_pixel_centers } => node
            .with(resize_nearest::align_corners, align_corners)
            .with(resize_nearest::half_pixel_centers, half_pixel_centers),
        Options::SequenceLstm { activation, clip, time_major, asymmetric_quantize_inputs } => node
            .with(sequence_lstm::activation, activation)
            .with(sequence_lstm::cell_clip, clip)
            .with(sequence_lstm::time_major, time_major)
            .with(sequence_lstm::asymmetric_quantize_inputs, asymmetric_quantize_inputs),
        Options::SequenceRnn { activation, time_major, asymmetric_quantize_inputs } => node
            .with(sequence_rnn::time_major, time_major)
            .with(sequence_rnn::activation, activation)
            .with(sequence_rnn::asymmetric_quantize_inputs, asymmetric_quantize_inputs),
        Options::Svdf { rank, activation } => node.with(svdf::rank, rank).with(svdf::activation, activation),
        Options::Softmax { beta } => node.with(softmax::beta, beta),
        Options::LeakyRelu { alpha } => node.with(leaky_relu::alpha, alpha),
        Options::Gelu { approximate } => node.with(gelu::approximate, approximate),
        Options::ArgMax { output_type } => node.with(arg_max::output_type, output_type),
        Options::BatchMatmul { adjoint } => {
            node.with(batch_matmul::adj_x, adjoint[0]).with(batch_matmul::adj_y, adjoint[1])
        }
        Options::Gather { axis, batch } => node.with(gather::axis, axis).with(gather::batch_dims, batch),
        Options::CallOnce { subgraph } => node.with(call_once::init_subgraph_index, subgraph),
        Options::VarHandle { ref shared_name } => {
            node.with(var_handle::container, String::new()).with(var_handle::shared_name, shared_name.clone())
        }
    })
}
