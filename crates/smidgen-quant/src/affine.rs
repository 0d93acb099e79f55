//! How an activation is stored: as int8 or int16 integers with one scale and zero point.

use crate::observe::floats;
use smidgen_ir::{DataType, ElementType, Quantisation, Tensor};

/// `real = scale * (stored - zero_point)`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Affine {
    /// Int8 or Int16.
    pub element: ElementType,
    pub scale: f32,
    /// 0 in int16.
    pub zero_point: i32,
}

/// Least scale of an activation, far below any that a network can use; keeps products of scales normal numbers.
const LEAST_SCALE: f64 = 1e-12;
/// Steps of int16 in a step of int8 when it is converted without loss: (-128..=127) less a zero point there, times this, fits.
const FINER: f32 = 128.0;

impl Affine {
    pub fn int8(scale: f32, zero_point: i32) -> Self {
        Self { element: ElementType::Int8, scale, zero_point }
    }

    pub fn int16(scale: f32) -> Self {
        Self { element: ElementType::Int16, scale, zero_point: 0 }
    }

    /// Covers a range and 0, which a stored integer stands for exactly; int16 covers as much on the other side of 0.
    pub fn covering(low: f32, high: f32, element: ElementType) -> Self {
        let (low, high) = (f64::from(low).min(0.0), f64::from(high).max(0.0));
        // A tensor that is always 0 may have any scale.
        let high = if high - low < LEAST_SCALE { low + 1.0 } else { high };
        if element == ElementType::Int16 {
            return Self::int16((high.max(-low) / 32767.0).max(LEAST_SCALE) as f32);
        }
        let scale = ((high - low) / 255.0).max(LEAST_SCALE) as f32;
        let zero_point = (-128.0 - low / f64::from(scale)).round().clamp(-128.0, 127.0) as i32;
        Self::int8(scale, zero_point)
    }

    /// Covers all of these values.
    pub fn covering_all(values: &[f32], element: ElementType) -> Self {
        let low = values.iter().copied().fold(0.0, f32::min);
        let high = values.iter().copied().fold(0.0, f32::max);
        Self::covering(low, high, element)
    }

    /// Of a tensor of int8 or int16 with one scale.
    pub fn of(tensor: &Tensor) -> Option<Self> {
        match &tensor.dtype {
            DataType::Quantised(
                element @ (ElementType::Int8 | ElementType::Int16),
                Quantisation::PerTensor { scale, zero_point },
            ) => Some(Self { element: *element, scale: *scale, zero_point: *zero_point }),
            _ => None,
        }
    }

    /// int16 that holds every integer of this int8 type as an integer: `(stored - zero_point) * 128`, exact in any arithmetic.
    pub fn widened(self) -> Self {
        Self::int16(self.scale / FINER)
    }

    pub fn is_int16(self) -> bool {
        self.element == ElementType::Int16
    }

    fn limits(self) -> (i32, i32) {
        if self.is_int16() { (i16::MIN.into(), i16::MAX.into()) } else { (i8::MIN.into(), i8::MAX.into()) }
    }

    /// The real numbers that the least and the greatest integer stand for.
    pub fn range(self) -> (f32, f32) {
        let real = |stored: i32| self.scale * (stored - self.zero_point) as f32;
        let (least, greatest) = self.limits();
        (real(least), real(greatest))
    }

    /// The stored integer nearest to a real number: divided in single precision and rounded half away from zero, as
    /// TensorFlow Lite's QUANTIZE does.
    pub fn stored(self, real: f32) -> i32 {
        let (least, greatest) = self.limits();
        // The cast saturates.
        ((real / self.scale).round() as i32).saturating_add(self.zero_point).clamp(least, greatest)
    }

    /// The real number of a stored integer.
    pub fn real(self, stored: i32) -> f64 {
        f64::from(self.scale) * f64::from(stored - self.zero_point)
    }

    /// The bytes of stored integers, little endian.
    pub fn bytes(self, reals: &[f32]) -> Vec<u8> {
        let each = if self.is_int16() { 2 } else { 1 };
        reals.iter().flat_map(|&real| self.stored(real).to_le_bytes().into_iter().take(each)).collect()
    }

    /// The real numbers of stored integers.
    pub fn reals(self, bytes: &[u8]) -> Vec<f64> {
        match self.is_int16() {
            true => bytes.as_chunks::<2>().0.iter().map(|&b| self.real(i16::from_le_bytes(b).into())).collect(),
            false => bytes.iter().map(|&b| self.real((b as i8).into())).collect(),
        }
    }

    /// The type of a tensor that is stored so.
    pub fn dtype(self) -> DataType {
        let (scale, zero_point) = (self.scale, self.zero_point);
        DataType::Quantised(self.element, Quantisation::PerTensor { scale, zero_point })
    }
}

/// Real numbers of a tensor's bytes, where it is about such.
pub(crate) fn reals(tensor: &Tensor, bytes: &[u8]) -> Option<Vec<f64>> {
    match Affine::of(tensor) {
        Some(affine) => Some(affine.reals(bytes)),
        None if tensor.dtype == DataType::FLOAT32 => Some(floats(bytes).into_iter().map(f64::from).collect()),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ElementType::{Int8, Int16};

    #[test]
    fn ranges_hold_zero_exactly() {
        assert_eq!(Affine::covering(0.0, 255.0, Int8), Affine::int8(1.0, -128));
        assert_eq!(Affine::covering(5.0, 255.0, Int8), Affine::int8(1.0, -128));
        assert_eq!(Affine::covering(-1.0, 1.0, Int8).zero_point, -1);
        assert_eq!(Affine::covering(-3.0, -1.0, Int8).zero_point, 127);
        assert_eq!(Affine::covering(-32767.0, 5.0, Int16), Affine::int16(1.0));
        for (low, high) in [(0.0, 0.0), (-1e-30, 1e-30), (-1e30, 1e30), (0.0, f32::MAX)] {
            for element in [Int8, Int16] {
                let affine = Affine::covering(low, high, element);
                assert!(affine.scale.is_normal() && affine.scale > 0.0, "{low}..{high}: {affine:?}");
                assert_eq!(affine.real(affine.stored(0.0)), 0.0);
            }
        }
    }

    #[test]
    fn stored_integers_round_and_saturate() {
        let affine = Affine::int8(0.5, 3);
        let stored = [0.0, 0.25, -0.25, 1e9, -1e9, f32::INFINITY].map(|real| affine.stored(real));
        assert_eq!(stored, [3, 4, 2, 127, -128, 127]);
        let wide = Affine::int16(0.5);
        let stored = [0.0, 0.25, -0.25, 300.0, 1e9, -1e9].map(|real| wide.stored(real));
        assert_eq!(stored, [0, 1, -1, 600, 32767, -32768]);
        assert_eq!(wide.bytes(&[0.5, -1.0, 300.0]), [1, 0, 254, 255, 88, 2]);
        assert_eq!(wide.reals(&[1, 0, 254, 255, 88, 2]), [0.5, -1.0, 300.0]);
        assert_eq!(affine.reals(&affine.bytes(&[-3.5, 62.0])), [-3.5, 62.0]);
    }

    #[test]
    fn int8_fits_int16_without_loss() {
        for zero_point in [-128, -1, 0, 127] {
            let (narrow, wide) = (Affine::int8(0.3, zero_point), Affine::int8(0.3, zero_point).widened());
            for stored in -128..=127 {
                let found = wide.stored(narrow.real(stored) as f32);
                assert_eq!(found, (stored - zero_point) * 128);
                assert_eq!(wide.real(found), narrow.real(stored));
            }
        }
    }
}
