//! Blocks of convolutions with the instructions that every x86-64 processor has (SSE2): hosts run networks over whole data sets.
//!
//! Sums wrap, so the order in which products are added does not matter, and all bits are those of plain Rust.

use super::weights::Weights;
use core::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_and_si128, _mm_cvtsi32_si128, _mm_cvtsi64_si128, _mm_cvtsi128_si64, _mm_madd_epi16,
    _mm_mullo_epi16, _mm_set1_epi32, _mm_setr_epi16, _mm_setr_epi32, _mm_slli_epi16, _mm_srai_epi16,
    _mm_unpackhi_epi64, _mm_unpacklo_epi32, _mm_unpacklo_epi64,
};

/// For each of some pixels the accumulators of two channels, begun with `start`. `words` are the channels' words of weights, `staged` what
/// each group of four taps meets of all pixels.
#[inline(always)]
pub(super) fn pair<W: Weights, const PIXELS: usize>(
    [first, second]: [i32; 2],
    words: &[u32],
    staged: &[u32],
) -> [[i32; 2]; PIXELS] {
    // SAFETY: every x86-64 processor has the instructions.
    unsafe {
        let mut sums = [_mm_setr_epi32(first, second, 0, 0); PIXELS];
        let groups = words.chunks_exact(W::WIDTH.words(2)).zip(staged.chunks_exact(2 * PIXELS));
        for (words, staged) in groups {
            let weights = W::factors(words);
            for (sum, &two) in sums.iter_mut().zip(staged.as_chunks().0) {
                let two = joined(two);
                *sum = _mm_add_epi32(*sum, _mm_madd_epi16(_mm_unpacklo_epi32(two, two), weights));
            }
        }
        sums.map(|sum| {
            let both = _mm_cvtsi128_si64(_mm_add_epi32(sum, _mm_unpackhi_epi64(sum, sum)));
            [both as i32, (both >> 32) as i32]
        })
    }
}

/// Two words.
#[inline(always)]
fn joined([low, high]: [u32; 2]) -> __m128i {
    // SAFETY: every x86-64 processor has the instruction.
    unsafe { _mm_cvtsi64_si128((u64::from(high) << 32 | u64::from(low)) as i64) }
}

/// What meets staged inputs `a, a, b, b` for the [weights of eight bits](super::lanes) of two channels.
#[inline(always)]
pub(super) fn of_lanes(words: &[u32]) -> __m128i {
    let words = match *words {
        [first, second] => joined([first, second]),
        _ => joined([0, 0]),
    };
    // SAFETY: every x86-64 processor has the instructions.
    unsafe { _mm_unpacklo_epi64(words, _mm_srai_epi16::<8>(_mm_slli_epi16::<8>(words))) }
}

/// The same for [weights of four bits](super::nibbles): they are shifted left by 0, 4, 8 and 12.
#[inline(always)]
pub(super) fn of_nibbles(words: &[u32]) -> __m128i {
    let word = words.first().map_or(0, |&word| word as i32);
    // SAFETY: every x86-64 processor has the instructions.
    unsafe {
        let word = _mm_cvtsi32_si128(word);
        let two = _mm_unpacklo_epi32(word, word);
        let shifts = _mm_setr_epi16(1, 1, 16, 16, 256, 256, 4096, 4096);
        let shifted = _mm_mullo_epi16(_mm_unpacklo_epi64(two, two), shifts);
        _mm_and_si128(shifted, _mm_set1_epi32(super::nibbles::MASK as i32))
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::super::lanes;
    use super::super::nibbles;
    use super::super::weights::{Eight, Four, Weights};
    use crate::memory::{Checked, Flash};
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn check<W: Weights, const PIXELS: usize>(start: [i32; 2], words: &[u32], inputs: &[[i8; 4]]) {
        let quads = inputs.len() / PIXELS;
        let staged: Vec<u32> = inputs.iter().flat_map(|&x| W::stage(x)).collect();
        let step = W::WIDTH.words(2);
        let all = super::pair::<W, PIXELS>(start, &words[..step * quads], &staged[..2 * PIXELS * quads]);
        for (p, sums) in all.into_iter().enumerate() {
            let expected: [i32; 2] = core::array::from_fn(|channel| {
                (0..quads).fold(start[channel], |sum, quad| {
                    let at = 2 * (quad * PIXELS + p);
                    let words = Flash::<_, Checked>::new(words);
                    W::multiply(sum, words, step * quad, channel, [staged[at], staged[at + 1]])
                })
            });
            assert_eq!(sums, expected);
        }
    }

    proptest! {
        #[test]
        fn pairs(
            start in any::<[i32; 2]>(),
            weights in vec(prop::array::uniform4(-127i8..=127), 16),
            inputs in vec(any::<[i8; 4]>(), 0..24),
        ) {
            let words: Vec<u32> = weights.iter().map(|&w| lanes::pack(w).unwrap()).collect();
            let few = |w: [i8; 4]| w.map(|w| w >> 4);
            let half: Vec<u32> =
                weights.as_chunks().0.iter().map(|&[v, w]| nibbles::pack([few(v), few(w)]).unwrap()).collect();
            for pixels in 1..=3 {
                let inputs = &inputs[..inputs.len().min(8 * pixels)];
                match pixels {
                    1 => (check::<Eight, 1>(start, &words, inputs), check::<Four, 1>(start, &half, inputs)),
                    2 => (check::<Eight, 2>(start, &words, inputs), check::<Four, 2>(start, &half, inputs)),
                    _ => (check::<Eight, 3>(start, &words, inputs), check::<Four, 3>(start, &half, inputs)),
                };
            }
        }
    }
}
