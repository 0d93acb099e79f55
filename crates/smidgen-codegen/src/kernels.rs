//! From a step to the call of its kernel, as text: the printer's counterpart of the executor's dispatch.
//!
//! A new kernel needs one arm here; the match is exhaustive, so that none can be forgotten.

mod elementwise;
mod movement;
mod reduction;

use crate::call::{Call, Site, real};
use crate::value::{array, atom, numbers, structure};
use smidgen_ir::PoolKind;
use smidgen_kernels::float::Clamp;
use smidgen_kernels::int8::Int8;
use smidgen_kernels::int8::device::{Finish, Width};
use smidgen_kernels::int16::Int16;
use smidgen_kernels::{Window2d, float, int8, int16};
use smidgen_plan::Kernel;

/// The call that computes a region of the step's output.
pub(crate) fn call(s: &Site) -> Call {
    match &s.step.kernel {
        Kernel::Load { element } => {
            let (extent, bytes) = (s.step.outputs[0].extent, element.bits().div_ceil(8));
            let call = s.output_bytes(s.call("movement::load").arena("u8")).region();
            let call = call.count("cols", extent.cols).count("pixel", extent.depth * bytes);
            s.constant(call, "constant", 0, "u8")
        }
        Kernel::Conv2dI8 { window, quant } => windowed_i8(s, "int8::conv2d", window, quant),
        Kernel::DepthwiseI8 { window, quant } => windowed_i8(s, "int8::depthwise", window, quant),
        Kernel::TransposeConvI8 { window, quant } => windowed_i8(s, "int8::transpose_conv", window, quant),
        Kernel::Conv2dI8Fast { window, quant } => {
            let call = s.output(s.input(s.call("int8::fast::conv2d").isa().arena("i8"), 0)).region();
            weights_i8(s, s.scratch(call, 1).window(window).quant(quant))
        }
        Kernel::DepthwiseI8Fast { window, quant } => {
            let call = s.output(s.input(s.call("int8::fast::depthwise").isa().arena("i8"), 0)).region();
            weights_i8(s, call.window(window).quant(quant))
        }
        Kernel::FullyConnectedI8Fast { inputs, outputs, quant } => {
            let call = s.output(s.input(s.call("int8::fast::fully_connected").isa().arena("i8"), 0)).region();
            weights_i8(s, sizes(call, *inputs, *outputs).quant(quant))
        }
        Kernel::Conv2dI8Device { window, width, input_zero, finish } => {
            let function = match width {
                Width::Eight => "int8::device::conv2d",
                Width::Four => "int8::device::conv2d_i4",
            };
            let call = device_windowed(s, function, window, *input_zero, finish).tails(*width, finish);
            s.constant(call, "packed", 0, "u32")
        }
        Kernel::DepthwiseI8Device { window, input_zero, finish, rows } => {
            let call = device_windowed(s, "int8::device::depthwise", window, *input_zero, finish).count("rows", *rows);
            s.constant(s.constant(call, "weights", 0, "i8"), "words", 1, "u32")
        }
        Kernel::FullyConnectedI8Device { inputs, outputs, width, finish } => {
            let function = match width {
                Width::Eight => "int8::device::fully_connected",
                Width::Four => "int8::device::fully_connected_i4",
            };
            let call = s.output(s.input(s.call(function).arena("i8"), 0)).region();
            let call = sizes(call, *inputs, *outputs).finish(finish);
            s.constant(s.constant(call, "weights", 0, "u32"), "words", 1, "u32")
        }
        Kernel::FullyConnectedI8 { inputs, outputs, weight_zero, quant } => {
            let call = s.output(s.input(s.call("int8::fully_connected").arena("i8"), 0)).region();
            let call = sizes(call, *inputs, *outputs).by_value("weight_zero", "i32", atom(weight_zero));
            weights_i8(s, call.quant(quant))
        }
        Kernel::Conv2dI16 { window, quant } => windowed_i16(s, "int16::conv2d", window, quant),
        Kernel::DepthwiseI16 { window, quant } => windowed_i16(s, "int16::depthwise", window, quant),
        Kernel::TransposeConvI16 { window, quant } => windowed_i16(s, "int16::transpose_conv", window, quant),
        Kernel::Conv2dI16Device { window, clamp } => device_i16(s, "int16::device::conv2d", window, *clamp),
        Kernel::DepthwiseI16Device { window, clamp } => device_i16(s, "int16::device::depthwise", window, *clamp),
        Kernel::FullyConnectedI16Device { inputs, outputs, clamp } => {
            let call = s.output(s.input(s.call("int16::device::fully_connected").arena("i16"), 0)).region();
            with_words(s, sizes(call, *inputs, *outputs).wide_clamp(*clamp))
        }
        Kernel::FullyConnectedI16 { inputs, outputs, quant } => {
            let call = s.output(s.input(s.call("int16::fully_connected").arena("i16"), 0)).region();
            let call = sizes(call, *inputs, *outputs).by_value("weight_zero", "i32", atom(0));
            weights_i16(s, call.wide_quant(quant))
        }
        Kernel::Conv2dF32 { window, clamp } => windowed_f32(s, "float::conv2d", window, *clamp),
        Kernel::DepthwiseF32 { window, clamp } => windowed_f32(s, "float::depthwise", window, *clamp),
        Kernel::TransposeConvF32 { window, clamp } => windowed_f32(s, "float::transpose_conv", window, *clamp),
        Kernel::Conv2dHybrid { window, clamp, weight_scale } => {
            let call = s.output(s.input(s.call("float::conv2d_hybrid").arena("f32"), 0)).region();
            let call = call.window(window).clamp(*clamp).by_value("weight_scale", "f32", real(*weight_scale));
            s.constant(s.constant(call, "weights", 0, "i8"), "bias", 1, "f32")
        }
        Kernel::FullyConnectedF32 { inputs, outputs, clamp } => {
            let call = s.output(s.input(s.call("float::fully_connected").arena("f32"), 0)).region();
            weights_f32(s, sizes(call, *inputs, *outputs).clamp(*clamp))
        }
        Kernel::PoolI8 { kind, window, clamp } => {
            let function = match kind {
                PoolKind::Average => "int8::average_pool",
                PoolKind::Max => "int8::max_pool",
            };
            let call = s.output(s.input(s.call(function).arena("i8"), 0)).region();
            call.window(window).stored_clamp("i8", *clamp)
        }
        Kernel::PoolI16 { kind, window, clamp } => {
            let function = match kind {
                PoolKind::Average => "int16::average_pool",
                PoolKind::Max => "int16::max_pool",
            };
            let call = s.output(s.input(s.call(function).arena("i16"), 0)).region();
            call.window(window).stored_clamp("i16", *clamp)
        }
        Kernel::PoolF32 { kind, window, clamp } => {
            let function = match kind {
                PoolKind::Average => "float::average_pool",
                PoolKind::Max => "float::max_pool",
            };
            s.output(s.input(s.call(function).arena("f32"), 0)).region().window(window).clamp(*clamp)
        }
        Kernel::Elementwise(kernel) => elementwise::call(s, kernel),
        Kernel::Movement(kernel) => movement::call(s, kernel),
        Kernel::Reduction(kernel) => reduction::call(s, kernel),
        Kernel::ResizeI8 { scales } => resize(s, "int8::resize_bilinear", "i8", scales),
        Kernel::ResizeI16 { scales } => resize(s, "int16::resize_bilinear", "i16", scales),
        Kernel::ResizeF32 { scales } => {
            let scale = |s: &float::Scale| {
                structure(
                    "float::Scale",
                    vec![
                        ("input", atom(s.input)),
                        ("output", atom(s.output)),
                        ("step", real(s.step)),
                        ("half_pixel_centers", atom(s.half_pixel_centers)),
                    ],
                )
            };
            let call = s.output(s.input(s.call("float::resize_bilinear").arena("f32"), 0)).region();
            let scales = array(scales.iter().map(scale));
            call.count("depth", s.depth()).by_reference("scales", "[float::Scale; 2]", scales)
        }
    }
}

/// RESIZE_BILINEAR of integers.
fn resize(s: &Site, function: &'static str, element: &str, scales: &[int8::Scale; 2]) -> Call {
    let scale = |s: &int8::Scale| {
        let fields = vec![
            ("input", atom(s.input)),
            ("output", atom(s.output)),
            ("step", atom(s.step)),
            ("start", atom(s.start)),
        ];
        structure("int8::Scale", fields)
    };
    let call = s.output(s.input(s.call(function).arena(element), 0)).region();
    let scales = array(scales.iter().map(scale));
    call.count("depth", s.depth()).by_reference("scales", "[int8::Scale; 2]", scales)
}

/// An int8 kernel with a window and weights.
fn windowed_i8(s: &Site, function: &'static str, window: &Window2d, quant: &Int8) -> Call {
    weights_i8(s, s.output(s.input(s.call(function).arena("i8"), 0)).region().window(window).quant(quant))
}

/// A device kernel on int16 with a window.
fn device_i16(s: &Site, function: &'static str, window: &Window2d, clamp: int16::device::Clamp) -> Call {
    let call = s.output(s.input(s.call(function).arena("i16"), 0)).region();
    with_words(s, s.scratch(call, 2).window(window).wide_clamp(clamp))
}

/// The weights and the words of the channels of a device kernel on int16.
fn with_words(s: &Site, call: Call) -> Call {
    s.constant(s.constant(call, "weights", 0, "i8"), "words", 1, "u32")
}

/// An int16 kernel with a window and weights.
fn windowed_i16(s: &Site, function: &'static str, window: &Window2d, quant: &Int16) -> Call {
    weights_i16(s, s.output(s.input(s.call(function).arena("i16"), 0)).region().window(window).wide_quant(quant))
}

/// A device kernel with a window and weights, but for its constants.
fn device_windowed(s: &Site, function: &'static str, window: &Window2d, input_zero: i8, finish: &Finish) -> Call {
    let call = s.output(s.input(s.call(function).arena("i8"), 0)).region();
    s.scratch(call, 1).window(window).by_value("input_zero", "i8", atom(input_zero)).finish(finish)
}

/// A float32 kernel with a window and weights.
fn windowed_f32(s: &Site, function: &'static str, window: &Window2d, clamp: Clamp) -> Call {
    weights_f32(s, s.output(s.input(s.call(function).arena("f32"), 0)).region().window(window).clamp(clamp))
}

fn weights_i8(s: &Site, call: Call) -> Call {
    s.channels(s.constant(call, "weights", 0, "i8"), "int8", "i32")
}

fn weights_i16(s: &Site, call: Call) -> Call {
    s.channels(s.constant(call, "weights", 0, "i8"), "int16", "i64")
}

fn weights_f32(s: &Site, call: Call) -> Call {
    s.constant(s.constant(call, "weights", 0, "f32"), "bias", 1, "f32")
}

fn sizes(call: Call, inputs: usize, outputs: usize) -> Call {
    call.by_value("sizes", "[usize; 2]", numbers([inputs, outputs]))
}
