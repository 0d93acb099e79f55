//! Random layers, and the memory that a kernel works in.

use super::random::Random;
use smidgen_kernels::Window2d;
use smidgen_kernels::memory::Flash;
use smidgen_kernels::nd::Whole;
use smidgen_kernels::requant::{Factor, Rounding};

/// A window: pointwise ones and square ones often, else any.
pub fn window(random: &mut Random, channels: [usize; 2]) -> Window2d {
    let mut any = |n: usize| [1 + random.below(n), 1 + random.below(n)];
    let (mut size, mut stride, mut dilation) = (any(5), any(3), any(2));
    match random.below(4) {
        0 => (size, stride, dilation) = ([1; 2], [1; 2], [1; 2]),
        1 => (size, stride, dilation) = ([1 + 2 * random.below(4); 2], [1; 2], [1; 2]),
        2 => (size, stride, dilation) = ([1 + 2 * random.below(4); 2], [2; 2], [1; 2]),
        _ => {}
    }
    let (mut input, mut output, mut before) = ([0, 0, channels[0]], [0, 0, channels[1]], [0; 2]);
    for axis in 0..2 {
        let extent = (size[axis] - 1) * dilation[axis] + 1;
        let padded = random.below(3) > 0;
        input[axis] = if padded { 1 + random.below(9) } else { extent + random.below(9) };
        before[axis] = if padded { random.below(extent) } else { 0 };
        let after = if padded { random.below(extent) } else { 0 };
        output[axis] = 1 + ((input[axis] + before[axis] + after).max(extent) - extent) / stride[axis];
    }
    Window2d { input, output, size, stride, dilation, before }
}

/// Bytes, each tensor in a place of its own with some bytes between them that nobody may touch.
pub struct Memory {
    pub bytes: Vec<u8>,
}

impl Memory {
    pub fn new() -> Self {
        Self { bytes: vec![0xa5; 16] }
    }

    /// Puts a tensor down, aligned to `align` bytes, and says where.
    pub fn put(&mut self, tensor: &[u8], align: usize) -> usize {
        self.bytes.resize(self.bytes.len().next_multiple_of(align), 0xa5);
        let at = self.bytes.len();
        self.bytes.extend(tensor);
        self.bytes.extend([0xa5; 3]);
        at
    }

    /// Room for what a kernel writes, with anything in it.
    pub fn room(&mut self, random: &mut Random, bytes: usize, align: usize) -> usize {
        let tensor = bytes_of(random, bytes);
        self.put(&tensor, align)
    }

    /// Where bytes differ from another memory's, outside of some places.
    pub fn same(&self, other: &Self, but: &[(usize, usize)]) -> bool {
        let spared = |i: usize| but.iter().any(|&(at, count)| (at..at + count).contains(&i));
        self.bytes.iter().zip(&other.bytes).enumerate().all(|(i, (a, b))| a == b || spared(i))
    }
}

pub fn bytes_of(random: &mut Random, count: usize) -> Vec<u8> {
    (0..count).map(|_| random.next() as u8).collect()
}

/// Weights in the range that training keeps.
pub fn weights(random: &mut Random, count: usize) -> Vec<u8> {
    (0..count).map(|_| (random.below(255) as i32 - 127) as i8 as u8).collect()
}

/// Gradients: small ones, or of any size; many are zero where they were masked.
pub fn gradients(random: &mut Random, count: usize) -> Vec<i16> {
    let (bits, masked) = (random.below(12), random.below(2) == 0);
    let mut one = || {
        let value = random.next() as i16 >> bits;
        if masked && random.below(2) == 0 { 0 } else { value }
    };
    (0..count).map(|_| one()).collect()
}

pub fn little<const N: usize, T: Copy>(values: &[T], bytes: fn(T) -> [u8; N]) -> Vec<u8> {
    values.iter().flat_map(|&value| bytes(value)).collect()
}

/// Factors of which sums of products of so many numbers come to outputs of 8 bits, more or less.
pub fn factor(random: &mut Random, count: usize) -> Factor {
    let size = (count as f64).sqrt() * 5000.0;
    let spread = random.below(1000) as f64 / 250.0 + 0.01;
    match random.below(20) {
        0 => Factor::new(random.below(4) as f64 / 2.0),
        _ => Factor::new(100.0 * spread / size),
    }
}

pub fn rounding(random: &mut Random) -> Rounding {
    random.pick(&[Rounding::Once, Rounding::Twice])
}

/// An operand that is a constant, or in the memory.
pub fn operand<'a>(random: &mut Random, memory: &mut Memory, tensor: &'a [u8]) -> Whole<'a, u8> {
    if random.below(2) == 0 {
        Whole { constant: Some(Flash::new(tensor)), base: 0 }
    } else {
        Whole { constant: None, base: memory.put(tensor, 1) }
    }
}

/// Some channels, in ascending order.
pub fn list(random: &mut Random, channels: usize) -> Vec<u16> {
    match random.below(2) {
        0 => Vec::new(),
        _ => (0..channels as u16).filter(|_| random.below(3) == 0).collect(),
    }
}

/// Weights `[rows, channels]` with those of the listed channels apart, `[rows, S]`, and zero among the others.
pub fn apart(weights: &[u8], channels: usize, list: &[u16]) -> (Vec<u8>, Vec<u8>) {
    let (mut kept, mut taken) = (weights.to_vec(), Vec::new());
    for row in kept.chunks_mut(channels) {
        taken.extend(list.iter().map(|&c| std::mem::take(&mut row[usize::from(c)])));
    }
    (kept, taken)
}
