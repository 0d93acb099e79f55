//! Training on the device: a network with a new classifier, and one iteration of training as a plan like any other.

pub mod budget;
pub mod contribution;
pub mod error;
pub mod evaluate;
pub mod find;
pub mod points;

use crate::error::Error;
use crate::network::Network;
use crate::planning::{Planned, Target};
use smidgen_adapt::{Scheme, TrainingStep};
use smidgen_codegen::Training;
use smidgen_lower::LowerOptions;
use smidgen_plan::planner::plan;

pub use error::SchemeError;

/// One iteration of training of a network, ready to be planned.
#[derive(Clone, Debug)]
pub struct Adaptation {
    /// Forward pass, gradients and updates.
    pub step: TrainingStep,
    /// What the caller sees: the sample, its label and the learning rate, and the logits and the loss.
    pub network: Network,
}

impl Network {
    /// Gives the network a classifier of so many classes in place of its own, and compiles an iteration of training of what the scheme names. The
    /// units of gradients are chosen by `samples` of the network's input, or by drawn ones where there are none.
    ///
    /// # Errors
    /// If the network has no classifier, the scheme does not suit it, or a gradient would have to pass an operator without one.
    pub fn adapt(
        &self,
        classes: usize,
        scheme: &Scheme,
        options: &LowerOptions,
        samples: &[Vec<i8>],
    ) -> Result<Adaptation, Error> {
        let step = smidgen_adapt::compile(self.graph(), classes, scheme, options, samples)?;
        let network = self.with_ports(step.graph.clone());
        Ok(Adaptation { step, network })
    }
}

impl Adaptation {
    /// Plans it for a target.
    ///
    /// # Errors
    /// If the schedule does not suit it.
    pub fn plan(&self, target: &Target) -> Result<Planned<'_>, Error> {
        let lowered = self.step.lowered.clone();
        let plan = plan(&lowered, &target.plan)?;
        let training = Some(Training { logits: self.step.logits, classes: self.step.classes });
        Ok(Planned { network: &self.network, target: target.clone(), lowered, plan, integer_ends: None, training })
    }
}
