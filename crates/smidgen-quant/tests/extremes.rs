//! Networks and samples of absurd magnitudes: quantised, or refused with the layer's name, and never a fault of the quantiser's own.

use smidgen_certify::certify;
use smidgen_exec::Executor;
use smidgen_ir::{DataType, Graph, text};
use smidgen_lower::{LowerOptions, lower};
use smidgen_plan::layer_wise;
use smidgen_quant::{
    ActivationBits, Ends, Inputs, Options, QuantError, Quantised, RangeMethod, Rounding, WeightBits, quantise,
};
use smidgen_synthetic::{Precision, Random, RandomGraphOptions, random_graph};

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// A number as no network should have it, or as hardly any has.
fn extreme(random: &mut Random) -> f32 {
    const NUMBERS: [f32; 15] = [
        0.0,
        f32::MIN_POSITIVE,
        1e-45,
        -1e-40,
        1e-30,
        1e-12,
        -1e-6,
        1e6,
        -1e12,
        1e19,
        1e30,
        f32::MAX,
        f32::MIN,
        f32::NAN,
        f32::INFINITY,
    ];
    random.choose(&NUMBERS)
}

/// Changes constants: all of one, or one element, becomes extreme, or is multiplied by something extreme.
fn spoil(graph: &mut Graph, random: &mut Random) {
    for tensor in graph.tensors.iter_mut().filter(|t| t.is_constant() && t.dtype == DataType::FLOAT32) {
        if !random.chance(1, 3) {
            continue;
        }
        let mut values = tensor.floats().unwrap();
        let by = extreme(random);
        match random.below(4) {
            0 => values.fill(by),
            1 => values.iter_mut().for_each(|value| *value *= by),
            _ => {
                let at = random.below(values.len());
                values[at] = by;
            }
        }
        tensor.data = Some(floats(&values).into());
    }
}

fn samples(graph: &Graph, random: &mut Random) -> Vec<Inputs> {
    let scale = match random.below(4) {
        0 => extreme(random),
        _ => 1.0,
    };
    let count = 1 + random.below(3);
    let mut values = |n: usize| floats(&(0..n).map(|_| scale * (2.0 * random.unit() - 1.0) as f32).collect::<Vec<_>>());
    (0..count).map(|_| graph.inputs.iter().map(|&id| values(graph.tensor(id).shape.elements())).collect()).collect()
}

fn options(seed: u64) -> Options {
    const METHODS: [RangeMethod; 4] =
        [RangeMethod::MinMax, RangeMethod::MeanSquaredError, RangeMethod::Percentile(0.01), RangeMethod::Entropy];
    const WEIGHTS: [WeightBits; 3] = [WeightBits::Int8, WeightBits::Int4, WeightBits::Mixed(None)];
    const ACTIVATIONS: [ActivationBits; 5] = [
        ActivationBits::Int8,
        ActivationBits::Int8,
        ActivationBits::Int8,
        ActivationBits::Int16,
        ActivationBits::Mixed(None),
    ];
    const ROUNDING: [Option<Rounding>; 3] = [None, Some(Rounding::Clipped), Some(Rounding::Compensated)];
    let seed = seed as usize;
    Options {
        range: METHODS[seed % 4],
        weights: WEIGHTS[seed / 4 % 3],
        activations: ACTIVATIONS[seed % 5],
        rounding: ROUNDING[seed / 3 % 3],
        equalise: seed % 7 < 3,
        correct_bias: seed % 11 < 8,
        ends: if seed.is_multiple_of(2) { Ends::Int8 } else { Ends::Float32 },
        ..Options::default()
    }
}

#[test]
fn a_thousand_random_networks_are_quantised_or_refused_by_name() {
    let size = RandomGraphOptions {
        precision: Precision::Float32,
        blocks: 4,
        image: 6,
        channels: 4,
        macs: 4_000,
        ..Default::default()
    };
    let (mut done, mut refused) = (0, 0);
    for seed in 0..1000u64 {
        let mut random = Random::new(seed);
        let mut graph = random_graph(seed, &size);
        if seed % 5 != 0 {
            spoil(&mut graph, &mut random);
        }
        let samples = samples(&graph, &mut random);
        match quantise(&graph, &samples, &options(seed), &|_| {}) {
            // It has passed the validator.
            Ok(quantised) => {
                run(&quantised.graph);
                done += 1;
            }
            Err(QuantError::Constant { .. } | QuantError::Value { .. } | QuantError::Scales { .. }) => refused += 1,
            // Of some networks nothing is left once operators that do nothing are gone.
            Err(QuantError::NothingToDo) => {}
            Err(error) => panic!("seed {seed}: {error:?} with {:?}", options(seed)),
        }
    }
    assert!(done > 400 && refused > 100, "{done} quantised, {refused} refused");
}

/// Runs a network on zeros.
fn run(graph: &Graph) -> Vec<u8> {
    let mut executor = Executor::new(certify(layer_wise(&lower(graph, &LowerOptions::default()).unwrap())).unwrap());
    executor.run();
    executor.output(0).to_vec()
}

fn tried(source: &str, samples: &[Inputs]) -> Result<Quantised, QuantError> {
    quantise(&text::parse(source).unwrap(), samples, &Options::default(), &|_| {})
}

/// A layer of two outputs, of which one is a RELU's.
fn dense(weights: &str, bias: &str) -> String {
    format!(
        "graph \"t\" inputs(%0) outputs(%3) %0 \"x\" : f32[1x2] %1 \"w\" : f32[2x1x1x2] = {weights}
         %2 \"b\" : f32[2] = {bias} %4 : f32[1x1x1x2] = RESHAPE(%0) shape=[1, 1, 1, 2]
         %3 \"y\" : f32[1x1x1x2] = CONV_2D(%4, %1, %2) stride=[1, 1] padding=valid activation=relu"
    )
}

fn four() -> Vec<Inputs> {
    [[1.0, -1.0], [0.5, 0.25], [-1.0, 0.75], [0.1, 1.0]].map(|x| vec![floats(&x)]).into()
}

#[test]
fn a_channel_with_a_bias_beyond_all_values_leaves_the_others_their_steps() {
    for activations in [ActivationBits::Int8, ActivationBits::Int16] {
        for bias in ["-3.4028235e38", "-1e30", "-1e9"] {
            let graph = text::parse(&dense("[1.0, 0.5, 0.25, -0.5]", &format!("[0.25, {bias}]"))).unwrap();
            let options = Options { activations, ..Options::default() };
            let quantised = quantise(&graph, &four(), &options, &|_| {}).unwrap();
            // 30 dB are a thirtieth of the values.
            assert!(
                quantised.outputs[0].is_none_or(|db| db > 30.0),
                "{bias}, {activations:?}: {:?}",
                quantised.outputs
            );
        }
    }
}

#[test]
fn weights_of_any_magnitude_keep_the_signal() {
    for weights in [
        "[1e-20, 1e-20, 1e-20, -1e-20]",
        "[1e-42, 1e-45, 0.0, 1e-40]",
        "[0.0, 0.0, 0.0, 0.0]",
        "[1e30, 2e30, -1e30, 1e29]",
        "[1.0, 1.0, 0.5, 1e8]",
    ] {
        let quantised = tried(&dense(weights, "[0.0, 0.0]"), &four());
        let quantised = quantised.unwrap_or_else(|e| panic!("{weights}: {e}"));
        run(&quantised.graph);
    }
    let quantised = tried(&dense("[1e30, 2e30, -1e30, 1e29]", "[0.0, 0.0]"), &four()).unwrap();
    assert!(quantised.outputs[0].is_none_or(|db| db > 30.0), "{:?}", quantised.outputs);
    match tried(&dense("[3e38, 3e38, 1.0, 1.0]", "[3e38, 0.0]"), &four()) {
        Err(QuantError::Value { tensor, .. }) => assert_eq!(tensor, "y"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_layer_that_no_scales_stand_for_is_named() {
    // Each product is 0, but the steps of inputs and weights have a product that is no float.
    let graph = dense("[0.0, 1e30, 0.0, 1e30]", "[1.0, 2.0]");
    let error = tried(&graph, &[vec![floats(&[1e30, 0.0])]]).unwrap_err();
    assert!(matches!(error, QuantError::Scales { .. }), "{error:?}");
    assert!(error.to_string().contains("CONV_2D, which writes `y`"), "{error}");
}

#[test]
fn samples_that_say_nothing_are_enough() {
    let source = dense("[1.0, 0.5, 0.25, -0.5]", "[0.25, 0.5]");
    for x in [[0.0, 0.0], [0.7, 0.7], [1e-30, 0.0], [-0.0, 0.0], [1e-45, 1e-45]] {
        for count in [1, 3] {
            let samples = vec![vec![floats(&x)]; count];
            let quantised = tried(&source, &samples).unwrap_or_else(|e| panic!("{x:?}: {e}"));
            assert!(quantised.outputs[0].is_none_or(|db| db > 25.0), "{x:?}: {:?}", quantised.outputs);
        }
    }
    for x in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        match tried(&source, &[vec![floats(&[0.0, 1.0])], vec![floats(&[0.0, x])]]) {
            Err(QuantError::Value { sample: 1, tensor }) => assert_eq!(tensor, "x"),
            other => panic!("{x}: {other:?}"),
        }
    }
    assert_eq!(tried(&source, &[]).unwrap_err(), QuantError::NoSamples);
}

/// For each operator its name and the type of its output.
fn told(quantised: &Quantised) -> Vec<String> {
    let graph = &quantised.graph;
    graph.operators.iter().map(|o| format!("{} {}", o.op.name(), graph.tensor(o.outputs[0]).element().name())).collect()
}

#[test]
fn a_division_by_constants_is_a_multiplication() {
    let source = "graph \"t\" inputs(%0) outputs(%2) %0 \"x\" : f32[1x2] %1 : f32[2] = [255.0, 4.0]
        %2 \"y\" : f32[1x2] = DIV(%0, %1)";
    let quantised = tried(source, &four()).unwrap();
    assert_eq!(told(&quantised), ["MUL i8"]);
    // The inverse of a number that is too small for all digits stays what it is.
    let quantised = tried(&source.replace("4.0", "1e38"), &four()).unwrap();
    assert_eq!(told(&quantised), ["DEQUANTIZE f32", "DIV f32", "QUANTIZE i8"]);
    assert_eq!(quantised.graph.tensor(quantised.graph.outputs[0]).name, "y");
}

#[test]
fn exponentials_and_logarithms_are_tables_where_256_steps_do() {
    let of = |op: &str, low: f32, high: f32| {
        let source = format!("graph \"t\" inputs(%0) outputs(%1) %0 \"x\" : f32[1x2] %1 \"y\" : f32[1x2] = {op}(%0)");
        told(&tried(&source, &[vec![floats(&[low, high])]]).unwrap())
    };
    let floats = |op: &str| ["DEQUANTIZE f32".to_owned(), format!("{op} f32"), "QUANTIZE i8".to_owned()];
    assert_eq!(of("EXP", -6.0, 3.0), ["EXP i8"]);
    assert_eq!(of("EXP", -6.0, 60.0), floats("EXP"));
    assert_eq!(of("LOG", 0.5, 3.0), ["LOG i8"]);
    assert_eq!(of("LOG", 1e-3, 3.0), floats("LOG"));
    assert_eq!(of("SQRT", 0.5, 3.0), floats("SQRT"));
}

#[test]
fn with_float_ends_an_operator_on_floats_needs_no_integers() {
    let source = "graph \"t\" inputs(%0) outputs(%2) %0 \"x\" : f32[1x2] %1 \"r\" : f32[1x2] = SQRT(%0)
        %2 \"y\" : f32[1x2] = DIV(%1, %0)";
    let options = Options { ends: Ends::Float32, ..Options::default() };
    let samples = [vec![floats(&[0.5, 2.0])]];
    let quantised = quantise(&text::parse(source).unwrap(), &samples, &options, &|_| {}).unwrap();
    assert_eq!(told(&quantised), ["SQRT f32", "DIV f32"]);
}
