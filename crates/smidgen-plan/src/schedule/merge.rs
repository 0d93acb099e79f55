//! Consecutive runs of one step as one.

use super::flow::Flow;
use crate::{Block, Run};

/// Joins runs that follow each other directly, belong to one step and cover adjoining rows of the same columns.
///
/// That costs no memory: with nothing between them, all that the second reads was there when the first ran, and all that the first
/// wrote is there when the second has run. Only a step that would then write more rows before it has read them is left alone.
pub(crate) fn merge(flow: &Flow, runs: &mut Vec<Run>) {
    let mut merged: Vec<Run> = Vec::with_capacity(runs.len());
    for run in runs.drain(..) {
        match (merged.last_mut(), run) {
            (Some(Run::Compute { step: a, region: before }), Run::Compute { step: b, region })
                if *a == b
                    && before.y1 == region.y0
                    && (before.x0, before.x1) == (region.x0, region.x1)
                    && by_rows(flow.lowered.steps[a.index()].order.block) =>
            {
                before.y1 = region.y1;
            }
            (Some(Run::Await { input: a, y1, .. }), Run::Await { input: b, y0, y1: end }) if *a == b && *y1 == y0 => {
                *y1 = end;
            }
            _ => merged.push(run),
        }
    }
    *runs = merged;
}

/// Blocks stay what they are when runs are joined.
fn by_rows(block: Block) -> bool {
    !matches!(block, Block::Run | Block::Planes { rows: 2.., .. })
}
