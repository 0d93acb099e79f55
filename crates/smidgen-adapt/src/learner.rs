//! Training on the host with the arithmetic of the device: the same kernels, bit for bit.
//!
//! What no training changes is computed once for each sample and kept: with a sparse scheme that is most of the network.

use crate::compile::TrainingStep;
use crate::error::AdaptError;
use crate::lists::drop_unused;
use smidgen_certify::certify;
use smidgen_exec::Executor;
use smidgen_ir::TensorId;
use smidgen_kernels::training::{LOGIT_BITS, RATE_BITS};
use smidgen_program::program::{BufferId, Lowered, Operand, Port, StepId};

/// A network that learns.
#[derive(Clone, Debug)]
pub struct Learner {
    /// What depends on the sample alone; `None` if that is nothing.
    frozen: Option<Executor>,
    /// Everything else. Its inputs are what the frozen part gives, then label and learning rate.
    changing: Executor,
    logits: StepId,
    /// Bytes of each thing that the frozen part gives.
    given: Vec<usize>,
}

/// What learns samples one by one: the integers of the device, or [floats](crate::Twin) beside them.
pub trait Learns: Clone + Send + Sync {
    /// Forgets everything that was learnt.
    fn reset(&mut self);

    /// What depends on a sample (stored int8) alone: what [`train`](Self::train) and [`predict`](Self::predict) take.
    ///
    /// # Errors
    /// If the sample has another size than the network's input.
    fn prepare(&mut self, sample: &[u8]) -> Result<Vec<u8>, AdaptError>;

    /// One iteration: learns a prepared sample's label, and gives the loss that there was before.
    ///
    /// # Errors
    /// If the sample was not prepared by this network.
    fn train(&mut self, prepared: &[u8], label: usize, rate: f64) -> Result<f64, AdaptError>;

    /// The logits of a prepared sample.
    ///
    /// # Errors
    /// As [`train`](Self::train).
    fn predict(&mut self, prepared: &[u8]) -> Result<Vec<f64>, AdaptError>;
}

/// A learning rate as the device takes it.
pub fn fixed_rate(rate: f64) -> i32 {
    (rate * f64::from(1u32 << RATE_BITS)).round().clamp(0.0, f64::from(i32::MAX)) as i32
}

impl Learner {
    /// A network before its first step.
    ///
    /// # Errors
    /// Only for a fault of smidgen's: what was compiled is not legal.
    pub fn new(step: &TrainingStep) -> Result<Self, AdaptError> {
        let internal = |error: String| AdaptError::Internal(error);
        let executor = |lowered: &Lowered| {
            let program = certify(smidgen_plan::layer_wise(lowered)).map_err(|error| internal(error.to_string()))?;
            Ok::<_, AdaptError>(Executor::new(program))
        };
        let Parts { frozen, changing, logits } = split(step);
        let given = (frozen.outputs.iter())
            .filter_map(|port| port.operand.buffer())
            .map(|id| frozen.buffers[id.index()].bytes())
            .collect();
        let frozen = if frozen.steps.is_empty() { None } else { Some(executor(&frozen)?) };
        Ok(Self { frozen, changing: executor(&changing)?, logits, given })
    }

    /// Everything that was learnt, as bytes.
    pub fn state(&self) -> &[u8] {
        self.changing.state()
    }

    /// Whether another network prepares samples alike, so that this one takes what that one has prepared.
    pub fn prepares_like(&self, other: &Self) -> bool {
        match (&self.frozen, &other.frozen) {
            (Some(own), Some(other)) => own.program() == other.program(),
            (None, None) => true,
            _ => false,
        }
    }

    fn give(&mut self, prepared: &[u8]) -> Result<usize, AdaptError> {
        let internal = |error: smidgen_exec::ExecError| AdaptError::Internal(error.to_string());
        if self.frozen.is_none() {
            self.changing.set_input(0, prepared).map_err(internal)?;
            return Ok(1);
        }
        let mut at = 0;
        for (i, &bytes) in self.given.iter().enumerate() {
            self.changing.set_input(i, &prepared[at..at + bytes]).map_err(internal)?;
            at += bytes;
        }
        Ok(self.given.len())
    }
}

impl Learns for Learner {
    fn reset(&mut self) {
        self.changing.reset();
    }

    fn prepare(&mut self, sample: &[u8]) -> Result<Vec<u8>, AdaptError> {
        let Some(frozen) = &mut self.frozen else { return Ok(sample.to_vec()) };
        frozen.set_input(0, sample).map_err(|error| AdaptError::Internal(error.to_string()))?;
        frozen.run();
        Ok((0..self.given.len()).flat_map(|i| frozen.output(i).iter().copied()).collect())
    }

    fn train(&mut self, prepared: &[u8], label: usize, rate: f64) -> Result<f64, AdaptError> {
        let internal = |error: smidgen_exec::ExecError| AdaptError::Internal(error.to_string());
        let next = self.give(prepared)?;
        self.changing.set_input(next, &(label as i32).to_le_bytes()).map_err(internal)?;
        self.changing.set_input(next + 1, &fixed_rate(rate).to_le_bytes()).map_err(internal)?;
        self.changing.run();
        let loss = self.changing.output(1).first_chunk().map_or(0, |&bytes| i32::from_le_bytes(bytes));
        Ok(f64::from(loss) / f64::from(1u32 << LOGIT_BITS))
    }

    fn predict(&mut self, prepared: &[u8]) -> Result<Vec<f64>, AdaptError> {
        self.give(prepared)?;
        self.changing.run_to(self.logits);
        let logits = self.changing.output(0).as_chunks::<4>().0.iter().map(|&bytes| i32::from_le_bytes(bytes));
        Ok(logits.map(|logit| f64::from(logit) / f64::from(1u32 << LOGIT_BITS)).collect())
    }
}

/// The steps of a [`TrainingStep`], by whether they depend on anything but the sample.
pub(crate) struct Parts {
    pub frozen: Lowered,
    pub changing: Lowered,
    /// The step that computes the logits, in the changing part.
    pub logits: StepId,
}

/// Splits the steps into those that depend on nothing but the sample, and the others.
pub(crate) fn split(step: &TrainingStep) -> Parts {
    let lowered = &step.lowered;
    let mut moves = vec![false; lowered.buffers.len()];
    for variable in &lowered.variables {
        moves[variable.value.index()] = true;
        moves[variable.next.index()] = true;
    }
    for port in lowered.inputs.iter().skip(1) {
        port.operand.buffer().into_iter().for_each(|id| moves[id.index()] = true);
    }
    let changes: Vec<bool> = (lowered.steps.iter())
        .map(|step| {
            let changes = step.inputs.iter().filter_map(|operand| operand.buffer()).any(|id| moves[id.index()]);
            if changes {
                step.outputs.iter().for_each(|target| moves[target.buffer.index()] = true);
            }
            changes
        })
        .collect();
    let part = |wanted: bool| {
        let steps = lowered.steps.iter().zip(&changes).filter(|&(_, &changes)| changes == wanted);
        steps.map(|(step, _)| step.clone()).collect::<Vec<_>>()
    };
    let (frozen_steps, changing_steps) = (part(false), part(true));
    // What crosses: read by what changes, written by what does not, or the sample itself.
    let mut crossing: Vec<BufferId> = Vec::new();
    for id in changing_steps.iter().flat_map(|step| &step.inputs).filter_map(|operand| operand.buffer()) {
        if !moves[id.index()] && !crossing.contains(&id) {
            crossing.push(id);
        }
    }
    let port = |&id: &BufferId| {
        let extent = lowered.buffers[id.index()].extent;
        Port { tensor: TensorId(0), operand: Operand::Buffer(id, extent) }
    };
    let ports: Vec<Port> = crossing.iter().map(port).collect();
    let mut frozen = Lowered {
        steps: frozen_steps,
        inputs: lowered.inputs[..1].to_vec(),
        outputs: ports.clone(),
        variables: Vec::new(),
        ..lowered.clone()
    };
    let mut inputs = ports;
    inputs.extend(lowered.inputs[1..].iter().cloned());
    let mut changing = Lowered { steps: changing_steps, inputs, ..lowered.clone() };
    drop_unused(&mut frozen);
    drop_unused(&mut changing);
    let before = changes[..step.logits.index()].iter().filter(|&&changes| changes).count();
    Parts { frozen, changing, logits: StepId(before as u32) }
}
