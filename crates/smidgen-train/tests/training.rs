//! Training as a whole: it learns, and gives the same bits on every instruction set and for any number of threads.

mod reference;

use reference::{noise, settings, stripes};
use smidgen_train::{
    Activation, Addend, Builder, ConvLayer, Isa, Loss, Net, Optimiser, Random, Samples, Settings, Trainer,
};

/// A small network with every kind of fused layer.
fn network() -> Net {
    let mut b = Builder::new(&[12, 12, 3]);
    let stem = b.conv("stem", b.input(), 8, ConvLayer::new(3, 1, Activation::Relu6)).unwrap();
    let wide = b.conv("wide", stem, 20, ConvLayer::new(1, 1, Activation::HardSwish)).unwrap();
    let depth = b.depthwise("depth", wide, ConvLayer::new(3, 2, Activation::Relu6)).unwrap();
    let narrow = b.conv("narrow", depth, 12, ConvLayer::new(1, 1, Activation::None)).unwrap();
    let wide = b.conv("wide2", narrow, 24, ConvLayer::new(1, 1, Activation::Relu)).unwrap();
    let depth = b.depthwise("depth2", wide, ConvLayer::new(5, 1, Activation::Relu6)).unwrap();
    let again = b.conv("narrow2", depth, 12, ConvLayer::new(1, 1, Activation::None)).unwrap();
    let sum = b.add("sum", narrow, again, Activation::None).unwrap();
    let dense = ConvLayer { addend: Addend::Bias, ..ConvLayer::new(3, 2, Activation::Relu) };
    let last = b.conv("last", sum, 18, dense).unwrap();
    let pooled = b.global_pool("pool", last).unwrap();
    let logits = b.fully_connected("classifier", pooled, 4, Activation::None).unwrap();
    b.build(logits).unwrap()
}

#[test]
fn it_learns() {
    let net = network();
    let mut random = Random::new(1);
    let (inputs, labels) = stripes(512, 0.7, &mut random);
    let (unseen, answers) = stripes(256, 0.7, &mut random);
    for (optimiser, rate) in [(Optimiser::Sgd { momentum: 0.9 }, 0.1), (Optimiser::ADAM_W, 0.01)] {
        let loss = Loss { smoothing: 0.0, distillation: 0.0 };
        let average = Some(0.9);
        let settings = Settings { optimiser, rate, loss, average, batch: 64, clip: Some(5.0), ..Settings::default() };
        let mut trainer = Trainer::new(net.clone(), settings, 7).unwrap();
        let steps = 48;
        let mut first = None;
        for step in 0..steps {
            let at = step % 8 * 64;
            let batch =
                Samples::new(&net, &inputs[at * net.input_len()..][..64 * net.input_len()], &labels[at..at + 64]);
            let report = trainer.step(&batch.unwrap(), step as f64 / steps as f64).unwrap();
            first.get_or_insert(report.loss);
        }
        let seen = trainer.evaluate(&Samples::new(&net, &unseen, &answers).unwrap()).unwrap();
        let chance = 4f64.ln();
        assert!(first.unwrap() > 0.8 * chance, "it began with {first:?}");
        assert!(seen.loss < 0.3 * chance && seen.correct > 230, "{optimiser:?} learnt {seen:?}");
        // The average went the same way.
        let (parameters, state) = trainer.average().map(|(p, s)| (p.to_vec(), s.to_vec())).unwrap();
        trainer.set_parameters(&parameters, &state).unwrap();
        let averaged = trainer.evaluate(&Samples::new(&net, &unseen, &answers).unwrap()).unwrap();
        assert!(averaged.correct > 230, "{optimiser:?} averaged {averaged:?}");
    }
}

/// The bits of parameters and state after some steps.
fn bits(settings: Settings, steps: usize) -> Vec<u32> {
    let net = network();
    let mut random = Random::new(3);
    let mut trainer = Trainer::new(net.clone(), settings, 5).unwrap();
    for step in 0..steps {
        let (inputs, labels) = stripes(21, 0.7, &mut random);
        let batch = Samples::new(&net, &inputs, &labels).unwrap();
        trainer.step(&batch, step as f64 / steps as f64).unwrap();
    }
    trainer.parameters().iter().chain(trainer.state()).map(|x| x.to_bits()).collect()
}

#[test]
fn equal_bits_on_every_instruction_set_and_for_any_number_of_threads() {
    for optimiser in [Optimiser::default(), Optimiser::ADAM_W] {
        let rate = if optimiser == Optimiser::ADAM_W { 0.01 } else { 0.2 };
        let base = Settings { optimiser, rate, average: Some(0.99), clip: Some(1.0), ..settings(24, 5) };
        let expected = bits(base, 4);
        assert!(expected.iter().all(|&x| f32::from_bits(x).is_finite()));
        for threads in [2, 4] {
            assert!(bits(Settings { threads, ..base }, 4) == expected, "{threads} threads");
        }
        for isa in Isa::available() {
            assert!(bits(Settings { isa, threads: 2, ..base }, 4) == expected, "{}", isa.name());
        }
    }
}

/// Not only of this machine's instruction sets: the number was the same wherever it was tried, x86 and Arm.
#[test]
fn the_bits_are_known() {
    let net = network();
    let mut random = Random::new(11);
    let mut trainer = Trainer::new(net.clone(), Settings { rate: 0.1, ..settings(12, 5) }, 5).unwrap();
    for step in 0..3 {
        let inputs = noise(12 * net.input_len(), &mut random);
        let labels: Vec<u32> = (0..12).map(|_| random.below(4) as u32).collect();
        trainer.step(&Samples::new(&net, &inputs, &labels).unwrap(), f64::from(step) / 3.0).unwrap();
    }
    let bits = trainer.parameters().iter().chain(trainer.state()).flat_map(|x| x.to_bits().to_le_bytes());
    let hash = bits.fold(0xcbf2_9ce4_8422_2325u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    assert_eq!(format!("{hash:016x}"), "5978ab69e0dcba41");
}

#[test]
fn what_is_wrong_with_a_batch_is_said() {
    let net = network();
    let mut trainer = Trainer::new(net.clone(), settings(4, 2), 0).unwrap();
    let mut random = Random::new(5);
    let inputs = noise(5 * net.input_len(), &mut random);
    assert!(Samples::new(&net, &inputs[1..], &[0; 5]).is_err());
    let before = trainer.parameters().to_vec();
    let too_many = trainer.step(&Samples::new(&net, &inputs, &[0; 5]).unwrap(), 0.0).unwrap_err();
    assert_eq!(too_many.to_string(), "the batch has 5 elements, and must have 4");
    let labels = [0, 1, 2, 4];
    let foreign = trainer.step(&Samples::new(&net, &inputs[..4 * net.input_len()], &labels).unwrap(), 0.0).unwrap_err();
    assert_eq!(foreign.to_string(), "sample 3 of the batch has label 4, and the network has 4 classes");
    assert!(trainer.step(&Samples::new(&net, &[], &[]).unwrap(), 0.0).is_err());
    assert_eq!(trainer.parameters(), before);
    for wrong in [
        Settings { batch: 0, ..settings(4, 2) },
        Settings { rate: f32::NAN, ..settings(4, 2) },
        Settings { clip: Some(0.0), ..settings(4, 2) },
        Settings { loss: Loss { smoothing: 1.0, distillation: 0.0 }, ..settings(4, 2) },
        Settings { optimiser: Optimiser::Sgd { momentum: 1.0 }, ..settings(4, 2) },
    ] {
        assert!(Trainer::new(net.clone(), wrong, 0).is_err(), "{wrong:?}");
    }
}
