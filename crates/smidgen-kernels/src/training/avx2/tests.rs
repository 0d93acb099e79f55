//! What AVX2 gives is what plain Rust gives.

use super::super::block::COLUMNS;
use super::super::forward::{Target, clamped};
use crate::int8::Int8;
use crate::requant::{Factor, Rounding};
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn two_pixels(
        sums in any::<[[i32; COLUMNS]; 2]>(),
        narrow in 0u32..31,
        multipliers in any::<[u32; COLUMNS]>(),
        round in any::<bool>(),
        shifts in [-31i8..=30, -31i8..=30, -31i8..=30, -31i8..=30],
        limits in any::<[i8; 2]>(),
        zero in -128..128,
    ) {
        if !std::is_x86_feature_detected!("avx2") {
            return Ok(());
        }
        // Of all sizes, and with multipliers that are powers of two, which make ties.
        let sums = sums.map(|sums| sums.map(|sum| sum >> narrow));
        let factors = core::array::from_fn(|i| Factor {
            multiplier: ((multipliers[i] >> 2) | 1 << 30) as i32 & if round { 1 << 30 } else { i32::MAX },
            shift: shifts[i],
        });
        for rounding in [Rounding::Once, Rounding::Twice] {
            let [min, max] = [limits[0].min(limits[1]), limits[0].max(limits[1])];
            let quant = Int8 { input_zero: 0, output_zero: zero, min, max, rounding };
            let target = Target::new([0; 2], COLUMNS, &quant);
            // SAFETY: the machine has the instructions.
            let (bytes, inside) = unsafe { super::two_pixels(sums, factors, &target) };
            for (i, &sum) in sums.as_flattened().iter().enumerate() {
                let scaled = factors[i % COLUMNS].apply(sum, rounding).wrapping_add(zero);
                let (value, within) = clamped(scaled, min, max);
                prop_assert_eq!(bytes.as_flattened()[i] as i8, value);
                prop_assert_eq!(inside >> i & 1 == 1, within);
            }
        }
    }

    #[test]
    fn multiply(
        rows in vec(vec(any::<i16>(), 24), 1..7),
        columns in vec(any::<i16>(), 24 * COLUMNS),
        length in 0usize..=6,
        start in any::<[i32; COLUMNS]>(),
        begun in any::<bool>(),
    ) {
        if !std::is_x86_feature_detected!("avx2") {
            return Ok(());
        }
        let elements = 4 * length;
        let staged: std::vec::Vec<i16> = rows.iter().flat_map(|row| &row[..elements]).copied().collect();
        let mut sums: std::vec::Vec<_> = (0..rows.len()).map(|i| start.map(|s| s.wrapping_mul(i as i32))).collect();
        let mut expected = sums.clone();
        for (row, sums) in rows.iter().zip(&mut expected) {
            if begun {
                *sums = start;
            }
            for (e, &x) in row[..elements].iter().enumerate() {
                for (j, sum) in sums.iter_mut().enumerate() {
                    let y = columns[8 * (e / 2) + 2 * j + e % 2];
                    *sum = sum.wrapping_add(i32::from(x).wrapping_mul(i32::from(y)));
                }
            }
        }
        // SAFETY: rows and columns are as long as is asked for, and the machine has the instructions.
        unsafe {
            let [columns, rows] = [columns.as_ptr().cast(), staged.as_ptr().cast()];
            super::multiply(columns, rows, elements / 2, begun.then_some(start), &mut sums);
        }
        prop_assert_eq!(sums, expected);
    }
}
