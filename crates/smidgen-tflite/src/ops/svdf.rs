//! SVDF. Its state is a variable, which the reader gives it as an input and an output, as a recurrent layer.

use super::recurrent::kept;
use super::{Decoded, NARROW, Written, builtins};
use crate::error::WriteError;
use crate::read::call::{Call, Trouble, caused, malformed, odd};
use crate::read::cause::{HYBRID, STREAMING};
use crate::schema::svdf;
use crate::support::Builtin;
use crate::write::options::{self, Options};
use crate::write::{ABSENT, Writer};
use smidgen_ir::ElementType::{Float32, Int8, Int16, Int32};
use smidgen_ir::{Activation, Op};

builtins! {
    Svdf = "SVDF" {
        types: NARROW,
        remarks: "its state is kept between calls; on int8 with RELU, filters over time and state of int16",
        options: 6,
        version: |signature| if signature.x() == Int8 { 3 } else { 1 },
        read: read,
    }
}

fn read(call: &Call<'_>) -> Result<Decoded, Trouble> {
    if call.inputs.len() != 5 {
        return malformed(format!("it has {} inputs, where 5 are expected", call.inputs.len()));
    }
    let x = call.data(0)?;
    let state = call.input(4)?;
    if call.outputs.len() != 2 || call.outputs[1] == call.index(4)? {
        return caused("its state is no variable that it alone writes", &STREAMING);
    }
    let (weights, time) = (call.constant(1, "weights")?, call.constant(2, "filters over time")?);
    let bias = match call.inputs[3] {
        Some(_) => Some(call.constant(3, "bias")?),
        None => None,
    };
    if [x, weights, time].iter().any(|source| source.shape.len() != 2) {
        return caused("its input, its weights or its filters over time have not two dimensions", &STREAMING);
    }
    let rank = call.positive(svdf::rank, 0, "rank")?;
    let filters = weights.shape[0];
    if !filters.is_multiple_of(rank) {
        return odd(format!("its {filters} filters are no whole number of units of rank {rank}"));
    }
    let activation = call.activation(svdf::activation)?;
    let types = [weights.element(), time.element(), state.element()];
    let activation = match x.element() {
        Float32 if types == [Float32; 3] => activation,
        Float32 if types[0] == Int8 => {
            return caused("its input is f32 but its weights are i8", &HYBRID);
        }
        Int8 if types == [Int8, Int16, Int16] => {
            if activation != Activation::Relu {
                return caused("on int8 its activation is not RELU, which the reference refuses", &STREAMING);
            }
            // The reference clamps to int8 whatever the zero point.
            let zero = call.output(0).dtype.as_ref().ok().and_then(|d| d.quantisation()?.per_tensor());
            if zero.is_some_and(|(_, zero)| zero == -128) { Activation::Relu } else { Activation::None }
        }
        element => {
            let [weights, time, state] = types;
            let reason = format!(
                "its input is {element}, its weights are {weights}, its filters over time {time} and its state {state}"
            );
            return caused(reason, &STREAMING);
        }
    };
    if let Some(bias) = bias
        && bias.element() != if x.element() == Int8 { Int32 } else { Float32 }
    {
        return odd(format!("its bias is {}", bias.element()));
    }
    let inputs = [0, 1, 2, 4].into_iter().chain(bias.is_some().then_some(3));
    Ok((Op::Svdf { rank, activation }, inputs.map(|i| call.index(i)).collect::<Result<_, _>>()?))
}

/// As the format has it: the bias before the state, and on int8 always RELU.
pub(super) fn write(writer: &mut Writer<'_, '_>, rank: usize, activation: Activation) -> Result<Written, WriteError> {
    let state = kept(writer)?;
    let is_float = writer.input(0)?.element() == Float32;
    let activation = if is_float { activation } else { Activation::Relu };
    let bias = writer.inputs.get(4).copied().unwrap_or(ABSENT);
    let inputs = [&writer.inputs[..3], &[bias], &state].concat();
    let options = Options::Svdf { rank: writer.int(rank)?, activation: options::activation(activation) };
    Ok((Builtin::Svdf, inputs, options))
}
