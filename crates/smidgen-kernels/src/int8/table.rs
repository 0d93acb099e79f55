//! Any function of one int8 to one int8, by its table: LOGISTIC, TANH, the RELUs, LEAKY_RELU, HARD_SWISH, QUANTIZE int8 to int8.

use crate::memory::{Arena, Bounds};
use crate::operand::map;
use crate::view::{Region, Views};

/// `output[i] = table[input[i] as u8]`, so that entry `0x80` is that of -128. Order: one element at a time, read before write.
pub fn table<B: Bounds>(arena: Arena<'_, i8, B>, views: &Views, region: Region, depth: usize, table: &[i8; 256]) {
    map(arena, views, region, depth, |x| table[x as u8 as usize]);
}
