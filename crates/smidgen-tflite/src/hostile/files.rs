//! One file for each known way in which loaders of this format have fallen.

use super::build::{
    CUMSUM, FLOAT, File, INT4, INT8, INT32, ONE_HOT, SPACE_TO_DEPTH, UINT8, VARIANT, find, operator_node, quantised,
    quantised_as, redirect, tensor_node,
};
use crate::flat::{Field, Many, Record};
use crate::schema::{block_size, buffer, model, one_hot, operator, operator_code, subgraph, tensor};
use crate::support::Builtin;
use crate::write::options::Options;
use crate::write::tree::Node;

/// Name and bytes of each file.
pub(super) fn all() -> Vec<(&'static str, Vec<u8>)> {
    let mut files = Vec::new();
    bytes(&mut files);
    indices(&mut files);
    sizes(&mut files);
    quantisation(&mut files);
    int4(&mut files);
    uint8(&mut files);
    order(&mut files);
    operators(&mut files);
    movement(&mut files);
    kinds(&mut files);
    composed(&mut files);
    sharing(&mut files);
    loops(&mut files);
    files
}

type Files = Vec<(&'static str, Vec<u8>)>;

fn relu() -> File {
    File::one(Builtin::Relu, Options::None, &[1, 4])
}

/// Wrong below the level of tables.
fn bytes(files: &mut Files) {
    files.push(("empty", Vec::new()));
    files.push(("bad-root-offset", [&u32::MAX.to_le_bytes()[..], b"TFL3"].concat()));
    files.push(("root-offset-to-itself", [&[0; 4][..], b"TFL3"].concat()));
    files.push(("other-identifier", [&8u32.to_le_bytes()[..], b"ONNX", &[0; 24]].concat()));
    // A root table whose list of fields would lie before the file, behind it, or is of an impossible length.
    let root = |vtable: i32, rest: &[u8]| [&8u32.to_le_bytes()[..], b"TFL3", &vtable.to_le_bytes(), rest].concat();
    files.push(("fields-before-the-file", root(i32::MAX, &[0; 8])));
    files.push(("fields-behind-the-file", root(i32::MIN, &[0; 8])));
    files.push(("fields-of-odd-length", root(-4, &[5, 0, 4, 0, 0, 0, 0, 0])));
    files.push(("fields-longer-than-the-file", root(-4, &[0xfe, 0xff, 4, 0])));
    // The version is read from beyond the end.
    files.push(("field-behind-the-file", root(-4, &[6, 0, 4, 0, 0xff, 0xff, 0, 0])));
    files.push(("old-version", File { version: 2, ..relu() }.bytes()));

    // One byte later the length of the shape reads 0, which would do.
    let mut misaligned = File { tensors: vec![tensor_node("x", &[256, 4], FLOAT)], ..relu() };
    misaligned.activation("y", &[1, 4], FLOAT);
    let mut misaligned = misaligned.bytes();
    let shape = find(&misaligned, &[2, 0, 0, 0, 0, 1, 0, 0, 4, 0, 0, 0]);
    redirect(&mut misaligned, shape, shape + 1);
    files.push(("misaligned-vector", misaligned));
    let mut long = relu().bytes();
    let shape = find(&long, &[2, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0]);
    long[shape..shape + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    files.push(("vector-longer-than-the-file", long));
    let mut wrapping = relu().bytes();
    let shape = find(&wrapping, &[2, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0]);
    // Times four, this many elements are 4 bytes modulo 2^32.
    wrapping[shape..shape + 4].copy_from_slice(&0x4000_0001u32.to_le_bytes());
    files.push(("vector-length-that-wraps", wrapping));
    let mut named = relu().bytes();
    let name = find(&named, &[1, 0, 0, 0, b'x', 0]);
    named[name..name + 4].copy_from_slice(&0x7fff_ffffu32.to_le_bytes());
    files.push(("name-longer-than-the-file", named));

    // The list of tensors points into the list of operators' bytes: tables that are none.
    let mut confused = relu().bytes();
    let (tensors, outputs) = (position(&confused, subgraph::tensors), position(&confused, subgraph::operators) + 4);
    redirect(&mut confused, tensors, outputs);
    files.push(("tables-that-are-none", confused));
    let mut truncated = relu().bytes();
    truncated.truncate(truncated.len() / 2);
    files.push(("half-a-file", truncated));
}

/// Indices out of range.
fn indices(files: &mut Files) {
    for (name, input, output) in [
        ("negative-input-tensor", -2, 1),
        ("input-tensor-out-of-range", 2, 1),
        ("negative-output-tensor", 0, -1),
        ("output-tensor-out-of-range", 0, i32::MAX),
        ("absent-input", -1, 1),
    ] {
        let mut file = relu();
        let code = file.code(Builtin::Relu.code());
        file.operators = vec![operator_node(code, &[input], &[output])];
        files.push((name, file.bytes()));
    }
    files.push(("negative-graph-input", File { inputs: vec![-1], ..relu() }.bytes()));
    files.push(("negative-graph-output", File { outputs: vec![i32::MIN], ..relu() }.bytes()));
    files.push(("operator-code-out-of-range", File { codes: vec![], ..relu() }.bytes()));
    for (name, index) in [("negative-buffer", u32::MAX), ("buffer-out-of-range", 2)] {
        let mut file = relu();
        file.buffer(Node::default());
        file.tensors[0] = tensor_node("x", &[1, 4], FLOAT).with(tensor::buffer, index);
        files.push((name, file.bytes()));
    }
    for (name, offset, size) in [
        ("outside-data-wraps", u64::MAX - 7, 16),
        ("outside-data-behind-the-file", 1 << 40, 16),
        ("outside-data-over-the-end", 64, 1 << 32),
    ] {
        let mut file = relu();
        let index = file.buffer(Node::default().with(buffer::offset, offset).with(buffer::size, size));
        file.tensors[0] = tensor_node("x", &[1, 4], FLOAT).with(tensor::buffer, index);
        files.push((name, file.bytes()));
    }
}

/// Shapes and sizes that do not fit what they describe.
fn sizes(files: &mut Files) {
    let shaped = |shape: &[i32]| {
        let mut file = relu();
        file.tensors = vec![tensor_node("x", shape, FLOAT), tensor_node("y", shape, FLOAT)];
        file.bytes()
    };
    files.push(("dimensions-overflow", shaped(&[i32::MAX; 4])));
    files.push(("dimensions-overflow-to-zero", shaped(&[1 << 16; 4])));
    files.push(("bytes-overflow", shaped(&[1 << 30, 1 << 30, 4])));
    files.push(("larger-than-any-memory", shaped(&[1 << 20, 1 << 20, 1 << 20])));
    files.push(("negative-dimension", shaped(&[1, -4])));
    files.push(("unknown-dimension", shaped(&[-1, 4])));
    files.push(("dimension-of-zero", shaped(&[0, 4])));
    files.push(("thousand-dimensions", shaped(&[1; 1000])));
    for (name, shape, bytes) in [
        // 16 modulo 2^32.
        ("elements-that-wrap-to-the-data", &[(1 << 28) + 1, 16][..], 16),
        ("data-shorter-than-shape", &[1, 4][..], 3),
        ("data-longer-than-shape", &[1, 4][..], 5),
        ("data-for-nothing", &[0, 4][..], 4),
    ] {
        let mut file = File::new();
        let c = file.constant("c", shape, INT8, vec![7; bytes]);
        let y = file.activation("y", shape, INT8);
        file.operator(Builtin::Relu, &[c], &[y], Options::None);
        file.outputs = vec![y];
        files.push((name, file.bytes()));
    }
}

fn quantisation(files: &mut Files) {
    let scaled = |node: Node<'static>| {
        let mut file = relu();
        file.tensors[0] = node;
        file.bytes()
    };
    files.push(("zero-scale", scaled(quantised(&[0.0], &[0], 0))));
    files.push(("nan-scale", scaled(quantised(&[f32::NAN], &[0], 0))));
    files.push(("negative-scale", scaled(quantised(&[-0.5], &[0], 0))));
    files.push(("infinite-scale", scaled(quantised(&[f32::INFINITY], &[0], 0))));
    files.push(("zero-point-out-of-range", scaled(quantised(&[0.5], &[128], 0))));
    files.push(("zero-point-of-64-bits", scaled(quantised(&[0.5], &[1 << 40], 0))));
    files.push(("fewer-zero-points-than-scales", scaled(quantised(&[0.5; 4], &[0; 3], 1))));
    files.push(("more-scales-than-channels", scaled(quantised(&[0.5; 5], &[0; 5], 1))));
    files.push(("quantised-axis-out-of-range", scaled(quantised(&[0.5; 4], &[0; 4], 7))));
    files.push(("negative-quantised-axis", scaled(quantised(&[0.5; 4], &[0; 4], -1))));
    files.push(("activation-per-channel", scaled(quantised(&[0.5; 4], &[0; 4], 1))));
}

/// Weights of half a byte where they cannot be, or of another size.
fn int4(files: &mut Files) {
    let file = |builtin, options, bytes: usize, zero_point: i64, constant: bool| {
        let mut file = File::new();
        file.tensors = vec![quantised_as(tensor_node("x", &[1, 4, 4, 3], INT8), &[0.5], &[0], 0)];
        let data = if constant { vec![0x87; bytes] } else { Vec::new() };
        let w = file.constant("w", &[1, 1, 1, 3], INT4, data);
        let node = std::mem::take(&mut file.tensors[w as usize]);
        file.tensors[w as usize] = quantised_as(node, &[0.5], &[zero_point], 0);
        file.tensors.push(quantised_as(tensor_node("y", &[1, 4, 4, 1], INT8), &[0.5], &[0], 0));
        let y = file.tensors.len() as i32 - 1;
        let inputs = match builtin {
            Builtin::TransposeConv => {
                let size = file.integers("size", &[1, 4, 4, 1]);
                vec![size, w, 0]
            }
            _ => vec![0, w],
        };
        file.operator(builtin, &inputs, &[y], options);
        file.outputs = vec![y];
        file.bytes()
    };
    let conv = || Options::Conv { padding: 0, stride: [1, 1], dilation: [1, 1], activation: 0 };
    files.push(("int4-weights-of-an-odd-count", file(Builtin::Conv2d, conv(), 2, 0, true)));
    files.push(("int4-weights-of-a-byte-each", file(Builtin::Conv2d, conv(), 3, 0, true)));
    files.push(("int4-weights-too-short", file(Builtin::Conv2d, conv(), 1, 0, true)));
    files.push(("int4-zero-point-out-of-range", file(Builtin::Conv2d, conv(), 2, 8, true)));
    files.push(("int4-weights-at-run-time", file(Builtin::Conv2d, conv(), 2, 0, false)));
    let transposed = Options::TransposeConv { padding: 0, stride: [1, 1], activation: 0 };
    files.push(("int4-weights-of-transpose-conv", file(Builtin::TransposeConv, transposed, 2, 0, true)));
    let mut activation = relu();
    for (i, name) in ["x", "y"].into_iter().enumerate() {
        activation.tensors[i] = quantised_as(tensor_node(name, &[1, 4], INT4), &[0.5], &[0], 0);
    }
    files.push(("int4-activations", activation.bytes()));
}

/// Networks of TensorFlow 1, sound ones among them.
fn uint8(files: &mut Files) {
    let conv = || Options::Conv { padding: 0, stride: [1, 1], dilation: [1, 1], activation: 0 };
    let file = |[x, w]: [i8; 2], scales: &[f32], zeros: &[i64]| {
        let mut file = File::new();
        let zero = |element: i8| if element == UINT8 { 128 } else { 0 };
        file.tensors = vec![quantised_as(tensor_node("x", &[1, 4, 4, 3], x), &[0.5], &[zero(x)], 0)];
        let weights = file.constant("w", &[2, 1, 1, 3], w, vec![1, 255, 128, 0, 64, 200]);
        let node = std::mem::take(&mut file.tensors[weights as usize]);
        file.tensors[weights as usize] = quantised_as(node, scales, zeros, 0);
        let bias = file.integers("b", &[5, -7]);
        file.tensors.push(quantised_as(tensor_node("y", &[1, 4, 4, 2], x), &[40.0], &[zero(x)], 0));
        let y = file.tensors.len() as i32 - 1;
        file.operator(Builtin::Conv2d, &[0, weights, bias], &[y], conv());
        file.outputs = vec![y];
        file.bytes()
    };
    files.push(("uint8-weights", file([UINT8; 2], &[0.5], &[120])));
    files.push(("uint8-zero-point-out-of-range", file([UINT8; 2], &[0.5], &[256])));
    files.push(("uint8-zero-point-below-range", file([UINT8; 2], &[0.5], &[-1])));
    files.push(("uint8-weights-by-channel", file([UINT8; 2], &[0.5, 0.25], &[120, 130])));
    files.push(("uint8-weights-beside-int8", file([INT8, UINT8], &[0.5], &[120])));
    files.push(("int8-weights-beside-uint8", file([UINT8, INT8], &[0.5], &[0])));
    files.push(("uint8-weights-without-a-scale", file([UINT8; 2], &[], &[])));
    let mut pool = File::new();
    let window = Options::Pool { padding: 0, stride: [1, 1], window: [2, 2], activation: 0 };
    pool.tensors = ["x", "y"].map(|name| quantised_as(tensor_node(name, &[1, 4, 4, 3], UINT8), &[0.5], &[3], 0)).into();
    pool.operator(Builtin::AveragePool2d, &[0], &[1], window);
    pool.outputs = vec![1];
    files.push(("uint8-average-pool", pool.bytes()));
    let mut exp = relu();
    exp.tensors = ["x", "y"].map(|name| quantised_as(tensor_node(name, &[1, 4], UINT8), &[0.5], &[3], 0)).into();
    exp.operators.clear();
    exp.codes.clear();
    exp.operator(Builtin::Exp, &[0], &[1], Options::None);
    files.push(("uint8-exp", exp.bytes()));
    let mut same = relu();
    same.tensors = ["x", "y"].map(|name| quantised_as(tensor_node(name, &[1, 4], UINT8), &[0.5], &[3], 0)).into();
    same.outputs = vec![0, 1, 1];
    files.push(("uint8-output-that-is-an-input", same.bytes()));
}

/// Operators in an order in which they cannot run.
fn order(files: &mut Files) {
    let mut file = relu();
    let z = file.activation("z", &[1, 4], FLOAT);
    file.operators.clear();
    file.codes.clear();
    file.operator(Builtin::Add, &[0, z], &[1], Options::Arithmetic { activation: 0 });
    file.operator(Builtin::Relu, &[1], &[z], Options::None);
    files.push(("cycle-between-operators", file.bytes()));

    let mut file = relu();
    let code = file.code(Builtin::Relu.code());
    file.operators = vec![operator_node(code, &[1], &[1])];
    files.push(("operator-that-reads-its-output", file.bytes()));
    let mut file = relu();
    let code = file.code(Builtin::Relu.code());
    file.operators = vec![operator_node(code, &[0], &[0])];
    files.push(("operator-that-writes-the-input", file.bytes()));
    let mut file = relu();
    file.operator(Builtin::Relu6, &[0], &[1], Options::None);
    files.push(("tensor-written-twice", file.bytes()));
    let mut file = relu();
    let c = file.constant("c", &[1, 4], FLOAT, vec![0; 16]);
    file.operator(Builtin::Relu, &[0], &[c], Options::None);
    files.push(("constant-that-is-written", file.bytes()));
    let mut file = relu();
    let c = file.constant("c", &[1, 4], FLOAT, vec![0; 16]);
    file.inputs.push(c);
    files.push(("input-that-is-constant", file.bytes()));
    files.push(("input-listed-twice", File { inputs: vec![0, 0], ..relu() }.bytes()));
    let mut file = relu();
    file.outputs = vec![file.constant("c", &[1, 4], FLOAT, vec![0; 16])];
    files.push(("output-that-is-constant", file.bytes()));
    let mut file = relu();
    file.outputs = vec![file.activation("z", &[1, 4], FLOAT)];
    files.push(("output-that-nothing-writes", file.bytes()));
    files.push(("no-output", File { outputs: vec![], ..relu() }.bytes()));
    files.push((
        "no-tensors",
        File { tensors: vec![], operators: vec![], inputs: vec![], outputs: vec![], ..relu() }.bytes(),
    ));
}

/// Parameters that lead to divisions by zero, empty windows and shapes that do not fit.
fn operators(files: &mut Files) {
    let conv = |stride, dilation| Options::Conv { padding: 0, stride, dilation, activation: 0 };
    let weighted = |builtin, options, x: &[i32], w: &[i32], bytes: usize| {
        let mut file = File::new();
        file.tensors = vec![tensor_node("x", x, FLOAT)];
        let w = file.constant("w", w, FLOAT, vec![0; bytes]);
        let y = file.activation("y", &[1, 4, 4, 1], FLOAT);
        file.operator(builtin, &[0, w], &[y], options);
        file.outputs = vec![y];
        file.bytes()
    };
    let (x, w) = (&[1, 4, 4, 1][..], &[1, 1, 1, 1][..]);
    let one = [1, 1];
    files.push(("stride-of-zero", weighted(Builtin::Conv2d, conv([0, 1], one), x, w, 4)));
    files.push(("negative-stride", weighted(Builtin::Conv2d, conv([1, -1], one), x, w, 4)));
    files.push(("dilation-of-zero", weighted(Builtin::Conv2d, conv(one, [0, 0]), x, w, 4)));
    files
        .push(("stride-and-dilation-overflow", weighted(Builtin::Conv2d, conv([i32::MAX; 2], [i32::MAX; 2]), x, w, 4)));
    files.push(("weights-of-two-dimensions", weighted(Builtin::Conv2d, conv(one, one), x, &[1, 1], 4)));
    files.push(("convolution-in-groups", weighted(Builtin::Conv2d, conv(one, one), &[1, 4, 4, 4], w, 4)));
    files.push(("convolution-without-channels", weighted(Builtin::Conv2d, conv(one, one), x, &[1, 1, 1, 0], 0)));
    let depthwise = || Options::Depthwise { padding: 1, stride: one, dilation: one, activation: 0, multiplier: 0 };
    files.push(("depthwise-without-channels", weighted(Builtin::DepthwiseConv2d, depthwise(), &[1, 4, 4, 0], w, 4)));
    files.push((
        "depthwise-of-other-channels",
        weighted(Builtin::DepthwiseConv2d, depthwise(), &[1, 4, 4, 3], &[1, 1, 1, 4], 16),
    ));
    let full = Options::FullyConnected { activation: 0, keep_num_dims: false, asymmetric_quantize_inputs: false };
    files.push(("fully-connected-of-nothing", weighted(Builtin::FullyConnected, full, &[1, 4], &[1, 0], 0)));
    let pool = |window, stride| {
        let mut file =
            File::one(Builtin::MaxPool2d, Options::Pool { padding: 1, stride, window, activation: 0 }, &[1, 1, 1, 1]);
        file.tensors[0] = tensor_node("x", &[1, 4, 4, 1], FLOAT);
        file.bytes()
    };
    files.push(("window-of-zero", pool([0, 2], one)));
    files.push(("window-larger-than-the-image", pool([5, 5], one)));
    files.push(("window-that-overflows", pool([i32::MAX; 2], [i32::MAX; 2])));
    let arithmetic = |activation| Options::Arithmetic { activation };
    let mut file = File::one(Builtin::Add, arithmetic(0), &[1, 4]);
    files.push(("too-few-inputs", file.bytes()));
    file = File::one(Builtin::Relu, Options::None, &[1, 4]);
    let code = file.code(Builtin::Relu.code());
    file.operators = vec![operator_node(code, &[], &[])];
    files.push(("no-inputs-and-outputs", file.bytes()));
    file = File::new();
    let y = file.activation("y", &[1, 4], FLOAT);
    let z = file.activation("z", &[1, 3], FLOAT);
    file.inputs.push(z);
    file.operator(Builtin::Add, &[0, z], &[y], arithmetic(0));
    file.outputs = vec![y];
    files.push(("shapes-that-do-not-broadcast", file.bytes()));
    file = File::new();
    let y = file.activation("y", &[1, 4], FLOAT);
    file.operator(Builtin::Add, &[0, 0], &[y], arithmetic(5));
    file.outputs = vec![y];
    files.push(("unknown-activation", file.bytes()));
    file = File::new();
    let y = file.activation("y", &[1, 4], FLOAT);
    let code = file.code(Builtin::Softmax.code());
    let other = crate::write::options::node(&arithmetic(0)).expect("options");
    file.operators.push(
        operator_node(code, &[0], &[y]).with(operator::builtin_options_type, 11).with(operator::builtin_options, other),
    );
    file.outputs = vec![y];
    files.push(("options-of-another-operator", file.bytes()));
    files.push(("softmax-of-nan", File::one(Builtin::Softmax, Options::Softmax { beta: f32::NAN }, &[1, 4]).bytes()));
    for (name, axes) in [
        ("axis-out-of-range", &[2][..]),
        ("negative-axis-out-of-range", &[-3][..]),
        ("axis-of-the-least-integer", &[i32::MIN][..]),
    ] {
        let mut file = File::new();
        let y = file.activation("y", &[1], FLOAT);
        let axes = file.integers("axes", axes);
        file.operator(Builtin::Mean, &[0, axes], &[y], Options::Reducer { keep_dims: false });
        file.outputs = vec![y];
        files.push((name, file.bytes()));
    }
    file = File::new();
    let y = file.activation("y", &[1, 4, 4, 1], FLOAT);
    let size = file.integers("size", &[i32::MAX, -1]);
    file.operator(
        Builtin::ResizeBilinear,
        &[0, size],
        &[y],
        Options::ResizeBilinear { align_corners: false, half_pixel_centers: false },
    );
    file.outputs = vec![y];
    files.push(("resize-to-a-negative-size", file.bytes()));
}

/// Movements to where nothing is.
fn movement(files: &mut Files) {
    let with = |builtin, options, parameters: &[&[i32]], shape: &[i32]| {
        let mut file = File::new();
        let y = file.activation("y", shape, FLOAT);
        let mut inputs = vec![0];
        inputs.extend(parameters.iter().map(|values| file.integers("parameter", values)));
        file.operator(builtin, &inputs, &[y], options);
        file.outputs = vec![y];
        file.bytes()
    };
    let reshape = |shape: &[i32]| with(Builtin::Reshape, Options::None, &[shape], &[4]);
    files.push(("reshape-larger-than-its-data", reshape(&[1000, 1000])));
    files.push(("reshape-with-two-open-dimensions", reshape(&[-1, -1])));
    files.push(("reshape-that-does-not-divide", reshape(&[3, -1])));
    files.push(("reshape-that-overflows", reshape(&[i32::MAX; 5])));
    files.push(("reshape-to-a-negative-dimension", reshape(&[-2, -2])));
    files.push(("reshape-to-many-dimensions", reshape(&[1; 40])));
    files.push(("reshape-without-a-shape", with(Builtin::Reshape, Options::None, &[], &[4])));
    let open = Options::Reshape { new_shape: vec![1; 400] };
    files.push(("reshape-options-of-many-dimensions", with(Builtin::Reshape, open, &[], &[4])));
    let concatenation =
        |axis| File::one(Builtin::Concatenation, Options::Concatenation { axis, activation: 0 }, &[1, 4]).bytes();
    files.push(("concatenation-axis-out-of-range", concatenation(7)));
    files.push(("concatenation-axis-of-the-least-integer", concatenation(i32::MIN)));
    files.push(("transpose-twice-the-same-axis", with(Builtin::Transpose, Options::None, &[&[0, 0]], &[1, 1])));
    files.push(("transpose-of-other-rank", with(Builtin::Transpose, Options::None, &[&[2, 1, 0]], &[4, 1])));
    files.push(("pad-negative", with(Builtin::Pad, Options::None, &[&[0, 0, -1, -1]], &[1, 2])));
    files.push(("pad-to-more-than-can-be-counted", with(Builtin::Pad, Options::None, &[&[i32::MAX; 4]], &[1, 2])));
    files.push(("pad-of-other-rank", with(Builtin::Pad, Options::None, &[&[1, 1]], &[1, 6])));
    files.push(("slice-over-the-end", with(Builtin::Slice, Options::None, &[&[0, 2], &[1, 3]], &[1, 3])));
    files.push((
        "slice-that-overflows",
        with(Builtin::Slice, Options::None, &[&[0, i32::MAX], &[1, i32::MAX]], &[1, 3]),
    ));
    files.push(("slice-of-negative-size", with(Builtin::Slice, Options::None, &[&[0, 0], &[1, -2]], &[1, 3])));
    let strided = |begin: &[i32], end: &[i32], strides: &[i32], shrink| {
        with(Builtin::StridedSlice, Options::StridedSlice { shrink }, &[begin, end, strides], &[1, 4])
    };
    files.push(("strided-slice-of-stride-zero", strided(&[0, 0], &[1, 4], &[1, 0], 0)));
    files.push(("strided-slice-of-many-axes", strided(&[0; 5], &[1; 5], &[1; 5], 0)));
    files.push(("strided-slice-to-a-missing-index", strided(&[0, 4], &[1, 5], &[1, 1], 2)));
    files.push(("strided-slice-of-extremes", strided(&[i32::MIN; 2], &[i32::MAX; 2], &[i32::MIN; 2], 0)));
    files.push(("squeeze-of-four", File::one(Builtin::Squeeze, Options::Squeeze { dims: vec![1] }, &[1]).bytes()));
    files.push(("squeeze-of-many", File::one(Builtin::Squeeze, Options::Squeeze { dims: vec![0; 500] }, &[4]).bytes()));
    files.push((
        "unpack-of-other-size",
        File::one(Builtin::Unpack, Options::Unpack { values: 1, axis: 1 }, &[1]).bytes(),
    ));
    files.push((
        "pack-of-other-count",
        File::one(Builtin::Pack, Options::Pack { values: i32::MIN, axis: 0 }, &[1, 1, 4]).bytes(),
    ));
    for (name, parts, outputs) in
        [("split-into-none", 0, 0), ("split-into-three", 3, 3), ("split-into-negative", -1, 1)]
    {
        let mut file = File::new();
        let axis = file.constant("axis", &[], INT32, 1i32.to_le_bytes().to_vec());
        let outputs: Vec<i32> = (0..outputs).map(|_| file.activation("y", &[1, 1], FLOAT)).collect();
        file.operator(Builtin::Split, &[axis, 0], &outputs, Options::Split { parts });
        file.outputs = vec![0];
        files.push((name, file.bytes()));
    }
    let mut file = File::new();
    let y = file.activation("y", &[2, 2], FLOAT);
    let shape = file.activation("shape", &[2], INT32);
    file.inputs.push(shape);
    file.operator(Builtin::Reshape, &[0, shape], &[y], Options::None);
    file.outputs = vec![y];
    files.push(("reshape-at-run-time", file.bytes()));
}

/// Sound files with what smidgen does not do.
fn kinds(files: &mut Files) {
    let typed = |node: Node<'static>| {
        let mut file = relu();
        file.tensors[0] = node;
        file.bytes()
    };
    files.push(("uint8", typed(tensor_node("x", &[1, 4], 3))));
    files.push(("string", typed(tensor_node("x", &[1, 4], 5))));
    files.push(("type-of-the-future", typed(tensor_node("x", &[1, 4], 99))));
    files.push(("negative-type", typed(tensor_node("x", &[1, 4], -1))));
    files.push(("sparse-tensor", typed(tensor_node("x", &[1, 4], FLOAT).with(tensor::sparsity, Node::default()))));
    files.push(("variable-tensor", typed(tensor_node("x", &[1, 4], FLOAT).with(tensor::is_variable, true))));
    files.push(("external-buffer", typed(tensor_node("x", &[1, 4], FLOAT).with(tensor::external_buffer, 1))));
    let coded = |code: Node<'static>| {
        let mut file = relu();
        file.codes = vec![code];
        file.bytes()
    };
    let code = |number: i32| Node::default().with(operator_code::builtin_code, number);
    let custom = |name: String| code(32).with(operator_code::custom_code, name);
    files.push(("lstm", coded(code(16))));
    files.push(("while", coded(code(119))));
    files.push(("operator-of-the-future", coded(code(100_000))));
    files.push(("negative-operator", coded(code(-7).with(operator_code::deprecated_builtin_code, -7))));
    files.push(("custom", coded(custom("TFLite_Detection_PostProcess".into()))));
    files.push(("custom-flex", coded(custom("FlexErf".into()))));
    files.push(("custom-with-an-endless-name", coded(custom("\u{1b}[2J".repeat(5000)))));
    files.push(("int32-arithmetic", typed(tensor_node("x", &[1, 4], INT32))));
    let mut several = relu();
    several.operators.clear();
    several.codes = [16, 26, 119].map(code).into();
    for (i, read) in [0, 1, 2].into_iter().enumerate() {
        let written = if i == 0 { 1 } else { several.activation("z", &[1, 4], FLOAT) };
        several.operators.push(operator_node(i as u32, &[read], &[written]));
    }
    files.push(("several-unsupported", several.bytes()));
}

/// Operators that become others, with sizes that no memory holds.
fn composed(files: &mut Files) {
    let option = |field: Field<i32>, value: i32| Node::default().with(field, value);
    let mut file = File::new();
    file.tensors[0] = tensor_node("x", &[3], INT32);
    let depth = file.integer("depth", i32::MAX);
    let [on, off] = ["on", "off"].map(|name| file.constant(name, &[], FLOAT, vec![0; 4]));
    let y = file.activation("y", &[3, i32::MAX], FLOAT);
    file.foreign(ONE_HOT.0, &[0, depth, on, off], &[y], Some((ONE_HOT.1, option(one_hot::axis, -1))));
    file.outputs = vec![y];
    files.push(("one-hot-of-endless-depth", file.bytes()));
    let mut file = File::new();
    file.tensors[0] = tensor_node("x", &[1, i32::MAX, i32::MAX, 8], FLOAT);
    let y = file.activation("y", &[1, 1, 1, 8], FLOAT);
    let options = option(block_size::block_size, i32::MAX);
    file.foreign(SPACE_TO_DEPTH.0, &[0], &[y], Some((SPACE_TO_DEPTH.1, options)));
    file.outputs = vec![y];
    files.push(("space-to-depth-of-endless-blocks", file.bytes()));
    let mut file = File::new();
    file.tensors[0] = tensor_node("x", &[1, 1_000_000], FLOAT);
    let (axis, y) = (file.integer("axis", 1), file.activation("y", &[1, 1_000_000], FLOAT));
    file.foreign(CUMSUM, &[0, axis], &[y], None);
    file.outputs = vec![y];
    files.push(("running-sum-of-a-million", file.bytes()));
}

/// Loops that ask for much in few bytes. The memory that they may take is their own: `tests/damage.rs` knows them by their names.
fn loops(files: &mut Files) {
    files.push(("loop-that-fills-a-list", list_loop()));
    // Each turn has its own tensors, which nothing writes.
    let mut file = File::new();
    let condition = file.below(i32::MAX, &[(&[1, 4], FLOAT)]);
    let body = file.subgraph(|file| {
        let i = file.activation("i", &[], INT32);
        let [x, y] = ["x", "y"].map(|name| file.activation(name, &[1, 4], FLOAT));
        file.inputs = vec![i, x];
        let wide: Vec<i32> = (0..200).map(|_| file.activation(&"wide".repeat(50), &[1, 4], FLOAT)).collect();
        file.operator(Builtin::Concatenation, &wide, &[y], Options::Concatenation { axis: 0, activation: 0 });
        file.outputs = vec![file.counted(i, 1), y];
    });
    let zero = file.integer("zero", 0);
    let (end, y) = (file.activation("end", &[], INT32), file.activation("y", &[1, 4], FLOAT));
    file.repeat([condition, body], &[zero, 0], &[end, y]);
    file.outputs = vec![y];
    files.push(("loop-of-a-wide-operator", file.bytes()));
}

/// Turns of [`list_loop`]: a copy of the list at each would be 49 million tensors.
pub(crate) const LIST_TURNS: i32 = 7000;

/// A file with a loop that sets a place of a list in each turn.
pub(crate) fn list_loop() -> Vec<u8> {
    let mut file = File::new();
    let condition = file.below(LIST_TURNS, &[(&[], VARIANT)]);
    let body = file.subgraph(|file| {
        let i = file.activation("i", &[], INT32);
        let [l, longer] = ["l", "longer"].map(|name| file.activation(name, &[], VARIANT));
        let x = file.constant("x", &[1, 4], FLOAT, vec![0; 16]);
        file.custom("TensorListSetItem", &[l, i, x], &[longer]);
        file.inputs = vec![i, l];
        file.outputs = vec![file.counted(i, 1), longer];
    });
    let (zero, n) = (file.integer("zero", 0), file.integer("n", LIST_TURNS));
    let shape = file.integers("shape", &[1, 4]);
    let [l, all] = ["l0", "all"].map(|name| file.activation(name, &[], VARIANT));
    file.custom("TensorListReserve", &[shape, n], &[l]);
    let end = file.activation("end", &[], INT32);
    file.repeat([condition, body], &[zero, l], &[end, all]);
    let y = file.activation("y", &[LIST_TURNS, 1, 4], FLOAT);
    file.custom("TensorListStack", &[all, shape], &[y]);
    file.outputs = vec![y];
    file.bytes()
}

/// Tables that share their bytes, so that a small file describes a huge graph.
fn sharing(files: &mut Files) {
    // Many operators that are all one, with a long list of inputs.
    let mut file = File::one(Builtin::Concatenation, Options::Concatenation { axis: 0, activation: 0 }, &[COUNT, 4]);
    let code = file.code(Builtin::Concatenation.code());
    file.operators = (0..COUNT).map(|_| operator_node(code, &[], &[])).collect();
    file.operators[0] = operator_node(code, &[0; COUNT as usize], &[1]);
    files.push(("operators-that-share-their-inputs", shared(file.bytes(), subgraph::operators)));
    // Many tensors that are all one, with many scales.
    let mut file = relu();
    let of = |count: usize| quantised_as(tensor_node("q", &[1, COUNT], INT8), &vec![0.5; count], &vec![0; count], 1);
    file.tensors = (0..COUNT).map(|i| of(if i == 0 { COUNT as usize } else { 0 })).collect();
    files.push(("tensors-that-share-their-scales", shared(file.bytes(), subgraph::tensors)));
    // Many tensors that are all one, with a long name.
    let mut file = relu();
    file.tensors =
        (0..COUNT).map(|i| tensor_node(&"long".repeat(if i == 0 { 2000 } else { 0 }), &[1, 4], FLOAT)).collect();
    files.push(("tensors-that-share-their-name", shared(file.bytes(), subgraph::tensors)));
    // Many unsupported operators that are all one, each of which would be listed.
    let mut file = relu();
    file.codes = vec![Node::default().with(operator_code::builtin_code, 16)];
    file.operators = (0..COUNT).map(|_| operator_node(0, &[0, 0, 0, 0], &[])).collect();
    file.outputs = vec![0];
    files.push(("many-unsupported", shared(file.bytes(), subgraph::operators)));
}

const COUNT: i32 = 500;

/// The file with all entries of a list of the subgraph pointing at its first.
fn shared(mut bytes: Vec<u8>, field: Field<Many>) -> Vec<u8> {
    let word = |bytes: &[u8], place: usize| {
        u32::from_le_bytes(bytes[place..place + 4].try_into().unwrap_or_default()) as usize
    };
    let list = position(&bytes, field) + 4;
    let table = list + word(&bytes, list);
    let count = word(&bytes, list - 4);
    for place in (list..list + 4 * count).step_by(4) {
        bytes[place..place + 4].copy_from_slice(&((table - place) as u32).to_le_bytes());
    }
    bytes
}

/// Byte offset of a list of the subgraph.
fn position(bytes: &[u8], field: Field<Many>) -> usize {
    let root = Record::root(bytes).expect("a root");
    let graph = root.records(model::subgraphs).and_then(|graphs| graphs.get(0)).expect("a list of subgraphs");
    graph.and_then(|graph| graph.position(field)).expect("a list")
}
