"""Writes random recurrent layers to standard output, each with inputs and the outputs that they must have, for
recurrent.rs to read.

Arguments: how many, the first seed. The format is that of networks.py. What is expected is computed here in double
precision, by the equations of ONNX's specification of LSTM, GRU and RNN; where ONNX Runtime is installed and takes the
layer, its outputs are sent as well, as further outputs of the same names.
"""

import importlib.util
import os
import struct
import sys

import numpy as np
from onnx import TensorProto, helper, numpy_helper


def blob(stream, data):
    stream.write(struct.pack("<I", len(data)))
    stream.write(data)


def tensor(stream, name, array):
    proto = numpy_helper.from_array(array)
    blob(stream, name.encode())
    stream.write(struct.pack(f"<II{array.ndim}I", proto.data_type, array.ndim, *array.shape))
    blob(stream, np.ascontiguousarray(array).tobytes())


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def lstm(x, w, r, wb, rb, h, c):
    i, o, f, g = np.split(w @ x + r @ h + wb + rb, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def gru(after):
    def step(x, w, r, wb, rb, h, c):
        (wz, wr, wh), (rz, rr, rh) = np.split(w, 3), np.split(r, 3)
        (bz, br, bh), (qz, qr, qh) = np.split(wb, 3), np.split(rb, 3)
        z = sigmoid(wz @ x + rz @ h + bz + qz)
        reset = sigmoid(wr @ x + rr @ h + br + qr)
        inner = reset * (rh @ h + qh) if after else rh @ (reset * h) + qh
        n = np.tanh(wh @ x + inner + bh)
        return (1 - z) * n + z * h, c

    return step


def rnn(function):
    def step(x, w, r, wb, rb, h, c):
        return function(w @ x + r @ h + wb + rb), c

    return step


class Random:
    def __init__(self, seed):
        self.numbers = np.random.default_rng(seed)

    def below(self, n):
        return int(self.numbers.integers(n))

    def chance(self, percent):
        return self.below(100) < percent

    def array(self, shape, spread=1.0):
        return (self.numbers.standard_normal(shape) * spread).astype(np.float32)


def case(seed):
    random = Random(seed)
    kind = ["LSTM", "GRU", "RNN"][random.below(3)]
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind]
    direction = ["forward", "reverse", "bidirectional"][random.below(3)]
    count = 2 if direction == "bidirectional" else 1
    steps, inputs, units = 1 + random.below(7), 1 + random.below(9), 1 + random.below(11)
    batch = 1 if random.chance(50) else 1 + random.below(4)
    batch_first = random.chance(20)
    attributes = {"hidden_size": units}
    if direction != "forward" or random.chance(30):
        attributes["direction"] = direction
    if batch_first:
        attributes["layout"] = 1
    cells = [lstm] * count
    if kind == "GRU":
        after = random.chance(50)
        cells = [gru(after)] * count
        if after or random.chance(30):
            attributes["linear_before_reset"] = int(after)
    named = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"]}.get(kind)
    if kind == "RNN":
        chosen = [["Tanh", "Relu"][random.below(2)] for _ in range(count)]
        cells = [rnn(np.tanh if name == "Tanh" else lambda v: np.maximum(v, 0)) for name in chosen]
        if "Relu" in chosen or random.chance(50):
            attributes["activations"] = chosen
    elif random.chance(30):
        attributes["activations"] = named * count
    spread = 0.4
    weights = {
        "W": random.array([count, gates * units, inputs], spread),
        "R": random.array([count, gates * units, units], spread),
    }
    x = random.array([batch, steps, inputs] if batch_first else [steps, batch, inputs])
    feeds, given = {"x": x}, ["x", "W", "R"]
    optional = [""] * 4
    if random.chance(70):
        weights["B"] = random.array([count, 2 * gates * units], spread)
        optional[0] = "B"
    if random.chance(15):
        weights["lengths"] = np.full([batch], steps, np.int32)
        optional[1] = "lengths"
    state = [batch, count, units] if batch_first else [count, batch, units]
    first = {}
    for place, name in ((2, "first_h"), (3, "first_c")):
        if name == "first_c" and kind != "LSTM":
            continue
        choice = random.below(4)
        if choice == 1:
            weights[name] = np.zeros(state, np.float32)
        elif choice == 2:
            weights[name] = random.array(state)
        elif choice == 3:
            feeds[name] = random.array(state)
        if choice:
            optional[place] = name
            first[name] = weights.get(name, feeds.get(name))
    while optional and not optional[-1]:
        optional.pop()
    names = ["all", "last"] + (["memory"] if kind == "LSTM" else [])
    wanted = [name for name in names if random.chance(60)] or [names[random.below(len(names))]]
    results = [name if name in wanted else "" for name in names]
    while not results[-1]:
        results.pop()

    # Batch first while computing, with a direction in front.
    wide = x.astype(np.float64) if batch_first else x.astype(np.float64).swapaxes(0, 1)
    put = (lambda a: a.swapaxes(0, 1)) if batch_first else (lambda a: a)
    zeros = np.zeros([count, batch, units])
    h0, c0 = (put(first[n]).astype(np.float64) if n in first else zeros for n in ("first_h", "first_c"))
    every = np.zeros([count, batch, steps, units])
    last, memory = np.zeros_like(zeros), np.zeros_like(zeros)
    for d in range(count):
        w, r = weights["W"][d].astype(np.float64), weights["R"][d].astype(np.float64)
        wb, rb = np.split(weights["B"][d].astype(np.float64), 2) if "B" in weights else [np.zeros(gates * units)] * 2
        order = range(steps) if (direction, d) in [("forward", 0), ("bidirectional", 0)] else range(steps)[::-1]
        for n in range(batch):
            h, c = h0[d, n], c0[d, n]
            for t in order:
                h, c = cells[d](wide[n, t], w, r, wb, rb, h, c)
                every[d, n, t] = h
            last[d, n], memory[d, n] = h, c
    # [N, T, D, H] or [T, D, N, H]; [N, D, H] or [D, N, H].
    computed = {
        "all": every.transpose(1, 2, 0, 3) if batch_first else every.transpose(2, 0, 1, 3),
        "last": put(last),
        "memory": put(memory),
    }
    nodes = [helper.make_node(kind, given + optional, results, **attributes)]
    outputs = {name: computed[name] for name in wanted}
    shapes = {name: list(value.shape) for name, value in outputs.items()}
    # What exporters put behind: directions side by side, or the axis of one direction dropped.
    if "all" in outputs and not batch_first and random.chance(60):
        value = outputs.pop("all")
        shapes.pop("all")
        if count == 1:
            weights["axis"] = np.array([1], np.int64)
            nodes.append(helper.make_node("Squeeze", ["all", "axis"], ["y"]))
            outputs["y"] = value.squeeze(1)
        else:
            weights["shape"] = np.array([0, 0, -1], np.int64)
            nodes.append(helper.make_node("Transpose", ["all"], ["turned"], perm=[0, 2, 1, 3]))
            nodes.append(helper.make_node("Reshape", ["turned", "shape"], ["y"]))
            outputs["y"] = value.transpose(0, 2, 1, 3).reshape(steps, batch, -1)
        shapes["y"] = list(outputs["y"].shape)
    graph = helper.make_graph(
        nodes,
        "recurrent",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, value.shape) for name, value in feeds.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[name]) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    text = f"{seed}: {kind} {direction} N={batch} T={steps} I={inputs} H={units} {attributes} {optional} {results}"
    return text, model, feeds, {name: value.astype(np.float32) for name, value in outputs.items()}


def main():
    stream = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    runtime = None
    if importlib.util.find_spec("onnxruntime"):
        import onnxruntime as runtime

        runtime.set_default_logger_severity(4)
    cases, first = int(sys.argv[1]), int(sys.argv[2])
    for seed in range(first, first + cases):
        text, model, feeds, outputs = case(seed)
        found = list(outputs.items())
        # It has no form for batch first.
        if runtime and "'layout'" not in text:
            session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
            found += zip(outputs, session.run(list(outputs), feeds))
        stream.write(b"\x01")
        blob(stream, text.encode())
        blob(stream, model.SerializeToString())
        for arrays in (list(feeds.items()), found):
            stream.write(struct.pack("<I", len(arrays)))
            for name, array in arrays:
                tensor(stream, name, array)
    stream.write(b"\x00")
    stream.flush()


main()
