//! Fixed-point functions of gemmlowp's `fixedpoint` header, which TensorFlow Lite's integer SOFTMAX, HARD_SWISH and LSTM are
//! defined by.
//!
//! `Qm.n` names an integer with `m` integer bits and `n` fraction bits beside the sign: its value is the integer over `2^n`.

/// High half of `2 * a * b`, rounded, ties upwards, saturating: the product of a `Qm.n` and a `Q0.31`, as `Qm.n`.
#[inline]
pub fn mul(a: i32, b: i32) -> i32 {
    if a == i32::MIN && b == i32::MIN {
        return i32::MAX;
    }
    ((a as i64 * b as i64 + (1 << 30)) >> 31) as i32
}

/// The same for 16-bit numbers: the product of two `Q0.15`.
#[inline]
pub fn mul16(a: i16, b: i16) -> i16 {
    if a == i16::MIN && b == i16::MIN {
        return i16::MAX;
    }
    ((a as i32 * b as i32 + (1 << 14)) >> 15) as i16
}

/// `x * 2^bits`, saturating.
#[inline]
fn shift_left(x: i32, bits: u32) -> i32 {
    ((x as i64) << bits).clamp(i32::MIN as i64, i32::MAX as i64) as i32
}

/// `exp(x)` for `x` in `Q5.26`, not positive; the result is `Q0.31`, and `i32::MAX` for 0.
pub fn exp_of_negative(x: i32) -> i32 {
    /// `exp(-2^k)` in `Q0.31`, for k from -2 to 4.
    const POWERS: [i32; 7] = [1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242];
    const QUARTER: i32 = 1 << 24;
    if x == 0 {
        return i32::MAX;
    }
    // x = within - rest: `within` in [-1/4, 0), and `rest` a multiple of 1/4, whose bits choose the factors.
    let within = (x & (QUARTER - 1)) - QUARTER;
    let rest = within.wrapping_sub(x);
    let mut result = exp_within_quarter(shift_left(within, 5));
    for (bit, &power) in POWERS.iter().enumerate() {
        if rest & (QUARTER << bit) != 0 {
            result = mul(result, power);
        }
    }
    result
}

/// `exp(a)` for `a` in `[-1/4, 0)`, both `Q0.31`: the Taylor series about -1/8 to the fourth order.
fn exp_within_quarter(a: i32) -> i32 {
    const EXP_MINUS_EIGHTH: i32 = 1895147668;
    const THIRD: i32 = 715827883;
    let x = a.wrapping_add(1 << 28);
    let x2 = mul(x, x);
    let x3 = mul(x2, x);
    let x4 = mul(x2, x2);
    let x4_over_4 = crate::requant::round_shift(x4, 2);
    let tail = crate::requant::round_shift(mul(x4_over_4.wrapping_add(x3), THIRD).wrapping_add(x2), 1);
    EXP_MINUS_EIGHTH.wrapping_add(mul(EXP_MINUS_EIGHTH, x.wrapping_add(tail)))
}

/// `1 / (1 + a)` for `a` in `[0, 1)`, both `Q0.31`: three Newton-Raphson steps from `48/17 - 32/17 * d` with `d = (1 + a) / 2`.
fn one_over_one_plus(a: i32) -> i32 {
    const Q2_48_OVER_17: i32 = 1515870810;
    const Q2_MINUS_32_OVER_17: i32 = -1010580540;
    const Q2_ONE: i32 = 1 << 29;
    let sum = a as i64 + i32::MAX as i64;
    let half = ((sum + if sum >= 0 { 1 } else { -1 }) / 2) as i32;
    let mut x = Q2_48_OVER_17.wrapping_add(mul(half, Q2_MINUS_32_OVER_17));
    for _ in 0..3 {
        let error = Q2_ONE.wrapping_sub(mul(half, x));
        x = x.wrapping_add(shift_left(mul(x, error), 2));
    }
    shift_left(x, 1)
}

/// `1 / x` for a positive `x` with `integer_bits` integer bits: `(r, e)` with `1 / x = r * 2^(-31 - e)`, `r` in `Q0.31`.
pub fn reciprocal(x: i32, integer_bits: i32) -> (i32, i32) {
    let headroom = (x as u32).leading_zeros();
    let fraction = ((x as u32).wrapping_shl(headroom)).wrapping_sub(1 << 31) as i32;
    (one_over_one_plus(fraction), integer_bits - headroom as i32)
}

/// `ln(x)` as `Q5.26` for `x` of at least 1 in `Q12.19`, as gemmlowp's and TensorFlow Lite's integer LOG_SOFTMAX takes it: a quotient of polynomials
/// about the fourth root of one half, of `x` or of `x` times the root of one half, whichever lies nearer.
pub fn log(x: i32) -> i32 {
    /// Integer bits of the argument, and of sums.
    const INTEGER: i32 = 12;
    const SUM: u32 = 6;
    const LOG_2: i32 = 1_488_522_236;
    const FOURTH_ROOT: i32 = 1_805_811_301;
    const ROOT: i32 = 1_518_500_250;
    const QUARTER: i32 = 1 << (31 - SUM - 2);
    const ALPHA_N: i32 = 117_049_297;
    const ALPHA_D: i32 = 127_690_142;
    const ALPHA_I: i32 = 1_057_819_769;
    const ALPHA_F: i32 = 638_450_708;
    let power = |bits: i32| shift_left(bits, 31 - SUM);
    // Both as a fraction of 1/2 to 1 and a power of 2.
    let headroom = (x as u32).leading_zeros();
    let by_x = shift_left(mul(shift_left(x, headroom.wrapping_sub(1)), ROOT), 1);
    let power_of_x = power(INTEGER - headroom as i32).saturating_add(QUARTER);
    let room = (mul(x, ROOT) as u32).leading_zeros().wrapping_sub(1);
    let by_root = shift_left(x, room);
    let power_of_root = power(INTEGER - room as i32).saturating_sub(QUARTER);
    let (fraction, power) = (by_x.min(by_root), power_of_x.max(power_of_root));
    // The mean of both, halves away from zero.
    let sum = i64::from(fraction) + i64::from(FOURTH_ROOT);
    let mean = ((sum + if sum >= 0 { 1 } else { -1 }) / 2) as i32;
    let difference = fraction.wrapping_sub(FOURTH_ROOT).wrapping_mul(2);
    let square = mul(difference, difference);
    let numerator = mul(difference, fraction).wrapping_add(mul(mul(difference, square), ALPHA_N));
    let within = ALPHA_I.wrapping_add(difference).wrapping_add(mul(ALPHA_D, square));
    let denominator = mul(mean, within).wrapping_add(mul(ALPHA_F, difference));
    let quotient = mul(crate::requant::round_shift(numerator, SUM), one_over_one_plus(denominator));
    shift_left(mul(power, LOG_2).wrapping_add(quotient), 1)
}

/// `1 / sqrt(x)`, of 1 for what is less: five Newton-Raphson steps on a number of `[1/4, 1)` with three integer bits, as TensorFlow Lite's
/// `GetInvSqrtQuantizedMultiplierExp` takes them.
pub fn inverse_sqrt(x: i32) -> crate::requant::Factor {
    use crate::requant::Factor;
    /// 1 and 3/2 as `Q3.28`, and half of the root of 2 as `Q0.31`.
    const ONE: i32 = 1 << 28;
    const HALF_THREE: i32 = 3 << 27;
    const HALF_ROOT_OF_TWO: i32 = 1_518_500_250;
    if x <= 1 {
        return Factor { multiplier: i32::MAX, shift: 0 };
    }
    let mut right = 11i32;
    let mut x = x;
    while x >= 1 << 29 {
        x /= 4;
        right += 1;
    }
    // To 2^27 and over by pairs of bits.
    let pairs = ((x as u32).leading_zeros() - 1) / 2 - 1;
    right -= pairs as i32;
    x <<= 2 * pairs;
    let input = x >> 1;
    let half_input = crate::requant::round_shift(input, 1);
    let mut root = ONE;
    for _ in 0..5 {
        let cube = shift_left(mul(mul(root, root), root), 6);
        root = shift_left(mul(HALF_THREE, root).wrapping_sub(mul(half_input, cube)), 3);
    }
    let root = mul(root, HALF_ROOT_OF_TWO);
    match right {
        0.. => Factor { multiplier: root, shift: -right as i8 },
        _ => Factor { multiplier: root.wrapping_shl(-right as u32), shift: 0 },
    }
}

/// `x * 2^bits`, saturating.
#[inline]
fn shift_left16(x: i16, bits: u32) -> i16 {
    (i32::from(x) << bits).clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

/// A constant of 32 bits in 16.
const fn short(x: i32) -> i16 {
    ((x + (1 << 15)) >> 16) as i16
}

/// `exp(x)` for `x` with `integer_bits` integer bits (1 to 7), not positive; the result is `Q0.15`, and `i16::MAX` for 0.
fn exp_of_negative16(x: i16, integer_bits: u32) -> i16 {
    /// `exp(-2^k)` in `Q0.15`, for k from -2 to 4.
    const POWERS: [i16; 7] = [
        short(1672461947),
        short(1302514674),
        short(790015084),
        short(290630308),
        short(39332535),
        short(720401),
        short(242),
    ];
    if x == 0 {
        return i16::MAX;
    }
    let fraction_bits = 15 - integer_bits;
    if integer_bits > 5 && i32::from(x) < -(32 << fraction_bits) {
        return 0;
    }
    let quarter = 1i16 << (fraction_bits - 2);
    let within = (x & (quarter - 1)) - quarter;
    let rest = within.wrapping_sub(x);
    let mut result = exp_within_quarter16(shift_left16(within, integer_bits));
    // No more bits than there are integers.
    for (bit, &power) in POWERS.iter().enumerate().take(2 + integer_bits as usize) {
        if i32::from(rest) & i32::from(quarter) << bit != 0 {
            result = mul16(result, power);
        }
    }
    result
}

/// `exp(a)` for `a` in `[-1/4, 0)`, both `Q0.15`: as in 32 bits, but that the last sum saturates.
fn exp_within_quarter16(a: i16) -> i16 {
    const EXP_MINUS_EIGHTH: i16 = short(1895147668);
    const THIRD: i16 = short(715827883);
    let round = |x: i16, bits: u32| crate::requant::round_shift(x.into(), bits) as i16;
    let x = a.wrapping_add(1 << 12);
    let x2 = mul16(x, x);
    let x3 = mul16(x2, x);
    let x4 = mul16(x2, x2);
    let tail = round(mul16(round(x4, 2).wrapping_add(x3), THIRD).wrapping_add(x2), 1);
    EXP_MINUS_EIGHTH.saturating_add(mul16(EXP_MINUS_EIGHTH, x.wrapping_add(tail)))
}

/// `2 / (1 + a)` in `Q2.13` for `a` in `[0, 1]` in `Q0.15`, by three Newton-Raphson steps as in 32 bits.
fn two_over_one_plus16(a: i16) -> i16 {
    let half = ((i32::from(a) + i32::from(i16::MAX) + 1) / 2) as i16;
    let mut x = short(1515870810).wrapping_add(mul16(half, short(-1010580540)));
    for _ in 0..3 {
        let error = (1i16 << 13).wrapping_sub(mul16(half, x));
        x = x.wrapping_add(shift_left16(mul16(x, error), 2));
    }
    x
}

/// LOGISTIC of a `Q3.12`, as `Q0.15`.
pub fn logistic16(x: i16) -> i16 {
    if x == 0 {
        return 1 << 14;
    }
    let negative = if x > 0 { x.wrapping_neg() } else { x };
    // Half of the quotient, with one integer bit and then none.
    let positive = shift_left16(two_over_one_plus16(exp_of_negative16(negative, 3)), 1);
    if x > 0 { positive } else { i16::MAX - positive }
}

/// TANH of a number with `integer_bits` integer bits (0 to 6), as `Q0.15`.
pub fn tanh16(x: i16, integer_bits: u32) -> i16 {
    if x == 0 {
        return 0;
    }
    let negative = if x < 0 { x } else { -x };
    // (1 - e) / (1 + e) is 2 / (1 + e) - 1, for e = exp(2 x).
    let quotient = two_over_one_plus16(exp_of_negative16(negative, integer_bits + 1));
    let size = shift_left16(quotient.wrapping_sub(1 << 13), 2);
    if x < 0 { size.wrapping_neg() } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn exp_is_close(x in i32::MIN..0) {
            let real = libm::exp(x as f64 / (1 << 26) as f64);
            let got = exp_of_negative(x) as f64 / (1u64 << 31) as f64;
            prop_assert!((real - got).abs() < 1e-6, "{} {}", real, got);
        }

        #[test]
        fn functions_of_16_bits_are_close(x: i16, bits in 0u32..=6) {
            let real = |bits: u32| f64::from(x) / f64::from(1 << (15 - bits));
            let near = |got: i16, real: f64| (f64::from(got) / 32768.0 - real).abs() < 2e-3;
            prop_assert!(near(logistic16(x), 1.0 / (1.0 + libm::exp(-real(3)))), "{}", logistic16(x));
            prop_assert!(near(tanh16(x, bits), libm::tanh(real(bits))), "{}", tanh16(x, bits));
        }

        #[test]
        fn reciprocal_is_close(x in 1i32..i32::MAX) {
            let (r, e) = reciprocal(x, 12);
            let real = (1 << 19) as f64 / x as f64;
            let got = r as f64 * libm::exp2((-31 - e) as f64);
            prop_assert!((real / got - 1.0).abs() < 1e-6, "{} {}", real, got);
        }
    }
}
