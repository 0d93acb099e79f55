//! Kernels of QUANTIZE, DEQUANTIZE and ARG_MAX.

use super::{KernelSpec, Pattern};
use crate::costs::{Family, Size, Work};
use smidgen_ir::ElementType;
use smidgen_kernels::convert::{self, Stored};

/// The element type of a stored element.
pub(super) fn element(stored: Stored) -> ElementType {
    match stored {
        Stored::Int8 => ElementType::Int8,
        Stored::Uint8 => ElementType::Uint8,
        Stored::Int16 => ElementType::Int16,
        Stored::Int32 => ElementType::Int32,
        Stored::Int64 => ElementType::Int64,
        Stored::Float32 => ElementType::Float32,
        Stored::Bool => ElementType::Bool,
    }
}

/// QUANTIZE from float32. Input: `x`.
#[derive(Clone, PartialEq, Debug)]
pub struct Quantise {
    /// Element type of the output.
    pub to: Stored,
    /// Scale of the output.
    pub scale: f32,
    /// Zero point of the output.
    pub zero_point: i32,
}

impl KernelSpec for Quantise {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Elementwise { from: ElementType::Float32, to: element(self.to) }
    }

    fn work(&self, run: &Size) -> Work {
        run.mapped(Family::Quantise)
    }
}

call!(Quantise(k, site) => convert::quantize:
    arena(u8), views(), region(), value(depth = site.output().depth), value(to = k.to),
    value(scale = k.scale), value(zero_point = k.zero_point));

/// DEQUANTIZE to float32. Input: `x`.
#[derive(Clone, PartialEq, Debug)]
pub struct Dequantise {
    /// Element type of the input.
    pub from: Stored,
    /// Scale of the input.
    pub scale: f32,
    /// Zero point of the input.
    pub zero_point: i32,
}

impl KernelSpec for Dequantise {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Elementwise { from: element(self.from), to: ElementType::Float32 }
    }

    fn work(&self, run: &Size) -> Work {
        run.mapped(Family::Dequantise)
    }
}

call!(Dequantise(k, site) => convert::dequantize:
    arena(u8), views(), region(), value(depth = site.output().depth), value(from = k.from),
    value(scale = k.scale), value(zero_point = k.zero_point));

/// QUANTIZE from one integer type to another. Input: `x`.
#[derive(Clone, PartialEq, Debug)]
pub struct Requantise(pub convert::Requantise);

impl KernelSpec for Requantise {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Elementwise { from: element(self.0.from), to: element(self.0.to) }
    }

    fn work(&self, run: &Size) -> Work {
        run.mapped(Family::Rescale)
    }
}

call!(Requantise(k, site) => convert::requantise:
    arena(u8), views(), region(), value(depth = site.output().depth), reference(how = k.0));

/// As [`Requantise`] between int8 and int16, fast form. Input: `x`.
#[derive(Clone, PartialEq, Debug)]
pub struct Rescale(pub convert::Rescale);

impl KernelSpec for Rescale {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Elementwise { from: element(self.0.from), to: element(self.0.to) }
    }

    fn work(&self, run: &Size) -> Work {
        run.mapped(Family::Rescale)
    }
}

call!(Rescale(k, site) => convert::rescale:
    arena(u8), views(), region(), value(depth = site.output().depth), reference(how = k.0));

/// QUANTIZE between int8 and uint8 of one scale: 128 more or less. Input: `x`.
#[derive(Clone, PartialEq, Debug)]
pub struct Flip {
    /// Whether from int8 to uint8.
    pub signed: bool,
}

impl KernelSpec for Flip {
    fn pattern(&self) -> Pattern<'_> {
        let (from, to) = (ElementType::Int8, ElementType::Uint8);
        if self.signed { Pattern::Elementwise { from, to } } else { Pattern::Elementwise { from: to, to: from } }
    }

    fn work(&self, run: &Size) -> Work {
        // Four bytes together take about what the table takes for one; on Cortex-M3 and up half more.
        Work::new(Family::Table, [1, run.rows, run.elements().div_ceil(4)])
    }
}

call!(Flip(k, site) => convert::flip: arena(u8), views(), region(), value(depth = site.output().depth));

/// ARG_MAX over the middle axis. Tensors are stored whole and seen as `[1, 1, elements]`. Input: `x`.
#[derive(Clone, PartialEq, Debug)]
pub struct ArgMax {
    /// The input, seen as outer, size, inner; the output is outer, inner.
    pub shape: [usize; 3],
    /// Element type of the input.
    pub from: Stored,
    /// Element type of the output.
    pub to: Stored,
}

impl KernelSpec for ArgMax {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Middle { shape: self.shape, from: element(self.from), to: element(self.to) }
    }

    fn work(&self, run: &Size) -> Work {
        run.other(Family::Other)
    }
}

call!(ArgMax(k, site) => convert::arg_max:
    arena(u8), value(input = site.input_base(0, false)), value(output = site.output_base(false)),
    value(shape = k.shape), value(from = k.from), value(to = k.to));
