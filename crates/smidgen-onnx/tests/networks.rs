//! Networks as PyTorch exports them, by both of its exporters, against PyTorch's own results.

mod common;

use common::{Stream, floats, names, run};
use std::io::BufReader;

/// How far results may lie apart, absolutely and of the expected number.
const TOLERANCE: f32 = 1e-4;

#[test]
fn exported_networks_agree_with_pytorch() {
    let program = include_str!("python/networks.py");
    let folder = tempfile::tempdir().expect("a folder");
    let argument = folder.path().to_str().expect("a path of text");
    let Some(mut child) = common::python(program, &[argument], "torch, onnx, onnxscript", "networks from PyTorch")
    else {
        return;
    };
    let mut stream = Stream(BufReader::new(child.stdout.take().expect("piped")));
    let mut compared = 0;
    loop {
        match stream.u8() {
            0 => break,
            2 => println!("{}: not exported: {}", stream.text(), stream.text()),
            _ => {
                let (name, model, inputs, outputs) = (stream.text(), stream.blob(), stream.arrays(), stream.arrays());
                let import = smidgen_onnx::read(&model).unwrap_or_else(|e| panic!("{name}: {e}"));
                let found = run(&import, &inputs).unwrap_or_else(|e| panic!("{name}: {e}"));
                let mut worst = 0f32;
                assert_eq!(found.len(), outputs.len(), "{name}");
                for ((port, found), expected) in found.iter().zip(&outputs) {
                    assert_eq!(port.shape, expected.dims, "{name}");
                    for (f, e) in floats(found).into_iter().zip(floats(&expected.data)) {
                        worst = worst.max((f - e).abs() / e.abs().max(1.0));
                    }
                }
                let operators = names(&import.graph);
                let transposed = operators.iter().filter(|&&o| o == "TRANSPOSE").count();
                println!("{name}: {} operators, {transposed} transpositions, error {worst:.1e}", operators.len());
                assert!(worst <= TOLERANCE, "{name}: {worst}\n{operators:?}");
                // A shuffle of channels, and lines that are turned, move elements in themselves.
                let inherent = if name.starts_with("Shuffle") { 2 } else { 0 };
                assert!(transposed <= inherent, "{name}: {operators:?}");
                for spelt in ["DIV", "MAXIMUM", "MINIMUM"] {
                    assert!(name.starts_with("Shuffle") || !operators.contains(&spelt), "{name}: {operators:?}");
                }
                compared += 1;
            }
        }
    }
    child.wait().expect("Python ends");
    assert!(compared >= 5, "only {compared} networks were exported");
}
