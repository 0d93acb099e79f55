//! Finds and proves the terms of the device's ADD and SUB.

use smidgen_kernels::int8::Sum;
use smidgen_kernels::int8::mcu::{SUM_BITS, Terms};
use smidgen_kernels::requant::Factor;

/// Changes of a weight that are tried: the first that can be proven is taken.
const CHANGES: [i64; 7] = [0, 1, -1, 2, -2, 3, -3];

/// Terms that stand for those of a sum that nobody has looked at.
pub(super) const UNREAD: Terms = Terms { weights: [1 << 28; 2], offset: 0 };

/// Terms that give the bytes of `sum` for each of the 65,536 pairs of operands; `None` if none are found.
pub(super) fn terms(sum: &Sum) -> Option<Terms> {
    let real = |f: Factor| f.multiplier as f64 * f64::from(f.shift as i32 - 31).exp2();
    let scale = real(sum.output) * f64::from(8 + SUM_BITS).exp2() * f64::from(smidgen_kernels::int8::SUM_SHIFT).exp2();
    let weight = |i: usize| {
        let weight = (real(sum.factors[i]) * scale).round() as i64;
        if i == 1 && sum.subtract { -weight } else { weight }
    };
    let mut outputs = Vec::with_capacity(1 << 16);
    for a in all() {
        outputs.extend(all().map(|b| sum.apply(a, b)));
    }
    CHANGES.iter().flat_map(|&a| CHANGES.iter().map(move |&b| [a, b])).find_map(|[a, b]| {
        let weights = [i32::try_from(weight(0) + a).ok()?, i32::try_from(weight(1) + b).ok()?];
        proven(Terms { weights, offset: 0 }, &outputs)
    })
}

fn all() -> impl Iterator<Item = i8> + Clone {
    i8::MIN..=i8::MAX
}

/// The terms with an offset that gives these outputs, if there is one.
fn proven(terms: Terms, outputs: &[i8]) -> Option<Terms> {
    let [a, b] = [0, 1].map(|i| all().map(|x| terms.term(i, x) as i64).collect::<Vec<_>>());
    let (mut low, mut high) = (i64::MIN, i64::MAX);
    let (mut least, mut most) = (i64::MAX, i64::MIN);
    for (i, &output) in outputs.iter().enumerate() {
        let value = a[i / 256] + b[i % 256];
        (least, most) = (least.min(value), most.max(value));
        // Beyond the ends of int8 any value will do.
        if output > i8::MIN {
            low = low.max(((output as i64) << SUM_BITS) - value);
        }
        if output < i8::MAX {
            high = high.min(((output as i64 + 1) << SUM_BITS) - 1 - value);
        }
    }
    // Outputs that are all at an end leave the other side open.
    let (low, high) = (low.max(i32::MIN as i64), high.min(i32::MAX as i64));
    let offset = low + (high - low) / 2;
    // The first term may meet the offset alone.
    let fits = |x: i64| i32::try_from(x).is_ok();
    let ends = |terms: &[i64]| [terms[0], terms[255]];
    let safe = fits(least + offset) && fits(most + offset) && ends(&a).iter().all(|&term| fits(term + offset));
    (low <= high && safe).then_some(Terms { offset: offset as i32, ..terms })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use smidgen_kernels::int8::SUM_SHIFT;
    use smidgen_kernels::requant::Rounding;

    fn sum(scales: [f64; 3], zeros: [i32; 3], subtract: bool) -> Sum {
        let [a, b, y] = scales;
        let common = 2.0 * a.max(b);
        Sum {
            zeros: [zeros[0], zeros[1]],
            factors: [Factor::new(a / common), Factor::new(b / common)],
            output: Factor::new(common / ((1 << SUM_SHIFT) as f64 * y)),
            output_zero: zeros[2],
            min: -128,
            max: 127,
            subtract,
            rounding: Rounding::Twice,
        }
    }

    #[test]
    fn a_sum_of_equal_scales_is_proven() {
        let sum = sum([0.5; 3], [3, -4, 5], false);
        let terms = terms(&sum).expect("no rounding at all");
        assert_eq!((terms.apply(10, 20), terms.apply(-128, -128), terms.apply(127, 127)), (36, -128, 127));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4))]

        #[test]
        fn proven_terms_give_the_same_bytes(
            scales in prop::array::uniform3(0.02f64..0.1),
            zeros in prop::array::uniform3(-128i32..128),
            subtract: bool,
        ) {
            let sum = sum(scales, zeros, subtract);
            if let Some(terms) = terms(&sum) {
                for a in all() {
                    for b in all() {
                        prop_assert_eq!(terms.apply(a, b), sum.apply(a, b));
                    }
                }
            }
        }
    }
}
