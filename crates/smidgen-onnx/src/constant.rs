//! Constants of the file: elements of any type that a network's weights and its arithmetic on shapes have.

use crate::node_error::NodeError;
use crate::schema::TensorView;
use smidgen_ir::front::Budget;
use smidgen_ir::half::to_f32;
use smidgen_ir::{ElementType, element_count};
use std::sync::Arc;

/// How one element of the file's tensors is stored. Four-bit integers are held one to a byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Element {
    F32,
    F16,
    Bf16,
    F64,
    I4,
    U4,
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    Bool,
}

impl Element {
    /// From a value of `TensorProto.DataType`; or the name of a type that is not supported.
    pub fn of(data_type: i64) -> Result<Self, String> {
        Ok(match data_type {
            1 => Self::F32,
            2 => Self::U8,
            3 => Self::I8,
            4 => Self::U16,
            5 => Self::I16,
            6 => Self::I32,
            7 => Self::I64,
            9 => Self::Bool,
            10 => Self::F16,
            11 => Self::F64,
            12 => Self::U32,
            13 => Self::U64,
            16 => Self::Bf16,
            21 => Self::U4,
            22 => Self::I4,
            8 => return Err("text".into()),
            14 | 15 => return Err("complex numbers".into()),
            17..=20 | 23.. => return Err(format!("type number {data_type} (a float of 8 bits or fewer)")),
            _ => return Err(format!("type number {data_type}")),
        })
    }

    /// Bytes of one element as it is held here.
    pub fn bytes(self) -> usize {
        match self {
            Self::I4 | Self::U4 | Self::I8 | Self::U8 | Self::Bool => 1,
            Self::F16 | Self::Bf16 | Self::I16 | Self::U16 => 2,
            Self::F32 | Self::I32 | Self::U32 => 4,
            Self::F64 | Self::I64 | Self::U64 => 8,
        }
    }

    /// The name of the type in the format's documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::F16 => "float16",
            Self::Bf16 => "bfloat16",
            Self::F64 => "float64",
            Self::I4 => "int4",
            Self::U4 => "uint4",
            Self::I8 => "int8",
            Self::U8 => "uint8",
            Self::I16 => "int16",
            Self::U16 => "uint16",
            Self::I32 => "int32",
            Self::U32 => "uint32",
            Self::I64 => "int64",
            Self::U64 => "uint64",
            Self::Bool => "bool",
        }
    }

    pub fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F16 | Self::Bf16 | Self::F64)
    }

    /// The graph's type for such elements at run time, where it has one.
    pub fn at_run_time(self) -> Option<ElementType> {
        Some(match self {
            Self::F32 => ElementType::Float32,
            Self::I8 => ElementType::Int8,
            Self::U8 => ElementType::Uint8,
            Self::I16 => ElementType::Int16,
            Self::I32 => ElementType::Int32,
            Self::I64 => ElementType::Int64,
            Self::Bool => ElementType::Bool,
            Self::F16 | Self::Bf16 | Self::F64 | Self::I4 | Self::U4 | Self::U16 | Self::U32 | Self::U64 => {
                return None;
            }
        })
    }
}

/// A tensor whose elements are known when reading.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Constant {
    pub name: String,
    pub element: Element,
    /// In the file's order of axes; no dimension need be positive.
    pub dims: Vec<usize>,
    /// Little endian, row-major.
    pub data: Arc<[u8]>,
    /// Of floats made of integers: the scale of all, or one for each output channel of what they are weights of.
    pub scales: Option<Arc<[f32]>>,
}

impl Constant {
    pub fn new(element: Element, dims: Vec<usize>, data: impl Into<Arc<[u8]>>) -> Self {
        Self { name: String::new(), element, dims, data: data.into(), scales: None }
    }

    /// A tensor of this type from numbers: rounded where it is a float, cut off where it is an integer.
    pub fn from_f64(element: Element, dims: Vec<usize>, values: impl Iterator<Item = f64>) -> Self {
        let mut data = Vec::with_capacity(values.size_hint().0 * element.bytes());
        for value in values {
            match element {
                Element::F32 => data.extend((value as f32).to_le_bytes()),
                Element::F64 => data.extend(value.to_le_bytes()),
                Element::F16 => data.extend(half::f16_from_f64(value).to_le_bytes()),
                Element::Bf16 => data.extend(half::bf16_from_f64(value).to_le_bytes()),
                Element::Bool => data.push(u8::from(value != 0.0)),
                _ => push_int(&mut data, element, value as i64),
            }
        }
        Self::new(element, dims, data)
    }

    /// A tensor of this integer type from numbers, which wrap around.
    pub fn from_i64(element: Element, dims: Vec<usize>, values: impl Iterator<Item = i64>) -> Self {
        if element.is_float() {
            return Self::from_f64(element, dims, values.map(|v| v as f64));
        }
        let mut data = Vec::with_capacity(values.size_hint().0 * element.bytes());
        values.for_each(|value| push_int(&mut data, element, value));
        Self::new(element, dims, data)
    }

    pub fn count(&self) -> usize {
        self.data.len() / self.element.bytes()
    }

    /// The elements of an integer or boolean tensor.
    pub fn ints(&self) -> Option<Vec<i64>> {
        let data = &self.data;
        Some(match self.element {
            Element::I8 | Element::I4 => data.iter().map(|&b| i64::from(b as i8)).collect(),
            Element::U8 | Element::U4 | Element::Bool => data.iter().map(|&b| i64::from(b)).collect(),
            Element::I16 => data.chunks_exact(2).map(|b| i64::from(i16::from_le_bytes([b[0], b[1]]))).collect(),
            Element::U16 => data.chunks_exact(2).map(|b| i64::from(u16::from_le_bytes([b[0], b[1]]))).collect(),
            Element::I32 => data.chunks_exact(4).map(|b| i64::from(i32::from_le_bytes(four(b)))).collect(),
            Element::U32 => data.chunks_exact(4).map(|b| i64::from(u32::from_le_bytes(four(b)))).collect(),
            Element::I64 | Element::U64 => data.chunks_exact(8).map(|b| i64::from_le_bytes(eight(b))).collect(),
            Element::F32 | Element::F16 | Element::Bf16 | Element::F64 => return None,
        })
    }

    /// The elements as double-precision numbers.
    pub fn reals(&self) -> Vec<f64> {
        let data = &self.data;
        match self.element {
            Element::F32 => data.chunks_exact(4).map(|b| f64::from(f32::from_le_bytes(four(b)))).collect(),
            Element::F64 => data.chunks_exact(8).map(|b| f64::from_le_bytes(eight(b))).collect(),
            Element::F16 => data.chunks_exact(2).map(|b| f64::from(to_f32(u16::from_le_bytes([b[0], b[1]])))).collect(),
            Element::Bf16 => data.chunks_exact(2).map(|b| f64::from(f32::from_le_bytes([0, 0, b[0], b[1]]))).collect(),
            _ => self.ints().unwrap_or_default().into_iter().map(|v| v as f64).collect(),
        }
    }

    /// The elements as single-precision numbers.
    pub fn floats(&self) -> Vec<f32> {
        match self.element {
            Element::F32 => self.data.chunks_exact(4).map(|b| f32::from_le_bytes(four(b))).collect(),
            _ => self.reals().into_iter().map(|v| v as f32).collect(),
        }
    }

    /// The same elements in another shape of as many.
    pub fn reshaped(&self, dims: Vec<usize>) -> Self {
        Self { dims, ..self.clone() }
    }

    /// With axis `i` of the result axis `perm[i]` of this.
    pub fn transposed(&self, perm: &[usize]) -> Self {
        if perm.is_sorted() {
            return self.clone();
        }
        let dims: Vec<usize> = perm.iter().map(|&axis| self.dims[axis]).collect();
        let strides = strides(&self.dims);
        let steps: Vec<usize> = perm.iter().map(|&axis| strides[axis]).collect();
        let data = gathered(&self.data, self.element.bytes(), &dims, 0, &steps);
        Self { dims, data: data.into(), ..self.clone() }
    }
}

/// Elements of `dims` from those whose index is `first` plus the index along each axis times its step.
pub(crate) fn gathered(data: &[u8], size: usize, dims: &[usize], first: usize, steps: &[usize]) -> Vec<u8> {
    let count: usize = dims.iter().product();
    let mut out = Vec::with_capacity(count * size);
    let mut index = vec![0usize; dims.len()];
    let mut at = first;
    for _ in 0..count {
        out.extend_from_slice(&data[at * size..(at + 1) * size]);
        for axis in (0..dims.len()).rev() {
            index[axis] += 1;
            at = at.wrapping_add(steps[axis]);
            if index[axis] < dims[axis] {
                break;
            }
            at = at.wrapping_sub(steps[axis].wrapping_mul(dims[axis]));
            index[axis] = 0;
        }
    }
    out
}

/// Elements between neighbours along each axis.
pub(crate) fn strides(dims: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; dims.len()];
    for axis in (1..dims.len()).rev() {
        strides[axis - 1] = strides[axis] * dims[axis].max(1);
    }
    strides
}

fn four(b: &[u8]) -> [u8; 4] {
    [b[0], b[1], b[2], b[3]]
}

fn eight(b: &[u8]) -> [u8; 8] {
    [b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]
}

fn push_int(data: &mut Vec<u8>, element: Element, value: i64) {
    match (element, element.bytes()) {
        (Element::Bool, _) => data.push(u8::from(value != 0)),
        (_, bytes) => data.extend_from_slice(&value.to_le_bytes()[..bytes]),
    }
}

/// The dimensions of a tensor, if they and the number of elements are possible.
pub(crate) fn dims_of(dims: &[i64]) -> Option<(Vec<usize>, usize)> {
    let dims: Vec<usize> = dims.iter().map(|&d| usize::try_from(d).ok()).collect::<Option<_>>()?;
    let count = element_count(&dims)?;
    Some((dims, count))
}

/// Takes in a constant of the file; `fetch` reads what lies in another file.
pub(crate) fn decode<'a>(
    view: &TensorView<'a>,
    budget: &Budget,
    fetch: impl FnOnce(&crate::schema::External<'a>, usize) -> Result<Vec<u8>, NodeError>,
) -> Result<Constant, NodeError> {
    let malformed = |what: String| NodeError::Malformed(what);
    let name = smidgen_ir::front::quoted(view.name);
    let element = Element::of(view.data_type).map_err(|found| {
        NodeError::unsupported(format!("constant {name} holds {found}"), "export the network in float32")
    })?;
    let (dims, count) = dims_of(&view.dims)
        .ok_or_else(|| malformed(format!("constant {name} has an impossible shape {:?}", view.dims)))?;
    let packed = matches!(element, Element::I4 | Element::U4);
    let stored = if packed { count.div_ceil(2) } else { count * element.bytes() };
    let wrong = |found: usize| malformed(format!("constant {name} of shape {dims:?} has {found} bytes, not {stored}"));
    let expand = |bytes: &[u8]| -> Vec<u8> {
        if !packed {
            return bytes.to_vec();
        }
        let nibble = |i: usize| if i.is_multiple_of(2) { bytes[i / 2] & 15 } else { bytes[i / 2] >> 4 };
        (0..count)
            .map(|i| if element == Element::I4 { ((nibble(i) << 4) as i8 >> 4) as u8 } else { nibble(i) })
            .collect()
    };
    let data: Vec<u8> = if let Some(external) = &view.external {
        let bytes = fetch(external, stored)?;
        if bytes.len() != stored {
            return Err(wrong(bytes.len()));
        }
        if packed { expand(&bytes) } else { bytes }
    } else if let Some(raw) = view.raw {
        if raw.len() != stored {
            return Err(wrong(raw.len()));
        }
        budget.take(count * element.bytes())?;
        expand(raw)
    } else {
        // A packed number takes at least one byte of the file for its eight here.
        budget.take((count * element.bytes()).min(8 * view.message.len()))?;
        let (mut ints, mut floats) = (Vec::new(), Vec::new());
        view.typed(
            |value| if packed { ints.push(value as u8) } else { push_int(&mut ints, element, value) },
            |size, bytes| {
                if matches!((element, size), (Element::F32, 4) | (Element::F64, 8)) {
                    floats.extend_from_slice(bytes);
                }
            },
        )?;
        let data = match element {
            Element::F32 | Element::F64 => floats,
            _ if packed && ints.len() == stored => expand(&ints),
            _ => ints,
        };
        if data.len() != count * element.bytes() {
            return Err(wrong(data.len()));
        }
        data
    };
    if element == Element::Bool && data.iter().any(|&b| b > 1) {
        return Err(malformed(format!("constant {name} of booleans holds other bytes than 0 and 1")));
    }
    budget.take(view.name.len())?;
    Ok(Constant { name: view.name.to_string(), ..Constant::new(element, dims, data) })
}

/// Half-precision numbers, which appear in constants only.
mod half {
    /// The nearest binary16, ties to even.
    pub fn f16_from_f64(value: f64) -> u16 {
        let sign = if value.is_sign_negative() { 0x8000 } else { 0 };
        let magnitude = value.abs();
        if magnitude.is_nan() {
            return sign | 0x7e00;
        }
        if magnitude >= 65520.0 {
            return sign | 0x7c00;
        }
        // Below the least normal number steps are 2^-24; above, 2^10 steps to each power of two.
        let exponent = (magnitude.log2().floor() as i32).clamp(-14, 15);
        let exponent = if magnitude < 2f64.powi(exponent) && exponent > -14 { exponent - 1 } else { exponent };
        let steps = (magnitude / 2f64.powi(exponent - 10)).round_ties_even() as u16;
        // A carry out of the fraction goes into the exponent by itself.
        sign | ((exponent + 14) as u16 * 1024 + steps)
    }

    /// The nearest bfloat16, ties to even.
    pub fn bf16_from_f64(value: f64) -> u16 {
        let bits = (value as f32).to_bits();
        if value.is_nan() {
            return 0x7fc0;
        }
        ((u64::from(bits) + 0x7fff + u64::from(bits >> 16 & 1)) >> 16) as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_comes_back() {
        for bits in 0..=u16::MAX {
            let value = f64::from(to_f32(bits));
            if !value.is_nan() {
                assert_eq!(half::f16_from_f64(value), bits, "{value}");
            }
        }
        assert_eq!(half::f16_from_f64(65519.9), 0x7bff);
        assert_eq!(half::f16_from_f64(1.0 + 2f64.powi(-11)), 0x3c00);
        assert_eq!(half::f16_from_f64(1.0 + 3.0 * 2f64.powi(-11)), 0x3c02);
    }

    #[test]
    fn a_shape_without_elements_has_parts_that_can_be_multiplied() {
        assert_eq!(element_count(&[3, 0, 5]), Some(0));
        assert_eq!(element_count(&[]), Some(1));
        for huge in [vec![0, 1 << 40, 1 << 40], vec![1 << 40, 0, 1 << 40], vec![1 << 40, 1 << 40]] {
            assert_eq!(element_count(&huge), None);
            let dims: Vec<i64> = huge.iter().map(|&d| d as i64).collect();
            assert_eq!(dims_of(&dims), None);
        }
    }

    #[test]
    fn a_transposition_moves_every_element() {
        let constant = Constant::from_i64(Element::I32, vec![2, 3], 0..6);
        let turned = constant.transposed(&[1, 0]);
        assert_eq!((turned.dims.as_slice(), turned.ints().unwrap().as_slice()), (&[3, 2][..], &[0, 3, 1, 4, 2, 5][..]));
        assert_eq!(turned.transposed(&[1, 0]), constant);
    }
}
