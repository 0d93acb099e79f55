//! Random float graphs, quantised: the result is valid, the same each time, and near the float network.

use smidgen_ir::Graph;
use smidgen_quant::{Ends, Inputs, Options, RangeMethod, quantise};
use smidgen_zoo::{Precision, Random, RandomGraphOptions, random_graph};

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
