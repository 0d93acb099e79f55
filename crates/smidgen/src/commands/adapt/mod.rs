//! `smidgen adapt`: training on the device.

mod eval;
mod firmware;
mod search;

use super::Answer;
use crate::console::Failure;
use crate::console::options::Model;
use crate::console::output::Output;
use clap::{Args, Subcommand};
use smidgen::adapting::{Features, Scheme};
use smidgen::{Error, Network, files};
use std::path::Path;

/// Train on the device: what it would come to, its firmware, and its exact counts
#[derive(Args, Debug)]
#[command(after_long_help = "\
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
(of each of them, the part of its input channels).")]
pub struct Adapt {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    Eval(eval::Eval),
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

/// A scheme by its name or file.
fn scheme(name: &str, network: &Network) -> Result<Scheme, Failure> {
    let count = || Features::of(network.graph()).map(|features| features.convolutions.len());
    Ok(match name {
        "last-layer" => Scheme::last_layer(),
        "bias-only" => Scheme::bias_only(count().map_err(Error::from)?),
        "full" => Scheme::full(count().map_err(Error::from)?),
        "lite-residual" => Scheme::lite_residual(),
        "tinytl" => Scheme::tinytl(count().map_err(Error::from)?),
        file => {
            let path = Path::new(file);
            if !path.exists() && !file.contains(['.', '/', '\\']) {
                return Err(Failure::usage(
                    format!(
                        "`{file}` is neither a file nor one of last-layer, bias-only, lite-residual, tinytl and full"
                    ),
                    "give a TOML file, or one of these names",
                ));
            }
            let text = String::from_utf8_lossy(&files::read(path).map_err(Error::from)?).into_owned();
            text.parse().map_err(|error| Error::from(error).at(path))?
        }
    })
}
