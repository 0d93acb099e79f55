//! The search for an update scheme as one HTML file without outside references: what parts gain, what they take, and
//! what was chosen.

use crate::html::{HtmlError, environment};
use crate::plot::{Axis, Plot, Unit, rounded};
use crate::summary::Figure;
use serde::Serialize;

const TEMPLATE: &str = include_str!("../templates/scheme.html");

/// Training the last so many biases.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct BiasRow {
    /// Convolutions whose biases are trained.
    pub count: usize,
    /// Bytes that it takes; `None` where an operator has no gradient.
    pub bytes: Option<usize>,
    /// Accuracy and the mean probability of the right class, 0 to 1; `None` where it was not measured.
    pub measured: Option<[f64; 2]>,
    /// The count that was chosen.
    pub chosen: bool,
    /// Weights were measured beside it.
    pub reference: bool,
}

/// A part of a convolution's weights.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Part {
    /// Which part of the input channels, 0 to 1.
    pub ratio: f64,
    /// What it gains, as the search counts it: a difference of scores, each 0 to 1.
    pub gain: f64,
    /// The same as it was measured.
    pub measured: f64,
    /// Bytes that it takes beside biases.
    pub bytes: usize,
    /// It was chosen.
    pub chosen: bool,
}

/// A convolution.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct ConvolutionRow {
    /// Its number, from 0 on.
    pub index: usize,
    /// What kind of convolution.
    pub kind: String,
    /// Rows, columns and channels of its input.
    pub input: [usize; 3],
    /// Channels of its output.
    pub outputs: usize,
    /// Its biases are trained.
    pub biased: bool,
    /// The parts that were measured.
    pub parts: Vec<Part>,
}

/// Everything of the report.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct SchemeSummary {
    /// Name of the model.
    pub model: String,
    /// What was found, in a sentence.
    pub verdict: String,
    /// Figures at the top.
    pub figures: Vec<Figure>,
    /// The command line.
    pub command: String,
    /// The scheme as it is written.
    pub scheme: String,
    /// What the budget counts.
    pub counted: String,
    /// The budget in bytes.
    pub budget: usize,
    /// Counts of biases, ascending.
    pub biases: Vec<BiasRow>,
    /// Convolutions, in order.
    pub convolutions: Vec<ConvolutionRow>,
    /// The best gain after so many schemes, where it rose.
    pub evolution: Vec<(usize, f64)>,
    /// Schemes whose memory was asked for.
    pub evaluations: usize,
    /// The greatest gain there is, where that is known.
    pub optimum: Option<f64>,
}

/// Styles of the parts, from the least on.
const STYLES: [&str; 5] = ["c1", "c2", "c3", "c4", "c5"];

/// `1/8`, `1/4`, `1/2`, `all`, or the part as a number.
fn part_name(ratio: f64) -> String {
    match ratio {
        1.0 => "all".to_owned(),
        r if (1.0 / r - (1.0 / r).round()).abs() < 1e-9 => format!("1/{:.0}", 1.0 / r),
        r => format!("{r}"),
    }
}

/// A gain in points of per cent.
fn points(gain: f64) -> String {
    format!("{:+.2}", gain * 100.0)
}

#[derive(Serialize)]
struct BiasCells<'a> {
    row: &'a BiasRow,
    accuracy: String,
    probability: String,
    score: String,
    gain: String,
    over: bool,
}

#[derive(Serialize)]
struct PartCell {
    gain: String,
    measured: String,
    bytes: usize,
    chosen: bool,
    /// Of the greatest gain, in per cent; of losses 0.
    part: f64,
    loss: bool,
}

#[derive(Serialize)]
struct ConvolutionCells<'a> {
    row: &'a ConvolutionRow,
    input: String,
    /// One for each ratio.
    cells: Vec<Option<PartCell>>,
}

#[derive(Serialize)]
struct Page<'a> {
    summary: &'a SchemeSummary,
    curves: Vec<Plot>,
    gains: Option<Plot>,
    evolution: Option<Plot>,
    biases: Vec<BiasCells<'a>>,
    ratios: Vec<String>,
    convolutions: Vec<ConvolutionCells<'a>>,
}

fn score([accuracy, probability]: [f64; 2]) -> f64 {
    0.5 * (accuracy + probability)
}

/// Accuracy and memory against the count of biases.
fn curves(summary: &SchemeSummary) -> Vec<Plot> {
    let across = |counts: &[usize]| {
        Axis::over(
            counts.iter().map(|&count| count as f64),
            "convolutions with trained biases, the last ones",
            Unit::WHOLE,
        )
    };
    let mut plots = Vec::new();
    let measured: Vec<(&BiasRow, [f64; 2])> =
        summary.biases.iter().filter_map(|row| Some((row, row.measured?))).collect();
    if !measured.is_empty() {
        let counts: Vec<usize> = measured.iter().map(|(row, _)| row.count).collect();
        let values = measured.iter().flat_map(|(_, measured)| *measured);
        let y = Axis::over(values, "on samples held out", Unit::PERCENT);
        let mut plot = Plot::new("Biases", across(&counts), y);
        let curve = |of: fn([f64; 2]) -> f64| -> Vec<(f64, f64)> {
            measured.iter().map(|(row, measured)| (row.count as f64, of(*measured))).collect()
        };
        for (of, style, name) in [
            ((|[accuracy, _]| accuracy) as fn([f64; 2]) -> f64, "c2", "accuracy"),
            (|[_, probability]| probability, "c3", "probability of the right class"),
            (score, "c1", "their mean, which counts"),
        ] {
            plot.line(&curve(of), style);
            plot.dots(curve(of), style);
            plot.key(style, name);
        }
        for (row, measured) in measured.iter().filter(|(row, _)| row.chosen) {
            let at = score(*measured);
            plot.mark((row.count as f64, at), "chosen", format!("{} biases: {:.2} %", row.count, at * 100.0));
            plot.key("dot chosen", "chosen");
        }
        plots.push(plot);
    }
    let taken: Vec<(&BiasRow, usize)> = summary.biases.iter().filter_map(|row| Some((row, row.bytes?))).collect();
    if !taken.is_empty() {
        let counts: Vec<usize> = taken.iter().map(|(row, _)| row.count).collect();
        let values = || taken.iter().map(|&(_, bytes)| bytes as f64).chain([summary.budget as f64, 0.0]);
        let most = values().fold(0.0, f64::max);
        let y = Axis::over(values(), &summary.counted, Unit::bytes(most));
        let mut plot = Plot::new("Memory of biases alone", across(&counts), y);
        let line: Vec<(f64, f64)> = taken.iter().map(|&(row, bytes)| (row.count as f64, bytes as f64)).collect();
        plot.line(&line, "c1");
        plot.dots(line.iter().copied(), "c1");
        plot.key("c1", "without weights");
        let ends = [counts[0], counts[counts.len() - 1]];
        plot.line(&ends.map(|count| (count as f64, summary.budget as f64)), "c2");
        plot.key("c2", "the budget");
        for (row, bytes) in taken.iter().filter(|(row, _)| row.chosen) {
            plot.mark(
                (row.count as f64, *bytes as f64),
                "chosen",
                format!("{} biases: {}", row.count, crate::bytes(*bytes)),
            );
            plot.key("dot chosen", "chosen");
        }
        plots.push(plot);
    }
    plots
}

/// What weights gain, convolution by convolution.
fn gains(summary: &SchemeSummary, ratios: &[f64]) -> Option<Plot> {
    let all: Vec<(usize, Part)> =
        summary.convolutions.iter().flat_map(|row| row.parts.iter().map(|part| (row.index, *part))).collect();
    let (first, last) = (all.iter().map(|one| one.0).min()?, all.iter().map(|one| one.0).max()?);
    let x = Axis::over([first as f64, last as f64], "convolution, from the input on", Unit::WHOLE);
    let y = Axis::over(all.iter().map(|(_, part)| part.measured * 100.0).chain([0.0]), "gain in points", Unit::ONE);
    let mut plot = Plot::new("Weights", x, y);
    for (ratio, style) in ratios.iter().zip(STYLES) {
        let of: Vec<(f64, f64)> = (all.iter().filter(|(_, part)| part.ratio == *ratio))
            .map(|(index, part)| (*index as f64, part.measured * 100.0))
            .collect();
        plot.dots(of, style);
        plot.key(style, format!("{} of the input channels", part_name(*ratio)));
    }
    let mut chosen = all.iter().filter(|(_, part)| part.chosen).peekable();
    if chosen.peek().is_some() {
        plot.key("dot chosen", "chosen");
    }
    for (index, part) in chosen {
        let title = format!("convolution {index}, {}: {} points", part_name(part.ratio), points(part.measured));
        plot.mark((*index as f64, part.measured * 100.0), "chosen", title);
    }
    Some(plot)
}

/// The best gain after so many schemes.
fn evolution(summary: &SchemeSummary) -> Option<Plot> {
    let last = summary.evolution.last()?;
    let mut best: Vec<(f64, f64)> =
        summary.evolution.iter().map(|&(after, gain)| (after as f64, gain * 100.0)).collect();
    best.push((summary.evaluations.max(last.0) as f64, last.1 * 100.0));
    let heights = best.iter().map(|point| point.1).chain(summary.optimum.map(|gain| gain * 100.0));
    let x =
        Axis::over(best.iter().map(|point| point.0).chain([1.0]), "schemes whose memory was asked for", Unit::WHOLE);
    let mut plot = Plot::new("Evolution", x, Axis::over(heights, "sum of gains in points", Unit::ONE));
    if let Some(optimum) = summary.optimum {
        plot.line(&[(1.0, optimum * 100.0), (best[best.len() - 1].0, optimum * 100.0)], "c2");
        plot.key("c2", "the greatest there is");
    }
    plot.steps(&best, "c1");
    plot.key("c1", "the best so far");
    Some(plot)
}

fn bias_cells(row: &BiasRow, base: f64, budget: usize) -> BiasCells<'_> {
    let share = |of: fn([f64; 2]) -> f64| {
        row.measured.map_or_else(String::new, |measured| format!("{:.2} %", of(measured) * 100.0))
    };
    BiasCells {
        row,
        accuracy: share(|[accuracy, _]| accuracy),
        probability: share(|[_, probability]| probability),
        score: share(score),
        gain: row.measured.map_or_else(String::new, |measured| points(score(measured) - base)),
        over: row.bytes.is_none_or(|bytes| bytes > budget),
    }
}

/// `most` is the greatest gain of all.
fn convolution_cells<'a>(row: &'a ConvolutionRow, ratios: &[f64], most: f64) -> ConvolutionCells<'a> {
    let [rows, columns, channels] = row.input;
    let cell = |ratio: &f64| {
        let part = row.parts.iter().find(|part| part.ratio == *ratio)?;
        Some(PartCell {
            gain: points(part.gain),
            measured: points(part.measured),
            bytes: part.bytes,
            chosen: part.chosen,
            part: rounded((part.gain * 100.0 / most.max(f64::MIN_POSITIVE)).clamp(0.0, 100.0)),
            loss: part.gain <= 0.0,
        })
    };
    let cells = ratios.iter().map(cell).collect();
    ConvolutionCells { row, input: format!("{rows}x{columns}x{channels}"), cells }
}

/// Renders the report.
///
/// # Errors
/// [`HtmlError`] if the template itself is wrong, which the tests exclude for every field used here.
pub fn html(summary: &SchemeSummary) -> Result<String, HtmlError> {
    let mut ratios: Vec<f64> =
        summary.convolutions.iter().flat_map(|row| row.parts.iter().map(|part| part.ratio)).collect();
    ratios.sort_by(f64::total_cmp);
    ratios.dedup();
    let most = summary.convolutions.iter().flat_map(|row| &row.parts).map(|part| part.gain).fold(0.0, f64::max);
    let base = summary.biases.iter().find_map(|row| row.measured).map_or(0.0, score);
    let page = Page {
        summary,
        curves: curves(summary),
        gains: gains(summary, &ratios),
        evolution: evolution(summary),
        biases: summary.biases.iter().map(|row| bias_cells(row, base, summary.budget)).collect(),
        convolutions: (summary.convolutions.iter().filter(|row| !row.parts.is_empty()))
            .map(|row| convolution_cells(row, &ratios, most))
            .collect(),
        ratios: ratios.iter().map(|ratio| part_name(*ratio)).collect(),
    };
    let mut environment = environment()?;
    environment.add_template("plot.css", include_str!("../templates/plot.css"))?;
    environment.add_template("plot.html", include_str!("../templates/plot.html"))?;
    environment.add_template("scheme.html", TEMPLATE)?;
    Ok(environment.get_template("scheme.html")?.render(&page)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_have_names() {
        assert_eq!([0.125, 0.25, 0.5, 1.0, 0.3].map(part_name), ["1/8", "1/4", "1/2", "all", "0.3"]);
        assert_eq!([0.0123, -0.002, 0.0].map(points), ["+1.23", "-0.20", "+0.00"]);
    }

    #[test]
    fn a_report_of_nothing_can_be_rendered() {
        let page = html(&SchemeSummary { model: "</title><script>".to_owned(), ..SchemeSummary::default() }).unwrap();
        assert!(!page.contains("<script>"), "{page}");
    }
}
