//! The networks that are measured: of every kind that firmware is made of, with sizes drawn at random, and the real
//! ones where they are at hand.

use smidgen::ir::{
    Activation, BinaryKind, DataType, ElementType, Graph, Op, Padding, PoolKind, Quantisation, ReduceKind, ResizeKind,
    UnaryKind,
};
use smidgen::plan::Objective;
use smidgen::quant::{self, ActivationBits, WeightBits};
use smidgen::{Array, Dtype, Network};
use smidgen_synthetic::{Builder, Node, Precision, Random, Taps};
use std::path::{Path, PathBuf};

/// A network and the schedules that it is measured under: the schedule, what is wanted, whether the input is streamed.
pub struct Sample {
    /// Without spaces.
    pub name: String,
    pub network: Network,
    pub schedules: Vec<(&'static str, Objective, bool)>,
}

/// Whole layers; single rows; what the planner makes of it; several rows at a time; tiles.
const FULL: [(&str, Objective, bool); 4] = [
    ("layer", Objective::Sram, false),
    ("auto", Objective::Balanced, false),
    ("stream", Objective::Sram, true),
    ("layer", Objective::Speed, false),
];
const SOME: [(&str, Objective, bool); 2] = [("layer", Objective::Sram, false), ("auto", Objective::Balanced, true)];
const TILED: [(&str, Objective, bool); 2] = [("patch:2x2@4", Objective::Sram, false), ("auto", Objective::Sram, false)];
const LAYER: [(&str, Objective, bool); 1] = [("layer", Objective::Sram, false)];

/// Networks like MCUNet whose code is measured besides.
const MORE_MOBILE: u64 = 30;

/// All of them.
pub fn all(shared: &Path) -> Vec<Sample> {
    let mut all = Vec::new();
    let mut add = |name: String, graph: Graph, schedules: &[(&'static str, Objective, bool)]| {
        let mut network = Network::from_graph(graph).expect("a valid graph");
        network.canonicalise().expect("passes keep it valid");
        all.push(Sample { name, network, schedules: schedules.to_vec() });
    };
    for seed in 0..6 {
        let schedules: &[_] = if seed % 3 == 2 { &TILED } else { &FULL };
        add(format!("mobile-{seed}"), mobile(seed, Precision::Int8), schedules);
    }
    for seed in 0..4 {
        add(format!("residual-{seed}"), residual(seed, Precision::Int8), &SOME);
        add(format!("speech-{seed}"), speech(seed), &SOME);
        add(format!("mixed-{seed}"), mixed(seed), &SOME);
        add(format!("windows-{seed}"), windows(seed), &SOME);
        add(format!("dense-{seed}"), dense(seed), &LAYER);
    }
    for seed in 0..4 {
        add(format!("rare-{seed}"), rare(seed), &LAYER);
        add(format!("products-{seed}"), products(seed, Precision::Int8), &LAYER);
        add(format!("float-products-{seed}"), products(seed, Precision::Float32), &LAYER);
        add(format!("unpacked-{seed}"), unpacked(residual(30 + seed, Precision::Int8)), &SOME);
        for (name, options) in [
            ("int4", quant::Options { weights: WeightBits::Int4, ..quant::Options::default() }),
            ("int16", quant::Options { activations: ActivationBits::Int16, ..quant::Options::default() }),
        ] {
            for (kind, graph) in [
                ("mobile", mobile(10 + seed, Precision::Float32)),
                ("residual", residual(10 + seed, Precision::Float32)),
            ] {
                add(format!("{name}-{kind}-{seed}"), quantised(&graph, &options), &SOME);
            }
        }
        add(format!("float-mobile-{seed}"), mobile(20 + seed, Precision::Float32), &LAYER);
        add(format!("float-residual-{seed}"), residual(20 + seed, Precision::Float32), &LAYER);
    }
    for seed in 0..2 {
        add(format!("dynamic-mobile-{seed}"), dynamic_range(mobile(40 + seed, Precision::Float32)), &LAYER);
        add(format!("dynamic-residual-{seed}"), dynamic_range(residual(40 + seed, Precision::Float32)), &LAYER);
    }
    add("demo".to_owned(), smidgen_synthetic::demo(2026), &SOME);
    add("gated".to_owned(), smidgen_synthetic::gated(32, 3, 2026), &SOME);
    let models = std::fs::read_dir(shared.join("models")).into_iter().flatten().flatten();
    let mut models: Vec<_> = models.map(|entry| entry.path()).collect();
    models.sort();
    // Those of floats last, and in whole layers only: they take long where a core has no unit for floats.
    let is_float = |path: &PathBuf| path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("float"));
    let (floats, integers): (Vec<PathBuf>, Vec<PathBuf>) = models.into_iter().partition(is_float);
    for (paths, schedules) in [(integers, &SOME[..]), (floats, &LAYER[..])] {
        for path in paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "tflite")) {
            let name = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
            let mut network = Network::open(path).expect("a model");
            network.strip_io().and_then(|_| network.canonicalise()).expect("passes keep a model valid");
            all.push(Sample { name, network, schedules: schedules.to_vec() });
        }
    }
    all
}

/// The same for code, which needs no emulator, and more of the kind that is looked for most.
pub fn of_code(shared: &Path) -> Vec<Sample> {
    let mut samples = all(shared);
    for seed in 100..100 + MORE_MOBILE {
        let network = Network::from_graph(mobile(seed, Precision::Int8)).expect("a valid graph");
        samples.push(Sample { name: format!("mobile-{seed}"), network, schedules: LAYER.to_vec() });
    }
    samples
}

/// Bytes that take every value, floats in -1 .. 1.
pub fn noise(graph: &Graph) -> Vec<Array> {
    let mut random = Random::new(7);
    let one = |&id| {
        let tensor = graph.tensor(id);
        let (dtype, count) = (Dtype::of(tensor.element()), tensor.shape.elements());
        let bytes = match dtype {
            Dtype::Float32 => (0..count).flat_map(|_| (2.0 * random.unit() as f32 - 1.0).to_le_bytes()).collect(),
            _ => (0..count * dtype.size()).map(|_| random.bits() as u8).collect::<Vec<u8>>(),
        };
        Array::new(dtype, tensor.shape.dims(), bytes)
    };
    graph.inputs.iter().map(one).collect()
}

/// The network with weights of CONV_2D that the blocks of firmware cannot hold.
fn unpacked(mut graph: Graph) -> Graph {
    let convolutions = graph.operators.iter().filter(|operator| matches!(operator.op, Op::Conv2d { .. }));
    let weights: Vec<_> = convolutions.map(|operator| operator.inputs[1]).collect();
    for id in weights {
        let tensor = &mut graph.tensors[id.index()];
        let mut data = tensor.data.as_deref().expect("weights are constant").to_vec();
        data.iter_mut().take(4).for_each(|weight| *weight = 0x80);
        tensor.data = Some(data.into());
    }
    graph
}

/// The network with weights of int8, quantised by channel, beside its floats.
fn dynamic_range(mut graph: Graph) -> Graph {
    let layers =
        graph.operators.iter().filter_map(|operator| Some((operator.op.traits().weights?, operator.inputs[1])));
    for (weights, id) in layers.collect::<Vec<_>>() {
        let tensor = &mut graph.tensors[id.index()];
        let values = tensor.floats().expect("weights are constant");
        let channels = tensor.shape.dims()[weights.axis];
        let apart: usize = tensor.shape.dims()[weights.axis + 1..].iter().product();
        let channel = |at: usize| at / apart % channels;
        let mut most = vec![f32::MIN_POSITIVE; channels];
        values.iter().enumerate().for_each(|(at, v)| most[channel(at)] = most[channel(at)].max(v.abs()));
        let scales: Vec<f32> = most.iter().map(|most| most / 127.0).collect();
        let data: Vec<u8> =
            values.iter().enumerate().map(|(at, v)| (v / scales[channel(at)]).round() as i8 as u8).collect();
        let quantisation = Quantisation::PerChannel { axis: weights.axis, scales, zero_points: vec![0; channels] };
        tensor.dtype = DataType::Quantised(ElementType::Int8, quantisation);
        tensor.data = Some(data.into());
    }
    graph
}

fn quantised(graph: &Graph, options: &quant::Options) -> Graph {
    let inputs = noise(graph).into_iter().map(|array| array.data.to_vec()).collect();
    quant::quantise(graph, &[inputs], options, &|_| ()).expect("a network that can be quantised").graph
}

/// Inverted residual blocks as MCUNet has them.
fn mobile(seed: u64, precision: Precision) -> Graph {
    let mut b = Builder::new("mobile", precision, seed);
    let size =
        if precision == Precision::Float32 { 10 + 2 * (seed as usize % 5) } else { 20 + 4 * b.random().below(8) };
    let x = b.input([1, size, size + more_columns(seed), 3]);
    let stem = 2 * (4 + b.random().below(7));
    let mut x = b.conv(x, Taps::square(3).stride(2).symmetric(), stem, Activation::Relu6);
    let blocks = if precision == Precision::Float32 { 3 } else { 9 + b.random().below(4) };
    for block in 0..blocks {
        let kernel = [3, 5, 7][(block + b.random().below(2)) % 3];
        let [rows, _] = image(&b, x);
        let stride = if rows > 4 && b.random().chance(1, 3) { 2 } else { 1 };
        let inputs = b.shape(x)[3];
        let outputs = if b.random().chance(1, 2) { inputs } else { width(&mut b, 8 + 4 * block) };
        let activation = b.random().choose(&[Activation::Relu6, Activation::Relu, Activation::None]);
        let expansion = 2 + b.random().below(4);
        let y = b.pointwise(x, inputs * expansion, activation);
        let y = b.depthwise(y, Taps::square(kernel).stride(stride).symmetric(), 1, activation);
        let y = b.pointwise(y, outputs, Activation::None);
        x = if b.shape(x) == b.shape(y) { b.add_nodes(x, y) } else { y };
    }
    let classes = 2 + b.random().below(20);
    let x = b.global_mean(x, false);
    let x = b.fully_connected(x, classes, Activation::None);
    let x = b.softmax(x);
    b.finish(&[x])
}

/// 1 for every third seed: pictures that are not square.
fn more_columns(seed: u64) -> usize {
    if seed % 3 == 1 { 3 } else { 0 }
}

/// A number of channels: mostly a multiple of four, now and then any.
fn width(b: &mut Builder, about: usize) -> usize {
    let any = about / 2 + 1 + b.random().below(about.max(2));
    if b.random().chance(1, 4) { any } else { any.next_multiple_of(4) }
}

fn image(b: &Builder, x: Node) -> [usize; 2] {
    let shape = b.shape(x);
    [shape[1], shape[2]]
}

/// Full convolutions as ResNet has them, with shortcuts, ending in an average over the image.
fn residual(seed: u64, precision: Precision) -> Graph {
    let mut b = Builder::new("residual", precision, 100 + seed);
    let size = if precision == Precision::Float32 { 8 } else { 14 + 2 * b.random().below(6) };
    let x = b.input([1, size, size, [3, 1, 4][seed as usize % 3]]);
    let mut channels = 8 + 4 * b.random().below(3);
    let mut x = b.conv(x, Taps::square(3), channels, Activation::Relu);
    for _ in 0..if precision == Precision::Float32 { 1 } else { 3 } {
        let stride = 1 + b.random().below(2);
        channels += 4 * b.random().below(4) + b.random().below(2);
        let kernel = b.random().choose(&[3, 3, 5]);
        let y = b.conv(x, Taps::square(kernel).stride(stride), channels, Activation::Relu);
        let y = b.conv(y, Taps::square(3), channels, Activation::None);
        let shortcut = b.conv(x, Taps::square(1).stride(stride), channels, Activation::None);
        x = b.binary(BinaryKind::Add, shortcut, y, Activation::Relu);
    }
    let [rows, columns] = image(&b, x);
    let whole = Taps { kernel: [rows, columns], stride: [rows, columns], padding: Padding::Valid, ..Taps::square(1) };
    let x = b.pool(PoolKind::Average, x, whole);
    let x = b.fully_connected(x, 10, Activation::None);
    let x = b.softmax(x);
    b.finish(&[x])
}

/// A spectrogram, as the keyword networks take it.
fn speech(seed: u64) -> Graph {
    let mut b = Builder::new("speech", Precision::Int8, 200 + seed);
    let x = b.input([1, 33 + 8 * seed as usize, 10, 1]);
    let channels = 4 * (6 + b.random().below(9));
    let stem = Taps { kernel: [10, 4], stride: [2, 2], ..Taps::square(1) };
    let mut x = b.conv(x, stem, channels, Activation::Relu);
    for _ in 0..3 {
        x = b.depthwise(x, Taps::square(3), 1, Activation::Relu);
        let channels = width(&mut b, channels);
        x = b.pointwise(x, channels, Activation::Relu);
    }
    let window = Taps { kernel: [5, 2], stride: [5, 2], padding: Padding::Valid, ..Taps::square(1) };
    x = b.pool(PoolKind::Average, x, window);
    let x = b.fully_connected(x, 12, Activation::None);
    let x = b.softmax(x);
    b.finish(&[x])
}

/// Everything without weights.
fn mixed(seed: u64) -> Graph {
    let mut b = Builder::new("mixed", Precision::Int8, 300 + seed);
    let size = 12 + 2 * b.random().below(5);
    let channels = [8, 7, 12, 5][seed as usize % 4];
    let input = b.float_input([1, size, size, 3]);
    let x = b.conv(input, Taps::square(3), channels, Activation::None);
    let gate = b.global_mean(x, true);
    let gate = b.pointwise(gate, channels, Activation::None);
    let gate = b.unary(UnaryKind::Logistic, gate);
    let gated = b.binary(BinaryKind::Mul, x, gate, Activation::None);
    let y = b.unary(UnaryKind::HardSwish, gated);
    let y = b.unary(UnaryKind::LeakyRelu { alpha: 0.1 }, y);
    let product = b.binary(BinaryKind::Mul, x, y, Activation::None);
    let clamped = b.binary(BinaryKind::Mul, y, x, Activation::Relu6);
    let sum = b.add_nodes(product, clamped);
    let difference = b.binary(BinaryKind::Sub, sum, gate, Activation::None);
    let mut pools = Vec::new();
    for (kind, kernel, stride) in [
        (PoolKind::Max, 2, 2),
        (PoolKind::Max, 3, 2),
        (PoolKind::Average, 2, 2),
        (PoolKind::Average, 3, 2),
        (PoolKind::Average, 5, 2),
        (PoolKind::Max, 4, 2),
    ] {
        pools.push(b.pool(kind, difference, Taps::square(kernel).stride(stride)));
    }
    let joined = b.concatenation(&pools[..3], 3);
    let columns = b.concatenation(&pools[3..5], 2);
    let rows = b.concatenation(&pools[4..], 1);
    let [height, wide] = image(&b, joined);
    let nearest = b.resize(ResizeKind::Nearest, joined, [2 * height, 2 * wide], false);
    let bilinear = b.resize(ResizeKind::Bilinear, pools[0], [2 * height, 2 * wide + 3], true);
    let half = b.split(nearest, 3, 3);
    let padded = b.pad(half[1], [1, 2], [2, 1]);
    let slice = b.slice(bilinear, &[0, 1, 2, 0], &[1, height, wide, channels]);
    let strided = b.strided_slice(columns, 3, 2);
    let turned = b.transpose(rows, &[0, 3, 1, 2]);
    let rescaled = b.requantise(slice);
    let probabilities = b.softmax(rescaled);
    let least = b.binary(BinaryKind::Minimum, rescaled, pools[1], Activation::None);
    let real = b.dequantise(least);
    b.finish(&[padded, strided, turned, probabilities, real, half[0]])
}

/// Windows of all shapes.
fn windows(seed: u64) -> Graph {
    let mut b = Builder::new("windows", Precision::Int8, 400 + seed);
    let channels = [6, 8, 5][seed as usize % 3];
    let x = b.input([1, 18 + seed as usize, 21, channels]);
    let taps = |kernel: [usize; 2], stride: [usize; 2], dilation: [usize; 2], padding| Taps {
        kernel,
        stride,
        dilation,
        padding,
    };
    let mut outputs = Vec::new();
    for (kernel, stride, dilation) in [
        ([1, 1], [1, 1], [1, 1]),
        ([1, 1], [2, 2], [1, 1]),
        ([1, 3], [1, 1], [1, 1]),
        ([3, 1], [1, 2], [1, 1]),
        ([2, 2], [2, 2], [1, 1]),
        ([3, 3], [1, 1], [2, 2]),
        ([5, 5], [2, 2], [1, 1]),
        ([7, 4], [3, 2], [1, 1]),
    ] {
        let depth = width(&mut b, 10);
        let padding = b.random().choose(&[Padding::Same, Padding::Valid]);
        outputs.push(b.conv(x, taps(kernel, stride, dilation, padding), depth, Activation::Relu));
    }
    let wide = width(&mut b, 16);
    let y = b.pointwise(x, wide, Activation::None);
    for (kernel, stride, dilation) in [
        ([2, 2], [1, 1], [1, 1]),
        ([3, 3], [1, 1], [2, 2]),
        ([1, 5], [1, 1], [1, 1]),
        ([4, 4], [2, 2], [1, 1]),
        ([3, 3], [1, 1], [1, 1]),
        ([3, 3], [2, 2], [1, 1]),
        ([5, 5], [1, 1], [1, 1]),
        ([5, 5], [2, 2], [1, 1]),
        ([7, 7], [1, 1], [1, 1]),
        ([7, 7], [2, 2], [1, 1]),
    ] {
        let padding = b.random().choose(&[Padding::Same, Padding::Valid]);
        outputs.push(b.depthwise(y, taps(kernel, stride, dilation, padding), 1, Activation::Relu6));
    }
    b.finish(&outputs)
}

/// Products of matrices that are both computed: attention, with operands either way round and vectors among them.
fn products(seed: u64, precision: Precision) -> Graph {
    let mut b = Builder::new("products", precision, 700 + seed);
    let mut outputs = Vec::new();
    for _ in 0..5 {
        let [rows, columns] = [(); 2].map(|()| 1 + b.random().below(33));
        let (heads, depth) = (1 + b.random().below(4), 3 + b.random().below(40));
        let x = b.input([1, heads, rows, depth]);
        let keys = b.input([1, heads, columns, depth]);
        let scores = b.keep(Op::BatchMatmul { adjoint: [false, true] }, &[x, keys])[0];
        outputs.extend(b.keep(Op::BatchMatmul { adjoint: [false, false] }, &[scores, keys]));
        outputs.extend(b.keep(Op::BatchMatmul { adjoint: [true, false] }, &[scores, x]));
    }
    b.finish(&outputs)
}

/// Layers of fully connected ones, with sizes that leave rests.
fn dense(seed: u64) -> Graph {
    let mut b = Builder::new("dense", Precision::Int8, 500 + seed);
    let inputs = 40 + b.random().below(200);
    let mut x = b.input([1, inputs]);
    for _ in 0..7 {
        let outputs = 5 + b.random().below(120);
        x = b.fully_connected(x, outputs, Activation::Relu);
    }
    b.finish(&[x])
}

/// What is seldom met.
fn rare(seed: u64) -> Graph {
    let mut b = Builder::new("rare", Precision::Int8, 600 + seed);
    let channels = 4 + seed as usize;
    let x = b.input([1, 9, 11, channels]);
    let multiplied = b.depthwise(x, Taps::square(3), 2, Activation::Relu);
    let upwards = b.transpose_conv(x, [3, 3], [2, 2], Padding::Same, 6, Activation::None);
    let sums = b.keep(Op::Reduce { kind: ReduceKind::Mean, axes: vec![3], keep_dims: true }, &[x])[0];
    let rows = b.keep(Op::Reduce { kind: ReduceKind::Mean, axes: vec![1], keep_dims: true }, &[x])[0];
    b.finish(&[multiplied, upwards, sums, rows])
}
