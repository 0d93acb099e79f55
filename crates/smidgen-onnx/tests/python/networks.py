"""Writes networks exported from PyTorch to standard output, each with an input and PyTorch's outputs, for networks.rs to read.

Arguments: a folder to export into. The format is that of node_cases.py: u8 1, blob name, blob model, u32 inputs, tensors,
u32 outputs, tensors; u8 2, blob name and blob message for an export that failed; u8 0 at the end.
"""

import os
import struct
import sys
import warnings

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

IMAGE = 1, 3, 64, 64


def conv(inputs, outputs, kernel=3, stride=1, groups=1, activation=nn.ReLU6):
    layers = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, *([activation()] if activation else []))


class Inverted(nn.Module):
    """MobileNetV2's block: expand, filter each channel, project."""

    def __init__(self, inputs, outputs, stride, expansion):
        super().__init__()
        hidden = inputs * expansion
        self.residual = stride == 1 and inputs == outputs
        self.layers = nn.Sequential(
            *([conv(inputs, hidden, 1)] if expansion > 1 else []),
            conv(hidden, hidden, 3, stride, hidden),
            conv(hidden, outputs, 1, activation=None),
        )

    def forward(self, x):
        return x + self.layers(x) if self.residual else self.layers(x)


def rounded(channels):
    return max(8, int(channels + 4) // 8 * 8)


class MobileNetV2(nn.Module):
    def __init__(self, width=0.35, classes=10):
        super().__init__()
        settings = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
        channels = rounded(32 * width)
        blocks = [conv(3, channels, 3, 2)]
        for expansion, outputs, count, stride in settings:
            for i in range(count):
                blocks.append(Inverted(channels, rounded(outputs * width), stride if i == 0 else 1, expansion))
                channels = rounded(outputs * width)
        blocks.append(conv(channels, 1280, 1))
        self.features = nn.Sequential(*blocks)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, classes))

    def forward(self, x):
        return self.classifier(self.features(x).mean([2, 3]))


class Basic(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.layers = nn.Sequential(
            conv(inputs, outputs, 3, stride, activation=nn.ReLU), conv(outputs, outputs, activation=None)
        )
        self.short = conv(inputs, outputs, 1, stride, activation=None) if stride > 1 or inputs != outputs else nn.Identity()

    def forward(self, x):
        return F.relu(self.layers(x) + self.short(x))


class ResNet18(nn.Module):
    """A quarter of the channels of ResNet-18."""

    def __init__(self, width=16, classes=10):
        super().__init__()
        self.stem = nn.Sequential(conv(3, width, 7, 2, activation=nn.ReLU), nn.MaxPool2d(3, 2, 1))
        sizes = [width, width, 2 * width, 4 * width, 8 * width]
        self.blocks = nn.Sequential(*[
            Basic(a if i == 0 else b, b, 2 if i == 0 and a != b else 1) for a, b in zip(sizes, sizes[1:]) for i in range(2)
        ])
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(8 * width, classes)

    def forward(self, x):
        return self.classifier(torch.flatten(self.pool(self.blocks(self.stem(x))), 1))


class SqueezeExcite(nn.Module):
    """Blocks whose channels are gated, as MobileNetV3's: HardSwish and HardSigmoid."""

    class Gate(nn.Module):
        def __init__(self, channels):
            super().__init__()
            self.down, self.up = nn.Conv2d(channels, channels // 4, 1), nn.Conv2d(channels // 4, channels, 1)

        def forward(self, x):
            return x * F.hardsigmoid(self.up(F.relu(self.down(F.adaptive_avg_pool2d(x, 1)))))

    def __init__(self, classes=10):
        super().__init__()
        self.layers = nn.Sequential(
            conv(3, 16, 3, 2, activation=nn.Hardswish),
            conv(16, 16, 3, 2, 16, activation=nn.ReLU),
            self.Gate(16),
            conv(16, 32, 1, activation=nn.Hardswish),
            conv(32, 32, 5, 2, 32, activation=nn.SiLU),
            self.Gate(32),
            conv(32, 48, 1, activation=nn.Hardswish),
        )
        # Channels first when it flattens.
        self.classifier = nn.Sequential(nn.Flatten(), nn.Linear(48 * 64, 32), nn.ReLU(), nn.Linear(32, classes), nn.Softmax(1))

    def forward(self, x):
        return self.classifier(self.layers(x))


class UNet(nn.Module):
    def __init__(self, width=8, classes=4):
        super().__init__()
        relu = {"activation": nn.ReLU}
        self.down = nn.ModuleList([conv(3, width, **relu), conv(width, 2 * width, **relu), conv(2 * width, 4 * width, **relu)])
        self.up = nn.ModuleList([
            nn.ConvTranspose2d(4 * width, 2 * width, 2, 2),
            nn.ConvTranspose2d(2 * width, width, 3, 2, 1, output_padding=1),
        ])
        self.join = nn.ModuleList([conv(4 * width, 2 * width, **relu), conv(2 * width, width, **relu)])
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, x):
        a = self.down[0](x)
        b = self.down[1](F.max_pool2d(a, 2))
        c = self.down[2](F.max_pool2d(b, 2))
        b = self.join[0](torch.cat([self.up[0](c), b], 1))
        a = self.join[1](torch.cat([self.up[1](b), a], 1))
        return F.interpolate(self.head(a), scale_factor=2, mode="bilinear", align_corners=False)


class Shuffle(nn.Module):
    """Grouped convolutions whose channels are shuffled by reshaping, and split; lines and normalisation besides."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 12, 3, 2, 1)
        self.grouped = nn.Conv2d(12, 12, 3, padding=1, groups=3)
        self.lines = nn.Conv1d(12, 6, 3, padding=1)
        self.norm = nn.LayerNorm(6)

    def forward(self, x):
        x = self.grouped(self.first(x))
        n, c, h, w = x.shape
        x = x.view(n, 3, c // 3, h, w).transpose(1, 2).reshape(n, c, h, w)
        a, b = x.chunk(2, 1)
        x = torch.cat([F.leaky_relu(a), F.pad(b, (1, -1, 0, 0))], 1)
        lines = self.lines(x.mean(2)).transpose(1, 2)
        return self.norm(lines)


def tensors(stream, named):
    stream.write(struct.pack("<I", len(named)))
    for name, array in named:
        blob(stream, name.encode())
        stream.write(struct.pack(f"<II{array.ndim}I", 1, array.ndim, *array.shape))
        blob(stream, np.ascontiguousarray(array).tobytes())


def blob(stream, data):
    stream.write(struct.pack("<I", len(data)))
    stream.write(data)


def settle(model):
    """Statistics and scales of batch normalisation as training might leave them."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return model.eval()


def main(folder):
    stream = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    networks = [MobileNetV2, ResNet18, SqueezeExcite, UNet, Shuffle]
    for seed, network in enumerate(networks):
        torch.manual_seed(seed)
        model = settle(network())
        x = torch.randn(IMAGE)
        with torch.no_grad():
            y = model(x)
        for dynamo in (False, True):
            name = f"{network.__name__} by the {'newer' if dynamo else 'older'} exporter"
            path = os.path.join(folder, f"{seed}-{dynamo}.onnx")
            try:
                torch.onnx.export(
                    model, (x,), path, input_names=["x"], output_names=["y"], dynamo=dynamo, external_data=False
                )
            except Exception as error:  # the exporter's, whatever it is
                stream.write(b"\x02")
                blob(stream, name.encode())
                blob(stream, f"{type(error).__name__}: {error}".encode())
                continue
            stream.write(b"\x01")
            blob(stream, name.encode())
            with open(path, "rb") as file:
                blob(stream, file.read())
            tensors(stream, [("x", x.numpy())])
            tensors(stream, [("y", y.numpy())])
    stream.write(b"\x00")
    stream.flush()


main(sys.argv[1])
