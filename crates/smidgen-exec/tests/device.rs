//! The kernels that firmware runs, on the host: the same bytes, and hardly more constants than weights and biases.

use smidgen_exec::Executor;
use smidgen_ir::{ElementType, Graph, Op};
use smidgen_plan::{Kernel, KernelSet, LowerOptions, Lowered, Operand, lower, simple};
use std::path::PathBuf;

/// The real integer models beside the checkout or in `SMIDGEN_SHARED`, by name, in order. Empty, with a note, if there are none.
fn models() -> Vec<(String, Graph)> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let folder = std::env::var_os("SMIDGEN_SHARED").map_or_else(beside, PathBuf::from).join("models");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        eprintln!("skipped the real models: there is no {}", folder.display());
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a folder entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "tflite"));
    paths.sort();
    let read = |path: &PathBuf| {
        let mut graph = smidgen_tflite::read(&std::fs::read(path).expect("a readable model")).expect("a model");
        smidgen_ir::passes::clean_up(&mut graph);
        smidgen_ir::passes::cut_io(&mut graph);
        (path.file_stem().expect("a file name").to_string_lossy().into_owned(), graph)
    };
    let is_int8 = |graph: &Graph| graph.tensor(graph.inputs[0]).element() == ElementType::Int8;
    paths.iter().map(read).filter(|(_, graph)| is_int8(graph)).collect()
}

fn outputs(lowered: &Lowered, seed: u64) -> Vec<Vec<u8>> {
    let mut executor = Executor::new(simple::layer_wise(lowered)).expect("an executable program");
    let mut state = seed;
    for (i, port) in lowered.inputs.iter().enumerate() {
        let Operand::Buffer(id, _) = port.operand else { continue };
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as u8
        };
        let bytes: Vec<u8> = (0..lowered.buffers[id.index()].bytes()).map(|_| next()).collect();
        executor.set_input(i, &bytes).expect("an input of this size");
    }
    executor.run();
    (0..lowered.outputs.len()).map(|i| executor.output(i).to_vec()).collect()
}

/// Bytes of the weights and biases as the file has them, and how many operators have some.
fn weights(graph: &Graph) -> (usize, usize) {
    let weighted: Vec<_> = (graph.operators.iter())
        .filter(|o| matches!(o.op, Op::Conv2d(_) | Op::DepthwiseConv2d { .. } | Op::FullyConnected { .. }))
        .collect();
    let bytes =
        weighted.iter().flat_map(|o| &o.inputs[1..]).map(|&id| graph.tensor(id).data.as_ref().map_or(0, |d| d.len()));
    (bytes.sum(), weighted.len())
}

#[test]
fn device_kernels_give_the_bytes_of_the_fast_ones() {
    for (name, graph) in models() {
        let [fast, device] = [KernelSet::Fast, KernelSet::Device].map(|kernels| {
            lower(&graph, &LowerOptions { kernels, ..LowerOptions::default() }).expect("supported operators")
        });
        for seed in 0..2 {
            assert_eq!(outputs(&device, seed), outputs(&fast, seed), "{name}");
        }
        let finishes: Vec<_> = (device.steps.iter())
            .filter_map(|step| match &step.kernel {
                Kernel::Conv2dI8Device { finish, .. }
                | Kernel::DepthwiseI8Device { finish, .. }
                | Kernel::FullyConnectedI8Device { finish, .. } => Some(finish),
                _ => None,
            })
            .collect();
        let extras: usize = finishes.iter().map(|finish| finish.extras as usize).sum();
        let ((bytes, layers), constants) =
            (weights(&graph), device.constants.iter().map(|c| c.bytes.len()).sum::<usize>());
        println!(
            "{name}: {} of {layers} layers proven, {extras} extras, constants {constants} bytes, {:.4} times weights and biases",
            finishes.len(),
            constants as f64 / bytes as f64
        );
        // Layers whose scales spread too far for one shift keep the general kernels; there are few.
        assert!(finishes.len() + 2 >= layers, "{name}: only {} of {layers} layers proven", finishes.len());
    }
}
