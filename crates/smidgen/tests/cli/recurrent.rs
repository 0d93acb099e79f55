//! Recurrent layers through the commands: the cases from the field, a quantised network with one, and one that keeps
//! its state.

use crate::support::{Folder, cases, simulates};
use smidgen::boards::Core;
use smidgen::{Array, Network, Runner};

/// Layers of integers around an LSTM that begins anew in each inference.
const NETWORK: &str = include_str!("recurrent.ir");
/// An LSTM that goes on where it was, as TensorFlow Lite's do.
const KEEPING: &str = include_str!("recurrent_state.ir");
/// The same on int8, one step a call, and SVDF behind it.
const INTEGERS: &str = include_str!("recurrent_int8.ir");

/// Numbers between -1 and 1 that look like nothing in particular.
fn numbers(shape: &[usize], seed: usize) -> Array {
    let count: usize = shape.iter().product();
    let value = |i: usize| ((i * 37 + seed * 101 + i * i * 13) % 199) as f32 / 99.5 - 1.0;
    Array::from_f32(shape, &(0..count).map(value).collect::<Vec<_>>())
}

#[test]
fn layers_of_onnx_are_planned_compiled_and_simulated() {
    let Some(cases) = cases() else { return };
    for name in ["lstm.onnx", "gru.onnx"] {
        let folder = Folder::new();
        std::fs::copy(cases.join("onnx_recurrent").join(name), folder.path(name)).expect("the case");
        let board = ["--board", "stm32f412"];
        folder.smidgen(&[&["plan", name][..], &board].concat()).expect(0);
        folder.smidgen(&[&["compile", name, "-o", "firmware"][..], &board].concat()).expect(0);
        if simulates(Core::CortexM4) {
            let said = folder.smidgen(&[&["simulate", name][..], &board].concat()).expect(0).stdout;
            assert!(said.contains("equal"), "{name}: {said}");
        }
    }
}

#[test]
fn a_recurrent_layer_that_begins_anew_is_quantised_into_the_textual_form() {
    // An LSTM becomes integers, a GRU stays on floats.
    let gru = NETWORK
        .replace("UNIDIRECTIONAL_SEQUENCE_LSTM", "GRU")
        .replace("f32[8x3]", "f32[6x3]")
        .replace("f32[8x2]", "f32[6x2]")
        .replace("f32[8]", "f32[6]");
    for (network, layer, back) in [(NETWORK, "UNIDIRECTIONAL_SEQUENCE_LSTM", false), (&shortened(&gru), "GRU", true)] {
        let folder = Folder::new();
        folder.write("net.ir", network).npz("x.npz", &[("x", numbers(&[64, 6, 4], 1))]);
        let quantize =
            |out: &str, code: i32| folder.smidgen(&["quantize", "net.ir", "-o", out, "--data", "x.npz"]).expect(code);
        // The format has no layer that begins anew.
        let said = quantize("q.tflite", 3).stderr;
        assert!(said.contains("begin with zeros") && said.contains("OUT.ir"), "{said}");
        assert!(!folder.path("q.tflite").exists());
        let said = quantize("q.ir", 0).stdout;
        assert!(said.contains(layer), "{said}");
        let said = folder.smidgen(&["inspect", "q.ir"]).expect(0).stdout;
        assert!(said.contains("DEQUANTIZE") == back && said.contains("FULLY_CONNECTED"), "{said}");
        folder.smidgen(&["plan", "q.ir", "--board", "stm32f412"]).expect(0);
        if simulates(Core::CortexM4) {
            let said = folder.smidgen(&["simulate", "q.ir", "--board", "stm32f412"]).expect(0).stdout;
            assert!(said.contains("equal"), "{said}");
        }
    }
}

/// The textual form with lists of constants cut to what their shapes say.
fn shortened(text: &str) -> String {
    let network = |line: &str| -> Option<String> {
        let (head, list) = line.split_once(" = [")?;
        let shape = head.split_once("f32[")?.1.strip_suffix(']')?;
        let elements: usize = shape.split('x').map(|size| size.parse::<usize>().expect("a size")).product();
        let values: Vec<&str> = list.strip_suffix(']')?.split(", ").take(elements).collect();
        Some(format!("{head} = [{}]", values.join(", ")))
    };
    text.lines().map(|line| network(line).unwrap_or_else(|| line.to_owned()) + "\n").collect()
}

#[test]
fn a_layer_that_goes_on_where_it_was_is_quantised_for_every_form() {
    let folder = Folder::new();
    folder.write("net.ir", KEEPING).npz("x.npz", &[("x", numbers(&[64, 1, 3, 2], 1))]);
    let said = folder.smidgen(&["quantize", "net.ir", "-o", "q.tflite", "--data", "x.npz"]).expect(0).stdout;
    assert!(said.contains("UNIDIRECTIONAL_SEQUENCE_LSTM"), "{said}");
    let text = folder.smidgen(&["inspect", "q.tflite", "--ir"]).expect(0).stdout;
    assert!(!text.contains("DEQUANTIZE") && text.contains("variables("), "{text}");
    let integers = |k: usize| {
        let value = |i: usize| ((i * 37 + k * 101 + i * i * 13) % 255) as i8;
        Array::from_i8(&[1, 3, 2], &[0, 1, 2, 3, 4, 5].map(value))
    };
    keeps(&text, integers);
}

#[test]
fn state_is_kept_from_call_to_call_in_every_form() {
    keeps(KEEPING, |k| numbers(&[1, 3, 2], k));
}

#[test]
fn state_of_integers_is_kept_from_call_to_call_in_every_form() {
    keeps(INTEGERS, |k| {
        let value = |i: usize| ((i * 37 + k * 101 + i * i * 13) % 255) as i8;
        Array::from_i8(&[1, 1, 3], &[0, 1, 2].map(value))
    });
}

/// A network gives the same from call to call in both forms, planned, and on a simulated board.
fn keeps(text: &str, input: impl Fn(usize) -> Array) {
    let network = Network::from_text(text).expect("a network");
    let mut runner = Runner::new(&network, &Default::default()).expect("kernels");
    let mut golden = Vec::new();
    for k in 0..20 {
        let x = input(k);
        golden.push((format!("input_{k}"), x.clone()));
        golden.push((format!("output_{k}_0"), runner.run(&[x]).expect("an input that suits").remove(0)));
    }
    // One input again gives something else: it is not the first.
    let (x, first) = (golden[0].1.clone(), golden[1].1.clone());
    assert_ne!(runner.run(&[x]).expect("an input that suits").remove(0), first);
    let golden: Vec<(&str, _)> = golden.iter().map(|(name, array)| (name.as_str(), array.clone())).collect();
    let folder = Folder::new();
    folder.write("keep.ir", text).npz("golden.npz", &golden);
    folder.smidgen(&["convert", "keep.ir", "-o", "keep.tflite"]).expect(0);
    for model in ["keep.ir", "keep.tflite"] {
        let said = folder.smidgen(&["verify", model, "--golden", "golden.npz"]).expect(0).stdout;
        assert!(said.contains("compared 20 samples"), "{said}");
    }
    let said = folder.smidgen(&["plan", "keep.tflite", "--board", "stm32f412"]).expect(0).stdout;
    assert!(said.contains("of it state"), "{said}");
    if simulates(Core::CortexM4) {
        let words = ["simulate", "keep.tflite", "--board", "stm32f412", "--golden", "golden.npz"];
        let said = folder.smidgen(&words).expect(0).stdout;
        assert!(said.contains("equal"), "{said}");
    }
}
