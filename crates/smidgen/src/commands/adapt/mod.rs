//! `smidgen adapt`: training on the device.

mod arguments;
mod eval;
mod firmware;
mod search;

use self::arguments::{too_small, with_exit_codes};
use super::Answer;
use crate::console::Failure;
use crate::console::format::count as plural;
use crate::console::options::Model;
use crate::console::output::Output;
use clap::{Args, Subcommand};
use smidgen::adapting::{AdaptError, Features, Scheme};
use smidgen::data::Dataset;
use smidgen::ir::{visible, visible_path};
use smidgen::{Error, Network, files};
use std::path::Path;

/// Train on the device: what it would come to, its firmware, and its exact counts
#[derive(Args, Debug)]
#[command(after_long_help = with_exit_codes("\
Examples:
  smidgen adapt eval model.tflite --data photos/ --scheme last-layer,bias-only,scheme.toml
      on the host, with the very integers of the device: accuracy after each epoch
  smidgen adapt simulate model.tflite --classes 10 --scheme scheme.toml --board stm32f746
      iterations on the emulated core: instructions, SRAM, flash, equality with the host
  smidgen adapt compile model.tflite --classes 10 --scheme scheme.toml --board stm32f746 -o out
      a Rust crate that predicts, learns, and keeps what it has learnt
  smidgen adapt scheme model.tflite --data photos/ --sram 135000 -o scheme.toml
      the scheme that gains most within so much SRAM

The classifier of an int8 network is replaced by a new one. What else learns is said by the scheme: `last-layer` (nothing), \
`bias-only` (all biases), `lite-residual` (small modules beside all blocks), `tinytl` (both), `full`, or a TOML file with n_bias_update (how many convolutions, the last ones, have their \
biases trained), manual_weight_idx (which have weights trained; numbered from the input, from 0) and weight_update_ratio \
(of each of them, the part of its input channels)."))]
pub struct Adapt {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    Eval(Box<eval::Eval>),
    Simulate(firmware::Simulate),
    Compile(firmware::Compile),
    Scheme(Box<search::Search>),
}

impl Adapt {
    pub fn run(&self, out: &mut Output) -> Result<Answer, Failure> {
        match &self.what {
            What::Eval(command) => command.run(out),
            What::Simulate(command) => command.run(out),
            What::Compile(command) => command.run(out),
            What::Scheme(command) => command.run(out),
        }
    }
}

/// The network as it is trained: cleaned up, integers at its ends.
fn open(model: &Model) -> Result<Network, Failure> {
    let mut network = model.open()?;
    network.strip_io()?;
    network.canonicalise()?;
    Ok(network)
}

/// The schemes that have names.
const NAMES: [&str; 5] = ["last-layer", "bias-only", "lite-residual", "tinytl", "full"];

/// A scheme as it was asked for, which the network has all parts of.
struct Named {
    name: String,
    scheme: Scheme,
}

impl Named {
    /// By its name or file. What is trained otherwise than it says is warned of.
    fn open(name: &str, (model, network): (&Path, &Network), out: &mut Output) -> Result<Self, Failure> {
        let features = Features::of(network.graph()).map_err(|error| Error::from(error).at(model))?;
        let count = features.convolutions.len();
        let scheme = match name {
            "last-layer" => Scheme::last_layer(),
            "bias-only" => Scheme::bias_only(count),
            "full" => Scheme::full(count),
            "lite-residual" => Scheme::lite_residual(),
            "tinytl" => Scheme::tinytl(count),
            file => {
                let path = Path::new(file);
                if !path.exists() && !file.contains(['.', '/', '\\']) {
                    return Err(Failure::usage(
                        format!("`{}` is neither a file nor a scheme that has a name", visible(file)),
                        format!("give a TOML file, or one of {}", NAMES.join(", ")),
                    ));
                }
                let text = String::from_utf8(files::read(path).map_err(Error::from)?)
                    .map_err(|_| Error::from(AdaptError::Scheme("it is not text".into())).at(path))?;
                text.parse().map_err(|error| Error::from(error).at(path))?
            }
        };
        let chosen = Self { name: name.to_owned(), scheme };
        chosen.scheme.weights(count).map_err(|error| chosen.at(error.into(), model))?;
        for note in chosen.scheme.notes(&features.sizes().map_err(|error| Error::from(error).at(model))?) {
            out.warn(format!("`{}`: {note}", visible(name)));
        }
        for rate in &chosen.scheme.rates {
            too_small(*rate).into_iter().for_each(|text| out.warn(format!("`{}`: {text}", visible(name))));
        }
        Ok(chosen)
    }

    /// The file that an error is about: the scheme's own, or the model.
    fn at(&self, error: Error, model: &Path) -> Error {
        match error {
            Error::Adapt(AdaptError::Scheme(_)) if self.is_file() => error.at(Path::new(&self.name)),
            Error::Adapt(AdaptError::Scheme(_) | AdaptError::Classes(_)) => error,
            other => other.at(model),
        }
    }

    fn is_file(&self) -> bool {
        !NAMES.contains(&self.name.as_str())
    }
}

/// Classes of a labelled set, two or more.
fn classes_of(set: &Dataset, path: &Path) -> Result<usize, Failure> {
    let (count, samples) = (set.classes().len(), set.items().len());
    if count >= 2 {
        return Ok(count);
    }
    let (path, samples) = (visible_path(path), plural(samples, "sample"));
    let found = match (count, set.holds_arrays()) {
        (0, true) => format!("`{path}` has no labels: {samples} of no class"),
        (0, false) => format!("`{path}` has one class at most: {samples}, all in one folder"),
        _ => format!("`{path}` has 1 class: {samples}, all with the label 0"),
    };
    let wanted = match set.holds_arrays() {
        true => {
            "there have to be two classes or more: an .npz file has class numbers from 0 on in `y` (or `y_train`, `y_test`)"
        }
        false => "there have to be two classes or more, and a folder of pictures for each of them",
    };
    Err(Failure::usage(found, wanted))
}
