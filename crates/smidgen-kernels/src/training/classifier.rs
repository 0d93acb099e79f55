//! The classifier behind the features, softmax and cross-entropy: fixed point, the same on every core.

use super::block::COLUMNS;
use super::update::due;
use super::{ERROR_BITS, LOGIT_BITS, RATE_BITS, WEIGHT_BITS, blocks, i32_at, saturate};
use crate::fixed;
use crate::memory::{Arena, Bounds};

/// A fully connected layer from int8 features to logits.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Head {
    /// Features.
    pub inputs: usize,
    /// Classes.
    pub classes: usize,
    /// Zero point of the features.
    pub zero: i32,
    /// Scale of the features: `mantissa * 2^-shift`, the mantissa in `2^14 .. 2^15`, the shift in 0 to 62.
    pub scale: [i32; 2],
}

/// Softmax and cross-entropy.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Cross {
    /// Classes.
    pub classes: usize,
}

/// Logits. `places` are the bytes of the features `[C]` (int8), the weights `[N, C]` (int32, [`WEIGHT_BITS`]), the biases `[N]` (alike) and the
/// logits `[N]` (int32, [`LOGIT_BITS`]).
pub fn classifier<B: Bounds>(mut arena: Arena<'_, u8, B>, places: [usize; 4], head: &Head) {
    let [features, weights, biases, logits] = places;
    let [mantissa, shift] = head.scale;
    for n in 0..head.classes {
        let mut sum = 0i64;
        for i in 0..head.inputs {
            let x = i32::from(arena[features.wrapping_add(i)] as i8).wrapping_sub(head.zero);
            let w = i32_at(&arena, weights.wrapping_add((n * head.inputs + i).wrapping_mul(4)));
            sum = sum.wrapping_add(i64::from(x).wrapping_mul(i64::from(w)));
        }
        // So that the product fits 64 bits.
        let sum = sum.clamp(-(1 << 47), 1 << 47);
        let scaled = sum.wrapping_mul(i64::from(mantissa)).wrapping_shr(shift as u32 & 63);
        let bias = i64::from(i32_at(&arena, biases.wrapping_add(n.wrapping_mul(4))));
        let logit = scaled.wrapping_add(bias) >> (WEIGHT_BITS - LOGIT_BITS);
        let logit = logit.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32;
        arena.store(logits.wrapping_add(n.wrapping_mul(4)), logit.to_le_bytes());
    }
}

/// `e^(logit - greatest)`, in `Q0.31`.
#[inline]
fn exponential(logit: i32, greatest: i32) -> i32 {
    let below = i64::from(logit).wrapping_sub(i64::from(greatest));
    // Q5.26, whose least is e^-32: less than a unit of the result.
    let x = below.max(-(31 << LOGIT_BITS)).wrapping_shl(26 - LOGIT_BITS);
    fixed::exp_of_negative(x as i32)
}

/// The natural logarithm of a number of at least 1 with 31 fraction bits, with [`LOGIT_BITS`]: its binary logarithm bit by bit, by squaring.
fn logarithm(x: u64) -> i32 {
    /// `ln 2` with 16 bits.
    const LN_2: i64 = 45_426;
    let whole = 63u32.saturating_sub(x.leading_zeros());
    // 1 to 2, with 31 fraction bits.
    let mut mantissa =
        if whole > 31 { x.wrapping_shr(whole - 31) } else { x.wrapping_shl(31u32.saturating_sub(whole)) };
    let mut log = i64::from(whole) - 31;
    for _ in 0..LOGIT_BITS {
        mantissa = mantissa.wrapping_mul(mantissa) >> 31;
        log <<= 1;
        if mantissa >= 1 << 32 {
            mantissa >>= 1;
            log |= 1;
        }
    }
    ((log.wrapping_mul(LN_2)) >> 16) as i32
}

/// The loss and its gradient with respect to the logits. `places` are the bytes of the logits `[N]`, the label (int32), the errors `[N]` (int32,
/// [`ERROR_BITS`]: probability less 1 for the label's class, less 0 for others) and the loss (int32, [`LOGIT_BITS`]). A label out of range
/// gives errors and a loss of 0, so that nothing is learnt.
pub fn cross_entropy<B: Bounds>(mut arena: Arena<'_, u8, B>, places: [usize; 4], layer: &Cross) {
    let [logits, label, errors, loss] = places;
    let logit = |arena: &Arena<'_, u8, B>, n: usize| i32_at(arena, logits.wrapping_add(n.wrapping_mul(4)));
    let label = i32_at(&arena, label) as usize;
    let mut greatest = i32::MIN;
    for n in 0..layer.classes {
        greatest = greatest.max(logit(&arena, n));
    }
    let mut sum = 0u64;
    for n in 0..layer.classes {
        sum = sum.wrapping_add(exponential(logit(&arena, n), greatest) as u64);
    }
    let known = label < layer.classes;
    let mut its_loss = 0;
    for n in 0..layer.classes {
        let value = logit(&arena, n);
        let probability = share(exponential(value, greatest) as u64, sum);
        let wanted = if n == label { 1 << ERROR_BITS } else { 0 };
        let error = if known { (probability as i32).wrapping_sub(wanted) } else { 0 };
        if n == label {
            its_loss = i64::from(logarithm(sum)) + i64::from(greatest) - i64::from(value);
        }
        arena.store(errors.wrapping_add(n.wrapping_mul(4)), error.to_le_bytes());
    }
    let its_loss = its_loss.clamp(0, i64::from(i32::MAX)) as i32;
    arena.store(loss, its_loss.to_le_bytes());
}

/// `part / whole` rounded down, [`ERROR_BITS`] of it behind the point, for a part that is no greater than the whole; 0 of nothing. Bit by bit: a
/// division of 64 bits would take a thousand bytes of flash, and this is done once for each class.
fn share(part: u64, whole: u64) -> u32 {
    let (mut rest, mut share) = (part, 0u32);
    if whole == 0 {
        return 0;
    }
    for _ in 0..=ERROR_BITS {
        share = share.wrapping_shl(1);
        if rest >= whole {
            rest = rest.wrapping_sub(whole);
            share |= 1;
        }
        rest = rest.wrapping_shl(1);
    }
    share
}

/// The mean squared error of the logits, with 1 wanted of the label's class and 0 of others, and its gradient with respect to the logits. `places` and
/// what an unknown label gives are those of [`cross_entropy`]. Errors end at 2 and -2, which logits that are further off than there are
/// classes reach: from there on the loss grows linearly, as far as a step is concerned.
pub fn squared_error<B: Bounds>(mut arena: Arena<'_, u8, B>, places: [usize; 4], layer: &Cross) {
    let [logits, label, errors, loss] = places;
    let label = i32_at(&arena, label) as usize;
    let (known, classes) = (label < layer.classes, layer.classes.max(1) as i64);
    let mut sum = 0u64;
    for n in 0..layer.classes {
        let wanted = if n == label { 1i64 << LOGIT_BITS } else { 0 };
        let off = i64::from(i32_at(&arena, logits.wrapping_add(n.wrapping_mul(4)))).wrapping_sub(wanted);
        // At most 33 bits, and shifted by 14 + 1 still below 63.
        let error = off.wrapping_shl(ERROR_BITS - LOGIT_BITS + 1).checked_div(classes).unwrap_or(0);
        let error = if known { error.clamp(-i64::from(i32::MAX), i64::from(i32::MAX)) as i32 } else { 0 };
        arena.store(errors.wrapping_add(n.wrapping_mul(4)), error.to_le_bytes());
        // Squares of so many bits, less some, can be summed.
        let size = off.unsigned_abs() >> (LOGIT_BITS / 2);
        sum = sum.saturating_add(size.wrapping_mul(size));
    }
    let mean = if known { sum.checked_div(classes as u64).unwrap_or(0) } else { 0 };
    let mean = if mean > i32::MAX as u64 { i32::MAX } else { mean as i32 };
    arena.store(loss, mean.to_le_bytes());
}

/// The gradient with respect to the features, in the unit `2^(exponent - ERROR_BITS - WEIGHT_BITS)` times the features' scale: the greatest element has
/// 15 bits. `places` are the bytes of the errors `[N]`, the weights `[N, C]`, what is written, of one pixel, and its exponent (int32).
pub fn classifier_gradient<B: Bounds>(mut arena: Arena<'_, u8, B>, places: [usize; 4], head: &Head) {
    let [errors, weights, gradient, exponent] = places;
    let sum = |arena: &Arena<'_, u8, B>, i: usize| {
        let mut sum = 0i64;
        for n in 0..head.classes {
            let error = i64::from(i32_at(arena, errors.wrapping_add(n.wrapping_mul(4))));
            let w = i64::from(i32_at(arena, weights.wrapping_add((n * head.inputs + i).wrapping_mul(4))));
            // 10 bits go so that a thousand such products can be summed.
            sum = sum.wrapping_add((error * w) >> 10);
        }
        sum
    };
    let mut greatest = 0u64;
    for i in 0..head.inputs {
        greatest |= sum(&arena, i).unsigned_abs();
    }
    let shift = 49u32.saturating_sub(greatest.leading_zeros());
    for i in 0..head.inputs {
        let value = saturate((sum(&arena, i) >> shift) as i32);
        arena.store(gradient.wrapping_add(i.wrapping_mul(2)), value.to_le_bytes());
    }
    // What fills up the last block of channels.
    for i in head.inputs..blocks(head.inputs).wrapping_mul(COLUMNS) {
        arena.store(gradient.wrapping_add(i.wrapping_mul(2)), [0; 2]);
    }
    arena.store(exponent, (shift as i32 + 10).to_le_bytes());
}

/// Of several samples whose steps are collected, the bytes of the number that were before, and of what waits of their steps (as many numbers of 32 bits).
pub type Waiting = [usize; 2];

/// A number of the classifier less its step, or, with more than one sample `collected`, less the steps that have waited, if that is due.
#[inline(always)]
fn settle<B: Bounds>(
    arena: &mut Arena<'_, u8, B>,
    [first, i]: [usize; 2],
    step: i64,
    [count, waiting]: Waiting,
    collected: u32,
) {
    let limit = |x: i64| x.clamp(-i64::from(i32::MAX), i64::from(i32::MAX)) as i32;
    let mut step = step;
    if collected > 1 {
        let wait = waiting.wrapping_add(i.wrapping_mul(4));
        let all = limit(i64::from(i32_at(arena, wait)).wrapping_add(step));
        let due = due(arena, count, collected);
        arena.store(wait, if due { 0 } else { all }.to_le_bytes());
        step = if due { all.into() } else { 0 };
    }
    let at = first.wrapping_add(i.wrapping_mul(4));
    let next = limit(i64::from(i32_at(arena, at)).wrapping_sub(step));
    arena.store(at, next.to_le_bytes());
}

/// Updates the classifier's weights. `places` are the bytes of the features, the errors and the weights; `waiting` is nothing where steps are not
/// collected.
pub fn classifier_weights<B: Bounds>(
    mut arena: Arena<'_, u8, B>,
    [features, errors, weights]: [usize; 3],
    rate: usize,
    waiting: Waiting,
    collected: u32,
    head: &Head,
) {
    let rate = i64::from(i32_at(&arena, rate).max(0));
    let [mantissa, shift] = head.scale;
    for n in 0..head.classes {
        let error = i64::from(i32_at(&arena, errors.wrapping_add(n.wrapping_mul(4))));
        // The step for a feature of 1, with 16 bits more than an error has.
        let unit = ((error * rate) >> RATE_BITS).wrapping_mul(i64::from(mantissa));
        let right = shift.wrapping_sub(16);
        let unit = if right < 0 { unit.wrapping_shl(-right as u32 & 63) } else { unit.wrapping_shr(right as u32 & 63) };
        for i in 0..head.inputs {
            let x = i64::from(arena[features.wrapping_add(i)] as i8).wrapping_sub(i64::from(head.zero));
            let step = (x.wrapping_mul(unit).wrapping_add(1 << (45 - WEIGHT_BITS))) >> (46 - WEIGHT_BITS);
            settle(&mut arena, [weights, n * head.inputs + i], step, waiting, collected);
        }
    }
}

/// Updates the classifier's biases. `places` are the bytes of the errors and of the biases; `waiting` as in [`classifier_weights`].
pub fn classifier_bias<B: Bounds>(
    mut arena: Arena<'_, u8, B>,
    [errors, biases]: [usize; 2],
    rate: usize,
    waiting: Waiting,
    collected: u32,
    layer: &Cross,
) {
    let rate = i64::from(i32_at(&arena, rate).max(0));
    for n in 0..layer.classes {
        let error = i64::from(i32_at(&arena, errors.wrapping_add(n.wrapping_mul(4))));
        let step = (error * rate) >> (ERROR_BITS + RATE_BITS - WEIGHT_BITS);
        settle(&mut arena, [biases, n], step, waiting, collected);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_share_is_a_division(part in 0u64..1 << 32, others in prop_oneof![Just(0u64), 0u64..8, 0u64..1 << 45]) {
            let whole = part + others;
            let expected = (part << ERROR_BITS).checked_div(whole).unwrap_or(0);
            prop_assert_eq!(u64::from(share(part, whole)), expected);
        }
    }
}
