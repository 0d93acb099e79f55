//! Functions of one float32 without parameters: a row each. A new one needs a row here and its names in the
//! formats (`names` in `smidgen-ir`); reading, writing, checking, planning, generated code and training follow from these.

use super::Unary;
use crate::memory::{Arena, Bounds};
use crate::operand::map;
use crate::view::{Region, Views};

macro_rules! functions {
    ($($(#[$doc:meta])* $name:ident, $own:ident = $value:expr, slope: $slope:expr;)*) => {
        /// Which function of one float.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Function {
            $($(#[$doc])* $name,)*
        }

        impl Function {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The value at `x`.
            #[inline]
            pub fn apply(self, x: f32) -> f32 {
                match self {
                    $(Self::$name => {
                        let value: fn(f32) -> f32 = $value;
                        value(x)
                    })*
                }
            }

            /// Path of its kernel.
            pub(super) fn path(self) -> &'static str {
                match self {
                    $(Self::$name => concat!("float::of::", stringify!($own)),)*
                }
            }

            /// Its kernel, see [`of`](super::of).
            pub(super) fn run<B: Bounds>(
                self,
                arena: Arena<'_, f32, B>,
                views: &Views,
                region: Region,
                depth: usize,
            ) {
                match self {
                    $(Self::$name => kernels::$own(arena, views, region, depth, Unary::Function(self)),)*
                }
            }

            /// The derivative at `x`, where the value is `y`; 0 where a step has none.
            pub fn slope(self, x: f32, y: f32) -> f32 {
                match self {
                    $(Self::$name => {
                        let slope: fn(f32, f32) -> f32 = $slope;
                        slope(x, y)
                    })*
                }
            }
        }

        pub(super) mod kernels {
            use super::*;

            $($(#[$doc])*
            pub fn $own<B: Bounds>(arena: Arena<'_, f32, B>, views: &Views, region: Region, depth: usize, _: Unary) {
                map(arena, views, region, depth, |x| {
                    let value: fn(f32) -> f32 = $value;
                    value(x)
                });
            })*
        }
    };
}

/// `sqrt(2 / pi)`, of the tanh form of GELU.
pub const GELU_SLOPE: f32 = core::f32::consts::FRAC_2_SQRT_PI * core::f32::consts::FRAC_1_SQRT_2;
/// How much of the cube the tanh form of GELU adds, Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016.
pub const GELU_CUBIC: f32 = 0.044_715;

functions! {
    /// Square root.
    Sqrt, sqrt = libm::sqrtf, slope: |_, y| 0.5 / y;
    /// The nearest whole number, of two that are equally near the even one.
    Round, round = libm::rintf, slope: |_, _| 0.0;
    /// The greatest whole number that is not above.
    Floor, floor = libm::floorf, slope: |_, _| 0.0;
    /// The least whole number that is not below.
    Ceil, ceil = libm::ceilf, slope: |_, _| 0.0;
    /// Absolute value; its slope at 0 is 0.
    Abs, abs = libm::fabsf, slope: |x, _| if x > 0.0 { 1.0 } else if x < 0.0 { -1.0 } else { 0.0 };
    /// `-x`.
    Neg, neg = |x| -x, slope: |_, _| -1.0;
    /// `x * x`.
    Square, square = |x| x * x, slope: |x, _| 2.0 * x;
    /// `1 / sqrt(x)`.
    Rsqrt, rsqrt = |x| 1.0 / libm::sqrtf(x), slope: |_, y| -0.5 * y * y * y;
    /// Sine.
    Sin, sin = libm::sinf, slope: |x, _| libm::cosf(x);
    /// Cosine.
    Cos, cos = libm::cosf, slope: |x, _| -libm::sinf(x);
    /// `x` where positive, else `e^x - 1`.
    Elu, elu = |x| if x > 0.0 { x } else { libm::expm1f(x) }, slope: |x, y| if x > 0.0 { 1.0 } else { y + 1.0 };
    /// -1, 0 or 1, as `x` is below, at or above 0.
    Sign, sign = |x| if x > 0.0 { 1.0 } else if x < 0.0 { -1.0 } else { x }, slope: |_, _| 0.0;
    /// Tangent.
    Tan, tan = libm::tanf, slope: |_, y| 1.0 + y * y;
    /// Arc sine.
    Asin, asin = libm::asinf, slope: |x, _| 1.0 / libm::sqrtf(1.0 - x * x);
    /// Arc cosine.
    Acos, acos = libm::acosf, slope: |x, _| -1.0 / libm::sqrtf(1.0 - x * x);
    /// Arc tangent.
    Atan, atan = libm::atanf, slope: |x, _| 1.0 / (1.0 + x * x);
    /// Hyperbolic sine.
    Sinh, sinh = libm::sinhf, slope: |x, _| libm::coshf(x);
    /// Hyperbolic cosine.
    Cosh, cosh = libm::coshf, slope: |x, _| libm::sinhf(x);
    /// The inverse of the hyperbolic sine.
    Asinh, asinh = libm::asinhf, slope: |x, _| 1.0 / libm::sqrtf(x * x + 1.0);
    /// The inverse of the hyperbolic cosine.
    Acosh, acosh = libm::acoshf, slope: |x, _| 1.0 / libm::sqrtf(x * x - 1.0);
    /// The inverse of the hyperbolic tangent.
    Atanh, atanh = libm::atanhf, slope: |x, _| 1.0 / (1.0 - x * x);
    /// The error function, `2 / sqrt(pi)` times the integral of `e^(-t*t)` from 0 to `x`.
    Erf, erf = libm::erff, slope: |x, _| core::f32::consts::FRAC_2_SQRT_PI * libm::expf(-x * x);
    /// `x / 2 * (1 + erf(x / sqrt(2)))`, by the complement of the error function, which keeps small values.
    Gelu, gelu = |x| 0.5 * x * libm::erfcf(-core::f32::consts::FRAC_1_SQRT_2 * x),
        slope: |x, _| {
            let density = 0.5 * core::f32::consts::FRAC_2_SQRT_PI * core::f32::consts::FRAC_1_SQRT_2;
            0.5 * libm::erfcf(-core::f32::consts::FRAC_1_SQRT_2 * x) + x * density * libm::expf(-0.5 * x * x)
        };
    /// `x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))`: GELU nearly.
    GeluTanh, gelu_tanh = |x| 0.5 * x * (1.0 + libm::tanhf(GELU_SLOPE * (x + GELU_CUBIC * x * x * x))),
        slope: |x, _| {
            let t = libm::tanhf(GELU_SLOPE * (x + GELU_CUBIC * x * x * x));
            0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * GELU_SLOPE * (1.0 + 3.0 * GELU_CUBIC * x * x)
        };
    /// `ln(e^x + 1)`, of numbers of any size.
    Softplus, softplus = |x| libm::log1pf(libm::expf(-libm::fabsf(x))) + if x > 0.0 { x } else { 0.0 },
        slope: |x, _| 1.0 / (1.0 + libm::expf(-x));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn softplus_neither_overflows_nor_loses_small_values() {
        let at = |x| Function::Softplus.apply(x);
        assert_eq!([at(100.0), at(-200.0), at(0.0)], [100.0, 0.0, core::f32::consts::LN_2]);
        assert!((at(-20.0) / 2.061_153_6e-9 - 1.0).abs() < 1e-6);
    }

    #[test]
    fn halves_go_to_the_even_number() {
        let halves = [-2.5f32, -1.5, -0.5, 0.5, 1.5, 2.5, 2.4999998];
        assert_eq!(halves.map(|x| Function::Round.apply(x)), [-2.0, -2.0, 0.0, 0.0, 2.0, 2.0, 2.0]);
        assert_eq!(halves.map(|x| Function::Floor.apply(x)), [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 2.0]);
        assert_eq!(halves.map(|x| Function::Ceil.apply(x)), [-2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 3.0]);
    }
}
