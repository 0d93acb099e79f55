//! The operators that are not read, and why: all of TensorFlow Lite Micro's, and of the format. `smidgen ops` prints this list, and
//! [`check`](crate::check) says the same of a network that has one.

use crate::read::cause::{
    Cause, FLEX, LOOKUP, NPU, PICK, PLACES, RANDOM, RARE, RECURRENT, SIGNAL, SPARSE, STABLEHLO, STREAMING, TEXT,
};
use smidgen_ir::front::LackingEntry;

const fn of(name: &'static str, cause: &Cause) -> LackingEntry {
    LackingEntry::caused(name, cause.name, cause.hint)
}

const fn alone(name: &'static str, why: &'static str, hint: &'static str) -> LackingEntry {
    LackingEntry::new(name, why, hint)
}

const NOT_YET: &str = "not yet: rarely in networks for microcontrollers";

/// Every operator that is not supported in any form, in alphabetical order but for lower case.
pub static LACKING: &[LackingEntry] = &[
    of("ATAN2", &RARE),
    of("BIDIRECTIONAL_SEQUENCE_LSTM", &RECURRENT),
    of("BIDIRECTIONAL_SEQUENCE_RNN", &RECURRENT),
    of("BITCAST", &RARE),
    of("BITWISE_XOR", &RARE),
    of("BUCKETIZE", &RARE),
    of("CIRCULAR_BUFFER", &STREAMING),
    of("COMPLEX_ABS", &SIGNAL),
    of("CONCAT_EMBEDDINGS", &LOOKUP),
    alone("CONV_3D", "a convolution along three axes", "use CONV_2D with the frames of a volume or video as channels"),
    alone(
        "CONV_3D_TRANSPOSE",
        "a convolution along three axes",
        "use TRANSPOSE_CONV with the frames of a volume or video as channels",
    ),
    alone(
        "DELEGATE",
        "a part of the network that a runtime has handed to other hardware",
        "hand in the `.tflite` file that the runtime was given",
    ),
    of("DENSIFY", &SPARSE),
    alone("DILATE", NOT_YET, "TRANSPOSE_CONV with strides puts the same zeros between elements"),
    of("DISPATCH_OP", &NPU),
    of("DYNAMIC_UPDATE_SLICE", &PLACES),
    of("EMBEDDING_LOOKUP_SPARSE", &LOOKUP),
    alone(
        "FAKE_QUANT",
        "a mark of training for quantisation, not a layer",
        "convert with `converter.optimizations = [tf.lite.Optimize.DEFAULT]`, which turns the marks into int8",
    ),
    of("HASHTABLE*", &LOOKUP),
    of("IMAG", &SIGNAL),
    alone("L2_POOL_2D", NOT_YET, "AVERAGE_POOL_2D of the tensor's square, then SQRT, gives the same"),
    alone(
        "LOCAL_RESPONSE_NORMALIZATION",
        "a normalisation that networks no longer use",
        "train the network with batch normalisation in its place, which costs nothing when it runs",
    ),
    of("LSH_PROJECTION", &TEXT),
    of("LSTM", &RECURRENT),
    of("MATRIX_DIAG", &RARE),
    of("MATRIX_SET_DIAG", &RARE),
    of("MULTINOMIAL", &RANDOM),
    of("NON_MAX_SUPPRESSION_V4", &PICK),
    of("NON_MAX_SUPPRESSION_V5", &PICK),
    of("NeutronGraph", &NPU),
    of("RANDOM_STANDARD_NORMAL", &RANDOM),
    of("RANDOM_UNIFORM", &RANDOM),
    of("REAL", &SIGNAL),
    of("REDUCE_WINDOW", &RARE),
    alone(
        "REVERSE_SEQUENCE",
        "sequences of lengths that data give",
        "give the network sequences of one length, and reverse them with REVERSE_V2",
    ),
    of("RFFT2D", &SIGNAL),
    of("RIGHT_SHIFT", &RARE),
    of("RNN", &RECURRENT),
    of("SCATTER_ND", &PLACES),
    of("SEGMENT_SUM", &PLACES),
    of("SKIP_GRAM", &TEXT),
    of("SPARSE_TO_DENSE", &PLACES),
    of("STABLEHLO_*", &STABLEHLO),
    of(
        "TFLM_DECODE",
        &Cause {
            name: "weights compressed for TensorFlow Lite Micro",
            hint: "hand in the `.tflite` file that was compressed",
        },
    ),
    of("TFLite_Detection_PostProcess", &PICK),
    of("TOPK_V2", &PICK),
    of("UNIQUE", &PICK),
    of("UNSORTED_SEGMENT_*", &PLACES),
    of("WHERE", &PICK),
    of("XNPU", &NPU),
    of("edgetpu-custom-op", &NPU),
    of("ethos-u", &NPU),
    of("vsi-npu", &NPU),
    of("Flex*", &FLEX),
    of("Signal*", &SIGNAL),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hostile::build::{FLOAT, File};
    use crate::read::cause::NOT_ALWAYS;
    use crate::schema::OPERATORS;
    use crate::{READ_AWAY, SUPPORTED};

    /// The operators that `MicroMutableOpResolver` of TensorFlow Lite Micro has a function for, as of August 2026.
    const MICRO: [&str; 118] = [
        "ABS",
        "ADD",
        "ADD_N",
        "ARG_MAX",
        "ARG_MIN",
        "ASSIGN_VARIABLE",
        "AVERAGE_POOL_2D",
        "BATCH_MATMUL",
        "BATCH_TO_SPACE_ND",
        "BROADCAST_ARGS",
        "BROADCAST_TO",
        "CALL_ONCE",
        "CAST",
        "CEIL",
        "CONCATENATION",
        "CONV_2D",
        "COS",
        "CUMSUM",
        "DEPTHWISE_CONV_2D",
        "DEPTH_TO_SPACE",
        "DEQUANTIZE",
        "DIV",
        "DYNAMIC_UPDATE_SLICE",
        "ELU",
        "EMBEDDING_LOOKUP",
        "EQUAL",
        "EXP",
        "EXPAND_DIMS",
        "FILL",
        "FLOOR",
        "FLOOR_DIV",
        "FLOOR_MOD",
        "FULLY_CONNECTED",
        "GATHER",
        "GATHER_ND",
        "GREATER",
        "GREATER_EQUAL",
        "HARD_SWISH",
        "IF",
        "L2_NORMALIZATION",
        "L2_POOL_2D",
        "LEAKY_RELU",
        "LESS",
        "LESS_EQUAL",
        "LOG",
        "LOGICAL_AND",
        "LOGICAL_NOT",
        "LOGICAL_OR",
        "LOGISTIC",
        "LOG_SOFTMAX",
        "MAXIMUM",
        "MAX_POOL_2D",
        "MEAN",
        "MINIMUM",
        "MIRROR_PAD",
        "MUL",
        "NEG",
        "NOT_EQUAL",
        "PACK",
        "PAD",
        "PADV2",
        "PRELU",
        "QUANTIZE",
        "READ_VARIABLE",
        "REDUCE_ALL",
        "REDUCE_MAX",
        "REDUCE_MIN",
        "RELU",
        "RELU6",
        "RESHAPE",
        "RESIZE_BILINEAR",
        "RESIZE_NEAREST_NEIGHBOR",
        "REVERSE_V2",
        "ROUND",
        "RSQRT",
        "SELECT_V2",
        "SHAPE",
        "SIN",
        "SLICE",
        "SOFTMAX",
        "SPACE_TO_BATCH_ND",
        "SPACE_TO_DEPTH",
        "SPLIT",
        "SPLIT_V",
        "SQRT",
        "SQUARE",
        "SQUARED_DIFFERENCE",
        "SQUEEZE",
        "STRIDED_SLICE",
        "SUB",
        "SUM",
        "SVDF",
        "TANH",
        "TRANSPOSE",
        "TRANSPOSE_CONV",
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        "UNPACK",
        "VAR_HANDLE",
        "WHILE",
        "ZEROS_LIKE",
        "CIRCULAR_BUFFER",
        "SignalDelay",
        "SignalEnergy",
        "SignalFftAutoScale",
        "SignalFilterBank",
        "SignalFilterBankLog",
        "SignalFilterBankSpectralSubtraction",
        "SignalFilterBankSquareRoot",
        "SignalFramer",
        "SignalIrfft",
        "SignalOverlapAdd",
        "SignalPCAN",
        "SignalRfft",
        "SignalStacker",
        "SignalWindow",
        "TFLM_DECODE",
        "TFLite_Detection_PostProcess",
        "ethos-u",
    ];

    /// How often an operator is listed as taken, and how often as lacking.
    fn listed(name: &str) -> [usize; 2] {
        let taken = SUPPORTED.iter().chain(READ_AWAY.iter()).filter(|entry| entry.name == name).count();
        let lacking = LACKING.iter().filter(|row| LackingEntry::find([*row], name).is_some()).count();
        [taken, lacking]
    }

    #[test]
    fn every_operator_is_listed_once_as_taken_or_lacking() {
        for name in MICRO {
            assert!(matches!(listed(name), [1, 0] | [0, 1]), "{name}: {:?}", listed(name));
        }
        // The two are numbers for what is no operator by itself.
        let builtins = OPERATORS.iter().filter(|name| !matches!(**name, "CUSTOM" | "PLACEHOLDER_FOR_GREATER_OP_CODES"));
        for name in builtins {
            assert!(matches!(listed(name), [1, 0] | [0, 1]), "{name}: {:?}", listed(name));
        }
        for entry in SUPPORTED.iter().chain(READ_AWAY.iter()) {
            assert_eq!(listed(entry.name), [1, 0], "{}", entry.name);
        }
    }

    #[test]
    fn check_says_of_a_network_what_the_list_says() {
        for row in LACKING {
            let mut file = File::new();
            let y = file.activation("y", &[1, 4], FLOAT);
            file.outputs = vec![y];
            // The first builtin that the row stands for, else a custom operator.
            match OPERATORS.iter().position(|name| LackingEntry::find([row], name).is_some()) {
                Some(code) => file.foreign(code as i32, &[0], &[y], None),
                None => file.custom(row.name.replace('*', "Anything").leak(), &[0], &[y]),
            }
            let found = crate::check(&file.bytes()).expect("a sound file");
            let [found] = found.as_slice() else { panic!("{}: {found:?}", row.name) };
            assert_eq!(
                (&found.reason, &*found.hint, found.cause),
                (&row.reason(), row.hint, row.cause),
                "{}",
                row.name
            );
        }
    }

    #[test]
    fn each_row_says_why_and_what_to_do_in_few_words() {
        for row in LACKING {
            assert!(!row.why.is_empty() && row.why.chars().count() <= 80, "{}: {}", row.name, row.why);
            assert!(row.hint.len() > 10, "{}", row.name);
            assert_eq!(LackingEntry::find(LACKING, row.name).map(|found| found.name), Some(row.name));
        }
        for (name, _) in NOT_ALWAYS {
            assert_eq!(LackingEntry::find(LACKING, name), None, "{name}");
        }
    }
}
