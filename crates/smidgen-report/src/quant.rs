//! What quantisation costs, as one HTML file without outside references.

use crate::html::{HtmlError, environment};
use crate::summary::Figure;
use serde::Serialize;

const TEMPLATE: &str = include_str!("../templates/quant.html");

/// One operator of the quantised network.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct LayerRow {
    /// Index of the operator.
    pub index: usize,
    /// The operator's name.
    pub kind: String,
    /// Its output's name.
    pub name: String,
    /// Its output's shape.
    pub shape: String,
    /// The type of the activations that it computes on.
    pub activation: String,
    /// Its weights' type, if it has weights.
    pub weights: Option<String>,
    /// Bytes of its weights and biases; 0 if it has none.
    pub bytes: usize,
    /// Its output's scale.
    pub scale: String,
    /// Its output's zero point.
    pub zero_point: i32,
    /// Real numbers that its output can represent.
    pub represents: (f32, f32),
    /// Real numbers that occurred.
    pub seen: (f32, f32),
    /// Signal-to-noise ratio that the operator alone leaves, in decibels; `None` if it adds nothing.
    pub added: Option<f64>,
    /// The same with all noise before it.
    pub total: Option<f64>,
}

/// How often both networks name the right class.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Accuracy {
    /// Samples that the float network gets right.
    pub before: u64,
    /// Samples that the quantised network gets right.
    pub after: u64,
    /// That of the float network as a share: `87.50 %`.
    pub before_share: String,
    /// That of the quantised network.
    pub after_share: String,
    /// Samples that both ran on.
    pub samples: u64,
    /// Which samples these are, in sentences.
    pub said: String,
}

/// Everything of the report.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct QuantSummary {
    /// Name of the model.
    pub model: String,
    /// How ranges were chosen.
    pub method: String,
    /// Types of activations.
    pub activations: String,
    /// Bits of weights.
    pub weights: String,
    /// Verdict in a sentence.
    pub verdict: String,
    /// True if the verdict is good.
    pub good: bool,
    /// Figures at the top.
    pub figures: Vec<Figure>,
    /// Accuracy before and after, where the data have labels and the network names classes.
    pub accuracy: Option<Accuracy>,
    /// The operators, in order.
    pub layers: Vec<LayerRow>,
}

/// Where an operator's marks stand, in per cent of the axis.
#[derive(Serialize)]
struct Marks<'a> {
    row: &'a LayerRow,
    added: f64,
    total: f64,
    added_text: String,
    total_text: String,
    represents: String,
    seen: String,
    poor: bool,
}

#[derive(Serialize)]
struct Tick {
    at: f64,
    label: String,
}

#[derive(Serialize)]
struct Page<'a> {
    summary: &'a QuantSummary,
    layers: Vec<Marks<'a>>,
    ticks: Vec<Tick>,
}

/// Least end of the axis in decibels; networks of good quality lie above it.
const LEAST_TOP: f64 = 50.0;
/// Below this noise is a tenth of the signal's magnitude.
const POOR: f64 = 20.0;

/// Renders the report.
///
/// # Errors
/// [`HtmlError`] if the template itself is wrong, which the tests exclude for every field used here.
pub fn html(summary: &QuantSummary) -> Result<String, HtmlError> {
    let ratios = summary.layers.iter().flat_map(|layer| [layer.added, layer.total]).flatten();
    let top = (ratios.fold(LEAST_TOP, f64::max) / 10.0).ceil() * 10.0;
    // No noise at all reaches the end of the axis; less than 0 dB leaves its beginning.
    let at = |ratio: Option<f64>| ratio.map_or(100.0, |db| (db * 100.0 / top).clamp(0.0, 100.0));
    let text = |ratio: Option<f64>| ratio.map_or_else(|| "none".to_owned(), |db| format!("{db:.1}"));
    let range = |(low, high): (f32, f32)| format!("{low:.4} to {high:.4}");
    let marks = summary.layers.iter().map(|row| Marks {
        row,
        added: at(row.added),
        total: at(row.total),
        added_text: text(row.added),
        total_text: text(row.total),
        represents: range(row.represents),
        seen: range(row.seen),
        poor: row.added.is_some_and(|db| db < POOR),
    });
    let step = if top > 60.0 { 20 } else { 10 };
    let ticks =
        (0..=top as usize / step).map(|i| Tick { at: (i * step) as f64 * 100.0 / top, label: (i * step).to_string() });
    let page = Page { summary, layers: marks.collect(), ticks: ticks.collect() };
    let mut environment = environment()?;
    environment.add_template("quant.html", TEMPLATE)?;
    Ok(environment.get_template("quant.html")?.render(&page)?)
}
