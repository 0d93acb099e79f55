//! Each tensor by itself: size, data, quantisation.

use super::{MAX_BYTES, MAX_RANK, TensorError, TensorRef, ValidateError, element_range};
use crate::front::{Subject, Unsupported, quoted};
use crate::graph::Graph;
use crate::tensor::{DataType, ElementType, Quantisation, Tensor, TensorId};

/// Every tensor whose size is beyond a bound of smidgen's, for a front end that lists all that stands in the way.
pub fn beyond_bounds(graph: &Graph) -> Vec<Unsupported> {
    let faults = graph.tensors.iter().enumerate().filter_map(|(index, tensor)| {
        let fault = size(tensor).err().filter(TensorError::is_bound)?;
        let hint = match fault {
            TensorError::Empty { .. } => "let the converter fold it away, or leave out the branch that makes it",
            _ => "make it smaller, or of fewer dimensions: a batch or a window of time can be taken apart outside the network",
        };
        Some(Unsupported {
            subject: Subject::Tensor { index, name: quoted(&tensor.name) },
            tensors: String::new(),
            reason: fault.to_string(),
            hint: hint.into(),
            cause: None,
        })
    });
    faults.take(MOST_LISTED).collect()
}

/// Tensors that are listed at most; a file may have a million of them.
const MOST_LISTED: usize = 1000;

pub(super) fn check(graph: &Graph) -> Result<(), ValidateError> {
    let mut total = 0usize;
    for (i, tensor) in graph.tensors.iter().enumerate() {
        let at = |fault| ValidateError::Tensor { tensor: TensorRef::new(graph, TensorId(i as u32)), fault };
        let bytes = size(tensor).map_err(at)?;
        quantisation(tensor).map_err(at)?;
        total = total.checked_add(bytes).filter(|&n| isize::try_from(n).is_ok()).ok_or(ValidateError::TooManyBytes)?;
    }
    Ok(())
}

fn size(tensor: &Tensor) -> Result<usize, TensorError> {
    let (shape, element) = (&tensor.shape, tensor.element());
    if shape.rank() > MAX_RANK {
        return Err(TensorError::Rank { found: shape.clone() });
    }
    if shape.0.contains(&0) {
        return Err(TensorError::Empty { found: shape.clone() });
    }
    // Two int4 elements share a byte, but their count must fit as well.
    let elements = shape.checked_elements().filter(|&n| n <= MAX_BYTES);
    let bytes = elements.and_then(|n| element.bytes(n)).filter(|&n| n <= MAX_BYTES);
    let bytes = bytes.ok_or_else(|| TensorError::TooLarge { found: shape.clone() })?;
    match &tensor.data {
        Some(data) if data.len() != bytes => {
            Err(TensorError::DataLength { shape: shape.clone(), element, expected: bytes, found: data.len() })
        }
        _ => Ok(bytes),
    }
}

fn quantisation(tensor: &Tensor) -> Result<(), TensorError> {
    let element = tensor.element();
    let constant_only = || match tensor.is_constant() {
        true => Ok(()),
        false => Err(TensorError::ConstantOnly { found: tensor.dtype.clone() }),
    };
    if element == ElementType::Int4 {
        constant_only()?;
    }
    let DataType::Quantised(_, quantisation) = &tensor.dtype else { return Ok(()) };
    match element {
        ElementType::Int4 | ElementType::Int8 | ElementType::Uint8 | ElementType::Int16 => {}
        ElementType::Int32 | ElementType::Int64 => constant_only()?,
        ElementType::Float32 | ElementType::Bool => {
            return Err(TensorError::QuantisedElement { found: element });
        }
    }
    match quantisation {
        Quantisation::PerTensor { scale, zero_point } => pair(*scale, *zero_point, element),
        Quantisation::PerChannel { axis, scales, zero_points } => {
            let rank = tensor.shape.rank();
            let &channels = tensor.shape.0.get(*axis).ok_or(TensorError::ChannelAxis { axis: *axis, rank })?;
            for (what, found) in [("scales", scales.len()), ("zero points", zero_points.len())] {
                if found != channels {
                    return Err(TensorError::ChannelCount { what, axis: *axis, expected: channels, found });
                }
            }
            constant_only()?;
            scales.iter().zip(zero_points).try_for_each(|(&s, &z)| pair(s, z, element))
        }
    }
}

fn pair(scale: f32, zero_point: i32, element: ElementType) -> Result<(), TensorError> {
    if !(scale.is_finite() && scale > 0.0) {
        return Err(TensorError::Scale { found: scale });
    }
    match element_range(element) {
        Some((least, most)) if !(least..=most).contains(&zero_point) => {
            Err(TensorError::ZeroPoint { found: zero_point, element, least, most })
        }
        _ => Ok(()),
    }
}
