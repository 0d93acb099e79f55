//! What functions without parameters are called in the formats.

use smidgen_kernels::float::Function;

/// The names of a function of one float32: in TensorFlow Lite's schema, or one like those there ([`in_tflite`]), and in ONNX, where one that
/// has no such name or is read otherwise has none.
pub const fn names(function: Function) -> (&'static str, Option<&'static str>) {
    match function {
        Function::Sqrt => ("SQRT", Some("Sqrt")),
        Function::Round => ("ROUND", Some("Round")),
        Function::Floor => ("FLOOR", Some("Floor")),
        Function::Ceil => ("CEIL", Some("Ceil")),
        Function::Abs => ("ABS", None),
        Function::Neg => ("NEG", None),
        Function::Square => ("SQUARE", None),
        Function::Rsqrt => ("RSQRT", None),
        Function::Sin => ("SIN", Some("Sin")),
        Function::Cos => ("COS", Some("Cos")),
        Function::Elu => ("ELU", None),
        Function::Sign => ("SIGN", Some("Sign")),
        Function::Tan => ("TAN", Some("Tan")),
        Function::Asin => ("ASIN", Some("Asin")),
        Function::Acos => ("ACOS", Some("Acos")),
        Function::Atan => ("ATAN", Some("Atan")),
        Function::Sinh => ("SINH", Some("Sinh")),
        Function::Cosh => ("COSH", Some("Cosh")),
        Function::Asinh => ("ASINH", Some("Asinh")),
        Function::Acosh => ("ACOSH", Some("Acosh")),
        Function::Atanh => ("ATANH", Some("Atanh")),
        Function::Erf => ("ERF", Some("Erf")),
        Function::Gelu => ("GELU", None),
        Function::GeluTanh => ("GELU_TANH", None),
        Function::Softplus => ("SOFTPLUS", Some("Softplus")),
    }
}

/// True if TensorFlow Lite's schema has an operator of the function's own name. The tanh form of GELU has none: it is GELU with an option.
pub const fn in_tflite(function: Function) -> bool {
    !matches!(
        function,
        Function::Tan
            | Function::Asin
            | Function::Acos
            | Function::Atan
            | Function::Sinh
            | Function::Cosh
            | Function::Asinh
            | Function::Acosh
            | Function::Atanh
            | Function::Erf
            | Function::GeluTanh
            | Function::Softplus
    )
}

/// The function of this name in TensorFlow Lite's schema, or of one like those there.
pub fn tflite_function(name: &str) -> Option<Function> {
    Function::ALL.iter().copied().find(|&function| names(function).0 == name)
}

/// The function of this name in ONNX.
pub fn onnx_function(name: &str) -> Option<Function> {
    Function::ALL.iter().copied().find(|&function| names(function).1 == Some(name))
}
