//! Operators that move elements: Transpose, Reshape and its kin, Concat, Pad, Tile, Expand, the two between depth and space.

use super::arithmetic::binary;
use super::{FIXED_PARAMETERS, Outputs, rows};
use crate::call::{Call, Value};
use crate::constant::{Constant, Element};
use crate::emit::{Active, identity};
use crate::node_error::NodeError;
use smidgen_ir::{Activation, BinaryKind, ElementType, Op, PadValue};

rows! {
    "CenterCropPad" MOVE center_crop_pad, "constant shape";
    "Concat" MOVE concat, "any axis";
    "DepthToSpace" MOVE depth_to_space, "DCR and CRD";
    "Expand" MOVE expand, "constant shape";
    "Flatten" MOVE reshape, "any axis";
    "Pad" MOVE pad, "with a constant, an edge, what it mirrors or the other end; negative padding cuts";
    "Reshape" MOVE reshape, "constant shape";
    "SpaceToDepth" MOVE space_to_depth, "";
    "Squeeze" MOVE reshape, "constant axes";
    "Tile" MOVE tile, "constant counts";
    "Transpose" MOVE transpose, "any permutation, mostly for free";
    "Unsqueeze" MOVE reshape, "constant axes";
}

/// Only changes which of the file's axes lies where.
pub fn transpose(call: &mut Call<'_, '_>) -> Outputs {
    let x = call.active(0)?;
    let perm = permutation(call, x.layout.len())?;
    Ok(vec![Value::Active(permuted(&x, &perm))])
}

/// The permutation that a Transpose asks for: all axes reversed by default.
pub(crate) fn permutation(call: &Call<'_, '_>, rank: usize) -> Result<Vec<usize>, NodeError> {
    let Some(perm) = call.ints("perm")? else { return Ok((0..rank).rev().collect()) };
    let found = perm.iter().map(|&a| call.axis(a, rank)).collect::<Result<Vec<_>, _>>()?;
    let mut sorted = found.clone();
    sorted.sort_unstable();
    if sorted != identity(rank) {
        return Err(NodeError::Malformed(format!("{perm:?} does not name each of {rank} axes once")));
    }
    Ok(found)
}

/// With the file's axis `perm[i]` as axis `i`.
fn permuted(x: &Active, perm: &[usize]) -> Active {
    let new = |old: &usize| perm.iter().position(|p| p == old).unwrap_or(*old);
    Active { layout: x.layout.iter().map(new).collect(), ..x.clone() }
}

pub fn reshape(call: &mut Call<'_, '_>) -> Outputs {
    let x = call.active(0)?;
    let dims = super::shape::reshaped(call, &call.emit.dims(&x))?;
    Ok(vec![Value::Active(call.emit.reshape(&x, &dims)?)])
}

pub fn concat(call: &mut Call<'_, '_>) -> Outputs {
    let axis = call.int("axis")?.ok_or_else(|| NodeError::Malformed("it has no `axis`".into()))?;
    let mut parts = Vec::new();
    for i in 0..call.inputs.len() {
        if let Value::Active(x) = call.value(i)? {
            parts.push(x.clone());
        }
    }
    // The largest part stays as it lies.
    let size = |x: &Active| call.emit.graph.tensor(x.id).shape.elements();
    let leader = parts.iter().max_by_key(|x| size(x)).cloned();
    let Some(leader) = leader else {
        return Err(NodeError::unsupported("it joins constants of several types", FIXED_PARAMETERS));
    };
    let axis = call.axis(axis, leader.layout.len())?;
    let mut inputs = Vec::new();
    for i in 0..call.inputs.len() {
        let id = match call.value(i)?.clone() {
            Value::Active(x) if x.layout.len() == leader.layout.len() => call.emit.arrange(&x, &leader.layout)?.id,
            Value::Constant(c) if c.dims.len() == leader.layout.len() => call.emit.constant(&c, &leader.layout)?,
            Value::Missing => return Err(NodeError::Consequence),
            _ => return Err(NodeError::Malformed("its inputs have different numbers of dimensions".into())),
        };
        inputs.push(id);
    }
    let dtype = call.emit.dtype(&leader).clone();
    if inputs.iter().any(|&id| call.emit.graph.tensor(id).dtype.element() != dtype.element()) {
        return Err(NodeError::unsupported("its inputs have different types", FIXED_PARAMETERS));
    }
    let own = leader.layout.iter().position(|&a| a == axis).unwrap_or(axis);
    let id = call.emit.one(Op::Concatenation { axis: own, activation: Activation::None }, inputs, &dtype)?;
    Ok(vec![call.like(id, &leader)])
}

/// Tensors of one type joined along one of the file's axes, as the first lies.
pub(super) fn join(call: &mut Call<'_, '_>, parts: &[Active], axis: usize) -> Result<Active, NodeError> {
    let [first, ..] = parts else { return Err(NodeError::Malformed("it joins nothing".into())) };
    if parts.len() == 1 {
        return Ok(first.clone());
    }
    let mut inputs = Vec::with_capacity(parts.len());
    for part in parts {
        inputs.push(call.emit.arrange(part, &first.layout)?.id);
    }
    let own = first.layout.iter().position(|&a| a == axis).unwrap_or(axis);
    let dtype = call.emit.dtype(first).clone();
    let id = call.emit.one(Op::Concatenation { axis: own, activation: Activation::None }, inputs, &dtype)?;
    Ok(Active { id, ..first.clone() })
}

/// For each index of a padded axis of `size` indices the one that it is a copy of.
fn copied(mode: &str, size: usize, before: i64, after: i64) -> Option<Vec<usize>> {
    let size = i64::try_from(size).ok().filter(|&n| n > 0)?;
    let end = size.checked_add(after)?;
    // There and back again without the ends twice.
    let period = (2 * size - 2).max(1);
    let at = |i: i64| match mode {
        "edge" => i.clamp(0, size - 1),
        "wrap" => i.rem_euclid(size),
        _ => {
            let i = i.rem_euclid(period);
            i.min(period - i)
        }
    };
    Some((-before..end).map(|i| at(i) as usize).collect())
}

/// Pad by constants or by copies; negative padding cuts.
pub fn pad(call: &mut Call<'_, '_>) -> Outputs {
    let mode = call.text("mode")?.unwrap_or("constant");
    let x = call.active(0)?;
    let dims = call.emit.dims(&x);
    let rank = dims.len();
    if call.opset < 11 {
        // They were attributes.
        let pads = call.ints("pads")?.unwrap_or_default();
        let value = super::arithmetic::scalar(call.float("value", 0.0)?);
        let pads = Constant::from_i64(Element::I64, vec![pads.len()], pads.into_iter());
        call.inputs.truncate(1);
        call.inputs.extend([Some(Value::Constant(pads.into())), Some(value)]);
    }
    let pads = call.list(1, "its padding")?.ok_or_else(|| NodeError::Malformed("it has no padding".into()))?;
    let axes = match call.list(3, "its list of axes")? {
        Some(axes) => axes.iter().map(|&a| call.axis(a, rank)).collect::<Result<Vec<_>, _>>()?,
        None => identity(rank),
    };
    if pads.len() != 2 * axes.len() {
        return Err(NodeError::Malformed(format!("its padding has {} entries for {} axes", pads.len(), axes.len())));
    }
    if mode != "constant" {
        if !matches!(mode, "edge" | "reflect" | "wrap") {
            return Err(NodeError::unsupported(format!("its mode is {mode:?}"), "pad with a constant"));
        }
        let mut x = x;
        for (i, &axis) in axes.iter().enumerate() {
            let [before, after] = [pads[i], pads[i + axes.len()]];
            let limit = |pad: i64| pad.unsigned_abs() <= 1 << 16;
            let list = copied(mode, dims[axis], before, after).filter(|_| limit(before) && limit(after));
            let list = list.ok_or_else(|| NodeError::Malformed(format!("its padding is {before} and {after}")))?;
            call.emit.budget.take(8 * list.len())?;
            x = super::pick::taken(call, &x, axis, &list)?;
        }
        return Ok(vec![Value::Active(x)]);
    }
    let fill = call.optional(2, "its fill")?;
    let element = call.emit.dtype(&x).element();
    // Integers between QuantizeLinear and DequantizeLinear are filled with the stored 0, whatever it stands for.
    let shift = if x.element == Element::U8 { 128 } else { 0 };
    let value = match fill.as_deref() {
        None if call.emit.dtype(&x).quantisation().is_some() => PadValue::Integer(-shift),
        None => PadValue::Zero,
        Some(fill) if fill.count() != 1 => return Err(NodeError::Malformed("its fill is not one number".into())),
        Some(fill) if element == ElementType::Float32 => match fill.floats()[0] {
            0.0 => PadValue::Zero,
            real => PadValue::Float(real),
        },
        Some(fill) => match fill.ints().and_then(|v| i32::try_from(v[0]).ok()) {
            Some(integer) => PadValue::Integer(integer.saturating_sub(shift)),
            None => return Err(NodeError::unsupported("its fill is beyond 32 bits", FIXED_PARAMETERS)),
        },
    };
    let mut all = vec![[0; 2]; rank];
    for (i, &axis) in axes.iter().enumerate() {
        all[axis] = [pads[i], pads[i + axes.len()]];
    }
    Ok(vec![Value::Active(padded(call, &x, &all, value)?)])
}

/// A tensor padded by so many indices before and after each of the file's axes; a negative number cuts.
fn padded(call: &mut Call<'_, '_>, x: &Active, pads: &[[i64; 2]], value: PadValue) -> Result<Active, NodeError> {
    let dims = call.emit.dims(x);
    let rank = dims.len();
    let (mut begin, mut size, mut add) = (vec![0; rank], dims.clone(), vec![[0usize; 2]; rank]);
    for (axis, &[before, after]) in pads.iter().enumerate() {
        let cut = |pad: i64| if pad < 0 { pad.unsigned_abs() as usize } else { 0 };
        let grow = |pad: i64| usize::try_from(pad).unwrap_or(0);
        add[axis] = [grow(before), grow(after)];
        begin[axis] = cut(before);
        size[axis] = dims[axis].checked_sub(cut(before)).and_then(|n| n.checked_sub(cut(after))).unwrap_or(0);
        if size[axis] == 0 {
            return Err(NodeError::Malformed(format!(
                "its padding of {before} and {after} leaves nothing of axis {axis}"
            )));
        }
    }
    let own = |list: &[usize]| x.layout.iter().map(|&a| list[a]).collect::<Vec<usize>>();
    let dtype = call.emit.dtype(x).clone();
    let mut id = x.id;
    if size != dims {
        id = call.emit.one(Op::Slice { begin: own(&begin), size: own(&size) }, vec![id], &dtype)?;
    }
    if add.iter().any(|&pad| pad != [0, 0]) {
        let pads = x.layout.iter().map(|&a| add[a]).collect();
        id = call.emit.one(Op::Pad { pads, value }, vec![id], &dtype)?;
    }
    Ok(Active { id, ..x.clone() })
}

/// The middle of some axes, or with zeros around it, so that they have the sizes asked for.
pub fn center_crop_pad(call: &mut Call<'_, '_>) -> Outputs {
    let x = call.active(0)?;
    let dims = call.emit.dims(&x);
    let axes = match call.ints("axes")? {
        Some(axes) => axes.iter().map(|&a| call.axis(a, dims.len())).collect::<Result<Vec<_>, _>>()?,
        None => identity(dims.len()),
    };
    let shape = call.list(1, "its shape")?.unwrap_or_default();
    if shape.len() != axes.len() || shape.iter().any(|&size| !(1..=i64::from(i32::MAX)).contains(&size)) {
        return Err(NodeError::Malformed(format!("its shape is {shape:?} for {} axes", axes.len())));
    }
    let mut pads = vec![[0; 2]; dims.len()];
    for (&axis, &size) in axes.iter().zip(&shape) {
        let more = size - dims[axis] as i64;
        // Of an odd number the smaller part comes first, on either way.
        let before = more / 2;
        pads[axis] = [before, more - before];
    }
    Ok(vec![Value::Active(padded(call, &x, &pads, PadValue::Zero)?)])
}

/// Most copies that one axis may become.
const MOST_COPIES: i64 = 1024;

pub fn tile(call: &mut Call<'_, '_>) -> Outputs {
    let x = call.active(0)?;
    let repeats = call.list(1, "its number of copies")?.unwrap_or_default();
    copies(call, &x, &repeats)
}

/// So many copies along each of the file's axes.
fn copies(call: &mut Call<'_, '_>, x: &Active, repeats: &[i64]) -> Outputs {
    if repeats.len() != x.layout.len() {
        return Err(NodeError::Malformed(format!("it has {} counts for {} axes", repeats.len(), x.layout.len())));
    }
    let dtype = call.emit.dtype(x).clone();
    let mut id = x.id;
    for (own, &axis) in x.layout.iter().enumerate() {
        match repeats[axis] {
            1 => {}
            n if (2..=MOST_COPIES).contains(&n) => {
                let copies = vec![id; n as usize];
                id = call.emit.one(Op::Concatenation { axis: own, activation: Activation::None }, copies, &dtype)?;
            }
            n => {
                return Err(NodeError::unsupported(format!("it makes {n} copies along axis {axis}"), FIXED_PARAMETERS));
            }
        }
    }
    Ok(vec![call.like(id, x)])
}

/// Expand, as a product with ones; of what is not float32 as copies.
pub fn expand(call: &mut Call<'_, '_>) -> Outputs {
    let x = call.active(0)?;
    let shape = call.list(1, "its shape")?.unwrap_or_default();
    let Some((shape, count)) = crate::constant::dims_of(&shape) else {
        return Err(NodeError::Malformed(format!("its shape {shape:?} is impossible")));
    };
    let dims = call.emit.dims(&x);
    let rank = dims.len().max(shape.len());
    let at = |of: &[usize], i: usize| (i + of.len()).checked_sub(rank).map_or(1, |i| of[i]);
    if (0..rank).all(|i| matches!(at(&shape, i), s if s == 1 || s == at(&dims, i))) {
        let lifted: Vec<usize> = (0..rank).map(|i| at(&dims, i)).collect();
        return Ok(vec![Value::Active(call.emit.reshape(&x, &lifted)?)]);
    }
    if call.emit.dtype(&x).element() != ElementType::Float32 {
        let lifted: Vec<usize> = (0..rank).map(|i| at(&dims, i)).collect();
        let repeats: Vec<i64> = (0..rank).map(|i| if lifted[i] == 1 { at(&shape, i) as i64 } else { 1 }).collect();
        let x = call.emit.reshape(&x, &lifted)?;
        return copies(call, &x, &repeats);
    }
    let x = call.float_input(0)?;
    call.emit.budget.take(count.saturating_mul(12))?;
    let ones = Constant::from_f64(Element::F32, shape, std::iter::repeat_n(1.0, count));
    Ok(vec![binary(call, BinaryKind::Mul, &Value::Active(x), &Value::Constant(ones.into()))?])
}

/// Splits the channels of an image, moves axes, joins them: `split` are the sizes after, `perm` the order before joining to `dims`.
fn rearranged(call: &mut Call<'_, '_>, x: &Active, split: &[usize], perm: &[usize], dims: &[usize]) -> Outputs {
    let x = call.emit.reshape(x, split)?;
    let x = permuted(&x, perm);
    Ok(vec![Value::Active(call.emit.reshape(&x, dims)?)])
}

fn image(call: &mut Call<'_, '_>) -> Result<(Active, [usize; 4], usize), NodeError> {
    let x = call.active(0)?;
    let block = call.int("blocksize")?.and_then(|b| usize::try_from(b).ok()).filter(|&b| b > 0);
    let block = block.ok_or_else(|| NodeError::Malformed("its block size is impossible".into()))?;
    match *call.emit.dims(&x) {
        [n, c, h, w] => Ok((x, [n, c, h, w], block)),
        ref dims => Err(NodeError::Malformed(format!("its input has {} dimensions", dims.len()))),
    }
}

pub fn depth_to_space(call: &mut Call<'_, '_>) -> Outputs {
    let (x, [n, c, h, w], b) = image(call)?;
    let square = b.checked_mul(b).filter(|&s| c.is_multiple_of(s));
    let square = square.ok_or_else(|| NodeError::Malformed(format!("{c} channels do not make blocks of {b}")))?;
    let (split, perm) = match call.text("mode")?.unwrap_or("DCR") {
        "CRD" => ([n, c / square, b, b, h, w], [0, 1, 4, 2, 5, 3]),
        _ => ([n, b, b, c / square, h, w], [0, 3, 4, 1, 5, 2]),
    };
    rearranged(call, &x, &split, &perm, &[n, c / square, h * b, w * b])
}

pub fn space_to_depth(call: &mut Call<'_, '_>) -> Outputs {
    let (x, [n, c, h, w], b) = image(call)?;
    if h % b != 0 || w % b != 0 {
        return Err(NodeError::Malformed(format!("an image of {h}x{w} cannot be cut into blocks of {b}")));
    }
    let perm = match call.text("mode")?.unwrap_or("DCR") {
        "CRD" => [0, 1, 3, 5, 2, 4],
        _ => [0, 3, 5, 1, 2, 4],
    };
    rearranged(call, &x, &[n, c, h / b, b, w / b, b], &perm, &[n, c * b * b, h / b, w / b])
}
