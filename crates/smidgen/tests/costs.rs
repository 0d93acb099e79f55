//! What the planner counts of a step beside what was counted when the step was measured.
//!
//! The rates of every kind of core were fitted to the features of measured steps. Where a feature is counted otherwise
//! now, or a
//! network that was measured is another, the measurements are no longer those of the model: `cargo xtask fit-costs`
//! measures anew.

#[path = "../benches/fit_costs/networks.rs"]
#[expect(dead_code, reason = "for the measurements")]
mod networks;

use smidgen::lowering::{LowerOptions, lower};
use smidgen::plan::ScheduleChoice;
use smidgen::plan::planner::{PlanOptions, plan};
use smidgen::program::Run;
use smidgen::program::costs::{self, Costs};
use std::collections::HashSet;
use std::path::Path;

/// The steps that were measured.
const STEPS: &str = include_str!("../../smidgen-program/src/costs/measured/steps.csv");

#[test]
fn whole_layers_are_counted_as_they_were_measured() {
    let measured: HashSet<&str> = STEPS.lines().collect();
    let mut looked_at = 0;
    let in_layers = |sample: &networks::Sample| sample.schedules.iter().any(|&(schedule, ..)| schedule == "layer");
    // Of families that are not measured yet, rates are guesses.
    let is_measured = |sample: &networks::Sample| STEPS.contains(&format!("@{} ", sample.name));
    for sample in networks::all(Path::new("-")).into_iter().filter(in_layers).filter(is_measured) {
        let lowered = lower(sample.network.graph(), &LowerOptions::default().for_mcu()).unwrap();
        // What the rates are does not change a plan of whole layers for the least bytes, but for rows of depthwise
        // kernels that cost nothing.
        let options = PlanOptions { schedule: ScheduleChoice::Layer, ..PlanOptions::default() };
        let plan = plan(&lowered, &options).unwrap();
        for run in &plan.program.runs {
            let Run::Compute { step, region } = *run else { continue };
            let work = costs::work(&plan.program.steps[step.index()], region);
            if work.family.name().starts_with("depthwise ") {
                continue;
            }
            let step = costs::Measurement { network: String::new(), work, instructions: 0 };
            let text = costs::write_steps(std::slice::from_ref(&step));
            let line = text.lines().nth(1).unwrap();
            assert!(measured.contains(line), "{}: `{line}` was not measured", sample.name);
            looked_at += 1;
        }
    }
    assert!(looked_at > 500, "{looked_at}");
}

#[test]
fn the_command_that_fits_knows_all_costs() {
    let source = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../xtask/src/costs.rs"));
    let Ok(source) = source else {
        // A package has no workspace around it.
        return;
    };
    for costs in Costs::ALL {
        assert!(source.contains(&format!("\"{}\"", costs.name)), "{}", costs.name);
    }
}
