//! LOGISTIC, TANH, the RELUs, LEAKY_RELU, HARD_SWISH, EXP, LOG and [functions without an integer form](Function) of float32.

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
    /// One without an integer form.
    Function(Function),
}

impl Unary {
    /// The function's value.
    #[inline]
    pub fn apply(self, x: f32) -> f32 {
        match self {
            Self::Function(function) => function.apply(x),
            _ => self.common(x),
        }
    }

    /// The value of one that has an integer form; of the others what is no number.
    #[inline]
    fn common(self, x: f32) -> f32 {
        match self {
            Self::Logistic => logistic(x),
            Self::Tanh => libm::tanhf(x),
            Self::Clamp(clamp) => clamp.apply(x),
            Self::LeakyRelu { alpha } => {
                if x > 0.0 {
                    x
                } else {
                    x * alpha
                }
            }
            Self::HardSwish => x * (x + 3.0).clamp(0.0, 6.0) / 6.0,
            Self::Exp => libm::expf(x),
            Self::Log => libm::logf(x),
            Self::Function(_) => f32::NAN,
        }
    }
}

/// `1 / (1 + exp(-x))`; under -9 the reference leaves out the 1, which is 1.2e-4 of the result there, and so must this.
pub(super) fn logistic(x: f32) -> f32 {
    if x < -9.0 { libm::expf(x) } else { 1.0 / (1.0 + libm::expf(-x)) }
}

/// `output[i] = f(input[i])` of functions that have an integer form. Order: one element at a time, read before write.
pub fn unary<B: Bounds>(arena: Arena<'_, f32, B>, views: &Views, region: Region, depth: usize, function: Unary) {
    // One loop for the functions that are cheap enough for the decision to matter.
    match function {
        Unary::Clamp(clamp) => map(arena, views, region, depth, |x| clamp.apply(x)),
        _ => map(arena, views, region, depth, |x| function.common(x)),
    }
}

/// The same of all functions. Apart, since firmware that calls it has the code of every one of them.
pub fn function<B: Bounds>(arena: Arena<'_, f32, B>, views: &Views, region: Region, depth: usize, function: Unary) {
    map(arena, views, region, depth, |x| function.apply(x));
}
