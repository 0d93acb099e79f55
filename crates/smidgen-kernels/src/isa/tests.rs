//! Every instruction set gives the bits that plain Rust gives.

use super::{Isa, PATCH_ALIGN};
use crate::int8::{Channels, Int8};
use crate::memory::{Arena, Flash};
use crate::requant::{Factor, Rounding};
use proptest::collection::vec;
use proptest::prelude::*;
use std::vec::Vec;

fn quant() -> impl Strategy<Value = Int8> {
    (any::<i8>(), any::<i8>(), any::<i8>(), any::<bool>()).prop_map(|(zero, a, b, once)| Int8 {
        input_zero: 0,
        output_zero: zero as i32,
        min: a.min(b),
        max: a.max(b),
        rounding: if once { Rounding::Once } else { Rounding::Twice },
    })
}

/// Factors over the whole range of shifts, and those that make ties likely.
fn factor() -> impl Strategy<Value = Factor> {
    prop_oneof![
        (-40f64..8.0).prop_map(|e| Factor::new(e.exp2())),
        (-12i32..3).prop_map(|e| Factor::new((e as f64).exp2()))
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn finishing(
        rows in vec((any::<i32>(), -20i32..20, factor(), any::<i32>()), 0..40),
        small in any::<bool>(),
        quant in quant(),
    ) {
        let acc: Vec<i32> = rows.iter().map(|r| if small { r.1 } else { r.0 }).collect();
        let bias: Vec<i32> = rows.iter().map(|r| if small { 0 } else { r.3 }).collect();
        let multipliers: Vec<i32> = rows.iter().map(|r| r.2.multiplier).collect();
        let shifts: Vec<i8> = rows.iter().map(|r| r.2.shift).collect();
        let channels = Channels { bias: Flash::new(&bias), multipliers: Flash::new(&multipliers), shifts: Flash::new(&shifts) };
        let mut outputs = [Isa::PORTABLE, Isa::detect()].map(|isa| {
            let mut to = std::vec![0i8; acc.len()];
            isa.finish(&acc, 0, channels, &quant, &mut to);
            to
        });
        let portable = std::mem::take(&mut outputs[0]);
        prop_assert_eq!(portable, std::mem::take(&mut outputs[1]));
    }

    #[test]
    fn blocks(
        patch in 1usize..70,
        seed in any::<u64>(),
        factors in vec(factor(), 6),
        quant in quant(),
    ) {
        let stride = patch.next_multiple_of(PATCH_ALIGN);
        let mut state = seed | 1;
        let mut random = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 56) as i8
        };
        let mut patches = std::vec![0i16; 2 * stride];
        for i in 0..patch {
            patches[i] = random() as i16;
            patches[stride + i] = random() as i16;
        }
        let weights: Vec<i8> = (0..6 * patch + stride - patch).map(|_| random()).collect();
        let bias: Vec<i32> = (0..6).map(|_| random() as i32 * 100).collect();
        let multipliers: Vec<i32> = factors.iter().map(|f| f.multiplier).collect();
        let shifts: Vec<i8> = factors.iter().map(|f| f.shift).collect();
        let channels = Channels { bias: Flash::new(&bias), multipliers: Flash::new(&multipliers), shifts: Flash::new(&shifts) };
        let patches = Arena::new(&mut patches);
        let [portable, best] = [Isa::PORTABLE, Isa::detect()]
            .map(|isa| isa.two_by_four(&patches, Flash::new(&weights), [stride, patch, 2], channels, &quant));
        prop_assert_eq!(portable, best);
        let single: Vec<i8> = (2..6)
            .map(|o| {
                let acc = Isa::detect().dot_i16_i8(patches.span(0, patch), &weights[o * patch..]);
                channels.finish(o, acc, &quant)
            })
            .collect();
        prop_assert_eq!(&portable[0][..], &single[..]);
    }

    #[test]
    fn dots(a in vec(any::<i8>(), 0..100), b in vec(any::<i8>(), 0..100), zero in any::<i8>()) {
        let wide: Vec<i16> = a.iter().map(|&v| v as i16).collect();
        let expected = a.iter().zip(&b).map(|(&x, &w)| x as i32 * w as i32).sum::<i32>();
        for isa in [Isa::PORTABLE, Isa::detect()] {
            prop_assert_eq!(isa.dot_i8_i8(&a, &b), expected);
            prop_assert_eq!(isa.dot_i16_i8(&wide, &b), expected);
            let mut widened = std::vec![0; a.len()];
            isa.widen(&a, &mut widened);
            prop_assert_eq!(&widened, &wide);
            let mut acc = std::vec![3i32; a.len().min(b.len())];
            isa.multiply_add(&mut acc, &a, zero as i16, &b);
            let sums: Vec<i32> =
                a.iter().zip(&b).map(|(&x, &w)| 3 + (x as i32 - zero as i32) * w as i32).collect();
            prop_assert_eq!(acc, sums);
        }
    }
}
