//! The report in a real browser: nothing sticks out at three widths, shapes are where the plan says, and pointing at one tells
//! its name. Needs Chromium (`SMIDGEN_CHROMIUM`, or `chromium` on the path); without it the test says so and passes, except
//! in CI.

use smidgen_certify::occupancy;
use smidgen_lower::{LowerOptions, lower};
use smidgen_plan::{PlanOptions, pareto, plan};
use smidgen_reference::{Lack, skip};
use smidgen_report::quant::{self, Accuracy, LayerRow, QuantSummary};
use smidgen_report::scheme::{self, BiasRow, ConvolutionRow, Part, SchemeSummary};
use smidgen_report::search::{self, BlockRow, Compared, SearchSummary, SpaceRow, WrongRow};
use smidgen_report::{Budget, ParetoPoint, Segment, StepRow, Summary, html};
use std::path::Path;
use std::process::Command;

/// Appended to the page: points at the first shape, measures, and leaves what it found in the title.
const PROBE: &str = r#"<script>
const shapes = [...document.querySelectorAll(".buffer")];
shapes[0].dispatchEvent(new Event("pointerenter"));
const area = document.querySelector(".map .area").getBoundingClientRect();
const inside = shapes.every(s => { const b = s.getBoundingClientRect();
  return b.left >= area.left - 2 && b.right <= area.right + 2 && b.top >= area.top - 2 && b.bottom <= area.bottom + 2
    && b.width > 0 && b.height > 0; });
const points = document.querySelectorAll(".point").length;
top.document.title = ["probe", shapes.length, inside, document.documentElement.scrollWidth <= innerWidth, points,
  document.getElementById("hint").textContent].join("|");
</script>"#;

fn chromium() -> Option<String> {
    let named = std::env::var("SMIDGEN_CHROMIUM").ok();
    let found = [named.as_deref().unwrap_or("chromium"), "chromium-browser", "google-chrome"]
        .into_iter()
        .find(|program| Command::new(program).arg("--version").output().is_ok_and(|o| o.status.success()));
    if found.is_none() {
        skip(Lack::Tool, "the page in a browser", "Chromium is not installed (on Debian: apt install chromium)");
    }
    found.map(str::to_owned)
}

/// The title that a page has given in a frame of this width; windows narrower than 500 pixels there are none.
fn title(chromium: &str, folder: &Path, page: &str, width: usize) -> String {
    let file = folder.join(format!("{width}.html"));
    let inner = page.replace('&', "&amp;").replace('"', "&quot;");
    let style = format!("width:{width}px;height:800px;border:0");
    let frame = format!("<!doctype html><title></title><body><iframe style=\"{style}\" srcdoc=\"{inner}\"></iframe>");
    std::fs::write(&file, frame).unwrap();
    let output = Command::new(chromium)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .arg(format!("--user-data-dir={}", folder.join(width.to_string()).display()))
        .arg("--window-size=1500,900")
        .arg("--dump-dom")
        .arg(format!("file://{}", file.display()))
        .output()
        .unwrap();
    let dom = String::from_utf8_lossy(&output.stdout);
    let title = dom.split("<title>").nth(1).and_then(|t| t.split("</title>").next());
    title.map_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned(), str::to_owned)
}

/// Appended to the page on quantisation: every bar inside its track, their number, and whether the page scrolls sideways.
const BARS: &str = r#"<script>
const bars = [...document.querySelectorAll(".bar")];
const within = bars.every(b => { const r = b.getBoundingClientRect(), t = b.parentElement.getBoundingClientRect();
  return r.left >= t.left - 2 && r.right <= t.right + 2 && r.top >= t.top - 1 && r.bottom <= t.bottom + 1 && t.width > 60; });
top.document.title = ["probe", bars.length, within, document.documentElement.scrollWidth <= innerWidth,
  document.querySelectorAll(".poor").length].join("|");
</script>"#;

#[test]
fn the_page_on_quantisation_fits_three_widths() {
    let Some(chromium) = chromium() else { return };
    let ratios = [Some(42.0), Some(12.5), None, Some(-99.0), Some(71.0)];
    let layers = ratios.iter().enumerate().map(|(index, &added)| LayerRow {
        index,
        kind: "DEPTHWISE_CONV_2D".to_owned(),
        name: format!("<b>block_{index}</b>/{}", "a/long/name;".repeat(20)),
        shape: "1x96x96x64".to_owned(),
        activation: "i8".to_owned(),
        weights: Some("i8".to_owned()),
        bytes: 123_456,
        scale: "0.00784314".to_owned(),
        zero_point: -128,
        represents: (0.0, 6.0),
        seen: (0.0, 5.5),
        added,
        total: added.map(|db| db - 3.0),
    });
    let accuracy = Accuracy {
        before: 1175,
        after: 1150,
        before_share: "97.92 %".to_owned(),
        after_share: "95.83 %".to_owned(),
        samples: 1200,
        said: "1,200 samples.".to_owned(),
    };
    let summary = QuantSummary {
        model: "a <network>".to_owned(),
        layers: layers.collect(),
        accuracy: Some(accuracy),
        ..QuantSummary::default()
    };
    let page = quant::html(&summary).unwrap();
    assert!(!page.contains("<b>block"), "names cannot break out of the page");
    for told in ["before: float", "97.92 %", "95.83 %", "1,175", "123,456"] {
        assert!(page.contains(told), "{told}");
    }
    for reference in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!page.contains(reference), "the page refers to something outside: {reference}");
    }
    let folder = tempfile::tempdir().unwrap();
    let page = page.replace("</body>", &format!("{BARS}</body>"));
    for width in [1400, 800, 400] {
        assert_eq!(title(&chromium, folder.path(), &page, width), "probe|10|true|true|2", "{width}");
    }
}

/// Appended to the page of a search: every dot that stands out inside its plot, how many, whether all pictures could be
/// shown, and whether the page scrolls sideways.
const PLOTS: &str = r#"<script>
const marks = [...document.querySelectorAll(".mark")];
const within = marks.every(m => { const r = m.getBoundingClientRect(), a = m.parentElement.getBoundingClientRect();
  const x = (r.left + r.right) / 2, y = (r.top + r.bottom) / 2;
  return x >= a.left - 1 && x <= a.right + 1 && y >= a.top - 1 && y <= a.bottom + 1 && a.width > 150; });
const images = [...document.images];
addEventListener("load", () => { top.document.title = ["probe", marks.length, within, images.length,
  images.every(i => i.complete && i.naturalWidth > 0), document.documentElement.scrollWidth <= innerWidth].join("|"); });
</script>"#;

/// A grey pixel.
const PNG: &[u8] = b"\
    \x89\x50\x4e\x47\x0d\x0a\x1a\x0a\x00\x00\x00\x0d\x49\x48\x44\x52\x00\x00\x00\x01\x00\x00\x00\x01\x08\
    \x00\x00\x00\x00\x3a\x7e\x9b\x55\x00\x00\x00\x0a\x49\x44\x41\x54\x78\x9c\x63\x68\x00\x00\x00\x82\x00\
    \x81\x77\xcd\x72\xb6\x00\x00\x00\x00\x49\x45\x4e\x44\xae\x42\x60\x82";

#[test]
fn the_page_on_a_search_fits_three_widths() {
    let Some(chromium) = chromium() else { return };
    let lowered = lower(&smidgen_synthetic::demo(7), &LowerOptions::default()).unwrap();
    let planned = plan(&lowered, &PlanOptions::default()).unwrap();
    let classes = 12;
    let compared = |i: usize| Compared {
        accuracy: 0.9 + 0.001 * (i * 37 % 50) as f64,
        sram: 20_000 + 700 * (i * 13 % 29),
        instructions: 9_000_000 + 90_000 * (i as u64 * 11 % 31),
        chosen: i == 30,
    };
    let space = |i: usize| SpaceRow {
        width: 0.1 * (i % 9 + 2) as f64,
        input: [48 + 16 * (i / 9), 64, 3],
        drawn: 40,
        macs: vec![1_000_000 * (i as u64 + 1); i % 5],
        binds: Some("instructions".to_owned()),
        chosen: i == 7,
    };
    let wrong = |i: usize| WrongRow {
        png: PNG.to_vec(),
        name: format!("test/{}.jpg", "a-very-long-name".repeat(i + 1)),
        class: "without_mask".to_owned(),
        taken: "with_mask".to_owned(),
        confidence: 0.99,
    };
    let summary = SearchSummary {
        name: "a network".to_owned(),
        command: "--an-argument-that-is-long".repeat(20),
        spaces: (0..27).map(space).collect(),
        compared: (0..60).map(compared).collect(),
        population: Some(16),
        blocks: vec![BlockRow { kind: "inverted, without shortcut".to_owned(), ..BlockRow::default() }; 9],
        classes: (0..classes).map(|i| format!("class_with_a_long_name_{i}")).collect(),
        confusion: vec![vec![1234; classes]; classes],
        pictures: true,
        wrong: (0..5).map(wrong).collect(),
        ..SearchSummary::default()
    };
    let page = search::html(&planned.program, &occupancy(&planned.program), &summary).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let page = page.replace("</body>", &format!("{PLOTS}</body>"));
    for width in [1400, 800, 400] {
        assert_eq!(title(&chromium, folder.path(), &page, width), "probe|3|true|5|true|true", "{width}");
    }
}

#[test]
fn the_page_on_a_scheme_fits_three_widths() {
    let Some(chromium) = chromium() else { return };
    let part = |i: usize, j: usize| Part {
        ratio: [0.125, 0.25, 0.5, 1.0][j],
        gain: (i * 7 + j * 3) as f64 % 11.0 / 300.0 - 0.005,
        measured: 0.01,
        bytes: 12_345 * (j + 1),
        chosen: i == 2 && j == 1,
    };
    let summary = SchemeSummary {
        model: "a <network>".to_owned(),
        command: "--an-argument-that-is-long".repeat(20),
        scheme: "n_bias_update = 3\n".to_owned(),
        budget: 130_000,
        biases: (0..7)
            .map(|i| BiasRow {
                count: 3 * i,
                bytes: (i < 6).then_some(40_000 + 20_000 * i),
                measured: (i < 5).then_some([0.9 + 0.01 * i as f64, 0.8]),
                chosen: i == 3,
                reference: i == 4,
            })
            .collect(),
        convolutions: (0..12)
            .map(|i| ConvolutionRow {
                index: i,
                kind: "depthwise, 7x7".to_owned(),
                input: [128, 128, 256],
                outputs: 1234,
                biased: i > 4,
                parts: (0..4).map(|j| part(i, j)).collect(),
            })
            .collect(),
        evolution: vec![(1, 0.0), (5, 0.03), (80, 0.05)],
        evaluations: 300,
        optimum: Some(0.051),
        ..SchemeSummary::default()
    };
    let page = scheme::html(&summary).unwrap();
    for reference in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!page.contains(reference), "the page refers to something outside: {reference}");
    }
    let folder = tempfile::tempdir().unwrap();
    let page = page.replace("</body>", &format!("{PLOTS}</body>"));
    for width in [1400, 800, 400] {
        // Counts and weights that were chosen stand out, in three plots.
        assert_eq!(title(&chromium, folder.path(), &page, width), "probe|3|true|0|true|true", "{width}");
    }
}

#[test]
fn the_page_stands_alone_and_fits_three_widths() {
    let Some(chromium) = chromium() else { return };
    let lowered = lower(&smidgen_synthetic::demo(7), &LowerOptions::default()).unwrap();
    let planned = plan(&lowered, &PlanOptions::default()).unwrap();
    let map = occupancy(&planned.program);
    let front = pareto(&lowered, false, Default::default()).unwrap();
    let summary = Summary {
        model: "demo <network>".to_owned(),
        schedule: planned.report.schedule.clone(),
        budget: Some(Budget { name: "a board".to_owned(), bytes: planned.report.total_bytes + 100 }),
        verdict: "Fits.".to_owned(),
        fits: true,
        segments: vec![Segment {
            schedule: "all".to_owned(),
            runs: 0..planned.program.runs.len(),
            detail: "everything".to_owned(),
        }],
        pareto: front
            .iter()
            .map(|p| ParetoPoint {
                schedule: p.schedule.clone(),
                total_bytes: p.total_bytes,
                instructions: p.instructions,
                extra_macs_percent: p.extra_macs_percent,
                chosen: false,
            })
            .collect(),
        steps: vec![StepRow {
            index: 0,
            kind: "CONV_2D".to_owned(),
            name: "functional_1/<script>/\u{5d0}/".repeat(20),
            shape: "96x96x64".to_owned(),
            schedule: "stream".to_owned(),
            runs: 1234,
            macs: 12_345_678,
            scratch: 1024,
            live: 55_296,
            layered: Some(1_234_567),
        }],
        ..Summary::default()
    };
    let page = html(&planned.program, &map, &summary).unwrap();
    for reference in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!page.contains(reference), "the page refers to something outside: {reference}");
    }
    assert!(!page.contains("/<script>/"), "names cannot break out of the page");
    for told in ["1,234", "12,345,678", "55,296", "1,234,567", "layer by layer"] {
        assert!(page.contains(told), "{told}");
    }
    let folder = tempfile::tempdir().unwrap();
    let page = page.replace("</body>", &format!("{PROBE}</body>"));
    for width in [1400, 800, 400] {
        let title = title(&chromium, folder.path(), &page, width);
        let parts: Vec<&str> = title.split('|').collect();
        assert_eq!(parts[0], "probe", "{width}: {title}");
        assert!(parts[1].parse::<usize>().unwrap() > 5, "{width}: {title}");
        assert_eq!(parts[2..4], ["true", "true"], "{width}: inside its area, no sideways scrolling: {title}");
        assert_eq!(parts[4].parse::<usize>().unwrap(), front.len(), "{width}: {title}");
        assert!(parts[5].contains("bytes") && parts[5].contains("runs"), "{width}: {title}");
    }
}
