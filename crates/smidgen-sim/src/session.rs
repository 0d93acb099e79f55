//! Runs a network's firmware on samples and takes apart what came of it.

use crate::access::{Allowed, Stray};
use crate::elf::{Elf, ElfError, Symbol};
use crate::harness::{self, Network, TRAILER};
use crate::mix::Mix;
use crate::qemu::{self, QemuError};
use crate::temporary::{self, TemporaryError};
use smidgen_boards::Board;
use std::path::Path;
use std::time::Duration;

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// From the emulator.
    #[error(transparent)]
    Qemu(#[from] QemuError),
    /// The ELF file cannot be read.
    #[error(transparent)]
    Elf(#[from] ElfError),
    /// A file for the firmware cannot be written, or its answer not read.
    #[error(transparent)]
    Temporary(#[from] TemporaryError),
    /// An input has another size than the network's.
    #[error("sample {sample} has {given} bytes of inputs; the network takes {expected}")]
    InputSize {
        /// The sample.
        sample: usize,
        /// Bytes of all inputs.
        expected: usize,
        /// Bytes given.
        given: usize,
    },
    /// The firmware used more stack than was reserved for it.
    #[error("the network needs {0} bytes of stack or more, which is all that the board has left or that is watched")]
    Stack(u32),
    /// The firmware's code touched memory that is not its own: an error in a kernel.
    #[error("the network's code went outside its memory: a {0}")]
    Stray(String),
    /// The firmware's answer is not what its source says.
    #[error("the firmware's answer is not understood: {0}")]
    Answer(String),
}

/// What one inference took.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sample {
    /// The outputs' bytes.
    pub outputs: Vec<Vec<u8>>,
    /// The state that it left; empty for a network without.
    pub state: Vec<u8>,
    /// Instructions executed.
    pub instructions: u64,
    /// Bytes of stack.
    pub stack: u64,
}

/// What a run found.
#[derive(Clone, PartialEq, Debug)]
pub struct Measured {
    /// One entry for each sample.
    pub samples: Vec<Sample>,
    /// Instructions of each step for the first sample, by the step's index.
    pub steps: Vec<u64>,
    /// Functions by instructions of the first sample, most first.
    pub symbols: Vec<(String, u64)>,
    /// What kinds of instructions the first sample executed.
    pub mix: Mix,
    /// The firmware.
    pub elf: Elf,
}

/// Runs the firmware on samples: for each, its inputs one after another.
///
/// # Errors
/// [`SessionError`].
pub fn run(
    network: &Network,
    board: &Board,
    elf: &Path,
    samples: &[Vec<u8>],
    limit: Duration,
) -> Result<Measured, SessionError> {
    let expected: usize = network.inputs.iter().map(|i| i.bytes).sum();
    if let Some((sample, given)) = samples.iter().enumerate().find(|(_, s)| s.len() != expected) {
        return Err(SessionError::InputSize { sample, expected, given: given.len() });
    }
    let folder = temporary::folder()?;
    let write = |name: &str, bytes: &[u8]| {
        std::fs::write(folder.path().join(name), bytes).map_err(TemporaryError::new).map_err(SessionError::from)
    };
    write(harness::JOB, &harness::job(samples.len(), true))?;
    write(harness::INPUTS, &samples.concat())?;
    let outputs = samples.len() * answer_size(network);
    // Firmware that cannot write its answer says nothing of it.
    let full = |error: SessionError| match temporary::room(folder.path(), outputs) {
        Err(full) => full.into(),
        Ok(()) => error,
    };
    let parsed = Elf::read(elf)?;
    let allowed = Allowed::to_network(&parsed);
    let outcome = match qemu::run_watched(board, elf, folder.path(), Some(0..1), &allowed, limit) {
        Err(QemuError::Failed { strays, .. }) if !strays.is_empty() => return Err(stray(&strays, &parsed)),
        Ok(outcome) if !outcome.counts.strays.is_empty() => return Err(stray(&outcome.counts.strays, &parsed)),
        other => other.map_err(|error| full(error.into()))?,
    };
    let elf = parsed;
    let answer = std::fs::read(folder.path().join(harness::OUTPUTS)).map_err(TemporaryError::new)?;
    let between = outcome.counts.between_markers();
    let samples = take_apart(network, &answer, samples.len(), &between).map_err(full)?;
    // Between the passes, and after the last step.
    let by_steps = between.get(2 * samples.len()..).unwrap_or_default();
    if by_steps.len() != network.stretches.len() + 1 {
        return Err(SessionError::Answer(format!(
            "{} stretches between markers, {} runs",
            by_steps.len(),
            network.stretches.len()
        )));
    }
    let mut steps = vec![0; network.stretches.iter().map(|s| s.index() + 1).max().unwrap_or(0)];
    for (step, instructions) in network.stretches.iter().zip(by_steps) {
        steps[step.index()] += instructions;
    }
    let functions = demangled(&elf.functions);
    Ok(Measured {
        symbols: outcome.counts.by_symbol(&functions),
        mix: outcome.counts.mix(board.core),
        samples,
        steps,
        elf,
    })
}

/// The first of the instructions that went outside, and how many others did.
fn stray(strays: &[Stray], elf: &Elf) -> SessionError {
    let first = strays.first().map(|s| s.told(elf)).unwrap_or_default();
    let others = match strays.len().saturating_sub(1) {
        0 => String::new(),
        n => format!("; and {n} more"),
    };
    SessionError::Stray(first + &others)
}

/// Bytes that the firmware writes for a sample.
fn answer_size(network: &Network) -> usize {
    network.outputs.iter().sum::<usize>() + network.state + TRAILER
}

fn take_apart(network: &Network, answer: &[u8], samples: usize, between: &[u64]) -> Result<Vec<Sample>, SessionError> {
    let size = answer_size(network);
    if answer.len() != samples * size {
        return Err(SessionError::Answer(format!("{} bytes for {samples} samples of {size}", answer.len())));
    }
    let mut found = Vec::new();
    for (k, mut bytes) in answer.chunks_exact(size).enumerate() {
        let mut outputs = Vec::new();
        for &len in &network.outputs {
            let (output, rest) = bytes.split_at(len);
            outputs.push(output.to_vec());
            bytes = rest;
        }
        let (state, bytes) = bytes.split_at(network.state);
        let (words, _) = bytes.as_chunks::<4>();
        let [stack, overflowed] = [0, 1].map(|i| words.get(i).copied().map_or(0, u32::from_le_bytes));
        if overflowed != 0 {
            return Err(SessionError::Stack(stack));
        }
        let Some(&instructions) = between.get(2 * k) else {
            return Err(SessionError::Answer(format!("no markers for sample {k}")));
        };
        found.push(Sample { outputs, state: state.to_vec(), instructions, stack: stack.into() });
    }
    Ok(found)
}

/// Functions with the names that their authors gave them.
fn demangled(functions: &[Symbol]) -> Vec<Symbol> {
    functions.iter().map(|f| Symbol { name: format!("{:#}", rustc_demangle::demangle(&f.name)), ..f.clone() }).collect()
}
