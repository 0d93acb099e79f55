//! `smidgen simulate`: one network on an emulated board.

pub mod present;

use super::verify::told_orders;
use super::{Answer, eval};
use crate::console::inputs::Preparation;
use crate::console::options::{Deployment, IoType, Model, Tolerance};
use crate::console::output::Output;
use crate::console::samples::Data;
use crate::console::{Code, Failure, classes, interrupt, progress};
use clap::Args;
use serde_json::json;
use smidgen::boards::Board;
use smidgen::data::set::Part;
use smidgen::data::{Archive, Array, Dtype};
use smidgen::evaluate::Protocol;
use smidgen::ir::Graph;
use smidgen::sim::report::Options;
use smidgen::simulate::{self, OverSet, Session, Simulated};
use smidgen::verify::Golden;
use smidgen::{Error, Network, files};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Run a network as firmware on an emulated board, with exact counts
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  smidgen simulate model.tflite --board stm32f746
      build firmware, run it on the emulated core: instructions, SRAM and flash as measured
  smidgen simulate model.tflite --board stm32f746 --input cat.jpg --labels labels.txt
      what it says of a picture
  smidgen simulate model.tflite --board stm32f746 --golden model.npz --per-step
      compared with reference outputs, with a table of steps
  smidgen simulate model.tflite --board stm32f746 --data photos/
      how often it is right there, and whether it says the host's bytes of every picture: as for `smidgen eval`
  smidgen simulate model.tflite --board rp2040 --schedule stream --io int8 --json > report.json
      everything for programs; `smidgen diff` compares two such files

The firmware is generated code and kernels, linked for the board's memory sizes and run on QEMU's machine with the same \
core. Instructions are counted exactly and are the same every time for the same compiler; the cycles of a Cortex-M4 are \
modelled, and those of no other core. A network with float ends is also planned with integers, to say what they cost. \
Outputs are compared with the host's, and every load and store of the network must lie in its own memory. SRAM is the \
arena with kernel scratch, the generated code's variables, and the deepest stack; flash is code with constants. Without \
--golden and --input the input is noise from a seed.

Arrays have the shapes of the model file, as for `smidgen run` and `smidgen verify`. Samples of a network with state are \
frames of one sequence.

Exit code 0: done, and the outputs are right. 1: outputs differ from the host's or the golden file's. 2: a tool is missing \
(`smidgen doctor`). 5: the network does not fit the board.")]
pub struct Simulate {
    #[command(flatten)]
    model: Model,
    #[command(flatten)]
    deployment: Deployment,
    /// Reference inputs and outputs, as for `smidgen verify`: every sample is run and compared
    #[arg(short, long, value_name = "FILE.npz", conflicts_with = "input")]
    golden: Option<PathBuf>,
    #[command(flatten)]
    tolerance: Tolerance,
    /// What goes in: .npy, .npz, or a picture (JPEG, PNG, BMP); once for each of the network's inputs
    #[arg(short, long, value_name = "FILE")]
    input: Vec<PathBuf>,
    #[command(flatten)]
    set: OverData,
    #[command(flatten)]
    preparation: Preparation,
    /// Names of the classes, one on each line
    #[arg(short, long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// How many classes to show
    #[arg(long, value_name = "N", default_value_t = 5)]
    top: usize,
    /// Also a table of steps
    #[arg(long)]
    per_step: bool,
    #[command(flatten)]
    patience: Patience,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A labelled set in place of single inputs.
#[derive(Args, Debug)]
struct OverData {
    /// Labelled samples: a folder of pictures with a folder for each class, a .tar or .tar.gz of one, or an .npz file. All
    /// are run, counted as by `smidgen eval`, and compared with the host
    #[arg(long, value_name = "DIR|TAR|NPZ", conflicts_with_all = ["input", "golden", "array"])]
    data: Option<PathBuf>,
    /// The part of the data to take, where it has several: train, val, test
    #[arg(long, value_name = "NAME", requires = "data")]
    split: Option<String>,
    /// Take only so many samples, as many of each class as possible
    #[arg(long, value_name = "N", requires = "data", value_parser = clap::value_parser!(u64).range(1..))]
    samples: Option<u64>,
    /// Which samples are taken
    #[arg(long, value_name = "N", default_value_t = 0, requires = "data")]
    seed: u64,
    /// End at the first picture that cannot be read; else such pictures are left out and counted
    #[arg(long, requires = "data")]
    strict: bool,
}

/// How long the emulator is waited for.
#[derive(Args, Clone, Copy, Debug)]
pub struct Patience {
    /// Stop the emulator after so long [default: a generous time for what the network computes]
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u32>,
}

impl Simulate {
    pub fn run(&self, out: &mut Output) -> Result<Answer, Failure> {
        let board = self.deployment.board()?;
        let labels = self.labels.as_deref().map(classes::read_labels).transpose()?.unwrap_or_default();
        let network = open(&self.model)?;
        if let Some(path) = &self.set.data {
            return self.over_set(out, &network, &board, path);
        }
        let samples = match &self.golden {
            Some(_) => Vec::new(),
            None if self.input.is_empty() => vec![noise(network.graph())],
            None => {
                let prepared = self.preparation.load(&self.input, network.interface())?;
                for (i, p) in prepared.iter().enumerate() {
                    if let Some(warning) = &p.warning {
                        out.warn(warning);
                    }
                    if !self.json {
                        out.wrapped(&format!("input {i}  {}", p.story), 9)?;
                    }
                }
                vec![prepared.into_iter().map(|p| p.array).collect()]
            }
        };
        let golden = match self.golden.as_deref() {
            Some(path) => Some(Reference { path, steps: self.tolerance.steps(&network)? }),
            None => None,
        };
        let deployment = (&self.deployment, self.patience);
        let waiting = progress::waiting(out, "building and running firmware");
        let (simulated, orders) = run(&self.model, &network, deployment, &board, golden, samples)?;
        drop(waiting);
        let report = &simulated.report;
        if self.json {
            out.json(&present::json(report)?)?;
        } else {
            told_orders(out, &orders)?;
            if !self.input.is_empty() {
                present::outputs(out, network.graph(), &simulated.outputs[0], &labels, self.top)?;
            }
            present::text(out, report, &board, self.per_step)?;
        }
        Ok(answer(report.matches_host && report.matches_golden != Some(false)))
    }
}

impl Simulate {
    fn over_set(&self, out: &mut Output, network: &Network, board: &Board, path: &Path) -> Result<Answer, Failure> {
        let OverData { split, samples, seed, strict, .. } = &self.set;
        let pixels = self.preparation.pixels.clone();
        let data = Data { data: path.to_owned(), split: split.clone(), strict: *strict, pixels };
        let labels = self.labels.as_deref().map(classes::read_labels).transpose()?;
        let set = data.open(Part::Test)?;
        let feeder = data.feeder(network)?.with_infinities();
        let indices = set.choose(samples.map_or(usize::MAX, |n| n as usize), *seed);
        if !self.json {
            data.tell(out, &set, &feeder, &indices)?;
        }
        let (bar, stop) = (progress::bar(out, "simulating", indices.len()), interrupt::stop_flag());
        let protocol = Protocol { feeder: &feeder, labels: labels.as_deref(), strict: *strict };
        let (code, session) = asked(&self.model, &self.deployment, self.patience);
        let compiled = network.plan(&self.deployment.target(board)).and_then(|planned| planned.compile(code));
        let result = compiled.and_then(|compiled| {
            let over = || compiled.simulate_set(&session, (&set, &indices), protocol, (&|| bar.inc(1), &stop));
            interrupt::finish(over)
        });
        bar.finish_and_clear();
        let Some(OverSet { report, evaluation, differing }) = result.map_err(|e| e.at(&self.model.path))? else {
            out.warn("interrupted before anything was counted");
            return Ok(Answer::No(Code::Interrupted));
        };
        if self.json {
            let mut json = present::json(&report)?;
            json["data"] = eval::describe(&evaluation, set.part(), None);
            json["data"]["differing"] =
                differing.iter().map(|one| json!({ "sample": one.name, "bytes": one.bytes })).collect();
            out.json(&json)?;
        } else {
            out.print(eval::show(&evaluation, out.width))?;
            out.line("")?;
            present::text(out, &report, board, self.per_step)?;
        }
        eval::warnings(out, network, (&set, labels.as_deref()), &evaluation);
        if let Some(text) = present::differing(&differing) {
            out.warn(text);
        }
        Ok(if evaluation.stopped { Answer::No(Code::Interrupted) } else { answer(report.matches_host) })
    }
}

/// The exit code that goes with right or wrong outputs.
pub fn answer(right: bool) -> Answer {
    if right { Answer::Yes } else { Answer::No(Code::Differs) }
}

/// The network as it is planned: cleaned up.
pub fn open(model: &Model) -> Result<Network, Failure> {
    let mut network = model.open()?;
    network.canonicalise()?;
    Ok(network)
}

/// A golden file, and by how many steps quantised values may differ from it.
pub struct Reference<'a> {
    pub path: &'a Path,
    pub steps: u32,
}

/// What is printed for a model, and how it is simulated.
fn asked(model: &Model, deployment: &Deployment, patience: Patience) -> (smidgen::codegen::Options, Session) {
    let name = model.path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    // One name for all, so that what is compiled for one network serves the next.
    let code = smidgen::codegen::Options { name: "network".into(), title: name.clone(), ..Default::default() };
    let options = Options {
        schedule: deployment.schedule.to_string(),
        io: (model.io == Some(IoType::Int8)).then(|| "int8".to_owned()),
        stream_input: deployment.stream_input,
        objective: deployment.objective.name().to_owned(),
        reference: deployment.reference.reference.name().to_owned(),
    };
    let timeout = patience.timeout.map(|seconds| Duration::from_secs(seconds.into()));
    (code, Session { model: name, options, timeout })
}

/// Simulates a network on these samples, or on all of a golden file. Also says what became of arrays of that file whose
/// axes lie otherwise in the model file than in the graph.
pub fn run(
    model: &Model,
    network: &Network,
    (deployment, patience): (&Deployment, Patience),
    board: &Board,
    golden: Option<Reference>,
    samples: Vec<Vec<Array>>,
) -> Result<(Simulated, Vec<String>), Failure> {
    let (code, session) = asked(model, deployment, patience);
    let simulated = |samples: &[Vec<Array>]| {
        let compiled = network.plan(&deployment.target(board)).and_then(|planned| planned.compile(code));
        let simulated = compiled.and_then(|compiled| interrupt::finish(|| compiled.simulate(&session, samples)));
        simulated.map_err(|e| e.at(&model.path))
    };
    let Some(Reference { path, steps }) = golden else {
        return Ok((simulated(&samples)?, Vec::new()));
    };
    let at = |e: Error| e.at(path);
    let mut archive = Archive::new(files::read(path)?).map_err(|e| at(e.into()))?;
    let mut golden = Golden::new(network.interface(), &mut archive).map_err(at)?;
    let numbers: Vec<usize> = golden.samples().iter().map(|(k, _)| *k).collect();
    let samples = numbers.into_iter().map(|k| golden.inputs(k)).collect::<Result<Vec<_>, _>>().map_err(at)?;
    let mut simulated = simulated(&samples)?;
    simulate::compare(&mut golden, &mut simulated, steps).map_err(at)?;
    Ok((simulated, golden.orders()))
}

/// An input that looks like nothing in particular, the same every time: bytes that take every value, floats in -1..1.
pub fn noise(graph: &Graph) -> Vec<Array> {
    let mut state = 0x2545_f491_4f6c_dd1du64;
    let mut next = move || {
        // Knuth's multiplier for linear congruences of 64 bits; the high bits are the random ones.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as u32
    };
    let one = |&id| {
        let tensor = graph.tensor(id);
        let dtype = Dtype::of(tensor.element());
        let elements: usize = tensor.shape.dims().iter().product();
        let data: Vec<u8> = match dtype {
            Dtype::Float32 => {
                (0..elements).flat_map(|_| ((next() & 0xffff) as f32 / 32768.0 - 1.0).to_le_bytes()).collect()
            }
            Dtype::Bool => (0..elements).map(|_| (next() & 1) as u8).collect(),
            _ => (0..elements * dtype.size()).map(|_| next() as u8).collect(),
        };
        Array::new(dtype, tensor.shape.dims(), data)
    };
    graph.inputs.iter().map(one).collect()
}
