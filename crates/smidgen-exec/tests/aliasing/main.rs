//! Overlap bounds are safe and tight for every kernel.
//!
//! Safe: with the output placed over its input at the least distance that the kernel's declared order allows, random models of
//! one operator give the bytes that they give with everything apart. Tight: closer by one byte (by as many as the greater element
//! has, where elements are wider than a byte) changes the bytes of at least one case for each kernel. The models are those of the differential tests; the reference interpreter is not needed here.

#[allow(dead_code)]
#[path = "../../../smidgen-reference/tests/differential/draw.rs"]
mod draw;
#[allow(dead_code)]
#[path = "../../../smidgen-reference/tests/differential/generators/mod.rs"]
mod generators;

use draw::{Draw, FULL_SIZE, Numbers};
use generators::{elementwise, movement, plain, recurrent, windowed};
use smidgen_certify::{Certified, certify};
use smidgen_exec::Executor;
use smidgen_ir::{DataType, ElementType, Graph};
use smidgen_lower::{KernelSet, LowerOptions, lower};
use smidgen_plan::aliasing::{aliasing, buffer_align};
use smidgen_plan::liveness::analyse;
use smidgen_plan::{Storage, layer_wise};
use smidgen_program::{
    Buffer, BufferId, Bytes, Granularity, Kernel, Lowered, Operand, Program, Region, Run, WriteOrder,
};
use std::collections::BTreeMap;

/// Models drawn for each operator and type.
const CASES: u64 = 60;

type Generator = fn(&mut Draw) -> Option<Graph>;

const OPERATORS: &[(&str, Generator)] = &[
    ("conv_2d", windowed::conv_2d),
    ("int4_weights", windowed::int4_weights),
    ("conv_2d_dynamic_range", windowed::conv_2d_dynamic_range),
    ("depthwise_conv_2d_dynamic_range", windowed::depthwise_conv_2d_dynamic_range),
    ("fully_connected_dynamic_range", windowed::fully_connected_dynamic_range),
    ("recurrent_dynamic_range", recurrent::recurrent_dynamic_range),
    ("depthwise_conv_2d", windowed::depthwise_conv_2d),
    ("transpose_conv", windowed::transpose_conv),
    ("fully_connected", windowed::fully_connected),
    ("average_pool_2d", windowed::average_pool_2d),
    ("max_pool_2d", windowed::max_pool_2d),
    ("resize_nearest_neighbor", windowed::resize_nearest_neighbor),
    ("resize_bilinear", windowed::resize_bilinear),
    ("softmax", windowed::softmax),
    ("add", elementwise::add),
    ("sub", elementwise::sub),
    ("mul", elementwise::mul),
    ("div", elementwise::div),
    ("squared_difference", elementwise::squared_difference),
    ("minimum", elementwise::minimum),
    ("maximum", elementwise::maximum),
    ("mean", elementwise::mean),
    ("sum", elementwise::sum),
    ("reduce_max", elementwise::reduce_max),
    ("reduce_min", elementwise::reduce_min),
    ("logistic", elementwise::logistic),
    ("tanh", elementwise::tanh),
    ("relu", elementwise::relu),
    ("leaky_relu", elementwise::leaky_relu),
    ("prelu", elementwise::prelu),
    ("exp", elementwise::exp),
    ("hard_swish", elementwise::hard_swish),
    ("arg_max", elementwise::arg_max),
    ("quantize", elementwise::quantize),
    ("dequantize", elementwise::dequantize),
    ("compare", plain::compare),
    ("greater", plain::greater),
    ("select_v2", plain::select_v2),
    ("gather", plain::gather),
    ("l2_normalization", plain::l2_normalization),
    ("log_softmax", plain::log_softmax),
    ("cast", plain::cast),
    ("batch_matmul", plain::batch_matmul),
    ("pad", movement::pad),
    ("transpose", movement::transpose),
    ("concatenation", movement::concatenation),
    ("split", movement::split),
    ("pack", movement::pack),
    ("unpack", movement::unpack),
    ("slice", movement::slice),
    ("strided_slice", movement::strided_slice),
    ("recurrent", recurrent::recurrent),
    ("svdf", recurrent::svdf_alone),
];

/// Kernels that are safe and could lie closer. The depthwise one of dynamic range looks for an image's range before it writes, and then at windows alone,
/// which no footprint says; the depthwise one on int16 declares about a pixel, less an element, more than it needs.
const LOOSE: [&str; 2] = ["DepthwiseHybrid", "DepthwiseI16Mcu"];

/// What was seen of one kernel.
#[derive(Default)]
struct Tally {
    /// Distances at which the bytes were right.
    safe: usize,
    /// Cases in which they were wrong closer by.
    wrong_closer: usize,
    /// Cases in which input and output are never live together.
    apart: usize,
}

/// Certifies a program and runs it; the bytes of all its outputs.
fn outputs(program: Program, inputs: &[Vec<u8>]) -> Vec<Vec<u8>> {
    run(certify(program).expect("a sound program"), inputs)
}

fn run(program: Certified, inputs: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut executor = Executor::new(program);
    for (i, bytes) in inputs.iter().enumerate() {
        executor.set_input(i, bytes).expect("an input of this size");
    }
    executor.run();
    (0..executor.program().outputs.len()).map(|i| executor.output(i).to_vec()).collect()
}

/// Certifies a program that is not sound, where a false order (its steps read all before they write any) gets it past the certifier: the order
/// is what that takes on trust, and what this test holds kernels to.
fn forged(mut program: Program) -> Option<Certified> {
    for step in &mut program.steps {
        step.order = WriteOrder { granularity: Granularity::Run, reads_first: true };
    }
    certify(program).ok()
}

/// A program with these buffers this far apart and everything else in a place of its own behind them.
fn placed(lowered: &Lowered, runs: &[Run], input: BufferId, output: BufferId, distance: isize) -> Program {
    let mut end = 0;
    let mut own = |len: usize| {
        let offset = end;
        end = (end + len).next_multiple_of(16);
        Bytes { offset, len }
    };
    let sizes = [input, output].map(|id| lowered.buffers[id.index()].bytes());
    own(distance.unsigned_abs() + sizes[0] + sizes[1]);
    let mut buffers = Vec::new();
    for (index, spec) in lowered.buffers.iter().enumerate() {
        let offset = if index == input.index() {
            distance.max(0) as usize
        } else if index == output.index() {
            (-distance).max(0) as usize
        } else {
            own(spec.bytes()).offset
        };
        buffers.push(Buffer { offset, slots: spec.extent.rows, width: spec.extent.cols, spec: spec.clone() });
    }
    let scratch = lowered.steps.iter().map(|s| own(s.scratch_bytes)).collect();
    let state = lowered.steps.iter().map(|s| own(s.state_bytes)).collect();
    Program { arena_bytes: end, buffers, scratch, state, runs: runs.to_vec(), ..layer_wise(lowered) }
}

/// Every step whole, or row by row where it can be cut.
fn lists(lowered: &Lowered) -> Vec<Vec<Run>> {
    let whole = lowered.step_ids().map(|step| Run::Compute { step, region: lowered.whole(step) }).collect();
    let mut rows = Vec::new();
    for step in lowered.step_ids() {
        let region = lowered.whole(step);
        let height = if lowered.steps[step.index()].partial { 1 } else { region.y1.max(1) };
        for y0 in (0..region.y1).step_by(height) {
            rows.push(Run::Compute { step, region: Region { y0, y1: y0 + height, ..region } });
        }
    }
    vec![whole, rows]
}

/// Places every output over every input of the graph's steps and counts what comes of it.
fn check(
    label: &str,
    graph: &Graph,
    kernels: KernelSet,
    inputs: &[Vec<u8>],
    tallies: &mut BTreeMap<&'static str, Tally>,
) {
    let Ok(lowered) = lower(graph, &LowerOptions { kernels, ..LowerOptions::default() }) else { return };
    let expected = outputs(layer_wise(&lowered), inputs);
    for runs in lists(&lowered) {
        let storage = vec![Storage::Whole; lowered.buffers.len()];
        let liveness = analyse(&lowered, &runs, &storage).expect("a list in order");
        let constraints = aliasing(&lowered, &runs, &storage, &liveness).constraints;
        for step in &lowered.steps {
            let tally = tallies.entry(step.kernel.name()).or_default();
            let sources = step.inputs.iter().filter_map(|operand| match operand {
                Operand::Buffer(id, _) => Some(*id),
                Operand::Constant(_) => None,
            });
            for (input, output) in sources.flat_map(|i| step.outputs.iter().map(move |o| (i, o.buffer))) {
                let [above, below] = [input, output].map(|id| buffer_align(&lowered.buffers[id.index()]) as isize);
                let Some(least) = constraints.minimum_offset(output.index(), input.index()) else {
                    // Never live together: any place will do, so take the very same.
                    let at = placed(&lowered, &runs, input, output, 0);
                    assert_eq!(outputs(at, inputs), expected, "{label}: {input:?} and {output:?} at the same place");
                    tally.apart += 1;
                    continue;
                };
                // Whichever lies at 0, the other one's offset is a multiple of its alignment, rounded away from danger.
                let rounded = |distance: isize| {
                    if distance >= 0 {
                        (distance + above - 1).div_euclid(above) * above
                    } else {
                        -((-distance).div_euclid(below) * below)
                    }
                };
                let safe = rounded(least);
                let at = placed(&lowered, &runs, input, output, safe);
                assert_eq!(outputs(at, inputs), expected, "{label}: {input:?} {safe} bytes above {output:?}");
                tally.safe += 1;
                let widest = above.max(below);
                let wrong = (1..=widest).map(|closer| rounded(least - closer)).any(|distance| {
                    if distance >= least {
                        return false;
                    }
                    let Some(at) = forged(placed(&lowered, &runs, input, output, distance)) else { return false };
                    // A kernel that reads what it has just overwritten may well look beyond the end of a table.
                    std::panic::catch_unwind(|| run(at, inputs)).map_or(true, |outputs| outputs != expected)
                });
                tally.wrong_closer += usize::from(wrong);
            }
        }
    }
}

/// Makes of a graph that computes with uint8 what a reader makes of it, but for its ends.
fn shift(graph: &mut Graph) {
    for tensor in &mut graph.tensors {
        let DataType::Quantised(ElementType::Uint8, _) = tensor.dtype else { continue };
        let Some((scale, zero_point)) = tensor.per_tensor() else { continue };
        tensor.dtype = DataType::int8(scale, zero_point - 128);
        tensor.data = tensor.data.take().map(|data| data.iter().map(|byte| byte ^ 0x80).collect());
    }
    for operator in &mut graph.operators {
        operator.uint8 = operator.op.traits().uint8;
    }
}

#[test]
fn overlap_is_safe_and_tight_for_every_kernel() {
    let mut tallies: BTreeMap<&'static str, Tally> = BTreeMap::new();
    for (operator, generate) in OPERATORS {
        for numbers in [Numbers::Int8, Numbers::Uint8, Numbers::Int16, Numbers::Float] {
            for seed in 0..CASES {
                let mut draw = Draw::new(seed, FULL_SIZE, numbers);
                let Some(mut graph) = generate(&mut draw) else { continue };
                if numbers == Numbers::Uint8 && smidgen_ir::validate(&graph).is_err() {
                    shift(&mut graph);
                }
                if smidgen_ir::validate(&graph).is_err() {
                    continue;
                }
                let inputs = draw.sample(&graph);
                for kernels in [KernelSet::Reference, KernelSet::Fast, KernelSet::Mcu] {
                    let label = format!("{operator} {numbers:?} seed {seed}, {kernels:?} kernels");
                    check(&label, &graph, kernels, &inputs, &mut tallies);
                }
            }
        }
    }
    for (kernel, tally) in &tallies {
        let Tally { safe, wrong_closer, apart } = tally;
        println!("{kernel:28} {safe:5} safe, {wrong_closer:5} of them wrong closer by, {apart:3} never live together");
    }
    // What loads a constant reads nothing of the arena that it could overwrite; kernels of training steps, none of which comes of an
    // operator, are tested with these.
    let elsewhere = |name: &str| name == "Load" || Kernel::TRAINING.contains(&name);
    let missing: Vec<_> = Kernel::NAMES.iter().filter(|&&n| !elsewhere(n) && !tallies.contains_key(n)).collect();
    assert!(missing.is_empty(), "no operator that is drawn has a step with these kernels: {missing:?}");
    let loose: Vec<_> = tallies.iter().filter(|(_, t)| t.safe > 0 && t.wrong_closer == 0).map(|(k, _)| *k).collect();
    assert_eq!(loose, LOOSE, "kernels whose declared order is looser than they are");
}
