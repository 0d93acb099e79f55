//! The inner loops of the fast kernels, once in plain Rust and once for each instruction set that has something better.
//!
//! An [`Isa`] is proof that its instructions exist: it can only come from [`Isa::PORTABLE`] or from asking the machine. All
//! implementations give the same bits, which a property test holds them to.

#[cfg(all(target_arch = "x86_64", feature = "std"))]
pub(crate) mod avx2;
#[cfg(all(target_arch = "arm", feature = "dsp"))]
pub(crate) mod dsp;
mod portable;
#[cfg(not(all(target_arch = "arm", feature = "dsp")))]
#[cfg_attr(all(target_arch = "x86_64", not(test)), expect(dead_code, reason = "hosts have blocks of their own"))]
pub(crate) mod scalar;

use crate::int8::{Channels, Int8};
use crate::memory::{Arena, Bounds, Flash};

/// Elements to which the patches of the fast convolution are padded.
pub const PATCH_ALIGN: usize = 8;

/// The instructions that the fast kernels may use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Isa(Level);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Level {
    Portable,
    #[cfg(all(target_arch = "x86_64", feature = "std"))]
    Avx2,
}

impl Isa {
    /// Plain Rust, whatever the machine.
    pub const PORTABLE: Isa = Isa(Level::Portable);

    /// The best that the machine it runs on has.
    #[cfg(feature = "std")]
    pub fn detect() -> Isa {
        #[cfg(target_arch = "x86_64")]
        if std::is_x86_feature_detected!("avx2") {
            return Isa(Level::Avx2);
        }
        Isa::PORTABLE
    }

    /// Outputs `o .. o + 4` of two pixels: for each, the dot product of its patch with the channel's weights, finished.
    ///
    /// `patches` are two patches of `stride` elements, `stride` being a multiple of [`PATCH_ALIGN`]; each holds `patch` values and
    /// then zeros. `weights` are `[O, patch]` followed by as many bytes of any value as the padding of one patch takes.
    ///
    /// # Panics
    /// If [`Checked`](crate::Checked) and patches or weights are too short for `o`.
    #[inline]
    pub fn two_by_four<B: Bounds>(
        self,
        patches: &Arena<'_, i16, B>,
        weights: Flash<'_, i8, B>,
        [stride, patch, o]: [usize; 3],
        channels: Channels<'_, B>,
        quant: &Int8,
    ) -> [[i8; 4]; 2] {
        match self.0 {
            Level::Portable => portable::two_by_four(patches, weights, [stride, patch, o], channels, quant),
            #[cfg(all(target_arch = "x86_64", feature = "std"))]
            // SAFETY: a value with this level is only made where the machine has AVX2.
            Level::Avx2 => unsafe { avx2::two_by_four(patches, weights, [stride, patch, o], channels, quant) },
        }
    }

    /// Dot product of 16-bit and 8-bit values, as many as the shorter slice has; wraps.
    #[inline]
    pub fn dot_i16_i8(self, a: &[i16], b: &[i8]) -> i32 {
        match self.0 {
            Level::Portable => portable::dot_i16_i8(a, b),
            #[cfg(all(target_arch = "x86_64", feature = "std"))]
            // SAFETY: a value with this level is only made where the machine has AVX2.
            Level::Avx2 => unsafe { avx2::dot_i16_i8(a, b) },
        }
    }

    /// Dot product of 8-bit values, as many as the shorter slice has; wraps.
    #[inline]
    pub fn dot_i8_i8(self, a: &[i8], b: &[i8]) -> i32 {
        match self.0 {
            Level::Portable => portable::dot_i8_i8(a, b),
            #[cfg(all(target_arch = "x86_64", feature = "std"))]
            // SAFETY: a value with this level is only made where the machine has AVX2.
            Level::Avx2 => unsafe { avx2::dot_i8_i8(a, b) },
        }
    }

    /// `to[i] = from[i]`, as many as the shorter slice has.
    #[inline]
    pub fn widen(self, from: &[i8], to: &mut [i16]) {
        match self.0 {
            Level::Portable => portable::widen(from, to),
            #[cfg(all(target_arch = "x86_64", feature = "std"))]
            // SAFETY: a value with this level is only made where the machine has AVX2.
            Level::Avx2 => unsafe { avx2::widen(from, to) },
        }
    }

    /// `acc[i] += (x[i] - zero) * w[i]`, as many as the shortest slice has. `zero` is in the range of int8; wraps.
    #[inline]
    pub fn multiply_add(self, acc: &mut [i32], x: &[i8], zero: i16, w: &[i8]) {
        match self.0 {
            Level::Portable => portable::multiply_add(acc, x, zero, w),
            #[cfg(all(target_arch = "x86_64", feature = "std"))]
            // SAFETY: a value with this level is only made where the machine has AVX2.
            Level::Avx2 => unsafe { avx2::multiply_add(acc, x, zero, w) },
        }
    }

    /// `to[i] =` the finished output of channel `first + i` for accumulator `acc[i]`, bias not yet added. `acc` and `to` have the same
    /// length.
    ///
    /// # Panics
    /// If [`Checked`](crate::Checked) and a channel is not there.
    #[inline]
    pub fn finish<B: Bounds>(self, acc: &[i32], first: usize, channels: Channels<'_, B>, quant: &Int8, to: &mut [i8]) {
        match self.0 {
            Level::Portable => portable::finish(acc, first, channels, quant, to),
            #[cfg(all(target_arch = "x86_64", feature = "std"))]
            // SAFETY: a value with this level is only made where the machine has AVX2.
            Level::Avx2 => unsafe { avx2::finish(acc, first, channels, quant, to) },
        }
    }
}

#[cfg(all(test, feature = "std"))]
mod tests;
