//! The first operators of a network tile by tile, computing halos again (MCUNetV2, section 3.1).
//!
//! All ranges are in absolute coordinates and clipped at the true border of each tensor, so that every kernel pads where the
//! tensor ends and nowhere else.

use super::column_splits::Parts;
use super::flow::Flow;
use super::stream::Writer;
use smidgen_kernels::Region;
use smidgen_program::{AxisFootprint, Run};

/// Why the first operators cannot run in tiles.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TileError {
    /// There are fewer operators.
    #[error("only {steps} operators can be scheduled, so the first {operators} cannot run in tiles")]
    TooFew {
        /// Operators asked for.
        operators: usize,
        /// Operators there are.
        steps: usize,
    },
    /// A step needs more than a window of its input, or has several outputs.
    #[error("{step} cannot run in tiles: it computes its output as a whole; tile fewer operators")]
    WholeOnly {
        /// The step's name.
        step: String,
    },
    /// More than one tensor goes on.
    #[error("after {operators} operators {alive} tensors are still needed, not one; tile more or fewer operators")]
    NoCut {
        /// Operators asked for.
        operators: usize,
        /// Tensors that live on.
        alive: usize,
    },
    /// More tiles than the output has rows or columns.
    #[error("{tiles} tiles across {size} pixels: some would be empty")]
    TooMany {
        /// Tiles along one axis.
        tiles: usize,
        /// Pixels along it.
        size: usize,
    },
}

/// The part of a network that runs in tiles.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stage {
    /// Number of steps.
    pub steps: usize,
    /// The buffer that is assembled from the tiles.
    pub output: usize,
}

/// The stage that the first `operators` operators of the graph make.
pub(crate) fn stage(flow: &Flow, operators: usize) -> Result<Stage, TileError> {
    let all = &flow.lowered.steps;
    let steps = all.iter().position(|s| s.op.is_some_and(|op| op.index() >= operators)).unwrap_or(all.len());
    let highest = all.iter().filter_map(|s| s.op).map(|op| op.index() + 1).max().unwrap_or(0);
    if operators > highest || steps == 0 {
        return Err(TileError::TooFew { operators, steps: highest });
    }
    for (s, step) in all[..steps].iter().enumerate() {
        let windows = step.footprint.iter().all(|a| a.rows != AxisFootprint::All && a.cols != AxisFootprint::All);
        let plain = flow.reads(s).all(|(b, _)| flow.plain[b]);
        if !flow.by_columns(s) || !windows || !plain {
            return Err(TileError::WholeOnly { step: step.name.clone() });
        }
    }
    match *flow.alive(steps).as_slice() {
        [output] if flow.producer[output].is_some() => Ok(Stage { steps, output }),
        ref alive => Err(TileError::NoCut { operators, alive: alive.len() }),
    }
}

/// Rows and columns of each buffer that a tile of the stage's output needs; `None` where it needs nothing.
type Boxes = Vec<Option<Region>>;

/// Goes back from the tile to what each step must compute.
fn boxes(flow: &Flow, stage: Stage, tile: Region) -> Boxes {
    let mut boxes: Boxes = vec![None; flow.lowered.buffers.len()];
    boxes[stage.output] = Some(tile);
    for s in (0..stage.steps).rev() {
        let Some(out) = flow.writes(s).next().and_then(|b| boxes[b]) else { continue };
        for (b, footprint) in flow.reads(s) {
            let extent = flow.lowered.buffers[b].extent;
            let (y0, y1) = footprint.rows.input_range((out.y0, out.y1), extent.rows);
            let (x0, x1) = footprint.cols.input_range((out.x0, out.x1), extent.cols);
            if y0 < y1 && x0 < x1 {
                let need = Region { y0, y1, x0, x1 };
                boxes[b] = Some(boxes[b].map_or(need, |old| Region {
                    y0: old.y0.min(y0),
                    y1: old.y1.max(y1),
                    x0: old.x0.min(x0),
                    x1: old.x1.max(x1),
                }));
            }
        }
    }
    boxes
}

/// Goes back from a strip to the columns of each buffer that it needs; `(0, 0)` where it needs none. Rows do not matter: a strip
/// computes them from the top, even those above the first that is needed.
fn columns(flow: &Flow, stage: Stage, strip: (usize, usize)) -> Vec<(usize, usize)> {
    let mut cols = vec![(0, 0); flow.lowered.buffers.len()];
    cols[stage.output] = strip;
    for s in (0..stage.steps).rev() {
        let Some(out) = flow.writes(s).next().map(|b| cols[b]).filter(|(x0, x1)| x0 < x1) else { continue };
        for (b, footprint) in flow.reads(s) {
            let (x0, x1) = footprint.cols.input_range(out, flow.lowered.buffers[b].extent.cols);
            if x0 < x1 {
                let old = cols[b];
                cols[b] = if old.0 < old.1 { (old.0.min(x0), old.1.max(x1)) } else { (x0, x1) };
            }
        }
    }
    cols
}

/// Cuts `size` pixels into `count` parts that differ by at most one.
fn parts(size: usize, count: usize) -> Result<impl Iterator<Item = (usize, usize)> + Clone, TileError> {
    if count > size {
        return Err(TileError::TooMany { tiles: count, size });
    }
    Ok((0..count).map(move |i| (i * size / count, (i + 1) * size / count)))
}

/// MCUNetV2's schedule: `rows` by `cols` tiles of the stage's output, each computed step after step.
pub(crate) fn patches(flow: &Flow, stage: Stage, rows: usize, cols: usize) -> Result<Parts, TileError> {
    let extent = flow.lowered.buffers[stage.output].extent;
    let (mut runs, mut width) = (Vec::new(), vec![0; flow.lowered.buffers.len()]);
    let across = parts(extent.cols, cols)?;
    for (y0, y1) in parts(extent.rows, rows)? {
        for (x0, x1) in across.clone() {
            let boxes = boxes(flow, stage, Region { y0, y1, x0, x1 });
            for s in 0..stage.steps {
                for b in flow.writes(s) {
                    if let Some(region) = boxes[b] {
                        runs.push(Run::Compute { step: Flow::step_id(s), region });
                        width[b] = width[b].max(region.x1 - region.x0);
                    }
                }
            }
        }
    }
    Ok(Parts { runs, tiles: tiles(flow, stage, &width) })
}

/// `count` column strips of the stage's output, each row by row.
pub(crate) fn strips(flow: &Flow, stage: Stage, count: usize) -> Result<Parts, TileError> {
    let extent = flow.lowered.buffers[stage.output].extent;
    let mut width = vec![0; flow.lowered.buffers.len()];
    let mut writer = Writer::starting_at(flow, 0, false);
    for (x0, x1) in parts(extent.cols, count)? {
        let cols = columns(flow, stage, (x0, x1));
        for (b, &(x0, x1)) in cols.iter().enumerate() {
            width[b] = width[b].max(x1 - x0);
        }
        writer.strip(0, stage.steps, stage.output, cols);
    }
    Ok(Parts { runs: writer.runs, tiles: tiles(flow, stage, &width) })
}

/// What the stage keeps in tiles, with their columns: all that it computes but its output.
fn tiles(flow: &Flow, stage: Stage, width: &[usize]) -> Vec<(usize, usize)> {
    let inside = |b: usize| flow.producer[b].is_some_and(|p| p < stage.steps) && b != stage.output;
    (0..width.len()).filter(|&b| inside(b)).map(|b| (b, width[b])).collect()
}

/// Multiply-accumulates that a list executes, exactly.
pub(crate) fn executed_macs(flow: &Flow, runs: &[Run]) -> u64 {
    // Areas are summed first, so that nothing is lost by rounding a share of a step's count.
    let mut area = vec![0u64; flow.lowered.steps.len()];
    for run in runs {
        if let Run::Compute { step, region } = run {
            area[step.index()] += ((region.y1 - region.y0) * (region.x1 - region.x0)) as u64;
        }
    }
    let share = |(step, &area): (&smidgen_program::Step, &u64)| {
        let whole = if step.consumes {
            step.inputs.first().and_then(|i| match i {
                smidgen_program::Operand::Buffer(_, e) => Some(e.rows * e.cols),
                smidgen_program::Operand::Constant(_) => None,
            })
        } else {
            step.outputs.first().map(|t| t.extent.rows * t.extent.cols)
        };
        (u128::from(step.macs) * u128::from(area) / whole.unwrap_or(1).max(1) as u128) as u64
    };
    flow.lowered.steps.iter().zip(&area).map(share).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::fixture::{Net, mobilenet_v2};

    #[test]
    fn halos_are_clipped_at_the_borders_of_mobilenet_v2() {
        let (net, ends) = mobilenet_v2(224);
        let flow = Flow::new(&net);
        let all: u64 = net.steps.iter().map(|s| s.macs).sum();
        let extra = |blocks: usize, p: usize| {
            let stage = stage(&flow, ends[blocks - 1]).unwrap();
            let once: u64 = net.steps[..stage.steps].iter().map(|s| s.macs).sum();
            let tiled = patches(&flow, stage, p, p).unwrap();
            let executed = executed_macs(&flow, &tiled.runs);
            (100.0 * (executed as f64 / once as f64 - 1.0), 100.0 * (executed - once) as f64 / all as f64)
        };
        // The table of what is executed at 4 x 4, and the network's share for five blocks.
        for (blocks, printed) in [(1, 0.0), (2, 6.0), (3, 7.0), (4, 23.0), (5, 31.0), (6, 77.0), (7, 127.0)] {
            let (stage, _) = extra(blocks, 4);
            assert!((stage - printed).abs() <= 0.55, "{stage} for {printed}");
        }
        assert!((extra(5, 4).1 - 9.3).abs() < 0.05);
        assert!((extra(5, 2).0 - 10.0).abs() <= 0.55 && (extra(7, 2).0 - 36.0).abs() <= 0.55);
        assert_eq!(extra(5, 1), (0.0, 0.0));
    }

    #[test]
    fn what_cannot_be_tiled_is_refused() {
        let mut net = Net::default();
        let x = net.input(8, 8, 4);
        let a = net.conv(x, 3, 1, 4);
        let b = net.depthwise(a, 3, 1);
        let c = net.add(a, b);
        let m = net.mean(c);
        let d = net.gate(c, m);
        let net = net.outputs(&[d]);
        let flow = Flow::new(&net);
        assert!(stage(&flow, 1).is_ok() && stage(&flow, 3).is_ok());
        assert_eq!(stage(&flow, 2).unwrap_err(), TileError::NoCut { operators: 2, alive: 2 });
        assert!(matches!(stage(&flow, 4), Err(TileError::WholeOnly { .. })));
        assert_eq!(stage(&flow, 9).unwrap_err(), TileError::TooFew { operators: 9, steps: 5 });
        let first = stage(&flow, 1).unwrap();
        assert_eq!(patches(&flow, first, 9, 1).err(), Some(TileError::TooMany { tiles: 9, size: 8 }));
    }
}
