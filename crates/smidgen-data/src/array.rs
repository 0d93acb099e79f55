//! An array as the outside world holds it: NumPy's element types, a shape, and the bytes.

use smidgen_ir::{ElementType, Shape};
use std::fmt;

/// Element types that smidgen reads from and writes to `.npy` files.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Dtype {
    /// IEEE 754 single precision.
    Float32,
    /// IEEE 754 double precision.
    Float64,
    /// Two's complement, 8 bits.
    Int8,
    /// Two's complement, 16 bits.
    Int16,
    /// Two's complement, 32 bits.
    Int32,
    /// Two's complement, 64 bits.
    Int64,
    /// 8 bits without sign.
    Uint8,
    /// One byte, 0 or 1.
    Bool,
}

impl Dtype {
    /// Every element type.
    pub const ALL: [Self; 8] =
        [Self::Float32, Self::Float64, Self::Int8, Self::Int16, Self::Int32, Self::Int64, Self::Uint8, Self::Bool];

    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            Self::Int8 | Self::Uint8 | Self::Bool => 1,
            Self::Int16 => 2,
            Self::Float32 | Self::Int32 => 4,
            Self::Float64 | Self::Int64 => 8,
        }
    }

    /// NumPy's name: `float32`, `int8`, ...
    pub fn name(self) -> &'static str {
        match self {
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Uint8 => "uint8",
            Self::Bool => "bool",
        }
    }

    /// The type in which elements of a tensor are handed in and out. Packed int4 is unpacked to one int8 an element.
    pub fn of(element: ElementType) -> Self {
        match element {
            ElementType::Float32 => Self::Float32,
            ElementType::Int4 | ElementType::Int8 => Self::Int8,
            ElementType::Int16 => Self::Int16,
            ElementType::Int32 => Self::Int32,
            ElementType::Int64 => Self::Int64,
            ElementType::Uint8 => Self::Uint8,
            ElementType::Bool => Self::Bool,
        }
    }

    /// True for the floating-point types.
    pub fn is_float(self) -> bool {
        matches!(self, Self::Float32 | Self::Float64)
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A dense array. `data` holds `shape.iter().product()` elements, little endian, row-major.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Array {
    /// Element type.
    pub dtype: Dtype,
    /// Dimensions, outermost first.
    pub shape: Vec<usize>,
    /// The elements: little endian, row-major.
    pub data: Vec<u8>,
}

impl Array {
    /// An array of int8 elements.
    ///
    /// # Panics
    /// If `values` has another number of elements than `shape`.
    pub fn from_i8(shape: &[usize], values: &[i8]) -> Self {
        Self::new(Dtype::Int8, shape, bytemuck::cast_slice(values).to_vec())
    }

    /// An array of float32 elements.
    ///
    /// # Panics
    /// If `values` has another number of elements than `shape`.
    pub fn from_f32(shape: &[usize], values: &[f32]) -> Self {
        Self::new(Dtype::Float32, shape, values.iter().flat_map(|v| v.to_le_bytes()).collect())
    }

    /// An array from its little-endian, row-major bytes.
    ///
    /// # Panics
    /// If `data` has another length than the shape and element type ask for.
    pub fn new(dtype: Dtype, shape: &[usize], data: Vec<u8>) -> Self {
        let elements: usize = shape.iter().product();
        assert_eq!(elements * dtype.size(), data.len(), "bytes of a {dtype} array of shape {shape:?}");
        Self { dtype, shape: shape.to_vec(), data }
    }

    /// The same elements with the axes in another order: axis `i` of the result is axis `axes[i]` of this.
    ///
    /// # Panics
    /// If `axes` does not hold each axis once.
    pub fn transposed(&self, axes: &[usize]) -> Self {
        let shape: Vec<usize> = axes.iter().map(|&axis| self.shape[axis]).collect();
        assert_eq!(axes.len(), self.shape.len(), "axes of an array of shape {:?}", self.shape);
        let size = self.dtype.size();
        let mut strides = vec![size; self.shape.len()];
        for axis in (1..self.shape.len()).rev() {
            strides[axis - 1] = strides[axis] * self.shape[axis];
        }
        let strides: Vec<usize> = axes.iter().map(|&axis| strides[axis]).collect();
        let mut data = Vec::with_capacity(self.data.len());
        let mut index = vec![0; shape.len()];
        for _ in 0..self.elements() {
            let from: usize = index.iter().zip(&strides).map(|(i, stride)| i * stride).sum();
            data.extend_from_slice(&self.data[from..from + size]);
            for axis in (0..shape.len()).rev() {
                index[axis] += 1;
                if index[axis] < shape[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
        Self::new(self.dtype, &shape, data)
    }

    /// Number of elements.
    pub fn elements(&self) -> usize {
        self.data.len() / self.dtype.size()
    }

    /// The elements as doubles. Exact except for 64-bit integers beyond 2^53.
    pub fn to_f64(&self) -> Vec<f64> {
        fn each<const N: usize>(data: &[u8], f: impl Fn([u8; N]) -> f64) -> Vec<f64> {
            data.as_chunks::<N>().0.iter().map(|&chunk| f(chunk)).collect()
        }
        match self.dtype {
            Dtype::Float32 => each(&self.data, |b| f64::from(f32::from_le_bytes(b))),
            Dtype::Float64 => each(&self.data, f64::from_le_bytes),
            Dtype::Int8 => each(&self.data, |b| f64::from(i8::from_le_bytes(b))),
            Dtype::Int16 => each(&self.data, |b| f64::from(i16::from_le_bytes(b))),
            Dtype::Int32 => each(&self.data, |b| f64::from(i32::from_le_bytes(b))),
            Dtype::Int64 => each(&self.data, |b| i64::from_le_bytes(b) as f64),
            Dtype::Uint8 | Dtype::Bool => each(&self.data, |[b]: [u8; 1]| f64::from(b)),
        }
    }

    /// The elements of a float32 array, or `None` for any other type.
    pub fn to_f32(&self) -> Option<Vec<f32>> {
        (self.dtype == Dtype::Float32)
            .then(|| self.data.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect())
    }

    /// Element type and shape as messages show them: `int8 1x32x32x3`.
    pub fn describe(&self) -> String {
        format!("{} {}", self.dtype, Shape(self.shape.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_change_places() {
        let array = Array::from_f32(&[1, 2, 3], &[0.0, 1.0, 2.0, 10.0, 11.0, 12.0]);
        let turned = Array::from_f32(&[1, 3, 2], &[0.0, 10.0, 1.0, 11.0, 2.0, 12.0]);
        assert_eq!(array.transposed(&[0, 2, 1]), turned);
        let of = |shape: &[usize], values: &[i8]| Array::from_i8(shape, values);
        let cube = of(&[2, 2, 3], &[0, 1, 2, 10, 11, 12, 100, 101, 102, 110, 111, 112]);
        assert_eq!(cube.transposed(&[2, 0, 1]), of(&[3, 2, 2], &[0, 10, 100, 110, 1, 11, 101, 111, 2, 12, 102, 112]));
        assert_eq!(of(&[], &[7]).transposed(&[]), of(&[], &[7]));
    }

    #[test]
    fn every_type_converts_to_doubles() {
        for dtype in Dtype::ALL {
            let mut one = vec![0; dtype.size()];
            match dtype {
                Dtype::Float32 => one.copy_from_slice(&1f32.to_le_bytes()),
                Dtype::Float64 => one.copy_from_slice(&1f64.to_le_bytes()),
                _ => one[0] = 1,
            }
            assert_eq!(Array::new(dtype, &[1, 1], one).to_f64(), [1.0], "{dtype}");
        }
        assert_eq!(Array::from_i8(&[2], &[-128, 127]).to_f64(), [-128.0, 127.0]);
        assert_eq!(Array::new(Dtype::Uint8, &[1], vec![255]).to_f64(), [255.0]);
    }
}
