//! Kernels whose output has another element type than their input: QUANTIZE, DEQUANTIZE, ARG_MAX. The arena is bytes; views count
//! elements of their own tensor.

use crate::operand::pieces;
use crate::requant::{Factor, Rounding};
use crate::view::{Region, View};

/// How an element of a mixed kernel is stored; little endian.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Stored {
    /// Two's complement, 8 bits.
    Int8,
    /// Two's complement, 16 bits.
    Int16,
    /// Two's complement, 32 bits.
    Int32,
    /// Two's complement, 64 bits.
    Int64,
    /// IEEE 754 single precision.
    Float32,
}

impl Stored {
    /// Bytes of an element.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Int8 => 1,
            Self::Int16 => 2,
            Self::Int32 | Self::Float32 => 4,
            Self::Int64 => 8,
        }
    }

    /// Least and greatest integer, clipped to int32. (0, 0) for floats.
    pub const fn range(self) -> (i32, i32) {
        match self {
            Self::Int8 => (i8::MIN as i32, i8::MAX as i32),
            Self::Int16 => (i16::MIN as i32, i16::MAX as i32),
            Self::Int32 | Self::Int64 => (i32::MIN, i32::MAX),
            Self::Float32 => (0, 0),
        }
    }

    /// The integer element `at`, clipped to int32.
    #[inline]
    fn load(self, arena: &[u8], at: usize) -> i32 {
        match self {
            Self::Int8 => arena[at] as i8 as i32,
            Self::Int16 => i16::from_le_bytes(bytes(arena, at)) as i32,
            Self::Int32 => i32::from_le_bytes(bytes(arena, at)),
            Self::Int64 => i64::from_le_bytes(bytes(arena, at)).clamp(i32::MIN as i64, i32::MAX as i64) as i32,
            Self::Float32 => load_float(arena, at) as i32,
        }
    }

    /// Stores an integer, of which the type's lowest bytes are kept.
    #[inline]
    fn store(self, arena: &mut [u8], at: usize, value: i32) {
        match self {
            Self::Int8 => arena[at] = value as u8,
            Self::Int16 => arena[2 * at..2 * at + 2].copy_from_slice(&(value as i16).to_le_bytes()),
            Self::Int32 => arena[4 * at..4 * at + 4].copy_from_slice(&value.to_le_bytes()),
            Self::Int64 => arena[8 * at..8 * at + 8].copy_from_slice(&(value as i64).to_le_bytes()),
            Self::Float32 => store_float(arena, at, value as f32),
        }
    }
}

/// The `N` bytes of element `at`.
#[inline]
fn bytes<const N: usize>(arena: &[u8], at: usize) -> [u8; N] {
    let mut element = [0; N];
    element.copy_from_slice(&arena[at * N..(at + 1) * N]);
    element
}

#[inline]
fn load_float(arena: &[u8], at: usize) -> f32 {
    f32::from_le_bytes(bytes(arena, at))
}

#[inline]
fn store_float(arena: &mut [u8], at: usize, value: f32) {
    arena[4 * at..4 * at + 4].copy_from_slice(&value.to_le_bytes());
}

/// Calls `element(arena, from, to)` for each element of a region, in order.
#[inline]
fn convert(
    arena: &mut [u8],
    input: View,
    output: View,
    region: Region,
    depth: usize,
    mut element: impl FnMut(&mut [u8], usize, usize),
) {
    let dense = input.pixel_stride == depth && output.pixel_stride == depth;
    pieces(region, depth, dense, |y, x, count| {
        let (from, to) = (input.at(y, x), output.at(y, x));
        for i in 0..count {
            element(arena, from + i, to + i);
        }
    });
}

/// Float32 to integers: `round(x / scale) + zero_point`, ties away from zero, clamped to the output's range; NaN becomes the zero point.
///
/// Order: one element at a time, read before write.
pub fn quantize(
    arena: &mut [u8],
    input: View,
    output: View,
    region: Region,
    depth: usize,
    to_type: Stored,
    scale: f32,
    zero_point: i32,
) {
    let (min, max) = to_type.range();
    convert(arena, input, output, region, depth, |arena, from, to| {
        // In double precision the sum is exact, so that the clamp sees no wrapped value.
        let stored = libm::roundf(load_float(arena, from) / scale) as f64 + zero_point as f64;
        let stored = if stored.is_nan() { zero_point as f64 } else { stored };
        to_type.store(arena, to, stored.clamp(min as f64, max as f64) as i32);
    });
}

/// Integers to float32: `scale * (x - zero_point)`. Order: one element at a time, read before write.
pub fn dequantize(
    arena: &mut [u8],
    input: View,
    output: View,
    region: Region,
    depth: usize,
    from_type: Stored,
    scale: f32,
    zero_point: i32,
) {
    convert(arena, input, output, region, depth, |arena, from, to| {
        let centred = from_type.load(arena, from) as i64 - zero_point as i64;
        store_float(arena, to, (scale as f64 * centred as f64) as f32);
    });
}

/// Integers of one quantisation to those of another: `factor * (x - zeros[0]) + zeros[1]`, clamped to the output's range.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Requantise {
    /// How the input is stored.
    pub from: Stored,
    /// How the output is stored.
    pub to: Stored,
    /// Zero points of input and output.
    pub zeros: [i32; 2],
    /// `s_x / s_y`.
    pub factor: Factor,
    /// How the factor is rounded.
    pub rounding: Rounding,
}

/// See [`Requantise`]. Order: one element at a time, read before write.
pub fn requantise(arena: &mut [u8], input: View, output: View, region: Region, depth: usize, how: &Requantise) {
    let (min, max) = how.to.range();
    convert(arena, input, output, region, depth, |arena, from, to| {
        let centred = how.from.load(arena, from).wrapping_sub(how.zeros[0]);
        let stored = how.factor.apply(centred, how.rounding).wrapping_add(how.zeros[1]);
        how.to.store(arena, to, stored.clamp(min, max));
    });
}

/// Index of the greatest of `size` elements, the first among equals: the tensor is seen as `[outer, size, inner]`, the output as
/// `[outer, inner]`; `input` and `output` are element indices of tensors stored whole, which must not overlap. NaN is below all numbers.
pub fn arg_max(
    arena: &mut [u8],
    input: usize,
    output: usize,
    [outer, size, inner]: [usize; 3],
    from_type: Stored,
    to_type: Stored,
) {
    for o in 0..outer {
        for i in 0..inner {
            let at = |k: usize| input + (o * size + k) * inner + i;
            let mut best = 0;
            for k in 1..size {
                let greater = match from_type {
                    Stored::Float32 => {
                        let (new, old) = (load_float(arena, at(k)), load_float(arena, at(best)));
                        new > old || (old.is_nan() && !new.is_nan())
                    }
                    _ => from_type.load(arena, at(k)) > from_type.load(arena, at(best)),
                };
                if greater {
                    best = k;
                }
            }
            to_type.store(arena, output + o * inner + i, best as i32);
        }
    }
}
