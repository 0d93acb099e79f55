//! Arithmetic on constants, element by element, with broadcasting; and reductions of lists.

use super::granted;
use super::movement::{broadcast, expanded};
use crate::call::Call;
use crate::constant::{Constant, Element};
use crate::node_error::NodeError;
use std::rc::Rc;

type Inputs<'a> = &'a [Option<Rc<Constant>>];

pub(super) fn evaluate(call: &Call<'_, '_>, inputs: Inputs<'_>) -> Result<Option<Constant>, NodeError> {
    match call.node.op {
        "Cast" | "CastLike" => cast(call, inputs).map(Some),
        "Where" => select(call, inputs).map(Some),
        "ReduceProd" | "ReduceSum" | "ReduceMax" | "ReduceMin" => reduce(call, inputs),
        _ => match binary(call, inputs)? {
            None => unary(call, inputs),
            found => Ok(found),
        },
    }
}

fn input<'a>(inputs: Inputs<'a>, i: usize) -> Result<&'a Constant, NodeError> {
    let found = inputs.get(i).and_then(|c| c.as_deref());
    found.ok_or_else(|| NodeError::Malformed(format!("it has no input {i}")))
}

/// Numbers are held in double precision, in which integers beyond 2^53 would change.
const EXACT: i64 = 1 << 53;

fn exact(constant: &Constant) -> bool {
    constant.ints().is_none_or(|ints| ints.iter().all(|v| (-EXACT..=EXACT).contains(v)))
}

fn cast(call: &Call<'_, '_>, inputs: Inputs<'_>) -> Result<Constant, NodeError> {
    converted(call, input(inputs, 0)?, crate::ops::logic::target(call)?)
}

/// The same numbers as elements of another type.
pub(crate) fn converted(call: &Call<'_, '_>, x: &Constant, to: Element) -> Result<Constant, NodeError> {
    granted(call, &x.dims, to)?;
    let cast = match x.ints() {
        Some(ints) => Constant::from_i64(to, x.dims.clone(), ints.into_iter()),
        None => Constant::from_f64(to, x.dims.clone(), x.reals().into_iter()),
    };
    Ok(Constant { name: x.name.clone(), ..cast })
}

/// Both operands with the shape of their result.
fn pair(call: &Call<'_, '_>, a: &Constant, b: &Constant) -> Result<(Constant, Constant), NodeError> {
    let dims = broadcast(&a.dims, &b.dims);
    let dims = dims.ok_or_else(|| {
        NodeError::Malformed(format!("shapes {:?} and {:?} cannot be broadcast together", a.dims, b.dims))
    })?;
    // Twice as bytes, twice as numbers of double precision.
    for _ in 0..4 {
        granted(call, &dims, Element::F64)?;
    }
    Ok((expanded(a, &dims), expanded(b, &dims)))
}

fn select(call: &Call<'_, '_>, inputs: Inputs<'_>) -> Result<Constant, NodeError> {
    let (condition, x, y) = (input(inputs, 0)?, input(inputs, 1)?, input(inputs, 2)?);
    if x.element != y.element {
        return Err(NodeError::Malformed("its inputs have different types".into()));
    }
    let (x, y) = pair(call, x, y)?;
    let (condition, x) = pair(call, condition, &x)?;
    let (_, y) = pair(call, &condition, &y)?;
    let size = x.element.bytes();
    let mut data = Vec::with_capacity(x.data.len());
    for (i, &flag) in condition.data.iter().enumerate().take(x.count()) {
        let from = if flag != 0 { &x } else { &y };
        data.extend_from_slice(&from.data[i * size..(i + 1) * size]);
    }
    Ok(Constant::new(x.element, x.dims.clone(), data))
}

fn binary(call: &Call<'_, '_>, inputs: Inputs<'_>) -> Result<Option<Constant>, NodeError> {
    let compare: Option<fn(f64, f64) -> bool> = match call.node.op {
        "Equal" => Some(|a, b| a == b),
        "Greater" => Some(|a, b| a > b),
        "Less" => Some(|a, b| a < b),
        "GreaterOrEqual" => Some(|a, b| a >= b),
        "LessOrEqual" => Some(|a, b| a <= b),
        "And" => Some(|a, b| a != 0.0 && b != 0.0),
        "Or" => Some(|a, b| a != 0.0 || b != 0.0),
        "Xor" => Some(|a, b| (a != 0.0) != (b != 0.0)),
        _ => None,
    };
    let real: Option<fn(f64, f64) -> f64> = match call.node.op {
        "Add" | "Sum" => Some(|a, b| a + b),
        "Sub" => Some(|a, b| a - b),
        "Mul" => Some(|a, b| a * b),
        "Div" => Some(|a, b| a / b),
        "Pow" => Some(f64::powf),
        "Max" => Some(f64::max),
        "Min" => Some(f64::min),
        _ => None,
    };
    let whole: Option<fn(i64, i64) -> Option<i64>> = match call.node.op {
        "Add" | "Sum" => Some(i64::checked_add),
        "Sub" => Some(i64::checked_sub),
        "Mul" => Some(i64::checked_mul),
        "Div" => Some(i64::checked_div),
        "Mod" if call.flag("fmod", false)? => Some(i64::checked_rem),
        "Mod" => Some(|a, b| a.checked_rem(b)?.checked_add(b)?.checked_rem(b)),
        "Pow" => Some(|a, b| a.checked_pow(u32::try_from(b).ok()?)),
        "Max" => Some(|a, b| Some(a.max(b))),
        "Min" => Some(|a, b| Some(a.min(b))),
        "BitwiseAnd" => Some(|a, b| Some(a & b)),
        "BitwiseOr" => Some(|a, b| Some(a | b)),
        "BitwiseXor" => Some(|a, b| Some(a ^ b)),
        // What is shifted beyond all bits, or by a negative number, is gone.
        "BitShift" if call.text("direction")? == Some("LEFT") => {
            Some(|a, b| Some(u32::try_from(b).ok().and_then(|b| a.checked_shl(b)).unwrap_or(0)))
        }
        "BitShift" => Some(|a, b| Some(u32::try_from(b).ok().and_then(|b| a.checked_shr(b)).unwrap_or(a >> 63))),
        _ => None,
    };
    if compare.is_none() && real.is_none() && whole.is_none() {
        return Ok(None);
    }
    let mut result = input(inputs, 0)?.clone();
    let element = result.element;
    if inputs.len() == 1 {
        return Ok(Some(result));
    }
    for i in 1..inputs.len() {
        let (a, b) = pair(call, &result, input(inputs, i)?)?;
        let dims = a.dims.clone();
        if let Some(compare) = compare {
            if !exact(&a) || !exact(&b) {
                return Ok(None);
            }
            let values = a.reals().into_iter().zip(b.reals()).map(|(a, b)| i64::from(compare(a, b)));
            return Ok(Some(Constant::from_i64(Element::Bool, dims, values)));
        }
        result = match (a.ints(), b.ints(), whole, real) {
            (Some(a), Some(b), Some(whole), _) => {
                let values: Option<Vec<i64>> = a.into_iter().zip(b).map(|(a, b)| whole(a, b)).collect();
                let values = values.ok_or_else(|| {
                    NodeError::Malformed("its result is beyond 64 bits, or it divides by zero".into())
                })?;
                Constant::from_i64(element, dims, values.into_iter())
            }
            (None, _, _, Some(real)) => {
                let values = a.reals().into_iter().zip(b.reals()).map(|(a, b)| real(a, b));
                Constant::from_f64(element, dims, values)
            }
            _ => return Ok(None),
        };
    }
    Ok(Some(result))
}

fn unary(call: &Call<'_, '_>, inputs: Inputs<'_>) -> Result<Option<Constant>, NodeError> {
    let real: Option<fn(f64) -> f64> = match call.node.op {
        "Neg" => Some(|x| -x),
        "Abs" => Some(f64::abs),
        "Floor" => Some(f64::floor),
        "Ceil" => Some(f64::ceil),
        "Round" => Some(f64::round_ties_even),
        "Sqrt" => Some(f64::sqrt),
        "Reciprocal" => Some(|x| 1.0 / x),
        "Exp" => Some(f64::exp),
        "Log" => Some(f64::ln),
        _ => None,
    };
    let whole: Option<fn(i64) -> i64> = match call.node.op {
        "Neg" => Some(i64::wrapping_neg),
        "Abs" => Some(i64::wrapping_abs),
        "Not" => Some(|x| i64::from(x == 0)),
        "BitwiseNot" => Some(|x| !x),
        _ => None,
    };
    if real.is_none() && whole.is_none() {
        return Ok(None);
    }
    let x = input(inputs, 0)?;
    granted(call, &x.dims, Element::F64)?;
    Ok(match (x.ints(), whole, real) {
        (Some(ints), Some(whole), _) => {
            Some(Constant::from_i64(x.element, x.dims.clone(), ints.into_iter().map(whole)))
        }
        (None, _, Some(real)) => Some(Constant::from_f64(x.element, x.dims.clone(), x.reals().into_iter().map(real))),
        _ => None,
    })
}

/// Reductions of a list of integers to one number, which is what shapes need.
fn reduce(call: &Call<'_, '_>, inputs: Inputs<'_>) -> Result<Option<Constant>, NodeError> {
    let x = input(inputs, 0)?;
    let (Some(ints), [_]) = (x.ints(), x.dims.as_slice()) else { return Ok(None) };
    let result = match call.node.op {
        "ReduceProd" => ints.iter().try_fold(1i64, |a, &b| a.checked_mul(b)),
        "ReduceSum" => ints.iter().try_fold(0i64, |a, &b| a.checked_add(b)),
        "ReduceMax" => ints.iter().copied().max(),
        _ => ints.iter().copied().min(),
    };
    let result = result.ok_or_else(|| NodeError::Malformed("its result is beyond 64 bits".into()))?;
    let dims = if call.flag("keepdims", true)? { vec![1] } else { vec![] };
    Ok(Some(Constant::from_i64(x.element, dims, [result].into_iter())))
}
