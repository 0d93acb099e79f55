//! Update schemes: which tensors a step changes.

use crate::error::AdaptError;
use crate::lite_residual::LiteResidual;
use serde::{Deserialize, Serialize};

/// Which weights and biases are trained. The fields have the names of the published configurations (Lin et al. 2022); convolutions are
/// numbered from the input, from 0, the classifier not counted, which is always trained.
///
/// ```
/// let scheme: smidgen_adapt::Scheme = "n_bias_update = 4\nmanual_weight_idx = [2]\nweight_update_ratio = [0.5]".parse()?;
/// assert_eq!(scheme.weights(6)?, vec![None, None, Some(0.5), None, None, None]);
/// # Ok::<(), smidgen_adapt::AdaptError>(())
/// ```
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scheme {
    /// How many convolutions, the last ones, have their biases trained.
    pub n_bias_update: usize,
    /// Which have weights trained, in ascending order.
    pub manual_weight_idx: Vec<usize>,
    /// For each of these, the part of its input channels (of a depthwise convolution: all or none) whose weights are trained: 0 to 1.
    pub weight_update_ratio: Vec<f64>,
    /// Which channels are chosen.
    pub weight_select_criteria: Criterion,
    /// Steps are scaled by what a weight stands for (quantisation-aware scaling).
    pub quantisation_aware_scaling: bool,
    /// How steps are rounded to integers.
    pub rounding: Rounding,
    /// Learning rates that suit it, where it takes others than most: steps that are not scaled need much greater ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rates: Vec<f64>,
    /// Modules beside the network's blocks that are trained as a whole; in a file `true`, `false` or a table.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "LiteResidual::read")]
    pub lite_residual: Option<LiteResidual>,
}

/// The greatest learning rate: what a device takes has 7 bits before its point.
pub const MOST_RATE: f64 = 100.0;

/// How input channels are chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Criterion {
    /// Those whose weights have the greatest norm.
    #[default]
    #[serde(rename = "magnitude+")]
    Greatest,
    /// Those whose weights have the least.
    #[serde(rename = "magnitude-")]
    Least,
    /// The first.
    #[serde(rename = "first")]
    First,
}

/// How a step becomes an integer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rounding {
    /// Up or down by chance, such that the mean is right.
    #[default]
    Stochastic,
    /// To the nearest: steps below one half are lost.
    Nearest,
    /// To the nearest, and what is left is kept for the next step, in 8 bits beside each weight and bias.
    Kept8,
    /// The same in 16 bits.
    Kept16,
}

impl Default for Scheme {
    fn default() -> Self {
        Self {
            n_bias_update: 0,
            manual_weight_idx: Vec::new(),
            weight_update_ratio: Vec::new(),
            weight_select_criteria: Criterion::default(),
            quantisation_aware_scaling: true,
            rounding: Rounding::default(),
            rates: Vec::new(),
            lite_residual: None,
        }
    }
}

impl std::str::FromStr for Scheme {
    type Err = AdaptError;

    fn from_str(text: &str) -> Result<Self, AdaptError> {
        let scheme: Self = toml::from_str(text).map_err(|error| AdaptError::Scheme(error.message().to_owned()))?;
        scheme.check()?;
        Ok(scheme)
    }
}

impl Scheme {
    /// Only the classifier.
    pub fn last_layer() -> Self {
        Self::default()
    }

    /// The classifier and all biases of a network with so many convolutions.
    pub fn bias_only(convolutions: usize) -> Self {
        Self { n_bias_update: convolutions, ..Self::default() }
    }

    /// The classifier and lite residual modules beside all blocks.
    pub fn lite_residual() -> Self {
        Self { lite_residual: Some(LiteResidual::default()), ..Self::default() }
    }

    /// These and all biases (TinyTL) of a network with so many convolutions.
    pub fn tinytl(convolutions: usize) -> Self {
        Self { lite_residual: Some(LiteResidual::default()), ..Self::bias_only(convolutions) }
    }

    /// Everything.
    pub fn full(convolutions: usize) -> Self {
        Self {
            manual_weight_idx: (0..convolutions).collect(),
            weight_update_ratio: vec![1.0; convolutions],
            ..Self::bias_only(convolutions)
        }
    }

    fn check(&self) -> Result<(), AdaptError> {
        let fail = |text: String| Err(AdaptError::Scheme(text));
        let (indices, ratios) = (&self.manual_weight_idx, &self.weight_update_ratio);
        if indices.len() != ratios.len() {
            return fail(format!(
                "manual_weight_idx names {} convolutions and weight_update_ratio has {} parts; give one for each",
                indices.len(),
                ratios.len()
            ));
        }
        if indices.windows(2).any(|pair| pair[0] >= pair[1]) {
            return fail("manual_weight_idx must ascend, without repeats".into());
        }
        if let Some(ratio) = ratios.iter().find(|ratio| !(0.0..=1.0).contains(*ratio)) {
            return fail(format!("weight_update_ratio has {ratio}; a part is 0 to 1"));
        }
        if let Some(rate) = self.rates.iter().find(|rate| !(**rate > 0.0 && **rate <= MOST_RATE)) {
            return fail(format!("rates has {rate}; a learning rate is more than 0 and at most {MOST_RATE}"));
        }
        self.lite_residual.as_ref().map_or(Ok(()), LiteResidual::check)
    }

    /// For each convolution of a network that has so many, the part of its weights that is trained.
    ///
    /// # Errors
    /// If the scheme names a convolution that the network lacks.
    pub fn weights(&self, convolutions: usize) -> Result<Vec<Option<f64>>, AdaptError> {
        self.check()?;
        let mut parts = vec![None; convolutions];
        for (&index, &ratio) in self.manual_weight_idx.iter().zip(&self.weight_update_ratio) {
            let Some(part) = parts.get_mut(index) else {
                return Err(AdaptError::Scheme(format!(
                    "it names the weights of convolution {index}; the network has {convolutions}, numbered from 0, without its classifier"
                )));
            };
            *part = (ratio > 0.0).then_some(ratio);
        }
        if self.n_bias_update > convolutions {
            return Err(AdaptError::Scheme(format!(
                "n_bias_update is {}; the network has {convolutions} convolutions, without its classifier",
                self.n_bias_update
            )));
        }
        Ok(parts)
    }

    /// Whether the biases of a convolution are trained, of a network that has so many.
    pub fn trains_bias(&self, index: usize, convolutions: usize) -> bool {
        index + self.n_bias_update >= convolutions
    }
}
