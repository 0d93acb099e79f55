//! The MCUNetV2 paper's own arithmetic (arXiv 2110.15352, section 3.1), to compare with what it prints.
//!
//! It is not what this planner does: there halos are not clipped at the borders, as if every tile lay inside; memory is the input and
//! output of one operator at a time, a depthwise convolution counted in place; and neither the network's input nor a residual
//! tensor that waits is counted.

use super::flow::Flow;
use super::tiles::{TileError, stage};
use smidgen_program::{AxisFootprint, Lowered};

/// Tiles and costs of a patch stage in the paper's convention.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unclipped {
    /// Rows of network input that one tile needs: `g_in = (g_out - 1) * stride + extent`, step by step.
    pub tile_rows: usize,
    /// Columns of network input that one tile needs.
    pub tile_cols: usize,
    /// Multiply-accumulates of all tiles together.
    pub macs: u64,
    /// Multiply-accumulates of the same operators computed once.
    pub once: u64,
    /// Bytes of the patch stage: its whole output and the greatest step of one tile.
    pub stage_bytes: usize,
    /// Bytes of the greatest step after it.
    pub rest_bytes: usize,
}

/// What `rows` by `cols` tiles of the first `operators` operators take.
///
/// # Errors
/// If those operators cannot run in tiles.
pub fn unclipped(lowered: &Lowered, operators: usize, rows: usize, cols: usize) -> Result<Unclipped, TileError> {
    let flow = Flow::new(lowered);
    let stage = stage(&flow, operators)?;
    let extent = lowered.buffers[stage.output].extent;
    let mut sizes = vec![(0, 0); lowered.buffers.len()];
    sizes[stage.output] = (extent.rows.div_ceil(rows), extent.cols.div_ceil(cols));
    let (mut macs, mut once) = (0u128, 0);
    for s in (0..stage.steps).rev() {
        let step = &lowered.steps[s];
        let target = step.outputs[0];
        let (h, w) = sizes[target.buffer.index()];
        let area = (h * w * rows * cols) as u128;
        macs += u128::from(step.macs) * area / (target.extent.rows * target.extent.cols).max(1) as u128;
        once += step.macs;
        for (b, footprint) in flow.reads(s) {
            let input = lowered.buffers[b].extent;
            sizes[b].0 = sizes[b].0.max(grown(&footprint.rows, h, target.extent.rows, input.rows));
            sizes[b].1 = sizes[b].1.max(grown(&footprint.cols, w, target.extent.cols, input.cols));
        }
    }
    let tile_bytes = |b: usize| {
        let spec = &lowered.buffers[b];
        // The stage's output is counted once, whole; the input is read from where it comes.
        match b == stage.output || flow.input[b].is_some() {
            true => 0,
            false => sizes[b].0 * sizes[b].1 * spec.extent.depth * spec.element_bytes(),
        }
    };
    let whole = |b: usize| lowered.buffers[b].bytes();
    let greatest = (0..stage.steps).map(|s| step_bytes(&flow, s, &tile_bytes)).max().unwrap_or(0);
    let rest = (stage.steps..lowered.steps.len()).map(|s| step_bytes(&flow, s, &whole)).max().unwrap_or(0);
    let (tile_rows, tile_cols) =
        (0..sizes.len()).filter(|&b| flow.input[b].is_some()).map(|b| sizes[b]).max().unwrap_or((0, 0));
    Ok(Unclipped {
        tile_rows,
        tile_cols,
        macs: u64::try_from(macs).unwrap_or(u64::MAX),
        once,
        stage_bytes: whole(stage.output) + greatest,
        rest_bytes: rest,
    })
}

/// Bytes of the greatest step run layer by layer in the paper's convention: its input and output, a depthwise convolution in place;
/// neither the network's input nor a residual tensor that waits is counted.
pub fn layer_bytes(lowered: &Lowered) -> usize {
    let flow = Flow::new(lowered);
    let bytes = |b: usize| if flow.input[b].is_some() { 0 } else { lowered.buffers[b].bytes() };
    (0..lowered.steps.len()).map(|s| step_bytes(&flow, s, &bytes)).max().unwrap_or(0)
}

fn step_bytes(flow: &Flow, s: usize, bytes: &impl Fn(usize) -> usize) -> usize {
    let written: usize = flow.writes(s).map(bytes).sum();
    let read: usize = flow.reads(s).map(|(b, _)| bytes(b)).sum();
    let in_place =
        flow.reads(s).count() == 1 && flow.reads(s).all(|(_, footprint)| footprint.depth == AxisFootprint::SAME);
    if in_place { read.max(written) } else { read + written }
}

/// The size of input that `size` outputs need, halo included and not clipped.
fn grown(reach: &AxisFootprint, size: usize, output: usize, input: usize) -> usize {
    match reach {
        _ if size == 0 => 0,
        AxisFootprint::Window { extent, stride, .. } => (size - 1) * stride + extent,
        // Of a table, the widest need of any range of this size.
        AxisFootprint::Table(table) => (0..=output.saturating_sub(size))
            .map(|i| reach.input_range((i, (i + size).min(table.len())), input))
            .map(|(lo, hi)| hi - lo)
            .max()
            .unwrap_or(0),
        AxisFootprint::All => input,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::fixture::mobilenet_v2;

    fn percent(part: u64, whole: u64) -> f64 {
        100.0 * part as f64 / whole as f64
    }

    #[test]
    fn tiles_of_mobilenet_v2_are_those_of_the_paper() {
        let (net, ends) = mobilenet_v2(224);
        let sizes: Vec<usize> = ends[..7].iter().map(|&end| unclipped(&net, end, 4, 4).unwrap().tile_rows).collect();
        assert_eq!(sizes, [57, 61, 63, 71, 75, 91, 107]);
        let extra: Vec<f64> = ends[..7]
            .iter()
            .map(|&end| unclipped(&net, end, 4, 4).unwrap())
            .map(|u| percent(u.macs, u.once) - 100.0)
            .collect();
        for (extra, printed) in extra.iter().zip([0.0, 8.0, 9.0, 31.0, 42.0, 108.0, 182.0]) {
            assert!((extra - printed).abs() <= 0.55, "{extra} for {printed}");
        }
        assert_eq!(unclipped(&net, ends[4], 2, 2).unwrap().tile_rows, 131);
        assert_eq!(unclipped(&net, ends[6], 2, 2).unwrap().tile_rows, 163);
    }

    #[test]
    fn memory_of_mobilenet_v2_is_that_of_the_paper() {
        let (net, ends) = mobilenet_v2(224);
        assert_eq!(layer_bytes(&net), 1372 * 1024);
        let u = unclipped(&net, ends[4], 4, 4).unwrap();
        assert_eq!(u.stage_bytes.max(u.rest_bytes), 171 * 1024 + 512);
        let all: u64 = net.steps.iter().map(|s| s.macs).sum();
        assert!((percent(u.macs - u.once, all) - 12.7).abs() < 0.05);
    }
}
