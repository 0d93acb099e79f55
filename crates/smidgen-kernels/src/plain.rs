//! Functions of elements whose stored value is their value: comparisons and logic, the choice between two tensors, conversion from one
//! element type to another.
//!
//! The first two take tensors that are stored whole, with any broadcast: `dims` is the output's box, `strides` count elements of each
//! operand and are 0 where it is broadcast. The arena is bytes; an operand's base counts its own elements, `output` counts bytes.

use crate::convert::{Stored, convert};
#[cfg(feature = "float")]
use crate::convert::{load_float, store_float};
use crate::memory::{Arena, Bounds};
use crate::nd::{Whole, walk, zip};
use crate::requant::{Factor, Rounding};
use crate::view::{Region, Views};

/// A question about two elements; its answer is stored as a byte, 0 or 1. NaN is equal to nothing, and neither less nor greater.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Compare {
    /// `a == b`.
    Equal,
    /// `a != b`.
    NotEqual,
    /// `a < b`.
    Less,
    /// `a <= b`.
    LessEqual,
    /// `a > b`.
    Greater,
    /// `a >= b`.
    GreaterEqual,
    /// Neither is 0.
    And,
    /// One of them is not 0.
    Or,
}

impl Compare {
    /// The answer for two numbers.
    #[inline(always)]
    pub fn apply<T: PartialOrd + Default>(self, a: T, b: T) -> bool {
        let zero = T::default();
        match self {
            Self::Equal => a == b,
            Self::NotEqual => a != b,
            Self::Less => a < b,
            Self::LessEqual => a <= b,
            Self::Greater => a > b,
            Self::GreaterEqual => a >= b,
            Self::And => a != zero && b != zero,
            Self::Or => a != zero || b != zero,
        }
    }
}

/// An operand's element `at` as an integer of 64 bits.
#[inline]
fn integer<B: Bounds>(from: Stored, operand: &Whole<'_, u8, B>, arena: &Arena<'_, u8, B>, at: usize) -> i64 {
    match from {
        Stored::Int8 => i64::from(i8::from_le_bytes(operand.bytes(arena, at))),
        Stored::Uint8 | Stored::Bool => i64::from(u8::from_le_bytes(operand.bytes(arena, at))),
        Stored::Int16 => i64::from(i16::from_le_bytes(operand.bytes(arena, 2 * at))),
        Stored::Int32 => i64::from(i32::from_le_bytes(operand.bytes(arena, 4 * at))),
        Stored::Int64 => i64::from_le_bytes(operand.bytes(arena, 8 * at)),
        #[cfg(feature = "float")]
        Stored::Float32 => 0,
    }
}

/// `output[i] = a[i] ? b[i]` for the question `function`, of elements stored as `from`. Order: one element at a time, reads before its
/// write.
#[allow(clippy::too_many_arguments)]
pub fn compare<B: Bounds>(
    mut arena: Arena<'_, u8, B>,
    a: Whole<'_, u8, B>,
    b: Whole<'_, u8, B>,
    output: usize,
    dims: &[usize],
    strides: [&[isize]; 2],
    from: Stored,
    function: Compare,
) {
    let mut to = output;
    let [at_a, at_b] = [a.base, b.base];
    #[cfg(feature = "float")]
    if from == Stored::Float32 {
        walk(dims, strides, |[x, y]| {
            let x = f32::from_le_bytes(a.bytes(&arena, 4 * at_a.wrapping_add_signed(x)));
            let y = f32::from_le_bytes(b.bytes(&arena, 4 * at_b.wrapping_add_signed(y)));
            arena[to] = u8::from(function.apply(x, y));
            to += 1;
        });
        return;
    }
    walk(dims, strides, |[x, y]| {
        let x = integer(from, &a, &arena, at_a.wrapping_add_signed(x));
        let y = integer(from, &b, &arena, at_b.wrapping_add_signed(y));
        arena[to] = u8::from(function.apply(x, y));
        to += 1;
    });
}

/// How int8 of two quantisations are compared: both on a scale of 1/256, each operand rounded there on its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Scaled {
    /// The question.
    pub function: Compare,
    /// Zero points of the operands.
    pub zeros: [i32; 2],
    /// Scales of the operands.
    pub factors: [Factor; 2],
    /// How the factors are rounded.
    pub rounding: Rounding,
}

impl Scaled {
    /// Bits of the common scale behind the point.
    pub const SHIFT: u32 = 8;

    /// The answer for two stored numbers.
    #[inline]
    pub fn apply(&self, a: i8, b: i8) -> bool {
        let term = |x: i8, i: usize| {
            let centred = i32::from(x).wrapping_sub(self.zeros[i]);
            self.factors[i].apply(centred.wrapping_shl(Self::SHIFT), self.rounding)
        };
        self.function.apply(term(a, 0), term(b, 1))
    }
}

/// [`compare`] of int8 that are quantised; the arena's elements are int8, and so is `output`'s unit.
pub fn compare_scaled<B: Bounds>(
    arena: Arena<'_, i8, B>,
    a: Whole<'_, i8, B>,
    b: Whole<'_, i8, B>,
    output: usize,
    dims: &[usize],
    strides: [&[isize]; 2],
    how: &Scaled,
) {
    zip(arena, a, b, output, dims, strides, |a, b| i8::from(how.apply(a, b)));
}

/// `output[i] = a[i]` where `condition[i]` is not 0, else `b[i]`, of elements of `element` bytes (1, 2, 4 or 8). Order: one element at a
/// time, reads before its write.
#[allow(clippy::too_many_arguments)]
pub fn select<B: Bounds>(
    mut arena: Arena<'_, u8, B>,
    condition: Whole<'_, u8, B>,
    a: Whole<'_, u8, B>,
    b: Whole<'_, u8, B>,
    output: usize,
    dims: &[usize],
    strides: [&[isize]; 3],
    element: usize,
) {
    let mut to = output;
    walk(dims, strides, |[c, x, y]| {
        let [flag] = condition.bytes::<1>(&arena, condition.base.wrapping_add_signed(c));
        let (from, at) =
            if flag != 0 { (&a, a.base.wrapping_add_signed(x)) } else { (&b, b.base.wrapping_add_signed(y)) };
        match element {
            1 => arena.store(to, from.bytes::<1>(&arena, at)),
            2 => arena.store(to, from.bytes::<2>(&arena, 2 * at)),
            4 => arena.store(to, from.bytes::<4>(&arena, 4 * at)),
            _ => arena.store(to, from.bytes::<8>(&arena, 8 * at)),
        }
        to += element;
    });
}

/// Which slices of a table are taken, and how they lie.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Take {
    /// Batches that table and indices share, blocks of slices in each batch of the table, slices along the axis, indices of each batch.
    pub sizes: [usize; 4],
    /// Elements of a slice.
    pub slice: usize,
    /// Bytes of an element.
    pub element: usize,
    /// Element type of the indices.
    pub indices: Stored,
}

impl Take {
    /// Where slice `index` lies along the axis: one below 0 counts from the end, and one that lies outside is that at the nearer end.
    #[inline]
    pub fn row(&self, index: i64) -> usize {
        let rows = self.sizes[2] as i64;
        let from_end = if index < 0 { index.wrapping_add(rows) } else { index };
        from_end.clamp(0, (rows - 1).max(0)) as usize
    }
}

/// For each batch and each block of slices in it, the slices that the batch's indices name, one behind the other. The operands' bases
/// count elements, `output` counts bytes. Order: one run, read until the last slice is written.
pub fn take<B: Bounds>(
    mut arena: Arena<'_, u8, B>,
    table: Whole<'_, u8, B>,
    indices: Whole<'_, u8, B>,
    output: usize,
    take: &Take,
) {
    let ([batches, blocks, rows, count], bytes) = (take.sizes, take.slice * take.element);
    let (mut to, mut block) = (output, table.base * take.element);
    for batch in 0..batches {
        for _ in 0..blocks {
            for i in 0..count {
                let index = integer(take.indices, &indices, &arena, indices.base + batch * count + i);
                let from = block + take.row(index) * bytes;
                match table.constant {
                    Some(data) => arena.copy_constant(data, from, to, bytes),
                    None => arena.copy(from, to, bytes),
                }
                to += bytes;
            }
            block += rows * bytes;
        }
    }
}

/// Elements of one type as those of another. Floats lose their fraction and integers the bits that do not fit; as a bool a number is
/// whether it is not 0. Order: one element at a time, read before write.
pub fn cast<B: Bounds>(arena: Arena<'_, u8, B>, views: &Views, region: Region, depth: usize, from: Stored, to: Stored) {
    convert(arena, views, region, depth, |arena, source, target| {
        #[cfg(feature = "float")]
        if from == Stored::Float32 {
            let x = load_float(arena, source);
            return match to {
                Stored::Float32 => store_float(arena, target, x),
                Stored::Bool => store(to, arena, target, i64::from(x != 0.0)),
                _ => store(to, arena, target, x as i64),
            };
        }
        let x = load(from, arena, source);
        #[cfg(feature = "float")]
        if to == Stored::Float32 {
            return store_float(arena, target, x as f32);
        }
        store(to, arena, target, if to == Stored::Bool { i64::from(x != 0) } else { x });
    });
}

/// The integer element `at` of the arena.
#[inline]
fn load<B: Bounds>(from: Stored, arena: &Arena<'_, u8, B>, at: usize) -> i64 {
    integer(from, &Whole { constant: None, base: 0 }, arena, at)
}

/// Stores the lowest bytes of an integer.
#[inline]
fn store<B: Bounds>(to: Stored, arena: &mut Arena<'_, u8, B>, at: usize, value: i64) {
    match to {
        Stored::Int8 | Stored::Uint8 | Stored::Bool => arena[at] = value as u8,
        Stored::Int16 => arena.store(2 * at, (value as i16).to_le_bytes()),
        Stored::Int32 => arena.store(4 * at, (value as i32).to_le_bytes()),
        Stored::Int64 => arena.store(8 * at, value.to_le_bytes()),
        #[cfg(feature = "float")]
        Stored::Float32 => {}
    }
}

#[cfg(all(test, feature = "float"))]
mod tests {
    extern crate std;

    use super::*;
    use crate::view::View;
    use std::vec::Vec;

    /// Converts elements that lie in bytes.
    fn converted(from: Stored, to: Stored, bytes: &[u8]) -> Vec<u8> {
        let count = bytes.len() / from.bytes();
        let mut arena = [bytes, &std::vec![0; 8 * count + 8]].concat();
        let start = bytes.len().next_multiple_of(8);
        let views =
            Views { input: View::linear(0, 1, 1, count), output: View::linear(start / to.bytes(), 1, 1, count) };
        cast(Arena::new(&mut arena), &views, Region { y0: 0, y1: 1, x0: 0, x1: 1 }, count, from, to);
        arena[start..start + count * to.bytes()].to_vec()
    }

    #[test]
    fn conversions_cut_off_what_does_not_fit() {
        let floats: Vec<u8> = [-1.75f32, 0.0, 0.25, 300.5].iter().flat_map(|x| x.to_le_bytes()).collect();
        assert_eq!(converted(Stored::Float32, Stored::Int8, &floats), [255, 0, 0, 44]);
        assert_eq!(converted(Stored::Float32, Stored::Bool, &floats), [1, 0, 1, 1]);
        let wide: Vec<u8> = [1i64 << 40, -1, 7].iter().flat_map(|x| x.to_le_bytes()).collect();
        assert_eq!(converted(Stored::Int64, Stored::Bool, &wide), [1, 1, 1]);
        assert_eq!(converted(Stored::Int64, Stored::Int16, &wide), [0, 0, 255, 255, 7, 0]);
        let expected: Vec<u8> = [(1i64 << 40) as f32, -1.0, 7.0].iter().flat_map(|x| x.to_le_bytes()).collect();
        assert_eq!(converted(Stored::Int64, Stored::Float32, &wide), expected);
        assert_eq!(converted(Stored::Uint8, Stored::Int16, &[200, 1]), [200, 0, 1, 0]);
    }

    #[test]
    fn integers_of_64_bits_are_compared_whole() {
        let mut arena: Vec<u8> = [1i64 << 33, 1i64 << 34].iter().flat_map(|x| x.to_le_bytes()).collect();
        arena.push(9);
        let at = |base| Whole { constant: None, base };
        compare(Arena::new(&mut arena), at(0), at(1), 16, &[1], [&[1], &[1]], Stored::Int64, Compare::Less);
        assert_eq!(arena[16], 1);
    }

    #[test]
    fn what_is_no_number_is_equal_to_nothing() {
        let answers = [Compare::Equal, Compare::NotEqual, Compare::LessEqual].map(|q| q.apply(f32::NAN, f32::NAN));
        assert_eq!(answers, [false, true, false]);
    }
}
