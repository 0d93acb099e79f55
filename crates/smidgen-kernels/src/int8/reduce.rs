//! How MEAN and SUM of int8 read and write.

use crate::reference::Reduction;
use crate::requant::{Factor, Rounding};

/// How a reduction reads stored bytes and writes its result.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reading {
    /// As the signed integers that they are.
    Signed,
    /// As unsigned ones, `0 ..= 255`, on both sides: what LiteRT 2.3's reference kernel of SUM does with int8.
    Unsigned,
}

/// Parameters of MEAN and SUM: `y = output_zero + factor * (sum of x - zeros)`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Reduce {
    /// Input zero point times the number of elements that go into one output.
    pub zeros: i32,
    /// `s_x / s_y` for SUM; that over the number of elements for MEAN, with the reference's own rounding.
    pub factor: Factor,
    /// Zero point of the output.
    pub output_zero: i32,
    /// How stored bytes are read.
    pub reading: Reading,
    /// How the factor is rounded.
    pub rounding: Rounding,
}

impl Reduction for Reduce {
    type Stored = u8;

    #[inline]
    fn read(&self, stored: u8) -> i32 {
        match self.reading {
            Reading::Signed => stored as i8 as i32,
            Reading::Unsigned => stored as i32,
        }
    }

    #[inline]
    fn finish(&self, sum: i32) -> u8 {
        let y = self.factor.apply(sum.wrapping_sub(self.zeros), self.rounding).wrapping_add(self.output_zero);
        match self.reading {
            Reading::Signed => y.clamp(i8::MIN as i32, i8::MAX as i32) as u8,
            Reading::Unsigned => y.clamp(0, 255) as u8,
        }
    }
}
