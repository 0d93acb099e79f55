//! QUANTIZE and DEQUANTIZE.

use super::{builtins, one};
use crate::support::Builtin;
use smidgen_ir::ElementType::{self, Float32, Int4, Int8, Int16, Uint8};
use smidgen_ir::Op;

/// Types that QUANTIZE takes.
const QUANTIZED: &[ElementType] = &[Float32, Int8, Uint8, Int16];
/// Types that DEQUANTIZE takes.
const DEQUANTIZED: &[ElementType] = &[Int8, Uint8, Int16];

builtins! {
    Quantize = "QUANTIZE" {
        types: QUANTIZED,
        remarks: "to int8, uint8 or int16",
        options: 0,
        version: |s| s.by_type(s.result(), &[(Int16, 2)]),
        read: |call| one(call, Op::Quantize),
    }
    Dequantize = "DEQUANTIZE" {
        types: DEQUANTIZED,
        remarks: "to float32; of a float16 constant it is folded when reading",
        options: 0,
        version: |s| match s.x() {
            Int8 if s.per_channel(0) => 5,
            x => s.by_type(x, &[(Int8, 2), (Int16, 3), (Int4, 6)]),
        },
        read: |call| one(call, Op::Dequantize),
    }
}
