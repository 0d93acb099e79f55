//! RESIZE_BILINEAR of integers, in 10-bit fixed point.

use crate::geometry::split;
use crate::memory::{Arena, Bounds, Integer};
use crate::view::{Region, Views};

/// One axis of a bilinear resize, in `Q21.10`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Scale {
    /// Input indices of one image.
    pub input: usize,
    /// Output indices of one image.
    pub output: usize,
    /// Input steps of one output step.
    pub step: i32,
    /// Position of output index 0.
    pub start: i32,
}

impl Scale {
    /// For an output index: the input indices before and after its position, and the position past the first in units of 1/1024 (it
    /// may lie outside `0 .. 1024` beyond the ends, where both indices are the same).
    #[inline]
    pub fn at(&self, i: usize) -> (usize, usize, i32) {
        let position = (i as i32).wrapping_mul(self.step).wrapping_add(self.start);
        let last = self.input as i32 - 1;
        // Division by 1024 towards zero, as the reference has it.
        let before = (position / 1024).min(last).max(0);
        let after = (position.wrapping_add(1023) / 1024).min(last).max(0);
        (before as usize, after as usize, position.wrapping_sub(before * 1024))
    }
}

/// Mean of the four pixels around each output pixel's position, weighted by nearness. Rows of a batch are joined: `scales[0]` is of
/// one image's height.
///
/// Order: one element at a time, reads before its write.
pub fn resize_bilinear<T: Integer, B: Bounds>(
    mut arena: Arena<'_, T, B>,
    views: &Views,
    region: Region,
    depth: usize,
    scales: &[Scale; 2],
) {
    let Views { input, output } = views;
    let [height, width] = scales;
    for y in region.y0..region.y1 {
        let (image, row) = split(y, height.output);
        let image = image * height.input;
        let (y0, y1, fy) = height.at(row);
        for x in region.x0..region.x1 {
            let (x0, x1, fx) = width.at(x);
            let corner = |row: usize, col: usize| input.at(image + row, col);
            let from = [corner(y0, x0), corner(y1, x0), corner(y0, x1), corner(y1, x1)];
            let (gy, gx) = (1024 - fy, 1024 - fx);
            let weights = [gy.wrapping_mul(gx), fy.wrapping_mul(gx), gy.wrapping_mul(fx), fy.wrapping_mul(fx)];
            let to = output.at(y, x);
            for c in 0..depth {
                let sum: i64 = (0..4).map(|k| i64::from(arena[from[k] + c].into()) * weights[k] as i64).sum();
                let half = if sum > 0 { 1 << 19 } else { -(1 << 19) };
                arena[to + c] = T::wrap(((sum + half) / (1 << 20)) as i32);
            }
        }
    }
}
