//! QUANTIZE and DEQUANTIZE of floats, with the reference's results and without double precision where 8 or 16 bits are stored.
//!
//! The reference rounds `x / scale` to single precision, then to an integer with ties away from zero. A core with a unit for single
//! precision divides; the quotient's bits say the rest. Other cores multiply the significand of `x` by a reciprocal of the scale's, which
//! gives the quotient to within a few units of its last place: enough for all but the few elements so close to a tie that the rounding of
//! the quotient itself decides. Those are divided.

use super::{Stored, convert, load_float, store_float};
use crate::memory::{Arena, Bounds};
use crate::view::{Region, Views};

/// True if the core computes in single precision by itself. Arm's compilers tell only by the way in which floats are passed.
const FLOAT_UNIT: bool = cfg!(any(
    not(any(target_arch = "arm", target_arch = "riscv32")),
    all(target_arch = "arm", target_abi = "eabihf"),
    all(target_arch = "riscv32", target_feature = "f")
));

/// The bits of a float without its sign.
const MAGNITUDE: u32 = 0x7fff_ffff;
/// Infinity; greater magnitudes are no numbers.
const INFINITY: u32 = 0x7f80_0000;
/// Stands for quotients of 2^18 and more: with any zero point of 16 bits they are outside what 16 bits hold.
const LARGE: i32 = 1 << 18;

/// The 24 bits of a normal float's significand.
#[inline(always)]
fn significand(bits: u32) -> u32 {
    bits & 0x007f_ffff | 0x0080_0000
}

/// A magnitude rounded to an integer, ties up: at most [`LARGE`], and 0 for what is no number.
#[inline(always)]
fn nearest(magnitude: u32) -> i32 {
    let exponent = magnitude >> 23;
    if exponent >= 127 + 18 {
        return if magnitude > INFINITY { 0 } else { LARGE };
    }
    // In halves, then rounded up. What is below 2^-6 is 0 in any case, also where there is no hidden bit.
    let halves = significand(magnitude) >> (149 - exponent).min(31);
    (halves.wrapping_add(1) >> 1) as i32
}

/// Division by a scale, rounded to integers.
#[derive(Clone, Copy)]
struct Divisor {
    scale: f32,
    /// `2^55 / significand` of the scale, floored, and at most 32 bits.
    reciprocal: u32,
    /// Less the exponent of a number: how many bits of the product below are a fraction. Out of all reach where the scale has no hidden
    /// bit.
    exponent: i32,
}

impl Divisor {
    #[inline]
    fn new(scale: f32, float_unit: bool) -> Self {
        let bits = scale.to_bits();
        let by = significand(bits);
        let (mut rest, mut reciprocal) = (1 << 23, 0u32);
        if !float_unit {
            // Bit by bit: this is done once for a run, and a division of 64 bits would be the only one in the firmware.
            for _ in 0..32 {
                rest <<= 1;
                let fits = rest >= by;
                rest -= if fits { by } else { 0 };
                reciprocal = reciprocal << 1 | fits as u32;
            }
        }
        let exponent = (bits >> 23 & 0xff) as i32;
        Self { scale, reciprocal, exponent: if exponent == 0 { -1000 } else { exponent + 23 } }
    }

    /// `x / scale` rounded as the reference does, within [`LARGE`] on either side; 0 if that is no number.
    #[inline(always)]
    fn rounded(&self, x: f32, float_unit: bool) -> i32 {
        let bits = x.to_bits();
        let negative = bits as i32 >> 31;
        let magnitude = if float_unit { self.divided(bits) } else { self.multiplied(bits) };
        (magnitude ^ negative).wrapping_sub(negative)
    }

    #[inline(always)]
    fn divided(&self, bits: u32) -> i32 {
        nearest((f32::from_bits(bits) / self.scale).to_bits() & MAGNITUDE)
    }

    #[inline(always)]
    fn multiplied(&self, bits: u32) -> i32 {
        let magnitude = bits & MAGNITUDE;
        let fraction = self.exponent.wrapping_sub((magnitude >> 23) as i32);
        if fraction > 30 {
            // Less than 2^-6.
            return 0;
        }
        // Also what has no hidden bit, and what is no finite number.
        if fraction < 6 || magnitude.wrapping_sub(1 << 23) >= INFINITY - (1 << 23) {
            return self.divided(bits);
        }
        // The quotient of the significands is `product`, or greater by less than 1.01; in single precision it has units of 1 or 1/2, so
        // that, rounded to them, it lies between `product - 1` and `product + 2`. If both are rounded alike, so is what lies between.
        let product = ((u64::from(significand(magnitude)) * u64::from(self.reciprocal)) >> 32) as u32;
        let above = product.wrapping_add(2).wrapping_add(1 << (fraction - 1));
        if above & ((1 << fraction) - 1) < 3 {
            return self.divided(bits);
        }
        (above >> fraction) as i32
    }
}

/// `x / scale` rounded as the reference does, for outputs of more than 16 bits; 0 if that is no number.
fn rounded_wide(x: f32, scale: f32) -> i64 {
    let bits = (x / scale).to_bits();
    let magnitude = bits & MAGNITUDE;
    let exponent = magnitude >> 23;
    let rounded = if exponent < 127 + 18 {
        i64::from(nearest(magnitude))
    } else if magnitude > INFINITY {
        0
    } else if exponent < 150 {
        i64::from((significand(magnitude) >> (149 - exponent)).wrapping_add(1) >> 1)
    } else {
        // 2^34 and more are outside 32 bits with any zero point.
        i64::from(significand(magnitude)) << (exponent - 150).min(11)
    };
    if bits >> 31 == 1 { rounded.wrapping_neg() } else { rounded }
}

/// Float32 to integers: `round(x / scale) + zero_point`, ties away from zero, clamped to the output's range; NaN becomes the zero point.
/// The zero point is in the output's range.
///
/// Order: one element at a time, read before write.
#[inline]
pub fn quantize<B: Bounds>(
    arena: Arena<'_, u8, B>,
    views: &Views,
    region: Region,
    depth: usize,
    to_type: Stored,
    scale: f32,
    zero_point: i32,
) {
    let by = Divisor::new(scale, FLOAT_UNIT);
    // A loop for each type, so that none decides inside.
    macro_rules! to {
        ($to:ident, $rounded:expr) => {
            convert(arena, views, region, depth, |arena, from, to| {
                let (min, max) = Stored::$to.range();
                let stored = $rounded(load_float(arena, from)).wrapping_add(zero_point.into());
                Stored::$to.store(arena, to, stored.max(min.into()).min(max.into()) as i32);
            })
        };
    }
    match to_type {
        Stored::Int8 => to!(Int8, |x| by.rounded(x, FLOAT_UNIT)),
        Stored::Uint8 | Stored::Bool => to!(Uint8, |x| by.rounded(x, FLOAT_UNIT)),
        Stored::Int16 => to!(Int16, |x| by.rounded(x, FLOAT_UNIT)),
        Stored::Int32 | Stored::Int64 | Stored::Float32 => to!(Int32, |x| rounded_wide(x, scale)),
    }
}

/// `bits / 2^drop` for 1 to 63 bits, rounded to the nearest integer, ties to the even one.
#[inline]
fn round_even(bits: u64, drop: u32) -> u64 {
    let drop = drop.clamp(1, 63);
    let (kept, rest, tie) = (bits >> drop, bits & ((1 << drop) - 1), 1 << (drop - 1));
    kept.wrapping_add(u64::from(rest.wrapping_add(kept & 1) > tie))
}

/// Multiplication of a positive scale by integers.
#[derive(Clone, Copy)]
struct Multiplier {
    scale: f32,
    significand: u32,
    /// Exponent of the scale, if its products with 8 bits are normal numbers.
    exponent: Option<u32>,
}

impl Multiplier {
    #[inline]
    fn new(scale: f32) -> Self {
        let exponent = scale.to_bits() >> 23 & 0xff;
        let exponent = Some(exponent).filter(|exponent| (1..240).contains(exponent));
        Self { scale, significand: significand(scale.to_bits()), exponent }
    }

    /// The product with an integer of at most 16 bits besides the sign. Both factors and, in double precision, their product are exact, so
    /// that rounding to single precision gives the same in one step.
    #[inline(always)]
    fn product(&self, x: i32, float_unit: bool) -> f32 {
        if float_unit {
            return self.scale * x as f32;
        }
        let magnitude = x.unsigned_abs();
        let (Some(exponent), 1..=255) = (self.exponent, magnitude) else { return self.product_wide(x.into()) };
        // 24 and 8 bits are 32.
        let exact = self.significand.wrapping_mul(magnitude);
        let zeros = exact.leading_zeros();
        let bits = exact << zeros;
        // To the nearest of 24 bits, ties to the even one; what carries over makes the exponent greater, as it should.
        let up = u32::from((bits & 0xff) + (bits >> 8 & 1) > 128);
        let sign = x as u32 & !MAGNITUDE;
        f32::from_bits(sign | ((exponent + 8 - zeros) << 23 | bits >> 8 & 0x007f_ffff).wrapping_add(up))
    }

    /// The product with an integer of at most 33 bits: rounded to double precision, then to single, as the reference does it.
    fn product_wide(&self, x: i64) -> f32 {
        if x == 0 {
            return 0.0;
        }
        let bits = self.scale.to_bits();
        let (exponent, by) = match bits >> 23 & 0xff {
            0 => (1, bits & 0x007f_ffff),
            normal => (normal as i32, self.significand),
        };
        let exact = x.unsigned_abs().wrapping_mul(by.into());
        let zeros = exact.leading_zeros();
        let double = round_even(exact << zeros, 11);
        // As a single has it; below 1 the number has no hidden bit, and fewer bits.
        let exponent = exponent + 40 - zeros as i32;
        let single = round_even(double, (29 + (1 - exponent).max(0)) as u32) as u32;
        let magnitude =
            if exponent < 255 { (((exponent - 1).max(0) as u32) << 23).wrapping_add(single) } else { INFINITY };
        f32::from_bits((x >> 32) as u32 & !MAGNITUDE | magnitude)
    }
}

/// Integers to float32: `scale * (x - zero_point)`. The zero point is in the input's range. Order: one element at a time, read before
/// write.
#[inline]
pub fn dequantize<B: Bounds>(
    arena: Arena<'_, u8, B>,
    views: &Views,
    region: Region,
    depth: usize,
    from_type: Stored,
    scale: f32,
    zero_point: i32,
) {
    let by = Multiplier::new(scale);
    macro_rules! from {
        ($from:ident, $product:expr) => {
            convert(arena, views, region, depth, |arena, from, to| {
                store_float(arena, to, $product(Stored::$from.load(arena, from)));
            })
        };
    }
    match from_type {
        Stored::Int8 => from!(Int8, |x: i32| by.product(x.wrapping_sub(zero_point), FLOAT_UNIT)),
        Stored::Uint8 | Stored::Bool => from!(Uint8, |x: i32| by.product(x.wrapping_sub(zero_point), FLOAT_UNIT)),
        Stored::Int16 => from!(Int16, |x: i32| by.product(x.wrapping_sub(zero_point), FLOAT_UNIT)),
        Stored::Int32 | Stored::Int64 | Stored::Float32 => {
            from!(Int32, |x: i32| by.product_wide(i64::from(x).wrapping_sub(zero_point.into())))
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    /// What the reference computes, in double precision where that is exact.
    fn defined(x: f32, to: Stored, scale: f32, zero_point: i32) -> i32 {
        let (min, max) = to.range();
        let stored = libm::roundf(x / scale) as f64 + zero_point as f64;
        let stored = if stored.is_nan() { zero_point as f64 } else { stored };
        stored.max(min as f64).min(max as f64) as i32
    }

    /// What either kind of core computes.
    fn computed(x: f32, to: Stored, by: [Divisor; 2], zero_point: i32) -> [i32; 2] {
        [true, false].map(|float_unit| {
            let (min, max) = to.range();
            let stored = match to {
                Stored::Int8 | Stored::Int16 => by[usize::from(float_unit)].rounded(x, float_unit).into(),
                _ => rounded_wide(x, by[0].scale),
            };
            (stored + i64::from(zero_point)).clamp(min.into(), max.into()) as i32
        })
    }

    fn divisors(scale: f32) -> [Divisor; 2] {
        [false, true].map(|float_unit| Divisor::new(scale, float_unit))
    }

    const TYPES: [(Stored, [i32; 4]); 3] = [
        (Stored::Int8, [-128, 0, 3, 127]),
        (Stored::Int16, [-32768, -1, 0, 32767]),
        (Stored::Int32, [i32::MIN, 0, 77, i32::MAX]),
    ];

    fn check(x: f32, scale: f32) {
        let by = divisors(scale);
        for (to, zeros) in TYPES {
            for zero in zeros {
                let expected = defined(x, to, scale, zero);
                assert_eq!(computed(x, to, by, zero), [expected; 2], "{x:e} {scale:e} {to:?} {zero}");
            }
        }
    }

    /// Scales from the least to the greatest, powers of two and what they neighbour, and usual ones.
    fn scales() -> Vec<f32> {
        let powers = [-149, -140, -127, -126, -125, -120, -64, -24, -8, -7, -1, 0, 1, 7, 31, 100, 126, 127];
        let powers = powers.map(|power| libm::exp2(power.into()) as f32);
        let around = powers.iter().flat_map(|p| [-1i32, 0, 1].map(|d| f32::from_bits((p.to_bits() as i32 + d) as u32)));
        let usual = [1.0 / 255.0, 2.0 / 255.0, 1.0 / 127.5, 1.0 / 3.0, 0.07, 0.003_921_569, 0.1, 6.0 / 255.0, f32::MAX];
        around.filter(|&scale| scale > 0.0).chain(usual).collect()
    }

    #[test]
    fn quantised_edges_are_the_references() {
        for scale in scales() {
            let fixed = [0.0, 1.0, f32::MIN_POSITIVE, f32::MAX, f32::INFINITY, f32::NAN, 1e-45, 1.1e-38, scale];
            // Ties and what neighbours them, small and near the ends of each type.
            let integers =
                (0..300).chain(32700..32800).chain(65400..65600).chain([131_071, 262_143, 262_144, 8_388_607]);
            let wide = [1i64 << 31, (1 << 31) - 64, 1 << 32, 1 << 33].map(|n| n as f32 * scale);
            let ties = integers.map(|k| (k as f32 + 0.5) * scale).chain(wide);
            for x in ties.chain(fixed) {
                for d in -3i32..=3 {
                    let bits = (x.to_bits() as i32).saturating_add(d).max(0) as u32;
                    check(f32::from_bits(bits), scale);
                    check(-f32::from_bits(bits), scale);
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn quantised_floats_are_the_references(x: u32, near in -300f32..300.0, scale in 1u32..INFINITY) {
            let scale = f32::from_bits(scale);
            check(f32::from_bits(x), scale);
            check(near * scale, scale);
            // The nearest of a tie, where the rounding of the quotient itself decides.
            check((libm::floorf(near) + 0.5) * scale, scale);
        }

        #[test]
        fn dequantised_integers_are_the_references(
            scale in 1u32..INFINITY,
            wide in -65535i32..=65535,
            widest in -(1i64 << 32)..=1 << 32,
            bits in 0..33,
        ) {
            let scale = f32::from_bits(scale);
            let by = Multiplier::new(scale);
            for x in (-255..=255).chain([wide]) {
                let expected = ((scale as f64 * x as f64) as f32).to_bits();
                for float_unit in [true, false] {
                    prop_assert_eq!(by.product(x, float_unit).to_bits(), expected, "{} {} {}", x, scale, float_unit);
                }
            }
            for x in [widest, widest >> bits] {
                let expected = ((scale as f64 * x as f64) as f32).to_bits();
                prop_assert_eq!(by.product_wide(x).to_bits(), expected, "{} {}", x, scale);
            }
        }
    }

    /// Every float with a few scales: `--release -- --ignored every_float`. In the usual run every 4,093rd.
    fn sweep(step: usize) {
        for scale in [0.07f32, 1.0 / 255.0, 2.0 / 255.0, 1.0, 3.0e-39] {
            let by = divisors(scale);
            for bits in (0..=u32::MAX).step_by(step) {
                let x = f32::from_bits(bits);
                for (to, zero) in [(Stored::Int8, -5), (Stored::Int16, 9)] {
                    let expected = defined(x, to, scale, zero);
                    assert!(computed(x, to, by, zero) == [expected; 2], "{x:e} {scale:e} {to:?}");
                }
            }
        }
    }

    #[test]
    fn quantised_floats_of_a_sweep_are_the_references() {
        sweep(4093);
    }

    #[test]
    #[ignore = "takes minutes"]
    fn every_float_is_quantised_as_the_reference_does() {
        sweep(1);
    }

    #[test]
    fn dequantised_edges_are_the_references() {
        for scale in scales() {
            let by = Multiplier::new(scale);
            for x in -65_535..=65_535 {
                let expected = ((scale as f64 * x as f64) as f32).to_bits();
                let computed = [by.product(x, true), by.product(x, false), by.product_wide(x.into())];
                assert_eq!(computed.map(f32::to_bits), [expected; 3], "{x} {scale:e}");
            }
        }
    }
}
