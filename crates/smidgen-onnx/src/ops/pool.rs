//! MaxPool, AveragePool and the global pools.

use super::activation::{apply, of};
use super::arithmetic::{binary, scalar};
use super::image::{Image, Windowing};
use super::{FIXED_PARAMETERS, Outputs, rows};
use crate::call::{Call, Value};
use crate::emit::Active;
use crate::node_error::NodeError;
use smidgen_ir::{Activation, BinaryKind, DataType, Function, Op, PadValue, Padding, PoolKind, ReduceKind, UnaryKind};

rows! {
    "AveragePool" INTEGER average_pool, "images and lines; ceil_mode; no dilation";
    "GlobalAveragePool" INTEGER global_average_pool, "";
    "GlobalMaxPool" INTEGER global_max_pool, "images and lines";
    "LpPool" COMPUTE lp_pool, "images and lines; p of 1 and 2; no dilation";
    "MaxPool" INTEGER max_pool, "images and lines; ceil_mode; no dilation, no indices";
}

const FLOAT: &DataType = &DataType::FLOAT32;

pub fn max_pool(call: &mut Call<'_, '_>) -> Outputs {
    if call.node.outputs.iter().skip(1).any(|name| !name.is_empty()) {
        return Err(NodeError::unsupported("it is asked for the indices of the greatest elements", FIXED_PARAMETERS));
    }
    let x = call.float_input(0)?;
    Ok(vec![Value::Active(pool(call, PoolKind::Max, &x, false)?)])
}

pub fn average_pool(call: &mut Call<'_, '_>) -> Outputs {
    let x = call.float_input(0)?;
    let counted = call.flag("count_include_pad", false)?;
    Ok(vec![Value::Active(pool(call, PoolKind::Average, &x, counted)?)])
}

/// The sum of magnitudes, or the root of that of squares, under each window: averages in which the padding counts, times the window's size.
pub fn lp_pool(call: &mut Call<'_, '_>) -> Outputs {
    let x = call.float_input(0)?;
    let p = call.int("p")?.unwrap_or(2);
    let function = match p {
        1 => Function::Abs,
        2 => Function::Square,
        _ => return Err(NodeError::unsupported(format!("its order is {p}"), "use 1 or 2")),
    };
    let powers = apply(call, &x, UnaryKind::Function(function))?;
    let average = Value::Active(pool(call, PoolKind::Average, &powers, true)?);
    let area: i64 = call.ints("kernel_shape")?.unwrap_or_default().iter().product();
    let sum = binary(call, BinaryKind::Mul, &average, &scalar(area as f32))?;
    Ok(vec![if p == 2 { of(call, &sum, UnaryKind::Function(Function::Sqrt))? } else { sum }])
}

/// `counted`: whether the padding counts as zeros in averages.
fn pool(call: &mut Call<'_, '_>, kind: PoolKind, x: &Active, counted: bool) -> Result<Active, NodeError> {
    let mut image = Image::of(call, x)?;
    let kernel = call.ints("kernel_shape")?.ok_or_else(|| NodeError::Malformed("it has no `kernel_shape`".into()))?;
    let window = image.pair(Some(kernel), 1, "kernel_shape")?;
    let mut windowing = Windowing::of(call, &image, window)?;
    if windowing.dilation != [1, 1] {
        return Err(NodeError::unsupported("its window is dilated", FIXED_PARAMETERS));
    }
    let mut beyond = [0; 2];
    if call.flag("ceil_mode", false)? {
        beyond = [0, 1].map(|axis| rounding_up(&image, &windowing, axis));
    }
    if kind == PoolKind::Average && counted && [windowing.before, windowing.after] != [[0; 2]; 2] {
        // The padding counts, so it becomes pixels.
        let [top, left] = windowing.before;
        let [bottom, right] = windowing.after;
        let pads = vec![[0, 0], [top, bottom], [left, right], [0, 0]];
        image.id = call.emit.one(Op::Pad { pads, value: PadValue::Zero }, vec![image.id], FLOAT)?;
        image.dims[1] = image.dims[1].saturating_add(top + bottom);
        image.dims[2] = image.dims[2].saturating_add(left + right);
        (windowing.before, windowing.after) = ([0; 2], [0; 2]);
    }
    for (after, beyond) in windowing.after.iter_mut().zip(beyond) {
        *after += beyond;
    }
    let padding = windowing.padding(&image);
    if let Padding::Explicit { top, bottom, left, right } = padding
        && (top >= window[0] || bottom >= window[0] || left >= window[1] || right >= window[1])
    {
        return Err(NodeError::Malformed(format!("its padding is wider than its window of {window:?}")));
    }
    let op = Op::Pool2d { kind, window, stride: windowing.stride, padding, activation: Activation::None };
    let id = call.emit.one(op, vec![image.id], FLOAT)?;
    image.result(call, id)
}

/// Further padding that makes room for a last window that begins inside the padded image but ends outside.
fn rounding_up(image: &Image, windowing: &Windowing, axis: usize) -> usize {
    let size = image.dims[axis + 1];
    let padded = size.saturating_add(windowing.before[axis]).saturating_add(windowing.after[axis]);
    let Some(room) = padded.checked_sub(windowing.kernel[axis]) else { return 0 };
    let stride = windowing.stride[axis];
    let more = room.div_ceil(stride) * stride - room;
    // A window that would begin behind the image is left out.
    let begins = room.div_ceil(stride) * stride;
    if begins >= size.saturating_add(windowing.before[axis]) { 0 } else { more }
}

pub fn global_average_pool(call: &mut Call<'_, '_>) -> Outputs {
    let x = call.float_input(0)?;
    let rank = x.layout.len();
    if rank < 3 {
        return Err(NodeError::Malformed(format!("its input has {rank} dimensions")));
    }
    let axes: Vec<usize> = (0..rank).filter(|&i| x.layout[i] >= 2).collect();
    let id = call.emit.one(Op::Reduce { kind: ReduceKind::Mean, axes, keep_dims: true }, vec![x.id], FLOAT)?;
    Ok(vec![call.like(id, &x)])
}

pub fn global_max_pool(call: &mut Call<'_, '_>) -> Outputs {
    let x = call.float_input(0)?;
    let image = Image::of(call, &x)?;
    let window = [image.dims[1], image.dims[2]];
    let (stride, padding) = ([1, 1], Padding::Valid);
    let op = Op::Pool2d { kind: PoolKind::Max, window, stride, padding, activation: Activation::None };
    let id = call.emit.one(op, vec![image.id], FLOAT)?;
    Ok(vec![Value::Active(image.result(call, id)?)])
}
