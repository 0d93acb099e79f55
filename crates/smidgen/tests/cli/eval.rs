//! `smidgen eval`: what is counted when not everything is.

use crate::support::{FLOAT, Folder};
use smidgen::data::set::Part;
use smidgen::data::{Array, Dataset, Dtype, Feeder, Fit, Normalise};
use smidgen::evaluate::Protocol;
use smidgen::{Network, Runner, evaluate};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Samples of three classes of [`FLOAT`], one class after the other: of each as many as `counts` says.
fn sorted(folder: &Folder, counts: [usize; 3]) -> usize {
    let labels: Vec<u8> = counts.iter().enumerate().flat_map(|(class, &n)| vec![class as u8; n]).collect();
    let n = labels.len();
    let values: Vec<f32> = (0..4 * n).map(|i| (i % 7) as f32).collect();
    let arrays = [("x", Array::from_f32(&[n, 4], &values)), ("y", Array::new(Dtype::Uint8, &[n], labels))];
    folder.write("float.ir", FLOAT).npz("set.npz", &arrays);
    n
}

#[test]
fn what_is_counted_before_an_interruption_is_spread_over_the_classes() {
    let folder = Folder::new();
    let n = sorted(&folder, [400, 3, 400]);
    let network = Network::from_text(FLOAT).unwrap();
    let set = Dataset::open(&folder.path("set.npz"), &Part::Test).unwrap();
    let runner = Runner::new(&network, &Default::default()).unwrap();
    let feeder = Feeder::new(network.interface(), Normalise::Auto, Fit::Stretch);
    let (stop, counted) = (AtomicBool::new(false), AtomicU64::new(0));
    let done = || {
        if counted.fetch_add(1, Ordering::SeqCst) == 60 {
            stop.store(true, Ordering::SeqCst);
        }
    };
    let order = set.choose(usize::MAX, 0);
    let result = evaluate(
        network.graph(),
        &runner,
        &set,
        &order,
        Protocol { feeder: &feeder, labels: None, strict: false },
        (&done, &stop),
    )
    .unwrap();
    assert!(result.stopped && result.samples >= 60 && result.samples < n as u64, "{result:?}");
    assert_eq!((result.wanted, result.unseen.len()), (n as u64, 0));
    let [a, b, c] = [0, 1, 2].map(|class: usize| result.confusion[class].iter().sum::<u64>());
    assert!(a.abs_diff(c) <= 1 && b == 3, "{:?}", result.confusion);
}

#[test]
fn classes_that_too_few_samples_leave_out_are_named() {
    let folder = Folder::new();
    sorted(&folder, [5, 5, 5]);
    let finished = folder.smidgen(&["eval", "float.ir", "--data", "set.npz", "--samples", "2"]).expect(0);
    assert!(finished.stderr.contains("2 samples were counted, none of 1 classes: 2"), "{}", finished.stderr);
    let json = folder.smidgen(&["eval", "float.ir", "--data", "set.npz", "--samples", "2", "--json"]).expect(0).json();
    assert_eq!(json["classes_without_samples"], serde_json::json!(["2"]));
    for samples in ["3", "7", "15"] {
        let arguments = ["eval", "float.ir", "--data", "set.npz", "--samples", samples, "--json"];
        let json = folder.smidgen(&arguments).expect(0).json();
        let counts = json["confusion"].as_array().unwrap().iter();
        let counts = counts.map(|row| row.as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum::<u64>());
        let counts: Vec<u64> = counts.collect();
        assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{counts:?}");
        assert_eq!(json["classes_without_samples"], serde_json::json!([]));
    }
}

#[test]
fn mistakes_are_kept_with_the_most_confident_first() {
    let folder = Folder::new();
    let n = sorted(&folder, [20, 20, 20]);
    let network = Network::from_text(FLOAT).unwrap();
    let set = Dataset::open(&folder.path("set.npz"), &Part::Test).unwrap();
    let runner = Runner::new(&network, &Default::default()).unwrap();
    let feeder = Feeder::new(network.interface(), Normalise::Auto, Fit::Stretch);
    let order = set.choose(usize::MAX, 1);
    let protocol = Protocol { feeder: &feeder, labels: None, strict: false };
    let never = AtomicBool::new(false);
    let result = evaluate(network.graph(), &runner, &set, &order, protocol, (&|| {}, &never)).unwrap();
    let mistakes = &result.mistakes;
    assert_eq!(mistakes.len() as u64, n as u64 - result.top1);
    assert!(!mistakes.is_empty() && mistakes.is_sorted_by(|a, b| a.confidence >= b.confidence), "{mistakes:?}");
    let mut confusion = vec![vec![0; result.classes.len()]; result.classes.len()];
    for mistake in mistakes {
        // The sample is the set's, not the order's.
        assert_eq!(set.items()[mistake.sample].class, Some(mistake.class));
        assert!(mistake.taken != mistake.class && (1.0 / 3.0..=1.0).contains(&mistake.confidence), "{mistake:?}");
        confusion[mistake.class][mistake.taken] += 1;
    }
    for (class, row) in result.confusion.iter().enumerate() {
        confusion[class][class] = row[class];
    }
    assert_eq!(confusion, result.confusion);
}
