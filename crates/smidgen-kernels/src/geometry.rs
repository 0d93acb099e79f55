//! Sizes of operators that move a window over the rows and columns of an image.

use core::ops::Range;

/// A window over an image with its padding resolved. Sizes are those of one image of the batch; row `r` of a view is row
/// `r % h` of image `r / h`.
///
/// For a transposed convolution the window moves over the *output*: `input` is still what the kernel reads, and `before` is the
/// padding of the convolution that it transposes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Window2d {
    /// Height, width and channels of the input.
    pub input: [usize; 3],
    /// Height, width and channels of the output.
    pub output: [usize; 3],
    /// Taps: rows and columns; at least 1.
    pub size: [usize; 2],
    /// Input steps for one output step, along height and width; at least 1.
    pub stride: [usize; 2],
    /// Distance between neighbouring taps; at least 1.
    pub dilation: [usize; 2],
    /// Padding above and to the left.
    pub before: [usize; 2],
}

impl Window2d {
    /// A FULLY_CONNECTED layer of so many inputs and outputs, each row of its input an image of one pixel.
    pub const fn of_row(inputs: usize, outputs: usize) -> Self {
        Self {
            input: [1, 1, inputs],
            output: [1, 1, outputs],
            size: [1; 2],
            stride: [1; 2],
            dilation: [1; 2],
            before: [0; 2],
        }
    }

    /// Number of taps.
    pub const fn area(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// Taps times input channels: the length of the dot product of a convolution.
    pub const fn patch(&self) -> usize {
        self.area() * self.input[2]
    }

    /// True if each output reads the pixel of the input in its place, and nothing else.
    pub fn is_pointwise(&self) -> bool {
        let ([height, width, _], [out_h, out_w, _]) = (self.input, self.output);
        self.size == [1; 2] && self.stride == [1; 2] && self.before == [0; 2] && [height, width] == [out_h, out_w]
    }

    /// Outputs for each input channel, of a depthwise convolution.
    pub const fn multiplier(&self) -> usize {
        self.output[2] / if self.input[2] == 0 { 1 } else { self.input[2] }
    }

    /// For a row of the output, counted over all images: the first input row of its image, and which row of the image it is.
    #[inline]
    pub fn image_row(&self, row: usize) -> (usize, usize) {
        let (image, y) = split(row, self.output[0]);
        (image * self.input[0], y)
    }

    /// Along `axis` (0: height, 1: width), which taps of the window of output index `out` lie inside the input, and the input
    /// index of the first of them. With no tap inside, the range is empty and the index is 0.
    #[inline]
    pub fn taps(&self, axis: usize, out: usize) -> (Range<usize>, usize) {
        // Masked and at least 1, so that neither index nor division can panic.
        let axis = axis & 1;
        let (start, dilation) = (out * self.stride[axis], self.dilation[axis].max(1));
        let before = self.before[axis];
        // Tap t reads input index start + t * dilation - before.
        let first = before.saturating_sub(start).div_ceil(dilation);
        let end = (self.input[axis] + before).saturating_sub(start).div_ceil(dilation).min(self.size[axis]);
        if first >= end { (0..0, 0) } else { (first..end, start + first * dilation - before) }
    }

    /// For a transposed convolution: along `axis`, the input indices whose window covers output index `out`. Input index `i`
    /// reaches it through tap `out + before - i * stride`.
    #[inline]
    pub fn sources(&self, axis: usize, out: usize) -> Range<usize> {
        let axis = axis & 1;
        let (position, stride) = (out + self.before[axis], self.stride[axis].max(1));
        let first = (position + 1).saturating_sub(self.size[axis]).div_ceil(stride);
        let end = (position / stride + 1).min(self.input[axis]);
        first..end.max(first)
    }
}

/// Quotient and remainder. Nothing panics where `height` is 0; most networks take one image, which needs no division.
#[inline]
pub(crate) fn split(row: usize, height: usize) -> (usize, usize) {
    if row < height { (0, row) } else { (row / height.max(1), row % height.max(1)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, tap by tap.
    fn slow(window: &Window2d, axis: usize, out: usize) -> (usize, Option<usize>, usize) {
        let mut inside = (0..window.size[axis]).filter_map(|t| {
            let at = (out * window.stride[axis] + t * window.dilation[axis]).checked_sub(window.before[axis])?;
            (at < window.input[axis]).then_some((t, at))
        });
        let first = inside.next();
        (first.map_or(0, |f| f.0), first.map(|f| f.1), inside.count() + usize::from(first.is_some()))
    }

    #[test]
    fn taps_are_those_inside_the_input() {
        for (input, size, stride, dilation, before) in [
            (8, 3, 1, 1, 1),
            (8, 3, 2, 1, 0),
            (5, 3, 1, 2, 2),
            (2, 7, 1, 3, 9),
            (1, 1, 3, 1, 0),
            (4, 2, 3, 5, 6),
            (3, 2, 1, 1, 4),
        ] {
            let window = Window2d {
                input: [input; 3],
                output: [9; 3],
                size: [size; 2],
                stride: [stride; 2],
                dilation: [dilation; 2],
                before: [before; 2],
            };
            for out in 0..9 {
                let (taps, at) = window.taps(0, out);
                let (first, first_at, count) = slow(&window, 0, out);
                assert_eq!((taps.start, taps.len(), at), (first, count, first_at.unwrap_or(0)), "{window:?} {out}");
            }
        }
    }

    #[test]
    fn sources_are_the_inputs_whose_window_covers_the_output() {
        for (input, size, stride, before) in [(4, 3, 2, 0), (4, 2, 3, 0), (5, 3, 1, 1), (3, 1, 4, 0), (2, 5, 2, 2)] {
            let window = Window2d {
                input: [input; 3],
                output: [20; 3],
                size: [size; 2],
                stride: [stride; 2],
                dilation: [1; 2],
                before: [before; 2],
            };
            for out in 0..20 {
                let covers = |i: usize| (out + before).checked_sub(i * stride).is_some_and(|tap| tap < size);
                let found = window.sources(1, out);
                assert!((0..input).all(|i| covers(i) == found.contains(&i)), "{window:?} {out} {found:?}");
            }
        }
    }
}
