"""The gradients of integer networks by PyTorch's automatic differentiation, in double precision.

Reads networks from the file that the first argument names and writes their gradients to the second. A network computes real numbers in units of its
stored integers; what is stored takes the place of what is computed, so that only slopes count: roundings have slope 1, clamps 1 within their
limits and 0 beyond.
"""

import json
import sys

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def finish(u, stored, low, high, factor=0.01):
    """What is stored, with the slope of `u` where its rounded value is within the limits. Integer kernels round twice, and may be on the other side
    of a limit where `u` is close to a half beyond it: such networks are left out."""
    global near
    # The first rounding is to the half of a power of two near the factor.
    close = 0.01 + torch.as_tensor(factor)
    near += sum(int(((u.detach() - end).abs() < close).sum()) for end in (low - 0.5, high + 0.5))
    inside = (u.detach() + 0.5).floor()
    inside = (inside >= low) & (inside <= high)
    passed = torch.where(inside, u, torch.zeros_like(u))
    return stored + (passed - passed.detach())


def padded(x, op, value):
    """Rows and columns around an image `[N, C, H, W]`."""
    (top, bottom), (left, right) = op["pads"]
    return F.pad(x, (left, right, top, bottom), value=value)


def image(x):
    return x.permute(0, 3, 1, 2)


def rows(x):
    return x.permute(0, 2, 3, 1)


def function(kind, x, alpha):
    if kind == "LOGISTIC":
        return torch.sigmoid(x)
    if kind == "TANH":
        return torch.tanh(x)
    if kind == "HARD_SWISH":
        return F.hardswish(x)
    if kind == "LEAKY_RELU":
        return torch.where(x >= 0, x, alpha * x)
    if kind == "RELU6":
        return torch.where((x >= 0) & (x <= 6), x, x.detach().clamp(0, 6))
    if kind == "RELU":
        return torch.where(x >= 0, x, torch.zeros_like(x))
    if kind == "QUANTIZE":
        return x
    raise ValueError(kind)


def interpolation(kind, inputs, outputs, half):
    """What each output takes of each input along an axis."""
    matrix = torch.zeros(outputs, inputs)
    for i in range(outputs):
        at = (i + 0.5) * inputs / outputs if half else i * inputs / outputs
        if kind == "RESIZE_NEAREST_NEIGHBOR":
            # The operator is defined in float32.
            single = torch.float32
            scale = torch.tensor(inputs, dtype=single) / torch.tensor(outputs, dtype=single)
            at = torch.tensor(i + 0.5 if half else i, dtype=single) * scale
            matrix[i, min(int(at), inputs - 1)] = 1
            continue
        at = min(max(at - 0.5 if half else at, 0), inputs - 1)
        first = int(at)
        matrix[i, first] += 1 - (at - first)
        matrix[i, min(first + 1, inputs - 1)] += at - first
    return matrix


def run(network):
    global near
    near = 0
    tensors = network["tensors"]
    values = {}

    def shape(i):
        return tensors[i]["shape"]

    def stored(i):
        return torch.tensor(tensors[i]["stored"]).reshape(shape(i))

    def scale(i):
        return tensors[i]["scale"], tensors[i]["zero"]

    values[network["input"]] = stored(network["input"])
    parameters = {}
    for index, op in enumerate(network["operators"]):
        kind, y = op["op"], op["outputs"][0]
        x = [values.get(i) for i in op["inputs"]]
        (sx, zx), (sy, zy) = scale(op["inputs"][0]), scale(y)
        low, high = op["limits"]
        if kind in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
            w, b = op["inputs"][1], op["inputs"][2]
            weights = torch.tensor(tensors[w]["stored"]).reshape(shape(w)).requires_grad_()
            bias = torch.tensor(tensors[b]["stored"]).reshape(-1).requires_grad_()
            parameters[index] = (weights, bias)
            e = sx * torch.tensor(tensors[w]["scales"]) / sy
            if kind == "FULLY_CONNECTED":
                acc = (x[0] - zx).reshape(-1, shape(w)[1]) @ weights.t() + bias
            else:
                centred = padded(image(x[0] - zx), op, 0.0)
                if kind == "CONV_2D":
                    taps, groups = weights.permute(0, 3, 1, 2), 1
                else:
                    taps, groups = weights.permute(3, 0, 1, 2), centred.shape[1]
                acc = F.conv2d(centred, taps, stride=op["stride"], dilation=op["dilation"], groups=groups)
                acc = rows(acc) + bias
            u = (acc * e + zy).reshape(shape(y))
            values[y] = finish(u, stored(y), low, high, e)
            continue
        elif kind == "ADD":
            (sb, zb) = scale(op["inputs"][1])
            u = ((x[0] - zx) * sx + (x[1] - zb) * sb) / sy + zy
        elif kind == "MUL":
            (sb, zb) = scale(op["inputs"][1])
            u = (x[0] - zx) * (x[1] - zb) * (sx * sb / sy) + zy
        elif kind == "AVERAGE_POOL_2D":
            total = F.avg_pool2d(padded(image(x[0] - zx), op, 0.0), op["window"], op["stride"], divisor_override=1)
            ones = F.avg_pool2d(
                padded(torch.ones_like(image(x[0])), op, 0.0), op["window"], op["stride"], divisor_override=1
            )
            values[y] = stored(y) + slope_only(rows(total / ones) * sx / sy)
            continue
        elif kind == "MAX_POOL_2D":
            best = F.max_pool2d(padded(image(x[0]), op, -1e9), op["window"], op["stride"])
            values[y] = stored(y) + slope_only(rows(best))
            continue
        elif kind in ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"):
            assert not op["align"]
            down = interpolation(kind, shape(op["inputs"][0])[1], shape(y)[1], op["half"])
            across = interpolation(kind, shape(op["inputs"][0])[2], shape(y)[2], op["half"])
            values[y] = stored(y) + slope_only(torch.einsum("oh,nhwc,pw->nopc", down, x[0], across) * sx / sy)
            continue
        elif kind == "MEAN":
            values[y] = stored(y) + slope_only((x[0].mean(dim=op["axes"]) * sx / sy).reshape(shape(y)))
            continue
        elif kind in ("PAD", "TRANSPOSE", "SLICE", "RESHAPE", "CONCATENATION", "SPLIT"):
            if kind == "PAD":
                flat = [side for axis in reversed(op["pads"]) for side in axis]
                parts = [F.pad(x[0] - zx, flat)]
            elif kind == "TRANSPOSE":
                parts = [x[0].permute(op["perm"])]
            elif kind == "SLICE":
                parts = [x[0][tuple(slice(b, b + n) for b, n in zip(op["begin"], op["size"]))]]
            elif kind == "RESHAPE":
                parts = [x[0].reshape(shape(y))]
            elif kind == "CONCATENATION":
                scaled = [v * scale(i)[0] / sy for v, i in zip(x, op["inputs"])]
                parts = [torch.cat(scaled, dim=op["axis"])]
            else:
                parts = torch.split(x[0], shape(y)[op["axis"]], dim=op["axis"])
            for part, i in zip(parts, op["outputs"]):
                values[i] = stored(i) + slope_only(part)
            continue
        else:
            u = function(kind, (x[0] - zx) * sx, op.get("alpha", 0.0)) / sy + zy
        values[y] = finish(u, stored(y), low, high)

    for value in values.values():
        if value.requires_grad:
            value.retain_grad()
    features = values[network["features"]]
    (features * torch.tensor(network["gradient"]).reshape(features.shape)).sum().backward()
    listed = lambda t: None if t is None else t.reshape(-1).tolist()
    return {
        "near": near,
        "tensors": {str(i): listed(v.grad) for i, v in values.items() if v.requires_grad},
        "parameters": {str(i): [listed(w.grad), listed(b.grad)] for i, (w, b) in parameters.items()},
    }


def slope_only(u):
    return u - u.detach()


with open(sys.argv[1]) as given:
    networks = json.load(given)
with open(sys.argv[2], "w") as answers:
    json.dump([run(network) for network in networks], answers)
