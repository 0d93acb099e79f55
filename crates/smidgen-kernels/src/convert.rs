//! Kernels whose output has another element type than their input: QUANTIZE, DEQUANTIZE, ARG_MAX. The arena is bytes; views count
//! elements of their own tensor.

#[cfg(feature = "float")]
mod real;

use crate::memory::{Arena, Bounds};
use crate::operand::pieces;
use crate::requant::{Factor, Rounding, SmallFactor};
use crate::view::{Region, Views};

#[cfg(feature = "float")]
pub use real::{dequantize, quantize};

/// How an element of a mixed kernel is stored; little endian.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Stored {
    /// Two's complement, 8 bits.
    Int8,
    /// 8 bits without a sign.
    Uint8,
    /// Two's complement, 16 bits.
    Int16,
    /// Two's complement, 32 bits.
    Int32,
    /// Two's complement, 64 bits.
    Int64,
    /// A byte, 0 or 1.
    Bool,
    /// IEEE 754 single precision.
    #[cfg(feature = "float")]
    Float32,
}

impl Stored {
    /// Bytes of an element.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Int8 | Self::Uint8 | Self::Bool => 1,
            Self::Int16 => 2,
            Self::Int32 => 4,
            #[cfg(feature = "float")]
            Self::Float32 => 4,
            Self::Int64 => 8,
        }
    }

    /// Least and greatest integer, clipped to int32. (0, 0) for floats.
    pub const fn range(self) -> (i32, i32) {
        match self {
            Self::Int8 => (i8::MIN as i32, i8::MAX as i32),
            Self::Uint8 => (0, u8::MAX as i32),
            Self::Int16 => (i16::MIN as i32, i16::MAX as i32),
            Self::Int32 | Self::Int64 => (i32::MIN, i32::MAX),
            Self::Bool => (0, 1),
            #[cfg(feature = "float")]
            Self::Float32 => (0, 0),
        }
    }

    /// The integer element `at`, clipped to int32.
    #[inline]
    fn load<B: Bounds>(self, arena: &Arena<'_, u8, B>, at: usize) -> i32 {
        match self {
            Self::Int8 => arena[at] as i8 as i32,
            Self::Uint8 | Self::Bool => arena[at] as i32,
            Self::Int16 => i16::from_le_bytes(arena.load(2 * at)) as i32,
            Self::Int32 => i32::from_le_bytes(arena.load(4 * at)),
            Self::Int64 => i64::from_le_bytes(arena.load(8 * at)).clamp(i32::MIN as i64, i32::MAX as i64) as i32,
            #[cfg(feature = "float")]
            Self::Float32 => load_float(arena, at) as i32,
        }
    }

    /// Stores an integer, of which the type's lowest bytes are kept.
    #[inline]
    fn store<B: Bounds>(self, arena: &mut Arena<'_, u8, B>, at: usize, value: i32) {
        match self {
            Self::Int8 | Self::Uint8 | Self::Bool => arena[at] = value as u8,
            Self::Int16 => arena.store(2 * at, (value as i16).to_le_bytes()),
            Self::Int32 => arena.store(4 * at, value.to_le_bytes()),
            Self::Int64 => arena.store(8 * at, (value as i64).to_le_bytes()),
            #[cfg(feature = "float")]
            Self::Float32 => store_float(arena, at, value as f32),
        }
    }
}

#[cfg(feature = "float")]
#[inline]
pub(crate) fn load_float<B: Bounds>(arena: &Arena<'_, u8, B>, at: usize) -> f32 {
    f32::from_le_bytes(arena.load(4 * at))
}

#[cfg(feature = "float")]
#[inline]
pub(crate) fn store_float<B: Bounds>(arena: &mut Arena<'_, u8, B>, at: usize, value: f32) {
    arena.store(4 * at, value.to_le_bytes());
}

/// Calls `element(arena, from, to)` for each element of a region, in order.
#[inline]
pub(crate) fn convert<B: Bounds>(
    mut arena: Arena<'_, u8, B>,
    views: &Views,
    region: Region,
    depth: usize,
    mut element: impl FnMut(&mut Arena<'_, u8, B>, usize, usize),
) {
    let Views { input, output } = views;
    let dense = input.pixel_stride == depth && output.pixel_stride == depth;
    pieces(region, depth, dense, |y, x, count| {
        let (from, to) = (input.at(y, x), output.at(y, x));
        for i in 0..count {
            element(&mut arena, from + i, to + i);
        }
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
pub fn requantise<B: Bounds>(arena: Arena<'_, u8, B>, views: &Views, region: Region, depth: usize, how: &Requantise) {
    let (min, max) = how.to.range();
    convert(arena, views, region, depth, |arena, from, to| {
        let centred = how.from.load(arena, from).wrapping_sub(how.zeros[0]);
        let stored = how.factor.apply(centred, how.rounding).wrapping_add(how.zeros[1]);
        how.to.store(arena, to, stored.max(min).min(max));
    });
}

/// A [`Requantise`] between int8 and int16 in a few instructions.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Rescale {
    /// How the input is stored: int8 or int16.
    pub from: Stored,
    /// How the output is stored: int8 or int16.
    pub to: Stored,
    /// Zero points of input and output.
    pub zeros: [i32; 2],
    /// Bits that inputs, less their zero point, are shifted left by before they are scaled: one, and those of the factor.
    pub up: u8,
    /// What remains of the factor.
    pub factor: SmallFactor,
}

impl Rescale {
    /// The same function. `None` for other types, for factors that inputs of this type could leave 32 bits with, and where products are rounded
    /// once.
    pub fn of(how: &Requantise) -> Option<Self> {
        let bits = match (how.from, how.to) {
            (Stored::Int8, Stored::Int8 | Stored::Int16) if i8::try_from(how.zeros[0]).is_ok() => 8,
            (Stored::Int16, Stored::Int8 | Stored::Int16) if how.zeros[0] == 0 => 15,
            _ => return None,
        };
        let up = how.factor.shift.max(0) as u8 + 1;
        let factor = SmallFactor::new(Factor { shift: how.factor.shift.min(0), ..how.factor })?;
        let fits = bits + up <= 31 && how.rounding == Rounding::Twice;
        fits.then_some(Self { from: how.from, to: how.to, zeros: how.zeros, up, factor })
    }

    /// The output for a stored input, before it is clamped to what its type holds.
    #[inline(always)]
    fn apply(&self, x: i32) -> i32 {
        self.factor.of_doubled(x.wrapping_sub(self.zeros[0]).wrapping_shl(self.up.into())).wrapping_add(self.zeros[1])
    }
}

/// See [`Rescale`]. Order: one element at a time, read before write.
pub fn rescale<B: Bounds>(arena: Arena<'_, u8, B>, views: &Views, region: Region, depth: usize, how: &Rescale) {
    let how = *how;
    // A loop for each pair of types, so that none decides inside.
    macro_rules! between {
        ($from:ident, $to:ident) => {
            convert(arena, views, region, depth, |arena, from, to| {
                let (min, max) = Stored::$to.range();
                let y = how.apply(Stored::$from.load(arena, from));
                Stored::$to.store(arena, to, y.max(min).min(max));
            })
        };
    }
    match (how.from, how.to) {
        (Stored::Int8, Stored::Int8) => between!(Int8, Int8),
        (Stored::Int8, _) => between!(Int8, Int16),
        (_, Stored::Int8) => between!(Int16, Int8),
        _ => between!(Int16, Int16),
    }
}

/// Bytes with a sign to bytes without one or back, 128 more or less: the top bit the other way round. QUANTIZE between int8 and uint8 of one
/// scale is this.
///
/// Order: one element at a time, read before write, or four, read before they are written.
pub fn flip<B: Bounds>(mut arena: Arena<'_, u8, B>, views: &Views, region: Region, depth: usize) {
    let Views { input, output } = views;
    let dense = input.pixel_stride == depth && output.pixel_stride == depth;
    pieces(region, depth, dense, |y, x, count| {
        let (from, to) = (input.at(y, x), output.at(y, x));
        let mut i = 0;
        while i + 4 <= count {
            let four = u32::from_le_bytes(arena.load(from + i)) ^ 0x8080_8080;
            arena.store(to + i, four.to_le_bytes());
            i += 4;
        }
        while i < count {
            arena[to + i] = arena[from + i] ^ 0x80;
            i += 1;
        }
    });
}

/// Index of the greatest of `size` elements, the first among equals: the tensor is seen as `[outer, size, inner]`, the output as
/// `[outer, inner]`; `input` and `output` are element indices of tensors stored whole, which must not overlap. NaN is below all numbers.
pub fn arg_max<B: Bounds>(
    mut arena: Arena<'_, u8, B>,
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
                    #[cfg(feature = "float")]
                    Stored::Float32 => {
                        let (new, old) = (load_float(&arena, at(k)), load_float(&arena, at(best)));
                        new > old || (old.is_nan() && !new.is_nan())
                    }
                    _ => from_type.load(&arena, at(k)) > from_type.load(&arena, at(best)),
                };
                if greater {
                    best = k;
                }
            }
            to_type.store(&mut arena, output + o * inner + i, best as i32);
        }
    }
}

#[cfg(all(test, feature = "float"))]
mod tests {
    extern crate std;

    use super::*;
    use crate::view::View;
    use proptest::prelude::*;
    use std::vec::Vec;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn rescaling_gives_the_bytes_of_requantising(
            [from, to] in prop::array::uniform2(prop::sample::select(&[Stored::Int8, Stored::Int16][..])),
            real in (-14f64..8.0).prop_map(libm::exp2),
            exact: bool,
            zeros in prop::array::uniform2(-128i32..128),
        ) {
            let real = if exact { 128.0 } else { real };
            let zeros = [if from == Stored::Int16 { 0 } else { zeros[0] }, if to == Stored::Int16 { 0 } else { zeros[1] }];
            let how = Requantise { from, to, zeros, factor: Factor::new(real), rounding: Rounding::Twice };
            let quick = Rescale::of(&how).expect("a factor that fits");
            let (least, most) = from.range();
            let stored: Vec<u8> = (least..=most).flat_map(|x| x.to_le_bytes().into_iter().take(from.bytes())).collect();
            let count = stored.len() / from.bytes();
            let run = |quick: Option<Rescale>| {
                let mut bytes = stored.clone();
                bytes.resize(stored.len() + count * 2, 0);
                let output = View::linear(stored.len() / to.bytes(), 1, 1, count);
                let views = &Views { input: View::linear(0, 1, 1, count), output };
                let region = Region { y0: 0, y1: 1, x0: 0, x1: 1 };
                match quick {
                    Some(quick) => rescale(Arena::new(&mut bytes), views, region, count, &quick),
                    None => requantise(Arena::new(&mut bytes), views, region, count, &how),
                }
                bytes
            };
            let (plain, quick) = (run(None), run(Some(quick)));
            prop_assert!(plain == quick);
        }
    }

    #[test]
    fn what_could_leave_32_bits_stays_with_the_general_form() {
        let how = |from, shift, rounding| Requantise {
            from,
            to: Stored::Int16,
            zeros: [0; 2],
            factor: Factor { multiplier: 1 << 30, shift },
            rounding,
        };
        assert!(Rescale::of(&how(Stored::Int8, 22, Rounding::Twice)).is_some());
        assert!(Rescale::of(&how(Stored::Int8, 23, Rounding::Twice)).is_none());
        assert!(Rescale::of(&how(Stored::Int16, 15, Rounding::Twice)).is_some());
        assert!(Rescale::of(&how(Stored::Int16, 16, Rounding::Twice)).is_none());
        assert!(Rescale::of(&how(Stored::Int16, -31, Rounding::Twice)).is_none());
        assert!(Rescale::of(&how(Stored::Int16, 0, Rounding::Once)).is_none());
        assert!(Rescale::of(&how(Stored::Int32, 0, Rounding::Twice)).is_none());
    }
}
