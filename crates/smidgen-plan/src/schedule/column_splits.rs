//! Rows that are used up at once, computed part by part.
//!
//! In a streamed segment the row that a depthwise convolution writes is read by the next pointwise one and never again. Computing a few
//! columns of it, and with them the same columns of what follows, needs room for these columns only, and computes nothing twice.

use super::flow::Flow;
use smidgen_kernels::Region;
use smidgen_program::Run;

/// A list with buffers of which only some columns are stored.
pub(crate) struct Parts {
    /// The list.
    pub runs: Vec<Run>,
    /// Buffers kept in tiles, with the columns stored.
    pub tiles: Vec<(usize, usize)>,
}

/// Cuts every chain of runs that pass a row on to each other, column for column, into as many parts as `parts` says of the step that
/// begins it. `runs` computes rows of full width; those that are computed several together stay whole.
pub(crate) fn in_parts(flow: &Flow, runs: &[Run], parts: impl Fn(usize) -> usize) -> Parts {
    // A buffer can be cut if each of its rows is read by the very next run, and by no other.
    let mut passes_on = vec![true; flow.lowered.buffers.len()];
    for (t, run) in runs.iter().enumerate() {
        if let Some((s, _)) = row(flow, run) {
            let b = flow.lowered.steps[s].outputs[0].buffer.index();
            passes_on[b] &= runs.get(t + 1).is_some_and(|next| passes(flow, run, next));
        } else if let Run::Compute { step, .. } = run {
            flow.writes(step.index()).for_each(|b| passes_on[b] = false);
        }
    }
    let mut cut = Parts { runs: Vec::with_capacity(runs.len()), tiles: Vec::new() };
    let mut t = 0;
    while t < runs.len() {
        let linked =
            |run: &Run| row(flow, run).is_some_and(|(s, _)| passes_on[flow.lowered.steps[s].outputs[0].buffer.index()]);
        let mut end = t;
        while end + 1 < runs.len() && linked(&runs[end]) {
            end += 1;
        }
        let chain = &runs[t..=end];
        t = end + 1;
        let (columns, parts) = row(flow, &chain[0]).map_or((0, 1), |(s, region)| (region.x1, parts(s).min(region.x1)));
        if chain.len() == 1 || parts < 2 {
            cut.runs.extend_from_slice(chain);
            continue;
        }
        for part in 0..parts {
            let (x0, x1) = (part * columns / parts, (part + 1) * columns / parts);
            for run in chain {
                if let Run::Compute { step, region } = *run {
                    cut.runs.push(Run::Compute { step, region: Region { x0, x1, ..region } });
                }
            }
        }
        for run in &chain[..chain.len() - 1] {
            if let Run::Compute { step, .. } = run {
                cut.tiles.extend(flow.writes(step.index()).map(|b| (b, columns.div_ceil(parts))));
            }
        }
    }
    cut.tiles.sort_unstable();
    cut.tiles.dedup();
    cut
}

/// The step and region of a run that computes one full row of a plain buffer, of which it could compute a few columns.
fn row(flow: &Flow, run: &Run) -> Option<(usize, Region)> {
    let Run::Compute { step, region } = *run else { return None };
    let s = step.index();
    let extent = flow.lowered.steps[s].outputs.first()?.extent;
    let full = region.y1 == region.y0 + 1 && (region.x0, region.x1) == (0, extent.cols);
    (full && flow.by_columns(s)).then_some((s, region))
}

/// True if `next` computes the same row as `run`, which [passes its columns on](Flow::passes_columns) to it.
fn passes(flow: &Flow, run: &Run, next: &Run) -> bool {
    let (Some((s, a)), Some((reader, b))) = (row(flow, run), row(flow, next)) else { return false };
    a == b && flow.passes_columns(s, reader)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::fixture::Net;
    use crate::schedule::{Columns, Writer, live};

    #[test]
    fn rows_that_are_passed_on_are_cut_and_others_are_not() {
        let mut net = Net::default();
        let x = net.input(8, 10, 4);
        let a = net.conv(x, 1, 1, 8);
        let b = net.depthwise(a, 3, 1);
        let c = net.conv(b, 1, 1, 4);
        let d = net.add(c, x);
        let e = net.conv(d, 3, 2, 4);
        let net = net.outputs(&[e]);
        let flow = Flow::new(&net);
        let mut writer = Writer::starting_at(&flow, 0, false);
        writer.stream(0, 5);
        let cut = in_parts(&flow, &writer.runs, |_| 3);
        // Expanded rows wait for the window, sums for the stride; depthwise and projected rows are used up at once.
        assert_eq!(cut.tiles, [(b, 4), (c, 4)]);
        let area = |runs: &[Run]| -> usize {
            let size = |r: &Run| match r {
                Run::Compute { region: r, .. } => (r.y1 - r.y0) * (r.x1 - r.x0),
                Run::Await { .. } => 0,
            };
            runs.iter().map(size).sum()
        };
        assert_eq!(area(&cut.runs), area(&writer.runs));
        let mut columns = Columns::full(&flow);
        let before = live(&flow, &writer.runs, &[x], &[e], &columns).peak.rings;
        columns.add(&cut.tiles);
        let after = live(&flow, &cut.runs, &[x], &[e], &columns);
        assert!(after.peak.rings < before);
        assert_eq!((after.span[a], after.span[d]), (3, 3));
    }
}
