//! Finds and proves the parameters of the device's MUL.

use smidgen_kernels::int8::mcu::epilogue::smmla;
use smidgen_kernels::int8::mcu::{PRODUCT_BITS, Products};
use smidgen_kernels::reference::Product;

/// Changes of the multiplier that are tried: the first that can be proven is taken.
const CHANGES: [i64; 7] = [0, 1, -1, 2, -2, 3, -3];

/// Parameters that give the bytes of `product` for each of the 65,536 pairs of operands; `None` if none are found.
pub(super) fn products(product: &Product) -> Option<Products> {
    let real = product.factor.multiplier as f64 * f64::from(product.factor.shift as i32 - 31).exp2();
    let exact = (real * f64::from(31).exp2()).round() as i64;
    let all = || i8::MIN..=i8::MAX;
    let outputs: Vec<i8> = all().flat_map(|a| all().map(move |b| product.apply(a, b))).collect();
    CHANGES.iter().find_map(|&change| {
        let multiplier = i32::try_from(exact + change).ok().filter(|&multiplier| multiplier >= 0)?;
        let Product { zeros, min, max, .. } = *product;
        proven(Products { zeros, multiplier, offset: 0, tie: 0, min, max }, &outputs)
    })
}

/// Parameters that stand for those of a product that nobody has looked at.
pub(super) fn unread(product: &Product) -> Products {
    let Product { zeros, min, max, .. } = *product;
    Products { zeros, multiplier: 1 << 30, offset: 0, tie: 0, min, max }
}

/// The parameters with an offset that gives these outputs, if there is one.
fn proven(products: Products, outputs: &[i8]) -> Option<Products> {
    // Centred operands of more than 16 bits would not fit the halves of a register.
    if products.zeros.iter().any(|zero| !(-128..=127).contains(zero)) {
        return None;
    }
    // For products of at least 0, and for those below: offsets that are enough, and that are not too much, and the ends of what meets them.
    let mut bounds = [[i64::from(i32::MIN), i64::from(i32::MAX)]; 2];
    let mut ends = [[0i64; 2]; 2];
    for (i, &output) in outputs.iter().enumerate() {
        let [a, b] = [i / 256, i % 256].map(|n| (n as i64 - 128) as i8);
        let product = products.product(a, b);
        let value = i64::from(smmla(product, products.multiplier, 0));
        let side = usize::from(product < 0);
        let ([low, high], [least, most]) = (&mut bounds[side], &mut ends[side]);
        (*least, *most) = ((*least).min(value), (*most).max(value));
        // Beyond the ends any value will do.
        if output > products.min {
            *low = (*low).max((i64::from(output) << PRODUCT_BITS) - value);
        }
        if output < products.max {
            *high = (*high).min(((i64::from(output) + 1) << PRODUCT_BITS) - 1 - value);
        }
    }
    let [positive, negative] = bounds.map(|[low, high]| (low <= high).then_some(low + (high - low) / 2));
    let offsets = [positive?, negative?];
    let fits = |x: i64| i32::try_from(x).is_ok();
    let safe = (0..2).all(|side| ends[side].iter().all(|end| fits(end + offsets[side])));
    let tie = i32::try_from(offsets[0] - offsets[1]).ok().filter(|_| safe)?;
    Some(Products { offset: offsets[0] as i32, tie, ..products })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use smidgen_kernels::requant::{Factor, Rounding};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(6))]

        #[test]
        fn proven_parameters_give_the_same_bytes(
            scales in prop::array::uniform3(0.004f64..0.1),
            zeros in prop::array::uniform3(-128i32..128),
            clamped: bool,
        ) {
            let (min, max) = if clamped { (zeros[2].min(100) as i8, 101) } else { (-128, 127) };
            let factor = Factor::new(scales[0] * scales[1] / scales[2]);
            let product =
                Product { zeros: [zeros[0], zeros[1]], factor, output_zero: zeros[2], min, max, rounding: Rounding::Twice };
            // Factors drawn like this have no ties, so there is a form for nearly all.
            if let Some(found) = products(&product) {
                for a in i8::MIN..=i8::MAX {
                    for b in i8::MIN..=i8::MAX {
                        prop_assert_eq!(found.apply(a, b), product.apply(a, b));
                    }
                }
            }
        }
    }

    #[test]
    fn usual_scales_are_proven() {
        let mut found = 0;
        for i in 0..20 {
            let factor = Factor::new(0.003 + 0.0017 * f64::from(i));
            let product = Product {
                zeros: [-128, 3 * i - 20],
                factor,
                output_zero: i - 40,
                min: -128,
                max: 127,
                rounding: Rounding::Twice,
            };
            found += usize::from(products(&product).is_some());
        }
        assert!(found >= 18, "{found} of 20");
    }
}
