//! Activations as kernels apply them, and tensors as they are read through one.

use super::lanes::Lanes;

/// An activation: `y = f(u)`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Form {
    /// `min(max(u, low), high)`; the identity with infinite bounds. Its derivative is 1 strictly between the bounds and
    /// 0 elsewhere.
    Clamp(f32, f32),
    /// `u min(max(u + 3, 0), 6) / 6` (Howard et al. 2019, "Searching for MobileNetV3", section 5.2).
    HardSwish,
    /// A clamp to `low..=high`, then the nearest multiple of `step`: what integers of a quantised network stand for
    /// (Jacob et al. 2018, "Quantization and training of neural networks for efficient integer-arithmetic-only
    /// inference", section 3). Its derivative is that of the clamp: the straight-through estimator.
    Grid {
        /// Multiple of `step`.
        low: f32,
        /// Multiple of `step`, at most 2^22 of them away from 0.
        high: f32,
        /// Positive.
        step: f32,
    },
}

impl Form {
    /// The identity.
    pub(crate) const NONE: Form = Form::Clamp(f32::NEG_INFINITY, f32::INFINITY);
}

/// A tensor `[rows, c]` that stands for `f(z a + b)`, with one `a` and one `b` for each channel.
#[derive(Clone, Copy)]
pub(crate) struct Read<'a> {
    /// What was stored.
    pub z: &'a [f32],
    /// Factor of each channel.
    pub a: &'a [f32],
    /// Summand of each channel.
    pub b: &'a [f32],
    /// The activation.
    pub form: Form,
}

impl<'a> Read<'a> {
    /// The same from element `first` on, the first of a row.
    pub(crate) fn from(self, first: usize) -> Self {
        Self { z: &self.z[first..], ..self }
    }
}

/// An activation in registers.
pub(super) trait Activation<L: Lanes>: Copy {
    /// `f(u)`.
    unsafe fn apply(self, u: L::V) -> L::V;
    /// `d f'(u)`.
    unsafe fn pass(self, u: L::V, d: L::V) -> L::V;
}

/// [`Form::Clamp`] with its bounds.
#[derive(Clone, Copy)]
pub(super) struct Clamp<V>(V, V);

impl<L: Lanes> Activation<L> for Clamp<L::V> {
    #[inline(always)]
    unsafe fn apply(self, u: L::V) -> L::V {
        unsafe { L::at_most(self.1, L::at_least(self.0, u)) }
    }

    #[inline(always)]
    unsafe fn pass(self, u: L::V, d: L::V) -> L::V {
        unsafe { L::inside(self.0, u, self.1, d) }
    }
}

/// [`Form::HardSwish`].
#[derive(Clone, Copy)]
pub(super) struct Swish;

impl<L: Lanes> Activation<L> for Swish {
    #[inline(always)]
    unsafe fn apply(self, u: L::V) -> L::V {
        unsafe {
            let gate = L::at_most(L::splat(6.0), L::at_least(L::zero(), L::add(u, L::splat(3.0))));
            L::mul(u, L::mul(gate, L::splat(1.0 / 6.0)))
        }
    }

    #[inline(always)]
    unsafe fn pass(self, u: L::V, d: L::V) -> L::V {
        unsafe {
            // 0 up to -3, u / 3 + 1/2 between, 1 from 3 on: what `inside` leaves out below 3 counts as the last.
            let (three, top) = (L::splat(3.0), L::splat(f32::INFINITY));
            let slope = L::fma(u, L::splat(1.0 / 3.0), L::splat(0.5));
            let middle = L::inside(L::splat(-3.0), u, three, slope);
            let above = L::inside(L::splat(3f32.next_down()), u, top, L::splat(1.0));
            L::mul(d, L::add(middle, above))
        }
    }
}

/// [`Form::Grid`]: the clamp, 1 / step, and step.
#[derive(Clone, Copy)]
pub(super) struct Grid<V>(Clamp<V>, V, V);

/// Sums with this number are rounded to integers, ties to even, as long as they are below 2^22.
const ROUNDER: f32 = 12_582_912.0;

impl<L: Lanes> Activation<L> for Grid<L::V> {
    #[inline(always)]
    unsafe fn apply(self, u: L::V) -> L::V {
        unsafe {
            let steps = L::fma(Activation::<L>::apply(self.0, u), self.1, L::splat(ROUNDER));
            L::mul(L::add(steps, L::splat(-ROUNDER)), self.2)
        }
    }

    #[inline(always)]
    unsafe fn pass(self, u: L::V, d: L::V) -> L::V {
        unsafe { Activation::<L>::pass(self.0, u, d) }
    }
}

/// Runs `$body` with `$f` bound to the [`Activation`] of a [`Form`].
macro_rules! with_form {
    ($form:expr, $lanes:ident, $f:ident => $body:expr) => {
        match $form {
            crate::simd::form::Form::Clamp(low, high) => {
                let $f = crate::simd::form::clamp::<$lanes>(low, high);
                $body
            }
            crate::simd::form::Form::HardSwish => {
                let $f = crate::simd::form::Swish;
                $body
            }
            crate::simd::form::Form::Grid { low, high, step } => {
                let $f = crate::simd::form::grid::<$lanes>(low, high, step);
                $body
            }
        }
    };
}
pub(super) use with_form;

/// A clamp in registers.
#[inline(always)]
pub(super) unsafe fn clamp<L: Lanes>(low: f32, high: f32) -> Clamp<L::V> {
    unsafe { Clamp(L::splat(low), L::splat(high)) }
}

/// A grid in registers.
#[inline(always)]
pub(super) unsafe fn grid<L: Lanes>(low: f32, high: f32, step: f32) -> Grid<L::V> {
    unsafe { Grid(clamp::<L>(low, high), L::splat(1.0 / step), L::splat(step)) }
}
