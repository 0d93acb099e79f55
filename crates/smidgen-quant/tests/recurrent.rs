//! Recurrent layers among layers of integers: LSTM and SVDF become integers themselves, GRU and RNN stay on floats.

use smidgen_ir::{
    Activation, Cell, DataType, ElementType, Graph, Op, RecurrentParams, Shape, Tensor, TensorId, infer, validate,
};
use smidgen_quant::{Ends, Options, quantise};
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
fn an_lstm_computes_on_integers_and_others_on_floats_between_them() {
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
        let params = RecurrentParams {
            cell,
            time_major,
            reverse,
            clip,
            sequence: true,
            last: true,
            memory: false,
            asymmetric_quantize_inputs: false,
        };
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
        if cell == Cell::Lstm {
            assert_eq!(told, [dense, &format!("{name} i8"), dense, dense]);
        } else {
            assert_eq!(told, [dense, back, &layer, forth, dense, forth, dense], "{cell:?}");
        }
        assert!(
            quantised.outputs.iter().all(|ratio| ratio.is_some_and(|decibels| decibels > 25.0)),
            "{cell:?}: {:?}",
            quantised.outputs
        );
    }
}

/// An LSTM of any kind that ONNX has: either order, any outputs, a first state that is given, constant or absent.
fn lstm(seed: u64) -> Graph {
    let mut sketch = Sketch { graph: Graph::new(format!("lstm-{seed}")), random: Random::new(seed) };
    let [batch, steps, size, units] = [2, 12, 6, 6].map(|most| 1 + sketch.random.below(most));
    let time_major = sketch.random.chance(1, 2);
    let shape = if time_major { [steps, batch, size] } else { [batch, steps, size] };
    let x = sketch.graph.add_input(Tensor::activation("x", shape.to_vec(), DataType::FLOAT32));
    let mut operands =
        vec![x, sketch.weights(&[4 * units, size]), sketch.weights(&[4 * units, units]), sketch.weights(&[4 * units])];
    match sketch.random.below(3) {
        0 => {}
        1 => operands.extend([sketch.weights(&[batch, units]), sketch.weights(&[batch, units])]),
        _ => operands.extend(
            ["h", "c"]
                .map(|name| sketch.graph.add_input(Tensor::activation(name, vec![batch, units], DataType::FLOAT32))),
        ),
    }
    let kept = 1 + sketch.random.below(7);
    let [sequence, last, memory] = [1, 2, 4].map(|bit| kept & bit != 0);
    let (reverse, clip) = (sketch.random.chance(1, 2), sketch.random.chance(1, 3).then_some(0.5));
    let params = RecurrentParams {
        cell: Cell::Lstm,
        time_major,
        reverse,
        clip,
        sequence,
        last,
        memory,
        asymmetric_quantize_inputs: false,
    };
    sketch.graph.outputs = sketch.op("layer", Op::Recurrent(params), operands);
    sketch.graph
}

#[test]
fn every_kind_of_lstm_keeps_its_signal_on_integers() {
    let mut least = f64::INFINITY;
    for seed in 0..200 {
        let graph = lstm(seed);
        validate(&graph).unwrap();
        let mut random = Random::new(seed);
        // A state is as great as what comes out: both have one scale.
        let mut sample = || -> Vec<Vec<u8>> {
            let of = |&id: &TensorId| {
                let most = if id == graph.inputs[0] { 1.0 } else { 0.2 };
                let mut value = || (most * (2.0 * random.unit() - 1.0)) as f32;
                (0..graph.tensor(id).shape.elements()).flat_map(|_| value().to_le_bytes()).collect()
            };
            graph.inputs.iter().map(of).collect()
        };
        let samples: Vec<Vec<Vec<u8>>> = (0..24).map(|_| sample()).collect();
        for ends in [Ends::Int8, Ends::Float32] {
            let options = Options { ends, ..Options::default() };
            let quantised = quantise(&graph, &samples, &options, &|_| {}).unwrap_or_else(|e| panic!("{seed}: {e}"));
            let layer = quantised.graph.operators.iter().find(|o| matches!(o.op, Op::Recurrent(_))).unwrap();
            assert_eq!(quantised.graph.tensor(layer.inputs[0]).element(), ElementType::Int8, "{seed}");
            assert_eq!(layer.inputs.len(), 6, "{seed}");
            for ratio in quantised.outputs.iter().flatten() {
                least = least.min(*ratio);
                assert!(*ratio > 20.0, "{seed}, {ends:?}: {:?}", quantised.outputs);
            }
            let told = quantised.layers.iter().find(|layer| layer.kind.contains("LSTM")).unwrap();
            assert_eq!(told.weights, Some(ElementType::Int8));
        }
    }
    assert!(least < 40.0, "int8 leaves some noise: {least} dB");
}

#[test]
fn an_lstm_whose_memory_outgrows_its_16_bits_stays_on_floats() {
    let source = |most: f32| {
        format!(
            "graph \"sums\" inputs(%0) outputs(%4)
                %0 \"x\" : f32[1x80x1]
                %1 \"w\" : f32[4x1] = [0.0, 0.0, 0.0, 0.0]
                %2 \"r\" : f32[4x1] = [0.0, 0.0, 0.0, 0.0]
                %3 \"b\" : f32[4] = [{most:?}, 20.0, 20.0, 20.0]
                %4 \"y\" : f32[1x1] = UNIDIRECTIONAL_SEQUENCE_LSTM(%0, %1, %2, %3) last=true"
        )
    };
    // With the forget gate open, the memory gains 1 a step, or half of it.
    for (bias, element) in [(20.0, ElementType::Float32), (0.0, ElementType::Int8)] {
        let graph = smidgen_ir::text::parse(&source(bias)).unwrap();
        let sample = vec![vec![vec![0u8; 320]]];
        let quantised = quantise(&graph, &sample, &Options::default(), &|_| {}).unwrap().graph;
        let layer = quantised.operators.iter().find(|o| matches!(o.op, Op::Recurrent(_))).unwrap();
        assert_eq!(quantised.tensor(layer.inputs[0]).element(), element, "{bias}");
    }
}

#[test]
fn state_that_begins_with_other_numbers_does_so_on_integers() {
    let source = "graph \"g\" inputs(%0) outputs(%4) variables(%1 = %4 first %2)
        %0 \"x\" : f32[1x2]
        %1 \"sum\" : f32[1x2]
        %2 \"first\" : f32[1x2] = [2.0, -1.0]
        %3 : f32[1] = [0.5]
        %5 : f32[1x2] = MUL(%1, %3)
        %4 \"y\" : f32[1x2] = ADD(%5, %0)";
    let graph = smidgen_ir::text::parse(source).unwrap_or_else(|e| panic!("{e}"));
    let mut random = Random::new(3);
    let mut sample = || vec![(0..2).flat_map(|_| ((2.0 * random.unit() - 1.0) as f32).to_le_bytes()).collect()];
    let samples: Vec<Vec<Vec<u8>>> = (0..64).map(|_| sample()).collect();
    let quantised = quantise(&graph, &samples, &Options::default(), &|_| {}).unwrap();
    assert!(quantised.outputs[0].is_some_and(|ratio| ratio > 35.0), "{:?}", quantised.outputs);
    let variable = &quantised.graph.variables[0];
    let value = quantised.graph.tensor(variable.value);
    let (scale, zero) = value.per_tensor().unwrap();
    let first = quantised.graph.tensor(variable.initial.unwrap()).data.clone().unwrap();
    let real = |byte: u8| scale * (i32::from(byte as i8) - zero) as f32;
    assert!((real(first[0]) - 2.0).abs() <= scale && (real(first[1]) + 1.0).abs() <= scale, "{first:?}");
}
