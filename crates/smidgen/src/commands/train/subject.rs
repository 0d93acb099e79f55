//! The network that a training begins with, as the command line names it.

use super::blocks::Description;
use crate::console::Failure;
use crate::console::options::Shapes;
use clap::Args;
use smidgen::ir::visible_path;
use smidgen::network::ReadOptions;
use smidgen::train::{Architecture, Beginning, Freeze, Start, Weights, network_of_blocks};
use smidgen::{Error, Network, files};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A network to begin with.
#[derive(Args, Debug)]
pub struct Subject {
    /// The network to begin with: a TensorFlow Lite or ONNX file, of floats or integers
    #[arg(value_name = "MODEL", conflicts_with = "arch")]
    pub model: Option<PathBuf>,
    #[command(flatten)]
    pub shapes: Shapes,
    /// In place of MODEL, fresh weights for the classes of the data: resnet8, mobilenetv2-0.35, mcunet-5fps, ds-cnn, or
    /// a network described in a file (docs/training.md)
    #[arg(long, value_name = "NAME|FILE.json")]
    pub arch: Option<Arch>,
    /// With --arch: rows and columns of its input [default: 32 for resnet8, 96 for mobilenetv2-0.35 and mcunet-5fps]
    #[arg(long, value_name = "N", requires = "arch", value_parser = clap::value_parser!(u16).range(8..=1024))]
    pub resolution: Option<u16>,
    /// Begin with fresh weights in place of those of MODEL
    #[arg(long, conflicts_with = "arch")]
    pub fresh: bool,
    /// Train the biases of MODEL as they are; else batch normalisation takes their place while it is trained
    #[arg(long, conflicts_with = "arch")]
    pub keep_biases: bool,
    /// Begin with the weights of this file, which the script of `smidgen export --torch` has made of the same network;
    /// `--epochs 0` writes them as they are
    #[arg(long, value_name = "FILE.safetensors", conflicts_with = "fresh")]
    pub weights: Option<PathBuf>,
    /// What fresh weights, the order of samples and their augmentation follow from
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

/// What has fresh weights.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Arch {
    Known(Architecture),
    Described(PathBuf),
}

impl FromStr for Arch {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(known) = Architecture::ALL.into_iter().find(|known| known.name() == text) {
            return Ok(Self::Known(known));
        }
        let names = Architecture::ALL.map(Architecture::name).join(", ");
        match Path::new(text).extension().is_some_and(|extension| extension == "json") {
            true => Ok(Self::Described(text.into())),
            false => Err(format!("one of {names}, or a .json file that describes a network")),
        }
    }
}

impl std::fmt::Display for Arch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Known(architecture) => write!(f, "{architecture}"),
            Self::Described(path) => write!(f, "{}", visible_path(path)),
        }
    }
}

impl Subject {
    /// Fresh weights of a network that others name.
    pub fn fresh(seed: u64) -> Self {
        Self {
            model: None,
            shapes: Shapes::default(),
            arch: None,
            resolution: None,
            fresh: true,
            keep_biases: false,
            weights: None,
            seed,
        }
    }

    /// Its name, for people.
    pub fn name(&self) -> String {
        let name = self.arch.as_ref().map(Arch::to_string);
        name.or_else(|| self.model.as_deref().map(|path| visible_path(path).to_string())).unwrap_or_default()
    }

    /// Whether its weights come from no file.
    pub fn is_fresh(&self) -> bool {
        self.arch.is_some() || self.fresh
    }

    /// The greatest learning rate where none is named.
    pub fn rate(&self) -> f32 {
        if self.arch.is_some() { 0.2 } else { 0.02 }
    }

    /// The weights of the file that is named.
    fn weights(&self) -> Result<Option<(Weights, &PathBuf)>, Error> {
        let Some(path) = &self.weights else { return Ok(None) };
        let weights = Weights::parse(&files::read(path)?).map_err(|error| Error::from(error).at(path))?;
        Ok(Some((weights, path)))
    }

    /// What it comes to for so many classes (`None` for as many as the file's network has), prepared for pixels up to a
    /// number that follows from it; `normalised` if there are samples to measure a normalisation on.
    pub fn start(
        &self,
        (classes, normalised): (Option<usize>, bool),
        freeze: Option<&Freeze>,
        greatest: impl FnOnce(&Start) -> Result<Option<f64>, Failure>,
    ) -> Result<Start, Failure> {
        let weights = self.weights()?;
        // Biases that were trained as they are come back as such.
        let biases =
            self.keep_biases || !normalised || weights.as_ref().is_some_and(|(weights, _)| !weights.are_normalised());
        let start = self.begun(classes, biases, freeze)?;
        let mut start = match greatest(&start)? {
            Some(greatest) => start.scaled(greatest),
            None => start,
        };
        if let Some((weights, path)) = weights {
            start.restore(&weights).map_err(|error| error.at(path))?;
        }
        Ok(start)
    }

    fn begun(&self, classes: Option<usize>, biases: bool, freeze: Option<&Freeze>) -> Result<Start, Failure> {
        let sides = |[rows, columns, channels]: [usize; 3]| match self.resolution.map(usize::from) {
            Some(side) => [side, side, channels],
            None => [rows, columns, channels],
        };
        let known_classes = || {
            let advice = "give `--classes N`, or `--data` with a folder for each class";
            classes.ok_or_else(|| Failure::usage("an architecture has as many outputs as there are classes", advice))
        };
        let path = match (&self.arch, &self.model) {
            (Some(Arch::Known(Architecture::DsCnn)), _) if self.resolution.is_some() => {
                let message = "ds-cnn takes 49 rows of 10 numbers";
                return Err(Failure::usage(message, "leave `--resolution` out, or describe a network in a file"));
            }
            (Some(Arch::Known(known)), _) => {
                return Ok(Start::of_architecture(*known, (sides(known.input()), known_classes()?), self.seed)?);
            }
            (Some(Arch::Described(path)), _) => {
                let text = files::read(path).map_err(Error::from)?;
                let described = Description::parse(&String::from_utf8_lossy(&text)).map_err(|reason| {
                    let message = format!("{} describes no network: {reason}", visible_path(path));
                    Failure::usage(message, "docs/training.md says how blocks are described")
                })?;
                let (input, blocks) = (sides(described.input), &described.blocks);
                let net = network_of_blocks(input, blocks, known_classes()?).map_err(Error::from)?;
                return Ok(Start::of_net(net, self.seed)?);
            }
            (None, Some(path)) => path,
            (None, None) => return Err(Failure::usage("there is no network", "name a file, or take `--arch`")),
        };
        let options = ReadOptions { float_weights: true, training: true, ..self.shapes.options() };
        let network = Network::open_with(path, &options)?;
        let outputs = network.graph().outputs.first().map_or(0, |&id| network.graph().tensor(id).shape.elements());
        let (classes, fresh, seed) = (classes.unwrap_or(outputs), self.fresh, self.seed);
        let beginning = Beginning { classes, fresh, biases, seed, freeze };
        Ok(Start::of_network(&network, beginning).map_err(|error| error.at(path))?)
    }
}
