//! What a caller can say about a file, and what it learns beside the graph.

use smidgen_ir::Graph;
use smidgen_ir::front::{Port, Unsupported};
use std::fmt;
use std::io;

/// Reads bytes of another file: its name relative to the network's folder, the first byte, and how many.
pub type ExternalData<'a> = dyn Fn(&str, u64, usize) -> io::Result<Vec<u8>> + 'a;

/// What the file leaves open.
#[derive(Default)]
pub struct Options<'a> {
    /// Shapes of inputs by name, in the file's order of axes, for those that the file leaves open. The first axis of an input of
    /// several is 1 where nothing is said.
    pub shapes: Vec<(String, Vec<usize>)>,
    /// How to read weights that lie in files beside the network's. Names that lead out of the network's folder never get here.
    pub external: Option<Box<ExternalData<'a>>>,
    /// Batch normalisation and dropout in training mode are read as in evaluation mode, with the running means and variances
    /// that the file has: for a network that is to be trained on.
    pub training: bool,
}

impl fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("shapes", &self.shapes)
            .field("external", &self.external.is_some())
            .field("training", &self.training)
            .finish()
    }
}

/// A network that has been read.
#[derive(Clone, PartialEq, Debug)]
pub struct Import {
    /// What is computed.
    pub graph: Graph,
    /// One for each input of the graph.
    pub inputs: Vec<Port>,
    /// One for each output of the graph.
    pub outputs: Vec<Port>,
    /// What the file's nodes write, as far as a tensor of the graph has it:
    /// [`Tensor::source`](smidgen_ir::Tensor::source) indexes this.
    pub values: Vec<Port>,
    /// Of a network that is quantised already: operators that compute on floats all the same, why, and what to do about it. At
    /// most 32.
    pub notes: Vec<Unsupported>,
}
