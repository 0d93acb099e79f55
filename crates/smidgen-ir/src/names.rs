//! What functions without an integer form are called in the formats.

use smidgen_kernels::float::Function;

/// The names of a function of one float32: in TensorFlow Lite's schema, and in ONNX.
pub const fn names(function: Function) -> (&'static str, &'static str) {
    match function {
        Function::Sqrt => ("SQRT", "Sqrt"),
        Function::Round => ("ROUND", "Round"),
        Function::Floor => ("FLOOR", "Floor"),
        Function::Ceil => ("CEIL", "Ceil"),
    }
}

/// The function of this name in TensorFlow Lite's schema.
pub fn tflite_function(name: &str) -> Option<Function> {
    Function::ALL.iter().copied().find(|&function| names(function).0 == name)
}

/// The function of this name in ONNX.
pub fn onnx_function(name: &str) -> Option<Function> {
    Function::ALL.iter().copied().find(|&function| names(function).1 == name)
}
