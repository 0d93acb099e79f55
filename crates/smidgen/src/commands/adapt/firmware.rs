//! `smidgen adapt simulate` and `compile`: a training step as firmware.

use super::arguments::{CLASSES, rate, too_small, with_exit_codes};
use super::{Named, classes_of, open};
use crate::commands::Answer;
use crate::commands::compile::Emitted;
use crate::commands::simulate::present;
use crate::console::format::{bytes, count, thousands};
use crate::console::inputs::Pixels;
use crate::console::options::{Deployment, Model};
use crate::console::output::{GOOD, Output};
use crate::console::samples::Data;
use crate::console::{Failure, interrupt, progress};
use clap::Args;
use serde_json::json;
use smidgen::adapting::learner::fixed_rate;
use smidgen::adapting::{Features, Role, Scheme, TrainingStep, drawn};
use smidgen::boards::Board;
use smidgen::codegen::{Options, identifier};
use smidgen::data::set::Part;
use smidgen::data::write_folder;
use smidgen::evaluate::{EvaluateError, prepared};
use smidgen::ir::{visible, visible_path};
use smidgen::sim::report::{Options as Asked, Simulation};
use smidgen::simulate::Simulated;
use smidgen::{Adaptation, Array, Dtype, Error, Network, Planned, Session};
use std::path::{Path, PathBuf};

/// What is trained, and for which board.
#[derive(Args, Debug)]
struct Wanted {
    #[command(flatten)]
    model: Model,
    /// Classes of the new classifier
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(CLASSES))]
    classes: u32,
    /// What is trained beside the classifier: last-layer, bias-only, lite-residual, tinytl, full, or a TOML file
    #[arg(long, value_name = "NAME|FILE")]
    scheme: String,
    #[command(flatten)]
    deployment: Deployment,
}

/// What helps whatever does not fit.
const MORE_MEMORY: &str = "`smidgen boards` lists boards with more memory";

/// Whether nothing learns but the classifier, so that no scheme trains less.
fn trains_classifier_alone(step: &TrainingStep) -> bool {
    let classifier = |role| matches!(role, Role::ClassifierWeights | Role::ClassifierBias | Role::Seed);
    step.parameters.iter().all(|parameter| classifier(parameter.role))
}

impl Wanted {
    fn adaptation(&self, board: &Board, out: &mut Output) -> Result<(Network, Adaptation), Failure> {
        if self.scheme.contains(',') && !Path::new(&self.scheme).exists() {
            return Err(Failure::usage(
                format!("`{}` is more than one scheme", visible(&self.scheme)),
                "firmware has one; `smidgen adapt eval` compares several",
            ));
        }
        let network = open(&self.model)?;
        let named = Named::open(&self.scheme, (&self.model.path, &network), out)?;
        let target = self.deployment.target(board);
        let adaptation = network
            .adapt(self.classes as usize, &named.scheme, &target.lower, &[])
            .map_err(|error| named.at(error, &self.model.path))?;
        // What is kept is only a part of what a step takes, but known before anything is planned.
        let (kept, limit) = (adaptation.step.kept_bytes(), target.sram().unwrap_or(usize::MAX));
        if kept > limit {
            let least = if trains_classifier_alone(&adaptation.step) {
                format!("fewer `--classes` keep less than {}", self.classes)
            } else {
                let last = network.adapt(self.classes as usize, &Scheme::last_layer(), &target.lower, &[])?;
                let least = bytes(last.step.kept_bytes());
                format!("a scheme that trains less keeps less: `--scheme last-layer`, the least, keeps {least}")
            };
            let (kept, limit) = (bytes(kept), bytes(limit));
            return Err(Error::TrainingTooLarge {
                reason: format!("what it keeps between steps is {kept} of SRAM alone, {limit} are there"),
                help: format!("{least}; {MORE_MEMORY}"),
            }
            .into());
        }
        Ok((network, adaptation))
    }

    /// The plan of a step, if it fits.
    fn planned<'a>(
        &self,
        (network, adaptation): (&Network, &'a Adaptation),
        board: &Board,
    ) -> Result<Planned<'a>, Failure> {
        let target = self.deployment.target(board);
        let planned = adaptation.plan(&target)?;
        let fit = planned.fit();
        let [sram, flash] = fit.excess();
        let mut reasons = Vec::new();
        if sram > 0 {
            let taken = bytes(fit.sram);
            reasons.push(format!("it takes {taken} of SRAM, the stack aside, {} are there", bytes(fit.sram - sram)));
        }
        if flash > 0 {
            let taken = fit.flash.constants;
            reasons.push(format!("its constants take {} of flash, {} are there", bytes(taken), bytes(taken - flash)));
        }
        if reasons.is_empty() {
            return Ok(planned);
        }
        let least = || {
            let last = network.adapt(self.classes as usize, &Scheme::last_layer(), &target.lower, &[]).ok()?;
            Some(last.plan(&target).ok()?.plan.report.total_bytes)
        };
        let least = if sram > 0 && !trains_classifier_alone(&adaptation.step) { least() } else { None };
        Err(self.too_large(&adaptation.step, reasons.join("; "), least).into())
    }

    /// A step that does not fit; `least` bytes are what the last layer alone takes.
    fn too_large(&self, step: &TrainingStep, reason: String, least: Option<usize>) -> Error {
        let mut ways = Vec::new();
        if !trains_classifier_alone(step) {
            let least = least.map(|least| format!(": `--scheme last-layer`, the least, takes {}", bytes(least)));
            ways.push(format!("a scheme that trains less takes less{}", least.unwrap_or_default()));
        }
        if !self.deployment.stream_input {
            ways.push("`--stream-input` may take less, where the firmware can give a sample row by row".to_owned());
        }
        ways.push(MORE_MEMORY.to_owned());
        Error::TrainingTooLarge { reason, help: ways.join("; ") }
    }

    fn title(&self) -> String {
        self.model.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }
}

/// Run training steps on an emulated board, with exact counts
#[derive(Args, Debug)]
#[command(after_long_help = with_exit_codes("\
Examples:
  smidgen adapt simulate model.tflite --classes 10 --scheme scheme.toml --board stm32f746
      three steps on drawn samples: instructions of the forward pass, the gradients and the updates, SRAM, flash
  smidgen adapt simulate model.tflite --classes 2 --scheme last-layer --board rp2040 --data photos/ --steps 40
      the training part's samples, learnt in turn; the loss before each step
  smidgen adapt simulate model.tflite --classes 10 --scheme full --board stm32f746 --objective sram --json

forward, backward, update and other (calls between the steps of the schedule) are those of the first step and add up to \
it; logits, loss and all that is learnt are compared with the host's after each step."))]
pub struct Simulate {
    #[command(flatten)]
    wanted: Wanted,
    /// Training steps to run
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    steps: u32,
    /// Learning rate
    #[arg(long, value_name = "RATE", default_value_t = 0.002, value_parser = rate)]
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

/// Instructions of a training step, the first, by what they are for.
struct Shares {
    forward: u64,
    backward: u64,
    update: u64,
    /// Between the steps of the schedule.
    other: u64,
    total: u64,
}

impl Shares {
    fn of(step: &TrainingStep, simulated: &Simulated) -> Self {
        let mut shares = Self { forward: 0, backward: 0, update: 0, other: 0, total: simulated.first_instructions };
        for (i, found) in simulated.report.steps.iter().enumerate() {
            let to = if i < step.backward.index() {
                &mut shares.forward
            } else if step.updates(i) {
                &mut shares.update
            } else {
                &mut shares.backward
            };
            *to += found.instructions;
        }
        shares.other = shares.total.saturating_sub(shares.forward + shares.backward + shares.update);
        shares
    }
}

impl Simulate {
    pub fn run(&self, out: &mut Output) -> Result<Answer, Failure> {
        let wanted = &self.wanted;
        let board = wanted.deployment.board()?;
        too_small(self.rate).into_iter().for_each(|text| out.warn(text));
        let (network, adaptation) = wanted.adaptation(&board, out)?;
        let step = &adaptation.step;
        if step.collects > self.steps {
            out.warn(format!(
                "steps of {} samples are collected before anything moves: in {} nothing is learnt; `--steps {}` sees what follows",
                step.collects,
                count(self.steps as usize, "step"),
                2 * step.collects
            ));
        }
        let samples = self.samples(&network, step.classes)?;
        let waiting = progress::waiting(out, "planning");
        let planned = wanted.planned((&network, &adaptation), &board)?;
        drop(waiting);
        let waiting = progress::waiting(out, "building and running firmware");
        let compiled =
            planned.compile(Options { name: "network".into(), title: wanted.title(), ..Options::default() })?;
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
        let simulated =
            interrupt::finish(|| compiled.simulate(&session, &iterations)).map_err(|error| match error {
                Error::Simulate(error) if error.does_not_fit() => wanted.too_large(step, error.to_string(), None),
                error => error.at(&wanted.model.path),
            })?;
        drop(waiting);
        let report = &simulated.report;
        let Shares { forward, backward, update, other, total } = Shares::of(step, &simulated);
        let losses: Vec<f64> = simulated.outputs.iter().map(|outputs| outputs[1].to_f64()[0] / 65536.0).collect();
        let (kept, constants) = (step.kept_bytes(), compiled.constants());
        let mut shown: Vec<String> = losses.iter().take(MOST_SHOWN).map(|loss| format!("{loss:.3}")).collect();
        if let [.., last] = &losses[shown.len()..] {
            shown.push(format!("... {last:.3}"));
        }
        if self.json {
            let mut json = present::json(report)?;
            json["instructions"] = json!({
                "forward": forward, "backward": backward, "update": update, "other": other, "total": total,
                "least": report.least_instructions, "most": report.instructions,
            });
            json["constants"] = constants.into();
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
                ("other", format!("{} instructions, between the steps of the schedule", thousands(other))),
                ("total", total_of(total, report)),
                ("constants", format!("{} of the network's, as `adapt compile` counts them", bytes(constants))),
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

/// What the first step took, and the others where they took more or less.
fn total_of(total: u64, report: &Simulation) -> String {
    let (least, most) = (report.least_instructions, report.instructions);
    let others = match least == most {
        true => String::new(),
        false => format!("; all steps: {} to {}", thousands(least), thousands(most)),
    };
    format!("{} instructions of the first step{others}", thousands(total))
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
        let there = classes_of(&set, path)?;
        if there > classes {
            return Err(Failure::usage(
                format!("`{}` has {there} classes, and --classes is {classes}", visible_path(path)),
                format!("the new classifier takes as many as the data have: `--classes {there}`"),
            ));
        }
        let mut samples = Vec::new();
        for sample in set.read(&set.choose(self.steps as usize, 0)) {
            let Ok((class, arrays)) = prepared(&set, sample, (&feeder, true))? else { continue };
            let class = class.ok_or(EvaluateError::Unlabelled).map_err(Error::from)?;
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
#[command(after_long_help = with_exit_codes("\
Examples:
  smidgen adapt compile model.tflite --classes 10 --scheme scheme.toml --board stm32f746 -o out
      a Rust crate in out/rust that predicts, learns, and keeps what it has learnt
  smidgen adapt compile model.tflite --classes 2 --scheme last-layer --board rp2040 --emit rust,c -o out
      also a static library and a header in out/c
  smidgen adapt compile model.tflite --classes 10 --scheme scheme.toml --board stm32f746 --stream-input -o out
      rows of the sample are pushed one by one, to learn as well as to predict

The folder is written as a whole or not at all, and only a folder that smidgen wrote is replaced."))]
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
        let (network, adaptation) = wanted.adaptation(&board, out)?;
        let waiting = progress::waiting(out, "planning");
        let planned = wanted.planned((&network, &adaptation), &board)?;
        drop(waiting);
        let total = planned.plan.report.total_bytes;
        let code = planned.fit().code;
        let stem =
            || wanted.model.path.file_stem().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let name = identifier(&self.name.clone().unwrap_or_else(stem));
        let compiled = planned.compile(Options { name, title: wanted.title(), ..Options::default() })?;
        let files = self.emitted.files(&compiled)?;
        interrupt::finish(|| write_folder(&self.out, &files)).map_err(Error::from)?;
        let (constants, kept) = (compiled.constants(), adaptation.step.kept_bytes());
        if self.json {
            let names: Vec<&str> = files.keys().map(String::as_str).collect();
            out.json(&json!({ "sram": total, "constants": constants, "code": code, "kept": kept, "files": names }))?;
        } else {
            out.line(format!("{GOOD}{} written.{GOOD:#}", visible_path(&self.out)))?;
            out.line(format!("SRAM   {} (exact; the stack comes on top), of it {} kept", bytes(total), bytes(kept)))?;
            let code = code.map(|code| format!(", about {} (modelled)", bytes(code))).unwrap_or_default();
            out.line(format!(
                "flash  {} of the network's constants (exact); code and its tables come on top{code}",
                bytes(constants)
            ))?;
        }
        Ok(Answer::Yes)
    }
}
