//! AVERAGE_POOL_2D and MAX_POOL_2D of integers. Input and output have the same quantisation.

use crate::geometry::Window2d;
use crate::memory::{Arena, Bounds, Integer};
use crate::pooling::pool;
use crate::requant::limit;
use crate::view::{Region, Views};

/// Mean of the window's elements that lie inside the input, rounded half away from zero, clamped to `[min, max]`.
///
/// Order: up to four channels of a pixel at a time, reads before writes; no worse than one element at a time, all
/// reads before its write.
pub fn average_pool<T: Integer, B: Bounds>(
    arena: Arena<'_, T, B>,
    views: &Views,
    region: Region,
    window: &Window2d,
    clamp: [T; 2],
) {
    let add = |sum: &mut i32, value: T| *sum = sum.wrapping_add(value.into());
    pool(arena, views, region, window, 0, add, |sum, count| rounded_mean(sum, count as i32, clamp));
}

/// The same of uint8, whose integers are held less 128: rounded half up, since none is negative there.
///
/// Order: up to four channels of a pixel at a time, reads before writes; no worse than one element at a time, all
/// reads before its write.
pub fn average_pool_uint8<B: Bounds>(
    arena: Arena<'_, i8, B>,
    views: &Views,
    region: Region,
    window: &Window2d,
    clamp: [i8; 2],
) {
    let add = |sum: &mut i32, value: i8| *sum = sum.wrapping_add(i32::from(value) + 128);
    pool(arena, views, region, window, 0, add, |sum, count| mean_of_uint8(sum, count as i32, clamp));
}

/// `sum / count - 128` rounded half up and clamped, where `sum` is of the elements as uint8 holds them. A window
/// wholly in the padding has no mean; zero is as good as any.
pub(super) fn mean_of_uint8(sum: i32, count: i32, [min, max]: [i8; 2]) -> i8 {
    let mean = sum.wrapping_add(count / 2).checked_div(count).unwrap_or(0);
    limit(mean.wrapping_sub(128), min, max)
}

/// `sum / count` rounded half away from zero and clamped. A window wholly in the padding has no mean; zero is as good as any.
pub(super) fn rounded_mean<T: Integer>(sum: i32, count: i32, [min, max]: [T; 2]) -> T {
    let half = if sum > 0 { count / 2 } else { -(count / 2) };
    let mean = sum.wrapping_add(half).checked_div(count).unwrap_or(0);
    limit(mean, min, max)
}

/// Greatest of the window's elements, clamped to `[min, max]`.
///
/// Order: up to four channels of a pixel at a time, reads before writes; no worse than one element at a time, all
/// reads before its write.
pub fn max_pool<T: Integer, B: Bounds>(
    arena: Arena<'_, T, B>,
    views: &Views,
    region: Region,
    window: &Window2d,
    [min, max]: [T; 2],
) {
    pool(arena, views, region, window, T::MIN, |max, v: T| *max = v.max(*max), |v, _| v.max(min).min(max));
}
