//! Arguments that the commands of training on the device share, each read in one way.

use crate::console::{Failure, failure};
use smidgen::adapting::MOST_RATE;
use smidgen::adapting::learner::fixed_rate;
use smidgen::ir::visible_path;
use std::path::Path;

/// The greatest number of classes of a classifier, and the least.
pub const CLASSES: std::ops::RangeInclusive<i64> = 2..=65_536;

/// What a command's help ends with: its examples, and the exit codes of all.
pub fn with_exit_codes(examples: &str) -> String {
    format!("{examples}\n\n{}", failure::EXIT_CODES)
}

/// A learning rate: above 0, up to the greatest that a device takes.
pub fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate| *rate > 0.0 && *rate <= MOST_RATE);
    rate.ok_or_else(|| format!("a number above 0, up to {MOST_RATE}, such as 0.002"))
}

/// A part of all iterations, less than all of them.
pub fn part(text: &str) -> Result<f64, String> {
    let part = text.parse().ok().filter(|part| (0.0..1.0).contains(part));
    part.ok_or_else(|| "a number from 0 up to 1, such as 0.1".to_owned())
}

/// What is to be said of a rate that a device takes for 0.
pub fn too_small(rate: f64) -> Option<String> {
    (fixed_rate(rate) == 0).then(|| {
        format!(
            "a rate of {rate} is 0 on the device, whose rates are multiples of {:.1e}: nothing is learnt",
            1.0 / fixed_rate(1.0) as f64
        )
    })
}

/// Looks whether a file can be written where it is meant to be, before anything takes long.
pub fn claim(path: &Path) -> Result<(), Failure> {
    let folder = path.parent().is_none_or(|folder| folder.as_os_str().is_empty() || folder.is_dir());
    if folder && !path.is_dir() {
        return Ok(());
    }
    let message = format!("`{}` cannot be written: no such folder, or one itself", visible_path(path));
    Err(Failure::usage(message, "name a file in a folder that is there"))
}
