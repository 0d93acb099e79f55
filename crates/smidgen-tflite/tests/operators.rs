//! Every operator goes through a file and back, and the reference interpreter takes the file.

mod common;

use smidgen_ir::{ElementType, Graph, Op, Padding, Values, validate};
use smidgen_reference::Reference;
use smidgen_tflite::{SUPPORTED, read, write};

fn anonymous(mut graph: Graph) -> Graph {
    graph.tensors.iter_mut().for_each(|tensor| tensor.source = None);
    graph.operators.iter_mut().for_each(|operator| operator.source = None);
    graph
}

#[test]
fn every_operator_comes_back() {
    for (name, graph) in common::samples::graphs() {
        validate(&graph).unwrap_or_else(|error| panic!("{name}: {error}"));
        let file = write(&graph).unwrap_or_else(|error| panic!("{name}: {error}"));
        let again = read(&file).unwrap_or_else(|error| panic!("{name}: {error}"));
        validate(&again).unwrap_or_else(|error| panic!("{name}, read: {error}"));
        assert!(write(&again).unwrap() == file, "{name}: the second file differs");
        let again = anonymous(again);
        let explicit = |graph: &Graph| match &graph.operators[0].op {
            Op::Conv2d(conv) | Op::DepthwiseConv2d { conv, .. } => matches!(conv.padding, Padding::Explicit { .. }),
            _ => false,
        };
        if explicit(&graph) {
            let names: Vec<&str> = again.operators.iter().map(|operator| operator.op.name()).collect();
            assert_eq!(names, ["PAD", graph.operators[0].op.name()], "{name}");
        } else if name.starts_with("conv") && name.ends_with("without bias") {
            let bias = again.tensor(again.operators[0].inputs[2]);
            assert!(bias.data.as_deref().unwrap().iter().all(|&byte| byte == 0), "{name}");
        } else {
            assert_eq!(again.operators, anonymous(graph.clone()).operators, "{name}");
            assert!(again == anonymous(graph), "{name}: the graphs differ");
        }
    }
}

#[test]
fn the_samples_hold_every_supported_operator() {
    let mut names: Vec<&str> = Vec::new();
    let graphs = common::samples::graphs();
    graphs.iter().flat_map(|(_, graph)| &graph.operators).for_each(|operator| names.push(operator.op.name()));
    if graphs.iter().any(|(_, graph)| !graph.variables.is_empty()) {
        // Resolved when reading, written again.
        names.extend(["CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE"]);
    }
    // Read as STRIDED_SLICE, and written so.
    names.push("REVERSE_V2");
    for entry in SUPPORTED.iter() {
        assert!(names.contains(&entry.name), "no sample of {}", entry.name);
    }
}

/// Operators that are read of int8 and not of uint8.
const INT8_ALONE: [&str; 11] = [
    "ABS",
    "BATCH_MATMUL",
    "DIV",
    "EXP",
    "GELU",
    "L2_NORMALIZATION",
    "LOG",
    "LOG_SOFTMAX",
    "RSQRT",
    "SQRT",
    "SQUARED_DIFFERENCE",
];

#[test]
fn the_support_table_lists_the_types_that_the_graph_computes_with() {
    let listed = |types: &[ElementType]| ElementType::ALL.map(|element| types.contains(&element));
    let entry = |name: &str| SUPPORTED.iter().find(|entry| entry.name == name).expect("a row").types;
    for (name, graph) in common::samples::graphs() {
        let [operator] = graph.operators.as_slice() else { continue };
        let traits = operator.op.traits();
        let expected = match (&operator.op, traits.values) {
            (Op::Quantize, _) => {
                listed(&[ElementType::Float32, ElementType::Int8, ElementType::Uint8, ElementType::Int16])
            }
            (Op::Dequantize, _) => listed(&[ElementType::Int8, ElementType::Uint8, ElementType::Int16]),
            (Op::Compare(_) | Op::Select | Op::Gather { .. } | Op::Cast | Op::Svdf { .. } | Op::Recurrent(_), _) => {
                // Without quantisation, or quantised by others alone, they have no columns; each lists what the graph takes of it.
                assert!(graph.inputs.iter().all(|&id| entry(operator.op.name()).contains(&graph.tensor(id).element())));
                continue;
            }
            (_, Values::Moved) => ElementType::ALL.map(|element| element != ElementType::Int4),
            _ => ElementType::ALL.map(|element| match element {
                ElementType::Float32 => true,
                ElementType::Int8 => traits.int8,
                // Read as int8. The reference has no such form of most of these, and of the others none that networks are known to have.
                ElementType::Uint8 => traits.int8 && !INT8_ALONE.contains(&operator.op.name()),
                ElementType::Int16 => traits.int16,
                _ => false,
            }),
        };
        let types = entry(operator.op.name());
        assert_eq!(listed(types), expected, "{name}: {types:?}");
    }
}

#[test]
fn the_reference_interpreter_takes_every_sample() {
    let Some(mut reference) = Reference::start_or_skip("the interpreter on every operator") else { return };
    let mut refused = Vec::new();
    for (name, graph) in common::samples::graphs() {
        let zeros = graph.inputs.iter().map(|&id| vec![0; graph.tensor(id).bytes()]).collect::<Vec<_>>();
        match reference.run(&write(&graph).unwrap(), &zeros) {
            Ok(outputs) => {
                let sizes: Vec<usize> = graph.outputs.iter().map(|&id| graph.tensor(id).bytes()).collect();
                assert_eq!(outputs.iter().map(Vec::len).collect::<Vec<_>>(), sizes, "{name}");
            }
            Err(error) => {
                assert!(error.to_string().contains("support"), "{name}: {error}");
                refused.push(name);
            }
        }
    }
    // Operators that only the default kernels have, and types that the interpreter does not move with these operators.
    assert_eq!(refused, ["ROUND float", "CEIL float", "ELU float", "unpack int64", "split bool", "pack bool"]);
}
