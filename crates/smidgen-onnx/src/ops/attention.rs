//! Attention: scaled products of queries and keys, masked, normalised, times values.

use super::activation::of;
use super::arithmetic::{binary, dims, scalar};
use super::logic::{choose, compare};
use super::matrix::{product, reshaped};
use super::movement::join;
use super::pick::part;
use super::{FIXED_PARAMETERS, Outputs, rows};
use crate::call::{Call, Value};
use crate::constant::{Constant, Element};
use crate::emit::Active;
use crate::node_error::NodeError;
use smidgen_ir::{BinaryKind, CompareKind, DataType, Op, ReduceKind, UnaryKind};

rows! {
    "Attention" COMPUTE attention, "";
    "RotaryEmbedding" COMPUTE rotary_embedding, "constant positions";
}

/// The sizes of an attention's tensors.
#[derive(Clone, Copy)]
struct Sizes {
    batch: usize,
    /// Heads of queries, and of keys and values.
    heads: [usize; 2],
    /// Queries, and keys with those of the past.
    length: [usize; 2],
    /// Keys of the past.
    past: usize,
}

/// An operand as `[batch, heads, length, size]`; those of three axes hold the heads side by side.
fn by_heads(call: &mut Call<'_, '_>, i: usize, heads: Option<usize>) -> Result<Active, NodeError> {
    let x = call.float_input(i)?;
    let shape = call.emit.dims(&x);
    match (&shape[..], heads) {
        ([_, _, _, _], _) => Ok(x),
        (&[batch, length, all], Some(heads)) if heads > 0 && all.is_multiple_of(heads) => {
            let x = call.emit.reshape(&x, &[batch, length, heads, all / heads])?;
            Ok(turned(&x))
        }
        _ => Err(NodeError::Malformed(format!("its input {i} has the shape {shape:?}"))),
    }
}

/// With the two middle ones of four axes the other way round.
fn turned(x: &Active) -> Active {
    let layout = x.layout.iter().map(|&a| [0, 2, 1, 3][a]).collect();
    Active { layout, ..x.clone() }
}

/// 0 where the question holds for a query's and a key's place, minus infinity elsewhere.
fn mask(call: &mut Call<'_, '_>, sizes: &Sizes, holds: impl Fn(i64, i64) -> bool) -> Result<Value, NodeError> {
    let [queries, keys] = sizes.length;
    call.emit.budget.take(queries.saturating_mul(keys).saturating_mul(12))?;
    let at = |i: usize| {
        let (query, key) = ((i / keys + sizes.past) as i64, (i % keys) as i64);
        if holds(query, key) { 0.0 } else { f64::NEG_INFINITY }
    };
    Ok(Value::Constant(Constant::from_f64(Element::F32, vec![queries, keys], (0..queries * keys).map(at)).into()))
}

/// What is added to scores; `None` if nothing is.
fn bias(call: &mut Call<'_, '_>, sizes: &Sizes) -> Result<Option<Value>, NodeError> {
    let mut all = Vec::new();
    if call.has(3) {
        let mut given = call.value(3)?.clone();
        if given.element()? == Element::Bool {
            given = choose(call, &given, &scalar(0.0), &scalar(f32::NEG_INFINITY))?;
        }
        let shape = dims(call.emit, &given)?;
        let (Some(&own), keys) = (shape.last(), sizes.length[1]) else {
            return Err(NodeError::Malformed("its mask is a scalar".into()));
        };
        if own < keys {
            // Keys that the mask does not reach are not seen.
            let missing = [&shape[..shape.len() - 1], &[keys - own]].concat();
            let count: usize = missing.iter().product();
            call.emit.budget.take(count.saturating_mul(12))?;
            let missing = Constant::from_f64(Element::F32, missing, std::iter::repeat_n(f64::NEG_INFINITY, count));
            let mut parts = Vec::new();
            for part in [given, Value::Constant(missing.into())] {
                parts.push(match part {
                    Value::Active(x) => x,
                    Value::Constant(constant) => {
                        let layout = crate::emit::identity(constant.dims.len());
                        Active { id: call.emit.constant(&constant, &layout)?, layout, element: constant.element }
                    }
                    Value::Missing => return Err(NodeError::Consequence),
                });
            }
            given = Value::Active(join(call, &parts, shape.len() - 1)?);
        }
        all.push(given);
    }
    if call.has(6) {
        return Err(NodeError::unsupported("it counts the keys of each batch at run time", FIXED_PARAMETERS));
    }
    if call.flag("is_causal", false)? {
        all.push(mask(call, sizes, |query, key| key <= query)?);
    }
    let window = |name| Ok::<_, NodeError>(call.int(name)?.filter(|&n| n >= 0));
    let (left, right) = (window("left_window_size")?, window("right_window_size")?);
    if left.is_some() || right.is_some() {
        all.push(mask(call, sizes, |query, key| {
            left.is_none_or(|left| query - key <= left) && right.is_none_or(|right| key - query <= right)
        })?);
    }
    let mut sum = None;
    for next in all {
        sum = Some(match sum {
            None => next,
            Some(before) => binary(call, BinaryKind::Add, &before, &next)?,
        });
    }
    Ok(sum)
}

/// The rows of a bias in which every key is hidden: bool, one for each row. `None` if it is known that there is none.
fn hidden(call: &mut Call<'_, '_>, bias: &Value) -> Result<Option<Value>, NodeError> {
    if let Value::Constant(constant) = bias {
        let keys = constant.dims.last().copied().unwrap_or(1).max(1);
        let seen = |row: &[f32]| row.iter().any(|&v| v > f32::NEG_INFINITY);
        if constant.floats().chunks(keys).all(seen) {
            return Ok(None);
        }
    }
    let shape = dims(call.emit, bias)?;
    let x = match bias {
        Value::Active(x) => x.clone(),
        Value::Constant(constant) => {
            let layout = crate::emit::identity(shape.len());
            Active { id: call.emit.constant(constant, &layout)?, layout, element: Element::F32 }
        }
        Value::Missing => return Err(NodeError::Consequence),
    };
    let own = x.layout.iter().position(|&a| a + 1 == shape.len()).unwrap_or(0);
    let op = Op::Reduce { kind: ReduceKind::Max, axes: vec![own], keep_dims: true };
    let id = call.emit.one(op, vec![x.id], &DataType::FLOAT32)?;
    let most = Value::Active(Active { id, ..x });
    Ok(Some(compare(call, CompareKind::Equal, &most, &scalar(f32::NEG_INFINITY))?))
}

pub fn attention(call: &mut Call<'_, '_>) -> Outputs {
    let heads = |name| Ok::<_, NodeError>(call.int(name)?.and_then(|n| usize::try_from(n).ok()));
    let (query_heads, key_heads) = (heads("q_num_heads")?, heads("kv_num_heads")?);
    let lines = call.float_input(0)?.layout.len() == 3;
    let query = by_heads(call, 0, query_heads)?;
    let mut state = [by_heads(call, 1, key_heads)?, by_heads(call, 2, key_heads)?];
    let mut past = 0;
    for (i, now) in state.iter_mut().enumerate() {
        if call.has(4 + i) {
            let before = call.float_input(4 + i)?;
            past = call.emit.dims(&before).get(2).copied().unwrap_or(0);
            *now = join(call, &[before, now.clone()], 2)?;
        }
    }
    let [key, value] = state;
    let (of_query, of_key, of_value) = (call.emit.dims(&query), call.emit.dims(&key), call.emit.dims(&value));
    let sizes = Sizes { batch: of_query[0], heads: [of_query[1], of_key[1]], length: [of_query[2], of_key[2]], past };
    let [outer, inner] = sizes.heads;
    let fits = of_key[3] == of_query[3]
        && [of_key[0], of_value[0]] == [sizes.batch; 2]
        && of_value[1] == inner
        && of_value[2] == of_key[2]
        && outer.is_multiple_of(inner);
    if !fits {
        return Err(NodeError::Malformed(format!("its operands are {of_query:?}, {of_key:?} and {of_value:?}")));
    }
    let size = of_query[3];
    let scale = call.float("scale", 1.0 / (size as f32).sqrt())?;
    let scaled = binary(call, BinaryKind::Mul, &Value::Active(query), &scalar(scale))?;
    // Several heads of queries may share one of keys and values.
    let grouped = |lead: usize, length: usize, last: usize| [sizes.batch, inner, lead, length, last];
    let group = outer / inner;
    let (mut a, mut b, mut c) = (scaled, Value::Active(key.clone()), Value::Active(value.clone()));
    if group > 1 {
        a = reshaped(call, &a, &grouped(group, sizes.length[0], size))?;
        b = reshaped(call, &b, &grouped(1, sizes.length[1], size))?;
        c = reshaped(call, &c, &grouped(1, sizes.length[1], of_value[3]))?;
    }
    let scores = product(call, [&a, &b], [false, true])?;
    let whole = [sizes.batch, outer, sizes.length[0], sizes.length[1]];
    let mut scores = Value::Active(call.emit.reshape(&scores, &whole)?);
    let mode = call.int("qk_matmul_output_mode")?.unwrap_or(0);
    let mut shown = scores.clone();
    let cap = call.float("softcap", 0.0)?;
    if cap > 0.0 {
        scores = binary(call, BinaryKind::Mul, &scores, &scalar(1.0 / cap))?;
        scores = of(call, &scores, UnaryKind::Tanh)?;
        scores = binary(call, BinaryKind::Mul, &scores, &scalar(cap))?;
    }
    if mode == 1 {
        shown = scores.clone();
    }
    let bias = bias(call, &sizes)?;
    if let Some(bias) = &bias {
        scores = binary(call, BinaryKind::Add, &scores, bias)?;
    }
    if mode == 2 {
        shown = scores.clone();
    }
    let Value::Active(logits) = scores else { return Err(NodeError::Consequence) };
    let logits = super::activation::last(call, &logits, 3)?;
    let id = call.emit.one(Op::Softmax { beta: 1.0 }, vec![logits.id], &DataType::FLOAT32)?;
    let mut weights = Value::Active(Active { id, ..logits });
    if let Some(bias) = &bias
        && let Some(rows) = hidden(call, bias)?
    {
        weights = choose(call, &rows, &scalar(0.0), &weights)?;
    }
    if mode == 3 {
        shown = weights.clone();
    }
    if group > 1 {
        weights = reshaped(call, &weights, &grouped(group, sizes.length[0], sizes.length[1]))?;
    }
    let y = product(call, [&weights, &c], [false; 2])?;
    let mut y = call.emit.reshape(&y, &[sizes.batch, outer, sizes.length[0], of_value[3]])?;
    if lines {
        y = call.emit.reshape(&turned(&y), &[sizes.batch, sizes.length[0], outer * of_value[3]])?;
    }
    Ok(vec![Value::Active(y), Value::Active(key), Value::Active(value), shown])
}

/// Turns pairs of elements of each head by an angle that follows from its place.
pub fn rotary_embedding(call: &mut Call<'_, '_>) -> Outputs {
    let x = call.float_input(0)?;
    let shape = call.emit.dims(&x);
    let heads = call.int("num_heads")?.and_then(|n| usize::try_from(n).ok()).filter(|&n| n > 0);
    let x = by_heads(call, 0, heads)?;
    let own = call.emit.dims(&x);
    let [batch, _, length, size] = own[..] else { return Err(NodeError::Consequence) };
    let turned_size = match call.int("rotary_embedding_dim")?.unwrap_or(0) {
        0 => size,
        n => usize::try_from(n).ok().filter(|&n| n <= size).unwrap_or(0),
    };
    if turned_size == 0 || !turned_size.is_multiple_of(2) {
        return Err(NodeError::Malformed(format!("it turns {turned_size} elements of {size}")));
    }
    let half = turned_size / 2;
    let mut factors = Vec::new();
    for (i, what) in [(1, "its table of cosines"), (2, "its table of sines")] {
        let table = call.constant(i, what)?;
        let values = table.floats();
        let per_place: Vec<f64> = match call.list(3, "its list of positions")? {
            Some(places) if table.dims.len() == 2 && table.dims[1] == half && places.len() == batch * length => {
                let mut found = Vec::new();
                for place in places {
                    let place = call.axis(place, table.dims[0])?;
                    found.extend(values[place * half..(place + 1) * half].iter().map(|&v| f64::from(v)));
                }
                found
            }
            None if table.dims == [batch, length, half] => values.iter().map(|&v| f64::from(v)).collect(),
            _ => return Err(NodeError::Malformed(format!("{what} has the shape {:?}", table.dims))),
        };
        call.emit.budget.take(per_place.len() * 12)?;
        let constant = Constant::from_f64(Element::F32, vec![batch, 1, length, half], per_place.into_iter());
        factors.push(Value::Constant(constant.into()));
    }
    let interleaved = call.flag("interleaved", false)?;
    let mut pair = Vec::new();
    for i in 0..2 {
        let mut ranges: Vec<_> = own.iter().map(|&d| (0, 1, d)).collect();
        ranges[3] = if interleaved { (i, 2, half) } else { (i * half, 1, half) };
        pair.push(Value::Active(part(call, &x, &ranges)?));
    }
    let mut rotated = Vec::new();
    for (first, second, kind) in [(0, 1, BinaryKind::Sub), (1, 0, BinaryKind::Add)] {
        let a = binary(call, BinaryKind::Mul, &factors[first], &pair[0])?;
        let b = binary(call, BinaryKind::Mul, &factors[second], &pair[1])?;
        let Value::Active(y) = binary(call, kind, &a, &b)? else { return Err(NodeError::Consequence) };
        rotated.push(y);
    }
    if interleaved {
        let apart = [&own[..3], &[half, 1]].concat();
        let mut columns = Vec::new();
        for y in &rotated {
            columns.push(call.emit.reshape(y, &apart)?);
        }
        let together = join(call, &columns, 4)?;
        rotated = vec![call.emit.reshape(&together, &[&own[..3], &[turned_size]].concat())?];
    }
    if turned_size < size {
        let mut ranges: Vec<_> = own.iter().map(|&d| (0, 1, d)).collect();
        ranges[3] = (turned_size, 1, size - turned_size);
        rotated.push(part(call, &x, &ranges)?);
    }
    let y = join(call, &rotated, 3)?;
    let y = if shape.len() == 3 { turned(&y) } else { y };
    Ok(vec![Value::Active(call.emit.reshape(&y, &shape)?)])
}
