//! Recurrent layers: what the format has as a tensor for each gate becomes one, and the state that they keep what they
//! write besides.

use super::{Code, Reader, Wiring};
use crate::error::ReadError;
use crate::ops::gates;
use crate::read::tensors::Source;
use crate::schema::operator;
use crate::support::Builtin;
use smidgen_ir::{DataType, ElementType, Quantisation};

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
                (Builtin::UnidirectionalSequenceRnn | Builtin::Svdf, 5, 1) => (&[], &[4]),
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
            let ends = [wiring.outputs[0], kept[0]];
            wiring.outputs.extend(&kept);
            if !absent || joined.len() != parts.len() {
                continue;
            }
            if tensors[kept[0]].element() == ElementType::Int8 {
                if !self.hidden(wiring, ends, tensors)? {
                    continue;
                }
                if let Some(&memory) = kept.get(1) {
                    widen_memory(&mut tensors[memory]);
                }
            }
            let mut inputs = match parts.is_empty() {
                true => wiring.inputs[..4].to_vec(),
                false => vec![wiring.inputs[0]],
            };
            for source in joined {
                // With a scale and a zero point for each row at most.
                let rows = source.shape.first().copied().unwrap_or(0);
                let bytes = source.data.as_ref().map_or(0, |data| data.len()) + 8 * rows;
                self.budget.take(size_of::<Source>() + source.name.len() + bytes)?;
                inputs.push(Some(tensors.len()));
                tensors.push(source);
            }
            inputs.extend(kept.into_iter().map(Some));
            wiring.inputs = inputs;
        }
        Ok(())
    }

    /// Of a layer on int8, whether its outputs are computed in the type that they and its state have: that is said by the
    /// last of five tensors that it names besides.
    fn hidden(&self, wiring: &Wiring<'a>, ends: [usize; 2], tensors: &[Source]) -> Result<bool, ReadError> {
        let named = wiring.record.numbers(operator::intermediates)?;
        let place = if named.len() == 5 { named.iter().nth(4) } else { None };
        let hidden = place.and_then(|t| tensors.get(usize::try_from(t).ok()?));
        let of = |source: &Source| source.dtype.as_ref().ok().and_then(|d| d.quantisation()?.per_tensor());
        Ok(hidden
            .is_some_and(|hidden| ends.iter().all(|&t| of(&tensors[t]).is_some() && of(&tensors[t]) == of(hidden))))
    }
}

/// Gives a memory whose steps are finer than LiteRT can compute with the finest that it can. TensorFlow's converter writes such a
/// scale where all that it saw in the memory is below a half; LiteRT's TANH then leaves what its scratch held before. No
/// file holds numbers of this type: a memory begins with zeros.
fn widen_memory(memory: &mut Source) {
    const FINEST: f32 = 1.0 / 32768.0;
    if let Ok(DataType::Quantised(ElementType::Int16, Quantisation::PerTensor { scale, zero_point: 0 })) = &mut memory.dtype
        // A power of two.
        && (*scale).to_bits() & 0x007f_ffff == 0
        && scale.is_normal()
        && *scale < FINEST
    {
        *scale = FINEST;
    }
}

/// Constants of one type and shape, one behind the other along their first axis: float32, int32, or int8 with one scale
/// each and zero points 0.
fn joined_source(parts: &[&Source]) -> Option<Source> {
    let first = parts.first()?;
    let (&rows, inner) = first.shape.split_first()?;
    let mut data = Vec::new();
    let mut scales = Vec::new();
    for part in parts {
        if part.shape != first.shape || part.element() != first.element() || part.half != first.half {
            return None;
        }
        match (part.element(), part.dtype.as_ref().ok()?.quantisation().map(Quantisation::per_tensor)) {
            (ElementType::Float32, None) | (ElementType::Int32, _) => {}
            // A shape alone justifies no memory.
            (ElementType::Int8, Some(Some((scale, 0)))) if rows <= part.data.as_ref()?.len() => {
                scales.extend(std::iter::repeat_n(scale, rows));
            }
            _ => return None,
        }
        data.extend_from_slice(part.data.as_ref()?);
    }
    let dtype = match first.element() {
        ElementType::Int8 => {
            let zero_points = vec![0; scales.len()];
            DataType::Quantised(ElementType::Int8, Quantisation::PerChannel { axis: 0, scales, zero_points })
        }
        element => DataType::Plain(element),
    };
    let shape = [&[rows.checked_mul(parts.len())?], inner].concat();
    let names: Vec<&str> = parts.iter().map(|part| &*part.name).collect();
    Some(Source::constant(gates::name(&names).to_owned(), shape, dtype, data.into()))
}
