//! The network that a search begins with.

use crate::console::Failure;
use smidgen::data::{Feeder, Fit, Normalisation, Normalise};
use smidgen::network::ReadOptions;
use smidgen::search::Backbone;
use smidgen::train::{Beginning, Start};
use smidgen::training::{Import, Net};
use smidgen::{Error, Network};
use std::path::Path;
use std::sync::Arc;

/// A network whose cuts are searched.
pub(super) struct Pretrained {
    pub backbone: Arc<Backbone>,
    /// What it takes pixels for, where its file tells.
    pub pixels: Option<Normalisation>,
}

impl Pretrained {
    /// Reads one, of floats or of integers.
    pub fn open(path: &Path, classes: usize, seed: u64) -> Result<Self, Failure> {
        let at = |error: Error| error.at(path);
        let options = ReadOptions { float_weights: true, training: true, ..ReadOptions::default() };
        let network = Network::open_with(path, &options)?;
        let beginning = Beginning { classes, fresh: false, biases: true, seed, freeze: None };
        let start = Start::of_network(&network, beginning).map_err(at)?;
        let graph = start.network.graph();
        let imported = Net::import(graph, Import::default()).map_err(Error::from).map_err(at)?;
        let backbone = Backbone::new(graph, &imported.0, &imported.1).map_err(Error::from).map_err(at)?;
        let feeder = Feeder::new(network.interface(), Normalise::Auto, Fit::default());
        // A float file that says nothing is taken for one of pixels of 0 to 1, as fresh networks are.
        let pixels = feeder.normalisation().filter(|_| start.integers.is_some() || network.pixels().is_some());
        Ok(Self { backbone: Arc::new(backbone), pixels })
    }
}
