//! UNIDIRECTIONAL_SEQUENCE_LSTM and UNIDIRECTIONAL_SEQUENCE_RNN. Their state is a variable: the reader gives them its
//! tensors as inputs and outputs, and those of all gates in one, before they are decoded.

use super::{Decoded, FLOAT, NARROW, Written, builtins};
use crate::error::WriteError;
use crate::read::call::{Call, Trouble, caused};
use crate::read::cause::{HYBRID, RECURRENT, SCALES};
use crate::schema::{sequence_lstm, sequence_rnn};
use crate::support::Builtin;
use crate::write::options::Options;
use crate::write::{ABSENT, Writer};
use smidgen_ir::ElementType::{Float32, Int8, Int16, Int32};
use smidgen_ir::{Cell, DataType, Graph, Op, Operator, Quantisation, RecurrentParams};
use std::borrow::Cow;

builtins! {
    UnidirectionalSequenceLstm = "UNIDIRECTIONAL_SEQUENCE_LSTM" {
        types: NARROW,
        remarks: "all four gates, no peepholes, projection and normalisation; its state is kept between calls, on int8 the memory as int16; float32 with weights of int8 too",
        options: 71,
        version: |signature| match (signature.x(), signature.element(1)) {
            (Int8, _) => 3,
            (_, Int8) => 2,
            _ => 1,
        },
        read: read_lstm,
    }
    UnidirectionalSequenceRnn = "UNIDIRECTIONAL_SEQUENCE_RNN" {
        types: FLOAT,
        remarks: "with TANH or RELU; its state is kept between calls; weights of int8 too",
        options: 31,
        version: |signature| if signature.element(1) == Int8 { 2 } else { 1 },
        read: read_rnn,
    }
}

/// The numbers of activations that a recurrent layer has here.
const TANH: i8 = 4;
const RELU: i8 = 1;

/// Which inputs of UNIDIRECTIONAL_SEQUENCE_LSTM are one tensor here: weights of the inputs, weights of the state,
/// biases, each of the gates i, f, g, o.
pub(crate) mod gates {
    /// The inputs that are joined, by their places.
    pub(crate) const PARTS: [[usize; 4]; 3] = [[1, 2, 3, 4], [5, 6, 7, 8], [12, 13, 14, 15]];
    /// The states: output and memory.
    pub(crate) const STATES: [usize; 2] = [18, 19];
    /// What the parts are called where they are written.
    pub(crate) const SUFFIXES: [&str; 4] = ["/i", "/f", "/g", "/o"];

    /// True if a layer without peepholes, projection and normalisation has this input.
    pub(crate) fn is_used(input: usize) -> bool {
        input == 0 || STATES.contains(&input) || PARTS.as_flattened().contains(&input)
    }

    /// The name of tensors that are joined: what it was before it was cut, or the first one's.
    pub(crate) fn name<'a>(parts: &[&'a str]) -> &'a str {
        let stems: Vec<_> = parts.iter().zip(SUFFIXES).map(|(part, suffix)| part.strip_suffix(suffix)).collect();
        match stems.first() {
            Some(&Some(stem)) if stems.iter().all(|&other| other == Some(stem)) => stem,
            _ => parts.first().copied().unwrap_or_default(),
        }
    }
}

fn read_lstm(call: &Call<'_>) -> Result<Decoded, Trouble> {
    let x = call.data(0)?.element();
    if call.inputs.len() != 6 {
        let there = |i: usize| matches!(call.inputs.get(i), Some(Some(_)));
        let constant = |&i: &usize| call.input(i).is_ok_and(|source| source.data.is_some());
        let plain = (0..call.inputs.len()).all(|i| there(i) == gates::is_used(i));
        if x == Int8 && plain && call.outputs.len() == 3 && gates::PARTS.as_flattened().iter().all(constant) {
            let what = "its outputs, its state and the last of five intermediate tensors have not one scale and zero point, or \
                        the weights of a gate have more than one";
            return caused(what, &SCALES);
        }
        let what = match () {
            () if !there(1) => "its input gate is what its forget gate leaves (no weights of their own)",
            () if (9..12).any(there) => "it has peepholes",
            () if (16..18).any(there) => "it has a projection",
            () if (20..24).any(there) => "it normalises its gates",
            () if call.outputs.len() != 3 => "its state is no variable",
            () => "its weights are no constants of one type and shape",
        };
        return caused(what, &RECURRENT);
    }
    let types = (1..6).map(|i| Ok(call.input(i)?.element())).collect::<Result<Vec<_>, Trouble>>()?;
    let expected = match (x, types[0]) {
        (Int8, _) => [Int8, Int8, Int32, Int8, Int16],
        (_, Int8) => [Int8, Int8, Float32, Float32, Float32],
        _ => [Float32; 5],
    };
    if types != expected || ![Int8, Float32].contains(&x) {
        let [weights, state, bias, output, memory] = [0, 1, 2, 3, 4].map(|i| types[i]);
        let reason = format!(
            "its input is {x}, its weights are {weights} and {state}, its biases {bias}, its states {output} and {memory}"
        );
        return caused(reason, if x == Float32 && types[..2].contains(&Int8) { &HYBRID } else { &RECURRENT });
    }
    let memory = call.input(5)?;
    if x == Int8 && memory.dtype.as_ref().is_ok_and(|dtype| RecurrentParams::memory_bits(dtype).is_none()) {
        return caused("the scale of its memory is no power of two from 2^-15 to 2^-9", &RECURRENT);
    }
    let activation = call.option(sequence_lstm::activation)?.unwrap_or(0);
    if activation != TANH {
        return caused(format!("its activation is number {activation} and not TANH"), &RECURRENT);
    }
    let clip = call.option(sequence_lstm::cell_clip)?.unwrap_or(0.0);
    let params = RecurrentParams {
        cell: Cell::Lstm,
        time_major: call.flag(sequence_lstm::time_major)?,
        reverse: false,
        clip: Some(clip).filter(|&clip| clip != 0.0),
        sequence: true,
        last: true,
        memory: true,
        asymmetric_quantize_inputs: call.flag(sequence_lstm::asymmetric_quantize_inputs)?,
    };
    shaped(call, &params)?;
    Ok((Op::Recurrent(params), (0..6).map(|i| call.index(i)).collect::<Result<_, _>>()?))
}

/// Checks what the reference does not mind: an input of two dimensions, and states of any shape of as many elements.
fn shaped(call: &Call<'_>, params: &RecurrentParams) -> Result<(), Trouble> {
    let (x, state) = (call.input(0)?, call.input(2)?);
    let (&[a, b, _], &[_, units]) = (&*x.shape, &*state.shape) else {
        return caused("its input has not three dimensions, or its weights have not two", &RECURRENT);
    };
    let batch = if params.time_major { b } else { a };
    for i in 4..call.inputs.len() {
        if call.input(i)?.shape != [batch, units] {
            return caused(format!("its state is not of the shape {batch}x{units}"), &RECURRENT);
        }
    }
    Ok(())
}

fn read_rnn(call: &Call<'_>) -> Result<Decoded, Trouble> {
    call.data(0)?;
    let constant = |i: usize| call.input(i).is_ok_and(|source| source.data.is_some());
    if call.outputs.len() != 2 || !(1..4).all(constant) {
        return caused("its weights are no constants, or its state is no variable", &RECURRENT);
    }
    let cell = match call.option(sequence_rnn::activation)?.unwrap_or(0) {
        TANH => Cell::Tanh,
        RELU => Cell::Relu,
        other => return caused(format!("its activation is number {other}, and not TANH or RELU"), &RECURRENT),
    };
    let params = RecurrentParams {
        cell,
        time_major: call.flag(sequence_rnn::time_major)?,
        reverse: false,
        clip: None,
        sequence: true,
        last: true,
        memory: false,
        asymmetric_quantize_inputs: call.flag(sequence_rnn::asymmetric_quantize_inputs)?,
    };
    shaped(call, &params)?;
    Ok((Op::Recurrent(params), (0..5).map(|i| call.index(i)).collect::<Result<_, _>>()?))
}

/// The variables, as value and what is held next, that a recurrent layer has as its state, if the format has the layer.
fn states_of(operator: &Operator) -> Option<Vec<[smidgen_ir::TensorId; 2]>> {
    let layer = match operator.op {
        Op::Recurrent(layer) => layer,
        Op::Svdf { .. } => return Some(vec![[*operator.inputs.get(3)?, *operator.outputs.get(1)?]]),
        _ => return None,
    };
    let count = layer.cell.states();
    let known = matches!(layer.cell, Cell::Lstm | Cell::Tanh | Cell::Relu) && !layer.reverse;
    let all = layer.sequence && layer.last && layer.memory == (count == 2);
    if !known || !all || operator.inputs.len() != 4 + count || operator.outputs.len() != 1 + count {
        return None;
    }
    Some(operator.inputs[4..].iter().zip(&operator.outputs[1..]).map(|(&value, &next)| [value, next]).collect())
}

/// For each variable, whether it is the state of a recurrent layer that the format has, begins with zeros, and concerns
/// nothing else.
pub(crate) fn states(graph: &Graph) -> Vec<bool> {
    let mut reads = vec![0usize; graph.tensors.len()];
    let mut count = |t: &smidgen_ir::TensorId| {
        if let Some(reads) = reads.get_mut(t.index()) {
            *reads += 1;
        }
    };
    graph.operators.iter().flat_map(|operator| &operator.inputs).for_each(&mut count);
    graph.results().for_each(|t| count(&t));
    let of = |t: smidgen_ir::TensorId| reads.get(t.index()).copied().unwrap_or(usize::MAX);
    let mut states = vec![false; graph.variables.len()];
    for own in graph.operators.iter().filter_map(states_of) {
        let places: Option<Vec<usize>> = own
            .iter()
            .map(|&[value, next]| {
                // Read by the layer alone; what it writes is only held.
                let place = graph.variables.iter().position(|v| v.value == value && v.next == next)?;
                let zero = match graph.variables[place].initial {
                    None => true,
                    Some(t) => graph.tensors.get(t.index())?.data.as_ref()?.iter().all(|&byte| byte == 0),
                };
                (zero && of(value) == 1 && of(next) == 1).then_some(place)
            })
            .collect();
        places.into_iter().flatten().for_each(|place| states[place] = true);
    }
    states
}

/// The tensors that a layer both reads and writes in the format, which are its states; its other outputs are what it has
/// left.
pub(super) fn kept(writer: &mut Writer<'_, '_>) -> Result<Vec<usize>, WriteError> {
    let graph = writer.draft.graph;
    let kept = states_of(writer.operator).filter(|own| {
        own.iter().all(|[value, _]| {
            graph.variables.iter().zip(&writer.draft.states).any(|(v, &state)| state && v.value == *value)
        })
    });
    let Some(kept) = kept else {
        return Err(writer.fail(
            "TensorFlow Lite's recurrent layers keep their state between calls, begin with zeros, go forward and are no \
             GRU; this one is not so, and is for ONNX or the textual form",
        ));
    };
    for &[_, next] in &kept {
        writer.draft.tensors[next.index()].variable = true;
    }
    writer.outputs.truncate(1);
    Ok(kept.iter().map(|[_, next]| next.index()).collect())
}

/// As the format has it: the state is a tensor that the layer both reads and writes.
pub(super) fn write(writer: &mut Writer<'_, '_>, layer: &RecurrentParams) -> Result<Written, WriteError> {
    let state = kept(writer)?;
    let activation = if layer.cell == Cell::Relu { RELU } else { TANH };
    let RecurrentParams { time_major, asymmetric_quantize_inputs, .. } = *layer;
    if layer.cell != Cell::Lstm {
        let inputs = [&writer.inputs[..4], &state].concat();
        let options = Options::SequenceRnn { activation, time_major, asymmetric_quantize_inputs };
        return Ok((Builtin::UnidirectionalSequenceRnn, inputs, options));
    }
    let mut inputs = vec![ABSENT; 24];
    inputs[0] = writer.inputs[0];
    for (i, part) in gates::PARTS.iter().enumerate() {
        let tensor = writer.input(1 + i)?;
        let Some(data) = tensor.data.as_ref().filter(|data| data.len() % 4 == 0) else {
            return Err(writer.fail("its weights must be constants"));
        };
        let mut shape = tensor.shape.0.clone();
        if let Some(rows) = shape.first_mut() {
            *rows /= 4;
        }
        let shape = writer.ints(shape)?;
        let parts = part.iter().zip(gates::SUFFIXES).zip(data.chunks((data.len() / 4).max(1)));
        for (gate, ((&place, suffix), bytes)) in parts.enumerate() {
            let name = format!("{}{suffix}", tensor.name);
            // Validation has seen to it that a gate has one scale.
            let dtype = match &tensor.dtype {
                DataType::Quantised(element, Quantisation::PerChannel { scales, .. }) => {
                    let scale = scales.get(gate * (scales.len() / 4)).copied().unwrap_or(1.0);
                    Cow::Owned(DataType::Quantised(*element, Quantisation::PerTensor { scale, zero_point: 0 }))
                }
                dtype => Cow::Borrowed(dtype),
            };
            inputs[place] = writer.draft.constant(name, shape.clone(), dtype, bytes.to_vec());
        }
    }
    if writer.input(0)?.element() == Int8 {
        // Of the sums of the gates, which only layers that are normalised have in another scale, and of the output.
        let gate = DataType::int16(1.0 / 4096.0);
        let hidden = writer.output()?.dtype.clone();
        for (i, dtype) in [gate.clone(), gate.clone(), gate.clone(), gate, hidden].into_iter().enumerate() {
            let name = format!("{}/intermediate {i}", writer.output()?.name);
            let tensor = writer.draft.intermediate(name, dtype);
            writer.intermediates.push(tensor);
        }
    }
    gates::STATES.iter().zip(state).for_each(|(&place, t)| inputs[place] = t);
    let clip = layer.clip.unwrap_or(0.0);
    let options = Options::SequenceLstm { activation, clip, time_major, asymmetric_quantize_inputs };
    Ok((Builtin::UnidirectionalSequenceLstm, inputs, options))
}
