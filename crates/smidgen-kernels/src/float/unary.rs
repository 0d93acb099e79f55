//! LOGISTIC, TANH, the RELUs, LEAKY_RELU, HARD_SWISH, EXP, LOG and [functions without parameters](Function) of float32.

use super::{Clamp, Function};
use crate::memory::{Arena, Bounds};
use crate::operand::map;
use crate::view::{Region, Views};

/// Which function of one float.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Unary {
    /// `1 / (1 + exp(-x))`.
    Logistic,
    /// Hyperbolic tangent.
    Tanh,
    /// The RELUs.
    Clamp(Clamp),
    /// `x` where positive, else `alpha * x`.
    LeakyRelu {
        /// Slope for negative inputs.
        alpha: f32,
    },
    /// `x * min(max(x + 3, 0), 6) / 6`.
    HardSwish,
    /// `e^x`.
    Exp,
    /// Natural logarithm.
    Log,
    /// One without parameters.
    Function(Function),
}

/// `1 / (1 + exp(-x))`; under -9 the reference leaves out the 1, which is 1.2e-4 of the result there, and so must this.
pub(super) fn logistic(x: f32) -> f32 {
    if x < -9.0 { libm::expf(x) } else { 1.0 / (1.0 + libm::expf(-x)) }
}

/// `output[i] = f(input[i])`, by the function's own kernel. Order: one element at a time, read before write.
pub fn unary<B: Bounds>(arena: Arena<'_, f32, B>, views: &Views, region: Region, depth: usize, function: Unary) {
    match function {
        Unary::Logistic => of::logistic(arena, views, region, depth, function),
        Unary::Tanh => of::tanh(arena, views, region, depth, function),
        Unary::Clamp(_) => of::clamp(arena, views, region, depth, function),
        Unary::LeakyRelu { .. } => of::leaky_relu(arena, views, region, depth, function),
        Unary::HardSwish => of::hard_swish(arena, views, region, depth, function),
        Unary::Exp => of::exp(arena, views, region, depth, function),
        Unary::Log => of::log(arena, views, region, depth, function),
        Unary::Function(own) => own.run(arena, views, region, depth),
    }
}

impl Unary {
    /// Path of the function's own kernel under this crate's root.
    pub fn path(self) -> &'static str {
        match self {
            Self::Logistic => "float::of::logistic",
            Self::Tanh => "float::of::tanh",
            Self::Clamp(_) => "float::of::clamp",
            Self::LeakyRelu { .. } => "float::of::leaky_relu",
            Self::HardSwish => "float::of::hard_swish",
            Self::Exp => "float::of::exp",
            Self::Log => "float::of::log",
            Self::Function(function) => function.path(),
        }
    }
}

/// A kernel for each function, so that firmware has the code of those that it calls and of no other. Each is called as [`unary`] is;
/// what it does not need to be told is ignored.
pub mod of {
    use super::*;

    pub use crate::float::function::kernels::*;

    /// `1 / (1 + exp(-x))`.
    pub fn logistic<B: Bounds>(arena: Arena<'_, f32, B>, views: &Views, region: Region, depth: usize, _: Unary) {
        map(arena, views, region, depth, super::logistic);
    }

    /// Hyperbolic tangent.
    pub fn tanh<B: Bounds>(arena: Arena<'_, f32, B>, views: &Views, region: Region, depth: usize, _: Unary) {
        map(arena, views, region, depth, libm::tanhf);
    }

    /// The RELUs.
    pub fn clamp<B: Bounds>(arena: Arena<'_, f32, B>, views: &Views, region: Region, depth: usize, function: Unary) {
        if let Unary::Clamp(clamp) = function {
            map(arena, views, region, depth, |x| clamp.apply(x));
        }
    }

    /// `x` where positive, else `alpha * x`.
    pub fn leaky_relu<B: Bounds>(
        arena: Arena<'_, f32, B>,
        views: &Views,
        region: Region,
        depth: usize,
        function: Unary,
    ) {
        if let Unary::LeakyRelu { alpha } = function {
            map(arena, views, region, depth, |x| if x > 0.0 { x } else { x * alpha });
        }
    }

    /// `x * min(max(x + 3, 0), 6) / 6`.
    pub fn hard_swish<B: Bounds>(arena: Arena<'_, f32, B>, views: &Views, region: Region, depth: usize, _: Unary) {
        map(arena, views, region, depth, |x| x * (x + 3.0).clamp(0.0, 6.0) / 6.0);
    }

    /// `e^x`.
    pub fn exp<B: Bounds>(arena: Arena<'_, f32, B>, views: &Views, region: Region, depth: usize, _: Unary) {
        map(arena, views, region, depth, libm::expf);
    }

    /// Natural logarithm.
    pub fn log<B: Bounds>(arena: Arena<'_, f32, B>, views: &Views, region: Region, depth: usize, _: Unary) {
        map(arena, views, region, depth, libm::logf);
    }
}
