//! Tensors: shape, type, quantisation and the bytes of constants.

use super::Reader;
use super::cause::{Cause, HALF, NO_CONVERTER, OPEN, SPARSE, STATE};
use super::fold::Folded;
use crate::error::ReadError;
use crate::flat::{Numbers, Record, Records};
use crate::schema::{TENSOR_TYPES, buffer, model, quantization, subgraph, tensor};
use smidgen_ir::{DataType, ElementType, Quantisation, Shape, Tensor};
use std::collections::HashMap;
use std::sync::Arc;

/// More dimensions than any operator of TensorFlow Lite takes.
pub(crate) const MAX_RANK: usize = 8;

/// A tensor of the file.
#[derive(Clone)]
pub(crate) struct Source {
    pub name: String,
    pub shape: Vec<usize>,
    /// The type, or why tensors like this are not supported.
    pub dtype: Result<DataType, Refusal>,
    /// The bytes of a constant whose type is supported.
    pub data: Option<Arc<[u8]>>,
    /// True if the file holds bytes for it, of whatever type.
    pub stored: bool,
    /// True if it keeps its value between calls.
    pub variable: bool,
    /// True if it is what a variable holds when an inference begins, or the handle of one.
    pub given: bool,
    /// True if its shape is not known before the network runs.
    pub open: bool,
    /// True if the file holds it in half precision; its type here is float32.
    pub half: bool,
    /// Scale and zero point of uint8, if the file holds it so; its type here is int8.
    pub uint8: Option<(f32, i32)>,
}

/// Why a tensor cannot be taken.
#[derive(Clone)]
pub(crate) struct Refusal {
    pub reason: String,
    pub hint: &'static str,
    pub cause: Option<&'static str>,
    /// True if the file is at fault.
    pub malformed: bool,
}

impl Refusal {
    pub(super) fn unsupported(reason: impl Into<String>, hint: &'static str) -> Self {
        Self { reason: reason.into(), hint, cause: None, malformed: false }
    }

    fn caused(reason: impl Into<String>, cause: &Cause) -> Self {
        Self { cause: Some(cause.name), ..Self::unsupported(reason, cause.hint) }
    }

    fn malformed(reason: String) -> Self {
        Self { malformed: true, ..Self::unsupported(reason, "") }
    }
}

impl Source {
    /// What an operator computes, of a shape that is found later.
    pub(super) fn activation(name: String, dtype: Result<DataType, Refusal>) -> Self {
        let [stored, variable, given, open, half] = [false; 5];
        Self { name, shape: Vec::new(), dtype, data: None, stored, variable, given, open, half, uint8: None }
    }

    /// A constant.
    pub(super) fn constant(name: String, shape: Vec<usize>, dtype: DataType, data: Arc<[u8]>) -> Self {
        Self { shape, data: Some(data), stored: true, ..Self::activation(name, Ok(dtype)) }
    }

    /// True if a dimension is 0.
    pub(crate) fn is_empty(&self) -> bool {
        self.shape.contains(&0)
    }

    /// The element type; float32 for a tensor that is not supported, which no operator gets to see.
    pub(crate) fn element(&self) -> ElementType {
        self.dtype.as_ref().map_or(ElementType::Float32, DataType::element)
    }

    /// The element type in the file.
    pub(crate) fn stored_element(&self) -> ElementType {
        if self.uint8.is_some() { ElementType::Uint8 } else { self.element() }
    }

    /// True if two tensors are of one type and quantisation, or of a type that is not supported, which is told of where it is declared.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        match (&self.dtype, &other.dtype) {
            (Ok(one), Ok(other)) => one == other,
            _ => true,
        }
    }

    /// True if its integers stand for real numbers.
    pub(super) fn has_scales(&self) -> bool {
        self.dtype.as_ref().is_ok_and(|dtype| dtype.quantisation().is_some())
    }

    /// A constant as the tensor that the graph has of it.
    pub(super) fn held(&self) -> Option<Tensor> {
        let dtype = self.dtype.as_ref().ok()?.clone();
        Some(Tensor { data: self.data.clone(), ..Tensor::activation(String::new(), Shape(self.shape.clone()), dtype) })
    }

    /// The real numbers that a quantised constant stands for, as bytes of float32; `None` if it is no such constant.
    pub(super) fn real_bytes(&self) -> Option<Vec<u8>> {
        Some(self.held()?.reals()?.iter().flat_map(|&real| (real as f32).to_le_bytes()).collect())
    }

    /// Becomes a constant that was computed.
    pub(super) fn hold(&mut self, constant: Folded) {
        self.dtype = Ok(DataType::Plain(constant.element));
        (self.shape, self.data) = (constant.shape, Some(constant.data));
        (self.stored, self.open) = (true, false);
    }

    /// The elements of a constant of type int32 or int64.
    pub(crate) fn integers(&self) -> Option<Vec<i64>> {
        let data = self.data.as_ref()?;
        match self.element() {
            ElementType::Int32 => Some(data.as_chunks().0.iter().map(|&b| i32::from_le_bytes(b).into()).collect()),
            ElementType::Int64 => Some(data.as_chunks().0.iter().map(|&b| i64::from_le_bytes(b)).collect()),
            _ => None,
        }
    }
}

/// The bytes of buffers copied so far, so that tensors with one buffer share one copy.
#[derive(Default)]
struct Copies(HashMap<(usize, usize, Option<Half>), Arc<[u8]>>);

/// A float of 16 bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Half {
    /// IEEE 754's binary16.
    Ieee,
    /// The upper half of a single-precision number.
    Brain,
}

impl Half {
    /// The same number in single precision, which holds every one of them.
    fn widen(self, bits: u16) -> f32 {
        match self {
            Self::Brain => f32::from_bits(u32::from(bits) << 16),
            Self::Ieee => smidgen_ir::half::to_f32(bits),
        }
    }
}

impl<'a> Reader<'a> {
    /// The tensors of a subgraph.
    pub(super) fn tensors(&self, subgraph: Record<'a>) -> Result<Vec<Source>, ReadError> {
        let records = subgraph.records(subgraph::tensors)?;
        let buffers = self.model.records(model::buffers)?;
        let mut copies = Copies::default();
        let mut tensors = Vec::new();
        for index in 0..records.len() {
            let Some(record) = records.get(index)? else { break };
            let text = record.get(tensor::name)?;
            self.budget.take(size_of::<Source>() + 3 * text.map_or(0, |text| text.0.len()))?;
            let name = text.map_or(String::new(), |text| text.lossy());
            let (shape, mut dtype) = self.kind(record)?;
            let (bytes, outside) = match self.bytes_of(record, buffers)? {
                Ok(found) => (found, None),
                Err(what) => (None, Some(what)),
            };
            let half = match record.get(tensor::element)?.unwrap_or(0) {
                1 => Some(Half::Ieee),
                18 => Some(Half::Brain),
                _ => None,
            };
            let mut data = None;
            if let Ok(known) = &dtype {
                let element = known.element();
                let expected = Shape(shape.clone()).checked_elements().and_then(|elements| match half {
                    Some(_) => elements.checked_mul(2),
                    None => element.bytes(elements),
                });
                let found = bytes.map(|(_, bytes)| bytes.len());
                let shown = || Shape(shape.clone());
                dtype = match (expected, found, outside) {
                    (_, _, Some(what)) => Err(Refusal::malformed(what)),
                    (None, _, _) => {
                        Err(Refusal::malformed(format!("the shape {} has more elements than can be counted", shown())))
                    }
                    (Some(_), None, _) if half.is_some() => Err(Refusal::caused("its type is float16", &HALF)),
                    (Some(expected), Some(found), _) if found < expected || found > expected && expected != 0 => {
                        let element = if half.is_some() { "float16".to_string() } else { element.to_string() };
                        let what = format!(
                            "its buffer holds {found} bytes, but {} elements of {element} take {expected}",
                            shown()
                        );
                        // The reference reads what it needs of a buffer that holds more.
                        if found > expected {
                            Err(Refusal::unsupported(what, NO_CONVERTER))
                        } else {
                            Err(Refusal::malformed(what))
                        }
                    }
                    _ => dtype,
                };
                if dtype.is_ok()
                    && let Some((start, bytes)) = bytes
                {
                    // Of a tensor without elements the bytes are nothing.
                    let bytes = if expected == Some(0) { &[] } else { bytes };
                    data = Some(self.copy(start, bytes, half, &mut copies)?);
                }
            }
            let open = record.numbers(tensor::shape_signature)?.iter().any(|size| size < 0);
            let variable = record.get(tensor::is_variable)?.unwrap_or(false);
            let stored = bytes.is_some();
            tensors.push(Source {
                name,
                shape,
                dtype,
                data,
                stored,
                variable,
                given: false,
                open,
                half: half.is_some(),
                uint8: None,
            });
        }
        if self.uint8 {
            self.shift(&mut tensors)?;
        }
        Ok(tensors)
    }

    /// Shape and type; the inner error says why the tensor cannot be taken.
    #[allow(clippy::type_complexity)]
    fn kind(&self, record: Record<'a>) -> Result<(Vec<usize>, Result<DataType, Refusal>), ReadError> {
        let dims = record.numbers(tensor::shape)?;
        let refuse = |refusal: Refusal| Ok((Vec::new(), Err(refusal)));
        if dims.len() > MAX_RANK {
            return refuse(Refusal::unsupported(
                format!("it has {} dimensions", dims.len()),
                "8 are supported; reshape the network's tensors",
            ));
        }
        self.budget.take(dims.len() * size_of::<usize>())?;
        if let Some(dim) = dims.iter().find(|&d| d < -1) {
            return refuse(Refusal::malformed(format!("a dimension of {dim}")));
        }
        if dims.iter().any(|d| d == -1) {
            return refuse(Refusal::caused("its shape is open", &OPEN));
        }
        let shape: Vec<usize> = dims.iter().map(|d| d as usize).collect();
        if record.get(tensor::sparsity)?.is_some() {
            return refuse(Refusal::caused("it is stored sparse", &SPARSE));
        }
        if record.get(tensor::external_buffer)?.unwrap_or(0) != 0 {
            return refuse(Refusal::unsupported(
                "its bytes are in another file",
                "write the network as a single file: external buffers are a form for models of gigabytes",
            ));
        }
        let code = record.get(tensor::element)?.unwrap_or(0);
        let element = match code {
            // Halves become floats where they are constants.
            0 | 1 | 18 => ElementType::Float32,
            2 => ElementType::Int32,
            3 => ElementType::Uint8,
            4 => ElementType::Int64,
            6 => ElementType::Bool,
            7 => ElementType::Int16,
            9 => ElementType::Int8,
            17 => ElementType::Int4,
            _ => {
                let name = usize::try_from(code).ok().and_then(|code| TENSOR_TYPES.get(code).copied());
                let reason = name.map_or(format!("its type is number {code}"), |name| format!("its type is {name}"));
                let hint = match name {
                    Some("uint4" | "int2") => "quantise the network to int8 instead",
                    Some("resource" | "variant") => {
                        return Ok((shape, Err(Refusal::caused(reason, &STATE))));
                    }
                    _ => "supported are float32, int4 (weights), int8, int16, int32, int64 and bool",
                };
                return Ok((shape, Err(Refusal::unsupported(reason, hint))));
            }
        };
        let quantisation = match element {
            ElementType::Float32 | ElementType::Bool => None,
            _ => match record.get(tensor::quantization)? {
                Some(parameters) => match self.quantisation(parameters, &shape, element)? {
                    Ok(quantisation) => quantisation,
                    Err(refusal) => return Ok((shape, Err(refusal))),
                },
                None => None,
            },
        };
        let dtype = match quantisation {
            Some(quantisation) => DataType::Quantised(element, quantisation),
            None => DataType::Plain(element),
        };
        Ok((shape, Ok(dtype)))
    }

    /// Scales and zero points; `None` if the tensor's integers stand for themselves.
    #[allow(clippy::type_complexity)]
    fn quantisation(
        &self,
        record: Record<'a>,
        shape: &[usize],
        element: ElementType,
    ) -> Result<Result<Option<Quantisation>, Refusal>, ReadError> {
        if record.get(quantization::details_type)?.unwrap_or(0) != 0 {
            return Ok(Err(Refusal::unsupported(
                "it is quantised by a custom or blockwise scheme",
                "quantise with one scale for each tensor or channel",
            )));
        }
        let problem = |what: String| Ok(Err(Refusal::malformed(what)));
        let scales = record.numbers(quantization::scale)?;
        let zero_points = record.numbers(quantization::zero_point)?;
        // Old converters give lists of sizes and axes, which stand for themselves, a scale of 0.
        let plain = matches!(element, ElementType::Int32 | ElementType::Int64) && scales.iter().all(|s| s == 0.0);
        if scales.len() == 0 || plain {
            return Ok(Ok(None));
        }
        // A converter's arithmetic has overflowed, and the reference loads what it wrote.
        if scales.iter().any(|scale| scale == f32::INFINITY) {
            return Ok(Err(Refusal::unsupported(
                "its scale is infinite, so its integers stand for no numbers",
                "quantise again: with calibration data under which all values of this tensor are finite, and without weights that are 0 or \
                 next to it in a whole channel beside a large bias",
            )));
        }
        if let Some(scale) = scales.iter().find(|s| !(s.is_finite() && *s > 0.0)) {
            return problem(format!("a scale of {scale}; scales are positive and finite"));
        }
        let all = (i64::from(i32::MIN), i64::from(i32::MAX));
        let (low, high) = element.range().map_or(all, |(low, high)| (low.max(all.0), high.min(all.1)));
        if let Some(zero) = zero_points.iter().find(|z| !(low..=high).contains(z)) {
            return problem(format!("a zero point of {zero}, which {element} cannot hold"));
        }
        if ![0, 1, scales.len()].contains(&zero_points.len()) {
            let what = format!("{} scales but {} zero points", scales.len(), zero_points.len());
            return problem(what);
        }
        let mut zeros = zero_points.iter().map(|z| z as i32);
        if scales.len() == 1 {
            let (scale, zero_point) = (scales.iter().next().unwrap_or(1.0), zeros.next().unwrap_or(0));
            return Ok(Ok(Some(Quantisation::PerTensor { scale, zero_point })));
        }
        self.budget.take(8 * scales.len())?;
        let dimension = record.get(quantization::quantized_dimension)?.unwrap_or(0);
        // Older converters give biases, which have one dimension, the dimension of their weights.
        let axis = match (usize::try_from(dimension), shape.len()) {
            (Ok(_), 1) => 0,
            (Ok(axis), rank) if axis < rank => axis,
            _ => return problem(format!("it is quantised along axis {dimension} of {}", shape.len())),
        };
        if shape[axis] != scales.len() {
            let what = format!("{} scales for a size of {} along axis {axis}", scales.len(), shape[axis]);
            return problem(what);
        }
        let zero_points = match zero_points.len() {
            0 => vec![0; scales.len()],
            1 => vec![zeros.next().unwrap_or(0); scales.len()],
            _ => zeros.collect(),
        };
        Ok(Ok(Some(Quantisation::PerChannel { axis, scales: scales.iter().collect(), zero_points })))
    }

    /// Where the bytes of a constant start in the file, and the bytes; `None` for a tensor computed at run time. The inner error
    /// says what is wrong with them.
    #[allow(clippy::type_complexity)]
    fn bytes_of(
        &self,
        record: Record<'a>,
        buffers: Records<'a>,
    ) -> Result<Result<Option<(usize, &'a [u8])>, String>, ReadError> {
        let index = record.get(tensor::buffer)?.unwrap_or(0) as usize;
        if index == 0 {
            // Buffer 0 is empty by convention.
            return Ok(Ok(None));
        }
        let Some(buffer) = buffers.get(index)? else {
            return Ok(Err(format!("its bytes are in buffer {index}, but there are {}", buffers.len())));
        };
        let inside: Numbers<'_, u8> = buffer.numbers(buffer::data)?;
        if inside.len() > 0 {
            return Ok(Ok(Some((inside.at, inside.bytes()))));
        }
        // Offsets 0 and 1 mean that nothing lies behind the tables either.
        let offset = buffer.get(buffer::offset)?.unwrap_or(0);
        let size = buffer.get(buffer::size)?.unwrap_or(0);
        if offset < 2 || size == 0 {
            return Ok(Ok(None));
        }
        let end = offset.checked_add(size).and_then(|end| usize::try_from(end).ok());
        let Some(bytes) = end.and_then(|end| self.bytes.get(end - size as usize..end)) else {
            let length = self.bytes.len();
            return Ok(Err(format!(
                "its {size} bytes would start at byte {offset} of the file, which has {length} bytes"
            )));
        };
        Ok(Ok(Some((offset as usize, bytes))))
    }

    /// The bytes as elements of the graph: floats of half precision become single ones.
    fn copy(
        &self,
        start: usize,
        bytes: &[u8],
        half: Option<Half>,
        copies: &mut Copies,
    ) -> Result<Arc<[u8]>, ReadError> {
        let key = (start, bytes.len(), half);
        if let Some(copy) = copies.0.get(&key) {
            return Ok(copy.clone());
        }
        self.budget.take(if half.is_some() { 2 } else { 1 } * bytes.len() + 64)?;
        let copy: Arc<[u8]> = match half {
            None => bytes.into(),
            // Of exactly known length, so that the bytes are made where they stay.
            Some(half) => (0..2 * bytes.len())
                .map(|i| {
                    let pair = [bytes[i / 4 * 2], bytes[i / 4 * 2 + 1]];
                    half.widen(u16::from_le_bytes(pair)).to_le_bytes()[i % 4]
                })
                .collect(),
        };
        copies.0.insert(key, copy.clone());
        Ok(copy)
    }
}
