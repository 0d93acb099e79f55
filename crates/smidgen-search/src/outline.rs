//! A candidate as an int8 network before it has weights, for the planner.

use smidgen_ir::{
    Activation, BinaryKind, ConvParams, DataType, ElementType, Graph, Op, Padding, Quantisation, ReduceKind, Tensor,
    TensorId,
};
use smidgen_train::Block;
use std::sync::Arc;

/// What ReLU6 gives, in 255 steps: nothing is left to clamp.
const CLAMPED: (f32, i32) = (6.0 / 255.0, -128);
/// What has no activation.
const OPEN: (f32, i32) = (0.05, 0);

/// The int8 network of these blocks with weights of zeros, as a float one becomes by quantisation: what the planner wants
/// to know of a network does not depend on its weights. All inverted residuals are clamped to 0 to 6 within.
pub fn outline(input: [usize; 3], blocks: &[Block], classes: usize) -> Graph {
    let mut writer = Writer { graph: Graph::new("candidate"), x: TensorId(0), shape: input };
    let [rows, columns, channels] = input;
    let input = Tensor::activation("input", vec![1, rows, columns, channels], DataType::int8(1.0 / 255.0, -128));
    writer.x = writer.graph.add_input(input);
    for block in blocks {
        writer.block(*block);
    }
    let channels = writer.shape[2];
    let op = Op::Reduce { kind: ReduceKind::Mean, axes: vec![1, 2], keep_dims: false };
    let pooled = writer.operator(op, vec![writer.x], vec![1, channels], OPEN);
    let weights = writer.weights(vec![classes, channels], 0);
    let bias = writer.bias(classes);
    let op =
        Op::FullyConnected { keep_num_dims: true, asymmetric_quantize_inputs: false, activation: Activation::None };
    let output = writer.operator(op, vec![pooled, weights, bias], vec![1, classes], OPEN);
    writer.graph.outputs.push(output);
    writer.graph
}

struct Writer {
    graph: Graph,
    /// The value that the next block reads, and its rows, columns and channels.
    x: TensorId,
    shape: [usize; 3],
}

impl Writer {
    fn operator(&mut self, op: Op, inputs: Vec<TensorId>, shape: Vec<usize>, (scale, zero): (f32, i32)) -> TensorId {
        let output = self.graph.add_tensor(Tensor::activation("", shape, DataType::int8(scale, zero)));
        self.graph.add_operator(op, inputs, vec![output]);
        output
    }

    fn weights(&mut self, shape: Vec<usize>, axis: usize) -> TensorId {
        let (channels, elements) = (shape[axis], shape.iter().product());
        let each = Quantisation::PerChannel { axis, scales: vec![0.01; channels], zero_points: vec![0; channels] };
        let zeros: Arc<[u8]> = vec![0; elements].into();
        self.graph.add_tensor(Tensor::constant("", shape, DataType::Quantised(ElementType::Int8, each), zeros))
    }

    fn bias(&mut self, channels: usize) -> TensorId {
        let each = Quantisation::PerChannel { axis: 0, scales: vec![0.0005; channels], zero_points: vec![0; channels] };
        let zeros: Arc<[u8]> = vec![0; 4 * channels].into();
        self.graph.add_tensor(Tensor::constant(
            "",
            vec![channels],
            DataType::Quantised(ElementType::Int32, each),
            zeros,
        ))
    }

    /// A convolution, depthwise where there are no filters. Windows lie around each pixel.
    fn conv(
        &mut self,
        filters: Option<usize>,
        kernel: [usize; 2],
        stride: usize,
        activation: smidgen_train::Activation,
    ) {
        let [rows, columns, channels] = self.shape;
        let [v, h] = kernel.map(|side| [side.saturating_sub(1) / 2, side / 2]);
        let size = |length: usize, [before, after]: [usize; 2], taps: usize| {
            (length + before + after).saturating_sub(taps) / stride + 1
        };
        // What the last windows do not reach is no padding.
        let after = |length: usize, before: usize, taps: usize, windows: usize| {
            ((windows - 1) * stride + taps).saturating_sub(length + before)
        };
        let out = [size(rows, v, kernel[0]), size(columns, h, kernel[1])];
        let (bottom, right) = (after(rows, v[0], kernel[0], out[0]), after(columns, h[0], kernel[1], out[1]));
        let padding = if [v[0], h[0], bottom, right] == [0; 4] {
            Padding::Valid
        } else {
            Padding::Explicit { top: v[0], bottom, left: h[0], right }
        };
        let (fused, range) = match activation {
            smidgen_train::Activation::None => (Activation::None, OPEN),
            smidgen_train::Activation::Relu => (Activation::Relu, CLAMPED),
            _ => (Activation::Relu6, CLAMPED),
        };
        let conv = ConvParams { stride: [stride; 2], dilation: [1; 2], padding, activation: fused };
        let (op, weights) = match filters {
            Some(filters) => (Op::Conv2d(conv), self.weights(vec![filters, kernel[0], kernel[1], channels], 0)),
            None => {
                let weights = self.weights(vec![1, kernel[0], kernel[1], channels], 3);
                (Op::DepthwiseConv2d { conv, multiplier: 1 }, weights)
            }
        };
        let channels = filters.unwrap_or(channels);
        let bias = self.bias(channels);
        self.x = self.operator(op, vec![self.x, weights, bias], vec![1, out[0], out[1], channels], range);
        self.shape = [out[0], out[1], channels];
    }

    fn block(&mut self, block: Block) {
        match block {
            Block::Conv { filters, kernel, stride, activation } => self.conv(Some(filters), kernel, stride, activation),
            Block::Depthwise { kernel, stride, activation } => self.conv(None, kernel, stride, activation),
            Block::Inverted { middle, filters, kernel, stride, activation } => {
                let before = (self.x, self.shape);
                if self.shape[2] != middle {
                    self.conv(Some(middle), [1; 2], 1, activation);
                }
                self.conv(None, [kernel; 2], stride, activation);
                self.narrow(filters, before);
            }
            Block::Fused { middle, filters, kernel, stride, activation } => {
                let before = (self.x, self.shape);
                self.conv(Some(middle), [kernel; 2], stride, activation);
                self.narrow(filters, before);
            }
        }
    }

    /// The end of a block: to its output's channels, and the sum with its input where that has the same shape.
    fn narrow(&mut self, filters: usize, (before, shape): (TensorId, [usize; 3])) {
        self.conv(Some(filters), [1; 2], 1, smidgen_train::Activation::None);
        if self.shape == shape {
            let op = Op::Binary { kind: BinaryKind::Add, activation: Activation::None };
            let [rows, columns, channels] = shape;
            self.x = self.operator(op, vec![self.x, before], vec![1, rows, columns, channels], OPEN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::candidate::Candidate;
    use crate::space::{Inputs, Space, grid};
    use smidgen_lower::LowerOptions;
    use smidgen_plan::planner::{Oracle, PlanOptions};
    use smidgen_quant::{Options, quantise};
    use smidgen_train::Random;

    /// What the planner is asked about is what training and quantisation make in the end.
    #[test]
    fn an_outline_costs_what_the_quantised_network_does() {
        let oracle = Oracle::new(LowerOptions::default().for_mcu(), PlanOptions::default());
        let mut random = Random::new(5);
        let sizes = [(0.3, [48, 48, 3]), (0.5, [32, 32, 3]), (0.2, [20, 15, 1]), (0.4, [24, 24, 3])];
        let spaces = sizes.map(|(width, input)| Space::new(width, input, 7));
        let fused = grid([20, 20], 3, 7, Inputs::Own).into_iter().filter(|space| space.skeleton.fused > 0);
        for space in spaces.into_iter().chain(fused.step_by(3)) {
            let input = space.input;
            let candidate = Candidate::draw(&space, &mut random);
            let (blocks, net) = (space.blocks(&candidate), space.net(&candidate).unwrap());
            let float = net.to_graph(&net.initial_parameters(3), &net.initial_state()).unwrap();
            let elements: usize = input.iter().product();
            let sample = |k: usize| {
                let pixel = |i: usize| ((i * 31 + k * 17) % 97) as f32 / 96.0;
                vec![(0..elements).flat_map(|i| pixel(i).to_le_bytes()).collect::<Vec<u8>>()]
            };
            let samples: Vec<_> = (0..4).map(sample).collect();
            let options = Options { inputs: vec![Some((0.0, 1.0))], noise_samples: 1, ..Options::default() };
            let quantised = quantise(&float, &samples, &options, &|_| {}).unwrap().graph;
            let (known, asked) = (oracle.cost(&quantised).unwrap(), oracle.cost(&outline(input, &blocks, 7)).unwrap());
            assert_eq!((known.sram, known.flash.constants), (asked.sram, asked.flash.constants), "{candidate:?}");
            assert_eq!((known.code, known.instructions), (asked.code, asked.instructions), "{candidate:?}");
            assert_eq!(smidgen_ir::cost::cost(&quantised).macs as usize, net.macs());
        }
    }
}
