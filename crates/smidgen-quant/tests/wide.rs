//! Activations of 16 bits: where they go, what lies between them and int8, and what they are worth.

use smidgen_ir::{Activation, ElementType, Graph, Op, UnaryKind};
use smidgen_quant::{ActivationBits, Ends, Inputs, Options, QuantError, Quantised, WeightBits, quantise};
use smidgen_synthetic::{Builder, Node, Precision, Random, Taps};

fn samples(graph: &Graph, count: usize) -> Vec<Inputs> {
    let mut random = Random::new(5);
    let mut values = |n: usize| (0..n).flat_map(|_| ((2.0 * random.unit() - 1.0) as f32).to_le_bytes()).collect();
    (0..count).map(|_| graph.inputs.iter().map(|&id| values(graph.tensor(id).shape.elements())).collect()).collect()
}

fn done(graph: &Graph, options: &Options) -> Quantised {
    quantise(graph, &samples(graph, 8), options, &|_| {}).unwrap()
}

fn network(build: impl FnOnce(&mut Builder) -> Vec<Node>) -> Graph {
    let mut builder = Builder::new("net", Precision::Float32, 11);
    let ends = build(&mut builder);
    builder.finish(&ends)
}

/// Six convolutions in a row. The name of what each writes is its output's.
fn chain() -> Graph {
    network(|b| {
        let mut x = b.input([1, 10, 10, 3]);
        for _ in 0..6 {
            x = b.conv(x, Taps::square(3), 6, Activation::None);
        }
        vec![x]
    })
}

/// For each operator its name and the types of its first input and its output.
fn told(graph: &Graph) -> Vec<String> {
    let element = |id| graph.tensor(id).element().name();
    let one = |o: &smidgen_ir::Operator| format!("{} {} {}", o.op.name(), element(o.inputs[0]), element(o.outputs[0]));
    graph.operators.iter().map(one).collect()
}

#[test]
fn a_named_activation_is_wide_with_all_that_touch_it() {
    let graph = chain();
    let name = graph.tensor(graph.operators[2].outputs[0]).name.clone();
    let quantised = done(&graph, &Options { wide: vec![name], ..Options::default() });
    let expected = [
        "CONV_2D i8 i8",
        "CONV_2D i8 i8",
        "QUANTIZE i8 i16",
        "CONV_2D i16 i16",
        "CONV_2D i16 i16",
        "QUANTIZE i16 i8",
        "CONV_2D i8 i8",
        "CONV_2D i8 i8",
    ];
    assert_eq!(told(&quantised.graph), expected);
    // 128 steps of int16 are one of int8.
    let quantize = &quantised.graph.operators[2];
    let scale = |id| quantised.graph.tensor(id).per_tensor().unwrap().0;
    assert_eq!(scale(quantize.inputs[0]), 128.0 * scale(quantize.outputs[0]));
    let conv = &quantised.graph.operators[3];
    let of = |k: usize| quantised.graph.tensor(conv.inputs[k]).element();
    assert_eq!([of(1), of(2)], [ElementType::Int8, ElementType::Int64]);
    let widened = quantised.widened.unwrap();
    assert!(told(&widened.int8).iter().all(|o| o == "CONV_2D i8 i8"));
    assert!(widened.ratio > widened.int8_ratio, "{:?} {:?}", widened.ratio, widened.int8_ratio);
}

#[test]
fn two_neighbours_have_no_conversion_between_them() {
    let graph = chain();
    let names = [1, 3].map(|i: usize| graph.tensor(graph.operators[i].outputs[0]).name.clone());
    let quantised = done(&graph, &Options { wide: names.to_vec(), ..Options::default() });
    let kinds = told(&quantised.graph);
    // Operators 1 to 4 of the chain; what lies between 2 and 3 is int16 as well.
    assert_eq!(kinds.iter().filter(|k| k.starts_with("QUANTIZE")).count(), 2, "{kinds:?}");
    assert_eq!(kinds.iter().filter(|k| *k == "CONV_2D i16 i16").count(), 4, "{kinds:?}");
}

#[test]
fn int16_everywhere_takes_and_gives_int16_or_floats() {
    let graph = chain();
    let options = Options { activations: ActivationBits::Int16, ..Options::default() };
    let quantised = done(&graph, &options);
    assert!(told(&quantised.graph).iter().all(|o| o == "CONV_2D i16 i16"));
    let float = done(&graph, &Options { ends: Ends::Float32, ..options.clone() });
    let kinds = told(&float.graph);
    assert_eq!([&kinds[0], &kinds[7]], ["QUANTIZE f32 i16", "DEQUANTIZE i16 f32"]);
    let ratios = [&quantised, &done(&graph, &Options::default())].map(|q| q.outputs[0].unwrap());
    assert!(ratios[0] > ratios[1] + 3.0, "{ratios:?}");
    // Weights of 4 bits have no place there; rounding by what layers read works as in int8.
    let mixed = done(&graph, &Options { weights: WeightBits::Int4, ..options });
    assert!(mixed.layers.iter().all(|l| l.weights == Some(ElementType::Int8)));
    assert!(mixed.outputs[0].unwrap() > ratios[1], "{:?} {ratios:?}", mixed.outputs);
}

#[test]
fn operators_without_a_form_for_int16_keep_int8() {
    let graph = network(|b| {
        let x = b.input([1, 6, 6, 3]);
        let x = b.conv(x, Taps::square(3), 4, Activation::None);
        let x = b.unary(UnaryKind::HardSwish, x);
        let y = b.conv(x, Taps::square(3), 4, Activation::None);
        let z = b.unary(UnaryKind::HardSwish, y);
        vec![y, z]
    });
    let quantised = done(&graph, &Options { activations: ActivationBits::Int16, ..Options::default() });
    let expected = [
        "CONV_2D i16 i16",
        "QUANTIZE i16 i8",
        "HARD_SWISH i8 i8",
        "QUANTIZE i8 i16",
        "CONV_2D i16 i16",
        "QUANTIZE i16 i8",
        "HARD_SWISH i8 i8",
        "QUANTIZE i8 i16",
    ];
    assert_eq!(told(&quantised.graph), expected);
    assert!(quantised.graph.outputs.iter().all(|&id| quantised.graph.tensor(id).element() == ElementType::Int16));
}

#[test]
fn mixed_takes_what_the_target_needs_and_keeps_the_ends() {
    let graph = chain();
    let options = |snr| Options { activations: ActivationBits::Mixed(snr), ..Options::default() };
    let [little, much] = [None, Some(0.0)].map(|snr| done(&graph, &options(snr)));
    let mixed = |q: &Quantised| q.widened.clone().unwrap().mixed.unwrap();
    // Any network reaches 0 dB: nothing is taken.
    assert!(told(&much.graph).iter().all(|o| o == "CONV_2D i8 i8"));
    assert!(mixed(&much).tried.iter().all(|t| !t.wide) && mixed(&much).tried.len() == 5);
    let widened = little.widened.clone().unwrap();
    let (reached, target) = (widened.ratio.unwrap(), mixed(&little).target.unwrap());
    assert!(reached >= target && target >= mixed(&little).int16_ratio.unwrap() - 3.02, "{reached} {target}");
    for &id in little.graph.inputs.iter().chain(&little.graph.outputs) {
        assert_eq!(little.graph.tensor(id).element(), ElementType::Int8);
    }
    // Between what int8 and what int16 give there is something in between, with fewer layers.
    let [low, high] = [widened.int8_ratio, mixed(&little).int16_ratio].map(Option::unwrap);
    let some = done(&graph, &options(Some((low + high) / 2.0)));
    let wide = |q: &Quantised| mixed(q).tried.iter().filter(|t| t.wide).count();
    assert!(wide(&some) >= 1 && wide(&some) < 5, "{:?}", mixed(&some));
    assert!(some.widened.unwrap().ratio.unwrap() >= (low + high) / 2.0);
    match quantise(&graph, &samples(&graph, 8), &options(Some(high + 1.0)), &|_| {}) {
        Err(QuantError::Unreachable { most }) => assert!((most - high).abs() < 1e-9),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_choice_is_the_same_for_any_number_of_threads() {
    let graph = chain();
    let options = Options { activations: ActivationBits::Mixed(None), ..Options::default() };
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| done(&graph, &options))
    };
    let (one, three) = (with(1), with(3));
    assert_eq!(one.graph, three.graph);
    assert_eq!(one.widened, three.widened);
}

#[test]
fn a_name_that_is_not_there_is_refused_with_those_near() {
    let graph = network(|b| {
        let x = b.input([1, 4]);
        vec![b.softmax(x)]
    });
    let options = Options { wide: vec!["SOFTMX".to_owned()], ..Options::default() };
    let error = quantise(&graph, &samples(&graph, 2), &options, &|_| {}).unwrap_err();
    assert!(error.to_string().contains("called `SOFTMX`; there are `SOFTMAX`"), "{error}");
    assert!(graph.operators.iter().any(|o| matches!(o.op, Op::Softmax { .. })));
}
