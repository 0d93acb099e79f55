//! AVERAGE_POOL_2D and MAX_POOL_2D.

use super::Clamp;
use crate::geometry::Window2d;
use crate::memory::{Arena, Bounds};
use crate::pooling::pool;
use crate::view::{Region, Views};

/// Mean of the window's elements that lie inside the input, clamped.
///
/// Order: up to four channels of a pixel at a time, reads before writes; no worse than one element at a time, all reads before its write.
pub fn average_pool<B: Bounds>(
    arena: Arena<'_, f32, B>,
    views: &Views,
    region: Region,
    window: &Window2d,
    clamp: Clamp,
) {
    let add = |sum: &mut f32, value| *sum += value;
    pool(arena, views, region, window, 0.0, add, |sum, count| {
        // A window wholly in the padding has no mean; zero is as good as any.
        clamp.apply(if count > 0 { sum / count as f32 } else { 0.0 })
    });
}

/// Greatest of the window's elements, clamped.
///
/// Order: up to four channels of a pixel at a time, reads before writes; no worse than one element at a time, all reads before its write.
pub fn max_pool<B: Bounds>(arena: Arena<'_, f32, B>, views: &Views, region: Region, window: &Window2d, clamp: Clamp) {
    pool(arena, views, region, window, f32::NEG_INFINITY, |max, v| *max = max.max(v), |v, _| clamp.apply(v));
}
