//! A model of how long a list takes, good enough to rank lists.
//!
//! Instructions of a Cortex-M core with dual multiply-accumulates, in hundredths, so that plans compare exactly:
//! 1.3 for each multiply-accumulate, 8 for each element written (requantise and store), 90 for each run (read the entry, set up the
//! views, call the kernel). The figures are of the order that the kernels are built for; what a firmware takes is measured on it.

use crate::schedule::Flow;
use crate::{Run, StepId};
use smidgen_kernels::Region;

/// Hundredths of an instruction for each multiply-accumulate.
const PER_MAC: u64 = 130;
/// For each element written.
const PER_ELEMENT: u64 = 800;
/// For each run.
const PER_RUN: u64 = 9_000;

/// Modelled instructions of a list, in hundredths.
pub(crate) fn hundredths(flow: &Flow, runs: &[Run]) -> u64 {
    runs.iter().map(|run| of_run(flow, run)).sum()
}

fn of_run(flow: &Flow, run: &Run) -> u64 {
    match *run {
        Run::Await { .. } => PER_RUN,
        Run::Compute { step, region } => PER_RUN + work(flow, step, region),
    }
}

/// The part of a step's work that a region takes.
fn work(flow: &Flow, step: StepId, region: Region) -> u64 {
    let step = &flow.lowered.steps[step.index()];
    let extent = match (step.consumes, step.inputs.first(), step.outputs.first()) {
        (true, Some(&crate::Operand::Buffer(_, extent)), _) => extent,
        (_, _, Some(target)) => target.extent,
        _ => return 0,
    };
    let area = ((region.y1 - region.y0) * (region.x1 - region.x0)) as u128;
    let whole = (extent.rows * extent.cols).max(1) as u128;
    let elements = extent.elements() as u128;
    let total = u128::from(step.macs) * u128::from(PER_MAC) + elements * u128::from(PER_ELEMENT);
    (total * area / whole) as u64
}
