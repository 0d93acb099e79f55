"""Writes networks in QDQ form to standard output, with inputs and what ONNX's definition of their operators gives, for quantised.rs.

The networks are made here, calibrated with a few inputs, and get QuantizeLinear and DequantizeLinear in the styles of several
quantisers. ONNX Runtime's own quantiser makes further ones where it is installed.

The format is that of node_cases.py: u8 1, blob name, blob model, u32 samples, for each: u32 inputs, tensors, u32 outputs,
tensors, u32 outputs of the float network (or none), tensors; u8 0 at the end. Names that begin with "layers" come several times.

With `--save FOLDER` it writes two of the networks as files instead, those of the command line's tests.
"""

import importlib.util
import os
import struct
import sys
import tempfile
import warnings
from collections import Counter

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, version_converter
from onnx.reference import ReferenceEvaluator

SAMPLES = 4


class Builder:
    """A float network, node by node."""

    def __init__(self, seed, shape):
        self.random = np.random.default_rng(seed)
        self.nodes, self.constants, self.shape = [], {}, shape

    def constant(self, *shape, scale=1.0):
        name = f"c{len(self.constants)}"
        self.constants[name] = (self.random.standard_normal(shape) * scale).astype(np.float32)
        return name

    def fixed(self, values, dtype=np.int64):
        name = f"c{len(self.constants)}"
        self.constants[name] = np.array(values, dtype)
        return name

    def node(self, op, *inputs, outputs=1, **attributes):
        names = [f"{op.lower()}{len(self.nodes)}" + ("" if outputs == 1 else f"_{i}") for i in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, name=names[0], **attributes))
        return names[0] if outputs == 1 else names

    def conv(self, x, inputs, outputs, kernel=3, stride=1, groups=1, activation="Relu"):
        fan = inputs // groups * kernel * kernel
        w = self.constant(outputs, inputs // groups, kernel, kernel, scale=((2 if activation else 1) / fan) ** 0.5)
        # Channels of different magnitude, which one scale would serve badly; activations as large from layer to layer, as in
        # trained networks, or small differences would grow without bound.
        magnitudes = self.random.uniform(0.3, 1.5, (outputs, 1, 1, 1))
        self.constants[w] *= (magnitudes / np.sqrt((magnitudes**2).mean())).astype(np.float32)
        pad = kernel // 2
        y = self.node("Conv", x, w, self.constant(outputs, scale=0.2), kernel_shape=[kernel] * 2, pads=[pad] * 4, strides=[stride] * 2, group=groups)
        if activation == "Clip":
            return self.node("Clip", y, self.fixed(0, np.float32), self.fixed(6, np.float32))
        return self.node(activation, y) if activation else y

    def gemm(self, x, inputs, outputs):
        w = self.constant(outputs, inputs, scale=(1 / inputs) ** 0.5)
        return self.node("Gemm", x, w, self.constant(outputs, scale=0.1), transB=1)

    def model(self, opset, output):
        graph = helper.make_graph(
            self.nodes,
            "network",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape)],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
            [numpy_helper.from_array(value, name) for name, value in self.constants.items()],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8 if opset < 21 else 10)


def small(opset):
    """Every kind of layer a small classifier of images has."""
    b = Builder(1, [1, 3, 16, 16])
    x = b.conv("x", 3, 8, stride=2)
    x = b.conv(x, 8, 8, groups=8)
    y = b.conv(x, 8, 8, 1, activation=None)
    x = b.node("Add", x, y)
    x = b.node("Relu", x)
    x = b.node("Concat", x, b.conv(x, 8, 4, 1), axis=1)
    x = b.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = b.conv(x, 12, 16, activation="Clip")
    gate = b.node("Sigmoid", b.conv(b.node("GlobalAveragePool", x), 16, 16, 1, activation=None))
    x = b.node("Mul", x, gate)
    x = b.node("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
    # Channels first when it flattens.
    x = b.node("Flatten", x)
    x = b.node("Relu", b.gemm(x, 64, 24))
    return b.model(opset, b.gemm(x, 24, 10))


def branches(opset):
    """What is moved, cut and joined: a network of lines and halves."""
    b = Builder(2, [1, 4, 12, 10])
    x = b.conv("x", 4, 12)
    first, second = b.node("Split", x, b.fixed([6, 6]), outputs=2, axis=1)
    second = b.node("LeakyRelu", b.conv(second, 6, 6, groups=3, activation=None), alpha=0.1)
    second = b.node("Slice", second, b.fixed([1, 0]), b.fixed([11, 10]), b.fixed([2, 3]))
    second = b.node("Pad", second, b.fixed([0, 0, 1, 0, 0, 0, 1, 0]))
    x = b.node("Concat", first, second, axis=1)
    x = b.node("Sub", x, b.node("HardSwish", b.conv(x, 12, 12, 1, activation=None)))
    x = b.node("Mul", x, b.node("HardSigmoid", b.conv(b.node("GlobalAveragePool", x), 12, 12, 1, activation=None), alpha=1 / 6, beta=0.5))
    x = b.node("Resize", x, "", b.fixed([1, 1, 2, 2], np.float32), mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    x = b.node("ReduceMean", x, axes=[3], keepdims=0) if opset < 18 else b.node("ReduceMean", x, b.fixed([3]), keepdims=0)
    x = b.node("Transpose", x, perm=[0, 2, 1])
    x = b.node("MatMul", x, b.constant(12, 5, scale=0.3))
    x = b.node("Add", x, b.constant(5, scale=0.2))
    return b.model(opset, b.node("Softmax", x, axis=2))


def alone():
    """Each operator by itself: a name, and what makes its output from an image of 6 channels."""
    flat = lambda b: b.node("Flatten", "x")
    scales = lambda b, *values: ["x", "", b.fixed(values, np.float32)]
    half = {"coordinate_transformation_mode": "half_pixel"}
    yield "Conv", lambda b: b.conv("x", 6, 16, stride=2, activation=None)
    yield "Conv and Relu", lambda b: b.conv("x", 6, 16)
    yield "Conv of each channel", lambda b: b.conv("x", 6, 6, 5, groups=6, activation="Clip")
    yield "ConvTranspose", lambda b: b.node("ConvTranspose", "x", b.constant(6, 5, 3, 3, scale=0.3), strides=[2, 2])
    yield "Gemm", lambda b: b.gemm(flat(b), 864, 40)
    yield "MatMul", lambda b: b.node("MatMul", flat(b), b.constant(864, 40, scale=0.1))
    yield "MatMul and Add", lambda b: b.node("Add", b.node("MatMul", flat(b), b.constant(864, 40, scale=0.1)), b.constant(40))
    yield "Add", lambda b: b.node("Add", "x", b.node("Transpose", "x", perm=[0, 1, 3, 2]))
    yield "Add of a constant", lambda b: b.node("Add", "x", b.constant(6, 1, 1))
    yield "Sub", lambda b: b.node("Sub", "x", b.node("Transpose", "x", perm=[0, 1, 3, 2]))
    yield "Mul", lambda b: b.node("Mul", "x", b.node("Transpose", "x", perm=[0, 1, 3, 2]))
    yield "Mul by a number", lambda b: b.node("Mul", "x", b.fixed(-0.3, np.float32))
    yield "Max and Min of numbers", lambda b: b.node("Min", b.node("Max", "x", b.fixed(-0.71, np.float32)), b.fixed(1.3, np.float32))
    yield "Clip", lambda b: b.node("Clip", "x", b.fixed(-0.71, np.float32), b.fixed(1.3, np.float32))
    yield "Relu", lambda b: b.node("Relu", "x")
    yield "LeakyRelu", lambda b: b.node("LeakyRelu", "x", alpha=0.2)
    yield "PRelu", lambda b: b.node("PRelu", "x", b.constant(6, 1, 1, scale=0.3))
    yield "HardSwish", lambda b: b.node("HardSwish", "x")
    yield "HardSigmoid", lambda b: b.node("HardSigmoid", "x", alpha=1 / 6, beta=0.5)
    yield "Sigmoid", lambda b: b.node("Sigmoid", "x")
    yield "Tanh", lambda b: b.node("Tanh", "x")
    yield "Softmax", lambda b: b.node("Softmax", "x", axis=1)
    yield "x times Sigmoid", lambda b: b.node("Mul", "x", b.node("Sigmoid", "x"))
    yield "MaxPool", lambda b: b.node("MaxPool", "x", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    yield "AveragePool", lambda b: b.node("AveragePool", "x", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    yield "AveragePool of all", lambda b: b.node("AveragePool", "x", kernel_shape=[12, 12])
    yield "GlobalAveragePool", lambda b: b.node("GlobalAveragePool", "x")
    yield "GlobalMaxPool", lambda b: b.node("GlobalMaxPool", "x")
    yield "ReduceMean", lambda b: b.node("ReduceMean", "x", axes=[1], keepdims=1)
    yield "Concat", lambda b: b.node("Concat", "x", b.node("Relu", "x"), b.node("Tanh", "x"), axis=1)
    yield "Resize, nearest", lambda b: b.node("Resize", *scales(b, 1, 1, 2, 2), mode="nearest", nearest_mode="floor", coordinate_transformation_mode="asymmetric")
    yield "Resize, linear", lambda b: b.node("Resize", *scales(b, 1, 1, 2, 2), mode="linear", **half)
    yield "Pad", lambda b: b.node("Pad", "x", b.fixed([0, 0, 1, 2, 0, 0, 2, 1]), b.fixed(0.5, np.float32))
    yield "Transpose", lambda b: b.node("Transpose", "x", perm=[0, 2, 3, 1])


def operator(make):
    b = Builder(4, [1, 6, 12, 12])
    return b.model(17, make(b))


def mobilenet(opset):
    """MobileNetV2 with 0.35 of its channels."""
    rounded = lambda channels: max(8, int(channels * 0.35 + 4) // 8 * 8)
    b = Builder(3, [1, 3, 64, 64])
    channels = rounded(32)
    x = b.conv("x", 3, channels, stride=2, activation="Clip")
    for expansion, outputs, count, stride in [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]:
        outputs = rounded(outputs)
        for i in range(count):
            hidden, step = channels * expansion, stride if i == 0 else 1
            y = b.conv(x, channels, hidden, 1, activation="Clip") if expansion > 1 else x
            y = b.conv(y, hidden, hidden, 3, step, hidden, "Clip")
            y = b.conv(y, hidden, outputs, 1, activation=None)
            x = b.node("Add", x, y) if step == 1 and channels == outputs else y
            channels = outputs
    x = b.node("Flatten", b.node("GlobalAveragePool", b.conv(x, channels, 1280, 1, activation="Clip")))
    return b.model(opset, b.gemm(x, 1280, 10))


def evaluate(model, inputs):
    """Outputs for each input, by ONNX Runtime without its optimisations where it is installed, else by ONNX's own evaluator."""
    try:
        import onnxruntime
    except ImportError:
        if model.opset_import[0].version < 19:
            # The evaluator knows no older QuantizeLinear.
            model = version_converter.convert_version(model, 19)
        return [ReferenceEvaluator(model).run(None, {"x": x}) for x in inputs]
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return [session.run(None, {"x": x}) for x in inputs]


def ranges(model, inputs):
    """The least and greatest value of each tensor, with 0 among them."""
    names = [name for node in model.graph.node for name in node.output]
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    del probe.graph.output[:]
    probe.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    found = {"x": (min(x.min() for x in inputs), max(x.max() for x in inputs))}
    for values in evaluate(probe, inputs):
        for name, value in zip(names, values):
            low, high = found.get(name, (0, 0))
            found[name] = min(low, value.min()), max(high, value.max())
    # Probabilities have a range of their own, with all quantisers.
    found |= {node.output[0]: (0, 1) for node in model.graph.node if node.op_type in ("Sigmoid", "Softmax", "HardSigmoid")}
    return {name: (min(0.0, float(low)), max(0.0, float(high))) for name, (low, high) in found.items()}


# Operators behind which nothing new is quantised: their outputs keep the integers of their inputs.
PICKING = {"MaxPool", "GlobalMaxPool", "AveragePool", "Flatten", "Transpose", "Reshape", "Slice", "Split", "Pad", "Resize"}


class Style:
    """How a quantiser writes what it does."""

    def __init__(self, opset, activations=np.uint8, weights=np.int8, per_channel=True, stored_bias=True, around_picking=True, as_floats=False, bare=False, symmetric=False):
        self.opset, self.activations, self.weights, self.per_channel = opset, activations, weights, per_channel
        self.stored_bias, self.around_picking, self.as_floats, self.bare, self.symmetric = stored_bias, around_picking, as_floats, bare, symmetric


class Quantiser:
    def __init__(self, model, inputs, style):
        self.model, self.style = model, style
        self.ranges = ranges(model, inputs)
        self.constants = {c.name: numpy_helper.to_array(c) for c in model.graph.initializer}
        self.nodes, self.made, self.scales = [], {}, {}
        # Kinds of operators behind which nothing is quantised.
        self.left = {"Split"}

    def add(self, name, array):
        self.made[name] = array
        return name

    def parameters(self, name):
        """Scale and zero point of an activation."""
        low, high = self.ranges[name]
        kind = np.iinfo(self.style.activations)
        if self.style.symmetric:
            return np.float32(max(-low, high) / kind.max), self.style.activations(0)
        scale = np.float32((high - low) / 255)
        return scale, self.style.activations(np.clip(round(kind.min - low / scale), kind.min, kind.max))

    def quantised(self, name, like=None):
        """Adds the two behind a tensor, with the scale of another if one is named, and returns the result's name."""
        scale, zero = self.scales[name] = self.scales[like] if like else self.parameters(name)
        inputs, attributes = [self.add(f"{name}_scale", scale)], {}
        if not (self.style.bare and zero == 0):
            inputs.append(self.add(f"{name}_zero", zero))
        elif self.style.activations == np.int8:
            attributes = {"output_dtype": TensorProto.INT8}
        self.nodes.append(helper.make_node("QuantizeLinear", [name, *inputs], [f"{name}_stored"], **attributes))
        self.nodes.append(helper.make_node("DequantizeLinear", [f"{name}_stored", *inputs], [f"{name}_real"]))
        return f"{name}_real"

    def weights(self, name, axis):
        values, style = self.constants[name], self.style
        per_channel = style.per_channel and axis is not None
        others = tuple(i for i in range(values.ndim) if i != axis)
        greatest = np.abs(values).max(axis=others if per_channel else None, keepdims=True)
        scale = (greatest / 127).astype(np.float32)
        zero = style.weights(128 if style.weights == np.uint8 else 0)
        stored = np.clip(np.round(values / scale) + int(zero), int(zero) - 127, int(zero) + 127).astype(style.weights)
        scale = scale.reshape(-1) if per_channel else scale.reshape(())
        self.scales[name] = scale, zero
        zeros = np.full(scale.shape, zero, style.weights)
        inputs = [self.add(f"{name}_scale", scale), self.add(f"{name}_zero", zeros)]
        attributes = {"axis": axis} if per_channel else {}
        if style.as_floats:
            self.nodes.append(helper.make_node("QuantizeLinear", [self.add(name, values), *inputs], [f"{name}_stored"], **attributes))
        else:
            self.add(f"{name}_stored", stored)
        self.nodes.append(helper.make_node("DequantizeLinear", [f"{name}_stored", *inputs], [f"{name}_real"], **attributes))
        return f"{name}_real"

    def bias(self, name, activation, weights):
        if not self.style.stored_bias:
            return self.add(name, self.constants[name])
        scale = (self.scales[activation][0] * self.scales[weights][0]).astype(np.float32)
        inputs = [self.add(f"{name}_stored", np.round(self.constants[name] / scale).astype(np.int32)), self.add(f"{name}_scale", scale)]
        attributes = {"axis": 0} if scale.ndim and self.style.opset > 12 else {}
        self.nodes.append(helper.make_node("DequantizeLinear", inputs, [f"{name}_real"], **attributes))
        return f"{name}_real"

    def run(self):
        graph, real = self.model.graph, {"x": "x"}
        readers = Counter(name for node in graph.node for name in node.input)
        reader = {name: node.op_type for node in graph.node for name in node.input}
        output = graph.output[0].name
        # The tensor of whose integers each is made, where nothing is quantised between.
        origin = {"x": "x"}
        real["x"] = self.quantised("x")
        for node in graph.node:
            inputs = [real.get(name, name) for name in node.input]
            if node.op_type in ("Conv", "ConvTranspose", "Gemm", "MatMul"):
                source = origin[node.input[0]]
                # Every Gemm here has its weights transposed.
                inputs[1] = self.weights(node.input[1], 0 if node.op_type in ("Conv", "Gemm") else 1)
                if len(inputs) > 2:
                    inputs[2] = self.bias(node.input[2], source, node.input[1])
            for i, name in enumerate(node.input):
                if name not in self.constants or name in self.made or name not in inputs:
                    continue
                constant = self.constants[name]
                if node.op_type in ("Add", "PRelu") and constant.size > 1 and real[node.input[0]] != node.input[0]:
                    inputs[i] = self.weights(name, None)
                else:
                    self.add(name, constant)
            copy = onnx.NodeProto()
            copy.CopyFrom(node)
            del copy.input[:]
            copy.input.extend(inputs)
            self.nodes.append(copy)
            for name in node.output:
                fused = readers[name] == 1 and reader[name] in ("Relu", "Clip", "Add") and (
                    reader[name] != "Add" or node.op_type == "MatMul"
                ) and node.op_type in ("Conv", "Gemm", "Add", "MatMul")
                if fused:
                    real[name] = origin[name] = name
                elif node.op_type in self.left or node.op_type in PICKING - {"AveragePool"} and not self.style.around_picking:
                    real[name], origin[name] = name, origin[node.input[0]]
                elif node.op_type in PICKING:
                    real[name], origin[name] = self.quantised(name, origin[node.input[0]]), name
                else:
                    real[name], origin[name] = self.quantised(name), name
        made = helper.make_graph(
            self.nodes,
            "network",
            graph.input,
            [helper.make_tensor_value_info(real[output], TensorProto.FLOAT, None)],
            [numpy_helper.from_array(np.asarray(value), name) for name, value in self.made.items()],
        )
        return helper.make_model(made, opset_imports=self.model.opset_import, ir_version=self.model.ir_version)


def by_runtime(model, inputs, activations, weights, folder):
    """What ONNX Runtime's quantiser makes of a network."""
    from onnxruntime import quantization

    class Reader(quantization.CalibrationDataReader):
        def __init__(self):
            self.left = iter([{"x": x} for x in inputs])

        def get_next(self):
            return next(self.left, None)

    plain, made = os.path.join(folder, "plain.onnx"), os.path.join(folder, "made.onnx")
    onnx.save(model, plain)
    kind = {np.int8: quantization.QuantType.QInt8, np.uint8: quantization.QuantType.QUInt8}
    quantization.quantize_static(
        plain, made, Reader(), quant_format=quantization.QuantFormat.QDQ, per_channel=True, activation_type=kind[activations], weight_type=kind[weights]
    )
    return onnx.load(made)


def blob(stream, data):
    stream.write(struct.pack("<I", len(data)))
    stream.write(data)


def tensors(stream, named):
    stream.write(struct.pack("<I", len(named)))
    for name, array in named:
        blob(stream, name.encode())
        stream.write(struct.pack(f"<II{array.ndim}I", 1, array.ndim, *array.shape))
        blob(stream, np.ascontiguousarray(array).tobytes())


def write(stream, name, model, samples, real=None):
    """A network with samples of inputs and outputs by name, and the outputs of the float network that it was made of."""
    stream.write(b"\x01")
    blob(stream, name.encode())
    blob(stream, model.SerializeToString())
    stream.write(struct.pack("<I", len(samples)))
    for i, (inputs, outputs) in enumerate(samples):
        tensors(stream, inputs)
        tensors(stream, outputs)
        tensors(stream, [("float", real[i])] if real else [])


def whole(stream, name, plain, model, inputs):
    """A network as a whole."""
    outputs = [info.name for info in model.graph.output]
    samples = [([("x", x)], list(zip(outputs, y))) for x, y in zip(inputs, evaluate(model, inputs))]
    write(stream, name, model, samples, [y[0] for y in evaluate(plain, inputs)])


def layers(stream, name, model, inputs):
    """Each layer of a network by itself, on the integers that it meets in there."""
    nodes = {output: node for node in model.graph.node for output in node.output}
    constants = {c.name: c for c in model.graph.initializer}
    ends = {node.input[0]: node.output[0] for node in model.graph.node if node.op_type == "DequantizeLinear" and node.input[0] in nodes}
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    del probe.graph.output[:]
    probe.graph.output.extend(helper.make_tensor_value_info(end, TensorProto.FLOAT, None) for end in ends.values())
    values = [dict(zip(ends, found)) for found in evaluate(probe, inputs)]
    for stored, real in ends.items():
        if nodes[stored].input[0] == "x" or nodes[stored].input[0] in constants:
            continue
        wanted, needed, sources = [real], [], []
        while wanted:
            tensor = wanted.pop()
            node = nodes.get(tensor)
            if node is None or node in needed:
                continue
            needed.append(node)
            if node.op_type == "QuantizeLinear" and tensor != stored:
                # What it quantises is this layer's input.
                sources.append(tensor)
                wanted += node.input[1:]
            else:
                wanted += node.input
        sources = list(dict.fromkeys(sources))
        used = {constant for node in needed for constant in node.input if constant in constants}
        graph = helper.make_graph(
            [node for node in model.graph.node if node in needed],
            "layer",
            [helper.make_tensor_value_info(nodes[s].input[0], TensorProto.FLOAT, values[0][s].shape) for s in sources],
            [helper.make_tensor_value_info(real, TensorProto.FLOAT, None)],
            [constants[constant] for constant in sorted(used)],
        )
        layer = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
        samples = [([(nodes[s].input[0], found[s]) for s in sources], [(real, found[stored])]) for found in values]
        write(stream, name, layer, samples)


STYLES = {
    "uint8, weights of channels": Style(13),
    "int8, opset 21, no zero points": Style(21, np.int8, per_channel=False, bare=True, symmetric=True, stored_bias=False),
    "uint8 throughout, opset 12": Style(12, weights=np.uint8, per_channel=False),
    "weights as floats, opset 19": Style(19, np.int8, as_floats=True, stored_bias=False),
    "nothing around what picks": Style(17, np.int8, around_picking=False),
}


def drawn(model):
    """Inputs to calibrate with, and others to compare with."""
    random = np.random.default_rng(9)
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    draw = lambda: [random.standard_normal(shape).astype(np.float32) for _ in range(SAMPLES)]
    return draw(), draw()


def main():
    if sys.argv[1:2] == ["--save"]:
        # The files of the command line's tests.
        for network in (small, branches):
            model = network(17)
            quantiser = Quantiser(model, drawn(model)[0], STYLES["nothing around what picks"])
            quantiser.left.add("HardSwish")
            onnx.save(quantiser.run(), os.path.join(sys.argv[2], f"{network.__name__}-qdq.onnx"))
        return
    stream = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    for name, make in alone():
        model = operator(make)
        calibration, inputs = drawn(model)
        whole(stream, f"operator: {name}", model, Quantiser(model, calibration, STYLES["uint8, weights of channels"]).run(), inputs)
    for network in (small, branches, mobilenet):
        for name, style in STYLES.items():
            if network == branches and style.opset < 14:
                # HardSwish is newer.
                continue
            model = network(style.opset)
            calibration, inputs = drawn(model)
            made = Quantiser(model, calibration, style).run()
            layers(stream, f"layers of {network.__name__}: {name}", made, inputs)
            whole(stream, f"{network.__name__}: {name}", model, made, inputs)
    if importlib.util.find_spec("onnxruntime"):
        for network in (small, branches, mobilenet):
            for activations in (np.uint8, np.int8):
                model = network(17)
                calibration, inputs = drawn(model)
                with tempfile.TemporaryDirectory() as folder:
                    made = by_runtime(model, calibration, activations, np.int8, folder)
                whole(stream, f"{network.__name__}: ONNX Runtime's quantiser, {activations.__name__}", model, made, inputs)
    stream.write(b"\x00")
    stream.flush()


main()
