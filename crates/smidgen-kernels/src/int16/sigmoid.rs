//! LOGISTIC and TANH of int16: one table of the sigmoid, and straight lines between its entries.

use crate::memory::{Arena, Bounds};
use crate::operand::map;
use crate::view::{Region, Views};

/// Entries of the [table](Sigmoid::table) for each unit of its argument.
pub const SIGMOID_STEPS: usize = 24;

/// How inputs are brought to the table, and what is made of its entries. Outputs have scale 1/32768.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Sigmoid {
    /// The input times this, over `2^shift`, rounded upwards where it lies halfway, is an argument on a scale of `1 / (3 * 4096)`.
    pub multiplier: i32,
    /// At most 31.
    pub shift: u8,
    /// TANH, which is `2 sigmoid(2 x) - 1`.
    pub tanh: bool,
}

impl Sigmoid {
    /// Entry `i` is the sigmoid of `i / 24` times 65536, raised by half of what the line to the next entry lies too low in the middle: the
    /// error is then as large above as below. The last is 65535, as all is beyond it.
    #[cfg(feature = "float")]
    pub fn table() -> [u16; 256] {
        let value = |steps: f64| 65536.0 / (1.0 + libm::exp(-steps / SIGMOID_STEPS as f64));
        core::array::from_fn(|i| {
            let (here, next) = (value(i as f64), value(i as f64 + 1.0));
            let low = value(i as f64 + 0.5) - (here + next) / 2.0;
            if i == 255 { u16::MAX } else { libm::round(here + low / 2.0) as u16 }
        })
    }

    /// The stored output of a stored input.
    #[inline]
    pub fn apply(&self, x: i16, table: &[u16; 256]) -> i16 {
        // Unsigned, since the shift may be 31.
        let half = ((1u32 << self.shift) >> 1) as i32;
        let argument = i32::from(x).wrapping_mul(self.multiplier).wrapping_add(half).wrapping_shr(self.shift.into());
        let size = argument.unsigned_abs();
        let bits = if self.tanh { 8 } else { 9 };
        let entry = (size >> bits) as usize;
        // With as many bits more as the argument has between two entries. Beyond the table all is one.
        let value = if entry < 255 {
            let [a, b] = [table[entry], table[entry + 1]].map(i32::from);
            (a << bits) + (size & ((1 << bits) - 1)) as i32 * (b - a)
        } else if self.tanh {
            0xffff << bits
        } else {
            0x7fff << 10
        };
        let negative = argument < 0;
        if self.tanh {
            let centred = value - (1 << 23);
            ((if negative { -centred - 1 } else { centred } + (1 << 7)) >> 8) as i16
        } else {
            ((if negative { (1 << 25) - value - 1 } else { value } + (1 << 9)) >> 10) as i16
        }
    }
}

/// `output[i] = how(input[i])`. Order: one element at a time, read before write.
pub fn sigmoid<B: Bounds>(
    arena: Arena<'_, i16, B>,
    views: &Views,
    region: Region,
    depth: usize,
    how: &Sigmoid,
    table: &[u16; 256],
) {
    map(arena, views, region, depth, |x| how.apply(x, table));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_near_the_real_functions() {
        let table = Sigmoid::table();
        // A scale of 1/4096.
        let [logistic, tanh] = [false, true].map(|tanh| Sigmoid { multiplier: 3, shift: 0, tanh });
        for x in i16::MIN..=i16::MAX {
            let real = f64::from(x) / 4096.0;
            let near = |given: i16, real: f64| (f64::from(given) - (real * 32768.0).min(32767.0)).abs() < 3.0;
            assert!(near(logistic.apply(x, &table), 1.0 / (1.0 + libm::exp(-real))), "{x}");
            assert!(near(tanh.apply(x, &table), libm::tanh(real)), "{x}: {}", tanh.apply(x, &table));
        }
    }
}
