//! Functions of one float32 without parameters and without an integer form: a row each. A new one needs a row here and its names in the
//! formats (`names` in `smidgen-ir`); reading, writing, checking, planning, generated code and training follow from these.

macro_rules! functions {
    ($($(#[$doc:meta])* $name:ident = $value:expr, slope: $slope:expr;)*) => {
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
    };
}

functions! {
    /// Square root.
    Sqrt = libm::sqrtf, slope: |_, y| 0.5 / y;
    /// The nearest whole number, of two that are equally near the even one.
    Round = libm::rintf, slope: |_, _| 0.0;
    /// The greatest whole number that is not above.
    Floor = libm::floorf, slope: |_, _| 0.0;
    /// The least whole number that is not below.
    Ceil = libm::ceilf, slope: |_, _| 0.0;
    /// Absolute value; its slope at 0 is 0.
    Abs = libm::fabsf, slope: |x, _| if x > 0.0 { 1.0 } else if x < 0.0 { -1.0 } else { 0.0 };
    /// `-x`.
    Neg = |x| -x, slope: |_, _| -1.0;
    /// `x * x`.
    Square = |x| x * x, slope: |x, _| 2.0 * x;
    /// `1 / sqrt(x)`.
    Rsqrt = |x| 1.0 / libm::sqrtf(x), slope: |_, y| -0.5 * y * y * y;
    /// Sine.
    Sin = libm::sinf, slope: |x, _| libm::cosf(x);
    /// Cosine.
    Cos = libm::cosf, slope: |x, _| -libm::sinf(x);
    /// `x` where positive, else `e^x - 1`.
    Elu = |x| if x > 0.0 { x } else { libm::expm1f(x) }, slope: |x, y| if x > 0.0 { 1.0 } else { y + 1.0 };
    /// -1, 0 or 1, as `x` is below, at or above 0.
    Sign = |x| if x > 0.0 { 1.0 } else if x < 0.0 { -1.0 } else { x }, slope: |_, _| 0.0;
    /// Tangent.
    Tan = libm::tanf, slope: |_, y| 1.0 + y * y;
    /// Arc sine.
    Asin = libm::asinf, slope: |x, _| 1.0 / libm::sqrtf(1.0 - x * x);
    /// Arc cosine.
    Acos = libm::acosf, slope: |x, _| -1.0 / libm::sqrtf(1.0 - x * x);
    /// Arc tangent.
    Atan = libm::atanf, slope: |x, _| 1.0 / (1.0 + x * x);
    /// Hyperbolic sine.
    Sinh = libm::sinhf, slope: |x, _| libm::coshf(x);
    /// Hyperbolic cosine.
    Cosh = libm::coshf, slope: |x, _| libm::sinhf(x);
    /// The inverse of the hyperbolic sine.
    Asinh = libm::asinhf, slope: |x, _| 1.0 / libm::sqrtf(x * x + 1.0);
    /// The inverse of the hyperbolic cosine.
    Acosh = libm::acoshf, slope: |x, _| 1.0 / libm::sqrtf(x * x - 1.0);
    /// The inverse of the hyperbolic tangent.
    Atanh = libm::atanhf, slope: |x, _| 1.0 / (1.0 - x * x);
    /// The error function, `2 / sqrt(pi)` times the integral of `e^(-t*t)` from 0 to `x`.
    Erf = libm::erff, slope: |x, _| core::f32::consts::FRAC_2_SQRT_PI * libm::expf(-x * x);
    /// `x / 2 * (1 + erf(x / sqrt(2)))`, by the complement of the error function, which keeps small values.
    Gelu = |x| 0.5 * x * libm::erfcf(-core::f32::consts::FRAC_1_SQRT_2 * x),
        slope: |x, _| {
            let density = 0.5 * core::f32::consts::FRAC_2_SQRT_PI * core::f32::consts::FRAC_1_SQRT_2;
            0.5 * libm::erfcf(-core::f32::consts::FRAC_1_SQRT_2 * x) + x * density * libm::expf(-0.5 * x * x)
        };
    /// `ln(e^x + 1)`, of numbers of any size.
    Softplus = |x| libm::log1pf(libm::expf(-libm::fabsf(x))) + if x > 0.0 { x } else { 0.0 },
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
