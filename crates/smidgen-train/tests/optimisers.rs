//! Optimisers, clipping, averages, distillation and checkpoints against their definitions in f64.

mod reference;

use reference::{noise, settings};
use smidgen_train::{
    Activation, Builder, ConvLayer, Loss, Net, Optimiser, Random, Role, Samples, Schedule, Settings, TrainError,
    Trainer,
};

fn network() -> Net {
    let mut b = Builder::new(&[6, 6, 2]);
    let stem = b.conv("stem", b.input(), 5, ConvLayer::new(3, 1, Activation::Relu)).unwrap();
    let pooled = b.global_pool("pool", stem).unwrap();
    let logits = b.fully_connected("classifier", pooled, 3, Activation::None).unwrap();
    b.build(logits).unwrap()
}

/// Batches that follow from the step.
fn batch(net: &Net, step: usize) -> (Vec<f32>, Vec<u32>) {
    let mut random = Random::new(step as u64);
    (noise(8 * net.input_len(), &mut random), (0..8).map(|_| random.below(3) as u32).collect())
}

fn take(trainer: &mut Trainer, step: usize) {
    let (inputs, labels) = batch(trainer.net(), step);
    let net = trainer.net().clone();
    trainer.step(&Samples::new(&net, &inputs, &labels).unwrap(), step as f64 / 10.0).unwrap();
}

/// Follows the engine's gradients by the published formulas in f64.
#[test]
fn parameters_follow_the_formulas() {
    let net = network();
    let schedule = Schedule::Cosine { rise: 0.3, last: 0.1 };
    for optimiser in [Optimiser::Sgd { momentum: 0.8 }, Optimiser::AdamW { beta1: 0.7, beta2: 0.9, epsilon: 1e-6 }] {
        for clip in [None, Some(0.05)] {
            let (rate, decay, average) = (0.03f32, 0.1f32, 0.6f32);
            let base = settings(8, 4);
            let settings = Settings { optimiser, rate, decay, clip, schedule, average: Some(average), ..base };
            let mut trainer = Trainer::new(net.clone(), settings, 3).unwrap();
            let mut p: Vec<f64> = trainer.parameters().iter().map(|&x| x.into()).collect();
            let (mut m, mut v) = (vec![0.0; p.len()], vec![0.0; p.len()]);
            let mut mean = p.clone();
            for step in 0..6 {
                take(&mut trainer, step);
                let g: Vec<f64> = trainer.gradient().iter().map(|&x| x.into()).collect();
                let norm = g.iter().map(|g| g * g).sum::<f64>().sqrt();
                let scale = clip.map_or(1.0, |c| (f64::from(c) / norm).min(1.0));
                assert!(clip.is_none() || scale < 1.0, "the gradient is long enough to be clipped");
                let rate = f64::from(rate) * f64::from(schedule.at(step as f64 / 10.0));
                for q in net.parameters() {
                    let decay = if q.role == Role::Weight { f64::from(decay) } else { 0.0 };
                    for i in q.range() {
                        let g = g[i] * scale;
                        match optimiser {
                            Optimiser::Sgd { momentum } => {
                                let mu = f64::from(momentum);
                                let g = g + decay * p[i];
                                m[i] = mu * m[i] + g;
                                p[i] -= rate * (g + mu * m[i]);
                            }
                            Optimiser::AdamW { beta1, beta2, epsilon } => {
                                let (b1, b2, t) = (f64::from(beta1), f64::from(beta2), step as i32 + 1);
                                m[i] = b1 * m[i] + (1.0 - b1) * g;
                                v[i] = b2 * v[i] + (1.0 - b2) * g * g;
                                let (first, second) = (m[i] / (1.0 - b1.powi(t)), v[i] / (1.0 - b2.powi(t)));
                                p[i] -= rate * (first / (second.sqrt() + f64::from(epsilon)) + decay * p[i]);
                            }
                        }
                        mean[i] += (1.0 - f64::from(average)) * (p[i] - mean[i]);
                    }
                }
                let far =
                    |a: &[f32], b: &[f64]| a.iter().zip(b).map(|(&a, &b)| (f64::from(a) - b).abs()).fold(0.0, f64::max);
                assert!(far(trainer.parameters(), &p) < 1e-6, "{optimiser:?}, step {step}");
                assert!(far(trainer.average().unwrap().0, &mean) < 1e-6, "{optimiser:?}, step {step}");
            }
        }
    }
}

#[test]
fn running_moments_are_those_of_the_shards() {
    let mut b = Builder::new(&[2, 2, 1]);
    let point = b.conv("point", b.input(), 1, ConvLayer::new(1, 1, Activation::None)).unwrap();
    let pooled = b.global_pool("pool", point).unwrap();
    let logits = b.fully_connected("classifier", pooled, 2, Activation::None).unwrap();
    let net = b.build(logits).unwrap();
    let mut trainer = Trainer::new(net.clone(), Settings { rate: 0.0, norm_share: 0.25, ..settings(4, 2) }, 1).unwrap();
    let w = f64::from(trainer.parameters()[0]);
    let (mut mean, mut variance) = (0.0, 1.0);
    for step in 0..6 {
        let inputs = noise(16, &mut Random::new(step));
        trainer.step(&Samples::new(&net, &inputs, &[0, 1, 0, 1]).unwrap(), 0.0).unwrap();
        let (mut m, mut v) = (0.0, 0.0);
        for shard in inputs.chunks(8) {
            let z: Vec<f64> = shard.iter().map(|&x| w * f64::from(x)).collect();
            let own = z.iter().sum::<f64>() / 8.0;
            m += own / 2.0;
            v += z.iter().map(|z| (z - own).powi(2)).sum::<f64>() / 16.0;
        }
        let share = 0.25f64.max(1.0 / (step + 1) as f64);
        mean += share * (m - mean);
        variance += share * (v - variance);
        assert!((f64::from(trainer.state()[0]) - mean).abs() < 1e-6);
        assert!((f64::from(trainer.state()[1]) - variance).abs() < 1e-6);
    }
}

/// Of a network that is one matrix the gradient is known: the target is a mixture of label, uniform and teacher.
#[test]
fn distillation_mixes_the_targets() {
    let mut b = Builder::new(&[3]);
    let logits = b.fully_connected("classifier", b.input(), 4, Activation::None).unwrap();
    let net = b.build(logits).unwrap();
    let loss = Loss { smoothing: 0.2, distillation: 0.7 };
    let mut trainer = Trainer::new(net.clone(), Settings { loss, ..settings(2, 1) }, 5).unwrap();
    let x = [0.3f32, -1.2, 0.8, 1.5, 0.1, -0.4];
    let teacher = [0.1f32, 0.2, 0.3, 0.4, 0.7, 0.1, 0.1, 0.1];
    let samples = Samples::new(&net, &x, &[2, 0]).unwrap();
    let p = trainer.parameters().to_vec();
    for taught in [false, true] {
        let batch = if taught { samples.taught_by(&teacher).unwrap() } else { samples };
        let report = trainer.differentiate(&batch).unwrap();
        let share = if taught { 0.7 } else { 0.0 };
        let (mut expected, mut total) = (vec![0.0; p.len()], 0.0);
        for (s, label) in [2, 0].into_iter().enumerate() {
            let x: Vec<f64> = x[s * 3..][..3].iter().map(|&v| v.into()).collect();
            let z: Vec<f64> = (0..4)
                .map(|j| (0..3).map(|i| x[i] * f64::from(p[i * 4 + j])).sum::<f64>() + f64::from(p[12 + j]))
                .collect();
            let sum: f64 = z.iter().map(|z| z.exp()).sum();
            for j in 0..4 {
                let label = if j == label { 0.8 } else { 0.0 } + 0.2 / 4.0;
                let target = (1.0 - share) * label + share * f64::from(teacher[s * 4 + j]);
                total -= target * (z[j] - sum.ln()) / 2.0;
                let g = (z[j].exp() / sum - target) / 2.0;
                (0..3).for_each(|i| expected[i * 4 + j] += x[i] * g);
                expected[12 + j] += g;
            }
        }
        assert!((report.loss - total).abs() < 1e-6);
        for (g, e) in trainer.gradient().iter().zip(&expected) {
            assert!((f64::from(*g) - e).abs() < 1e-6);
        }
    }
    assert!(samples.taught_by(&teacher[1..]).is_err());
}

#[test]
fn going_on_from_a_checkpoint_gives_the_same_bits() {
    let net = network();
    for optimiser in [Optimiser::default(), Optimiser::ADAM_W] {
        let settings = Settings { optimiser, average: Some(0.9), clip: Some(0.5), ..settings(8, 4) };
        let mut straight = Trainer::new(net.clone(), settings, 3).unwrap();
        (0..4).for_each(|step| take(&mut straight, step));
        let saved = straight.checkpoint();
        (4..8).for_each(|step| take(&mut straight, step));

        let mut resumed = Trainer::new(net.clone(), settings, 99).unwrap();
        // Something else was packed before.
        take(&mut resumed, 0);
        resumed.restore(&saved).unwrap();
        assert_eq!((resumed.steps(), resumed.seed()), (4, 3));
        (4..8).for_each(|step| take(&mut resumed, step));
        assert_eq!(resumed.checkpoint(), straight.checkpoint());
    }
}

#[test]
fn damaged_and_foreign_checkpoints_are_refused() {
    let net = network();
    let mut trainer = Trainer::new(net.clone(), settings(8, 4), 3).unwrap();
    take(&mut trainer, 0);
    let saved = trainer.checkpoint();
    take(&mut trainer, 1);
    let own = trainer.checkpoint();
    let refused = |trainer: &mut Trainer, bytes: &[u8]| {
        assert!(matches!(trainer.restore(bytes), Err(TrainError::Checkpoint { .. })));
    };
    for end in 0..saved.len() {
        refused(&mut trainer, &saved[..end]);
    }
    for i in (0..saved.len()).step_by(7) {
        let mut damaged = saved.clone();
        damaged[i] ^= 0x10;
        refused(&mut trainer, &damaged);
    }
    refused(&mut trainer, &[&saved[..], &[0]].concat());
    let adam = Settings { optimiser: Optimiser::ADAM_W, ..settings(8, 4) };
    refused(&mut trainer, &Trainer::new(net, adam, 3).unwrap().checkpoint());
    assert_eq!(trainer.checkpoint(), own);
}
