//! What random layers of the device kernels have in common: weights, and how accumulators become outputs.

use super::random::Random;
use smidgen_kernels::int8::mcu::epilogue::{EXTRA, max_low_bits};
use smidgen_kernels::int8::mcu::{Epilogue, Width};
use smidgen_kernels::memory::Flash;

/// The finish of a layer and the words of its channels.
pub struct Layer {
    pub width: Width,
    pub epilogue: Epilogue,
    pub words: Vec<u32>,
    channels: usize,
}

impl Layer {
    /// Most outputs of accumulators of some thousands are inside the clamp.
    pub fn draw(random: &mut Random, channels: usize) -> Self {
        let width = random.pick(&[Width::Eight, Width::Four]);
        let (bits, shift) = (random.below(max_low_bits(width) as usize + 1), 8 + random.below(9) as u32);
        let (mut words, mut extras) = (vec![0; 3 * channels.div_ceil(2)], Vec::new());
        for channel in 0..channels {
            let mut word = random.next() >> (16 - shift.min(16)) >> random.below(4);
            let mut half = random.next() as u16;
            if random.below(8) == 0 {
                word |= EXTRA;
                half = extras.len() as u16;
                extras.push(((random.next() as i32) >> 8) as u32);
            } else {
                word &= !EXTRA;
            }
            words[channel / 2 * 3 + channel % 2] = word;
            words[channel / 2 * 3 + 2] |= u32::from(half) << (16 * (channel % 2));
        }
        let epilogue = Epilogue {
            offset: (random.byte() as i32) << shift | 1 << (shift - 1),
            shift,
            tie: random.pick(&[0, width.scale() as u32]),
            low: (1 << bits) - 1,
            unit: width.scale() << bits,
            by_sign: random.below(2) == 0,
            extras: extras.len() as u16,
            own_shifts: false,
        };
        words.extend(extras);
        assert!(epilogue.is_sound(width, &words, channels));
        Self { width, epilogue, words, channels }
    }

    /// Weights of its width.
    pub fn weights(&self, random: &mut Random, count: usize) -> Vec<i8> {
        let weight = |byte: i8| if self.width == Width::Four { byte >> 4 } else { byte.max(-127) };
        (0..count).map(|_| weight(random.byte())).collect()
    }

    /// The output of a channel for a sum of products; `order` are its weights in the order of the words.
    pub fn output(&self, channel: usize, sum: i32, order: impl Iterator<Item = i8>) -> i8 {
        let pairs = self.channels.div_ceil(2);
        let words = Flash::new(&self.words);
        let unpacked = self.epilogue.pair_of(self.width, words, channel / 2 * 3, pairs * 3)[channel % 2];
        let more = sum.wrapping_sub(self.width.start(0, order)).wrapping_mul(self.width.scale());
        self.epilogue.output(&unpacked, unpacked.start.wrapping_add(more))
    }
}
