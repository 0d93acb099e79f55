//! Operators that move elements: padding, slices, concatenation, transposition, splitting, nearest-neighbour resizing.

use super::Values;

/// Where an element comes from.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Origin {
    /// Element `index` of input `input`.
    Input {
        /// Which input.
        input: u32,
        /// Which element of a sample.
        index: u32,
    },
    /// A constant.
    Constant(f32),
}

/// For each element of the output, its origin.
#[derive(Clone, Debug)]
pub(crate) struct Gather {
    /// The table.
    pub origins: Vec<Origin>,
}

impl Gather {
    pub(super) fn forward(&self, s: usize, values: &Values<'_>, out: &mut [f32]) {
        for (y, origin) in out.iter_mut().zip(&self.origins) {
            *y = match *origin {
                Origin::Input { input, index } => values.sample(input as usize, s)[index as usize],
                Origin::Constant(x) => x,
            };
        }
    }

    pub(super) fn backward(&self, k: usize, dy: &[f32], dx: &mut [f32]) {
        for (d, origin) in dy.iter().zip(&self.origins) {
            if let Origin::Input { input, index } = *origin
                && input as usize == k
            {
                dx[index as usize] += d;
            }
        }
    }
}
