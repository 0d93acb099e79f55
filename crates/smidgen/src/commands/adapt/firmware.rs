//! `smidgen adapt simulate` and `compile`: a training step as firmware.

use super::{open, scheme};
use crate::commands::Answer;
use crate::commands::compile::Emitted;
use crate::commands::simulate::present;
use crate::console::format::{bytes, thousands};
use crate::console::inputs::Pixels;
use crate::console::options::{Deployment, Model};
use crate::console::output::{BAD, GOOD, Output};
use crate::console::samples::Data;
use crate::console::{Code, Failure, interrupt, progress};
use clap::Args;
use serde_json::json;
use smidgen::adapting::learner::fixed_rate;
use smidgen::adapting::{Features, TrainingStep, drawn};
use smidgen::codegen::{Options, identifier};
use smidgen::data::set::Part;
use smidgen::data::write_folder;
use smidgen::evaluate::{EvaluateError, prepared};
use smidgen::ir::visible_path;
use smidgen::sim::report::{Options as Asked, Simulation};
use smidgen::{Adaptation, Array, Dtype, Error, Network, Session};
use std::path::PathBuf;

/// What is trained, and for which board.
#[derive(Args, Debug)]
struct Wanted {
    #[command(flatten)]
    model: Model,
    /// Classes of the new classifier
    #[arg(long, value_name = "N")]
    classes: usize,
    /// What is trained beside the classifier: last-layer, bias-only, lite-residual, tinytl, full, or a TOML file
    #[arg(long, value_name = "NAME|FILE")]
    scheme: String,
    #[command(flatten)]
    deployment: Deployment,
}

impl Wanted {
    fn adaptation(&self) -> Result<(Network, Adaptation), Failure> {
        let network = open(&self.model)?;
        let scheme = scheme(&self.scheme, &network)?;
        let adaptation = network
            .adapt(self.classes, &scheme, &self.deployment.target(&self.deployment.board()?).lower, &[])
            .map_err(|error| error.at(&self.model.path))?;
        Ok((network, adaptation))
    }

    fn title(&self) -> String {
        self.model.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }
}

/// Run training steps on an emulated board, with exact counts
#[derive(Args, Debug)]
pub struct Simulate {
    #[command(flatten)]
    wanted: Wanted,
    /// Training steps to run
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    steps: u32,
    /// Learning rate
    #[arg(long, value_name = "RATE", default_value_t = 0.002)]
    rate: f64,
    /// Labelled samples to learn, the training part, as many of each class as possible [default: drawn ones]
    #[arg(long, value_name = "DIR|TAR|NPZ")]
    data: Option<PathBuf>,
    #[command(flatten)]
    pixels: Pixels,
    /// Also a table of steps
    #[arg(long)]
    per_step: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Losses that are printed at most.
const MOST_SHOWN: usize = 10;

/// Instructions of a training step by what they are for.
struct Shares {
    forward: u64,
    backward: u64,
    update: u64,
}

impl Shares {
    fn of(step: &TrainingStep, report: &Simulation) -> Self {
        let mut shares = Self { forward: 0, backward: 0, update: 0 };
        for (i, found) in report.steps.iter().enumerate() {
            let to = if i < step.backward.index() {
                &mut shares.forward
            } else if step.updates(i) {
                &mut shares.update
            } else {
                &mut shares.backward
            };
            *to += found.instructions;
        }
        shares
    }
}

impl Simulate {
    pub fn run(&self, out: &mut Output) -> Result<Answer, Failure> {
        let wanted = &self.wanted;
        let board = wanted.deployment.board()?;
        let (network, adaptation) = wanted.adaptation()?;
        let step = &adaptation.step;
        let waiting = progress::waiting(out, "building and running firmware");
        let planned = adaptation.plan(&wanted.deployment.target(&board))?;
        let compiled =
            planned.compile(Options { name: "network".into(), title: wanted.title(), ..Options::default() })?;
        let samples = self.samples(&network, step.classes)?;
        let number = |n: i32| Array { dtype: Dtype::Int32, shape: vec![1], data: n.to_le_bytes().to_vec() };
        let iteration = |i: usize| {
            let (class, sample) = &samples[i % samples.len()];
            vec![sample.clone(), number(*class as i32), number(fixed_rate(self.rate))]
        };
        let iterations: Vec<Vec<Array>> = (0..self.steps as usize).map(iteration).collect();
        let options = Asked {
            schedule: wanted.deployment.schedule.to_string(),
            objective: wanted.deployment.objective.name().to_owned(),
            reference: wanted.deployment.reference.reference.name().to_owned(),
            stream_input: wanted.deployment.stream_input,
            io: None,
        };
        let session = Session { model: wanted.title(), options, timeout: None };
        let simulated = interrupt::finish(|| compiled.simulate(&session, &iterations))
            .map_err(|error| error.at(&wanted.model.path))?;
        drop(waiting);
        let report = &simulated.report;
        let Shares { forward, backward, update } = Shares::of(step, report);
        let losses: Vec<f64> = simulated.outputs.iter().map(|outputs| outputs[1].to_f64()[0] / 65536.0).collect();
        let kept: usize = step.parameters.iter().map(|parameter| parameter.bytes).sum();
        let shown: Vec<String> = losses.iter().take(MOST_SHOWN).map(|loss| format!("{loss:.3}")).collect();
        if self.json {
            let mut json = present::json(report)?;
            json["instructions"] = json!({
                "forward": forward, "backward": backward, "update": update, "total": report.instructions,
            });
            json["kept"] = kept.into();
            json["losses"] = losses.into();
            out.json(&json)?;
        } else {
            present::text(out, report, &board, self.per_step)?;
            out.line("")?;
            for (label, value) in [
                ("forward", format!("{} instructions, the logits included", thousands(forward))),
                ("backward", format!("{} instructions", thousands(backward))),
                ("update", format!("{} instructions", thousands(update))),
                ("kept", format!("{} between steps: what is trained", bytes(kept))),
                (
                    "loss",
                    format!("{} before {}", shown.join(", "), if shown.len() == 1 { "the step" } else { "each step" }),
                ),
            ] {
                out.line(format!("{label:<10}{value}"))?;
            }
        }
        Ok(crate::commands::simulate::answer(report.matches_host))
    }
}

impl Simulate {
    /// The samples that are learnt in turn, with their classes.
    fn samples(&self, network: &Network, classes: usize) -> Result<Vec<(usize, Array)>, Failure> {
        let Some(path) = &self.data else {
            let features = Features::of(network.graph()).map_err(Error::from)?;
            let input = features.graph.tensor(features.graph.inputs[0]);
            let drawn = drawn(&features, classes.min(10));
            return Ok(drawn.iter().map(|sample| Array::from_i8(input.shape.dims(), sample)).enumerate().collect());
        };
        let data = Data { data: path.clone(), split: None, strict: true, pixels: self.pixels.clone() };
        let (set, feeder) = (data.open(Part::Training)?, data.feeder(network)?);
        let mut samples = Vec::new();
        for sample in set.read(&set.choose(self.steps as usize, 0)) {
            let Ok((class, arrays)) = prepared(&set, sample, (&feeder, true))? else { continue };
            let class = class.ok_or(EvaluateError::Unlabelled).map_err(Error::from)?;
            if class >= classes {
                let data = set.classes().len().max(class + 1);
                return Err(Error::from(EvaluateError::TooManyClasses { data, network: classes }).into());
            }
            samples.extend(arrays.into_iter().next().map(|sample| (class, sample)));
        }
        if samples.is_empty() {
            return Err(Failure::usage("there is no sample to learn", "give labelled samples with --data"));
        }
        Ok(samples)
    }
}

/// Write firmware code that learns
#[derive(Args, Debug)]
pub struct Compile {
    #[command(flatten)]
    wanted: Wanted,
    /// The folder to write
    #[arg(short, long = "output", alias = "out", value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    emitted: Emitted,
    /// Name of the crate and prefix of its names [default: the model's file name]
    #[arg(long)]
    name: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Compile {
    pub fn run(&self, out: &mut Output) -> Result<Answer, Failure> {
        let wanted = &self.wanted;
        let board = wanted.deployment.board()?;
        let (_, adaptation) = wanted.adaptation()?;
        let planned = adaptation.plan(&wanted.deployment.target(&board))?;
        let total = planned.plan.report.total_bytes;
        let limit = planned.target.sram().unwrap_or(usize::MAX);
        if total > limit {
            out.line(format!(
                "{BAD}Does not fit: training takes {} of SRAM, {} are there.{BAD:#} A scheme that trains less takes less.",
                bytes(total),
                bytes(limit)
            ))?;
            return Ok(Answer::No(Code::DoesNotFit));
        }
        let stem =
            || wanted.model.path.file_stem().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let name = identifier(&self.name.clone().unwrap_or_else(stem));
        let compiled = planned.compile(Options { name, title: wanted.title(), ..Options::default() })?;
        let files = self.emitted.files(&compiled)?;
        interrupt::finish(|| write_folder(&self.out, &files)).map_err(Error::from)?;
        let (constants, kept) = (compiled.constants(), compiled.planned.plan.program.persistent_bytes());
        if self.json {
            let names: Vec<&str> = files.keys().map(String::as_str).collect();
            out.json(&json!({ "sram": total, "constants": constants, "kept": kept, "files": names }))?;
        } else {
            out.line(format!("{GOOD}{} written.{GOOD:#}", visible_path(&self.out)))?;
            out.line(format!("SRAM   {} (exact; the stack comes on top), of it {} kept", bytes(total), bytes(kept)))?;
            out.line(format!("flash  {} of constants; code comes on top", bytes(constants)))?;
        }
        Ok(Answer::Yes)
    }
}
