//! Every operator of the support table on floats, quantised with every kind of option: alone, and between convolutions.

use super::check;
use smidgen::quant::{ActivationBits, Ends, Inputs, Options, RangeMethod, WeightBits, quantise};
use smidgen_ir::names::tflite_function;
use smidgen_ir::{
    Activation, AxisSlice, BinaryKind, ConvParams, DataType, ElementType, Graph, Op, PadValue, Padding, PoolKind,
    ReduceKind, ReshapeKind, ResizeKind, Shape, Tensor, TensorId, UnaryKind, infer,
};
use smidgen_reference::Reference;
use smidgen_synthetic::Random;
use smidgen_tflite::SUPPORTED;

/// Height, width and channels of what every operator here reads.
const SIZE: usize = 4;

/// An operator and its constant operands, in front of or behind what is computed.
struct Made {
    op: Op,
    before: Vec<Tensor>,
    after: Vec<Tensor>,
    /// How often what is computed is an operand.
    computed: usize,
}

pub(super) fn constant(shape: impl Into<Shape>, values: impl Fn(usize) -> f32) -> Tensor {
    let shape = shape.into();
    let data: Vec<u8> = (0..shape.elements()).flat_map(|i| values(i).to_le_bytes()).collect();
    Tensor::constant(format!("constant of {shape}"), shape, DataType::FLOAT32, data)
}

/// Weights above zero, so that what follows a convolution is as well.
fn weights(shape: impl Into<Shape>) -> Tensor {
    constant(shape, |i| 0.05 + (i * 7 % 11) as f32 / 40.0)
}

fn indices(of: &[i32]) -> Tensor {
    let data: Vec<u8> = of.iter().flat_map(|index| index.to_le_bytes()).collect();
    Tensor::constant("indices", [of.len()], DataType::Plain(ElementType::Int32), data)
}

fn conv_params() -> ConvParams {
    ConvParams { stride: [1, 1], dilation: [1, 1], padding: Padding::Same, activation: Activation::None }
}

/// The forms in which a network of floats has the operator of this name.
///
/// # Panics
/// If the support table has got an operator that this does not know yet: add it.
fn forms(name: &str) -> Vec<Made> {
    let plain = |op: Op| vec![Made { op, before: vec![], after: vec![], computed: 1 }];
    let with = |op: Op, after: Vec<Tensor>| vec![Made { op, before: vec![], after, computed: 1 }];
    let unary = |kind: UnaryKind| plain(Op::Unary(kind));
    let binary = |kind: BinaryKind| {
        let op = Op::Binary { kind, activation: Activation::None };
        let operand = || constant([SIZE], |i| 0.5 + i as f32 / 4.0);
        vec![
            Made { op: op.clone(), before: vec![], after: vec![], computed: 2 },
            Made { op: op.clone(), before: vec![operand()], after: vec![], computed: 1 },
            Made { op, before: vec![], after: vec![operand()], computed: 1 },
        ]
    };
    let pool = |kind: PoolKind| {
        let (window, stride, activation) = ([2, 2], [1, 1], Activation::None);
        plain(Op::Pool2d { kind, window, stride, padding: Padding::Same, activation })
    };
    let reduce = |kind: ReduceKind| plain(Op::Reduce { kind, axes: vec![1, 2], keep_dims: true });
    let resize =
        |kind: ResizeKind| plain(Op::Resize { kind, output: [6, 6], align_corners: false, half_pixel_centers: false });
    let reshape = |kind: ReshapeKind, shape: &[usize]| plain(Op::Reshape { kind, shape: shape.to_vec() });
    let pads = vec![[0, 0], [1, 1], [1, 0], [0, 0]];
    match name {
        "ADD" => binary(BinaryKind::Add),
        "ARG_MAX" => plain(Op::ArgMax { axis: 3 }),
        "BATCH_MATMUL" => {
            let op = Op::BatchMatmul { adjoint: [false, true] };
            vec![Made { op, before: vec![], after: vec![], computed: 2 }]
        }
        // What they take or give is no number that could be quantised.
        "CAST" | "EQUAL" | "GREATER" | "GREATER_EQUAL" | "LESS" | "LESS_EQUAL" | "LOGICAL_AND" | "LOGICAL_OR"
        | "NOT_EQUAL" | "SELECT_V2" => vec![],
        "AVERAGE_POOL_2D" => pool(PoolKind::Average),
        "CONCATENATION" => {
            let op = |activation| Op::Concatenation { axis: 3, activation };
            [Activation::None, Activation::Relu6]
                .map(|a| Made { op: op(a), before: vec![], after: vec![], computed: 2 })
                .into()
        }
        "CONV_2D" => with(Op::Conv2d(conv_params()), vec![weights([3, 3, 3, SIZE])]),
        "DEPTHWISE_CONV_2D" => {
            with(Op::DepthwiseConv2d { conv: conv_params(), multiplier: 1 }, vec![weights([1, 3, 3, SIZE])])
        }
        "DEQUANTIZE" | "QUANTIZE" => vec![],
        "GATHER" => with(Op::Gather { axis: 2, batch: 0 }, vec![indices(&[3, 0, 1, 1])]),
        // They keep their state, and have a test of their own.
        "SVDF" | "UNIDIRECTIONAL_SEQUENCE_LSTM" | "UNIDIRECTIONAL_SEQUENCE_RNN" => vec![],
        "DIV" => binary(BinaryKind::Div),
        "EXP" => unary(UnaryKind::Exp),
        "EXPAND_DIMS" => reshape(ReshapeKind::ExpandDims, &[1, 1, SIZE, SIZE, SIZE]),
        "FULLY_CONNECTED" => {
            let op = Op::FullyConnected {
                keep_num_dims: true,
                asymmetric_quantize_inputs: false,
                activation: Activation::None,
            };
            with(op, vec![weights([5, SIZE]), constant([5], |i| i as f32 / 10.0)])
        }
        "HARD_SWISH" => unary(UnaryKind::HardSwish),
        "LEAKY_RELU" => unary(UnaryKind::LeakyRelu { alpha: 0.1 }),
        "LOG" => unary(UnaryKind::Log),
        "LOGISTIC" => unary(UnaryKind::Logistic),
        "MAXIMUM" => binary(BinaryKind::Maximum),
        "MAX_POOL_2D" => pool(PoolKind::Max),
        "MEAN" => reduce(ReduceKind::Mean),
        "MINIMUM" => binary(BinaryKind::Minimum),
        "MUL" => binary(BinaryKind::Mul),
        "PACK" => vec![Made { op: Op::Pack { axis: 1 }, before: vec![], after: vec![], computed: 2 }],
        "PAD" => plain(Op::Pad { pads, value: PadValue::Zero }),
        "PADV2" => plain(Op::Pad { pads, value: PadValue::Float(0.7) }),
        "PRELU" => with(Op::Prelu, vec![constant([1, 1, SIZE], |i| i as f32 / 8.0)]),
        "REDUCE_MAX" => reduce(ReduceKind::Max),
        "REDUCE_MIN" => reduce(ReduceKind::Min),
        "RELU" => unary(UnaryKind::Relu),
        "RELU6" => unary(UnaryKind::Relu6),
        "RELU_N1_TO_1" => unary(UnaryKind::ReluN1To1),
        "RESHAPE" => reshape(ReshapeKind::Reshape, &[1, 2, 8, SIZE]),
        "RESIZE_BILINEAR" => resize(ResizeKind::Bilinear),
        "RESIZE_NEAREST_NEIGHBOR" => resize(ResizeKind::Nearest),
        "SLICE" => plain(Op::Slice { begin: vec![0, 1, 0, 0], size: vec![1, 2, SIZE, SIZE] }),
        "SOFTMAX" => plain(Op::Softmax { beta: 1.0 }),
        "SPLIT" => plain(Op::Split { axis: 2, parts: 2 }),
        "SQUEEZE" => reshape(ReshapeKind::Squeeze, &[SIZE, SIZE, SIZE]),
        "STRIDED_SLICE" => {
            let all = |len| AxisSlice { start: 0, stride: 1, len, shrink: false };
            let second = AxisSlice { start: 1, stride: 2, len: 2, shrink: false };
            plain(Op::StridedSlice { axes: vec![all(1), second, all(SIZE), all(SIZE)] })
        }
        // On floats other operators give these.
        "L2_NORMALIZATION" | "LOG_SOFTMAX" | "SQUARED_DIFFERENCE" => vec![],
        // They become what STRIDED_SLICE is.
        "REVERSE_V2" => vec![],
        "SUB" => binary(BinaryKind::Sub),
        "SUM" => reduce(ReduceKind::Sum),
        "TANH" => unary(UnaryKind::Tanh),
        "TRANSPOSE" => plain(Op::Transpose { perm: vec![0, 2, 1, 3] }),
        "TRANSPOSE_CONV" => {
            let (stride, padding, activation) = ([2, 2], Padding::Same, Activation::None);
            with(Op::TransposeConv { stride, padding, output: [8, 8], activation }, vec![weights([3, 2, 2, SIZE])])
        }
        "UNPACK" => plain(Op::Unpack { axis: 1 }),
        name => match tflite_function(name) {
            Some(function) => unary(UnaryKind::Function(function)),
            None => panic!("the support table has an operator that this test does not quantise: {name}"),
        },
    }
}

pub(super) fn push(graph: &mut Graph, op: Op, inputs: Vec<TensorId>) -> Vec<TensorId> {
    let operands: Vec<&Tensor> = inputs.iter().map(|&id| graph.tensor(id)).collect();
    let inferred = infer(&op, &operands).unwrap_or_else(|e| panic!("{}: {e}", op.name()));
    let outputs: Vec<TensorId> = inferred
        .into_iter()
        .map(|output| {
            // ARG_MAX leaves it open.
            let dtype = DataType::Plain(output.element.unwrap_or(ElementType::Int32));
            let name = format!("tensor {}", graph.tensors.len());
            graph.add_tensor(Tensor::activation(name, output.shape, dtype))
        })
        .collect();
    graph.add_operator(op, inputs, outputs.clone());
    outputs
}

fn conv(graph: &mut Graph, x: TensorId) -> TensorId {
    let channels = *graph.tensor(x).shape.dims().last().unwrap();
    let weights = graph.add_tensor(weights([SIZE, 1, 1, channels]));
    let bias = graph.add_tensor(constant([SIZE], |i| 0.2 + i as f32 / 20.0));
    push(graph, Op::Conv2d(conv_params()), vec![x, weights, bias])[0]
}

/// The network of an operator, alone or between convolutions.
fn network(made: &Made, between: bool) -> Graph {
    let mut graph = Graph::new(made.op.name());
    let mut operands: Vec<TensorId> = made.before.iter().map(|t| graph.add_tensor(t.clone())).collect();
    for k in 0..made.computed {
        let x = graph.add_input(Tensor::activation(format!("x{k}"), [1, SIZE, SIZE, SIZE], DataType::FLOAT32));
        operands.push(if between { conv(&mut graph, x) } else { x });
    }
    operands.extend(made.after.iter().map(|t| graph.add_tensor(t.clone())));
    let mut outputs = push(&mut graph, made.op.clone(), operands);
    if between {
        for output in &mut outputs {
            let tensor = graph.tensor(*output);
            if tensor.shape.rank() == 4 && tensor.dtype == DataType::FLOAT32 {
                *output = conv(&mut graph, *output);
            }
        }
    }
    graph.outputs = outputs;
    graph
}

/// Numbers above zero, which logarithms, roots and quotients are there for.
fn samples(graph: &Graph) -> Vec<Inputs> {
    let mut random = Random::new(7);
    let mut values = |n: usize| (0..n).flat_map(|_| ((0.4 + 1.4 * random.unit()) as f32).to_le_bytes()).collect();
    (0..5).map(|_| graph.inputs.iter().map(|&id| values(graph.tensor(id).shape.elements())).collect()).collect()
}

/// Each kind of option, and the least signal over noise in decibels that a network of three layers keeps with it.
fn options() -> Vec<(Options, f64)> {
    let default = Options::default;
    vec![
        (default(), 25.0),
        (Options { range: RangeMethod::MeanSquaredError, ends: Ends::Float32, ..default() }, 25.0),
        (Options { weights: WeightBits::Int4, ..default() }, 15.0),
        (Options { weights: WeightBits::Mixed(None), ends: Ends::Float32, ..default() }, 15.0),
        (Options { activations: ActivationBits::Int16, ..default() }, 25.0),
        (Options { activations: ActivationBits::Int16, ends: Ends::Float32, equalise: true, ..default() }, 25.0),
        (Options { activations: ActivationBits::Mixed(None), ..default() }, 25.0),
        (Options { activations: ActivationBits::Mixed(None), weights: WeightBits::Int4, ..default() }, 15.0),
    ]
}

#[test]
fn every_operator_of_the_table_can_be_quantised() {
    let mut reference = Reference::start_or_skip("every operator quantised, bytes");
    // Networks with state are in `state.rs`.
    let state = ["CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE"];
    for entry in SUPPORTED.iter().filter(|entry| !state.contains(&entry.name)) {
        for (k, made) in forms(entry.name).iter().enumerate() {
            for between in [false, true] {
                let graph = network(made, between);
                let samples = samples(&graph);
                for (options, least) in options() {
                    let name = format!("{}, form {k}, between {between}, {options:?}", entry.name);
                    // What `quantise` gives has passed the validator.
                    let quantised =
                        quantise(&graph, &samples, &options, &|_| {}).unwrap_or_else(|e| panic!("{name}: {e}"));
                    for ratio in quantised.outputs {
                        assert!(ratio.is_none_or(|db| db > least), "{name}: {ratio:?} dB");
                    }
                    // Functions that the reference lacks.
                    let judge = reference.as_mut().filter(|_| !["CEIL", "ELU", "ROUND"].contains(&entry.name));
                    check(judge, &name, &graph, &samples, &options);
                }
            }
        }
    }
}

/// Words by their numbers, an embedding, and a layer on it.
#[test]
fn an_embedding_becomes_a_table_of_integers() {
    let mut reference = Reference::start_or_skip("an embedding quantised, bytes");
    let mut graph = Graph::new("embedding");
    let words = graph.add_input(Tensor::activation("words", [1, 6], DataType::Plain(ElementType::Int32)));
    let table = graph.add_tensor(constant([20, 8], |i| (i * 13 % 29) as f32 / 14.0 - 1.0));
    let found = push(&mut graph, Op::Gather { axis: 0, batch: 0 }, vec![table, words])[0];
    let shaped = push(&mut graph, Op::Reshape { kind: ReshapeKind::Reshape, shape: vec![1, 1, 6, 8] }, vec![found])[0];
    let output = conv(&mut graph, shaped);
    graph.outputs = vec![output];
    let mut random = Random::new(3);
    let mut word = || (random.below(20) as i32).to_le_bytes();
    let samples: Vec<Inputs> = (0..8).map(|_| vec![(0..6).flat_map(|_| word()).collect()]).collect();
    for options in [Options::default(), Options { activations: ActivationBits::Int16, ..Options::default() }] {
        let quantised = quantise(&graph, &samples, &options, &|_| {}).unwrap();
        let gather = quantised.graph.operators.iter().find(|o| matches!(o.op, Op::Gather { .. })).unwrap();
        assert!(quantised.graph.tensor(gather.inputs[0]).dtype.quantisation().is_some(), "the table stays on floats");
        assert!(quantised.outputs.iter().all(|db| db.is_none_or(|db| db > 30.0)), "{:?} dB", quantised.outputs);
        check(reference.as_mut(), "embedding", &graph, &samples, &options);
    }
}
