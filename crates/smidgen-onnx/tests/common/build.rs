//! Small ONNX files, written field by field.

/// A message in the making.
#[derive(Clone, Default)]
pub struct Message(pub Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    pub fn int(mut self, field: u64, value: i64) -> Self {
        self.varint(field << 3);
        self.varint(value as u64);
        self
    }

    pub fn float(mut self, field: u64, value: f32) -> Self {
        self.varint(field << 3 | 5);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
        self
    }

    pub fn text(self, field: u64, text: &str) -> Self {
        self.bytes(field, text.as_bytes())
    }

    pub fn message(self, field: u64, message: Message) -> Self {
        self.bytes(field, &message.0)
    }
}

/// A constant of floats.
pub fn floats(name: &str, dims: &[i64], values: &[f32]) -> Message {
    let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let tensor = dims.iter().fold(Message::default(), |m, &d| m.int(1, d));
    tensor.int(2, 1).text(8, name).bytes(9, &raw)
}

/// A constant of 64-bit integers, in its own field.
pub fn ints(name: &str, values: &[i64]) -> Message {
    let mut packed = Message::default();
    values.iter().for_each(|&v| packed.varint(v as u64));
    Message::default().int(1, values.len() as i64).int(2, 7).text(8, name).bytes(7, &packed.0)
}

/// A constant of bytes of any type.
pub fn raw(name: &str, data_type: i64, dims: &[i64], raw: &[u8]) -> Message {
    dims.iter().fold(Message::default(), |m, &d| m.int(1, d)).int(2, data_type).text(8, name).bytes(9, raw)
}

/// A node without attributes.
pub fn node(op: &str, inputs: &[&str], outputs: &[&str]) -> Message {
    let node = inputs.iter().fold(Message::default(), |m, i| m.text(1, i));
    outputs.iter().fold(node, |m, o| m.text(2, o)).text(4, op)
}

/// An attribute of integers.
pub fn attribute(name: &str, values: &[i64]) -> Message {
    values.iter().fold(Message::default().text(1, name), |m, &v| m.int(8, v)).int(20, 7)
}

/// An attribute of one integer.
pub fn number(name: &str, value: i64) -> Message {
    Message::default().text(1, name).int(3, value).int(20, 2)
}

/// A float input or output; sizes of `Err` are symbols.
pub fn port(name: &str, dims: &[Result<i64, &str>]) -> Message {
    let shape = dims.iter().fold(Message::default(), |m, dim| {
        m.message(
            1,
            match *dim {
                Ok(size) => Message::default().int(1, size),
                Err(symbol) => Message::default().text(2, symbol),
            },
        )
    });
    let tensor = Message::default().int(1, 1).message(2, shape);
    Message::default().text(1, name).message(2, Message::default().message(1, tensor))
}

/// A file of operator set `opset`.
pub fn file(opset: i64, graph: Message) -> Vec<u8> {
    Message::default().int(1, 8).message(7, graph).message(8, Message::default().int(2, opset)).0
}

/// A graph of nodes, constants, inputs and outputs.
pub fn graph(nodes: &[Message], constants: &[Message], inputs: &[Message], outputs: &[Message]) -> Message {
    let parts = [(1, nodes), (5, constants), (11, inputs), (12, outputs)];
    parts
        .into_iter()
        .fold(Message::default(), |m, (field, list)| list.iter().fold(m, |m, part| m.message(field, part.clone())))
}

fn weights(count: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 37 + 11) % 41) as f32 / 20.0 - 1.0).collect()
}

/// Convolution, batch normalisation, RELU, pooling, arithmetic on shapes, flattening, a matrix, Softmax.
pub fn classifier() -> Vec<u8> {
    let nodes = [
        node("Conv", &["x", "w", ""], &["c"])
            .message(5, attribute("pads", &[1, 1, 1, 1]))
            .message(5, attribute("strides", &[2, 2])),
        node("BatchNormalization", &["c", "scale", "bias", "mean", "variance"], &["n"]),
        node("Relu", &["n"], &["r"]),
        node("MaxPool", &["r"], &["p"])
            .message(5, attribute("kernel_shape", &[3, 3]))
            .message(5, attribute("strides", &[2, 2]))
            .message(5, attribute("pads", &[1, 1, 1, 1])),
        node("Shape", &["p"], &["s"]),
        node("Gather", &["s", "zero"], &["batch"]).message(5, number("axis", 0)),
        node("Concat", &["batch", "rest"], &["shape"]).message(5, number("axis", 0)),
        node("Reshape", &["p", "shape"], &["f"]),
        node("Gemm", &["f", "m", "b"], &["g"]).message(5, number("transB", 1)),
        node("Softmax", &["g"], &["y"]),
    ];
    let mut constants = convolution_constants();
    constants.extend([
        ints("zero", &[0]),
        ints("rest", &[-1]),
        floats("m", &[5, 36], &weights(180)),
        floats("b", &[5], &weights(5)),
    ]);
    let image = [Err("batch"), Ok(3), Ok(12), Ok(12)];
    file(13, graph(&nodes, &constants, &[port("x", &image)], &[port("y", &[Ok(1), Ok(5)])]))
}

/// Weights of a convolution from three channels to four, and what normalises its outputs.
fn convolution_constants() -> Vec<Message> {
    vec![
        floats("w", &[4, 3, 3, 3], &weights(108)),
        floats("scale", &[4], &[1.0, 0.5, 2.0, 1.5]),
        floats("bias", &[4], &[0.1, -0.2, 0.3, 0.0]),
        floats("mean", &[4], &[0.0, 0.1, -0.1, 0.2]),
        floats("variance", &[4], &[1.0, 0.9, 1.1, 0.5]),
    ]
}

/// A convolution and batch normalisation, in training mode (which gives the means and variances that it has updated) or in
/// evaluation mode.
pub fn normalised(training: bool) -> Vec<u8> {
    let convolution = node("Conv", &["x", "w"], &["c"]).message(5, attribute("pads", &[1, 1, 1, 1]));
    let read = ["c", "scale", "bias", "mean", "variance"];
    let normalisation = match training {
        true => node("BatchNormalization", &read, &["n", "m", "v"]).message(5, number("training_mode", 1)),
        false => node("BatchNormalization", &read, &["n"]),
    };
    let constants = convolution_constants();
    let nodes = [convolution, normalisation, node("Relu", &["n"], &["y"])];
    let ports = [port("x", &[1, 3, 6, 6].map(Ok)), port("y", &[1, 4, 6, 6].map(Ok))];
    file(15, graph(&nodes, &constants, &ports[..1], &ports[1..]))
}

/// A depthwise and a transposed convolution, a resize, a concatenation, slices, HardSwish spelt out.
pub fn mixer() -> Vec<u8> {
    let nodes = [
        node("Conv", &["x", "dw"], &["d"]).message(5, attribute("pads", &[1, 1, 1, 1])).message(5, number("group", 2)),
        node("HardSigmoid", &["d"], &["h"]).message(5, Message::default().text(1, "alpha").float(2, 1.0 / 6.0)),
        node("Mul", &["d", "h"], &["hs"]),
        node("ConvTranspose", &["hs", "up"], &["t"]).message(5, attribute("strides", &[2, 2])),
        node("Resize", &["d", "", "scales"], &["z"]),
        node("Concat", &["t", "z"], &["j"]).message(5, number("axis", 1)),
        node("Slice", &["j", "begin", "end", "axes"], &["k"]),
        node("Transpose", &["k"], &["y"]).message(5, attribute("perm", &[0, 2, 3, 1])),
    ];
    let constants = [
        floats("dw", &[2, 1, 3, 3], &weights(18)),
        floats("up", &[2, 3, 2, 2], &weights(24)),
        floats("scales", &[4], &[1.0, 1.0, 2.0, 2.0]),
        ints("begin", &[1, 2]),
        ints("end", &[5, i64::MAX]),
        ints("axes", &[1, -1]),
    ];
    let image = [Ok(1), Ok(2), Ok(4), Ok(5)];
    file(17, graph(&nodes, &constants, &[port("x", &image)], &[port("y", &[])]))
}

/// A convolution, an addition and a matrix in QDQ form: uint8 activations, int8 weights with a scale for each channel.
pub fn quantised() -> Vec<u8> {
    let stored = |count: usize| (0..count).map(|i| (i * 29 + 7) as u8).collect::<Vec<u8>>();
    let scalar = |name: &str, value: f32| floats(name, &[], &[value]);
    let ends = |from: &str, to: &str, parameters: [&str; 2]| {
        let (stored, [scale, zero]) = (format!("{to}_stored"), parameters);
        [
            node("QuantizeLinear", &[from, scale, zero], &[&stored]),
            node("DequantizeLinear", &[&stored, scale, zero], &[to]),
        ]
    };
    let (a, b, c) = (["sa", "za"], ["sb", "zb"], ["sc", "zc"]);
    let mut nodes = Vec::new();
    nodes.extend(ends("x", "xq", a));
    nodes.push(node("DequantizeLinear", &["w", "sw", "zw"], &["wf"]).message(5, number("axis", 0)));
    nodes.push(node("DequantizeLinear", &["bias", "sbias", "zbias"], &["bf"]).message(5, number("axis", 0)));
    nodes.push(node("Conv", &["xq", "wf", "bf"], &["conv"]).message(5, attribute("pads", &[1, 1, 1, 1])));
    nodes.push(node("Relu", &["conv"], &["relu"]));
    nodes.extend(ends("relu", "rq", b));
    nodes.push(node("Add", &["xq", "rq"], &["sum"]));
    nodes.extend(ends("sum", "sq", b));
    nodes.push(node("GlobalAveragePool", &["sq"], &["mean"]));
    nodes.extend(ends("mean", "mq", b));
    nodes.push(node("Flatten", &["mq"], &["flat"]));
    nodes.push(node("DequantizeLinear", &["m", "sm", "zm"], &["mf"]));
    nodes.push(node("MatMul", &["flat", "mf"], &["product"]));
    nodes.extend(ends("product", "y", c));
    let constants = [
        scalar("sa", 0.02),
        raw("za", 2, &[], &[128]),
        scalar("sb", 0.05),
        raw("zb", 2, &[], &[3]),
        scalar("sc", 0.1),
        raw("zc", 2, &[], &[120]),
        raw("w", 3, &[3, 3, 3, 3], &stored(81)),
        floats("sw", &[3], &[0.01, 0.02, 0.005]),
        raw("zw", 3, &[3], &[0; 3]),
        raw("bias", 6, &[3], &[10, 0, 0, 0, 200, 255, 255, 255, 0, 1, 0, 0]),
        floats("sbias", &[3], &[0.02 * 0.01, 0.02 * 0.02, 0.02 * 0.005]),
        raw("zbias", 6, &[3], &[0; 12]),
        raw("m", 3, &[3, 2], &stored(6)),
        scalar("sm", 0.03),
        raw("zm", 3, &[], &[0]),
    ];
    let image = [Ok(1), Ok(3), Ok(5), Ok(4)];
    file(13, graph(&nodes, &constants, &[port("x", &image)], &[port("y", &[])]))
}

/// As many operators as a file has room for: a chain of them, written in this order.
pub fn chain(order: impl ExactSizeIterator<Item = usize>) -> Vec<u8> {
    let name = |i: usize| format!("t{i}");
    let count = order.len();
    let chain: Vec<Message> = order.map(|i| node("Sigmoid", &[&name(i)], &[&name(i + 1)])).collect();
    file(17, graph(&chain, &[], &[port("t0", &[Ok(2)])], &[port(&name(count), &[])]))
}
