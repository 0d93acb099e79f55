//! Two arrays side by side: where they differ and by how much.

use crate::data::Array;

/// When two arrays count as equal.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Rule {
    /// Every bit.
    Bits,
    /// Each element is within this fraction of the reference's element of the greatest magnitude. Relative to the array, since
    /// a sum that cancels to nearly nothing has no relative accuracy of its own.
    Relative(f64),
    /// Each element is within so many steps of a quantisation.
    Steps {
        /// How many.
        count: u32,
        /// The size of one in the array's own unit: 1 for stored integers, the scale for real numbers that were
        /// dequantised.
        size: f64,
    },
}

/// What products of single precision are off by, relative to the greatest magnitude.
const SINGLE: f64 = 4.0 * f32::EPSILON as f64;

/// How one array differs from the reference.
#[derive(Clone, PartialEq, Debug)]
pub struct Difference {
    /// Number of elements.
    pub elements: usize,
    /// Number of elements that break the rule.
    pub differing: usize,
    /// Greatest `|ours - reference|` of any element, in the array's own unit (steps of a quantised tensor, or real numbers).
    pub largest: f64,
    /// Index of the element with the greatest difference, one number for each axis.
    pub at: Vec<usize>,
    /// Our value there.
    pub ours: f64,
    /// The reference's value there.
    pub reference: f64,
    /// Greatest finite magnitude of the reference's elements.
    pub magnitude: f64,
}

/// Compares `ours` with the reference; both have the same shape and element type.
///
/// `Err` holds the difference if the rule is broken; `Ok` holds the greatest difference that the rule allowed: 0 for
/// [`Rule::Bits`], steps for [`Rule::Steps`], else as a fraction of the reference's greatest magnitude.
pub fn compare(ours: &Array, reference: &Array, rule: Rule) -> Result<f64, Difference> {
    debug_assert_eq!((&ours.shape, ours.dtype), (&reference.shape, reference.dtype));
    if ours.data == reference.data {
        return Ok(0.0);
    }
    let (a, b) = (ours.to_f64(), reference.to_f64());
    let magnitude = b.iter().filter(|v| v.is_finite()).fold(0f64, |m, v| m.max(v.abs()));
    let allowed = match rule {
        Rule::Bits => 0.0,
        Rule::Relative(fraction) => fraction * magnitude,
        // Products with a scale carry the rounding of single precision.
        Rule::Steps { count, size } => f64::from(count) * size + SINGLE * magnitude,
    };
    let size = ours.dtype.size();
    let bits_differ = |i: usize| ours.data[i * size..][..size] != reference.data[i * size..][..size];
    let (mut differing, mut worst, mut largest) = (0, 0, -1f64);
    for (i, (&x, &y)) in a.iter().zip(&b).enumerate() {
        let distance = distance(x, y);
        let breaks = match rule {
            Rule::Bits => bits_differ(i),
            Rule::Relative(_) | Rule::Steps { .. } => distance > allowed,
        };
        differing += usize::from(breaks);
        if breaks && distance > largest {
            (worst, largest) = (i, distance);
        }
    }
    if differing == 0 {
        let greatest = a.iter().zip(&b).map(|(&x, &y)| distance(x, y)).fold(0.0, f64::max);
        return Ok(match rule {
            Rule::Steps { size, .. } => steps(greatest, size, magnitude),
            _ if magnitude > 0.0 => greatest / magnitude,
            _ => greatest,
        });
    }
    let at = unravel(worst, &ours.shape);
    Err(Difference { elements: a.len(), differing, largest, at, ours: a[worst], reference: b[worst], magnitude })
}

/// The least number of steps of this size that a distance keeps within, among numbers up to `magnitude`: what
/// [`Rule::Steps`] must allow for it.
pub fn steps(distance: f64, size: f64, magnitude: f64) -> f64 {
    ((distance - SINGLE * magnitude).max(0.0) / size).ceil()
}

/// `|x - y|`, with a NaN equal to a NaN and infinitely far from anything else.
pub(super) fn distance(x: f64, y: f64) -> f64 {
    if x == y || (x.is_nan() && y.is_nan()) {
        0.0
    } else if x.is_nan() || y.is_nan() {
        f64::INFINITY
    } else {
        (x - y).abs()
    }
}

/// The index along each axis of element `flat`.
fn unravel(mut flat: usize, shape: &[usize]) -> Vec<usize> {
    let mut index: Vec<usize> = shape
        .iter()
        .rev()
        .map(|&d| {
            let i = flat % d;
            flat /= d;
            i
        })
        .collect();
    index.reverse();
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_worst_element() {
        let reference = Array::from_i8(&[2, 3], &[0, 1, 2, 3, 4, 5]);
        let ours = Array::from_i8(&[2, 3], &[0, 1, 3, 3, -4, 5]);
        assert_eq!(compare(&reference, &reference, Rule::Bits), Ok(0.0));
        assert_eq!(
            compare(&ours, &reference, Rule::Bits),
            Err(Difference {
                elements: 6,
                differing: 2,
                largest: 8.0,
                at: vec![1, 1],
                ours: -4.0,
                reference: 4.0,
                magnitude: 5.0
            })
        );
    }

    #[test]
    fn floats_may_differ_by_a_fraction_of_the_largest() {
        let reference = Array::from_f32(&[2], &[1000.0, 0.001]);
        let near = Array::from_f32(&[2], &[1000.0, 0.005]);
        let far = Array::from_f32(&[2], &[1000.0, 0.02]);
        assert!(compare(&near, &reference, Rule::Relative(1e-5)).is_ok());
        assert_eq!(compare(&far, &reference, Rule::Relative(1e-5)).unwrap_err().differing, 1);
        assert_eq!(compare(&near, &reference, Rule::Bits).unwrap_err().differing, 1);
    }

    #[test]
    fn a_part_of_a_step_counts_as_one() {
        assert_eq!([0.0, 0.05, 0.07, 0.1].map(|distance| steps(distance, 0.05, 1.0)), [0.0, 1.0, 2.0, 2.0]);
    }

    #[test]
    fn quantised_values_may_be_some_steps_away() {
        let steps = |count, size| Rule::Steps { count, size };
        let (stored, near) = (Array::from_i8(&[3], &[-128, 0, 100]), Array::from_i8(&[3], &[-127, 0, 98]));
        assert_eq!(compare(&near, &stored, steps(2, 1.0)), Ok(2.0));
        assert_eq!(compare(&near, &stored, steps(1, 1.0)).unwrap_err().differing, 1);
        // The scale is not a power of two, so that products are rounded.
        let real = |array: &Array| {
            let values: Vec<f32> = array.to_f64().iter().map(|&q| (q as f32 + 3.0) * 0.121_219_4).collect();
            Array::from_f32(&array.shape, &values)
        };
        let size = f64::from(0.121_219_4f32);
        assert_eq!(compare(&real(&near), &real(&stored), steps(2, size)), Ok(2.0));
        assert_eq!(compare(&real(&near), &real(&stored), steps(1, size)).unwrap_err().differing, 1);
        assert_eq!(compare(&real(&near), &real(&near), steps(0, size)), Ok(0.0));
    }

    #[test]
    fn a_zero_of_the_other_sign_is_another_bit_pattern() {
        let (plus, minus) = (Array::from_f32(&[1], &[0.0]), Array::from_f32(&[1], &[-0.0]));
        assert_eq!(compare(&plus, &minus, Rule::Bits).unwrap_err().largest, 0.0);
        assert_eq!(compare(&plus, &minus, Rule::Relative(1e-5)), Ok(0.0));
    }

    #[test]
    fn not_a_number_is_far_from_every_number() {
        let (nan, one) = (Array::from_f32(&[1], &[f32::NAN]), Array::from_f32(&[1], &[1.0]));
        assert_eq!(compare(&nan, &one, Rule::Relative(1e-5)).unwrap_err().largest, f64::INFINITY);
        assert_eq!(compare(&nan, &nan, Rule::Relative(1e-5)), Ok(0.0));
    }
}
