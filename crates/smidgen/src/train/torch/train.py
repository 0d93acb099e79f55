"""Trains network.py by the recipe of `smidgen train`, on one device or on many:

    python train.py --data data.npz
    torchrun --nproc-per-node 2 train.py --data data.npz

The data are arrays x_train and y_train, perhaps x_test and y_test, as `smidgen export --torch DIR ... --data SET` writes
them: pictures as bytes [n, height, width, channels], or what the network takes as float32. The samples of a step are
divided among the processes in whole shards, which are normalised by themselves, and come in the order and the views that
`smidgen train` gives them: a step has the same gradient for any number of processes. What comes of it goes back with

    smidgen train ... --weights trained.safetensors --epochs 0 -o trained.tflite

or with more epochs, of which the last may be quantisation-aware.
"""

import argparse
import json
import os
import pathlib

import numpy
import torch
import torch.distributed as dist
import torch.nn.functional as F

import network

FOLDER = pathlib.Path(__file__).resolve().parent
U64 = numpy.uint64
# Steps before one is captured: libraries choose their kernels in the first ones.
WARM = 3


def mixed(states):
    """What SplitMix64 (Steele, Lea and Flood 2014) draws from these states, as `smidgen train` does too."""
    states = states ^ states >> U64(30)
    states = states * U64(0xBF58476D1CE4E5B9)
    states = states ^ states >> U64(27)
    states = states * U64(0x94D049BB133111EB)
    return states ^ states >> U64(31)


def drawn(seeds, count):
    """The first numbers from each of these seeds (uint64): `[seeds, count]`."""
    return mixed(seeds[:, None] + U64(0x9E3779B97F4A7C15) * numpy.arange(1, count + 1, dtype=U64))


def below(numbers, n):
    """The upper halves of the products with n, which is at most 32 bits long."""
    high, low = numbers >> U64(32), numbers & U64(0xFFFFFFFF)
    return (high * n + (low * n >> U64(32)) >> U64(32)).astype(numpy.int64)


def order_of(count, seed, epoch):
    """The order of the samples in an epoch."""
    seeds = drawn(~numpy.array([seed], U64), 1)[0] ^ U64(epoch)
    ends = numpy.arange(count - 1, 0, -1)
    order = list(range(count))
    for i, j in zip(ends.tolist(), below(drawn(seeds, count - 1)[0], ends.astype(U64) + U64(1)).tolist()):
        order[i], order[j] = order[j], order[i]
    return torch.tensor(order)


def views_of(height, width, seed, epoch, samples):
    """For each of these samples, rows and columns by which it is shifted in an epoch, and whether it is mirrored."""
    seeds = drawn(numpy.array([seed], U64), 1)[0] ^ U64(epoch)
    numbers = drawn(drawn(seeds, 1)[0] ^ samples.numpy().astype(U64), 3)
    shifts = [below(numbers[:, i], U64(2 * (side // 8) + 1)) - side // 8 for i, side in enumerate((height, width))]
    return torch.from_numpy(numpy.stack([*shifts, (numbers[:, 2] >> U64(63)).astype(numpy.int64)], 1))


def reflected(index, side):
    index = index.abs()
    return torch.where(index > side - 1, 2 * (side - 1) - index, index).clamp(0, side - 1)


def pictures(bytes, pixels, dtype):
    """Bytes [n, h, w, c] as the numbers that the network was made for."""
    low, step = (torch.tensor(pixels[key], dtype=dtype, device=bytes.device) for key in ("low", "step"))
    bytes = bytes[..., pixels["source"]]
    return (bytes.view(torch.int8) if pixels["signed"] else bytes).to(dtype) * step + low


def inputs_of(x, chosen, recipe, dtype, views=None):
    """The network's inputs for these samples: as they are, or in these views."""
    if not recipe["pictures"]:
        return x[chosen].to(dtype)
    if views is None:
        return pictures(x[chosen], recipe["pixels"], dtype)
    height, width = x.shape[1:3]
    rows = reflected(torch.arange(height, device=x.device) + views[:, :1], height)
    columns = torch.arange(width, device=x.device)
    columns = torch.where(views[:, 2:] == 1, width - 1 - columns, columns)
    columns = reflected(columns + views[:, 1:2], width)
    return pictures(x[chosen[:, None, None], rows[:, :, None], columns[:, None, :]], recipe["pixels"], dtype)


def differentiate(model, x, y, smoothing):
    """Adds the gradient of the mean loss; gives the loss and the outputs."""
    outputs = model(x).reshape(len(x), -1)
    loss = F.cross_entropy(outputs, y, label_smoothing=smoothing)
    loss.backward()
    return loss.detach(), outputs.detach()


class Captured:
    """`differentiate` as a CUDA graph, for one size of step: small kernels take less time than their calls."""

    def __init__(self, model, x, y, smoothing):
        self.x, self.y, self.graph = x.clone(), y.clone(), torch.cuda.CUDAGraph()
        # Gradients that the graph makes itself are written anew by each replay.
        model.zero_grad(set_to_none=True)
        try:
            with torch.cuda.graph(self.graph):
                self.results = differentiate(model, self.x, self.y, smoothing)
        except RuntimeError as error:
            raise SystemExit(f"this network is no CUDA graph: train with --no-graph\n{error}") from error

    def __call__(self, x, y):
        self.x.copy_(x)
        self.y.copy_(y)
        self.graph.replay()
        return self.results


def rate_at(t, recipe):
    """One cycle: linear from `first` to 1 in the share `rise` of the time, then linear to `last`."""
    rise, first, last = (recipe[key] for key in ("rise", "first", "last"))
    if t < rise:
        return recipe["rate"] * (first + (1 - first) * t / rise)
    return recipe["rate"] * (1 + (last - 1) * (t - rise) / (1 - rise))


def optimiser_of(model, recipe):
    """Stochastic gradient descent with Nesterov's momentum; weights alone decay."""
    weights = [module.weight for module in model.modules() if isinstance(module, network.Layer)]
    weights = list({id(weight): weight for weight in weights}.values())
    known = {id(weight) for weight in weights}
    others = [parameter for parameter in model.parameters() if id(parameter) not in known]
    groups = [{"params": weights, "weight_decay": recipe["decay"]}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.SGD(groups, lr=recipe["rate"], momentum=recipe["momentum"], nesterov=True)


def sizes_of(count, recipe, world):
    """Steps of an epoch, and samples of each: whole shards for every process."""
    batch, unit = recipe["batch"], recipe["shard"] * world
    steps = max(1, -(-count // batch))
    size = min(batch, -(-(-(-count // steps)) // unit) * unit)
    if size % unit:
        raise SystemExit(f"{world} processes need a --batch of a multiple of {unit} samples, not {size}")
    return steps, size


def average_norms(model, world):
    """Means and variances that processes have gathered by themselves become those of all."""
    for module in model.modules():
        if isinstance(module, network.Norm) and world > 1:
            for buffer in (module.running_mean, module.running_var):
                dist.all_reduce(buffer)
                buffer /= world


def recalibrate(model, x, chosen, recipe, dtype, views, size):
    """Counts means and variances anew on these samples, with the weights that training ends with."""
    norms = [module for module in model.modules() if isinstance(module, network.Norm)]
    for norm in norms:
        norm.steps.zero_()
        norm.least_share = 0.0
    model.train()
    with torch.no_grad():
        for at in range(0, len(chosen), size):
            end = at + size
            model(inputs_of(x, chosen[at:end], recipe, dtype, None if views is None else views[at:end]))


def accuracy(model, x, y, recipe, dtype, rank, world):
    """The share of samples that are right, each process counting some."""
    model.eval()
    counts = torch.zeros(2, dtype=torch.float64, device=x.device)
    with torch.no_grad():
        for chosen in torch.arange(rank, len(y), world, device=x.device).split(512):
            outputs = model(inputs_of(x, chosen, recipe, dtype)).reshape(len(chosen), -1)
            counts[0] += (outputs.argmax(1) == y[chosen]).sum()
            counts[1] += len(chosen)
    if world > 1:
        dist.all_reduce(counts)
    return (counts[0] / counts[1]).item()


def main():
    recipe = json.loads((FOLDER / "recipe.json").read_text())
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=FOLDER / "data.npz", help="an .npz file [default: data.npz beside this]")
    parser.add_argument("--weights", default=FOLDER / "weights.safetensors", help="what training begins with")
    parser.add_argument("--output", default=FOLDER / "trained.safetensors", help="what comes of it")
    parser.add_argument("--checkpoint", help="write this file after each epoch, and go on from it if it is there")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    parser.add_argument(
        "--graph",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="take steps as a CUDA graph, where there is one process with a GPU",
    )
    for key in ("epochs", "batch", "rate", "seed"):
        parser.add_argument(f"--{key}", type=type(recipe[key]), default=recipe[key])
    arguments = parser.parse_args()
    recipe.update({key: getattr(arguments, key) for key in ("epochs", "batch", "rate", "seed")})

    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    device, dtype = torch.device(arguments.device), getattr(torch, arguments.dtype)
    if world > 1:
        if device.type == "cuda":
            device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
            torch.cuda.set_device(device)
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    graph = arguments.graph and device.type == "cuda" and world == 1
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True
        network.TOGETHER = recipe["batch"]
    if graph:
        # What a graph is to hold must have run on a stream that is not the default one.
        torch.cuda.set_stream(torch.cuda.Stream())
    network.SHARD = recipe["shard"]
    model = network.Network()
    notes = network.load(model, arguments.weights)
    model = model.to(device, dtype)
    optimiser = optimiser_of(model, recipe)
    parallel = model
    if world > 1:
        devices = [device] if device.type == "cuda" else None
        parallel = torch.nn.parallel.DistributedDataParallel(model, devices, broadcast_buffers=False)

    data = numpy.load(arguments.data)
    part = lambda name, kind: torch.as_tensor(data[name].astype(kind)).to(device) if name in data else None
    kind = numpy.uint8 if recipe["pictures"] else numpy.float32
    x, y = part("x_train", kind), part("y_train", numpy.int64)
    x_test, y_test = part("x_test", kind), part("y_test", numpy.int64)
    steps, size = sizes_of(len(y), recipe, world)
    own = size // world
    begun = 0
    if arguments.checkpoint and os.path.exists(arguments.checkpoint):
        saved = torch.load(arguments.checkpoint, map_location=device)
        model.load_state_dict(saved["model"])
        optimiser.load_state_dict(saved["optimiser"])
        begun = saved["epochs"]
        for module in model.modules():
            if isinstance(module, network.Norm):
                module.steps.fill_(begun * steps)

    gradient = lambda x, y: differentiate(parallel, x, y, recipe["smoothing"])
    captured = None
    for epoch in range(begun, recipe["epochs"]):
        order = order_of(len(y), recipe["seed"], epoch)
        # This process' samples of each step; the last step begins at the front again.
        places = torch.arange(steps * size).reshape(steps, world, own)[:, rank] % len(order)
        chosen, views = order[places], None
        if recipe["augment"] and recipe["pictures"]:
            views = views_of(*x.shape[1:3], recipe["seed"], epoch, torch.arange(len(y))).to(device)
        order, chosen = order.to(device), chosen.to(device)
        view = lambda samples: None if views is None else views[samples]
        sums = torch.zeros(2, dtype=torch.float64, device=device)
        parallel.train()
        for step in range(steps):
            rate = rate_at((epoch * steps + step) / (recipe["epochs"] * steps), recipe)
            for group in optimiser.param_groups:
                group["lr"] = rate
            inputs = inputs_of(x, chosen[step], recipe, dtype, view(chosen[step]))
            labels = y[chosen[step]]
            if graph and captured is None and (epoch - begun) * steps + step == WARM:
                captured = Captured(model, inputs, labels, recipe["smoothing"])
            if captured is None:
                optimiser.zero_grad(set_to_none=True)
            loss, outputs = (captured or gradient)(inputs, labels)
            if recipe["clip"] is not None:
                torch.nn.utils.clip_grad_norm_(model.parameters(), recipe["clip"])
            optimiser.step()
            sums += torch.stack([loss.double(), (outputs.argmax(1) == labels).double().mean()])
        if world > 1:
            dist.all_reduce(sums)
        average_norms(model, world)
        if epoch + 1 == recipe["epochs"]:
            settling = order[: recipe["settling"]]
            recalibrate(model, x, settling, recipe, dtype, view(settling), size)
        loss, right = (sums / (steps * world)).tolist()
        if not numpy.isfinite(loss):
            raise SystemExit(f"training has diverged in epoch {epoch + 1}: take a smaller --rate")
        tested = ""
        if x_test is not None:
            tested = f"  test {100 * accuracy(model, x_test, y_test, recipe, dtype, rank, world):.2f} %"
        if rank == 0:
            text = f"epoch {epoch + 1} of {recipe['epochs']}  loss {loss:.4f}  training {100 * right:.2f} %{tested}"
            print(text, flush=True)
            if arguments.checkpoint:
                saved = {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "epochs": epoch + 1}
                torch.save(saved, f"{arguments.checkpoint}.new")
                os.replace(f"{arguments.checkpoint}.new", arguments.checkpoint)
    if rank == 0:
        network.save(model, arguments.output, notes)
    if world > 1:
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
