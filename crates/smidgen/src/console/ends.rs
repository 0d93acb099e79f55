//! What ends of floats or uint8 cost, in a sentence.

use super::format::{bytes, thousands};
use smidgen::plan::PlanReport;
use smidgen::planning::IntegerEnds;
use smidgen::scope::Scope;

/// What the plan takes as it is and with `--io int8`.
pub fn sentence(report: &PlanReport, ends: &IntegerEnds, scope: Scope<'_>, budget: Option<usize>) -> String {
    let instructions = Some([report.instructions, ends.instructions]);
    written([report.total_bytes, ends.total_bytes], instructions, scope, budget)
}

/// The same from figures: bytes of SRAM and modelled instructions, now and with integers.
pub fn written(
    [now, then]: [usize; 2],
    instructions: Option<[u64; 2]>,
    scope: Scope<'_>,
    budget: Option<usize>,
) -> String {
    let fits = budget.is_some_and(|budget| now > budget && then <= budget);
    let mut gains = Vec::new();
    if now != then {
        gains.push(format!("{} of SRAM instead of {}", bytes(then), bytes(now)));
    }
    if let Some([now, then]) = instructions {
        gains.push(format!("{} instructions instead of {} ({})", thousands(then), thousands(now), scope.modelled()));
    }
    let taken = match gains.as_slice() {
        [] => "the instructions of its QUANTIZE and DEQUANTIZE are saved".to_owned(),
        gains => format!("it takes {}", gains.join(" and ")),
    };
    format!(
        "Converted ends: with --io int8 {taken}{}; the application then passes and takes the stored integers.",
        if fits { ", and fits" } else { "" }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_named() {
        let said = |sram, instructions| written(sram, instructions, Scope::of(None), None);
        assert!(said([800, 200], None).contains("it takes 200 bytes of SRAM instead of 800 bytes;"));
        let equal = said([800, 800], Some([9, 5]));
        assert!(equal.contains("it takes 5 instructions instead of 9 (") && !equal.contains("SRAM"), "{equal}");
        assert!(!said([800, 800], None).contains("instead of"));
    }
}
