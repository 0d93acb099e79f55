//! What schemes take, by the planner or by the formula of the method's authors.

use super::find::Taken;
use crate::error::Error;
use crate::network::Network;
use crate::planning::Target;
use rayon::prelude::*;
use smidgen_adapt::memory::{ConvolutionSize, extra_bits};
use smidgen_adapt::{AdaptError, Features, Scheme, drawn};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// What a budget counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Counting {
    /// All SRAM of a planned training step but the stack:
    /// [`PlanReport::total_bytes`](smidgen_plan::PlanReport::total_bytes).
    Planned,
    /// What training keeps beside an inference, by the formula of Lin et al. 2022.
    Formula,
}

impl Counting {
    /// What is counted, for messages.
    pub fn what(self) -> &'static str {
        match self {
            Self::Planned => "the planned SRAM",
            Self::Formula => "what training keeps by the formula",
        }
    }
}

/// Biases, and weights with the bits of their ratios.
type Key = (usize, Vec<(usize, u64)>);

/// Says what schemes of a network take, each computed once.
#[derive(Debug)]
pub struct Gauge<'a> {
    network: &'a Network,
    classes: usize,
    target: Target,
    counting: Counting,
    features: Features,
    sizes: Vec<ConvolutionSize>,
    /// Memory does not depend on what gradients' units are: one sample is enough to compile.
    sample: Vec<Vec<i8>>,
    known: Mutex<HashMap<Key, Option<usize>>>,
    plans: AtomicUsize,
}

impl<'a> Gauge<'a> {
    /// For a network with so many classes.
    ///
    /// # Errors
    /// If the network has no classifier that can be replaced.
    pub fn new(network: &'a Network, classes: usize, target: Target, counting: Counting) -> Result<Self, Error> {
        let features = Features::of(network.graph())?;
        let (sizes, sample) = (features.sizes()?, drawn(&features, 1));
        let (known, plans) = Default::default();
        Ok(Self { network, classes, target, counting, features, sizes, sample, known, plans })
    }

    /// What is counted.
    pub fn counting(&self) -> Counting {
        self.counting
    }

    /// The network without its classifier.
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// Its convolutions.
    pub fn sizes(&self) -> &[ConvolutionSize] {
        &self.sizes
    }

    /// Plans that were made.
    pub fn plans(&self) -> usize {
        self.plans.load(Ordering::Relaxed)
    }

    /// What training keeps by the formula, in bytes.
    ///
    /// # Errors
    /// If the scheme does not suit the network.
    pub fn extra_bytes(&self, scheme: &Scheme) -> Result<usize, Error> {
        Ok(extra_bits(&self.sizes, self.features.count, scheme)?.div_ceil(8))
    }

    /// Whether gradients pass all operators that the scheme sends them through.
    ///
    /// # Errors
    /// If it cannot be compiled for another reason.
    pub fn has_gradients(&self, scheme: &Scheme) -> Result<bool, Error> {
        match self.network.adapt(self.classes, scheme, &self.target.lower, &self.sample) {
            Ok(_) => Ok(true),
            Err(Error::Adapt(AdaptError::NoGradient { .. })) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Bytes that a scheme takes; `None` if an operator has no gradient.
    ///
    /// # Errors
    /// If it cannot be compiled for another reason, or not be planned.
    pub fn taken(&self, scheme: &Scheme) -> Result<Option<usize>, Error> {
        if self.counting == Counting::Formula {
            return self.extra_bytes(scheme).map(Some);
        }
        let ratios = scheme.weight_update_ratio.iter().map(|ratio| ratio.to_bits());
        let key = (scheme.n_bias_update, scheme.manual_weight_idx.iter().copied().zip(ratios).collect());
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(&taken) = known().get(&key) {
            return Ok(taken);
        }
        let taken = match self.network.adapt(self.classes, scheme, &self.target.lower, &self.sample) {
            Ok(adaptation) => Some(adaptation.plan(&self.target)?.plan.report.total_bytes),
            Err(Error::Adapt(AdaptError::NoGradient { .. })) => None,
            Err(error) => return Err(error),
        };
        self.plans.fetch_add(1, Ordering::Relaxed);
        known().insert(key, taken);
        Ok(taken)
    }

    /// What a scheme takes, computed anew and with the units that its gradients are given where nothing else is said.
    ///
    /// # Errors
    /// As [`taken`](Self::taken), and if an operator has no gradient.
    pub fn confirmed(&self, scheme: &Scheme) -> Result<usize, Error> {
        let adaptation = self.network.adapt(self.classes, scheme, &self.target.lower, &[])?;
        match self.counting {
            Counting::Planned => Ok(adaptation.plan(&self.target)?.plan.report.total_bytes),
            Counting::Formula => self.extra_bytes(scheme),
        }
    }

    /// What several schemes [take](Self::taken), computed on all threads of the pool that this is called in. `done` is
    /// called after each.
    ///
    /// # Errors
    /// As [`taken`](Self::taken).
    pub fn all(&self, schemes: &[Scheme], done: &(dyn Fn() + Sync)) -> Taken {
        let one = |scheme: &Scheme| {
            let taken = self.taken(scheme);
            done();
            taken
        };
        schemes.par_iter().map(one).collect()
    }
}
