"""Gradients of generated modules, in float64.

Reads folders' names from standard input, and answers each with the loss once `g.bin` and `o.bin` lie there. A folder
holds `network.py`, the inputs `x.bin` and the module's tensors `w.bin` (f32), the labels `y.bin` (u32), and `task.json`:
shape of a sample, samples of a shard, shards that are normalised together, label smoothing, and name and shape of each
tensor. `g.bin` holds the tensors' gradients, NaN for those without, `o.bin` the outputs in evaluation mode, all f64.
"""

import importlib.util
import json
import sys

import numpy
import torch
import torch.nn.functional as F

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)


def run(folder):
    task = json.load(open(f"{folder}/task.json"))
    spec = importlib.util.spec_from_file_location("network", f"{folder}/network.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.SHARD, module.TOGETHER = task["shard"], task["together"]
    read = lambda name, kind, wide: torch.tensor(numpy.fromfile(f"{folder}/{name}.bin", kind).astype(wide))
    x, y, w = read("x", "<f4", "f8"), read("y", "<u4", "i8"), read("w", "<f4", "f8")
    network = module.Network()
    state, at = {}, 0
    for name, shape in task["tensors"]:
        count = int(numpy.prod(shape))
        state[name] = w[at : at + count].reshape(shape)
        at += count
    network.load_state_dict(state)
    x = x.reshape(len(y), *task["shape"])
    network.eval()
    with torch.no_grad():
        network(x).reshape(len(y), -1).numpy().tofile(f"{folder}/o.bin")
    network.train()
    loss = F.cross_entropy(network(x).reshape(len(y), -1), y, label_smoothing=task["smoothing"])
    loss.backward()
    # Shared tensors have several names.
    gradients = {name: p.grad for name, p in network.named_parameters(remove_duplicate=False)}
    parts = []
    for name, shape in task["tensors"]:
        gradient = gradients.get(name)
        parts.append(numpy.full(shape, numpy.nan).ravel() if gradient is None else gradient.numpy().ravel())
    numpy.concatenate(parts).tofile(f"{folder}/g.bin")
    return loss.item()


for line in sys.stdin:
    print(run(line.strip()), flush=True)
