//! The walk that pooling over any element type shares.

use crate::geometry::Window2d;
use crate::view::{Region, View};

/// `output[r, x, c] = reduce(elements of channel c inside the window)`. Order: one element at a time, all reads before its write.
pub(crate) fn pool<T: Copy>(
    arena: &mut [T],
    input: View,
    output: View,
    region: Region,
    window: &Window2d,
    reduce: impl Fn(&mut dyn Iterator<Item = T>) -> T,
) {
    let ([in_h, ..], [out_h, _, depth]) = (window.input, window.output);
    for row in region.y0..region.y1 {
        let image = row / out_h * in_h;
        let (taps_y, y0) = window.taps(0, row % out_h);
        for x in region.x0..region.x1 {
            let (taps_x, x0) = window.taps(1, x);
            for c in 0..depth {
                let inside = &*arena;
                let mut values = (0..taps_y.len())
                    .flat_map(|i| (0..taps_x.len()).map(move |j| (i, j)))
                    .map(|(i, j)| inside[input.at(image + y0 + i, x0 + j) + c]);
                arena[output.at(row, x) + c] = reduce(&mut values);
            }
        }
    }
}
