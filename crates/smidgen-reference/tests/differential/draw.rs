//! Random sizes, types and values, all from one seed and bounded by one size, so that a failing case can be made smaller.

use rand::{RngExt, SeedableRng, rngs::StdRng};
use smidgen_ir::{Activation, DataType, ElementType, Graph, Op, Quantisation, Shape, Tensor, TensorId};

/// What the activations of a generated model are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Numbers {
    /// Quantised int8.
    Int8,
    /// Quantised uint8.
    Uint8,
    /// Quantised int16.
    Int16,
    /// Float32.
    Float,
}

/// A source of random decisions.
pub struct Draw {
    rng: StdRng,
    /// No dimension exceeds this.
    size: usize,
    /// What activations are.
    pub numbers: Numbers,
    /// Weights among int8 activations are int4.
    pub int4_weights: bool,
    /// Scales are as no network would have them, and biases as large as their type holds.
    pub absurd: bool,
}

/// The size at which cases are drawn first.
pub const FULL_SIZE: usize = 34;

impl Draw {
    pub fn new(seed: u64, size: usize, numbers: Numbers) -> Self {
        Self { rng: StdRng::seed_from_u64(seed), size, numbers, int4_weights: false, absurd: false }
    }

    /// Eight bits, with a sign or without.
    pub fn bytes(&self) -> bool {
        matches!(self.numbers, Numbers::Int8 | Numbers::Uint8)
    }

    /// A number in `low ..= high`.
    pub fn between(&mut self, low: usize, high: usize) -> usize {
        self.rng.random_range(low..=high.max(low))
    }

    /// True `percent` times of a hundred.
    pub fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    pub fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.rng.random_range(0..choices.len())].clone()
    }

    /// A dimension from 1 to `most`, or to the case's size if that is less.
    pub fn dim(&mut self, most: usize) -> usize {
        let most = most.min(self.size);
        self.between(1, most)
    }

    /// A number of channels: small ones, and those about the block sizes that kernels like.
    pub fn channels(&mut self) -> usize {
        let n = if self.chance(50) { self.between(1, 9) } else { self.pick(&[8, 12, 15, 16, 17, 24, 31, 32, 33]) };
        n.min(self.size)
    }

    /// A batch of 1 or, less often, 2.
    pub fn batch(&mut self) -> usize {
        if self.size > 1 && self.chance(25) { 2 } else { 1 }
    }

    /// Dimensions of a rank from `low` to `high` with at most some thousand elements.
    pub fn dims(&mut self, low: usize, high: usize) -> Vec<usize> {
        let rank = self.between(low, high);
        let most = [4096, 500, 40, 14, 8, 5, 3][rank.min(6)];
        let most = if rank > 1 { most.min(34) } else { most };
        (0..rank).map(|_| self.dim(most)).collect()
    }

    pub fn activation(&mut self) -> Activation {
        if self.chance(40) {
            return Activation::None;
        }
        self.pick(&[Activation::Relu, Activation::ReluN1To1, Activation::Relu6])
    }

    /// A float in `low .. high`.
    pub fn float(&mut self, low: f32, high: f32) -> f32 {
        self.rng.random_range(low..high)
    }

    /// A float between `low` and `high`, every order of magnitude alike.
    pub fn log_uniform(&mut self, low: f32, high: f32) -> f32 {
        self.float(low.ln(), high.ln()).exp()
    }

    /// This scale, or where scales are absurd often one far from it.
    pub fn scale(&mut self, usual: f32) -> f32 {
        if !self.absurd {
            return usual;
        }
        let scale = match self.between(0, 7) {
            0..=2 => usual,
            3 | 4 => usual * self.log_uniform(1e-4, 1e4),
            5 | 6 => usual * self.log_uniform(1e-9, 1e9),
            _ => self.log_uniform(1e-30, 1e30),
        };
        scale.clamp(f32::MIN_POSITIVE, f32::MAX)
    }

    /// An int8 zero point, often at an end of the range.
    pub fn zero_point(&mut self) -> i32 {
        match self.between(0, 3) {
            0 => self.pick(&[-128, 127]),
            1 => 0,
            _ => self.rng.random_range(-128..=127),
        }
    }

    /// The type of an activation: float, or int8 with any scale and zero point.
    pub fn dtype(&mut self) -> DataType {
        match self.numbers {
            Numbers::Float => DataType::FLOAT32,
            Numbers::Int16 => {
                let scale = self.log_uniform(1e-5, 1e-2);
                DataType::int16(self.scale(scale))
            }
            Numbers::Int8 | Numbers::Uint8 => {
                let scale = self.log_uniform(1e-3, 1.0);
                self.integer(scale)
            }
        }
    }

    /// The type of an integer activation with this scale.
    pub fn integer(&mut self, scale: f32) -> DataType {
        let scale = self.scale(scale);
        match self.numbers {
            Numbers::Int16 => DataType::int16(scale),
            _ => {
                let zero_point = self.zero_point();
                self.of_bytes(scale, zero_point)
            }
        }
    }

    /// The type of an activation of eight bits with this scale, and this zero point if it has a sign.
    pub fn of_bytes(&self, scale: f32, zero_point: i32) -> DataType {
        match self.numbers {
            Numbers::Uint8 => {
                let zero_point = zero_point + 128;
                DataType::Quantised(ElementType::Uint8, Quantisation::PerTensor { scale, zero_point })
            }
            _ => DataType::int8(scale, zero_point),
        }
    }

    /// The type of an activation whose real range is to that of `like` about as 1 to 1, or quite different.
    pub fn dtype_like(&mut self, like: &DataType) -> DataType {
        match like.quantisation().and_then(Quantisation::per_tensor) {
            None => like.clone(),
            Some(_) if self.chance(15) => like.clone(),
            Some((scale, _)) => {
                let scale = scale * self.log_uniform(0.1, 6.0);
                self.integer(scale)
            }
        }
    }

    /// `count` int8: mostly uniform, sometimes all at an end of the range, alternating between the ends, or near the middle.
    pub fn int8s(&mut self, count: usize, least: i8) -> Vec<u8> {
        match self.between(0, 9) {
            0 => vec![127; count],
            1 => vec![least as u8; count],
            2 => (0..count).map(|i| if i % 2 == 0 { 127 } else { least as u8 }).collect(),
            3 => (0..count).map(|_| self.rng.random_range(-3i8..=3) as u8).collect(),
            4 => (0..count).map(|_| self.pick(&[least, 127]) as u8).collect(),
            _ => (0..count).map(|_| self.rng.random_range(least..=127) as u8).collect(),
        }
    }

    /// `count` int16, drawn like [`int8s`](Self::int8s), little endian.
    pub fn int16s(&mut self, count: usize) -> Vec<u8> {
        let (least, most) = (i16::MIN, i16::MAX);
        let values: Vec<i16> = match self.between(0, 9) {
            0 => vec![most; count],
            1 => vec![least; count],
            2 => (0..count).map(|i| if i % 2 == 0 { most } else { least }).collect(),
            3 => (0..count).map(|_| self.rng.random_range(-300..=300)).collect(),
            4 => (0..count).map(|_| self.pick(&[least, most])).collect(),
            _ => (0..count).map(|_| self.rng.random_range(least..=most)).collect(),
        };
        values.into_iter().flat_map(i16::to_le_bytes).collect()
    }

    /// `count` floats of one of several magnitudes.
    pub fn floats(&mut self, count: usize) -> Vec<u8> {
        let most = self.pick(&[1.0f32, 1.0, 8.0, 100.0]);
        let constant = self.chance(5);
        let first = self.float(-most, most);
        let values = (0..count).map(|_| match self.between(0, 19) {
            _ if constant => first,
            0 => 0.0,
            1 => -0.0,
            _ => self.float(-most, most),
        });
        values.flat_map(f32::to_le_bytes).collect()
    }

    /// Random bytes of a tensor.
    pub fn data(&mut self, shape: &Shape, element: ElementType) -> Vec<u8> {
        match element {
            ElementType::Float32 => self.floats(shape.elements()),
            ElementType::Int8 => self.int8s(shape.elements(), -128),
            ElementType::Uint8 => self.int8s(shape.elements(), -128).iter().map(|byte| byte ^ 0x80).collect(),
            ElementType::Int16 => self.int16s(shape.elements()),
            ElementType::Bool => (0..shape.elements()).map(|_| u8::from(self.chance(50))).collect(),
            // Of few values, so that some are equal.
            ElementType::Int32 => self.int32s(shape.elements(), 5),
            ElementType::Int64 => self.int64s(shape.elements(), 5),
            ElementType::Int4 => unreachable!("no generator makes inputs of int4"),
        }
    }

    /// A constant with random data.
    pub fn constant(&mut self, name: &str, shape: impl Into<Shape>, dtype: DataType) -> Tensor {
        let shape = shape.into();
        let data = self.data(&shape, dtype.element());
        Tensor::constant(name, shape, dtype, data)
    }

    /// `count` int32 in `-most ..= most`, little endian; where scales are absurd, now and then of any size.
    pub fn int32s(&mut self, count: usize, most: i32) -> Vec<u8> {
        let most = if self.absurd { self.pick(&[most, i32::MAX >> 8, i32::MAX]) } else { most };
        (0..count).flat_map(|_| self.rng.random_range(-most..=most).to_le_bytes()).collect()
    }

    /// `count` int64 in `-most ..= most`, little endian; where scales are absurd, now and then of any size.
    pub fn int64s(&mut self, count: usize, most: i64) -> Vec<u8> {
        let far = [most, i32::MAX.into(), 1 << 40, 1 << 47, 1 << 55, i64::MAX];
        let most = if self.absurd { self.pick(&far) } else { most };
        (0..count).flat_map(|_| self.rng.random_range(-most..=most).to_le_bytes()).collect()
    }

    /// The bytes of one sample of a graph's inputs.
    pub fn sample(&mut self, graph: &Graph) -> Vec<Vec<u8>> {
        graph
            .inputs
            .iter()
            .map(|&id| {
                let tensor = graph.tensor(id);
                let data = self.data(&tensor.shape, tensor.element());
                let looked_up = graph.operators.iter().find(|operator| operator.inputs.get(1) == Some(&id));
                match looked_up.map(|operator| (&operator.op, graph.tensor(operator.inputs[0]))) {
                    Some((&Op::Gather { axis, .. }, table)) => indices(&data, tensor.element(), table.shape.0[axis]),
                    _ => data,
                }
            })
            .collect()
    }
}

/// Integers as indices of so many slices: the reference refuses others.
pub fn indices(data: &[u8], element: ElementType, rows: usize) -> Vec<u8> {
    let bytes = element.bits().div_ceil(8);
    let index = |integer: &[u8]| usize::from(integer[0]) % rows;
    data.chunks(bytes).flat_map(|integer| index(integer).to_le_bytes().into_iter().take(bytes)).collect()
}

/// A graph of one operator, built step by step.
#[derive(Default)]
pub struct Builder {
    graph: Graph,
    inputs: Vec<TensorId>,
}

impl Builder {
    /// Adds an input that the caller fills.
    pub fn input(mut self, shape: impl Into<Shape>, dtype: DataType) -> Self {
        let name = format!("input{}", self.graph.inputs.len());
        let id = self.graph.add_input(Tensor::activation(name, shape, dtype));
        self.inputs.push(id);
        self
    }

    /// Adds a constant operand.
    pub fn constant(mut self, tensor: Tensor) -> Self {
        let id = self.graph.add_tensor(tensor);
        self.inputs.push(id);
        self
    }

    /// Adds a constant operand if there is one.
    pub fn maybe_constant(self, tensor: Option<Tensor>) -> Self {
        match tensor {
            Some(tensor) => self.constant(tensor),
            None => self,
        }
    }

    /// The same graph with what an operator makes of the operands so far as the only operand. `None` if it does not fit them.
    pub fn then(mut self, op: Op, dtype: DataType) -> Option<Self> {
        let operands: Vec<&Tensor> = self.inputs.iter().map(|&id| self.graph.tensor(id)).collect();
        let [output] = <[_; 1]>::try_from(smidgen_ir::infer(&op, &operands).ok()?).ok()?;
        let id = self.graph.add_tensor(Tensor::activation("between", output.shape, dtype));
        self.graph.add_operator(op, std::mem::replace(&mut self.inputs, vec![id]), vec![id]);
        Some(self)
    }

    /// Ends with the operator, its outputs being of type `dtype`. `None` if the operator does not fit the inputs.
    pub fn finish(mut self, op: Op, dtype: DataType) -> Option<Graph> {
        let operands: Vec<&Tensor> = self.inputs.iter().map(|&id| self.graph.tensor(id)).collect();
        let inferred = smidgen_ir::infer(&op, &operands).ok()?;
        let mut outputs = Vec::new();
        for (i, output) in inferred.into_iter().enumerate() {
            outputs.push(self.graph.add_tensor(Tensor::activation(format!("output{i}"), output.shape, dtype.clone())));
        }
        self.graph.outputs = outputs.clone();
        self.graph.name = op.name().to_owned();
        self.graph.add_operator(op, self.inputs, outputs);
        Some(self.graph)
    }
}
