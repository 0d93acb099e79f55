//! Operators that only move elements.

use crate::draw::{Builder, Draw, Numbers};
use smidgen_ir::{Activation, AxisSlice, Graph, Op, PadValue, ReshapeKind};

fn pads(draw: &mut Draw, rank: usize) -> Vec<[usize; 2]> {
    let spatial = rank == 4 && draw.chance(50);
    (0..rank)
        .map(|axis| if spatial && (axis == 0 || axis == 3) { [0, 0] } else { [draw.between(0, 3), draw.between(0, 3)] })
        .collect()
}

pub fn pad(draw: &mut Draw) -> Option<Graph> {
    let x = draw.dtype();
    let shape = draw.dims(1, 5);
    let op = Op::Pad { pads: pads(draw, shape.len()), value: PadValue::Zero };
    Builder::default().input(shape, x.clone()).finish(op, x)
}

pub fn padv2(draw: &mut Draw) -> Option<Graph> {
    let x = draw.dtype();
    let shape = draw.dims(1, 5);
    let value = match draw.numbers {
        Numbers::Int8 => PadValue::Integer(draw.zero_point()),
        Numbers::Uint8 => PadValue::Integer(draw.between(0, 255) as i32),
        Numbers::Int16 => PadValue::Integer(draw.between(0, 65535) as i32 - 32768),
        Numbers::Float => PadValue::Float(draw.float(-10.0, 10.0)),
    };
    let op = Op::Pad { pads: pads(draw, shape.len()), value };
    Builder::default().input(shape, x.clone()).finish(op, x)
}

/// Dimensions with as many elements: the factors are dealt out anew.
pub fn reshape(draw: &mut Draw) -> Option<Graph> {
    let x = draw.dtype();
    let from = draw.dims(1, 5);
    let mut to = vec![1; draw.between(1, 5)];
    for mut n in from.iter().copied() {
        let mut factor = 2;
        while n > 1 {
            if n % factor == 0 {
                let axis = draw.between(0, to.len() - 1);
                to[axis] *= factor;
                n /= factor;
            } else {
                factor += 1;
            }
        }
    }
    Builder::default().input(from, x.clone()).finish(Op::Reshape { kind: ReshapeKind::Reshape, shape: to }, x)
}

pub fn squeeze(draw: &mut Draw) -> Option<Graph> {
    let x = draw.dtype();
    let mut from = draw.dims(1, 3);
    let mut to = from.clone();
    for _ in 0..draw.between(1, 2) {
        from.insert(draw.between(0, from.len()), 1);
    }
    if draw.chance(20) {
        // Not every axis of size 1 has to go.
        to.insert(0, 1);
        from.insert(0, 1);
    }
    Builder::default().input(from, x.clone()).finish(Op::Reshape { kind: ReshapeKind::Squeeze, shape: to }, x)
}

pub fn expand_dims(draw: &mut Draw) -> Option<Graph> {
    let x = draw.dtype();
    let from = draw.dims(1, 4);
    let mut to = from.clone();
    to.insert(draw.between(0, to.len()), 1);
    Builder::default().input(from, x.clone()).finish(Op::Reshape { kind: ReshapeKind::ExpandDims, shape: to }, x)
}

pub fn transpose(draw: &mut Draw) -> Option<Graph> {
    let x = draw.dtype();
    let shape = draw.dims(1, 6);
    let mut perm: Vec<usize> = (0..shape.len()).collect();
    for i in (1..perm.len()).rev() {
        perm.swap(i, draw.between(0, i));
    }
    Builder::default().input(shape, x.clone()).finish(Op::Transpose { perm }, x)
}

pub fn concatenation(draw: &mut Draw) -> Option<Graph> {
    let x = draw.dtype();
    let shape = draw.dims(1, 5);
    let axis = draw.between(0, shape.len() - 1);
    let parts = draw.between(1, 4);
    let constant = if draw.chance(25) { draw.between(1, 4) } else { parts };
    let mut builder = Builder::default();
    for i in 0..parts {
        let mut part = shape.clone();
        part[axis] = draw.dim(9);
        // Of uint8, each may have a scale of its own.
        let dtype = if draw.numbers == Numbers::Uint8 { draw.dtype_like(&x) } else { x.clone() };
        builder = if i == constant {
            let data = draw.constant("part", part, dtype);
            builder.constant(data)
        } else {
            builder.input(part, dtype)
        };
    }
    builder.finish(Op::Concatenation { axis, activation: Activation::None }, x)
}

pub fn split(draw: &mut Draw) -> Option<Graph> {
    let x = draw.dtype();
    let mut shape = draw.dims(1, 4);
    let axis = draw.between(0, shape.len() - 1);
    let parts = draw.between(1, 4);
    shape[axis] = shape[axis].min(9) * parts;
    Builder::default().input(shape, x.clone()).finish(Op::Split { axis, parts }, x)
}

pub fn pack(draw: &mut Draw) -> Option<Graph> {
    let x = draw.dtype();
    let shape = draw.dims(1, 4);
    let axis = draw.between(0, shape.len());
    let mut builder = Builder::default();
    for _ in 0..draw.between(1, 4) {
        builder = builder.input(shape.clone(), x.clone());
    }
    builder.finish(Op::Pack { axis }, x)
}

pub fn unpack(draw: &mut Draw) -> Option<Graph> {
    let x = draw.dtype();
    let mut shape = draw.dims(1, 4);
    let axis = draw.between(0, shape.len() - 1);
    shape[axis] = shape[axis].min(5);
    Builder::default().input(shape, x.clone()).finish(Op::Unpack { axis }, x)
}

pub fn slice(draw: &mut Draw) -> Option<Graph> {
    let x = draw.dtype();
    let shape = draw.dims(1, 5);
    let size: Vec<usize> = shape.iter().map(|&n| draw.between(1, n)).collect();
    let begin = shape.iter().zip(&size).map(|(&n, &len)| draw.between(0, n - len)).collect();
    Builder::default().input(shape, x.clone()).finish(Op::Slice { begin, size }, x)
}

pub fn strided_slice(draw: &mut Draw) -> Option<Graph> {
    let x = draw.dtype();
    let shape = draw.dims(1, 5);
    let axes = shape.iter().map(|&n| axis_slice(draw, n)).collect();
    Builder::default().input(shape, x.clone()).finish(Op::StridedSlice { axes }, x)
}

fn axis_slice(draw: &mut Draw, n: usize) -> AxisSlice {
    let start = draw.between(0, n - 1);
    if draw.chance(15) {
        return AxisSlice { start, stride: 1, len: 1, shrink: true };
    }
    let step = draw.between(1, 3);
    let backwards = draw.chance(35);
    let room = if backwards { start } else { n - 1 - start };
    let len = draw.between(1, room / step + 1);
    let stride = if backwards { -(step as isize) } else { step as isize };
    AxisSlice { start, stride, len, shrink: false }
}
