//! The loops that training spends its time in, for whichever instruction set the processor has.
//!
//! The invariant: every kernel gives the same bits on every instruction set. A kernel is written once, over [`Lanes`],
//! and its sums have one order; [`Isa`] chooses at run time which of its instances runs. This module holds all the
//! `unsafe` of the crate: its functions take slices and check their lengths, and the loops below go through pointers.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod depthwise;
mod form;
mod lanes;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
mod product;
mod rows;
mod update;

pub(crate) use depthwise::{Correlation, Sink, Tap, depthwise_backward, depthwise_forward, depthwise_weights};
pub(crate) use form::{Form, Read};
pub(crate) use product::{Left, Right, Segment, pack, packed_len, product};
pub(crate) use rows::{Masked, activate, add, combine, finish, moments, pool, unpool};
pub(crate) use update::{Adam, Sgd, adam, average, sgd, sum_into};

/// An instruction set that this processor has.
///
/// The results of training do not depend on it, only their speed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Isa(Level);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Level {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "aarch64")]
    Neon,
    Portable,
}

impl Isa {
    /// The fastest that this processor has.
    pub fn detect() -> Self {
        Self::available()[0]
    }

    /// Every one that this processor has, the fastest first; the last is plain Rust.
    pub fn available() -> Vec<Self> {
        let mut found = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            if avx2 && is_x86_feature_detected!("avx512f") {
                found.push(Self(Level::Avx512));
            }
            if avx2 {
                found.push(Self(Level::Avx2));
            }
        }
        #[cfg(target_arch = "aarch64")]
        if std::arch::is_aarch64_feature_detected!("neon") {
            found.push(Self(Level::Neon));
        }
        found.push(Self(Level::Portable));
        found
    }

    /// Its name: `avx512`, `avx2`, `neon` or `portable`.
    pub fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => "avx2",
            #[cfg(target_arch = "aarch64")]
            Level::Neon => "neon",
            Level::Portable => "portable",
        }
    }
}

/// Defines a function that runs the instance of a kernel, generic over [`lanes::Lanes`], for a given [`Isa`].
///
/// The instances carry the target features; the kernel and all it calls are inlined into them, and so compiled with
/// these.
macro_rules! instances {
    ($(#[$attribute:meta])* unsafe fn $name:ident($($argument:ident: $type:ty),* $(,)?) of $kernel:ident) => {
        $(#[$attribute])*
        unsafe fn $name(isa: crate::simd::Isa, $($argument: $type),*) {
            // SAFETY: an `Isa` is made for an instruction set that was found; the rest is the caller's promise.
            match isa.0 {
                #[cfg(target_arch = "x86_64")]
                crate::simd::Level::Avx512 => {
                    #[target_feature(enable = "avx512f,avx2,fma")]
                    unsafe fn run($($argument: $type),*) {
                        unsafe { $kernel::<crate::simd::avx512::Avx512>($($argument),*) }
                    }
                    unsafe { run($($argument),*) }
                }
                #[cfg(target_arch = "x86_64")]
                crate::simd::Level::Avx2 => {
                    #[target_feature(enable = "avx2,fma")]
                    unsafe fn run($($argument: $type),*) {
                        unsafe { $kernel::<crate::simd::avx2::Avx2>($($argument),*) }
                    }
                    unsafe { run($($argument),*) }
                }
                #[cfg(target_arch = "aarch64")]
                crate::simd::Level::Neon => {
                    #[target_feature(enable = "neon")]
                    unsafe fn run($($argument: $type),*) {
                        unsafe { $kernel::<crate::simd::neon::Neon>($($argument),*) }
                    }
                    unsafe { run($($argument),*) }
                }
                crate::simd::Level::Portable => unsafe { $kernel::<crate::simd::portable::Portable>($($argument),*) },
            }
        }
    };
}
use instances;
