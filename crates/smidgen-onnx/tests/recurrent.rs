//! Random recurrent layers, against the equations of ONNX's specification in double precision and, where it is
//! installed, ONNX Runtime.

mod common;

use common::{Stream, floats, names, run};
use smidgen_onnx::{Options, read_with};
use std::io::BufReader;

/// Layers drawn.
const CASES: &str = "400";
/// How far results may lie apart, absolutely and of the expected number.
const TOLERANCE: f32 = 1e-5;

#[test]
fn random_recurrent_layers_give_what_the_specification_says() {
    let program = include_str!("python/recurrent.py");
    let Some(mut child) = common::python(program, &[CASES, "0"], "onnx, numpy", "random recurrent layers") else {
        return;
    };
    let mut stream = Stream(BufReader::new(child.stdout.take().expect("piped")));
    let (mut compared, mut by_runtime, mut worst, mut transposed) = (0, 0, 0f32, 0);
    while stream.u8() == 1 {
        let (name, model, inputs, outputs) = (stream.text(), stream.blob(), stream.arrays(), stream.arrays());
        let import = read_with(&model, &Options::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let found = run(&import, &inputs).unwrap_or_else(|error| panic!("{name}: {error}"));
        for expected in &outputs {
            let (port, bytes) = found.iter().find(|(port, _)| port.name == expected.name).expect("an output");
            assert_eq!(port.shape, expected.dims, "{name}: {}", port.name);
            for (i, (f, e)) in floats(bytes).into_iter().zip(floats(&expected.data)).enumerate() {
                let error = (f - e).abs() / e.abs().max(1.0);
                assert!(error <= TOLERANCE, "{name}: {} element {i}: {f}, not {e}", port.name);
                worst = worst.max(error);
            }
        }
        // One sequence is its own transposition.
        let moves = names(&import.graph).iter().filter(|&&operator| operator == "TRANSPOSE").count();
        assert!(moves == 0 || !name.contains(" N=1 "), "{name}: {:?}", names(&import.graph));
        transposed += usize::from(moves > 0);
        compared += 1;
        by_runtime += usize::from(outputs.len() > found.len());
    }
    child.wait().expect("Python ends");
    println!(
        "{compared} layers, {by_runtime} by ONNX Runtime too, {transposed} with transpositions, error {worst:.1e}"
    );
    assert_eq!(compared.to_string(), CASES);
}
