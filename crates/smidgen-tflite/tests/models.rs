//! Every real model reads.

mod common;

use smidgen_tflite::{check, read};

#[test]
fn every_model_reads_and_nothing_is_unsupported() {
    for (name, bytes) in common::models() {
        assert_eq!(check(&bytes), Ok(vec![]), "{name}");
        let graph = read(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        smidgen_ir::validate(&graph).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!graph.operators.is_empty() && !graph.inputs.is_empty() && !graph.outputs.is_empty(), "{name}");
    }
}
