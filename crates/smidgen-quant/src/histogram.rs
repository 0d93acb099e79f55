//! How often values fall where.

/// Bins of a histogram: fine enough that a 256th of any range worth choosing holds some.
pub(crate) const BINS: usize = 4096;

/// Counts of values in [`BINS`] equal parts of an interval.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Histogram {
    pub low: f64,
    pub high: f64,
    pub counts: Vec<u64>,
}

impl Histogram {
    /// An empty one for values from `low` to `high`, with `low < high`.
    pub fn new(low: f64, high: f64) -> Self {
        Self { low, high, counts: vec![0; BINS] }
    }

    /// Counts values; those outside count at the ends.
    pub fn add(&mut self, values: &[f32]) {
        let factor = BINS as f64 / (self.high - self.low);
        for &value in values {
            // The cast saturates at 0.
            let bin = ((f64::from(value) - self.low) * factor) as usize;
            self.counts[bin.min(BINS - 1)] += 1;
        }
    }

    /// Adds another's counts; both are of the same interval.
    pub fn merge(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(a, b)| *a += b);
    }

    /// Width of a bin.
    pub fn width(&self) -> f64 {
        (self.high - self.low) / BINS as f64
    }

    /// The middle of a bin.
    pub fn centre(&self, bin: usize) -> f64 {
        self.low + (bin as f64 + 0.5) * self.width()
    }

    /// How many values were counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The value below which `share` of all values lie, linear within a bin.
    pub fn quantile(&self, share: f64) -> f64 {
        let wanted = share * self.total() as f64;
        let mut below = 0.0;
        for (bin, &count) in self.counts.iter().enumerate() {
            let count = count as f64;
            if count > 0.0 && below + count >= wanted {
                let within = ((wanted - below) / count).clamp(0.0, 1.0);
                return self.low + (bin as f64 + within) * self.width();
            }
            below += count;
        }
        self.high
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_evenly_spread_values() {
        let mut histogram = Histogram::new(-1.0, 3.0);
        let values: Vec<f32> = (0..40_000).map(|i| i as f32 / 10_000.0 - 1.0).collect();
        histogram.add(&values);
        assert_eq!(histogram.total(), 40_000);
        for share in [0.0, 0.1, 0.5, 0.999, 1.0] {
            let expected = -1.0 + 4.0 * share;
            assert!((histogram.quantile(share) - expected).abs() < 2e-3, "{share}: {}", histogram.quantile(share));
        }
        histogram.add(&[-5.0, 5.0]);
        assert_eq!(histogram.total(), 40_002);
    }
}
