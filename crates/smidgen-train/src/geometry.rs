//! Where the windows of a convolution lie: forward in a padded plane of its input, backward in a padded plane of its
//! gradient.
//!
//! Forward, output pixel (y, x) reads the padded plane at (y s + ky d, x s + kx d). Backward, input pixel (y, x) gets
//! from tap (ky, kx) the gradient of output pixel ((y + p - ky d) / s, (x + p - kx d) / s) where these divide without
//! remainder and lie in the output, with stride s, dilation d and padding p. Input pixels of the same remainders modulo
//! s have the same taps: they are a [`Class`].

use crate::simd::{Correlation, Segment, Tap};
use smidgen_ir::{Padding, Window};

/// Sizes of a convolution, each for height and width.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Geometry {
    /// Pixels of the input.
    pub input: [usize; 2],
    /// Taps.
    pub kernel: [usize; 2],
    /// Pixels between neighbouring windows.
    pub stride: [usize; 2],
    /// Pixels between neighbouring taps.
    pub dilation: [usize; 2],
    /// Pixels of padding above and to the left.
    pub before: [usize; 2],
    /// Pixels of the output.
    pub output: [usize; 2],
    /// Pixels of the padded input.
    pub plane: [usize; 2],
    /// Pixels of the padded gradient.
    pub gradient: [usize; 2],
    /// Where the gradient begins in its padded plane.
    pub margin: [usize; 2],
    /// Taps of the forward pass, in order of the weights.
    pub taps: Vec<Tap>,
    /// Classes of input pixels of the backward pass.
    pub classes: Vec<Class>,
}

/// Input pixels that have the same taps in the backward pass.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Class {
    /// The first of them.
    pub first: [usize; 2],
    /// How many rows and columns of them.
    pub grid: [usize; 2],
    /// Their taps, in the order in which they lie in the gradient's plane.
    pub taps: Vec<Tap>,
}

impl Geometry {
    /// Resolves a convolution over `input` pixels; `None` if its window fits nowhere.
    pub(crate) fn new(
        input: [usize; 2],
        kernel: [usize; 2],
        stride: [usize; 2],
        dilation: [usize; 2],
        padding: Padding,
    ) -> Option<Self> {
        let axis = |i: usize| Window::resolve(input[i], kernel[i], stride[i], dilation[i], padding, i);
        let (v, h) = (axis(0)?, axis(1)?);
        let (before, output) = ([v.before, h.before], [v.output, h.output]);
        let pair = |f: &dyn Fn(usize) -> usize| [f(0), f(1)];
        let plane =
            pair(&|i| (before[i] + input[i]).max((output[i] - 1) * stride[i] + (kernel[i] - 1) * dilation[i] + 1));
        let steps =
            |i: usize| (0..stride[i]).flat_map(move |r| axis_taps(r, kernel[i], stride[i], dilation[i], before[i]));
        let margin = pair(&|i| steps(i).map(|(t, _)| (-t).max(0) as usize).max().unwrap_or(0));
        let gradient = pair(&|i| {
            let farthest = (0..stride[i]).flat_map(|r| {
                let count = input[i].saturating_sub(r).div_ceil(stride[i]) as isize;
                axis_taps(r, kernel[i], stride[i], dilation[i], before[i])
                    .map(move |(t, _)| (count + t).max(0) as usize)
            });
            margin[i] + farthest.max().unwrap_or(0).max(output[i])
        });
        let mut taps = Vec::new();
        for ky in 0..kernel[0] {
            for kx in 0..kernel[1] {
                let offset = ky * dilation[0] * plane[1] + kx * dilation[1];
                taps.push(Tap { offset, weight: ky * kernel[1] + kx });
            }
        }
        let mut classes = Vec::new();
        for y in 0..stride[0].min(input[0]) {
            for x in 0..stride[1].min(input[1]) {
                let mut taps = Vec::new();
                for (ty, ky) in axis_taps(y, kernel[0], stride[0], dilation[0], before[0]) {
                    for (tx, kx) in axis_taps(x, kernel[1], stride[1], dilation[1], before[1]) {
                        let (row, column) = (ty + margin[0] as isize, tx + margin[1] as isize);
                        let offset = row as usize * gradient[1] + column as usize;
                        taps.push(Tap { offset, weight: ky * kernel[1] + kx });
                    }
                }
                taps.sort_by_key(|t| t.offset);
                let grid = [(input[0] - y).div_ceil(stride[0]), (input[1] - x).div_ceil(stride[1])];
                classes.push(Class { first: [y, x], grid, taps });
            }
        }
        Some(Self { input, kernel, stride, dilation, before, output, plane, gradient, margin, taps, classes })
    }

    /// Whether each output pixel is a function of the input pixel at the same place alone.
    pub(crate) fn is_pointwise(&self) -> bool {
        self.kernel == [1, 1] && self.stride == [1, 1] && self.before == [0, 0] && self.input == self.output
    }

    /// Pixels of the output.
    pub(crate) fn output_pixels(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// Pixels of the input.
    pub(crate) fn input_pixels(&self) -> usize {
        self.input[0] * self.input[1]
    }

    /// Pixels of the padded input.
    pub(crate) fn plane_pixels(&self) -> usize {
        self.plane[0] * self.plane[1]
    }

    /// Pixels of the padded gradient.
    pub(crate) fn gradient_pixels(&self) -> usize {
        self.gradient[0] * self.gradient[1]
    }

    /// The forward pass as a correlation from the padded input.
    pub(crate) fn forward(&self) -> Correlation<'_> {
        Correlation {
            grid: self.output,
            input: [self.stride[0] * self.plane[1], self.stride[1]],
            output: [0, self.output[1], 1],
            taps: &self.taps,
        }
    }

    /// The forward pass, its output in the padded gradient.
    pub(crate) fn to_weights(&self) -> Correlation<'_> {
        let first = self.margin[0] * self.gradient[1] + self.margin[1];
        Correlation { output: [first, self.gradient[1], 1], ..self.forward() }
    }

    /// The backward pass to the input pixels of `class`, from the padded gradient.
    pub(crate) fn backward<'a>(&self, class: &'a Class) -> Correlation<'a> {
        let width = self.input[1];
        let first = class.first[0] * width + class.first[1];
        Correlation {
            grid: class.grid,
            input: [self.gradient[1], 1],
            output: [first, self.stride[0] * width, self.stride[1]],
            taps: &class.taps,
        }
    }
}

/// For input pixels of remainder `r` along one axis: the taps, and how far the output pixel that each leads to lies
/// from the input pixel's own place in its class.
fn axis_taps(
    r: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    before: usize,
) -> impl Iterator<Item = (isize, usize)> {
    (0..kernel).filter_map(move |k| {
        let position = (r + before) as isize - (k * dilation) as isize;
        let stride = stride as isize;
        (position.rem_euclid(stride) == 0).then(|| (position.div_euclid(stride), k))
    })
}

/// Taps of `channels` elements each as segments of a product's inner dimension, neighbouring ones joined.
pub(crate) fn segments(taps: &[Tap], channels: usize) -> Vec<Segment> {
    let mut joined: Vec<Segment> = Vec::new();
    for tap in taps {
        let offset = tap.offset * channels;
        match joined.last_mut() {
            Some(last) if last.offset + last.len == offset => last.len += channels,
            _ => joined.push(Segment { offset, len: channels }),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each pair of pixels that a window joins forward is joined backward, by the same tap, and no other pair is.
    #[test]
    fn classes_are_the_transpose_of_the_taps() {
        for (size, kernel, stride, dilation) in
            [(7, 3, 1, 1), (8, 3, 2, 1), (9, 5, 2, 1), (6, 7, 1, 1), (9, 3, 2, 2), (10, 2, 3, 1), (5, 1, 2, 1)]
        {
            for padding in [Padding::Same, Padding::Valid, Padding::Explicit { top: 2, bottom: 1, left: 0, right: 2 }] {
                let Some(g) = Geometry::new([size, size + 1], [kernel; 2], [stride; 2], [dilation; 2], padding) else {
                    continue;
                };
                let mut forward = Vec::new();
                for y in 0..g.output[0] {
                    for x in 0..g.output[1] {
                        for t in &g.taps {
                            let at = y * stride * g.plane[1] + x * stride + t.offset;
                            let (py, px) = (at / g.plane[1], at % g.plane[1]);
                            let inside = |p: usize, i: usize| p >= g.before[i] && p - g.before[i] < g.input[i];
                            if inside(py, 0) && inside(px, 1) {
                                forward.push(([py - g.before[0], px - g.before[1]], [y, x], t.weight));
                            }
                        }
                    }
                }
                let mut backward = Vec::new();
                for class in &g.classes {
                    for j in 0..class.grid[0] {
                        for i in 0..class.grid[1] {
                            for t in &class.taps {
                                let at = j * g.gradient[1] + i + t.offset;
                                assert!(at < g.gradient_pixels());
                                let (zy, zx) = (at / g.gradient[1], at % g.gradient[1]);
                                let inside = |p: usize, i: usize| p >= g.margin[i] && p - g.margin[i] < g.output[i];
                                if inside(zy, 0) && inside(zx, 1) {
                                    let pixel = [class.first[0] + j * stride, class.first[1] + i * stride];
                                    backward.push((pixel, [zy - g.margin[0], zx - g.margin[1]], t.weight));
                                }
                            }
                        }
                    }
                }
                forward.sort();
                backward.sort();
                assert_eq!(forward, backward, "{size} {kernel} {stride} {dilation} {padding:?}");
            }
        }
    }
}
