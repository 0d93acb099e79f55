//! `smidgen demo-data`: drawn pictures to try out training with.

use super::Answer;
use crate::console::format::{bytes, thousands};
use crate::console::output::Output;
use crate::console::{Failure, interrupt};
use clap::Args;
use serde_json::json;
use smidgen::Error;
use smidgen::data::demo::{Demo, Part};
use smidgen::data::write_folder;
use smidgen::ir::visible_path;
use std::path::PathBuf;

/// Draw a labelled set of pictures to try out training with: shapes on textured grounds
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  smidgen demo-data shapes
      2,400 pictures of 32x32 in shapes/train and 600 in shapes/test: six folders each, such as shapes/train/disc
  smidgen demo-data shapes --classes 10 --per-class 1000 --size 96 --seed 7
      more shapes, more and larger pictures of them, other ones
  smidgen train --arch resnet8 --data shapes --time 1m --int8 -o shapes.tflite
      and what to do with them

Each picture shows one shape of any place, size and rotation; colours, textures, light and noise vary. The classes are, in \
this order: disc, ring, square, triangle, cross, star, bar, crescent, arrow, heart. The same options give the same pictures, \
on every machine, and a set of more classes or pictures has all those of a smaller one.")]
pub struct DemoData {
    /// The folder to write: a new or an empty one, or one that this command has written
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// How many shapes there are: 2 to 10
    #[arg(long, value_name = "N", default_value_t = 6)]
    classes: usize,
    /// Pictures of each shape to train on; there are a quarter as many to test
    #[arg(long, value_name = "N", default_value_t = 400)]
    per_class: usize,
    /// Pixels of each side of a picture: 16 to 512
    #[arg(long, value_name = "PIXELS", default_value_t = 32)]
    size: u32,
    /// What the pictures follow from
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl DemoData {
    pub fn run(&self, out: &mut Output) -> Result<Answer, Failure> {
        let Self { classes, per_class, size, seed, .. } = *self;
        let demo = Demo::new(classes, per_class, size, seed)
            .map_err(|error| Failure::usage(error.to_string(), "`smidgen demo-data --help` tells what there is"))?;
        let files = demo.files();
        interrupt::finish(|| write_folder(&self.folder, &files)).map_err(Error::from)?;
        let total = files.values().map(Vec::len).sum();
        let (train, test) = (demo.count(Part::Train), demo.count(Part::Test));
        if self.json {
            out.json(&json!({
                "folder": self.folder, "classes": demo.names(), "size": size, "seed": seed, "bytes": total,
                "pictures_per_class": { "train": train, "test": test },
            }))?;
            return Ok(Answer::Yes);
        }
        let of_all = |count: usize| thousands((count * classes) as u64);
        let (folder, names) = (visible_path(&self.folder), demo.names().join(", "));
        let text = format!(
            "{folder}: {} pictures of {size}x{size} to train on and {} to test; {names}; {}",
            of_all(train),
            of_all(test),
            bytes(total)
        );
        out.wrapped(&text, 4)?;
        Ok(Answer::Yes)
    }
}
