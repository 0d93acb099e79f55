//! AVERAGE_POOL_2D and MAX_POOL_2D. Input and output have the same quantisation.

use crate::geometry::Window2d;
use crate::pooling::pool;
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
