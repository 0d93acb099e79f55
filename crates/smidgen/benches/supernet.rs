//! Whether networks that inherit their weights from a supernet rank as they do when they are trained alone, and whether
//! evolution finds better ones than drawing does.
//!
//! `cargo xtask bench supernet DATA [--resolution N] [--width W] [--early] [--macs N] [--networks N] [--supernet-epochs N]
//! [--epochs N] [--evaluations N] [--seeds N] [--samples N] [--threads N]`. Of the networks of one space those are taken that are spread
//! evenly over their multiply-accumulates. Printed are Kendall's tau (b) of the inherited and the own accuracy, and as
//! the ceiling that of two seeds alone; then the best inherited accuracy of evolution and of drawing, for as many
//! networks each, over five seeds.

use smidgen::data::picture::{Fit, Normalisation};
use smidgen::data::set::Part;
use smidgen::data::{Dataset, Feeder, Normalise};
use smidgen::search::{Candidate, Figures, Scored, Skeleton, Space};
use smidgen::searching::{Evolution, EvolutionSettings, Supernet, SupernetSettings};
use smidgen::train::held::{Holding, Views};
use smidgen::train::{Augment, Course, Held, Options, Random, Start};
use smidgen::training::Settings;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// What the command line says.
struct Arguments(Vec<String>);

impl Arguments {
    fn number(&self, name: &str, unnamed: f64) -> f64 {
        let at = self.0.iter().position(|argument| argument == name);
        at.and_then(|at| self.0.get(at + 1)?.parse().ok()).unwrap_or(unnamed)
    }

    fn count(&self, name: &str, unnamed: usize) -> usize {
        self.number(name, unnamed as f64) as usize
    }
}

/// Kendall's rank correlation, with ties on either side counted as the tau-b does (Kendall 1945).
fn tau(a: &[f64], b: &[f64]) -> f64 {
    let (mut sum, mut left, mut right) = (0.0, 0.0, 0.0);
    for i in 0..a.len() {
        for j in 0..i {
            let [x, y] = [(a[i] - a[j]).partial_cmp(&0.0), (b[i] - b[j]).partial_cmp(&0.0)].map(|order| match order {
                Some(std::cmp::Ordering::Greater) => 1.0,
                Some(std::cmp::Ordering::Less) => -1.0,
                _ => 0.0f64,
            });
            sum += x * y;
            left += x * x;
            right += y * y;
        }
    }
    sum / f64::sqrt(left * right).max(1e-9)
}

fn main() {
    let arguments = Arguments(std::env::args().skip(1).filter(|argument| argument != "--bench").collect());
    let Some(path) = arguments.0.first().filter(|path| Path::new(path).exists()) else {
        println!("name a labelled set: cargo xtask bench supernet DATA");
        return;
    };
    let side = arguments.count("--resolution", 32);
    let width = arguments.number("--width", 0.3);
    let threads = arguments.count("--threads", std::thread::available_parallelism().map_or(1, usize::from));
    let set = |part| Dataset::open(Path::new(path), &part).expect("a set");
    let (training, test) = (set(Part::Training), set(Part::Test));
    let mut space = Space::new(width, [side, side, 3], training.classes().len());
    if arguments.0.iter().any(|argument| argument == "--early") {
        space.skeleton = Skeleton::EARLY;
    }
    let start = |candidate: &Candidate, seed: u64| {
        Start::of_net(space.net(candidate).expect("a network"), seed).expect("a network")
    };
    let shape = start(&space.smallest(), 0);
    let feeder = Feeder::new(shape.network.interface(), Normalise::Fixed(Normalisation::Unit), Fit::default());
    let stop = AtomicBool::new(false);
    let most = arguments.count("--samples", usize::MAX);
    let held = |set: &Dataset| {
        let holding = Holding { feeder: &feeder, scale: 1.0, strict: false, limit: 4 << 30 };
        let chosen = set.choose(most, 0);
        Held::read(shape.network.graph(), (set, &chosen), holding, (&|| {}, &stop)).expect("samples").expect("samples")
    };
    let (samples, tested) = (held(&training), held(&test));
    println!("{} samples, {} to test; {} networks in the space", samples.len(), tested.len(), space.count());

    // Networks spread over their multiply-accumulates.
    let (macs, networks) = (arguments.number("--macs", 2e6) as usize, arguments.count("--networks", 20));
    let mut random = Random::new(1);
    let size = |candidate: &Candidate| space.net(candidate).expect("a network").macs();
    let mut drawn: Vec<(usize, Candidate)> = (0..5000)
        .map(|_| Candidate::draw(&space, &mut random))
        .map(|candidate| (size(&candidate), candidate))
        .filter(|(size, _)| *size <= macs)
        .collect();
    drawn.sort_by_key(|(size, _)| *size);
    assert!(drawn.len() >= networks, "of 5,000 networks {} have at most {macs} MACs: take another width", drawn.len());
    let (least, greatest) = (drawn[0].0, drawn[drawn.len() - 1].0);
    let chosen: Vec<&(usize, Candidate)> = (0..networks)
        .map(|i| least + (greatest - least) * i / (networks - 1).max(1))
        .map(|wanted| drawn.iter().min_by_key(|(size, _)| size.abs_diff(wanted)).expect("there are some"))
        .collect();

    // The supernet.
    let (batch, epochs) = (128, arguments.count("--supernet-epochs", 30));
    let training = Settings { batch, shard: 16, threads, rate: 0.2, ..Settings::default() };
    let settings = SupernetSettings { training, subnets: 3, warm_up: 0.2, seed: 1 };
    let mut supernet = Supernet::new(&space, settings).expect("a supernet");
    let augment = Augment::default();
    let steps = samples.len().div_ceil(batch);
    let all = epochs * steps;
    for step in 0..all {
        let epoch = step / steps;
        let order = samples.order(1, epoch, false);
        let views = Some(Views { augment, seed: 1, epoch });
        let taken = (0..batch).map(|i| order[(step % steps * batch + i) % order.len()]).collect();
        let taken = samples.batch(taken, views).expect("samples");
        let report = supernet.step(&taken, step as f64 / all as f64).expect("a step");
        if step % steps + 1 == steps {
            println!("supernet epoch {}: loss {:.3} in its last step", epoch + 1, report.loss);
        }
    }
    let calibration = samples.batch(samples.order(1, 0, false).into_iter().take(512).collect(), None).expect("samples");
    let compared = tested.batch((0..tested.len()).collect(), None).expect("samples");
    let mut inherited = |candidate: &Candidate| {
        let report = supernet.evaluate(candidate, &calibration, &compared).expect("a count");
        (report.correct, report.samples)
    };

    // Each alone.
    let seeds = arguments.count("--seeds", 2);
    let mut alone: Vec<Vec<f64>> = vec![Vec::new(); seeds];
    let mut shared = Vec::new();
    println!("{:>12} {:>10} alone", "MACs", "inherited");
    for (macs, candidate) in chosen {
        let (correct, count) = inherited(candidate);
        shared.push(correct as f64 / count as f64);
        let mut told = format!("{macs:>12} {:>9.2} %", 100.0 * correct as f64 / count as f64);
        for (seed, alone) in alone.iter_mut().enumerate() {
            let start = start(candidate, seed as u64);
            let options = Options {
                epochs: arguments.count("--epochs", 30),
                batch,
                rate: 0.2,
                seed: seed as u64,
                threads,
                augment,
                ..Options::default()
            };
            let mut course = Course::new(&start, &samples, Some(&tested), options).expect("a training");
            let mut last = 0.0;
            while !course.is_over() {
                let epoch = course.epoch(&|| {}, &stop).expect("an epoch").expect("an epoch");
                last = epoch.tested.unwrap_or(0.0);
            }
            alone.push(last);
            told += &format!(" {:>7.2} %", 100.0 * last);
        }
        println!("{told}");
    }
    for (seed, alone) in alone.iter().enumerate() {
        println!("tau of inherited and alone with seed {seed}: {:.3}", tau(&shared, alone));
    }
    if let [first, second, ..] = alone.as_slice() {
        println!("tau of two seeds alone: {:.3}", tau(first, second));
    }

    // Evolution and drawing.
    let evaluations = arguments.count("--evaluations", 100);
    for seed in 0..5 {
        let settings = EvolutionSettings::for_evaluations(evaluations, seed);
        let drawing = EvolutionSettings { population: evaluations, ..settings };
        let best = [settings, drawing].map(|settings| {
            let mut evolution = Evolution::new(settings, Vec::new());
            let admitted = |candidate: &Candidate| {
                let macs = size(candidate);
                Ok((macs <= self::most(&arguments)).then_some(Figures { macs: macs as u64, ..Figures::default() }))
            };
            while let Some((candidate, figures)) = evolution.next(&space, &admitted).expect("networks") {
                let (correct, samples) = inherited(&candidate);
                evolution.tell(Scored { candidate, figures, correct, samples });
            }
            100.0 * evolution.best().expect("a network").accuracy()
        });
        println!(
            "seed {seed}: best of {evaluations} networks by evolution {:.2} %, by drawing {:.2} %",
            best[0], best[1]
        );
    }
}

/// Multiply-accumulates that networks may have.
fn most(arguments: &Arguments) -> usize {
    arguments.number("--macs", 2e6) as usize
}
