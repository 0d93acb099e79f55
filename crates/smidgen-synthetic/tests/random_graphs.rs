//! Random graphs: valid, alive, various, the same for a seed; and passes that keep every byte of theirs.

mod common;

use common::{distinct, expose, inputs, run};
use smidgen_ir::text::{parse, print};
use smidgen_ir::{Graph, Op, PadValue, Padding, ReshapeKind, Tensor, TensorId, cost, passes, validate};
use smidgen_synthetic::{Precision, Random, RandomGraphOptions, random_graph};
use std::collections::BTreeMap;

const FLOAT: Precision = Precision::Float32;

fn options(seed: u64) -> RandomGraphOptions {
    let precision = if seed % 4 == 3 { FLOAT } else { Precision::Int8 };
    let (streamable, float_io) = (seed % 5 == 4, seed % 7 == 6);
    RandomGraphOptions { precision, streamable, float_io, ..RandomGraphOptions::default() }
}

#[test]
fn graphs_are_valid_small_and_various() {
    let mut operators: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut most_macs, mut branching, mut outputs) = (0, 0, 0);
    for seed in 0..2000 {
        let graph = random_graph(seed, &options(seed));
        assert_eq!(validate(&graph), Ok(()), "seed {seed}");
        let macs = cost(&graph).macs;
        assert!(macs < 12_000_000, "seed {seed}: {macs} MACs");
        most_macs = most_macs.max(macs);
        branching +=
            usize::from(graph.consumers().iter().zip(&graph.tensors).any(|(c, t)| !t.is_constant() && c.len() > 1));
        outputs += usize::from(graph.outputs.len() > 1);
        for operator in &graph.operators {
            *operators.entry(operator.op.name()).or_default() += 1;
        }
    }
    println!("{operators:?}\nat most {most_macs} MACs, {branching} of 2000 branch, {outputs} have several outputs");
    assert!(branching > 500 && outputs > 100);
    for name in [
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "TRANSPOSE_CONV",
        "FULLY_CONNECTED",
        "ADD",
        "SUB",
        "MUL",
        "MINIMUM",
        "MAXIMUM",
        "AVERAGE_POOL_2D",
        "MAX_POOL_2D",
        "MEAN",
        "PAD",
        "RESHAPE",
        "TRANSPOSE",
        "CONCATENATION",
        "SPLIT",
        "SLICE",
        "STRIDED_SLICE",
        "RESIZE_NEAREST_NEIGHBOR",
        "RESIZE_BILINEAR",
        "SOFTMAX",
        "LOGISTIC",
        "TANH",
        "RELU",
        "RELU6",
        "LEAKY_RELU",
        "HARD_SWISH",
        "QUANTIZE",
        "DEQUANTIZE",
    ] {
        assert!(operators.get(name).is_some_and(|&n| n >= 10), "{name} is rare: {:?}", operators.get(name));
    }
}

#[test]
fn a_seed_and_options_fix_the_graph() {
    for seed in [0, 1, u64::MAX] {
        assert_eq!(random_graph(seed, &options(seed)), random_graph(seed, &options(seed)));
    }
    assert_ne!(random_graph(1, &options(1)), random_graph(2, &options(2)));
}

#[test]
fn most_tensors_are_alive() {
    let (mut tensors, mut constant, mut saturated) = (0, 0, 0);
    for seed in 0..200 {
        let graph = random_graph(seed, &RandomGraphOptions::default());
        let all = expose(&graph);
        let results = run(&all, &inputs(&graph, seed));
        for bytes in results.iter().filter(|bytes| bytes.len() >= 64) {
            tensors += 1;
            constant += usize::from(distinct(bytes) < 4);
            saturated += usize::from(bytes.iter().filter(|&&v| v == 127).count() * 2 > bytes.len());
        }
    }
    println!("of {tensors} tensors {constant} are nearly constant and {saturated} mostly saturate");
    assert!(constant * 50 < tensors && saturated * 100 < tensors);
}

#[test]
fn passes_and_text_keep_every_byte() {
    let mut changed = 0;
    for seed in 0..400 {
        let graph = random_graph(seed, &options(seed));
        let inputs = inputs(&graph, seed);
        let before = run(&graph, &inputs);
        let mut cleaned = graph.clone();
        changed += usize::from(passes::canonicalise(&mut cleaned) > 0);
        assert_eq!(validate(&cleaned), Ok(()), "seed {seed}");
        assert!(run(&cleaned, &inputs) == before, "seed {seed}: canonicalise changes the output");
        assert_eq!(parse(&print(&cleaned)).as_ref(), Ok(&cleaned), "seed {seed}");
    }
    println!("canonicalise changed {changed} of 400 graphs");
    assert!(changed > 20);
}

/// Real numbers for the integers of a per-tensor quantised tensor.
fn real(tensor: &Tensor, bytes: &[u8]) -> Vec<f32> {
    let (scale, zero_point) = tensor.per_tensor().expect("a quantised tensor");
    bytes.iter().map(|&b| scale * (i32::from(b as i8) - zero_point) as f32).collect()
}

#[test]
fn cutting_inputs_and_outputs_leaves_the_integers_between() {
    let mut cut = 0;
    for seed in 0..200 {
        let options = RandomGraphOptions { float_io: true, ..RandomGraphOptions::default() };
        let graph = random_graph(seed, &options);
        let mut integer = graph.clone();
        cut += passes::strip_io(&mut integer);
        passes::remove_dead(&mut integer);
        assert_eq!(validate(&integer), Ok(()), "seed {seed}");
        let integers = inputs(&integer, seed);
        let x = integer.tensor(integer.inputs[0]);
        if x.per_tensor().is_none() {
            continue;
        }
        let floats: Vec<u8> = real(x, &integers[0]).into_iter().flat_map(f32::to_le_bytes).collect();
        let expected = run(&graph, &[floats]);
        for (i, (got, expected)) in run(&integer, &integers).iter().zip(&expected).enumerate() {
            let y = integer.tensor(integer.outputs[i]);
            let got: Vec<u8> = match y.per_tensor() {
                Some(_) => real(y, got).into_iter().flat_map(f32::to_le_bytes).collect(),
                None => got.clone(),
            };
            assert!(got == *expected, "seed {seed}, output {i}");
        }
    }
    assert!(cut >= 350, "only {cut} of some 400 ends were cut");
}

/// Inserts operators that change nothing before random operators: reshapes there and back, paddings that a slice takes away,
/// requantisation to the same type, transpositions of single rows, a split of one part.
fn obfuscate(graph: &Graph, random: &mut Random) -> Graph {
    let mut out = graph.clone();
    out.operators.clear();
    for operator in &graph.operators {
        let mut operator = operator.clone();
        let x = operator.inputs[0];
        let tensor = graph.tensor(x).clone();
        let dims = tensor.shape.0.clone();
        let mut add = |op: Op, from: TensorId, shape: &[usize]| {
            let y = out.add_tensor(Tensor::activation("", shape.to_vec(), tensor.dtype.clone()));
            out.add_operator(op, vec![from], vec![y]);
            y
        };
        let reshape = |shape: &[usize]| Op::Reshape { kind: ReshapeKind::Reshape, shape: shape.to_vec() };
        operator.inputs[0] = match random.below(8) {
            0 => {
                let flat = [tensor.shape.elements()];
                let y = add(reshape(&flat), x, &flat);
                add(reshape(&dims), y, &dims)
            }
            1 if tensor.dtype.quantisation().is_some() => add(Op::Quantize, x, &dims),
            2 => add(Op::Split { axis: dims.len() - 1, parts: 1 }, x, &dims),
            3 if dims.len() == 4 && dims[0] == 1 => {
                let turned = [dims[1], 1, dims[2], dims[3]];
                let y = add(Op::Transpose { perm: vec![1, 0, 2, 3] }, x, &turned);
                add(reshape(&dims), y, &dims)
            }
            4 => add(Op::Slice { begin: vec![0; dims.len()], size: dims.clone() }, x, &dims),
            5 if dims.len() == 4 => {
                let conv = matches!(operator.op, Op::Conv2d(_) | Op::DepthwiseConv2d { .. });
                // Explicit padding can be taken out of a convolution and given to a PAD.
                match (conv, &mut operator.op) {
                    (true, Op::Conv2d(p) | Op::DepthwiseConv2d { conv: p, .. }) => match p.padding {
                        Padding::Explicit { top, bottom, left, right } => {
                            p.padding = Padding::Valid;
                            let padded = [dims[0], dims[1] + top + bottom, dims[2] + left + right, dims[3]];
                            let pads = vec![[0, 0], [top, bottom], [left, right], [0, 0]];
                            add(Op::Pad { pads, value: PadValue::Zero }, x, &padded)
                        }
                        Padding::Same | Padding::Valid => x,
                    },
                    _ => x,
                }
            }
            _ => x,
        };
        out.operators.push(operator);
    }
    out
}

#[test]
fn clean_up_undoes_what_changes_nothing() {
    for seed in 0..400 {
        let graph = random_graph(seed, &options(seed));
        let inputs = inputs(&graph, seed);
        let mut obscure = obfuscate(&graph, &mut Random::new(seed));
        assert_eq!(validate(&obscure), Ok(()), "seed {seed}");
        let expected = run(&graph, &inputs);
        assert!(run(&obscure, &inputs) == expected, "seed {seed}: the obscure graph differs");
        passes::canonicalise(&mut obscure);
        assert_eq!(validate(&obscure), Ok(()), "seed {seed}");
        assert!(run(&obscure, &inputs) == expected, "seed {seed}: canonicalise changes the output");
        let mut plain = graph;
        passes::canonicalise(&mut plain);
        assert_eq!(obscure.operators.len(), plain.operators.len(), "seed {seed}: {}", print(&obscure));
    }
}
