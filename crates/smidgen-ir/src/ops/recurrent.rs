//! Recurrent layers: LSTM, GRU and the simple RNN.

use super::spec::FLOAT;
use super::{Cell, Op, OpSpec, Traits, view};
use crate::cost::ReceptiveField;
use crate::infer::{Inferred, Role, ShapeError};
use crate::tensor::{ElementType, Shape, Tensor};
use crate::text::{Attributes, Given, ParseErrorKind, float};
use crate::validate::{OperatorError, Parameters, Rules};
use std::ops::RangeInclusive;

const LSTM: &str = "UNIDIRECTIONAL_SEQUENCE_LSTM";
const RNN: &str = "UNIDIRECTIONAL_SEQUENCE_RNN";
/// TensorFlow Lite's schema has none.
const GRU: &str = "GRU";

/// Parameters of a recurrent layer.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RecurrentParams {
    /// What a step computes.
    pub cell: Cell,
    /// Inputs and outputs are `[T,N,..]`, not `[N,T,..]`.
    pub time_major: bool,
    /// From the last step to the first.
    pub reverse: bool,
    /// The memory of an LSTM is kept between this with a minus and this.
    pub clip: Option<f32>,
    /// The outputs of all steps are an output.
    pub sequence: bool,
    /// The output of the last step is an output.
    pub last: bool,
    /// The memory of an LSTM after the last step is an output.
    pub memory: bool,
}

impl RecurrentParams {
    /// For each of the possible outputs, whether it is there.
    pub fn outputs(&self) -> [bool; 3] {
        [self.sequence, self.last, self.memory]
    }

    /// The places of [`RecurrentParams::outputs`].
    pub fn outputs_mut(&mut self) -> [&mut bool; 3] {
        [&mut self.sequence, &mut self.last, &mut self.memory]
    }

    /// Sequences, steps of each, inputs of a step, units, for these shapes of `x` and the weights of the state.
    ///
    /// # Panics
    /// If they have fewer dimensions than [`infer`](crate::infer()) lets pass.
    pub fn sizes(&self, x: &Shape, state: &Shape) -> [usize; 4] {
        let (a, b) = (x.0[0], x.0[1]);
        let [batch, steps] = if self.time_major { [b, a] } else { [a, b] };
        [batch, steps, x.0[2], state.0[1]]
    }
}

fn shaped(inputs: &[&Tensor], i: usize, expected: Shape) -> Result<(), ShapeError> {
    let found = &inputs[i].shape;
    match *found == expected {
        true => Ok(()),
        false => Err(ShapeError::Shape { role: Role::Input(i), expected, found: found.clone() }),
    }
}

impl OpSpec for view::Recurrent<'_> {
    fn name(&self) -> &'static str {
        match self.0.cell {
            Cell::Lstm => LSTM,
            Cell::Gru | Cell::GruResetAfter => GRU,
            Cell::Tanh | Cell::Relu => RNN,
        }
    }

    fn traits(&self) -> Traits {
        FLOAT
    }

    fn inputs(&self) -> RangeInclusive<usize> {
        4..=4 + self.0.cell.states()
    }

    fn parameters(&self, check: Parameters) -> Result<(), OperatorError> {
        let Some(clip) = self.0.clip else { return Ok(()) };
        check.finite("clip", clip)?;
        if clip <= 0.0 {
            return Err(OperatorError::NotPositive { parameter: "clip", found: clip });
        }
        Ok(())
    }

    fn infer(&self, inputs: &[&Tensor]) -> Result<Vec<Inferred>, ShapeError> {
        for (i, rank) in [3, 2, 2].into_iter().enumerate() {
            if inputs[i].shape.rank() != rank {
                let (role, found) = (Role::Input(i), inputs[i].shape.clone());
                return Err(ShapeError::Rank { role, expected: rank, found });
            }
        }
        let [batch, steps, size, units] = self.0.sizes(&inputs[0].shape, &inputs[2].shape);
        for (what, value) in [
            ("the number of sequences", batch),
            ("the number of steps", steps),
            ("the number of inputs", size),
            ("the number of units", units),
        ] {
            if value == 0 {
                return Err(ShapeError::Zero { parameter: what });
            }
        }
        let of = |count: usize| units.checked_mul(count).ok_or(ShapeError::Overflow { what: "the number of gates" });
        shaped(inputs, 1, Shape(vec![of(self.0.cell.gates())?, size]))?;
        shaped(inputs, 2, Shape(vec![of(self.0.cell.gates())?, units]))?;
        shaped(inputs, 3, Shape(vec![of(self.0.cell.biases())?]))?;
        // Both states of an LSTM, or none.
        if inputs.len() > 4 && inputs.len() != 4 + self.0.cell.states() {
            let most = 4 + self.0.cell.states();
            return Err(ShapeError::InputCount { least: 4, most, found: inputs.len() });
        }
        let state = Shape(vec![batch, units]);
        for i in 4..inputs.len() {
            shaped(inputs, i, state.clone())?;
        }
        let of_memory = self.0.memory || self.0.clip.is_some();
        if of_memory && self.0.cell != Cell::Lstm || self.0.outputs() == [false; 3] {
            return Err(ShapeError::Outputs);
        }
        let sequence = Shape(vec![inputs[0].shape.0[0], inputs[0].shape.0[1], units]);
        let shapes = [sequence, state.clone(), state];
        let asked = shapes.into_iter().zip(self.0.outputs()).filter(|(_, asked)| *asked);
        Ok(asked.map(|(shape, _)| Inferred { shape, element: Some(ElementType::Float32) }).collect())
    }

    fn types(&self, rules: &Rules<'_>) -> Result<(), OperatorError> {
        rules.floats()?;
        rules.constant(1, "the weights of the inputs")?;
        rules.constant(2, "the weights of the state")?;
        rules.constant(3, "the bias")
    }

    fn steps(&self, input: &[usize]) -> Option<usize> {
        input[0].checked_mul(input[1])
    }

    fn field(&self, _: ReceptiveField, _: &[&Shape], _: &Shape) -> ReceptiveField {
        ReceptiveField::Whole
    }

    fn attributes(&self, out: &mut Attributes) {
        out.flag("sequence", self.0.sequence);
        out.flag("last", self.0.last);
        out.flag("memory", self.0.memory);
        if let Some(clip) = self.0.clip {
            out.add("clip", float(clip));
        }
        out.flag("reverse", self.0.reverse);
        out.flag("time_major", self.0.time_major);
        out.flag("reset_after", self.0.cell == Cell::GruResetAfter);
        out.flag("relu", self.0.cell == Cell::Relu);
    }

    fn parse(name: &str, given: &mut Given) -> Result<Option<Op>, ParseErrorKind> {
        let cell = match name {
            LSTM => Cell::Lstm,
            GRU if given.flag("reset_after")? => Cell::GruResetAfter,
            GRU => Cell::Gru,
            RNN if given.flag("relu")? => Cell::Relu,
            RNN => Cell::Tanh,
            _ => return Ok(None),
        };
        Ok(Some(Op::Recurrent(RecurrentParams {
            cell,
            time_major: given.flag("time_major")?,
            reverse: given.flag("reverse")?,
            clip: given.float_or_none("clip")?,
            sequence: given.flag("sequence")?,
            last: given.flag("last")?,
            memory: given.flag("memory")?,
        })))
    }
}
