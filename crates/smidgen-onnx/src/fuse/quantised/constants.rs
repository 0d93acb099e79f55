//! Constants as the integers that they were made of, or that say the same.

use super::{Why, is_int16, range};
use crate::emit::Scales;
use smidgen_ir::{DataType, ElementType, Graph, Quantisation, Tensor, TensorId};

/// Bound on biases behind int16: with it, sums of 64 bits have the room that their kernels ask for.
const MOST_WIDE_BIAS: f64 = (1u64 << 40) as f64;

/// The integer of a type that stands for `real`, before it is limited to that type's range, and the range.
fn nearest(real: f32, dtype: &DataType) -> Option<(f64, [f64; 2])> {
    let ((scale, zero_point), (low, high)) = (dtype.quantisation()?.per_tensor()?, range(dtype)?);
    let stored = (f64::from(real) / f64::from(scale)).round_ties_even() + f64::from(zero_point);
    Some((stored, [low.into(), high.into()]))
}

/// The integer that stands for `real`; `None` unless the type holds it.
pub(super) fn round_to(real: f32, dtype: &DataType) -> Option<i32> {
    let (stored, [low, high]) = nearest(real, dtype)?;
    (low..=high).contains(&stored).then_some(stored as i32)
}

/// The bytes of these numbers as integers of a type, each the nearest that there is; `None` if one is not a number.
pub(super) fn rounded(values: &[f32], dtype: &DataType) -> Option<Vec<u8>> {
    let stored = |&value: &f32| {
        let (stored, [low, high]) = nearest(value, dtype)?;
        (!value.is_nan()).then_some(stored.clamp(low, high) as i64)
    };
    let stored: Vec<i64> = values.iter().map(stored).collect::<Option<_>>()?;
    Some(bytes(&stored, 0, is_int16(dtype)))
}

/// Integers whose products with their steps are these numbers, and the least and greatest of them.
fn integers(values: &[f32], step: impl Fn(usize) -> f32) -> Option<(Vec<i64>, i64, i64)> {
    let (mut low, mut high) = (0, 0);
    let mut stored = Vec::with_capacity(values.len());
    for (i, &value) in values.iter().enumerate() {
        let steps = f64::from(value) / f64::from(step(i));
        let nearest = steps.round();
        // Only what comes back, but for the rounding of floats, was made of these integers.
        if steps.is_nan() || (steps - nearest).abs() > 1e-3 || nearest.abs() > 65536.0 {
            return None;
        }
        (low, high) = (low.min(nearest as i64), high.max(nearest as i64));
        stored.push(nearest as i64);
    }
    Some((stored, low, high))
}

/// The zero point with which int8 holds integers from `low` to `high`, if there is one; 0 where that will do.
fn zero_point(low: i64, high: i64) -> Option<i64> {
    [0, (-128 - low).clamp(-128, 127)].into_iter().find(|zero| low + zero >= -128 && high + zero <= 127)
}

/// The bytes of int8, or of int16 if `wide`.
fn bytes(stored: &[i64], zero_point: i64, wide: bool) -> Vec<u8> {
    let integers = stored.iter().map(|s| s + zero_point);
    match wide {
        true => integers.flat_map(|s| (s as i16).to_le_bytes()).collect(),
        false => integers.map(|s| s as i8 as u8).collect(),
    }
}

/// Weights as the integers that they were made of, and the scale of all or of each of the channels along `axis`. Only weights of
/// one scale may have a zero point, and only if they `may_shift`.
pub(super) fn weights(
    graph: &mut Graph,
    scales: &Scales,
    id: TensorId,
    axis: usize,
    may_shift: bool,
) -> Result<(TensorId, Vec<f32>), Why> {
    let tensor = graph.tensor(id);
    let (Some(steps), Some(values)) = (scales.get(tensor), tensor.floats()) else { return Err(Why::Weights) };
    let dims = tensor.shape.dims();
    let channels = dims[axis];
    if steps.len() != 1 && steps.len() != channels {
        return Err(Why::Axis);
    }
    let inner: usize = dims[axis + 1..].iter().product();
    let found = integers(&values, |i| steps[i / inner % channels % steps.len()]);
    let (stored, low, high) = found.ok_or(Why::Axis)?;
    let zero = zero_point(low, high).filter(|&zero| zero == 0 || may_shift && steps.len() == 1);
    let zero = zero.ok_or(Why::Asymmetric(low, high))?;
    let quantisation = match *steps {
        [scale] => Quantisation::PerTensor { scale, zero_point: zero as i32 },
        _ => Quantisation::PerChannel { axis, zero_points: vec![0; steps.len()], scales: steps.to_vec() },
    };
    let dtype = DataType::Quantised(ElementType::Int8, quantisation);
    let constant = Tensor::constant(&*tensor.name, tensor.shape.clone(), dtype, bytes(&stored, zero, false));
    Ok((graph.add_tensor(constant), steps.to_vec()))
}

/// A bias in steps of the input's scale times that of each channel's weights: int32, or int64 behind an input of int16.
pub(super) fn bias(graph: &mut Graph, id: TensorId, input: TensorId, steps: &[f32]) -> Result<TensorId, Why> {
    let (tensor, x) = (graph.tensor(id), graph.tensor(input));
    let wide = is_int16(&x.dtype);
    let scale = x.per_tensor().map_or(1.0, |(scale, _)| scale);
    let scales: Vec<f32> = steps.iter().map(|step| scale * step).collect();
    let most = if wide { MOST_WIDE_BIAS } else { f64::from(i32::MAX) };
    let mut data = Vec::new();
    for (i, value) in tensor.floats().ok_or(Why::Bias)?.iter().enumerate() {
        let stored = (f64::from(*value) / f64::from(scales[i % scales.len()])).round();
        // A scale may underflow to 0.
        if stored.is_nan() || stored.abs() > most {
            return Err(Why::Bias);
        }
        match wide {
            true => data.extend((stored as i64).to_le_bytes()),
            false => data.extend((stored as i32).to_le_bytes()),
        }
    }
    let quantisation = match *scales {
        [scale] => Quantisation::PerTensor { scale, zero_point: 0 },
        _ => Quantisation::PerChannel { axis: 0, zero_points: vec![0; scales.len()], scales },
    };
    let element = if wide { ElementType::Int64 } else { ElementType::Int32 };
    let dtype = DataType::Quantised(element, quantisation);
    let constant = Tensor::constant(&*tensor.name, tensor.shape.clone(), dtype, data);
    Ok(graph.add_tensor(constant))
}

/// A constant operand of arithmetic on int8, or on int16 if `wide`: as the integers that it was made of, or, if it is one number, as 127
/// (32767) steps of a scale that makes them that number.
pub(super) fn operand(graph: &mut Graph, scales: &Scales, id: TensorId, wide: bool) -> Result<TensorId, Why> {
    let tensor = graph.tensor(id);
    let refused = || Why::Operand(tensor.name.clone());
    let values = tensor.floats().ok_or_else(refused)?;
    let most: i64 = if wide { i16::MAX.into() } else { i8::MAX.into() };
    let (data, scale, zero) = match (scales.get(tensor).as_deref(), &*values) {
        (Some(&[scale]), _) => {
            let (stored, low, high) = integers(&values, |_| scale).ok_or_else(refused)?;
            let zero = match wide {
                true => (low >= i16::MIN.into() && high <= most).then_some(0),
                false => zero_point(low, high),
            };
            let zero = zero.ok_or_else(refused)?;
            (bytes(&stored, zero, wide), scale, zero)
        }
        (_, &[0.0]) => (bytes(&[0], 0, wide), 1.0, 0),
        (_, &[value]) if (value / most as f32).is_normal() => {
            (bytes(&[if value < 0.0 { -most } else { most }], 0, wide), value.abs() / most as f32, 0)
        }
        _ => return Err(refused()),
    };
    let dtype = if wide { DataType::int16(scale) } else { DataType::int8(scale, zero as i32) };
    let constant = Tensor::constant(&*tensor.name, tensor.shape.clone(), dtype, data);
    Ok(graph.add_tensor(constant))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_come_back_from_floats() {
        let step = 0.0123f32;
        let values: Vec<f32> = (-128..=127).map(|i| i as f32 * step).collect();
        let (stored, low, high) = integers(&values, |_| step).unwrap();
        assert_eq!((low, high), (-128, 127));
        assert!(stored.iter().zip(-128..).all(|(&s, i)| s == i));
        assert_eq!(integers(&[0.5], |_| 1.0), None);
        assert_eq!(integers(&[f32::NAN], |_| 1.0), None);
    }

    #[test]
    fn a_zero_point_is_taken_only_where_needed() {
        assert_eq!(
            [(-128, 127), (-100, 155), (-255, 0), (10, 200), (-129, 127), (0, 256)].map(|(l, h)| zero_point(l, h)),
            [Some(0), Some(-28), Some(127), Some(-128), None, None]
        );
    }
}
