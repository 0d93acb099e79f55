//! Recurrent layers of which only the last output is read.

use super::Flow;
use crate::graph::{Graph, Operator};
use crate::ops::{AxisSlice, Op, RecurrentParams, ReshapeKind};
use crate::tensor::{Shape, Tensor, TensorId};

/// Lets a recurrent layer of one sequence write its last output alone where slices take nothing else of its outputs,
/// perhaps behind reshapes: then those of the other steps need no memory. Layers with states from outside stay as they
/// are, so that a file can have them.
pub fn read_last_steps(graph: &mut Graph) -> usize {
    let flow = Flow::of(graph);
    let mut changes = 0;
    for i in 0..graph.operators.len() {
        let Operator { op: Op::Recurrent(layer), inputs, outputs, .. } = &graph.operators[i] else { continue };
        let Some(&sequence) = outputs.first().filter(|_| layer.sequence) else { continue };
        let layer = *layer;
        let [batch, steps, _, units] = layer.sizes(&graph.tensor(inputs[0]).shape, &graph.tensor(inputs[2]).shape);
        if batch != 1 || steps == 1 || inputs.len() > 4 {
            continue;
        }
        let step = if layer.reverse { 0 } else { steps - 1 };
        let Some(slices) = slices(graph, &flow, sequence, [step, steps, units]) else { continue };
        let last = last(graph, i, layer, units);
        for slice in slices {
            let shape = graph.tensor(graph.operators[slice].outputs[0]).shape.0.clone();
            graph.operators[slice].op = Op::Reshape { kind: ReshapeKind::Reshape, shape };
            graph.operators[slice].inputs = vec![last];
            changes += 1;
        }
    }
    changes
}

/// The layer's last output, which it has from now on.
fn last(graph: &mut Graph, i: usize, layer: RecurrentParams, units: usize) -> TensorId {
    if layer.last {
        return graph.operators[i].outputs[1];
    }
    let name = format!("{} (last step)", graph.tensor(graph.operators[i].outputs[0]).name);
    let dtype = graph.tensor(graph.operators[i].outputs[0]).dtype.clone();
    let last = graph.add_tensor(Tensor::activation(name, Shape(vec![1, units]), dtype));
    graph.operators[i].op = Op::Recurrent(RecurrentParams { last: true, ..layer });
    graph.operators[i].outputs.insert(1, last);
    last
}

/// The operators that take step `step` of the outputs, if all readers are such.
fn slices(graph: &Graph, flow: &Flow, sequence: TensorId, sizes: [usize; 3]) -> Option<Vec<usize>> {
    let (mut found, mut names) = (Vec::new(), vec![sequence]);
    while let Some(name) = names.pop() {
        if flow.is_output(name) {
            return None;
        }
        for reader in flow.readers(graph, name) {
            match &graph.operators[reader].op {
                Op::Reshape { .. } => names.push(graph.operators[reader].outputs[0]),
                op if takes(op, &graph.tensor(name).shape.0, sizes) => found.push(reader),
                _ => return None,
            }
        }
    }
    (!found.is_empty()).then_some(found)
}

/// True if an operator takes, of a tensor of `steps` times `units` elements, those of step `step` in their order.
fn takes(op: &Op, dims: &[usize], [step, steps, units]: [usize; 3]) -> bool {
    let own: Vec<[usize; 2]> = match op {
        Op::Slice { begin, size } => begin.iter().zip(size).map(|(&begin, &size)| [begin, size]).collect(),
        Op::StridedSlice { axes } => {
            let along = |axis: &AxisSlice| (axis.stride == 1 || axis.len == 1).then_some([axis.start, axis.len]);
            match axes.iter().map(along).collect() {
                Some(own) => own,
                None => return false,
            }
        }
        _ => return false,
    };
    let Some(axis) = dims.iter().position(|&size| size != 1) else { return false };
    let whole = |i: usize| own[i] == [0, dims[i]];
    own.len() == dims.len()
        && dims[axis] == steps
        && dims[axis + 1..].iter().product::<usize>() == units
        && own[axis] == [step, 1]
        && (0..dims.len()).all(|i| i == axis || whole(i))
}

#[cfg(test)]
mod tests {
    use crate::ops::Op;
    use crate::passes::canonicalise;
    use crate::{text, validate};

    /// A layer of three steps and two units, and what reads it.
    fn layer(direction: &str, reader: &str) -> String {
        format!(
            "graph \"g\"\ninputs(%0)\noutputs(%5)\n\n%0 \"x\" : f32[1x3x1]\n%1 : f32[2x1] = [1.0, 2.0]\n\
             %2 : f32[2x2] = [0.0, 1.0, 2.0, 3.0]\n%3 : f32[2] = [0.0, 1.0]\n\
             %4 \"s\" : f32[1x3x2] = UNIDIRECTIONAL_SEQUENCE_RNN(%0, %1, %2, %3) sequence=true{direction}\n{reader}\n"
        )
    }

    /// The outputs of the layer and the operators, cleaned up.
    fn cleaned(text: &str) -> ([bool; 3], Vec<&'static str>) {
        let mut graph = text::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        validate(&graph).unwrap_or_else(|error| panic!("{error}\n{text}"));
        canonicalise(&mut graph);
        validate(&graph).unwrap_or_else(|error| panic!("cleaned up: {error}\n{text}"));
        let layer = graph.operators.iter().find_map(|operator| match operator.op {
            Op::Recurrent(layer) => Some(layer.outputs()),
            _ => None,
        });
        (layer.expect("a layer"), graph.operators.iter().map(|operator| operator.op.name()).collect())
    }

    const RNN: &str = "UNIDIRECTIONAL_SEQUENCE_RNN";

    #[test]
    fn the_last_step_alone_is_written_where_nothing_else_is_read() {
        let slice = "%5 \"y\" : f32[1x1x2] = SLICE(%4) begin=[0, 2, 0] size=[1, 1, 2]";
        assert_eq!(cleaned(&layer("", slice)), ([false, true, false], vec![RNN, "RESHAPE"]));
        let shrunk = "%5 \"y\" : f32[1x2] = STRIDED_SLICE(%6) axes=[[2, 1, 1, shrink], [0, 1, 1], [0, 1, 2]]";
        let reshaped = format!("%6 \"r\" : f32[3x1x2] = RESHAPE(%4) shape=[3, 1, 2]\n{shrunk}");
        // It has the shape of the last output, which it is then.
        assert_eq!(cleaned(&layer("", &reshaped)), ([false, true, false], vec![RNN]));
        let first = "%5 \"y\" : f32[1x1x2] = SLICE(%4) begin=[0, 0, 0] size=[1, 1, 2]";
        assert_eq!(cleaned(&layer(" reverse=true", first)), ([false, true, false], vec![RNN, "RESHAPE"]));
    }

    #[test]
    fn other_steps_that_are_read_stay() {
        for reader in [
            "%5 \"y\" : f32[1x1x2] = SLICE(%4) begin=[0, 0, 0] size=[1, 1, 2]",
            "%5 \"y\" : f32[1x2x2] = SLICE(%4) begin=[0, 1, 0] size=[1, 2, 2]",
            "%5 \"y\" : f32[1x1x1] = SLICE(%4) begin=[0, 2, 0] size=[1, 1, 1]",
            "%6 : f32[1x1x2] = SLICE(%4) begin=[0, 2, 0] size=[1, 1, 2]\n%5 \"y\" : f32[1x3x2] = ADD(%4, %6)",
        ] {
            let (outputs, names) = cleaned(&layer("", reader));
            assert_eq!((outputs, names.len() > 1), ([true, false, false], true), "{reader}: {names:?}");
        }
    }
}
