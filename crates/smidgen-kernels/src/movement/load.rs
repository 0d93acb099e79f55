//! A constant, brought into the arena where a kernel wants to find an activation.

use crate::view::{Region, View};

/// Copies a region of a constant, stored row-major with `cols` pixels of `pixel` bytes in a row, to the output. The view counts
/// bytes.
pub fn load(arena: &mut [u8], output: View, region: Region, cols: usize, pixel: usize, constant: &[u8]) {
    for y in region.y0..region.y1 {
        for x in region.x0..region.x1 {
            let (from, to) = ((y * cols + x) * pixel, output.at(y, x));
            arena[to..to + pixel].copy_from_slice(&constant[from..from + pixel]);
        }
    }
}
