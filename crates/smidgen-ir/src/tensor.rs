//! Tensors: shape, element type, quantisation and, for constants, the bytes.
//!
//! The invariant that matters: a tensor whose integers stand for real numbers carries its scale. The type
//! [`DataType`] makes the other case unrepresentable.

use std::fmt;
use std::sync::Arc;

/// Index of a tensor in [`Graph::tensors`](crate::Graph::tensors).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TensorId(pub u32);

impl TensorId {
    /// The index as a `usize`.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for TensorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "%{}", self.0)
    }
}

/// How one element is stored.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ElementType {
    /// IEEE 754 single precision, little endian.
    Float32,
    /// Two's complement, 4 bits, two to a byte, the element of lower index in the low nibble.
    Int4,
    /// Two's complement, 8 bits.
    Int8,
    /// 8 bits without a sign: what cameras give, at the ends of a network.
    Uint8,
    /// Two's complement, 16 bits, little endian.
    Int16,
    /// Two's complement, 32 bits, little endian.
    Int32,
    /// Two's complement, 64 bits, little endian.
    Int64,
    /// One byte, 0 or 1.
    Bool,
}

impl ElementType {
    /// Every element type, in the order of the textual form's documentation.
    pub const ALL: [ElementType; 8] =
        [Self::Float32, Self::Int4, Self::Int8, Self::Uint8, Self::Int16, Self::Int32, Self::Int64, Self::Bool];

    /// Bits of storage of one element.
    pub fn bits(self) -> usize {
        match self {
            Self::Int4 => 4,
            Self::Int8 | Self::Uint8 | Self::Bool => 8,
            Self::Int16 => 16,
            Self::Float32 | Self::Int32 => 32,
            Self::Int64 => 64,
        }
    }

    /// Bytes that `count` elements take, rounded up to a whole byte; `None` if that overflows.
    pub fn bytes(self, count: usize) -> Option<usize> {
        Some(count.checked_mul(self.bits())?.div_ceil(8))
    }

    /// The bytes of a constant with these elements, little endian: as they are, but for int4, which is given a byte each, of which the low
    /// half counts, and comes out two to a byte, the first in the low half.
    pub fn pack(self, elements: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Int4 => elements.chunks(2).map(|two| two[0] & 15 | two.get(1).unwrap_or(&0) << 4).collect(),
            _ => elements,
        }
    }

    /// Least and greatest stored integer; `None` for floats.
    pub fn range(self) -> Option<(i64, i64)> {
        match self {
            Self::Float32 => None,
            Self::Bool => Some((0, 1)),
            Self::Uint8 => Some((0, 255)),
            Self::Int4 | Self::Int8 | Self::Int16 | Self::Int32 | Self::Int64 => {
                Some((i64::MIN >> (64 - self.bits()), i64::MAX >> (64 - self.bits())))
            }
        }
    }

    /// The name in the textual form: `f32`, `i4`, `i8`, `u8`, `i16`, `i32`, `i64`, `bool`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Float32 => "f32",
            Self::Int4 => "i4",
            Self::Int8 => "i8",
            Self::Uint8 => "u8",
            Self::Int16 => "i16",
            Self::Int32 => "i32",
            Self::Int64 => "i64",
            Self::Bool => "bool",
        }
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An affine map from stored integers to real numbers: `real = scale * (stored - zero_point)`.
#[derive(Clone, PartialEq, Debug)]
pub enum Quantisation {
    /// One scale and zero point for the whole tensor.
    PerTensor {
        /// Real value of one step; positive and finite.
        scale: f32,
        /// The stored integer that stands for 0.
        zero_point: i32,
    },
    /// A scale and zero point for each index along one axis.
    PerChannel {
        /// The axis; less than the tensor's rank.
        axis: usize,
        /// One positive, finite scale for each index along `axis`.
        scales: Vec<f32>,
        /// One zero point for each index along `axis`.
        zero_points: Vec<i32>,
    },
}

impl Quantisation {
    /// The scale and zero point, where one pair serves the whole tensor.
    pub fn per_tensor(&self) -> Option<(f32, i32)> {
        match self {
            Self::PerTensor { scale, zero_point } => Some((*scale, *zero_point)),
            Self::PerChannel { .. } => None,
        }
    }

    /// The scale of channel `index`: the common one, or that of the channel.
    ///
    /// # Panics
    /// If the quantisation is per channel and `index` is not below the number of channels.
    pub fn scale(&self, index: usize) -> f32 {
        match self {
            Self::PerTensor { scale, .. } => *scale,
            Self::PerChannel { scales, .. } => scales[index],
        }
    }

    /// Scale and zero point by the index of an element, row by row, of a tensor with these dimensions. The axis of channels is one of them,
    /// and there is a channel.
    ///
    /// # Panics
    /// If there is no such axis; what is returned, if there is no channel.
    pub fn by_element(&self, dims: &[usize]) -> impl Fn(usize) -> (f32, i32) {
        let (axis, scales, zero_points): (_, &[f32], &[i32]) = match self {
            Self::PerTensor { scale, zero_point } => (0, std::slice::from_ref(scale), std::slice::from_ref(zero_point)),
            Self::PerChannel { axis, scales, zero_points } => (*axis + 1, scales, zero_points),
        };
        // Elements from one channel to the next; a single channel holds them all.
        let step = dims[axis..].iter().product::<usize>().max(1);
        move |i| {
            let channel = i / step % scales.len();
            (scales[channel], zero_points[channel])
        }
    }
}

/// The exponent of a scale that is a power of two, or so near to one that TensorFlow Lite's kernels of int16 take it for one: their
/// `CheckedLog2`, in single precision.
pub fn power_of_two(scale: f32) -> Option<i32> {
    let log2 = scale.ln() * (1.0 / 2f32.ln());
    ((log2 - log2.round()).abs() < 1e-3).then(|| log2.round() as i32)
}

/// What a tensor's elements are, and what they mean.
#[derive(Clone, PartialEq, Debug)]
pub enum DataType {
    /// The stored value is the value: floats, booleans, indices, integers without a scale.
    Plain(ElementType),
    /// Stored integers that stand for real numbers. The element type is one of the integer ones.
    Quantised(ElementType, Quantisation),
}

impl DataType {
    /// Float32 without quantisation.
    pub const FLOAT32: DataType = DataType::Plain(ElementType::Float32);

    /// Per-tensor quantised int8.
    pub fn int8(scale: f32, zero_point: i32) -> Self {
        Self::Quantised(ElementType::Int8, Quantisation::PerTensor { scale, zero_point })
    }

    /// Per-tensor quantised int16, whose zero point is 0.
    pub fn int16(scale: f32) -> Self {
        Self::Quantised(ElementType::Int16, Quantisation::PerTensor { scale, zero_point: 0 })
    }

    /// How one element is stored.
    pub fn element(&self) -> ElementType {
        match self {
            Self::Plain(e) | Self::Quantised(e, _) => *e,
        }
    }

    /// The quantisation, if the elements stand for real numbers through one.
    pub fn quantisation(&self) -> Option<&Quantisation> {
        match self {
            Self::Plain(_) => None,
            Self::Quantised(_, q) => Some(q),
        }
    }

    /// True for integers of eight or four bits around 0: of one scale, or of one for each index along this axis.
    pub fn is_symmetric_weights(&self, axis: usize) -> bool {
        let Self::Quantised(ElementType::Int8 | ElementType::Int4, quantisation) = self else { return false };
        match quantisation {
            Quantisation::PerTensor { zero_point, .. } => *zero_point == 0,
            Quantisation::PerChannel { axis: along, zero_points, .. } => {
                *along == axis && zero_points.iter().all(|&zero| zero == 0)
            }
        }
    }
}

impl fmt::Display for DataType {
    /// Prints `f32`, `i8 (scale 0.5, zero point 3)`, or `i8 (16 scales along axis 0)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(e) => write!(f, "{e}"),
            Self::Quantised(e, Quantisation::PerTensor { scale, zero_point }) => {
                write!(f, "{e} (scale {scale}, zero point {zero_point})")
            }
            Self::Quantised(e, Quantisation::PerChannel { axis, scales, .. }) => {
                write!(f, "{e} ({} scales along axis {axis})", scales.len())
            }
        }
    }
}

/// Number of elements of a shape; `None` if the dimensions above 0 multiply to so many that `usize` cannot count their bytes, eight for each.
/// A dimension of 0 is no leave for the others, since parts of a shape without elements are multiplied like those of any other.
pub fn element_count(dims: &[usize]) -> Option<usize> {
    let axes = dims.iter().filter(|&&d| d > 0).try_fold(1usize, |n, &d| n.checked_mul(d))?;
    axes.checked_mul(8)?;
    Some(if dims.contains(&0) { 0 } else { axes })
}

/// Dimensions, outermost first. Activations are NHWC. A scalar has rank 0 and one element.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Shape(pub Vec<usize>);

impl Shape {
    /// Number of dimensions.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// [`element_count`] of its dimensions.
    pub fn checked_elements(&self) -> Option<usize> {
        element_count(&self.0)
    }

    /// Number of elements. A validated graph holds only shapes for which this cannot overflow.
    ///
    /// # Panics
    /// If the product of the dimensions overflows `usize`.
    pub fn elements(&self) -> usize {
        self.checked_elements().expect("validated shapes have a representable element count")
    }

    /// The dimensions as a slice.
    pub fn dims(&self) -> &[usize] {
        &self.0
    }

    /// `[batch, height, width, channels]` of a rank-4 shape.
    pub fn nhwc(&self) -> Option<[usize; 4]> {
        self.0.as_slice().try_into().ok()
    }
}

impl From<Vec<usize>> for Shape {
    fn from(dims: Vec<usize>) -> Self {
        Shape(dims)
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(dims: [usize; N]) -> Self {
        Shape(dims.to_vec())
    }
}

impl fmt::Display for Shape {
    /// Prints `1x32x32x3`, and `scalar` for rank 0.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("scalar");
        }
        for (i, d) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("x")?;
            }
            write!(f, "{d}")?;
        }
        Ok(())
    }
}

/// One tensor of a graph: a value computed at run time, or a constant.
#[derive(Clone, PartialEq, Debug)]
pub struct Tensor {
    /// Name from the source file; need not be unique.
    pub name: String,
    /// Dimensions.
    pub shape: Shape,
    /// Element type and quantisation.
    pub dtype: DataType,
    /// The bytes of a constant: little endian, row-major, int4 packed two to a byte over the whole tensor.
    pub data: Option<Arc<[u8]>>,
    /// Index of the tensor in the file it came from, so that reference intermediates can be matched.
    pub source: Option<u32>,
}

impl Tensor {
    /// A tensor computed at run time.
    pub fn activation(name: impl Into<String>, shape: impl Into<Shape>, dtype: DataType) -> Self {
        Self { name: name.into(), shape: shape.into(), dtype, data: None, source: None }
    }

    /// A constant with little-endian, row-major `data`.
    pub fn constant(
        name: impl Into<String>,
        shape: impl Into<Shape>,
        dtype: DataType,
        data: impl Into<Arc<[u8]>>,
    ) -> Self {
        Self { name: name.into(), shape: shape.into(), dtype, data: Some(data.into()), source: None }
    }

    /// True if the tensor's bytes are known when compiling.
    pub fn is_constant(&self) -> bool {
        self.data.is_some()
    }

    /// How one element is stored.
    pub fn element(&self) -> ElementType {
        self.dtype.element()
    }

    /// Bytes of storage. A validated graph holds only tensors for which this cannot overflow.
    ///
    /// # Panics
    /// If the size overflows `usize`.
    pub fn bytes(&self) -> usize {
        self.element().bytes(self.shape.elements()).expect("validated tensors have a representable size")
    }

    /// Scale and zero point, where the tensor is quantised with one pair.
    pub fn per_tensor(&self) -> Option<(f32, i32)> {
        self.dtype.quantisation().and_then(Quantisation::per_tensor)
    }

    /// The elements of a constant of any integer type or bool, widened to `i64`. `None` if the tensor is not a constant or holds floats.
    pub fn integers_as_i64(&self) -> Option<Vec<i64>> {
        match (self.element(), self.data.as_ref()) {
            (ElementType::Int64, Some(data)) => {
                Some(data.as_chunks().0.iter().map(|&b| i64::from_le_bytes(b)).collect())
            }
            _ => Some(self.integers()?.into_iter().map(i64::from).collect()),
        }
    }

    /// The elements of a constant of type int4, int8, uint8, int16, int32 or bool, widened to `i32`.
    /// `None` if the tensor is not a constant or holds floats or 64-bit integers.
    pub fn integers(&self) -> Option<Vec<i32>> {
        let data = self.data.as_ref()?;
        let count = self.shape.checked_elements()?;
        Some(match self.element() {
            ElementType::Int8 => data.iter().map(|&b| b as i8 as i32).collect(),
            ElementType::Uint8 | ElementType::Bool => data.iter().map(|&b| b as i32).collect(),
            ElementType::Int16 => data.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]]) as i32).collect(),
            ElementType::Int32 => data.chunks_exact(4).map(|b| i32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
            ElementType::Int4 => (0..count)
                .map(|i| {
                    let byte = data[i / 2];
                    // Shift the wanted nibble to the top, then back with sign.
                    let nibble = if i % 2 == 0 { byte << 4 } else { byte & 0xf0 };
                    (nibble as i8 >> 4) as i32
                })
                .collect(),
            ElementType::Float32 | ElementType::Int64 => return None,
        })
    }

    /// The real numbers that a quantised constant's elements stand for; `None` if the tensor is no such constant.
    pub fn reals(&self) -> Option<Vec<f64>> {
        let (integers, quantisation) = (self.integers_as_i64()?, self.dtype.quantisation()?);
        let by_element = quantisation.by_element(self.shape.dims());
        let real = |(i, &stored): (usize, &i64)| {
            let (scale, zero_point) = by_element(i);
            f64::from(scale) * (stored - i64::from(zero_point)) as f64
        };
        Some(integers.iter().enumerate().map(real).collect())
    }

    /// The elements of a float32 constant, or `None`.
    pub fn floats(&self) -> Option<Vec<f32>> {
        let data = self.data.as_ref()?;
        (self.element() == ElementType::Float32)
            .then(|| data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
    }
}
