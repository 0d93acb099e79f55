//! The network that was found: trained, written, compiled.

use super::report::{Ended, quoted};
use super::{Course, Search, Sets, told};
use crate::commands::Answer;
use crate::commands::train::{judge, same_pixels};
use crate::console::format::{bytes, percent, thousands};
use crate::console::options::ReferenceName;
use crate::console::output::{GOOD, Output, STRONG};
use crate::console::{Code, Failure, interrupt};
use serde_json::{Value, json};
use smidgen::boards::Board;
use smidgen::codegen::{Files, Options as CodeOptions, identifier};
use smidgen::compile::{self, Compiled};
use smidgen::data::{Feeder, write_folder};
use smidgen::ir::visible_path;
use smidgen::plan::ScheduleChoice;
use smidgen::planning::Target;
use smidgen::quant::WeightBits;
use smidgen::search::{Figures, Found, Length, SearchError, Space, StateError};
use smidgen::train::{self, Block, Held, Integers};
use smidgen::{Error, Evaluation, Network};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// Of all epochs of the network found, one in so many is trained with its integers.
const KNOWING: usize = 5;
/// Epochs where a clock ends them.
const MOST_EPOCHS: usize = 100_000;
/// Seconds between checkpoints.
const OFTEN: u64 = 30;

impl Search {
    /// Trains the network that was found, and writes everything.
    pub(super) fn finish(
        &self,
        out: &mut Output,
        (board, sets, feeder): (&Board, &Sets, &Feeder),
        (course, space, found): (&mut Course, &Space, &Found),
        (samples, test, stop): (&Held, Option<&Held>, &AtomicBool),
    ) -> Result<Answer, Failure> {
        let limit = course.training_time()?;
        let options = self.training((course, &found.blocks), feeder, limit)?;
        let epochs = limit.is_none().then_some(options.epochs).filter(|_| options.replay.is_none());
        let mut training = train::Course::new(&found.start, samples, test, options)?;
        let path = course.folder().training();
        if path.exists() {
            let checkpoint = smidgen::files::read(&path).map_err(Error::from)?;
            training.restore(&checkpoint).map_err(|error| StateError::of_training(error, &path))?;
        }
        let progress = told::Progress::new(out, self.json, &self.output);
        let mut saved = Instant::now();
        let all = training.all_steps().unwrap_or(0) as usize;
        while !training.is_over() {
            let Some(epoch) = training.epoch(&|| progress.step("training", all), stop)? else {
                return Err(Error::from(SearchError::Stopped).into());
            };
            progress.epoch(&epoch, epochs);
            course.trained(epoch);
            if saved.elapsed().as_secs() >= OFTEN || training.is_over() {
                interrupt::finish(|| course.keep_training(&training.checkpoint()))?;
                saved = Instant::now();
            }
        }
        progress.pause();
        let mut network = training.network()?;
        if sets.training.holds_pixels() {
            network.set_pixels(feeder.normalisation());
        }
        let written = network.to_tflite()?;
        // What cannot be read back must not replace what can.
        let network = Network::from_tflite(&written)?;
        let own = Feeder::new(network.interface(), same_pixels(feeder), self.data.pixels.fit.into());
        let result = judge(out, &network, sets, (&own, self.data.strict), (&self.reference.options(), stop))?;
        if result.stopped {
            return Err(Error::from(SearchError::Stopped).into());
        }
        let mut canonical = network.clone();
        canonical.canonicalise()?;
        let (compiled, figures) = self.compiled(board, &canonical, (sets, feeder))?;
        let record = course.end(training.record())?;
        self.write(&written, (sets, space, found), &compiled)?;
        if matches!(self.length(), Length::Time(_)) && self.replay.is_none() {
            let text = serde_json::to_vec(&record).unwrap_or_default();
            interrupt::write(&self.output.join("record.json"), &text)?;
        }
        let size = written.len();
        let ended = Ended {
            board,
            sets,
            feeder,
            course,
            space,
            found,
            compiled: &compiled,
            figures: &figures,
            result: &result,
            size,
        };
        interrupt::write(&self.output.join("report.html"), self.report(&ended)?.as_bytes())?;
        let told = self.describe(course, (space, found), (&figures, &result), written.len());
        interrupt::write(&self.output.join("result.json"), format!("{told:#}\n").as_bytes())?;
        if self.json {
            out.json(&told)?;
        } else {
            self.show(out, (board, sets), course, (&figures, &result))?;
        }
        Ok(if course.budget().admits(&figures) { Answer::Yes } else { Answer::No(Code::DoesNotFit) })
    }

    fn training(
        &self,
        (course, blocks): (&Course, &[Block]),
        feeder: &Feeder,
        limit: Option<std::time::Duration>,
    ) -> Result<train::Options, Failure> {
        let epochs = match self.length() {
            Length::Counts(counts) => counts.epochs,
            Length::Time(_) => MOST_EPOCHS,
        };
        let range = feeder.pixel_range();
        Ok(train::Options {
            epochs,
            batch: self.batch as usize,
            rate: self.rate() / 2.0,
            seed: self.seed,
            threads: self.threads(),
            augment: self.augment(),
            balance: self.balance,
            integers: Some(Integers {
                epochs: (epochs / KNOWING).max(1),
                rate: None,
                range: range.map(|(low, high)| (low as f32, high as f32)),
                weights: WeightBits::Int8,
            }),
            limit,
            replay: course.training_replay()?,
            netaug: self.netaug.then(|| blocks.to_vec()),
        })
    }

    /// The firmware's code, and what it takes.
    fn compiled<'n>(
        &self,
        board: &Board,
        network: &'n Network,
        (sets, feeder): (&Sets, &Feeder),
    ) -> Result<(Compiled<'n>, Figures), Failure> {
        let stem = self.output.file_name().map_or_else(|| "network".into(), |name| name.to_string_lossy());
        let pixels = sets.training.holds_pixels().then(|| compile::pixels(network, same_pixels(feeder))).transpose()?;
        let options = CodeOptions {
            name: identifier(&stem),
            title: "network.tflite".to_owned(),
            labels: sets.training.classes().to_vec(),
            pixels: pixels.flatten().map(|(pixels, _)| pixels),
            ..CodeOptions::default()
        };
        let plan = self.plan(board, self.budget(board).sram);
        let target = Target { board: Some(board.clone()), lower: self.lower(), plan };
        let compiled = network.plan(&target)?.compile(options)?;
        let (fit, report) = (compiled.planned.fit(), &compiled.planned.plan.report);
        let figures = Figures {
            macs: network.cost().macs,
            sram: report.total_bytes,
            flash: fit.flash_with_code(),
            instructions: report.instructions,
        };
        Ok((compiled, figures))
    }

    fn write(
        &self,
        network: &[u8],
        (sets, space, found): (&Sets, &Space, &Found),
        compiled: &Compiled,
    ) -> Result<(), Failure> {
        let file = |name: &str| self.output.join(name);
        interrupt::write(&file("network.tflite"), network)?;
        let labels: String = sets.training.classes().iter().map(|class| format!("{class}\n")).collect();
        interrupt::write(&file("labels.txt"), labels.as_bytes())?;
        let architecture = json!({ "input": space.input, "blocks": described(&found.blocks) });
        interrupt::write(&file("architecture.json"), format!("{architecture:#}\n").as_bytes())?;
        let files: Files = compiled.rust.iter().map(|(name, bytes)| (format!("rust/{name}"), bytes.clone())).collect();
        interrupt::finish(|| write_folder(&file("firmware"), &files)).map_err(Error::from)?;
        Ok(())
    }

    fn show(
        &self,
        out: &mut Output,
        (board, sets): (&Board, &Sets),
        course: &Course,
        (figures, result): (&Figures, &Evaluation),
    ) -> Result<(), Failure> {
        let share = percent(result.top1, result.samples, 2);
        let of = format!("{} of {}", thousands(result.top1), thousands(result.samples));
        let which = if sets.held_out { "samples that were held back" } else { "samples to test" };
        let float = course
            .float_accuracy()
            .map_or_else(String::new, |share| format!("; floats {}", percent((share * 1e4).round() as u64, 10_000, 2)));
        out.line(format!("{STRONG}int8 {share}{STRONG:#} ({of} {which}){float}"))?;
        out.line(format!(
            "SRAM {} (exact; the stack comes on top), flash {} (about, with code), {} MACs, {} instructions (modelled)",
            bytes(figures.sram),
            bytes(figures.flash),
            thousands(figures.macs),
            thousands(figures.instructions),
        ))?;
        let folder = visible_path(&self.output);
        let exceeded = self.budget(board).exceeded(figures);
        if exceeded.is_empty() {
            out.line(format!("{GOOD}{folder} written for {}.{GOOD:#}", smidgen::ir::visible(&board.title)))?;
        } else {
            let names: Vec<String> = exceeded.iter().map(ToString::to_string).collect();
            out.warn(format!(
                "the trained network takes more {} than it may: some layer's weights ask for another kernel than was \
                 estimated; search again with a tenth less",
                names.join(" and ")
            ));
        }
        out.note(format!(
            "report.html, network.tflite, firmware/rust, labels.txt, architecture.json (for `smidgen train --arch`) and \
             result.json lie in {folder}; `{}` counts exactly",
            self.simulating(board)
        ))
    }

    /// The command that counts what was found on the emulated board, by the plan that was written: with every option that
    /// another plan would follow from.
    fn simulating(&self, board: &Board) -> String {
        let network = quoted(self.output.join("network.tflite").to_string_lossy().into_owned());
        let mut command = format!("smidgen simulate {network} --board {}", quoted(self.board.clone()));
        if let Some(sram) = self.budget(board).sram {
            command += &format!(" --sram {sram}");
        }
        if self.schedule != ScheduleChoice::default() {
            command += &format!(" --schedule {}", self.schedule);
        }
        if self.reference.reference != ReferenceName::default() {
            command += &format!(" --reference {}", self.reference.reference.name());
        }
        command
    }

    fn describe(
        &self,
        course: &Course,
        (space, found): (&Space, &Found),
        (figures, result): (&Figures, &Evaluation),
        size: usize,
    ) -> Value {
        let state = course.state();
        let scored = |scored: &smidgen::search::Scored| json!({ "accuracy": scored.accuracy(), "figures": scored.figures, "network": scored.candidate });
        json!({
            "board": self.board,
            "budget": course.budget(),
            "space": { "skeleton": space.skeleton.name, "width": space.width, "input": space.input },
            "spaces": state.spaces.len(),
            "compared": state.seen.len(),
            "front": course.front().iter().map(scored).collect::<Vec<_>>(),
            "inherited_accuracy": found.scored.accuracy(),
            "estimated": found.scored.figures,
            "figures": figures,
            "float_accuracy": course.float_accuracy(),
            "accuracy": result.accuracy(),
            "samples": result.samples,
            "confusion": result.confusion,
            "classes": result.classes,
            "bytes": size,
            "seconds": course.spent().as_secs_f64(),
        })
    }
}

/// Blocks as `smidgen train --arch FILE.json` reads them.
fn described(blocks: &[Block]) -> Vec<Value> {
    let activation = |activation: train::Activation| match activation {
        train::Activation::None => "none",
        train::Activation::Relu => "relu",
        train::Activation::HardSwish => "hard_swish",
        _ => "relu6",
    };
    let one = |block: &Block| match *block {
        Block::Conv { filters, kernel, stride, activation: a } => {
            json!({ "conv": filters, "kernel": kernel, "stride": stride, "activation": activation(a) })
        }
        Block::Depthwise { kernel, stride, activation: a } => {
            json!({ "depthwise": kernel, "stride": stride, "activation": activation(a) })
        }
        Block::Inverted { middle, filters, kernel, stride, activation: a } => json!({
            "inverted": filters, "middle": middle, "kernel": kernel, "stride": stride, "activation": activation(a),
        }),
        Block::Fused { middle, filters, kernel, stride, activation: a } => json!({
            "fused": filters, "middle": middle, "kernel": kernel, "stride": stride, "activation": activation(a),
        }),
    };
    blocks.iter().map(one).collect()
}
