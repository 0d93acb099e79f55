//! The part of TensorFlow Lite's schema (version 3) that smidgen reads and writes: numbers of fields, and of the values of its
//! enumerations. Reading and writing share it, so that neither can drift from the other.

use crate::flat::{Field, Many, One, Str, Vector};

/// First four bytes after the root offset of every TensorFlow Lite file.
pub(crate) const IDENTIFIER: &str = "TFL3";
/// The schema's version, stored in each file.
pub(crate) const VERSION: u32 = 3;

macro_rules! tables {
    ($($(#[$doc:meta])* $module:ident $table:literal { $($(#[$when:meta])* $field:ident: $holds:ty = $id:literal,)* })*) => {$(
        $(#[$doc])*
        #[allow(non_upper_case_globals, unused_imports)] // named as in the schema
        pub(crate) mod $module {
            use super::*;
            $($(#[$when])* pub(crate) const $field: Field<$holds> = Field::new($table, stringify!($field), $id);)*
        }
    )*};
}

tables! {
    /// The root.
    model "Model" {
        version: u32 = 0,
        operator_codes: Many = 1,
        subgraphs: Many = 2,
        description: Str = 3,
        buffers: Many = 4,
        metadata: Many = 6,
    }
    /// What a file says besides: a name, and the buffer that holds it.
    metadata "Metadata" {
        name: Str = 0,
        buffer: u32 = 1,
    }
    /// Which operator, by its number or the name of a custom one.
    operator_code "OperatorCode" {
        deprecated_builtin_code: i8 = 0,
        custom_code: Str = 1,
        version: i32 = 2,
        builtin_code: i32 = 3,
    }
    /// Tensors and operators in execution order.
    subgraph "SubGraph" {
        tensors: Many = 0,
        inputs: Vector<i32> = 1,
        outputs: Vector<i32> = 2,
        operators: Many = 3,
        name: Str = 4,
    }
    /// A tensor.
    tensor "Tensor" {
        shape: Vector<i32> = 0,
        element: i8 = 1,
        buffer: u32 = 2,
        name: Str = 3,
        quantization: One = 4,
        is_variable: bool = 5,
        sparsity: One = 6,
        shape_signature: Vector<i32> = 7,
        external_buffer: u32 = 10,
    }
    /// A tensor's quantisation.
    quantization "QuantizationParameters" {
        scale: Vector<f32> = 2,
        zero_point: Vector<i64> = 3,
        details_type: u8 = 4,
        quantized_dimension: i32 = 6,
    }
    /// A constant's bytes: inside the FlatBuffer, or at an offset of the file behind it.
    buffer "Buffer" {
        data: Vector<u8> = 0,
        offset: u64 = 1,
        size: u64 = 2,
    }
    /// An operator.
    operator "Operator" {
        opcode_index: u32 = 0,
        inputs: Vector<i32> = 1,
        outputs: Vector<i32> = 2,
        builtin_options_type: u8 = 3,
        builtin_options: One = 4,
        intermediates: Vector<i32> = 8,
    }
    /// CALL_ONCE.
    call_once "CallOnceOptions" {
        init_subgraph_index: i32 = 0,
    }
    /// WHILE.
    while_options "WhileOptions" {
        cond_subgraph_index: i32 = 0,
        body_subgraph_index: i32 = 1,
    }
    /// IF.
    if_options "IfOptions" {
        then_subgraph_index: i32 = 0,
        else_subgraph_index: i32 = 1,
    }
    /// CALL.
    call "CallOptions" {
        subgraph: u32 = 0,
    }
    /// VAR_HANDLE.
    var_handle "VarHandleOptions" {
        container: Str = 0,
        shared_name: Str = 1,
    }
    /// CONV_2D.
    conv "Conv2DOptions" {
        padding: i8 = 0,
        stride_w: i32 = 1,
        stride_h: i32 = 2,
        activation: i8 = 3,
        dilation_w: i32 = 4,
        dilation_h: i32 = 5,
    }
    /// DEPTHWISE_CONV_2D.
    depthwise "DepthwiseConv2DOptions" {
        padding: i8 = 0,
        stride_w: i32 = 1,
        stride_h: i32 = 2,
        multiplier: i32 = 3,
        activation: i8 = 4,
        dilation_w: i32 = 5,
        dilation_h: i32 = 6,
    }
    /// TRANSPOSE_CONV.
    transpose_conv "TransposeConvOptions" {
        padding: i8 = 0,
        stride_w: i32 = 1,
        stride_h: i32 = 2,
        activation: i8 = 3,
    }
    /// FULLY_CONNECTED.
    fully_connected "FullyConnectedOptions" {
        activation: i8 = 0,
        weights_format: i8 = 1,
        keep_num_dims: bool = 2,
        asymmetric_quantize_inputs: bool = 3,
    }
    /// ADD, SUB and MUL, which agree in this field.
    arithmetic "AddOptions" {
        activation: i8 = 0,
        /// Of ADD and SUB alone.
        pot_scale_int16: bool = 1,
    }
    /// AVERAGE_POOL_2D and MAX_POOL_2D.
    pool "Pool2DOptions" {
        padding: i8 = 0,
        stride_w: i32 = 1,
        stride_h: i32 = 2,
        filter_w: i32 = 3,
        filter_h: i32 = 4,
        activation: i8 = 5,
    }
    /// MEAN and SUM.
    reducer "ReducerOptions" {
        keep_dims: bool = 0,
    }
    /// GATHER.
    gather "GatherOptions" {
        axis: i32 = 0,
        batch_dims: i32 = 1,
    }
    /// RESHAPE.
    reshape "ReshapeOptions" {
        new_shape: Vector<i32> = 0,
    }
    /// SQUEEZE.
    squeeze "SqueezeOptions" {
        squeeze_dims: Vector<i32> = 0,
    }
    /// CONCATENATION.
    concatenation "ConcatenationOptions" {
        axis: i32 = 0,
        activation: i8 = 1,
    }
    /// SPLIT.
    split "SplitOptions" {
        num_splits: i32 = 0,
    }
    /// PACK.
    pack "PackOptions" {
        values_count: i32 = 0,
        axis: i32 = 1,
    }
    /// UNPACK.
    unpack "UnpackOptions" {
        num: i32 = 0,
        axis: i32 = 1,
    }
    /// STRIDED_SLICE.
    strided_slice "StridedSliceOptions" {
        begin_mask: i32 = 0,
        end_mask: i32 = 1,
        ellipsis_mask: i32 = 2,
        new_axis_mask: i32 = 3,
        shrink_axis_mask: i32 = 4,
        end_is_offset: bool = 5,
    }
    /// RESIZE_BILINEAR, whose first two fields are retired.
    resize_bilinear "ResizeBilinearOptions" {
        align_corners: bool = 2,
        half_pixel_centers: bool = 3,
    }
    /// RESIZE_NEAREST_NEIGHBOR.
    resize_nearest "ResizeNearestNeighborOptions" {
        align_corners: bool = 0,
        half_pixel_centers: bool = 1,
    }
    /// UNIDIRECTIONAL_SEQUENCE_LSTM.
    sequence_lstm "UnidirectionalSequenceLSTMOptions" {
        activation: i8 = 0,
        cell_clip: f32 = 1,
        time_major: bool = 3,
        asymmetric_quantize_inputs: bool = 4,
    }
    /// UNIDIRECTIONAL_SEQUENCE_RNN.
    sequence_rnn "SequenceRNNOptions" {
        time_major: bool = 0,
        activation: i8 = 1,
        asymmetric_quantize_inputs: bool = 2,
    }
    /// SVDF.
    svdf "SVDFOptions" {
        rank: i32 = 0,
        activation: i8 = 1,
    }
    /// SOFTMAX.
    softmax "SoftmaxOptions" {
        beta: f32 = 0,
    }
    /// LEAKY_RELU.
    leaky_relu "LeakyReluOptions" {
        alpha: f32 = 0,
    }
    /// BATCH_MATMUL.
    batch_matmul "BatchMatMulOptions" {
        adj_x: bool = 0,
        adj_y: bool = 1,
    }
    /// GELU.
    gelu "GeluOptions" {
        approximate: bool = 0,
    }
    /// DEPTH_TO_SPACE and SPACE_TO_DEPTH, which agree in this field.
    block_size "DepthToSpaceOptions" {
        block_size: i32 = 0,
    }
    /// MIRROR_PAD.
    mirror_pad "MirrorPadOptions" {
        mode: i8 = 0,
    }
    /// L2_NORMALIZATION.
    l2_norm "L2NormOptions" {
        activation: i8 = 0,
    }
    /// ONE_HOT.
    one_hot "OneHotOptions" {
        axis: i32 = 0,
    }
    /// CUMSUM.
    cumsum "CumsumOptions" {
        exclusive: bool = 0,
        reverse: bool = 1,
    }
    /// ARG_MAX.
    arg_max "ArgMaxOptions" {
        output_type: i8 = 0,
    }
}

/// `BuiltinOperator.CUSTOM`: the operator is named by its custom code.
pub(crate) const CUSTOM: i32 = 32;

/// Names of the values of `TensorType`, for messages; the position is the value.
pub(crate) const TENSOR_TYPES: [&str; 23] = [
    "float32",
    "float16",
    "int32",
    "uint8",
    "int64",
    "string",
    "bool",
    "int16",
    "complex64",
    "int8",
    "float64",
    "complex128",
    "uint64",
    "resource",
    "variant",
    "uint32",
    "uint16",
    "int4",
    "bfloat16",
    "int2",
    "uint4",
    "float8_e4m3fn",
    "float8_e5m2",
];

/// Names of the values of `BuiltinOperator`, for messages; the position is the value.
pub(crate) const OPERATORS: [&str; 210] = [
    "ADD",
    "AVERAGE_POOL_2D",
    "CONCATENATION",
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "DEPTH_TO_SPACE",
    "DEQUANTIZE",
    "EMBEDDING_LOOKUP",
    "FLOOR",
    "FULLY_CONNECTED",
    "HASHTABLE_LOOKUP",
    "L2_NORMALIZATION",
    "L2_POOL_2D",
    "LOCAL_RESPONSE_NORMALIZATION",
    "LOGISTIC",
    "LSH_PROJECTION",
    "LSTM",
    "MAX_POOL_2D",
    "MUL",
    "RELU",
    "RELU_N1_TO_1",
    "RELU6",
    "RESHAPE",
    "RESIZE_BILINEAR",
    "RNN",
    "SOFTMAX",
    "SPACE_TO_DEPTH",
    "SVDF",
    "TANH",
    "CONCAT_EMBEDDINGS",
    "SKIP_GRAM",
    "CALL",
    "CUSTOM",
    "EMBEDDING_LOOKUP_SPARSE",
    "PAD",
    "UNIDIRECTIONAL_SEQUENCE_RNN",
    "GATHER",
    "BATCH_TO_SPACE_ND",
    "SPACE_TO_BATCH_ND",
    "TRANSPOSE",
    "MEAN",
    "SUB",
    "DIV",
    "SQUEEZE",
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
    "STRIDED_SLICE",
    "BIDIRECTIONAL_SEQUENCE_RNN",
    "EXP",
    "TOPK_V2",
    "SPLIT",
    "LOG_SOFTMAX",
    "DELEGATE",
    "BIDIRECTIONAL_SEQUENCE_LSTM",
    "CAST",
    "PRELU",
    "MAXIMUM",
    "ARG_MAX",
    "MINIMUM",
    "LESS",
    "NEG",
    "PADV2",
    "GREATER",
    "GREATER_EQUAL",
    "LESS_EQUAL",
    "SELECT",
    "SLICE",
    "SIN",
    "TRANSPOSE_CONV",
    "SPARSE_TO_DENSE",
    "TILE",
    "EXPAND_DIMS",
    "EQUAL",
    "NOT_EQUAL",
    "LOG",
    "SUM",
    "SQRT",
    "RSQRT",
    "SHAPE",
    "POW",
    "ARG_MIN",
    "FAKE_QUANT",
    "REDUCE_PROD",
    "REDUCE_MAX",
    "PACK",
    "LOGICAL_OR",
    "ONE_HOT",
    "LOGICAL_AND",
    "LOGICAL_NOT",
    "UNPACK",
    "REDUCE_MIN",
    "FLOOR_DIV",
    "REDUCE_ANY",
    "SQUARE",
    "ZEROS_LIKE",
    "FILL",
    "FLOOR_MOD",
    "RANGE",
    "RESIZE_NEAREST_NEIGHBOR",
    "LEAKY_RELU",
    "SQUARED_DIFFERENCE",
    "MIRROR_PAD",
    "ABS",
    "SPLIT_V",
    "UNIQUE",
    "CEIL",
    "REVERSE_V2",
    "ADD_N",
    "GATHER_ND",
    "COS",
    "WHERE",
    "RANK",
    "ELU",
    "REVERSE_SEQUENCE",
    "MATRIX_DIAG",
    "QUANTIZE",
    "MATRIX_SET_DIAG",
    "ROUND",
    "HARD_SWISH",
    "IF",
    "WHILE",
    "NON_MAX_SUPPRESSION_V4",
    "NON_MAX_SUPPRESSION_V5",
    "SCATTER_ND",
    "SELECT_V2",
    "DENSIFY",
    "SEGMENT_SUM",
    "BATCH_MATMUL",
    "PLACEHOLDER_FOR_GREATER_OP_CODES",
    "CUMSUM",
    "CALL_ONCE",
    "BROADCAST_TO",
    "RFFT2D",
    "CONV_3D",
    "IMAG",
    "REAL",
    "COMPLEX_ABS",
    "HASHTABLE",
    "HASHTABLE_FIND",
    "HASHTABLE_IMPORT",
    "HASHTABLE_SIZE",
    "REDUCE_ALL",
    "CONV_3D_TRANSPOSE",
    "VAR_HANDLE",
    "READ_VARIABLE",
    "ASSIGN_VARIABLE",
    "BROADCAST_ARGS",
    "RANDOM_STANDARD_NORMAL",
    "BUCKETIZE",
    "RANDOM_UNIFORM",
    "MULTINOMIAL",
    "GELU",
    "DYNAMIC_UPDATE_SLICE",
    "RELU_0_TO_1",
    "UNSORTED_SEGMENT_PROD",
    "UNSORTED_SEGMENT_MAX",
    "UNSORTED_SEGMENT_SUM",
    "ATAN2",
    "UNSORTED_SEGMENT_MIN",
    "SIGN",
    "BITCAST",
    "BITWISE_XOR",
    "RIGHT_SHIFT",
    "STABLEHLO_LOGISTIC",
    "STABLEHLO_ADD",
    "STABLEHLO_DIVIDE",
    "STABLEHLO_MULTIPLY",
    "STABLEHLO_MAXIMUM",
    "STABLEHLO_RESHAPE",
    "STABLEHLO_CLAMP",
    "STABLEHLO_CONCATENATE",
    "STABLEHLO_BROADCAST_IN_DIM",
    "STABLEHLO_CONVOLUTION",
    "STABLEHLO_SLICE",
    "STABLEHLO_CUSTOM_CALL",
    "STABLEHLO_REDUCE",
    "STABLEHLO_ABS",
    "STABLEHLO_AND",
    "STABLEHLO_COSINE",
    "STABLEHLO_EXPONENTIAL",
    "STABLEHLO_FLOOR",
    "STABLEHLO_LOG",
    "STABLEHLO_MINIMUM",
    "STABLEHLO_NEGATE",
    "STABLEHLO_OR",
    "STABLEHLO_POWER",
    "STABLEHLO_REMAINDER",
    "STABLEHLO_RSQRT",
    "STABLEHLO_SELECT",
    "STABLEHLO_SUBTRACT",
    "STABLEHLO_TANH",
    "STABLEHLO_SCATTER",
    "STABLEHLO_COMPARE",
    "STABLEHLO_CONVERT",
    "STABLEHLO_DYNAMIC_SLICE",
    "STABLEHLO_DYNAMIC_UPDATE_SLICE",
    "STABLEHLO_PAD",
    "STABLEHLO_IOTA",
    "STABLEHLO_DOT_GENERAL",
    "STABLEHLO_REDUCE_WINDOW",
    "STABLEHLO_SORT",
    "STABLEHLO_WHILE",
    "STABLEHLO_GATHER",
    "STABLEHLO_TRANSPOSE",
    "DILATE",
    "STABLEHLO_RNG_BIT_GENERATOR",
    "REDUCE_WINDOW",
    "STABLEHLO_COMPOSITE",
    "STABLEHLO_SHIFT_LEFT",
    "STABLEHLO_CBRT",
    "STABLEHLO_CASE",
];
