//! SOFTMAX over the channels of each pixel, int16 to int16 with scale 1/32768: exponentials and a reciprocal from tables, with straight
//! lines between their entries.

use crate::memory::{Arena, Bounds, Flash};
use crate::requant::{Factor, Rounding};
use crate::view::{Region, Views};

/// Entries of a table: 512 pieces have so many ends.
pub const ENTRIES: usize = 513;
/// Least argument of the table of exponentials.
#[cfg(feature = "float")]
const LEAST: f64 = -10.0;

/// Parameters of SOFTMAX.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Softmax {
    /// From differences of inputs to a scale on which 65535 is 10.
    pub factor: Factor,
    /// How the factor is rounded.
    pub rounding: Rounding,
}

impl Softmax {
    /// The tables behind one another: `exp(x)` for `x` in `-10 ..= 0`, and `1 / (1 + x)` for `x` in `0 ..= 1`, both `Q0.15`.
    #[cfg(feature = "float")]
    pub fn tables() -> [i16; 2 * ENTRIES] {
        let exponentials = entries(libm::exp, [LEAST, 0.0]);
        let reciprocals = entries(|x| 1.0 / (1.0 + x), [0.0, 1.0]);
        core::array::from_fn(|i| if i < ENTRIES { exponentials[i] } else { reciprocals[i - ENTRIES] })
    }
}

/// The ends of the pieces of a function, each lowered by half of what the middle of the piece after it lies too high. As TensorFlow Lite
/// makes its tables of 16 bits.
#[cfg(feature = "float")]
fn entries(f: impl Fn(f64) -> f64, [from, to]: [f64; 2]) -> [i16; ENTRIES] {
    const PIECES: f64 = (ENTRIES - 1) as f64;
    let step = (to - from) / PIECES;
    let value = |x: f64| f(x) * 32768.0;
    core::array::from_fn(|i| {
        let x = from + i as f64 * step;
        let start = libm::round(value(x));
        let bias = if i + 1 == ENTRIES {
            0.0
        } else {
            let middle = libm::round((value(from + (i + 1) as f64 * step) + start) / 2.0);
            libm::round((middle - libm::round(value(x + step / 2.0))) / 2.0)
        };
        (start - bias).min(32767.0) as i16
    })
}

/// The function at a place in `-32768 ..= 32767`, which its table spans.
#[inline]
fn look_up(table: &[i16; ENTRIES], place: i32) -> i32 {
    let place = place.max(i16::MIN.into()).min(i16::MAX.into()).wrapping_add(1 << 15) as u16;
    let entry = usize::from(place >> 7);
    let [a, b] = [table[entry], table[entry + 1]].map(i32::from);
    a + (((b - a) * i32::from(place & 0x7f) + 64) >> 7)
}

/// `tables` are those of [`Softmax::tables`].
///
/// Order: one pixel at a time; its input is read until its last channel is written.
pub fn softmax<B: Bounds>(
    mut arena: Arena<'_, i16, B>,
    views: &Views,
    region: Region,
    depth: usize,
    how: &Softmax,
    tables: Flash<'_, i16, B>,
) {
    let Views { input, output } = views;
    let (exponentials, reciprocals) = (tables.array::<ENTRIES>(0), tables.array::<ENTRIES>(ENTRIES));
    for y in region.y0..region.y1 {
        for x in region.x0..region.x1 {
            let (from, to) = (input.at(y, x), output.at(y, x));
            let pixel = arena.span(from, depth);
            let max = i32::from(pixel.iter().copied().max().unwrap_or(i16::MIN));
            let exponential = |v: i16| {
                let difference = how.factor.apply(i32::from(v).wrapping_sub(max), how.rounding);
                look_up(exponentials, difference.wrapping_add(i16::MAX.into()))
            };
            let sum = pixel.iter().fold(0i32, |sum, &v| sum.wrapping_add(exponential(v)));
            // The sum's leading one goes to bit 16: 1 + x with x of 16 bits.
            let headroom = sum.leading_zeros();
            let leading = i64::from(sum).wrapping_shl(headroom.wrapping_sub(1)).wrapping_add(1 << 13) >> 14;
            let reciprocal = look_up(reciprocals, (leading as i32).wrapping_sub((1 << 15) + (1 << 16)));
            let shift = 31u32.wrapping_sub(headroom);
            let half = 1i64.wrapping_shl(shift.wrapping_sub(1));
            for c in 0..depth {
                let product = i64::from(exponential(arena[from + c])) * i64::from(reciprocal);
                let share = product.wrapping_add(half).wrapping_shr(shift) as i32;
                arena[to + c] = share.max(0).min(i16::MAX.into()) as i16;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_near_the_real_functions() {
        let tables = Softmax::tables();
        let (exponentials, reciprocals) = tables.split_at(ENTRIES);
        for place in i32::from(i16::MIN)..=i16::MAX.into() {
            let part = f64::from(place + 32768) / 65536.0;
            let near = |table: &[i16], real: f64| {
                let table = table.try_into().expect("a table");
                (f64::from(look_up(table, place)) - (real * 32768.0).min(32767.0)).abs() < 3.0
            };
            assert!(near(exponentials, libm::exp(LEAST * (1.0 - part))), "{place}");
            assert!(near(reciprocals, 1.0 / (1.0 + part)), "{place}");
        }
    }
}
