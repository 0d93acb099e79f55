//! Which operators can be read and written, in one table: the reader and the writer match on [`Builtin`] exhaustively, and
//! [`SUPPORTED`] is printed from the same list.

use smidgen_ir::ElementType::{self, Bool, Float32, Int8, Int16, Int32, Int64};
use smidgen_ir::Function;
use smidgen_ir::front::SupportEntry;
use smidgen_ir::names::{names, tflite_function};
use std::sync::LazyLock;

use crate::schema::OPERATORS;

/// Types on which smidgen computes.
const COMPUTE: &[ElementType] = &[Int8, Float32];
/// The same for what has a form for int16 activations too.
const WIDE: &[ElementType] = &[Int8, Int16, Float32];
/// Types of what has no integer form.
const FLOAT: &[ElementType] = &[Float32];
/// Types that it moves around.
const MOVE: &[ElementType] = &[Int8, Float32, Int16, Int32, Int64, Bool];
/// Types that QUANTIZE takes.
const QUANTIZED: &[ElementType] = &[Float32, Int8, Int16];
/// Types that DEQUANTIZE takes.
const DEQUANTIZED: &[ElementType] = &[Int8, Int16];

macro_rules! builtins {
    ($($variant:ident = $code:literal $name:literal $types:ident $remarks:literal,)*) => {
        /// A supported operator.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(crate) enum Builtin {
            $($variant,)*
            Function(Function),
        }

        impl Builtin {
            /// The operator with this value of `BuiltinOperator`, if it is supported.
            pub(crate) fn from_code(code: i32) -> Option<Self> {
                match code {
                    $($code => Some(Self::$variant),)*
                    _ => tflite_function(OPERATORS.get(usize::try_from(code).ok()?)?).map(Self::Function),
                }
            }

            /// Its value of `BuiltinOperator`.
            pub(crate) fn code(self) -> i32 {
                match self {
                    $(Self::$variant => $code,)*
                    Self::Function(function) => {
                        let name = names(function).0;
                        OPERATORS.iter().position(|&known| known == name).expect("a function of the schema") as i32
                    }
                }
            }

            /// Its row of the support table.
            pub(crate) fn entry(self) -> &'static SupportEntry {
                let name = OPERATORS[self.code() as usize];
                let row = SUPPORTED.binary_search_by(|entry| entry.name.cmp(name)).expect("a row of the table");
                &SUPPORTED[row]
            }
        }

        /// Operators with rows of their own.
        const ROWS: &[SupportEntry] = &[
            $(SupportEntry { name: $name, types: $types, remarks: $remarks },)*
        ];
    };
}

/// Every supported operator, in alphabetical order.
pub static SUPPORTED: LazyLock<Vec<SupportEntry>> = LazyLock::new(|| {
    let function = |&function: &Function| SupportEntry { name: names(function).0, types: FLOAT, remarks: "" };
    let mut all: Vec<SupportEntry> = ROWS.iter().copied().chain(Function::ALL.iter().map(function)).collect();
    all.sort_by_key(|entry| entry.name);
    all
});

builtins! {
    Add = 0 "ADD" WIDE "broadcasting; fused activation",
    ArgMax = 56 "ARG_MAX" COMPUTE "constant axis; output int32 or int64",
    AssignVariable = 144 "ASSIGN_VARIABLE" MOVE "the last one of an inference is what the variable holds in the next; shape, type and quantisation stay",
    AveragePool2d = 1 "AVERAGE_POOL_2D" WIDE "SAME and VALID; fused activation",
    CallOnce = 129 "CALL_ONCE" MOVE "of a subgraph that assigns constants to variables: their initial values",
    Concatenation = 2 "CONCATENATION" MOVE "any axis; fused activation on float32 only",
    Conv2d = 3 "CONV_2D" WIDE "constant weights, per tensor or per channel; int8 weights of one scale on float32 too; dilation; fused activation; one group",
    DepthwiseConv2d = 4 "DEPTHWISE_CONV_2D" WIDE "any multiplier; constant weights, per tensor or per channel; dilation; fused activation",
    Dequantize = 6 "DEQUANTIZE" DEQUANTIZED "to float32; of a float16 constant it is folded when reading",
    Div = 42 "DIV" FLOAT "broadcasting; fused activation",
    Exp = 47 "EXP" COMPUTE "",
    ExpandDims = 70 "EXPAND_DIMS" MOVE "constant axis",
    FullyConnected = 9 "FULLY_CONNECTED" WIDE "constant weights, per tensor or per channel; optional bias; fused activation",
    HardSwish = 117 "HARD_SWISH" COMPUTE "",
    LeakyRelu = 98 "LEAKY_RELU" WIDE "",
    Log = 73 "LOG" COMPUTE "",
    Logistic = 14 "LOGISTIC" WIDE "",
    Maximum = 55 "MAXIMUM" WIDE "broadcasting",
    MaxPool2d = 17 "MAX_POOL_2D" WIDE "SAME and VALID; fused activation",
    Mean = 40 "MEAN" WIDE "constant axes",
    Minimum = 57 "MINIMUM" WIDE "broadcasting",
    Mul = 18 "MUL" WIDE "broadcasting; fused activation",
    Pack = 83 "PACK" MOVE "any axis",
    Pad = 34 "PAD" MOVE "constant paddings",
    PadV2 = 60 "PADV2" MOVE "constant paddings and value",
    Prelu = 54 "PRELU" COMPUTE "constant alpha, broadcasting",
    Quantize = 114 "QUANTIZE" QUANTIZED "to int8 or int16",
    ReadVariable = 143 "READ_VARIABLE" MOVE "",
    Relu = 19 "RELU" WIDE "",
    Relu6 = 21 "RELU6" WIDE "",
    ReluN1To1 = 20 "RELU_N1_TO_1" COMPUTE "",
    Reshape = 22 "RESHAPE" MOVE "shape from a constant or from the options; one -1",
    ResizeBilinear = 23 "RESIZE_BILINEAR" WIDE "constant size; align_corners, half_pixel_centers",
    ResizeNearestNeighbor = 97 "RESIZE_NEAREST_NEIGHBOR" WIDE "constant size; align_corners, half_pixel_centers",
    Slice = 65 "SLICE" MOVE "constant begin and size",
    Softmax = 25 "SOFTMAX" WIDE "over the last axis; beta",
    Split = 49 "SPLIT" MOVE "constant axis",
    Squeeze = 43 "SQUEEZE" MOVE "listed dimensions, or all of size 1",
    StridedSlice = 45 "STRIDED_SLICE" MOVE "constant begin, end and strides; begin, end, ellipsis and shrink masks; no new axes",
    Sub = 41 "SUB" WIDE "broadcasting; fused activation",
    Sum = 74 "SUM" COMPUTE "constant axes",
    Tanh = 28 "TANH" WIDE "",
    Transpose = 39 "TRANSPOSE" MOVE "constant permutation",
    TransposeConv = 67 "TRANSPOSE_CONV" WIDE "constant output shape and weights, not of int4; optional bias; SAME and VALID; fused activation",
    Unpack = 88 "UNPACK" MOVE "any axis",
    VarHandle = 142 "VAR_HANDLE" MOVE "known by its container and shared name",
}

/// The value of `BuiltinOptions` that goes with an operator; 0 where it has none of interest.
pub(crate) fn options(builtin: Builtin) -> u8 {
    match builtin {
        Builtin::Conv2d => 1,
        Builtin::DepthwiseConv2d => 2,
        Builtin::AveragePool2d | Builtin::MaxPool2d => 5,
        Builtin::FullyConnected => 8,
        Builtin::Softmax => 9,
        Builtin::Concatenation => 10,
        Builtin::Add => 11,
        Builtin::ResizeBilinear => 15,
        Builtin::Reshape => 17,
        Builtin::Mul => 21,
        Builtin::Mean | Builtin::Sum => 27,
        Builtin::Sub => 28,
        Builtin::Div => 29,
        Builtin::Squeeze => 30,
        Builtin::StridedSlice => 32,
        Builtin::Split => 35,
        Builtin::ArgMax => 40,
        Builtin::TransposeConv => 49,
        Builtin::Pack => 59,
        Builtin::Unpack => 64,
        Builtin::ResizeNearestNeighbor => 74,
        Builtin::LeakyRelu => 75,
        Builtin::CallOnce => 103,
        Builtin::VarHandle => 111,
        Builtin::AssignVariable
        | Builtin::Dequantize
        | Builtin::Exp
        | Builtin::ExpandDims
        | Builtin::HardSwish
        | Builtin::Log
        | Builtin::Logistic
        | Builtin::Maximum
        | Builtin::Minimum
        | Builtin::Pad
        | Builtin::PadV2
        | Builtin::Prelu
        | Builtin::Quantize
        | Builtin::ReadVariable
        | Builtin::Relu
        | Builtin::Relu6
        | Builtin::ReluN1To1
        | Builtin::Slice
        | Builtin::Function(_)
        | Builtin::Tanh
        | Builtin::Transpose => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_agrees_with_the_schema_and_is_sorted() {
        let supported: Vec<Builtin> = (0..OPERATORS.len() as i32).filter_map(Builtin::from_code).collect();
        assert_eq!(supported.len(), SUPPORTED.len());
        for builtin in supported {
            assert_eq!(builtin.entry().name, OPERATORS[builtin.code() as usize]);
        }
        assert!(SUPPORTED.is_sorted_by_key(|entry| entry.name));
    }
}
