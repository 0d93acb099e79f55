//! Comparisons, logic, choices, and conversions between types of elements.

use super::activation::{apply, last, normalised};
use super::arithmetic::{binary, dims, lifted, met, scalar};
use super::reduce::arg_greatest;
use super::{FIXED_PARAMETERS, Outputs, rows};
use crate::call::{Call, Value};
use crate::constant::{Constant, Element};
use crate::emit::Active;
use crate::fold::elementwise::converted;
use crate::node_error::NodeError;
use smidgen_ir::{BinaryKind, CompareKind, DataType, ElementType, Function, Op, UnaryKind};

rows! {
    "And" BOOL and, "broadcasting";
    "Cast" MOVE cast, "";
    "CastLike" MOVE cast, "";
    "Equal" MOVE equal, "broadcasting";
    "Greater" MOVE greater, "broadcasting";
    "GreaterOrEqual" MOVE greater_or_equal, "broadcasting";
    "Hardmax" COMPUTE hardmax, "any axis";
    "IsInf" COMPUTE is_inf, "";
    "IsNaN" COMPUTE is_nan, "";
    "Less" MOVE less, "broadcasting";
    "LessOrEqual" MOVE less_or_equal, "broadcasting";
    "Not" BOOL not, "";
    "OneHot" MOVE one_hot, "constant depth";
    "Or" BOOL or, "broadcasting";
    "Trilu" MOVE trilu, "constant diagonal";
    "Where" MOVE choice, "broadcasting";
    "Xor" BOOL xor, "broadcasting";
}

const PLAIN: &str = "export the network so that both operands have one type, and quantise it elsewhere";

/// The elements of some operands, all of one type that is not quantised.
fn of_one_type(call: &Call<'_, '_>, ids: &[smidgen_ir::TensorId]) -> Result<DataType, NodeError> {
    let types: Vec<&DataType> = ids.iter().map(|&id| &call.emit.graph.tensor(id).dtype).collect();
    match *types {
        [first, ref rest @ ..] if matches!(first, DataType::Plain(_)) && rest.iter().all(|&t| t == first) => {
            Ok(first.clone())
        }
        _ => {
            let types: Vec<String> = types.iter().map(ToString::to_string).collect();
            Err(NodeError::unsupported(format!("its operands are {}", types.join(" and ")), PLAIN))
        }
    }
}

/// A question about two operands.
pub(crate) fn compare(call: &mut Call<'_, '_>, kind: CompareKind, a: &Value, b: &Value) -> Result<Value, NodeError> {
    let (inputs, layout) = met(call.emit, &[a, b])?;
    of_one_type(call, &inputs)?;
    let id = call.emit.one(Op::Compare(kind), inputs, &DataType::Plain(ElementType::Bool))?;
    Ok(Value::Active(Active { id, layout, element: Element::Bool }))
}

/// `a` where the condition holds, else `b`.
pub(crate) fn choose(call: &mut Call<'_, '_>, condition: &Value, a: &Value, b: &Value) -> Result<Value, NodeError> {
    if condition.element()? != Element::Bool {
        return Err(NodeError::Malformed(format!("its condition holds {}", condition.element()?.name())));
    }
    if let Value::Constant(known) = condition
        && let Some(&first) = known.data.first()
        && known.data.iter().all(|&flag| flag == first)
    {
        // One of them altogether, if the others do not make it larger.
        let taken = if first != 0 { a } else { b };
        let own = dims(call.emit, taken)?;
        let fits = |other: &[usize]| {
            own.len() >= other.len() && lifted(other, own.len()).iter().zip(&own).all(|(&o, &d)| o == 1 || o == d)
        };
        if fits(&known.dims) && fits(&dims(call.emit, a)?) && fits(&dims(call.emit, b)?) {
            return Ok(taken.clone());
        }
    }
    let element = a.element()?;
    let (inputs, layout) = met(call.emit, &[condition, a, b])?;
    let dtype = of_one_type(call, &inputs[1..])?;
    let id = call.emit.one(Op::Select, inputs, &dtype)?;
    Ok(Value::Active(Active { id, layout, element }))
}

/// Elements of another type.
pub(crate) fn convert(call: &mut Call<'_, '_>, x: &Value, to: Element) -> Result<Value, NodeError> {
    let x = match x {
        Value::Constant(constant) => return Ok(Value::Constant(converted(call, constant, to)?.into())),
        Value::Active(x) if x.element == to => return Ok(Value::Active(x.clone())),
        Value::Active(x) => x,
        Value::Missing => return Err(NodeError::Consequence),
    };
    let plain = matches!(call.emit.dtype(x), DataType::Plain(_));
    let Some(element) = to.at_run_time().filter(|_| plain) else {
        return Err(NodeError::unsupported(
            format!("it converts {} to {} at run time", x.element.name(), to.name()),
            "export the network in float32 throughout",
        ));
    };
    let id = call.emit.one(Op::Cast, vec![x.id], &DataType::Plain(element))?;
    Ok(Value::Active(Active { id, layout: x.layout.clone(), element: to }))
}

/// The type that a Cast or CastLike converts to.
pub(crate) fn target(call: &Call<'_, '_>) -> Result<Element, NodeError> {
    if call.node.op == "CastLike" {
        return call.value(1)?.element();
    }
    let to = Element::of(call.int("to")?.unwrap_or(0));
    to.map_err(|name| NodeError::unsupported(format!("it converts to {name}"), "convert to numbers"))
}

pub fn cast(call: &mut Call<'_, '_>) -> Outputs {
    let (x, to) = (call.value(0)?.clone(), target(call)?);
    Ok(vec![convert(call, &x, to)?])
}

fn two(call: &mut Call<'_, '_>, kind: CompareKind) -> Outputs {
    let (a, b) = (call.value(0)?.clone(), call.value(1)?.clone());
    Ok(vec![compare(call, kind, &a, &b)?])
}

pub fn equal(call: &mut Call<'_, '_>) -> Outputs {
    two(call, CompareKind::Equal)
}

pub fn less(call: &mut Call<'_, '_>) -> Outputs {
    two(call, CompareKind::Less)
}

pub fn less_or_equal(call: &mut Call<'_, '_>) -> Outputs {
    two(call, CompareKind::LessEqual)
}

pub fn greater(call: &mut Call<'_, '_>) -> Outputs {
    two(call, CompareKind::Greater)
}

pub fn greater_or_equal(call: &mut Call<'_, '_>) -> Outputs {
    two(call, CompareKind::GreaterEqual)
}

pub fn and(call: &mut Call<'_, '_>) -> Outputs {
    two(call, CompareKind::And)
}

pub fn or(call: &mut Call<'_, '_>) -> Outputs {
    two(call, CompareKind::Or)
}

/// Of two truths it is the question whether they differ.
pub fn xor(call: &mut Call<'_, '_>) -> Outputs {
    two(call, CompareKind::NotEqual)
}

pub fn not(call: &mut Call<'_, '_>) -> Outputs {
    let x = call.value(0)?.clone();
    let never = Value::Constant(Constant::from_i64(Element::Bool, vec![], [0].into_iter()).into());
    Ok(vec![compare(call, CompareKind::Equal, &x, &never)?])
}

/// What is no number differs from itself.
pub fn is_nan(call: &mut Call<'_, '_>) -> Outputs {
    let x = Value::Active(call.float_input(0)?);
    Ok(vec![compare(call, CompareKind::NotEqual, &x, &x)?])
}

pub fn is_inf(call: &mut Call<'_, '_>) -> Outputs {
    let (negative, positive) = (call.flag("detect_negative", true)?, call.flag("detect_positive", true)?);
    let x = call.float_input(0)?;
    let x = if negative && positive { apply(call, &x, UnaryKind::Function(Function::Abs))? } else { x };
    let end = match (negative, positive) {
        (true, false) => f32::NEG_INFINITY,
        (_, true) => f32::INFINITY,
        (false, false) => {
            return Err(NodeError::unsupported("it looks for neither infinity", FIXED_PARAMETERS));
        }
    };
    Ok(vec![compare(call, CompareKind::Equal, &Value::Active(x), &scalar(end))?])
}

pub fn choice(call: &mut Call<'_, '_>) -> Outputs {
    let (condition, a, b) = (call.value(0)?.clone(), call.value(1)?.clone(), call.value(2)?.clone());
    Ok(vec![choose(call, &condition, &a, &b)?])
}

/// What lies on one side of a diagonal, and 0 elsewhere.
pub fn trilu(call: &mut Call<'_, '_>) -> Outputs {
    let x = Value::Active(call.active(0)?);
    let shape = dims(call.emit, &x)?;
    let &[.., rows, columns] = &shape[..] else {
        return Err(NodeError::Malformed(format!("its input has {} dimensions", shape.len())));
    };
    let k = match call.list(1, "its diagonal")?.as_deref() {
        None => 0,
        Some(&[k]) => k,
        Some(_) => return Err(NodeError::Malformed("its diagonal is not one number".into())),
    };
    let upper = call.flag("upper", true)?;
    call.emit.budget.take(8 * rows * columns)?;
    let kept = |i: usize| {
        let along = (i % columns) as i64 - (i / columns) as i64;
        i64::from(if upper { along >= k } else { along <= k })
    };
    let mask = Constant::from_i64(Element::Bool, vec![rows, columns], (0..rows * columns).map(kept));
    let zero = Constant::from_i64(x.element()?, vec![], [0].into_iter());
    Ok(vec![choose(call, &Value::Constant(mask.into()), &x, &Value::Constant(zero.into()))?])
}

/// Whole numbers from `first` on, along an axis of a shape of so many axes.
fn counted(element: Element, first: i64, count: usize, axis: usize, rank: usize) -> Value {
    let mut shape = vec![1; rank];
    shape[axis] = count;
    Value::Constant(Constant::from_i64(element, shape, first..first + count as i64).into())
}

pub fn one_hot(call: &mut Call<'_, '_>) -> Outputs {
    let indices = call.active(0)?;
    let depth = call.constant(1, "its depth")?.reals();
    let depth = match *depth {
        [depth] if depth >= 1.0 && depth <= f64::from(u16::MAX) => depth as usize,
        _ => return Err(NodeError::Malformed(format!("its depth is {depth:?}"))),
    };
    let values = call.constant(2, "its pair of values")?;
    let one = |i: usize| {
        let size = values.element.bytes();
        Value::Constant(Constant::new(values.element, vec![], &values.data[i * size..(i + 1) * size]).into())
    };
    if values.count() != 2 {
        return Err(NodeError::Malformed(format!("it has {} values, not 2", values.count())));
    }
    let mut shape = call.emit.dims(&indices);
    let rank = shape.len() + 1;
    let axis = call.axis(call.int("axis")?.unwrap_or(-1), rank)?;
    shape.insert(axis, 1);
    let indices = Value::Active(call.emit.reshape(&indices, &shape)?);
    call.emit.budget.take(32 * depth)?;
    let element = indices.element()?;
    // Indices are counted from the end too.
    let mut hot = Vec::new();
    for first in [0, -(depth as i64)] {
        hot.push(compare(call, CompareKind::Equal, &indices, &counted(element, first, depth, axis, rank))?);
    }
    let hot = compare(call, CompareKind::Or, &hot[0], &hot[1])?;
    Ok(vec![choose(call, &hot, &one(1), &one(0))?])
}

/// 1 at the first of the greatest elements, and 0 elsewhere.
pub fn hardmax(call: &mut Call<'_, '_>) -> Outputs {
    let (x, shape) = normalised(call)?;
    let own = call.emit.dims(&x);
    let axis = x.layout[x.layout.len() - 1];
    let index = arg_greatest(call, &x, axis)?;
    let mut kept = own.clone();
    kept[axis] = 1;
    let index = Value::Active(call.emit.reshape(&index, &kept)?);
    let hot = compare(call, CompareKind::Equal, &index, &counted(Element::I64, 0, own[axis], axis, own.len()))?;
    match convert(call, &hot, Element::F32)? {
        Value::Active(y) => {
            let y = last(call, &y, axis)?;
            Ok(vec![Value::Active(call.emit.reshape(&y, &shape)?)])
        }
        other => Ok(vec![other]),
    }
}

/// `x` where it is not 0, else the least positive number: what can be divided by.
pub(crate) fn never_zero(call: &mut Call<'_, '_>, x: &Value) -> Result<Value, NodeError> {
    binary(call, BinaryKind::Maximum, x, &scalar(f32::MIN_POSITIVE))
}
