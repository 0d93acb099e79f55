//! How a network is trained.

use crate::error::TrainError;
use crate::loss::Loss;
use crate::schedule::Schedule;
use crate::simd::Isa;

/// How parameters follow gradients.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Optimiser {
    /// Stochastic gradient descent with Nesterov's momentum; weight decay is added to the gradient.
    Sgd {
        /// Factor on the old momentum.
        momentum: f32,
    },
    /// Adam with decoupled weight decay.
    AdamW {
        /// Decay of the mean of gradients.
        beta1: f32,
        /// Decay of the mean of squares.
        beta2: f32,
        /// Added to the root of the mean of squares.
        epsilon: f32,
    },
}

impl Optimiser {
    /// AdamW with its authors' constants.
    pub const ADAM_W: Optimiser = Optimiser::AdamW { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
}

impl Default for Optimiser {
    fn default() -> Self {
        Self::Sgd { momentum: 0.9 }
    }
}

/// How a network is trained.
///
/// The results depend on all of these but `threads` and `isa`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Settings {
    /// Most samples of a step.
    pub batch: usize,
    /// Samples of a shard: so many go forward and backward together, and are normalised together ("ghost" batch
    /// normalisation). A step's last shard may have fewer.
    pub shard: usize,
    /// Threads that work on the shards of a step.
    pub threads: usize,
    /// The instruction set.
    pub isa: Isa,
    /// What is minimised.
    pub loss: Loss,
    /// How parameters follow gradients.
    pub optimiser: Optimiser,
    /// The greatest learning rate.
    pub rate: f32,
    /// How the learning rate goes over time.
    pub schedule: Schedule,
    /// Weight decay, on weights alone: not on biases, nor on the parameters of normalisations and rectifiers.
    pub decay: f32,
    /// The gradient is scaled down to this Euclidean norm if it is longer.
    pub clip: Option<f32>,
    /// An exponential moving average of the parameters is kept, with this decay.
    pub average: Option<f32>,
    /// Share of a step's means and variances in the running ones; the first steps are averaged.
    pub norm_share: f32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            batch: 128,
            shard: 16,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            isa: Isa::detect(),
            loss: Loss::default(),
            optimiser: Optimiser::default(),
            rate: 0.2,
            schedule: Schedule::default(),
            decay: 3e-4,
            clip: None,
            average: None,
            norm_share: 0.05,
        }
    }
}

impl Settings {
    /// Checks the ranges.
    pub(crate) fn check(&self) -> Result<(), TrainError> {
        let fail = |setting, value: f32, reason| Err(TrainError::Setting { setting, value: value.to_string(), reason });
        for (setting, value) in [("batch", self.batch), ("shard", self.shard), ("threads", self.threads)] {
            if value == 0 {
                return fail(setting, 0.0, "it must be at least 1");
            }
        }
        let decay = "it must be at least 0 and below 1";
        let share = |x: f32| (0.0..1.0).contains(&x);
        match self.optimiser {
            Optimiser::Sgd { momentum } if !share(momentum) => return fail("momentum", momentum, decay),
            Optimiser::AdamW { beta1, .. } if !share(beta1) => return fail("beta1", beta1, decay),
            Optimiser::AdamW { beta2, .. } if !share(beta2) => return fail("beta2", beta2, decay),
            Optimiser::AdamW { epsilon, .. } if !(epsilon > 0.0 && epsilon.is_finite()) => {
                return fail("epsilon", epsilon, "it must be positive");
            }
            _ => {}
        }
        for (setting, value) in [("the learning rate", self.rate), ("weight decay", self.decay)] {
            if !(value >= 0.0 && value.is_finite()) {
                return fail(setting, value, "it must be at least 0");
            }
        }
        match (self.clip, self.average) {
            (Some(norm), _) if norm.is_nan() || norm <= 0.0 => {
                return fail("the norm to clip to", norm, "it must be positive");
            }
            (_, Some(average)) if !share(average) => return fail("the average's decay", average, decay),
            _ => {}
        }
        if !(self.norm_share > 0.0 && self.norm_share <= 1.0) {
            return fail("the share of normalisations", self.norm_share, "it must be above 0 and at most 1");
        }
        self.schedule.check()?;
        self.loss.check()
    }
}
