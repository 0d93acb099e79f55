//! Searches the network that best fills a microcontroller, and trains it: TinyNAS (Lin et al. 2020, "MCUNet: tiny deep
//! learning on IoT devices").
//!
//! - [`Skeleton`] and [`Space`]: which networks there are. A [`Candidate`] is one of them.
//! - [`Backbone`]: a pretrained network, whose cuts are a space too.
//! - [`Oracle`](smidgen_plan::planner::Oracle), behind [`Estimator`]: what a candidate takes of a board, by the planner that
//!   the firmware is made with. A [`Budget`] says what it may take.
//! - [`survey()`]: the first stage. Of a grid of widths and resolutions, the space whose networks within the budget compute
//!   the most.
//! - [`Supernet`]: the second stage's weights. All networks of the space share those of the largest.
//! - [`Evolution`]: the second stage's search.
//!
//! The invariant that matters: whatever is drawn follows from a seed and a count alone, so that a search goes on where it
//! was interrupted with the same result, for any number of threads.
#![forbid(unsafe_code)]

mod backbone;
mod budget;
mod candidate;
mod error;
mod evolution;
mod outline;
mod space;
mod supernet;
mod survey;

pub use backbone::Backbone;
pub use budget::{Budget, Estimator, Figures, Limit};
pub use candidate::{Candidate, Gene};
pub use error::{Misfit, SearchError};
pub use evolution::{Evolution, Scored, Settings as EvolutionSettings};
pub use outline::outline;
pub use space::{Inputs, Skeleton, Space, Stage, Stem, grid};
pub use supernet::{Supernet, SupernetSettings};
pub use survey::{Survey, Surveyed, survey};
