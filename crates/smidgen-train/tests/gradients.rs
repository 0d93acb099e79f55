//! Gradients of every fused layer against central differences of a reference in f64, and against PyTorch where there is
//! one.

mod reference;

use reference::{Layer, Model, chosen, difference, module, noise, oracle, parameters, settings, wide};
use smidgen_ir::Padding;
use smidgen_train::{Activation, Addend, ConvLayer, Random, Samples, Trainer};

/// The greatest relative error (of the Euclidean norm) of a parameter tensor's gradient.
fn worst(model: &Model, n: usize, shard: usize, seed: u64) -> f64 {
    let net = model.net().unwrap();
    let mut random = Random::new(seed);
    let p = parameters(&net, &mut random);
    let inputs = noise(n * net.input_len(), &mut random);
    let labels: Vec<u32> = (0..n).map(|_| random.below(net.output_len()) as u32).collect();
    let settings = settings(n, shard);
    let mut trainer = Trainer::new(net.clone(), settings, 0).unwrap();
    trainer.set_parameters(&p, &net.initial_state()).unwrap();
    let report = trainer.differentiate(&Samples::new(&net, &inputs, &labels).unwrap()).unwrap();

    oracle::agrees(oracle::of_model(model, &net, shard, settings.loss.smoothing), &trainer, &inputs, &labels);
    let module = module::agrees(&mut trainer, &inputs, &labels);

    let (x, mut p) = (wide(&inputs), wide(&p));
    let loss = |p: &[f64]| model.loss(&net, p, &x, &labels, shard, &settings.loss);
    let expected = loss(&p);
    assert!((report.loss - expected).abs() < 1e-5 * expected, "loss {} and not {expected}", report.loss);
    // A gradient that is nothing but rounding has no relative error: a weight before a normalisation that undoes it.
    let whole: f64 = trainer.gradient().iter().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt();
    let mut worst: f64 = 0.0;
    for q in net.parameters() {
        let (mut error, mut size, mut apart): (f64, f64, f64) = (0.0, 0.0, 0.0);
        for i in chosen(q.len(), &mut random) {
            let exact = difference(&mut p, q.offset + i, &loss);
            error += (exact - f64::from(trainer.gradient()[q.offset + i])).powi(2);
            size += exact.powi(2);
            apart += module.as_ref().map_or(0.0, |module| (exact - module[q.offset + i]).powi(2));
        }
        // Both in f64: what is left is the difference's own error.
        let apart = apart.sqrt() / size.sqrt().max(1e-3 * whole);
        assert!(apart < 1e-6, "{}: relative error {apart:e} of the module in {model:?}", q.name);
        let relative = error.sqrt() / size.sqrt().max(1e-3 * whole);
        assert!(relative < 1e-4, "{}: relative error {relative:e} in {model:?}", q.name);
        worst = worst.max(relative);
    }
    worst
}

fn layer(kernel: [usize; 2], stride: usize, addend: Addend, activation: Activation) -> ConvLayer {
    ConvLayer { kernel, stride: [stride; 2], dilation: [1; 2], padding: Padding::Same, addend, activation }
}

const ACTIVATIONS: [Activation; 4] = [Activation::None, Activation::Relu, Activation::Relu6, Activation::HardSwish];

/// The layer under test between two others, so that its input has a gradient and its output is read.
fn between(input: [usize; 3], channels: usize, under_test: Layer) -> Model {
    let point = layer([1, 1], 1, Addend::Norm, Activation::Relu6);
    // The mean of normalised pixels hardly depends on them: a curve comes before the pooling.
    let curved = layer([1, 1], 1, Addend::Bias, Activation::HardSwish);
    let layers = vec![
        Layer::Conv { x: 0, filters: channels, layer: point },
        under_test,
        Layer::Conv { x: 2, filters: 6, layer: curved },
        Layer::Pool { x: 3 },
        Layer::Linear { x: 4, outputs: 5, addend: Addend::Bias, activation: Activation::None },
    ];
    Model { input: input.to_vec(), layers }
}

#[test]
fn depthwise_of_every_kernel_stride_and_size() {
    let mut seed = 1;
    for kernel in [1, 3, 5, 7] {
        for stride in [1, 2] {
            for (addend, activation) in
                [Addend::Norm, Addend::Bias].into_iter().flat_map(|a| ACTIVATIONS.map(|f| (a, f)))
            {
                let size = [5 + seed as usize % 3, 7 - seed as usize % 2];
                let test = Layer::Depthwise { x: 1, layer: layer([kernel; 2], stride, addend, activation) };
                // 19 channels: a whole block of lanes and a part of one.
                worst(&between([size[0], size[1], 3], 19, test), 3, 2, seed);
                seed += 1;
            }
        }
    }
}

#[test]
fn dense_of_every_kernel_stride_and_size() {
    let mut seed = 100;
    for kernel in [1, 3, 5, 7] {
        for stride in [1, 2] {
            for (addend, activation) in
                [Addend::Norm, Addend::Bias].into_iter().flat_map(|a| ACTIVATIONS.map(|f| (a, f)))
            {
                let size = [5 + seed as usize % 3, 7 - seed as usize % 2];
                let layer = layer([kernel; 2], stride, addend, activation);
                let test = Layer::Conv { x: 1, filters: 6, layer };
                worst(&between([size[0], size[1], 3], 5, test), 3, 2, seed);
                seed += 1;
            }
        }
    }
}

#[test]
fn uneven_kernels_paddings_and_dilations() {
    let base = layer([3, 2], 1, Addend::Norm, Activation::Relu);
    let layers = [
        ConvLayer { kernel: [4, 3], stride: [2, 1], ..base },
        ConvLayer { kernel: [3, 5], stride: [1, 3], padding: Padding::Valid, ..base },
        ConvLayer { dilation: [2, 3], ..base },
        ConvLayer { kernel: [3, 3], stride: [2, 2], dilation: [2, 1], ..base },
        ConvLayer { padding: Padding::Explicit { top: 2, bottom: 0, left: 1, right: 3 }, ..base },
        ConvLayer { kernel: [9, 9], ..base },
        ConvLayer { kernel: [1, 1], stride: [3, 2], ..base },
    ];
    for (i, layer) in layers.into_iter().enumerate() {
        worst(&between([8, 9, 2], 3, Layer::Conv { x: 1, filters: 4, layer }), 2, 2, 200 + i as u64);
        worst(&between([8, 9, 2], 3, Layer::Depthwise { x: 1, layer }), 2, 2, 220 + i as u64);
    }
}

#[test]
fn layers_without_anything_after_the_sums() {
    for (i, activation) in ACTIVATIONS.into_iter().enumerate() {
        let layer = layer([3, 3], 1, Addend::None, activation);
        worst(&between([6, 5, 2], 4, Layer::Conv { x: 1, filters: 3, layer }), 3, 2, 300 + i as u64);
        let point = ConvLayer { kernel: [1, 1], ..layer };
        worst(&between([6, 5, 2], 4, Layer::Conv { x: 1, filters: 3, layer: point }), 3, 2, 310 + i as u64);
        worst(&between([6, 5, 2], 4, Layer::Depthwise { x: 1, layer }), 3, 2, 320 + i as u64);
    }
}

/// Many channels and rows: several panels, tiles and blocks of each product.
#[test]
fn wide_pointwise_layers() {
    let point = layer([1, 1], 1, Addend::Norm, Activation::Relu6);
    let layers = vec![
        Layer::Conv { x: 0, filters: 37, layer: point },
        Layer::Conv { x: 1, filters: 70, layer: ConvLayer { activation: Activation::HardSwish, ..point } },
        Layer::Conv { x: 2, filters: 33, layer: ConvLayer { addend: Addend::Bias, ..point } },
        Layer::Pool { x: 3 },
        Layer::Linear { x: 4, outputs: 21, addend: Addend::Norm, activation: Activation::Relu },
        Layer::Linear { x: 5, outputs: 3, addend: Addend::Bias, activation: Activation::None },
    ];
    worst(&Model { input: vec![9, 9, 3], layers }, 6, 6, 400);
}

/// An inverted residual (Sandler et al. 2018), twice in a row, so that gradients share buffers.
#[test]
fn inverted_residuals() {
    let point = layer([1, 1], 1, Addend::Norm, Activation::Relu6);
    let linear = ConvLayer { activation: Activation::None, ..point };
    let depth = layer([3, 3], 1, Addend::Norm, Activation::Relu6);
    let layers = vec![
        Layer::Conv { x: 0, filters: 4, layer: layer([3, 3], 2, Addend::Norm, Activation::Relu6) },
        Layer::Conv { x: 1, filters: 4, layer: linear },
        Layer::Conv { x: 2, filters: 9, layer: point },
        Layer::Depthwise { x: 3, layer: depth },
        Layer::Conv { x: 4, filters: 4, layer: linear },
        Layer::Add { x: 5, y: 2, activation: Activation::None },
        Layer::Conv { x: 6, filters: 9, layer: point },
        Layer::Depthwise { x: 7, layer: depth },
        Layer::Conv { x: 8, filters: 4, layer: linear },
        Layer::Add { x: 6, y: 9, activation: Activation::None },
        Layer::Pool { x: 10 },
        Layer::Linear { x: 11, outputs: 4, addend: Addend::Bias, activation: Activation::None },
    ];
    worst(&Model { input: vec![8, 8, 3], layers }, 4, 2, 500);
}

/// Residual blocks of the first kind (He et al. 2015): a rectifier after the sum, a projection on the second shortcut.
#[test]
fn residual_blocks() {
    let relu = layer([3, 3], 1, Addend::Norm, Activation::Relu);
    let linear = ConvLayer { activation: Activation::None, ..relu };
    let layers = vec![
        Layer::Conv { x: 0, filters: 4, layer: relu },
        Layer::Conv { x: 1, filters: 4, layer: relu },
        Layer::Conv { x: 2, filters: 4, layer: linear },
        Layer::Add { x: 3, y: 1, activation: Activation::Relu },
        Layer::Conv { x: 4, filters: 6, layer: ConvLayer { stride: [2, 2], ..relu } },
        Layer::Conv { x: 5, filters: 6, layer: linear },
        Layer::Conv { x: 4, filters: 6, layer: ConvLayer { kernel: [1, 1], stride: [2, 2], ..linear } },
        Layer::Add { x: 6, y: 7, activation: Activation::Relu },
        Layer::Pool { x: 8 },
        Layer::Linear { x: 9, outputs: 4, addend: Addend::Bias, activation: Activation::None },
    ];
    worst(&Model { input: vec![6, 6, 2], layers }, 4, 2, 600);
}

/// Sums whose gradients may or may not share a buffer: of a value with itself, of values read before and after, of
/// sums.
#[test]
fn sums_of_every_kind() {
    let point = layer([1, 1], 1, Addend::Norm, Activation::Relu);
    let linear = ConvLayer { activation: Activation::None, ..point };
    let swish = ConvLayer { activation: Activation::HardSwish, ..point };
    let end = |mut layers: Vec<Layer>| {
        let x = layers.len();
        layers.push(Layer::Pool { x });
        layers.push(Layer::Linear { x: x + 1, outputs: 4, addend: Addend::Bias, activation: Activation::None });
        Model { input: vec![4, 3, 2], layers }
    };
    let conv = |x, layer| Layer::Conv { x, filters: 3, layer };
    let add = |x, y, activation| Layer::Add { x, y, activation };
    let none = Activation::None;
    let models = [
        // With itself.
        end(vec![conv(0, linear), add(1, 1, none)]),
        end(vec![conv(0, point), add(1, 1, Activation::Relu6)]),
        // Both linear, both read again.
        end(vec![
            conv(0, linear),
            conv(0, linear),
            add(1, 2, none),
            conv(1, point),
            conv(2, point),
            add(4, 5, none),
            add(3, 6, none),
        ]),
        // A value read by two sums and a layer between them.
        end(vec![
            conv(0, linear),
            conv(1, point),
            add(1, 2, none),
            conv(3, swish),
            add(1, 4, none),
            add(3, 5, Activation::Relu),
        ]),
        // A chain of sums onto one shortcut.
        end(vec![conv(0, linear), conv(1, linear), conv(2, linear), add(3, 1, none), add(4, 2, none), add(5, 1, none)]),
        end(vec![conv(0, linear), conv(1, point), conv(1, linear), add(3, 2, none), conv(1, linear), add(5, 4, none)]),
        // An activation of its own, read by several.
        end(vec![
            conv(0, linear),
            Layer::Activate { x: 1, activation: Activation::HardSwish },
            conv(2, point),
            add(2, 3, none),
        ]),
        end(vec![
            conv(0, linear),
            Layer::Activate { x: 1, activation: Activation::Relu },
            add(1, 2, none),
            conv(3, point),
            add(4, 1, none),
        ]),
        end(vec![conv(0, swish), Layer::Activate { x: 1, activation: none }, add(1, 2, none)]),
    ];
    for (i, model) in models.iter().enumerate() {
        worst(model, 4, 2, 700 + i as u64);
    }
}

/// Layers that nobody reads take no part, and the gradient of an output that other layers read is whole.
#[test]
fn dead_layers_and_shards_that_do_not_divide_the_batch() {
    let point = layer([1, 1], 1, Addend::Norm, Activation::Relu);
    let layers = vec![
        Layer::Conv { x: 0, filters: 3, layer: point },
        Layer::Conv { x: 1, filters: 3, layer: point },
        Layer::Pool { x: 1 },
        Layer::Linear { x: 3, outputs: 4, addend: Addend::Bias, activation: Activation::Relu6 },
    ];
    let model = Model { input: vec![4, 4, 2], layers };
    worst(&model, 7, 3, 800);
}
