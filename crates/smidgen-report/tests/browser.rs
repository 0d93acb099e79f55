//! The report in a real browser: nothing sticks out at two widths, shapes are where the plan says, and pointing at one tells
//! its name. Needs Chromium (`SMIDGEN_CHROMIUM`, or `chromium` on the path); without it the test says so and passes, except
//! in CI.

use smidgen_plan::validate::occupancy;
use smidgen_plan::{LowerOptions, PlanOptions, lower, pareto, plan};
use smidgen_report::{Budget, ParetoPoint, Segment, Summary, html};
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
        assert!(std::env::var_os("CI").is_none(), "Chromium is missing; on Debian: apt install chromium");
        eprintln!("skipped: Chromium is not installed (on Debian: apt install chromium)");
    }
    found.map(str::to_owned)
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
                instructions: p.instructions,
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
        let output = Command::new(&chromium)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .arg(format!("--user-data-dir={}", folder.path().join(width.to_string()).display()))
            .arg(format!("--window-size={width},900"))
            .arg("--dump-dom")
            .arg(format!("file://{}", file.display()))
            .output()
            .unwrap();
        let dom = String::from_utf8_lossy(&output.stdout);
        let title = dom.split("<title>").nth(1).and_then(|t| t.split("</title>").next()).unwrap_or_default();
        let parts: Vec<&str> = title.split('|').collect();
        assert_eq!(parts[0], "probe", "{width}: {title} {}", String::from_utf8_lossy(&output.stderr));
        assert!(parts[1].parse::<usize>().unwrap() > 5, "{width}: {title}");
        assert_eq!(parts[2..4], ["true", "true"], "{width}: inside its area, no sideways scrolling: {title}");
        assert_eq!(parts[4].parse::<usize>().unwrap(), front.len(), "{width}: {title}");
        assert!(parts[5].contains("bytes") && parts[5].contains("runs"), "{width}: {title}");
    }
}
