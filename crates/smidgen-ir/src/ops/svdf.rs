//! SVDF.

use super::spec::{FLOAT, named, shaped};
use super::{Activation, Op, OpSpec, Traits, view};
use crate::cost::ReceptiveField;
use crate::infer::{Inferred, Role, ShapeError};
use crate::tensor::{DataType, ElementType, Quantisation, Shape, Tensor};
use crate::text::{Attributes, Given, ParseErrorKind};
use crate::validate::{FACTOR_LIMIT, INT8, OperatorError, Rules, is_int8};
use std::ops::RangeInclusive;

/// Quantised with one scale around 0.
fn is_symmetric(dtype: &DataType, element: ElementType) -> bool {
    matches!(dtype, DataType::Quantised(e, Quantisation::PerTensor { zero_point: 0, .. }) if *e == element)
}

impl OpSpec for view::Svdf<'_> {
    fn name(&self) -> &'static str {
        "SVDF"
    }

    /// Networks that are quantised here leave it on floats.
    fn traits(&self) -> Traits {
        FLOAT
    }

    fn inputs(&self) -> RangeInclusive<usize> {
        4..=5
    }

    fn activation(&self) -> Option<Activation> {
        Some(*self.activation)
    }

    fn infer(&self, inputs: &[&Tensor]) -> Result<Vec<Inferred>, ShapeError> {
        for (i, x) in inputs.iter().enumerate().take(3) {
            if x.shape.rank() != 2 {
                return Err(ShapeError::Rank { role: Role::Input(i), expected: 2, found: x.shape.clone() });
            }
        }
        let dims = |i: usize| (inputs[i].shape.0[0], inputs[i].shape.0[1]);
        let ((batch, size), (filters, _), (_, memory)) = (dims(0), dims(1), dims(2));
        for (parameter, value) in [
            ("the rank", *self.rank),
            ("the number of sequences", batch),
            ("the number of inputs", size),
            ("the number of filters", filters),
            ("the number of steps that are remembered", memory),
        ] {
            if value == 0 {
                return Err(ShapeError::Zero { parameter });
            }
        }
        if filters % self.rank != 0 {
            return Err(ShapeError::Parts { axis: 0, size: filters, parts: filters / self.rank.min(&filters) });
        }
        let units = filters / self.rank;
        let kept = filters.checked_mul(memory).ok_or(ShapeError::Overflow { what: "the size of the state" })?;
        let state = Shape(vec![batch, kept]);
        shaped(inputs, 1, Shape(vec![filters, size]))?;
        shaped(inputs, 2, Shape(vec![filters, memory]))?;
        shaped(inputs, 3, state.clone())?;
        if inputs.len() > 4 {
            shaped(inputs, 4, Shape(vec![units]))?;
        }
        Ok(vec![
            Inferred { shape: Shape(vec![batch, units]), element: Some(inputs[0].element()) },
            Inferred { shape: state, element: Some(inputs[3].element()) },
        ])
    }

    fn types(&self, rules: &Rules<'_>) -> Result<(), OperatorError> {
        rules.constant(1, "the weights of the features")?;
        rules.constant(2, "the filters over time")?;
        rules.constant(4, "the bias")?;
        if rules.input(0).element() == ElementType::Float32 {
            return rules.floats();
        }
        let (inputs, outputs) = (&rules.operator.inputs, &rules.operator.outputs);
        let symmetric = |element| move |d: &DataType| is_symmetric(d, element);
        let [x, weights, time, state, y, next] = [inputs[0], inputs[1], inputs[2], inputs[3], outputs[0], outputs[1]];
        rules.expect(x, format!("f32, or {INT8}"), is_int8)?;
        rules.expect(weights, "i8 with one scale and zero point 0", symmetric(ElementType::Int8))?;
        rules.expect(time, "i16 with one scale and zero point 0", symmetric(ElementType::Int16))?;
        rules.expect(state, "i16 with one scale and zero point 0", symmetric(ElementType::Int16))?;
        if let Some(&bias) = inputs.get(4) {
            rules.expect(bias, "i32", |d| d.element() == ElementType::Int32)?;
        }
        let kept = rules.tensor(state).dtype.clone();
        rules.expect(next, format!("{kept}, like the state"), |d| *d == kept)?;
        match self.activation {
            Activation::None => rules.expect(y, INT8, is_int8)?,
            // What is below the zero point is then below int8.
            Activation::Relu => rules.expect(y, "i8 quantised per tensor with zero point -128, for RELU", |d| {
                is_int8(d) && d.quantisation().and_then(Quantisation::per_tensor).is_some_and(|(_, zero)| zero == -128)
            })?,
            Activation::ReluN1To1 | Activation::Relu6 => return Err(OperatorError::FusedActivation),
        }
        rules.factor(rules.scale(x) * rules.scale(weights), next, FACTOR_LIMIT)?;
        rules.factor(rules.scale(state) * rules.scale(time), y, FACTOR_LIMIT)
    }

    fn steps(&self, input: &[usize]) -> Option<usize> {
        input.first().copied()
    }

    fn field(&self, _: ReceptiveField, _: &[&Shape], _: &Shape) -> ReceptiveField {
        ReceptiveField::Whole
    }

    fn attributes(&self, out: &mut Attributes) {
        out.add("rank", self.rank);
        out.activation(*self.activation);
    }

    fn parse(name: &str, given: &mut Given) -> Result<Option<Op>, ParseErrorKind> {
        named(name, "SVDF", || Ok(Op::Svdf { rank: given.number("rank")?, activation: given.activation()? }))
    }
}
