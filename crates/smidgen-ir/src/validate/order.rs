//! Structure: names that exist, one writer for each tensor, and an order in which the operators can run.

use super::{OperatorError, OperatorRef, TensorRef, ValidateError, VariableError};
use crate::graph::{Graph, OpId};
use crate::tensor::TensorId;

pub(super) fn check(graph: &Graph) -> Result<(), ValidateError> {
    names(graph)?;
    let writers = writers(graph)?;
    let mut written: Vec<bool> = graph.tensors.iter().map(|t| t.is_constant()).collect();
    for t in graph.sources() {
        written[t.index()] = true;
    }
    for (i, operator) in graph.operators.iter().enumerate() {
        if let Some(&t) = operator.inputs.iter().find(|t| !written[t.index()]) {
            return Err(unordered(graph, &writers, OpId(i as u32), t));
        }
        for t in &operator.outputs {
            written[t.index()] = true;
        }
    }
    if let Some(&t) = graph.outputs.iter().find(|t| !written[t.index()]) {
        return Err(ValidateError::OutputNotWritten { tensor: TensorRef::new(graph, t) });
    }
    variables(graph, &written)
}

/// What each variable holds first and next is there, and is what it can hold.
fn variables(graph: &Graph, written: &[bool]) -> Result<(), ValidateError> {
    for variable in &graph.variables {
        let value = graph.tensor(variable.value);
        let unlike = |id: &TensorId| {
            let other = graph.tensor(*id);
            value.shape != other.shape || value.dtype != other.dtype
        };
        let fault = if !written[variable.next.index()] {
            VariableError::NextNotWritten { next: TensorRef::new(graph, variable.next) }
        } else if let Some(id) = variable.initial.filter(|id| !graph.tensor(*id).is_constant()) {
            VariableError::InitialNotConstant { initial: TensorRef::new(graph, id) }
        } else if let Some(id) = variable.initial.into_iter().chain([variable.next]).find(unlike) {
            let other = graph.tensor(id);
            VariableError::Unlike {
                value: (value.shape.clone(), value.dtype.clone()),
                other: TensorRef::new(graph, id),
                found: (other.shape.clone(), other.dtype.clone()),
            }
        } else {
            continue;
        };
        return Err(variable_fault(graph, variable.value, fault));
    }
    Ok(())
}

fn variable_fault(graph: &Graph, value: TensorId, fault: VariableError) -> ValidateError {
    ValidateError::Variable { tensor: TensorRef::new(graph, value), fault: Box::new(fault) }
}

fn names(graph: &Graph) -> Result<(), ValidateError> {
    let count = graph.tensors.len();
    let exist = |ids: &[TensorId], user: &dyn Fn() -> String| match ids.iter().find(|t| t.index() >= count) {
        Some(&id) => Err(ValidateError::NoSuchTensor { user: user(), id, count }),
        None => Ok(()),
    };
    exist(&graph.inputs, &|| "the list of graph inputs".into())?;
    exist(&graph.outputs, &|| "the list of graph outputs".into())?;
    for (i, operator) in graph.operators.iter().enumerate() {
        let user = || OperatorRef::new(graph, OpId(i as u32)).to_string();
        exist(&operator.inputs, &user)?;
        exist(&operator.outputs, &user)?;
    }
    for variable in &graph.variables {
        exist(&[variable.value, variable.next], &|| "the list of variables".into())?;
        exist(variable.initial.as_slice(), &|| "the list of variables".into())?;
    }
    if graph.outputs.is_empty() {
        return Err(ValidateError::NoOutput);
    }
    let mut listed = vec![false; count];
    for &t in &graph.inputs {
        if graph.tensor(t).is_constant() {
            return Err(ValidateError::ConstantInput { tensor: TensorRef::new(graph, t) });
        }
        if std::mem::replace(&mut listed[t.index()], true) {
            return Err(ValidateError::DuplicateInput { tensor: TensorRef::new(graph, t) });
        }
    }
    let mut values = vec![false; count];
    for variable in &graph.variables {
        let t = variable.value;
        let fault = if graph.tensor(t).is_constant() {
            VariableError::Constant
        } else if listed[t.index()] {
            VariableError::Input
        } else if std::mem::replace(&mut values[t.index()], true) {
            VariableError::Twice
        } else {
            continue;
        };
        return Err(variable_fault(graph, t, fault));
    }
    Ok(())
}

/// The operator that writes each tensor.
fn writers(graph: &Graph) -> Result<Vec<Option<OpId>>, ValidateError> {
    let mut writers: Vec<Option<OpId>> = vec![None; graph.tensors.len()];
    let mut inputs = vec![false; graph.tensors.len()];
    let mut values = inputs.clone();
    for t in &graph.inputs {
        inputs[t.index()] = true;
    }
    for variable in &graph.variables {
        values[variable.value.index()] = true;
    }
    for (i, operator) in graph.operators.iter().enumerate() {
        for &t in &operator.outputs {
            let tensor = TensorRef::new(graph, t);
            let fault = if graph.tensor(t).is_constant() {
                OperatorError::WritesConstant { tensor }
            } else if inputs[t.index()] {
                OperatorError::WritesInput { tensor }
            } else if values[t.index()] {
                OperatorError::WritesVariable { tensor }
            } else if let Some(first) = writers[t.index()] {
                OperatorError::WrittenTwice { tensor, first: OperatorRef::new(graph, first) }
            } else {
                writers[t.index()] = Some(OpId(i as u32));
                continue;
            };
            return Err(ValidateError::Operator {
                operator: OperatorRef::new(graph, OpId(i as u32)),
                fault: fault.into(),
            });
        }
    }
    Ok(writers)
}

/// Says why `operator` cannot read `tensor`: nothing writes it, a cycle does, or it comes too late.
fn unordered(graph: &Graph, writers: &[Option<OpId>], operator: OpId, tensor: TensorId) -> ValidateError {
    let reference = TensorRef::new(graph, tensor);
    let fault = match writers[tensor.index()] {
        None => OperatorError::NeverWritten { tensor: reference },
        Some(writer) => {
            if let Some(operators) = cycle(graph, writers, operator) {
                return ValidateError::Cycle { operators };
            }
            OperatorError::OutOfOrder { tensor: reference, writer: OperatorRef::new(graph, writer) }
        }
    };
    ValidateError::Operator { operator: OperatorRef::new(graph, operator), fault: fault.into() }
}

/// A cycle among the operators that `start` depends on, in the order in which data would flow.
fn cycle(graph: &Graph, writers: &[Option<OpId>], start: OpId) -> Option<Vec<OperatorRef>> {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        Open,
        Done,
    }
    let mut state = vec![State::New; graph.operators.len()];
    // Depth first without recursion, since a file decides the depth: each entry is an operator and its next input to follow.
    let mut path = vec![(start, 0usize)];
    state[start.index()] = State::Open;
    while let Some((op, next)) = path.last_mut() {
        let Some(t) = graph.operators[op.index()].inputs.get(*next) else {
            state[op.index()] = State::Done;
            path.pop();
            continue;
        };
        *next += 1;
        let Some(writer) = writers[t.index()] else { continue };
        match state[writer.index()] {
            State::Done => {}
            State::New => {
                state[writer.index()] = State::Open;
                path.push((writer, 0));
            }
            State::Open => {
                let from = path.iter().position(|&(op, _)| op == writer)?;
                // The path goes from reader to writer; data flows the other way.
                let mut operators: Vec<OpId> = path[from..].iter().rev().map(|&(op, _)| op).collect();
                let first = operators.iter().enumerate().min_by_key(|&(_, op)| *op).map_or(0, |(i, _)| i);
                operators.rotate_left(first);
                return Some(operators.into_iter().map(|op| OperatorRef::new(graph, op)).collect());
            }
        }
    }
    None
}
