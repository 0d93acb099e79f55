//! The kernels that firmware runs, on the host: the same bytes, and hardly more constants than weights and biases.

use smidgen_certify::certify;
use smidgen_exec::Executor;
use smidgen_ir::{DataType, ElementType, Graph, Op, Quantisation};
use smidgen_kernels::int8::mcu::Width;
use smidgen_lower::{KernelSet, LowerOptions, lower};
use smidgen_plan::layer_wise;
use smidgen_program::{Kernel, Lowered, Operand, Step, kernel};
use smidgen_reference::{Lack, skip};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// The real integer models beside the checkout or in `SMIDGEN_SHARED`, by name, in order. Empty, with a note, if there are none.
fn models() -> Vec<(String, Graph)> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let folder = std::env::var_os("SMIDGEN_SHARED").map_or_else(beside, PathBuf::from).join("models");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        skip(Lack::Optional, "the real models", &format!("there is no {}", folder.display()));
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a folder entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "tflite"));
    paths.sort();
    let read = |path: &PathBuf| {
        let mut graph = smidgen_tflite::read(&std::fs::read(path).expect("a readable model")).expect("a model");
        smidgen_ir::passes::canonicalise(&mut graph);
        smidgen_ir::passes::strip_io(&mut graph);
        (path.file_stem().expect("a file name").to_string_lossy().into_owned(), graph)
    };
    let is_int8 = |graph: &Graph| graph.tensor(graph.inputs[0]).element() == ElementType::Int8;
    paths.iter().map(read).filter(|(_, graph)| is_int8(graph)).collect()
}

fn outputs(lowered: &Lowered, seed: u64) -> Vec<Vec<u8>> {
    let mut executor = Executor::new(certify(layer_wise(lowered)).expect("a sound program"));
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

/// The graph with weights of four bits: rounded from those of eight, whose scales become sixteen times as large.
fn narrowed(graph: &Graph) -> Graph {
    let mut graph = graph.clone();
    let takes_weights = |op: &Op| matches!(op, Op::Conv2d(_) | Op::DepthwiseConv2d { .. } | Op::FullyConnected { .. });
    let weights: BTreeSet<_> = graph.operators.iter().filter(|o| takes_weights(&o.op)).map(|o| o.inputs[1]).collect();
    for id in weights {
        let tensor = &mut graph.tensors[id.index()];
        let DataType::Quantised(ElementType::Int8, quantisation) = &mut tensor.dtype else { continue };
        match quantisation {
            Quantisation::PerTensor { scale, .. } => *scale *= 16.0,
            Quantisation::PerChannel { scales, .. } => scales.iter_mut().for_each(|scale| *scale *= 16.0),
        }
        tensor.dtype = DataType::Quantised(ElementType::Int4, quantisation.clone());
        let rounded = |&byte: &u8| ((byte as i8 as f32 / 16.0).round() as i8).clamp(-8, 7) as u8;
        let bytes = tensor.data.as_ref().expect("constant weights");
        tensor.data = Some(ElementType::Int4.pack(bytes.iter().map(rounded).collect()).into());
    }
    smidgen_ir::validate(&graph).expect("a valid graph");
    graph
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
        let [fast, device] = [KernelSet::Fast, KernelSet::Mcu].map(|kernels| {
            lower(&graph, &LowerOptions { kernels, ..LowerOptions::default() }).expect("supported operators")
        });
        for seed in 0..2 {
            assert_eq!(outputs(&device, seed), outputs(&fast, seed), "{name}");
        }
        let finishes: Vec<_> = (device.steps.iter())
            .filter_map(|step| match &step.kernel {
                Kernel::Conv2dI8Mcu(kernel::Conv2dI8Mcu { epilogue, .. })
                | Kernel::DepthwiseI8Mcu(kernel::DepthwiseI8Mcu { epilogue, .. })
                | Kernel::FullyConnectedI8Mcu(kernel::FullyConnectedI8Mcu { epilogue, .. }) => Some(epilogue),
                _ => None,
            })
            .collect();
        let extras: usize = finishes.iter().map(|epilogue| epilogue.extras as usize).sum();
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

#[test]
fn weights_of_four_bits_give_the_bytes_of_the_fast_kernels_and_take_half_of_the_flash() {
    for (name, graph) in models() {
        let graph = narrowed(&graph);
        let [fast, device] = [KernelSet::Fast, KernelSet::Mcu].map(|kernels| {
            lower(&graph, &LowerOptions { kernels, ..LowerOptions::default() }).expect("supported operators")
        });
        for seed in 0..2 {
            assert_eq!(outputs(&device, seed), outputs(&fast, seed), "{name}");
        }
        let bytes = |step: &Step| step.constants.iter().map(|c| device.constants[c.index()].bytes.len()).sum::<usize>();
        let (mut layers, mut narrow, mut taken, mut weights) = (0, 0, 0, 0);
        for step in &device.steps {
            let (width, count) = match &step.kernel {
                Kernel::Conv2dI8Mcu(kernel::Conv2dI8Mcu { window, width, .. }) => {
                    (*width, window.patch() * window.output[2])
                }
                Kernel::FullyConnectedI8Mcu(kernel::FullyConnectedI8Mcu { inputs, outputs, width, .. }) => {
                    (*width, inputs * outputs)
                }
                _ => continue,
            };
            layers += 1;
            if width == Width::Four {
                narrow += 1;
                taken += bytes(step);
                weights += count;
            }
        }
        println!("{name}: {narrow} of {layers} layers with weights of four bits, {weights} weights in {taken} bytes");
        assert!(narrow + 2 >= layers, "{name}: only {narrow} of {layers} layers");
        // Six bytes for each channel, and what fills up words.
        assert!(taken < weights * 7 / 10, "{name}: {weights} weights in {taken} bytes");
    }
}
