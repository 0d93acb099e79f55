//! Any bytes: read, validate, write, read again. No panic; what is valid comes back the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smidgen_ir::{Graph, Op};
use smidgen_tflite::{ReadError, check, read, write};

fuzz_target!(|bytes: &[u8]| {
    let graph = match read(bytes) {
        Ok(graph) => graph,
        Err(error) => {
            // `check` agrees with `read`, and every message can be printed.
            match check(bytes) {
                Ok(found) => assert_eq!(error, ReadError::Unsupported(found)),
                Err(other) => assert!(other == error && !matches!(other, ReadError::Unsupported(_))),
            }
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let valid = smidgen_ir::validate(&graph).is_ok();
    let file = match write(&graph) {
        Ok(file) => file,
        Err(error) => {
            assert!(!valid, "a valid graph is refused: {error}");
            return;
        }
    };
    if valid {
        let again = read(&file).expect("what is written can be read");
        assert!(smidgen_ir::validate(&again).is_ok(), "what is written is valid");
        assert!(write(&again).as_ref() == Ok(&file), "the second file differs from the first");
        assert!(anonymous(again) == anonymous(graph.clone()) || !comparable(&graph), "the graphs differ");
    }
});

/// The graph without the record of where its parts stood in a file.
fn anonymous(mut graph: Graph) -> Graph {
    graph.tensors.iter_mut().for_each(|tensor| tensor.source = None);
    graph.operators.iter_mut().for_each(|operator| operator.source = None);
    graph
}

/// False if the graph holds a NaN, which equals nothing, or a CONV_2D without a bias, which gets one in a file.
fn comparable(graph: &Graph) -> bool {
    let bare = |op: &Op, inputs: usize| matches!(op, Op::Conv2d(_)) && inputs == 2;
    graph == &graph.clone() && !graph.operators.iter().any(|operator| bare(&operator.op, operator.inputs.len()))
}
