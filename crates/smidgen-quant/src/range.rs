//! From the values of a tensor to the interval that its integers represent.

use crate::histogram::{BINS, Histogram};
use std::fmt;
use std::str::FromStr;

/// How the range of an activation is chosen.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub enum RangeMethod {
    /// From the least to the greatest value: nothing is clipped.
    #[default]
    MinMax,
    /// Clips this share of values at each end, in per cent.
    Percentile(f64),
    /// The range whose 256 steps keep the most information: least Kullback-Leibler divergence between the values' distribution
    /// and that of their steps (Migacz, "8-bit inference with TensorRT", GTC 2017).
    Entropy,
    /// The range with the least mean squared error of rounding and clipping together.
    MeanSquaredError,
}

/// What [`RangeMethod::Percentile`] clips unless told otherwise, in per cent.
const CLIPPED: f64 = 0.01;

impl RangeMethod {
    /// True if it needs more than extremes.
    pub(crate) fn needs_histogram(self) -> bool {
        self != Self::MinMax
    }
}

impl fmt::Display for RangeMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MinMax => f.write_str("minmax"),
            Self::Percentile(clipped) => write!(f, "percentile:{}", 100.0 - clipped),
            Self::Entropy => f.write_str("entropy"),
            Self::MeanSquaredError => f.write_str("mse"),
        }
    }
}

/// A text that names no method.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` is neither minmax, percentile (or percentile:99.99), entropy nor mse")]
pub struct UnknownMethod(String);

impl FromStr for RangeMethod {
    type Err = UnknownMethod;

    /// `minmax`, `percentile`, `percentile:P` (P of the values stay within each end, 50 to 100), `entropy`, `mse`.
    fn from_str(text: &str) -> Result<Self, UnknownMethod> {
        let unknown = || UnknownMethod(text.to_owned());
        match text {
            "minmax" => Ok(Self::MinMax),
            "entropy" => Ok(Self::Entropy),
            "mse" => Ok(Self::MeanSquaredError),
            "percentile" => Ok(Self::Percentile(CLIPPED)),
            _ => {
                let kept: f64 = text.strip_prefix("percentile:").and_then(|p| p.parse().ok()).ok_or_else(unknown)?;
                let clipped = 100.0 - kept;
                if (0.0..=50.0).contains(&clipped) { Ok(Self::Percentile(clipped)) } else { Err(unknown()) }
            }
        }
    }
}

/// Steps in which each end of a range is searched.
const SEARCHED: usize = 100;

/// The range for values counted so; it always holds 0.
pub(crate) fn choose(histogram: &Histogram, method: RangeMethod) -> (f64, f64) {
    let (low, high) = (histogram.low.min(0.0), histogram.high.max(0.0));
    match method {
        RangeMethod::MinMax => (low, high),
        RangeMethod::Percentile(clipped) => {
            let share = clipped / 100.0;
            // A tensor of mostly zeros would otherwise lose everything else.
            let (from, to) = (histogram.quantile(share).min(0.0), histogram.quantile(1.0 - share).max(0.0));
            if from < to { (from, to) } else { (low, high) }
        }
        RangeMethod::Entropy => search(&without_zeros(histogram), (low, high), divergence),
        RangeMethod::MeanSquaredError => search(histogram, (low, high), squared_error),
    }
}

/// The range of least cost among those whose ends are moved towards 0: the upper end first, then the lower, then the upper once
/// more.
fn search(histogram: &Histogram, whole: (f64, f64), cost: fn(&Histogram, (f64, f64)) -> f64) -> (f64, f64) {
    let mut best = (cost(histogram, whole), whole);
    for upper in [true, false, true] {
        let (_, (from, to)) = best;
        for step in 1..SEARCHED {
            let part = step as f64 / SEARCHED as f64;
            let range = if upper { (from, whole.1 * part) } else { (whole.0 * part, to) };
            if range.1 - range.0 <= 0.0 {
                continue;
            }
            let cost = cost(histogram, range);
            // Of equals, the widest.
            if cost < best.0 {
                best = (cost, range);
            }
        }
    }
    best.1
}

/// Sum of squared differences between values and the middle of their step, or the end of the range.
fn squared_error(histogram: &Histogram, (from, to): (f64, f64)) -> f64 {
    let step = (to - from) / 255.0;
    // Within a step a value's distance from its middle has this mean square.
    let rounding = step * step / 12.0;
    let bins = histogram.counts.iter().enumerate().filter(|(_, count)| **count > 0);
    let error = |bin: usize| {
        let value = histogram.centre(bin);
        let outside = (from - value).max(value - to);
        if outside > 0.0 { outside * outside } else { rounding }
    };
    bins.map(|(bin, &count)| count as f64 * error(bin)).sum()
}

/// The histogram with no more values at 0 than beside it. A stored integer stands for 0 exactly in any range, so nothing is lost
/// where a ReLU leaves half of all values there; but such a peak among coarse steps would look like a loss that only narrow ranges avoid.
fn without_zeros(histogram: &Histogram) -> Histogram {
    let mut rest = histogram.clone();
    let zero = ((-histogram.low / histogram.width()) as usize).min(BINS - 1);
    let beside = [zero.checked_sub(1), Some(zero + 1)].into_iter().flatten();
    let most = beside.filter_map(|bin| histogram.counts.get(bin).copied()).max().unwrap_or(0);
    rest.counts[zero] = rest.counts[zero].min(most);
    rest
}

/// Kullback-Leibler divergence of the distribution that 256 steps leave, where each step's values are taken to be spread evenly
/// over its bins that hold any, from the distribution of the values themselves, with what lies outside counted at the ends.
fn divergence(histogram: &Histogram, (from, to): (f64, f64)) -> f64 {
    let bin = |value: f64| ((value - histogram.low) / histogram.width()).round().clamp(0.0, BINS as f64) as usize;
    let (first, end) = (bin(from), bin(to));
    if end <= first {
        return f64::INFINITY;
    }
    let inside = &histogram.counts[first..end];
    let sum = |counts: &[u64]| counts.iter().sum::<u64>() as f64;
    let mut reference: Vec<f64> = inside.iter().map(|&c| c as f64).collect();
    reference[0] += sum(&histogram.counts[..first]);
    reference[end - first - 1] += sum(&histogram.counts[end..]);
    let (total, kept) = (histogram.total() as f64, sum(inside));
    if kept == 0.0 {
        return f64::INFINITY;
    }
    let mut divergence = 0.0;
    for step in 0..256 {
        let [a, b] = [step, step + 1].map(|s| s * inside.len() / 256);
        let filled = inside[a..b].iter().filter(|c| **c > 0).count();
        let spread = sum(&inside[a..b]) / filled.max(1) as f64;
        for i in a..b {
            let p = reference[i] / total;
            if p > 0.0 {
                // Where only clipped values lie, the steps hold nothing: as small as one value would be.
                let q = if inside[i] > 0 { spread / kept } else { 1.0 / total };
                divergence += p * (p / q).ln();
            }
        }
    }
    divergence
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spread like a triangle over -1..1, and one value far out.
    fn with_outlier() -> Histogram {
        let mut histogram = Histogram::new(-1.0, 100.0);
        let share = |i: usize| (i as f32 + 0.5) / 100_000.0;
        let side = (0..100_000).map(|i| 1.0 - share(i).sqrt());
        histogram.add(&side.flat_map(|v| [v, -v]).collect::<Vec<_>>());
        histogram.add(&[100.0]);
        histogram
    }

    #[test]
    fn outliers_are_clipped_by_all_but_the_extremes() {
        let histogram = with_outlier();
        assert_eq!(choose(&histogram, RangeMethod::MinMax), (-1.0, 100.0));
        for method in [RangeMethod::Percentile(0.01), RangeMethod::Entropy] {
            let (from, to) = choose(&histogram, method);
            assert!((-1.0..-0.8).contains(&from) && (0.9..8.0).contains(&to), "{method:?}: {from}..{to}");
        }
        // 200,000 (t / 255)^2 / 12 + (100 - t)^2 is least at t = 79.6.
        let (from, to) = choose(&histogram, RangeMethod::MeanSquaredError);
        assert!(from <= -0.8 && (78.0..82.0).contains(&to), "{from}..{to}");
    }

    #[test]
    fn the_least_squared_error_is_found() {
        let histogram = with_outlier();
        let (from, to) = choose(&histogram, RangeMethod::MeanSquaredError);
        let least = squared_error(&histogram, (from, to));
        for other in [(from, to * 0.9), (from, to * 1.1), (from * 0.9, to), (-1.0, 100.0)] {
            assert!(squared_error(&histogram, other) >= least, "{other:?}");
        }
    }

    #[test]
    fn evenly_spread_values_keep_their_range() {
        let mut histogram = Histogram::new(0.0, 1.0);
        histogram.add(&(0..100_000).map(|i| i as f32 / 100_000.0).collect::<Vec<_>>());
        for method in [RangeMethod::Entropy, RangeMethod::MeanSquaredError, RangeMethod::Percentile(0.0)] {
            let (from, to) = choose(&histogram, method);
            assert!(from == 0.0 && to > 0.97, "{method:?}: {from}..{to}");
        }
    }

    #[test]
    fn what_a_relu_takes_away_does_not_narrow_the_range() {
        let mut histogram = Histogram::new(0.0, 1.0);
        // Falling evenly to the end, and as many zeros.
        let values = (0..100_000).map(|i| 1.0 - ((i as f32 + 0.5) / 100_000.0).sqrt());
        histogram.add(&values.flat_map(|v| [v, 0.0]).collect::<Vec<_>>());
        let (from, to) = choose(&histogram, RangeMethod::Entropy);
        assert!(from == 0.0 && to > 0.8, "{from}..{to}");
    }

    #[test]
    fn methods_by_name() {
        assert_eq!("mse".parse(), Ok(RangeMethod::MeanSquaredError));
        assert_eq!("percentile:99.5".parse(), Ok(RangeMethod::Percentile(0.5)));
        for method in ["minmax", "entropy", "mse", "percentile:99.5"] {
            assert_eq!(method.parse::<RangeMethod>().unwrap().to_string(), method);
        }
        for text in ["", "max", "percentile:", "percentile:101", "percentile:nan"] {
            assert!(text.parse::<RangeMethod>().is_err(), "{text}");
        }
    }
}
