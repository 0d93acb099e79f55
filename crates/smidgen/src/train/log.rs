//! The steps of a training that a clock has ended: when each was taken, so that they can be taken again.

use super::TrainingError;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The time of each step of each phase, from 0 to 1.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Log {
    phases: [Vec<f64>; 2],
    /// When the second phase began.
    pub(crate) begun: Duration,
}

impl Log {
    /// Steps taken.
    pub fn steps(&self) -> usize {
        self.phases.iter().map(Vec::len).sum()
    }

    /// The times of a phase's steps: 0 for floats, 1 for integers.
    pub fn phase(&self, phase: usize) -> &[f64] {
        &self.phases[phase]
    }

    pub(crate) fn push(&mut self, phase: usize, time: f64) {
        self.phases[phase].push(time);
    }

    /// Of a file that [`Course::record`](super::Course::record) has made.
    ///
    /// # Errors
    /// If it is none.
    pub fn of_file(text: &str) -> Result<Self, TrainingError> {
        text.split_once("\n\n").ok_or(TrainingError::NoLog)?.1.parse()
    }
}

impl fmt::Display for Log {
    /// A line of numbers for when the second phase began, the phases' steps, and each step's time with all its digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {} {}", self.begun.as_secs_f64(), self.phases[0].len(), self.phases[1].len())?;
        self.phases.iter().flatten().try_for_each(|time| writeln!(f, "{time}"))
    }
}

impl FromStr for Log {
    type Err = TrainingError;

    fn from_str(text: &str) -> Result<Self, TrainingError> {
        let (head, times) = text.split_once('\n').ok_or(TrainingError::NoLog)?;
        let mut head = head.split(' ');
        let begun = head.next().and_then(|text| text.parse().ok());
        let begun = begun.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).ok_or(TrainingError::NoLog)?;
        let mut count = || head.next().and_then(|text| text.parse::<usize>().ok());
        let (Some(first), Some(second), None) = (count(), count(), count()) else { return Err(TrainingError::NoLog) };
        let of = |line: &str| line.parse().ok().filter(|time| (0.0..=1.0).contains(time)).ok_or(TrainingError::NoLog);
        let mut times = times.lines().map(of).collect::<Result<Vec<f64>, _>>()?;
        if first.checked_add(second) != Some(times.len()) {
            return Err(TrainingError::NoLog);
        }
        let second = times.split_off(first);
        Ok(Self { phases: [times, second], begun })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_every_bit() {
        let mut log = Log { begun: Duration::from_millis(1234), ..Log::default() };
        for i in 0..50 {
            log.push(usize::from(i > 30), f64::from(i) / 77.0);
        }
        assert_eq!(log.to_string().parse::<Log>().unwrap(), log);
        assert_eq!(Log::of_file(&format!("the seed: 1\n\n{log}")).unwrap(), log);
        for damaged in
            ["", "1", "0 1 0\n", "0 1 0\n2.0\n", "0 1 0\n0.5\n0.6\n", "-1 0 0\n", "0 9999999999999999999 1\n"]
        {
            assert_eq!(damaged.parse::<Log>(), Err(TrainingError::NoLog), "{damaged}");
        }
    }
}
