//! Calls of the element-wise kernels, of SOFTMAX and of conversions.

use crate::call::{Call, Site, factor, factors, real, rounding};
use crate::value::{Value, array, atom, call as invoke, numbers, slice, structure};
use smidgen_kernels::convert::{Requantise, Stored};
use smidgen_kernels::definition::Binary;
use smidgen_kernels::requant::SmallFactor;
use smidgen_kernels::{float, int8, int16};
use smidgen_plan::kernel::{Broadcast, Elementwise};

pub(super) fn call(s: &Site, kernel: &Elementwise) -> Call {
    let depth = s.depth();
    // From one input to the output, `depth` channels to a pixel.
    let map =
        |function, element: &str| s.output(s.input(s.call(function).arena(element), 0)).region().count("depth", depth);
    match kernel {
        Elementwise::TableI8 => s.table(map("int8::table", "i8"), "table", 0, "i8"),
        Elementwise::BinaryI8 { function, operands: [a, b] } => {
            let call = s.operand(s.call("int8::binary").arena("i8"), "a", 0, *a, "i8");
            let call = s.output(s.operand(call, "b", 1, *b, "i8")).region().count("depth", depth);
            call.by_reference("function", "int8::Binary", integers("int8", function))
        }
        Elementwise::SumI8 { sum, operands: [a, b] } => {
            let call = s.operand(s.call("int8::table_sum").arena("i8"), "a", 0, *a, "i8");
            let call = s.output(s.operand(call, "b", 1, *b, "i8")).region().count("depth", depth);
            s.table(call.by_reference("sum", "int8::TableSum", table_sum(sum)), "table", 0, "i32")
        }
        Elementwise::SumI8Device { terms, operands: [a, b] } => {
            let by_pixels = Elementwise::by_pixels(&[*a, *b]);
            let function = if by_pixels { "int8::device::sum_by_pixels" } else { "int8::device::sum" };
            let call = s.operand(s.call(function).arena("i8"), "a", 0, *a, "i8");
            let call = s.output(s.operand(call, "b", 1, *b, "i8")).region().count("depth", depth);
            call.by_reference("terms", "int8::device::Terms", sum_terms(terms))
        }
        Elementwise::ProductI8Device { products, operands: [a, b] } => {
            let by_pixels = Elementwise::by_pixels(&[*a, *b]);
            let function = if by_pixels { "int8::device::product_by_pixels" } else { "int8::device::product" };
            let call = s.operand(s.call(function).arena("i8"), "a", 0, *a, "i8");
            let call = s.output(s.operand(call, "b", 1, *b, "i8")).region().count("depth", depth);
            let fields = vec![
                ("zeros", array(products.zeros.map(atom))),
                ("multiplier", atom(products.multiplier)),
                ("offset", atom(products.offset)),
                ("tie", atom(products.tie)),
                ("min", atom(products.min)),
                ("max", atom(products.max)),
            ];
            call.by_reference("products", "int8::device::Products", structure("int8::device::Products", fields))
        }
        Elementwise::BinaryI16 { function, operands: [a, b] } => {
            let call = s.operand(s.call("int16::binary").arena("i16"), "a", 0, *a, "i16");
            let call = s.output(s.operand(call, "b", 1, *b, "i16")).region().count("depth", depth);
            call.by_reference("function", "int16::Binary", integers("int16", function))
        }
        Elementwise::SumI16 { terms, operands: [a, b] } => {
            let call = s.operand(s.call("int16::sum").arena("i16"), "a", 0, *a, "i16");
            let call = s.output(s.operand(call, "b", 1, *b, "i16")).region().count("depth", depth);
            let fields = vec![
                ("linear", atom(terms.linear)),
                ("weight", atom(terms.weight)),
                ("other", small_factor(terms.other)),
                ("output", small_factor(terms.output)),
                ("min", atom(terms.min)),
                ("max", atom(terms.max)),
            ];
            call.by_reference("terms", "int16::Terms", structure("int16::Terms", fields))
        }
        Elementwise::BinaryF32 { function, clamp, operands: [a, b] } => {
            let call = s.operand(s.call("float::binary").arena("f32"), "a", 0, *a, "f32");
            let call = s.output(s.operand(call, "b", 1, *b, "f32")).region().count("depth", depth);
            call.by_value("function", "float::Binary", binary_f32(*function)).clamp(*clamp)
        }
        Elementwise::BroadcastI8 { function, broadcast } => {
            let call = broadcasting(s, s.call("int8::broadcast").arena("i8"), "i8", broadcast);
            call.by_reference("function", "int8::Binary", integers("int8", function))
        }
        Elementwise::BroadcastI16 { function, broadcast } => {
            let call = broadcasting(s, s.call("int16::broadcast").arena("i16"), "i16", broadcast);
            call.by_reference("function", "int16::Binary", integers("int16", function))
        }
        Elementwise::BroadcastF32 { function, clamp, broadcast } => {
            let call = broadcasting(s, s.call("float::broadcast").arena("f32"), "f32", broadcast);
            call.by_value("function", "float::Binary", binary_f32(*function)).clamp(*clamp)
        }
        Elementwise::SlopesI16(how) => map("int16::slopes", "i16").by_reference("how", "int16::Slopes", slopes(how)),
        Elementwise::SigmoidI16(how) => {
            let call = map("int16::sigmoid", "i16").by_reference("how", "int16::Sigmoid", sigmoid(how));
            s.table(call, "table", 0, "u16")
        }
        Elementwise::SoftmaxI16(how) => {
            let fields = vec![("factor", factor(how.factor)), ("rounding", rounding(how.rounding))];
            let how = structure("int16::Softmax", fields);
            s.constant(map("int16::softmax", "i16").by_reference("how", "int16::Softmax", how), "tables", 0, "i16")
        }
        Elementwise::UnaryF32(function) => {
            map("float::unary", "f32").by_value("function", "float::Unary", unary(*function))
        }
        Elementwise::SoftmaxI8 => s.table(map("int8::softmax", "i8"), "exponentials", 0, "i32"),
        Elementwise::SoftmaxF32 { beta } => map("float::softmax", "f32").by_value("beta", "f32", real(*beta)),
        Elementwise::Quantise { to, scale, zero_point } => {
            let call = map("convert::quantize", "u8").by_value("to", "Stored", stored(*to));
            call.by_value("scale", "f32", real(*scale)).by_value("zero_point", "i32", atom(zero_point))
        }
        Elementwise::Dequantise { from, scale, zero_point } => {
            let call = map("convert::dequantize", "u8").by_value("from", "Stored", stored(*from));
            call.by_value("scale", "f32", real(*scale)).by_value("zero_point", "i32", atom(zero_point))
        }
        Elementwise::Rescale(how) => {
            let fields = vec![
                ("from", stored(how.from)),
                ("to", stored(how.to)),
                ("zeros", numbers(how.zeros)),
                ("up", atom(how.up)),
                ("factor", small_factor(how.factor)),
            ];
            let how = structure("convert::Rescale", fields);
            map("convert::rescale", "u8").by_reference("how", "convert::Rescale", how)
        }
        Elementwise::Requantise(how) => {
            map("convert::requantise", "u8").by_reference("how", "convert::Requantise", requantise(how))
        }
    }
}

fn broadcasting(s: &Site, call: Call, element: &str, broadcast: &Broadcast) -> Call {
    let call = s.whole(s.whole(call, "a", 0, element), "b", 1, element);
    let call = call.count("output", s.output_base(false));
    let dims = slice(broadcast.dims.iter().map(atom));
    let strides = array(broadcast.strides.iter().map(|axis| slice(axis.iter().map(atom))));
    call.by_value("dims", "&'static [usize]", dims).by_value("strides", "[&'static [isize]; 2]", strides)
}

/// A function of two integers, of a module for one width.
fn integers<T: ToString>(module: &str, function: &Binary<T>) -> Value {
    let named = |name: &str| format!("{module}::{name}");
    match function {
        Binary::Sum(s) => {
            let fields = vec![
                ("zeros", numbers(s.zeros)),
                ("factors", factors(s.factors)),
                ("output", factor(s.output)),
                ("output_zero", atom(s.output_zero)),
                ("min", atom(s.min.to_string())),
                ("max", atom(s.max.to_string())),
                ("subtract", atom(s.subtract)),
                ("rounding", rounding(s.rounding)),
            ];
            invoke(&named("Binary::Sum"), vec![structure(&named("Sum"), fields)])
        }
        Binary::Product(p) => {
            let fields = vec![
                ("zeros", numbers(p.zeros)),
                ("factor", factor(p.factor)),
                ("output_zero", atom(p.output_zero)),
                ("min", atom(p.min.to_string())),
                ("max", atom(p.max.to_string())),
                ("rounding", rounding(p.rounding)),
            ];
            invoke(&named("Binary::Product"), vec![structure(&named("Product"), fields)])
        }
        Binary::Prelu(p) => {
            let fields = vec![
                ("zeros", numbers(p.zeros)),
                ("positive", factor(p.positive)),
                ("negative", factor(p.negative)),
                ("output_zero", atom(p.output_zero)),
                ("rounding", rounding(p.rounding)),
            ];
            invoke(&named("Binary::Prelu"), vec![structure("int8::Prelu", fields)])
        }
        Binary::Minimum => atom(named("Binary::Minimum")),
        Binary::Maximum => atom(named("Binary::Maximum")),
    }
}

fn slopes(how: &int16::Slopes) -> Value {
    let fields = vec![
        ("positive", factor(how.positive)),
        ("negative", factor(how.negative)),
        ("falls", atom(how.falls)),
        ("min", atom(how.min)),
        ("max", atom(how.max)),
        ("rounding", rounding(how.rounding)),
    ];
    structure("int16::Slopes", fields)
}

fn sigmoid(how: &int16::Sigmoid) -> Value {
    let fields = vec![("multiplier", atom(how.multiplier)), ("shift", atom(how.shift)), ("tanh", atom(how.tanh))];
    structure("int16::Sigmoid", fields)
}

fn sum_terms(terms: &int8::device::Terms) -> Value {
    let fields = vec![("weights", numbers(terms.weights)), ("offset", atom(terms.offset))];
    structure("int8::device::Terms", fields)
}

fn table_sum(sum: &int8::TableSum) -> Value {
    structure(
        "int8::TableSum",
        vec![
            ("linear", atom(sum.linear)),
            ("negate", atom(sum.negate)),
            ("multiplier", atom(sum.multiplier)),
            ("shift", atom(sum.shift)),
            ("output_zero", atom(sum.output_zero)),
            ("min", atom(sum.min)),
            ("max", atom(sum.max)),
        ],
    )
}

fn binary_f32(function: float::Binary) -> Value {
    atom(match function {
        float::Binary::Add => "float::Binary::Add",
        float::Binary::Sub => "float::Binary::Sub",
        float::Binary::Mul => "float::Binary::Mul",
        float::Binary::Div => "float::Binary::Div",
        float::Binary::Minimum => "float::Binary::Minimum",
        float::Binary::Maximum => "float::Binary::Maximum",
        float::Binary::Prelu => "float::Binary::Prelu",
    })
}

fn unary(function: float::Unary) -> Value {
    match function {
        float::Unary::Logistic => atom("float::Unary::Logistic"),
        float::Unary::Tanh => atom("float::Unary::Tanh"),
        float::Unary::Clamp(clamp) => invoke("float::Unary::Clamp", vec![crate::call::clamp(clamp)]),
        float::Unary::LeakyRelu { alpha } => structure("float::Unary::LeakyRelu", vec![("alpha", real(alpha))]),
        float::Unary::HardSwish => atom("float::Unary::HardSwish"),
        float::Unary::Exp => atom("float::Unary::Exp"),
        float::Unary::Log => atom("float::Unary::Log"),
        float::Unary::Sqrt => atom("float::Unary::Sqrt"),
    }
}

pub(super) fn stored(stored: Stored) -> Value {
    atom(match stored {
        Stored::Int8 => "Stored::Int8",
        Stored::Int16 => "Stored::Int16",
        Stored::Int32 => "Stored::Int32",
        Stored::Int64 => "Stored::Int64",
        Stored::Float32 => "Stored::Float32",
    })
}

fn small_factor(f: SmallFactor) -> Value {
    structure("SmallFactor", vec![("multiplier", atom(f.multiplier)), ("shift", atom(f.shift))])
}

fn requantise(how: &Requantise) -> Value {
    structure(
        "convert::Requantise",
        vec![
            ("from", stored(how.from)),
            ("to", stored(how.to)),
            ("zeros", numbers(how.zeros)),
            ("factor", factor(how.factor)),
            ("rounding", rounding(how.rounding)),
        ],
    )
}
