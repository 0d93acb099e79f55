//! Random float graphs, quantised: the result is valid, the same each time, and near the float network.

use smidgen_ir::{ElementType, Graph, Op};
use smidgen_quant::{Ends, Inputs, Options, QuantError, RangeMethod, Rounding, WeightBits, quantise};
use smidgen_synthetic::{Precision, Random, RandomGraphOptions, random_graph};

/// Signal-to-noise ratio that int8 keeps in networks of a few layers. Rounding to 256 steps of a range leaves 10 log10(12 * 255^2 * r^2)
/// decibels, r being the root mean square over the width of the range: 49 dB for evenly spread values (r = 0.29). Each of at most
/// two dozen layers adds about that much noise again (-14 dB); and where a ReLU takes nearly everything away, a signal a tenth of
/// what its sum was rounded for is left (-20 dB).
const LEAST: f64 = 10.0;

fn float_graph(seed: u64) -> Graph {
    let options = RandomGraphOptions { precision: Precision::Float32, image: 12, channels: 8, ..Default::default() };
    random_graph(seed, &options)
}

fn samples(graph: &Graph, count: usize, seed: u64) -> Vec<Inputs> {
    let mut random = Random::new(seed);
    let mut values = |n: usize| (0..n).flat_map(|_| ((2.0 * random.unit() - 1.0) as f32).to_le_bytes()).collect();
    (0..count).map(|_| graph.inputs.iter().map(|&id| values(graph.tensor(id).shape.elements())).collect()).collect()
}

#[test]
fn random_networks_keep_their_signal() {
    const METHODS: [RangeMethod; 4] =
        [RangeMethod::MinMax, RangeMethod::MeanSquaredError, RangeMethod::Percentile(0.01), RangeMethod::Entropy];
    for seed in 0..80u64 {
        let graph = float_graph(seed);
        let samples = samples(&graph, 6, seed);
        let options = Options {
            range: METHODS[seed as usize % 4],
            equalise: seed % 3 == 0,
            correct_bias: seed % 5 != 0,
            ends: if seed % 2 == 0 { Ends::Int8 } else { Ends::Float32 },
            ..Options::default()
        };
        // Whatever `quantise` gives has passed the validator.
        let quantised = quantise(&graph, &samples, &options, &|_| {}).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        // Clipping by information is meant to lose outliers, of which the noise consists.
        let least = if options.range == RangeMethod::Entropy { LEAST - 10.0 } else { LEAST };
        for (k, ratio) in quantised.outputs.iter().enumerate() {
            assert!(ratio.is_none_or(|db| db > least), "seed {seed}, output {k}: {ratio:?} dB with {options:?}");
        }
        if seed % 8 == 0 {
            let again = quantise(&graph, &samples, &options, &|_| {}).unwrap();
            assert_eq!(again.graph, quantised.graph, "seed {seed}");
            assert_eq!(again.layers, quantised.layers, "seed {seed}");
        }
    }
}

/// Bytes less of weights with 4 bits each than with 8.
fn can_be_saved(graph: &Graph) -> usize {
    let takes = |op: &Op| matches!(op, Op::Conv2d(_) | Op::DepthwiseConv2d { .. } | Op::FullyConnected { .. });
    let weights = graph.operators.iter().filter(|o| takes(&o.op)).map(|o| graph.tensor(o.inputs[1]));
    weights.map(|t| t.shape.elements() / 2).sum()
}

#[test]
fn weights_of_four_bits_keep_the_most_when_compensated() {
    let mut better = [0, 0];
    for seed in 0..14u64 {
        let graph = float_graph(seed);
        if can_be_saved(&graph) == 0 {
            continue;
        }
        let samples = samples(&graph, 24, seed);
        let tried = |weights: WeightBits, rounding: Option<Rounding>| {
            let options = Options { weights, rounding, equalise: seed % 3 == 0, ..Options::default() };
            quantise(&graph, &samples, &options, &|_| {})
        };
        let done = |weights, rounding| tried(weights, rounding).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        let [nearest, clipped] = [Rounding::Nearest, Rounding::Clipped].map(|r| done(WeightBits::Int4, Some(r)));
        let compensated = done(WeightBits::Int4, None);
        // What `quantise` gives has passed the validator; it is the same each time.
        assert_eq!(done(WeightBits::Int4, None).graph, compensated.graph, "seed {seed}");
        for (k, after) in compensated.outputs.iter().enumerate() {
            let Some(after) = after else { continue };
            for (count, before) in better.iter_mut().zip([&nearest, &clipped]) {
                *count += before.outputs[k].map_or(0, |before| if *after > before { 1 } else { -1 });
            }
        }

        let int8 = done(WeightBits::Int8, None);
        let [bytes, same] = int8.constant_bytes;
        assert_eq!(bytes, same, "seed {seed}");
        let least = bytes - can_be_saved(&int8.graph);
        let middle = (bytes + least) / 2 + 1;
        let mixed = done(WeightBits::Mixed(Some(middle as f64 / bytes as f64)), None);
        assert!(mixed.constant_bytes[0] <= middle, "seed {seed}: {:?}, {middle}", mixed.constant_bytes);
        let kinds = |element| mixed.layers.iter().filter(|l| l.weights == Some(element)).count();
        assert!(kinds(ElementType::Int4) > 0, "seed {seed}");
        match tried(WeightBits::Mixed(Some(0.4 * least as f64 / bytes as f64)), None) {
            Err(QuantError::Ratio { least: told }) => assert!(told >= least as f64 / bytes as f64, "seed {seed}"),
            other => panic!("seed {seed}: {other:?}"),
        }
    }
    assert!(better.iter().all(|&count| count > 5), "outputs better less those worse: {better:?}");
}
