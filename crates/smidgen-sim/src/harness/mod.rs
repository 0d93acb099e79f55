//! Firmware around a generated network: it reads inputs from the host, computes, and writes outputs back, with markers for the
//! counting plug-in.
//!
//! Only the network counts: its code and variables lie in the ordinary sections, the harness's in others.
//!
//! The firmware runs every sample once between two markers. If asked, it then runs the first sample again with a marker before each
//! call of `step`, so that instructions can be told apart by steps.

mod source;

use smidgen_certify::Certified;
use smidgen_program::{Operand, Run, StepId};
use std::collections::BTreeMap;

/// Text or bytes by path, with `/` between its parts.
pub type Files = BTreeMap<String, Vec<u8>>;

/// An input as the generated code takes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Input {
    /// Bytes of one sample.
    pub bytes: usize,
    /// Rows, if they are given one by one.
    pub rows: Option<usize>,
}

/// A generated crate and how to talk to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Network {
    /// The crate's files.
    pub files: Files,
    /// Its inputs, in order.
    pub inputs: Vec<Input>,
    /// Bytes of each of its outputs.
    pub outputs: Vec<usize>,
    /// For each stretch between the markers of the second pass, the step that it belongs to.
    pub stretches: Vec<StepId>,
    /// Bytes of its arena.
    pub arena: usize,
    /// Bytes of its state, which the samples share in their order; 0 without.
    pub state: usize,
    /// It is an iteration of training: its inputs are the sample, the label and the learning rate, its outputs the logits and the loss.
    pub learns: bool,
}

impl Network {
    /// A generated crate of this Program; whether that is an iteration of training.
    pub fn new(program: &Certified, files: Files, learns: bool) -> Self {
        let rows = |i: usize| {
            let last = program.runs.iter().filter_map(|run| match run {
                Run::Await { input, y1, .. } if *input == i => Some(*y1),
                _ => None,
            });
            last.max()
        };
        let bytes = |operand: Operand| match operand {
            Operand::Buffer(id, _) => program.buffers[id.index()].spec.bytes(),
            Operand::Constant(id) => program.constants[id.index()].bytes.len(),
        };
        let stretches = program.runs.iter().zip(program.steps_of_runs()).flat_map(|(run, step)| {
            let calls = match run {
                // Label and learning rate are there already.
                Run::Await { input: 1.., .. } if learns => 0,
                Run::Await { y0, y1, .. } => y1 - y0,
                Run::Compute { .. } => 1,
            };
            std::iter::repeat_n(step, calls)
        });
        Self {
            inputs: (program.inputs.iter().enumerate())
                .map(|(i, port)| Input { bytes: bytes(port.operand), rows: rows(i) })
                .collect(),
            outputs: program.outputs.iter().map(|port| bytes(port.operand)).collect(),
            stretches: stretches.collect(),
            arena: program.arena_bytes,
            state: program.persistent_bytes(),
            learns,
            files,
        }
    }
}

/// Names of the files through which host and firmware talk.
pub(crate) const JOB: &str = "job.bin";
pub(crate) const INPUTS: &str = "inputs.bin";
pub(crate) const OUTPUTS: &str = "outputs.bin";

/// Bytes that follow the outputs of each sample: the deepest stack, and whether it was too deep, as 32-bit words.
pub(crate) const TRAILER: usize = 8;

/// What the firmware is to do, for `job.bin`: number of samples, and whether to run the first again step by step.
pub(crate) fn job(samples: usize, steps: bool) -> Vec<u8> {
    [samples as u32, u32::from(steps)].iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// The firmware's own source, `main.rs`.
pub(crate) fn main(network: &Network) -> String {
    source::main(network)
}

/// The firmware's manifest. `name` is the package of the network, which lies in `network/`.
pub(crate) fn manifest(name: &str) -> String {
    format!(
        "[package]\nname = \"harness\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n[dependencies]\nnetwork = {{ path = \
         \"network\", package = \"{name}\" }}\n\n[profile.release]\nlto = true\ncodegen-units = 1\npanic = \
         \"abort\"\n\n[workspace]\n"
    )
}

/// The package's name in a manifest.
pub(crate) fn package(files: &Files) -> Option<String> {
    let text = std::str::from_utf8(files.get("Cargo.toml")?).ok()?;
    let name = text.lines().find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))?;
    Some(name.to_owned())
}
