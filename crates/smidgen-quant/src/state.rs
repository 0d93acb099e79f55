//! Networks that keep state between inferences: opened into ones that are handed it, and closed again.
//!
//! In the opened network the value of each variable is an input more and what it becomes an output more, behind those that it has;
//! samples say for each inference what state it begins with. So everything else here deals with networks without state.

use crate::error::QuantError;
use crate::noise::encode;
use crate::observe::executor;
use crate::{Inputs, Progress, Stage};
use smidgen_ir::{Graph, Tensor, TensorId, Variable};

/// The network without variables, and for each of those, in order, the bytes that its value begins with.
pub(crate) fn open(graph: &Graph) -> (Graph, Vec<Vec<u8>>) {
    let mut opened = graph.clone();
    let variables = std::mem::take(&mut opened.variables);
    opened.inputs.extend(variables.iter().map(|variable| variable.value));
    opened.outputs.extend(variables.iter().map(|variable| variable.next));
    let first = |variable: &Variable| {
        let initial = variable.initial.and_then(|id| graph.tensor(id).data.as_ref().map(|data| data.to_vec()));
        // Real zeros: what is quantised already is refused.
        initial.unwrap_or_else(|| vec![0; graph.tensor(variable.value).bytes()])
    };
    let first = variables.iter().map(first).collect();
    (opened, first)
}

/// Of an opened network with so many variables, the value of each and what it becomes.
pub(crate) fn pairs(opened: &Graph, count: usize) -> Vec<[TensorId; 2]> {
    let values = &opened.inputs[opened.inputs.len() - count..];
    let next = &opened.outputs[opened.outputs.len() - count..];
    values.iter().zip(next).map(|(&value, &next)| [value, next]).collect()
}

/// Samples of an opened network: inferences one behind the other, from the first state on.
pub(crate) fn follow(
    opened: &Graph,
    samples: &[Inputs],
    first: &[Vec<u8>],
    progress: Progress<'_>,
) -> Result<Vec<Inputs>, QuantError> {
    let mut executor = executor(opened)?;
    let mut state = first.to_vec();
    let outputs = opened.outputs.len() - first.len();
    let mut followed = Vec::with_capacity(samples.len());
    for sample in samples {
        let inputs: Inputs = sample.iter().chain(&state).cloned().collect();
        for (i, bytes) in inputs.iter().enumerate() {
            executor.set_input(i, bytes)?;
        }
        executor.run();
        for (i, bytes) in state.iter_mut().enumerate() {
            *bytes = executor.output(outputs + i).to_vec();
        }
        followed.push(inputs);
        progress(Stage::Observe);
    }
    Ok(followed)
}

/// The network with variables again: its last inputs and outputs, of which each begins with these bytes of floats.
pub(crate) fn close(opened: &mut Graph, first: &[Vec<u8>]) {
    let states = pairs(opened, first.len());
    opened.inputs.truncate(opened.inputs.len() - first.len());
    opened.outputs.truncate(opened.outputs.len() - first.len());
    for ([value, next], bytes) in states.into_iter().zip(first) {
        let initial = bytes.iter().any(|&byte| byte != 0).then(|| {
            let tensor = opened.tensor(value);
            let name = format!("{} at first", tensor.name);
            let bytes = encode(tensor, bytes);
            opened.add_tensor(Tensor::constant(name, tensor.shape.clone(), tensor.dtype.clone(), bytes))
        });
        opened.variables.push(Variable { value, next, initial });
    }
}
