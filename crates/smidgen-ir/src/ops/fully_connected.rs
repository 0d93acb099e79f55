//! FULLY_CONNECTED.

use super::spec::{COMPUTES, named, one};
use super::{Activation, Op, OpSpec, Traits, Weights, view};
use crate::cost::ReceptiveField;
use crate::infer::{Inferred, Role, ShapeError, bias};
use crate::tensor::{Shape, Tensor};
use crate::text::{Attributes, Given, ParseErrorKind};
use crate::validate::{OperatorError, Rules};
use std::ops::RangeInclusive;

impl OpSpec for view::FullyConnected<'_> {
    fn name(&self) -> &'static str {
        "FULLY_CONNECTED"
    }

    fn traits(&self) -> Traits {
        let weights = Weights { axis: 0, int4: true, zero_point: true, hybrid: true };
        Traits { weights: Some(weights), ..COMPUTES }
    }

    fn inputs(&self) -> RangeInclusive<usize> {
        2..=3
    }

    fn activation(&self) -> Option<Activation> {
        Some(*self.activation)
    }

    fn infer(&self, inputs: &[&Tensor]) -> Result<Vec<Inferred>, ShapeError> {
        let (x, weights) = (inputs[0], inputs[1]);
        let &[o, k] = weights.shape.dims() else {
            return Err(ShapeError::Rank { role: Role::Weights, expected: 2, found: weights.shape.clone() });
        };
        if k == 0 {
            return Err(ShapeError::Zero { parameter: "the number of columns of the weights" });
        }
        bias(inputs, o)?;
        if *self.keep_num_dims {
            let mut shape = x.shape.clone();
            return match shape.0.last_mut() {
                Some(last) if *last == k => {
                    *last = o;
                    Ok(one(inputs, shape))
                }
                Some(&mut got) => {
                    let (role, axis) = (Role::Input(0), shape.rank() - 1);
                    Err(ShapeError::Dimension { role, axis, expected: k, got, found: shape })
                }
                None => Err(ShapeError::Axis { axis: 0, rank: 0 }),
            };
        }
        let elements =
            x.shape.checked_elements().ok_or(ShapeError::Overflow { what: "the number of input elements" })?;
        if elements % k != 0 {
            return Err(ShapeError::Elements { from: x.shape.clone(), to: Shape(vec![elements / k, k]) });
        }
        Ok(one(inputs, Shape(vec![elements / k, o])))
    }

    fn types(&self, rules: &Rules<'_>) -> Result<(), OperatorError> {
        rules.weighted()
    }

    fn positions<'a>(&self, _: &'a [usize], output: &'a [usize]) -> Option<&'a [usize]> {
        Some(&output[..output.len() - 1])
    }

    fn field(&self, _: ReceptiveField, _: &[&Shape], _: &Shape) -> ReceptiveField {
        ReceptiveField::Whole
    }

    fn attributes(&self, out: &mut Attributes) {
        out.flag("keep_num_dims", *self.keep_num_dims);
        out.flag("asymmetric_quantize_inputs", *self.asymmetric_quantize_inputs);
        out.activation(*self.activation);
    }

    fn parse(name: &str, given: &mut Given) -> Result<Option<Op>, ParseErrorKind> {
        named(name, "FULLY_CONNECTED", || {
            Ok(Op::FullyConnected {
                keep_num_dims: given.flag("keep_num_dims")?,
                asymmetric_quantize_inputs: given.flag("asymmetric_quantize_inputs")?,
                activation: given.activation()?,
            })
        })
    }
}
