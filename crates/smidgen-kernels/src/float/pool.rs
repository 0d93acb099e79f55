//! AVERAGE_POOL_2D and MAX_POOL_2D.

use super::Clamp;
use crate::geometry::Window2d;
use crate::pooling::pool;
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
