//! Parameters of kernels as source text of Rust, for generated code.

use smidgen_kernels::convert::{Requantise, Rescale, Stored};
use smidgen_kernels::int8::mcu::Epilogue;
use smidgen_kernels::int8::{Reading, Reduce};
use smidgen_kernels::movement::Axis;
use smidgen_kernels::reference::{Binary, FullyConnected, Product, Sum};
use smidgen_kernels::requant::{Factor, SmallFactor};
use smidgen_kernels::{Rounding, View, Views, Window2d, float, int8, int16, plain, training};

/// An expression.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// Something without structure.
    Atom(String),
    /// Items between brackets.
    Group {
        /// What comes first, bracket included: `Name {`, `[`, `call(`.
        open: String,
        /// Field name (for structs) and expression.
        items: Vec<(Option<&'static str>, Value)>,
        /// The closing bracket.
        close: char,
    },
}

/// Something that prints itself.
pub fn atom(text: impl ToString) -> Value {
    Value::Atom(text.to_string())
}

/// `name { field: value, ... }`.
pub fn structure(name: &str, fields: Vec<(&'static str, Value)>) -> Value {
    let items = fields.into_iter().map(|(field, value)| (Some(field), value)).collect();
    Value::Group { open: format!("{name} {{"), items, close: '}' }
}

/// `function(value, ...)`.
pub fn invoke(function: &str, arguments: Vec<Value>) -> Value {
    list(format!("{function}("), arguments, ')')
}

/// `[value, ...]`.
pub fn array(items: impl IntoIterator<Item = Value>) -> Value {
    list("[".to_owned(), items.into_iter().collect(), ']')
}

/// `&[value, ...]`.
pub fn slice(items: impl IntoIterator<Item = Value>) -> Value {
    list("&[".to_owned(), items.into_iter().collect(), ']')
}

fn list(open: String, items: Vec<Value>, close: char) -> Value {
    Value::Group { open, items: items.into_iter().map(|v| (None, v)).collect(), close }
}

/// A parameter that generated code holds as a literal.
pub trait Literal {
    /// The type, as generated code names it.
    fn type_name() -> String;

    /// The value.
    fn source(&self) -> Value;
}

macro_rules! numbers {
    ($($number:ident)*) => { $(
        impl Literal for $number {
            fn type_name() -> String {
                stringify!($number).to_owned()
            }

            fn source(&self) -> Value {
                atom(self)
            }
        }
    )* };
}
numbers!(bool u8 i8 u16 i16 u32 i32 i64 usize isize);

impl Literal for f32 {
    fn type_name() -> String {
        "f32".to_owned()
    }

    /// Reads back to the same bits.
    fn source(&self) -> Value {
        if self.is_nan() {
            atom(format!("f32::from_bits({:#x})", self.to_bits()))
        } else if self.is_infinite() {
            atom(if *self > 0.0 { "f32::INFINITY" } else { "f32::NEG_INFINITY" })
        } else if *self == f32::MAX {
            atom("f32::MAX")
        } else if *self == f32::MIN {
            atom("f32::MIN")
        } else {
            atom(format!("{self:?}"))
        }
    }
}

impl<T: Literal, const N: usize> Literal for [T; N] {
    fn type_name() -> String {
        format!("[{}; {N}]", T::type_name())
    }

    fn source(&self) -> Value {
        array(self.iter().map(T::source))
    }
}

impl<T: Literal> Literal for &[T] {
    fn type_name() -> String {
        format!("&'static [{}]", T::type_name())
    }

    fn source(&self) -> Value {
        slice(self.iter().map(T::source))
    }
}

impl<A: Literal, B: Literal> Literal for (A, B) {
    fn type_name() -> String {
        format!("({}, {})", A::type_name(), B::type_name())
    }

    fn source(&self) -> Value {
        invoke("", vec![self.0.source(), self.1.source()])
    }
}

/// Structs with all their fields, under the names that generated code has for them.
macro_rules! structs {
    ($($name:literal $type:ty { $($field:ident),* })*) => { $(
        impl Literal for $type {
            fn type_name() -> String {
                $name.to_owned()
            }

            fn source(&self) -> Value {
                let Self { $($field),* } = self;
                structure($name, vec![$((stringify!($field), $field.source())),*])
            }
        }
    )* };
}

structs! {
    "View" View { base, row_stride, rows, x0, pixel_stride }
    "Views" Views { input, output }
    "Window2d" Window2d { input, output, size, stride, dilation, before }
    "Factor" Factor { multiplier, shift }
    "SmallFactor" SmallFactor { multiplier, shift }
    "int8::FullyConnected" FullyConnected { sizes, weight_zero }
    "int8::Int8" int8::Int8 { input_zero, output_zero, min, max, rounding }
    "int8::Offset" int8::Offset { weight_zero, quant }
    "int8::Sum" Sum<i8> { zeros, factors, output, output_zero, min, max, subtract, rounding }
    "int16::Sum" Sum<i16> { zeros, factors, output, output_zero, min, max, subtract, rounding }
    "int8::Product" Product<i8> { zeros, factor, output_zero, min, max, rounding }
    "int16::Product" Product<i16> { zeros, factor, output_zero, min, max, rounding }
    "int8::LogSoftmax" int8::LogSoftmax { factor, reverse, least }
    "int8::Quotient" int8::Quotient { zeros, factor, output_zero, min, max }
    "int8::SquaredDifference" int8::SquaredDifference { zeros, factors, output, output_zero, rounding }
    "plain::Take" plain::Take { sizes, slice, element, indices }
    "plain::Scaled" plain::Scaled { function, zeros, factors, rounding }
    "int8::Prelu" int8::Prelu { zeros, positive, negative, output_zero, rounding }
    "int8::TableSum" int8::TableSum { linear, negate, multiplier, shift, output_zero, min, max }
    "int8::Reduce" Reduce { zeros, factor, output_zero, reading, rounding }
    "int8::Scale" int8::Scale { input, output, step, start }
    "int8::fast::Conv2d" int8::fast::Conv2d { window, quant, scratch }
    "int8::fast::Depthwise" int8::fast::Depthwise { window, quant }
    "int8::fast::FullyConnected" int8::fast::FullyConnected { sizes, quant }
    "int8::mcu::Conv2d" int8::mcu::Conv2d { window, input_zero, epilogue }
    "int8::mcu::Depthwise" int8::mcu::Depthwise { window, input_zero, epilogue, rows }
    "int8::mcu::Epilogue" Epilogue { offset, shift, tie, low, unit, by_sign, extras, own_shifts }
    "int8::mcu::Terms" int8::mcu::Terms { weights, offset }
    "int8::mcu::Products" int8::mcu::Products { zeros, multiplier, offset, tie, min, max }
    "int16::Int16" int16::Int16 { min, max, multiplier }
    "int16::Terms" int16::Terms { linear, weight, other, output, min, max }
    "int16::Slopes" int16::Slopes { positive, negative, falls, min, max, rounding }
    "int16::Sigmoid" int16::Sigmoid { multiplier, shift, tanh }
    "int16::Softmax" int16::Softmax { factor, rounding }
    "int16::Reduce" int16::Reduce { factor, rounding }
    "int16::mcu::Windowed" int16::mcu::Windowed { window, clamp }
    "int16::mcu::Clamp" int16::mcu::Clamp { min, max }
    "float::Clamped" float::Clamped { function, clamp }
    "float::Hybrid" float::Hybrid { window, clamp, joint, scratch }
    "float::Clamp" float::Clamp { min, max }
    "float::Recurrent" float::Recurrent { cell, sizes, time_major, reverse, clip, initial, outputs }
    "int8::Lstm" int8::Lstm {
        sizes, time_major, reverse, initial, outputs, input, state, hidden, zero, memory_bits, clip, rounding
    }
    "float::Svdf" float::Svdf { sizes, clamp }
    "int8::Svdf" int8::Svdf { sizes, zeros, feature, output, rounding }
    "float::Scale" float::Scale { input, output, step, half_pixel_centers }
    "training::Conv2d" training::Conv2d { window, images, quant, selected }
    "training::Depthwise" training::Depthwise { window, images, quant }
    "training::Select" training::Select { pixels, channels, selected }
    "training::Head" training::Head { inputs, classes, zero, scale }
    "training::Cross" training::Cross { classes }
    "training::InputGradient" training::InputGradient { window, images, selected, narrow, shift, feed }
    "training::DepthwiseGradient" training::DepthwiseGradient { window, images, narrow, shift }
    "training::Spread" training::Spread { window, images, shift }
    "training::AxisMap" training::AxisMap { size, first, step, count, stride }
    "training::Rearrange" training::Rearrange { axes, start, from, to }
    "training::Resized" training::Resized { images, input, output, narrow, shift }
    "training::ProductGradient" training::ProductGradient { product, sizes, broadcast, second, shift }
    "training::Total" training::Total { factors, shift }
    "training::Step" training::Step { narrow, noise, salt, kept, held, collected }
    "training::WeightStep" training::WeightStep { window, images, channels, zero, step }
    "training::DepthwiseStep" training::DepthwiseStep { window, images, zero, step }
    "training::BiasStep" training::BiasStep { pixels, channels, step }
    "convert::Rescale" Rescale { from, to, zeros, up, factor }
    "convert::Requantise" Requantise { from, to, zeros, factor, rounding }
}

/// Enums whose variants have no fields: `Debug` gives the variant's name.
macro_rules! names {
    ($($name:literal $type:ty),* $(,)?) => { $(
        impl Literal for $type {
            fn type_name() -> String {
                $name.to_owned()
            }

            fn source(&self) -> Value {
                atom(format!("{}::{self:?}", $name))
            }
        }
    )* };
}

names!(
    "Rounding" Rounding,
    "Stored" Stored,
    "int8::Reading" Reading,
    "int16::Multiplier" int16::Multiplier,
    "float::Binary" float::Binary,
    "float::Function" float::Function,
    "float::Cell" float::Cell,
    "movement::Axis" Axis,
    "plain::Compare" plain::Compare,
    "training::Noise" training::Noise,
    "training::Feed" training::Feed,
);

macro_rules! binary {
    ($($name:literal $element:ty),*) => { $(
        impl Literal for Binary<$element> {
            fn type_name() -> String {
                $name.to_owned()
            }

            fn source(&self) -> Value {
                let with = |variant, value| invoke(&format!("{}::{variant}", $name), vec![value]);
                match self {
                    Self::Sum(sum) => with("Sum", sum.source()),
                    Self::Product(product) => with("Product", product.source()),
                    Self::Prelu(prelu) => with("Prelu", prelu.source()),
                    Self::Minimum | Self::Maximum => atom(format!("{}::{self:?}", $name)),
                }
            }
        }
    )* };
}
binary!("int8::Binary" i8, "int16::Binary" i16);

impl Literal for int8::Pair {
    fn type_name() -> String {
        "int8::Pair".to_owned()
    }

    fn source(&self) -> Value {
        let (variant, value) = match self {
            Self::Quotient(quotient) => ("Quotient", quotient.source()),
            Self::SquaredDifference(difference) => ("SquaredDifference", difference.source()),
        };
        invoke(&format!("int8::Pair::{variant}"), vec![value])
    }
}

impl Literal for float::Unary {
    fn type_name() -> String {
        "float::Unary".to_owned()
    }

    fn source(&self) -> Value {
        match self {
            Self::Clamp(clamp) => invoke("float::Unary::Clamp", vec![clamp.source()]),
            Self::LeakyRelu { alpha } => structure("float::Unary::LeakyRelu", vec![("alpha", alpha.source())]),
            Self::Function(function) => invoke("float::Unary::Function", vec![function.source()]),
            // All others have no parameters.
            function => atom(format!("float::Unary::{function:?}")),
        }
    }
}
