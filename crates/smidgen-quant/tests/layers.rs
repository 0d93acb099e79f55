//! Single layers against a bound that follows from their scales.

use smidgen_certify::certify;
use smidgen_exec::Executor;
use smidgen_ir::{Activation, Graph, Padding, PoolKind};
use smidgen_lower::{LowerOptions, lower};
use smidgen_plan::layer_wise;
use smidgen_quant::{ActivationBits, Inputs, Options, quantise};
use smidgen_synthetic::{Builder, Node, Precision, Random, Taps};

fn run(graph: &Graph, input: &[u8]) -> Vec<u8> {
    let mut executor = Executor::new(certify(layer_wise(&lower(graph, &LowerOptions::default()).unwrap())).unwrap());
    executor.set_input(0, input).unwrap();
    executor.run();
    executor.output(0).to_vec()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect()
}

/// The most that an output of a layer may be off. Every factor is off by half a step at most: the input's `s_x` and each weight's
/// `s_w`; so is the bias by half of `s_x s_w`. The output is rounded, at worst twice, to steps of `s_y`.
fn bound(graph: &Graph, weights: &[f32], channel: usize, per_channel: usize, most: f64) -> f64 {
    let operator = &graph.operators[0];
    let scale = |k: usize| f64::from(graph.tensor(operator.inputs[k]).dtype.quantisation().unwrap().scale(channel));
    let (sx, sw) = (scale(0), scale(1));
    let sy = f64::from(graph.tensor(operator.outputs[0]).per_tensor().unwrap().0);
    let sum: f64 = weights.iter().map(|&w| f64::from(w.abs())).sum();
    let products = sum * sx / 2.0 + per_channel as f64 * sw / 2.0 * (most + sx / 2.0);
    // A thousandth for single precision.
    1.001 * (products + sx * sw / 2.0 + sy)
}

/// Quantises a network of one layer, with activations of either type, and compares every output with the float network's.
fn check(seed: u64, build: impl FnOnce(&mut Builder) -> Node, depthwise: bool) {
    let mut builder = Builder::new("one", Precision::Float32, seed);
    let end = build(&mut builder);
    let graph = builder.finish(&[end]);
    for activations in [ActivationBits::Int8, ActivationBits::Int16] {
        check_graph(seed, &graph, depthwise, activations);
    }
}

fn check_graph(seed: u64, graph: &Graph, depthwise: bool, activations: ActivationBits) {
    let mut random = Random::new(seed);
    let count = graph.tensor(graph.inputs[0]).shape.elements();
    let mut image =
        || -> Vec<u8> { (0..count).flat_map(|_| ((2.0 * random.unit() - 1.0) as f32).to_le_bytes()).collect() };
    let samples: Vec<Inputs> = (0..4).map(|_| vec![image()]).collect();
    let options = Options { correct_bias: false, activations, ..Options::default() };
    let quantised = quantise(graph, &samples, &options, &|_| {}).unwrap().graph;
    let weights = graph.tensor(graph.operators[0].inputs[1]);
    let values = weights.floats().unwrap();
    let outputs = *quantised.tensor(quantised.outputs[0]).shape.dims().last().unwrap();
    let of_channel = |o: usize| -> Vec<f32> {
        match depthwise {
            true => values.iter().skip(o).step_by(outputs).copied().collect(),
            false => values.chunks_exact(values.len() / outputs).nth(o).unwrap().to_vec(),
        }
    };
    let (sx, zx) = quantised.tensor(quantised.inputs[0]).per_tensor().unwrap();
    let (sy, zy) = quantised.tensor(quantised.outputs[0]).per_tensor().unwrap();
    for sample in &samples {
        let real = floats(&run(graph, &sample[0]));
        let stored = floats(&sample[0]).into_iter().map(|v| (v / sx).round() as i32 + zx);
        let found: Vec<i32> = if activations == ActivationBits::Int8 {
            let stored: Vec<u8> = stored.map(|q| q.clamp(-128, 127) as u8).collect();
            run(&quantised, &stored).into_iter().map(|q| i32::from(q as i8)).collect()
        } else {
            let stored: Vec<u8> = stored.flat_map(|q| (q.clamp(-32768, 32767) as i16).to_le_bytes()).collect();
            run(&quantised, &stored).as_chunks::<2>().0.iter().map(|&q| i16::from_le_bytes(q).into()).collect()
        };
        for (i, (&y, q)) in real.iter().zip(found).enumerate() {
            let channel = of_channel(i % outputs);
            let found = f64::from(sy) * f64::from(q - zy);
            let bound = bound(&quantised, &channel, i % outputs, channel.len(), 1.0);
            assert!(
                (found - f64::from(y)).abs() <= bound,
                "seed {seed}, {activations:?}, element {i}: {y} became {found}, bound {bound}"
            );
        }
    }
}

#[test]
fn weighted_layers_keep_to_the_bound() {
    for seed in 0..6 {
        let taps = Taps::square(3).stride(1 + seed as usize % 2);
        let activation = [Activation::None, Activation::Relu, Activation::Relu6][seed as usize % 3];
        check(
            seed,
            |b| {
                let x = b.input([1, 9, 7, 5]);
                b.conv(x, taps, 6, activation)
            },
            false,
        );
        check(
            seed,
            |b| {
                let x = b.input([1, 9, 7, 4]);
                b.depthwise(x, taps, 2, activation)
            },
            true,
        );
        check(
            seed,
            |b| {
                let x = b.input([1, 30]);
                b.fully_connected(x, 7, activation)
            },
            false,
        );
        check(
            seed,
            |b| {
                let x = b.input([1, 4, 5, 3]);
                b.transpose_conv(x, [3, 2], [2, 2], Padding::Same, 4, activation)
            },
            false,
        );
    }
}

#[test]
fn a_pool_moves_no_scale() {
    let mut b = Builder::new("pool", Precision::Float32, 1);
    let x = b.input([1, 8, 8, 3]);
    let y = b.pool(PoolKind::Max, x, Taps::square(2).stride(2));
    let graph = b.finish(&[y]);
    let image: Vec<u8> = (0..192).flat_map(|i| (i as f32 / 100.0 - 1.0).to_le_bytes()).collect();
    let quantised = quantise(&graph, &[vec![image]], &Options::default(), &|_| {}).unwrap().graph;
    assert_eq!(quantised.tensor(quantised.inputs[0]).dtype, quantised.tensor(quantised.outputs[0]).dtype);
}
