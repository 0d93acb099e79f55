//! Recurrent layers: LSTM, GRU and the simple RNN.

use super::spec::{FLOAT, shaped};
use super::{Cell, Op, OpSpec, Traits, view};
use crate::cost::ReceptiveField;
use crate::infer::{Inferred, Role, ShapeError};
use crate::tensor::{DataType, ElementType, Quantisation, Shape, Tensor};
use crate::text::{Attributes, Given, ParseErrorKind, float};
use crate::validate::{FACTOR_LIMIT, INT8, OperatorError, Parameters, Rules, is_int8};
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
    /// Beside weights of int8, input and state are quantised with a zero point.
    pub asymmetric_quantize_inputs: bool,
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

/// Weights of int8, of which those of a gate have one scale.
fn gates_of_one_scale(rules: &Rules<'_>, layer: &RecurrentParams) -> Result<(), OperatorError> {
    rules.operator.inputs[1..3].iter().try_for_each(|&weights| {
        rules.expect(weights, "i8 with zero points 0 and one scale for each gate", |d| {
            let DataType::Quantised(ElementType::Int8, quantisation) = d else { return false };
            match quantisation {
                Quantisation::PerTensor { zero_point, .. } => *zero_point == 0,
                Quantisation::PerChannel { axis, scales, zero_points } => {
                    let units = (scales.len() / layer.cell.gates()).max(1);
                    let uniform = |gate: &[f32]| gate.iter().all(|scale| scale.to_bits() == gate[0].to_bits());
                    *axis == 0 && zero_points.iter().all(|&z| z == 0) && scales.chunks(units).all(uniform)
                }
            }
        })
    })
}

/// The types of a layer of floats but for its weights, which are int8: dynamic-range quantisation.
fn hybrid(rules: &Rules<'_>, layer: &RecurrentParams) -> Result<(), OperatorError> {
    gates_of_one_scale(rules, layer)?;
    let (inputs, outputs) = (&rules.operator.inputs, &rules.operator.outputs);
    let floats = [&inputs[..1], &inputs[3..], outputs].concat();
    floats.into_iter().try_for_each(|id| rules.expect(id, "f32, beside weights of i8", |d| *d == DataType::FLOAT32))
}

/// The types of an LSTM on int8: outputs of one type, memories of int16 whose scale is a power of two, and weights of
/// which those of a gate have one scale.
fn integers(rules: &Rules<'_>, layer: &RecurrentParams) -> Result<(), OperatorError> {
    let (inputs, outputs) = (&rules.operator.inputs, &rules.operator.outputs);
    rules.expect(inputs[0], INT8, is_int8)?;
    gates_of_one_scale(rules, layer)?;
    if inputs.len() < 6 {
        // Whose types are those of what is kept.
        return Err(ShapeError::InputCount { least: 6, most: 6, found: inputs.len() }.into());
    }
    rules.expect(inputs[3], "i32", |d| d.element() == ElementType::Int32)?;
    // The outputs that are there, by their places among all three.
    let written = outputs.iter().zip((0..3).filter(|&i| layer.outputs()[i]));
    let (memories, hidden): (Vec<_>, Vec<_>) = written.partition(|(_, i)| *i == 2);
    rules.expect(inputs[4], INT8, is_int8)?;
    rules.expect(inputs[5], MEMORY, |d| RecurrentParams::memory_bits(d).is_some())?;
    for (first, ids, of) in [(inputs[4], hidden, "the first output"), (inputs[5], memories, "the first memory")] {
        let kept = rules.tensor(first).dtype.clone();
        ids.iter().try_for_each(|(id, _)| rules.expect(**id, format!("{kept}, like {of}"), |d| *d == kept))?;
    }
    let gate = 1.0 / 4096.0;
    let largest = |id| match rules.tensor(id).dtype.quantisation() {
        Some(Quantisation::PerChannel { scales, .. }) => f64::from(scales.iter().copied().fold(0.0, f32::max)),
        _ => rules.scale(id),
    };
    let x = rules.scale(inputs[0]) * largest(inputs[1]) / gate;
    let of_state = rules.scale(inputs[4]);
    let state = of_state * largest(inputs[2]) / gate;
    let hidden = 1.0 / f64::from(1u32 << 30) / of_state;
    [x, state, hidden].into_iter().try_for_each(|factor| rules.limited(factor, outputs[0], FACTOR_LIMIT))
}

const MEMORY: &str = "i16 with zero point 0 and a scale of a power of two, 2^-15 to 2^-9";

impl RecurrentParams {
    /// The integer bits of the memory of an LSTM on int8, which is int16; `None` if it has another type than such a memory has.
    pub fn memory_bits(memory: &DataType) -> Option<u32> {
        let DataType::Quantised(ElementType::Int16, Quantisation::PerTensor { scale, zero_point: 0 }) = memory else {
            return None;
        };
        (0..=6).find(|&bits| *scale == (1u32 << bits) as f32 / 32768.0)
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
        let output = inputs[0].element();
        let kept = if output == ElementType::Int8 { ElementType::Int16 } else { output };
        let all = [(sequence, output), (state.clone(), output), (state, kept)];
        let asked = all.into_iter().zip(self.0.outputs()).filter(|(_, asked)| *asked);
        Ok(asked.map(|((shape, element), _)| Inferred { shape, element: Some(element) }).collect())
    }

    fn types(&self, rules: &Rules<'_>) -> Result<(), OperatorError> {
        rules.constant(1, "the weights of the inputs")?;
        rules.constant(2, "the weights of the state")?;
        rules.constant(3, "the bias")?;
        match (self.0.cell, rules.input(0).element(), rules.input(1).element()) {
            (Cell::Lstm, ElementType::Int8, _) => integers(rules, self.0),
            (Cell::Lstm | Cell::Tanh | Cell::Relu, ElementType::Float32, ElementType::Int8) => hybrid(rules, self.0),
            _ => rules.floats(),
        }
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
        out.flag("asymmetric_quantize_inputs", self.0.asymmetric_quantize_inputs);
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
            asymmetric_quantize_inputs: given.flag("asymmetric_quantize_inputs")?,
        })))
    }
}
