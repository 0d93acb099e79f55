//! Four weights of four bits of two channels in one word, extracted with one instruction for each two of a channel.
//!
//! A word holds the weights `w0 .. w3` of a channel and `v0 .. v3` of the next one, two's complement:
//!
//! ```text
//! bits    28..32 24..28 20..24 16..20 12..16  8..12   4..8   0..4
//!           w2     v2     w3     v3     w0     v0     w1     v1
//! ```
//!
//! The word shifted left by 0, 4, 8 or 12, and of it the bits of [`MASK`], is two 16-bit numbers, `4096 * (w0, w2)`, `4096 * (v0, v2)`,
//! `4096 * (w1, w3)` or `4096 * (v1, v3)`: one instruction on Armv7E-M, and the sign comes by itself. The inputs they meet
//! are staged as they are, as `(x0, x2)` and `(x1, x3)`, so that products are 4096 times the plain ones.
//!
//! For four inputs, three pixels and two channels that is: 1 load of weights, 4 extractions, 3 loads of inputs, 12 multiply-accumulates; two
//! instructions more than for [weights of eight bits](super::lanes), and half of the words.

use super::lanes::{join, smlad};

/// The upper four bits of both halves.
pub const MASK: u32 = 0xf000_f000;

/// Four weights of two channels as a word, if all are from -8 to 7.
pub fn pack(weights: [[i8; 4]; 2]) -> Option<u32> {
    let [w, v] = weights;
    let places = [v[1], w[1], v[0], w[0], v[3], w[3], v[2], w[2]];
    let fits = places.iter().all(|w| (-8..8).contains(w));
    fits.then(|| places.iter().rev().fold(0, |word, &w| word << 4 | (w & 15) as u32))
}

/// Stages four inputs: `[(x0, x2), (x1, x3)]`.
#[inline(always)]
pub fn stage(inputs: [i8; 4]) -> [u32; 2] {
    let [x0, x1, x2, x3] = inputs.map(i32::from);
    [join(x0, x2), join(x1, x3)]
}

/// `acc` and the four products of channel 0 or 1 of a word.
#[inline(always)]
pub fn multiply(acc: i32, word: u32, channel: usize, [a, b]: [u32; 2]) -> i32 {
    let word = if channel == 0 { word } else { word << 4 };
    smlad(word << 8 & MASK, b, smlad(word & MASK, a, acc))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn products_are_4096_times_the_plain_ones(
            w in prop::array::uniform2(prop::array::uniform4(-8i8..8)), x in any::<[i8; 4]>(), bias in -100_000i32..100_000,
        ) {
            let word = pack(w).unwrap();
            for (channel, w) in w.iter().enumerate() {
                let plain = bias + (0..4).map(|i| w[i] as i32 * x[i] as i32).sum::<i32>();
                prop_assert_eq!(multiply(4096 * bias, word, channel, stage(x)), 4096 * plain);
            }
        }

        #[test]
        fn wider_weights_are_refused(mut w in prop::array::uniform2(prop::array::uniform4(-8i8..8)), at in 0usize..8, wide in any::<i8>()) {
            w[at / 4][at % 4] = wide;
            prop_assert_eq!(pack(w).is_some(), (-8..8).contains(&wide));
        }
    }
}
