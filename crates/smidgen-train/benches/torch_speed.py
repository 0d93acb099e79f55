"""CPU time of a training step in PyTorch: NETWORK PIXELS BATCH THREADS.

For each number of seconds that it reads, it measures so long and prints processor microseconds an image, and images a
second.
"""

import resource
import sys
import time

import torch
from torch import nn


def scaled(channels, width):
    near = max(8, int(channels * width + 4) // 8 * 8)
    return near + 8 if near < 0.9 * channels * width else near


def convolution(c, out, kernel=1, stride=1, groups=1, active=True):
    layers = [
        nn.Conv2d(c, out, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(out),
    ]
    return layers + [nn.ReLU6(inplace=True)] if active else layers


class InvertedResidual(nn.Module):
    def __init__(self, c, expansion, out, stride):
        super().__init__()
        wide = c * expansion
        self.adds = stride == 1 and c == out and expansion > 1
        self.layers = nn.Sequential(
            *(convolution(c, wide) if expansion > 1 else []),
            *convolution(wide, wide, 3, stride, wide),
            *convolution(wide, out, active=False),
        )

    def forward(self, x):
        return x + self.layers(x) if self.adds else self.layers(x)


def network(width, stem, head, rows):
    c, stride = stem
    layers = convolution(3, c, 3, stride)
    for expansion, channels, repetitions, stride in rows:
        out = scaled(channels, width)
        for i in range(repetitions):
            layers.append(InvertedResidual(c, expansion, out, stride if i == 0 else 1))
            c = out
    if head:
        layers += convolution(c, head)
        c = head
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c, 10))


MOBILENET = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
RESIDUAL = [(1, 16, 1, 1), (4, 24, 2, 2), (4, 32, 3, 2), (4, 64, 1, 1)]

name, pixels, batch, threads = sys.argv[1], *map(int, sys.argv[2:5])
torch.set_num_threads(threads)
torch.manual_seed(0)
net = network(0.35, (16, 2), 1280, MOBILENET) if name == "mobilenet" else network(1.0, (16, 1), 0, RESIDUAL)
net = net.to(memory_format=torch.channels_last)
x = torch.randn(batch, 3, pixels, pixels).contiguous(memory_format=torch.channels_last)
y = torch.arange(batch) * 7 % 10
optimiser = torch.optim.SGD(net.parameters(), 0.01, momentum=0.9, nesterov=True)
loss = nn.CrossEntropyLoss()


def step():
    optimiser.zero_grad(set_to_none=True)
    loss(net(x), y).backward()
    optimiser.step()


def processor():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


for _ in range(2):
    step()
for line in sys.stdin:
    seconds = float(line)
    step()
    wall, cpu, steps = time.time(), processor(), 0
    while steps < 2 or time.time() - wall < seconds:
        step()
        steps += 1
    print((processor() - cpu) / steps / batch * 1e6, steps * batch / (time.time() - wall), flush=True)
