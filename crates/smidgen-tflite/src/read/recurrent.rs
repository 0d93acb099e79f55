//! Recurrent layers: what the format has as a tensor for each gate becomes one, and the state that they keep what they
//! write besides.

use super::{Code, Reader, Wiring};
use crate::error::ReadError;
use crate::ops::gates;
use crate::read::tensors::Source;
use crate::support::Builtin;
use smidgen_ir::{DataType, ElementType};

impl<'a> Reader<'a> {
    /// Gives recurrent layers the tensors that they have in the graph. Layers that the graph does not have get outputs
    /// for their states alone, and the rest is said when they are decoded.
    pub(super) fn recurrent(
        &mut self,
        wirings: &mut [Wiring<'a>],
        codes: &[Code],
        tensors: &mut Vec<Source>,
    ) -> Result<(), ReadError> {
        for wiring in wirings {
            let Code::Known(builtin) = codes[wiring.code] else { continue };
            let (parts, states): (&[[usize; 4]], &[usize]) = match (builtin, wiring.inputs.len(), wiring.outputs.len())
            {
                (Builtin::UnidirectionalSequenceLstm, 20 | 24, 1) => (&gates::PARTS, &gates::STATES),
                (Builtin::UnidirectionalSequenceRnn, 5, 1) => (&[], &[4]),
                _ => continue,
            };
            let input = |i: usize| wiring.inputs.get(i).copied().flatten();
            let absent = parts.is_empty() || (0..wiring.inputs.len()).all(|i| gates::is_used(i) == input(i).is_some());
            let kept = states.iter().map(|&i| input(i).filter(|&t| tensors[t].variable)).collect::<Option<Vec<_>>>();
            let Some(kept) = kept else { continue };
            let mut joined = Vec::new();
            for part in parts {
                let sources: Vec<&Source> = part.iter().filter_map(|&i| Some(&tensors[input(i)?])).collect();
                joined.extend(joined_source(&sources));
            }
            wiring.outputs.extend(&kept);
            if !absent || joined.len() != parts.len() {
                continue;
            }
            let mut inputs = match parts.is_empty() {
                true => wiring.inputs[..4].to_vec(),
                false => vec![wiring.inputs[0]],
            };
            for source in joined {
                let bytes = source.data.as_ref().map_or(0, |data| data.len());
                self.budget.take(size_of::<Source>() + source.name.len() + bytes)?;
                inputs.push(Some(tensors.len()));
                tensors.push(source);
            }
            inputs.extend(kept.into_iter().map(Some));
            wiring.inputs = inputs;
        }
        Ok(())
    }
}

/// Constants of float32 and of one shape, one behind the other along their first axis.
fn joined_source(parts: &[&Source]) -> Option<Source> {
    let first = parts.first()?;
    let (&rows, inner) = first.shape.split_first()?;
    let mut data = Vec::new();
    for part in parts {
        if part.shape != first.shape || part.element() != ElementType::Float32 || part.dtype.is_err() {
            return None;
        }
        data.extend_from_slice(part.data.as_ref()?);
    }
    let shape = [&[rows.checked_mul(parts.len())?], inner].concat();
    let names: Vec<&str> = parts.iter().map(|part| &*part.name).collect();
    Some(Source::constant(gates::name(&names).to_owned(), shape, DataType::FLOAT32, data.into()))
}
