//! Tables of functions of int8 and int16, computed as TensorFlow Lite's reference kernels compute each element.

use super::error::Refusal;
use smidgen_ir::{Activation, Function, UnaryKind};
use smidgen_kernels::fixed;
use smidgen_kernels::float::{GELU_CUBIC, GELU_SLOPE};
use smidgen_kernels::int8::LogSoftmax;
use smidgen_kernels::int16::{ENTRIES, entries};
use smidgen_kernels::requant::{Factor, Rounding, round_shift};

/// Scale and zero point of the input and of the output.
#[derive(Clone, Copy)]
pub(super) struct Ends {
    /// Of the input.
    pub from: (f32, i32),
    /// Of the output.
    pub to: (f32, i32),
}

/// The table of `f` from stored input to stored output, ordered as [`smidgen_kernels::int8::table`] wants it.
fn table(f: impl Fn(i32) -> i32) -> [i8; 256] {
    std::array::from_fn(|i| f(i as u8 as i8 as i32).clamp(-128, 127) as i8)
}

/// The table of an element-wise function.
pub(super) fn unary(kind: UnaryKind, ends: Ends) -> Result<[i8; 256], Refusal> {
    Ok(match kind {
        // Exponentials in double precision and then rounded are what a good single-precision library gives.
        UnaryKind::Logistic => return real(ends, |x| 1.0 / (1.0 + libm::exp(-x as f64) as f32)),
        UnaryKind::Tanh => return real(ends, |x| libm::tanh(x as f64) as f32),
        UnaryKind::Exp => return real(ends, exp),
        UnaryKind::Log => {
            let (scale, zero) = ends.to;
            return real(ends, |x| log(x, (-128 - zero) as f32 * scale));
        }
        UnaryKind::Relu => return relu(ends, Activation::Relu),
        UnaryKind::ReluN1To1 => return relu(ends, Activation::ReluN1To1),
        UnaryKind::Relu6 => return relu(ends, Activation::Relu6),
        UnaryKind::LeakyRelu { alpha } => leaky_relu(ends, alpha),
        UnaryKind::HardSwish => return hard_swish(ends),
        UnaryKind::Function(Function::Gelu) => return real(ends, gelu),
        UnaryKind::Function(Function::GeluTanh) => return real(ends, gelu_tanh),
        UnaryKind::Function(Function::Abs) => magnitude(ends),
        UnaryKind::Function(Function::Sqrt) => return square_root(ends),
        UnaryKind::Function(Function::Rsqrt) => inverse_square_root(ends),
        UnaryKind::Function(_) => return Err(Refusal("this function is supported on f32 only".into())),
    })
}

/// The hyperbolic tangent by `e^x - 1`, with the rounding of the C libraries that the reference is linked with on most machines: in 16 bits the last
/// bit of it decides one entry of a table in some hundred.
fn tanh(x: f32) -> f32 {
    let size = x.abs();
    let value = match size {
        22.0.. => 1.0,
        1.0.. => 1.0 - 2.0 / (libm::expm1f(2.0 * size) + 2.0),
        _ => {
            let t = libm::expm1f(-2.0 * size);
            -t / (t + 2.0)
        }
    };
    value.copysign(x)
}

/// GELU by the error function, likewise.
fn gelu(x: f32) -> f32 {
    0.5 * x * libm::erfcf(x * -std::f32::consts::FRAC_1_SQRT_2)
}

/// The tanh form of GELU.
fn gelu_tanh(x: f32) -> f32 {
    0.5 * x * (1.0 + tanh(GELU_SLOPE * (x + GELU_CUBIC * x * x * x)))
}

/// Exponentials and logarithms in double precision and then rounded are what a good single-precision library gives.
fn exp(x: f32) -> f32 {
    libm::exp(x.into()) as f32
}

/// Of what is not positive the least number that an output has.
fn log(x: f32, least: f32) -> f32 {
    if x > 0.0 { libm::log(x.into()) as f32 } else { least }
}

/// The table of int16 of an element-wise function that goes by [such](smidgen_kernels::int16::lookup), with the scales of its input and
/// output; `None` if it does not.
pub(super) fn wide(kind: UnaryKind, from: f32, to: f32) -> Result<Option<[i16; ENTRIES]>, Refusal> {
    let function: &dyn Fn(f32) -> f32 = match kind {
        UnaryKind::Exp => &exp,
        UnaryKind::Log => &|x| log(x, to * f32::from(i16::MIN)),
        UnaryKind::Function(Function::Gelu) => &gelu,
        UnaryKind::Function(Function::GeluTanh) => &gelu_tanh,
        UnaryKind::Function(Function::Rsqrt) => &|x| if x > 0.0 { 1.0 / x.sqrt() } else { f32::from(i16::MAX) * to },
        _ => return Ok(None),
    };
    let steps = 65536.0 / (to * f32::from(i16::MAX) - to * f32::from(i16::MIN));
    let value = |x: f64| f64::from(function(x as f32) * steps);
    let ends = [i16::MIN, i16::MAX].map(|end| f64::from(from * f32::from(end)));
    if ends.iter().any(|&end| !value(end).is_finite()) {
        return Err(Refusal(format!("the input's scale {from} is too large: the results leave what floats hold")));
    }
    Ok(Some(entries(value, ends, |x| f64::from(x as f32))))
}

/// ABS: the size of what is left of the zero point, on another scale where that differs.
fn magnitude(Ends { from: (sx, zx), to: (sy, zy) }: Ends) -> [i8; 256] {
    let factor = Factor::new((sx / sy) as f64);
    table(|x| factor.apply((x - zx).abs(), Rounding::Twice).saturating_add(zy))
}

/// SQRT, cut off to whole steps. What is below 0, of which the reference stops, is taken for 0.
fn square_root(Ends { from: (sx, zx), to: (sy, zy) }: Ends) -> Result<[i8; 256], Refusal> {
    let steps = |x: i32| (sx * (x - zx).max(0) as f32).sqrt() / sy;
    if steps(127) >= i32::MAX as f32 {
        return Err(Refusal(format!("the output's scale {sy} is too small for the root of an input of scale {sx}")));
    }
    Ok(table(|x| (steps(x) as i32).saturating_add(zy)))
}

/// RSQRT in fixed point with 20 bits of fraction. What is not above 0 becomes the greatest number.
fn inverse_square_root(Ends { from: (sx, zx), to: (sy, zy) }: Ends) -> [i8; 256] {
    const FRACTION: i8 = 20;
    let shifted = |factor: Factor, by: i8| Factor { shift: (factor.shift + by).clamp(-31, 30), ..factor };
    let output = shifted(Factor::new(1.0 / f64::from(sx.sqrt() * sy)), -FRACTION);
    table(|x| {
        if x <= zx {
            return i8::MAX.into();
        }
        let root = shifted(fixed::inverse_sqrt(x - zx), FRACTION).apply(1, Rounding::Twice);
        output.apply(root, Rounding::Twice).saturating_add(zy)
    })
}

/// Another quantisation of the same numbers: `z_y + (s_x / s_y) (x - z_x)`.
pub(super) fn requantise(Ends { from: (sx, zx), to: (sy, zy) }: Ends) -> [i8; 256] {
    let factor = Factor::new(sx as f64 / sy as f64);
    table(|x| factor.apply(x - zx, Rounding::Twice).saturating_add(zy))
}

/// An input of a CONCATENATION of uint8 on the output's scale, as TensorFlow Lite's `ConcatenationWithScaling`
/// computes it: in single precision, from integers that are greater by 128.
pub(super) fn joined(Ends { from: (sx, zx), to: (sy, zy) }: Ends, name: &str) -> Result<[i8; 256], Refusal> {
    let scale = sx * (1.0 / sy);
    let bias = -(zx + 128) as f32 * scale;
    let steps = |x: i32| libm::roundf((x + 128) as f32 * scale + bias);
    // The reference turns this into int32 before it clamps, which beyond int32 gives another result on every machine.
    if (-128..=127).any(|x| steps(x).is_nan() || steps(x).abs() >= (1u32 << 30) as f32) {
        return Err(Refusal(format!("the output's scale {sy} is too small for `{name}`, whose scale is {sx}")));
    }
    Ok(table(|x| steps(x) as i32 + zy))
}

/// A function of real numbers in single precision.
fn real(Ends { from: (sx, zx), to: (sy, zy) }: Ends, f: impl Fn(f32) -> f32) -> Result<[i8; 256], Refusal> {
    let inverse = 1.0 / sy;
    let steps = |x: i32| libm::roundf(f(sx * (x - zx) as f32) * inverse) + zy as f32;
    // The reference turns this into int32 before it clamps, which beyond int32 gives another result on every machine.
    if let Some(x) = (-128..=127).find(|&x| steps(x).is_nan() || steps(x).abs() >= i32::MAX as f32) {
        return Err(Refusal(format!(
            "the output's scale {sy} is too small: at {}, the result lies beyond the 2^31 steps that have a defined form",
            sx * (x - zx) as f32
        )));
    }
    Ok(table(|x| steps(x) as i32))
}

/// Requantisation, clamped.
fn relu(Ends { from: (sx, zx), to: (sy, zy) }: Ends, activation: Activation) -> Result<[i8; 256], Refusal> {
    let (min, max): (i8, i8) = super::quant::clamp(activation, sy, zy)?;
    let factor = Factor::new((sx / sy) as f64);
    Ok(table(|x| factor.apply(x - zx, Rounding::Twice).saturating_add(zy).max(min as i32).min(max as i32)))
}

/// Requantisation with another factor for negative inputs. A negative slope is applied by its size, then negated.
fn leaky_relu(Ends { from: (sx, zx), to: (sy, zy) }: Ends, alpha: f32) -> [i8; 256] {
    let factor = Factor::new((sx / sy) as f64);
    let slope = Factor::new((sx * alpha / sy).abs() as f64);
    table(|x| {
        let centred = x - zx;
        let scaled = match (centred >= 0, alpha < 0.0) {
            (true, _) => factor.apply(centred, Rounding::Twice),
            (false, false) => slope.apply(centred, Rounding::Twice),
            (false, true) => slope.apply(centred, Rounding::Twice).wrapping_neg(),
        };
        scaled.saturating_add(zy)
    })
}

/// HARD_SWISH in 16-bit fixed point: `x` on a scale 128 times finer, times a "reluish" factor `(x / 3 + 1) / 2` clamped to `[0, 1)`.
fn hard_swish(Ends { from: (sx, zx), to: (sy, zy) }: Ends) -> Result<[i8; 256], Refusal> {
    let fine_scale = (1.0 / 128.0) * sx;
    let output = Factor::new((fine_scale / sy) as f64);
    let gate_scale = (fine_scale / (3.0 / 32768.0)) as f64;
    // A shift beyond that has no defined form in the reference.
    if gate_scale >= (1u32 << 30) as f64 {
        return Err(Refusal(format!(
            "the input's scale {sx} is too large: the fixed-point form of this operator has no room for it"
        )));
    }
    let reluish = Factor::new(gate_scale);
    if output.shift > 0 {
        return Err(Refusal(format!(
            "the output's scale {sy} is under 1/128 of the input's, {sx}; the fixed-point form of this operator cannot express that"
        )));
    }
    let (output_multiplier, reluish_multiplier) = (to_i16(output.multiplier), to_i16(reluish.multiplier));
    Ok(table(|x| {
        // A zero point outside int8 could leave 16 bits; the reference truncates.
        let fine = (x.wrapping_sub(zx) as i16).wrapping_mul(1 << 7);
        let unshifted = fixed::mul16(fine, output_multiplier);
        let shift = reluish.shift as i32;
        let mut gate = fine;
        if shift > 0 {
            gate = shift_left(gate, shift as u32 - 1);
        }
        gate = fixed::mul16(gate, reluish_multiplier);
        if shift > 0 {
            gate = shift_left(gate, 1);
        }
        if shift < 0 {
            gate = round_shift16(gate, -shift as u32);
        }
        // From [-1, 1] to [0, 1].
        let gate = (gate as i32 + (1 << 15)) >> 1;
        let product = (gate * unshifted as i32 / (1 << 15)) as i16;
        i32::from(round_shift16(product, -(output.shift as i32) as u32)).saturating_add(zy)
    }))
}

/// `x / 2^shift`, rounded, ties away from zero, as gemmlowp's `RoundingDivideByPOT` does it in 16 bits: from 16 on its mask has only
/// bits of one, and what is not negative becomes 1, all else -1.
fn round_shift16(x: i16, shift: u32) -> i16 {
    match shift {
        16.. if x < 0 => -1,
        16.. => 1,
        _ => round_shift(x.into(), shift) as i16,
    }
}

/// A Q31 multiplier as Q15.
fn to_i16(multiplier: i32) -> i16 {
    if multiplier >= 0x7fff_0000 { i16::MAX } else { ((multiplier + (1 << 15)) >> 16) as i16 }
}

fn shift_left(x: i16, bits: u32) -> i16 {
    ((x as i64) << bits).clamp(i16::MIN as i64, i16::MAX as i64) as i16
}

/// Differences of inputs as `Q5.26`: a factor, and the greatest difference that fits.
fn exponent(beta: f32, scale: f32) -> Result<(Factor, i64), Refusal> {
    /// Integer bits of the exponent's fixed-point form.
    const INTEGER_BITS: i32 = 5;
    let real = (beta as f64 * scale as f64 * (1i64 << (31 - INTEGER_BITS)) as f64).min(i32::MAX as f64);
    let (fraction, shift) = libm::frexp(real);
    let multiplier = libm::round(fraction * (1i64 << 31) as f64);
    // A multiplier that rounds up to one is a half with one more shift.
    let (multiplier, shift) =
        if multiplier == (1i64 << 31) as f64 { (1 << 30, shift + 1) } else { (multiplier as i32, shift) };
    if !(0..=31).contains(&shift) || multiplier <= 0 {
        return Err(Refusal(format!("beta {beta} times the input's scale {scale} is not within 2^-26 .. 2^5")));
    }
    let most = ((1i64 << INTEGER_BITS) - 1) * (1i64 << (31 - INTEGER_BITS)) / (1i64 << shift);
    Ok((Factor { multiplier, shift: shift as i8 }, most))
}

/// `exp(-d * beta * scale)` in `Q0.31` for `d` from 0 to 255, as integer SOFTMAX wants it; 0 where it is too small to count.
pub(super) fn exponentials(beta: f32, scale: f32) -> Result<[i32; 256], Refusal> {
    let (factor, most) = exponent(beta, scale)?;
    Ok(std::array::from_fn(|d| {
        if d as i64 > most {
            return 0;
        }
        fixed::exp_of_negative(fixed::mul((-(d as i64) << factor.shift) as i32, factor.multiplier))
    }))
}

/// The parameters of integer LOG_SOFTMAX.
pub(super) fn log_softmax(scale: f32) -> Result<LogSoftmax, Refusal> {
    let (factor, most) = exponent(1.0, scale)?;
    // Beyond that no two inputs are told apart, and the way back would not go to the right.
    if factor.shift == 0 || factor.shift > 30 {
        return Err(Refusal(format!("the input's scale {scale} is not within 2^-25 .. 2^4")));
    }
    let reverse = Factor::new((1i64 << (31 - factor.shift)) as f64 / f64::from(factor.multiplier));
    Ok(LogSoftmax { factor, reverse, least: -most.min(1 << 30) as i32 })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Largest difference in steps between a table and the real function.
    fn error(table: &[i8; 256], ends: Ends, f: impl Fn(f64) -> f64) -> f64 {
        (0..256)
            .map(|i| {
                let x = (i as u8 as i8 as i32 - ends.from.1) as f64 * ends.from.0 as f64;
                let exact = (f(x) / ends.to.0 as f64 + ends.to.1 as f64).clamp(-128.0, 127.0);
                (table[i] as f64 - exact).abs()
            })
            .fold(0.0, f64::max)
    }

    #[test]
    fn tables_are_within_a_step_of_the_real_function() {
        type Real = fn(f64) -> f64;
        let cases: [(UnaryKind, (f32, i32), Real, f64); 7] = [
            (UnaryKind::Logistic, (1.0 / 256.0, -128), |x| 1.0 / (1.0 + (-x).exp()), 0.51),
            (UnaryKind::Tanh, (1.0 / 128.0, 0), f64::tanh, 0.51),
            (UnaryKind::Relu, (0.03, -128), |x| x.max(0.0), 1.0),
            (UnaryKind::ReluN1To1, (0.01, 3), |x| x.clamp(-1.0, 1.0), 1.0),
            (UnaryKind::Relu6, (0.04, -128), |x| x.clamp(0.0, 6.0), 1.0),
            (UnaryKind::LeakyRelu { alpha: -0.3 }, (0.04, 0), |x| if x < 0.0 { -0.3f32 as f64 * x } else { x }, 1.0),
            (UnaryKind::HardSwish, (0.04, -120), |x| x * (x + 3.0).clamp(0.0, 6.0) / 6.0, 1.5),
        ];
        for (kind, to, f, bound) in cases {
            for from in [(0.05f32, -128), (0.05, 127), (0.02, 7), (0.9, 0)] {
                let ends = Ends { from, to };
                let error = error(&unary(kind, ends).unwrap(), ends, f);
                assert!(error <= bound, "{kind:?} from {from:?} to {to:?}: {error}");
            }
        }
    }

    #[test]
    fn exp_and_log_are_the_nearest_steps() {
        let ends = Ends { from: (0.02, 20), to: (0.04, -128) };
        assert!(error(&unary(UnaryKind::Exp, ends).unwrap(), ends, f64::exp) <= 0.51);
        let ends = Ends { from: (0.02, -120), to: (0.03, 10) };
        let least = -138.0 * f64::from(0.03f32);
        let log = |x: f64| if x > 0.0 { x.ln() } else { least };
        assert!(error(&unary(UnaryKind::Log, ends).unwrap(), ends, log) <= 0.51);
    }

    #[test]
    fn what_lies_beyond_32_bits_is_refused() {
        for (kind, from, to) in
            [(UnaryKind::Exp, 1.0, 0.1), (UnaryKind::Tanh, 1.0, 1e-12), (UnaryKind::Log, 1.0, 1e-38)]
        {
            let ends = Ends { from: (from, 0), to: (to, 0) };
            assert!(unary(kind, ends).unwrap_err().0.contains("output's scale"), "{kind:?}");
        }
    }

    #[test]
    fn sixteen_bits_shifted_by_more_keep_only_their_sign() {
        assert_eq!([-9, -8, -1, 0, 7, 8].map(|x| round_shift16(x, 4)), [-1, -1, 0, 0, 0, 1]);
        assert_eq!([i16::MIN, -1, 0, i16::MAX].map(|x| round_shift16(x, 15)), [-1, 0, 0, 1]);
        for shift in [16, 20, 31] {
            assert_eq!([i16::MIN, -1, 0, 1].map(|x| round_shift16(x, shift)), [-1, -1, 1, 1]);
        }
    }

    #[test]
    fn exponentials_fall_from_one() {
        let table = exponentials(1.0, 0.1).unwrap();
        assert_eq!(table[0], i32::MAX);
        for (d, &e) in table.iter().enumerate() {
            assert!((e as f64 / (1u64 << 31) as f64 - (-0.1f32 as f64 * d as f64).exp()).abs() < 1e-6, "{d}");
        }
        // Where one step is more than 31 it is all or nothing.
        assert_eq!(exponentials(1.0, 32.0).unwrap()[1..], [0; 255]);
        assert!(exponentials(1.0, 1e-9).is_err());
    }
}
