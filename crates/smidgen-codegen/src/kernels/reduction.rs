//! Calls of the kernels of MEAN, SUM and ARG_MAX.

use super::elementwise::stored;
use crate::call::{Call, Site, factor, real, rounding};
use crate::value::{Value, atom, call as invoke, numbers, slice, structure};
use smidgen_kernels::int8::{Reading, Reduce};
use smidgen_kernels::int16;
use smidgen_plan::Extent;
use smidgen_plan::kernel::{Axes, Reduction};

pub(super) fn call(s: &Site, kernel: &Reduction) -> Call {
    let image = |function, element: &str, input: &Extent, state: usize| {
        let call = s.output(s.input(s.call(function).arena(element), 0)).rows();
        s.state(call.by_value("sizes", "[usize; 3]", numbers([input.rows, input.cols, input.depth])), state)
    };
    let any = |function, element: &str, kept: &Axes, of: &Axes| {
        let call = s.call(function).arena(element).count("input", s.input_base(0, false));
        let call = call.count("output", s.output_base(false));
        call.by_value("kept", AXES, axes(kept)).by_value("reduced", AXES, axes(of))
    };
    match kernel {
        Reduction::ImageI8 { input, reduce } => {
            image("int8::reduce_image", "u8", input, 1).by_reference("reduce", "int8::Reduce", reduction(reduce))
        }
        Reduction::PoolI8 { input, clamp } => image("int8::average_image", "i8", input, 1).stored_clamp("i8", *clamp),
        Reduction::ImageI16 { input, reduce } => {
            image("int16::reduce_image", "i16", input, 2).by_reference("reduce", "int16::Reduce", wide(reduce))
        }
        Reduction::PoolI16 { input, clamp } => {
            image("int16::average_image", "i16", input, 2).stored_clamp("i16", *clamp)
        }
        Reduction::ImageF32 { input, divisor } => {
            image("float::reduce_image", "f32", input, 4).by_value("divisor", "f32", real(*divisor))
        }
        Reduction::AnyI8 { kept, reduced, reduce } => {
            any("int8::reduce", "u8", kept, reduced).by_reference("reduce", "int8::Reduce", reduction(reduce))
        }
        Reduction::AnyI16 { kept, reduced, reduce } => {
            any("int16::reduce", "i16", kept, reduced).by_reference("reduce", "int16::Reduce", wide(reduce))
        }
        Reduction::AnyF32 { kept, reduced, divisor } => {
            any("float::reduce", "f32", kept, reduced).by_value("divisor", "f32", real(*divisor))
        }
        Reduction::ArgMax { shape, from, to } => {
            let call = s.call("convert::arg_max").arena("u8").count("input", s.input_base(0, false));
            let call = call.count("output", s.output_base(false)).by_value("shape", "[usize; 3]", numbers(shape));
            call.by_value("from", "Stored", stored(*from)).by_value("to", "Stored", stored(*to))
        }
    }
}

const AXES: &str = "(&'static [usize], &'static [isize])";

fn axes(axes: &Axes) -> Value {
    invoke("", vec![slice(axes.dims.iter().map(atom)), slice(axes.strides.iter().map(atom))])
}

fn wide(r: &int16::Reduce) -> Value {
    structure("int16::Reduce", vec![("factor", factor(r.factor)), ("rounding", rounding(r.rounding))])
}

fn reduction(r: &Reduce) -> Value {
    let reading = match r.reading {
        Reading::Signed => "int8::Reading::Signed",
        Reading::Unsigned => "int8::Reading::Unsigned",
    };
    structure(
        "int8::Reduce",
        vec![
            ("zeros", atom(r.zeros)),
            ("factor", factor(r.factor)),
            ("output_zero", atom(r.output_zero)),
            ("reading", atom(reading)),
            ("rounding", rounding(r.rounding)),
        ],
    )
}
