//! The RELUs and LEAKY_RELU of int16: for a table of all values there are too many.

use crate::memory::{Arena, Bounds};
use crate::operand::map;
use crate::requant::{Factor, Rounding, limit};
use crate::view::{Region, Views};

/// A function with one slope for `x >= 0` and one for `x < 0`, clamped.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Slopes {
    /// `s_x / s_y`.
    pub positive: Factor,
    /// The size of the other slope, times that.
    pub negative: Factor,
    /// The other slope is below zero.
    pub falls: bool,
    /// Least stored output.
    pub min: i16,
    /// Greatest stored output.
    pub max: i16,
    /// How the factors are rounded.
    pub rounding: Rounding,
}

impl Slopes {
    /// The stored output of a stored input.
    #[inline]
    pub fn apply(&self, x: i16) -> i16 {
        let x = i32::from(x);
        let y = match (x >= 0, self.falls) {
            (true, _) => self.positive.apply(x, self.rounding),
            (false, false) => self.negative.apply(x, self.rounding),
            (false, true) => self.negative.apply(-x, self.rounding),
        };
        limit(y, self.min, self.max)
    }
}

/// `output[i] = how(input[i])`. Order: one element at a time, read before write.
pub fn slopes<B: Bounds>(arena: Arena<'_, i16, B>, views: &Views, region: Region, depth: usize, how: &Slopes) {
    map(arena, views, region, depth, |x| how.apply(x));
}
