//! Consecutive runs of one step as one.

use super::flow::Flow;
use smidgen_program::{Granularity, Run};

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
                    && stays(flow.lowered.steps[a.index()].order.granularity, before.y1 - before.y0) =>
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

/// True if blocks stay what they are when more rows are joined to so many.
fn stays(block: Granularity, rows: usize) -> bool {
    match block {
        Granularity::Run => false,
        Granularity::Planes { rows: together, .. } => rows.is_multiple_of(together.max(1)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::fixture::Net;
    use smidgen_kernels::Region;
    use smidgen_program::StepId;

    #[test]
    fn rows_are_joined_where_blocks_stay_what_they_are() {
        let mut net = Net::default();
        let x = net.input(9, 8, 4);
        let a = net.depthwise(x, 3, 1);
        net.staged();
        let mut net = net.outputs(&[a]);
        let joined = |net: &smidgen_program::Lowered, ends: &[usize]| -> usize {
            let run =
                |y: &[usize]| Run::Compute { step: StepId(0), region: Region { y0: y[0], y1: y[1], x0: 0, x1: 8 } };
            let mut runs: Vec<Run> = ends.windows(2).map(run).collect();
            merge(&Flow::new(net), &mut runs);
            runs.len()
        };
        assert_eq!(joined(&net, &[0, 1, 2, 5, 9]), 1);
        net.steps[0].order.granularity = Granularity::Planes { rows: 2, channels: 4 };
        // Rows 0..2, 2..4 and 4..9 are whole bands; 0..1 and 2..5 are not.
        assert_eq!(joined(&net, &[0, 2, 4, 9]), 1);
        assert_eq!(joined(&net, &[0, 1, 2, 5, 9]), 4);
        net.steps[0].order.granularity = Granularity::Run;
        assert_eq!(joined(&net, &[0, 2, 4, 9]), 3);
    }
}
