//! The walk that pooling over any element type shares.

use crate::geometry::Window2d;
use crate::memory::{Arena, Bounds, Element};
use crate::view::{Region, View};

/// `output[r, x, c] = finish(start, to which the elements of channel c inside the window were added)`. Order: one element at a time, all reads before its write.
pub(crate) fn pool<T: Element, S: Copy, B: Bounds>(
    mut arena: Arena<'_, T, B>,
    input: View,
    output: View,
    region: Region,
    window: &Window2d,
    start: S,
    add: impl Fn(&mut S, T),
    finish: impl Fn(S) -> T,
) {
    let depth = window.output[2];
    for row in region.y0..region.y1 {
        let (image, y) = window.image_row(row);
        let (taps_y, y0) = window.taps(0, y);
        for x in region.x0..region.x1 {
            let (taps_x, x0) = window.taps(1, x);
            for c in 0..depth {
                let mut state = start;
                for i in 0..taps_y.len() {
                    for j in 0..taps_x.len() {
                        add(&mut state, arena[input.at(image + y0 + i, x0 + j) + c]);
                    }
                }
                arena[output.at(row, x) + c] = finish(state);
            }
        }
    }
}
