//! Which layers' weights take 8 bits and which 4.
//!
//! Each layer is tried with 4 bits among layers of 8, and the noise measured that this adds to the network's outputs. Layers are then
//! taken in order of noise for each byte saved (as HAQ's agents learn to do; Wang et al., "HAQ", 2019, states the problem) until
//! the constants are as small as asked for. What was taken before the last, larger ones then goes back where there is room.

use crate::convert::{Alternative, apply};
use crate::error::QuantError;
use crate::noise;
use crate::weights::Width;
use crate::{Converted, Inputs, Progress, Stage};
use smidgen_ir::{Graph, cost};

/// What the constants of a mixed network take at most beside those of int8, unless told otherwise.
const RATIO: f64 = 0.58;

/// A layer tried with 4 bits.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Tried {
    /// The float graph's operator.
    operator: usize,
    /// Bytes saved.
    saved: usize,
    /// Noise that it adds to the outputs, in parts of the signal.
    harm: f64,
}

/// The widths of each operator's weights such that all constants take at most `ratio` of those of `int8`, or as little as 4 bits
/// everywhere can where no ratio is given and the usual one is out of reach.
pub(crate) fn choose(
    float: &Graph,
    int8: &Converted,
    alternatives: &[Alternative],
    samples: &[Inputs],
    ratio: Option<f64>,
    progress: Progress<'_>,
) -> Result<Vec<Width>, QuantError> {
    let bytes = cost(&int8.graph).parameter_bytes;
    let mut widths = vec![Width::Int8; float.operators.len()];
    let mut tried = Vec::new();
    let trial = noise::Trial::new(float, samples)?;
    let before = trial.noise(int8)?;
    for alternative in alternatives {
        let changed = Converted { graph: apply(&int8.graph, alternative), ..int8.clone() };
        let saved = bytes.saturating_sub(cost(&changed.graph).parameter_bytes);
        // Noise of other layers may cancel out by chance; then this one counts as harmless.
        let harm = (trial.noise(&changed)? - before).max(0.0);
        progress(Stage::Try);
        tried.push(Tried { operator: alternative.operator, saved, harm });
    }
    let least = bytes.saturating_sub(tried.iter().map(|t| t.saved).sum());
    let most = (bytes as f64 * ratio.unwrap_or(RATIO)) as usize;
    if ratio.is_some() && least > most {
        return Err(QuantError::Ratio { least: least as f64 / bytes.max(1) as f64 });
    }
    for t in greedy(tried, bytes.saturating_sub(most)) {
        widths[t.operator] = Width::Int4;
    }
    Ok(widths)
}

/// Layers that together save so many bytes, with little harm; all that save anything, if they cannot.
fn greedy(mut tried: Vec<Tried>, wanted: usize) -> Vec<Tried> {
    tried.retain(|t| t.saved > 0);
    let each = |t: &Tried| t.harm / t.saved as f64;
    tried.sort_by(|a, b| each(a).total_cmp(&each(b)).then(a.operator.cmp(&b.operator)));
    let mut saved = 0;
    let mut taken: Vec<Tried> = Vec::new();
    for t in tried {
        if saved >= wanted {
            break;
        }
        saved += t.saved;
        taken.push(t);
    }
    taken.sort_by(|a, b| b.harm.total_cmp(&a.harm));
    taken.retain(|t| {
        let goes = saved - t.saved >= wanted;
        if goes {
            saved -= t.saved;
        }
        !goes
    });
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(tried: &[(usize, f64)], wanted: usize) -> Vec<usize> {
        let tried = tried.iter().enumerate().map(|(operator, &(saved, harm))| Tried { operator, saved, harm });
        let mut taken: Vec<usize> = greedy(tried.collect(), wanted).iter().map(|t| t.operator).collect();
        taken.sort_unstable();
        taken
    }

    #[test]
    fn the_least_harmful_bytes_go_first() {
        let layers = [(100, 1.0), (1000, 2.0), (10, 3.0), (500, 50.0)];
        assert_eq!(taken(&layers, 900), [1]);
        assert_eq!(taken(&layers, 1050), [0, 1]);
        assert_eq!(taken(&layers, 0), [0; 0]);
        assert_eq!(taken(&layers, 9999), [0, 1, 2, 3]);
        // The first goes back when the second alone is enough.
        assert_eq!(taken(&[(100, 0.1), (1000, 2.0)], 1000), [1]);
        assert_eq!(taken(&[(0, 0.0), (10, 1.0)], 5), [1]);
    }
}
