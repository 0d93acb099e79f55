//! Functions of one int16 by a table of 513 entries, with straight lines between them: EXP, LOG, GELU, RSQRT. As TensorFlow Lite makes such
//! tables and reads them.

use crate::memory::{Arena, Bounds, Flash};
use crate::operand::map;
use crate::view::{Region, Views};

/// Entries of a table: 512 pieces have so many ends.
pub const ENTRIES: usize = 513;

/// The ends of the pieces of a function of what lies in `from ..= to`, each lowered by half of what the middle of the piece after it lies too
/// high. `value` is in steps of the output. Each operation is computed on double precision and then made `narrow`: as it is, or as single
/// precision, where the reference computes on that. Entries saturate.
#[cfg(feature = "float")]
pub fn entries(value: impl Fn(f64) -> f64, [from, to]: [f64; 2], narrow: impl Fn(f64) -> f64) -> [i16; ENTRIES] {
    const PIECES: f64 = (ENTRIES - 1) as f64;
    let step = narrow(narrow(to - from) / PIECES);
    let end = |i: usize| narrow(from + narrow(i as f64 * step));
    core::array::from_fn(|i| {
        if i + 1 == ENTRIES {
            return libm::round(value(to)) as i16;
        }
        let start = libm::round(value(end(i)));
        let middle = libm::round(narrow(narrow(value(end(i + 1)) + start) / 2.0));
        let bias = libm::round((middle - libm::round(value(narrow(end(i) + step / 2.0)))) / 2.0);
        (start - bias) as i16
    })
}

/// The function at a place in `-32768 ..= 32767`, which its table spans.
#[inline]
pub(super) fn look_up(table: &[i16; ENTRIES], place: i32) -> i32 {
    let place = place.max(i16::MIN.into()).min(i16::MAX.into()).wrapping_add(1 << 15) as u16;
    let entry = usize::from(place >> 7);
    let [a, b] = [table[entry], table[entry + 1]].map(i32::from);
    a + (((b - a) * i32::from(place & 0x7f) + 64) >> 7)
}

/// `output[i] = f(input[i])`, where the [`ENTRIES`] of the table span all inputs. Order: one element at a time, read before write.
pub fn lookup<B: Bounds>(
    arena: Arena<'_, i16, B>,
    views: &Views,
    region: Region,
    depth: usize,
    table: Flash<'_, i16, B>,
) {
    let table = table.array::<ENTRIES>(0);
    map(arena, views, region, depth, |x| look_up(table, x.into()) as i16);
}
