//! What networks that learn prepare of samples, and which of them may share it.

use smidgen_adapt::{Features, Learner, Learns, Scheme, compile, drawn};
use smidgen_synthetic::random_classifier;

#[test]
fn networks_that_prepare_alike_prepare_the_same_bytes() {
    let (mut alike, mut unlike) = (0, 0);
    for seed in 0..24 {
        let graph = random_classifier(seed);
        let features = Features::of(&graph).unwrap();
        let count = features.convolutions.len();
        let samples = drawn(&features, 2);
        let weights = |index: usize, ratio: f64, biases: usize| Scheme {
            manual_weight_idx: vec![index],
            weight_update_ratio: vec![ratio],
            n_bias_update: biases,
            ..Scheme::default()
        };
        let biases = (count / 2).max(1);
        let mut schemes = vec![
            Scheme { n_bias_update: biases, ..Scheme::default() },
            Scheme { n_bias_update: biases - 1, ..Scheme::default() },
            weights(count - biases, 0.5, biases),
        ];
        schemes.extend((count - biases..count).map(|index| weights(index, 1.0, biases)));
        let learners: Vec<Learner> = schemes
            .iter()
            .map(|scheme| Learner::new(&compile(&graph, 3, scheme, &Default::default(), &[]).unwrap()).unwrap())
            .collect();
        let prepared: Vec<Vec<Vec<u8>>> = learners
            .iter()
            .map(|learner| {
                let mut learner = learner.clone();
                let one = |sample: &Vec<i8>| {
                    let bytes: Vec<u8> = sample.iter().map(|&x| x as u8).collect();
                    learner.prepare(&bytes).unwrap()
                };
                samples.iter().map(one).collect()
            })
            .collect();
        for (i, one) in learners.iter().enumerate() {
            for (j, other) in learners.iter().enumerate() {
                assert_eq!(one.prepares_like(other), other.prepares_like(one));
                if one.prepares_like(other) {
                    assert_eq!(prepared[i], prepared[j], "network {seed}, schemes {i} and {j}");
                    alike += usize::from(i != j);
                } else {
                    unlike += 1;
                }
            }
        }
    }
    assert!(alike > 50 && unlike > 50, "{alike} {unlike}");
}
