//! `smidgen adapt`: training on the device, on the host and on emulated cores.

use crate::support::{Folder, simulates};
use smidgen::boards::{self, Core};
use smidgen::{Array, Dtype, Network, Session, Target, adapting, codegen};
use smidgen_synthetic::random_classifier;

/// A small classifier of int8.
pub fn folder() -> Folder {
    let folder = Folder::new();
    let graph = random_classifier(3);
    let network = Network::from_graph(graph).expect("a valid network");
    folder.write("small.tflite", network.to_tflite().expect("it can be written"));
    folder
}

/// Pictures of two classes that a network can tell apart by their brightness.
pub fn data(folder: &Folder) {
    let network = Network::open(folder.path("small.tflite")).expect("written above");
    let dims = network.graph().tensor(network.graph().inputs[0]).shape.dims().to_vec();
    let size: usize = dims.iter().product();
    let mut arrays = Vec::new();
    for (part, count) in [("train", 60), ("test", 20)] {
        let mut shape = dims.clone();
        shape[0] = count;
        let values: Vec<i8> = (0..count * size)
            .map(|i| {
                let (sample, at) = (i / size, i % size);
                let bright = if sample % 2 == 0 { 60 } else { -60 };
                (bright + ((at * 37 + sample * 91) % 40) as i32 - 20) as i8
            })
            .collect();
        arrays.push((format!("x_{part}"), Array::from_i8(&shape, &values)));
        let labels: Vec<u8> = (0..count).flat_map(|sample| ((sample % 2) as i32).to_le_bytes()).collect();
        arrays.push((format!("y_{part}"), Array { dtype: Dtype::Int32, shape: vec![count], data: labels }));
    }
    let arrays: Vec<(&str, Array)> = arrays.iter().map(|(name, array)| (name.as_str(), array.clone())).collect();
    folder.npz("data.npz", &arrays);
}

#[test]
fn a_network_learns_two_classes() {
    let folder = folder();
    data(&folder);
    let json = folder
        .smidgen(&[
            "adapt",
            "eval",
            "small.tflite",
            "--data",
            "data.npz",
            "--scheme",
            "last-layer,bias-only,full",
            "--json",
        ])
        .expect(0)
        .json();
    let schemes = json["schemes"].as_array().expect("one for each scheme");
    assert_eq!(schemes.len(), 3, "{json}");
    let kept: Vec<u64> = schemes.iter().map(|scheme| scheme["kept"].as_u64().unwrap()).collect();
    assert!(kept.windows(2).all(|pair| pair[0] < pair[1]), "{kept:?}");
    for scheme in schemes {
        assert!(scheme["accuracy"].as_f64().unwrap() >= 0.95, "{scheme}");
        let training = &scheme["trainings"][0]["seeds"][0];
        assert_eq!(training["epochs"].as_array().unwrap().len(), 3, "{scheme}");
    }
}

#[test]
fn floats_are_trained_beside_each_scheme() {
    let folder = folder();
    data(&folder);
    let eval = |more: &[&str]| {
        let words = ["adapt", "eval", "small.tflite", "--data", "data.npz", "--scheme", "full", "--rate", "0.05,0.1"];
        folder.smidgen(&[&words[..], &["--twin", "float,masters"], more].concat()).expect(0)
    };
    let json = eval(&["--json", "--report", "report.html"]).json();
    let rows = json["schemes"].as_array().unwrap();
    let names: Vec<&str> = rows.iter().map(|row| row["scheme"].as_str().unwrap()).collect();
    assert_eq!(names, ["full", "full, float", "full, float masters"]);
    for row in rows {
        assert!(row["accuracy"].as_f64().unwrap() >= 0.95, "{row}");
        assert_eq!(row["trainings"][0]["tried"].as_array().unwrap().len(), 2, "{row}");
        let times: Vec<u64> = row["times_right"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
        assert_eq!(times.len() as u64, row["samples"].as_u64().unwrap());
        assert_eq!(times.iter().sum::<u64>(), row["trainings"][0]["seeds"][0]["right"].as_u64().unwrap());
        assert_eq!((&row["samples"], &row["classes"]), (&rows[0]["samples"], &rows[0]["classes"]));
    }
    let twins: Vec<Option<&str>> = rows.iter().map(|row| row["twin"].as_str()).collect();
    assert_eq!(twins, [None, Some("float"), Some("masters")]);
    assert!(rows.iter().all(|row| row["loss"] == "cross-entropy") && json["interrupted"] == false, "{json}");
    assert_eq!(rows[1]["kept"], rows[2]["kept"]);
    assert_eq!(rows[1]["difference"]["to"], "full");
    let report = std::fs::read_to_string(folder.path("report.html")).expect("the report");
    assert!(report.contains("full, float masters"));
    assert_eq!(eval(&[]).stdout, eval(&[]).stdout, "the same bits");
    let said = eval(&["--folds", "3"]).stdout;
    assert!(said.contains("full, float masters"), "{said}");
    assert!(report.contains("c1 dashed"), "twins have their scheme's colour");
    let words = ["adapt", "eval", "small.tflite", "--data", "data.npz", "--twin", "float,float"];
    let said = folder.smidgen(&words).expect(2).stderr;
    assert!(said.contains("`float` twice"), "{said}");
}

#[test]
fn steps_are_collected_and_it_is_said_when_too_few_come() {
    let folder = folder();
    data(&folder);
    std::fs::write(folder.path("few.toml"), "n_bias_update = 2\naccumulate = 5\n").unwrap();
    std::fs::write(folder.path("many.toml"), "n_bias_update = 2\naccumulate = 4000\n").unwrap();
    let words =
        ["adapt", "eval", "small.tflite", "--data", "data.npz", "--scheme", "few.toml,many.toml", "--rate", "0.05"];
    let finished = folder.smidgen(&words).expect(0);
    let told = finished.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        told.contains("`many.toml`: steps of 4,000 samples are collected") && !told.contains("`few.toml`"),
        "{told}"
    );
    let words = ["adapt", "compile", "small.tflite", "--classes", "2", "--scheme", "few.toml", "--board", "mps2-an500"];
    folder.smidgen(&[&words[..], &["--emit", "rust,c", "-o", "out"]].concat()).expect(0);
    for file in ["out/rust/src/lib.rs", "out/c/include/small.h"] {
        let written = std::fs::read_to_string(folder.path(file)).unwrap();
        let words: Vec<&str> = written.split_whitespace().filter(|word| !["*", "///"].contains(word)).collect();
        assert!(words.join(" ").contains("The steps of 5 samples are added up"), "{file}");
    }
    if simulates(Core::CortexM7) {
        let words =
            ["adapt", "simulate", "small.tflite", "--classes", "2", "--scheme", "few.toml", "--board", "mps2-an500"];
        let told = folder.smidgen(&[&words[..], &["--steps", "3"]].concat()).expect(0).stderr;
        assert!(told.contains("--steps 10"), "{told}");
        assert!(!folder.smidgen(&[&words[..], &["--steps", "6"]].concat()).expect(0).stderr.contains("collected"));
    }
}

/// The text with `N` for every number of three digits and more: places and sizes, which are the plan's affair.
fn without_sizes(text: &str) -> String {
    let mut out = String::new();
    let mut number = String::new();
    for c in text.chars().chain(['\n']) {
        if c.is_ascii_digit() {
            number.push(c);
            continue;
        }
        out.push_str(if number.len() > 2 { "N" } else { &number });
        number.clear();
        out.push(c);
    }
    out.trim_end().to_owned() + "\n"
}

#[test]
fn code_that_learns_is_written() {
    let folder = folder();
    let said = folder
        .smidgen(&[
            "adapt",
            "compile",
            "small.tflite",
            "--classes",
            "3",
            "--scheme",
            "full",
            "--board",
            "stm32f746",
            "-o",
            "out",
        ])
        .expect(0)
        .stdout;
    assert!(said.contains("kept"), "{said}");
    let made = std::fs::read_to_string(folder.path("out/rust/src/lib.rs")).expect("the crate");
    let (_, methods) = made.split_once("impl<A: BorrowMut<Arena>> Model<A> {").expect("the model");
    insta::assert_snapshot!("learns_rust", without_sizes(methods));
}

#[test]
fn a_c_header_that_learns_is_as_reviewed() {
    let folder = folder();
    let mut network = Network::open(folder.path("small.tflite")).expect("written above");
    network.canonicalise().expect("nothing to fold");
    let adaptation = network.adapt(3, &adapting::Scheme::last_layer(), &Default::default(), &[]).expect("a classifier");
    let planned = adaptation.plan(&Target::on(&boards::find("stm32f746").expect("a board"))).expect("a plan");
    let compiled = planned.compile(codegen::Options { name: "learner".into(), ..Default::default() }).expect("code");
    let plan = &compiled.planned.plan.program;
    let c = codegen::c_library(plan, adaptation.network.graph(), &compiled.options, &compiled.rust);
    let header = String::from_utf8(c.files["include/learner.h"].clone()).expect("text");
    let exports = String::from_utf8(c.project["src/lib.rs"].clone()).expect("text");
    let header = header.replace(&format!("{:#018x}", plan.digest()), "DIGEST");
    insta::assert_snapshot!("learns_c", without_sizes(&header));
    insta::assert_snapshot!("learns_c_exports", without_sizes(&exports));
}

#[test]
fn an_adaptation_is_known_by_what_it_means_and_not_by_the_plan() {
    let folder = folder();
    let identity = |more: &[&str]| {
        let mut words = vec!["adapt", "compile", "small.tflite", "-o", "out", "--classes"];
        words.extend(more);
        folder.smidgen(&words).expect(0);
        let made = std::fs::read_to_string(folder.path("out/rust/src/lib.rs")).expect("the crate");
        let line = |name: &str| made.lines().find(|line| line.contains(name)).expect("a constant").to_owned();
        (line("pub const ADAPTATION"), line("pub const DIGEST"))
    };
    let (first, plan) = identity(&["3", "--scheme", "last-layer", "--board", "stm32f746"]);
    let (streamed, other) = identity(&["3", "--scheme", "last-layer", "--board", "stm32f746", "--stream-input"]);
    assert!(first == streamed && plan != other, "another schedule: {first} {streamed}");
    for more in [["4", "--scheme", "last-layer"], ["3", "--scheme", "bias-only"]] {
        let (foreign, _) = identity(&[&more[..], &["--board", "stm32f746"]].concat());
        assert_ne!(first, foreign, "{more:?}");
    }
}

#[test]
fn labelled_samples_are_learnt_on_the_emulated_board() {
    if !simulates(Core::CortexM7) {
        return;
    }
    let folder = folder();
    data(&folder);
    let simulate = |more: &[&str]| {
        let words =
            ["adapt", "simulate", "small.tflite", "--scheme", "bias-only", "--board", "mps2-an500", "--steps", "40"];
        folder.smidgen(&[&words[..], &["--rate", "0.1", "--json"], more].concat())
    };
    for stream in [&[][..], &["--stream-input"]] {
        let json = simulate(&[&["--classes", "2", "--data", "data.npz"], stream].concat()).expect(0).json();
        assert_eq!(json["matches_host"], true);
        let losses: Vec<f64> = json["losses"].as_array().unwrap().iter().map(|loss| loss.as_f64().unwrap()).collect();
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
        assert!(losses.len() == 40 && mean(&losses[30..]) < 0.5 * mean(&losses[..10]), "{losses:?}");
    }
    // A set with more classes than the classifier is to have.
    let labels = Array { dtype: Dtype::Int32, shape: vec![4], data: [0, 1, 2, 1i32].map(i32::to_le_bytes).concat() };
    let network = Network::open(folder.path("small.tflite")).expect("written above");
    let mut shape = network.graph().tensor(network.graph().inputs[0]).shape.dims().to_vec();
    shape[0] = 4;
    let samples = Array::from_i8(&shape, &vec![1; shape.iter().product()]);
    folder.npz("more.npz", &[("x_train", samples), ("y_train", labels)]);
    let said = simulate(&["--classes", "2", "--data", "more.npz"]).expect(2).stderr;
    assert!(said.contains("3 classes"), "{said}");
}

#[test]
fn wrong_requests_are_refused_with_a_reason() {
    let folder = folder();
    data(&folder);
    folder.write("none.toml", "manual_weight_idx = [99]\nweight_update_ratio = [1.0]\n");
    folder.write("broken.toml", "n_bias_updates = 3\n");
    let compile = |more: &[&str]| {
        let mut words = vec!["adapt", "compile", "small.tflite", "--board", "stm32f746", "-o", "out"];
        words.extend(more);
        folder.smidgen(&words)
    };
    for (more, code, wanted) in [
        (&["--classes", "3", "--scheme", "none.toml"][..], 2, "convolution 99"),
        (&["--classes", "3", "--scheme", "broken.toml"], 2, "n_bias_updates"),
        (&["--classes", "3", "--scheme", "nothing"], 2, "neither a file nor a scheme that has a name"),
        (&["--classes", "1", "--scheme", "full"], 2, "1 is not in 2..=65536"),
    ] {
        let said = compile(more).expect(code).stderr;
        assert!(said.contains(wanted), "{more:?}: {said}");
        assert!(!folder.path("out").exists(), "{more:?}: something was written");
    }
    let said = compile(&["--classes", "3", "--scheme", "full", "--sram", "1K"]).expect(5).stderr;
    assert!(said.contains("does not fit"), "{said}");
    let said = folder.smidgen(&["adapt", "eval", "small.tflite", "--data", "data.npz", "--rate", "0"]).expect(2).stderr;
    assert!(said.contains("--rate"), "{said}");
}

/// Random classifiers, all schemes, whole training steps: outputs and everything that was learnt, byte by byte.
#[test]
fn training_steps_give_the_host_s_bytes() {
    let cores: &[(&str, Core)] = match std::env::var_os("SMIDGEN_ALL_CORES") {
        Some(_) => &[
            ("mps2-an500", Core::CortexM7),
            ("mps2-an386", Core::CortexM4),
            ("mps2-an385", Core::CortexM3),
            ("rp2040", Core::CortexM0Plus),
            ("mps2-an505", Core::CortexM33),
            ("riscv32-virt", Core::Rv32imc),
        ],
        None => &[("mps2-an500", Core::CortexM7), ("rp2040", Core::CortexM0Plus), ("riscv32-virt", Core::Rv32imc)],
    };
    for (i, &(board, core)) in cores.iter().enumerate() {
        if !simulates(core) {
            continue;
        }
        for seed in [1, 3, 8 + i as u64] {
            let mut network = Network::from_graph(random_classifier(seed)).expect("a valid network");
            network.canonicalise().expect("nothing to fold");
            let features = adapting::Features::of(network.graph()).expect("a classifier");
            let count = features.convolutions.len();
            let half = adapting::Scheme { weight_update_ratio: vec![0.5; count], ..adapting::Scheme::full(count) };
            let mut scheme = if seed % 2 == 1 { adapting::Scheme::full(count) } else { half };
            if seed == 3 {
                // Of 12 samples the last two are still waiting.
                (scheme.accumulate, scheme.loss) = (5, adapting::Loss::MeanSquaredError);
            }
            let adaptation = network.adapt(5, &scheme, &Default::default(), &[]).expect("operators with gradients");
            let mut target = Target::on(&boards::find(board).expect("a board of smidgen's"));
            // The sample comes by rows as far as the layers before the first trained one let it.
            target.plan.stream_input = seed == 3;
            let compiled = adaptation
                .plan(&target)
                .and_then(|planned| planned.compile(codegen::Options { name: "network".into(), ..Default::default() }))
                .expect("a plan");
            let input = features.graph.tensor(features.graph.inputs[0]);
            let number = |n: i32| Array { dtype: Dtype::Int32, shape: vec![1], data: n.to_le_bytes().to_vec() };
            let samples = adapting::drawn(&features, 5);
            let rate = adapting::learner::fixed_rate(0.01);
            let iterations: Vec<Vec<Array>> = (0..12)
                .map(|i| vec![Array::from_i8(input.shape.dims(), &samples[i % 5]), number(i as i32 % 5), number(rate)])
                .collect();
            let simulated = compiled.simulate(&Session::default(), &iterations).expect("it runs");
            assert!(simulated.report.matches_host, "network {seed} on {board}");
            let checks = &simulated.report.checks;
            assert!(checks.panics.is_empty(), "network {seed} on {board}: {:?}", checks.panics);
            assert!(checks.heap.is_empty() && checks.floats.is_empty(), "network {seed} on {board}: {checks:?}");
        }
    }
}
