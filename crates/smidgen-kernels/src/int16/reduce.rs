//! How MEAN of int16 reads and writes.

use crate::reference::Reduction;
use crate::requant::{Factor, Rounding, limit};

/// Parameters of MEAN: `y = factor * (sum of x)`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Reduce {
    /// `s_x / s_y` over the number of elements, with the reference's own rounding.
    pub factor: Factor,
    /// How the factor is rounded.
    pub rounding: Rounding,
}

impl Reduction for Reduce {
    type Stored = i16;

    #[inline]
    fn read(&self, stored: i16) -> i32 {
        stored.into()
    }

    #[inline]
    fn finish(&self, sum: i32) -> i16 {
        limit(self.factor.apply(sum, self.rounding), i16::MIN, i16::MAX)
    }
}
