//! `smidgen export --torch`: what is written, what PyTorch makes of it, and what comes back.

use crate::support::{FLOAT, Folder};
use crate::train::{SHAPES, shapes};
use smidgen::{Array, Network};
use smidgen_reference::{Lack, skip};
use std::ffi::OsString;
use std::fs;
use std::process::Command;

const RESNET: [&str; 4] = ["--arch", "resnet8", "--resolution", "16"];

/// The Python that has PyTorch, or a word on what is skipped.
fn torch() -> Option<OsString> {
    let python = std::env::var_os("SMIDGEN_TORCH");
    if python.is_none() {
        skip(Lack::Optional, "training by PyTorch", "SMIDGEN_TORCH names no Python that has it");
    }
    python
}

/// Runs Python in the folder, and gives what it prints.
#[track_caller]
fn python(folder: &Folder, command: &OsString, arguments: &[&str]) -> String {
    let output = Command::new(command).args(arguments).current_dir(folder.path("")).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    String::from_utf8(output.stdout).unwrap()
}

fn export(folder: &Folder, more: &[&str]) -> String {
    folder.smidgen(&[&["export", "--torch", "out"], more].concat()).expect(0).stdout
}

#[test]
fn a_folder_for_pytorch_is_readable_and_its_weights_come_back() {
    let folder = Folder::new();
    shapes(&folder, &SHAPES, &[("train", 20), ("test", 8)]);
    let told = export(&folder, &[&RESNET[..], &["--data", "set", "--seed", "3", "--rate", "0.1"]].concat());
    assert!(told.contains("60 samples of 3 classes"), "{told}");
    let text = |name: &str| fs::read_to_string(folder.path("out").join(name)).unwrap();
    for line in [
        "self.stem = Conv(3, 16, (3, 3), padding=(1, 1, 1, 1), then=\"norm\", activation=\"relu\")",
        "self.classifier = Linear(64, 3, then=\"bias\")",
        "block0_sum = activate(block0_second + stem, \"relu\")",
        "pool = block2_sum.mean((1, 2))",
        "From [n, 16, 16, 3] to [n, 3]",
    ] {
        assert!(text("network.py").contains(line), "no {line:?} in\n{}", text("network.py"));
    }
    let recipe: serde_json::Value = serde_json::from_str(&text("recipe.json")).unwrap();
    assert_eq!((recipe["rate"].as_f64(), recipe["shard"].as_u64()), (Some(0.1), Some(16)));
    assert_eq!(recipe["seed"].as_u64(), Some(3));

    // The weights as they are: those that training would begin with.
    let train = ["train", "--data", "set", "--seed", "4"];
    let zero = ["--weights", "out/weights.safetensors", "--epochs", "0", "-o", "zero.tflite"];
    folder.smidgen(&[&train, &RESNET[..], &zero].concat()).expect(0);
    let same =
        [&["train", "--data", "set", "--seed", "3"], &RESNET[..], &["--rate", "1e-30", "--epochs", "1"]].concat();
    folder.smidgen(&[&same[..], &["-o", "same.tflite"]].concat()).expect(0);
    let weights = |name: &str| {
        let network = Network::open(folder.path(name)).unwrap();
        let last = network.graph().operators.last().unwrap().inputs[1];
        network.graph().tensor(last).floats().unwrap()
    };
    assert_eq!(weights("zero.tflite"), weights("same.tflite"));

    // What is wrong with weights is told, and nothing is written.
    let fewer = ["train", "--data", "set", "--arch", "mobilenetv2-0.35", "--resolution", "16", "-o", "x.tflite"];
    let refused = folder.smidgen(&[&fewer[..], &["--weights", "out/weights.safetensors"]].concat()).expect(2);
    assert!(refused.stderr.contains("weights are of another network"), "{}", refused.stderr);
    folder.write("bad.safetensors", "no such thing");
    let refused = folder.smidgen(&[&fewer[..], &["--weights", "bad.safetensors"]].concat()).expect(4);
    assert!(refused.stderr.contains("not a safetensors file"), "{}", refused.stderr);
    let refused = folder.smidgen(&[&fewer[..], &["--epochs", "0"]].concat()).expect(2);
    assert!(refused.stderr.contains("--weights"), "{}", refused.stderr);
    let refused = folder.smidgen(&["export", "--torch", "set", "--arch", "resnet8", "--classes", "3"]).expect(2);
    assert!(refused.stderr.contains("set"), "{}", refused.stderr);
    let refused = folder.smidgen(&["export", "--torch", "new", "--arch", "resnet8"]).expect(2);
    assert!(refused.stderr.contains("--classes N"), "{}", refused.stderr);
    assert!(!folder.path("new").exists() && !folder.path("x.tflite").exists());
}

#[test]
fn a_network_of_ones_own_keeps_its_biases_without_samples() {
    let folder = Folder::new();
    folder.write("float.ir", FLOAT);
    export(&folder, &["float.ir"]);
    let text = fs::read_to_string(folder.path("out/network.py")).unwrap();
    assert!(text.contains("self.scores = Linear(4, 3, then=\"bias\")"), "{text}");
    folder.write(
        "argmax.ir",
        "graph \"argmax\"\ninputs(%0)\noutputs(%1)\n\n%0 : f32[1x3x4]\n%1 : i32[1x3] = ARG_MAX(%0) axis=2\n",
    );
    let refused = folder.smidgen(&["export", "--torch", "other", "argmax.ir"]).expect(3);
    let told = refused.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("operator 0 ARG_MAX, which writes a tensor without a name"), "{}", refused.stderr);
}

/// With samples, normalisation takes the place of biases; without, these stay. Either way the weights that are written stand
/// for the network that they are of.
#[test]
fn a_trained_network_goes_out_and_comes_back_as_it_was() {
    let folder = Folder::new();
    shapes(&folder, &SHAPES, &[("", 12)]);
    let train = |more: &[&str]| folder.smidgen(&[&["train", "--data", "set"], more].concat()).expect(0);
    // Pixels up to 255: the first weights are scaled in the module, and back.
    train(&[&RESNET[..], &["--normalise", "raw", "--epochs", "3", "--batch", "16", "-o", "one.tflite"]].concat());
    let picture: Vec<f32> = (0..16 * 16 * 3).map(|i| (i * 37 % 256) as f32).collect();
    let outputs = |name: &str| {
        let network = Network::open(folder.path(name)).unwrap();
        network.run(&[Array::from_f32(&[1, 16, 16, 3], &picture)]).unwrap()[0].to_f64()
    };
    for (samples, normalised) in [(&["--data", "set"][..], true), (&[], false)] {
        export(&folder, &[&["one.tflite"], samples].concat());
        let text = fs::read_to_string(folder.path("out/network.py")).unwrap();
        assert!(text.contains("x = x / 128.0"), "{text}");
        assert_eq!(text.contains("then=\"norm\""), normalised, "{text}");
        let weights = ["one.tflite", "--weights", "out/weights.safetensors", "--epochs", "0", "-o", "back.tflite"];
        train(&weights);
        let (before, after) = (outputs("one.tflite"), outputs("back.tflite"));
        let size = before.iter().fold(0f64, |most, value| most.max(value.abs()));
        let far = before.iter().zip(&after).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(far < 1e-5 * size, "{before:?} {after:?}");
    }
}

/// Gradients of one step in float64: by one process and by two.
const GRADIENTS: &str = r#"
import json, os, sys
sys.path.insert(0, "out")
import numpy, torch, torch.distributed as dist
import network, train

recipe = json.load(open("out/recipe.json"))
rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
network.SHARD = recipe["shard"]
model = network.Network()
network.load(model, "out/weights.safetensors")
model = model.double().train()
parallel = model
if world > 1:
    dist.init_process_group("gloo")
    parallel = torch.nn.parallel.DistributedDataParallel(model, broadcast_buffers=False)
data = numpy.load("out/data.npz")
x, y = torch.tensor(data["x_train"]), torch.tensor(data["y_train"].astype(numpy.int64))
steps, size = train.sizes_of(len(y), recipe, world)
own = size // world
order = train.order_of(len(y), recipe["seed"], 0)[rank * own : (rank + 1) * own]
views = train.views_of(*x.shape[1:3], recipe["seed"], 0, order)
inputs = train.inputs_of(x, order, recipe, torch.float64, views)
loss, _ = train.differentiate(parallel, inputs, y[order], recipe["smoothing"])
if rank == 0:
    names = {name: p.grad for name, p in model.named_parameters()}
    numpy.savez(f"gradients{world}.npz", loss=loss.numpy(), **names)
if world > 1:
    dist.destroy_process_group()
"#;

/// Compares them, and with the engine's.
const COMPARE: &str = r#"
import numpy
one, two = numpy.load("gradients1.npz"), numpy.load("gradients2.npz")
far = 0.0
for name in one:
    if name != "loss":
        far = max(far, numpy.linalg.norm(one[name] - two[name]) / numpy.linalg.norm(one[name]))
print(far)
"#;

#[test]
fn pytorch_trains_what_is_exported_with_one_process_as_with_two() {
    let Some(torch) = torch() else { return };
    let folder = Folder::new();
    shapes(&folder, &SHAPES, &[("train", 64), ("test", 20)]);
    let common = [&RESNET[..], &["--data", "set", "--seed", "1", "--batch", "64"]].concat();
    export(&folder, &[&common[..], &["--epochs", "8"]].concat());
    folder.write("gradients.py", GRADIENTS).write("compare.py", COMPARE);
    python(&folder, &torch, &["gradients.py"]);
    let two = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "29517"];
    python(&folder, &torch, &[&two[..], &["gradients.py"]].concat());
    let far: f64 = python(&folder, &torch, &["compare.py"]).trim().parse().unwrap();
    assert!(far < 1e-12, "gradients of one process and of two differ by {far:e}");

    // One epoch: the same samples, views, steps and rates, in floats.
    let epoch = |text: &str| -> f64 {
        let line = text.lines().find(|line| line.contains("loss")).unwrap_or_else(|| panic!("{text}"));
        line.split_whitespace().skip_while(|word| *word != "loss").nth(1).unwrap().parse().unwrap()
    };
    let theirs = python(&folder, &torch, &["out/train.py", "--epochs", "1", "--device", "cpu"]);
    let ours = [&["train"], &common[..], &["--epochs", "1", "-o", "ours.tflite"]].concat();
    let ours = folder.smidgen(&ours).expect(0).stdout;
    assert!((epoch(&theirs) - epoch(&ours)).abs() < 1e-3, "{theirs}\n{ours}");

    // To the end, by two processes, and back: as many are right, but for one of the sixty.
    let trained = python(&folder, &torch, &[&two[..], &["out/train.py", "--device", "cpu"]].concat());
    let last = trained.lines().rfind(|line| line.contains("test")).unwrap();
    let theirs: f64 = last.split("test").nth(1).unwrap().replace('%', "").trim().parse().unwrap();
    let back = ["--weights", "out/trained.safetensors", "--epochs", "0", "-o", "back.tflite", "--json"];
    let json = folder.smidgen(&[&["train"], &common[..], &back].concat()).expect(0).json();
    let ours = 100.0 * json["accuracy"].as_f64().unwrap();
    assert!((theirs - ours).abs() < 0.1 && ours > 60.0, "{trained}\n{json:#}");
    // And on from there, to integers.
    let more = ["--weights", "out/trained.safetensors", "--epochs", "2", "--int8", "--qat", "2", "-o", "int8.tflite"];
    folder.smidgen(&[&["train"], &common[..], &more].concat()).expect(0);
}
