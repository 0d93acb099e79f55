"""Writes random networks of several operators that another runtime loads, most of them with operators, types or shapes that smidgen
does not take: .tflite files that LiteRT allocates, or .onnx files that ONNX Runtime makes a session of.

Arguments: the format (`tflite` or `onnx`), a folder, how many files, the first seed. For file `I` there are `I.tflite` (or `I.onnx`) and,
where one run gave numbers, `I.npz` with `input_0` (or `input_0_0`, `input_0_1` and so on), `output_0_0`, `output_0_1` and so on. To standard output a line
for each file: its name, and what it is made of.

A network grows operator by operator; one that the runtime refuses is taken away again. Each is made in a process of its own, so that a
runtime that crashes or never comes back costs one network.
"""

import os
import random
import signal
import sys

import numpy as np

INTEGERS = ["int8", "int16", "int32", "int64", "uint8"]
TYPES = ["float32"] * 6 + ["float16", "float64", "bool", "uint16", "uint32", "uint64", "complex64", "string"] + INTEGERS * 2
SHAPES = [
    [1, 4, 4, 2], [1, 8], [4], [], [2, 3], [1, 6, 1, 4], [3, 4, 4, 1], [2, 2, 2, 2, 2], [1, 1, 2, 2, 1, 2], [2] * 7,
    [1, 5, 3], [1, 4], [2, 4, 4, 2], [1], [1, 3, 4],
]


class Refused(Exception):
    """An operator that does not suit the network as it stands."""


def numbers(rng, shape, dtype):
    """Small numbers of any type; text where that is the type."""
    count = int(np.prod(shape))
    if dtype == "string":
        return np.array([str(rng.randrange(10)) for _ in range(count)], dtype=object).reshape(shape)
    if dtype == "bool":
        return np.array([rng.random() < 0.5 for _ in range(count)], dtype=bool).reshape(shape)
    if dtype.startswith(("float", "complex")):
        return np.array([rng.uniform(-2, 2) for _ in range(count)]).astype(dtype).reshape(shape)
    low = 0 if dtype.startswith("u") else -6
    return np.array([rng.randint(low, 6) for _ in range(count)]).astype(dtype).reshape(shape)


class Value:
    """A tensor of the network: its name or number, and what one run made of it."""

    def __init__(self, ref, array, scale=None):
        self.ref, self.array, self.scale = ref, array, scale

    @property
    def shape(self):
        return list(self.array.shape)

    @property
    def rank(self):
        return self.array.ndim

    @property
    def dtype(self):
        return "string" if self.array.dtype.kind in "OSU" else str(self.array.dtype)


# ---------------------------------------------------------------------------------------------------------------- TensorFlow Lite


class Tflite:
    """A .tflite file in the making."""

    SUFFIX = "tflite"

    def __init__(self, rng):
        from ai_edge_litert import schema_py_generated as schema

        self.schema, self.rng = schema, rng
        self.types = {
            "float32": schema.TensorType.FLOAT32, "float16": schema.TensorType.FLOAT16, "float64": schema.TensorType.FLOAT64,
            "int8": schema.TensorType.INT8, "int16": schema.TensorType.INT16, "int32": schema.TensorType.INT32,
            "int64": schema.TensorType.INT64, "uint8": schema.TensorType.UINT8, "uint16": schema.TensorType.UINT16,
            "uint32": schema.TensorType.UINT32, "uint64": schema.TensorType.UINT64, "bool": schema.TensorType.BOOL,
            "complex64": schema.TensorType.COMPLEX64, "string": schema.TensorType.STRING,
            "resource": schema.TensorType.RESOURCE,
        }
        self.buffers, self.codes, self.words = [schema.BufferT()], [], []
        self.graphs = [self.graph()]
        self.values, self.inputs = [], []
        for _ in range(rng.choice([1, 1, 2])):
            dtype, shape = rng.choice(TYPES), rng.choice(SHAPES)
            scale = 0.5 if dtype in ("int8", "uint8", "int16") and rng.random() < 0.8 else None
            array = numbers(rng, shape, dtype)
            ref = self.tensor(shape, dtype, scale=scale)
            if rng.random() < 0.1 and shape:
                self.graphs[0].tensors[ref].shapeSignature = [-1] + shape[1:]
            self.graphs[0].inputs.append(ref)
            self.inputs.append(Value(ref, array, scale))
            self.words.append(f"{dtype} {shape}")
        self.values += self.inputs

    def graph(self):
        graph = self.schema.SubGraphT()
        graph.tensors, graph.inputs, graph.outputs, graph.operators = [], [], [], []
        return graph

    def tensor(self, shape, dtype, buffer=0, scale=None, graph=0, scales=None, axis=0):
        made = self.schema.TensorT()
        made.shape, made.type, made.buffer = list(shape), self.types[dtype], buffer
        made.name = self.rng.choice(["t", "layer/x", ""]) + str(len(self.graphs[graph].tensors))
        if scale is not None or scales is not None:
            made.quantization = self.schema.QuantizationParametersT()
            made.quantization.scale = list(scales if scales is not None else [scale])
            made.quantization.zeroPoint = [0] * len(made.quantization.scale)
            made.quantization.quantizedDimension = axis
        self.graphs[graph].tensors.append(made)
        return len(self.graphs[graph].tensors) - 1

    def constant(self, array, scale=None, graph=0, **more):
        array = np.asarray(array)
        dtype = "string" if array.dtype.kind in "OSU" else str(array.dtype)
        buffer = self.schema.BufferT()
        if dtype == "string":
            texts = [str(t).encode() for t in array.ravel()]
            offsets = np.cumsum([4 * (len(texts) + 2)] + [len(t) for t in texts])
            buffer.data = np.frombuffer(np.array([len(texts), *offsets], np.int32).tobytes() + b"".join(texts), np.uint8)
        else:
            buffer.data = np.frombuffer(array.tobytes(), np.uint8)
        self.buffers.append(buffer)
        return self.tensor(array.shape, dtype, len(self.buffers) - 1, scale, graph, **more)

    def code(self, name):
        code = self.schema.OperatorCodeT()
        code.version = 1
        builtin = getattr(self.schema.BuiltinOperator, name, None)
        if builtin is None:
            code.customCode, builtin = name, self.schema.BuiltinOperator.CUSTOM
        code.builtinCode, code.deprecatedBuiltinCode = builtin, min(builtin, 127)
        self.codes.append(code)
        return len(self.codes) - 1

    def operator(self, name, inputs, outputs, options=None, graph=0, custom=None):
        made = self.schema.OperatorT()
        made.opcodeIndex, made.inputs, made.outputs = self.code(name), list(inputs), list(outputs)
        if options is not None:
            kind = type(options).__name__[: -len("T")]
            made.builtinOptionsType, made.builtinOptions = getattr(self.schema.BuiltinOptions, kind), options
        if custom is not None:
            made.customOptions = np.frombuffer(bytes(custom), np.uint8)
        self.graphs[graph].operators.append(made)

    def options(self, kind, **fields):
        made = getattr(self.schema, kind + "OptionsT")()
        for name, value in fields.items():
            setattr(made, name, value)
        return made

    def add(self, name, operands, dtypes, options=None, scales=None, custom=None):
        """An operator on values, arrays (constants) and numbers of tensors; its outputs have these types."""
        inputs = []
        for operand in operands:
            if isinstance(operand, Value):
                inputs.append(operand.ref)
            elif operand is None or isinstance(operand, int):
                inputs.append(-1 if operand is None else operand)
            else:
                inputs.append(self.constant(operand))
        scales = scales or [None] * len(dtypes)
        outputs = [self.tensor([1], dtype, scale=scale) for dtype, scale in zip(dtypes, scales)]
        self.operator(name, inputs, outputs, options, custom=custom)
        self.words.append(name)
        self.fresh = [(ref, dtype, scale) for ref, dtype, scale in zip(outputs, dtypes, scales)]

    def save(self):
        rng = self.rng
        kept = (len(self.buffers), len(self.codes), len(self.words), len(self.graphs), len(self.values))
        graph = self.graphs[0]
        return kept, len(graph.tensors), len(graph.operators), rng.getstate()

    def restore(self, state):
        kept, tensors, operators, _ = state
        for items, count in zip([self.buffers, self.codes, self.words, self.graphs, self.values], kept):
            del items[count:]
        del self.graphs[0].tensors[tensors:], self.graphs[0].operators[operators:]

    def bytes(self, outputs):
        import flatbuffers

        self.graphs[0].outputs = outputs
        model = self.schema.ModelT()
        model.version, model.buffers, model.operatorCodes, model.subgraphs = 3, self.buffers, self.codes, self.graphs
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())

    def load(self, data):
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        interpreter = Interpreter(
            model_content=data, num_threads=1, experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
            experimental_preserve_all_tensors=True,
        )
        interpreter.allocate_tensors()
        return interpreter

    def run(self, interpreter):
        for value in self.inputs:
            interpreter.set_tensor(value.ref, value.array)
        interpreter.invoke()
        return [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]

    def accept(self):
        """Lets the runtime judge the newest operator; its results become values."""
        interpreter = self.load(self.bytes([ref for ref, _, _ in self.fresh]))
        arrays = self.run(interpreter)
        for (ref, _, scale), array in zip(self.fresh, arrays):
            array = np.asarray(array)
            self.graphs[0].tensors[ref].shape = list(array.shape)
            self.values.append(Value(ref, array, scale))

    def loaded(self):
        """The file whose outputs are those of the newest operator, if the runtime loads it."""
        data = self.bytes([ref for ref, _, _ in self.fresh])
        interpreter = self.load(data)
        # Shapes of what is computed, as a converter would have written them.
        for detail in interpreter.get_output_details():
            self.graphs[0].tensors[detail["index"]].shape = [int(n) for n in detail["shape"]]
        data = self.bytes([ref for ref, _, _ in self.fresh])
        self.load(data)
        return data

    def finish(self, outputs):
        if self.rng.random() < 0.1:
            graph = self.graph()
            self.graphs.append(graph)
            here = len(self.graphs) - 1
            graph.inputs = graph.outputs = [self.tensor([1, 4], "float32", graph=here)]
            self.words.append("a second subgraph")
        if self.rng.random() < 0.1:
            outputs = outputs + self.inputs[:1]
            self.words.append("an output that is an input")
        data = self.bytes([value.ref for value in outputs])
        interpreter = self.load(data)
        try:
            return data, self.run(interpreter)
        except (RuntimeError, ValueError):
            return data, None

    def grow(self):
        rng, opt = self.rng, self.options
        x = rng.choice(self.values[-3:])
        shape, rank, dtype, scale = x.shape, x.rank, x.dtype, x.scale
        same = [dtype], None, [scale]
        other = rng.choice([v for v in self.values if v.dtype == dtype])
        fixed = numbers(rng, rng.choice([shape, shape[-1:], []]), dtype) if dtype not in ("string",) else None
        beside = rng.choice([other, fixed]) if fixed is not None and scale is None else other
        axis = rng.randrange(max(rank, 1))
        i32 = lambda *values: np.array(values, np.int32)

        def plain(*names):
            return lambda: self.add(rng.choice(names), [x], *same)

        def shaped(name, *operands, options=None, types=None):
            types = types or [dtype]
            return lambda: self.add(name, [x, *operands], types, options, [scale] * len(types))

        def conv(name, **more):
            def make():
                if rank != 4 or dtype not in ("float32", "int8", "int16", "uint8"):
                    raise Refused
                depth, filters = shape[3], rng.choice([1, 3])
                wshape = [1, 2, 2, depth] if name == "DEPTHWISE_CONV_2D" else [filters, 2, 2, depth]
                wtype = rng.choice(["float32", "float32", "int8", "float16"]) if dtype == "float32" else rng.choice(["int8", "int8", "int16", dtype])
                wscale = None if wtype.startswith("float") else 0.25
                w = self.constant(numbers(rng, wshape, wtype), wscale)
                if wtype == "float16":
                    out = self.tensor(wshape, "float32")
                    self.operator("DEQUANTIZE", [w], [out])
                    w = out
                count = wshape[0] if name != "DEPTHWISE_CONV_2D" else depth
                b = None
                if rng.random() < 0.6:
                    b = self.constant(numbers(rng, [count], "float32" if dtype == "float32" else "int64" if dtype == "int16" else "int32"), None if dtype == "float32" else 0.125)
                kind = "DepthwiseConv2D" if name == "DEPTHWISE_CONV_2D" else "Conv2D"
                extra = {"depthMultiplier": 1} if kind.startswith("Dep") else {}
                options = opt(kind, padding=rng.randrange(2), strideH=1, strideW=rng.choice([1, 2]), dilationHFactor=rng.choice([1, 1, 2]), dilationWFactor=1, fusedActivationFunction=rng.choice([0, 0, 1, 4]), **extra)
                self.add(name, [x, w, b], [dtype], options, [scale])
            return make

        def dense():
            wtype = rng.choice(["float32", "int8", "float16", "int16", "uint8"])
            w = self.constant(numbers(rng, [3, shape[-1] if shape else 1], wtype), None if wtype.startswith("float") else 0.25)
            out = dtype if dtype in ("float32", "int8", "uint8", "int16") else "float32"
            self.add("FULLY_CONNECTED", [x, w, None], [out], opt("FullyConnected", fusedActivationFunction=0, keepNumDims=rng.random() < 0.5), [scale])

        def subgraphs(kind):
            def make():
                numbers_of = []
                for which in range(2):
                    self.graphs.append(self.graph())
                    here = len(self.graphs) - 1
                    numbers_of.append(here)
                    inside = self.tensor(shape, dtype, scale=scale, graph=here)
                    self.graphs[here].inputs = [inside]
                    if kind == "WHILE" and which == 0:
                        out = self.tensor([], "bool", graph=here)
                        limit = self.constant(numbers(rng, [], dtype), graph=here)
                        total = self.tensor([], dtype, graph=here)
                        axes = self.constant(i32(*range(rank)), graph=here)
                        self.operator("SUM", [inside, axes], [total], opt("Reducer", keepDims=False), here)
                        self.operator("GREATER", [total, limit], [out], graph=here)
                    else:
                        out = self.tensor(shape, dtype, scale=scale, graph=here)
                        step = self.constant(numbers(rng, [], dtype), graph=here)
                        self.operator("SUB", [inside, step], [out], opt("Sub", fusedActivationFunction=0), here)
                    self.graphs[here].outputs = [out]
                if kind == "WHILE":
                    self.add("WHILE", [x], [dtype], opt("While", condSubgraphIndex=numbers_of[0], bodySubgraphIndex=numbers_of[1]), [scale])
                else:
                    truths = [v for v in self.values if v.dtype == "bool" and v.array.size == 1]
                    which = truths[0] if truths and rng.random() < 0.8 else np.array(rng.random() < 0.5)
                    self.add("IF", [which, x], [dtype], opt("If", thenSubgraphIndex=numbers_of[0], elseSubgraphIndex=numbers_of[1]), [scale])
            return make

        def state():
            handle = self.tensor([], "resource")
            self.operator("VAR_HANDLE", [], [handle], opt("VarHandle", sharedName="state"))
            if rng.random() < 0.5:
                self.operator("ASSIGN_VARIABLE", [handle, x.ref], [], opt("AssignVariable"))
            self.add("READ_VARIABLE", [handle], [dtype], opt("ReadVariable"), [scale])

        def table():
            handle = self.tensor([], "resource")
            value = "string" if dtype == "int64" else "int64"
            options = opt("Hashtable", tableId=1, keyDtype=self.types[dtype], valueDtype=self.types[value])
            self.operator("HASHTABLE", [], [handle], options)
            self.add("HASHTABLE_FIND", [handle, x, numbers(rng, [], value)], [value], opt("HashtableFind"))

        def variable():
            node = self.tensor(shape, dtype, scale=scale)
            self.graphs[0].tensors[node].isVariable = True
            self.add("ADD", [x, node], [dtype], opt("Add", fusedActivationFunction=0), [scale])

        def svdf():
            units, memory = 2, 4
            weights = numbers(rng, [units, shape[-1]], "float32")
            times = numbers(rng, [units, memory], "float32")
            held = self.tensor([shape[0], memory * units], "float32")
            self.graphs[0].tensors[held].isVariable = True
            self.add("SVDF", [x, weights, times, None, held], ["float32"], opt("SVDF", rank=1, fusedActivationFunction=0))

        def sparse():
            w = self.constant(numbers(rng, [2, shape[-1]], "float32"))
            tensor = self.graphs[0].tensors[w]
            sparsity = self.schema.SparsityParametersT()
            sparsity.traversalOrder = [0, 1]
            dims = []
            for size in tensor.shape:
                dim = self.schema.DimensionMetadataT()
                dim.format, dim.denseSize = 0, size
                dims.append(dim)
            sparsity.dimMetadata, tensor.sparsity = dims, sparsity
            if rng.random() < 0.5:
                out = self.tensor(tensor.shape, "float32")
                self.operator("DENSIFY", [w], [out])
                w = out
            self.add("FULLY_CONNECTED", [x, w, None], ["float32"], opt("FullyConnected", fusedActivationFunction=0))

        def detections():
            from flatbuffers import flexbuffers

            made = flexbuffers.Builder()
            with made.Map():
                for key, value in dict(max_detections=2, max_classes_per_detection=1, num_classes=2).items():
                    made.Key(key), made.Int(value)
                for key in ["y_scale", "x_scale", "h_scale", "w_scale"]:
                    made.Key(key), made.Float(1.0)
                for key in ["nms_score_threshold", "nms_iou_threshold"]:
                    made.Key(key), made.Float(0.5)
            boxes, scores = numbers(rng, [1, 2, 4], "float32"), numbers(rng, [1, 2, 3], "float32")
            first = self.tensor([1, 2, 4], "float32")
            if dtype != "float32" or x.array.size != 8:
                raise Refused
            self.operator("RESHAPE", [x.ref, self.constant(i32(1, 2, 4))], [first], opt("Reshape", newShape=[1, 2, 4]))
            self.add("TFLite_Detection_PostProcess", [first, self.constant(scores), self.constant(boxes[0])], ["float32"] * 4, custom=made.Finish())

        number = rng.choice([t for t in TYPES if t not in ("string",)])
        begin = i32(*[0] * rank)
        makers = [
            plain("ABS", "NEG", "SQUARE", "SQRT", "RSQRT", "EXP", "LOG", "SIN", "COS", "CEIL", "FLOOR", "ROUND", "SIGN", "ELU", "GELU"),
            plain("RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "TANH", "LOGISTIC", "HARD_SWISH", "LOG_SOFTMAX", "LEAKY_RELU"),
            plain("SOFTMAX", "L2_NORMALIZATION", "LOCAL_RESPONSE_NORMALIZATION", "ZEROS_LIKE", "LOGICAL_NOT", "FAKE_QUANT"),
            shaped(rng.choice(["ADD", "SUB", "MUL", "DIV"]), beside),
            shaped(rng.choice(["MAXIMUM", "MINIMUM", "POW", "FLOOR_DIV", "FLOOR_MOD", "SQUARED_DIFFERENCE", "ATAN2", "PRELU"]), beside),
            shaped(rng.choice(["BITWISE_XOR", "RIGHT_SHIFT", "LOGICAL_AND", "LOGICAL_OR"]), beside),
            shaped(rng.choice(["EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL"]), beside, types=["bool"]),
            lambda: self.add("SELECT_V2", [rng.choice([v for v in self.values if v.dtype == "bool"] or [np.array(True)]), x, beside], *same),
            lambda: self.add("CAST", [x], [number], opt("Cast", inDataType=self.types[dtype], outDataType=self.types[number])),
            lambda: self.add("CAST", [x], ["float32"], opt("Cast", inDataType=self.types[dtype], outDataType=0)),
            lambda: self.add("BITCAST", [x], [number]),
            lambda: self.add("DEQUANTIZE", [x], ["float32"]),
            lambda: self.add("QUANTIZE", [x], [rng.choice(["int8", "uint8", "int16"])], None, [0.25]),
            lambda: self.add("ADD_N", [x, other, x], *same),
            shaped("GATHER", rng.choice([i32(0), np.array(0, np.int32), *[v for v in self.values if v.dtype == "int32"]]), options=opt("Gather", axis=axis)),
            shaped("GATHER_ND", i32([0], [0])), shaped("TILE", i32(*[rng.choice([1, 2]) for _ in range(rank)])),
            lambda: self.add("EMBEDDING_LOOKUP", [rng.choice([v for v in self.values if v.dtype == "int32"] or [i32(0, 1)]), numbers(rng, [8, 3], "float32")], ["float32"]),
            lambda: self.add("SCATTER_ND", [i32([0]), x, i32(4, *shape[1:])], *same),
            lambda: self.add("ONE_HOT", [x, np.array(4, np.int32), np.array(1, np.float32), np.array(0, np.float32)], ["float32"], opt("OneHot", axis=-1)),
            lambda: self.add("TOPK_V2", [x, np.array(1, np.int32)], [dtype, "int32"], None, [scale, None]),
            lambda: self.add("UNIQUE", [x], [dtype, "int32"], opt("Unique", idxOutType=2)),
            lambda: self.add("WHERE", [x], ["int64"]),
            shaped(rng.choice(["CUMSUM", "REVERSE_V2"]), i32(axis), options=None),
            lambda: self.add("CUMSUM", [x, np.array(axis, np.int32)], *same),
            shaped("REVERSE_SEQUENCE", i32(*[1] * (shape[0] if shape else 1)), options=opt("ReverseSequence", seqDim=1, batchDim=0)),
            shaped(rng.choice(["MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "REDUCE_ANY", "REDUCE_ALL"]), i32(axis), options=opt("Reducer", keepDims=rng.random() < 0.5)),
            shaped(rng.choice(["ARG_MAX", "ARG_MIN"]), np.array(axis, np.int32), types=["int64"], options=opt(rng.choice(["ArgMax", "ArgMin"]), outputType=4)),
            shaped("MIRROR_PAD", i32(*[[1, 1]] * rank), options=opt("MirrorPad", mode=rng.randrange(2))),
            shaped(rng.choice(["PAD", "PADV2"]), i32(*[[0, 1]] * rank)),
            shaped("SPLIT_V", i32(1, (shape[axis] if shape else 1) - 1), np.array(axis, np.int32), options=opt("SplitV", numSplits=2), types=[dtype] * 2),
            lambda: self.add("SPLIT", [np.array(axis, np.int32), x], [dtype] * 2, opt("Split", numSplits=2), [scale] * 2),
            lambda: self.add("UNPACK", [x], [dtype] * (shape[axis] if shape else 1), opt("Unpack", num=shape[axis] if shape else 1, axis=axis), [scale] * (shape[axis] if shape else 1)),
            lambda: self.add("PACK", [x, other], [dtype], opt("Pack", valuesCount=2, axis=axis), [scale]),
            lambda: self.add("CONCATENATION", [x, other], [dtype], opt("Concatenation", axis=axis, fusedActivationFunction=0), [scale]),
            shaped(rng.choice(["SPACE_TO_DEPTH", "DEPTH_TO_SPACE"]), options=opt(rng.choice(["SpaceToDepth", "DepthToSpace"]), blockSize=rng.choice([1, 2]))),
            shaped("SPACE_TO_BATCH_ND", i32(2, 2), i32([0, 0], [0, 0])), shaped("BATCH_TO_SPACE_ND", i32(1, 1), i32([0, 0], [0, 1])),
            shaped("RESHAPE", i32(-1), options=opt("Reshape", newShape=[-1])), shaped("SQUEEZE", options=opt("Squeeze", squeezeDims=[])),
            shaped("EXPAND_DIMS", np.array(axis, np.int32)), shaped("TRANSPOSE", i32(*reversed(range(rank)))),
            shaped("SLICE", begin, i32(*[max(1, n - 1) for n in shape])),
            shaped("STRIDED_SLICE", begin, i32(*shape), i32(*[rng.choice([1, 2]) for _ in shape]), options=opt("StridedSlice", shrinkAxisMask=rng.choice([0, 1]), newAxisMask=rng.choice([0, 0, 1]))),
            shaped("BROADCAST_TO", i32(2, *shape)), lambda: self.add("FILL", [i32(*shape), np.array(1.5, np.float32)], ["float32"]),
            lambda: self.add("SHAPE", [x], ["int32"], opt("Shape", outType=2)), lambda: self.add("RANK", [x], ["int32"]),
            lambda: self.add("RANGE", [np.array(0, np.int32), rng.choice([v for v in self.values if v.dtype == "int32" and v.rank == 0] or [np.array(3, np.int32)]), np.array(1, np.int32)], ["int32"]),
            lambda: self.add("SEGMENT_SUM", [x, i32(*range(shape[0] if shape else 1))], *same),
            lambda: self.add("MATRIX_DIAG", [x], *same), lambda: self.add("BUCKETIZE", [x], ["int32"], opt("Bucketize", boundaries=[-1.0, 1.0])),
            lambda: self.add("RFFT2D", [x, i32(4, 4)], ["complex64"]), lambda: self.add(rng.choice(["COMPLEX_ABS", "REAL", "IMAG"]), [x], ["float32"]),
            lambda: self.add("CONV_3D", [x, numbers(rng, [1, 1, 1, shape[-1] if shape else 1, 2], "float32")], ["float32"], opt("Conv3D", padding=1, strideD=1, strideH=1, strideW=1, dilationDFactor=1, dilationHFactor=1, dilationWFactor=1, fusedActivationFunction=0)),
            lambda: self.add("RANDOM_UNIFORM", [i32(*shape)], ["float32"], opt("Random", seed=1, seed2=2)),
            lambda: self.add("DYNAMIC_UPDATE_SLICE", [x, x, begin], *same),
            lambda: self.add(rng.choice(["MAX_POOL_2D", "AVERAGE_POOL_2D", "L2_POOL_2D"]), [x], [dtype], opt("Pool2D", padding=rng.randrange(2), strideH=1, strideW=1, filterHeight=2, filterWidth=2, fusedActivationFunction=0), [scale]),
            lambda: self.add(rng.choice(["RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"]), [x, i32(3, 5)], *same),
            lambda: self.add("BATCH_MATMUL", [x, other], [dtype], opt("BatchMatMul", adjX=False, adjY=rng.random() < 0.7), [scale]),
            lambda: self.add("UNSORTED_SEGMENT_SUM", [x, i32(*range(shape[0] if shape else 1)), np.array(4, np.int32)], *same),
            lambda: self.add("STABLEHLO_ADD", [x, other], *same), lambda: self.add("STABLEHLO_MULTIPLY", [x, other], *same),
            conv("CONV_2D"), conv("DEPTHWISE_CONV_2D"), dense, subgraphs("IF"), subgraphs("WHILE"), state, variable, table, svdf, sparse, detections,
        ]
        rng.choice(makers)()


# --------------------------------------------------------------------------------------------------------------------------- ONNX


class Onnx:
    """A .onnx file in the making."""

    SUFFIX = "onnx"

    def __init__(self, rng):
        import onnx
        from onnx import helper, numpy_helper

        self.rng, self.onnx, self.helper, self.numpy_helper = rng, onnx, helper, numpy_helper
        self.nodes, self.constants, self.words, self.values, self.inputs = [], [], [], [], []
        self.functions, self.domains = [], {"": rng.choice([9, 11, 13, 17, 18, 21, 23]), "com.microsoft": 1, "ai.onnx.ml": 3}
        self.count = 0
        for index in range(rng.choice([1, 1, 2])):
            dtype, shape = rng.choice([t for t in TYPES if t != "complex64"]), rng.choice(SHAPES)
            value = Value(f"x{index}", numbers(rng, shape, dtype))
            self.inputs.append(value)
            self.words.append(f"{dtype} {shape}")
        self.values += self.inputs

    def name(self):
        self.count += 1
        return f"v{self.count}"

    def constant(self, array):
        name = self.name()
        array = np.asarray(array)
        self.constants.append(self.numpy_helper.from_array(array, name))
        return name

    def numeric(self, array, name):
        return self.numpy_helper.from_array(np.asarray(array, None if isinstance(array, np.ndarray) else np.float32), name)

    def add(self, op, operands, outputs=1, domain="", **attributes):
        """A node on values, arrays (constants) and names; `outputs` of them are kept."""
        refs = [o.ref if isinstance(o, Value) else o if isinstance(o, str) else "" if o is None else self.constant(o) for o in operands]
        self.fresh = [self.name() for _ in range(outputs)]
        self.nodes.append(self.helper.make_node(op, refs, self.fresh, domain=domain, **attributes))
        self.words.append((domain + "." if domain else "") + op)

    def save(self):
        return [len(items) for items in [self.nodes, self.constants, self.words, self.values, self.functions]], self.count

    def restore(self, state):
        for items, count in zip([self.nodes, self.constants, self.words, self.values, self.functions], state[0]):
            del items[count:]
        self.count = state[1]

    def info(self, value, open_sizes=False):
        array, helper = value.array, self.helper
        element = self.onnx.TensorProto.STRING if value.dtype == "string" else helper.np_dtype_to_tensor_dtype(array.dtype)
        shape = [f"n{i}" if open_sizes and self.rng.random() < 0.5 else n for i, n in enumerate(array.shape)]
        return helper.make_tensor_value_info(value.ref, element, shape)

    def bytes(self, outputs, final=False):
        helper = self.helper
        open_sizes = final and self.rng.random() < 0.08
        inputs = [self.info(value, open_sizes) for value in self.inputs]
        nodes, form = list(self.nodes), self.rng.randrange(12) if final else None
        if form == 0:
            # As older exporters list them.
            inputs += [helper.make_tensor_value_info(c.name, c.data_type, c.dims) for c in self.constants]
        elif form == 1:
            nodes.reverse()
        elif form == 2:
            listed = helper.make_tensor_type_proto(self.onnx.TensorProto.FLOAT, None)
            inputs.append(helper.make_value_info("spare", helper.make_sequence_type_proto(listed)))
        elif form == 3:
            held = [self.info(value) for value in self.inputs]
            outputs = outputs + held[:1]
        graph = helper.make_graph(nodes, self.rng.choice(["g", "main"]), inputs, outputs, self.constants)
        if form == 4:
            values = self.numeric([1.0, 2.0], "held")
            places = self.numeric(np.array([1, 3], np.int64), "places")
            graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [4]))
        if form is not None and form < 5:
            self.words.append(["constants among the inputs", "nodes in another order", "an input that is a list", "an output that is an input", "a sparse constant"][form])
        used = {node.domain for node in self.nodes} | {""} | {f.domain for f in self.functions}
        opsets = [helper.make_opsetid(domain, self.domains.get(domain, 1)) for domain in sorted(used)]
        model = helper.make_model(graph, opset_imports=opsets, functions=self.functions, ir_version=10)
        return model.SerializeToString()

    def load(self, data):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level, options.intra_op_num_threads, options.inter_op_num_threads = 4, 1, 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])

    def run(self, session):
        return session.run(None, {value.ref: value.array for value in self.inputs})

    def accept(self):
        outputs = [self.onnx.ValueInfoProto(name=name) for name in self.fresh]
        arrays = self.run(self.load(self.bytes(outputs)))
        for name, array in zip(self.fresh, arrays):
            # Lists and values that are absent are no tensors: they end here, or in the operator after them.
            if isinstance(array, np.ndarray):
                self.values.append(Value(name, array))
            elif array is not None and not isinstance(array, (list, dict)):
                self.values.append(Value(name, np.asarray(array)))

    def loaded(self):
        """The file whose outputs are those of the newest operator, if the runtime loads it."""
        data = self.bytes([self.onnx.ValueInfoProto(name=name) for name in self.fresh])
        self.load(data)
        return data

    def finish(self, outputs):
        data = self.bytes([self.info(value) for value in outputs], final=True)
        session = self.load(data)
        try:
            return data, self.run(session)
        except Exception:
            return data, None

    def grow(self):
        rng, helper, proto = self.rng, self.helper, self.onnx.TensorProto
        x = rng.choice(self.values[-3:])
        shape, rank, dtype = x.shape, x.rank, x.dtype
        other = rng.choice([v for v in self.values if v.dtype == dtype])
        fixed = numbers(rng, rng.choice([shape, shape[-1:], []]), dtype)
        beside = rng.choice([other, fixed])
        axis = rng.randrange(max(rank, 1))
        i64 = lambda *values: np.array(values, np.int64)
        f32 = lambda *values: np.array(values, np.float32)
        floating = dtype.startswith("float")

        def plain(*names, **attributes):
            return lambda: self.add(rng.choice(names), [x], **attributes)

        def shaped(op, *operands, outputs=1, **attributes):
            return lambda: self.add(op, [x, *operands], outputs, **attributes)

        def branch():
            element = helper.np_dtype_to_tensor_dtype(x.array.dtype)
            graphs = []
            for op in ["Add", "Sub"]:
                out = self.name()
                node = helper.make_node(op, [x.ref, x.ref], [out])
                graphs.append(helper.make_graph([node], op, [], [helper.make_tensor_value_info(out, element, None)]))
            truths = [v for v in self.values if v.dtype == "bool" and v.array.size == 1]
            which = truths[0] if truths and rng.random() < 0.7 else np.array(rng.random() < 0.5)
            self.add("If", [which], then_branch=graphs[0], else_branch=graphs[1])

        def loop():
            element = helper.np_dtype_to_tensor_dtype(x.array.dtype)
            i, go, state, on, out = (self.name() for _ in range(5))
            nodes = [helper.make_node("Identity", [go], [on]), helper.make_node("Add", [state, state], [out])]
            ins = [helper.make_tensor_value_info(i, proto.INT64, []), helper.make_tensor_value_info(go, proto.BOOL, []), helper.make_tensor_value_info(state, element, None)]
            outs = [helper.make_tensor_value_info(on, proto.BOOL, []), helper.make_tensor_value_info(out, element, None)]
            self.add("Loop", [np.array(2, np.int64), np.array(True), x], body=helper.make_graph(nodes, "body", ins, outs))

        def scan():
            element = helper.np_dtype_to_tensor_dtype(x.array.dtype)
            state, item, total, out = (self.name() for _ in range(4))
            nodes = [helper.make_node("Add", [state, item], [total]), helper.make_node("Identity", [total], [out])]
            infos = [helper.make_tensor_value_info(n, element, shape[1:]) for n in [state, item, total, out]]
            self.add("Scan", [numbers(rng, shape[1:], dtype), x], 2, body=helper.make_graph(nodes, "body", infos[:2], infos[2:]), num_scan_inputs=1)

        def function():
            node = [helper.make_node("Add", ["a", "a"], ["b"]), helper.make_node("Relu", ["b"], ["c"])]
            name = f"Twice{len(self.functions)}"
            made = helper.make_function("local", name, ["a"], ["c"], node, [helper.make_opsetid("", self.domains[""])])
            self.functions.append(made)
            self.add(name, [x], domain="local")

        def sequence():
            listed = self.name()
            kind = rng.randrange(3)
            if kind == 0:
                self.nodes.append(helper.make_node("SequenceConstruct", [x.ref, other.ref], [listed]))
                self.add("SequenceAt", [listed, np.array(1, np.int64)])
            elif kind == 1:
                self.nodes.append(helper.make_node("SplitToSequence", [x.ref], [listed], axis=axis))
                self.add("ConcatFromSequence", [listed], axis=axis)
            else:
                self.nodes.append(helper.make_node("SequenceConstruct", [x.ref], [listed]))
                self.add("SequenceLength", [listed])

        def optional():
            held = self.name()
            self.nodes.append(helper.make_node("Optional", [x.ref], [held]))
            self.add(rng.choice(["OptionalGetElement", "OptionalHasElement"]), [held])

        def conv(op):
            if rank < 3:
                raise Refused
            depth = shape[1]
            w = numbers(rng, [depth, 2] + [1] * (rank - 2) if op == "ConvTranspose" else [3, depth] + [1] * (rank - 2), dtype)
            self.add(op, [x, w], **({"auto_pad": "SAME_UPPER"} if rng.random() < 0.2 else {}))

        def quantised():
            kind = rng.choice([np.int8, np.uint8])
            q = self.name()
            s, z = self.constant(np.float32(0.1)), self.constant(np.array(0, kind))
            self.nodes.append(helper.make_node("QuantizeLinear", [x.ref, s, z], [q]))
            if rng.random() < 0.5:
                self.add("DequantizeLinear", [q, s, z])
            else:
                self.add("Identity", [q])

        def trees():
            self.add("TreeEnsembleRegressor", [x], domain="ai.onnx.ml", n_targets=1, nodes_treeids=[0, 0, 0], nodes_nodeids=[0, 1, 2],
                     nodes_featureids=[0, 0, 0], nodes_values=[0.5, 0.0, 0.0], nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"],
                     nodes_truenodeids=[1, 0, 0], nodes_falsenodeids=[2, 0, 0], target_treeids=[0, 0], target_nodeids=[1, 2],
                     target_ids=[0, 0], target_weights=[1.0, 2.0])

        size = shape[axis] if shape else 1
        depth = shape[1] if rank > 1 else 1
        contributed = dict(domain="com.microsoft")
        makers = [
            plain("Abs", "Neg", "Ceil", "Floor", "Round", "Sqrt", "Exp", "Log", "Sign", "Reciprocal", "Sin", "Erf", "Det", "NonZero", "Not"),
            plain("Relu", "Sigmoid", "Tanh", "Elu", "Selu", "Celu", "Softplus", "Softsign", "HardSigmoid", "HardSwish", "Mish", "LeakyRelu", "ThresholdedRelu", "Shrink"),
            plain("Softmax", "LogSoftmax", "Hardmax", axis=axis), plain("IsNaN", "IsInf", "Shape", "Size", "EyeLike", "Identity", "Flatten"),
            plain("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool", "LpNormalization", "MeanVarianceNormalization", "Dropout"),
            plain("Gelu", "BitwiseNot"), plain("RandomNormalLike", "RandomUniformLike", dtype=1), plain("Bernoulli", "Multinomial"),
            shaped(rng.choice(["Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Mean", "Sum", "PRelu"]), beside),
            shaped(rng.choice(["Mod", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "And", "Or", "Xor", "CastLike"]), beside),
            shaped("BitShift", beside, direction="LEFT"),
            shaped(rng.choice(["Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual"]), beside),
            lambda: self.add("Where", [rng.choice([v for v in self.values if v.dtype == "bool"] or [np.array(True)]), x, beside]),
            plain("Cast", to=rng.choice([1, 1, 1, 2, 3, 5, 6, 7, 9, 10, 11, 12, 16])),
            shaped("MatMul", other), shaped("Gemm", other, transB=1), shaped("Einsum", equation="...i->...") ,
            shaped("Gather", rng.choice([i64(0), np.array(0, np.int64), *[v for v in self.values if v.dtype == "int64"]]), axis=axis),
            shaped("GatherElements", rng.choice([np.zeros(shape, np.int64), *[v for v in self.values if v.dtype == "int64"]]), axis=axis),
            shaped("GatherND", i64([0])), shaped("ScatterND", i64([0]), numbers(rng, [1] + shape[1:], dtype)),
            shaped("ScatterElements", np.zeros(shape, np.int64), x, axis=axis),
            shaped("Scatter", np.zeros(shape, np.int64), x, axis=axis),
            shaped("Tile", i64(*[rng.choice([1, 2]) for _ in shape])), shaped("Expand", i64(2, *shape)),
            shaped("CumSum", np.array(axis, np.int64)), shaped("ReverseSequence", i64(*[1] * (shape[1] if rank > 1 else 1))),
            shaped("OneHot", np.array(4, np.int64), f32(0, 1)), shaped("Trilu"),
            shaped("TopK", i64(1), outputs=2, axis=axis), shaped("Unique", axis=axis), shaped("Compress", np.array([True] * size), axis=axis),
            lambda: self.add("NonMaxSuppression", [numbers(rng, [1, 3, 4], "float32"), x, np.array([2], np.int64)]),
            plain(rng.choice(["ReduceMax", "ReduceMin", "ReduceMean", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare"]), keepdims=rng.randrange(2)),
            shaped("ReduceSum", i64(axis), keepdims=rng.randrange(2)), plain("ArgMax", "ArgMin", axis=axis, keepdims=rng.randrange(2)),
            shaped("Pad", i64(*[1] * (2 * rank)), mode=rng.choice(["constant", "reflect", "edge"])),
            shaped("Split", outputs=2, axis=axis), shaped("Concat", other, axis=axis), shaped("Slice", i64(0), i64(1), i64(axis)),
            shaped("Reshape", rng.choice([i64(-1), i64(0, -1), *[v for v in self.values if v.dtype == "int64" and v.rank == 1]])),
            shaped("Unsqueeze", i64(axis)), shaped("Squeeze"), plain("Transpose", perm=list(reversed(range(rank)))),
            plain("SpaceToDepth", blocksize=2), plain("DepthToSpace", blocksize=2, mode=rng.choice(["DCR", "CRD"])),
            plain("MaxPool", "AveragePool", "LpPool", kernel_shape=[1] * max(rank - 2, 1)), plain("LRN", size=3),
            shaped("Resize", None, f32(*[1, 1] + [2] * (rank - 2)), mode=rng.choice(["nearest", "linear", "cubic"])),
            shaped("GridSample", numbers(rng, [shape[0] if shape else 1, 2, 2, 2], "float32")), shaped("MaxRoiPool", f32([0, 0, 0, 1, 1]), pooled_shape=[1, 1]),
            shaped("RoiAlign", f32([0, 0, 1, 1]), i64(0)), shaped("Col2Im", i64(2, 2), i64(1, 1)),
            lambda: conv("Conv"), lambda: conv("ConvTranspose"),
            shaped("BatchNormalization", *[np.abs(numbers(rng, [depth], "float32")) for _ in range(4)]),
            shaped("InstanceNormalization", *[numbers(rng, [depth], "float32") for _ in range(2)]),
            shaped("LayerNormalization", numbers(rng, shape[-1:], "float32")), shaped("GroupNormalization", *[numbers(rng, [depth], "float32") for _ in range(2)], num_groups=1),
            shaped("LSTM", numbers(rng, [1, 8, shape[-1] if shape else 1], "float32"), numbers(rng, [1, 8, 2], "float32"), outputs=2, hidden_size=2),
            shaped("GRU", numbers(rng, [1, 6, shape[-1] if shape else 1], "float32"), numbers(rng, [1, 6, 2], "float32"), outputs=2, hidden_size=2),
            lambda: self.add("DFT", [x, None, np.array(1, np.int64)]) if self.domains[""] >= 20 else self.add("DFT", [x], axis=1),
            lambda: self.add("STFT", [x, np.array(1, np.int64), numbers(rng, [2], "float32")]), lambda: self.add("HannWindow", [rng.choice([v for v in self.values if v.dtype == "int64" and v.rank == 0] or [np.array(4, np.int64)])]),
            lambda: self.add("MelWeightMatrix", [np.array(v, np.int64) for v in (4, 8, 8000)] + [f32(0)[0], f32(4000)[0]]),
            lambda: self.add("Range", [np.array(0, np.int64), rng.choice([v for v in self.values if v.dtype == "int64" and v.rank == 0] or [np.array(3, np.int64)]), np.array(1, np.int64)]),
            lambda: self.add("ConstantOfShape", [rng.choice([v for v in self.values if v.dtype == "int64" and v.rank == 1] or [i64(2)])]),
            lambda: self.add("RandomNormal", [], shape=[2, 2]), shaped("DynamicQuantizeLinear", outputs=3),
            lambda: self.add("StringNormalizer", [x], case_change_action="LOWER"), lambda: self.add("RegexFullMatch", [x], pattern="1"),
            lambda: self.add("TfIdfVectorizer", [x], mode="TF", min_gram_length=1, max_gram_length=1, max_skip_count=0, ngram_counts=[0], ngram_indexes=[0, 1], pool_int64s=[1, 2]),
            shaped("MatMulInteger", other), lambda: self.add("Clip", [x, *[numbers(rng, [], dtype) for _ in range(2)]]),
            branch, loop, scan, function, sequence, optional, quantised, trees,
            lambda: self.add("Scaler", [x], domain="ai.onnx.ml", offset=[0.5], scale=[2.0]), lambda: self.add("Normalizer", [x], domain="ai.onnx.ml", norm="L2"),
            lambda: self.add("Binarizer", [x], domain="ai.onnx.ml", threshold=0.5), lambda: self.add("LabelEncoder", [x], domain="ai.onnx.ml", keys_int64s=[0, 1], values_strings=["a", "b"]),
            lambda: self.add("LinearRegressor", [x], domain="ai.onnx.ml", coefficients=[1.0] * (shape[-1] if shape else 1), intercepts=[0.5]),
            lambda: self.add("ArrayFeatureExtractor", [x, i64(0)], domain="ai.onnx.ml"),
            lambda: self.add(rng.choice(["Gelu", "QuickGelu", "FastGelu", "Inverse", "NGramRepeatBlock"]), [x], **contributed),
            lambda: self.add("BiasGelu", [x, numbers(rng, shape[-1:], "float32")], **contributed), lambda: self.add("FusedMatMul", [x, other], transB=1, **contributed),
            lambda: self.add("QuantizeLinear", [x, np.float32(0.5), np.int8(0)], **contributed), lambda: self.add("SkipLayerNormalization", [x, x, numbers(rng, shape[-1:], "float32")], **contributed),
            lambda: self.add("FusedConv", [x, numbers(rng, [3, depth, 1, 1], "float32")], activation="Relu", **contributed),
        ]
        rng.choice(makers)()


def make(kind, seed, folder):
    """Grows one network and writes it; what it is made of, or None if nothing grew."""
    rng = random.Random(seed)
    net = kind(rng)
    wanted, grown = rng.randint(1, 6), 0
    for _ in range(12 * wanted):
        state = net.save()
        try:
            net.grow()
            net.accept()
            grown += 1
        except Exception:
            net.restore(state)
        if grown == wanted:
            break
    made = net.values[len(net.inputs):]
    data, results = None, None
    # At times the last operator is one that the runtime loads, and refuses when it runs.
    for _ in range(rng.choice([0, 0, 40])):
        state = net.save()
        try:
            net.grow()
            data = net.loaded()
            break
        except Exception:
            net.restore(state)
    if data is None:
        if not made:
            return None
        # What no operator reads is an output, and at times more.
        outputs = made[-1:] + [v for v in made[:-1] if rng.random() < 0.15]
        data, results = net.finish(outputs)
    path = os.path.join(folder, str(seed))
    with open(f"{path}.{kind.SUFFIX}", "wb") as file:
        file.write(data)
    numeric = all(np.asarray(a).dtype.kind in "fiub" for a in [*(results or []), *(v.array for v in net.inputs)])
    if results is not None and numeric and "RANDOM" not in " ".join(net.words).upper():
        several = len(net.inputs) > 1
        named = {f"input_0_{i}" if several else "input_0": value.array for i, value in enumerate(net.inputs)}
        named.update({f"output_0_{i}": np.asarray(array) for i, array in enumerate(results)})
        np.savez(f"{path}.npz", **named)
    return ", ".join(net.words)


def main():
    kind = {"tflite": Tflite, "onnx": Onnx}[sys.argv[1]]
    folder, count, seed = sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    made = 0
    while made < count:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            # A loop need not end.
            signal.alarm(20)
            # The runtimes print what they refuse, and some of it to standard output.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1), os.dup2(nowhere, 2)
            code = 1
            try:
                words = make(kind, seed, folder)
                if words is not None:
                    os.write(writing, words.encode())
                    code = 0
            finally:
                os._exit(code)
        os.close(writing)
        words = b""
        while part := os.read(reading, 65536):
            words += part
        os.close(reading)
        _, status = os.waitpid(child, 0)
        if status == 0:
            print(f"{seed}.{kind.SUFFIX}\t{words.decode()}", flush=True)
            made += 1
        else:
            for suffix in (kind.SUFFIX, "npz"):
                if os.path.exists(os.path.join(folder, f"{seed}.{suffix}")):
                    os.remove(os.path.join(folder, f"{seed}.{suffix}"))
        seed += 1


if __name__ == "__main__":
    main()
