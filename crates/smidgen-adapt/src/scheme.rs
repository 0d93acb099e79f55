//! Update schemes: which tensors a step changes.

use crate::error::AdaptError;
use crate::lite_residual::LiteResidual;
use crate::memory::{ConvolutionSize, selected};
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
    /// What is made small.
    pub loss: Loss,
    /// Samples whose steps are collected before anything moves; up to 1, every sample moves it. A step of so many samples is the sum of theirs, so a
    /// learning rate suits any number of them.
    pub accumulate: u32,
    /// Learning rates that suit it, where it takes others than most: steps that are not scaled need much greater ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rates: Vec<f64>,
    /// Modules beside the network's blocks that are trained as a whole; in a file `true`, `false` or a table.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "LiteResidual::read")]
    pub lite_residual: Option<LiteResidual>,
}

/// The greatest learning rate: what a device takes has 7 bits before its point.
pub const MOST_RATE: f64 = smidgen_kernels::training::MOST_RATE as f64;

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

/// The loss.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Cross-entropy of the softmax of the logits.
    #[default]
    CrossEntropy,
    /// Mean squared error of the logits, with 1 wanted of the label's class and 0 of others.
    MeanSquaredError,
}

/// The most samples whose steps are collected: what is collected has room for as many.
pub const MOST_ACCUMULATED: u32 = 4096;

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
            loss: Loss::default(),
            accumulate: 1,
            rates: Vec::new(),
            lite_residual: None,
        }
    }
}

impl std::str::FromStr for Scheme {
    type Err = AdaptError;

    fn from_str(text: &str) -> Result<Self, AdaptError> {
        let scheme: Self = toml::from_str(text).map_err(|error| AdaptError::Scheme(told(text, &error)))?;
        scheme.check()?;
        Ok(scheme)
    }
}

/// What stands in the way of reading a scheme, with its place in the text.
fn told(text: &str, error: &toml::de::Error) -> String {
    // The reader's message names types as Rust does.
    const WORDS: [(&str, &str); 9] = [
        ("usize", "a whole number of at least 0"),
        ("u32", "a whole number of at least 0"),
        ("f64", "a number"),
        ("a sequence", "a list"),
        ("sequence", "list"),
        ("unknown field", "there is no field"),
        ("unknown variant", "there is no"),
        ("floating point", "the number"),
        ("integer", "the whole number"),
    ];
    let mut message = error.message().trim_end().replace('\n', "; ");
    for (technical, plain) in WORDS {
        message = message.replace(technical, plain);
    }
    let Some(before) = error.span().and_then(|span| text.get(..span.start)) else { return message };
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
    format!("line {line}, column {column}: {message}")
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
        if !(1..=MOST_ACCUMULATED).contains(&self.accumulate) {
            return fail(format!("accumulate is {}; it is 1 to {MOST_ACCUMULATED} samples", self.accumulate));
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

    /// What is trained otherwise than `weight_update_ratio` says, a sentence for each such convolution: a depthwise one is trained as a
    /// whole, and a part of less than one input channel is nothing.
    pub fn notes(&self, convolutions: &[ConvolutionSize]) -> Vec<String> {
        let note = |(&index, &ratio): (&usize, &f64)| {
            let size = convolutions.get(index)?;
            let channels = size.input[2];
            match size.depthwise {
                true if ratio > 0.0 && ratio < 1.0 => Some(format!(
                    "convolution {index} is depthwise, and a part of {ratio} of it is not trained but all of it: give it 1, or 0"
                )),
                false if ratio > 0.0 && selected(channels, ratio) == 0 => Some(format!(
                    "a part of {ratio} of the {channels} input channels of convolution {index} is less than one: its weights are \
                     not trained; the least part is {}",
                    1.0 / channels.max(1) as f64
                )),
                _ => None,
            }
        };
        self.manual_weight_idx.iter().zip(&self.weight_update_ratio).filter_map(note).collect()
    }

    /// Whether the biases of a convolution are trained, of a network that has so many.
    pub fn trains_bias(&self, index: usize, convolutions: usize) -> bool {
        index + self.n_bias_update >= convolutions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_told_with_its_place() {
        let told = |text: &str| text.parse::<Scheme>().unwrap_err().to_string();
        for (text, place, words) in [
            ("\n  n_bias_updates = 3", "line 2, column 3", "there is no field `n_bias_updates`"),
            ("n_bias_update = \"all\"", "line 1, column 17", "a whole number"),
            ("n_bias_update = -1", "line 1, column 17", "-1"),
            ("accumulate = \"8\"", "line 1, column 14", "a whole number"),
            ("rounding = \"up\"", "line 1, column 12", "`up`"),
            ("manual_weight_idx = 3", "line 1, column 21", "a list"),
            ("weight_update_ratio = [\"x\"]", "line 1, column 24", "a number"),
            ("n_bias_update = ", "line 1, column 17", ""),
        ] {
            let told = told(text);
            assert!(told.contains(place) && told.contains(words), "{text:?}: {told}");
            assert!(!told.contains("usize") && !told.contains("f64") && !told.contains('\n'), "{told}");
        }
    }

    #[test]
    fn parts_that_are_trained_otherwise_are_noted() {
        let size = |depthwise| ConvolutionSize { input: [4, 4, 8], output: [4, 4, 8], area: 1, depthwise };
        let notes = |index, ratio| {
            let scheme =
                Scheme { manual_weight_idx: vec![index], weight_update_ratio: vec![ratio], ..Scheme::default() };
            scheme.notes(&[size(false), size(true)])
        };
        assert!(notes(1, 0.5)[0].contains("convolution 1 is depthwise"));
        assert!(notes(0, 0.1)[0].contains("the least part is 0.125"));
        for (index, ratio) in [(0, 0.0), (0, 0.125), (0, 1.0), (1, 0.0), (1, 1.0)] {
            assert!(notes(index, ratio).is_empty(), "{index} {ratio}");
        }
    }
}
