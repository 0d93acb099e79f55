//! Weights of floats that a file holds otherwise: as integers that DEQUANTIZE reads, or as floats that go through QUANTIZE and DEQUANTIZE, as
//! quantisation-aware training leaves them in a network that is converted without quantisation.

use super::tensors::Source;
use super::{Code, Reader, Wiring};
use crate::error::ReadError;
use crate::support::Builtin;
use smidgen_ir::{DataType, ElementType, Quantisation, Shape, Tensor};
use std::sync::Arc;

impl Reader<'_> {
    /// Makes constants of such weights and biases, with the reference's values; marks the operators that are done with.
    ///
    /// # Errors
    /// [`ReadError::TooLarge`] if there is not enough memory for what the file is.
    pub(super) fn restored(
        &self,
        wirings: &[Wiring<'_>],
        codes: &[Code],
        tensors: &mut [Source],
        folded: &mut [bool],
    ) -> Result<(), ReadError> {
        let builtin = |wiring: &Wiring<'_>| match &codes[wiring.code] {
            Code::Known(builtin) => Some(*builtin),
            Code::Unknown { .. } => None,
        };
        let layers =
            [Builtin::Conv2d, Builtin::DepthwiseConv2d, Builtin::FullyConnected, Builtin::TransposeConv].map(Some);
        let mut weights = vec![false; tensors.len()];
        for wiring in wirings.iter().filter(|wiring| layers.contains(&builtin(wiring))) {
            wiring.inputs.iter().skip(1).flatten().for_each(|&t| weights[t] = true);
        }
        // A QUANTIZE stands before the DEQUANTIZE that reads it.
        for wiring in wirings.iter().rev().filter(|wiring| builtin(wiring) == Some(Builtin::Dequantize)) {
            if let ([Some(from)], [to]) = (wiring.inputs.as_slice(), wiring.outputs.as_slice()) {
                weights[*from] |= weights[*to];
            }
        }
        for (wiring, folded) in wirings.iter().zip(folded) {
            let ([Some(from)], [to]) = (wiring.inputs.as_slice(), wiring.outputs.as_slice()) else { continue };
            let (from, to) = (&tensors[*from], *to);
            if !weights[to] || from.data.is_none() || tensors[to].stored {
                continue;
            }
            let values = match builtin(wiring) {
                Some(Builtin::Quantize) => quantised(from, &tensors[to]),
                Some(Builtin::Dequantize) => dequantised(from, &tensors[to]),
                _ => None,
            };
            let Some(values) = values else { continue };
            self.budget.take(values.len())?;
            (tensors[to].shape, tensors[to].data, tensors[to].stored) = (from.shape.clone(), Some(values), true);
            *folded = true;
        }
        Ok(())
    }
}

/// A constant as the tensor that the graph will have.
fn held(source: &Source) -> Option<Tensor> {
    let dtype = source.dtype.as_ref().ok()?.clone();
    Some(Tensor { data: source.data.clone(), ..Tensor::activation(String::new(), Shape(source.shape.clone()), dtype) })
}

/// The floats that stored integers stand for.
fn dequantised(from: &Source, to: &Source) -> Option<Arc<[u8]>> {
    let reals = held(from)?.reals().filter(|_| to.dtype.as_ref().is_ok_and(|dtype| *dtype == DataType::FLOAT32))?;
    Some(reals.iter().flat_map(|&real| (real as f32).to_le_bytes()).collect())
}

/// Bytes nearest to floats, halves away from zero.
fn quantised(from: &Source, to: &Source) -> Option<Arc<[u8]>> {
    let floats = held(from)?.floats()?;
    let DataType::Quantised(element, quantisation) = to.dtype.as_ref().ok()? else { return None };
    let (least, most) = match element {
        ElementType::Int8 => (-128, 127),
        ElementType::Uint8 => (0, 255),
        _ => return None,
    };
    let (axis, scales, zero_points): (_, &[f32], &[i32]) = match quantisation {
        Quantisation::PerTensor { scale, zero_point } => {
            (0, std::slice::from_ref(scale), std::slice::from_ref(zero_point))
        }
        Quantisation::PerChannel { axis, scales, zero_points } => (*axis + 1, scales, zero_points),
    };
    let step: usize = from.shape.get(axis..)?.iter().product();
    let stored = |(i, &real): (usize, &f32)| {
        let channel = i / step.max(1) % scales.len();
        // The cast saturates.
        let steps = (real / scales[channel]).round() as i32;
        steps.saturating_add(zero_points[channel]).clamp(least, most) as u8
    };
    Some(floats.iter().enumerate().map(stored).collect())
}
