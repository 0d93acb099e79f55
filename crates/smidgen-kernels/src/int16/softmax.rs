//! SOFTMAX over the channels of each pixel, int16 to int16 with scale 1/32768: exponentials and a reciprocal from tables, with straight
//! lines between their entries.

#[cfg(feature = "float")]
use super::lookup::entries;
use super::lookup::{ENTRIES, look_up};
use crate::memory::{Arena, Bounds, Flash};
use crate::requant::{Factor, Rounding};
use crate::view::{Region, Views};

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
        let exponentials = entries(|x| libm::exp(x) * 32768.0, [LEAST, 0.0], |x| x);
        let reciprocals = entries(|x| 32768.0 / (1.0 + x), [0.0, 1.0], |x| x);
        core::array::from_fn(|i| if i < ENTRIES { exponentials[i] } else { reciprocals[i - ENTRIES] })
    }
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
