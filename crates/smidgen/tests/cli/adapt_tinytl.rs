//! `smidgen adapt` with lite residual modules: on the host, on emulated cores, and networks that have no place for
//! them.

use crate::support::{Folder, simulates};
use smidgen::adapting::lite_residual::blocks;
use smidgen::adapting::{Features, Scheme, drawn, learner::fixed_rate};
use smidgen::boards::{self, Core};
use smidgen::{Array, Dtype, Network, Session, Target, codegen};
use smidgen_synthetic::{mobilenet_v2, random_classifier};

/// A random network that has so many blocks, or at least one.
fn network(wanted: std::ops::RangeInclusive<usize>) -> Network {
    let has = |network: &Network| {
        let features = Features::of(network.graph()).expect("a classifier");
        wanted.contains(&blocks(&features.graph).len())
    };
    let open = |seed| {
        let mut network = Network::from_graph(random_classifier(seed)).expect("a valid network");
        network.canonicalise().expect("nothing to fold");
        network
    };
    (0..100).map(open).find(has).expect("one of a hundred")
}

fn folder(wanted: std::ops::RangeInclusive<usize>) -> Folder {
    let folder = Folder::new();
    folder.write("small.tflite", network(wanted).to_tflite().expect("it can be written"));
    folder
}

#[test]
fn modules_learn_two_classes_on_the_host() {
    let folder = folder(2..=9);
    crate::adapt::data(&folder);
    folder.write("half.toml", "n_bias_update = 2\nlite_residual = { blocks = 1, groups = 1, kernel = 3 }\n");
    let schemes = "last-layer,lite-residual,tinytl,half.toml";
    let json = folder
        .smidgen(&["adapt", "eval", "small.tflite", "--data", "data.npz", "--json", "--scheme", schemes])
        .expect(0)
        .json();
    let schemes = json["schemes"].as_array().expect("one for each scheme");
    let kept: Vec<u64> = schemes.iter().map(|scheme| scheme["kept"].as_u64().unwrap()).collect();
    assert!(kept[0] < kept[3] && kept[3] < kept[1] && kept[1] < kept[2], "{kept:?}");
    for scheme in schemes {
        assert!(scheme["accuracy"].as_f64().unwrap() >= 0.95, "{scheme}");
    }
}

#[test]
fn modules_learn_on_the_emulated_board() {
    if !simulates(Core::CortexM7) {
        return;
    }
    let folder = folder(1..=9);
    crate::adapt::data(&folder);
    let words = ["adapt", "simulate", "small.tflite", "--scheme", "tinytl", "--board", "mps2-an500", "--classes", "2"];
    let more = ["--data", "data.npz", "--steps", "40", "--rate", "0.2", "--json"];
    let json = folder.smidgen(&[&words[..], &more].concat()).expect(0).json();
    assert_eq!(json["matches_host"], true);
    let losses: Vec<f64> = json["losses"].as_array().unwrap().iter().map(|loss| loss.as_f64().unwrap()).collect();
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    assert!(losses.len() == 40 && mean(&losses[30..]) < 0.5 * mean(&losses[..10]), "{losses:?}");
}

#[test]
fn a_network_without_blocks_is_refused_with_what_was_looked_for() {
    let folder = folder(0..=0);
    for scheme in ["lite-residual", "tinytl"] {
        let words = ["adapt", "compile", "small.tflite", "--classes", "2", "--board", "stm32f746", "-o", "out"];
        let said = folder.smidgen(&[&words[..], &["--scheme", scheme]].concat()).expect(2).stderr;
        assert!(said.contains("no block") && said.contains("depthwise convolutions"), "{said}");
        assert!(!folder.path("out").exists(), "something was written");
    }
}

/// Networks with modules, whole training steps: outputs and everything that was learnt, byte by byte.
#[test]
fn training_steps_with_modules_give_the_host_s_bytes() {
    let random = network(2..=9);
    let mobile = Network::from_graph(mobilenet_v2(0.35, 32, 6, 2)).expect("a valid network");
    for (board, core, network) in [
        ("mps2-an500", Core::CortexM7, &mobile),
        ("mps2-an500", Core::CortexM7, &random),
        ("rp2040", Core::CortexM0Plus, &random),
        ("riscv32-virt", Core::Rv32imc, &random),
    ] {
        if !simulates(core) {
            continue;
        }
        let features = Features::of(network.graph()).expect("a classifier");
        let scheme = Scheme::tinytl(features.convolutions.len());
        let adaptation = network.adapt(5, &scheme, &Default::default(), &[]).expect("operators with gradients");
        let compiled = adaptation
            .plan(&Target::on(&boards::find(board).expect("a board of smidgen's")))
            .and_then(|planned| planned.compile(codegen::Options { name: "network".into(), ..Default::default() }))
            .expect("a plan");
        let input = features.graph.tensor(features.graph.inputs[0]);
        let number = |n: i32| Array { dtype: Dtype::Int32, shape: vec![1], data: n.to_le_bytes().to_vec() };
        let samples = drawn(&features, 5);
        let rate = fixed_rate(0.01);
        let iterations: Vec<Vec<Array>> = (0..6)
            .map(|i| vec![Array::from_i8(input.shape.dims(), &samples[i % 5]), number(i as i32 % 5), number(rate)])
            .collect();
        let simulated = compiled.simulate(&Session::default(), &iterations).expect("it runs");
        assert!(simulated.report.matches_host, "{board}");
        let checks = &simulated.report.checks;
        assert!(checks.panics.is_empty(), "{board}: {:?}", checks.panics);
        assert!(checks.heap.is_empty() && checks.floats.is_empty(), "{board}: {checks:?}");
    }
}
