//! What usually causes a difference, read from its pattern.
//!
//! Each pattern is one that a particular mistake leaves: padding shows at the border only, a scale as a constant factor, a
//! rounding choice as single steps. The first pattern that explains *every* differing element is named.

use super::compare::{self, Rule};
use crate::data::{Array, Dtype};
use std::fmt;

/// The pattern of a difference.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Cause {
    /// No element of a quantised tensor is more than one step away.
    Rounding,
    /// One of the two is no finite number where they differ.
    NotFinite,
    /// Floats that differ in their last digits only.
    Summation,
    /// Every element is away by as much.
    Offset(f64),
    /// Distances from zero differ by one factor.
    Factor(f64),
    /// Only rows and columns this close to the edge differ.
    Border(usize),
    /// Only this many of so many channels differ.
    Channels(usize, usize),
    /// Wherever there is a difference, one of the two is at its least or greatest value.
    Clamp,
    /// The same values in another order.
    Order,
    /// None of these.
    Unrelated,
}

impl fmt::Display for Cause {
    /// What the pattern is, and what usually leaves it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rounding => f.write_str(
                "no element is more than one step away: another rounding of the requantisation, which is what another \
                 version of the reference kernels does, and ONNX Runtime, which computes between quantised tensors in \
                 floats",
            ),
            Self::NotFinite => f.write_str(
                "NaN or infinity on one side: a number that the network was not made for (an overflow, a division by 0, \
                 a logarithm of 0), or a golden file that was damaged",
            ),
            Self::Summation => f.write_str(
                "only the last digits differ: sums taken in another order, as optimised kernels (XNNPACK) do; make the \
                 golden file with the reference kernels",
            ),
            Self::Offset(by) => {
                write!(f, "every element is {by:+} away: a zero point or a bias differs")
            }
            Self::Factor(factor) => write!(f, "every element is {factor:.4} times the reference's: a scale differs"),
            Self::Border(width) => write!(
                f,
                "only the outermost {width} row(s) and column(s) differ: padding (its amount, its side, or its value, \
                 which must be the zero point)"
            ),
            Self::Channels(some, all) => write!(
                f,
                "only {some} of {all} channels differ: their weights, biases or per-channel scales are not those of the \
                 golden file's model"
            ),
            Self::Clamp => f.write_str(
                "wherever they differ, one of the two is at its limit: the range of the fused activation, or saturation",
            ),
            Self::Order => f.write_str("the values are the same in another order: axes or channels are permuted"),
            Self::Unrelated => {
                f.write_str("no simple pattern: other weights, another input, or a golden file of another model")
            }
        }
    }
}

/// The pattern of the differences between `ours` and the reference, which have the same shape and element type.
/// `zero_point` is the stored value that stands for zero; `step` the size of a quantised step, where there is one: 1
/// for stored integers.
pub fn diagnose(ours: &Array, reference: &Array, zero_point: i32, step: Option<f64>) -> Cause {
    let (a, b) = (ours.to_f64(), reference.to_f64());
    let integer = !ours.dtype.is_float();
    let differing: Vec<usize> = (0..a.len()).filter(|&i| a[i] != b[i]).collect();
    let largest = differing.iter().map(|&i| (a[i] - b[i]).abs()).fold(0.0, f64::max);
    let magnitude = b.iter().fold(0f64, |m, v| m.max(v.abs()));
    let one = if integer && ours.dtype != Dtype::Bool { Some(1.0) } else { step };
    if one.is_some_and(|one| compare::compare(ours, reference, Rule::Steps { count: 1, size: one }).is_ok()) {
        return Cause::Rounding;
    }
    if differing.iter().any(|&i| compare::distance(a[i], b[i]) == f64::INFINITY) {
        return Cause::NotFinite;
    }
    if !integer && largest <= 1e-3 * magnitude {
        return Cause::Summation;
    }
    let clamped = Limits::of(&a, &b);
    let free: Vec<usize> = (0..a.len()).filter(|&i| !clamped.holds(a[i]) && !clamped.holds(b[i])).collect();
    offset(&a, &b, &free)
        .or_else(|| factor(&a, &b, &free, f64::from(zero_point), integer))
        .or_else(|| border(&differing, &ours.shape))
        .or_else(|| channels(&differing, &ours.shape))
        .or_else(|| {
            let at_limit = |&i: &usize| clamped.holds(a[i]) || clamped.holds(b[i]);
            (differing.len() < a.len() && differing.iter().all(at_limit)).then_some(Cause::Clamp)
        })
        .or_else(|| order(&a, &b))
        .unwrap_or(Cause::Unrelated)
}

/// The least and greatest value on either side, where saturation would hide a pattern.
struct Limits([f64; 4]);

impl Limits {
    fn of(a: &[f64], b: &[f64]) -> Self {
        let least = |v: &[f64]| v.iter().copied().fold(f64::INFINITY, f64::min);
        let greatest = |v: &[f64]| v.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Self([least(a), greatest(a), least(b), greatest(b)])
    }

    fn holds(&self, value: f64) -> bool {
        self.0.contains(&value)
    }
}

fn offset(a: &[f64], b: &[f64], free: &[usize]) -> Option<Cause> {
    let by = a[*free.first()?] - b[free[0]];
    let same = |&i: &usize| (a[i] - b[i] - by).abs() <= 1e-6 * by.abs();
    // Two elements could agree by chance.
    (by != 0.0 && free.len() >= 4 && free.iter().all(same)).then_some(Cause::Offset(by))
}

fn factor(a: &[f64], b: &[f64], free: &[usize], zero: f64, integer: bool) -> Option<Cause> {
    // Least squares through the origin of real zero.
    let (mut xy, mut xx) = (0.0, 0.0);
    for &i in free {
        xy += (a[i] - zero) * (b[i] - zero);
        xx += (b[i] - zero) * (b[i] - zero);
    }
    let k = xy / xx;
    // Rounding on both sides moves a quantised element by up to half a step each, and k carries one of them.
    let near = |&i: &usize| {
        let residual = (a[i] - zero) - k * (b[i] - zero);
        residual.abs() <= if integer { 0.5 + 0.5 * k.abs().max(1.0) } else { 1e-4 * (a[i] - zero).abs() }
    };
    let spread = free.iter().map(|&i| (b[i] - zero).abs()).fold(0.0, f64::max);
    // A factor is only told from noise by values some steps away from zero.
    let telling = !integer || (k - 1.0).abs() * spread > 2.0 && spread >= 8.0;
    (free.len() >= 4 && k.is_finite() && (k - 1.0).abs() > 1e-3 && telling && free.iter().all(near))
        .then_some(Cause::Factor(k))
}

fn border(differing: &[usize], shape: &[usize]) -> Option<Cause> {
    let &[_, height, width, depth] = shape else { return None };
    let depth_in = |i: usize| {
        let (x, y) = (i / depth % width, i / (depth * width) % height);
        x.min(width - 1 - x).min(y).min(height - 1 - y)
    };
    let ring = differing.iter().map(|&i| depth_in(i)).max()? + 1;
    // A ring that reaches the middle says nothing.
    (4 * ring <= height.min(width)).then_some(Cause::Border(ring))
}

fn channels(differing: &[usize], shape: &[usize]) -> Option<Cause> {
    let &depth = shape.last().filter(|_| shape.len() >= 2)?;
    let mut differs = vec![false; depth];
    differing.iter().for_each(|&i| differs[i % depth] = true);
    let some = differs.iter().filter(|d| **d).count();
    // More than one place must differ, or a single wrong element would pass for a channel.
    (2 * some <= depth && differing.len() > some).then_some(Cause::Channels(some, depth))
}

fn order(a: &[f64], b: &[f64]) -> Option<Cause> {
    let sorted = |v: &[f64]| {
        let mut v = v.to_vec();
        v.sort_by(f64::total_cmp);
        v
    };
    (sorted(a) == sorted(b)).then_some(Cause::Order)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `[1, 8, 8, 4]` of int8, spread over -100..100 without a pattern of its own.
    fn reference() -> Vec<i8> {
        (0..256).map(|i: i32| ((i * i * 37 + i * 101) % 199 - 99) as i8).collect()
    }

    fn cause(change: impl Fn(usize, i8) -> i8) -> Cause {
        let b = reference();
        let a: Vec<i8> = b.iter().enumerate().map(|(i, &v)| change(i, v)).collect();
        diagnose(&Array::from_i8(&[1, 8, 8, 4], &a), &Array::from_i8(&[1, 8, 8, 4], &b), -3, Some(1.0))
    }

    #[test]
    fn each_mistake_leaves_its_pattern() {
        assert_eq!(cause(|i, v| v + (i % 3 == 0) as i8), Cause::Rounding);
        assert_eq!(cause(|_, v| v + 5), Cause::Offset(5.0));
        assert!(
            matches!(cause(|_, v| ((v as f64 + 3.0) * 0.5 - 3.0).round() as i8), Cause::Factor(k) if (k - 0.5).abs() < 0.01)
        );
        assert_eq!(cause(|i, v| if i < 32 || i % 32 < 4 { v / 2 } else { v }), Cause::Border(1));
        assert_eq!(cause(|i, v| if i % 4 == 2 { v ^ 21 } else { v }), Cause::Channels(1, 4));
        assert_eq!(cause(|_, v| v.min(40)), Cause::Clamp);
        let b = reference();
        assert_eq!(cause(|i, _| b[255 - i]), Cause::Order);
        assert_eq!(cause(|i, v| v.wrapping_mul(31).wrapping_add(i as i8)), Cause::Unrelated);
    }

    #[test]
    fn a_single_wrong_element_has_no_pattern() {
        assert_eq!(cause(|i, v| if i == 110 { v ^ 64 } else { v }), Cause::Unrelated);
    }

    #[test]
    fn dequantised_floats_one_step_away_were_rounded_otherwise() {
        let b: Vec<f32> = reference().iter().map(|&v| f32::from(v) * 0.3).collect();
        let a: Vec<f32> =
            reference().iter().enumerate().map(|(i, &v)| f32::from(v + (i % 3 == 0) as i8) * 0.3).collect();
        let [a, b] = [a, b].map(|v| Array::from_f32(&[1, 8, 8, 4], &v));
        assert_eq!(diagnose(&a, &b, 0, Some(f64::from(0.3f32))), Cause::Rounding);
        assert_ne!(diagnose(&a, &b, 0, None), Cause::Rounding);
    }

    #[test]
    fn floats_have_patterns_of_their_own() {
        let b: Vec<f32> = reference().iter().map(|&v| f32::from(v) / 7.0).collect();
        let floats = |v: &[f32]| Array::from_f32(&[1, 8, 8, 4], v);
        let with =
            |f: fn(f32) -> f32| diagnose(&floats(&b.iter().map(|&v| f(v)).collect::<Vec<_>>()), &floats(&b), 0, None);
        assert_eq!(with(|v| v * 1.00002), Cause::Summation);
        assert!(matches!(with(|v| v * 3.0), Cause::Factor(k) if (k - 3.0).abs() < 1e-3));
    }
}
