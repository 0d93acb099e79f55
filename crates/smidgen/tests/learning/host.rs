//! Generated code that learns, compiled for the host: what it computes is what the learner on the host computes,
//! however it is called.

use super::{classifier, succeed};
use smidgen::LowerOptions;
use smidgen::adapting::{Features, Learner, Learns, Scheme};
use std::fs;
use std::path::Path;
use std::process::Command;

const CLASSES: usize = 4;
const STEPS: usize = 12;

/// A sample's number `at`: the program below has the same.
fn pixel(sample: usize, at: usize) -> i8 {
    ((at * 37 + sample * 91 + sample % CLASSES * at) % 251) as u8 as i8
}

const MANIFEST: &str = r#"
[package]
name = "calls"
version = "0.0.0"
edition = "2024"

[dependencies]
model = { path = "out/rust" }

[workspace]
"#;

/// Calls the code in every way, and prints losses and logits.
const PROGRAM: &str = r#"
use model::{
    Arena, CLASSES, Failed, Input, LabelOutOfRange, Model, RATE_ONE, Refusal, STATE_BYTES, Status, Store, slot_bytes,
};

const RATE: i32 = RATE_ONE / 128;
const STEPS: usize = 12;

/// Two slots in memory; reads may fail from a place on.
struct Slots([Vec<u8>; 2], usize);

impl Slots {
    fn new() -> Self {
        let slot = vec![0xff; slot_bytes(STATE_BYTES, 4)];
        Self([slot.clone(), slot], usize::MAX)
    }
}

impl Store for Slots {
    fn slot_bytes(&self) -> usize {
        self.0[0].len()
    }
    fn unit(&self) -> usize {
        4
    }
    fn erase(&mut self, slot: usize) -> Result<(), Failed> {
        self.0[slot].fill(0xff);
        Ok(())
    }
    fn program(&mut self, slot: usize, at: usize, bytes: &[u8]) -> Result<(), Failed> {
        self.0[slot][at..at + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }
    fn read(&mut self, slot: usize, at: usize, into: &mut [u8]) -> Result<(), Failed> {
        into.copy_from_slice(&self.0[slot][at..at + into.len()]);
        if at >= self.1 { Err(Failed) } else { Ok(()) }
    }
}

fn sample(number: usize) -> Input {
    std::array::from_fn(|at| ((at * 37 + number * 91 + number % CLASSES * at) % 251) as u8 as i8)
}

/// Gives the sample and does what was begun, a step at a time; how many there were.
fn by_steps<A: std::borrow::BorrowMut<Arena>>(model: &mut Model<A>, sample: &Input) -> usize {
    GIVE
    let mut steps = 0;
    loop {
        match model.step() {
            Status::Running => steps += 1,
            Status::Done => return steps,
            NEEDS_ROW
        }
    }
}

fn main() {
    let mut model = Box::new(Model::new());
    let fresh = *model.state();
    // Inference learns nothing, and a label that there is not is refused.
    model.predict(&sample(0));
    assert!(*model.state() == fresh);
    for label in [CLASSES, CLASSES + 1, usize::MAX] {
        assert_eq!(model.train_step(&sample(0), label, RATE), Err(LabelOutOfRange));
        assert_eq!(model.begin_training(label, RATE), Err(LabelOutOfRange));
    }
    assert!(*model.state() == fresh);

    let mut memory = vec![0xa5u8; model::ARENA_BYTES + 16];
    let offset = memory.as_ptr().align_offset(16);
    let mut other = Model::in_arena(Arena::from_bytes(&mut memory[offset..]).unwrap());
    for number in 0..STEPS {
        let label = number % CLASSES;
        let loss = model.train_step(&sample(number), label, RATE).unwrap();
        let learnt = *model.state();
        // Inference begun and dropped, then training in the caller's memory, a step at a time.
        other.restart();
        other.step();
        other.begin_training(label, RATE).unwrap();
        let training = by_steps(&mut other, &sample(number));
        assert_eq!(other.loss(), loss);
        assert!(*other.state() == learnt);
        let logits = *model.predict(&sample(number + 1));
        other.restart();
        let inference = by_steps(&mut other, &sample(number + 1));
        assert_eq!(*other.output(), logits);
        assert!(inference < training, "{inference} steps of {training}");
        // Nothing of the training step that was done before is done behind an inference.
        assert_eq!(other.step(), Status::Done);
        assert!(*model.state() == learnt && *other.state() == learnt);
        println!("{loss} {logits:?}");
    }
    let learnt = *model.state();
    assert!(learnt != fresh);

    let mut slots = Slots::new();
    assert_eq!(model.load_adaptation(&mut slots), Err(Refusal::Empty));
    assert!(*model.state() == fresh, "factory weights");
    model.set_state(&learnt);
    model.export_adaptation(&mut slots).unwrap();
    assert!(*model.state() == learnt);
    model.reset();
    assert!(*model.state() == fresh);
    model.load_adaptation(&mut slots).unwrap();
    assert!(*model.state() == learnt);
    // Whatever the memory does while it is read.
    for place in 0..slots.0[0].len() {
        let mut failing = Slots(slots.0.clone(), place);
        let loaded = model.load_adaptation(&mut failing);
        let last = slots.0[0].len() - 4;
        assert_eq!(loaded.is_ok(), place > last, "at {place}: {loaded:?}");
        assert!(*model.state() == if place > last { learnt } else { fresh }, "at {place}");
    }
    // A model that has learnt and is refused an adaptation forgets; one that goes on from an adaptation learns as
    // before.
    model.load_adaptation(&mut slots).unwrap();
    let loss = model.train_step(&sample(3), 3, RATE).unwrap();
    other.begin_training(3, RATE).unwrap();
    by_steps(&mut other, &sample(3));
    assert_eq!(other.loss(), loss);
    assert!(*other.state() == *model.state());
}
"#;

/// `scheme` has this name, and is made of the number of convolutions.
fn agree(name: &str, scheme: impl Fn(usize) -> Scheme, streamed: bool) {
    let folder = tempfile::tempdir().unwrap();
    let mut network = classifier(folder.path(), 8);
    let mut compile = Command::new(env!("CARGO_BIN_EXE_smidgen"));
    compile.current_dir(folder.path()).args(["adapt", "compile", "model.tflite", "--classes", &CLASSES.to_string()]);
    compile.args(["--scheme", name, "--board", "mps2-an500", "--name", "model", "-o", "out"]);
    if streamed {
        compile.args(["--schedule", "stream", "--stream-input"]);
    }
    succeed(&mut compile);
    let (give, needs_row) = match streamed {
        false => ("*model.input_mut() = *sample;", ""),
        true => (
            "let mut rows = sample.as_chunks().0.iter();",
            "Status::NeedsRow => assert!(model.give_row(rows.next().unwrap())),",
        ),
    };
    let program = PROGRAM.replace("GIVE", give).replace("NEEDS_ROW", needs_row);
    fs::create_dir(folder.path().join("src")).unwrap();
    fs::write(folder.path().join("src/main.rs"), program).unwrap();
    fs::write(folder.path().join("Cargo.toml"), MANIFEST).unwrap();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("learning-{name}"));
    let mut run = Command::new(env!("CARGO"));
    // Debug builds look for overflows.
    run.args(["run", "--quiet", "--target-dir"]).arg(target).current_dir(folder.path());
    run.env("RUSTFLAGS", "-Dwarnings").env("CARGO_PROFILE_DEV_OPT_LEVEL", "1");
    let said = succeed(&mut run);

    network.canonicalise().unwrap();
    let scheme = scheme(Features::of(network.graph()).unwrap().convolutions.len());
    let step = network.adapt(CLASSES, &scheme, &LowerOptions::default(), &[]).expect("operators with gradients").step;
    let mut learner = Learner::new(&step).unwrap();
    let size: usize = network.graph().tensor(network.graph().inputs[0]).shape.dims().iter().product();
    let prepare = |learner: &mut Learner, number: usize| {
        let sample: Vec<u8> = (0..size).map(|at| pixel(number, at) as u8).collect();
        learner.prepare(&sample).unwrap()
    };
    let mut expected = String::new();
    for number in 0..STEPS {
        let sample = prepare(&mut learner, number);
        let loss = learner.train(&sample, number % CLASSES, 1.0 / 128.0).unwrap();
        let sample = prepare(&mut learner, number + 1);
        let logits: Vec<i64> = learner.predict(&sample).unwrap().iter().map(|logit| (logit * 65536.0) as i64).collect();
        expected += &format!("{} {logits:?}\n", (loss * 65536.0) as i64);
    }
    assert_eq!(said, expected);
}

#[test]
fn whole_pictures_are_learnt_by_all_layers() {
    agree("full", Scheme::full, false);
}

#[test]
fn pictures_that_come_by_rows_are_learnt_by_the_last_layer() {
    agree("last-layer", |_| Scheme::last_layer(), true);
}
