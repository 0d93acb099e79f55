//! Sets of samples, and how they are brought to a network's input.

use super::format::{count, thousands};
use super::inputs::Pixels;
use super::{Failure, Output};
use clap::Args;
use smidgen::data::set::Part;
use smidgen::data::{Dataset, Feeder};
use smidgen::ir::{visible, visible_path};
use smidgen::{Error, Network};
use std::path::PathBuf;

/// Samples to work on.
#[derive(Args, Debug)]
pub struct Data {
    /// The samples: a folder of pictures with a folder for each class, a .tar or .tar.gz of one, or an .npz or .npy
    /// file with arrays of the shape that the model file's input has
    #[arg(long, value_name = "DIR|TAR|NPZ")]
    pub data: PathBuf,
    /// The part of the data to take, where it has several: train, val, test
    #[arg(long, value_name = "NAME")]
    pub split: Option<String>,
    /// End at the first picture that cannot be read; else such pictures are left out and counted
    #[arg(long)]
    pub strict: bool,
    #[command(flatten)]
    pub pixels: Pixels,
}

impl Data {
    /// Lists the samples; `part` is what is taken unless a split is named.
    pub fn open(&self, part: Part) -> Result<Dataset, Failure> {
        let part = self.split.clone().map_or(part, Part::Named);
        Ok(Dataset::open(&self.data, &part).map_err(Error::from)?)
    }

    /// Makes samples into a network's inputs.
    pub fn feeder<'n>(&self, network: &'n Network) -> Result<Feeder<'n>, Failure> {
        Ok(Feeder::new(network.interface(), self.pixels.normalisation.get()?, self.pixels.fit.into()))
    }

    /// Tells which samples are taken, what becomes of pixels, with a warning where that is a guess, and of the order of
    /// arrays' axes.
    pub fn tell(&self, out: &mut Output, set: &Dataset, feeder: &Feeder, indices: &[usize]) -> Result<(), Failure> {
        self.tell_parts(out, &[(set, indices, "")], feeder)
    }

    /// The same of several parts, each with what its samples are for.
    pub fn tell_parts(
        &self,
        out: &mut Output,
        parts: &[(&Dataset, &[usize], &str)],
        feeder: &Feeder,
    ) -> Result<(), Failure> {
        let Some(&(set, indices, _)) = parts.first() else { return Ok(()) };
        let described = parts.iter().enumerate().map(|(i, (set, indices, purpose))| {
            let start = match (i, set.part()) {
                (0, None) => ": ".to_owned(),
                (0, Some(part)) => format!(", part `{}`: ", visible(part)),
                (_, None) => "; ".to_owned(),
                (_, Some(part)) => format!("; part `{}`: ", visible(part)),
            };
            let all = match set.items().len() {
                all if all == indices.len() => String::new(),
                all => format!("{} of ", thousands(indices.len() as u64)) + &thousands(all as u64),
            };
            let samples = if all.is_empty() { count(indices.len(), "sample") } else { format!("{all} samples") };
            format!("{start}{samples}{purpose}")
        });
        let described: Vec<String> = described.collect();
        let mut text = format!("data  {}{}", visible_path(&self.data), described.join(""));
        if set.holds_pixels()
            && let Some((story, guessed)) = feeder.describe()
        {
            text += &format!("; pixels {story}");
            if guessed {
                out.warn(
                    "what pixels become is a guess: if results make no sense, choose another with --normalise \
                     (raw, unit, symmetric, imagenet, caffe)",
                );
            }
        }
        if set.holds_arrays()
            && let Some(sample) = set.read(&indices[..indices.len().min(1)]).next()
        {
            let sample = sample.map_err(Error::from)?;
            let at = |error: smidgen::data::Error| error.at(&set.path_of(sample.index));
            let told = feeder.told_inputs(&sample).map_err(at).map_err(Error::from)?;
            let told: Vec<&str> = told.iter().map(|(_, note)| note.as_str()).filter(|note| !note.is_empty()).collect();
            text += &told.iter().map(|note| format!("; {note}")).collect::<String>();
        }
        out.wrapped(&text, 6)
    }
}
