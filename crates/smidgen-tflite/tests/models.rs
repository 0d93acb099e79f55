//! Every real model reads, validates, and comes back from a file of ours with the same graph and the same numbers.

mod common;

use smidgen_ir::{ElementType, Graph};
use smidgen_reference::{Error, Reference};
use smidgen_tflite::{check, read, write};

/// The graph without the record of where its parts stood in a file.
fn anonymous(mut graph: Graph) -> Graph {
    graph.tensors.iter_mut().for_each(|tensor| tensor.source = None);
    graph.operators.iter_mut().for_each(|operator| operator.source = None);
    graph
}

#[test]
fn every_model_reads_and_nothing_is_unsupported() {
    for (name, bytes) in common::models() {
        assert_eq!(check(&bytes), Ok(vec![]), "{name}");
        let graph = read(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        smidgen_ir::validate(&graph).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!graph.operators.is_empty() && !graph.inputs.is_empty() && !graph.outputs.is_empty(), "{name}");
    }
}

#[test]
fn every_model_comes_back_and_a_second_time_byte_for_byte() {
    for (name, bytes) in common::models() {
        let graph = read(&bytes).unwrap();
        let written = write(&graph).unwrap_or_else(|error| panic!("{name}: {error}"));
        let again = read(&written).unwrap_or_else(|error| panic!("{name}, written: {error}"));
        assert!(write(&again).unwrap() == written, "{name}: the second file differs");
        assert!(anonymous(again.clone()) == anonymous(graph.clone()), "{name}: the graphs differ");
        let places = |graph: &Graph| graph.tensors.iter().map(|tensor| tensor.source).collect::<Vec<_>>();
        assert_eq!(places(&again), places(&graph), "{name}: tensors have moved");
    }
}

#[test]
fn the_reference_interpreter_runs_what_is_written() {
    let Some(mut reference) = Reference::start_or_skip("running written models") else { return };
    for (name, bytes) in common::models() {
        let graph = read(&bytes).unwrap();
        let written = write(&graph).unwrap();
        for seed in 1..=3 {
            let inputs = inputs(&graph, seed);
            let found = reference.run(&written, &inputs).unwrap_or_else(|error| panic!("{name}, written: {error}"));
            match reference.run(&bytes, &inputs) {
                Ok(expected) => assert!(found == expected, "{name}: the outputs differ"),
                // The one older file whose biases name a quantised dimension that they do not have. What is written
                // names one that they have, and runs.
                Err(Error::Refused(message)) if name == "person-detect" => {
                    assert!(message.contains("quantized_dimension"), "{name}: {message}");
                    assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [2]);
                }
                Err(error) => panic!("{name}: {error}"),
            }
        }
    }
}

/// Bytes for each graph input: any for int8, numbers from -1 to 1 for float32.
fn inputs(graph: &Graph, seed: u64) -> Vec<Vec<u8>> {
    let mut random = common::Random::new(seed);
    let mut bytes = |tensor: &smidgen_ir::Tensor| -> Vec<u8> {
        (0..tensor.shape.elements())
            .flat_map(|_| match tensor.element() {
                ElementType::Int8 => vec![random.next() as u8],
                ElementType::Float32 => ((random.next() % 2001) as f32 / 1000.0 - 1.0).to_le_bytes().to_vec(),
                other => panic!("an input of {other}"),
            })
            .collect()
    };
    graph.inputs.iter().map(|&id| bytes(graph.tensor(id))).collect()
}
