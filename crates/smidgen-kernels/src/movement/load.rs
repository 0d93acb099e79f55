//! A constant, brought into the arena where a kernel wants to find an activation.

use crate::memory::{Arena, Bounds, Flash};
use crate::view::{Region, View};

/// Copies a region of a constant, stored row-major with `cols` pixels of `pixel` bytes in a row, to the output. The view counts
/// bytes.
pub fn load<B: Bounds>(
    mut arena: Arena<'_, u8, B>,
    output: View,
    region: Region,
    cols: usize,
    pixel: usize,
    constant: Flash<'_, u8, B>,
) {
    for y in region.y0..region.y1 {
        for x in region.x0..region.x1 {
            let (from, to) = ((y * cols + x) * pixel, output.at(y, x));
            arena.copy_constant(constant, from, to, pixel);
        }
    }
}
