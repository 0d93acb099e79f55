//! What a layer reads, summed up: means, second moments, and how far the float network's values lie from the integer network's.
//!
//! A layer's output at one position is a product of weights with a patch of the input. Its columns come in groups that share no weight:
//! one group for a convolution or fully connected layer, one for each input channel of a depthwise convolution. Very long patches
//! are cut into several groups, as if these were independent, since second moments take the square of a group's columns.

use crate::weights::{Kind, Layout};
use rayon::prelude::*;
use smidgen_ir::{ConvParams, Op, Window};

/// Patches that are looked at, spread evenly over positions and samples: far more than a layer has columns.
const MOST_PATCHES: usize = 16_384;
/// Most columns of a group.
const MOST_COLUMNS: usize = 2304;

/// Where a layer's patches lie in its input.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Patches {
    /// Groups of columns.
    pub groups: usize,
    /// Columns of a group; the last group of a cut patch may have fewer, with zeros behind.
    pub columns: usize,
    /// Patches of one sample.
    positions: usize,
    view: View,
}

#[derive(Clone, PartialEq, Debug)]
enum View {
    /// Rows of so many elements.
    Rows(usize),
    /// `[height, width, depth]` of an image and windows over it, vertical and horizontal.
    Windows { image: [usize; 3], windows: [Window; 2], depthwise: bool },
}

impl Patches {
    /// For an operator with input and weights of these shapes; `None` if its output is no such product.
    pub fn of(op: &Op, input: &[usize], weights: &[usize]) -> Option<Self> {
        let windowed = |conv: &ConvParams, depthwise: bool| {
            let (&[batch, height, width, depth], &[_, kh, kw, _]) = (input, weights) else { return None };
            let resolve = |axis: usize, size: usize, taps: usize| {
                Window::resolve(size, taps, conv.stride[axis], conv.dilation[axis], conv.padding, axis)
            };
            let windows = [resolve(0, height, kh)?, resolve(1, width, kw)?];
            let positions = batch * windows[0].output * windows[1].output;
            let [groups, columns] = if depthwise { [depth, kh * kw] } else { cut(kh * kw * depth) };
            let view = View::Windows { image: [height, width, depth], windows, depthwise };
            Some(Self { groups, columns, positions, view })
        };
        match op {
            Op::Conv2d(conv) => windowed(conv, false),
            Op::DepthwiseConv2d { conv, .. } => windowed(conv, true),
            Op::FullyConnected { .. } => {
                let &row = weights.last()?;
                let positions = input.iter().product::<usize>().checked_div(row)?;
                let [groups, columns] = cut(row);
                Some(Self { groups, columns, positions, view: View::Rows(row) })
            }
            _ => None,
        }
    }

    /// Columns of all groups together.
    fn width(&self) -> usize {
        self.groups * self.columns
    }

    /// Writes the patch at a position; `patch` holds zeros.
    fn gather(&self, values: &[f32], position: usize, patch: &mut [f64]) {
        let copy = |from: &[f32], to: &mut [f64]| to.iter_mut().zip(from).for_each(|(to, &from)| *to = from.into());
        let (image, windows, depthwise) = match &self.view {
            View::Rows(row) => return copy(&values[position * row..][..*row], patch),
            View::Windows { image, windows, depthwise } => (image, windows, depthwise),
        };
        let ([height, width, depth], [down, across]) = (*image, windows);
        let (at, x0) = (position / across.output, position % across.output * across.stride);
        let (sample, y0) = (at / down.output, at % down.output * down.stride);
        for ky in 0..down.size {
            let Some(y) = (y0 + ky * down.dilation).checked_sub(down.before).filter(|&y| y < height) else { continue };
            for kx in 0..across.size {
                let x = (x0 + kx * across.dilation).checked_sub(across.before).filter(|&x| x < width);
                let Some(x) = x else { continue };
                let pixel = &values[((sample * height + y) * width + x) * depth..][..depth];
                let tap = ky * across.size + kx;
                if *depthwise {
                    patch.iter_mut().skip(tap).step_by(self.columns).zip(pixel).for_each(|(to, &v)| *to = v.into());
                } else {
                    copy(pixel, &mut patch[tap * depth..]);
                }
            }
        }
    }

    /// The group of a part of an output channel's weights, and the element of the weights at a column of it.
    pub fn element(&self, layout: &Layout, output: usize, group: usize, column: usize) -> Option<usize> {
        match layout.kind {
            Kind::Dense { per_output, .. } => {
                let at = group * self.columns + column;
                (at < per_output).then(|| output * per_output + at)
            }
            Kind::Depthwise { .. } => Some(column * layout.outputs + output),
        }
    }

    /// The groups that an output channel reads.
    pub fn groups_of(&self, layout: &Layout, output: usize) -> std::ops::Range<usize> {
        match layout.kind {
            Kind::Dense { .. } => 0..self.groups,
            Kind::Depthwise { multiplier } => output / multiplier..output / multiplier + 1,
        }
    }
}

/// Groups and columns for a patch of this length.
fn cut(length: usize) -> [usize; 2] {
    let groups = length.div_ceil(MOST_COLUMNS).max(1);
    [groups, length.div_ceil(groups)]
}

/// Moments of patches: with x of the float network and x' of the integer network, both as real numbers.
pub(crate) struct Moments {
    pub patches: Patches,
    count: f64,
    /// Mean of x, and of x', for each column.
    pub means: [Vec<f64>; 2],
    /// For each group, `columns` rows of `columns`: mean of `x' x'^T`.
    pub own: Vec<f64>,
    /// The same of `(x - x') x'^T`.
    pub apart: Vec<f64>,
}

impl Moments {
    pub fn new(patches: Patches) -> Self {
        let (width, square) = (patches.width(), patches.width() * patches.columns);
        let means = [vec![0.0; width], vec![0.0; width]];
        Self { count: 0.0, means, own: vec![0.0; square], apart: vec![0.0; square], patches }
    }

    /// Adds the patches of the sample of this number among `samples`: inputs of the layer in both networks.
    pub fn add(&mut self, sample: usize, samples: usize, real: &[f32], found: &[f32]) {
        let Self { patches, .. } = self;
        let (width, columns) = (patches.width(), patches.columns);
        let step = (patches.positions * samples).div_ceil(MOST_PATCHES).max(1);
        let chosen: Vec<usize> = (sample % step..patches.positions).step_by(step).collect();
        let gathered = |values: &[f32]| {
            let mut all = vec![0.0; chosen.len() * width];
            for (patch, &position) in all.chunks_exact_mut(width.max(1)).zip(&chosen) {
                patches.gather(values, position, patch);
            }
            all
        };
        let (found, mut apart) = (gathered(found), gathered(real));
        for (sums, all) in self.means.iter_mut().zip([&apart, &found]) {
            for patch in all.chunks_exact(width.max(1)) {
                sums.iter_mut().zip(patch).for_each(|(sum, v)| *sum += v);
            }
        }
        apart.iter_mut().zip(&found).for_each(|(a, f)| *a -= f);
        let rows = |sums: &mut [f64], left: &[f64]| {
            sums.par_chunks_exact_mut(columns.max(1)).enumerate().for_each(|(row, sums)| {
                let first = row / columns * columns;
                for (left, right) in left.chunks_exact(width).zip(found.chunks_exact(width)) {
                    // After a ReLU about half of all values are 0.
                    if left[row] != 0.0 {
                        add_scaled(sums, left[row], &right[first..first + columns]);
                    }
                }
            });
        };
        rows(&mut self.own, &found);
        rows(&mut self.apart, &apart);
        self.count += chosen.len() as f64;
    }

    /// Divides sums by the count; `centred` moments are about the means.
    pub fn finish(&mut self, centred: bool) {
        let (count, columns) = (self.count.max(1.0), self.patches.columns);
        let all = self.means.iter_mut().chain([&mut self.own, &mut self.apart]);
        all.for_each(|sums| sums.iter_mut().for_each(|sum| *sum /= count));
        if !centred {
            return;
        }
        let [real, found] = &self.means;
        for (row, (own, apart)) in
            self.own.chunks_exact_mut(columns).zip(self.apart.chunks_exact_mut(columns)).enumerate()
        {
            let group = &found[row / columns * columns..][..columns];
            add_scaled(own, -found[row], group);
            add_scaled(apart, found[row] - real[row], group);
        }
    }

    /// Patches added for each column of a group.
    pub fn support(&self) -> f64 {
        self.count / self.patches.columns.max(1) as f64
    }
}

/// `sums += factor * values`.
pub(crate) fn add_scaled(sums: &mut [f64], factor: f64, values: &[f64]) {
    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += factor * value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use smidgen_ir::{Activation, Padding};

    fn conv(stride: usize) -> ConvParams {
        let dilation = [1, 1];
        ConvParams { stride: [stride; 2], dilation, padding: Padding::Same, activation: Activation::None }
    }

    /// Every patch times the weights is the output.
    fn check(op: &Op, input: &[usize], weights: &[usize], outputs: &[f64]) {
        let layout = Layout::of(op, weights).unwrap();
        let patches = Patches::of(op, input, weights).unwrap();
        let values: Vec<f32> = (0..input.iter().product()).map(|i| (i % 7) as f32 - 2.0).collect();
        let mut found = Vec::new();
        for position in 0..patches.positions {
            let mut patch = vec![0.0; patches.width()];
            patches.gather(&values, position, &mut patch);
            for output in 0..layout.outputs {
                let mut sum = 0.0;
                for group in patches.groups_of(&layout, output) {
                    for column in 0..patches.columns {
                        // The weight of an element is its index.
                        let element = patches.element(&layout, output, group, column).unwrap();
                        sum += element as f64 * patch[group * patches.columns + column];
                    }
                }
                found.push(sum);
            }
        }
        assert_eq!(found, outputs);
    }

    #[test]
    fn patches_times_weights_are_the_output() {
        check(&Op::Conv2d(conv(2)), &[1, 1, 3, 1], &[1, 1, 2, 1], &[-1.0, 0.0]);
        let mut expected = Vec::new();
        for (y, x) in (0..2i32).flat_map(|y| (0..3i32).map(move |x| (y, x))) {
            for o in 0..2 {
                let mut sum = 0.0;
                for (ky, kx) in (0..3i32).flat_map(|ky| (0..3i32).map(move |kx| (ky, kx))) {
                    let (iy, ix) = (y + ky - 1, x + kx - 1);
                    if (0..2).contains(&iy) && (0..3).contains(&ix) {
                        sum += f64::from(o * 9 + ky * 3 + kx) * f64::from((iy * 3 + ix) % 7 - 2);
                    }
                }
                expected.push(sum);
            }
        }
        check(&Op::Conv2d(conv(1)), &[1, 2, 3, 1], &[2, 3, 3, 1], &expected);
        let depthwise = Op::DepthwiseConv2d { conv: conv(1), multiplier: 2 };
        // Pixels (-2, -1) and (0, 1), one tap, weights 0..4.
        check(&depthwise, &[1, 1, 2, 2], &[1, 1, 1, 4], &[0.0, -2.0, -2.0, -3.0, 0.0, 0.0, 2.0, 3.0]);
        let full = Op::FullyConnected {
            keep_num_dims: false,
            asymmetric_quantize_inputs: false,
            activation: Activation::None,
        };
        check(&full, &[2, 2], &[2, 2], &[-1.0, -7.0, 1.0, 3.0]);
    }

    #[test]
    fn long_patches_are_cut() {
        assert_eq!(cut(100), [1, 100]);
        assert_eq!(cut(2 * MOST_COLUMNS + 1), [3, 1537]);
        assert_eq!(cut(0), [1, 0]);
    }

    #[test]
    fn moments_are_means_of_products() {
        let full = Op::FullyConnected {
            keep_num_dims: false,
            asymmetric_quantize_inputs: false,
            activation: Activation::None,
        };
        let mut moments = Moments::new(Patches::of(&full, &[1, 2], &[1, 2]).unwrap());
        for (i, [a, b]) in [[1.0, 2.0], [3.0, -1.0]].into_iter().enumerate() {
            moments.add(i, 2, &[a + 0.5, b], &[a, b]);
        }
        moments.finish(false);
        assert_eq!(moments.means, [vec![2.5, 0.5], vec![2.0, 0.5]]);
        assert_eq!(moments.own, [5.0, -0.5, -0.5, 2.5]);
        assert_eq!(moments.apart, [1.0, 0.25, 0.0, 0.0]);
    }
}
