//! Multiply-accumulates of the real models, against figures published or counted elsewhere.

mod common;

use smidgen_ir::{ReceptiveField, cost};
use smidgen_tflite::read;

/// Millions of multiply-accumulates, to two decimals.
const MACS: [(&str, f64); 7] = [
    ("mcunet-vww", 11.58),
    ("mcunet-person-detection", 18.30),
    ("mlperf-resnet8", 12.50),
    ("mlperf-kws", 2.66),
    ("mlperf-ad", 0.26),
    ("person-detect", 7.16),
    ("mcunet-5fps-imagenet", 22.61),
];

#[test]
fn multiply_accumulates_are_the_known_ones() {
    for (name, bytes) in common::models() {
        let graph = read(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let cost = cost(&graph);
        let millions = cost.macs as f64 / 1e6;
        println!("{name}: {millions:.3} M MACs, {} parameter bytes", cost.parameter_bytes);
        if let Some((_, known)) = MACS.iter().find(|(model, _)| *model == name) {
            assert!((millions - known).abs() <= 0.0051, "{name}: {millions} M, known {known} M");
        }
        // All parameters of a constant's bytes; a classifier's output sees the whole image.
        let output = cost.receptive_fields[graph.outputs[0].index()];
        if name != "mcunet-person-detection" {
            assert_eq!(output, Some(ReceptiveField::Whole), "{name}");
        }
    }
}
