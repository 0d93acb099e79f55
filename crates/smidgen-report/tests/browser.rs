//! The report in a real browser: nothing sticks out at two widths, shapes are where the plan says, and pointing at one tells
//! its name. Needs Chromium (`SMIDGEN_CHROMIUM`, or `chromium` on the path); without it the test says so and passes, except
//! in CI.

use smidgen_plan::certify::occupancy;
use smidgen_plan::{LowerOptions, PlanOptions, lower, pareto, plan};
use smidgen_reference::{Lack, skip};
use smidgen_report::quant::{self, LayerRow, QuantSummary};
use smidgen_report::{Budget, ParetoPoint, Segment, Summary, html};
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
document.title = ["probe", shapes.length, inside, document.documentElement.scrollWidth <= innerWidth, points,
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

/// The title that a page has given itself in a window of this width.
fn title(chromium: &str, folder: &Path, file: &Path, width: usize) -> String {
    let output = Command::new(chromium)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .arg(format!("--user-data-dir={}", folder.join(width.to_string()).display()))
        .arg(format!("--window-size={width},900"))
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
document.title = ["probe", bars.length, within, document.documentElement.scrollWidth <= innerWidth,
  document.querySelectorAll(".poor").length].join("|");
</script>"#;

#[test]
fn the_page_on_quantisation_fits_two_widths() {
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
    let summary = QuantSummary { model: "a <network>".to_owned(), layers: layers.collect(), ..QuantSummary::default() };
    let page = quant::html(&summary).unwrap();
    assert!(!page.contains("<b>block"), "names cannot break out of the page");
    for reference in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!page.contains(reference), "the page refers to something outside: {reference}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("quant.html");
    std::fs::write(&file, page.replace("</body>", &format!("{BARS}</body>"))).unwrap();
    for width in [1200, 500] {
        assert_eq!(title(&chromium, folder.path(), &file, width), "probe|10|true|true|2", "{width}");
    }
}

#[test]
fn the_page_stands_alone_and_fits_two_widths() {
    let Some(chromium) = chromium() else { return };
    let lowered = lower(&smidgen_zoo::demo(7), &LowerOptions::default()).unwrap();
    let planned = plan(&lowered, &PlanOptions::default()).unwrap();
    let map = occupancy(&planned.program);
    let front = pareto(&lowered, false).unwrap();
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
                instructions: p.instructions.on(smidgen_plan::CoreFamily::ArmDsp),
                extra_macs_percent: p.extra_macs_percent,
                chosen: false,
            })
            .collect(),
        ..Summary::default()
    };
    let page = html(&planned.program, &map, &summary).unwrap();
    for reference in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!page.contains(reference), "the page refers to something outside: {reference}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plan.html");
    std::fs::write(&file, page.replace("</body>", &format!("{PROBE}</body>"))).unwrap();
    for width in [1200, 500] {
        let title = title(&chromium, folder.path(), &file, width);
        let parts: Vec<&str> = title.split('|').collect();
        assert_eq!(parts[0], "probe", "{width}: {title}");
        assert!(parts[1].parse::<usize>().unwrap() > 5, "{width}: {title}");
        assert_eq!(parts[2..4], ["true", "true"], "{width}: inside its area, no sideways scrolling: {title}");
        assert_eq!(parts[4].parse::<usize>().unwrap(), front.len(), "{width}: {title}");
        assert!(parts[5].contains("bytes") && parts[5].contains("runs"), "{width}: {title}");
    }
}
