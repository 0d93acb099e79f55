//! A search for the network that best fills a board, from labelled samples: TinyNAS (Lin et al. 2020, "MCUNet: tiny deep
//! learning on IoT devices").
//!
//! - [`Search`]: its stages, one after the other, and where they go on after an interruption.
//! - [`clock`]: which part of the time each stage has.
//! - [`state`]: what is kept in the folder.
//! - [`Planner`]: what candidates take.
//! - `pool`: the samples that candidates are compared on.
//!
//! The invariant that matters: with counts in place of a time the same data, options and seed give the same network, for any
//! number of threads, interrupted or not. A search that a clock has cut leaves a [`Record`], from which it can be
//! repeated to the same bytes.

pub mod clock;
mod estimate;
mod pool;
mod stages;
pub mod state;

pub use clock::{Clock, Length, Stage};
pub use estimate::Planner;
pub use smidgen_search::{
    Backbone, Budget, Candidate, Estimator, Figures, Inputs, Limit, Scored, SearchError, Skeleton, Space, Survey,
    Surveyed, grid,
};
pub use stages::{Event, Found, Options, Search};
pub use state::{Record, State, StateError};
