//! What goes into a network and comes out of it, as files: NumPy arrays, archives of them, and pictures.

pub mod array;
pub mod input;
pub mod npy;
pub mod npz;
pub mod picture;

pub use array::{Array, Dtype};
pub use input::{Source, adapt};
pub use npz::Archive;
pub use picture::{Fit, Normalisation, Normalise, Picture, PictureInput};
