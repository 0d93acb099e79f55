//! One operator of the file as its decoder sees it: tensors, options, and the checks that most operators share.

use super::Wiring;
use super::cause::{Cause, HYBRID, NO_CONVERTER, SHAPES, UINT8};
use super::tensors::Source;
use crate::flat::{Fault, Field, Held, Record};
use crate::schema::operator;
use crate::support::{Builtin, options};
use smidgen_ir::front::quoted;
use smidgen_ir::{Activation, DataType, ElementType, Op, Padding, Quantisation};
use std::borrow::Cow;

/// Why an operator cannot be decoded.
pub(crate) enum Trouble {
    /// Its tables are damaged.
    Damaged(Fault),
    /// It contradicts itself or its tensors.
    Malformed(String),
    /// It asks for something that is not supported.
    Unsupported { reason: String, hint: Cow<'static, str>, cause: Option<&'static str> },
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Damaged(fault)
    }
}

/// `Trouble::Malformed` as an error.
pub(crate) fn malformed<T>(what: impl Into<String>) -> Result<T, Trouble> {
    Err(Trouble::Malformed(what.into()))
}

/// `Trouble::Unsupported` as an error.
pub(crate) fn unsupported<T>(reason: impl Into<String>, hint: &'static str) -> Result<T, Trouble> {
    Err(Trouble::Unsupported { reason: reason.into(), hint: hint.into(), cause: None })
}

/// `Trouble::Unsupported` as an error, for what shares a cause with others.
pub(crate) fn caused<T>(reason: impl Into<String>, cause: &Cause) -> Result<T, Trouble> {
    Err(Trouble::Unsupported { reason: reason.into(), hint: cause.hint.into(), cause: Some(cause.name) })
}

/// `Trouble::Unsupported` as an error, for what the reference runs although it makes no sense.
pub(crate) fn odd<T>(reason: impl Into<String>) -> Result<T, Trouble> {
    unsupported(reason, NO_CONVERTER)
}

/// An operator to decode.
pub(crate) struct Call<'a> {
    pub builtin: Builtin,
    /// Indices of the inputs in the file; `None` for an absent one.
    pub inputs: &'a [Option<usize>],
    /// Indices of the outputs in the file.
    pub outputs: &'a [usize],
    options: Option<Record<'a>>,
    tensors: &'a [Source],
    /// True if integer weights beside floats are taken, since they are made floats.
    float_weights: bool,
}

impl<'a> Call<'a> {
    pub(super) fn new(
        builtin: Builtin,
        wiring: &'a Wiring<'a>,
        tensors: &'a [Source],
        float_weights: bool,
    ) -> Result<Self, Trouble> {
        let tag = wiring.record.get(operator::builtin_options_type)?.unwrap_or(0);
        let expected = options(builtin);
        let options = match wiring.record.get(operator::builtin_options)? {
            Some(options) if tag == expected => Some(options),
            // Options that this operator does not have are as good as none; so are those with which no table comes.
            Some(_) if tag != 0 && expected != 0 => {
                return odd(format!("its options are of type {tag}, where {expected} is expected"));
            }
            _ => None,
        };
        Ok(Self { builtin, inputs: &wiring.inputs, outputs: &wiring.outputs, options, tensors, float_weights })
    }

    /// True if integer weights beside floats are made floats.
    pub(crate) fn makes_floats(&self) -> bool {
        self.float_weights
    }

    /// A field of the options, if it is there.
    pub(crate) fn option<T: Held>(&self, field: Field<T>) -> Result<Option<T::View<'a>>, Trouble> {
        Ok(match &self.options {
            Some(options) => options.get(field)?,
            None => None,
        })
    }

    /// An integer field of the options, or the schema's default.
    pub(crate) fn number(&self, field: Field<i32>, default: i32) -> Result<i32, Trouble> {
        Ok(self.option(field)?.unwrap_or(default))
    }

    /// A boolean field of the options, false if absent.
    pub(crate) fn flag(&self, field: Field<bool>) -> Result<bool, Trouble> {
        Ok(self.option(field)?.unwrap_or(false))
    }

    /// An integer field of the options that has to be at least 1.
    pub(crate) fn positive(&self, field: Field<i32>, default: i32, name: &str) -> Result<usize, Trouble> {
        match self.number(field, default)? {
            n @ 1.. => Ok(n as usize),
            n => odd(format!("its {name} is {n}; it must be at least 1")),
        }
    }

    /// Checks the number of inputs and outputs.
    pub(crate) fn arity(&self, inputs: std::ops::RangeInclusive<usize>, outputs: usize) -> Result<(), Trouble> {
        if !inputs.contains(&self.inputs.len()) {
            let (least, most) = (inputs.start(), inputs.end());
            let range = if least == most { least.to_string() } else { format!("{least} to {most}") };
            return malformed(format!("it has {} inputs, where {range} are expected", self.inputs.len()));
        }
        if self.outputs.len() != outputs {
            return malformed(format!("it has {} outputs, where {outputs} are expected", self.outputs.len()));
        }
        Ok(())
    }

    /// The index in the file of an input that must be there.
    pub(crate) fn index(&self, input: usize) -> Result<usize, Trouble> {
        match self.inputs.get(input) {
            Some(Some(index)) => Ok(*index),
            _ => malformed(format!("its input {input} is absent, which only a bias may be")),
        }
    }

    /// An input that must be there.
    pub(crate) fn input(&self, input: usize) -> Result<&'a Source, Trouble> {
        Ok(&self.tensors[self.index(input)?])
    }

    /// An output; the caller has checked that there are so many.
    pub(crate) fn output(&self, output: usize) -> &'a Source {
        &self.tensors[self.outputs[output]]
    }

    /// Checks that the element type of a data input is one that the support table lists.
    pub(crate) fn data(&self, input: usize) -> Result<&'a Source, Trouble> {
        let source = self.input(input)?;
        let row = self.builtin.row();
        let element = source.stored_element();
        // Without a scale nothing says what a kernel should make of it.
        let bare = source.element() == ElementType::Uint8 && self.builtin.computes();
        if element == ElementType::Uint8 && (bare || !row.types.contains(&element)) {
            let without = if bare { " without a scale" } else { "" };
            return caused(format!("{} does not take u8{without}", self.builtin.name()), &UINT8);
        }
        if !row.types.contains(&element) {
            let names: Vec<&str> = row.types.iter().map(|t| t.name()).collect();
            return Err(Trouble::Unsupported {
                reason: format!("{} does not take {element}", self.builtin.name()),
                hint: format!("supported are {}", names.join(", ")).into(),
                cause: None,
            });
        }
        Ok(source)
    }

    /// The integers of a constant that is a parameter, at most `most` of them.
    pub(crate) fn parameter(&self, input: usize, name: &str, most: usize) -> Result<Vec<i64>, Trouble> {
        let source = self.input(input)?;
        let Some(data) = &source.data else {
            return caused(format!("its {name} is computed at run time"), &SHAPES);
        };
        if !matches!(source.element(), ElementType::Int32 | ElementType::Int64) {
            return malformed(format!("its {name} is of type {}", source.element()));
        }
        if data.len() > most * 8 {
            return malformed(format!("its {name} has more than {most} elements"));
        }
        match source.integers() {
            Some(integers) if integers.len() <= most => Ok(integers),
            _ => malformed(format!("its {name} has more than {most} elements")),
        }
    }

    /// The one integer of a constant that is a parameter.
    pub(crate) fn scalar(&self, input: usize, name: &str) -> Result<i64, Trouble> {
        match self.parameter(input, name, 1)?.as_slice() {
            [value] => Ok(*value),
            _ => malformed(format!("its {name} is empty")),
        }
    }

    /// Checks that an input is a constant.
    pub(crate) fn constant(&self, input: usize, name: &str) -> Result<&'a Source, Trouble> {
        let source = self.input(input)?;
        if source.data.is_none() {
            return unsupported(
                format!("its {name} is computed at run time"),
                "only a constant is supported there: train or fix it before converting",
            );
        }
        Ok(source)
    }

    /// Indices of data, weights and bias of an operator from `x`, `weights` and (where given) `bias`, after the checks
    /// of [`Call::data`] and [`Call::constant`].
    pub(crate) fn weighted(&self, op: &Op, [x, weights, bias]: [usize; 3]) -> Result<Vec<usize>, Trouble> {
        let taken = op.traits().weights;
        let data = self.data(x)?;
        let input = data.element();
        let kernel_source = self.constant(weights, "weights")?;
        let kernel = kernel_source.element();
        let agree = match (input, kernel) {
            // Beside floats, weights are int8.
            (ElementType::Float32, _) if kernel_source.uint8.is_some() => false,
            (ElementType::Int8, ElementType::Int4) if taken.is_some_and(|taken| !taken.int4) => {
                return unsupported(
                    "its weights are i4",
                    "int4 weights are for CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED; quantise these to int8",
                );
            }
            (ElementType::Int8, ElementType::Int8 | ElementType::Int4) => true,
            (ElementType::Int16, kernel) => kernel == ElementType::Int8,
            (ElementType::Float32, ElementType::Int8 | ElementType::Int4)
                if self.float_weights && kernel_source.has_scales() =>
            {
                true
            }
            // Dynamic range quantisation: the reference quantises the input as it comes.
            (ElementType::Float32, ElementType::Int8 | ElementType::Int4)
                if let Some(taken) = taken.filter(|taken| taken.hybrid) =>
            {
                self.hybrid(kernel_source, taken.axis)?;
                true
            }
            (input, kernel) => input == kernel,
        };
        if !agree {
            let (input, kernel) = (data.stored_element(), kernel_source.stored_element());
            let without = if input == kernel { " without a scale" } else { "" };
            let reason = format!("its input is {input} but its weights are {kernel}{without}");
            return match (input, kernel) {
                (ElementType::Float32, ElementType::Int8 | ElementType::Int4 | ElementType::Int16) => {
                    caused(reason, &HYBRID)
                }
                _ => unsupported(reason, "quantise both activations and weights, or neither"),
            };
        }
        let mut used = vec![self.index(x)?, self.index(weights)?];
        if let Some(Some(index)) = self.inputs.get(bias) {
            self.constant(bias, "bias")?;
            used.push(*index);
        }
        Ok(used)
    }

    /// Checks weights of int8 or int4 beside floats, which the reference takes as integers with scales alone.
    fn hybrid(&self, weights: &Source, axis: usize) -> Result<(), Trouble> {
        let (name, element) = (quoted(&weights.name), weights.element());
        let quantisation = weights.dtype.as_ref().ok().and_then(DataType::quantisation);
        let (one_scale, zero_points) = match quantisation {
            Some(Quantisation::PerTensor { zero_point, .. }) => (true, std::slice::from_ref(zero_point)),
            Some(Quantisation::PerChannel { zero_points, .. }) => (false, zero_points.as_slice()),
            None => (false, &[][..]),
        };
        let beside = |what: String| caused(format!("its weights {name} are {element} beside float32, {what}"), &HYBRID);
        match quantisation {
            None => beside("without a scale".into()),
            Some(Quantisation::PerChannel { axis: along, .. }) if *along != axis => {
                beside(format!("with scales along axis {along}, where they must lie along axis {axis}"))
            }
            Some(_) if let Some(zero) = zero_points.iter().find(|&&zero| zero != 0) => {
                beside(format!("with a zero point of {zero}, where it must be 0"))
            }
            // The reference refuses both.
            Some(_) if self.builtin == Builtin::DepthwiseConv2d && element == ElementType::Int4 => {
                beside("where DEPTHWISE_CONV_2D takes i8".into())
            }
            Some(_) if self.builtin == Builtin::DepthwiseConv2d && one_scale && weights.shape.get(axis) != Some(&1) => {
                beside("with one scale, where DEPTHWISE_CONV_2D takes one for each channel".into())
            }
            Some(_) => Ok(()),
        }
    }

    /// The fused activation.
    pub(crate) fn activation(&self, field: Field<i8>) -> Result<Activation, Trouble> {
        match self.option(field)?.unwrap_or(0) {
            0 => Ok(Activation::None),
            1 => Ok(Activation::Relu),
            2 => Ok(Activation::ReluN1To1),
            3 => Ok(Activation::Relu6),
            other => unsupported(
                match other {
                    4 => "its fused activation is TANH".to_string(),
                    5 => "its fused activation is SIGN_BIT".to_string(),
                    _ => format!("its fused activation is number {other}"),
                },
                "fused activations are RELU, RELU_N1_TO_1 and RELU6; use a separate operator",
            ),
        }
    }

    /// SAME or VALID.
    pub(crate) fn padding(&self, field: Field<i8>) -> Result<Padding, Trouble> {
        match self.option(field)?.unwrap_or(0) {
            0 => Ok(Padding::Same),
            1 => Ok(Padding::Valid),
            other => malformed(format!("its padding is number {other}; 0 is SAME and 1 is VALID")),
        }
    }
}

/// An axis counted from the front: below `rank`, where the file may count it from the back.
pub(crate) fn axis(value: i64, rank: usize) -> Result<usize, Trouble> {
    let counted = if value < 0 { value.checked_add(rank as i64) } else { Some(value) };
    match counted.and_then(|axis| usize::try_from(axis).ok()).filter(|&axis| axis < rank) {
        Some(axis) => Ok(axis),
        None => malformed(format!("its axis {value} is out of range for {rank} dimensions")),
    }
}
