//! `smidgen train`: what is learnt of pictures of shapes and of rows of numbers, and what is refused.

use crate::support::{FLOAT, Finished, Folder, TINY};
use smidgen::Network;
use smidgen::data::{Array, Dtype};
use std::fs;

pub const SHAPES: [&str; 3] = ["cross", "disc", "frame"];

/// Numbers that repeat: a linear congruential generator.
struct Noise(u64);

impl Noise {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// Whether a pixel at this distance from the middle is part of the shape.
fn inside(shape: &str, x: i64, y: i64, size: i64) -> bool {
    match shape {
        "cross" => x.abs().min(y.abs()) <= 1 && x.abs().max(y.abs()) <= size,
        "disc" => x * x + y * y <= size * size,
        _ => (size - 1..=size).contains(&x.abs().max(y.abs())),
    }
}

/// Pictures of shapes on noise, of any place, size and colour: `set/PART/SHAPE/NUMBER.png`.
pub fn shapes(folder: &Folder, shapes: &[&str], parts: &[(&str, u64)]) {
    for (shape, (part, count)) in shapes.iter().flat_map(|shape| parts.iter().map(move |part| (shape, part))) {
        let path = folder.path("set").join(part).join(shape);
        fs::create_dir_all(&path).unwrap();
        let mut noise = Noise(shape.len() as u64 * 1000 + count);
        for number in 0..*count {
            let mut between = |low: i64, high: i64| low + noise.below((high - low) as u64) as i64;
            let (cx, cy, size) = (between(9, 15), between(9, 15), between(5, 9));
            let colour: [i64; 3] = std::array::from_fn(|_| between(120, 220));
            let picture = image::RgbImage::from_fn(24, 24, |x, y| {
                let level = if inside(shape, i64::from(x) - cx, i64::from(y) - cy, size) { 1 } else { 0 };
                image::Rgb(colour.map(|c| (level * c + between(0, 90)).min(255) as u8))
            });
            picture.save(path.join(format!("{number:03}.png"))).unwrap();
        }
    }
}

fn train(folder: &Folder, more: &[&str]) -> Finished {
    let arguments = ["train", "--data", "set", "--batch", "32", "--seed", "1"];
    folder.smidgen(&[&arguments, more].concat())
}

/// A text with one space between its words, however it was wrapped.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

const RESNET: [&str; 4] = ["--arch", "resnet8", "--resolution", "16"];

#[test]
fn shapes_are_learnt_and_the_file_is_worth_what_is_printed() {
    let folder = Folder::new();
    shapes(&folder, &SHAPES, &[("train", 60), ("test", 20)]);
    let with = |threads, output| [&RESNET[..], &["--epochs", "10", "--threads", threads, "-o", output]].concat();
    let json = train(&folder, &[&with("1", "one.tflite")[..], &["--json"]].concat()).expect(0).json();
    let accuracy = json["accuracy"].as_f64().unwrap();
    assert!(accuracy > 0.85, "{json:#}");
    assert_eq!((json["steps"].as_u64(), json["accuracy_of"]["part"].as_str()), (Some(60), Some("test")));
    let epochs = json["epochs"].as_array().unwrap();
    let of = |epoch: usize, what: &str| epochs[epoch][what].as_f64().unwrap();
    assert!(of(9, "loss") < 0.8 * of(0, "loss") && of(9, "rate") < of(1, "rate"), "{json:#}");
    assert!((of(9, "test_accuracy") - accuracy).abs() < 0.04, "{json:#}");

    let told = train(&folder, &with("2", "two.tflite")).expect(0);
    let bytes = |name: &str| fs::read(folder.path(name)).unwrap();
    assert_eq!(bytes("one.tflite"), bytes("two.tflite"), "of one thread and of two");
    assert!(told.stdout.contains("epoch 10 of 10  loss ") && told.stdout.contains("top-1 "), "{}", told.stdout);
    assert_eq!(told.stderr, "");

    let eval = |name: &str| {
        let json = folder.smidgen(&["eval", name, "--data", "set", "--json"]).expect(0).json();
        json["top1"].as_f64().unwrap()
    };
    assert_eq!(eval("one.tflite"), accuracy);
    folder.smidgen(&["quantize", "one.tflite", "-o", "int8.tflite", "--data", "set"]).expect(0);
    assert!(eval("int8.tflite") > accuracy - 0.07, "{}", eval("int8.tflite"));
    // Normalisation has gone into the weights.
    let graph = Network::open(folder.path("one.tflite")).unwrap().graph().clone();
    let names: Vec<&str> = graph.operators.iter().map(|operator| operator.op.name()).collect();
    let count = |name: &str| names.iter().filter(|&&n| n == name).count();
    assert_eq!((count("CONV_2D"), count("ADD"), count("MUL")), (9, 3, 0), "{names:?}");

    // The same weights, for two of the classes.
    fs::remove_dir_all(folder.path("set")).unwrap();
    shapes(&folder, &["disc", "frame"], &[("", 30)]);
    let tuned = train(&folder, &["one.tflite", "--epochs", "3", "--normalise", "unit", "-o", "tuned.tflite"]).expect(0);
    assert!(tuned.stdout.contains("the last layer, `classifier`, is a fresh one"), "{}", tuned.stdout);
    assert!(tuned.stdout.contains("it had 3 outputs") && tuned.stdout.contains("have 2 classes"), "{}", tuned.stdout);
    assert!(tuned.stdout.contains("no part to test"), "{}", tuned.stdout);
    assert!(eval("tuned.tflite") > 0.8, "{}", eval("tuned.tflite"));
}

#[cfg(unix)]
#[test]
fn after_an_interruption_training_goes_on_to_the_same_bytes() {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    use std::process::Stdio;
    use std::time::Duration;

    let folder = Folder::new();
    shapes(&folder, &SHAPES, &[("", 24)]);
    let arguments = |more: &[&'static str]| {
        let fixed =
            ["train", "--data", "set", "--epochs", "12", "--batch", "32", "--seed", "1", "--int8", "--qat", "8"];
        [&fixed, &RESNET[..], more].concat()
    };
    folder.smidgen(&arguments(&["-o", "whole.tflite"])).expect(0);

    let halves = arguments(&["-o", "halves.tflite", "--checkpoint", "half.ckpt", "--resume", "half.ckpt"]);
    let mut command = folder.command(&halves);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !folder.path("half.ckpt").exists() {
        std::thread::sleep(Duration::from_millis(2));
    }
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("`halves.tflite` was not written; `--resume half.ckpt` goes on after epoch"), "{stderr}");
    assert_eq!(folder.files(), ["half.ckpt", "set", "whole.tflite"]);

    let other = [&halves[..], &["--rate", "0.1"]].concat();
    let refused = folder.smidgen(&other).expect(2);
    assert!(refused.stderr.contains("there the rate is 0.2, here 0.1"), "{}", refused.stderr);
    let gone_on = folder.smidgen(&halves).expect(0);
    assert!(gone_on.stdout.contains("half.ckpt: ") && !gone_on.stdout.contains("epoch  1 of 12"), "{}", gone_on.stdout);
    let bytes = |name: &str| fs::read(folder.path(name)).unwrap();
    assert_eq!(bytes("whole.tflite"), bytes("halves.tflite"));
    // From the end of the epochs with integers there is nothing left to do.
    fs::remove_file(folder.path("halves.tflite")).unwrap();
    let over = folder.smidgen(&halves).expect(0);
    assert!(over.stdout.contains("12 of 12 epochs") && !over.stdout.contains("loss"), "{}", over.stdout);
    assert_eq!(bytes("whole.tflite"), bytes("halves.tflite"));

    let whole = bytes("half.ckpt");
    folder.write("half.ckpt", &whole[..whole.len() - 9]);
    assert!(folder.smidgen(&halves).expect(4).stderr.contains("damaged or cut short"));
    folder.write("half.ckpt", "something else");
    assert!(folder.smidgen(&halves).expect(4).stderr.contains("not a checkpoint"));
}

/// Killed where it happens to be, without a word: in a step, while it tests, or while a checkpoint is written.
#[cfg(unix)]
#[test]
fn killed_at_ten_random_moments_training_ends_with_the_same_bytes() {
    use std::process::Stdio;
    use std::time::Duration;

    let folder = Folder::new();
    shapes(&folder, &SHAPES, &[("", 24)]);
    let fixed = ["train", "--data", "set", "--epochs", "48", "--batch", "32", "--seed", "1", "--int8", "--qat", "16"];
    let arguments = [&fixed, &RESNET[..]].concat();
    folder.smidgen(&[&arguments[..], &["-o", "whole.tflite"]].concat()).expect(0);
    let parts = [&arguments[..], &["-o", "parts.tflite", "--checkpoint", "p.ckpt", "--resume", "p.ckpt"]].concat();
    let mut noise = Noise(11);
    let checkpoint = || fs::read(folder.path("p.ckpt")).unwrap_or_default();
    for kill in 0..10 {
        let before = checkpoint();
        let mut child = folder.command(&parts).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // It gets on by an epoch at least.
        while checkpoint() == before {
            assert_eq!(child.try_wait().unwrap(), None, "it ended before kill {kill}");
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(noise.below(30)));
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success(), "it ended before kill {kill}");
    }
    let told = folder.smidgen(&parts).expect(0).stdout;
    assert!(told.contains("of 48 epochs"), "{told}");
    let bytes = |name: &str| fs::read(folder.path(name)).unwrap();
    assert_eq!(bytes("whole.tflite"), bytes("parts.tflite"));
}

/// Rows of four numbers, of which the class `c` has the greatest third, and as many as `counts` says.
fn rows(folder: &Folder, counts: [usize; 3]) {
    let labels: Vec<u8> = counts.iter().enumerate().flat_map(|(class, &n)| vec![class as u8; n]).collect();
    let mut noise = Noise(3);
    let row = |&class: &u8| -> [f32; 4] {
        std::array::from_fn(|i| noise.below(100) as f32 / 100.0 + if i == usize::from(class) { 1.0 } else { 0.0 })
    };
    let values: Vec<f32> = labels.iter().flat_map(row).collect();
    let n = labels.len();
    folder.npz("set.npz", &[("x", Array::from_f32(&[n, 4], &values)), ("y", Array::new(Dtype::Uint8, &[n], labels))]);
}

/// What a network of integers is taught next: its input and weights are integers, and its file says what pixels become.
#[test]
fn an_int8_network_is_trained_to_another_one() {
    let folder = Folder::new();
    shapes(&folder, &SHAPES, &[("train", 60), ("test", 20)]);
    let first = [&RESNET[..], &["--epochs", "10", "--int8", "--qat", "3", "-o", "int8.tflite", "--json"]].concat();
    let json = train(&folder, &first).expect(0).json();
    assert!(json["accuracy"].as_f64().unwrap() > 0.85, "{json:#}");
    let knowing: Vec<bool> =
        json["epochs"].as_array().unwrap().iter().map(|epoch| epoch["integers"].as_bool().unwrap()).collect();
    assert_eq!(knowing, [[false; 7].as_slice(), &[true; 3]].concat());
    // The forward pass of training is that of the integers: they are right as often.
    let off = json["epochs"][9]["test_accuracy"].as_f64().unwrap() - json["accuracy"].as_f64().unwrap();
    assert!(off.abs() < 0.02, "{json:#}");
    let graph = Network::open(folder.path("int8.tflite")).unwrap().graph().clone();
    assert!(graph.inputs.iter().chain(&graph.outputs).all(|&id| graph.tensor(id).dtype.quantisation().is_some()));

    // For other classes, from its weights: frozen ones come back as they were, but for the layers behind them.
    fs::remove_dir_all(folder.path("set")).unwrap();
    shapes(&folder, &["disc", "frame"], &[("", 40)]);
    let told = ["int8.tflite", "--epochs", "5", "--int8", "--hold-out", "0.25", "--freeze", "2", "-o", "again.tflite"];
    let told = train(&folder, &told).expect(0);
    for text in
        ["is a fresh one", "60 samples to train on", "20 held back to test", "samples that were held back", "int8"]
    {
        assert!(told.stdout.contains(text), "no {text:?} in {}", told.stdout);
    }
    assert_eq!(told.stderr, "");
    let eval = folder.smidgen(&["eval", "again.tflite", "--data", "set", "--json"]).expect(0).json();
    assert!(eval["top1"].as_f64().unwrap() > 0.8, "{eval:#}");
}

#[test]
fn steps_that_a_clock_has_ended_are_taken_again() {
    let folder = Folder::new();
    shapes(&folder, &SHAPES, &[("", 24)]);
    let common = [&RESNET[..], &["--int8", "--balance", "--hold-out", "0.25"]].concat();
    let with = |more: &[&str]| train(&folder, &[&common[..], more].concat());
    let json = with(&["--time", "1s", "-o", "timed.tflite", "--json"]).expect(0).json();
    let steps = json["steps"].as_u64().unwrap();
    assert!(steps >= 2 && json["accuracy_of"]["held_out"] == true, "{json:#}");
    let again = with(&["--replay", "timed.tflite.steps", "--threads", "1", "-o", "again.tflite", "--json"]);
    assert_eq!(again.expect(0).json()["steps"].as_u64(), Some(steps));
    let bytes = |name: &str| fs::read(folder.path(name)).unwrap();
    assert_eq!(bytes("timed.tflite"), bytes("again.tflite"));
    let other = with(&["--replay", "timed.tflite.steps", "--rate", "0.1", "-o", "other.tflite"]).expect(2);
    assert!(other.stderr.contains("there the rate is 0.2, here 0.1"), "{}", other.stderr);
}

#[test]
fn a_described_network_is_trained() {
    let folder = Folder::new();
    shapes(&folder, &SHAPES, &[("train", 60), ("test", 20)]);
    let text = r#"{"input": [24, 24, 3], "blocks": [{"conv": 12, "stride": 2}, {"inverted": 12, "middle": 36},
        {"inverted": 24, "middle": 48, "stride": 2}, {"conv": 32, "activation": "relu"}]}"#;
    folder.write("net.json", text);
    let json = train(&folder, &["--arch", "net.json", "--epochs", "14", "--rate", "0.1", "-o", "out.tflite", "--json"]);
    let json = json.expect(0).json();
    assert!(json["accuracy"].as_f64().unwrap() > 0.7, "{json:#}");
    folder.write("net.json", text.replace("36", "0"));
    let told = train(&folder, &["--arch", "net.json", "-o", "other.tflite"]).expect(2);
    assert!(told.stderr.contains("block 1: `middle` is no number"), "{}", told.stderr);
}

#[test]
fn the_written_file_says_what_pixels_became() {
    let folder = Folder::new();
    shapes(&folder, &SHAPES, &[("", 16)]);
    let symmetric = ["--normalise", "symmetric"];
    for int8 in [&[][..], &["--int8"]] {
        let more = [&RESNET[..], &symmetric, int8, &["--epochs", "6", "-o", "out.tflite", "--json"]].concat();
        let told = train(&folder, &more).expect(0);
        assert_eq!(told.stderr, "");
        let accuracy = told.json()["accuracy"].as_f64().unwrap();
        // Whoever reads it needs no more options, and those that are given count.
        let eval = |more: &[&str]| folder.smidgen(&[&["eval", "out.tflite", "--data", "set"], more].concat()).expect(0);
        assert_eq!(eval(&["--json"]).json()["top1"].as_f64(), Some(accuracy));
        let told = eval(&[]);
        assert!(words(&told.stdout).contains("as the model file says") && told.stderr.is_empty(), "{told:?}");
        assert!(eval(&["--normalise", "unit"]).stdout.contains("`unit`"));
        let run = folder.smidgen(&["run", "out.tflite", "--input", "set/disc/000.png"]).expect(0);
        assert!(words(&run.stdout).contains("as the model file says"), "{}", run.stdout);
    }
    // It stays with the network: quantised, cleaned up, and trained on.
    folder
        .smidgen(&[
            "train",
            "--data",
            "set",
            "--epochs",
            "6",
            "-o",
            "float.tflite",
            RESNET[0],
            RESNET[1],
            RESNET[2],
            RESNET[3],
            "--mean",
            "0.4,0.5,0.6",
            "--std",
            "0.2,0.25,0.3",
        ])
        .expect(0);
    let bytes = fs::read(folder.path("float.tflite")).unwrap();
    let pixels = smidgen::tflite::metadata(&bytes, "smidgen.pixels").unwrap().unwrap();
    assert_eq!(pixels, b"standard 102,127.5,153 51,63.75,76.5");
    let quantised = folder.smidgen(&["quantize", "float.tflite", "-o", "int8.tflite", "--data", "set"]).expect(0);
    assert!(words(&quantised.stdout).contains("as the model file says"), "{}", quantised.stdout);
    folder.smidgen(&["convert", "int8.tflite", "clean.tflite", "--clean"]).expect(0);
    let clean = Network::open(folder.path("clean.tflite")).unwrap();
    assert_eq!(clean.pixels(), Network::open(folder.path("float.tflite")).unwrap().pixels());
    assert!(clean.pixels().is_some());
    let again = train(&folder, &["float.tflite", "--epochs", "1", "-o", "again.tflite"]).expect(0);
    assert!(!again.stderr.contains("guess"), "{}", again.stderr);
    // The reference interpreter passes over it.
    let Some(mut reference) = smidgen_reference::Reference::start_or_skip("a file with metadata") else { return };
    let outputs = reference.run(&bytes, &[vec![0; 16 * 16 * 3 * 4]]).unwrap();
    assert_eq!(outputs[0].len(), 3 * 4);
}

#[test]
fn samples_that_memory_does_not_hold_give_the_same_bytes() {
    let folder = Folder::new();
    shapes(&folder, &SHAPES, &[("train", 30), ("test", 10)]);
    let with = |memory: &str, threads: &str, output: &str| {
        let kinds = "crop,flip,mixup=0.3";
        let more =
            ["--epochs", "4", "--int8", "--qat", "1", "--augment", kinds, "--memory", memory, "--threads", threads];
        train(&folder, &[&RESNET[..], &more, &["-o", output]].concat()).expect(0)
    };
    let all = with("1M", "1", "all.tflite");
    assert_eq!(all.stderr, "");
    let bytes = |name: &str| fs::read(folder.path(name)).unwrap();
    // Of 90 and 30 samples of 768 bytes: 20 in memory, and none.
    for (memory, threads) in [("15K", "2"), ("1", "1")] {
        let some = with(memory, threads, "some.tflite");
        assert!(some.stderr.contains("lie in a file in"), "{}", some.stderr);
        assert_eq!(bytes("some.tflite"), bytes("all.tflite"), "{memory}");
    }
}

#[cfg(unix)]
#[test]
fn without_room_for_samples_that_memory_does_not_hold_that_is_told() {
    let folder = Folder::new();
    shapes(&folder, &SHAPES, &[("", 12)]);
    let before = folder.files();
    let program = env!("CARGO_BIN_EXE_smidgen");
    let run = |set: &str| {
        let arguments = "train --arch resnet8 --resolution 16 --data set --epochs 1 --memory 2K -o out.tflite";
        let mut command = std::process::Command::new("sh");
        let output = command.args(["-c", &format!("{set}; exec '{program}' {arguments}")]).current_dir(folder.path(""));
        let output = output.output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        words(&String::from_utf8_lossy(&output.stderr))
    };
    for set in ["export TMPDIR=/no/such/folder", "trap '' XFSZ; ulimit -f 0"] {
        let stderr = run(set);
        assert!(stderr.contains("cannot be kept in a file in") && stderr.contains("TMPDIR"), "{stderr}");
        assert_eq!(folder.files(), before);
    }
}

/// Broken pictures, small ones, a class with a single one, names that differ in case, and pictures of both parts.
#[cfg(target_os = "linux")]
#[test]
fn what_is_odd_about_samples_is_told_and_they_are_trained_on() {
    let folder = Folder::new();
    shapes(&folder, &["disc", "frame"], &[("train", 12), ("test", 6)]);
    for path in ["train/Disc", "train/dot", "test/Disc"] {
        fs::create_dir_all(folder.path("set").join(path)).unwrap();
    }
    let at = |name: &str| folder.path("set").join(name);
    fs::copy(at("train/frame/001.png"), at("train/Disc/000.png")).unwrap();
    fs::copy(at("train/frame/002.png"), at("test/Disc/000.png")).unwrap();
    fs::copy(at("train/disc/003.png"), at("test/disc/100.png")).unwrap();
    image::RgbImage::from_pixel(3, 2, image::Rgb([200, 10, 10])).save(at("train/dot/000.png")).unwrap();
    let whole = fs::read(at("train/disc/000.png")).unwrap();
    fs::write(at("train/disc/200.png"), &whole[..whole.len() / 2]).unwrap();
    fs::write(at("test/frame/200.jpg"), "no picture").unwrap();
    let arguments = [&RESNET[..], &["--epochs", "2", "-o", "out.tflite"]].concat();
    let told = train(&folder, &arguments).expect(0);
    let stderr = words(&told.stderr);
    for text in [
        "`Disc` and `disc` differ in case alone",
        "1 picture of 27 left out, broken or unreadable",
        "1 picture of 15 left out",
        "2 of 14 samples to test are trained on too, such as `test/Disc/000.png` (`train/frame/002.png`)",
    ] {
        assert!(stderr.contains(text), "no {text:?} in {stderr}");
    }
    assert!(told.stdout.contains("4 classes"), "{}", told.stdout);
    train(&folder, &[&arguments[..], &["--strict"]].concat()).expect(4);
    // Of a single one nothing can be held back.
    let held = ["train", "--data", "set/train", "--hold-out", "0.2", "-o", "held.tflite"];
    let held = folder.smidgen(&[&held[..], &RESNET].concat()).expect(2);
    assert!(held.stderr.contains("the class `Disc` has one sample"), "{}", held.stderr);
}

#[test]
fn every_kind_of_augmentation_gives_equal_bytes_for_any_number_of_threads() {
    let folder = Folder::new();
    shapes(&folder, &SHAPES, &[("", 16)]);
    let with = |kinds: &str, threads: &str| {
        let more = ["--epochs", "2", "--augment", kinds, "--threads", threads, "-o", "out.tflite"];
        train(&folder, &[&RESNET[..], &more].concat()).expect(0);
        fs::read(folder.path("out.tflite")).unwrap()
    };
    let mut all = vec![with("crop,flip", "1"), with("none", "1")];
    for kinds in ["colour=0.4", "cutout=0.5", "mixup=0.5", "randaugment=2"] {
        let bytes = with(&format!("crop,flip,{kinds}"), "1");
        assert_eq!(bytes, with(&format!("crop,flip,{kinds}"), "2"), "{kinds}");
        all.push(bytes);
    }
    assert!((0..all.len()).all(|i| !all[..i].contains(&all[i])));
}

#[cfg(unix)]
#[test]
fn a_training_by_the_clock_goes_on_after_an_interruption_and_can_be_taken_again() {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    use std::process::Stdio;
    use std::time::Duration;

    let folder = Folder::new();
    shapes(&folder, &SHAPES, &[("", 24)]);
    let common = [&["train", "--data", "set", "--batch", "32", "--seed", "1"], &RESNET[..], &["--int8"]].concat();
    let timed = ["--time", "4s", "--checkpoint", "a.ckpt", "--resume", "a.ckpt", "-o", "timed.tflite"];
    let mut command = folder.command(&[&common[..], &timed].concat());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !folder.path("a.ckpt").exists() {
        std::thread::sleep(Duration::from_millis(2));
    }
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!folder.path("timed.tflite").exists() && !folder.path("timed.tflite.steps").exists());
    let json = folder.smidgen(&[&common[..], &timed, &["--json"]].concat()).expect(0).json();
    let steps = json["steps"].as_u64().unwrap();
    // Those before the interruption count, and epochs go on after them.
    let first = json["epochs"][0]["epoch"].as_u64().unwrap();
    assert!(first > 1 && steps > 3 * (first - 1), "{json:#}");
    let again = ["--replay", "timed.tflite.steps", "-o", "again.tflite", "--json"];
    let again = folder.smidgen(&[&common[..], &again].concat()).expect(0).json();
    assert_eq!(again["steps"].as_u64(), Some(steps));
    let bytes = |name: &str| fs::read(folder.path(name)).unwrap();
    assert_eq!(bytes("timed.tflite"), bytes("again.tflite"));
}

#[cfg(unix)]
#[test]
fn without_space_for_the_result_nothing_is_left() {
    let folder = Folder::new();
    rows(&folder, [8, 8, 8]);
    folder.write("float.ir", FLOAT);
    let before = folder.files();
    // A limit of no bytes on files, whose signal is ignored: writing fails as on a full disk.
    let program = env!("CARGO_BIN_EXE_smidgen");
    let script =
        format!("trap '' XFSZ; ulimit -f 0; exec '{program}' train float.ir --data set.npz --epochs 1 -o out.tflite");
    let mut command = std::process::Command::new("sh");
    let output = command.args(["-c", &script]).current_dir(folder.path("")).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && stderr.contains("out.tflite"), "{stderr}");
    assert_eq!(folder.files(), before);
}

#[test]
fn rows_of_numbers_are_learnt_from_fresh_weights() {
    let folder = Folder::new();
    rows(&folder, [40, 40, 40]);
    folder.write("float.ir", FLOAT);
    let arguments = ["train", "float.ir", "--fresh", "--data", "set.npz", "--rate", "0.2", "--batch", "20"];
    let json = folder.smidgen(&[&arguments[..], &["-o", "out.tflite", "--json"]].concat()).expect(0).json();
    assert!(json["accuracy"].as_f64().unwrap() > 0.95, "{json:#}");
    assert_eq!(json["accuracy_of"]["trained_on_them"], true);
    let eval = folder.smidgen(&["eval", "out.tflite", "--data", "set.npz", "--json"]).expect(0).json();
    assert_eq!(eval["top1"], json["accuracy"]);
    // Kept weights are where training begins.
    let one = folder.smidgen(
        &[&arguments[..2], &["--data", "set.npz", "--epochs", "1", "--rate", "1e-9", "-o", "kept.tflite"]].concat(),
    );
    one.expect(0);
    let first = |name: &str| {
        let network = Network::open(folder.path(name)).unwrap();
        let weights = network.graph().operators[0].inputs[1];
        network.graph().tensor(weights).floats().unwrap()
    };
    let off = first("kept.tflite").iter().zip(first("float.ir")).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(off < 1e-6 && first("out.tflite") != first("float.ir"), "{off}");
}

#[test]
fn what_cannot_be_trained_is_told_and_nothing_is_written() {
    let folder = Folder::new();
    shapes(&folder, &SHAPES, &[("", 4)]);
    rows(&folder, [4, 4, 4]);
    folder.write("tiny.ir", TINY).write("float.ir", FLOAT);
    folder.write(
        "argmax.ir",
        "graph \"argmax\"\ninputs(%0)\noutputs(%1)\n\n%0 \"rows\" : f32[1x3x4]\n\
         %1 \"best\" : i32[1x3] = ARG_MAX(%0) axis=2\n",
    );
    let last = FLOAT.replace("outputs(%3)", "outputs(%4)") + "%4 \"shares\" : f32[1x3] = LOGISTIC(%3)\n";
    folder.write("logistic.ir", last);
    // Of the part to train on, one class; and pictures without any.
    for path in ["one/train/only", "one/test/other", "none"] {
        fs::create_dir_all(folder.path(path)).unwrap();
        image::RgbImage::new(8, 8).save(folder.path(path).join("0.png")).unwrap();
    }
    folder.npz(
        "two.npz",
        &[("x", Array::from_f32(&[4, 4], &[0.5; 16])), ("y", Array::new(Dtype::Uint8, &[4], vec![0, 1, 0, 1]))],
    );
    let before = folder.files();
    let resnet = ["--arch", "resnet8", "--resolution", "16", "--epochs", "3"];
    let cases: [(&[&str], i32, &[&str]); 16] = [
        (&["--data", "none"], 2, &["no labels", "one folder for each class"]),
        (&["--data", "one"], 2, &["of one class, `only`"]),
        (&["--data", "nowhere"], 2, &["nowhere"]),
        (&["--data", "set", "-o", "out.bin"], 2, &["does not end in .tflite"]),
        (&["--data", "set", "-o", "no/where.tflite"], 2, &["there is no folder `no`"]),
        (&["--data", "set", "--rate", "1e30"], 2, &["diverged", "at step ", "smaller `--rate`"]),
        (&["--data", "set", "--augment", "turn"], 2, &["`turn` is none of crop", "randaugment=2"]),
        (&["--data", "set", "--rate", "0"], 2, &["--rate"]),
        (&["--data", "set", "--hold-out", "1.0"], 2, &["--hold-out", "between 0 and 1"]),
        (&["--data", "set", "--time", "30"], 2, &["--time", "30m"]),
        (&["--data", "set", "--replay", "tiny.ir"], 4, &["tiny.ir", "not a log of the steps"]),
        (&["float.ir", "--data", "set.npz", "--freeze", "nothing*"], 2, &["of the network's 1 layers, 0 are frozen"]),
        (&["float.ir", "--data", "set.npz", "--freeze", "1"], 2, &["1 are frozen", "leave some to be trained"]),
        (&["argmax.ir", "--data", "set.npz"], 3, &["operator 0 ARG_MAX, which writes `best`", "no gradient"]),
        (&["logistic.ir", "--data", "two.npz"], 3, &["3 outputs", "2 classes", "LOGISTIC, which writes `shares`"]),
        (&["float.ir", "--data", "set"], 2, &["picture"]),
    ];
    for (arguments, code, texts) in cases {
        let network: &[&str] = if arguments[0].ends_with(".ir") { &[] } else { &resnet };
        let output: &[&str] = if arguments.contains(&"-o") { &[] } else { &["-o", "out.tflite"] };
        let finished = folder.smidgen(&[&["train"], network, arguments, output].concat()).expect(code);
        let words = finished.stderr.split(|c: char| c.is_whitespace() || c == '│').filter(|word| !word.is_empty());
        let told = words.collect::<Vec<_>>().join(" ");
        for text in texts {
            assert!(told.contains(text), "{arguments:?} without {text:?}: {}", finished.stderr);
        }
        assert_eq!(folder.files(), before, "{arguments:?}");
    }
    let nothing = folder.smidgen(&["train", "--data", "set", "-o", "out.tflite"]).expect(2);
    assert!(nothing.stderr.contains("there is no network") && nothing.stderr.contains("--arch"), "{}", nothing.stderr);
}

#[test]
fn weights_of_four_bits_are_learnt() {
    let folder = Folder::new();
    shapes(&folder, &SHAPES, &[("train", 60), ("test", 20)]);
    let with = |bits, output| {
        let more = ["--int8", "--weight-bits", bits, "--epochs", "12", "--qat", "4", "-o", output, "--json"];
        train(&folder, &[&RESNET[..], &more].concat()).expect(0).json()
    };
    let (four, eight) = (with("4", "four.tflite"), with("8", "eight.tflite"));
    // The same floats, of which each then has its own integers.
    assert_eq!(four["epochs"][7], eight["epochs"][7]);
    assert_ne!(four["epochs"][8], eight["epochs"][8]);
    let of = |json: &serde_json::Value| json["accuracy"].as_f64().unwrap();
    assert!(of(&four) > of(&eight) - 0.05 && of(&eight) > 0.85, "{} and {}", of(&four), of(&eight));
    // Nine convolutions and the classifier; what training tells is what the file does.
    let told = folder.smidgen(&["inspect", "four.tflite", "--ir"]).expect(0).stdout;
    assert_eq!(told.matches(" : i4[").count(), 10, "{told}");
    assert_eq!(
        folder.smidgen(&["eval", "four.tflite", "--data", "set", "--json"]).expect(0).json()["top1"],
        four["accuracy"]
    );
    let bytes = |name: &str| fs::metadata(folder.path(name)).unwrap().len();
    assert!(bytes("four.tflite") < bytes("eight.tflite") * 2 / 3);
    train(&folder, &[&RESNET[..], &["--weight-bits", "4", "-o", "x.tflite"]].concat()).expect(2);
    train(&folder, &[&RESNET[..], &["--int8", "--weight-bits", "3", "-o", "x.tflite"]].concat()).expect(2);
}
