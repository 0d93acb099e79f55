//! What functions without an integer form are called in the formats.

use smidgen_kernels::float::Function;

/// The names of a function of one float32: in TensorFlow Lite's schema, and in ONNX, where one that has no such name or is read otherwise
/// has none.
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
    }
}

/// The function of this name in TensorFlow Lite's schema.
pub fn tflite_function(name: &str) -> Option<Function> {
    Function::ALL.iter().copied().find(|&function| names(function).0 == name)
}

/// The function of this name in ONNX.
pub fn onnx_function(name: &str) -> Option<Function> {
    Function::ALL.iter().copied().find(|&function| names(function).1 == Some(name))
}
