//! `smidgen export`: a network as files for other engines that train.

use super::Answer;
use super::train::material::{HoldOut, Material};
use super::train::subject::Subject;
use super::train::told;
use crate::console::format::{bytes, thousands};
use crate::console::inputs::Pixels;
use crate::console::options::size;
use crate::console::output::Output;
use crate::console::samples::Data;
use crate::console::{Code, Failure, interrupt};
use clap::Args;
use smidgen::Error;
use smidgen::data::write_folder;
use smidgen::ir::visible_path;
use smidgen::train::torch::{self, Recipe};
use smidgen::train::{Course, Options};
use std::path::PathBuf;

/// Write a network as a PyTorch module with a script that trains it, for larger machines
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  smidgen export --torch cifar/ --arch resnet8 --data cifar10.tar.gz
      network.py, train.py, its recipe, fresh weights, and the decoded pictures as data.npz
  python cifar/train.py
  torchrun --nproc-per-node 8 cifar/train.py --epochs 200
      on one device or on eight: a step has the same gradient
  smidgen train --arch resnet8 --data cifar10.tar.gz --weights cifar/trained.safetensors \\
      --epochs 10 --int8 --qat 10 -o cifar10.tflite
      takes back what comes of it, and fine-tunes the integers; with --epochs 0 it is written as it is
  smidgen export --torch tuned/ model.tflite
      a network of yours, to be trained with the biases that it has

The recipe is that of `smidgen train`: the same loss, optimiser, cycle of learning rates, order of samples and views of \
pictures, and batch normalisation over 16 samples at a time. The script needs PyTorch and NumPy, nothing else.

Without --data the script has to be given an .npz file, and the biases of MODEL are trained as they are: batch \
normalisation in their place has to be measured on samples first.")]
pub struct Export {
    /// The folder to write for PyTorch: a new or an empty one, or one that this command has written
    #[arg(long, value_name = "DIR")]
    torch: PathBuf,
    #[command(flatten)]
    subject: Subject,
    /// The samples, which are written beside the module: as for `smidgen train`
    #[arg(long, value_name = "DIR|TAR|NPZ")]
    data: Option<PathBuf>,
    /// Without --data: how many classes there are [default: as many as MODEL has outputs]
    #[arg(long, value_name = "N", conflicts_with = "data", value_parser = clap::value_parser!(u16).range(1..))]
    classes: Option<u16>,
    #[command(flatten)]
    pixels: Pixels,
    /// Where the data have no part to test: hold back this share of each class, such as 0.2
    #[arg(long, value_name = "SHARE", requires = "data", value_parser = super::train::share)]
    hold_out: Option<f64>,
    /// End at the first picture that cannot be read; else such pictures are left out and counted
    #[arg(long)]
    strict: bool,
    /// Bytes that decoded samples may take in memory, or with K or M for KiB or MiB; others lie in a temporary file
    #[arg(long, value_name = "BYTES", default_value = "4096M", value_parser = size)]
    memory: usize,
    /// How often each sample is to be seen
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    epochs: u32,
    /// Samples of a step
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    batch: u32,
    /// The greatest learning rate [default: 0.2 with --arch, 0.02 with MODEL]
    #[arg(long, value_name = "R", value_parser = super::train::rate)]
    rate: Option<f32>,
    /// Show pictures as they are in every epoch
    #[arg(long)]
    no_augment: bool,
}

impl Export {
    pub fn run(&self, out: &mut Output) -> Result<Answer, Failure> {
        let recipe = Recipe {
            epochs: self.epochs as usize,
            batch: self.batch as usize,
            rate: self.rate.unwrap_or(self.subject.rate()),
            seed: self.subject.seed,
            augment: !self.no_augment,
            pixels: None,
        };
        let title = format!("{}, to be trained on", self.subject.name());
        let data = self.data.as_ref().map(|path| Data {
            data: path.clone(),
            split: None,
            strict: self.strict,
            pixels: self.pixels.clone(),
        });
        let files = match &data {
            Some(data) => match self.with_data(out, data, &title, recipe)? {
                Some(files) => files,
                None => {
                    out.warn(format!("interrupted: `{}` was not written", visible_path(&self.torch)));
                    return Ok(Answer::No(Code::Interrupted));
                }
            },
            None => self.without_data(&title, recipe)?,
        };
        let total = files.values().map(Vec::len).sum();
        let names: Vec<&str> = files.keys().map(String::as_str).collect();
        let names = names.join(", ");
        interrupt::finish(|| write_folder(&self.torch, &files)).map_err(Error::from)?;
        out.note(format!("{}: {names}; {}", visible_path(&self.torch), bytes(total)))?;
        Ok(Answer::Yes)
    }

    /// The files with samples; `None` if that was interrupted.
    fn with_data(&self, out: &mut Output, data: &Data, title: &str, recipe: Recipe) -> Result<Option<Files>, Failure> {
        let Self { subject, hold_out, memory, .. } = self;
        let material =
            Material { subject, data, hold_out: hold_out.map(HoldOut::asked), memory: *memory, pixels: None };
        let sets = material.sets()?;
        let start = material.start(&sets, None, 1.0)?;
        let feeder = material.feeder(&start)?;
        told::replaced(out, &start, false)?;
        let stop = interrupt::stop_flag();
        let Some((samples, test)) = material.held(out, &sets, &start, (&feeder, &stop))? else { return Ok(None) };
        let pixels = feeder.normalisation().filter(|_| samples.are_pictures());
        let recipe = Recipe { pixels, augment: recipe.augment && samples.are_pictures(), ..recipe };
        let options = Options { batch: recipe.batch, seed: recipe.seed, ..Options::default() };
        // Where normalisation takes the place of biases, it is that of these samples.
        let weights = Course::new(&start, &samples, None, options)?.weights()?;
        let files = torch::files(title, &start, &recipe, Some(weights), (Some(&samples), test.as_ref()))?;
        let (count, classes) = (thousands(samples.len() as u64), thousands(sets.classes() as u64));
        out.wrapped(&format!("data  {}: {count} samples of {classes} classes", visible_path(&data.data)), 6)?;
        Ok(Some(files))
    }

    fn without_data(&self, title: &str, recipe: Recipe) -> Result<Files, Failure> {
        let data = Data { data: PathBuf::new(), split: None, strict: false, pixels: self.pixels.clone() };
        let subject = &self.subject;
        let material = Material { subject, data: &data, hold_out: None, memory: self.memory, pixels: None };
        let mut range = None;
        let greatest = |start: &smidgen::train::Start| {
            range = material.feeder(start)?.pixel_range();
            Ok(range.map(|(low, high)| high.max(-low)))
        };
        let start = subject.start((self.classes.map(usize::from), false), None, greatest)?;
        let pixels = material.feeder(&start)?.normalisation();
        let recipe = Recipe { pixels, augment: recipe.augment && pixels.is_some(), ..recipe };
        Ok(torch::files(title, &start, &recipe, None, (None, None))?)
    }
}

type Files = std::collections::BTreeMap<String, Vec<u8>>;
