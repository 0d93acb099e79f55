//! RESIZE_BILINEAR of float32.

use crate::geometry::split;
use crate::memory::{Arena, Bounds, Element};
use crate::view::{Region, Views};

/// One axis of a bilinear resize.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Scale {
    /// Input indices of one image.
    pub input: usize,
    /// Output indices of one image.
    pub output: usize,
    /// Input steps of one output step.
    pub step: f32,
    /// Sample at the centres of pixels.
    pub half_pixel_centers: bool,
}

impl Scale {
    /// For an output index: the input indices before and after its position, and the position past the first.
    #[inline]
    pub fn at(&self, i: usize) -> (usize, usize, f32) {
        let i = i as f32;
        let position = if self.half_pixel_centers { (i + 0.5) * self.step - 0.5 } else { i * self.step };
        let last = self.input as i32 - 1;
        let before = (libm::floorf(position) as i32).min(last).max(0);
        let after = (libm::ceilf(position) as i32).min(last).max(0);
        (before as usize, after as usize, position - before as f32)
    }
}

/// Mean of the four pixels around each output pixel's position, weighted by nearness. Rows of a batch are joined: `scales[0]` is of
/// one image's height.
///
/// Order: one element at a time, reads before its write.
pub fn resize_bilinear<B: Bounds>(
    arena: Arena<'_, f32, B>,
    views: &Views,
    region: Region,
    depth: usize,
    scales: &[Scale; 2],
) {
    resize(arena, views, region, depth, scales, |x| x, |y| y);
}

/// The same of uint8, whose integers are held less 128: computed in floats, rounded half up.
///
/// Order: one element at a time, reads before its write.
pub fn resize_bilinear_uint8<B: Bounds>(
    arena: Arena<'_, i8, B>,
    views: &Views,
    region: Region,
    depth: usize,
    scales: &[Scale; 2],
) {
    let read = |x: i8| (i32::from(x) + 128) as f32;
    resize(arena, views, region, depth, scales, read, |y| ((y + 0.5) as i32 - 128) as i8);
}

#[inline(always)]
fn resize<T: Element, B: Bounds>(
    mut arena: Arena<'_, T, B>,
    views: &Views,
    region: Region,
    depth: usize,
    scales: &[Scale; 2],
    read: impl Fn(T) -> f32,
    write: impl Fn(f32) -> T,
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
            let to = output.at(y, x);
            for c in 0..depth {
                let [a, b, d, e] = from.map(|at| read(arena[at + c]));
                arena[to + c] =
                    write(a * (1.0 - fy) * (1.0 - fx) + b * fy * (1.0 - fx) + d * (1.0 - fy) * fx + e * fy * fx);
            }
        }
    }
}
