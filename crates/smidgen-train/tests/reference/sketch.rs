//! Small graphs for tests.

use smidgen_ir::{Activation, BinaryKind, ConvParams, DataType, Graph, Op, Padding, Tensor, TensorId, UnaryKind};
use smidgen_train::Random;

/// A graph under construction: shapes are inferred.
pub struct Sketch {
    pub graph: Graph,
    random: Random,
}

impl Sketch {
    pub fn new(shape: &[usize], seed: u64) -> (Self, TensorId) {
        let mut graph = Graph::new("sketch");
        let x = graph.add_input(Tensor::activation("input", shape.to_vec(), DataType::FLOAT32));
        (Self { graph, random: Random::new(seed) }, x)
    }

    pub fn constant(&mut self, shape: &[usize], low: f32, high: f32) -> TensorId {
        let data: Vec<f32> = (0..shape.iter().product()).map(|_| self.random.uniform(low, high)).collect();
        let name = format!("constant{}", self.graph.tensors.len());
        self.graph.add_tensor(Tensor::constant(
            name,
            shape.to_vec(),
            DataType::FLOAT32,
            data.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>(),
        ))
    }

    /// Appends an operator; its outputs.
    pub fn many(&mut self, op: Op, inputs: &[TensorId]) -> Vec<TensorId> {
        let tensors: Vec<&Tensor> = inputs.iter().map(|&t| self.graph.tensor(t)).collect();
        let shapes: Vec<_> = smidgen_ir::infer(&op, &tensors).unwrap().into_iter().map(|i| i.shape).collect();
        let mut outputs = Vec::new();
        for shape in shapes {
            let name = format!("tensor{}", self.graph.tensors.len());
            outputs.push(self.graph.add_tensor(Tensor::activation(name, shape, DataType::FLOAT32)));
        }
        self.graph.add_operator(op, inputs.to_vec(), outputs.clone());
        outputs
    }

    pub fn op(&mut self, op: Op, inputs: &[TensorId]) -> TensorId {
        self.many(op, inputs)[0]
    }

    pub fn dims(&self, x: TensorId) -> Vec<usize> {
        self.graph.tensor(x).shape.dims().to_vec()
    }

    pub fn unary(&mut self, kind: UnaryKind, x: TensorId) -> TensorId {
        self.op(Op::Unary(kind), &[x])
    }

    pub fn binary(&mut self, kind: BinaryKind, a: TensorId, b: TensorId) -> TensorId {
        self.op(Op::Binary { kind, activation: Activation::None }, &[a, b])
    }

    pub fn conv(&mut self, x: TensorId, filters: usize, kernel: usize, activation: Activation) -> TensorId {
        let c = self.dims(x)[3];
        let w = self.constant(&[filters, kernel, kernel, c], -0.6, 0.6);
        let b = self.constant(&[filters], -0.3, 0.3);
        let conv = ConvParams { stride: [1; 2], dilation: [1; 2], padding: Padding::Same, activation };
        self.op(Op::Conv2d(conv), &[x, w, b])
    }

    /// Flattens, and ends in four classes.
    pub fn classify(mut self, x: TensorId) -> Graph {
        let count: usize = self.dims(x).iter().product();
        let w = self.constant(&[4, count], -0.5, 0.5);
        let b = self.constant(&[4], -0.3, 0.3);
        let op = Op::FullyConnected {
            keep_num_dims: false,
            asymmetric_quantize_inputs: false,
            activation: Activation::None,
        };
        let y = self.op(op, &[x, w, b]);
        self.graph.outputs = vec![y];
        self.graph
    }
}
