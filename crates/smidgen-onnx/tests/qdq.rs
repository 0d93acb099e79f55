//! Forms in which files say that they are quantised, and what becomes of each.

mod common;

use common::build::{Message, attribute, file, floats, graph, ints, node, number, port, quantised, raw};
use common::names;
use smidgen_ir::{Activation, Op, Tensor};
use smidgen_onnx::{ErrorKind, Import, check, read};

const U8: i64 = 2;
const I8: i64 = 3;
const I16: i64 = 5;
const I32: i64 = 6;

/// A convolution of an image of 2 channels to 2 between QuantizeLinear and DequantizeLinear: what it has where others differ.
struct Case {
    opset: i64,
    /// Type and zero point of the activations; `None` for neither.
    zero: Option<(i64, Vec<u8>)>,
    /// Attributes of the QuantizeLinears.
    quantize: Vec<Message>,
    /// Type, bytes, scales and zero points of the weights `[2,2,1,1]`, and attributes of their DequantizeLinear.
    weights: (i64, [u8; 4], Vec<f32>, Vec<u8>),
    dequantize: Vec<Message>,
    /// What lies behind the convolution.
    quantized_behind: bool,
    domain: &'static str,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            opset: 13,
            zero: Some((U8, vec![128])),
            quantize: Vec::new(),
            weights: (I8, [1, 254, 3, 127], vec![0.5, 0.25], vec![0, 0]),
            dequantize: vec![number("axis", 0)],
            quantized_behind: true,
            domain: "",
        }
    }
}

impl Case {
    fn file(&self) -> Vec<u8> {
        let mut constants = vec![floats("s", &[], &[0.5]), floats("bias", &[2], &[0.3, -1.0])];
        let (kind, data, scales, zeros) = &self.weights;
        // One scale is a scalar.
        let dims = if scales.len() == 1 { vec![] } else { vec![scales.len() as i64] };
        constants.push(raw("w", *kind, &[2, 2, 1, 1], data));
        constants.push(floats("sw", &dims, scales));
        let mut weights = vec!["w", "sw"];
        if !zeros.is_empty() {
            constants.push(raw("zw", *kind, &dims, zeros));
            weights.push("zw");
        }
        let mut parameters = vec!["s"];
        if let Some((kind, zero)) = &self.zero {
            constants.push(raw("z", *kind, &[], zero));
            parameters.push("z");
        }
        let of = |op: &str, x: &str, y: &str, attributes: &[Message]| {
            let node = node(op, &[&[x], &parameters[..]].concat(), &[y]).text(7, self.domain);
            attributes.iter().fold(node, |node, a| node.message(5, a.clone()))
        };
        let real = node("DequantizeLinear", &weights, &["wf"]).text(7, self.domain);
        let mut nodes = vec![
            of("QuantizeLinear", "x", "xq", &self.quantize),
            of("DequantizeLinear", "xq", "xf", &[]),
            self.dequantize.iter().fold(real, |node, a| node.message(5, a.clone())),
            node("Conv", &["xf", "wf", "bias"], &["c"]),
        ];
        if self.quantized_behind {
            nodes.push(of("QuantizeLinear", "c", "cq", &self.quantize));
            nodes.push(of("DequantizeLinear", "cq", "y", &[]));
        } else {
            nodes.push(node("Relu", &["c"], &["y"]));
        }
        let image = [Ok(1), Ok(2), Ok(3), Ok(3)];
        file(self.opset, graph(&nodes, &constants, &[port("x", &image)], &[port("y", &[])]))
    }

    fn read(&self) -> Import {
        read(&self.file()).unwrap_or_else(|e| panic!("{e}"))
    }

    fn refused(&self) -> String {
        let error = read(&self.file()).expect_err("an error");
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        error.to_string()
    }
}

const ON_INTEGERS: [&str; 3] = ["QUANTIZE", "CONV_2D", "DEQUANTIZE"];

/// Input `i` of the operator with this name.
fn input(import: &Import, name: &str, i: usize) -> Tensor {
    let operator = import.graph.operators.iter().find(|o| o.op.name() == name).expect("it is there");
    import.graph.tensor(operator.inputs[i]).clone()
}

#[test]
fn every_operator_computes_on_integers() {
    let import = read(&quantised()).unwrap();
    assert_eq!(
        names(&import.graph),
        ["QUANTIZE", "CONV_2D", "ADD", "MEAN", "RESHAPE", "FULLY_CONNECTED", "DEQUANTIZE"]
    );
    assert!(import.notes.is_empty(), "{:?}", import.notes);
    assert_eq!(input(&import, "CONV_2D", 1).dtype.to_string(), "i8 (3 scales along axis 0)");
    let array = common::Array {
        name: "x".into(),
        data_type: 1,
        dims: vec![1, 3, 5, 4],
        data: (0..60).flat_map(|i| (i as f32 / 30.0 - 1.0).to_le_bytes()).collect(),
    };
    let found = common::run(&import, &[array]).unwrap();
    assert_eq!(found[0].0.shape, [1, 2]);
    // Whole steps of the output's scale.
    for value in common::floats(&found[0].1) {
        assert!((value / 0.1 - (value / 0.1).round()).abs() < 1e-3, "{value}");
    }
}

#[test]
fn unsigned_activations_are_held_128_lower() {
    let import = Case::default().read();
    assert_eq!(names(&import.graph), ON_INTEGERS);
    assert_eq!(input(&import, "CONV_2D", 0).dtype.to_string(), "i8 (scale 0.5, zero point 0)");
    // Without a zero point they are unsigned too, and it is 0.
    for opset in [12, 13, 19, 21] {
        let scales = if opset < 13 { vec![0.5] } else { vec![0.5, 0.25] };
        let dequantize = if opset < 13 { vec![] } else { vec![number("axis", -4)] };
        let case =
            Case { opset, zero: None, weights: (I8, [1, 254, 3, 127], scales, vec![]), dequantize, ..Case::default() };
        let import = case.read();
        assert_eq!(names(&import.graph), ON_INTEGERS, "{opset}");
        assert_eq!(input(&import, "CONV_2D", 0).dtype.to_string(), "i8 (scale 0.5, zero point -128)");
    }
    // Since set 21 the type may stand beside.
    let typed = Case { opset: 21, zero: None, quantize: vec![number("output_dtype", I8)], ..Case::default() };
    assert_eq!(input(&typed.read(), "CONV_2D", 0).dtype.to_string(), "i8 (scale 0.5, zero point 0)");
    // ONNX Runtime's own domain has both for older sets.
    assert_eq!(names(&Case { domain: "com.microsoft", ..Case::default() }.read().graph), ON_INTEGERS);
}

#[test]
fn a_float_bias_becomes_integers() {
    let bias = input(&Case::default().read(), "CONV_2D", 2);
    assert_eq!(bias.dtype.to_string(), "i32 (2 scales along axis 0)");
    // Steps of 0.5 * 0.5 and 0.5 * 0.25; 0.3 is 1.2 of the first, -1 is -8 of the second.
    assert_eq!(bias.integers().unwrap(), [1, -8]);
}

#[test]
fn weights_keep_their_integers_whatever_their_type() {
    let stored = |case: Case| input(&case.read(), "CONV_2D", 1).integers().unwrap();
    assert_eq!(stored(Case::default()), [1, -2, 3, 127]);
    let unsigned =
        |zeros: [u8; 2]| Case { weights: (U8, [1, 254, 3, 127], vec![0.5, 0.25], zeros.into()), ..Case::default() };
    assert_eq!(stored(unsigned([128, 128])), [-127, 126, -125, -1]);
    // Another zero point than 128 will do where the weights stay within int8.
    assert_eq!(stored(unsigned([128, 130])), [-127, 126, -127, -3]);
    let message = unsigned([1, 128]).refused();
    assert_eq!(
        message,
        "not supported: operator 3 Conv (\"xf\", \"wf\", \"bias\" -> \"c\"): its weights, less their zero points, are integers \
         from -125 to 253, and int8 holds -128 to 127; quantise weights symmetrically: `weight_type=QuantType.QInt8` with ONNX \
         Runtime, a symmetric qscheme with PyTorch"
    );
    assert_eq!(check(&unsigned([1, 128]).file(), &Default::default()).unwrap().len(), 1);
}

#[test]
fn weights_that_become_integers_in_the_file_do_so_when_reading() {
    let constants =
        [floats("w", &[2, 2], &[0.9, -2.0, 0.26, 100.0]), floats("s", &[2], &[0.5, 0.25]), raw("z", I8, &[2], &[0, 0])];
    let scalars = [floats("t", &[], &[0.5]), raw("u", I8, &[], &[3])];
    let nodes = [
        node("QuantizeLinear", &["x", "t", "u"], &["xq"]),
        node("DequantizeLinear", &["xq", "t", "u"], &["xf"]),
        node("QuantizeLinear", &["w", "s", "z"], &["wq"]).message(5, number("axis", 1)),
        node("DequantizeLinear", &["wq", "s", "z"], &["wf"]).message(5, number("axis", 1)),
        node("MatMul", &["xf", "wf"], &["m"]),
        node("QuantizeLinear", &["m", "t", "u"], &["mq"]),
        node("DequantizeLinear", &["mq", "t", "u"], &["y"]),
    ];
    let bytes =
        file(13, graph(&nodes, &[&constants[..], &scalars].concat(), &[port("x", &[Ok(1), Ok(2)])], &[port("y", &[])]));
    let import = read(&bytes).unwrap();
    assert_eq!(names(&import.graph), ["QUANTIZE", "FULLY_CONNECTED", "DEQUANTIZE"]);
    // Ties go to the even integer, and what is beyond is cut off; then outputs come first.
    assert_eq!(input(&import, "FULLY_CONNECTED", 1).integers().unwrap(), [2, 1, -8, 127]);
}

#[test]
fn a_matrix_may_keep_its_zero_point() {
    let constants = [raw("w", U8, &[2, 2], &[0, 200, 255, 90]), floats("s", &[], &[0.5]), raw("z", U8, &[], &[100])];
    let nodes = [
        node("QuantizeLinear", &["x", "s", "z"], &["xq"]),
        node("DequantizeLinear", &["xq", "s", "z"], &["xf"]),
        node("DequantizeLinear", &["w", "s", "z"], &["wf"]),
        node("MatMul", &["xf", "wf"], &["m"]),
        node("QuantizeLinear", &["m", "s", "z"], &["mq"]),
        node("DequantizeLinear", &["mq", "s", "z"], &["y"]),
    ];
    let bytes = file(13, graph(&nodes, &constants, &[port("x", &[Ok(1), Ok(2)])], &[port("y", &[])]));
    let weights = input(&read(&bytes).unwrap(), "FULLY_CONNECTED", 1);
    assert_eq!(weights.dtype.to_string(), "i8 (scale 0.5, zero point -28)");
    assert_eq!(weights.integers().unwrap(), [-128, 127, 72, -38]);
}

#[test]
fn the_greatest_and_the_least_are_taken_of_integers() {
    for (name, op) in [("ReduceMax", "REDUCE_MAX"), ("ReduceMin", "REDUCE_MIN")] {
        let constants = [floats("s", &[], &[0.5]), raw("z", I8, &[], &[3])];
        let reduce = node(name, &["xf"], &["m"]).message(5, attribute("axes", &[1]));
        let nodes = [
            node("QuantizeLinear", &["x", "s", "z"], &["xq"]),
            node("DequantizeLinear", &["xq", "s", "z"], &["xf"]),
            reduce,
            node("QuantizeLinear", &["m", "s", "z"], &["mq"]),
            node("DequantizeLinear", &["mq", "s", "z"], &["y"]),
        ];
        let bytes = file(13, graph(&nodes, &constants, &[port("x", &[Ok(1), Ok(4)])], &[port("y", &[])]));
        let import = read(&bytes).unwrap();
        assert_eq!(names(&import.graph), ["QUANTIZE", op, "DEQUANTIZE"]);
        assert!(import.notes.is_empty(), "{:?}", import.notes);
        assert_eq!(input(&import, op, 0).dtype.to_string(), "i8 (scale 0.5, zero point 3)");
    }
}

#[test]
fn what_is_not_quantised_stays_on_floats_and_is_named() {
    let import = Case { quantized_behind: false, ..Case::default() }.read();
    assert_eq!(names(&import.graph), ["QUANTIZE", "DEQUANTIZE", "CONV_2D"]);
    let notes: Vec<String> = import.notes.iter().map(ToString::to_string).collect();
    assert_eq!(
        notes,
        ["operator 3 Conv (\"xf\", \"wf\", \"bias\" -> \"c\"): it computes on floats: its output does not go into \
          QuantizeLinear alone; quantise the operators around it too, if it shall compute on integers"]
    );
    // Weights of one scale for each input channel.
    let weights = (I8, [1, 254, 3, 127], vec![0.3, 0.25], vec![0, 0]);
    let across = Case { dequantize: vec![number("axis", 1)], weights, ..Case::default() }.read();
    assert!(across.notes[0].reason.contains("another axis"), "{}", across.notes[0]);
    // A network of floats has nothing to say.
    assert!(read(&common::build::classifier()).unwrap().notes.is_empty());
}

#[test]
fn symmetric_int16_is_computed_on_int16() {
    let zero = Some((I16, vec![0, 0]));
    let import = Case { zero, ..Case::default() }.read();
    assert_eq!(names(&import.graph), ON_INTEGERS);
    assert!(import.notes.is_empty(), "{:?}", import.notes);
    assert_eq!(input(&import, "CONV_2D", 0).dtype.to_string(), "i16 (scale 0.5, zero point 0)");
    assert_eq!(input(&import, "CONV_2D", 1).dtype.to_string(), "i8 (2 scales along axis 0)");
    let bias = input(&import, "CONV_2D", 2);
    assert_eq!(bias.integers_as_i64().unwrap(), [1, -8]);
    let zero = Some((I16, vec![1, 0]));
    let error = Case { zero, ..Case::default() }.refused();
    assert!(error.contains("int16 with zero point 1"), "{error}");
}

#[test]
fn what_has_no_form_on_int16_stays_on_floats() {
    let nodes = [
        node("QuantizeLinear", &["x", "s", "z"], &["xq"]),
        node("DequantizeLinear", &["xq", "s", "z"], &["xf"]),
        node("HardSwish", &["xf"], &["r"]),
        node("QuantizeLinear", &["r", "s", "z"], &["rq"]),
        node("DequantizeLinear", &["rq", "s", "z"], &["y"]),
    ];
    let swish = |element, zero: &[u8]| {
        let constants = [floats("s", &[], &[0.5]), raw("z", element, &[], zero)];
        read(&file(14, graph(&nodes, &constants, &[port("x", &[Ok(2), Ok(3)])], &[port("y", &[])]))).unwrap()
    };
    let narrow = swish(I8, &[0]);
    assert_eq!(names(&narrow.graph), ["QUANTIZE", "HARD_SWISH", "DEQUANTIZE"]);
    let wide = swish(I16, &[0, 0]);
    assert_eq!(names(&wide.graph), ["QUANTIZE", "DEQUANTIZE", "HARD_SWISH", "QUANTIZE", "DEQUANTIZE"]);
    assert!(wide.notes[0].reason.contains("HARD_SWISH has no form on int16"), "{}", wide.notes[0]);
}

#[test]
fn a_movement_needs_no_quantisation_of_its_own() {
    let nodes = [
        node("QuantizeLinear", &["x", "s", "z"], &["xq"]),
        node("DequantizeLinear", &["xq", "s", "z"], &["xf"]),
        node("MaxPool", &["xf"], &["p"]).message(5, attribute("kernel_shape", &[2, 2])),
        node("Relu", &["p"], &["r"]),
        node("Transpose", &["r"], &["y"]).message(5, attribute("perm", &[0, 2, 3, 1])),
    ];
    let constants = [floats("s", &[], &[0.5]), raw("z", U8, &[], &[10])];
    let bytes = file(13, graph(&nodes, &constants, &[port("x", &[Ok(1), Ok(2), Ok(3), Ok(3)])], &[port("y", &[])]));
    let import = read(&bytes).unwrap();
    assert_eq!(names(&import.graph), ["QUANTIZE", "MAX_POOL_2D", "DEQUANTIZE"]);
    let Op::Pool2d { activation, .. } = import.graph.operators[1].op else { panic!("another operator") };
    assert_eq!(activation, Activation::Relu);
}

#[test]
fn long_chains_of_movements_are_passed_at_once() {
    let length = 4000;
    // What may be taken up grows with the file.
    let room = raw("room", I8, &[1 << 20], &[0; 1 << 20]);
    let constants =
        [ints("begin", &[1]), ints("end", &[i64::MAX]), floats("s", &[], &[0.5]), raw("z", U8, &[], &[10]), room];
    let mut nodes = vec![node("Exp", &["x"], &["x0"])];
    let names = |i: usize| (format!("x{i}"), format!("x{}", i + 1));
    for (from, to) in (0..length).map(names) {
        nodes.push(node("Slice", &[&from, "begin", "end"], &[&to]));
    }
    nodes.push(node("QuantizeLinear", &[&format!("x{length}"), "s", "z"], &["q"]));
    nodes.push(node("DequantizeLinear", &["q", "s", "z"], &["y"]));
    let bytes = file(13, graph(&nodes, &constants, &[port("x", &[Ok(length as i64 + 3)])], &[port("y", &[])]));
    let start = std::time::Instant::now();
    let import = read(&bytes).unwrap();
    assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
    let found = common::names(&import.graph);
    assert_eq!((&found[..3], found.len()), (&["EXP", "QUANTIZE", "SLICE"][..], length + 3));
    assert!(import.notes[0].reason.contains("EXP"), "{}", import.notes[0]);
}

#[test]
fn forms_that_no_kernel_has_are_refused() {
    let blocks = Case { dequantize: vec![number("axis", 0), number("block_size", 2)], opset: 21, ..Case::default() };
    assert!(blocks.refused().contains("a scale for each block"), "{}", blocks.refused());
    let wide = Case { zero: Some((I32, vec![0; 4])), ..Case::default() };
    assert!(wide.refused().contains("quantise activations to int8 or uint8"), "{}", wide.refused());
    let float8 = Case { zero: Some((17, vec![0])), opset: 19, ..Case::default() };
    assert!(float8.refused().contains("float of 8 bits"), "{}", float8.refused());
    let count = Case { weights: (I8, [1; 4], vec![0.5; 3], vec![0; 3]), ..Case::default() };
    assert!(count.refused().contains("3 scales"), "{}", count.refused());
    let negative = Case { weights: (I8, [1; 4], vec![-0.5], vec![0]), dequantize: vec![], ..Case::default() };
    assert!(negative.refused().contains("scale"), "{}", negative.refused());
}
