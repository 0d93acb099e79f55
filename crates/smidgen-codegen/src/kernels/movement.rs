//! Calls of the kernels that move elements.

use crate::call::{Call, Site};
use crate::value::{array, atom, call as invoke, numbers, slice, structure};
use smidgen_kernels::movement::Axis;
use smidgen_plan::kernel::{AxisIndex, Movement};

pub(super) fn call(s: &Site, kernel: &Movement) -> Call {
    match kernel {
        Movement::Gather { element, input, index, fill } => {
            let mut tables = 0;
            let index = index.each_ref().map(|index| match index {
                AxisIndex::Affine { start, stride, divide } => structure(
                    "movement::Index::Affine",
                    vec![("start", atom(start)), ("stride", atom(stride)), ("divide", atom(divide))],
                ),
                AxisIndex::Table(_) => {
                    tables += 1;
                    invoke("movement::Index::Table", vec![s.plain_constant(tables - 1, "i32")])
                }
            });
            let what = structure(
                "movement::Gather",
                vec![
                    ("input", numbers([input.rows, input.cols, input.depth])),
                    ("depth", atom(s.depth())),
                    ("element", atom(element.bits().div_ceil(8))),
                    ("index", array(index)),
                    ("fill", numbers(*fill)),
                ],
            );
            let call = s.output_bytes(s.input_bytes(s.call("movement::gather").arena("u8"), 0)).region();
            call.by_reference("what", "movement::Gather<'static, Certified>", what)
        }
        Movement::Concat { element, axis, sizes } => {
            let bytes = element.bits().div_ceil(8);
            let (axis, pixel) = match axis {
                Axis::Depth => ("movement::Axis::Depth", bytes),
                Axis::Rows => ("movement::Axis::Rows", s.depth() * bytes),
                Axis::Cols => ("movement::Axis::Cols", s.depth() * bytes),
            };
            let call = s.pieces(s.call("movement::concat").arena("u8"), sizes, bytes);
            s.output_bytes(call.by_value("axis", "movement::Axis", atom(axis))).region().count("pixel", pixel)
        }
        Movement::Permute { element, dims, first, strides, .. } => {
            let call = s.call("movement::permute").arena("u8").count("input", s.input_base(0, true));
            let call = call.count("output", s.output_base(true)).count("element", element.bits().div_ceil(8));
            let call = call.by_value("dims", "&'static [usize]", slice(dims.iter().map(atom))).count("first", *first);
            call.by_value("strides", "&'static [isize]", slice(strides.iter().map(atom)))
        }
    }
}
