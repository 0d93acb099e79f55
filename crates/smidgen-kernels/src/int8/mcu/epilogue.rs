//! From an accumulator to an int8 output, in three to five instructions and six bytes for each channel.
//!
//! # The arithmetic
//! Inputs are staged 256 times as large ([`SCALE`]), which costs nothing: of a word of four int8, `x & 0xFF00FF00` holds elements 1 and 3
//! so scaled, and `(x << 8) & 0xFF00FF00` elements 0 and 2. With weights as they are and a start that is scaled as well, accumulators are
//! 256 times what the reference has. (With [weights of four bits](super::nibbles) it is the weights that are scaled, and by 4096: read
//! [`Width::scale`] for 256 then, and [`Width::scale_bits`] for 8.) The zero point of the input is [folded](crate::int8::fast::fold_bias) into the bias; what lies in the
//! padding is staged as the zero point. An output is
//!
//! ```text
//! y = SSAT8((SMMLA(acc, m, C) - t) ASR j)        SMMLA(a, m, c) = c + floor(a * m / 2^32)
//! t = K where acc < 0 and the layer is `by_sign`, else 0
//! ```
//!
//! with `j` = [`Epilogue::shift`] for the whole layer and `m` = [`Channel::multiplier`] a number of up to 31 bits. Both floors together are the floor
//! of one real number, so that this is a step function of `acc`, as the reference's output is, and the two are equal if they are
//! equal on both sides of each of at most 255 steps. Lowering checks just that for each channel, over all accumulators that its
//! weights can reach, with the words as they are stored; it also finds them, as the multipliers with this property are an interval.
//!
//! CONV_2D and DEPTHWISE_CONV_2D round twice, ties away from zero: steps are `2^-(n+1)` of an output before the half for positive accumulators,
//! and as much behind it for negative ones, where `n` is the right shift of the channel's factor. In units of `2^-j` that is `K / 2` with
//! `K = 2^(j-n)`, and as `m` holds the factor's 31 bits shifted right by `n + 7 - j`, `K = 256 LSR CLZ(m)`: it need not be stored.
//! So `C = C0 + K / 2`, where `C0` = [`Epilogue::offset`] is zero point and half. Where rounding is done once, [`Epilogue::tie`] is 0 instead of 256,
//! and so is `K`. Where all accumulators below 0 give -128 (after a ReLU), their `K` does not matter, and the layer is not `by_sign`.
//!
//! # The words
//! Three for each pair of channels, then the extras, all little endian:
//!
//! ```text
//! w0   multiplier of channel 0                w2   bits 0..16 half 0, bits 16..32 half 1
//! w1   multiplier of channel 1
//! ```
//!
//! With the top bit of `w0` clear, `m = w0`, whole, and channel 0 starts at `half0 * unit + ((w0 & low) << 8)`, `half0` taken as signed: the low
//! bits of the bias are also those of the multiplier ([`Epilogue::unit`] is `256 << bits`, [`Epilogue::low`] is `(1 << bits) - 1`, `bits` at most
//! [`MAX_LOW_BITS`]). On Armv7E-M: `AND t, low << 8, w0 LSL #8; SMLABB acc, w2, unit, t`, and `SMLATB` for channel 1.
//!
//! With the top bit set (rare: the bias is wider, or no such multiplier has these low bits) `m = w0 & 0x7FFFFFFF`, and the channel starts
//! at extra number `half0`, taken as unsigned: word `3 * pairs + half0`. Channel 1 likewise. After an odd number of channels follows one of zeros.
//!
//! One shift for a whole layer leaves few bits to the multipliers of channels whose factor is thousands of times less than another's. Where
//! that is too few, some channels have a shift of their own ([`Epilogue::own_shifts`]; depthwise convolutions alone can do that): the low eight bits of an
//! extra then say by how much less than the layer's it is, and count as zeros in the start.

use super::weights::Width;
use crate::memory::{Bounds, Flash};

/// Accumulators are this many times what they stand for, where weights have eight bits.
pub const SCALE: i32 = Width::Eight.scale();

/// Bits of a bias that a multiplier may share, where weights have eight bits.
pub const MAX_LOW_BITS: u32 = max_low_bits(Width::Eight);

/// Bits of a bias that a multiplier may share: as many as leave the unit in a signed half.
pub const fn max_low_bits(width: Width) -> u32 {
    14 - width.scale_bits()
}

/// Marks a channel whose start is an extra.
pub const EXTRA: u32 = 1 << 31;

/// How a layer's accumulators become outputs: what its channels share.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct Epilogue {
    /// `(zero point << shift) + (1 << (shift - 1))`.
    pub offset: i32,
    /// Right shift, 1 to [`MAX_SHIFT`].
    pub shift: u32,
    /// 256 (the scale) where accumulators are rounded twice, 0 where once.
    pub tie: u32,
    /// The low bits of a bias that are in its multiplier: a mask of at most [`MAX_LOW_BITS`] ones.
    pub low: u32,
    /// What the half that holds the rest of a bias counts in: `256 * (low + 1)`.
    pub unit: i32,
    /// Accumulators below 0 lose `K`. If not, none of them needs to.
    pub by_sign: bool,
    /// Number of extras.
    pub extras: u16,
    /// The low eight bits of an extra are what its channel's shift is less than [`shift`](Self::shift).
    pub own_shifts: bool,
}

/// What one channel adds to its layer's [`Epilogue`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Channel {
    /// `m`, at least 0.
    pub multiplier: i32,
    /// What its accumulators start with: the folded bias, 256 (the scale) times.
    pub start: i32,
    /// `C`.
    pub offset: i32,
    /// `K`; 0 in a layer that is not [`by_sign`](Epilogue::by_sign).
    pub tie: i32,
    /// `j`.
    pub shift: u32,
}

/// The low bits of an extra that are a shift, where there are [own shifts](Epilogue::own_shifts).
pub const OWN: i32 = 255;

/// The greatest [`Epilogue::shift`]: with more, an offset could leave 32 bits.
pub const MAX_SHIFT: u32 = 22;

/// Words of a layer with so many channels.
pub const fn words(channels: usize, extras: u16) -> usize {
    channels.div_ceil(2) * 3 + extras as usize
}

/// `c + floor(a * m / 2^32)`, wrapping: the instruction of that name.
#[inline(always)]
pub fn smmla(a: i32, m: i32, c: i32) -> i32 {
    let high = if cfg!(feature = "armv6m") { high_by_halves(a, m) } else { ((a as i64 * m as i64) >> 32) as i32 };
    c.wrapping_add(high)
}

/// `floor(a * m / 2^32)` for `m` of at least 0, for cores whose multiplications give 32 bits.
#[inline(always)]
fn high_by_halves(a: i32, m: i32) -> i32 {
    let (a_low, a_high, m_low, m_high) = (a as u32 & 0xffff, a >> 16, m as u32 & 0xffff, m >> 16);
    // Neither sum leaves its bits: the first is below 2^31 + 2^16, the second between -2^31 and 2^31.
    let middle = (a_low.wrapping_mul(m_low) >> 16).wrapping_add(a_low.wrapping_mul(m_high as u32));
    let rest = a_high.wrapping_mul(m_low as i32).wrapping_add((middle & 0xffff) as i32);
    a_high.wrapping_mul(m_high).wrapping_add((middle >> 16) as i32).wrapping_add(rest >> 16)
}

/// `x` clamped to 8 bits, signed.
#[inline(always)]
pub fn ssat8(x: i32) -> i8 {
    x.clamp(-128, 127) as i8
}

impl Epilogue {
    /// True if these are the words of so many channels with weights of this width: then [`pair`](Self::pair) reads none outside, and no shift is too wide.
    pub fn is_sound(&self, width: Width, words: &[u32], channels: usize) -> bool {
        let bits = self.low.trailing_ones();
        let parameters = (1..=MAX_SHIFT).contains(&self.shift)
            && (self.tie == 0 || self.tie == 1 << width.scale_bits())
            && self.low == (1 << bits.min(max_low_bits(width))) - 1
            && self.unit == width.scale() << bits;
        let is_there = |word: u32, half: u32| word & EXTRA == 0 || (half as u16) < self.extras;
        // A shift of its own is at least 1.
        let shifts = |extra: &u32| !self.own_shifts || extra & (OWN as u32) < self.shift;
        let in_range = |pair: &[u32]| is_there(pair[0], pair[2]) && is_there(pair[1], pair[2] >> 16);
        let pairs = channels.div_ceil(2);
        parameters
            && words.len() == self::words(channels, self.extras)
            && words.iter().skip(3 * pairs).all(shifts)
            && words.chunks_exact(3).take(pairs).all(in_range)
    }

    /// Channels `2 * pair` and `2 * pair + 1` of a layer that has `pairs` pairs.
    ///
    /// # Panics
    /// If the words are checked and too few.
    #[inline(always)]
    pub fn pair<B: Bounds>(&self, words: Flash<'_, u32, B>, pairs: usize, pair: usize) -> [Channel; 2] {
        self.pair_at(words, pair.wrapping_mul(3), pairs.wrapping_mul(3))
    }

    /// The pair of channels whose words begin at word `at`, where extras begin at word `extras`.
    ///
    /// # Panics
    /// If the words are checked and too few.
    #[inline(always)]
    pub fn pair_at<B: Bounds>(&self, words: Flash<'_, u32, B>, at: usize, extras: usize) -> [Channel; 2] {
        self.pair_of(Width::Eight, words, at, extras)
    }

    /// The same of channels with weights of any width.
    ///
    /// # Panics
    /// If the words are checked and too few.
    #[inline(always)]
    pub fn pair_of<B: Bounds>(&self, width: Width, words: Flash<'_, u32, B>, at: usize, extras: usize) -> [Channel; 2] {
        let [w0, w1, halves] = *words.array::<3>(at);
        // Written out, as a closure would not be inlined where space is saved.
        [
            self.channel(width, words, extras, w0, halves as u16),
            self.channel(width, words, extras, w1, (halves >> 16) as u16),
        ]
    }

    #[inline(always)]
    fn channel<B: Bounds>(
        &self,
        width: Width,
        words: Flash<'_, u32, B>,
        extras: usize,
        word: u32,
        half: u16,
    ) -> Channel {
        let (start, less) = if word & EXTRA == 0 {
            let low = ((word & self.low) << width.scale_bits()) as i32;
            ((half as i16 as i32).wrapping_mul(self.unit).wrapping_add(low), 0)
        } else {
            let extra = words[extras.wrapping_add(half as usize)] as i32;
            let own = if self.own_shifts { OWN } else { 0 };
            (extra & !own, (extra & own) as u32)
        };
        self.less(less).with((word & !EXTRA) as i32, start)
    }

    /// The same for kernels that have one shift for all, which spares them the question.
    #[inline(always)]
    pub fn without_own_shifts(&self) -> Epilogue {
        Epilogue { own_shifts: false, ..*self }
    }

    /// The same with a shift that is so much less.
    #[inline(always)]
    pub fn less(&self, less: u32) -> Epilogue {
        Epilogue { offset: self.offset >> (less & 31), shift: self.shift.wrapping_sub(less), ..*self }
    }

    /// The channel with this multiplier and this start.
    #[inline(always)]
    pub fn with(&self, multiplier: i32, start: i32) -> Channel {
        // A multiplier of 0 has 32 leading zeros; 31 give the same.
        let tie = (self.tie >> multiplier.leading_zeros().min(31)) as i32;
        let offset = self.offset.wrapping_add(tie >> 1);
        Channel { multiplier, start, offset, tie: if self.by_sign { tie } else { 0 }, shift: self.shift }
    }

    /// The output of a channel of this layer, see [`Channel::output`].
    #[inline(always)]
    pub fn output(&self, channel: &Channel, acc: i32) -> i8 {
        channel.output(acc)
    }
}

impl Channel {
    /// The output for an accumulator that began with the channel's start.
    #[inline(always)]
    pub fn output(&self, acc: i32) -> i8 {
        let tie = self.tie & (acc >> 31);
        ssat8(smmla(acc, self.multiplier, self.offset.wrapping_sub(tie)) >> (self.shift & 31))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requant::Factor;

    const FINISH: Epilogue = Epilogue {
        offset: (-5 << 12) + (1 << 11),
        shift: 12,
        tie: 256,
        low: 7,
        unit: 256 * 8,
        by_sign: true,
        extras: 1,
        own_shifts: false,
    };

    #[test]
    fn halves_give_the_upper_word() {
        let ends = [i32::MIN, i32::MIN + 1, -65_537, -65_536, -1, 0, 1, 65_535, 65_536, i32::MAX - 1, i32::MAX];
        let mut seed = 1u32;
        let mut drawn = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 1) as i32
        };
        let check = |a: i32, m: i32| {
            assert_eq!(high_by_halves(a, m), ((i64::from(a) * i64::from(m)) >> 32) as i32, "{a} {m}");
        };
        for a in ends {
            ends.into_iter().filter(|&m| m >= 0).for_each(|m| check(a, m));
        }
        for _ in 0..10_000 {
            let (a, m) = (drawn(), drawn());
            check(a.wrapping_mul(3), m);
        }
    }

    #[test]
    fn words_are_read_as_described() {
        let words = [0x4000_1235, 0x2000_0002 | EXTRA, 0x0000_fffe, -77i32 as u32];
        assert_eq!(words.len(), super::words(1, 1));
        let [first, second] = FINISH.pair(Flash::new(&words), 1, 0);
        // Half -2 in units of 8, and 5 of the low bits.
        assert_eq!((first.multiplier, first.start), (0x4000_1235, (-2 * 8 + 5) * SCALE));
        assert_eq!((first.offset, first.tie), (FINISH.offset + 64, 128));
        assert_eq!((second.multiplier, second.start), (0x2000_0002, -77));
        assert_eq!((second.offset, second.tie), (FINISH.offset + 32, 64));
    }

    #[test]
    fn an_extra_may_hold_a_shift() {
        let epilogue = Epilogue { own_shifts: true, ..FINISH };
        let words = [0x4000_1235 | EXTRA, 0, 0, (-77 * SCALE) as u32 | 2];
        assert!(
            epilogue.is_sound(Width::Eight, &words, 1) && !epilogue.is_sound(Width::Eight, &[words[0], 0, 0, 12], 1)
        );
        let [own, shared] = epilogue.pair(Flash::new(&words), 1, 0);
        assert_eq!((own.start, own.shift, shared.shift), (-77 * SCALE, 10, 12));
        assert_eq!(own.offset - 64, (-5 << 10) + (1 << 9));
    }

    #[test]
    fn multiplier_zero_gives_the_zero_point() {
        let channel = FINISH.with(0, 0);
        for acc in [i32::MIN, -1, 0, i32::MAX] {
            assert_eq!(FINISH.output(&channel, acc), -5);
        }
    }

    #[test]
    fn both_roundings_of_a_factor_are_had() {
        // 2^-4 is 2^30 with a right shift of 3, so m = 2^30 >> (3 + 7 - 10).
        let factor = Factor { multiplier: 1 << 30, shift: -3 };
        let epilogue = Epilogue { offset: 1 << 9, shift: 10, ..FINISH };
        let (twice, once) = (epilogue.with(1 << 30, 0), Epilogue { tie: 0, ..epilogue }.with(1 << 30, 0));
        assert_eq!((twice.tie, once.tie), (128, 0));
        for acc in -1900..1900 {
            assert_eq!(epilogue.output(&twice, acc * SCALE) as i32, factor.twice(acc), "{acc}");
            assert_eq!(epilogue.output(&once, acc * SCALE) as i32, factor.once(acc), "{acc}");
        }
        let one_sided = Epilogue { by_sign: false, ..epilogue };
        let above = one_sided.with(1 << 30, 0);
        assert!((0..1900).all(|acc| one_sided.output(&above, acc * SCALE) as i32 == factor.twice(acc)));
        assert_ne!(one_sided.output(&above, -8 * SCALE) as i32, factor.twice(-8));
    }
}
