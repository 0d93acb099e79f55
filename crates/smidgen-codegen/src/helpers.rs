//! Prints what turns real numbers into stored ones and back, and finds the greatest output.

use crate::ports::PortInfo;
use crate::source::Source;

/// The stored type's least and greatest number, if a port holds quantised integers of it.
fn stored(port: &PortInfo) -> Option<(i32, i32)> {
    port.quantisation?;
    match port.element {
        "i8" => Some((-128, 127)),
        "u8" => Some((0, 255)),
        "i16" => Some((-32768, 32767)),
        _ => None,
    }
}

/// True if real numbers can be stored as elements of this port.
pub(crate) fn is_quantised(port: &PortInfo) -> bool {
    stored(port).is_some()
}

/// True if a greatest element makes sense: a list of numbers, as classifiers have it.
pub(crate) fn is_list(port: &PortInfo) -> bool {
    port.elements > 1
        && port.shape.iter().filter(|&&n| n != 1).count() == 1
        && (matches!(port.element, "i8" | "i16" | "i32" | "f32") || is_quantised(port))
}

/// The functions for an input.
pub(crate) fn input(port: &PortInfo, out: &mut Source) {
    let Some((low, high)) = stored(port) else { return };
    let (of, upper) = (port.element, format!("INPUT{}", port.suffix));
    out.line("/// The number that the input stores for a real one: rounded to the nearest, ties away from zero, and clamped, as TensorFlow");
    out.line("/// Lite's QUANTIZE does. What is not a number counts as 0. On a core without a floating-point unit this brings in a division.");
    out.line(format!("pub fn quantise_input{}(value: f32) -> {of} {{", port.suffix));
    out.line(format!("    let steps = value / {upper}_SCALE;"));
    out.line(
        "    // The cast drops the fraction, saturates, and takes what is not a number to 0; the difference is exact.",
    );
    out.line("    let whole = steps as i32;");
    out.line("    let rest = steps - whole as f32;");
    out.line("    let rounded = whole.saturating_add((rest >= 0.5) as i32 - (rest <= -0.5) as i32);");
    out.line(format!("    rounded.saturating_add({upper}_ZERO_POINT).clamp({low}, {high}) as {of}"));
    out.line("}\n");
}

/// The functions for an output.
pub(crate) fn output(port: &PortInfo, out: &mut Source) {
    let (of, upper, camel) = (port.element, format!("OUTPUT{}", port.suffix), port.camel("Output"));
    if is_quantised(port) {
        out.line(
            "/// The real number that a stored one of the output stands for, as TensorFlow Lite's DEQUANTIZE gives it.",
        );
        out.line(format!("pub fn dequantise_output{}(stored: {of}) -> f32 {{", port.suffix));
        out.line(format!("    {upper}_SCALE * (stored as i32 - {upper}_ZERO_POINT) as f32"));
        out.line("}\n");
    }
    if is_list(port) {
        out.line("/// The index of the greatest number of the output, the first of equals: a classifier's class.");
        out.line(format!("pub fn argmax{}(output: &{camel}) -> usize {{", port.suffix));
        out.line("    let mut best = 0;");
        out.line("    let mut greatest = output[0];");
        out.line("    for (index, &value) in output.iter().enumerate() {");
        out.line("        if value > greatest {");
        out.line("            (best, greatest) = (index, value);");
        out.line("        }");
        out.line("    }");
        out.line("    best");
        out.line("}\n");
    }
}
