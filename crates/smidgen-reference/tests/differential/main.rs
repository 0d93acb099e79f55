//! Differential tests against TensorFlow Lite's reference kernels: integer outputs must be byte-equal, floats equal to 1e-5
//! relative.
//!
//! - This file: random models of one operator, written by our writer, run by the reference and by our executor.
//! - [`foreign`]: models of one operator written by another writer, in forms that ours never writes.
//! - [`models`]: whole networks.
//!
//! To run those of one operator: `cargo xtask test conv_2d::int8`.

mod compare;
mod draw;
mod foreign;
mod generators;
mod harness;
mod models;
mod ours;

use draw::Numbers;

macro_rules! differential {
    ($($family:ident: $($operator:ident),+;)+) => {
        /// Those with a form for int8 and float32.
        const DRAWN: &[&str] = &[$($(stringify!($operator)),+),+];

        $($(mod $operator {
            use super::*;

            #[test]
            fn int8() {
                harness::run(stringify!($operator), Numbers::Int8, generators::$family::$operator);
            }

            #[test]
            fn float() {
                harness::run(stringify!($operator), Numbers::Float, generators::$family::$operator);
            }
        })+)+
    };
}

differential! {
    windowed: conv_2d, depthwise_conv_2d, transpose_conv, fully_connected, average_pool_2d, max_pool_2d,
        resize_nearest_neighbor, resize_bilinear, softmax;
    elementwise: add, sub, mul, minimum, maximum, mean, sum, reduce_max, reduce_min, logistic, tanh, relu, relu_n1_to_1, relu6, leaky_relu, prelu,
        hard_swish, exp, log, abs, gelu, sqrt, rsqrt, div, arg_max, quantize;
    movement: pad, padv2, reshape, squeeze, expand_dims, transpose, concatenation, split, pack, unpack, slice, strided_slice;
    recurrent: svdf, unidirectional_sequence_lstm;
    plain: batch_matmul, equal, not_equal, less, less_equal, greater, greater_equal, select_v2, gather;
}

/// A test of each operator with activations of one type, and a list of them.
macro_rules! drawn {
    ($numbers:ident: $($family:ident: $($operator:ident),+;)+) => {
        pub const DRAWN: &[&str] = &[$($(stringify!($operator)),+),+];

        $($(
            #[test]
            fn $operator() {
                harness::run(stringify!($operator), Numbers::$numbers, generators::$family::$operator);
            }
        )+)+
    };
}

/// Operators with a form for int16 activations, some with int8 weights.
mod int16 {
    use super::*;

    drawn! {
        Int16:
        windowed: conv_2d, depthwise_conv_2d, transpose_conv, fully_connected, average_pool_2d, max_pool_2d,
            resize_nearest_neighbor, resize_bilinear, softmax;
        elementwise: add, sub, mul, minimum, maximum, mean, reduce_max, reduce_min, logistic, tanh, relu, relu6, leaky_relu, exp, log, abs,
            rsqrt, quantize, dequantize;
        movement: pad, padv2, reshape, squeeze, expand_dims, transpose, concatenation, split, pack, unpack, slice,
            strided_slice;
        plain: select_v2, gather;
    }
}

/// Operators with a form for uint8.
mod uint8 {
    use super::*;

    drawn! {
        Uint8:
        windowed: conv_2d, depthwise_conv_2d, transpose_conv, fully_connected, average_pool_2d, max_pool_2d,
            resize_nearest_neighbor, resize_bilinear, softmax;
        elementwise: add, sub, mul, minimum, maximum, mean, sum, reduce_max, reduce_min, logistic, tanh, relu, relu_n1_to_1, relu6,
            leaky_relu, prelu, hard_swish, arg_max, quantize, dequantize;
        movement: pad, padv2, reshape, squeeze, expand_dims, transpose, concatenation, split, pack, unpack, slice,
            strided_slice;
        plain: gather;
    }

    #[test]
    fn networks() {
        harness::run("mobilenet", Numbers::Uint8, generators::network::mobilenet);
    }
}

/// An operator that is added and not drawn fails here.
#[test]
fn every_operator_of_the_table_is_drawn() {
    use smidgen_ir::ElementType::{Int8, Int16, Uint8};
    // Variables are for the tests of files, REVERSE_V2 is among the models of another writer, functions of floats and
    // what has integers on one side have tests of their own below.
    let elsewhere = [
        "ASSIGN_VARIABLE",
        "CALL_ONCE",
        "CAST",
        "READ_VARIABLE",
        "REVERSE_V2",
        "VAR_HANDLE",
        "DEQUANTIZE",
        "GELU",
        "L2_NORMALIZATION",
        "SQUARED_DIFFERENCE",
        "LOG_SOFTMAX",
    ];
    for entry in smidgen_tflite::SUPPORTED.iter().filter(|entry| !elsewhere.contains(&entry.name)) {
        let among = |drawn: &[&str]| drawn.iter().any(|name| name.to_uppercase() == entry.name);
        assert!(!entry.types.contains(&Int8) || among(DRAWN), "no random {} of int8 and float32", entry.name);
        assert!(!entry.types.contains(&Int16) || among(int16::DRAWN), "no random {} of int16", entry.name);
        assert!(!entry.types.contains(&Uint8) || among(uint8::DRAWN), "no random {} of uint8", entry.name);
    }
}

/// DEQUANTIZE has integers on one side only.
mod dequantize {
    use super::*;

    #[test]
    fn int8() {
        harness::run("dequantize", Numbers::Int8, generators::elementwise::dequantize);
    }
}

/// Scales as no network has them, and biases beyond what accumulators hold: the same bytes, or a refusal that says where.
mod absurd_scales {
    use super::*;

    macro_rules! absurd {
        ($numbers:ident: $($family:ident: $($operator:ident),+;)+) => {$($(
            #[test]
            fn $operator() {
                harness::run_absurd(stringify!($operator), Numbers::$numbers, generators::$family::$operator);
            }
        )+)+};
    }

    mod int8 {
        use super::*;

        absurd! {
            Int8:
            windowed: conv_2d, depthwise_conv_2d, transpose_conv, fully_connected, int4_weights, average_pool_2d,
                max_pool_2d, resize_nearest_neighbor, resize_bilinear, softmax;
            elementwise: add, sub, mul, minimum, maximum, mean, sum, reduce_max, reduce_min, logistic, tanh, relu, relu_n1_to_1, relu6, leaky_relu,
                prelu, hard_swish, exp, log, abs, gelu, squared_difference, arg_max, quantize, dequantize;
            movement: pad, padv2, concatenation, strided_slice;
            plain: batch_matmul;
        }
    }

    mod int16 {
        use super::*;

        absurd! {
            Int16:
            windowed: conv_2d, depthwise_conv_2d, transpose_conv, fully_connected, average_pool_2d, max_pool_2d,
                resize_nearest_neighbor, resize_bilinear, softmax;
            elementwise: add, sub, mul, minimum, maximum, mean, reduce_max, reduce_min, logistic, tanh, relu, relu6, leaky_relu, quantize, dequantize;
            movement: pad, padv2, concatenation, strided_slice;
        }
    }
}

/// GELU of integers. In tables of 16 bits the last bit of a function, which no two C libraries have alike, decides now and then.
mod gelu_by_tables {
    use super::*;

    #[test]
    fn int16() {
        harness::run_feeding_back("gelu", Numbers::Int16, generators::elementwise::gelu, 1.0);
    }

    /// On floats the tanh form is among the models of another writer.
    #[test]
    fn tanh_int8() {
        harness::run("gelu_tanh", Numbers::Int8, generators::elementwise::gelu_tanh);
    }

    #[test]
    fn tanh_int16() {
        harness::run_feeding_back("gelu_tanh", Numbers::Int16, generators::elementwise::gelu_tanh, 1.0);
    }
}

/// Operators of int8 alone: on floats others give what they compute.
mod of_bytes {
    use super::*;

    #[test]
    fn squared_difference() {
        harness::run("squared_difference", Numbers::Int8, generators::elementwise::squared_difference);
    }

    #[test]
    fn l2_normalization() {
        harness::run("l2_normalization", Numbers::Int8, generators::plain::l2_normalization);
    }

    #[test]
    fn log_softmax() {
        harness::run("log_softmax", Numbers::Int8, generators::plain::log_softmax);
    }
}

/// Operators without an integer form.
mod of_floats {
    use super::*;

    #[test]
    fn compare() {
        harness::run("compare", Numbers::Float, generators::plain::compare);
    }

    #[test]
    fn cast() {
        harness::run("cast", Numbers::Float, generators::plain::cast);
    }

    #[test]
    fn sqrt() {
        harness::run("functions", Numbers::Float, generators::elementwise::function);
    }
}

/// Layers that keep their state from sample to sample.
mod recurrent {
    use super::*;

    #[test]
    fn unidirectional_sequence_rnn() {
        harness::run("rnn", Numbers::Float, generators::recurrent::unidirectional_sequence_rnn);
    }
}

/// Sums that lie between two outputs.
mod round_scales {
    use super::*;

    #[test]
    fn fully_connected() {
        harness::run(
            "fully_connected_of_round_scales",
            Numbers::Int8,
            generators::windowed::fully_connected_of_round_scales,
        );
    }
}

/// Layers with int8 weights among floats.
mod dynamic_range {
    use super::*;

    #[test]
    fn conv_2d() {
        harness::run("conv_2d_dynamic_range", Numbers::Float, generators::windowed::conv_2d_dynamic_range);
    }

    #[test]
    fn depthwise_conv_2d() {
        harness::run(
            "depthwise_conv_2d_dynamic_range",
            Numbers::Float,
            generators::windowed::depthwise_conv_2d_dynamic_range,
        );
    }

    #[test]
    fn fully_connected() {
        harness::run(
            "fully_connected_dynamic_range",
            Numbers::Float,
            generators::windowed::fully_connected_dynamic_range,
        );
    }

    #[test]
    fn unidirectional_sequence_lstm() {
        harness::run_feeding_back(
            "unidirectional_sequence_lstm_dynamic_range",
            Numbers::Float,
            generators::recurrent::unidirectional_sequence_lstm_dynamic_range,
            0.01,
        );
    }

    #[test]
    fn unidirectional_sequence_rnn() {
        harness::run_feeding_back(
            "unidirectional_sequence_rnn_dynamic_range",
            Numbers::Float,
            generators::recurrent::unidirectional_sequence_rnn_dynamic_range,
            0.01,
        );
    }
}

/// Weights of half a byte.
mod int4_weights {
    use super::*;

    #[test]
    fn int8() {
        harness::run("int4_weights", Numbers::Int8, generators::windowed::int4_weights);
    }
}
