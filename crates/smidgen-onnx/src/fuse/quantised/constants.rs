//! Constants as the integers that they were made of, or that say the same.

use super::Why;
use crate::emit::Scales;
use smidgen_ir::{DataType, ElementType, Graph, Quantisation, Tensor, TensorId};

/// The integer that stands for `real`; `None` unless int8 holds it.
pub(super) fn round_to(real: f32, scale: f32, zero_point: i32) -> Option<i32> {
    let stored = (f64::from(real) / f64::from(scale)).round_ties_even() + f64::from(zero_point);
    (-128.0..=127.0).contains(&stored).then_some(stored as i32)
}

/// The bytes of these numbers in int8, each the nearest that there is; `None` if one is not a number.
pub(super) fn rounded(values: &[f32], scale: f32, zero_point: i32) -> Option<Vec<u8>> {
    let stored = |&value: &f32| {
        let stored = (f64::from(value) / f64::from(scale)).round_ties_even() + f64::from(zero_point);
        (!value.is_nan()).then_some(stored.clamp(-128.0, 127.0) as i8 as u8)
    };
    values.iter().map(stored).collect()
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

fn bytes(stored: &[i64], zero_point: i64) -> Vec<u8> {
    stored.iter().map(|&s| (s + zero_point) as i8 as u8).collect()
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
    let constant = Tensor::constant(&*tensor.name, tensor.shape.clone(), dtype, bytes(&stored, zero));
    Ok((graph.add_tensor(constant), steps.to_vec()))
}

/// A bias in steps of the input's scale times that of each channel's weights.
pub(super) fn bias(graph: &mut Graph, id: TensorId, input: f32, steps: &[f32]) -> Result<TensorId, Why> {
    let tensor = graph.tensor(id);
    let scales: Vec<f32> = steps.iter().map(|step| input * step).collect();
    let mut data = Vec::new();
    for (i, value) in tensor.floats().ok_or(Why::Bias)?.iter().enumerate() {
        let stored = (f64::from(*value) / f64::from(scales[i % scales.len()])).round();
        // A scale may underflow to 0.
        if stored.is_nan() || stored.abs() > f64::from(i32::MAX) {
            return Err(Why::Bias);
        }
        data.extend((stored as i32).to_le_bytes());
    }
    let quantisation = match *scales {
        [scale] => Quantisation::PerTensor { scale, zero_point: 0 },
        _ => Quantisation::PerChannel { axis: 0, zero_points: vec![0; scales.len()], scales },
    };
    let dtype = DataType::Quantised(ElementType::Int32, quantisation);
    let constant = Tensor::constant(&*tensor.name, tensor.shape.clone(), dtype, data);
    Ok(graph.add_tensor(constant))
}

/// A constant operand of arithmetic: as the integers that it was made of, or, if it is one number, as 127 steps of a scale that
/// makes them that number.
pub(super) fn operand(graph: &mut Graph, scales: &Scales, id: TensorId) -> Result<TensorId, Why> {
    let tensor = graph.tensor(id);
    let refused = || Why::Operand(tensor.name.clone());
    let values = tensor.floats().ok_or_else(refused)?;
    let (data, scale, zero) = match (scales.get(tensor).as_deref(), &*values) {
        (Some(&[scale]), _) => {
            let (stored, low, high) = integers(&values, |_| scale).ok_or_else(refused)?;
            let zero = zero_point(low, high).ok_or_else(refused)?;
            (bytes(&stored, zero), scale, zero)
        }
        (_, &[0.0]) => (vec![0], 1.0, 0),
        (_, &[value]) if (value / 127.0).is_normal() => {
            (vec![if value < 0.0 { -127i8 } else { 127 } as u8], value.abs() / 127.0, 0)
        }
        _ => return Err(refused()),
    };
    let dtype = DataType::int8(scale, zero as i32);
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
