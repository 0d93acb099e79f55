//! The gradient of a depthwise convolution's weights: for each tap, a sum over all pixels.

use super::{Correlation, Tap};
use crate::simd::Isa;
use crate::simd::instances;
use crate::simd::lanes::Lanes;
use crate::simd::rows::blocks;

/// One image, backward to the weights: `gradient[t, c] += sum_pixel dz[pixel, c] plane[pixel + t, c]`.
///
/// `grid` is that of the forward pass, and `dz` lies in a plane where its output says.
pub(crate) fn depthwise_weights(
    isa: Isa,
    grid: &Correlation<'_>,
    c: usize,
    plane: &[f32],
    dz: &[f32],
    gradient: &mut [f32],
) {
    if grid.check(plane.len() / c, dz.len() / c, gradient.len() / c) {
        // SAFETY: the grid and its taps lie in their slices.
        unsafe { weights_run(isa, grid, c, plane.as_ptr(), dz.as_ptr(), gradient.as_mut_ptr()) }
    }
}

instances! {
    /// # Safety
    /// As `depthwise_weights` checks.
    unsafe fn weights_run(
        grid: &Correlation<'_>, c: usize, plane: *const f32, dz: *const f32, gradient: *mut f32,
    ) of weights_kernel
}

#[inline(always)]
unsafe fn weights_kernel<L: Lanes>(
    grid: &Correlation<'_>,
    c: usize,
    plane: *const f32,
    dz: *const f32,
    gradient: *mut f32,
) {
    // SAFETY: the caller checked the grid for all channels.
    unsafe {
        // As many taps at a time as have an accumulator in a register.
        let most = if L::PAIR { 9 } else { 5 };
        let parts = grid.taps.len().div_ceil(most);
        for (i, n) in blocks(c) {
            for part in 0..parts {
                let (from, to) = (grid.taps.len() * part / parts, grid.taps.len() * (part + 1) / parts);
                let taps = grid.taps.as_ptr().add(from);
                let (x, d, g) = (plane.add(i), dz.add(i), gradient.add(i));
                match to - from {
                    1 => weights_of::<L, 1>(grid, taps, c, n, x, d, g),
                    2 => weights_of::<L, 2>(grid, taps, c, n, x, d, g),
                    3 => weights_of::<L, 3>(grid, taps, c, n, x, d, g),
                    4 => weights_of::<L, 4>(grid, taps, c, n, x, d, g),
                    5 => weights_of::<L, 5>(grid, taps, c, n, x, d, g),
                    6 if L::PAIR => weights_of::<L, 6>(grid, taps, c, n, x, d, g),
                    7 if L::PAIR => weights_of::<L, 7>(grid, taps, c, n, x, d, g),
                    8 if L::PAIR => weights_of::<L, 8>(grid, taps, c, n, x, d, g),
                    9 if L::PAIR => weights_of::<L, 9>(grid, taps, c, n, x, d, g),
                    _ => unreachable!("at most as many taps at a time as there are accumulators"),
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn weights_of<L: Lanes, const N: usize>(
    grid: &Correlation<'_>,
    taps: *const Tap,
    c: usize,
    n: usize,
    plane: *const f32,
    dz: *const f32,
    gradient: *mut f32,
) {
    // SAFETY: the grid was checked, and N taps follow `taps`.
    unsafe {
        let mut sums = [L::zero(); N];
        let mut offsets = [0; N];
        for (t, offset) in offsets.iter_mut().enumerate() {
            *offset = (*taps.add(t)).offset * c;
        }
        let [rows, columns] = grid.grid;
        for y in 0..rows {
            let mut x = plane.add(y * grid.input[0] * c);
            let mut d = dz.add((grid.output[0] + y * grid.output[1]) * c);
            for _ in 0..columns {
                let v = L::load_n(d, n);
                for t in 0..N {
                    sums[t] = L::fma(v, L::load_n(x.add(offsets[t]), n), sums[t]);
                }
                x = x.wrapping_add(grid.input[1] * c);
                d = d.wrapping_add(grid.output[2] * c);
            }
        }
        for (t, &sum) in sums.iter().enumerate() {
            let to = gradient.add((*taps.add(t)).weight * c);
            L::store_n(to, L::add(sum, L::load_n(to, n)), n);
        }
    }
}
