//! Cross-layer equalisation (Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", 2019,
//! section 4.1): channels between two layers are scaled against each other, which changes no result where nothing but a
//! ReLU lies between.
//!
//! The paper balances the weights' ranges on both sides, for weights with one scale each. Here weights have a scale for each output
//! channel, so what is gained lies elsewhere: in the activation between the layers, which has one scale for all its channels, and in
//! the weights that read it, whose scale is shared by all input channels. These two are balanced.

use crate::observe::Seen;
use crate::weights::Layout;
use smidgen_ir::{Activation, DataType, Graph, Op, OpId, Tensor, TensorId};

/// Channels are scaled by at most this factor, so that one that hardly ever fires cannot take over a range.
const MOST: f64 = 64.0;

/// Equalises every pair of layers that allows it; how many there were.
pub(crate) fn equalise(graph: &mut Graph, seen: &Seen) -> usize {
    let pairs = pairs(graph);
    for &(first, second) in &pairs {
        let between = graph.operators[first.index()].outputs[0];
        if let Some(stats) = &seen[between.index()] {
            let magnitudes: Vec<f64> = stats.magnitudes.iter().map(|&m| m.into()).collect();
            scale_pair(graph, first, second, &magnitudes);
        }
    }
    pairs.len()
}

/// Layers of which the second is all that reads the first, with an activation between that commutes with scaling.
fn pairs(graph: &Graph) -> Vec<(OpId, OpId)> {
    let (producers, consumers) = (graph.producers(), graph.consumers());
    let weights_are_own = |op: OpId| {
        let inputs = &graph.operators[op.index()].inputs;
        inputs[1..].iter().all(|id| consumers[id.index()].len() == 1 && graph.tensor(*id).floats().is_some())
    };
    let mut pairs = Vec::new();
    for (i, operator) in graph.operators.iter().enumerate() {
        let second = OpId(i as u32);
        let reads = match operator.op {
            Op::Conv2d(_) | Op::FullyConnected { .. } => true,
            // Other multipliers would need a factor for each output of the second.
            Op::DepthwiseConv2d { multiplier, .. } => multiplier == 1,
            _ => false,
        };
        let x = operator.inputs[0];
        let Some(first) = producers[x.index()].filter(|_| reads) else { continue };
        let activation = match &graph.operators[first.index()].op {
            Op::Conv2d(conv) | Op::DepthwiseConv2d { conv, .. } => conv.activation,
            Op::FullyConnected { activation, .. } => *activation,
            _ => continue,
        };
        let linear = matches!(activation, Activation::None | Activation::Relu);
        let only = consumers[x.index()] == [second] && !graph.outputs.contains(&x);
        // FULLY_CONNECTED may cut its input's rows elsewhere than at channels.
        let channels = graph.tensor(x).shape.dims().last().copied();
        let aligned = channels.is_some() && {
            let weights = graph.tensor(operator.inputs[1]).shape.dims();
            weights.last().copied() == channels
        };
        if linear && only && aligned && weights_are_own(first) && weights_are_own(second) {
            pairs.push((first, second));
        }
    }
    pairs
}

/// Divides the first layer's channels by factors and multiplies the second's weights for them.
fn scale_pair(graph: &mut Graph, first: OpId, second: OpId, magnitudes: &[f64]) {
    let weights = |graph: &Graph, op: OpId| -> Option<(TensorId, Vec<f32>, Layout)> {
        let operator = &graph.operators[op.index()];
        let tensor = graph.tensor(operator.inputs[1]);
        Some((operator.inputs[1], tensor.floats()?, Layout::of(&operator.op, tensor.shape.dims())?))
    };
    let Some((reader, mut read, layout)) = weights(graph, second) else { return };
    let mut columns = vec![0f64; magnitudes.len()];
    for (i, &value) in read.iter().enumerate() {
        let column = &mut columns[layout.input(i)];
        *column = column.max(f64::from(value.abs()));
    }
    let factors = factors(magnitudes, &columns, layout.is_depthwise());
    for (i, value) in read.iter_mut().enumerate() {
        *value = (f64::from(*value) * factors[layout.input(i)]) as f32;
    }
    set(graph, reader, &read);
    let Some((writer, mut written, layout)) = weights(graph, first) else { return };
    for (i, value) in written.iter_mut().enumerate() {
        *value = (f64::from(*value) / factors[layout.output(i)]) as f32;
    }
    set(graph, writer, &written);
    if let Some(&id) = graph.operators[first.index()].inputs.get(2) {
        let bias = graph.tensor(id).floats().unwrap_or_default();
        let bias: Vec<f32> = bias.iter().zip(&factors).map(|(&b, f)| (f64::from(b) / f) as f32).collect();
        set(graph, id, &bias);
    }
}

/// `sqrt(a / w)` for each channel, with a the activation's magnitude and w the reading weights': afterwards both are `sqrt(a * w)`.
/// Weights that have a scale for each of these channels take everything: then the factor is `a`. The factors' geometric mean is 1.
fn factors(magnitudes: &[f64], columns: &[f64], depthwise: bool) -> Vec<f64> {
    let of = |(&a, &w): (&f64, &f64)| match depthwise {
        _ if a <= 0.0 || w <= 0.0 => None,
        true => Some(a.ln()),
        false => Some((a / w).ln() / 2.0),
    };
    let logs: Vec<Option<f64>> = magnitudes.iter().zip(columns).map(of).collect();
    let known: Vec<f64> = logs.iter().flatten().copied().collect();
    let mean = known.iter().sum::<f64>() / known.len().max(1) as f64;
    let limit = MOST.ln();
    // Powers of two divide and multiply without rounding.
    let factor = |log: f64| ((log - mean).clamp(-limit, limit) / std::f64::consts::LN_2).round().exp2();
    logs.into_iter().map(|log| log.map_or(1.0, factor)).collect()
}

fn set(graph: &mut Graph, id: TensorId, values: &[f32]) {
    let tensor = graph.tensor(id);
    let data: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let changed = Tensor::constant(tensor.name.clone(), tensor.shape.clone(), DataType::FLOAT32, data);
    graph.tensors[id.index()] = changed;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_end_up_alike() {
        let (a, w) = ([8.0, 2.0, 0.0, 1.0], [1.0, 4.0, 3.0, 1.0]);
        let f = factors(&a, &w, false);
        assert_eq!(f[2], 1.0);
        // Before, the activation's channels are 8 to 1 and the columns 4 to 1; after, both follow sqrt(a * w): 2.83 to 1.
        for i in [0, 1, 3] {
            let ratio = (a[i] / f[i]) / (w[i] * f[i]);
            assert!((0.24..4.1).contains(&ratio), "{i}: {ratio}");
        }
        let f = factors(&a, &w, true);
        assert_eq!([f[0] / f[3], f[1] / f[3]], [8.0, 2.0]);
    }
}
