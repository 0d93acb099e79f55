//! Operators and their attributes, to text and back.

use super::ParseErrorKind;
use super::value::{float, parse_float};
use crate::names::tflite_function;
use crate::op::*;
use std::collections::BTreeMap;
use std::fmt::Display;

/// The attributes of an operator, in the order in which they are printed.
pub(super) fn attributes(op: &Op) -> Vec<(&'static str, String)> {
    let mut out = Attributes(Vec::new());
    match op {
        Op::Conv2d(conv) => out.conv(conv),
        Op::DepthwiseConv2d { conv, multiplier } => {
            out.conv(conv);
            out.add("multiplier", multiplier);
        }
        Op::TransposeConv { stride, padding, output, activation } => {
            out.list("stride", stride);
            out.add("padding", padding_text(*padding));
            out.list("output", output);
            out.activation(*activation);
        }
        Op::FullyConnected { keep_num_dims, activation } => {
            out.flag("keep_num_dims", *keep_num_dims);
            out.activation(*activation);
        }
        Op::Binary { kind: _, activation } => out.activation(*activation),
        Op::Pool2d { kind: _, window, stride, padding, activation } => {
            out.list("window", window);
            out.list("stride", stride);
            out.add("padding", padding_text(*padding));
            out.activation(*activation);
        }
        Op::Reduce { kind: _, axes, keep_dims } => {
            out.list("axes", axes);
            out.flag("keep_dims", *keep_dims);
        }
        Op::Pad { pads, value } => {
            let pairs: Vec<String> = pads.iter().map(|p| list(p)).collect();
            out.list("pads", &pairs);
            match value {
                PadValue::Zero => {}
                PadValue::Integer(v) => out.add("value", v),
                PadValue::Float(v) => out.add("value", float(*v)),
            }
        }
        Op::Reshape { kind: _, shape } => out.list("shape", shape),
        Op::Transpose { perm } => out.list("perm", perm),
        Op::Concatenation { axis, activation } => {
            out.add("axis", axis);
            out.activation(*activation);
        }
        Op::Split { axis, parts } => {
            out.add("axis", axis);
            out.add("parts", parts);
        }
        Op::Pack { axis } | Op::Unpack { axis } | Op::ArgMax { axis } => out.add("axis", axis),
        Op::Slice { begin, size } => {
            out.list("begin", begin);
            out.list("size", size);
        }
        Op::StridedSlice { axes } => {
            let entries: Vec<String> = axes
                .iter()
                .map(|a| {
                    let shrink = if a.shrink { ", shrink" } else { "" };
                    format!("[{}, {}, {}{shrink}]", a.start, a.stride, a.len)
                })
                .collect();
            out.list("axes", &entries);
        }
        Op::Resize { kind: _, output, align_corners, half_pixel_centers } => {
            out.list("output", output);
            out.flag("align_corners", *align_corners);
            out.flag("half_pixel_centers", *half_pixel_centers);
        }
        Op::Softmax { beta } => out.add("beta", float(*beta)),
        Op::Unary(UnaryKind::LeakyRelu { alpha }) => out.add("alpha", float(*alpha)),
        Op::Unary(
            UnaryKind::Logistic
            | UnaryKind::Tanh
            | UnaryKind::Relu
            | UnaryKind::ReluN1To1
            | UnaryKind::Relu6
            | UnaryKind::HardSwish
            | UnaryKind::Exp
            | UnaryKind::Log
            | UnaryKind::Function(_),
        )
        | Op::Prelu
        | Op::Quantize
        | Op::Dequantize => {}
    }
    out.0
}

struct Attributes(Vec<(&'static str, String)>);

fn list(values: &[impl Display]) -> String {
    format!("[{}]", values.iter().map(|v| v.to_string()).collect::<Vec<_>>().join(", "))
}

fn padding_text(padding: Padding) -> String {
    match padding {
        Padding::Same => "same".into(),
        Padding::Valid => "valid".into(),
        Padding::Explicit { top, bottom, left, right } => list(&[top, bottom, left, right]),
    }
}

impl Attributes {
    fn add(&mut self, key: &'static str, value: impl Display) {
        self.0.push((key, value.to_string()));
    }

    fn list(&mut self, key: &'static str, values: &[impl Display]) {
        self.add(key, list(values));
    }

    fn flag(&mut self, key: &'static str, value: bool) {
        if value {
            self.add(key, true);
        }
    }

    fn activation(&mut self, activation: Activation) {
        match activation {
            Activation::None => {}
            Activation::Relu => self.add("activation", "relu"),
            Activation::ReluN1To1 => self.add("activation", "relu_n1_to_1"),
            Activation::Relu6 => self.add("activation", "relu6"),
        }
    }

    fn conv(&mut self, conv: &ConvParams) {
        self.list("stride", &conv.stride);
        if conv.dilation != [1, 1] {
            self.list("dilation", &conv.dilation);
        }
        self.add("padding", padding_text(conv.padding));
        self.activation(conv.activation);
    }
}

/// The value of an attribute as written.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Word(String),
    List(Vec<Value>),
}

impl Value {
    fn word(&self) -> Option<&str> {
        match self {
            Value::Word(w) => Some(w),
            Value::List(_) => None,
        }
    }

    fn entries(&self) -> Option<&[Value]> {
        match self {
            Value::Word(_) => None,
            Value::List(entries) => Some(entries),
        }
    }

    fn number(&self) -> Option<usize> {
        self.word()?.parse().ok()
    }

    fn numbers(&self) -> Option<Vec<usize>> {
        self.entries()?.iter().map(Value::number).collect()
    }

    fn pair(&self) -> Option<[usize; 2]> {
        self.numbers()?.try_into().ok()
    }
}

/// The attributes of one operator, taken out one by one.
pub(super) struct Given {
    pub operator: String,
    pub values: BTreeMap<String, Value>,
}

impl Given {
    fn take<T>(
        &mut self,
        key: &'static str,
        expected: &'static str,
        convert: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<T>, ParseErrorKind> {
        match self.values.remove(key) {
            None => Ok(None),
            Some(v) => match convert(&v) {
                Some(v) => Ok(Some(v)),
                None => Err(ParseErrorKind::Attribute { key: key.into(), expected }),
            },
        }
    }

    fn need<T>(
        &mut self,
        key: &'static str,
        expected: &'static str,
        convert: impl Fn(&Value) -> Option<T>,
    ) -> Result<T, ParseErrorKind> {
        let found = self.take(key, expected, convert)?;
        found.ok_or_else(|| ParseErrorKind::MissingAttribute { operator: self.operator.clone(), key })
    }

    fn number(&mut self, key: &'static str) -> Result<usize, ParseErrorKind> {
        self.need(key, "a number", Value::number)
    }

    fn numbers(&mut self, key: &'static str) -> Result<Vec<usize>, ParseErrorKind> {
        self.need(key, "a list of numbers", Value::numbers)
    }

    fn pair(&mut self, key: &'static str) -> Result<[usize; 2], ParseErrorKind> {
        self.need(key, "[height, width]", Value::pair)
    }

    fn float(&mut self, key: &'static str) -> Result<f32, ParseErrorKind> {
        self.need(key, "a float", |v| parse_float(v.word()?))
    }

    fn flag(&mut self, key: &'static str) -> Result<bool, ParseErrorKind> {
        Ok(self.take(key, "true or false", |v| v.word()?.parse().ok())?.unwrap_or(false))
    }

    fn activation(&mut self) -> Result<Activation, ParseErrorKind> {
        let convert = |v: &Value| match v.word()? {
            "none" => Some(Activation::None),
            "relu" => Some(Activation::Relu),
            "relu_n1_to_1" => Some(Activation::ReluN1To1),
            "relu6" => Some(Activation::Relu6),
            _ => None,
        };
        Ok(self.take("activation", "none, relu, relu_n1_to_1 or relu6", convert)?.unwrap_or_default())
    }

    fn padding(&mut self) -> Result<Padding, ParseErrorKind> {
        self.need("padding", "same, valid or [top, bottom, left, right]", |v| match v {
            Value::Word(w) => match w.as_str() {
                "same" => Some(Padding::Same),
                "valid" => Some(Padding::Valid),
                _ => None,
            },
            Value::List(_) => {
                let [top, bottom, left, right] = v.numbers()?.try_into().ok()?;
                Some(Padding::Explicit { top, bottom, left, right })
            }
        })
    }

    fn conv(&mut self) -> Result<ConvParams, ParseErrorKind> {
        Ok(ConvParams {
            stride: self.pair("stride")?,
            dilation: self.take("dilation", "[height, width]", Value::pair)?.unwrap_or([1, 1]),
            padding: self.padding()?,
            activation: self.activation()?,
        })
    }

    fn pads(&mut self) -> Result<Vec<[usize; 2]>, ParseErrorKind> {
        self.need("pads", "a list of [before, after]", |v| v.entries()?.iter().map(Value::pair).collect())
    }

    fn pool(&mut self, kind: PoolKind) -> Result<Op, ParseErrorKind> {
        let (window, stride) = (self.pair("window")?, self.pair("stride")?);
        Ok(Op::Pool2d { kind, window, stride, padding: self.padding()?, activation: self.activation()? })
    }

    fn reduce(&mut self, kind: ReduceKind) -> Result<Op, ParseErrorKind> {
        Ok(Op::Reduce { kind, axes: self.numbers("axes")?, keep_dims: self.flag("keep_dims")? })
    }

    fn resize(&mut self, kind: ResizeKind) -> Result<Op, ParseErrorKind> {
        let output = self.pair("output")?;
        let (align_corners, half_pixel_centers) = (self.flag("align_corners")?, self.flag("half_pixel_centers")?);
        Ok(Op::Resize { kind, output, align_corners, half_pixel_centers })
    }
}

fn axis_slice(value: &Value) -> Option<AxisSlice> {
    let (entries, shrink) = match value.entries()? {
        [rest @ .., last] if rest.len() == 3 && last.word() == Some("shrink") => (rest, true),
        entries => (entries, false),
    };
    let [start, stride, len] = entries else { return None };
    Some(AxisSlice { start: start.number()?, stride: stride.word()?.parse().ok()?, len: len.number()?, shrink })
}

/// The operator of this name with these attributes.
pub(super) fn build(mut given: Given) -> Result<Op, ParseErrorKind> {
    let g = &mut given;
    let name = g.operator.clone();
    let binary = |kind, g: &mut Given| Ok(Op::Binary { kind, activation: g.activation()? });
    let reshape = |kind, g: &mut Given| Ok(Op::Reshape { kind, shape: g.numbers("shape")? });
    let op = match name.as_str() {
        "CONV_2D" => Op::Conv2d(g.conv()?),
        "DEPTHWISE_CONV_2D" => Op::DepthwiseConv2d { conv: g.conv()?, multiplier: g.number("multiplier")? },
        "TRANSPOSE_CONV" => Op::TransposeConv {
            stride: g.pair("stride")?,
            padding: g.padding()?,
            output: g.pair("output")?,
            activation: g.activation()?,
        },
        "FULLY_CONNECTED" => {
            Op::FullyConnected { keep_num_dims: g.flag("keep_num_dims")?, activation: g.activation()? }
        }
        "ADD" => binary(BinaryKind::Add, g)?,
        "SUB" => binary(BinaryKind::Sub, g)?,
        "MUL" => binary(BinaryKind::Mul, g)?,
        "DIV" => binary(BinaryKind::Div, g)?,
        "MINIMUM" => binary(BinaryKind::Minimum, g)?,
        "MAXIMUM" => binary(BinaryKind::Maximum, g)?,
        "AVERAGE_POOL_2D" => g.pool(PoolKind::Average)?,
        "MAX_POOL_2D" => g.pool(PoolKind::Max)?,
        "MEAN" => g.reduce(ReduceKind::Mean)?,
        "SUM" => g.reduce(ReduceKind::Sum)?,
        "PAD" => Op::Pad { pads: g.pads()?, value: PadValue::Zero },
        "PADV2" => Op::Pad {
            pads: g.pads()?,
            value: g.need("value", "an integer or a float", |v| {
                let word = v.word()?;
                word.parse().ok().map(PadValue::Integer).or_else(|| parse_float(word).map(PadValue::Float))
            })?,
        },
        "RESHAPE" => reshape(ReshapeKind::Reshape, g)?,
        "SQUEEZE" => reshape(ReshapeKind::Squeeze, g)?,
        "EXPAND_DIMS" => reshape(ReshapeKind::ExpandDims, g)?,
        "TRANSPOSE" => Op::Transpose { perm: g.numbers("perm")? },
        "CONCATENATION" => Op::Concatenation { axis: g.number("axis")?, activation: g.activation()? },
        "SPLIT" => Op::Split { axis: g.number("axis")?, parts: g.number("parts")? },
        "PACK" => Op::Pack { axis: g.number("axis")? },
        "UNPACK" => Op::Unpack { axis: g.number("axis")? },
        "ARG_MAX" => Op::ArgMax { axis: g.number("axis")? },
        "SLICE" => Op::Slice { begin: g.numbers("begin")?, size: g.numbers("size")? },
        "STRIDED_SLICE" => Op::StridedSlice {
            axes: g.need("axes", "a list of [start, stride, len] or [start, stride, len, shrink]", |v| {
                v.entries()?.iter().map(axis_slice).collect()
            })?,
        },
        "RESIZE_NEAREST_NEIGHBOR" => g.resize(ResizeKind::Nearest)?,
        "RESIZE_BILINEAR" => g.resize(ResizeKind::Bilinear)?,
        "SOFTMAX" => Op::Softmax { beta: g.float("beta")? },
        "LOGISTIC" => Op::Unary(UnaryKind::Logistic),
        "TANH" => Op::Unary(UnaryKind::Tanh),
        "RELU" => Op::Unary(UnaryKind::Relu),
        "RELU_N1_TO_1" => Op::Unary(UnaryKind::ReluN1To1),
        "RELU6" => Op::Unary(UnaryKind::Relu6),
        "LEAKY_RELU" => Op::Unary(UnaryKind::LeakyRelu { alpha: g.float("alpha")? }),
        "HARD_SWISH" => Op::Unary(UnaryKind::HardSwish),
        "EXP" => Op::Unary(UnaryKind::Exp),
        "LOG" => Op::Unary(UnaryKind::Log),
        "PRELU" => Op::Prelu,
        "QUANTIZE" => Op::Quantize,
        "DEQUANTIZE" => Op::Dequantize,
        _ => match tflite_function(&name) {
            Some(function) => Op::Unary(UnaryKind::Function(function)),
            None => return Err(ParseErrorKind::UnknownOperator(name)),
        },
    };
    match given.values.into_keys().next() {
        Some(key) => Err(ParseErrorKind::UnknownAttribute { operator: given.operator, key }),
        None => Ok(op),
    }
}
