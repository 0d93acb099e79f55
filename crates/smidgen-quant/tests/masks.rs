//! Masks that are added before a SOFTMAX leave the other scores their steps.

use smidgen_ir::text;
use smidgen_quant::{ActivationBits, Inputs, Options, QuantError, Quantised, RangeMethod, quantise};
use smidgen_synthetic::Random;

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// Causal attention over 4 steps: scores of the input with itself, brought to a mask that `mask` names by its number for "never".
fn attention(masked: &str, logits: usize) -> String {
    let [p, y] = [logits + 1, logits + 2];
    format!(
        "graph \"t\" inputs(%0) outputs(%{y})
        %0 \"x\" : f32[1x4x8]
        %1 \"scores\" : f32[1x4x4] = BATCH_MATMUL(%0, %0) adjoint_b=true
        {masked}
        %{p} \"p\" : f32[1x4x4] = SOFTMAX(%{logits}) beta=1.0
        %{y} \"y\" : f32[1x4x8] = BATCH_MATMUL(%{p}, %0)"
    )
}

fn added(never: &str) -> String {
    let mask = format!(
        "[0.0, {never}, {never}, {never}, 0.0, 0.0, {never}, {never}, 0.0, 0.0, 0.0, {never}, 0.0, 0.0, 0.0, 0.0]"
    );
    attention(
        &format!(
            "%2 \"mask\" : f32[1x4x4] = {mask} %3 \"masked\" : f32[1x4x4] = ADD(%1, %2)
        %4 \"logits\" : f32[1x4x4] = RESHAPE(%3) shape=[1, 4, 4]"
        ),
        4,
    )
}

fn samples() -> Vec<Inputs> {
    let mut random = Random::new(5);
    let mut one = || vec![floats(&(0..32).map(|_| (2.0 * random.unit() - 1.0) as f32).collect::<Vec<_>>())];
    (0..16).map(|_| one()).collect()
}

fn tried(source: &str, options: &Options) -> Result<Quantised, QuantError> {
    quantise(&text::parse(source).unwrap_or_else(|e| panic!("{e}: {source}")), &samples(), options, &|_| {})
}

fn ratio(source: &str, options: &Options) -> f64 {
    tried(source, options).unwrap().outputs[0].unwrap_or(f64::INFINITY)
}

#[test]
fn constants_that_mask_do_not_set_the_range() {
    let unmasked = ratio(&added("0.0"), &Options::default());
    assert!(unmasked > 30.0, "{unmasked}");
    let wide_unmasked = ratio(&added("0.0"), &Options { activations: ActivationBits::Int16, ..Options::default() });
    for never in ["-100.0", "-1e4", "-1e9", "-3.4028235e38", "-inf"] {
        for range in [RangeMethod::MinMax, RangeMethod::MeanSquaredError, RangeMethod::Entropy] {
            let found = ratio(&added(never), &Options { range, ..Options::default() });
            assert!(found > 29.0, "{never} {range}: {found}");
        }
        let wide = ratio(&added(never), &Options { activations: ActivationBits::Int16, ..Options::default() });
        assert!(wide > wide_unmasked - 2.0, "{never}: {wide} beside {wide_unmasked}");
    }
}

#[test]
fn masked_scores_are_no_part_of_a_layers_ratio() {
    let quantised = tried(&added("-1e9"), &Options::default()).unwrap();
    let layer = quantised.layers.iter().find(|layer| layer.output == "masked").unwrap();
    assert!(layer.added.is_some_and(|db| (20.0..60.0).contains(&db)), "{layer:?}");
    // Down to what a SOFTMAX of four elements can tell from nothing.
    assert!(layer.represents.0 > -20.0 && layer.represents.1 < 10.0, "{layer:?}");
}

#[test]
fn masks_that_are_chosen_or_computed_do_not_set_it_either() {
    let chosen = attention(
        "%2 \"keep\" : bool[1x4x4] = [true, false, false, false, true, true, false, false, true, true, true, false, true, true, true, true]
        %3 \"never\" : f32[1] = [-1e9]
        %4 \"logits\" : f32[1x4x4] = SELECT_V2(%2, %1, %3)",
        4,
    );
    let found = ratio(&chosen, &Options::default());
    assert!(found > 29.0, "{found}");
    // Zeros and ones, as an input's comparison gives them, times minus infinity.
    let computed = attention(
        "%2 \"half\" : f32[1] = [0.9] %3 \"above\" : bool[1x4x8] = GREATER(%0, %2)
        %4 \"ones\" : f32[1x4x8] = CAST(%3) %5 \"never\" : f32[1] = [-1e9]
        %6 \"times\" : f32[1x4x8] = MUL(%4, %5)
        %7 \"some\" : f32[1x4x4] = STRIDED_SLICE(%6) axes=[[0, 1, 1], [0, 1, 4], [0, 1, 4]]
        %8 \"logits\" : f32[1x4x4] = ADD(%1, %7)",
        8,
    );
    let found = ratio(&computed, &Options::default());
    assert!(found > 25.0, "{found}");
}

#[test]
fn a_row_that_is_masked_as_a_whole_comes_out_even() {
    let source = added("-1e9").replacen("[0.0, -1e9", "[-1e9, -1e9", 1);
    let found = ratio(&source, &Options::default());
    assert!(found > 29.0, "{found}");
}

#[test]
fn infinity_anywhere_else_is_refused_as_before() {
    let source = "graph \"t\" inputs(%0) outputs(%2, %3) %0 \"x\" : f32[1x2] %1 \"m\" : f32[2] = [0.0, -inf]
        %2 \"y\" : f32[1x2] = ADD(%0, %1) %3 \"p\" : f32[1x2] = SOFTMAX(%2) beta=1.0";
    let samples = [vec![floats(&[1.0, 2.0])]];
    let refused = quantise(&text::parse(source).unwrap(), &samples, &Options::default(), &|_| {}).unwrap_err();
    assert!(matches!(refused, QuantError::Constant { .. }), "{refused}");
}
