import json
import struct

import numpy
import torch
import torch.nn.functional as F
from torch import nn

# Samples that are normalised together, however many a step and a process have.
SHARD = 16
# Shards that one call normalises. Many cost a CPU copies, and spare a GPU calls.
TOGETHER = 1
# Added to variances.
EPSILON = 1e-5


def activate(x, kind):
    if kind == "relu":
        return F.relu(x)
    if kind == "relu6":
        return F.relu6(x)
    if kind == "relu_n1_to_1":
        return F.hardtanh(x, -1.0, 1.0)
    if kind == "hard_swish":
        return F.hardswish(x)
    return x


class Norm(nn.Module):
    """Batch normalisation of [n, c, ...], a shard at a time: gradients do not depend on the number of processes."""

    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        # Steps since means and variances were last counted anew: on the device, so that a CUDA graph counts them.
        self.register_buffer("steps", torch.zeros(()), persistent=False)
        self.least_share = 0.05

    def forward(self, x):
        if not self.training:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, EPSILON)
        whole = len(x) // SHARD * SHARD
        parts = [self.shards(part, SHARD) for part in x[:whole].split(SHARD * TOGETHER) if len(part)]
        if whole < len(x):
            parts.append(self.shards(x[whole:], len(x) - whole))
        x, means, variances = (torch.cat(part) if len(part) > 1 else part[0] for part in zip(*parts))
        self.steps += 1
        share = self.steps.reciprocal().clamp_min(self.least_share)
        self.running_mean.lerp_(means.mean(0), share)
        self.running_var.lerp_(variances.mean(0), share)
        return x

    def shards(self, x, size):
        """Normalises shards of this size as one with the channels of all; gives their means and variances too."""
        shards, channels = len(x) // size, x.shape[1]
        mean, variance = (torch.zeros(shards * channels, dtype=x.dtype, device=x.device) for _ in range(2))
        weight, bias = self.weight, self.bias
        if shards > 1:
            x = x.unflatten(0, (shards, size)).transpose(0, 1).flatten(1, 2)
            weight, bias = weight.repeat(shards), bias.repeat(shards)
        x = F.batch_norm(x, mean, variance, weight, bias, True, 1.0, EPSILON)
        if shards > 1:
            x = x.unflatten(1, (shards, channels)).transpose(0, 1).flatten(0, 1)
        # What PyTorch keeps is divided by one less.
        count = x.numel() // (shards * channels)
        return x, mean.reshape(shards, channels), variance.reshape(shards, channels) * ((count - 1) / count)


class Layer(nn.Module):
    """Weights, then a normalisation or a bias (or neither), then an activation."""

    def __init__(self, outputs, shape, fan_in, then, activation):
        super().__init__()
        bound = fan_in**-0.5
        self.weight = nn.Parameter(torch.empty(shape).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(outputs).uniform_(-bound, bound)) if then == "bias" else None
        self.norm = Norm(outputs) if then == "norm" else None
        self.activation = activation

    def finish(self, x):
        return activate(x if self.norm is None else self.norm(x), self.activation)


class Conv(Layer):
    """A convolution of `[n, h, w, inputs]`; padding is that above, below, to the left and to the right."""

    def __init__(
        self,
        inputs,
        outputs,
        kernel,
        stride=(1, 1),
        dilation=(1, 1),
        padding=(0, 0, 0, 0),
        groups=1,
        then=None,
        activation=None,
    ):
        own = inputs // groups
        super().__init__(outputs, (outputs, own, *kernel), own * kernel[0] * kernel[1], then, activation)
        self.stride, self.dilation, self.padding, self.groups = stride, dilation, padding, groups

    def forward(self, x):
        top, bottom, left, right = self.padding
        x = x.permute(0, 3, 1, 2)
        if (top, left) != (bottom, right):
            x, top, left = F.pad(x, (left, right, top, bottom)), 0, 0
        x = F.conv2d(x, self.weight, self.bias, self.stride, (top, left), self.dilation, self.groups)
        return self.finish(x).permute(0, 2, 3, 1)


class Transposed(Layer):
    """A transposed convolution of `[n, h, w, inputs]`: of its rows and columns, `size` behind the first `before`."""

    def __init__(self, inputs, outputs, kernel, stride, before, size, then=None, activation=None):
        super().__init__(outputs, (inputs, outputs, *kernel), inputs * kernel[0] * kernel[1], then, activation)
        self.stride, self.before, self.size = stride, before, size

    def forward(self, x):
        x = F.conv_transpose2d(x.permute(0, 3, 1, 2), self.weight, None, self.stride)
        (top, left), (height, width) = self.before, self.size
        x = F.pad(x, (0, max(0, left + width - x.shape[3]), 0, max(0, top + height - x.shape[2])))
        x = x[:, :, top : top + height, left : left + width]
        if self.bias is not None:
            x = x + self.bias.reshape(-1, 1, 1)
        return self.finish(x).permute(0, 2, 3, 1)


class Linear(Layer):
    """A fully connected layer over the last axis."""

    def __init__(self, inputs, outputs, then=None, activation=None):
        super().__init__(outputs, (outputs, inputs), inputs, then, activation)

    def forward(self, x):
        x = F.linear(x, self.weight, self.bias)
        if self.norm is None:
            return activate(x, self.activation)
        return self.finish(x.reshape(len(x), -1, x.shape[-1]).transpose(1, 2)).transpose(1, 2).reshape(x.shape)


class Slopes(nn.Module):
    """A rectifier whose slopes below 0 are learnt."""

    def __init__(self, *shape):
        super().__init__()
        self.slope = nn.Parameter(torch.full(shape, 0.25))

    def forward(self, x):
        return torch.where(x > 0, x, self.slope * x)


def average_pool(x, window, stride, padding):
    """The mean of what lies inside of `[n, h, w, c]`."""
    top, bottom, left, right = padding
    pool = lambda v: F.avg_pool2d(F.pad(v.permute(0, 3, 1, 2), (left, right, top, bottom)), window, stride)
    return (pool(x) / pool(torch.ones_like(x[:1]))).permute(0, 2, 3, 1)


def max_pool(x, window, stride, padding):
    top, bottom, left, right = padding
    x = F.pad(x.permute(0, 3, 1, 2), (left, right, top, bottom), value=-float("inf"))
    return F.max_pool2d(x, window, stride).permute(0, 2, 3, 1)


def resize(x, kind, size, align_corners, half_pixel_centers):
    """`[n, h, w, c]` in another size, as TensorFlow Lite does it."""
    shift = 0.5 if half_pixel_centers else 0.0
    # A CUDA graph takes nothing from the CPU.
    device = x.device if x.is_cuda else "cpu"
    for axis in (1, 2):
        old, new = x.shape[axis], size[axis - 1]
        step = (old - 1) / (new - 1) if align_corners and new > 1 else old / new
        place = (torch.arange(new, dtype=torch.float64, device=device) + shift) * step
        pick = lambda at: x.index_select(axis, at.clamp(0, old - 1).long().to(x.device))
        if kind == "nearest":
            x = pick(torch.floor(place + 0.5) if align_corners else torch.floor(place))
            continue
        place = place - shift
        low = torch.floor(place)
        share = (place - low).to(x).reshape(-1, *[1] * (3 - axis))
        x = pick(low) * (1 - share) + pick(torch.ceil(place)) * share
    return x


def load(model, path):
    """Reads a safetensors file into a model; gives its text of names and values."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    notes = header.pop("__metadata__", {})
    state = {}
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        values = numpy.frombuffer(data[first:last], {"F32": "<f4", "F64": "<f8"}[entry["dtype"]])
        state[name] = torch.tensor(values.reshape(entry["shape"]))
    model.load_state_dict(state)
    return notes


def save(model, path, notes):
    """Writes the parameters and buffers of a model as float32, with such a text, for `smidgen train --weights`."""
    header, parts, at = {"__metadata__": notes}, [], 0
    for name, tensor in model.state_dict().items():
        values = tensor.detach().cpu().contiguous().numpy().astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [at, at + len(values)]}
        parts.append(values)
        at += len(values)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(parts))
