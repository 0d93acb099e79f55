//! What training on the device came to, scheme by scheme, as one HTML file without outside references.

use crate::html::{HtmlError, environment};
use crate::plot::{Axis, Plot, Unit};
use crate::summary::Figure;
use serde::Serialize;

const TEMPLATE: &str = include_str!("../templates/adaptation.html");

/// What a scheme came to; means over all trainings with it.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct TrainedRow {
    /// The scheme's name.
    pub name: String,
    /// It was trained in floats, beside a scheme of the device's.
    pub twin: bool,
    /// Bytes of what is trained.
    pub kept: usize,
    /// The learning rates that were chosen.
    pub rates: String,
    /// Part of the tested samples that were right in the end, 0 to 1.
    pub accuracy: f64,
    /// The same after each epoch.
    pub curve: Vec<f64>,
    /// The loss of each epoch, each sample's before it was learnt.
    pub losses: Vec<f64>,
    /// How many points more than by the first scheme, and the interval that holds the true difference with a probability of 95 %.
    pub difference: Option<[f64; 3]>,
}

/// Everything of the report.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct AdaptationSummary {
    /// Name of the model.
    pub model: String,
    /// What came out, in a sentence.
    pub verdict: String,
    /// Figures at the top.
    pub figures: Vec<Figure>,
    /// The command line.
    pub command: String,
    /// Schemes, in the order in which they were asked for.
    pub schemes: Vec<TrainedRow>,
}

/// Styles of the schemes' curves, which begin again behind the last.
const STYLES: [&str; 5] = ["c1", "c2", "c3", "c4", "c5"];
/// The same for what was trained in floats.
const TWINS: [&str; 5] = ["c1 dashed", "c2 dashed", "c3 dashed", "c4 dashed", "c5 dashed"];
/// How often the least loss a loss is at which it has diverged.
const DIVERGED: f64 = 1e3;

#[derive(Serialize)]
struct Cells<'a> {
    row: &'a TrainedRow,
    accuracy: String,
    epochs: String,
    difference: String,
    interval: String,
    /// The interval excludes 0.
    counts: bool,
}

#[derive(Serialize)]
struct Page<'a> {
    summary: &'a AdaptationSummary,
    curves: Vec<Plot>,
    rows: Vec<Cells<'a>>,
}

fn percent(part: f64) -> String {
    format!("{:.2} %", part * 100.0)
}

/// One curve for each scheme; nothing where there are no epochs.
fn plot(
    summary: &AdaptationSummary,
    title: &'static str,
    what: &str,
    unit: Unit,
    of: fn(&TrainedRow) -> &[f64],
) -> Option<Plot> {
    let epochs = summary.schemes.iter().map(|row| of(row).len()).max().filter(|&epochs| epochs > 0)?;
    let x = Axis::over([1.0, epochs as f64], "epoch", Unit::WHOLE);
    // A training that diverged would leave nothing of the others.
    let all = || summary.schemes.iter().flat_map(|row| of(row).iter().copied());
    let most = DIVERGED * all().filter(|value| *value > 0.0).fold(f64::INFINITY, f64::min).clamp(1e-3, 1.0);
    let y = Axis::over(all().filter(|value| *value <= most), what, unit);
    let mut plot = Plot::new(title, x, y);
    let mut scheme = 0;
    for row in &summary.schemes {
        // Twins have their scheme's colour, in dashes.
        scheme += usize::from(!row.twin);
        let style = if row.twin { TWINS } else { STYLES }[scheme.saturating_sub(1) % STYLES.len()];
        let points = of(row).iter().enumerate().map(|(i, &value)| ((i + 1) as f64, value));
        let points: Vec<(f64, f64)> = points.filter(|(_, value)| *value <= most).collect();
        plot.line(&points, style);
        plot.dots(points, style);
        plot.key(style, &row.name);
    }
    Some(plot)
}

fn cells(row: &TrainedRow) -> Cells<'_> {
    let [points, low, high] = row.difference.unwrap_or_default();
    let told = row.difference.is_some();
    Cells {
        row,
        accuracy: percent(row.accuracy),
        epochs: row.curve.iter().map(|&part| percent(part)).collect::<Vec<_>>().join(", "),
        difference: if told { format!("{points:+.2}") } else { String::new() },
        interval: if told { format!("{low:+.2} to {high:+.2}") } else { String::new() },
        counts: told && low * high > 0.0,
    }
}

/// Renders the report.
///
/// # Errors
/// [`HtmlError`] if the template itself is wrong, which the tests exclude for every field used here.
pub fn html(summary: &AdaptationSummary) -> Result<String, HtmlError> {
    let curves = [
        plot(summary, "Accuracy", "of the tested samples", Unit::PERCENT, |row| &row.curve),
        plot(summary, "Loss", "mean over the samples that were learnt", Unit::ONE, |row| &row.losses),
    ];
    let page = Page {
        summary,
        curves: curves.into_iter().flatten().collect(),
        rows: summary.schemes.iter().map(cells).collect(),
    };
    let mut environment = environment()?;
    environment.add_template("plot.css", include_str!("../templates/plot.css"))?;
    environment.add_template("plot.html", include_str!("../templates/plot.html"))?;
    environment.add_template("adaptation.html", TEMPLATE)?;
    Ok(environment.get_template("adaptation.html")?.render(&page)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_of_nothing_can_be_rendered() {
        let summary = AdaptationSummary { model: "</title><script>".to_owned(), ..AdaptationSummary::default() };
        assert!(!html(&summary).unwrap().contains("<script>"));
    }

    #[test]
    fn twins_are_dashed_in_their_scheme_s_colour_and_what_diverged_is_left_out() {
        let row = |name: &str, twin, losses: &[f64]| TrainedRow {
            name: name.to_owned(),
            twin,
            losses: losses.to_vec(),
            ..TrainedRow::default()
        };
        let schemes = vec![
            row("a", false, &[0.7, 0.5]),
            row("a, float", true, &[f64::NAN, 1e57]),
            row("b", false, &[0.6, 0.4]),
            row("b, float", true, &[0.6, 0.3]),
        ];
        let page = html(&AdaptationSummary { schemes, ..AdaptationSummary::default() }).unwrap();
        for wanted in ["class=\"c1\"", "class=\"c2\"", "class=\"c2 dashed\""] {
            assert!(page.contains(wanted), "{wanted}");
        }
        assert!(!page.contains("00000000") && !page.contains("NaN"), "{page}");
    }

    #[test]
    fn a_difference_counts_when_its_interval_excludes_0() {
        let counts = |difference| cells(&TrainedRow { difference, ..TrainedRow::default() }).counts;
        assert_eq!(
            [None, Some([1.0, 0.2, 1.8]), Some([1.0, -0.2, 2.2]), Some([-1.0, -1.5, -0.5])].map(counts),
            [false, true, false, true]
        );
    }
}
