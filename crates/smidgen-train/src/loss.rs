//! Softmax cross-entropy, with smoothed labels and a teacher.

use crate::error::TrainError;

/// What is minimised: the cross-entropy of the softmax `p` of the outputs from a target `q = (1 - l) ((1 - e) onehot +
/// e / classes) + l t`, with label smoothing `e` (Szegedy et al. 2016, "Rethinking the Inception architecture", section
/// 7) and a teacher's probabilities `t` in the share `l` (Hinton, Vinyals and Dean 2015, "Distilling the knowledge in a
/// neural network", at temperature 1).
///
/// The gradient of the outputs is `p - q`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Loss {
    /// `e`, from 0 to below 1.
    pub smoothing: f32,
    /// `l`, from 0 to 1; a batch without a teacher goes by its labels alone.
    pub distillation: f32,
}

impl Default for Loss {
    fn default() -> Self {
        Self { smoothing: 0.1, distillation: 0.5 }
    }
}

impl Loss {
    /// Checks the ranges.
    pub(crate) fn check(&self) -> Result<(), TrainError> {
        let fail = |setting, value: f32, reason| Err(TrainError::Setting { setting, value: value.to_string(), reason });
        if !(0.0..1.0).contains(&self.smoothing) {
            return fail("label smoothing", self.smoothing, "it must be at least 0 and below 1");
        }
        if !(0.0..=1.0).contains(&self.distillation) {
            return fail("the teacher's share", self.distillation, "it must be from 0 to 1");
        }
        Ok(())
    }
}

/// Whether this class has the greatest output, and the first of equal ones: integers are often equal.
fn comes_first(outputs: &[f32], class: usize) -> bool {
    let Some(&own) = outputs.get(class) else { return false };
    let (before, from) = outputs.split_at(class);
    before.iter().all(|&v| v < own) && from.iter().all(|&v| v <= own)
}

/// Turns outputs into probabilities.
pub(crate) fn softmax(outputs: &mut [f32]) {
    let most = outputs.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut total = 0.0;
    for v in outputs.iter_mut() {
        let power = libm::exp(f64::from(*v) - f64::from(most));
        total += power;
        *v = power as f32;
    }
    outputs.iter_mut().for_each(|v| *v = (f64::from(*v) / total) as f32);
}

/// What a shard's outputs came to.
pub(crate) struct Seen {
    pub loss: f64,
    pub correct: usize,
    pub foreign: Option<(usize, u32)>,
}

/// Writes the gradient of the mean loss over `batch` samples, and sums the losses of these.
pub(crate) fn softmax_cross_entropy(
    loss: &Loss,
    batch: usize,
    logits: &[f32],
    labels: &[u32],
    teacher: Option<&Vec<f32>>,
    gradient: &mut [f32],
) -> Seen {
    let mut seen = Seen { loss: 0.0, correct: 0, foreign: None };
    if labels.is_empty() {
        return seen;
    }
    let classes = logits.len() / labels.len();
    let share = if teacher.is_some() { f64::from(loss.distillation) } else { 0.0 };
    let smoothing = f64::from(loss.smoothing);
    let samples = logits.chunks_exact(classes).zip(gradient.chunks_exact_mut(classes)).zip(labels);
    for (s, ((x, g), &label)) in samples.enumerate() {
        if label as usize >= classes {
            seen.foreign = seen.foreign.or(Some((s, label)));
        }
        let most = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut total = 0.0;
        for (g, &v) in g.iter_mut().zip(x) {
            let power = libm::exp(f64::from(v) - f64::from(most));
            total += power;
            *g = power as f32;
        }
        let log = libm::log(total);
        for (j, (g, &v)) in g.iter_mut().zip(x).enumerate() {
            let own = if j == label as usize { 1.0 - smoothing } else { 0.0 };
            let taught = teacher.map_or(0.0, |t| f64::from(t[s * classes + j]));
            let target = (1.0 - share) * (own + smoothing / classes as f64) + share * taught;
            if target != 0.0 {
                seen.loss -= target * (f64::from(v) - f64::from(most) - log);
            }
            *g = ((f64::from(*g) / total - target) / batch as f64) as f32;
        }
        seen.correct += usize::from(comes_first(x, label as usize));
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equal_outputs_the_first_is_the_answer() {
        let first = |outputs: &[f32]| (0..4).filter(|&class| comes_first(outputs, class)).collect::<Vec<_>>();
        assert_eq!(first(&[0.0, 2.0, 1.0]), [1]);
        assert_eq!(first(&[1.0, 2.0, 2.0]), [1]);
        assert_eq!(first(&[0.0; 3]), [0]);
        assert!(first(&[-1.0, f32::NAN, -2.0]).is_empty());
    }
}
