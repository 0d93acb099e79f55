//! Files for a network's inputs, and how they are brought to them.

use super::Failure;
use super::format::count;
use clap::{Args, ValueEnum};
use smidgen::data::Interface;
use smidgen::data::input::{self, Prepared};
use smidgen::data::picture::{Fit, Normalisation, Normalise, Standard};
use std::path::{Path, PathBuf};

/// How files become inputs.
#[derive(Args, Debug)]
pub struct Preparation {
    /// The array to take from an .npz file [default: input_0, or the only one]
    #[arg(long, value_name = "NAME")]
    array: Option<String>,
    #[command(flatten)]
    pub pixels: Pixels,
}

/// How pictures are made into inputs.
#[derive(Args, Clone, Debug)]
pub struct Pixels {
    #[command(flatten)]
    pub normalisation: NormaliseOptions,
    /// How a picture of another shape is made to fit
    #[arg(long, value_enum, default_value_t)]
    pub fit: FitName,
}

/// What a picture's pixels become.
#[derive(Args, Clone, Debug)]
pub struct NormaliseOptions {
    /// What a picture's pixels (0 to 255) become
    #[arg(long, value_enum, value_name = "HOW", default_value_t)]
    normalise: NormaliseName,
    /// In its place: what is taken away from pixels, for all channels or for each, as in `0.485,0.456,0.406`. Where no number of
    /// --mean and --std is greater than 1 they are of pixels of 0 to 1, as PyTorch's are, else of pixels of 0 to 255
    #[arg(
        long,
        value_name = "M,...",
        value_delimiter = ',',
        allow_negative_numbers = true,
        conflicts_with = "normalise"
    )]
    mean: Vec<f64>,
    /// What the rest is divided by
    #[arg(
        long,
        value_name = "S,...",
        value_delimiter = ',',
        allow_negative_numbers = true,
        conflicts_with = "normalise"
    )]
    std: Vec<f64>,
}

impl NormaliseOptions {
    /// What was asked for.
    pub fn get(&self) -> Result<Normalise, Failure> {
        if self.mean.is_empty() && self.std.is_empty() {
            return Ok(self.normalise.into());
        }
        let standard = Standard::new(&self.mean, &self.std).map_err(|error| {
            Failure::usage(
                error.to_string(),
                "one number for all channels, or one for each: `--mean 0.485,0.456,0.406 --std 0.229,0.224,0.225`",
            )
        })?;
        Ok(Normalise::Fixed(Normalisation::Standard(standard)))
    }

    /// True if nothing was asked for.
    pub fn is_auto(&self) -> bool {
        self.normalise == NormaliseName::Auto && self.mean.is_empty() && self.std.is_empty()
    }
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum NormaliseName {
    /// As the input's quantisation asks
    #[default]
    Auto,
    /// 0..255; an int8 input stores the pixel minus 128
    Raw,
    /// -1..1
    #[value(alias = "tf")]
    Symmetric,
    /// 0..1
    Unit,
    /// The pixel's byte taken for a signed one, as TensorFlow Lite Micro's person detection wants it
    Bytes,
    /// Means 0.485, 0.456, 0.406 and deviations 0.229, 0.224, 0.225 of 0..1: PyTorch's networks for ImageNet
    #[value(alias = "torch")]
    Imagenet,
    /// Blue, green, red, each minus 103.939, 116.779, 123.68: Keras' ResNet50 and VGG
    Caffe,
}

impl From<NormaliseName> for Normalise {
    fn from(name: NormaliseName) -> Self {
        match name {
            NormaliseName::Auto => Self::Auto,
            NormaliseName::Raw => Self::Fixed(Normalisation::Raw),
            NormaliseName::Symmetric => Self::Fixed(Normalisation::Symmetric),
            NormaliseName::Unit => Self::Fixed(Normalisation::Unit),
            NormaliseName::Bytes => Self::Fixed(Normalisation::Bytes),
            NormaliseName::Imagenet => Self::Fixed(Normalisation::Standard(Standard::IMAGENET)),
            NormaliseName::Caffe => Self::Fixed(Normalisation::Standard(Standard::CAFFE)),
        }
    }
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum FitName {
    /// Scale both sides independently
    #[default]
    Stretch,
    /// Scale until the smaller side fits and cut out the middle
    Crop,
}

impl From<FitName> for Fit {
    fn from(name: FitName) -> Self {
        match name {
            FitName::Stretch => Self::Stretch,
            FitName::Crop => Self::Crop,
        }
    }
}

impl Preparation {
    /// One input for each of the network's, from one file each or from one archive for all.
    pub fn load(&self, files: &[PathBuf], network: Interface) -> Result<Vec<Prepared>, Failure> {
        let wanted = network.graph().inputs.len();
        // One archive can hold all inputs of a network.
        let one_archive = files.len() == 1 && wanted > 1;
        if files.len() != wanted && !one_archive {
            let has = count(wanted, "input");
            return Err(Failure::usage(
                format!("the network has {has}, but {} given", count(files.len(), "file")),
                "give `--input FILE` once for each, in the order that `smidgen inspect` shows",
            ));
        }
        if self.array.is_some() && wanted > 1 {
            return Err(Failure::usage(
                "--array names one array, but the network has several inputs",
                "name the arrays input_0, input_1, ... in the archive",
            ));
        }
        let normalise = self.pixels.normalisation.get()?;
        (0..wanted)
            .map(|i| {
                let path: &Path = if one_archive { &files[0] } else { &files[i] };
                let name = self.array.as_deref();
                Ok(input::load(network, i, path, name, normalise, self.pixels.fit.into())?)
            })
            .collect()
    }
}
