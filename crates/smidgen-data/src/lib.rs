//! What goes into a network and comes out of it: arrays, pictures, and sets of them, with labels or without.
//!
//! - [`array`](mod@array), [`npy`], [`npz`]: NumPy's files.
//! - [`picture`]: photographs, and what a network's input asks of them.
//! - [`interface`]: arrays in the file's order of axes and in the graph's.
//! - [`input`]: from one file to one network input.
//! - [`set`]: a folder, an archive or an `.npz` file as a list of samples, read one by one.
//! - [`Cache`]: decoded samples, in memory as far as that suffices.
//! - [`demo`]: a set of drawn pictures, for trying out training.
//! - [`files`], [`folder`]: reading with a clear word on what is wrong, writing as a whole or not at all.
//!
//! What is read is judged by its first bytes, not by its name. The invariant that matters: no file makes anything here
//! panic or take memory on its word alone.
#![forbid(unsafe_code)]

pub mod array;
mod cache;
pub mod demo;
mod error;
pub mod files;
pub mod folder;
pub mod input;
pub mod interface;
mod normalise;
pub mod npy;
pub mod npz;
pub mod picture;
mod replace;
pub mod set;

pub use array::{Array, Dtype};
pub use cache::Cache;
pub use error::Error;
pub use files::FileError;
pub use folder::{write_folder, zipped};
pub use input::{Feeder, Source, adapt};
pub use interface::{Interface, PortAxes, Suits};
pub use npz::Archive;
pub use picture::{Fit, Normalisation, Normalise, Picture, PictureInput};
pub use set::{Dataset, Sample, SetError};
