//! A network with state through the commands: a convolution over time whose ring of past frames is a variable.

use crate::support::{Folder, simulates};
use smidgen::boards::Core;
use smidgen::{Array, Network, Runner};

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
fn what_takes_samples_apart_refuses_state() {
    let folder = folder();
    let said = folder.smidgen(&["quantize", "streaming.ir", "-o", "q.tflite", "--data", "golden.npz"]).expect(3).stderr;
    assert!(said.contains("keeps `ring` from one inference to the next"), "{said}");
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
