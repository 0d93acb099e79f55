//! The report as one HTML file without outside references.

use crate::map::nice_step;
use crate::summary::{Segment, Summary};
use minijinja::{Environment, Value};
use serde::Serialize;
use smidgen_certify::Certified;
use smidgen_certify::{Occupancy, Span};
use smidgen_ir::visible_lines;
use smidgen_program::{Program, Run};
use std::fmt::Write;

const TEMPLATE: &str = include_str!("../templates/plan.html");
/// What all pages look like.
pub(crate) const STYLE: &str = include_str!("../templates/style.css");

/// An environment in which every text from outside is made visible, then escaped as HTML asks.
pub(crate) fn environment() -> Result<Environment<'static>, HtmlError> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::Html);
    environment.set_formatter(|out, state, value| match value.as_str() {
        Some(text) if !value.is_safe() => {
            minijinja::escape_formatter(out, state, &Value::from(visible_lines(text).to_string()))
        }
        _ => minijinja::escape_formatter(out, state, value),
    });
    environment.add_filter("grouped", |number: u64| crate::thousands(number));
    environment.add_filter("short", |name: String| crate::short(&name));
    environment.add_template("style.css", STYLE)?;
    environment.add_template("map.css", include_str!("../templates/map.css"))?;
    environment.add_template("map.html", include_str!("../templates/map.html"))?;
    Ok(environment)
}

/// The template could not be rendered, which is a fault of smidgen.
#[derive(Debug, thiserror::Error)]
#[error("the report could not be rendered; please report this")]
pub struct HtmlError(#[from] minijinja::Error);

/// A shape in plots whose x axis runs from 0 to 1000 (the whole time) and whose y axis from 0 (top) to 1000.
#[derive(Serialize)]
struct Shape {
    path: String,
    hue: usize,
    name: String,
    detail: String,
}

#[derive(Serialize)]
struct Tick {
    /// Position in per cent.
    at: f64,
    label: String,
}

#[derive(Serialize)]
struct Band<'a> {
    schedule: &'a str,
    detail: &'a str,
    /// Left edge and width in per cent.
    left: f64,
    width: f64,
    odd: bool,
}

#[derive(Serialize)]
struct Dot<'a> {
    /// Position in per cent, from the left and from the top.
    left: f64,
    top: f64,
    schedule: &'a str,
    chosen: bool,
    bytes: String,
    instructions: String,
    extra: String,
}

/// What is drawn of a program: `map.html` shows it.
#[derive(Serialize)]
pub(crate) struct MapView<'a> {
    shapes: Vec<Shape>,
    scratch: String,
    state: String,
    curve: String,
    ticks: Vec<Tick>,
    segments: Vec<Band<'a>>,
    budget_line: Option<f64>,
    budget_label: Option<String>,
    runs: usize,
    arena: String,
    peak: String,
}

/// What the template sees.
#[derive(Serialize)]
struct Page<'a> {
    summary: &'a Summary,
    map: MapView<'a>,
    pareto: Vec<Dot<'a>>,
    levels: Vec<Tick>,
    sizes: Vec<Tick>,
    pareto_budget: Option<f64>,
}

impl<'a> MapView<'a> {
    /// Of a program with its schedules in time order, and the bytes that it may take.
    pub(crate) fn new(
        program: &Certified,
        occupancy: &Occupancy,
        (segments, budget): (&'a [Segment], Option<usize>),
    ) -> Self {
        let runs = program.runs.len().max(1);
        // The budget line belongs into the picture where it is near; a board with ten times the memory would flatten the plan.
        let top = budget.filter(|&b| b <= 3 * program.arena_bytes).unwrap_or(0).max(program.arena_bytes).max(1);
        let x = |run: usize| run as f64 * 1000.0 / runs as f64;
        let y = |bytes: usize| bytes as f64 * 1000.0 / top as f64;

        let shapes: Vec<Shape> = occupancy
            .buffers
            .iter()
            .enumerate()
            .filter(|(_, spans)| !spans.is_empty())
            .map(|(id, spans)| {
                let buffer = &program.buffers[id];
                let extent = buffer.spec.extent;
                let layout = if buffer.width < extent.cols {
                    format!("tile of {} rows by {} columns", buffer.slots, buffer.width)
                } else if buffer.slots < extent.rows {
                    format!("ring of {} row{}", buffer.slots, if buffer.slots == 1 { "" } else { "s" })
                } else {
                    "stored whole".to_owned()
                };
                let (first, last) = (spans[0].runs.start, spans[spans.len() - 1].runs.end - 1);
                Shape {
                    path: outline(spans, &x, &y),
                    // The golden angle keeps neighbours apart.
                    hue: id * 137 % 360,
                    name: buffer.spec.name.clone(),
                    detail: format!(
                        "{}x{}x{}, {layout}, {} at {}, runs {} to {}",
                        extent.rows,
                        extent.cols,
                        extent.depth,
                        crate::bytes(buffer.bytes()),
                        crate::thousands(buffer.offset as u64),
                        crate::thousands(first as u64),
                        crate::thousands(last as u64),
                    ),
                }
            })
            .collect();

        let mut curve = String::from("M0,1000");
        for (run, &live) in occupancy.live_bytes.iter().enumerate() {
            if run == 0 || occupancy.live_bytes[run - 1] != live {
                let _ = write!(curve, " L{:.2},{:.2}", x(run), 1000.0 - y(live));
            }
            if run + 1 == runs || occupancy.live_bytes.get(run + 1) != Some(&live) {
                let _ = write!(curve, " L{:.2},{:.2}", x(run + 1), 1000.0 - y(live));
            }
        }
        curve.push_str(" L1000,1000 Z");

        let step = nice_step(top, 6);
        let ticks: Vec<Tick> =
            (0..=top / step).map(|i| Tick { at: y(i * step) / 10.0, label: axis_label(i * step) }).collect();
        let segments = segments
            .iter()
            .enumerate()
            .map(|(i, s)| {
                let (from, to) = (x(s.runs.start) / 10.0, x(s.runs.end) / 10.0);
                Band { schedule: &s.schedule, detail: &s.detail, left: from, width: to - from, odd: i % 2 == 1 }
            })
            .collect();
        Self {
            shapes,
            scratch: outline(&scratch_spans(program), &x, &y),
            state: state_spans(program).iter().map(|span| outline(std::slice::from_ref(span), &x, &y)).collect(),
            curve,
            ticks,
            segments,
            budget_line: budget.filter(|&b| b <= top).map(|b| y(b) / 10.0),
            budget_label: budget.map(crate::bytes),
            runs: program.runs.len(),
            arena: crate::bytes(program.arena_bytes),
            peak: crate::bytes(occupancy.live_bytes.iter().copied().max().unwrap_or(0)),
        }
    }
}

/// Renders the report.
///
/// # Errors
/// [`HtmlError`] if the template itself is wrong, which the tests exclude for every field used here.
pub fn html(program: &Certified, occupancy: &Occupancy, summary: &Summary) -> Result<String, HtmlError> {
    let budget = summary.budget.as_ref().map(|b| b.bytes);
    let widest = summary.pareto.iter().map(|p| p.total_bytes).max().unwrap_or(1) as f64 * 1.08;
    // Instructions differ by a few per cent only, so their axis does not begin at 0; its ends are labelled.
    let counts: Vec<u64> = summary.pareto.iter().rev().map(|p| p.instructions).collect();
    let (fastest, slowest) = (counts.iter().min().copied().unwrap_or(0), counts.iter().max().copied().unwrap_or(0));
    let height = |n: u64| 8.0 + 84.0 * (n - fastest) as f64 / (slowest - fastest).max(1) as f64;
    let millions = |n: u64| format!("{:.2} M", n as f64 / 1e6);
    let level = |n: u64| Tick { at: height(n), label: millions(n) };
    let mut levels = vec![level(fastest)];
    if slowest > fastest {
        levels.push(level(slowest));
    }
    let step = nice_step(widest as usize, 5);
    let sizes: Vec<Tick> = (1..=widest as usize / step)
        .map(|i| Tick { at: (i * step) as f64 * 100.0 / widest, label: axis_label(i * step) })
        .collect();
    let pareto = summary
        .pareto
        .iter()
        .zip(counts.iter().rev())
        .map(|(p, &count)| Dot {
            left: p.total_bytes as f64 * 100.0 / widest,
            top: 100.0 - height(count),
            schedule: &p.schedule,
            chosen: p.chosen,
            bytes: crate::bytes(p.total_bytes),
            instructions: millions(p.instructions),
            extra: format!("{:.1} %", p.extra_macs_percent),
        })
        .collect();
    let pareto_budget = budget.map(|b| b as f64 * 100.0 / widest).filter(|&at| at <= 100.0);

    let mut environment = environment()?;
    environment.add_template("plan.html", TEMPLATE)?;
    let map = MapView::new(program, occupancy, (&summary.segments, budget));
    let page = Page { summary, map, pareto, levels, sizes, pareto_budget };
    Ok(environment.get_template("plan.html")?.render(&page)?)
}

/// The scratch of each run.
fn scratch_spans(program: &Program) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for (i, run) in program.runs.iter().enumerate() {
        let Run::Compute { step, .. } = *run else { continue };
        let scratch = program.scratch[step.index()];
        let bytes = scratch.offset..scratch.offset + scratch.len;
        match spans.last_mut() {
            _ if bytes.is_empty() => {}
            Some(last) if last.runs.end == i && last.bytes == bytes => last.runs.end = i + 1,
            _ => spans.push(Span { runs: i..i + 1, bytes }),
        }
    }
    spans
}

/// The accumulators of each consuming step, from its first run to its last.
fn state_spans(program: &Program) -> Vec<Span> {
    let of = |run: &Run, id: usize| matches!(run, Run::Compute { step, .. } if step.index() == id);
    let states = program.state.iter().enumerate().filter(|(_, state)| state.len > 0);
    states
        .filter_map(|(id, state)| {
            let first = program.runs.iter().position(|run| of(run, id))?;
            let last = program.runs.iter().rposition(|run| of(run, id))?;
            Some(Span { runs: first..last + 1, bytes: state.offset..state.offset + state.len })
        })
        .collect()
}

/// The outline of a buffer's spans: forward along the upper edges, back along the lower ones; one closed part for each stretch
/// of time without a gap.
fn outline(spans: &[Span], x: &impl Fn(usize) -> f64, y: &impl Fn(usize) -> f64) -> String {
    let mut path = String::new();
    let mut rest = spans;
    while !rest.is_empty() {
        let gap = rest.windows(2).position(|w| w[0].runs.end != w[1].runs.start);
        let (part, later) = rest.split_at(gap.map_or(rest.len(), |g| g + 1));
        for (i, span) in part.iter().enumerate() {
            let at = y(span.bytes.start);
            let verb = if i == 0 { 'M' } else { 'L' };
            let _ = write!(path, "{verb}{:.2},{at:.2} L{:.2},{at:.2} ", x(span.runs.start), x(span.runs.end));
        }
        for span in part.iter().rev() {
            let at = y(span.bytes.end);
            let _ = write!(path, "L{:.2},{at:.2} L{:.2},{at:.2} ", x(span.runs.end), x(span.runs.start));
        }
        path.push_str("Z ");
        rest = later;
    }
    path
}

fn axis_label(bytes: usize) -> String {
    if bytes < 10_000 { crate::thousands(bytes as u64) } else { format!("{} k", crate::thousands(bytes as u64 / 1000)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outlines_close_at_gaps() {
        let spans =
            [Span { runs: 0..2, bytes: 0..10 }, Span { runs: 2..3, bytes: 4..10 }, Span { runs: 5..6, bytes: 0..2 }];
        let path = outline(&spans, &|r| r as f64, &|b| b as f64);
        assert_eq!(path.matches('M').count(), 2);
        assert_eq!(path.matches('Z').count(), 2);
        assert!(path.starts_with("M0.00,0.00 L2.00,0.00 L2.00,4.00 L3.00,4.00 L3.00,10.00"), "{path}");
    }

    #[test]
    fn names_from_a_model_cannot_break_out_of_the_page() {
        let summary = Summary { model: "</title><script>alert(1)</script>".to_owned(), ..Summary::default() };
        let page =
            html(&smidgen_certify::certify(Program::default()).unwrap(), &Occupancy::default(), &summary).unwrap();
        assert!(!page.contains("<script>alert"), "{page}");
        assert!(page.contains("&lt;script&gt;alert"), "{page}");
    }
}
