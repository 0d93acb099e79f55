//! Which part of its time each stage of a search has.

use std::time::{Duration, Instant};

/// What a search does one after the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// Which width and resolution.
    Survey,
    /// The weights that all networks of the space share.
    Supernet,
    /// Which network.
    Evolution,
    /// That network, of floats and then of integers.
    Training,
}

impl Stage {
    /// The part of the whole time at which it ends, if it needs all of its part. What is left serves the last count, the
    /// firmware and the report.
    fn end(self) -> f64 {
        match self {
            Self::Survey => 0.06,
            Self::Supernet => 0.45,
            Self::Evolution => 0.60,
            Self::Training => 0.94,
        }
    }

    /// The part of the whole that it has after the stage before it.
    pub fn part(self) -> f64 {
        self.end()
            - match self {
                Self::Survey => 0.0,
                Self::Supernet => Self::Survey.end(),
                Self::Evolution => Self::Supernet.end(),
                Self::Training => Self::Evolution.end(),
            }
    }
}

/// How much is done.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Length {
    /// As much as there is time for.
    Time(Duration),
    /// So much.
    Counts(Counts),
}

/// How much each stage does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counts {
    /// Networks drawn of each space.
    pub draws: usize,
    /// Epochs of the supernet.
    pub supernet: usize,
    /// Networks compared.
    pub evaluations: usize,
    /// Epochs of the network found, those with integers among them.
    pub epochs: usize,
}

/// The time of a search, and how much of it was spent, also before an interruption.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    limit: Option<Duration>,
    spent: Duration,
    begun: Instant,
}

impl Clock {
    /// Runs from now on; `spent` was spent before.
    pub fn new(limit: Option<Duration>, spent: Duration) -> Self {
        Self { limit, spent, begun: Instant::now() }
    }

    /// Time spent.
    pub fn spent(&self) -> Duration {
        self.spent + self.begun.elapsed()
    }

    /// When a stage ends, counted from the beginning; `None` where nothing is limited.
    pub fn end(&self, stage: Stage) -> Option<Duration> {
        self.limit.map(|limit| limit.mul_f64(stage.end()))
    }

    /// Time left for a stage.
    pub fn left(&self, stage: Stage) -> Option<Duration> {
        self.end(stage).map(|end| end.saturating_sub(self.spent()))
    }

    /// True if a stage's time is over.
    pub fn is_over(&self, stage: Stage) -> bool {
        self.left(stage) == Some(Duration::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_share_the_time() {
        let parts = [Stage::Survey, Stage::Supernet, Stage::Evolution, Stage::Training].map(Stage::part);
        assert!(parts.iter().all(|&part| part > 0.0) && parts.iter().sum::<f64>() < 1.0);
        let clock = Clock::new(Some(Duration::from_secs(100)), Duration::from_secs(50));
        assert!(clock.is_over(Stage::Supernet) && !clock.is_over(Stage::Evolution));
        assert!(clock.left(Stage::Training).unwrap() > Duration::from_secs(40));
        let free = Clock::new(None, Duration::from_secs(50));
        assert!(!free.is_over(Stage::Survey) && free.left(Stage::Training).is_none());
    }
}
