//! Networks that keep state between inferences: opened into ones that are handed it, and closed again.
//!
//! In the opened network the value of each variable is an input more and what it becomes an output more, behind those that it has;
//! samples say for each inference what state it begins with. So everything else here deals with networks without state.

use crate::error::QuantError;
use crate::noise::encode;
use crate::observe::executor;
use crate::{Inputs, Progress, Stage};
use smidgen_exec::Executor;
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
    let mut calls = Calls::new(opened, first)?;
    let each = |sample: &Inputs| {
        let inputs = calls.call(sample)?;
        progress(Stage::Follow);
        Ok(inputs)
    };
    samples.iter().map(each).collect()
}

/// An opened network, called again and again with the state that the call before left.
pub(crate) struct Calls<'a> {
    graph: &'a Graph,
    executor: Executor,
    state: Vec<Vec<u8>>,
}

impl<'a> Calls<'a> {
    /// One that begins with these bytes of floats, stored as the network's state is.
    pub fn new(graph: &'a Graph, first: &[Vec<u8>]) -> Result<Self, QuantError> {
        let values = &graph.inputs[graph.inputs.len() - first.len()..];
        let state = values.iter().zip(first).map(|(&id, bytes)| encode(graph.tensor(id), bytes)).collect();
        Ok(Self { graph, executor: executor(graph)?, state })
    }

    /// Calls it with floats for its other inputs; gives the bytes of all inputs, the state behind them.
    pub fn call(&mut self, sample: &Inputs) -> Result<Inputs, QuantError> {
        let Self { graph, executor, state } = self;
        let given = graph.inputs.iter().zip(sample).map(|(&id, bytes)| encode(graph.tensor(id), bytes));
        let results = graph.outputs.len() - state.len();
        let inputs: Inputs = given.chain(std::mem::take(state)).collect();
        for (i, bytes) in inputs.iter().enumerate() {
            executor.set_input(i, bytes)?;
        }
        executor.run();
        *state = (results..graph.outputs.len()).map(|i| executor.output(i).to_vec()).collect();
        Ok(inputs)
    }

    /// The bytes of an output of the last call.
    pub fn output(&self, index: usize) -> &[u8] {
        self.executor.output(index)
    }
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
