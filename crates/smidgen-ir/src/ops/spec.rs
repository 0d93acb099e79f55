//! What every operator's room says.

use super::{Activation, Op};
use crate::cost::ReceptiveField;
use crate::graph::Operator;
use crate::infer::{Inferred, Role, ShapeError};
use crate::tensor::{Shape, Tensor};
use crate::text::{Attributes, Given, ParseErrorKind};
use crate::validate::{OperatorError, Parameters, Rules};
use std::ops::RangeInclusive;

/// What holds of an operator whatever it is applied to: a column for each question that is asked of all operators.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Traits {
    /// It has a form for float32. What has none is of int8 alone, and the front ends give it on floats by other operators.
    pub float: bool,
    /// It has a form for int8.
    pub int8: bool,
    /// It has a form for int16. Of other operators TensorFlow Lite's reference kernels refuse int16, or give nonsense.
    /// What has this form has one for int8 as well.
    pub int16: bool,
    /// It has a form of its own for [networks of uint8](Operator::uint8): there TensorFlow Lite's kernels round
    /// otherwise, or take what those of int8 do not.
    pub uint8: bool,
    /// Its weights, which are input 1 and constant; `None` if it has none.
    pub weights: Option<Weights>,
    /// Where the values of its outputs come from.
    pub values: Values,
}

/// What an operator takes as weights.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Weights {
    /// The axis along which output channels lie.
    pub axis: usize,
    /// They may be int4 where the input is int8.
    pub int4: bool,
    /// They may have a zero point other than 0 where the input is int8 and they have one scale.
    pub zero_point: bool,
    /// They may be int8 where the input is float32: dynamic range quantisation.
    pub hybrid: bool,
}

/// Where the values of an operator's outputs come from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Values {
    /// Elements of the inputs, moved about and perhaps joined by a constant: any type, and outputs have exactly the
    /// first input's.
    Moved,
    /// Chosen among elements of the inputs: outputs have the first input's quantisation.
    Chosen,
    /// Between elements of the inputs: averaged or interpolated. Outputs have the first input's quantisation.
    Between,
    /// Computed: outputs have a type or quantisation of their own.
    Computed,
}

impl Values {
    /// True if outputs have exactly the first input's type and quantisation.
    pub fn keep_type(self) -> bool {
        self != Self::Computed
    }

    /// True if each element of an output is an element of an input, or a constant, as long as no activation clamps it.
    pub fn are_elements(self) -> bool {
        matches!(self, Self::Moved | Self::Chosen)
    }
}

/// An operator's room: all that the graph knows of one operator. What has an answer here without being asked for has a
/// test that every operator passes (`ops/tests.rs`).
pub(crate) trait OpSpec {
    /// Its name in TensorFlow Lite's schema.
    fn name(&self) -> &'static str;

    /// What holds of it whatever it is applied to.
    fn traits(&self) -> Traits;

    /// Fewest and most inputs.
    fn inputs(&self) -> RangeInclusive<usize>;

    /// The activation fused into its output; `None` if it has no place for one.
    fn activation(&self) -> Option<Activation> {
        None
    }

    /// Checks the ranges of parameters that [`OpSpec::infer`] does not bound.
    fn parameters(&self, _check: Parameters) -> Result<(), OperatorError> {
        Ok(())
    }

    /// Shape and type of each output for `inputs`, of which there are as many as [`OpSpec::inputs`] says.
    fn infer(&self, inputs: &[&Tensor]) -> Result<Vec<Inferred>, ShapeError>;

    /// Which types go together, which inputs are constant, and how far scales may lie apart.
    fn types(&self, rules: &Rules<'_>) -> Result<(), OperatorError>;

    /// The axes over which each weight is used again, by their sizes: of the output, or of the input; `None` without
    /// weights.
    fn positions<'a>(&self, _input: &'a [usize], _output: &'a [usize]) -> Option<&'a [usize]> {
        None
    }

    /// How many products of elements of two operands, neither of which is weights, an element of its output is the sum of; `None` if it is
    /// no such sum.
    fn products(&self, _input: &[usize]) -> Option<usize> {
        None
    }

    /// How often each element of both its weights (inputs 1 and 2) meets an element of its input or its state; `None`
    /// if it is not recurrent.
    fn steps(&self, _input: &[usize]) -> Option<usize> {
        None
    }

    /// What a pixel of its output sees, where a pixel of any of its inputs sees at most `seen`.
    fn field(&self, seen: ReceptiveField, inputs: &[&Shape], output: &Shape) -> ReceptiveField;

    /// True if its output, which has the type and shape of its first input `x`, is its first input.
    fn is_identity(&self, _operator: &Operator, _x: &Tensor) -> bool {
        false
    }

    /// True if it only moves dimensions of size 1 about, and is not an identity: then it is a RESHAPE.
    fn only_relabels(&self, _operator: &Operator, _x: &Shape) -> bool {
        false
    }

    /// Its attributes in the textual form, in the order in which they are printed.
    fn attributes(&self, _out: &mut Attributes) {}

    /// The operator of this name with these attributes; `None` if the name is another's.
    fn parse(name: &str, given: &mut Given) -> Result<Option<Op>, ParseErrorKind>
    where
        Self: Sized;
}

/// Traits of what computes in every type: int8, int16 and float32.
pub(super) const COMPUTES: Traits =
    Traits { float: true, int8: true, int16: true, uint8: false, weights: None, values: Values::Computed };
/// Traits of what computes in int8 and float32.
pub(super) const NARROW: Traits = Traits { int16: false, ..COMPUTES };
/// Traits of what computes in float32 alone.
pub(super) const FLOAT: Traits = Traits { int8: false, int16: false, ..COMPUTES };
/// Traits of what chooses among elements, in every type.
pub(super) const CHOOSES: Traits = Traits { values: Values::Chosen, ..COMPUTES };
/// Traits of what averages or interpolates elements, in every type.
pub(super) const AVERAGES: Traits = Traits { values: Values::Between, ..COMPUTES };
/// Traits of what moves elements.
pub(super) const MOVES: Traits = Traits { values: Values::Moved, ..COMPUTES };

/// One output of this shape and of the first input's type.
pub(super) fn one(inputs: &[&Tensor], shape: Shape) -> Vec<Inferred> {
    vec![Inferred { shape, element: Some(inputs[0].element()) }]
}

/// One output of the first input's shape and type.
pub(super) fn alike(inputs: &[&Tensor]) -> Vec<Inferred> {
    one(inputs, inputs[0].shape.clone())
}

/// Input `i` has exactly this shape.
pub(super) fn shaped(inputs: &[&Tensor], i: usize, expected: Shape) -> Result<(), ShapeError> {
    let found = &inputs[i].shape;
    match *found == expected {
        true => Ok(()),
        false => Err(ShapeError::Shape { role: Role::Input(i), expected, found: found.clone() }),
    }
}

/// `op` if `name` is its name, for operators that have one.
pub(super) fn named(
    name: &str,
    own: &str,
    op: impl FnOnce() -> Result<Op, ParseErrorKind>,
) -> Result<Option<Op>, ParseErrorKind> {
    if name == own { op().map(Some) } else { Ok(None) }
}

/// `seen` where rows and columns are still rows and columns, else everything.
pub(super) fn while_pixels(kept: bool, seen: ReceptiveField) -> ReceptiveField {
    if kept { seen } else { ReceptiveField::Whole }
}

/// A parameter that has one entry for each axis of `x`.
pub(super) fn entries(x: &Shape, parameter: &'static str, found: usize) -> Result<(), ShapeError> {
    if found == x.rank() {
        return Ok(());
    }
    Err(ShapeError::Entries { parameter, rank: x.rank(), found })
}

/// The size along an axis that the shape must have.
pub(super) fn axis_size(x: &Shape, axis: usize) -> Result<usize, ShapeError> {
    x.0.get(axis).copied().ok_or(ShapeError::Axis { axis, rank: x.rank() })
}

/// Declares an enumeration of kinds with the name that each has in TensorFlow Lite's schema.
macro_rules! kinds {
    ($(#[$doc:meta])* $kind:ident { $($(#[$variant_doc:meta])* $variant:ident = $name:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum $kind {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $kind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its name in TensorFlow Lite's schema.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The one of this name.
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|kind| kind.name() == name)
            }
        }
    };
}
pub(super) use kinds;
