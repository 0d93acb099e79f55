//! Whole networks: every intermediate tensor against the goldens, and round trips through our writer.

use crate::compare::difference;
use crate::draw::{Draw, FULL_SIZE, Numbers};
use crate::ours::{self, KERNEL_SETS};
use smidgen::data::Archive;
use smidgen_reference::{Case, Reference, shared};
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
        let mut golden = |key: String| goldens.get(&key).unwrap_or_else(|e| panic!("{name} {key}: {e}"));
        let input = golden("input_0".into()).expect("goldens have an input");
        for kernels in KERNEL_SETS {
            let mut executor = ours::executor(&graph, kernels).unwrap_or_else(|e| panic!("{name}: {e}"));
            executor.set_input(0, &input.data).unwrap();
            let mut compared = 0;
            executor.run_with(&mut |finished| {
                let program = finished.program();
                for (i, target) in program.steps[finished.step.index()].outputs.iter().enumerate() {
                    let Some(tensor) = program.buffers[target.buffer.index()].spec.tensor else { continue };
                    let tensor = graph.tensor(tensor);
                    let Some(expected) = tensor.source.and_then(|source| golden(format!("tensor_{source}"))) else {
                        continue;
                    };
                    let got = finished.output(i).expect("layer-wise plans store tensors whole");
                    if let Some(d) = difference(tensor.element(), &expected.data, got) {
                        panic!("{name}, {kernels:?} kernels, {}: {d:?}", tensor.name);
                    }
                    compared += 1;
                }
            });
            for (i, &id) in graph.outputs.iter().enumerate() {
                let expected = golden(format!("output_0_{i}")).expect("goldens have outputs");
                let difference = difference(graph.tensor(id).element(), &expected.data, executor.output(i));
                assert_eq!(difference, None, "{name}, {kernels:?} kernels, output {i}");
            }
            assert!(
                name == REFUSED || compared >= graph.operators.len() / 2,
                "{name}: only {compared} tensors compared"
            );
        }
    }
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
