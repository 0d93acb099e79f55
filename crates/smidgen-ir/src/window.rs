//! Sizes and padding of windowed operators along one axis.

use crate::ops::Padding;

/// A window moving along one axis, with its padding resolved to pixels.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Window {
    /// Taps.
    pub size: usize,
    /// Steps between neighbouring windows.
    pub stride: usize,
    /// Distance between neighbouring taps.
    pub dilation: usize,
    /// Padding before index 0.
    pub before: usize,
    /// Number of windows: the output's size.
    pub output: usize,
}

impl Window {
    /// Pixels from the first tap to the last, both counted: `(size - 1) * dilation + 1`.
    pub fn extent(&self) -> usize {
        (self.size - 1) * self.dilation + 1
    }

    /// Resolves padding along one axis as TensorFlow Lite does: `before = total / 2`, the odd pixel after.
    ///
    /// `axis` is 0 for height (top, bottom) and 1 for width (left, right). `None` if the window does not fit even once, or a
    /// number is zero or overflows.
    pub fn resolve(
        input: usize,
        size: usize,
        stride: usize,
        dilation: usize,
        padding: Padding,
        axis: usize,
    ) -> Option<Window> {
        if input == 0 || size == 0 || stride == 0 || dilation == 0 {
            return None;
        }
        let extent = (size - 1).checked_mul(dilation)?.checked_add(1)?;
        let (output, before) = match padding {
            Padding::Same => {
                let output = input.div_ceil(stride);
                let span = (output - 1).checked_mul(stride)?.checked_add(extent)?;
                (output, span.saturating_sub(input) / 2)
            }
            Padding::Valid => (input.checked_sub(extent)? / stride + 1, 0),
            Padding::Explicit { top, bottom, left, right } => {
                let (before, after) = if axis == 0 { (top, bottom) } else { (left, right) };
                let padded = input.checked_add(before)?.checked_add(after)?;
                (padded.checked_sub(extent)? / stride + 1, before)
            }
        };
        Some(Window { size, stride, dilation, before, output })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_padding_at_stride_two_is_asymmetric() {
        let w = Window::resolve(32, 3, 2, 1, Padding::Same, 0).unwrap();
        assert_eq!((w.output, w.before), (16, 0));
        let w = Window::resolve(33, 3, 2, 1, Padding::Same, 0).unwrap();
        assert_eq!((w.output, w.before), (17, 1));
    }

    #[test]
    fn a_window_larger_than_the_input_does_not_fit() {
        assert!(Window::resolve(2, 3, 1, 1, Padding::Valid, 0).is_none());
        assert!(Window::resolve(4, 3, 1, 2, Padding::Valid, 0).is_none());
        assert!(Window::resolve(usize::MAX, 3, 1, usize::MAX, Padding::Same, 0).is_none());
    }
}
