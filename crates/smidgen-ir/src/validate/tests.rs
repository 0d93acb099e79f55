use super::*;
use crate::ops::*;
use crate::tensor::*;

fn conv() -> ConvParams {
    ConvParams { stride: [1, 1], dilation: [1, 1], padding: Padding::Same, activation: Activation::Relu }
}

/// x (%0) -> CONV_2D with %1, %2 -> %3 -> LOGISTIC -> %4, all int8.
fn int8_graph() -> Graph {
    let mut g = Graph::new("test");
    let x = g.add_input(Tensor::activation("x", [1, 4, 4, 2], DataType::int8(0.5, 3)));
    let per_channel = |zero_points| Quantisation::PerChannel { axis: 0, scales: vec![0.1, 0.2, 0.3], zero_points };
    let w = g.add_tensor(Tensor::constant(
        "w",
        [3, 3, 3, 2],
        DataType::Quantised(ElementType::Int8, per_channel(vec![0; 3])),
        vec![1; 54],
    ));
    let b = g.add_tensor(Tensor::constant("b", [3], DataType::Plain(ElementType::Int32), vec![0; 12]));
    let y = g.add_tensor(Tensor::activation("y", [1, 4, 4, 3], DataType::int8(0.25, -128)));
    let z = g.add_tensor(Tensor::activation("z", [1, 4, 4, 3], DataType::int8(1.0 / 256.0, -128)));
    g.add_operator(Op::Conv2d(conv()), vec![x, w, b], vec![y]);
    g.add_operator(Op::Unary(UnaryKind::Logistic), vec![y], vec![z]);
    g.operators[1].source = Some(7);
    g.outputs = vec![z];
    g
}

/// The message for the graph above after a change.
fn message(change: impl FnOnce(&mut Graph)) -> String {
    let mut graph = int8_graph();
    change(&mut graph);
    validate(&graph).expect_err("the change makes the graph invalid").to_string()
}

#[test]
fn a_sound_graph_is_accepted() {
    assert_eq!(validate(&int8_graph()), Ok(()));
    let mut no_bias = int8_graph();
    no_bias.operators[0].inputs.pop();
    assert_eq!(validate(&no_bias), Ok(()));
}

#[test]
fn a_float_convolution_takes_int8_weights_around_zero() {
    let with_weights = |weights: DataType| {
        let mut g = int8_graph();
        g.operators.truncate(1);
        g.outputs = vec![TensorId(3)];
        for t in [0, 2, 3] {
            g.tensors[t].dtype = DataType::FLOAT32;
        }
        g.tensors[1].dtype = weights;
        validate(&g).map_err(|error| error.to_string())
    };
    assert_eq!(with_weights(DataType::int8(0.1, 0)), Ok(()));
    assert_eq!(with_weights(int8_graph().tensors[1].dtype.clone()), Ok(()));
    assert!(with_weights(DataType::int8(0.1, 1)).unwrap_err().contains("with zero points 0"));
    assert!(with_weights(DataType::Plain(ElementType::Int8)).unwrap_err().contains("quantised per tensor"));
}

#[test]
fn structure() {
    let t = TensorId;
    assert_eq!(
        message(|g| g.operators[0].inputs[0] = t(9)),
        "operator 0, CONV_2D names tensor %9, but the graph has only 5 tensors"
    );
    assert!(message(|g| g.outputs = vec![t(5)]).contains("list of graph outputs names tensor %5"));
    assert!(message(|g| g.inputs.push(t(u32::MAX))).contains("list of graph inputs names tensor %4294967295"));
    assert!(message(|g| g.outputs.clear()).contains("no output"));
    assert!(message(|g| g.inputs.push(t(0))).contains("graph input %0 \"x\" is listed twice"));
    assert!(message(|g| g.inputs.push(t(1))).contains("graph input %1 \"w\" is a constant"));
    assert!(message(|g| g.operators[1].outputs = vec![t(1)]).contains("writes %1 \"w\", which is a constant"));
    assert!(message(|g| g.operators[1].outputs = vec![t(0)]).contains("writes %0 \"x\", which is an input"));
    assert_eq!(
        message(|g| g.operators[1].outputs = vec![t(3)]),
        "operator 1, LOGISTIC (number 7 in the file): writes %3 \"y\", which operator 0, CONV_2D has written already; \
         each tensor is written once"
    );
    assert!(message(|g| g.inputs.clear()).contains("operator 0, CONV_2D: reads %0 \"x\", which nothing writes"));
    assert_eq!(
        message(|g| g.operators.swap(0, 1)),
        "operator 0, LOGISTIC (number 7 in the file): reads %3 \"y\", which only operator 1, CONV_2D writes, after it; \
         sort the operators so that each follows what it reads"
    );
    assert_eq!(
        message(|g| g.operators[0].inputs[0] = t(4)),
        "operators form a cycle, so none of them can run first: operator 0, CONV_2D -> operator 1, LOGISTIC (number 7 in the \
         file) -> operator 0, CONV_2D"
    );
    assert!(message(|g| g.operators.truncate(1)).contains("graph output %4 \"z\" is written by no operator"));
}

#[test]
fn a_long_chain_backwards_is_diagnosed_without_recursion() {
    let mut g = Graph::new("");
    let mut last = g.add_input(Tensor::activation("", [1], DataType::FLOAT32));
    for _ in 0..200_000 {
        let next = g.add_tensor(Tensor::activation("", [1], DataType::FLOAT32));
        g.add_operator(Op::Unary(UnaryKind::Tanh), vec![last], vec![next]);
        last = next;
    }
    g.outputs = vec![last];
    assert_eq!(validate(&g), Ok(()));
    g.operators.reverse();
    assert!(validate(&g).unwrap_err().to_string().contains("sort the operators"));
}

#[test]
fn tensors() {
    let shape = |i: usize, dims: Vec<usize>| move |g: &mut Graph| g.tensors[i].shape = Shape(dims);
    assert!(message(shape(0, vec![1; 7])).contains("tensor %0 \"x\" has shape 1x1x1x1x1x1x1, of 7 dimensions"));
    assert!(message(shape(0, vec![1, 0, 4, 2])).contains("without elements"));
    assert!(message(shape(0, vec![1, usize::MAX, usize::MAX, 2])).contains("more than the 2147483647 bytes"));
    // A dimension of 0 is no leave for the others to be impossible.
    assert_eq!(Shape(vec![0, usize::MAX, 2]).checked_elements(), None);
    assert_eq!(Shape(vec![0, 3, 2]).checked_elements(), Some(0));
    assert!(message(shape(2, vec![4])).contains("is a constant of 12 bytes; expected 16"));
    let dtype = |i: usize, dtype: DataType| move |g: &mut Graph| g.tensors[i].dtype = dtype;
    assert!(message(dtype(0, DataType::int8(f32::NAN, 0))).contains("scale NaN"));
    assert!(message(dtype(0, DataType::int8(0.0, 0))).contains("scale 0"));
    assert!(message(dtype(0, DataType::int8(-1.0, 0))).contains("scale -1"));
    assert!(message(dtype(0, DataType::int8(f32::INFINITY, 0))).contains("scale inf"));
    assert!(message(dtype(0, DataType::int8(1.0, 128))).contains("zero point 128, outside the -128 to 127 of i8"));
    let quantised = |e| DataType::Quantised(e, Quantisation::PerTensor { scale: 1.0, zero_point: 0 });
    assert!(message(dtype(0, quantised(ElementType::Float32))).contains("quantised but of type f32"));
    assert!(message(dtype(0, quantised(ElementType::Int32))).contains("only a constant may be"));
    assert!(message(dtype(0, quantised(ElementType::Int4))).contains("only a constant may be"));
    let channels = |axis, n, m| {
        let q = Quantisation::PerChannel { axis, scales: vec![1.0; n], zero_points: vec![0; m] };
        DataType::Quantised(ElementType::Int8, q)
    };
    assert!(message(dtype(1, channels(4, 3, 3))).contains("along axis 4, but has only 4 dimensions"));
    assert!(message(dtype(1, channels(0, 2, 3))).contains("2 scales for 3 channels along axis 0"));
    assert!(message(dtype(1, channels(0, 3, 4))).contains("4 zero points for 3 channels along axis 0"));
    assert!(message(dtype(0, channels(3, 2, 2))).contains("only a constant may be"));
}

#[test]
fn operators() {
    assert!(message(|g| g.tensors[3].shape = Shape(vec![1, 4, 5, 3])).contains("but the operator makes 1x4x4x3"));
    assert!(message(|g| g.tensors[3].dtype = DataType::FLOAT32).contains("has type f32, but the operator makes i8"));
    assert!(message(|g| g.operators[0].outputs.clear()).contains("reads %3"));
    assert!(message(|g| g.operators[1].inputs.push(TensorId(3))).contains("takes 1 input but has 2"));
    assert!(message(|g| g.tensors[1].data = None).contains("reads %1 \"w\", which nothing writes"));
    assert!(
        message(|g| {
            g.tensors[1].data = None;
            g.tensors[1].dtype = DataType::int8(1.0, 0);
            g.inputs.push(TensorId(1));
        })
        .contains("the weights, %1 \"w\", must be constant")
    );
    assert!(
        message(|g| {
            g.tensors[2].data = None;
            g.inputs.push(TensorId(2));
        })
        .contains("the bias, %2 \"b\", must be constant")
    );
    let set = |op: Op| move |g: &mut Graph| g.operators[0].op = op;
    assert!(message(set(Op::Conv2d(ConvParams { stride: [1, 0], ..conv() }))).contains("the stride is 0"));
    assert!(
        message(set(Op::Conv2d(ConvParams { stride: [1, 1 << 31], ..conv() }))).contains("the stride is 2147483648")
    );
    let huge = Padding::Explicit { top: usize::MAX, bottom: 1, left: 0, right: 0 };
    assert!(message(set(Op::Conv2d(ConvParams { padding: huge, ..conv() }))).contains("the padding is"));
    assert!(
        message(|g| g.tensors[4].dtype = DataType::int8(0.5, -128))
            .contains("expected i8 (scale 0.00390625, zero point -128)")
    );
    assert!(message(|g| g.tensors[3].dtype = DataType::int8(1e-10, 0)).contains("must be below 2^30"));
    assert!(
        message(|g| {
            let q = Quantisation::PerChannel { axis: 0, scales: vec![1.0; 3], zero_points: vec![1; 3] };
            g.tensors[1].dtype = DataType::Quantised(ElementType::Int8, q);
        })
        .contains("expected i8 or i4 with zero points 0, quantised per tensor or along axis 0")
    );
    assert!(message(|g| g.tensors[2].dtype = DataType::FLOAT32).contains("%2 \"b\" is of type f32; expected i32"));
}

#[test]
fn int4_weights_are_for_three_operators() {
    let int4 = |axis: usize, count: usize| {
        let q = Quantisation::PerChannel { axis, scales: vec![0.1; count], zero_points: vec![0; count] };
        DataType::Quantised(ElementType::Int4, q)
    };
    let with = |op: Op, shape: &[usize], axis: usize, y: &[usize]| {
        let mut g = int8_graph();
        g.operators.truncate(1);
        g.outputs = vec![TensorId(3)];
        g.operators[0].op = op;
        g.operators[0].inputs.pop();
        let count: usize = shape.iter().product();
        // An odd count leaves half of the last byte unused.
        g.tensors[1] = Tensor::constant("w", shape.to_vec(), int4(axis, shape[axis]), vec![0x78; count.div_ceil(2)]);
        g.tensors[3].shape = y.to_vec().into();
        validate(&g).map_err(|error| error.to_string())
    };
    assert_eq!(with(Op::Conv2d(conv()), &[3, 3, 3, 2], 0, &[1, 4, 4, 3]), Ok(()));
    let depthwise = Op::DepthwiseConv2d { conv: conv(), multiplier: 1 };
    assert_eq!(with(depthwise, &[1, 3, 3, 2], 3, &[1, 4, 4, 2]), Ok(()));
    let full =
        Op::FullyConnected { keep_num_dims: true, asymmetric_quantize_inputs: false, activation: Activation::None };
    assert_eq!(with(full, &[3, 2], 0, &[1, 4, 4, 3]), Ok(()));
    let transposed =
        Op::TransposeConv { stride: [1, 1], padding: Padding::Same, output: [4, 4], activation: Activation::None };
    let refused = with(transposed, &[3, 3, 3, 2], 0, &[1, 4, 4, 3]).unwrap_err();
    assert!(refused.contains("i4 weights are for CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED"), "{refused}");
}

#[test]
fn weights_may_be_computed_from_constants() {
    let mut g = int8_graph();
    let (w, mut per_tensor) = (TensorId(1), g.tensors[1].clone());
    per_tensor.dtype = DataType::int8(0.1, 0);
    per_tensor.data = None;
    g.tensors[1].dtype = DataType::int8(0.2, 0);
    let requantised = g.add_tensor(per_tensor);
    g.operators.insert(0, Operator::new(Op::Quantize, vec![w], vec![requantised]));
    g.operators[1].inputs[1] = requantised;
    assert_eq!(validate(&g), Ok(()));
}

#[test]
fn weights_of_uint8_have_zero_points_and_its_inputs_join_on_scales_of_their_own() {
    let mut g = int8_graph();
    g.tensors[1].dtype = DataType::int8(0.1, 7);
    assert!(validate(&g).unwrap_err().to_string().contains("zero points 0"));
    g.operators[0].uint8 = true;
    assert_eq!(validate(&g), Ok(()));
    let join = |uint8: bool, dtype: &DataType| {
        let mut g = Graph::new("join");
        let inputs = [DataType::int8(0.5, 1), dtype.clone()];
        let inputs = inputs.map(|dtype| g.add_input(Tensor::activation("in", [1, 4], dtype)));
        let y = g.add_tensor(Tensor::activation("out", [2, 4], DataType::int8(0.25, 3)));
        g.add_operator(Op::Concatenation { axis: 0, activation: Activation::None }, inputs.to_vec(), vec![y]);
        g.operators[0].uint8 = uint8;
        g.outputs = vec![y];
        validate(&g)
    };
    assert_eq!(join(true, &DataType::int8(0.125, -3)), Ok(()));
    assert!(join(false, &DataType::int8(0.125, -3)).is_err() && join(true, &DataType::FLOAT32).is_err());
    // An operator without such a form, and one on floats.
    let mut g = int8_graph();
    g.operators[0].op = Op::Unary(UnaryKind::Relu);
    g.operators[0].inputs.truncate(1);
    let y = g.operators[0].outputs[0];
    g.tensors[y.index()].shape = g.tensor(g.operators[0].inputs[0]).shape.clone();
    g.operators.truncate(1);
    g.outputs = vec![y];
    assert_eq!(validate(&g), Ok(()));
    g.operators[0].uint8 = true;
    assert!(validate(&g).unwrap_err().to_string().contains("as kernels of uint8 do"));
}

/// A graph of one operator on activations of these types, all of shape 1x4x4x2.
fn single(op: Op, inputs: &[DataType], output: DataType) -> Result<(), ValidateError> {
    let mut g = Graph::new("single");
    let inputs: Vec<TensorId> =
        inputs.iter().map(|d| g.add_input(Tensor::activation("in", [1, 4, 4, 2], d.clone()))).collect();
    let tensors: Vec<&Tensor> = inputs.iter().map(|&t| g.tensor(t)).collect();
    let shape = infer(&op, &tensors).unwrap().remove(0).shape;
    let y = g.add_tensor(Tensor::activation("out", shape, output));
    g.add_operator(op, inputs, vec![y]);
    g.outputs = vec![y];
    validate(&g)
}

#[test]
fn types() {
    let (a, b, f) = (DataType::int8(0.5, 1), DataType::int8(0.25, -3), DataType::FLOAT32);
    let (i32_, bool_) = (DataType::Plain(ElementType::Int32), DataType::Plain(ElementType::Bool));
    let binary = |kind| Op::Binary { kind, activation: Activation::None };
    let two = |op: Op, x: &DataType, y: &DataType, z: &DataType| single(op, &[x.clone(), y.clone()], z.clone()).is_ok();
    assert!(two(binary(BinaryKind::Add), &a, &b, &b));
    assert!(two(binary(BinaryKind::Mul), &f, &f, &f));
    assert!(!two(binary(BinaryKind::Add), &a, &f, &a));
    assert!(!two(binary(BinaryKind::Add), &i32_, &i32_, &i32_));
    assert!(two(binary(BinaryKind::Minimum), &a, &a, &a));
    assert!(!two(binary(BinaryKind::Minimum), &a, &b, &a));
    assert!(!two(binary(BinaryKind::Sub), &DataType::int8(1e6, 0), &a, &a));
    assert!(!two(binary(BinaryKind::Mul), &DataType::int8(1e6, 0), &DataType::int8(1e6, 0), &a));
    let fused = Op::Binary { kind: BinaryKind::Maximum, activation: Activation::Relu };
    assert!(!two(fused, &a, &a, &a));
    let join = |activation| Op::Concatenation { axis: 3, activation };
    assert!(two(join(Activation::None), &a, &a, &a));
    assert!(!two(join(Activation::None), &a, &b, &b));
    assert!(!two(join(Activation::Relu), &i32_, &i32_, &i32_));
    assert!(two(join(Activation::None), &i32_, &i32_, &i32_));
    assert!(two(join(Activation::Relu), &f, &f, &f));
    assert!(!two(join(Activation::Relu), &a, &a, &a));
    assert!(!two(join(Activation::None), &i32_, &bool_, &i32_));

    let one = |op: Op, x: &DataType, y: &DataType| single(op, std::slice::from_ref(x), y.clone()).is_ok();
    let transpose = || Op::Transpose { perm: vec![0, 2, 1, 3] };
    assert!(one(transpose(), &bool_, &bool_) && one(transpose(), &a, &a) && one(transpose(), &i32_, &i32_));
    assert!(!one(transpose(), &a, &b));
    let pad = |value| Op::Pad { pads: vec![[0, 0], [1, 1], [0, 0], [0, 0]], value };
    assert!(one(pad(PadValue::Integer(127)), &a, &a) && one(pad(PadValue::Zero), &f, &f));
    assert!(!one(pad(PadValue::Integer(128)), &a, &a));
    assert!(!one(pad(PadValue::Integer(0)), &f, &f) && !one(pad(PadValue::Float(0.0)), &a, &a));
    let pool = |kind| Op::Pool2d {
        kind,
        window: [2, 2],
        stride: [2, 2],
        padding: Padding::Valid,
        activation: Activation::None,
    };
    assert!(
        one(pool(PoolKind::Average), &a, &a)
            && !one(pool(PoolKind::Max), &a, &b)
            && !one(pool(PoolKind::Max), &i32_, &i32_)
    );
    assert!(one(Op::Quantize, &f, &a) && one(Op::Quantize, &a, &b));
    assert!(!one(Op::Quantize, &f, &f) && !one(Op::Quantize, &i32_, &a));
    let i16_ = DataType::Quantised(ElementType::Int16, Quantisation::PerTensor { scale: 1.0, zero_point: 0 });
    assert!(one(Op::Quantize, &f, &i16_) && one(Op::Quantize, &i16_, &a) && one(Op::Dequantize, &i16_, &f));
    // What the reference has no int16 of.
    let sum = Op::Reduce { kind: ReduceKind::Sum, axes: vec![3], keep_dims: true };
    assert!(!one(sum, &i16_, &i16_) && !one(Op::ArgMax { axis: 3 }, &i16_, &i32_));
    for kind in [UnaryKind::HardSwish, UnaryKind::ReluN1To1] {
        assert!(!one(Op::Unary(kind), &i16_, &i16_) && one(Op::Unary(kind), &a, &b));
    }
    assert!(one(Op::Unary(UnaryKind::Relu), &i16_, &i16_) && !one(Op::Unary(UnaryKind::Relu), &a, &i16_));
    assert!(one(Op::Dequantize, &a, &f) && !one(Op::Dequantize, &f, &f) && !one(Op::Dequantize, &a, &a));
    assert!(
        one(Op::ArgMax { axis: 3 }, &a, &i32_) && one(Op::ArgMax { axis: 1 }, &f, &DataType::Plain(ElementType::Int64))
    );
    assert!(!one(Op::ArgMax { axis: 3 }, &a, &f));
    let softmax = |beta| Op::Softmax { beta };
    assert!(one(softmax(1.0), &a, &DataType::int8(1.0 / 256.0, -128)) && one(softmax(0.5), &f, &f));
    assert!(!one(softmax(1.0), &a, &a) && !one(softmax(0.0), &f, &f) && !one(softmax(f32::NAN), &f, &f));
    let leaky = |alpha| Op::Unary(UnaryKind::LeakyRelu { alpha });
    assert!(one(leaky(0.1), &a, &b) && !one(leaky(f32::INFINITY), &f, &f) && !one(leaky(1e20), &a, &b));
    assert!(!two(Op::Prelu, &a, &a, &a), "alpha must be constant");
}

#[test]
fn counts_that_overflow_are_refused() {
    // Each convolution takes 2^20 taps at 2^30 positions.
    let mut g = Graph::new("");
    let n = 1 << 10;
    let x = g.add_input(Tensor::activation("x", [1, 1, 1, 1], DataType::int8(1.0, 0)));
    let w = g.add_tensor(Tensor::constant("w", [1, n, n, 1], DataType::int8(1.0, 0), vec![0; n * n]));
    let sides = Padding::Explicit { top: n, bottom: (1 << 15) - 2, left: n, right: (1 << 15) - 2 };
    let op = Op::Conv2d(ConvParams { padding: sides, ..conv() });
    let add = |g: &mut Graph| {
        let y = g.add_tensor(Tensor::activation("y", [1, 1 << 15, 1 << 15, 1], DataType::int8(1.0, 0)));
        g.add_operator(op.clone(), vec![x, w], vec![y]);
        g.outputs = vec![y];
    };
    (0..(1 << 14) - 1).for_each(|_| add(&mut g));
    assert_eq!(validate(&g), Ok(()));
    add(&mut g);
    assert_eq!(validate(&g), Err(ValidateError::TooManyMacs));
}

/// A graph whose output is the sum of its input and of what a variable holds, which is what that holds next.
fn sum() -> Graph {
    let float = |shape: [usize; 2]| Tensor::activation("", shape, DataType::FLOAT32);
    let mut g = Graph::new("sum");
    let x = g.add_input(float([1, 2]));
    let value = g.add_tensor(Tensor { name: "v".into(), ..float([1, 2]) });
    let y = g.add_tensor(float([1, 2]));
    let first = g.add_tensor(Tensor::constant("c", [1, 2], DataType::FLOAT32, vec![0; 8]));
    g.add_operator(Op::Binary { kind: BinaryKind::Add, activation: Activation::None }, vec![x, value], vec![y]);
    g.outputs = vec![y];
    g.variables.push(crate::Variable { value, next: y, initial: Some(first) });
    g
}

#[test]
fn variables_are_there_at_the_beginning_and_hold_what_suits_them() {
    type Change = fn(&mut Graph);
    let t = TensorId;
    assert_eq!(validate(&sum()), Ok(()));
    let with = |change: Change| {
        let mut graph = sum();
        change(&mut graph);
        validate(&graph).map_err(|error| error.to_string())
    };
    // Any tensor that is there may be what it holds next, and any may be an output.
    for next in [0, 1, 2, 3] {
        let mut graph = sum();
        graph.variables[0].next = t(next);
        graph.outputs.push(t(1));
        assert_eq!(validate(&graph), Ok(()), "{next}");
    }
    let faults: [(Change, &str); 9] = [
        (|g| g.variables[0].next = TensorId(9), "the list of variables names tensor %9"),
        (|g| g.variables[0].initial = Some(TensorId(9)), "the list of variables names tensor %9"),
        (|g| g.variables[0].value = TensorId(3), "variable %3 \"c\" is a constant"),
        (|g| g.variables[0].value = TensorId(0), "is an input of the graph too"),
        (|g| g.variables.push(g.variables[0].clone()), "variable %1 \"v\" is listed twice"),
        (|g| g.operators[0].outputs[0] = TensorId(1), "writes %1 \"v\", which is the value of a variable"),
        (|g| g.operators.clear(), "graph output %2 is written by no operator"),
        (
            |g| g.variables[0].initial = Some(TensorId(2)),
            "is to hold %2 in the first inference, which is not a constant",
        ),
        (
            |g| {
                let int8 = g.add_tensor(Tensor::constant("i", [1, 2], DataType::int8(0.5, 0), vec![0; 2]));
                g.variables[0].initial = Some(int8);
            },
            "is 1x2 f32, but is to hold %4 \"i\", which is 1x2 i8",
        ),
    ];
    for (change, message) in faults {
        let error = with(change).expect_err(message);
        assert!(error.contains(message), "{error}");
    }
    // Nothing writes what it should hold next.
    let error = with(|g| g.variables[0].next = g.add_tensor(g.tensor(TensorId(1)).clone())).unwrap_err();
    assert!(error.contains("is to hold %4 \"v\" next, which nothing writes"), "{error}");
    // What it begins with.
    let zeros = |dtype: DataType| {
        let mut graph = sum();
        graph.tensors[1].dtype = dtype;
        graph.variables[0].initial = None;
        graph.initial_bytes(&graph.variables[0]).to_vec()
    };
    assert_eq!(zeros(DataType::FLOAT32), [0; 8]);
    assert_eq!(zeros(DataType::int8(0.5, -3)), [253, 253]);
    assert_eq!(zeros(DataType::int16(0.5)), [0; 4]);
}
