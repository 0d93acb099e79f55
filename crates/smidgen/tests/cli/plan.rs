//! `smidgen plan`.

use crate::support::{Folder, TINY, finish};
use std::fs;

/// A folder with a network large enough to have something to plan.
fn demo() -> Folder {
    let folder = Folder::new();
    folder.write("demo.ir", smidgen::ir::text::print(&smidgen_zoo::demo(1)));
    folder
}

#[test]
fn sizes_are_told_and_decide_the_exit_code() {
    let folder = demo();
    let plan = folder.smidgen(&["plan", "demo.ir", "--json"]).expect(0).json();
    let total = plan["total_bytes"].as_u64().unwrap();
    assert!(total > 1000 && plan["lower_bound_bytes"].as_u64().unwrap() <= total, "{plan}");
    assert!(plan["arena_bytes"].as_u64().unwrap() <= total && plan["fits"] == true, "{plan}");
    assert_eq!(plan["extra_macs_percent"], 0.0);
    assert_eq!(plan["schedule"], "auto");
    assert!(plan["scratch_bytes"].is_u64());

    let just = total.to_string();
    folder.smidgen(&["plan", "demo.ir", "--sram", &just]).expect(0);
    let short = (total - 1).to_string();
    let refused = folder.smidgen(&["plan", "demo.ir", "--sram", &short, "--schedule", "stream", "--json"]).json();
    assert!(refused["fits"] == false || refused["total_bytes"].as_u64().unwrap() < total, "{refused}");
    let tight = folder.smidgen(&["plan", "demo.ir", "--sram", "1K"]).expect(5).stdout;
    for expected in ["Does not fit", "Most is needed in", "a board with", "--stream-input"] {
        assert!(tight.contains(expected), "{expected}: {tight}");
    }
}

#[test]
fn the_text_has_figures_steps_and_a_map_and_fits_the_terminal() {
    let folder = demo();
    for width in ["100", "60"] {
        let said =
            finish(folder.command(&["plan", "demo.ir", "--board", "stm32f412"]).env("COLUMNS", width)).expect(0).stdout;
        for expected in ["Fits: takes", "lower bound", "Segments", "Steps", "Memory map", "time: "] {
            assert!(said.contains(expected), "{expected}: {said}");
        }
        assert!(!said.contains('\x1b'), "no colours where there is no terminal");
        let limit: usize = width.parse().unwrap();
        for line in said.lines().filter(|l| !l.starts_with("  ") && !l.starts_with('(') && !l.starts_with("Fits")) {
            assert!(line.chars().count() <= limit, "{line}");
        }
    }
}

#[test]
fn schedules_and_objectives_can_be_chosen_and_are_the_same_each_time() {
    let folder = demo();
    let mut totals = Vec::new();
    for arguments in [
        &["--schedule", "layer"][..],
        &["--schedule", "stream"],
        &["--schedule", "patch:2x2@5"],
        &["--schedule", "strips:3@5"],
        &["--objective", "speed", "--sram", "64K"],
        &["--objective", "pareto"],
        &["--stream-input"],
    ] {
        let run = || folder.smidgen(&[&["plan", "demo.ir", "--json"], arguments].concat()).expect(0);
        let (first, second) = (run(), run());
        assert_eq!(first.stdout, second.stdout, "{arguments:?}");
        let plan = first.json();
        totals.push(plan["total_bytes"].as_u64().unwrap());
        let tiled = arguments[1..].iter().any(|a| a.contains('@'));
        assert_eq!(plan["extra_macs_percent"].as_f64().unwrap() > 0.0, tiled, "{arguments:?}");
        if arguments.contains(&"pareto") {
            let front = plan["pareto"].as_array().unwrap();
            assert!(!front.is_empty());
            for pair in front.windows(2) {
                assert!(pair[0]["total_bytes"].as_u64() < pair[1]["total_bytes"].as_u64());
                assert!(pair[0]["modelled_instructions"].as_u64() > pair[1]["modelled_instructions"].as_u64());
            }
        }
    }
    assert!(totals[0] > totals[6], "layer-wise takes more than streamed: {totals:?}");
}

#[test]
fn the_page_is_written_whole_or_not_at_all() {
    let folder = demo();
    folder.smidgen(&["plan", "demo.ir", "--html", "plan.html", "--objective", "pareto"]).expect(0);
    let page = fs::read_to_string(folder.path("plan.html")).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"));
    assert!(page.contains("Alternatives") && page.contains("demo.ir"));
    folder.smidgen(&["plan", "demo.ir", "--html", "no/such/plan.html"]).expect(2);
    assert_eq!(folder.files(), ["demo.ir", "plan.html"]);
}

#[test]
fn wrong_arguments_say_what_is_wrong() {
    let folder = Folder::new();
    folder.write("tiny.ir", TINY);
    for (arguments, expected) in [
        (&["--board", "stm32f745"][..], "did you mean `stm32f746`"),
        (&["--sram", "12q"], "no unit"),
        (&["--schedule", "patch:0x1@2"], "no schedule"),
        (&["--schedule", "patch:2x2@99"], "operators"),
        (&["--board", "rp2040", "--sram", "1K"], "cannot be used with"),
        (&["--schedule", "patch:2x2@1", "--stream-input"], "cannot be streamed"),
    ] {
        let refused = folder.smidgen(&[&["plan", "tiny.ir"], arguments].concat()).expect(2);
        let flat = refused.stderr.split_whitespace().filter(|w| *w != "│").collect::<Vec<_>>().join(" ");
        assert!(flat.contains(expected), "{arguments:?}: {}", refused.stderr);
    }
}
