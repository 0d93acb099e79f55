//! Plots of numbers: axes with round numbers, lines, dots and bands. `plot.html` shows them.
//!
//! What is drawn lies in a square of 1000 by 1000 that is stretched to the room there is; labels stand beside it, so that
//! they are not.

use serde::Serialize;
use std::fmt::Write;

/// Numbers on an axis at most.
const TICKS: f64 = 6.0;
/// Points of a line at most: more are closer than a pixel.
const POINTS: usize = 500;

/// The unit that an axis counts in.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Unit {
    /// How much one of them is.
    size: f64,
    /// What it is called; may be empty.
    name: &'static str,
    /// Only whole numbers are labelled.
    whole: bool,
}

impl Unit {
    pub const ONE: Self = Self { size: 1.0, name: "", whole: false };
    /// What is counted: epochs, networks.
    pub const WHOLE: Self = Self { whole: true, ..Self::ONE };
    pub const PERCENT: Self = Self { size: 0.01, name: "%", whole: false };

    /// For numbers up to this.
    pub fn counts(most: f64) -> Self {
        match most {
            most if most >= 2e6 => Self { size: 1e6, name: "millions", whole: false },
            most if most >= 2e3 => Self { size: 1e3, name: "thousands", whole: false },
            _ => Self::ONE,
        }
    }

    /// For bytes up to this.
    pub fn bytes(most: f64) -> Self {
        let (size, name) = if most >= 2048.0 { (1024.0, "KiB") } else { (1.0, "bytes") };
        Self { size, name, whole: false }
    }
}

/// A labelled place on an axis.
#[derive(Serialize)]
struct Tick {
    /// In per cent of the axis.
    at: f64,
    label: String,
}

/// An axis from one round number to another.
#[derive(Serialize)]
pub(crate) struct Axis {
    label: String,
    ticks: Vec<Tick>,
    #[serde(skip)]
    low: f64,
    #[serde(skip)]
    high: f64,
}

/// The least of 1, 2, 5, 10, 20, ... (or of tenths and hundredths of these) of which at most `most` fill a span.
fn round_step(span: f64, most: f64) -> f64 {
    let least = (span / most).max(f64::MIN_POSITIVE);
    let power = 10f64.powf(least.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(|digit| digit * power >= least * (1.0 - 1e-9));
    step.unwrap_or(10.0) * power
}

/// A number with as many decimals as its step has.
fn label(value: f64, step: f64) -> String {
    let decimals = (-(step * (1.0 + 1e-9)).log10().floor()).clamp(0.0, 9.0) as usize;
    if decimals == 0 && (0.0..1e15).contains(&value) {
        return crate::thousands(value.round() as u64);
    }
    let text = format!("{value:.decimals$}");
    // Nobody wants to read -0.
    if text.trim_start_matches('-').chars().all(|c| matches!(c, '0' | '.')) { text.replace('-', "") } else { text }
}

impl Axis {
    /// Over all of these numbers, those that are none left out. `what` it is, `unit` what it is counted in.
    pub fn over(values: impl IntoIterator<Item = f64>, what: &str, unit: Unit) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.into_iter().filter(|value| value.is_finite()) {
            low = low.min(value / unit.size);
            high = high.max(value / unit.size);
        }
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        if high - low <= low.abs().max(high.abs()) * 1e-9 {
            // One number alone stands in the middle.
            let around = if high == 0.0 { 1.0 } else { high.abs() * 0.1 };
            (low, high) = (low - around, high + around);
        }
        let step = round_step(high - low, TICKS - 1.0).max(if unit.whole { 1.0 } else { 0.0 });
        let (first, last) = ((low / step + 1e-9).floor(), (high / step - 1e-9).ceil());
        let (mut low, mut high) = (first * step, last * step);
        if unit == Unit::PERCENT {
            (low, high) = (low.max(0.0), high.min(100.0));
        }
        let marks = (0..=(last - first) as usize).map(|i| (first + i as f64) * step);
        let ticks = marks
            .filter(|mark| (low - step * 1e-6..=high + step * 1e-6).contains(mark))
            .map(|mark| Tick { at: rounded((mark - low) * 100.0 / (high - low)), label: label(mark, step) });
        let label = if unit.name.is_empty() { what.to_owned() } else { format!("{what}, {}", unit.name) };
        Self { label, ticks: ticks.collect(), low: low * unit.size, high: high * unit.size }
    }

    /// Where a number stands, from 0 to 1000; what is none stands at an end.
    fn at(&self, value: f64) -> f64 {
        let at = (value - self.low) * 1000.0 / (self.high - self.low);
        if at.is_nan() { 0.0 } else { rounded(at.clamp(0.0, 1000.0)) }
    }
}

/// With two decimals, which is finer than a pixel.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// A line, or dots, of one style.
#[derive(Serialize)]
struct Stroke {
    path: String,
    style: &'static str,
}

/// A dot that stands out.
#[derive(Serialize)]
struct Mark {
    /// In per cent from the left and from the top.
    left: f64,
    top: f64,
    style: &'static str,
    title: String,
}

/// A part of the x axis that is shaded.
#[derive(Serialize)]
struct Band {
    left: f64,
    width: f64,
    style: &'static str,
}

/// What a style means.
#[derive(Serialize)]
struct Key {
    style: &'static str,
    name: String,
}

/// A plot.
#[derive(Serialize)]
pub(crate) struct Plot {
    title: &'static str,
    x: Axis,
    y: Axis,
    bands: Vec<Band>,
    lines: Vec<Stroke>,
    dots: Vec<Stroke>,
    marks: Vec<Mark>,
    keys: Vec<Key>,
}

impl Plot {
    pub fn new(title: &'static str, x: Axis, y: Axis) -> Self {
        let (bands, lines, dots, marks, keys) = Default::default();
        Self { title, x, y, bands, lines, dots, marks, keys }
    }

    fn place(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (self.x.at(x), rounded(1000.0 - self.y.at(y)))
    }

    /// A line through these points.
    pub fn line(&mut self, points: &[(f64, f64)], style: &'static str) {
        let every = points.len().div_ceil(POINTS).max(1);
        let mut path = String::new();
        let last = points.len().saturating_sub(1);
        for (i, &point) in points.iter().enumerate().filter(|(i, _)| i.is_multiple_of(every) || *i == last) {
            let (x, y) = self.place(point);
            let _ = write!(path, "{}{x},{y}", if i == 0 { 'M' } else { 'L' });
        }
        self.lines.push(Stroke { path, style });
    }

    /// A line that keeps each height until the next point.
    pub fn steps(&mut self, points: &[(f64, f64)], style: &'static str) {
        let mut path = String::new();
        for (i, &point) in points.iter().enumerate() {
            let (x, y) = self.place(point);
            let _ = if i == 0 { write!(path, "M{x},{y}") } else { write!(path, "H{x}V{y}") };
        }
        self.lines.push(Stroke { path, style });
    }

    /// A dot at each point: a line without length, which its round ends make a dot.
    pub fn dots(&mut self, points: impl IntoIterator<Item = (f64, f64)>, style: &'static str) {
        let mut path = String::new();
        for point in points {
            let (x, y) = self.place(point);
            let _ = write!(path, "M{x},{y}h0");
        }
        self.dots.push(Stroke { path, style });
    }

    /// A dot that stands out, and what is told of it.
    pub fn mark(&mut self, point: (f64, f64), style: &'static str, title: String) {
        let (x, y) = self.place(point);
        self.marks.push(Mark { left: rounded(x / 10.0), top: rounded(y / 10.0), style, title });
    }

    /// Shades a part of the x axis.
    pub fn band(&mut self, from: f64, to: f64, style: &'static str) {
        let (from, to) = (self.x.at(from), self.x.at(to));
        self.bands.push(Band { left: rounded(from / 10.0), width: rounded((to - from) / 10.0), style });
    }

    /// Says what a style means.
    pub fn key(&mut self, style: &'static str, name: impl Into<String>) {
        self.keys.push(Key { style, name: name.into() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(values: &[f64], unit: Unit) -> Vec<String> {
        Axis::over(values.iter().copied(), "", unit).ticks.into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn axes_have_round_numbers() {
        assert_eq!(labels(&[0.0, 9.7], Unit::ONE), ["0", "2", "4", "6", "8", "10"]);
        assert_eq!(labels(&[0.93, 0.9885], Unit::PERCENT), ["92", "94", "96", "98", "100"]);
        assert_eq!(labels(&[0.981, 0.984], Unit::PERCENT), ["98.1", "98.2", "98.3", "98.4"]);
        assert_eq!(labels(&[1.0, 1500.0], Unit::ONE), ["0", "500", "1,000", "1,500"]);
        assert_eq!(labels(&[-0.05, 0.05], Unit::ONE), ["-0.06", "-0.04", "-0.02", "0.00", "0.02", "0.04", "0.06"]);
        assert_eq!(labels(&[12.5e6, 13.1e6], Unit::counts(13.1e6)), ["12.4", "12.6", "12.8", "13.0", "13.2"]);
        assert_eq!(labels(&[1.0, 2.0], Unit::WHOLE), ["1", "2"]);
        // Nothing, one number, and what is no number.
        assert_eq!(labels(&[], Unit::ONE).len(), 6);
        assert_eq!(labels(&[f64::NAN, f64::INFINITY], Unit::ONE).len(), 6);
        assert!(labels(&[1.0], Unit::PERCENT).len() >= 2, "{:?}", labels(&[1.0], Unit::PERCENT));
        assert!(labels(&[0.0], Unit::PERCENT).len() >= 2);
        assert!(labels(&[4096.0], Unit::bytes(4096.0)).len() >= 3);
    }

    #[test]
    fn what_is_drawn_lies_within() {
        let x = Axis::over([1.0, 7.0], "epoch", Unit::ONE);
        let y = Axis::over([0.2, f64::NAN, 0.9], "loss", Unit::ONE);
        let mut plot = Plot::new("loss", x, y);
        plot.line(&[(1.0, 0.2), (3.0, f64::NAN), (7.0, 0.9)], "one");
        plot.steps(&[(1.0, 0.2), (7.0, 0.9)], "one");
        plot.dots([(1.0, f64::INFINITY), (-5.0, 0.3)], "one");
        let drawn = [&plot.lines[0].path, &plot.lines[1].path, &plot.dots[0].path];
        for path in drawn {
            let numbers = path.split(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-'));
            for number in numbers.filter(|text| !text.is_empty()) {
                assert!((0.0..=1000.0).contains(&number.parse::<f64>().unwrap()), "{path}");
            }
        }
        assert_eq!(drawn[1].matches(['H', 'V']).count(), 2, "{}", drawn[1]);
        let long: Vec<(f64, f64)> = (0..100_000).map(|i| (f64::from(i) / 1e5, 0.5)).collect();
        plot.line(&long, "one");
        assert!(plot.lines[2].path.len() < 20_000);
    }
}
