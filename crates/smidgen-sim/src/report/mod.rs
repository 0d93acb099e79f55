//! What a simulation found, as programs read it: the JSON of `smidgen simulate` and `smidgen bench`.
//!
//! Fields are only ever added under one [`SCHEMA`]; readers ignore those that they do not know. Sizes are bytes. Every figure is
//! measured on the emulated core or read from the ELF file, unless its name says `planned` or `modelled`.

mod diff;

pub use diff::{Diff, DiffError, Limit, LimitError, Pair, Row, compare};

use serde::{Deserialize, Serialize};

/// Number of the layout of these structures.
pub const SCHEMA: u32 = 1;

/// One network simulated on one board.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Simulation {
    /// [`SCHEMA`].
    pub schema: u32,
    /// File name of the network.
    pub model: String,
    /// Name of the board.
    pub board: String,
    /// Its core, such as `cortex-m7`.
    pub core: String,
    /// The emulator's machine.
    pub machine: String,
    /// What was asked for.
    pub options: Options,
    /// Digest of the Program: equal digests mean equal plans, constants included.
    pub digest: String,
    /// What built and ran it.
    pub versions: Versions,
    /// Inputs that were run.
    pub samples: usize,
    /// True if every output byte of every sample equals that of the host's executor.
    pub matches_host: bool,
    /// True if every output equals the golden file's by the rules of `smidgen verify`; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matches_golden: Option<bool>,
    /// Instructions of one inference: the greatest count among the samples.
    pub instructions: u64,
    /// The least count among the samples: what is counted may depend on the data.
    pub least_instructions: u64,
    /// Multiply-accumulates of the network.
    pub macs: u64,
    /// Memory for variables.
    pub sram: Sram,
    /// Memory for code and constants.
    pub flash: Flash,
    /// Each step of the Program, in order, for the first sample.
    pub steps: Vec<Step>,
    /// Functions of the firmware by instructions of the first sample, most first.
    pub symbols: Vec<Function>,
    /// Kinds of instructions executed for the first sample; absent for cores that are not Arm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mix: Option<Mix>,
    /// Modelled cycles of the first sample on a Cortex-M4 with memory that needs no waiting; null for every other core.
    #[serde(default)]
    pub modelled_m4_cycles: Option<u64>,
    /// These cycles at the board's clock.
    #[serde(default)]
    pub modelled_milliseconds: Option<f64>,
    /// What is not modelled for this core, and therefore null; null if everything is.
    #[serde(default)]
    pub not_modelled: Option<String>,
    /// What the plan takes with integers at the network's ends (`--io int8`); null if it has no float ends, or takes no less.
    #[serde(default)]
    pub integer_ends: Option<IntegerEnds>,
    /// What must not be in the firmware.
    pub checks: Checks,
}

/// What was asked for, as on the command line.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Options {
    /// Value of `--schedule`.
    pub schedule: String,
    /// Value of `--io`, if given.
    pub io: Option<String>,
    /// True if the rows of the input are pushed by the caller.
    pub stream_input: bool,
    /// Value of `--objective`; empty in reports from before there was one for simulations.
    #[serde(default)]
    pub objective: String,
    /// Value of `--reference`.
    pub reference: String,
}

/// What built and ran the firmware. Counts are the same for the same versions; another compiler gives other ones.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Versions {
    /// smidgen's.
    pub smidgen: String,
    /// First line of `rustc --version`.
    pub rustc: String,
    /// First line of the linker's `--version`.
    pub linker: String,
    /// First line of the emulator's `--version`.
    pub emulator: String,
}

/// Memory for variables.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Sram {
    /// Bytes of buffers in the arena, as planned.
    pub arena: u64,
    /// Bytes that kernel scratch and state add to the arena, as planned.
    pub scratch: u64,
    /// Bytes of the generated code's variables besides the arena.
    #[serde(rename = "static")]
    pub statics: u64,
    /// Deepest stack of one inference, measured.
    pub stack: u64,
    /// The sum.
    pub total: u64,
    /// What `smidgen plan` says: arena and scratch.
    pub planned: u64,
}

/// Memory for code and constants.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Flash {
    /// Bytes of generated code, kernels, and what they call.
    pub code: u64,
    /// Bytes of weights, biases, tables and the list of runs.
    pub constants: u64,
    /// The sum.
    pub total: u64,
}

/// A plan whose QUANTIZE and DEQUANTIZE at the ends are cut off.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct IntegerEnds {
    /// Bytes of SRAM without the stack, to be compared with [`Sram::planned`].
    pub planned: u64,
    /// Modelled instructions; null for cores that the model does not hold for.
    #[serde(default)]
    pub modelled_instructions: Option<u64>,
}

/// One step of the Program.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Step {
    /// Operator and output, as in the plan.
    pub name: String,
    /// Entries of the list that compute it.
    pub runs: usize,
    /// Instructions of all its runs.
    pub instructions: u64,
    /// What the planner took for that, by its model; null for cores that the model does not hold for.
    #[serde(default)]
    pub modelled_instructions: Option<u64>,
    /// Multiply-accumulates of its output.
    pub macs: u64,
    /// Bytes alive in the arena while it runs, at most.
    pub sram: u64,
    /// Bytes of its constants.
    pub flash: u64,
}

/// Instructions executed in one function.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Function {
    /// Its symbol.
    pub name: String,
    /// Instructions, those of the functions it calls not included.
    pub instructions: u64,
}

/// Kinds of instructions executed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Mix {
    /// Reads of memory.
    pub loads: u64,
    /// Writes to memory.
    pub stores: u64,
    /// Multiplications, with or without accumulation.
    pub multiplies: u64,
    /// Widening of 8- or 16-bit parts.
    pub extends: u64,
    /// Branches, calls, returns.
    pub branches: u64,
    /// Everything else.
    pub others: u64,
}

/// Symbols that firmware for a microcontroller is better without; empty lists are good ones.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Checks {
    /// Ways to panic.
    pub panics: Vec<String>,
    /// Calls of an allocator.
    pub heap: Vec<String>,
    /// Software floating point and mathematical functions. A network that computes with floats needs them.
    pub floats: Vec<String>,
}

/// Several networks on one board: what `smidgen bench --json` prints.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Bench {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Name of the board.
    pub board: String,
    /// One entry for each network that could be simulated.
    pub models: Vec<Simulation>,
    /// Networks that could not, with the reason.
    pub failed: Vec<Failed>,
}

/// A network that could not be simulated.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Failed {
    /// File name of the network.
    pub model: String,
    /// Why.
    pub reason: String,
}
