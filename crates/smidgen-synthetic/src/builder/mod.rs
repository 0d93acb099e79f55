//! Builds graphs operator by operator: shapes are inferred, weights drawn, quantisation chosen.
//!
//! For each tensor the builder keeps an estimate of its mean square and of the interval that its values lie in. Weights are
//! scaled by the first so that sums of products have about the variance that an activation's interval suits; int8 scales and
//! zero points follow from the second. Estimates need not be right, only close enough that nothing saturates everywhere.

mod element_wise;
mod movement;
mod state;
mod weighted;

use crate::random::Random;
use smidgen_ir::{DataType, Graph, Op, Padding, Shape, Tensor, TensorId, ValidateError, infer, validate};

/// What the numbers of a built graph are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Precision {
    /// int8 with per-channel weights, as TensorFlow Lite quantises.
    #[default]
    Int8,
    /// float32.
    Float32,
}

/// A tensor of the graph being built.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Node(TensorId);

impl Node {
    /// The tensor's index in the graph.
    pub fn id(self) -> TensorId {
        self.0
    }
}

/// Size and motion of a window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Taps {
    /// Height and width.
    pub kernel: [usize; 2],
    /// Steps between neighbouring windows.
    pub stride: [usize; 2],
    /// Distance between neighbouring taps.
    pub dilation: [usize; 2],
    /// Spatial padding.
    pub padding: Padding,
}

impl Taps {
    /// A square kernel that moves by 1, with SAME padding.
    pub fn square(size: usize) -> Self {
        Self { kernel: [size; 2], stride: [1; 2], dilation: [1; 2], padding: Padding::Same }
    }

    /// The same with another stride.
    pub fn stride(self, stride: usize) -> Self {
        Self { stride: [stride; 2], ..self }
    }

    /// The same with `(size - 1) * dilation / 2` rows and columns of padding on every side, as PyTorch networks have: it differs
    /// from SAME where the stride is 2.
    pub fn symmetric(self) -> Self {
        let [y, x] = [0, 1].map(|axis| (self.kernel[axis] - 1) * self.dilation[axis] / 2);
        Self { padding: Padding::Explicit { top: y, bottom: y, left: x, right: x }, ..self }
    }
}

/// What is believed of a tensor's values.
#[derive(Clone, Copy, Debug)]
struct Values {
    mean_square: f64,
    low: f64,
    high: f64,
}

impl Values {
    /// Values between `low` and `high`, of which those beyond four standard deviations are not worth representing.
    fn new(mean_square: f64, low: f64, high: f64) -> Self {
        let far = 4.0 * mean_square.sqrt();
        Self { mean_square, low: low.max(-far), high: high.min(far) }
    }
}

/// Values of a graph's inputs.
const INPUT: Values = Values { mean_square: 1.0 / 3.0, low: -1.0, high: 1.0 };

/// Builds one graph. Methods append an operator and return its output.
///
/// # Panics
/// Methods panic if the operator does not fit its inputs; the graphs here are written by people, not read from files.
#[derive(Clone, Debug)]
pub struct Builder {
    graph: Graph,
    random: Random,
    precision: Precision,
    /// One for each tensor.
    values: Vec<Values>,
}

impl Builder {
    /// An empty graph; all chance comes from `seed`.
    pub fn new(name: &str, precision: Precision, seed: u64) -> Self {
        Self { graph: Graph::new(name), random: Random::new(seed), precision, values: Vec::new() }
    }

    /// A graph input with values between -1 and 1.
    pub fn input(&mut self, shape: impl Into<Shape>) -> Node {
        let dtype = self.data_type(INPUT);
        self.input_of(shape, dtype)
    }

    /// A float32 graph input with values between -1 and 1; in an int8 graph the input of a QUANTIZE, whose output this returns.
    pub fn float_input(&mut self, shape: impl Into<Shape>) -> Node {
        let x = self.input_of(shape, DataType::FLOAT32);
        self.quantise(x)
    }

    fn input_of(&mut self, shape: impl Into<Shape>, dtype: DataType) -> Node {
        let values = INPUT;
        let index = self.graph.inputs.len();
        let name = if index == 0 { "input".to_string() } else { format!("input{index}") };
        let node = self.add(Tensor::activation(name, shape, dtype), values);
        self.graph.inputs.push(node.0);
        node
    }

    /// The finished graph with these outputs.
    ///
    /// # Panics
    /// If the graph is not valid.
    pub fn finish(self, outputs: &[Node]) -> Graph {
        self.try_finish(outputs).unwrap_or_else(|error| panic!("the graph is not valid: {error}"))
    }

    /// The finished graph with these outputs.
    ///
    /// # Errors
    /// If the graph is not valid.
    pub fn try_finish(mut self, outputs: &[Node]) -> Result<Graph, ValidateError> {
        self.graph.outputs = outputs.iter().map(|n| n.0).collect();
        validate(&self.graph)?;
        Ok(self.graph)
    }

    /// Dimensions of a tensor.
    pub fn shape(&self, node: Node) -> &[usize] {
        self.graph.tensor(node.0).shape.dims()
    }

    /// Type of a tensor.
    pub fn dtype(&self, node: Node) -> &DataType {
        &self.graph.tensor(node.0).dtype
    }

    /// The source of chance, for decisions that the caller leaves to it.
    pub fn random(&mut self) -> &mut Random {
        &mut self.random
    }

    /// Appends any operator whose outputs all have the type and the values of its first input.
    pub fn keep(&mut self, op: Op, inputs: &[Node]) -> Vec<Node> {
        let (dtype, values) = (self.dtype(inputs[0]).clone(), self.values(inputs[0]));
        self.push(op, inputs, dtype, values)
    }

    fn values(&self, node: Node) -> Values {
        self.values[node.0.index()]
    }

    fn add(&mut self, tensor: Tensor, values: Values) -> Node {
        self.values.push(values);
        Node(self.graph.add_tensor(tensor))
    }

    /// The type for such values: float32, or int8 with a scale and zero point that cover their interval and 0.
    fn data_type(&self, values: Values) -> DataType {
        if self.precision == Precision::Float32 {
            return DataType::FLOAT32;
        }
        let (low, high) = (values.low.min(0.0), values.high.max(0.0));
        // A tensor that is always 0 still needs a scale.
        let scale = ((high - low) / 255.0).max(1e-6) as f32;
        let zero_point = (-128.0 - low / f64::from(scale)).round() as i32;
        DataType::int8(scale, zero_point.clamp(-128, 127))
    }

    /// Appends an operator with inferred shapes, all outputs of this type.
    fn push(&mut self, op: Op, inputs: &[Node], dtype: DataType, values: Values) -> Vec<Node> {
        let tensors: Vec<&Tensor> = inputs.iter().map(|n| self.graph.tensor(n.0)).collect();
        let inferred = infer(&op, &tensors).unwrap_or_else(|error| panic!("{}: {error}", op.name()));
        let index = self.graph.operators.len();
        let name = format!("{}_{index}", op.name().to_lowercase());
        let outputs: Vec<Node> = inferred
            .into_iter()
            .map(|i| self.add(Tensor::activation(name.clone(), i.shape, dtype.clone()), values))
            .collect();
        self.graph.add_operator(op, inputs.iter().map(|n| n.0).collect(), outputs.iter().map(|n| n.0).collect());
        outputs
    }

    /// Like `push`, with the type that suits the values, for operators of one output.
    fn push_one(&mut self, op: Op, inputs: &[Node], values: Values) -> Node {
        let dtype = self.data_type(values);
        self.push(op, inputs, dtype, values)[0]
    }
}
