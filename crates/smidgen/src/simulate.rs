//! Firmware on an emulated board, built, run, and compared with the host: the last link of the chain.

mod set;

pub use self::set::{Differing, OverSet};

use crate::Error;
use crate::compile::Compiled;
use crate::data::Array;
use crate::network::Runner;
use crate::verify::{self, Golden};
use smidgen_boards::{Board, Core};
use smidgen_certify::{Occupancy, occupancy};
use smidgen_plan::planner::Plan;
use smidgen_program::Operand;
use smidgen_sim::harness;
use smidgen_sim::report::{Flash, Function, IntegerEnds, Mix, Options, SCHEMA, Simulation, Sram, Step, Versions};
use smidgen_sim::session::{self, Measured};
use smidgen_sim::toolchain::Toolchain;
use smidgen_sim::{build, checks, qemu};
use std::path::PathBuf;
use std::time::Duration;

/// An emulator is given at least so long.
const LEAST_LIMIT: Duration = Duration::from_secs(60);
/// Instructions a second that the slowest computer emulates while counting; usual are fifty times as many.
const SLOWEST: u64 = 1_000_000;
/// Instructions that a multiply-accumulate takes at most on a core without floating-point unit or hardware to multiply with.
const DEAREST_MAC: u64 = 100;
/// Functions listed in a report.
const FUNCTIONS: usize = 40;

/// What a simulation says of itself, and how long it may take.
#[derive(Clone, Debug, Default)]
pub struct Session {
    /// The network's name in the report: its file name.
    pub model: String,
    /// What to say of it in the report.
    pub options: Options,
    /// When the emulator is stopped; `None`: after a time that follows from what the network computes, a generous one.
    pub timeout: Option<Duration>,
}

/// A simulation's report, and the outputs of every sample.
#[derive(Clone, PartialEq, Debug)]
pub struct Simulated {
    /// All figures.
    pub report: Simulation,
    /// For each sample the network's outputs, as the emulated core computed them, their axes as in the graph.
    pub outputs: Vec<Vec<Array>>,
    /// Instructions of the first sample, which those of the [steps](Simulation::steps) and what lies between them add up to.
    pub first_instructions: u64,
}

impl Compiled<'_> {
    /// Simulates the network on samples, each with one array for each of its inputs. The axes of inputs and outputs lie as in the graph.
    /// What is compiled for one network serves the next of the same name.
    ///
    /// # Errors
    /// If the target has no board, the network does not fit it, or a tool is missing. Outputs that differ from the host's are not an
    /// error: see [`Simulation::matches_host`].
    ///
    /// # Panics
    /// If an array has another shape or element type than the network's input.
    pub fn simulate(&self, wanted: &Session, samples: &[Vec<Array>]) -> Result<Simulated, Error> {
        let mut firmware = Firmware::build(self, wanted)?;
        let Run { measured, outputs, differing } = firmware.run(samples)?;
        let first_instructions = measured.samples.first().map_or(0, |sample| sample.instructions);
        let report = firmware.report(&measured, differing.iter().all(|&n| n == 0));
        Ok(Simulated { report, outputs, first_instructions })
    }
}

/// A network built as firmware for a board.
struct Firmware<'a> {
    compiled: &'a Compiled<'a>,
    wanted: &'a Session,
    board: &'a Board,
    network: harness::Network,
    toolchain: Toolchain,
    elf: PathBuf,
    host: Runner<'a>,
}

/// What a run of the emulator came to.
struct Run {
    measured: Measured,
    /// For each sample the network's outputs, their axes as in the graph.
    outputs: Vec<Vec<Array>>,
    /// For each sample the bytes of its outputs, and of the state that it left, that are not the host's.
    differing: Vec<usize>,
}

impl<'a> Firmware<'a> {
    fn build(compiled: &'a Compiled<'a>, wanted: &'a Session) -> Result<Self, Error> {
        let (board, planned) = (compiled.board()?, &compiled.planned);
        let plan = &planned.plan;
        // Beyond the board's own SRAM the linker says by how much, with all that lies beside the arena.
        let taken = plan.report.total_bytes;
        let budget = planned.target.plan.budget;
        if let Some(budget) = budget.filter(|&b| b < taken && b < board.sram.bytes as usize) {
            return Err(Error::Budget { taken, budget });
        }
        let learns = compiled.options.training.is_some();
        let network = harness::Network::new(&plan.program, compiled.rust.clone(), learns);
        let toolchain = Toolchain::find(board.core.target()).map_err(smidgen_sim::Error::from)?;
        let elf = build::build(&network, board, &toolchain).map_err(smidgen_sim::Error::from)?;
        let host = Runner::with_program(planned.network, plan.program.clone());
        Ok(Self { compiled, wanted, board, network, toolchain, elf, host })
    }

    /// Runs samples on the emulated core, which begins anew, and on the host.
    fn run(&mut self, samples: &[Vec<Array>]) -> Result<Run, Error> {
        let inputs: Vec<Vec<u8>> =
            samples.iter().map(|arrays| arrays.iter().flat_map(|a| a.data.iter().copied()).collect()).collect();
        let plan = &self.compiled.planned.plan;
        let limit = self.wanted.timeout.unwrap_or_else(|| patience(plan, samples.len()));
        let measured = session::run(&self.network, self.board, &self.elf, &inputs, limit);
        let measured = measured.map_err(smidgen_sim::Error::from)?;
        let (mut outputs, mut differing) = (Vec::new(), Vec::new());
        self.host.reset();
        for (arrays, sample) in samples.iter().zip(&measured.samples) {
            let expected = self.host.run_in_graph(arrays)?;
            let in_outputs: usize = expected.iter().zip(&sample.outputs).map(|(a, b)| differences(&a.data, b)).sum();
            differing.push(in_outputs + differences(self.host.state(), &sample.state));
            let of = |(array, bytes): (&Array, &Vec<u8>)| Array { data: bytes.clone(), ..array.clone() };
            outputs.push(expected.iter().zip(&sample.outputs).map(of).collect());
        }
        Ok(Run { measured, outputs, differing })
    }

    fn report(&self, measured: &Measured, matches_host: bool) -> Simulation {
        let planned = &self.compiled.planned;
        let rough = planned.target.scope().reason(&planned.lowered);
        let of = (self.wanted, self.board);
        let mut report = report(of, &planned.plan, &self.toolchain, measured, matches_host, rough);
        report.integer_ends = planned.integer_ends.map(|ends| IntegerEnds {
            planned: ends.total_bytes as u64,
            modelled_instructions: Some(ends.instructions),
        });
        report
    }
}

/// Bytes in which an output differs from another of the same tensor; what one of them lacks differs.
fn differences(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).filter(|(a, b)| a != b).count() + one.len().abs_diff(other.len())
}

/// How long an emulator may take for so many samples: far longer than it does unless something hangs.
fn patience(plan: &Plan, samples: usize) -> Duration {
    let macs: u64 = plan.program.steps.iter().map(|step| step.macs).sum();
    // Kernels may be rough in the model: no bound, but of the right order.
    let instructions = plan.report.instructions.max(macs.saturating_mul(DEAREST_MAC));
    // The first sample runs once more, step by step.
    let all = instructions.saturating_mul(samples as u64 + 1);
    LEAST_LIMIT + Duration::from_secs(all / SLOWEST)
}

/// Compares the outputs with those of a golden file whose samples were simulated, in its order. Quantised values count
/// as equal up to `steps` steps.
///
/// # Errors
/// If the golden file does not suit the network.
pub fn compare(golden: &mut Golden, simulated: &mut Simulated, steps: u32) -> Result<bool, Error> {
    let mut equal = true;
    for ((sample, outputs), ours) in golden.samples().to_vec().into_iter().zip(&simulated.outputs) {
        let checked = verify::check_outputs(golden, sample, &outputs, ours, steps)?;
        equal &= checked.iter().all(|c| c.outcome.is_ok());
    }
    simulated.report.matches_golden = Some(equal);
    Ok(equal)
}

/// What is not modelled for a core, or rough.
fn not_modelled(cycles: Option<u64>, core: Core, rough: Option<String>) -> Option<String> {
    let cycles = cycles.is_none().then(|| format!("cycles are not modelled for {}", core.title()));
    let rough = rough.map(|rough| format!("instructions are {rough}"));
    let reasons: Vec<String> = cycles.into_iter().chain(rough).collect();
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

fn report(
    (wanted, board): (&Session, &Board),
    plan: &Plan,
    toolchain: &Toolchain,
    measured: &Measured,
    matches_host: bool,
    rough: Option<String>,
) -> Simulation {
    let counts = || measured.samples.iter().map(|s| s.instructions);
    let program = &plan.program;
    let elf = &measured.elf;
    let planned = plan.report.total_bytes as u64;
    let statics = (elf.section(".data") + elf.section(".bss")).saturating_sub(program.arena_bytes as u64);
    let stack = measured.samples.iter().map(|s| s.stack).max().unwrap_or(0);
    let arena = plan.report.arena_bytes as u64;
    let (code, constants) = (elf.section(".text"), elf.section(".rodata") + elf.section(".data"));
    let arm = board.core != Core::Rv32imc;
    let mix = measured.mix;
    let cycles = mix.cycles(board.core);
    Simulation {
        schema: SCHEMA,
        model: wanted.model.clone(),
        board: board.name.clone(),
        core: board.core.name().to_owned(),
        machine: board.qemu.as_ref().map_or_else(String::new, |q| q.machine.clone()),
        options: wanted.options.clone(),
        digest: format!("{:016x}", program.digest()),
        versions: Versions {
            smidgen: env!("CARGO_PKG_VERSION").to_owned(),
            rustc: toolchain.version.clone(),
            linker: toolchain.linker.version.clone(),
            emulator: qemu::find(board.core).version.unwrap_or_default(),
        },
        samples: measured.samples.len(),
        matches_host,
        matches_golden: None,
        instructions: counts().max().unwrap_or(0),
        least_instructions: counts().min().unwrap_or(0),
        macs: program.steps.iter().map(|s| s.macs).sum(),
        sram: Sram { arena, scratch: planned - arena, statics, stack, total: planned + statics + stack, planned },
        flash: Flash { code, constants, total: code + constants },
        steps: steps(plan, &occupancy(program), &measured.steps),
        symbols: (measured.symbols.iter().take(FUNCTIONS))
            .map(|(name, instructions)| Function { name: name.clone(), instructions: *instructions })
            .collect(),
        mix: arm.then_some(Mix {
            loads: mix.loads,
            stores: mix.stores,
            multiplies: mix.multiplies,
            extends: mix.extends,
            branches: mix.branches,
            others: mix.others,
        }),
        modelled_m4_cycles: cycles,
        modelled_milliseconds: cycles.map(|cycles| cycles as f64 / (1e3 * f64::from(board.clock_mhz))),
        not_modelled: not_modelled(cycles, board.core, rough),
        integer_ends: None,
        checks: checks::check(elf),
    }
}

fn steps(plan: &Plan, map: &Occupancy, instructions: &[u64]) -> Vec<Step> {
    let program = &plan.program;
    let mut steps: Vec<Step> = (program.steps.iter().enumerate())
        .map(|(i, step)| {
            let operands = step.inputs.iter().filter_map(|operand| match operand {
                Operand::Constant(id) => Some(id),
                Operand::Buffer(..) => None,
            });
            let constants = step.constants.iter().chain(operands);
            Step {
                name: step.name.clone(),
                runs: 0,
                instructions: instructions.get(i).copied().unwrap_or(0),
                modelled_instructions: plan.report.steps.get(i).map(|said| said.instructions),
                macs: step.macs,
                sram: 0,
                flash: constants.map(|id| program.constants[id.index()].bytes.len() as u64).sum(),
            }
        })
        .collect();
    for (id, &live) in program.steps_of_runs().iter().zip(&map.live_bytes) {
        let step = &mut steps[id.index()];
        step.runs += 1;
        step.sram = step.sram.max(live as u64);
    }
    steps
}
