//! Four weights in one word and the four inputs they meet in two, so that a word of weights needs one extraction for four products.
//!
//! A word of weights `w0 .. w3` is two 16-bit numbers, `256 * w1 + w0` and `256 * w3 + w2`: as they are, they are the factors of one dual
//! multiply-accumulate, and their low bytes, sign-extended (SXTB16), those of the other. The inputs `x0 .. x3` are staged as
//!
//! ```text
//! a = (x1 - 127, x3 - 127)                     SXTAB16 a, (-127, -127), x ROR #8
//! b = (256 * x0, 256 * x2) - a                 AND b, 0xFF00FF00, x LSL #8; SSUB16 b, b, a
//! ```
//!
//! so that `(256 * w1 + w0) * (x1 - 127) + w0 * (256 * x0 - (x1 - 127)) = 256 * (w1 * (x1 - 127) + w0 * x0)`: products
//! [256 times as large](super::epilogue::SCALE), the odd inputs 127 less than they are, which [`start`] makes up for. With 127 and no other number
//! `b` fits 16 bits for all inputs. A weight of -128 does not fit everywhere; TensorFlow Lite's converters give none.
//!
//! For four inputs, three pixels and two channels that is: 1 double load of weights, 2 extractions, 2 loads of three words, 12 multiply-accumulates.

/// What odd inputs are staged less.
pub const ODD: i32 = 127;

/// Four weights as a word, if they fit: a weight of -128 in an odd place does not where the one before it is negative.
pub fn pack(weights: [i8; 4]) -> Option<u32> {
    let [w0, w1, w2, w3] = weights.map(i32::from);
    let half = |low: i32, high: i32| i16::try_from(256 * high + low).ok().map(|half| half as u16 as u32);
    Some(half(w0, w1)? | half(w2, w3)? << 16)
}

/// What accumulators of products that meet inputs so staged start with, given what they would with plain products: `bias`, to which the
/// input's zero point has been [folded](crate::int8::fast::fold_bias). `weights` are the channel's, in the order of the words.
pub fn start(bias: i32, weights: impl Iterator<Item = i8>) -> i32 {
    let odd = weights.skip(1).step_by(2).fold(0i32, |sum, w| sum.wrapping_add(w as i32));
    bias.wrapping_add(odd.wrapping_mul(ODD))
}

/// Stages four inputs: `[a, b]`.
#[inline(always)]
pub fn stage(inputs: [i8; 4]) -> [u32; 2] {
    let [x0, x1, x2, x3] = inputs.map(i32::from);
    let (a0, a1) = (x1 - ODD, x3 - ODD);
    [join(a0, a1), join(256 * x0 - a0, 256 * x2 - a1)]
}

/// `acc` and the four products.
#[inline(always)]
pub fn multiply(acc: i32, weights: u32, [a, b]: [u32; 2]) -> i32 {
    smlad(sxtb16(weights), b, smlad(weights, a, acc))
}

/// Two 16-bit numbers as one word.
#[inline(always)]
pub(super) fn join(low: i32, high: i32) -> u32 {
    low as u16 as u32 | (high as u32) << 16
}

/// The low bytes of both halves, sign-extended: the instruction of that name.
#[inline(always)]
pub fn sxtb16(x: u32) -> u32 {
    join(x as i8 as i32, (x >> 16) as i8 as i32)
}

/// `acc + a.low * b.low + a.high * b.high`, wrapping: the instruction of that name.
#[inline(always)]
pub fn smlad(a: u32, b: u32, acc: i32) -> i32 {
    let low = (a as i16 as i32).wrapping_mul(b as i16 as i32);
    let high = ((a as i32) >> 16).wrapping_mul((b as i32) >> 16);
    acc.wrapping_add(low).wrapping_add(high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn weights() -> impl Strategy<Value = [i8; 4]> {
        prop::array::uniform4(prop_oneof![-127i8..=127, Just(-127), Just(127)])
    }

    fn inputs() -> impl Strategy<Value = [i8; 4]> {
        prop::array::uniform4(prop_oneof![any::<i8>(), Just(-128), Just(127)])
    }

    proptest! {
        #[test]
        fn products_are_256_times_the_plain_ones(w in weights(), x in inputs(), bias in -10_000i32..10_000) {
            let plain = bias + (0..4).map(|i| w[i] as i32 * x[i] as i32).sum::<i32>();
            let staged = multiply(256 * start(bias, w.into_iter()), pack(w).unwrap(), stage(x));
            prop_assert_eq!(staged, 256 * plain);
        }

        #[test]
        fn whatever_fits_is_right(w in any::<[i8; 4]>(), x in inputs()) {
            if let Some(word) = pack(w) {
                let plain = (0..4).map(|i| w[i] as i32 * x[i] as i32).sum::<i32>();
                prop_assert_eq!(multiply(256 * start(0, w.into_iter()), word, stage(x)), 256 * plain);
            }
        }
    }
}
