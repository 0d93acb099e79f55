//! A sample of nearly nothing does not take the steps of what divides all others by their lengths.

use smidgen_ir::text;
use smidgen_quant::{ActivationBits, Inputs, Options, quantise};
use smidgen_synthetic::Random;

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// As Keras' UnitNormalization is converted: `x min(rsqrt(sum of squares), 1e6)`.
const UNIT: &str = "graph \"t\" inputs(%0) outputs(%7)
    %0 \"x\" : f32[1x8]
    %1 \"least\" : f32[1] = [1e-12]
    %2 \"most\" : f32[1] = [1e6]
    %3 \"squares\" : f32[1x8] = MUL(%0, %0)
    %4 \"sum\" : f32[1x1] = SUM(%3) axes=[1] keep_dims=true
    %5 \"above\" : f32[1x1] = MAXIMUM(%4, %1)
    %6 \"inverse\" : f32[1x1] = RSQRT(%5)
    %8 \"bounded\" : f32[1x1] = MINIMUM(%6, %2)
    %7 \"y\" : f32[1x8] = MUL(%0, %8)";

#[test]
fn lengths_are_divided_by_on_floats_where_one_sample_is_zero() {
    // Numbered in the order of their lines.
    let source = UNIT.replace("%7", "%9").replace("%8", "%7").replace("%9", "%8");
    let mut random = Random::new(3);
    let mut one =
        |size: f64| vec![floats(&(0..8).map(|_| (size * (2.0 * random.unit() - 1.0)) as f32).collect::<Vec<_>>())];
    let mut samples: Vec<Inputs> = (0..16).map(|_| one(1.0)).collect();
    let graph = text::parse(&source).unwrap();
    for activations in [ActivationBits::Int8, ActivationBits::Int16] {
        let options = Options { activations, ..Options::default() };
        let ratio = |samples: &[Inputs]| {
            let quantised = quantise(&graph, samples, &options, &|_| {}).unwrap();
            quantised.outputs[0].unwrap_or(f64::INFINITY)
        };
        let without = ratio(&samples);
        samples.push(one(0.0));
        let with = ratio(&samples);
        samples.pop();
        assert!(
            with > 30.0 && with > without - 3.0,
            "{activations:?}: {with} with a sample of zeros, {without} without"
        );
    }
}

#[test]
fn what_is_infinite_and_bounded_behind_is_taken() {
    // Without the bound of the sum: RSQRT of 0 is infinite, and MINIMUM makes 1e6 of it.
    let source = UNIT.replace("%5 \"above\" : f32[1x1] = MAXIMUM(%4, %1)", "%5 \"above\" : f32[1x1] = RELU(%4)");
    let source = source.replace("%7", "%9").replace("%8", "%7").replace("%9", "%8");
    let samples = [vec![floats(&[0.5; 8])], vec![floats(&[0.0; 8])]];
    let quantised = quantise(&text::parse(&source).unwrap(), &samples, &Options::default(), &|_| {}).unwrap();
    assert!(quantised.outputs[0].is_none_or(|db| db > 30.0), "{:?}", quantised.outputs);
}
