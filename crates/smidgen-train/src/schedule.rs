//! Learning rates over the course of training.

use crate::error::TrainError;

/// How the learning rate goes from the beginning (0) to the end (1) of training, as a share of its peak.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Schedule {
    /// The peak throughout.
    Constant,
    /// Linear from `first` to 1 in the share `rise` of the time, then linear to `last` (Smith and Topin 2018,
    /// "Super-convergence").
    OneCycle {
        /// Share of the time in which it rises.
        rise: f32,
        /// Where it begins.
        first: f32,
        /// Where it ends.
        last: f32,
    },
    /// Linear from 0 to 1 in the share `rise` of the time, then half a cosine to `last` (Loshchilov and Hutter 2017,
    /// "SGDR").
    Cosine {
        /// Share of the time in which it rises.
        rise: f32,
        /// Where it ends.
        last: f32,
    },
}

impl Default for Schedule {
    fn default() -> Self {
        Self::OneCycle { rise: 0.2, first: 0.02, last: 0.001 }
    }
}

impl Schedule {
    /// The share of the peak at time `t`, which is clamped to 0 to 1.
    ///
    /// The time may be that of steps or of a clock: whichever ends first, `max(step / steps, elapsed / limit)`, ends
    /// annealed.
    pub fn at(&self, t: f64) -> f32 {
        let t = if t > 0.0 { t.min(1.0) } else { 0.0 };
        // How far within a part of the course.
        let within = |from: f64, to: f64| if to > from { (t - from) / (to - from) } else { 1.0 };
        let between = |a: f32, b: f32, share: f64| f64::from(a) + f64::from(b - a) * share;
        let share = match *self {
            Self::Constant => 1.0,
            Self::OneCycle { rise, first, .. } if t < f64::from(rise) => between(first, 1.0, within(0.0, rise.into())),
            Self::OneCycle { rise, last, .. } => between(1.0, last, within(rise.into(), 1.0)),
            Self::Cosine { rise, .. } if t < f64::from(rise) => within(0.0, rise.into()),
            Self::Cosine { rise, last } => {
                let down = (1.0 - libm::cos(std::f64::consts::PI * within(rise.into(), 1.0))) / 2.0;
                between(1.0, last, down)
            }
        };
        share as f32
    }

    /// Checks the ranges.
    pub(crate) fn check(&self) -> Result<(), TrainError> {
        let shares: &[f32] = match self {
            Self::Constant => &[],
            Self::OneCycle { rise, first, last } => &[*rise, *first, *last],
            Self::Cosine { rise, last } => &[*rise, *last],
        };
        match shares.iter().find(|s| !(0.0..=1.0).contains(*s)) {
            Some(s) => Err(TrainError::Setting {
                setting: "a share of the schedule",
                value: s.to_string(),
                reason: "it must be from 0 to 1",
            }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_cycle_rises_and_anneals() {
        let s = Schedule::OneCycle { rise: 0.25, first: 0.1, last: 0.01 };
        assert_eq!(s.at(0.0), 0.1);
        assert!((s.at(0.125) - 0.55).abs() < 1e-6);
        assert_eq!(s.at(0.25), 1.0);
        assert!((s.at(0.625) - 0.505).abs() < 1e-6);
        assert!((s.at(1.0) - 0.01).abs() < 1e-6);
        assert_eq!(s.at(1.0), s.at(2.0));
        assert_eq!(s.at(f64::NAN), 0.1);
    }

    #[test]
    fn cosine_is_half_way_down_in_the_middle() {
        let s = Schedule::Cosine { rise: 0.0, last: 0.0 };
        assert_eq!(s.at(0.0), 1.0);
        assert!((s.at(0.5) - 0.5).abs() < 1e-6);
        assert!(s.at(1.0).abs() < 1e-6);
        assert!((s.at(0.25) - 0.853_553_4).abs() < 1e-6);
    }
}
