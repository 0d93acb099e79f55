//! Networks that smidgen quantised, in the reference interpreter: every output byte must agree.

mod every;
mod state;

use smidgen::data::set::Part;
use smidgen::data::{Archive, Dataset, Feeder, Fit, Normalisation, Normalise};
use smidgen::quant::{ActivationBits, Ends, Inputs, Options, QuantError, RangeMethod, WeightBits, quantise};
use smidgen::{Array, Dtype, Network, Runner};
use smidgen_ir::Graph;
use smidgen_reference::{Case, Reference, shared};
use smidgen_synthetic::{Precision, Random, RandomGraphOptions, random_graph};

/// Quantises, runs, and compares all outputs for the first samples with the reference's if there is one.
fn check(reference: Option<&mut Reference>, name: &str, graph: &Graph, samples: &[Inputs], options: &Options) {
    let quantised = quantise(graph, samples, options, &|_| {}).unwrap_or_else(|e| panic!("{name}: {e}"));
    let network = Network::from_graph(quantised.graph).unwrap();
    let graph = network.graph();
    let mut runner = Runner::new(&network, &Default::default()).unwrap();
    // The integers of the quantised inputs: those of all samples' floats, by the network's own scale. Indices stay what they are.
    let encode = |inputs: &Inputs| -> Vec<Array> {
        let arrays = inputs.iter().zip(&graph.inputs).map(|(bytes, &id)| {
            let tensor = graph.tensor(id);
            match tensor.per_tensor() {
                None => Array::new(Dtype::of(tensor.element()), tensor.shape.dims(), bytes.clone()),
                Some((scale, zero)) => {
                    let float = Array::new(Dtype::Float32, tensor.shape.dims(), bytes.clone());
                    let data = smidgen::data::input::quantise(&float.to_f64(), scale, zero, tensor.element());
                    Array::new(Dtype::of(tensor.element()), tensor.shape.dims(), data)
                }
            }
        });
        arrays.collect()
    };
    let inputs: Vec<Vec<Array>> = samples.iter().take(8).map(encode).collect();
    let case = Case {
        model: network.to_tflite().unwrap(),
        samples: inputs.iter().map(|arrays| arrays.iter().map(|a| a.data.clone()).collect()).collect(),
        ..Case::default()
    };
    let theirs = reference.map(|reference| reference.run_case(&case).unwrap_or_else(|e| panic!("{name}: {e}")));
    let theirs = theirs.map_or_else(Vec::new, |outcome| outcome.samples);
    for (k, arrays) in inputs.iter().enumerate() {
        let ours = runner.run(arrays).unwrap();
        let Some(theirs) = theirs.get(k) else { continue };
        for (ours, theirs) in ours.iter().zip(&theirs.outputs) {
            assert!(agree(ours, theirs), "{name}, sample {k}: {:?} and {theirs:?}", ours.data);
        }
    }
}

/// Integers must be the same; floats that operators between the integers made agree to 1e-5 of the greatest: terms that cancel each
/// other leave what they were rounded by.
fn agree(ours: &Array, theirs: &[u8]) -> bool {
    if ours.data == theirs || ours.dtype != Dtype::Float32 || ours.data.len() != theirs.len() {
        return ours.data == theirs;
    }
    let floats = |bytes: &[u8]| -> Vec<f32> {
        bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
    };
    let (ours, theirs) = (floats(&ours.data), floats(theirs));
    let greatest = ours.iter().chain(&theirs).fold(0f32, |most, value| most.max(value.abs()));
    ours.into_iter().zip(theirs).all(|(a, b)| a == b || (a - b).abs() <= 1e-5 * greatest)
}

/// The same with those of the names that the quantiser has: an activation that is fused into a layer loses its own.
fn check_named(
    reference: &mut Reference,
    name: &str,
    graph: &Graph,
    samples: &[Inputs],
    options: Options,
    mut wide: Vec<String>,
) {
    wide.retain(|one| {
        let alone = Options { wide: vec![one.clone()], ..options.clone() };
        !matches!(quantise(graph, samples, &alone, &|_| {}), Err(QuantError::UnknownLayer { .. }))
    });
    check(Some(reference), name, graph, samples, &Options { wide, ..options });
}

#[test]
fn real_networks_agree() {
    let Some(mut reference) = Reference::start_or_skip("quantised networks") else { return };
    let Some(shared) = shared("quantised real networks") else { return };
    let network = Network::open(shared.join("models/mlperf-resnet8-float.tflite")).unwrap();
    let set = Dataset::open(&shared.join("data/cifar10-images.tar.gz"), &Part::Training).unwrap();
    let feeder = Feeder::new(network.graph(), Normalise::Fixed(Normalisation::Raw), Fit::Stretch);
    let inputs = |sample| feeder.inputs(&sample).unwrap().into_iter().map(|array| array.data).collect();
    let samples: Vec<Inputs> = set.read(&set.choose(200, 0)).map(|sample| inputs(sample.unwrap())).collect();
    check(Some(&mut reference), "resnet8", network.graph(), &samples, &Options::default());
    for weights in [WeightBits::Int4, WeightBits::Mixed(None)] {
        let options = Options { weights, ..Options::default() };
        check(Some(&mut reference), &format!("resnet8, {weights:?}"), network.graph(), &samples, &options);
    }
    for activations in [ActivationBits::Int16, ActivationBits::Mixed(None)] {
        let options = Options { activations, ..Options::default() };
        check(Some(&mut reference), &format!("resnet8, {activations:?}"), network.graph(), &samples[..40], &options);
    }

    let network = Network::open(shared.join("models/mlperf-kws-float.tflite")).unwrap();
    let mut golden = Archive::new(std::fs::read(shared.join("golden/mlperf-kws-float.npz")).unwrap()).unwrap();
    let samples: Vec<Inputs> =
        (0..).map_while(|k| Some(vec![golden.get(&format!("input_{k}")).unwrap()?.data])).collect();
    let options = Options { range: RangeMethod::MeanSquaredError, ..Options::default() };
    check(Some(&mut reference), "kws", network.graph(), &samples, &options);
    let options = Options { weights: WeightBits::Int4, ..options };
    check(Some(&mut reference), "kws, int4", network.graph(), &samples, &options);
    for activations in [ActivationBits::Int16, ActivationBits::Mixed(None)] {
        for (weights, ends) in [(WeightBits::Int8, Ends::Int8), (WeightBits::Int4, Ends::Float32)] {
            let options = Options { activations, weights, ends, ..Options::default() };
            check(Some(&mut reference), &format!("kws, {options:?}"), network.graph(), &samples, &options);
        }
    }
}

#[test]
fn random_networks_agree() {
    let Some(mut reference) = Reference::start_or_skip("quantised random networks") else { return };
    for seed in 0..40 {
        let options =
            RandomGraphOptions { precision: Precision::Float32, image: 12, channels: 8, ..Default::default() };
        let graph = random_graph(seed, &options);
        let mut random = Random::new(seed);
        let mut floats = |n: usize| (0..n).flat_map(|_| ((2.0 * random.unit() - 1.0) as f32).to_le_bytes()).collect();
        let mut sample = || graph.inputs.iter().map(|&id| floats(graph.tensor(id).shape.elements())).collect();
        let samples: Vec<Inputs> = (0..4).map(|_| sample()).collect();
        let options = Options {
            equalise: seed % 2 == 0,
            ends: if seed % 3 == 0 { Ends::Float32 } else { Ends::Int8 },
            weights: if seed % 4 == 3 { WeightBits::Int4 } else { WeightBits::Int8 },
            ..Options::default()
        };
        check(Some(&mut reference), &format!("seed {seed}"), &graph, &samples, &options);
        let activations = [ActivationBits::Int16, ActivationBits::Mixed(None), ActivationBits::Int8][seed as usize % 3];
        // Of the third kind a few that are named, whatever they are.
        let names = graph.operators.iter().map(|o| graph.tensor(o.outputs[0]).name.clone());
        let options = Options { activations, ..options };
        let wide = if activations == ActivationBits::Int8 { names.step_by(3).collect() } else { Vec::new() };
        check_named(&mut reference, &format!("seed {seed}, {activations:?}"), &graph, &samples, options, wide);
    }
}
