//! Tensors: shape, type, quantisation and the bytes of constants.

use super::Reader;
use crate::error::ReadError;
use crate::flat::{Numbers, Record, Records};
use crate::schema::{TENSOR_TYPES, buffer, model, quantization, subgraph, tensor};
use smidgen_ir::front::quoted;
use smidgen_ir::{DataType, ElementType, Quantisation, Shape};
use std::collections::HashMap;
use std::sync::Arc;

/// More dimensions than any operator of TensorFlow Lite takes.
pub(super) const MAX_RANK: usize = 8;

/// A tensor of the file.
pub(super) struct Source {
    pub name: String,
    pub shape: Vec<usize>,
    /// The type, or why tensors like this are not supported.
    pub dtype: Result<DataType, Refusal>,
    /// The bytes of a constant.
    pub data: Option<Arc<[u8]>>,
}

/// Why a tensor is not supported.
pub(super) struct Refusal {
    pub reason: String,
    pub hint: &'static str,
}

impl Source {
    /// True if a dimension is 0.
    pub(super) fn is_empty(&self) -> bool {
        self.shape.contains(&0)
    }

    /// The element type; float32 for a tensor that is not supported, which no operator gets to see.
    pub(super) fn element(&self) -> ElementType {
        self.dtype.as_ref().map_or(ElementType::Float32, DataType::element)
    }

    /// The elements of a constant of type int32 or int64.
    pub(super) fn integers(&self) -> Option<Vec<i64>> {
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
struct Copies(HashMap<(usize, usize), Arc<[u8]>>);

impl<'a> Reader<'a> {
    pub(super) fn tensors(&self) -> Result<Vec<Source>, ReadError> {
        let records = self.subgraph.records(subgraph::tensors)?;
        let buffers = self.model.records(model::buffers)?;
        let mut copies = Copies::default();
        let mut tensors = Vec::new();
        for index in 0..records.len() {
            let Some(record) = records.get(index)? else { break };
            let text = record.get(tensor::name)?;
            self.budget.take(size_of::<Source>() + 3 * text.map_or(0, |text| text.0.len()))?;
            let name = text.map_or(String::new(), |text| text.lossy());
            let problem = |what: String| ReadError::Tensor { index, name: quoted(&name), what };
            let (shape, dtype) = self.kind(record, &problem)?;
            let mut data = None;
            if let Ok(dtype) = &dtype {
                data = self.data(record, buffers, &mut copies, &problem)?;
                let elements = Shape(shape.clone()).checked_elements();
                let expected = elements.and_then(|n| dtype.element().bytes(n)).ok_or_else(|| {
                    problem(format!("the shape {} has more elements than can be counted", Shape(shape.clone())))
                })?;
                if let Some(found) = data.as_ref().map(|d| d.len()).filter(|&found| found != expected) {
                    let (shape, element) = (Shape(shape), dtype.element());
                    let what =
                        format!("its buffer holds {found} bytes, but {shape} elements of {element} take {expected}");
                    return Err(problem(what));
                }
            }
            tensors.push(Source { name, shape, dtype, data });
        }
        Ok(tensors)
    }

    /// Shape and type; the inner error says why the tensor is not supported.
    #[allow(clippy::type_complexity)]
    fn kind(
        &self,
        record: Record<'a>,
        problem: &dyn Fn(String) -> ReadError,
    ) -> Result<(Vec<usize>, Result<DataType, Refusal>), ReadError> {
        let dims = record.numbers(tensor::shape)?;
        let refuse = |reason: String, hint| Ok((Vec::new(), Err(Refusal { reason, hint })));
        if dims.len() > MAX_RANK {
            return refuse(
                format!("it has {} dimensions", dims.len()),
                "8 are supported; reshape the network's tensors",
            );
        }
        self.budget.take(dims.len() * size_of::<usize>())?;
        if let Some(dim) = dims.iter().find(|&d| d < -1) {
            return Err(problem(format!("a dimension of {dim}")));
        }
        if dims.iter().any(|d| d == -1) {
            return refuse(
                "its shape is known only at run time".into(),
                "give the network a fixed input shape, with batch 1, when converting it",
            );
        }
        let shape: Vec<usize> = dims.iter().map(|d| d as usize).collect();
        if record.get(tensor::is_variable)?.unwrap_or(false) {
            return refuse(
                "it is a variable that keeps its value between runs".into(),
                "make the state an input and an output of the network",
            );
        }
        if record.get(tensor::sparsity)?.is_some() {
            return refuse("it is stored sparse".into(), "convert the network without sparse weights");
        }
        if record.get(tensor::external_buffer)?.unwrap_or(0) != 0 {
            return refuse("its bytes are in another file".into(), "convert the network to a single file");
        }
        let code = record.get(tensor::element)?.unwrap_or(0);
        let element = match code {
            0 => ElementType::Float32,
            2 => ElementType::Int32,
            4 => ElementType::Int64,
            6 => ElementType::Bool,
            7 => ElementType::Int16,
            9 => ElementType::Int8,
            17 => ElementType::Int4,
            _ => {
                let name = usize::try_from(code).ok().and_then(|code| TENSOR_TYPES.get(code).copied());
                let reason = name.map_or(format!("its type is number {code}"), |name| format!("its type is {name}"));
                let hint = match name {
                    Some("uint8" | "uint4") => "quantise the network to int8 instead",
                    Some("float16" | "bfloat16") => "convert the network to float32, or quantise it to int8",
                    _ => "supported are float32, int4 (weights), int8, int16, int32, int64 and bool",
                };
                return refuse(reason, hint);
            }
        };
        let quantisation = match element {
            ElementType::Float32 | ElementType::Bool => None,
            _ => match record.get(tensor::quantization)? {
                Some(parameters) => match self.quantisation(parameters, &shape, element, problem)? {
                    Ok(quantisation) => quantisation,
                    Err(refusal) => return Ok((Vec::new(), Err(refusal))),
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
        problem: &dyn Fn(String) -> ReadError,
    ) -> Result<Result<Option<Quantisation>, Refusal>, ReadError> {
        if record.get(quantization::details_type)?.unwrap_or(0) != 0 {
            return Ok(Err(Refusal {
                reason: "it is quantised by a custom or blockwise scheme".into(),
                hint: "quantise with one scale for each tensor or channel",
            }));
        }
        let scales = record.numbers(quantization::scale)?;
        let zero_points = record.numbers(quantization::zero_point)?;
        if scales.len() == 0 {
            return Ok(Ok(None));
        }
        if let Some(scale) = scales.iter().find(|s| !(s.is_finite() && *s > 0.0)) {
            return Err(problem(format!("a scale of {scale}; scales are positive and finite")));
        }
        let (low, high) = match element {
            ElementType::Int4 => (-8, 7),
            ElementType::Int8 => (i8::MIN.into(), i8::MAX.into()),
            ElementType::Int16 => (i16::MIN.into(), i16::MAX.into()),
            _ => (i32::MIN.into(), i64::from(i32::MAX)),
        };
        if let Some(zero) = zero_points.iter().find(|z| !(low..=high).contains(z)) {
            return Err(problem(format!("a zero point of {zero}, which {element} cannot hold")));
        }
        if ![0, 1, scales.len()].contains(&zero_points.len()) {
            let what = format!("{} scales but {} zero points", scales.len(), zero_points.len());
            return Err(problem(what));
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
            _ => return Err(problem(format!("it is quantised along axis {dimension} of {}", shape.len()))),
        };
        if shape[axis] != scales.len() {
            let what = format!("{} scales for a size of {} along axis {axis}", scales.len(), shape[axis]);
            return Err(problem(what));
        }
        let zero_points = match zero_points.len() {
            0 => vec![0; scales.len()],
            1 => vec![zeros.next().unwrap_or(0); scales.len()],
            _ => zeros.collect(),
        };
        Ok(Ok(Some(Quantisation::PerChannel { axis, scales: scales.iter().collect(), zero_points })))
    }

    /// The bytes of a constant, or `None` for a tensor computed at run time.
    fn data(
        &self,
        record: Record<'a>,
        buffers: Records<'a>,
        copies: &mut Copies,
        problem: &dyn Fn(String) -> ReadError,
    ) -> Result<Option<Arc<[u8]>>, ReadError> {
        let index = record.get(tensor::buffer)?.unwrap_or(0) as usize;
        if index == 0 {
            // Buffer 0 is empty by convention.
            return Ok(None);
        }
        let buffer = buffers
            .get(index)?
            .ok_or_else(|| problem(format!("its bytes are in buffer {index}, but there are {}", buffers.len())))?;
        let inside: Numbers<'_, u8> = buffer.numbers(buffer::data)?;
        let (start, bytes) = match inside.len() {
            0 => {
                // Offsets 0 and 1 mean that nothing lies behind the tables either.
                let offset = buffer.get(buffer::offset)?.unwrap_or(0);
                let size = buffer.get(buffer::size)?.unwrap_or(0);
                if offset < 2 || size == 0 {
                    return Ok(None);
                }
                let end = offset.checked_add(size).and_then(|end| usize::try_from(end).ok());
                let bytes = end.and_then(|end| self.bytes.get(end - size as usize..end)).ok_or_else(|| {
                    problem(format!(
                        "its {size} bytes would start at byte {offset} of the file, which has {} bytes",
                        self.bytes.len()
                    ))
                })?;
                (offset as usize, bytes)
            }
            _ => (inside.at, inside.bytes()),
        };
        if let Some(copy) = copies.0.get(&(start, bytes.len())) {
            return Ok(Some(copy.clone()));
        }
        self.budget.take(bytes.len() + 64)?;
        let copy: Arc<[u8]> = bytes.into();
        copies.0.insert((start, bytes.len()), copy.clone());
        Ok(Some(copy))
    }
}
