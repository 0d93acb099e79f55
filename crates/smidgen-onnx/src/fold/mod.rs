//! Arithmetic on constants: what exporters make of shapes, done when reading.
//!
//! A node whose inputs are all constants is computed here if it is one of these. Others (a convolution of constants) become
//! operators like any other. Sizes are charged to the budget before anything is computed.

pub(crate) mod elementwise;
mod movement;

use crate::call::{Call, Value};
use crate::constant::{Constant, Element};
use crate::node_error::NodeError;
use crate::ops::Row;
use smidgen_ir::element_count;
use std::rc::Rc;

/// Operators that are computed here alone: of what is known when reading.
pub(crate) const ROWS: &[Row] = &[
    Row::folded("BitShift", ""),
    Row::folded("BitwiseAnd", ""),
    Row::folded("BitwiseNot", ""),
    Row::folded("BitwiseOr", ""),
    Row::folded("BitwiseXor", ""),
    Row::folded("BlackmanWindow", ""),
    Row::folded("Constant", ""),
    Row::folded("ConstantOfShape", ""),
    Row::folded("EyeLike", "of the shape of any tensor"),
    Row::folded("HammingWindow", ""),
    Row::folded("HannWindow", ""),
    Row::folded("Mod", ""),
    Row::folded("Range", ""),
    Row::folded("Shape", "of any tensor, since shapes are fixed"),
    Row::folded("Size", "of any tensor, since shapes are fixed"),
];

/// The node's outputs, if all its inputs are constants and it is computed here. `None` otherwise.
pub(crate) fn evaluate(call: &mut Call<'_, '_>) -> Result<Option<Vec<Value>>, NodeError> {
    if let Some(result) = of_shape(call)? {
        return Ok(Some(vec![Value::Constant(result.into())]));
    }
    let mut inputs: Vec<Option<Rc<Constant>>> = Vec::with_capacity(call.inputs.len());
    for input in &call.inputs {
        inputs.push(match input {
            None => None,
            Some(Value::Constant(constant)) => Some(constant.clone()),
            Some(_) => return Ok(None),
        });
    }
    let results = match call.node.op {
        "Constant" => Some(vec![constant(call)?]),
        "ConstantOfShape" => Some(vec![constant_of_shape(call)?]),
        "Range" => Some(vec![range(call, &inputs)?]),
        "BlackmanWindow" => Some(vec![window(call, [0.42, 0.5, 0.08])?]),
        "HammingWindow" => Some(vec![window(call, [25.0 / 46.0, 1.0 - 25.0 / 46.0, 0.0])?]),
        "HannWindow" => Some(vec![window(call, [0.5, 0.5, 0.0])?]),
        _ if inputs.is_empty() => None,
        _ => match movement::evaluate(call, &inputs)? {
            None => elementwise::evaluate(call, &inputs)?.map(|c| vec![c]),
            moved => moved,
        },
    };
    Ok(results.map(|list| list.into_iter().map(|c| Value::Constant(c.into())).collect()))
}

/// `a - b cos(x) + c cos(2x)` over one period in as many steps as the input says, or one less.
fn window(call: &Call<'_, '_>, [a, b, c]: [f64; 3]) -> Result<Constant, NodeError> {
    let size = call.list(0, "its size")?.filter(|list| list.len() == 1).and_then(|list| usize::try_from(list[0]).ok());
    let size = size.ok_or_else(|| NodeError::Malformed("its size is not one number".into()))?;
    let element = Element::of(call.int("output_datatype")?.unwrap_or(1));
    let element = element.map_err(|name| NodeError::unsupported(format!("it makes {name}"), "make float32"))?;
    let steps = if call.flag("periodic", true)? { size } else { size.saturating_sub(1) };
    let count = granted(call, &[size], element)?;
    let at = |i: usize| {
        let x = std::f64::consts::TAU * i as f64 / steps.max(1) as f64;
        a - b * x.cos() + c * (2.0 * x).cos()
    };
    Ok(Constant::from_f64(element, vec![size], (0..count).map(at)))
}

/// Ones on a diagonal of a matrix of some shape.
fn eye(call: &Call<'_, '_>, dims: &[i64], own: Element) -> Result<Constant, NodeError> {
    let &[rows, columns] = dims else {
        return Err(NodeError::Malformed(format!("its input has {} dimensions, not 2", dims.len())));
    };
    let element = match call.int("dtype")? {
        Some(code) => {
            Element::of(code).map_err(|name| NodeError::unsupported(format!("it makes {name}"), "make numbers"))?
        }
        None => own,
    };
    let k = call.int("k")?.unwrap_or(0);
    granted(call, &[rows as usize, columns as usize], element)?;
    let one = move |row: i64| (0..columns).map(move |column| f64::from(u8::from(column.checked_sub(row) == Some(k))));
    Ok(Constant::from_f64(element, vec![rows as usize, columns as usize], (0..rows).flat_map(one)))
}

/// Shape, Size and EyeLike, which are known of tensors at run time too.
fn of_shape(call: &Call<'_, '_>) -> Result<Option<Constant>, NodeError> {
    if !matches!(call.node.op, "Shape" | "Size" | "EyeLike") {
        return Ok(None);
    }
    let dims: Vec<i64> = match call.value(0)? {
        Value::Constant(constant) => constant.dims.iter().map(|&d| d as i64).collect(),
        Value::Active(x) => call.emit.dims(x).iter().map(|&d| d as i64).collect(),
        Value::Missing => return Err(NodeError::Consequence),
    };
    if call.node.op == "EyeLike" {
        return eye(call, &dims, call.value(0)?.element()?).map(Some);
    }
    if call.node.op == "Size" {
        return Ok(Some(Constant::from_i64(Element::I64, vec![], [dims.iter().product()].into_iter())));
    }
    let rank = dims.len() as i64;
    let clamp = |v: i64| if v < 0 { v.saturating_add(rank) } else { v }.clamp(0, rank) as usize;
    let start = clamp(call.int("start")?.unwrap_or(0));
    let end = clamp(call.int("end")?.unwrap_or(rank)).max(start);
    let taken = &dims[start..end];
    Ok(Some(Constant::from_i64(Element::I64, vec![taken.len()], taken.iter().copied())))
}

fn constant(call: &Call<'_, '_>) -> Result<Constant, NodeError> {
    if let Some(tensor) = call.tensor("value")? {
        return Ok(tensor);
    }
    if let Some(list) = call.ints("value_ints")? {
        return Ok(Constant::from_i64(Element::I64, vec![list.len()], list.into_iter()));
    }
    if let Some(list) = call.floats("value_floats")? {
        return Ok(Constant::from_f64(Element::F32, vec![list.len()], list.into_iter().map(f64::from)));
    }
    if call.node.attributes.iter().any(|a| a.name == "value_float") {
        let value = call.float("value_float", 0.0)?;
        return Ok(Constant::from_f64(Element::F32, vec![], [f64::from(value)].into_iter()));
    }
    match call.int("value_int")? {
        Some(value) => Ok(Constant::from_i64(Element::I64, vec![], [value].into_iter())),
        None => Err(NodeError::unsupported("it holds neither numbers nor a tensor of them", "use numbers")),
    }
}

/// Elements of a shape, once their bytes are charged.
pub(super) fn granted(call: &Call<'_, '_>, dims: &[usize], element: Element) -> Result<usize, NodeError> {
    let too_large = || NodeError::Malformed(format!("its result of shape {dims:?} is too large"));
    let count = element_count(dims).ok_or_else(too_large)?;
    call.emit.budget.take(count.checked_mul(element.bytes()).ok_or_else(too_large)?)?;
    Ok(count)
}

fn constant_of_shape(call: &Call<'_, '_>) -> Result<Constant, NodeError> {
    let shape = call.list(0, "its shape")?.unwrap_or_default();
    let value = match call.tensor("value")? {
        Some(value) if value.count() == 1 => value,
        Some(_) => return Err(NodeError::Malformed("its value is not one number".into())),
        None => Constant::from_f64(Element::F32, vec![], [0.0].into_iter()),
    };
    let dims = crate::constant::dims_of(&shape).map(|(dims, _)| dims);
    let dims = dims.ok_or_else(|| NodeError::Malformed(format!("its shape {shape:?} is impossible")))?;
    let count = granted(call, &dims, value.element)?;
    Ok(Constant::new(value.element, dims, value.data.repeat(count)))
}

fn range(call: &Call<'_, '_>, inputs: &[Option<Rc<Constant>>]) -> Result<Constant, NodeError> {
    let one = |i: usize| inputs.get(i).and_then(|c| c.as_ref()).filter(|c| c.count() == 1);
    let (Some(start), Some(limit), Some(delta)) = (one(0), one(1), one(2)) else {
        return Err(NodeError::Malformed("its bounds are not three numbers".into()));
    };
    let element = start.element;
    let [first, end, step] = [start, limit, delta].map(|c| c.reals()[0]);
    let count = ((end - first) / step).ceil().max(0.0);
    if !count.is_finite() {
        return Err(NodeError::Malformed("its bounds are impossible".into()));
    }
    let count = granted(call, &[count as usize], element)?;
    Ok(Constant::from_f64(element, vec![count], (0..count).map(|i| first + i as f64 * step)))
}
