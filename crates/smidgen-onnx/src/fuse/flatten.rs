//! Transpositions that weights can absorb: the file flattens an image channels first, the graph has its channels last.

use super::Flow;
use crate::emit::Scales;
use smidgen_ir::{ElementType, Graph, Op, Tensor};

/// Lets element-wise operators come before a RESHAPE or TRANSPOSE of their input, where they may join what makes it and let the
/// movement meet the layer that absorbs it.
pub(super) fn sink(graph: &mut Graph) -> usize {
    let flow = Flow::of(graph);
    let mut moved = vec![false; graph.operators.len()];
    for i in 0..graph.operators.len() {
        let operator = &graph.operators[i];
        let x = match operator.op {
            Op::Unary(_) => 0,
            Op::Binary { .. } if graph.tensor(operator.inputs[1]).is_constant() => 0,
            Op::Binary { .. } if graph.tensor(operator.inputs[0]).is_constant() => 1,
            _ => continue,
        };
        let Some(before) = flow.sole(operator.inputs[x]).map(|id| id.index()).filter(|&b| !moved[b]) else { continue };
        let movement = &graph.operators[before];
        let (from, to) = (graph.tensor(movement.inputs[0]).clone(), graph.tensor(movement.outputs[0]));
        if from.is_constant() || to.shape != graph.tensor(operator.outputs[0]).shape {
            continue;
        }
        let operand = operator.inputs.get(1 - x).map(|&id| graph.tensor(id));
        let scalar = operand.is_none_or(|t| t.shape.elements() == 1 && t.shape.rank() <= 1);
        let channels = from.shape.dims().last().copied().unwrap_or(1);
        let last = operand.is_some_and(|t| t.shape.dims() == [channels] && to.shape.dims().last() == Some(&channels));
        let allowed = match movement.op {
            Op::Reshape { .. } => scalar || last,
            Op::Transpose { .. } => scalar,
            _ => false,
        };
        if !allowed {
            continue;
        }
        let middle = graph.tensor(operator.outputs[0]).dtype.clone();
        let name = graph.tensor(operator.outputs[0]).name.clone();
        let computed = graph.add_tensor(Tensor::activation(name, from.shape, middle));
        let (mut first, mut second) = (graph.operators[i].clone(), graph.operators[before].clone());
        first.inputs[x] = second.inputs[0];
        second.outputs = std::mem::replace(&mut first.outputs, vec![computed]);
        second.inputs = vec![computed];
        graph.operators[before] = first;
        graph.operators[i] = second;
        (moved[before], moved[i]) = (true, true);
    }
    moved.iter().filter(|&&m| m).count() / 2
}

/// Lets each FULLY_CONNECTED that reads a RESHAPE of a TRANSPOSE read what was transposed, with the columns of its weights in that
/// order.
pub(super) fn absorb(graph: &mut Graph, scales: &mut Scales) -> usize {
    let flow = Flow::of(graph);
    let mut changes = 0;
    for i in 0..graph.operators.len() {
        let Op::FullyConnected { .. } = graph.operators[i].op else { continue };
        let Some(reshape) = flow.sole(graph.operators[i].inputs[0]).map(|id| id.index()) else { continue };
        if !matches!(graph.operators[reshape].op, Op::Reshape { .. }) {
            continue;
        }
        let turned = graph.operators[reshape].inputs[0];
        let Some(transpose) = flow.producers[turned.index()].map(|id| id.index()) else { continue };
        let Op::Transpose { perm } = graph.operators[transpose].op.clone() else { continue };
        let source = graph.operators[transpose].inputs[0];
        let dims = graph.tensor(source).shape.dims().to_vec();
        let weights = graph.operators[i].inputs[1];
        let old = graph.tensor(weights);
        let (Some(data), &[_, columns]) = (&old.data, old.shape.dims()) else { continue };
        // Columns of int4 share bytes.
        let size = match old.element() {
            ElementType::Float32 => 4,
            ElementType::Int8 => 1,
            _ => continue,
        };
        if graph.tensor(graph.operators[i].inputs[0]).shape.dims().last() != Some(&columns) {
            continue;
        }
        let Some(order) = column_order(&dims, &perm, columns) else { continue };
        let renewed = data.chunks_exact(columns * size).flat_map(|row| {
            let mut sorted = vec![0; columns * size];
            for (&to, value) in order.iter().zip(row.chunks_exact(size)) {
                sorted[to * size..(to + 1) * size].copy_from_slice(value);
            }
            sorted
        });
        let constant = Tensor::constant(&*old.name, old.shape.clone(), old.dtype.clone(), renewed.collect::<Vec<u8>>());
        if let Some(known) = scales.get(old) {
            scales.insert(&constant, known);
        }
        graph.operators[i].inputs[1] = graph.add_tensor(constant);
        graph.operators[reshape].inputs[0] = source;
        // What is flattened now has its elements in another order than the file's value of that name.
        let flat = graph.operators[i].inputs[0];
        graph.tensors[flat.index()].source = None;
        changes += 1;
    }
    changes
}

/// For each of `columns` elements of a row of the transposed tensor its place in a row of the tensor, if the transposition
/// stays within rows.
fn column_order(dims: &[usize], perm: &[usize], columns: usize) -> Option<Vec<usize>> {
    // The axes of a row: the last that together have as many elements.
    let first = (0..=dims.len()).rev().find(|&i| dims[i..].iter().product::<usize>() == columns)?;
    // Axes of size 1 before them may come along.
    let leading: Vec<usize> = perm.iter().copied().filter(|&axis| axis < first && dims[axis] != 1).collect();
    let count = perm
        .iter()
        .take_while(|&&axis| axis < first || dims[axis] == 1)
        .filter(|&&axis| axis < first && dims[axis] != 1);
    if !leading.is_sorted() || count.count() != leading.len() {
        return None;
    }
    let inner: Vec<usize> = perm.iter().copied().filter(|&axis| axis >= first).collect();
    let mut strides = vec![1; dims.len()];
    for axis in (first + 1..dims.len()).rev() {
        strides[axis - 1] = strides[axis] * dims[axis];
    }
    let mut order = vec![0];
    for &axis in &inner {
        let stride = strides[axis];
        order = order.iter().flat_map(|&at| (0..dims[axis]).map(move |i| at + i * stride)).collect();
    }
    Some(order)
}

#[cfg(test)]
mod tests {
    use super::column_order;

    #[test]
    fn columns_follow_the_transposition() {
        // Rows of [H=1, W=2, C=3], seen as [C, H, W].
        assert_eq!(column_order(&[1, 1, 2, 3], &[0, 3, 1, 2], 6), Some(vec![0, 3, 1, 4, 2, 5]));
        assert_eq!(column_order(&[4, 2, 3], &[0, 2, 1], 6), Some(vec![0, 3, 1, 4, 2, 5]));
        assert_eq!(column_order(&[4, 2, 3], &[1, 0, 2], 3), None);
    }
}
