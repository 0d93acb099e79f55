//! `smidgen train`: from labelled samples to a network of floats or integers.

mod blocks;
pub(super) mod material;
pub(super) mod subject;
pub(super) mod told;

use self::material::{HoldOut, Material, Sets};
use self::subject::Subject;
use super::Answer;
use super::inspect::moved;
use crate::console::options::size;
use crate::console::output::Output;
use crate::console::samples::Data;
use crate::console::{Code, Failure, interrupt, progress};
use clap::Args;
use serde_json::json;
use smidgen::data::{Feeder, Normalise};
use smidgen::evaluate::Protocol;
use smidgen::ir::visible_path;
use smidgen::quant::WeightBits;
use smidgen::train::{Augment, Course, Epoch, Freeze, Integers, Log, Options};
use smidgen::{Error, Evaluation, LowerOptions, Network, Runner, evaluate, files};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// Train a classifier on a labelled set, float or int8: a network of yours, or a published architecture
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  smidgen train --arch mobilenetv2-0.35 --data photos/ -o photos.tflite
      photos/CLASS/*.jpg, or photos/train/CLASS/*.jpg and photos/test/CLASS/*.jpg, scaled to 96x96
  smidgen train --arch resnet8 --data cifar10.tar.gz --epochs 60 --seed 7 -o cifar10.tflite
      an archive's pictures, at 32x32
  smidgen train pretrained.tflite --data photos/ --epochs 10 -o photos.tflite
      from the weights of a .tflite or .onnx file; its last layer is replaced where the data have other classes
  smidgen train int8.tflite --data photos/ --hold-out 0.2 --time 20m --int8 -o photos.tflite
      from an int8 network to another one, in 20 minutes; a fifth of the samples is held back to test
  smidgen train model.onnx --fresh --data features.npz -o model.tflite
      from fresh weights, on the arrays x_train and y_train
  smidgen train --arch resnet8 --data photos/ --checkpoint a.ckpt --resume a.ckpt -o a.tflite
      goes on from where it was interrupted, once there is a checkpoint

The recipe: stochastic gradient descent with Nesterov's momentum of 0.9, one cycle of the learning rate (linear to \
--rate in a fifth of the time, then linear to nearly 0), weight decay of 3e-4 on weights alone, labels smoothed by \
0.1. Pictures are shifted by up to an eighth of their sides, reflected at their borders, and mirrored, unless \
--no-augment is given.

What is written is a float network, or one of integers with --int8: the last epochs are trained in the knowledge of \
what these round then. The same data, options and seed \
give the same bytes, for any number of threads. Ctrl-C ends it after the step that is being taken; nothing is written \
then but checkpoints.")]
pub struct Train {
    #[command(flatten)]
    subject: Subject,
    /// The file to write
    #[arg(short, long, value_name = "OUT.tflite")]
    output: PathBuf,
    #[command(flatten)]
    data: Data,
    /// How often each sample is seen [default: 30, or as often as there is --time for]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100_000))]
    epochs: Option<u32>,
    /// End, annealed, after this time at the latest: such as 90s, 30m or 2h. OUT.tflite.steps tells the steps taken
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with = "replay")]
    time: Option<Duration>,
    /// In place of --time: take the steps again that a training of the same options has told, to the same bytes
    #[arg(long, value_name = "OUT.tflite.steps")]
    replay: Option<PathBuf>,
    /// Write an int8 network: float epochs, then --qat epochs in the knowledge of what its integers round
    #[arg(long)]
    int8: bool,
    /// With --int8: of all epochs, the last ones that are trained with the integers; 0 rounds what floats have learnt
    /// [default: a fifth]
    #[arg(long, value_name = "N", requires = "int8")]
    qat: Option<u32>,
    /// The greatest learning rate of these epochs, by Adam [default: 0.0003]
    #[arg(long, value_name = "R", requires = "int8", value_parser = rate)]
    qat_rate: Option<f32>,
    /// With --int8: bits of the weights of convolutions and fully connected layers, 8 or 4
    #[arg(long, value_name = "N", requires = "int8", default_value_t = 8, value_parser = weight_bits)]
    weight_bits: u8,
    /// Layers of MODEL that keep their weights: the first N with weights, or those whose output's name is like
    /// `block1*`
    #[arg(long, value_name = "N|PATTERN", conflicts_with_all = ["arch", "fresh"])]
    freeze: Option<Freeze>,
    /// The learning rate of each layer, as a part of that of the layer behind it
    #[arg(long, value_name = "PART", default_value_t = 1.0, value_parser = decay)]
    layer_decay: f32,
    /// Show samples of rare classes as often as those of frequent ones
    #[arg(long)]
    balance: bool,
    /// Where the data have no part to test: hold back this share of each class, such as 0.2, and count on that
    #[arg(long, value_name = "SHARE", value_parser = share)]
    hold_out: Option<f64>,
    /// Threads to train with [default: as many as there are cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// The greatest learning rate [default: 0.2 with --arch, 0.02 with MODEL]
    #[arg(long, value_name = "R", value_parser = rate)]
    rate: Option<f32>,
    /// Samples of a step
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    batch: u32,
    /// Show pictures as they are in every epoch
    #[arg(long, conflicts_with = "augment")]
    no_augment: bool,
    /// What happens to pictures from epoch to epoch: any of crop, flip, colour=0.2, cutout=0.25, mixup=0.2 and
    /// randaugment=2, with commas between
    #[arg(long, value_name = "KINDS", default_value_t)]
    augment: Augment,
    /// Write all that training goes on from to this file after each epoch
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Go on from a checkpoint of the same training, to the same bytes. Where --checkpoint names the same file and
    /// there is none yet, training begins
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
    /// Bytes that decoded samples may take in memory, or with K or M for KiB or MiB; others lie in a temporary file
    #[arg(long, value_name = "BYTES", default_value = "4096M", value_parser = size)]
    memory: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A learning rate.
pub(super) fn rate(text: &str) -> Result<f32, String> {
    let rate = text.parse().ok().filter(|rate: &f32| *rate > 0.0 && rate.is_finite());
    rate.ok_or_else(|| "a number above 0, such as 0.05".to_owned())
}

/// Bits that weights of integers take.
fn weight_bits(text: &str) -> Result<u8, String> {
    let bits = text.parse().ok().filter(|bits| [4, 8].contains(bits));
    bits.ok_or_else(|| "8 or 4".to_owned())
}

/// A part of a rate: more than 0, at most 1.
fn decay(text: &str) -> Result<f32, String> {
    let part = text.parse().ok().filter(|part| *part > 0.0 && *part <= 1.0);
    part.ok_or_else(|| "a number above 0, up to 1, such as 0.8".to_owned())
}

/// A share of samples.
pub(super) fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| *share > 0.0 && *share < 1.0);
    share.ok_or_else(|| "a number between 0 and 1, such as 0.2".to_owned())
}

/// A time with its unit.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let units = [("s", 1.0), ("m", 60.0), ("h", 3600.0)];
    let of = |(unit, seconds): &(&str, f64)| Some(text.strip_suffix(unit)?.parse::<f64>().ok()? * seconds);
    let seconds = units.iter().find_map(of).filter(|seconds| *seconds > 0.0);
    let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.ok_or_else(|| "a number of seconds, minutes or hours, such as 90s, 30m or 2h".to_owned())
}

/// Epochs where none are named, and where a clock ends them.
const EPOCHS: usize = 30;
const MOST_EPOCHS: usize = 100_000;

impl Train {
    pub fn run(&self, out: &mut Output) -> Result<Answer, Failure> {
        if self.output.extension().is_none_or(|extension| extension != "tflite") {
            return Err(Failure::usage(
                format!("`{}` does not end in .tflite", visible_path(&self.output)),
                "TensorFlow Lite files are what can be written",
            ));
        }
        if self.epochs == Some(0) && self.subject.weights.is_none() {
            let advice = "train for some, or take those of a file with `--weights`";
            return Err(Failure::usage("without an epoch there is nothing to learn weights from", advice));
        }
        for path in [Some(&self.output), self.checkpoint.as_ref()].into_iter().flatten() {
            // Told now, and not after the training.
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir());
            if let Some(folder) = folder {
                let message = format!("there is no folder `{}`", visible_path(folder));
                return Err(Failure::usage(message, "make it first"));
            }
        }
        let material = self.material();
        let sets = material.sets()?;
        let start = material.start(&sets, self.freeze.as_ref(), self.layer_decay)?;
        let feeder = material.feeder(&start)?;
        self.tell(out, &sets, &start, &feeder)?;
        let stop = interrupt::stop_flag();
        let Some((samples, test)) = material.held(out, &sets, &start, (&feeder, &stop))? else {
            out.warn(format!("interrupted: `{}` was not written", visible_path(&self.output)));
            return Ok(Answer::No(Code::Interrupted));
        };
        let epochs = self.all_epochs();
        let range = feeder.pixel_range().filter(|_| sets.training.holds_pixels());
        let integers = self.int8.then(|| Integers {
            epochs: self.qat.map_or(epochs / 5, |epochs| epochs as usize).max(usize::from(self.qat.is_none())),
            rate: self.qat_rate,
            range: range.map(|(low, high)| (low as f32, high as f32)),
            weights: if self.weight_bits == 4 { WeightBits::Int4 } else { WeightBits::Int8 },
        });
        let log = self.replay.as_ref().map(|path| files::read(path)).transpose().map_err(Error::from)?;
        // What is no text is no log.
        let log = log.map(|bytes| String::from_utf8(bytes).unwrap_or_default());
        let replay = log.as_deref().map(Log::of_file).transpose().map_err(Error::from);
        let options = Options {
            epochs,
            batch: self.batch as usize,
            rate: self.rate.unwrap_or(self.subject.rate()),
            seed: self.subject.seed,
            threads: threads(self.threads),
            augment: self.augment(),
            balance: self.balance,
            integers,
            limit: self.time,
            replay: replay.map_err(|error| self.of_replay(error))?,
            netaug: None,
        };
        let mut course = Course::new(&start, &samples, test.as_ref(), options)?;
        if let Some(log) = &log {
            course.check_replay(log).map_err(|error| self.of_replay(error))?;
        }
        self.resume(out, &mut course)?;
        let begun = course.epochs();
        let (epochs, finished) = self.train(out, &mut course, &stop)?;
        if !finished {
            out.warn(self.interrupted(&course, (begun, epochs.last())));
            if self.json {
                out.json(&json!({ "epochs": told::described(&epochs), "interrupted": true }))?;
            }
            return Ok(Answer::No(Code::Interrupted));
        }
        let mut network = course.network()?;
        if sets.training.holds_pixels() {
            network.set_pixels(feeder.normalisation());
        }
        let written = network.to_tflite()?;
        // What cannot be read back must not replace what can.
        Network::from_tflite(&written).map_err(|e| e.at(&self.output))?;
        interrupt::write(&self.output, &written)?;
        if self.time.is_some() {
            let mut path = self.output.clone().into_os_string();
            path.push(".steps");
            interrupt::write(path.as_ref(), course.record().as_bytes())?;
        }
        let own =
            self.int8.then(|| Feeder::new(network.interface(), same_pixels(&feeder), self.data.pixels.fit.into()));
        let fed = (own.as_ref().unwrap_or(&feeder), self.data.strict);
        let result = judge(out, &network, &sets, fed, (&LowerOptions::default(), &stop))?;
        if self.json {
            out.json(&self.describe(&sets, &start, &epochs, (&course, &result), written.len()))?;
        } else {
            self.show(out, &sets, &result, written.len())?;
            for line in moved(&network, &self.output.display().to_string()) {
                out.wrapped(&format!("  {line}"), 4)?;
            }
        }
        Ok(if result.stopped { Answer::No(Code::Interrupted) } else { Answer::Yes })
    }

    /// What happens to pictures.
    fn augment(&self) -> Augment {
        if self.no_augment { Augment::NONE } else { self.augment }
    }

    fn material(&self) -> Material<'_> {
        let Self { subject, data, hold_out, memory, .. } = self;
        Material { subject, data, hold_out: hold_out.map(HoldOut::asked), memory: *memory, pixels: None }
    }

    /// How many epochs there are, where that is known.
    fn epochs_told(&self) -> Option<usize> {
        let limited = self.time.is_some() || self.replay.is_some();
        (!limited).then(|| self.all_epochs())
    }

    /// Epochs of the training, where no time ends it before.
    fn all_epochs(&self) -> usize {
        let unnamed = if self.time.is_some() || self.replay.is_some() { MOST_EPOCHS } else { EPOCHS };
        self.epochs.map_or(unnamed, |epochs| epochs as usize)
    }

    fn of_replay(&self, error: Error) -> Failure {
        match &self.replay {
            Some(path) => error.at(path).into(),
            None => error.into(),
        }
    }

    /// Takes up a checkpoint, if there is one.
    fn resume(&self, out: &mut Output, course: &mut Course) -> Result<(), Failure> {
        let Some(path) = &self.resume else { return Ok(()) };
        if !path.exists() && self.checkpoint.as_ref() == Some(path) {
            return Ok(());
        }
        let bytes = files::read(path).map_err(Error::from)?;
        course.restore(&bytes).map_err(|error| error.at(path))?;
        if self.json {
            return Ok(());
        }
        out.wrapped(&format!("from  {}: {} of {} epochs", visible_path(path), course.epochs(), self.all_epochs()), 6)
    }

    /// Trains to the end; what the epochs came to, and whether it was not interrupted.
    fn train(&self, out: &mut Output, course: &mut Course, stop: &AtomicBool) -> Result<(Vec<Epoch>, bool), Failure> {
        // Steps, or seconds where a clock ends them.
        let seconds = self.time.map_or(0, |time| time.as_secs());
        let left = course.all_steps().map_or(seconds, |all| all.saturating_sub(course.steps()));
        let bar = progress::bar(out, "training", left as usize);
        let begun = Instant::now();
        let done = || match self.time {
            Some(_) => bar.set_position(begun.elapsed().as_secs()),
            None => bar.inc(1),
        };
        let mut epochs = Vec::new();
        while !course.is_over() {
            let epoch = match course.epoch(&done, stop) {
                Ok(Some(epoch)) => epoch,
                Ok(None) => {
                    bar.finish_and_clear();
                    return Ok((epochs, false));
                }
                Err(error) => {
                    bar.finish_and_clear();
                    return Err(error.into());
                }
            };
            if let Some(path) = &self.checkpoint {
                interrupt::write(path, &course.checkpoint())?;
            }
            if !self.json {
                bar.suspend(|| out.note(told::line(&epoch, self.epochs_told())))?;
            }
            epochs.push(epoch);
        }
        bar.finish_and_clear();
        Ok((epochs, true))
    }
}

/// What pixels become, for a network that was made of the one that this feeds.
pub(super) fn same_pixels(feeder: &Feeder) -> Normalise {
    feeder.normalisation().map_or(Normalise::Auto, Normalise::Fixed)
}

/// As many threads as were asked for, or as there are cores.
pub(super) fn threads(asked: Option<u16>) -> usize {
    asked.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from)
}

/// Counts as `smidgen eval` does, with the network that is written.
pub(super) fn judge(
    out: &Output,
    network: &Network,
    sets: &Sets,
    (feeder, strict): (&Feeder, bool),
    (lower, stop): (&LowerOptions, &AtomicBool),
) -> Result<Evaluation, Failure> {
    let runner = Runner::new(network, lower)?;
    let (set, indices) = (sets.judged(), &sets.judged);
    let bar = progress::bar(out, "evaluating", indices.len());
    let protocol = Protocol { feeder, labels: None, strict };
    let result = evaluate(network.graph(), &runner, set, indices, protocol, (&|| bar.inc(1), stop));
    bar.finish_and_clear();
    Ok(result?)
}
