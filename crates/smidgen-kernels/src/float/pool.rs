//! AVERAGE_POOL_2D and MAX_POOL_2D.

use super::Clamp;
use crate::geometry::Window2d;
use crate::view::{Region, View};

/// Mean of the window's elements that lie inside the input, clamped.
///
/// Order: one element at a time, all reads before its write.
pub fn average_pool(arena: &mut [f32], input: View, output: View, region: Region, window: &Window2d, clamp: Clamp) {
    pool(arena, input, output, region, window, |values| {
        let (mut sum, mut count) = (0f32, 0f32);
        for value in values {
            sum += value;
            count += 1.0;
        }
        // A window wholly in the padding has no mean; zero is as good as any.
        clamp.apply(if count > 0.0 { sum / count } else { 0.0 })
    });
}

/// Greatest of the window's elements, clamped.
///
/// Order: one element at a time, all reads before its write.
pub fn max_pool(arena: &mut [f32], input: View, output: View, region: Region, window: &Window2d, clamp: Clamp) {
    pool(arena, input, output, region, window, |values| clamp.apply(values.fold(f32::MIN, f32::max)));
}

fn pool(
    arena: &mut [f32],
    input: View,
    output: View,
    region: Region,
    window: &Window2d,
    reduce: impl Fn(&mut dyn Iterator<Item = f32>) -> f32,
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
