//! Whole networks: every intermediate tensor against the goldens, and round trips through our writer.

use crate::compare::difference;
use crate::draw::{Draw, FULL_SIZE, Numbers};
use crate::ours::{self, KERNEL_SETS};
use smidgen::data::Archive;
use smidgen_ir::Graph;
use smidgen_lower::KernelSet;
use smidgen_reference::{Case, Reference, shared};
use std::iter;
use std::path::Path;

const MODELS: [&str; 9] = [
    "mcunet-5fps-imagenet",
    "mcunet-person-detection",
    "mcunet-vww",
    "mlperf-ad",
    "mlperf-kws",
    "mlperf-kws-float",
    "mlperf-resnet8",
    "mlperf-resnet8-float",
    "person-detect",
];

/// The goldens have no intermediate tensors of this model: the reference interpreter refuses it.
const REFUSED: &str = "person-detect";

fn model(shared: &Path, name: &str) -> Vec<u8> {
    let path = shared.join("models").join(name).with_extension("tflite");
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn goldens(shared: &Path, name: &str) -> Archive {
    let path = shared.join("golden").join(name).with_extension("npz");
    let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    Archive::new(bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn every_tensor_equals_the_golden() {
    let Some(shared) = shared("goldens of whole networks") else { return };
    for name in MODELS {
        let graph = ours::read(&model(&shared, name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        let mut goldens = goldens(&shared, name);
        let rewritten = ours::rewritten(&graph);
        for graph in iter::once(&graph).chain(&rewritten) {
            for kernels in KERNEL_SETS {
                let compared = compare_with_goldens(name, graph, kernels, &mut goldens);
                // Reshapes run no step, and the outputs of folded operators are gone.
                let least = if name == REFUSED { 0 } else { graph.operators.len() * 3 / 4 };
                assert!(compared >= least, "{name}: only {compared} of {} operators compared", graph.operators.len());
            }
        }
    }
}

/// Compares each step's output and the graph's for sample 0; the number of steps for which there was a golden tensor.
fn compare_with_goldens(name: &str, graph: &Graph, kernels: KernelSet, goldens: &mut Archive) -> usize {
    let mut golden = |key: String| goldens.get(&key).unwrap_or_else(|e| panic!("{name} {key}: {e}"));
    let input = golden("input_0".into()).expect("goldens have an input");
    let mut executor = ours::executor(graph, kernels).unwrap_or_else(|e| panic!("{name}: {e}"));
    executor.set_input(0, &input.data).unwrap();
    let mut compared = 0;
    executor.run_with(&mut |finished| {
        let program = finished.program();
        for (i, target) in program.steps[finished.step.index()].outputs.iter().enumerate() {
            let Some(tensor) = program.buffers[target.buffer.index()].spec.tensor else { continue };
            let tensor = graph.tensor(tensor);
            let Some(expected) = tensor.source.and_then(|source| golden(format!("tensor_{source}"))) else { continue };
            let got = finished.output(i).expect("layer-wise plans store tensors whole");
            let difference = difference(tensor.element(), &expected.data, got);
            assert_eq!(difference, None, "{name}, {kernels:?} kernels, {}", tensor.name);
            compared += 1;
        }
    });
    for (i, &id) in graph.outputs.iter().enumerate() {
        let expected = golden(format!("output_0_{i}")).expect("goldens have outputs");
        let difference = difference(graph.tensor(id).element(), &expected.data, executor.output(i));
        assert_eq!(difference, None, "{name}, {kernels:?} kernels, output {i}");
    }
    compared
}

#[test]
fn models_written_back_give_the_same_outputs() {
    let Some(shared) = shared("round trips of whole networks") else { return };
    let mut reference = Reference::start_or_skip("round trips of whole networks in the reference interpreter");
    for name in MODELS {
        let original = model(&shared, name);
        let graph = ours::read(&original).unwrap_or_else(|e| panic!("{name}: {e}"));
        let written = ours::write(&graph).unwrap_or_else(|e| panic!("{name}: {e}"));
        let again = ours::read(&written).unwrap_or_else(|e| panic!("{name}: {e}"));
        let rewritten = ours::write(&again).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(written, rewritten, "{name}: the second file differs from the first");

        let mut draw = Draw::new(7, FULL_SIZE, Numbers::Int8);
        let samples: Vec<_> = (0..3).map(|_| draw.sample(&graph)).collect();
        for kernels in KERNEL_SETS {
            let run = |graph| ours::run(graph, kernels, &samples).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(run(&graph), run(&again), "{name}, {kernels:?} kernels");
        }
        let Some(reference) = reference.as_mut().filter(|_| name != REFUSED) else { continue };
        let before = Case { model: original, samples, ..Case::default() };
        let after = Case { model: written, ..before.clone() };
        let mut outcomes = reference.run_batch(&[before, after]).into_iter().map(|outcome| match outcome {
            Ok(outcome) => outcome.samples,
            Err(e) => panic!("{name}: {e}"),
        });
        assert_eq!(outcomes.next(), outcomes.next(), "{name}");
    }
}
