//! Weights of floats that a file holds otherwise: as integers that DEQUANTIZE reads, or as floats that go through QUANTIZE and DEQUANTIZE, as
//! quantisation-aware training leaves them in a network that is converted without quantisation.

use super::tensors::Source;
use super::{Code, Reader, Wiring};
use crate::error::ReadError;
use crate::support::Builtin;
use smidgen_ir::{DataType, ElementType};
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

/// The floats that stored integers stand for.
fn dequantised(from: &Source, to: &Source) -> Option<Arc<[u8]>> {
    let is_float = to.dtype.as_ref().is_ok_and(|dtype| *dtype == DataType::FLOAT32);
    from.real_bytes().filter(|_| is_float).map(Into::into)
}

/// Bytes nearest to floats, halves away from zero.
fn quantised(from: &Source, to: &Source) -> Option<Arc<[u8]>> {
    let floats = from.held()?.floats()?;
    let DataType::Quantised(element, quantisation) = to.dtype.as_ref().ok()? else { return None };
    let (least, most) = match element {
        ElementType::Int8 => (-128, 127),
        ElementType::Uint8 => (0, 255),
        _ => return None,
    };
    let by_element = quantisation.by_element(&from.shape);
    let stored = |(i, &real): (usize, &f32)| {
        let (scale, zero_point) = by_element(i);
        // The cast saturates.
        ((real / scale).round() as i32).saturating_add(zero_point).clamp(least, most) as u8
    };
    Some(floats.iter().enumerate().map(stored).collect())
}
