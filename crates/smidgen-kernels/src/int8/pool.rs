//! AVERAGE_POOL_2D and MAX_POOL_2D. Input and output have the same quantisation.

use crate::geometry::Window2d;
use crate::view::{Region, View};

/// Mean of the window's elements that lie inside the input, rounded half away from zero, clamped to `[min, max]`.
///
/// Order: one element at a time, all reads before its write.
pub fn average_pool(arena: &mut [i8], input: View, output: View, region: Region, window: &Window2d, clamp: [i8; 2]) {
    pool(arena, input, output, region, window, |values| {
        let (mut sum, mut count) = (0i32, 0i32);
        for value in values {
            sum = sum.wrapping_add(value as i32);
            count += 1;
        }
        rounded_mean(sum, count, clamp)
    });
}

/// `sum / count` rounded half away from zero and clamped. A window wholly in the padding has no mean; zero is as good as any.
pub(super) fn rounded_mean(sum: i32, count: i32, [min, max]: [i8; 2]) -> i8 {
    let half = if sum > 0 { count / 2 } else { -(count / 2) };
    let mean = sum.wrapping_add(half).checked_div(count).unwrap_or(0);
    mean.clamp(min as i32, max as i32) as i8
}

/// Greatest of the window's elements, clamped to `[min, max]`.
///
/// Order: one element at a time, all reads before its write.
pub fn max_pool(arena: &mut [i8], input: View, output: View, region: Region, window: &Window2d, [min, max]: [i8; 2]) {
    pool(arena, input, output, region, window, |values| values.fold(i8::MIN, i8::max).clamp(min, max));
}

fn pool(
    arena: &mut [i8],
    input: View,
    output: View,
    region: Region,
    window: &Window2d,
    reduce: impl Fn(&mut dyn Iterator<Item = i8>) -> i8,
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
