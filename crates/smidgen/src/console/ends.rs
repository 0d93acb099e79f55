//! What float ends cost, in a sentence.

use super::format::{bytes, thousands};
use smidgen::plan::PlanReport;
use smidgen::planning::IntegerEnds;
use smidgen::scope::Scope;

/// What the plan takes as it is and with `--io int8`.
pub fn sentence(report: &PlanReport, ends: &IntegerEnds, scope: Scope<'_>, budget: Option<usize>) -> String {
    let instructions = scope.instructions(report.instructions).zip(scope.instructions(ends.instructions));
    written([report.total_bytes, ends.total_bytes], instructions.map(|(now, then)| [now, then]), scope, budget)
}

/// The same from figures: bytes of SRAM and modelled instructions, now and with integers.
pub fn written(
    [now, then]: [usize; 2],
    instructions: Option<[u64; 2]>,
    scope: Scope<'_>,
    budget: Option<usize>,
) -> String {
    let time = instructions.map_or_else(String::new, |[now, then]| {
        format!(" and {} instructions instead of {} ({})", thousands(then), thousands(now), scope.modelled())
    });
    let fits = budget.is_some_and(|budget| now > budget && then <= budget);
    format!(
        "Float ends: with --io int8 it takes {} of SRAM instead of {}{time}{}; the application then passes and takes the stored integers.",
        bytes(then),
        bytes(now),
        if fits { ", and fits" } else { "" }
    )
}
