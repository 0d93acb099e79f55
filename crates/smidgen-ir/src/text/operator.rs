//! Operators and their attributes, to text and back.

use super::ParseErrorKind;
use super::value::parse_float;
use crate::ops::{Activation, Op, Padding};
use std::collections::BTreeMap;
use std::fmt::Display;

/// The attributes of an operator, in the order in which they are printed.
pub(super) fn attributes(op: &Op) -> Vec<(&'static str, String)> {
    let mut out = Attributes(Vec::new());
    op.spec(|spec| spec.attributes(&mut out));
    out.0
}

/// The operator of this name with these attributes.
pub(super) fn build(mut given: Given) -> Result<Op, ParseErrorKind> {
    let name = given.operator.clone();
    let op = Op::parse(&name, &mut given)?.ok_or(ParseErrorKind::UnknownOperator(name))?;
    match given.values.into_keys().next() {
        Some(key) => Err(ParseErrorKind::UnknownAttribute { operator: given.operator, key }),
        None => Ok(op),
    }
}

/// Attributes as they are printed.
pub(crate) struct Attributes(Vec<(&'static str, String)>);

/// Values in brackets.
pub(crate) fn list(values: &[impl Display]) -> String {
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
    pub(crate) fn add(&mut self, key: &'static str, value: impl Display) {
        self.0.push((key, value.to_string()));
    }

    pub(crate) fn list(&mut self, key: &'static str, values: &[impl Display]) {
        self.add(key, list(values));
    }

    pub(crate) fn flag(&mut self, key: &'static str, value: bool) {
        if value {
            self.add(key, true);
        }
    }

    pub(crate) fn activation(&mut self, activation: Activation) {
        match activation {
            Activation::None => {}
            Activation::Relu => self.add("activation", "relu"),
            Activation::ReluN1To1 => self.add("activation", "relu_n1_to_1"),
            Activation::Relu6 => self.add("activation", "relu6"),
        }
    }

    pub(crate) fn padding(&mut self, padding: Padding) {
        self.add("padding", padding_text(padding));
    }
}

/// The value of an attribute as written.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Word(String),
    List(Vec<Value>),
}

impl Value {
    pub(crate) fn word(&self) -> Option<&str> {
        match self {
            Value::Word(w) => Some(w),
            Value::List(_) => None,
        }
    }

    pub(crate) fn entries(&self) -> Option<&[Value]> {
        match self {
            Value::Word(_) => None,
            Value::List(entries) => Some(entries),
        }
    }

    pub(crate) fn number(&self) -> Option<usize> {
        self.word()?.parse().ok()
    }

    pub(crate) fn numbers(&self) -> Option<Vec<usize>> {
        self.entries()?.iter().map(Value::number).collect()
    }

    pub(crate) fn pair(&self) -> Option<[usize; 2]> {
        self.numbers()?.try_into().ok()
    }
}

/// The attributes of one operator, taken out one by one.
pub(crate) struct Given {
    pub(super) operator: String,
    pub(super) values: BTreeMap<String, Value>,
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

    pub(crate) fn need<T>(
        &mut self,
        key: &'static str,
        expected: &'static str,
        convert: impl Fn(&Value) -> Option<T>,
    ) -> Result<T, ParseErrorKind> {
        let found = self.take(key, expected, convert)?;
        found.ok_or_else(|| ParseErrorKind::MissingAttribute { operator: self.operator.clone(), key })
    }

    pub(crate) fn number(&mut self, key: &'static str) -> Result<usize, ParseErrorKind> {
        self.need(key, "a number", Value::number)
    }

    pub(crate) fn number_or(&mut self, key: &'static str, default: usize) -> Result<usize, ParseErrorKind> {
        Ok(self.take(key, "a number", Value::number)?.unwrap_or(default))
    }

    pub(crate) fn numbers(&mut self, key: &'static str) -> Result<Vec<usize>, ParseErrorKind> {
        self.need(key, "a list of numbers", Value::numbers)
    }

    pub(crate) fn pair(&mut self, key: &'static str) -> Result<[usize; 2], ParseErrorKind> {
        self.need(key, "[height, width]", Value::pair)
    }

    pub(crate) fn pair_or(&mut self, key: &'static str, default: [usize; 2]) -> Result<[usize; 2], ParseErrorKind> {
        Ok(self.take(key, "[height, width]", Value::pair)?.unwrap_or(default))
    }

    pub(crate) fn float(&mut self, key: &'static str) -> Result<f32, ParseErrorKind> {
        self.need(key, "a float", |v| parse_float(v.word()?))
    }

    pub(crate) fn float_or_none(&mut self, key: &'static str) -> Result<Option<f32>, ParseErrorKind> {
        self.take(key, "a float", |v| parse_float(v.word()?))
    }

    pub(crate) fn flag(&mut self, key: &'static str) -> Result<bool, ParseErrorKind> {
        Ok(self.take(key, "true or false", |v| v.word()?.parse().ok())?.unwrap_or(false))
    }

    pub(crate) fn activation(&mut self) -> Result<Activation, ParseErrorKind> {
        let convert = |v: &Value| match v.word()? {
            "none" => Some(Activation::None),
            "relu" => Some(Activation::Relu),
            "relu_n1_to_1" => Some(Activation::ReluN1To1),
            "relu6" => Some(Activation::Relu6),
            _ => None,
        };
        Ok(self.take("activation", "none, relu, relu_n1_to_1 or relu6", convert)?.unwrap_or_default())
    }

    pub(crate) fn padding(&mut self) -> Result<Padding, ParseErrorKind> {
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
}
