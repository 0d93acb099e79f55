//! Small graphs that together hold every operator, in every type that it takes.

use smidgen_ir::names::in_tflite;
use smidgen_ir::{
    Activation, AxisSlice, BinaryKind, Cell, CompareKind, ConvParams, DataType, ElementType, Function, Graph,
    NormaliseKind, Op, PadValue, Padding, PoolKind, Quantisation, RecurrentParams, ReduceKind, ReshapeKind, ResizeKind,
    Tensor, TensorId, UnaryKind, Variable, infer,
};

const FLOAT: DataType = DataType::FLOAT32;

/// Graphs of one operator each, named after it and what is special.
pub fn graphs() -> Vec<(String, Graph)> {
    let mut graphs = Vec::new();
    let mut add = |name: &str, graph: Graph| graphs.push((name.to_string(), graph));
    for (kind, x, y) in [("int8", int8(3), int8(-7)), ("float", FLOAT, FLOAT)] {
        weighted(kind, &x, &y, &mut add);
        computing(kind, &x, &y, &mut add);
    }
    let shared = int8(0);
    let bytes = DataType::Quantised(ElementType::Uint8, Quantisation::PerTensor { scale: 0.25, zero_point: 130 });
    for (kind, dtype) in [
        ("int8", &shared),
        ("uint8", &bytes),
        ("float", &FLOAT),
        ("int16", &DataType::Plain(ElementType::Int16)),
        ("int32", &DataType::Plain(ElementType::Int32)),
        ("int64", &DataType::Plain(ElementType::Int64)),
        ("bool", &DataType::Plain(ElementType::Bool)),
    ] {
        moving(kind, dtype, &mut add);
    }
    add("quantize", single(Op::Quantize, &[(&[1, 5], &FLOAT)], vec![], &int8(4)));
    let shifted = DataType::int8(0.25, 2);
    add("uint8 to int8", single(Op::Quantize, &[(&[1, 5], &bytes)], vec![], &shifted));
    add("uint8 to another int8", single(Op::Quantize, &[(&[1, 5], &bytes)], vec![], &int8(4)));
    add("int8 to uint8", single(Op::Quantize, &[(&[1, 5], &shifted)], vec![], &bytes));
    add("float to uint8", single(Op::Quantize, &[(&[1, 5], &FLOAT)], vec![], &bytes));
    add("uint8 to float", single(Op::Dequantize, &[(&[1, 5], &bytes)], vec![], &FLOAT));
    add("requantize", single(Op::Quantize, &[(&[1, 5], &int8(1))], vec![], &int8(4)));
    add("variable", variable());
    add("lstm", recurrent(Cell::Lstm, Some(10.0), false));
    add("lstm time major", recurrent(Cell::Lstm, None, true));
    add("rnn", recurrent(Cell::Tanh, None, false));
    add("rnn relu", recurrent(Cell::Relu, None, true));
    add("lstm int8", lstm_int8());
    add("svdf", svdf(false));
    add("svdf int8", svdf(true));
    plain(&mut add);
    add("dequantize", single(Op::Dequantize, &[(&[1, 5], &int8(4))], vec![], &FLOAT));
    graphs
}

/// What takes tensors without quantisation.
fn plain(add: &mut impl FnMut(&str, Graph)) {
    let [int32, bool] = [ElementType::Int32, ElementType::Bool].map(DataType::Plain);
    for &kind in CompareKind::ALL {
        let logic = matches!(kind, CompareKind::And | CompareKind::Or);
        for (name, dtype) in [("float", &FLOAT), ("int32", &int32), ("bool", &bool)] {
            let ordered = !matches!(kind, CompareKind::Equal | CompareKind::NotEqual);
            if if logic { *dtype == bool } else { *dtype != bool || !ordered } {
                let inputs: [(&[usize], _); 2] = [(&[2, 3], dtype), (&[3], dtype)];
                add(&format!("{} {name}", kind.name()), single(Op::Compare(kind), &inputs, vec![], &bool));
            }
        }
    }
    let inputs: [(&[usize], _); 3] = [(&[2, 1], &bool), (&[2, 3], &int32), (&[3], &int32)];
    add("SELECT_V2 int32", single(Op::Select, &inputs, vec![], &int32));
    let inputs: [(&[usize], _); 2] = [(&[2, 5, 3], &FLOAT), (&[2, 4], &int32)];
    add("GATHER", single(Op::Gather { axis: 1, batch: 1 }, &inputs, vec![], &FLOAT));
    add("CAST to float", single(Op::Cast, &[(&[2, 3], &int32)], vec![], &FLOAT));
    add("CAST to bool", single(Op::Cast, &[(&[2, 3], &FLOAT)], vec![], &bool));
    let inputs: [(&[usize], _); 2] = [(&[2, 4, 3], &FLOAT), (&[1, 5, 3], &FLOAT)];
    add("BATCH_MATMUL", single(Op::BatchMatmul { adjoint: [false, true] }, &inputs, vec![], &FLOAT));
}

/// A sum over calls; what it begins with stands where and under the name that it has when it is read.
fn variable() -> Graph {
    let mut graph = Graph::new("main");
    let x = graph.add_input(Tensor::activation("x", vec![1, 4], int8(3)));
    let value = graph.add_tensor(Tensor::activation("sum", vec![1, 4], int8(-7)));
    let next = graph.add_tensor(Tensor::activation("y", vec![1, 4], int8(-7)));
    let first = graph.add_tensor(Tensor::constant("sum/initial", vec![1, 4], int8(-7), [1, 2, 3, 255]));
    graph.add_operator(Op::Binary { kind: BinaryKind::Add, activation: Activation::None }, vec![value, x], vec![next]);
    graph.outputs = vec![next];
    graph.variables.push(Variable { value, next, initial: Some(first) });
    graph
}

/// A recurrent layer; its tensors stand where they do when they are read.
fn recurrent(cell: Cell, clip: Option<f32>, time_major: bool) -> Graph {
    let (batch, steps, inputs, units) = (1, 3, 2, 4);
    let outer = if time_major { [steps, batch] } else { [batch, steps] };
    let mut graph = Graph::new("main");
    let x = graph.add_input(Tensor::activation("x", vec![outer[0], outer[1], inputs], FLOAT));
    let y = graph.add_tensor(Tensor::activation("y", vec![outer[0], outer[1], units], FLOAT));
    let rows = cell.gates() * units;
    let shapes = [("w", vec![rows, inputs]), ("r", vec![rows, units]), ("b", vec![rows])];
    let add_weights = |graph: &mut Graph| shapes.map(|(name, shape)| graph.add_tensor(constant(name, &shape, FLOAT)));
    let names = ["h", "c"].into_iter().take(cell.states());
    let add_states = |graph: &mut Graph| -> Vec<TensorId> {
        let state = |name| Tensor::activation(name, vec![batch, units], FLOAT);
        names.clone().map(|name| graph.add_tensor(state(name))).collect()
    };
    // The weights of an LSTM's gates are joined when they are read, behind the file's own tensors.
    let (weights, nexts) = if cell == Cell::Lstm {
        let nexts = add_states(&mut graph);
        (add_weights(&mut graph), nexts)
    } else {
        let weights = add_weights(&mut graph);
        (weights, add_states(&mut graph))
    };
    let values = add_states(&mut graph);
    for (&value, &next) in values.iter().zip(&nexts) {
        graph.variables.push(Variable { value, next, initial: None });
    }
    let memory = cell == Cell::Lstm;
    let params = RecurrentParams {
        cell,
        time_major,
        reverse: false,
        clip,
        sequence: true,
        last: true,
        memory,
        asymmetric_quantize_inputs: false,
    };
    let operands = [vec![x], weights.to_vec(), values].concat();
    graph.add_operator(Op::Recurrent(params), operands, [vec![y], nexts].concat());
    graph.outputs = vec![y];
    graph
}

/// A layer as [`recurrent`] makes them, quantised. Of its intermediate tensors the reader makes nothing.
fn lstm_int8() -> Graph {
    let mut graph = recurrent(Cell::Lstm, Some(10.0), false);
    let operator = &graph.operators[0];
    let Op::Recurrent(RecurrentParams { .. }) = operator.op else { unreachable!("a recurrent layer") };
    let (inputs, outputs) = (operator.inputs.clone(), operator.outputs.clone());
    let scales: Vec<f32> = [0.5, 0.25, 0.5, 0.125].into_iter().flat_map(|scale| [scale; 4]).collect();
    let by_gate = Quantisation::PerChannel { axis: 0, zero_points: vec![0; scales.len()], scales };
    let weights = DataType::Quantised(ElementType::Int8, by_gate);
    let memory = DataType::int16(1.0 / 2048.0);
    let (hidden, bias) = (DataType::int8(0.0078125, -7), DataType::Plain(ElementType::Int32));
    let types = [int8(3), weights.clone(), weights, bias, hidden.clone(), memory.clone()];
    for (&id, dtype) in inputs.iter().zip(types).chain(outputs.iter().zip([hidden.clone(), hidden, memory])) {
        let tensor = &mut graph.tensors[id.index()];
        if tensor.is_constant() {
            *tensor = constant(&tensor.name, &tensor.shape.0, dtype);
        } else {
            tensor.dtype = dtype;
        }
    }
    graph
}

/// A filter over time; its tensors stand where they do when they are read.
fn svdf(integers: bool) -> Graph {
    let (batch, size, rank, units, memory) = (1, 3, 2, 2, 4);
    let filters = rank * units;
    let symmetric = |element, scale| DataType::Quantised(element, Quantisation::PerTensor { scale, zero_point: 0 });
    let types = match integers {
        true => [
            int8(3),
            symmetric(ElementType::Int8, 0.5),
            symmetric(ElementType::Int16, 0.125),
            DataType::Plain(ElementType::Int32),
            symmetric(ElementType::Int16, 0.25),
            int8(-128),
        ],
        false => [FLOAT; 6],
    };
    let [x_type, w_type, t_type, b_type, s_type, y_type] = types;
    let mut graph = Graph::new("main");
    let x = graph.add_input(Tensor::activation("x", vec![batch, size], x_type));
    let weights = graph.add_tensor(constant("w", &[filters, size], w_type));
    let time = graph.add_tensor(constant("t", &[filters, memory], t_type));
    let bias = graph.add_tensor(constant("b", &[units], b_type));
    let next = graph.add_tensor(Tensor::activation("s", vec![batch, filters * memory], s_type.clone()));
    let y = graph.add_tensor(Tensor::activation("y", vec![batch, units], y_type));
    let value = graph.add_tensor(Tensor::activation("s", vec![batch, filters * memory], s_type));
    graph.variables.push(Variable { value, next, initial: None });
    let op = Op::Svdf { rank, activation: Activation::Relu };
    graph.add_operator(op, vec![x, weights, time, value, bias], vec![y, next]);
    graph.outputs = vec![y];
    graph
}

fn int8(zero_point: i32) -> DataType {
    DataType::int8(0.5, zero_point)
}

/// An operator on activations, then constants.
fn single(op: Op, activations: &[(&[usize], &DataType)], constants: Vec<Tensor>, output: &DataType) -> Graph {
    let mut graph = Graph::new("main");
    let mut inputs: Vec<TensorId> = activations
        .iter()
        .enumerate()
        .map(|(i, (shape, dtype))| {
            graph.add_input(Tensor::activation(format!("x{i}"), shape.to_vec(), (*dtype).clone()))
        })
        .collect();
    inputs.extend(constants.into_iter().map(|tensor| graph.add_tensor(tensor)));
    let tensors: Vec<&Tensor> = inputs.iter().map(|&id| graph.tensor(id)).collect();
    let inferred = infer(&op, &tensors).unwrap_or_else(|error| panic!("{op:?}: {error}"));
    let outputs: Vec<TensorId> = inferred
        .into_iter()
        .enumerate()
        .map(|(i, found)| graph.add_tensor(Tensor::activation(format!("y{i}"), found.shape, output.clone())))
        .collect();
    graph.outputs.clone_from(&outputs);
    graph.add_operator(op, inputs, outputs);
    graph
}

fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|i| (i * 37 + 11) as u8).collect()
}

fn constant(name: &str, shape: &[usize], dtype: DataType) -> Tensor {
    let elements = shape.iter().product();
    let data: Vec<u8> = match dtype.element() {
        ElementType::Float32 => (0..elements).flat_map(|i| (i as f32 / 8.0 - 1.0).to_le_bytes()).collect(),
        ElementType::Int32 => (0..elements as i32).flat_map(|i| (i * 100 - 250).to_le_bytes()).collect(),
        element => bytes(element.bytes(elements).unwrap()),
    };
    Tensor::constant(name, shape.to_vec(), dtype, data)
}

/// Weights and a bias to go with inputs of type `x`: output channels along `axis`.
fn parameters(x: &DataType, weights: &[usize], axis: usize, element: ElementType) -> Vec<Tensor> {
    let channels = weights[axis];
    let per_channel = |scale: f32| Quantisation::PerChannel {
        axis,
        scales: (0..channels).map(|i| scale * (1.0 + i as f32 / 8.0)).collect(),
        zero_points: vec![0; channels],
    };
    if *x == FLOAT {
        return vec![constant("w", weights, FLOAT), constant("b", &[channels], FLOAT)];
    }
    let bias = match per_channel(0.005) {
        Quantisation::PerChannel { scales, zero_points, .. } => {
            Quantisation::PerChannel { axis: 0, scales, zero_points }
        }
        other => other,
    };
    vec![
        constant("w", weights, DataType::Quantised(element, per_channel(0.01))),
        constant("b", &[channels], DataType::Quantised(ElementType::Int32, bias)),
    ]
}

fn weighted(kind: &str, x: &DataType, y: &DataType, add: &mut impl FnMut(&str, Graph)) {
    let conv = |stride, dilation, padding, activation| ConvParams { stride, dilation, padding, activation };
    let explicit = Padding::Explicit { top: 2, bottom: 1, left: 0, right: 3 };
    let paddings = [("same", Padding::Same), ("valid", Padding::Valid), ("explicit", explicit)];
    let x4: (&[usize], &DataType) = (&[1, 7, 6, 2], x);
    for (named, padding) in paddings {
        let params = conv([2, 1], [1, 2], padding, Activation::Relu6);
        let constants = parameters(x, &[3, 3, 2, 2], 0, ElementType::Int8);
        add(&format!("conv {kind} {named}"), single(Op::Conv2d(params), &[x4], constants, y));
        let op = Op::DepthwiseConv2d { conv: params, multiplier: 3 };
        let constants = parameters(x, &[1, 3, 2, 6], 3, ElementType::Int8);
        add(&format!("depthwise {kind} {named}"), single(op, &[x4], constants, y));
    }
    let plain = conv([1, 1], [1, 1], Padding::Same, Activation::None);
    let no_bias = |mut constants: Vec<Tensor>| {
        constants.pop();
        constants
    };
    let without = no_bias(parameters(x, &[3, 3, 3, 2], 0, ElementType::Int8));
    add(&format!("conv {kind} without bias"), single(Op::Conv2d(plain), &[x4], without, y));
    for (named, bias) in [("with bias", true), ("without bias", false)] {
        let op = Op::TransposeConv {
            stride: [2, 2],
            padding: Padding::Same,
            output: [14, 12],
            activation: if bias { Activation::Relu } else { Activation::None },
        };
        let constants = parameters(x, &[3, 3, 3, 2], 0, ElementType::Int8);
        let constants = if bias { constants } else { no_bias(constants) };
        add(&format!("transpose conv {kind} {named}"), single(op, &[x4], constants, y));
        let op = Op::FullyConnected {
            keep_num_dims: !bias,
            asymmetric_quantize_inputs: false,
            activation: Activation::None,
        };
        let constants = parameters(x, &[5, 6], 0, ElementType::Int8);
        let constants = if bias { constants } else { no_bias(constants) };
        add(&format!("fully connected {kind} {named}"), single(op, &[(&[2, 6], x)], constants, y));
    }
    if *x != FLOAT {
        let constants = parameters(x, &[3, 3, 3, 2], 0, ElementType::Int4);
        add("conv int4", single(Op::Conv2d(plain), &[x4], constants, y));
    } else {
        let weights = constant("w", &[3, 3, 3, 2], DataType::int8(0.25, 0));
        let constants = vec![weights, constant("b", &[3], FLOAT)];
        add("conv int8 weights on float", single(Op::Conv2d(plain), &[x4], constants, y));
    }
}

fn computing(kind: &str, x: &DataType, y: &DataType, add: &mut impl FnMut(&str, Graph)) {
    let probability = if *x == FLOAT { FLOAT } else { DataType::int8(1.0 / 256.0, -128) };
    let x4: (&[usize], &DataType) = (&[1, 4, 6, 2], x);
    for op in [BinaryKind::Add, BinaryKind::Sub, BinaryKind::Mul] {
        let op = Op::Binary { kind: op, activation: Activation::Relu };
        add(&format!("{} {kind}", op.name()), single(op, &[x4, (&[1, 1, 6, 1], x)], vec![], y));
    }
    let op = Op::Binary { kind: BinaryKind::Div, activation: Activation::Relu6 };
    add(&format!("div {kind}"), single(op, &[x4, (&[1, 1, 6, 1], x)], vec![], y));
    if *x != FLOAT {
        let op = Op::Binary { kind: BinaryKind::SquaredDifference, activation: Activation::None };
        add(&format!("{} {kind}", op.name()), single(op, &[x4, (&[1, 1, 6, 1], x)], vec![], y));
        for &normalise in NormaliseKind::ALL {
            let op = Op::Normalise(normalise);
            add(&format!("{} {kind}", op.name()), single(op, &[x4], vec![], &normalise.output()));
        }
    }
    if *x == FLOAT {
        for &function in Function::ALL.iter().filter(|&&function| in_tflite(function)) {
            let op = Op::Unary(UnaryKind::Function(function));
            add(&format!("{} float", op.name()), single(op, &[x4], vec![], y));
        }
    }
    for unary in [UnaryKind::Exp, UnaryKind::Log] {
        let op = Op::Unary(unary);
        add(&format!("{} {kind}", op.name()), single(op, &[x4], vec![], y));
    }
    for op in [BinaryKind::Minimum, BinaryKind::Maximum] {
        let op = Op::Binary { kind: op, activation: Activation::None };
        let half = constant("half", &[2], x.clone());
        add(&format!("{} {kind}", op.name()), single(op, &[x4], vec![half], x));
    }
    for pool in [PoolKind::Average, PoolKind::Max] {
        let op = Op::Pool2d {
            kind: pool,
            window: [3, 2],
            stride: [2, 1],
            padding: Padding::Same,
            activation: Activation::ReluN1To1,
        };
        add(&format!("{} {kind}", op.name()), single(op, &[x4], vec![], x));
    }
    for (i, &reduce) in ReduceKind::ALL.iter().enumerate() {
        let op = Op::Reduce { kind: reduce, axes: vec![1, 2], keep_dims: i % 2 == 1 };
        let output = if op.traits().values.keep_type() { x } else { y };
        add(&format!("{} {kind}", op.name()), single(op, &[x4], vec![], output));
    }
    for (resize, align_corners) in [(ResizeKind::Nearest, true), (ResizeKind::Bilinear, false)] {
        let op = Op::Resize { kind: resize, output: [7, 5], align_corners, half_pixel_centers: !align_corners };
        add(&format!("{} {kind}", op.name()), single(op, &[x4], vec![], x));
    }
    add(&format!("softmax {kind}"), single(Op::Softmax { beta: 0.75 }, &[(&[1, 9], x)], vec![], &probability));
    for unary in [
        UnaryKind::Relu,
        UnaryKind::ReluN1To1,
        UnaryKind::Relu6,
        UnaryKind::LeakyRelu { alpha: 0.125 },
        UnaryKind::HardSwish,
    ] {
        let op = Op::Unary(unary);
        add(&format!("{} {kind}", op.name()), single(op, &[x4], vec![], y));
    }
    let tanh = if *x == FLOAT { FLOAT } else { DataType::int8(1.0 / 128.0, 0) };
    add(&format!("tanh {kind}"), single(Op::Unary(UnaryKind::Tanh), &[x4], vec![], &tanh));
    add(&format!("logistic {kind}"), single(Op::Unary(UnaryKind::Logistic), &[x4], vec![], &probability));
    let alpha = constant("alpha", &[1, 1, 2], x.clone());
    add(&format!("prelu {kind}"), single(Op::Prelu, &[x4], vec![alpha], y));
    for index in [ElementType::Int32, ElementType::Int64] {
        let op = Op::ArgMax { axis: 2 };
        add(&format!("arg max {kind} {index}"), single(op, &[x4], vec![], &DataType::Plain(index)));
    }
}

fn moving(kind: &str, x: &DataType, add: &mut impl FnMut(&str, Graph)) {
    let x3: (&[usize], &DataType) = (&[1, 4, 6], x);
    let value = match x.element() {
        ElementType::Float32 => PadValue::Float(-2.5),
        ElementType::Uint8 | ElementType::Bool => PadValue::Integer(1),
        _ => PadValue::Integer(-3),
    };
    for (named, value) in [("pad", PadValue::Zero), ("padv2", value)] {
        let op = Op::Pad { pads: vec![[0, 0], [1, 2], [3, 0]], value };
        add(&format!("{named} {kind}"), single(op, &[x3], vec![], x));
    }
    let reshape = |kind, shape: &[usize]| Op::Reshape { kind, shape: shape.to_vec() };
    add(&format!("reshape {kind}"), single(reshape(ReshapeKind::Reshape, &[8, 3]), &[x3], vec![], x));
    add(&format!("squeeze {kind}"), single(reshape(ReshapeKind::Squeeze, &[4, 6]), &[x3], vec![], x));
    add(&format!("expand dims {kind}"), single(reshape(ReshapeKind::ExpandDims, &[1, 4, 1, 6]), &[x3], vec![], x));
    add(&format!("reshape to scalar {kind}"), single(reshape(ReshapeKind::Reshape, &[]), &[(&[1, 1], x)], vec![], x));
    add(&format!("transpose {kind}"), single(Op::Transpose { perm: vec![2, 0, 1] }, &[x3], vec![], x));
    let op = Op::Concatenation { axis: 1, activation: Activation::None };
    add(&format!("concatenation {kind}"), single(op, &[x3, (&[1, 2, 6], x)], vec![], x));
    add(&format!("split {kind}"), single(Op::Split { axis: 2, parts: 3 }, &[x3], vec![], x));
    add(&format!("pack {kind}"), single(Op::Pack { axis: 3 }, &[x3, x3], vec![], x));
    add(&format!("unpack {kind}"), single(Op::Unpack { axis: 1 }, &[x3], vec![], x));
    let op = Op::Slice { begin: vec![0, 1, 2], size: vec![1, 2, 4] };
    add(&format!("slice {kind}"), single(op, &[x3], vec![], x));
    let axes = vec![
        AxisSlice { start: 0, stride: 1, len: 1, shrink: true },
        AxisSlice { start: 3, stride: -2, len: 2, shrink: false },
        AxisSlice { start: 5, stride: -1, len: 6, shrink: false },
    ];
    add(&format!("strided slice {kind}"), single(Op::StridedSlice { axes }, &[x3], vec![], x));
}
