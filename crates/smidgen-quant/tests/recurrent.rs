//! Recurrent layers stay on floats between layers of integers.

use smidgen_ir::{Activation, Cell, DataType, Graph, Op, RecurrentParams, Shape, Tensor, TensorId, infer, validate};
use smidgen_quant::{Options, quantise};
use smidgen_synthetic::Random;

/// A graph in the making.
struct Sketch {
    graph: Graph,
    random: Random,
}

impl Sketch {
    fn weights(&mut self, shape: &[usize]) -> TensorId {
        let shape = Shape(shape.to_vec());
        let values: Vec<f32> = (0..shape.elements()).map(|_| (self.random.unit() - 0.5) as f32).collect();
        let data: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.graph.add_tensor(Tensor::constant("w", shape, DataType::FLOAT32, data))
    }

    fn op(&mut self, name: &str, op: Op, inputs: Vec<TensorId>) -> Vec<TensorId> {
        let tensors: Vec<&Tensor> = inputs.iter().map(|&id| self.graph.tensor(id)).collect();
        let shapes: Vec<Shape> = infer(&op, &tensors).unwrap().into_iter().map(|output| output.shape).collect();
        let output = |shape| self.graph.add_tensor(Tensor::activation(name, shape, DataType::FLOAT32));
        let outputs: Vec<TensorId> = shapes.into_iter().map(output).collect();
        self.graph.add_operator(op, inputs, outputs.clone());
        outputs
    }

    fn dense(&mut self, x: TensorId, sizes: [usize; 2]) -> TensorId {
        let [inputs, outputs] = sizes;
        let operands = vec![x, self.weights(&[outputs, inputs]), self.weights(&[outputs])];
        self.op(
            "dense",
            Op::FullyConnected { keep_num_dims: true, asymmetric_quantize_inputs: false, activation: Activation::Relu },
            operands,
        )[0]
    }
}

#[test]
fn recurrent_layers_compute_on_floats_between_integers() {
    for cell in [Cell::Lstm, Cell::Gru, Cell::GruResetAfter, Cell::Tanh, Cell::Relu] {
        let mut sketch = Sketch { graph: Graph::new("net"), random: Random::new(7) };
        let x = sketch.graph.add_input(Tensor::activation("x", vec![1, 6, 4], DataType::FLOAT32));
        let x = sketch.dense(x, [4, 8]);
        let (gates, units) = (cell.gates(), 5);
        let operands = vec![
            x,
            sketch.weights(&[gates * units, 8]),
            sketch.weights(&[gates * units, units]),
            sketch.weights(&[cell.biases() * units]),
        ];
        let (time_major, reverse, clip) = (false, false, None);
        let params = RecurrentParams { cell, time_major, reverse, clip, sequence: true, last: true, memory: false };
        let outputs = sketch.op("layer", Op::Recurrent(params), operands);
        let all = sketch.dense(outputs[0], [units, 3]);
        let last = sketch.dense(outputs[1], [units, 3]);
        sketch.graph.outputs = vec![all, last];
        let Sketch { graph, mut random } = sketch;
        validate(&graph).unwrap();
        let mut sample = || (0..24).flat_map(|_| ((2.0 * random.unit() - 1.0) as f32).to_le_bytes()).collect();
        let samples: Vec<Vec<Vec<u8>>> = (0..32).map(|_| vec![sample()]).collect();
        let quantised = quantise(&graph, &samples, &Options::default(), &|_| {}).unwrap();
        let told: Vec<String> = quantised
            .graph
            .operators
            .iter()
            .map(|o| format!("{} {}", o.op.name(), quantised.graph.tensor(o.inputs[0]).element().name()))
            .collect();
        let name = Op::Recurrent(params).name();
        let layer = format!("{name} f32");
        let (dense, back, forth) = ("FULLY_CONNECTED i8", "DEQUANTIZE i8", "QUANTIZE f32");
        assert_eq!(told, [dense, back, &layer, forth, dense, forth, dense], "{cell:?}");
        assert!(
            quantised.outputs.iter().all(|ratio| ratio.is_some_and(|decibels| decibels > 25.0)),
            "{cell:?}: {:?}",
            quantised.outputs
        );
    }
}
