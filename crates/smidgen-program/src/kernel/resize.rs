//! Kernels of RESIZE_BILINEAR.

use super::{KernelSpec, Pattern};
use crate::costs::{Family, Size, Work};
use smidgen_ir::ElementType;
use smidgen_kernels::{float, int8, int16};

/// Bilinear sampling along an axis: how many indices there are on both sides, and the first and last input index of an output index.
macro_rules! pattern {
    ($scales:expr, $element:ident) => {{
        let scales = &$scales;
        Pattern::Resize {
            element: ElementType::$element,
            sizes: scales.map(|scale| [scale.input, scale.output]),
            at: Box::new(|axis, i| (scales[axis].at(i).0, scales[axis].at(i).1)),
        }
    }};
}

/// RESIZE_BILINEAR on int8. Input: `x`.
#[derive(Clone, PartialEq, Debug)]
pub struct ResizeI8 {
    /// Rows (of one image) and columns.
    pub scales: [int8::Scale; 2],
}

impl KernelSpec for ResizeI8 {
    fn pattern(&self) -> Pattern<'_> {
        pattern!(self.scales, Int8)
    }

    fn work(&self, run: &Size) -> Work {
        Work::new(Family::Resize, [1, run.rows, run.pixels(), run.elements()])
    }
}

call!(ResizeI8(k, site) => int8::resize_bilinear:
    arena(i8), views(), region(), value(depth = site.output().depth), reference(scales = k.scales));

/// RESIZE_BILINEAR on int16. Input: `x`.
#[derive(Clone, PartialEq, Debug)]
pub struct ResizeI16 {
    /// Rows (of one image) and columns.
    pub scales: [int8::Scale; 2],
}

impl KernelSpec for ResizeI16 {
    fn pattern(&self) -> Pattern<'_> {
        pattern!(self.scales, Int16)
    }

    fn work(&self, run: &Size) -> Work {
        run.other(Family::OtherI16)
    }
}

call!(ResizeI16(k, site) => int16::resize_bilinear:
    arena(i16), views(), region(), value(depth = site.output().depth), reference(scales = k.scales));

/// RESIZE_BILINEAR on float32. Input: `x`.
#[derive(Clone, PartialEq, Debug)]
pub struct ResizeF32 {
    /// Rows (of one image) and columns.
    pub scales: [float::Scale; 2],
}

impl KernelSpec for ResizeF32 {
    fn pattern(&self) -> Pattern<'_> {
        pattern!(self.scales, Float32)
    }

    fn work(&self, run: &Size) -> Work {
        run.other(Family::OtherF32)
    }
}

call!(ResizeF32(k, site) => float::resize_bilinear:
    arena(f32), views(), region(), value(depth = site.output().depth), reference(scales = k.scales));

/// RESIZE_BILINEAR on uint8, whose integers are held less 128. Input: `x`.
#[derive(Clone, PartialEq, Debug)]
pub struct ResizeUint8 {
    /// Rows (of one image) and columns.
    pub scales: [float::Scale; 2],
}

impl KernelSpec for ResizeUint8 {
    fn pattern(&self) -> Pattern<'_> {
        pattern!(self.scales, Int8)
    }

    fn work(&self, run: &Size) -> Work {
        run.other(Family::OtherF32)
    }
}

call!(ResizeUint8(k, site) => float::resize_bilinear_uint8:
    arena(i8), views(), region(), value(depth = site.output().depth), reference(scales = k.scales));
