"""Gradients by PyTorch's automatic differentiation, in float64.

Reads folders' names from standard input, and answers each with the loss once `g.bin` lies there. A folder holds the
flat parameters `p.bin` and the inputs `x.bin` (f32), the labels `y.bin` (u32), constants `t*.bin` (f32), the elements of
parameters that make a constant `i*.bin` (u32), and `program.py`, which defines `network`.
"""

import sys

import numpy
import torch
import torch.nn.functional as F

torch.set_num_threads(1)


def first(x):
    return x.permute(0, 3, 1, 2)


def last(x):
    return x.permute(0, 2, 3, 1)


def conv(x, w, b, stride, dilation, pads, groups):
    top, bottom, left, right = pads
    x = F.pad(first(x), (left, right, top, bottom))
    return last(F.conv2d(x, w, b, stride, 0, dilation, groups))


def transposed(x, w, b, stride, before, output):
    full = F.conv_transpose2d(first(x), w, None, stride)
    grow = [max(0, before[i] + output[i] - full.shape[2 + i]) for i in (0, 1)]
    full = F.pad(full, (0, grow[1], 0, grow[0]))
    cut = full[:, :, before[0] : before[0] + output[0], before[1] : before[1] + output[1]]
    return last(cut) + (0 if b is None else b)


def norm(x, scale, shift):
    flat = x.reshape(-1, x.shape[-1])
    return F.batch_norm(flat, None, None, scale, shift, True, 0.0, 1e-5).reshape(x.shape)


def act(x, kind):
    return {
        "None": lambda x: x,
        "Relu": F.relu,
        "Relu6": F.relu6,
        "ReluN1To1": lambda x: F.hardtanh(x, -1.0, 1.0),
        "HardSwish": F.hardswish,
    }[kind](x)


def average(x, window, stride, pads):
    top, bottom, left, right = pads
    pad = lambda v: F.avg_pool2d(F.pad(first(v), (left, right, top, bottom)), window, stride)
    return last(pad(x) / pad(torch.ones_like(x)))


def greatest(x, window, stride, pads):
    top, bottom, left, right = pads
    return last(F.max_pool2d(F.pad(first(x), (left, right, top, bottom), value=-numpy.inf), window, stride))


def resize(x, kind, output, align, half):
    for axis in (0, 1):
        size = x.shape[1 + axis]
        if align and output[axis] > 1:
            step = numpy.float32(size - 1) / numpy.float32(output[axis] - 1)
        else:
            step = numpy.float32(size) / numpy.float32(output[axis])
        shift = 0.5 if half else 0.0
        place = (numpy.arange(output[axis]) + shift) * float(step)
        if kind == "Nearest":
            place = numpy.floor(place + 0.5) if align else numpy.floor(place)
            x = x.index_select(1 + axis, torch.tensor(place.clip(0, size - 1).astype(int)))
            continue
        place = place - shift
        low = numpy.floor(place)
        share = torch.tensor(place - low).reshape((1, -1, 1, 1) if axis == 0 else (1, 1, -1, 1))
        pick = lambda at: x.index_select(1 + axis, torch.tensor(at.clip(0, size - 1).astype(int)))
        x = pick(low) * (1 - share) + pick(numpy.ceil(place)) * share
    return x


def run(folder):
    wide = {"<f4": "f8", "<u4": "i8"}
    read = lambda name, kind: torch.tensor(numpy.fromfile(f"{folder}/{name}.bin", kind).astype(wide[kind]))
    p, x, y = read("p", "<f4").requires_grad_(), read("x", "<f4"), read("y", "<u4")
    names = dict(globals())
    names.update(
        constant=lambda i, shape: read(f"t{i}", "<f4").reshape(shape),
        bound=lambda i, shape: p[read(f"i{i}", "<u4")].reshape(shape),
        span=lambda at, *shape: p[at : at + int(numpy.prod(shape))].reshape(shape),
    )
    program = compile(open(f"{folder}/program.py").read(), "program", "exec")
    exec(program, names)
    (shape, shard, smoothing, network) = (names[k] for k in ("shape", "shard", "smoothing", "network"))
    samples, labels = x.reshape(-1, *shape), y
    total = 0.0
    for at in range(0, len(labels), shard):
        out = network(samples[at : at + shard]).reshape(len(labels[at : at + shard]), -1)
        total = total + F.cross_entropy(out, labels[at : at + shard], reduction="sum", label_smoothing=smoothing)
    loss = total / len(labels)
    loss.backward()
    p.grad.numpy().tofile(f"{folder}/g.bin")
    return loss.item()


for line in sys.stdin:
    print(run(line.strip()), flush=True)
