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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_go_to_the_even_number() {
        let halves = [-2.5f32, -1.5, -0.5, 0.5, 1.5, 2.5, 2.4999998];
        assert_eq!(halves.map(|x| Function::Round.apply(x)), [-2.0, -2.0, 0.0, 0.0, 2.0, 2.0, 2.0]);
        assert_eq!(halves.map(|x| Function::Floor.apply(x)), [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 2.0]);
        assert_eq!(halves.map(|x| Function::Ceil.apply(x)), [-2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 3.0]);
    }
}
