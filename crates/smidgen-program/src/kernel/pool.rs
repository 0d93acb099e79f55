//! Kernels of AVERAGE_POOL_2D and MAX_POOL_2D.

use super::{KernelSpec, Pattern};
use crate::costs::{Family, Size, Work, windows};
use smidgen_ir::{ElementType, PoolKind};
use smidgen_kernels::float::Clamp;
use smidgen_kernels::{Window2d, float, int8, int16};

/// AVERAGE_POOL_2D or MAX_POOL_2D on int8. Input: `x`.
#[derive(Clone, PartialEq, Debug)]
pub struct PoolI8 {
    /// Which.
    pub kind: PoolKind,
    /// The window.
    pub window: Window2d,
    /// Least and greatest stored output that the activation allows.
    pub clamp: [i8; 2],
}

impl KernelSpec for PoolI8 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::SingleChannel(&self.window, ElementType::Int8)
    }

    fn work(&self, run: &Size) -> Work {
        let family = if self.kind == PoolKind::Max { Family::MaxPool } else { Family::AveragePool };
        windows::pool(family, &self.window, run.region)
    }
}

call!(PoolI8(k, site) of k.kind => {
    PoolKind::Average => int8::average_pool,
    PoolKind::Max => int8::max_pool,
}: arena(i8), views(), region(), reference(window = k.window), value(clamp = k.clamp));

/// AVERAGE_POOL_2D on uint8, whose integers are held less 128. Input: `x`.
#[derive(Clone, PartialEq, Debug)]
pub struct AverageUint8 {
    /// The window.
    pub window: Window2d,
    /// Least and greatest stored output that the activation allows.
    pub clamp: [i8; 2],
}

impl KernelSpec for AverageUint8 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::SingleChannel(&self.window, ElementType::Int8)
    }

    fn work(&self, run: &Size) -> Work {
        windows::pool(Family::AveragePool, &self.window, run.region)
    }
}

call!(AverageUint8(k, site) => int8::average_pool_uint8:
    arena(i8), views(), region(), reference(window = k.window), value(clamp = k.clamp));

/// AVERAGE_POOL_2D or MAX_POOL_2D on int16. Input: `x`.
#[derive(Clone, PartialEq, Debug)]
pub struct PoolI16 {
    /// Which.
    pub kind: PoolKind,
    /// The window.
    pub window: Window2d,
    /// Least and greatest stored output that the activation allows.
    pub clamp: [i16; 2],
}

impl KernelSpec for PoolI16 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::SingleChannel(&self.window, ElementType::Int16)
    }

    fn work(&self, run: &Size) -> Work {
        run.other(Family::OtherI16)
    }
}

call!(PoolI16(k, site) of k.kind => {
    PoolKind::Average => int16::average_pool,
    PoolKind::Max => int16::max_pool,
}: arena(i16), views(), region(), reference(window = k.window), value(clamp = k.clamp));

/// AVERAGE_POOL_2D or MAX_POOL_2D on float32. Input: `x`.
#[derive(Clone, PartialEq, Debug)]
pub struct PoolF32 {
    /// Which.
    pub kind: PoolKind,
    /// The window.
    pub window: Window2d,
    /// What the activation allows.
    pub clamp: Clamp,
}

impl KernelSpec for PoolF32 {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::SingleChannel(&self.window, ElementType::Float32)
    }

    fn work(&self, run: &Size) -> Work {
        run.other(Family::OtherF32)
    }
}

call!(PoolF32(k, site) of k.kind => {
    PoolKind::Average => float::average_pool,
    PoolKind::Max => float::max_pool,
}: arena(f32), views(), region(), reference(window = k.window), value(clamp = k.clamp));
