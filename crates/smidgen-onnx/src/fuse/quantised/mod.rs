//! Networks that are already quantised, in QDQ form: float operators between DEQUANTIZE and QUANTIZE become operators on integers.
//!
//! Three steps. [`moves`] lets DEQUANTIZE pass below operators that only move or pick values, and QUANTIZE above them, so that
//! these work on integers and each operator that computes meets its DEQUANTIZE and QUANTIZE directly. [`integers`] then rewrites
//! each such operator. What does not suit stays on floats, which is right too, only larger and slower, and becomes an
//! [`UnsupportedGroup`].

mod constants;
mod integers;
mod moves;

use crate::emit::Scales;
use smidgen_ir::front::quoted;
use smidgen_ir::{DataType, ElementType, Graph, Op, Quantisation, ValidateError, validate};
use std::borrow::Cow;
use std::collections::HashSet;

pub(super) use moves::settle;

/// Most operators that are taken back to floats because integers cannot express their scales.
const MOST_RETRIES: usize = 4;

/// Why an operator of a quantised network computes on floats.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Why {
    /// An input does not come from a DEQUANTIZE; its name.
    Input(String),
    /// The output does not go into a QUANTIZE alone.
    Output,
    /// Some of its inputs and its output are quantised to int8, the others to int16.
    Mixed,
    /// The weights are floats that were made of no integers.
    Weights,
    /// The weights' integers, less their zero points, lie between these: beyond int8.
    Asymmetric(i64, i64),
    /// The weights' scales are not those of output channels.
    Axis,
    /// The bias is beyond 32 bits in steps of the accumulator.
    Bias,
    /// A constant operand of several elements is a float one; its name.
    Operand(String),
    /// The operator has no form on int8; its name.
    Form(&'static str),
    /// The operator has no form on int16; its name.
    WideForm(&'static str),
    /// The scales cannot be written as a multiplier and a shift.
    Scales(String),
}

impl Why {
    /// True if the network must be made anew: what the file means is integers, and only how they were chosen stands in the way.
    pub fn refuses(&self) -> bool {
        matches!(self, Self::Asymmetric(..))
    }

    pub fn reason(&self) -> String {
        let what = match self {
            Self::Asymmetric(low, high) => {
                return format!(
                    "its weights, less their zero points, are integers from {low} to {high}, and int8 holds -128 to 127"
                );
            }
            Self::Input(name) => format!("its input {} does not come from DequantizeLinear", quoted(name)),
            Self::Mixed => "its activations are quantised to int8 in part, and in part to int16".into(),
            Self::Output => "its output does not go into QuantizeLinear alone".into(),
            Self::Weights => "its weights do not come from DequantizeLinear".into(),
            Self::Axis => "its weights have scales along another axis than that of its outputs".into(),
            Self::Bias => "its bias is beyond 32 bits in steps of its input's scale times that of its weights".into(),
            Self::Operand(name) => format!("its constant {} does not come from DequantizeLinear", quoted(name)),
            Self::Form(name) => format!("{name} has no form on int8"),
            Self::WideForm(name) => format!("{name} has no form on int16"),
            Self::Scales(error) => format!("its scales do not suit each other: {error}"),
        };
        format!("it computes on floats: {what}")
    }

    pub fn hint(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Asymmetric(..) => {
                "quantise weights symmetrically: `weight_type=QuantType.QInt8` with ONNX Runtime, a symmetric qscheme with PyTorch"
            }
            Self::Input(_) | Self::Output => "quantise the operators around it too, if it shall compute on integers",
            Self::Weights | Self::Operand(_) => "quantise its constants too, if it shall compute on integers",
            Self::Mixed => {
                "quantise both its inputs and its output to one of them; behind a DequantizeLinear any QuantizeLinear may follow"
            }
            Self::WideForm(_) => "quantise what it reads and writes to int8",
            Self::Axis => "give its weights one scale, or one for each output channel",
            Self::Bias | Self::Scales(_) => "calibrate the network again, with samples of its real inputs",
            Self::Form(_) => "replace it by an operator with a form on int8, which `smidgen ops` lists",
        })
    }
}

/// An operator that computes on floats.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct UnsupportedGroup {
    /// Index of its node in the file.
    pub node: usize,
    pub why: Why,
}

/// True if the network has parts on integers.
pub(super) fn is_quantised(graph: &Graph) -> bool {
    graph.operators.iter().any(|o| matches!(o.op, Op::Quantize | Op::Dequantize))
}

/// Makes integer operators where the file says how; says what stays on floats.
pub(super) fn make(graph: &mut Graph, scales: &Scales) -> Vec<UnsupportedGroup> {
    let mut excluded = Vec::new();
    loop {
        let mut trial = graph.clone();
        let mut obstacles = integers::make(&mut trial, scales, &excluded);
        match validate(&trial) {
            Ok(()) => {
                *graph = trial;
                // A node may have become several operators.
                let mut seen = HashSet::new();
                obstacles.retain(|o| seen.insert(o.node));
                return obstacles;
            }
            Err(ValidateError::Operator { operator, fault }) if excluded.len() < MOST_RETRIES => {
                if excluded.iter().any(|(index, _)| *index == operator.id.index()) {
                    return obstacles;
                }
                excluded.push((operator.id.index(), fault.to_string()));
            }
            // The floats are what has been validated before.
            Err(_) => return obstacles,
        }
    }
}

/// Least and greatest integer of a type that operators compute on: int8, or int16 with zero point 0.
fn range(dtype: &DataType) -> Option<(i32, i32)> {
    match dtype {
        DataType::Quantised(ElementType::Int8, Quantisation::PerTensor { .. }) => {
            Some((i8::MIN.into(), i8::MAX.into()))
        }
        DataType::Quantised(ElementType::Int16, Quantisation::PerTensor { zero_point: 0, .. }) => {
            Some((i16::MIN.into(), i16::MAX.into()))
        }
        _ => None,
    }
}

fn is_integer(dtype: &DataType) -> bool {
    range(dtype).is_some()
}

fn is_int16(dtype: &DataType) -> bool {
    is_integer(dtype) && dtype.element() == ElementType::Int16
}

/// The type of values in 0 .. 1, of as many bits as `like`.
fn probability(like: &DataType) -> DataType {
    if is_int16(like) { DataType::int16(1.0 / 32768.0) } else { DataType::int8(1.0 / 256.0, -128) }
}
