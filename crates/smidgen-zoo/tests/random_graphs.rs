//! Random graphs: valid, alive, various, the same for a seed; and passes that keep every byte of theirs.

mod common;

use common::{distinct, expose, inputs, run};
use smidgen_ir::text::{parse, print};
use smidgen_ir::{cost, passes, validate};
use smidgen_zoo::{Precision, RandomGraphOptions, random_graph};
use std::collections::BTreeMap;

const FLOAT: Precision = Precision::Float32;

fn options(seed: u64) -> RandomGraphOptions {
    let precision = if seed % 4 == 3 { FLOAT } else { Precision::Int8 };
    RandomGraphOptions { precision, streamable: seed % 5 == 4, ..RandomGraphOptions::default() }
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
        changed += usize::from(passes::clean_up(&mut cleaned) > 0);
        assert_eq!(validate(&cleaned), Ok(()), "seed {seed}");
        assert!(run(&cleaned, &inputs) == before, "seed {seed}: clean_up changes the output");
        assert_eq!(parse(&print(&cleaned)).as_ref(), Ok(&cleaned), "seed {seed}");
    }
    println!("clean_up changed {changed} of 400 graphs");
    assert!(changed > 20);
}
