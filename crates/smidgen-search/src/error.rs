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
    #[error(
        "no network fits {budget}: the smallest of all spaces (width {width}, input {rows}x{columns}) takes {smallest}"
    )]
    NothingFits {
        /// What a network may take.
        budget: Budget,
        /// Width multiplier of the space with the smallest network.
        width: f64,
        /// Rows of its input.
        rows: usize,
        /// Columns of its input.
        columns: usize,
        /// What that network takes.
        smallest: Figures,
    },
    /// Of the chosen space no network was found that keeps the budget.
    #[error("of {drawn} networks drawn from the space none fits {budget}")]
    NoneDrawn {
        /// Networks drawn.
        drawn: usize,
        /// What a network may take.
        budget: Budget,
    },
    /// A network of the space cannot be planned: an error of ours.
    #[error(transparent)]
    Oracle(#[from] OracleError),
    /// A network of the space cannot be trained.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// Interrupted.
    #[error("interrupted")]
    Stopped,
}
