//! A network with state through the commands: a convolution over time whose ring of past frames is a variable.

use crate::support::{Folder, simulates};
use smidgen::boards::Core;
use smidgen::{Array, Network, Runner};
use smidgen_reference::{Case, Reference};

/// One frame an inference; the ring begins with numbers.
const STREAMING: &str = include_str!("../../../smidgen-exec/tests/variables/streaming.ir");
const FRAMES: usize = 200;

/// Frames and what they give, from the same network with its state in the caller's hands.
fn golden() -> Vec<(String, Array)> {
    let text = STREAMING.replace("variables(%1 = %4 first %2)\n", "");
    let text = text.replace("inputs(%0)", "inputs(%0, %1)").replace("outputs(%9)", "outputs(%9, %4)");
    let network = Network::from_text(&text).expect("a network without state");
    let mut runner = Runner::new(&network, &Default::default()).expect("kernels");
    let mut ring = Array::from_i8(&[1, 8, 1, 4], &std::array::from_fn::<i8, 32, _>(|i| i as i8 + 3));
    let mut arrays = Vec::new();
    for k in 0..FRAMES {
        let frame: Vec<i8> = (0..4).map(|c| (k * k * 31 + k * 7 + c * 53) as u8 as i8).collect();
        let frame = Array::from_i8(&[1, 1, 1, 4], &frame);
        let mut outputs = runner.run(&[frame.clone(), ring]).expect("inputs that suit");
        ring = outputs.pop().expect("the next ring");
        arrays.push((format!("input_{k}"), frame));
        arrays.push((format!("output_{k}_0"), outputs.remove(0)));
    }
    arrays
}

fn folder() -> Folder {
    let folder = Folder::new();
    let golden = golden();
    let golden: Vec<(&str, _)> = golden.iter().map(|(name, array)| (name.as_str(), array.clone())).collect();
    folder.write("streaming.ir", STREAMING).npz("golden.npz", &golden);
    folder
}

#[test]
fn frames_of_one_sequence_share_the_state() {
    let folder = folder();
    let said = folder.smidgen(&["verify", "streaming.ir", "--golden", "golden.npz"]).expect(0).stdout;
    assert!(said.contains("compared 200 samples"), "{said}");
    // As a file, which holds the variable in another form.
    folder.smidgen(&["convert", "streaming.ir", "-o", "streaming.tflite"]).expect(0);
    folder.smidgen(&["verify", "streaming.tflite", "--golden", "golden.npz"]).expect(0);
    folder.smidgen(&["check", "streaming.tflite"]).expect(0);
    let said = folder.smidgen(&["inspect", "streaming.tflite"]).expect(0).stdout;
    assert!(said.contains("state  0  `ring`  i8 1x8x1x4"), "{said}");
}

#[test]
fn plans_say_what_outlives_an_inference() {
    let folder = folder();
    let said = folder.smidgen(&["plan", "streaming.ir", "--board", "stm32f412"]).expect(0).stdout;
    let line = said.lines().find(|line| line.contains("of it state")).unwrap_or_else(|| panic!("{said}"));
    assert!(line.contains("32 bytes") && line.contains("outlives an inference"), "{line}");
    let json = folder.smidgen(&["plan", "streaming.ir", "--json"]).expect(0).json();
    assert_eq!(json["persistent_bytes"], 32, "{json}");
}

#[test]
fn training_on_the_device_refuses_state() {
    let folder = folder();
    let arguments = ["--classes", "2", "--scheme", "last-layer", "--board", "stm32f746"];
    let said = folder.smidgen(&[&["adapt", "simulate", "streaming.ir"][..], &arguments].concat()).expect(3).stderr;
    assert!(said.contains("it keeps state between inferences"), "{said}");
}

#[test]
fn generated_code_can_forget() {
    let folder = folder();
    folder.smidgen(&["compile", "streaming.ir", "--board", "stm32f412", "--emit", "rust", "-o", "firmware"]).expect(0);
    let made = std::fs::read_to_string(folder.path("firmware/src/lib.rs"))
        .or_else(|_| std::fs::read_to_string(folder.path("firmware/rust/src/lib.rs")))
        .expect("the crate");
    assert!(made.contains("pub fn reset(&mut self)") && made.contains("state `ring`"), "{made}");
}

#[test]
fn an_emulated_core_gives_the_same_two_hundred_frames() {
    if !simulates(Core::CortexM7) {
        return;
    }
    let folder = folder();
    for more in [&[][..], &["--stream-input"], &["--schedule", "layer"]] {
        let arguments = ["simulate", "streaming.ir", "--board", "stm32f746", "--golden", "golden.npz", "--json"];
        let report = folder.smidgen(&[&arguments, more].concat()).expect(0).json();
        assert_eq!((&report["matches_host"], &report["matches_golden"]), (&true.into(), &true.into()), "{report}");
        assert_eq!(report["samples"], FRAMES);
    }
}

/// Frames of a wake word: noise, with rows of one loud feature now and then.
fn heard(count: usize) -> Vec<Vec<i8>> {
    let mut random = smidgen_synthetic::Random::new(9);
    let frame = |k: usize| {
        let loud = if k % 40 < 12 { 4 } else { 1 };
        (0..48).map(|_| ((random.below(63) as i32 - 31) * loud) as i8).collect()
    };
    (0..count).map(frame).collect()
}

#[test]
fn a_wake_word_is_the_references_over_five_hundred_frames() {
    const HEARD: usize = 500;
    let network = Network::from_graph(smidgen_synthetic::wake_word(5)).expect("a valid graph");
    assert_eq!(network.graph().variables.len(), 6);
    let file = network.to_tflite().expect("a file");
    let frames = heard(HEARD);
    let shape = [1, 3, 1, 16];
    let mut runner = Runner::new(&network, &Default::default()).expect("kernels");
    let answers: Vec<Array> =
        frames.iter().map(|frame| runner.run(&[Array::from_i8(&shape, frame)]).expect("a frame").remove(0)).collect();
    // It hears something: the answers differ, and so does the same frame later on.
    let distinct: std::collections::HashSet<&[u8]> = answers.iter().map(|a| a.data.as_slice()).collect();
    assert!(distinct.len() > 20, "{} answers", distinct.len());
    let folder = Folder::new();
    folder.write("wake.tflite", &file);
    let mut arrays = Vec::new();
    for (k, (frame, answer)) in frames.iter().zip(&answers).enumerate() {
        arrays.push((format!("input_{k}"), Array::from_i8(&shape, frame)));
        arrays.push((format!("output_{k}_0"), answer.clone()));
    }
    let named = |count: usize| arrays[..2 * count].iter().map(|(n, a)| (n.as_str(), a.clone())).collect::<Vec<_>>();
    folder.npz("golden.npz", &named(HEARD)).npz("few.npz", &named(60));
    // The file is the same network, read back and cleaned up.
    folder.smidgen(&["verify", "wake.tflite", "--golden", "golden.npz"]).expect(0);
    if simulates(Core::CortexM4) {
        let board = ["simulate", "wake.tflite", "--board", "stm32f412", "--golden", "few.npz", "--json"];
        let report = folder.smidgen(&board).expect(0).json();
        assert_eq!((&report["matches_host"], &report["matches_golden"]), (&true.into(), &true.into()), "{report}");
        assert_eq!(report["samples"], 60);
    }
    // A reset in the middle: what comes after it is what came first.
    for frame in &frames[..7] {
        runner.run(&[Array::from_i8(&shape, frame)]).expect("a frame");
    }
    runner.reset();
    for (frame, answer) in frames.iter().zip(&answers).take(100) {
        assert_eq!(runner.run(&[Array::from_i8(&shape, frame)]).expect("a frame")[0].data, answer.data);
    }
    let Some(mut reference) = Reference::start_or_skip("a wake word") else { return };
    let samples = frames.iter().map(|frame| vec![frame.iter().map(|&x| x as u8).collect()]).collect();
    let outcome = reference.run_case(&Case { model: file, samples, ..Case::default() }).expect("LiteRT runs it");
    for (k, (sample, answer)) in outcome.samples.iter().zip(&answers).enumerate() {
        assert_eq!(sample.outputs[0], answer.data, "frame {k}");
    }
    assert_eq!(outcome.samples.len(), HEARD);
}
