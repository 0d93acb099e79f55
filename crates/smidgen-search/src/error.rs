//! What can go wrong.

use crate::budget::{Budget, Figures};
use smidgen_plan::planner::OracleError;
use smidgen_train::TrainError;

/// Why there is no network.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum SearchError {
    /// The input is no picture, nor an array with rows, columns and channels.
    #[error("a search needs samples of rows, columns and channels; these have {} dimensions", shape.len())]
    Input {
        /// Dimensions of a sample.
        shape: Vec<usize>,
    },
    /// No network of any space keeps the budget.
    #[error(transparent)]
    NothingFits(Box<Misfit>),
    /// Networks fit the board, and there is no time to train even the smallest.
    #[error(
        "there is no time to train a network for some epochs: the smallest has {least} MACs, and there is time for {macs}"
    )]
    NoTime {
        /// Multiply-accumulates of the smallest network.
        least: u64,
        /// Those that there is time for.
        macs: u64,
    },
    /// Of the chosen space no network was found that keeps the budget.
    #[error("no network of the chosen space keeps the limits")]
    NoneDrawn,
    /// A network of the space cannot be planned: an error of ours.
    #[error(transparent)]
    Oracle(#[from] OracleError),
    /// A network of the space cannot be trained.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The network to begin with has no cuts that can be searched.
    #[error("the network cannot be cut to fit: {reason}")]
    Backbone {
        /// What stands in the way.
        reason: String,
    },
    /// Interrupted.
    #[error("interrupted")]
    Stopped,
}

/// That no network of any space keeps the budget.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[error(
    "no network fits {budget}: the smallest of all spaces (width {width}, input {rows}x{columns}) takes {smallest}"
)]
pub struct Misfit {
    /// What a network may take.
    pub budget: Budget,
    /// Width multiplier of the space with the smallest network.
    pub width: f64,
    /// Rows of its input.
    pub rows: usize,
    /// Columns of its input.
    pub columns: usize,
    /// What that network takes.
    pub smallest: Figures,
}
