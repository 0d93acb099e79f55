//! The walk that pooling over any element type shares.

use crate::geometry::Window2d;
use crate::memory::{Arena, Bounds, Element};
use crate::view::{Region, View, Views};

/// Channels that are pooled together, so that where a tap lies is worked out once for all of them.
pub(crate) const TOGETHER: usize = 4;

/// `output[r, x, c] = finish(start, to which the elements of channel c inside the window were added, their number)`.
///
/// Order: a few channels of one pixel at a time, all their reads before their writes. No element is read later, nor written earlier, than if
/// they were taken one by one, so that an output may lie wherever it may then.
#[inline]
pub(crate) fn pool<T: Element, S: Copy, B: Bounds>(
    mut arena: Arena<'_, T, B>,
    views: &Views,
    region: Region,
    window: &Window2d,
    start: S,
    add: impl Fn(&mut S, T),
    finish: impl Fn(S, usize) -> T,
) {
    let Views { input, output } = views;
    let depth = window.output[2];
    for row in region.y0..region.y1 {
        let (image, y) = window.image_row(row);
        let (taps_y, y0) = window.taps(0, y);
        for x in region.x0..region.x1 {
            let (taps_x, x0) = window.taps(1, x);
            // Without columns there is no place that rows could be read at.
            let rows = if taps_x.is_empty() { 0 } else { taps_y.len() };
            let taps = Taps { row: image + y0, rows, col: x0, cols: taps_x.len() };
            let to = output.at(row, x);
            let mut c = 0;
            while c + TOGETHER <= depth {
                let sums = taps.add_together(&arena, *input, c, [start; TOGETHER], &add);
                arena.store(to + c, sums.map(|sum| finish(sum, taps.rows * taps.cols)));
                c += TOGETHER;
            }
            while c < depth {
                let sum = taps.add(&arena, *input, c, start, &add);
                arena[to + c] = finish(sum, taps.rows * taps.cols);
                c += 1;
            }
        }
    }
}

/// A part of an image: the elements of a window that lie inside.
pub(crate) struct Taps {
    /// The first row.
    pub row: usize,
    /// Number of rows.
    pub rows: usize,
    /// The first column.
    pub col: usize,
    /// Number of columns.
    pub cols: usize,
}

impl Taps {
    /// Adds the channels from `channel` on to sums, each variable by name: firmware is built to be small, which leaves loops over
    /// arrays as loops.
    #[inline]
    pub fn add_together<T: Element, S: Copy, B: Bounds>(
        &self,
        arena: &Arena<'_, T, B>,
        input: View,
        channel: usize,
        [mut s0, mut s1, mut s2, mut s3]: [S; TOGETHER],
        add: &impl Fn(&mut S, T),
    ) -> [S; TOGETHER] {
        for i in 0..self.rows {
            let mut from = input.at(self.row + i, self.col) + channel;
            for _ in 0..self.cols {
                let [v0, v1, v2, v3] = arena.load(from);
                add(&mut s0, v0);
                add(&mut s1, v1);
                add(&mut s2, v2);
                add(&mut s3, v3);
                from += input.pixel_stride;
            }
        }
        [s0, s1, s2, s3]
    }

    /// Adds one channel to its sum.
    #[inline]
    pub fn add<T: Element, S: Copy, B: Bounds>(
        &self,
        arena: &Arena<'_, T, B>,
        input: View,
        channel: usize,
        mut sum: S,
        add: &impl Fn(&mut S, T),
    ) -> S {
        for i in 0..self.rows {
            let mut from = input.at(self.row + i, self.col) + channel;
            for _ in 0..self.cols {
                add(&mut sum, arena[from]);
                from += input.pixel_stride;
            }
        }
        sum
    }
}
