//! What would make a network fit that does not.

use super::{Draft, PlanOptions, PlanReport, draft};
use crate::schedule::ScheduleChoice;
use smidgen_program::Lowered;
use smidgen_program::program::operator_of;
use std::fmt;

/// Why a plan exceeds its budget and what would help.
#[derive(Clone, PartialEq, Debug)]
pub struct Advice {
    /// Bytes above the budget.
    pub excess: usize,
    /// The segment that needs most: its schedule, first and last step with their operators.
    pub bottleneck: String,
    /// Bytes alive in it.
    pub bottleneck_bytes: usize,
    /// Options under which the plan is smaller, with what it then takes; the smallest first.
    pub alternatives: Vec<(String, usize)>,
    /// By what factor rows and columns of the input would have to shrink, as far as one can tell: memory goes about with their product
    /// in layer-wise segments and with the columns in streamed ones.
    pub resolution: f64,
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} bytes too many. Most is needed in {}: {} bytes.",
            self.excess, self.bottleneck, self.bottleneck_bytes
        )?;
        for (what, bytes) in &self.alternatives {
            writeln!(f, "- {what}: {bytes} bytes")?;
        }
        let percent = 100.0 * self.resolution;
        writeln!(
            f,
            "- an input of about {percent:.0} % of the rows and columns, or channels narrower by as much again (modelled)"
        )?;
        write!(f, "- a board with {} bytes more SRAM", self.excess)
    }
}

/// Advice for a plan that does not fit; `None` if it does, or if there is no budget.
pub fn advise(lowered: &Lowered, options: &PlanOptions, report: &PlanReport) -> Option<Advice> {
    let budget = options.budget?;
    let excess = report.total_bytes.checked_sub(budget).filter(|&e| e > 0)?;
    let segment = report.segments.get(report.bottleneck)?;
    let mut alternatives = Vec::new();
    let mut attempt = |name: &str, other: PlanOptions| {
        if let Ok(Draft { report: better, .. }) = draft(lowered, &other)
            && better.total_bytes < report.total_bytes
        {
            alternatives.push((name.to_owned(), better.total_bytes));
        }
    };
    if options.schedule != ScheduleChoice::Auto {
        attempt("--schedule auto", PlanOptions { schedule: ScheduleChoice::Auto, ..options.clone() });
    }
    if !options.stream_input {
        let streamed = PlanOptions { schedule: ScheduleChoice::Auto, stream_input: true, ..options.clone() };
        attempt("--stream-input (the caller pushes rows)", streamed);
    }
    alternatives.sort_by_key(|&(_, bytes)| bytes);
    let ratio = budget as f64 / report.total_bytes as f64;
    Some(Advice {
        excess,
        bottleneck: format!(
            "{} of steps {} {} to {} {}",
            segment.schedule,
            segment.steps.start,
            operator_of(&segment.first),
            segment.steps.end.saturating_sub(1),
            operator_of(&segment.last)
        ),
        bottleneck_bytes: segment.peak_bytes,
        alternatives,
        resolution: if segment.schedule == "stream" { ratio } else { libm::sqrt(ratio) },
    })
}
