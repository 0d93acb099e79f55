"""Writes models of one operator that say things in ways our own writer never does: negative axes, masks, dimensions left open,
parameters in either of two places. Arguments: how many models of each kind, and the seed.

To standard output, for each model: u32 length and bytes of its kind, u32 length and bytes of the file (little endian).
"""

import os
import struct
import sys

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

TYPES = {
    np.dtype(np.float32): schema.TensorType.FLOAT32,
    np.dtype(np.int32): schema.TensorType.INT32,
    np.dtype(np.int64): schema.TensorType.INT64,
    np.dtype(np.bool_): schema.TensorType.BOOL,
}


class Input:
    """An input of the model, float32 where nothing else is said."""

    def __init__(self, shape, dtype=np.float32):
        self.shape = shape
        self.dtype = dtype


def tensor(shape, dtype, buffer, name):
    made = schema.TensorT()
    made.shape = [int(n) for n in shape]
    made.type = TYPES[np.dtype(dtype)]
    made.buffer = buffer
    made.name = name
    return made


def build(case, output_shapes):
    """The bytes of a model of one operator. `case`: code, options, operands (Input, array, or None), outputs, their type."""
    code, options, operands, outputs, dtype = case
    graph = schema.SubGraphT()
    graph.tensors, graph.inputs, graph.outputs = [], [], []
    model = schema.ModelT()
    model.version = 3
    model.buffers = [schema.BufferT()]
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = [], []
    for i, operand in enumerate(operands):
        if operand is None:
            operator.inputs.append(-1)
            continue
        operator.inputs.append(len(graph.tensors))
        if isinstance(operand, Input):
            graph.inputs.append(len(graph.tensors))
            graph.tensors.append(tensor(operand.shape, operand.dtype, 0, f"operand{i}"))
        else:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(operand.tobytes(), dtype=np.uint8)
            graph.tensors.append(tensor(operand.shape, operand.dtype, len(model.buffers), f"operand{i}"))
            model.buffers.append(buffer)
    for i in range(outputs):
        operator.outputs.append(len(graph.tensors))
        graph.outputs.append(len(graph.tensors))
        shape = output_shapes[i] if output_shapes else [1]
        graph.tensors.append(tensor(shape, dtype, 0, f"output{i}"))
    operator.opcodeIndex = 0
    if options is not None:
        kind = type(options).__name__[: -len("T")]
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
        operator.builtinOptions = options
    graph.operators = [operator]
    return packed(model, graph, [code])


def packed(model, graph, codes):
    """The bytes of a model of one subgraph, whose operators name these codes."""
    model.operatorCodes = []
    for code in codes:
        operator_code = schema.OperatorCodeT()
        operator_code.builtinCode = getattr(schema.BuiltinOperator, code)
        operator_code.deprecatedBuiltinCode = min(operator_code.builtinCode, 127)
        operator_code.version = 1
        model.operatorCodes.append(operator_code)
    model.subgraphs = [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def complete(case):
    """The model with the output shapes that the interpreter finds, or None if it refuses."""
    if isinstance(case, Chain):
        model = packed(case.model, case.graph, case.codes)
        try:
            interpreter = Interpreter(model_content=model, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
            interpreter.allocate_tensors()
            interpreter.invoke()
        except (RuntimeError, ValueError):
            return None
        return model
    try:
        model = build(case, None)
        interpreter = Interpreter(model_content=model, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
        interpreter.allocate_tensors()
        shapes = [detail["shape"] for detail in interpreter.get_output_details()]
    except (RuntimeError, ValueError):
        return None
    if any(0 in shape for shape in shapes):
        return None
    return build(case, shapes)


def options(kind, **fields):
    made = getattr(schema, kind + "OptionsT")()
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def dims(rng, low, high):
    return [int(n) for n in rng.integers(1, 7, rng.integers(low, high + 1))]


def ints(values, dtype=np.int32):
    return np.array(values, dtype=dtype)


def strided_slice(rng):
    shape = dims(rng, 1, 4)
    # Fewer entries than axes: the other axes are taken whole.
    count = int(rng.integers(1, len(shape) + 1))
    begin = [int(rng.integers(-n - 2, n + 2)) for n in shape[:count]]
    end = [int(rng.integers(-n - 2, n + 2)) for n in shape[:count]]
    strides = [int(rng.choice([1, 1, 2, 3, -1, -2])) for _ in range(count)]
    masks = [int(rng.integers(0, 1 << count)) if rng.random() < 0.5 else 0 for _ in range(3)]
    for axis in range(count):
        if masks[2] >> axis & 1:
            # A dropped axis must name an index that exists.
            begin[axis] = int(rng.integers(-shape[axis], shape[axis]))
            strides[axis] = 1
            masks[0] &= ~(1 << axis)
    made = options("StridedSlice", beginMask=masks[0], endMask=masks[1], shrinkAxisMask=masks[2],
                   ellipsisMask=0, newAxisMask=0)
    return "STRIDED_SLICE", made, [Input(shape), ints(begin), ints(end), ints(strides)], 1, np.float32


def strided_slice_with_ellipsis(rng):
    shape = dims(rng, 1, 4)
    begin = [int(rng.integers(0, n)) for n in shape[: rng.integers(0, len(shape) + 1)]]
    at = int(rng.integers(0, len(begin) + 1))
    # What comes after the ellipsis counts from the last axis, so only index 0 is sure to exist there.
    begin = begin[:at] + [0] * (len(begin) - at + 1)
    end = [b + 1 for b in begin]
    shrink = (1 << int(rng.integers(0, len(begin)))) & ~(1 << at)
    made = options("StridedSlice", beginMask=0, endMask=0, shrinkAxisMask=shrink, ellipsisMask=1 << at, newAxisMask=0)
    return "STRIDED_SLICE", made, [Input(shape), ints(begin), ints(end), ints([1] * len(begin))], 1, np.float32


def unsupported_new_axis(rng):
    shape = dims(rng, 1, 3)
    made = options("StridedSlice", beginMask=0, endMask=0, shrinkAxisMask=0, ellipsisMask=0, newAxisMask=1)
    return "STRIDED_SLICE", made, [Input(shape), ints([0]), ints([1]), ints([1])], 1, np.float32


def slice_to_the_end(rng):
    shape = dims(rng, 1, 4)
    begin = [int(rng.integers(0, n)) for n in shape]
    size = [-1 if rng.random() < 0.5 else int(rng.integers(1, n - b + 1)) for n, b in zip(shape, begin)]
    dtype = np.int64 if rng.random() < 0.3 else np.int32
    return "SLICE", options("Slice"), [Input(shape), ints(begin, dtype), ints(size, dtype)], 1, np.float32


def reshape(rng):
    shape = dims(rng, 1, 4)
    target = [int(n) for n in rng.permutation(shape)]
    if rng.random() < 0.7:
        target[int(rng.integers(0, len(target)))] = -1
    made = options("Reshape", newShape=target)
    place = rng.random()
    if place < 0.4:
        return "RESHAPE", made, [Input(shape)], 1, np.float32
    if place < 0.7:
        return "RESHAPE", None, [Input(shape), ints(target)], 1, np.float32
    return "RESHAPE", made, [Input(shape), ints(target)], 1, np.float32


def squeeze(rng):
    shape = dims(rng, 1, 3)
    for _ in range(rng.integers(1, 3)):
        shape.insert(int(rng.integers(0, len(shape) + 1)), 1)
    ones = [axis for axis, n in enumerate(shape) if n == 1]
    chosen = [axis - len(shape) if rng.random() < 0.5 else axis for axis in ones if rng.random() < 0.5]
    return "SQUEEZE", options("Squeeze", squeezeDims=chosen), [Input(shape)], 1, np.float32


def any_axis(rng, rank):
    return int(rng.integers(-rank, rank))


def expand_dims(rng):
    shape = dims(rng, 1, 4)
    axis = any_axis(rng, len(shape) + 1)
    operand = ints(axis) if rng.random() < 0.5 else ints([axis])
    return "EXPAND_DIMS", options("ExpandDims"), [Input(shape), operand], 1, np.float32


def reduce(rng):
    shape = dims(rng, 1, 4)
    axes = [any_axis(rng, len(shape)) for _ in range(rng.integers(1, 4))]
    operand = ints(axes[0]) if rng.random() < 0.3 else ints(axes)
    made = options("Reducer", keepDims=bool(rng.random() < 0.5))
    return str(rng.choice(["MEAN", "SUM"])), made, [Input(shape), operand], 1, np.float32


def arg_max(rng):
    shape = dims(rng, 1, 4)
    axis = ints(any_axis(rng, len(shape)), np.int64 if rng.random() < 0.3 else np.int32)
    wide = bool(rng.random() < 0.5)
    made = options("ArgMax", outputType=schema.TensorType.INT64 if wide else schema.TensorType.INT32)
    operand = axis if rng.random() < 0.5 else axis.reshape(1)
    return "ARG_MAX", made, [Input(shape), operand], 1, np.int64 if wide else np.int32


def concatenation(rng):
    shape = dims(rng, 1, 4)
    made = options("Concatenation", axis=any_axis(rng, len(shape)), fusedActivationFunction=0)
    return "CONCATENATION", made, [Input(shape)] * int(rng.integers(1, 4)), 1, np.float32


def split(rng):
    shape = dims(rng, 1, 4)
    axis = any_axis(rng, len(shape))
    parts = int(rng.integers(1, 4))
    shape[axis] *= parts
    operand = ints(axis) if rng.random() < 0.5 else ints([axis])
    return "SPLIT", options("Split", numSplits=parts), [operand, Input(shape)], parts, np.float32


def pack(rng):
    shape = dims(rng, 1, 3)
    count = int(rng.integers(1, 4))
    made = options("Pack", valuesCount=count, axis=any_axis(rng, len(shape) + 1))
    return "PACK", made, [Input(shape)] * count, 1, np.float32


def unpack(rng):
    shape = dims(rng, 1, 4)
    axis = any_axis(rng, len(shape))
    return "UNPACK", options("Unpack", num=shape[axis], axis=axis), [Input(shape)], shape[axis], np.float32


def reverse(rng):
    shape = dims(rng, 1, 4)
    first = int(rng.integers(0, len(shape)))
    # The interpreter takes neighbouring axes only.
    axes = range(first, int(rng.integers(first, len(shape))) + 1)
    chosen = [axis - len(shape) if rng.random() < 0.5 else axis for axis in axes]
    return "REVERSE_V2", options("ReverseV2"), [Input(shape), ints(chosen)], 1, np.float32


def split_v(rng):
    shape = dims(rng, 1, 4)
    axis = any_axis(rng, len(shape))
    sizes = rng.integers(1, 4, int(rng.integers(1, 5)))
    shape[axis] = int(sizes.sum())
    if rng.random() < 0.3:
        sizes[rng.integers(0, len(sizes))] = -1
    made = options("SplitV", numSplits=len(sizes))
    return "SPLIT_V", made, [Input(shape), ints(sizes), ints(axis)], len(sizes), np.float32


def tile(rng):
    shape = dims(rng, 1, 4)
    return "TILE", options("Tile"), [Input(shape), ints(rng.integers(1, 4, len(shape)))], 1, np.float32


def mirror_pad(rng):
    shape = dims(rng, 1, 4)
    symmetric = bool(rng.random() < 0.5)
    pads = [[int(rng.integers(0, size + symmetric)) for _ in range(2)] for size in shape]
    made = options("MirrorPad", mode=schema.MirrorPadMode.SYMMETRIC if symmetric else schema.MirrorPadMode.REFLECT)
    return "MIRROR_PAD", made, [Input(shape), ints(pads)], 1, np.float32


def depth_to_space(rng):
    block = int(rng.integers(1, 4))
    shape = dims(rng, 4, 4)
    shape[3] *= block * block
    return "DEPTH_TO_SPACE", options("DepthToSpace", blockSize=block), [Input(shape)], 1, np.float32


def space_to_depth(rng):
    block = int(rng.integers(1, 4))
    n, h, w, c = dims(rng, 4, 4)
    shape = [n, h * block, w * block, c]
    return "SPACE_TO_DEPTH", options("SpaceToDepth", blockSize=block), [Input(shape)], 1, np.float32


def add_n(rng):
    shape = dims(rng, 1, 4)
    return "ADD_N", options("AddN"), [Input(shape)] * int(rng.integers(2, 5)), 1, np.float32


def squared_difference(rng):
    shape = dims(rng, 1, 4)
    other = [1 if rng.random() < 0.3 else size for size in shape]
    constant = rng.normal(size=other).astype(np.float32)
    operands = [Input(shape), Input(other) if rng.random() < 0.6 else constant]
    if rng.random() < 0.5:
        operands.reverse()
    return "SQUARED_DIFFERENCE", options("SquaredDifference"), operands, 1, np.float32


def log_softmax(rng):
    return "LOG_SOFTMAX", options("LogSoftmax"), [Input(dims(rng, 1, 4))], 1, np.float32


def l2_normalization(rng):
    return "L2_NORMALIZATION", options("L2Norm"), [Input(dims(rng, 4, 4))], 1, np.float32


def power(rng):
    exponent = np.array(rng.choice([1, 2, 3, 5, 6, 8, 11, -2, -3, 0.5, -0.5, -1, 1.5, 0.3, -1.5]), np.float32)
    return "POW", options("Pow"), [Input(dims(rng, 1, 4)), exponent], 1, np.float32


def embedding_lookup(rng):
    shape = dims(rng, 2, 4)
    indices = rng.integers(0, shape[0], rng.integers(1, 6)).astype(np.int32)
    return "EMBEDDING_LOOKUP", None, [indices, Input(shape)], 1, np.float32


def gather_nd(rng):
    shape = dims(rng, 1, 4)
    indices = rng.integers(0, shape[0], (*dims(rng, 1, 2), 1)).astype(np.int32)
    return "GATHER_ND", options("GatherNd"), [Input(shape), indices], 1, np.float32


def relu_0_to_1(rng):
    return "RELU_0_TO_1", None, [Input(dims(rng, 1, 4))], 1, np.float32


def arg_min(rng):
    shape = dims(rng, 1, 4)
    of = schema.TensorType.INT64 if rng.random() < 0.5 else schema.TensorType.INT32
    made = options("ArgMin", outputType=of)
    return "ARG_MIN", made, [Input(shape), ints(any_axis(rng, len(shape)))], 1, np.int64 if of == schema.TensorType.INT64 else np.int32


def one_hot(rng):
    shape = dims(rng, 1, 3)
    axis = int(rng.integers(-1, len(shape) + 1))
    on, off = (np.array(rng.normal(), np.float32) for _ in range(2))
    indices = Input(shape, np.int64 if rng.random() < 0.5 else np.int32)
    return "ONE_HOT", options("OneHot", axis=axis), [indices, ints(int(rng.integers(1, 9))), on, off], 1, np.float32


def cumsum(rng):
    shape = dims(rng, 1, 4)
    made = options("Cumsum", exclusive=bool(rng.random() < 0.5), reverse=bool(rng.random() < 0.5))
    return "CUMSUM", made, [Input(shape), ints(any_axis(rng, len(shape)))], 1, np.float32


def reduce_bools(rng):
    shape = dims(rng, 1, 4)
    axes = rng.choice(len(shape), int(rng.integers(1, len(shape) + 1)), replace=False)
    axes = [int(axis) - len(shape) if rng.random() < 0.5 else int(axis) for axis in axes]
    made = options("Reducer", keepDims=bool(rng.random() < 0.5))
    return str(rng.choice(["REDUCE_ANY", "REDUCE_ALL"])), made, [Input(shape, np.bool_), ints(axes)], 1, np.bool_


def select(rng):
    """SELECT, whose condition is of the operands' shape, a scalar, or a list for the first axis."""
    shape = dims(rng, 1, 4)
    condition = [shape, [], shape[:1]][int(rng.integers(0, 3))]
    dtype = [np.float32, np.int32, np.int64][int(rng.integers(0, 3))]
    other = rng.integers(-9, 9, shape).astype(dtype) if rng.random() < 0.3 else Input(shape, dtype)
    return "SELECT", options("Select"), [Input(condition, np.bool_), Input(shape, dtype), other], 1, dtype


def gelu_by_tanh(rng):
    return "GELU", options("Gelu", approximate=True), [Input(dims(rng, 1, 4))], 1, np.float32


def grouped(rng):
    """A convolution in groups: weights of fewer channels than the input has."""
    groups, taken, each = int(rng.integers(2, 5)), int(rng.integers(1, 4)), int(rng.integers(1, 4))
    window = [int(n) for n in rng.integers(1, 4, 2)]
    shape = [int(rng.integers(1, 3))] + [int(n) for n in rng.integers(4, 8, 2)] + [groups * taken]
    weights = rng.normal(size=[groups * each] + window + [taken]).astype(np.float32)
    bias = rng.normal(size=groups * each).astype(np.float32)
    step = int(rng.integers(1, 3))
    made = options("Conv2D", padding=int(rng.integers(0, 2)), strideW=step, strideH=step, dilationWFactor=1, dilationHFactor=1,
                   fusedActivationFunction=int(rng.integers(0, 4)))
    return "CONV_2D", made, [Input(shape), weights, bias], 1, np.float32


def pad(rng):
    shape = dims(rng, 1, 4)
    pads = rng.integers(0, 3, (len(shape), 2)).astype(np.int64 if rng.random() < 0.5 else np.int32)
    if rng.random() < 0.5:
        return "PAD", options("Pad"), [Input(shape), pads], 1, np.float32
    fill = np.array(rng.normal(), dtype=np.float32)
    return "PADV2", options("PadV2"), [Input(shape), pads, fill if rng.random() < 0.5 else fill.reshape(1)], 1, np.float32


def without_bias(rng):
    """An absent bias as index -1."""
    weights = rng.normal(size=(3, 5)).astype(np.float32)
    made = options("FullyConnected", fusedActivationFunction=int(rng.integers(0, 4)), weightsFormat=0,
                   keepNumDims=bool(rng.random() < 0.5))
    return "FULLY_CONNECTED", made, [Input(dims(rng, 1, 2) + [5]), weights, None], 1, np.float32


class Chain:
    """Operators one after the other, computed beside with NumPy, which gives their outputs' shapes and types."""

    def __init__(self, shape):
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [tensor(shape, np.float32, 0, "x")], []
        self.graph.inputs = [0]
        self.model = schema.ModelT()
        self.model.version, self.model.buffers = 3, [schema.BufferT()]
        self.codes = []

    def constant(self, value):
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(value.tobytes(), dtype=np.uint8)
        self.graph.tensors.append(tensor(value.shape, value.dtype, len(self.model.buffers), f"c{len(self.graph.tensors)}"))
        self.model.buffers.append(buffer)
        return len(self.graph.tensors) - 1

    def push(self, code, inputs, value, made=None):
        """An operator with this output, whose number is returned."""
        operator = schema.OperatorT()
        operator.inputs, operator.outputs = list(inputs), [len(self.graph.tensors)]
        if made is not None:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(made).__name__[: -len("T")])
            operator.builtinOptions = made
        if code not in self.codes:
            self.codes.append(code)
        operator.opcodeIndex = self.codes.index(code)
        self.graph.operators.append(operator)
        self.graph.tensors.append(tensor(value.shape, value.dtype, 0, f"t{len(self.graph.tensors)}"))
        return len(self.graph.tensors) - 1


def shape_arithmetic(rng):
    """What models make of `tf.shape`, and at the end a RESHAPE to a shape that was computed."""
    shape = dims(rng, 2, 4)
    chain = Chain(shape)
    of = np.int64 if rng.random() < 0.3 else np.int32
    code = {np.int32: schema.TensorType.INT32, np.int64: schema.TensorType.INT64}
    known = [(chain.push("SHAPE", [0], np.array(shape, of), options("Shape", outType=code[of])), np.array(shape, of))]

    def add(code, inputs, value, made=None):
        value = np.asarray(value)
        if value.size <= 64 and np.all(np.abs(value.astype(np.float64)) < 1e6):
            known.append((chain.push(code, inputs, value, made), value))

    def alike(dtype):
        fitting = [pair for pair in known if pair[1].dtype == dtype]
        if rng.random() < 0.4 or not fitting:
            value = np.array(rng.integers(1, 5), dtype)
            return chain.constant(value), value
        return fitting[rng.integers(len(fitting))]

    for _ in range(rng.integers(3, 12)):
        at, x = known[rng.integers(len(known))]
        vector, whole = x.ndim == 1 and x.size > 0, x.dtype in (np.int32, np.int64)
        what = rng.integers(14)
        if what == 0 and vector:
            indices = np.array(rng.integers(0, x.size, rng.integers(1, 4)), np.int32)
            indices = indices[0] if rng.random() < 0.5 else indices
            add("GATHER", [at, chain.constant(np.asarray(indices, np.int32))], x[indices], options("Gather", axis=0))
        elif what == 1 and vector:
            i = int(rng.integers(0, x.size))
            parameters = [chain.constant(ints([n])) for n in (i, i + 1, 1)]
            add("STRIDED_SLICE", [at, *parameters], x[i], options("StridedSlice", shrinkAxisMask=1))
        elif what == 2 and vector:
            i = int(rng.integers(0, x.size))
            parameters = [chain.constant(ints([n])) for n in (i, 0, 1)]
            add("STRIDED_SLICE", [at, *parameters], x[i:], options("StridedSlice", endMask=1))
        elif what == 3:
            others = [alike(x.dtype) for _ in range(rng.integers(0, 3))]
            if all(other.shape == x.shape for _, other in others):
                made = options("Pack", valuesCount=1 + len(others), axis=0)
                add("PACK", [at] + [o[0] for o in others], np.stack([x] + [o[1] for o in others]), made)
        elif what == 4 and vector:
            others = [pair for pair in [alike(x.dtype) for _ in range(2)] if pair[1].ndim == 1]
            made = options("Concatenation", axis=0, fusedActivationFunction=0)
            add("CONCATENATION", [at] + [o[0] for o in others], np.concatenate([x] + [o[1] for o in others]), made)
        elif what == 5 and x.ndim > 0 and whole:
            name, f = [("REDUCE_PROD", np.prod), ("SUM", np.sum), ("REDUCE_MAX", np.max), ("REDUCE_MIN", np.min)][rng.integers(4)]
            keep = bool(rng.random() < 0.5)
            axis = int(rng.integers(-x.ndim, x.ndim))
            result = f(x, axis=axis, keepdims=keep).astype(x.dtype)
            add(name, [at, chain.constant(ints([axis]))], result, options("Reducer", keepDims=keep))
        elif what in (6, 7):
            b, y = alike(x.dtype)
            names = ["ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM"] + (["FLOOR_DIV", "FLOOR_MOD", "DIV"] if whole else ["DIV"])
            name = names[rng.integers(len(names))]
            try:
                np.broadcast_shapes(x.shape, y.shape)
            except ValueError:
                continue
            if name in ("FLOOR_DIV", "FLOOR_MOD", "DIV") and np.any(y == 0):
                continue
            f = {"ADD": np.add, "SUB": np.subtract, "MUL": np.multiply, "MAXIMUM": np.maximum, "MINIMUM": np.minimum,
                 "FLOOR_DIV": np.floor_divide, "FLOOR_MOD": np.mod,
                 "DIV": (lambda a, b: np.trunc(a / b)) if whole else np.divide}[name]
            kind = {"MAXIMUM": "MaximumMinimum", "MINIMUM": "MaximumMinimum", "FLOOR_DIV": "FloorDiv", "FLOOR_MOD": "FloorMod"}
            made = options(kind.get(name, name.title()))
            add(name, [at, b], f(x, y).astype(x.dtype), made)
        elif what == 8:
            to = [np.int32, np.int64, np.float32][rng.integers(3)]
            add("CAST", [at], x.astype(to), options("Cast"))
        elif what == 9 and whole and x.ndim == 0 and 0 < x < 20:
            parameters = [chain.constant(np.array(n, x.dtype)) for n in (0, 1)]
            add("RANGE", [parameters[0], at, parameters[1]], np.arange(0, x, 1, x.dtype), options("Range"))
        elif what == 10 and whole and vector and 0 < np.prod(x.astype(np.float64)) <= 30 and np.all(x > 0):
            value = np.array(rng.integers(0, 9), np.int32)
            add("FILL", [at, chain.constant(value)], np.full(x, value, np.int32), options("Fill"))
        elif what == 11:
            b, y = alike(x.dtype)
            names = {"EQUAL": np.equal, "LESS": np.less, "GREATER": np.greater, "NOT_EQUAL": np.not_equal}
            name = list(names)[rng.integers(len(names))]
            if x.shape == y.shape and x.dtype != np.bool_:
                title = {"NOT_EQUAL": "NotEqual"}.get(name, name.title())
                condition = names[name](x, y)
                c = chain.push(name, [at, b], condition, options(title))
                add("SELECT_V2", [c, at, b], np.where(condition, x, y), options("SelectV2"))
        elif what == 12:
            axis = int(rng.integers(0, x.ndim + 1))
            add("EXPAND_DIMS", [at, chain.constant(ints(axis))], np.expand_dims(x, axis), options("ExpandDims"))
        elif what == 13 and x.size > 0:
            add("RESHAPE", [at, chain.constant(ints([-1]))], x.reshape(-1), options("Reshape", newShape=[-1]))
    # The product of all sizes in front of the last, computed, and the last.
    sizes = known[0][0]
    parameters = [chain.constant(ints([n])) for n in (0, len(shape) - 1, 1)]
    front = chain.push("STRIDED_SLICE", [sizes, *parameters], np.array(shape[:-1], of), options("StridedSlice"))
    product = np.array(np.prod(shape[:-1]), of)
    product_at = chain.push("REDUCE_PROD", [front, chain.constant(ints([0]))], product, options("Reducer", keepDims=False))
    target = np.array([product, shape[-1]], of)
    last = chain.constant(np.array(shape[-1], of))
    packed_at = chain.push("PACK", [product_at, last], target, options("Pack", valuesCount=2, axis=0))
    if of == np.int64:
        target = target.astype(np.int32)
        packed_at = chain.push("CAST", [packed_at], target, options("Cast"))
    y = chain.push("RESHAPE", [0, packed_at], np.zeros(target, np.float32), options("Reshape", newShape=[]))
    chain.graph.outputs = [y] + [at for at, value in known[1:] if value.dtype != np.bool_ and value.size > 0][-3:]
    return chain


def dilated(rng):
    """A dilated convolution as TensorFlow computes it: over an image, or over a line that is made one."""
    line = bool(rng.random() < 0.5)
    depth, block = int(rng.integers(1, 5)), [int(n) for n in rng.integers(1, 4, 1 if line else 2)]
    size = [int(n) for n in rng.integers(4, 12, len(block))]
    window = [int(n) for n in rng.integers(1, 4, len(block))]
    pads, crops = [], []
    for n, b, k in zip(size, block, window):
        before, after = [int(p) for p in rng.integers(0, (k - 1) * b + 1, 2)]
        more = -(n + before + after) % b
        pads.append([before, after + more])
        crops.append([int(rng.integers(0, before + 1)) if rng.random() < 0.3 else 0, more])
    batch = int(rng.integers(1, 3))
    chain = Chain([batch] + size + [depth])
    dealt = [(n + sum(p)) // b for n, p, b in zip(size, pads, block)]
    done = [n - k + 1 for n, k in zip(dealt, window)]
    after = [n * b - sum(c) for n, b, c in zip(done, block, crops)]
    if min(done) < 1 or min(after) < 1:
        return dilated(rng)
    batches, zeros = batch * int(np.prod(block)), lambda shape: np.zeros(shape, np.float32)
    block_at, pads_at, crops_at = [chain.constant(ints(value)) for value in (block, pads, crops)]
    at = chain.push("SPACE_TO_BATCH_ND", [0, block_at, pads_at], zeros([batches] + dealt + [depth]), options("SpaceToBatchND"))
    axis = int(rng.integers(1, 3))
    spread = lambda of: of[:1] + [1] + of[1:] if axis == 1 else of[:2] + [1] + of[2:]
    image, kernel, result = dealt, window, done
    if line:
        image, kernel, result = [([1] + of if axis == 1 else of + [1]) for of in (dealt, window, done)]
        shape = spread([batches] + dealt + [depth])
        if rng.random() < 0.5:
            at = chain.push("EXPAND_DIMS", [at, chain.constant(ints(axis))], zeros(shape), options("ExpandDims"))
        else:
            at = chain.push("RESHAPE", [at, chain.constant(ints(shape))], zeros(shape), options("Reshape", newShape=shape))
    alone = bool(rng.random() < 0.4)
    filters = depth if alone else int(rng.integers(1, 5))
    weights = rng.normal(size=([1] + kernel + [depth] if alone else [filters] + kernel + [depth])).astype(np.float32)
    bias = chain.constant(rng.normal(size=filters).astype(np.float32))
    common = dict(padding=schema.Padding.VALID, strideW=1, strideH=1, dilationWFactor=1, dilationHFactor=1,
                  fusedActivationFunction=int(rng.integers(0, 2)))
    made = options("DepthwiseConv2D", depthMultiplier=1, **common) if alone else options("Conv2D", **common)
    code = "DEPTHWISE_CONV_2D" if alone else "CONV_2D"
    at = chain.push(code, [at, chain.constant(weights), bias], zeros([batches] + result + [filters]), made)
    if line:
        shape = [batches] + done + [filters]
        if rng.random() < 0.5:
            at = chain.push("SQUEEZE", [at], zeros(shape), options("Squeeze", squeezeDims=[axis]))
        else:
            at = chain.push("RESHAPE", [at, chain.constant(ints(shape))], zeros(shape), options("Reshape", newShape=shape))
    at = chain.push("BATCH_TO_SPACE_ND", [at, block_at, crops_at], zeros([batch] + after + [filters]), options("BatchToSpaceND"))
    chain.graph.outputs = [at]
    return chain


KINDS = [
    strided_slice, strided_slice_with_ellipsis, unsupported_new_axis, slice_to_the_end, reshape, squeeze, expand_dims, reduce,
    arg_max, concatenation, split, pack, unpack, reverse, pad, without_bias, shape_arithmetic, dilated, split_v, tile, mirror_pad,
    depth_to_space, space_to_depth, add_n, squared_difference, log_softmax, l2_normalization, power, embedding_lookup, gather_nd, relu_0_to_1, arg_min, one_hot,
    cumsum, reduce_bools, select, gelu_by_tanh, grouped,
]


def main():
    count, seed = int(sys.argv[1]), int(sys.argv[2])
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    for kind in KINDS:
        rng = np.random.default_rng(seed)
        made = 0
        while made < count:
            model = complete(kind(rng))
            if model is None:
                continue
            made += 1
            for part in (kind.__name__.encode(), model):
                out.write(struct.pack("<I", len(part)))
                out.write(part)
    out.close()


main()
