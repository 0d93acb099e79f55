//! Schedules: ways to write the flat list of runs that computes a network.
//!
//! A schedule is nothing but a list of [`Run`]s and a way to store each buffer. Every list computes the same bytes; how
//! much memory it takes follows by simulation. Layer by layer and row by row compute each row once; tiles and strips compute
//! halos again.

mod choice;
mod column_splits;
#[cfg(test)]
pub(crate) mod fixture;
mod flow;
mod live;
mod merge;
mod paper;
mod sparse;
mod stream;
mod tiles;

pub use choice::{ParseScheduleError, ScheduleChoice};
pub use paper::{Unclipped, layer_bytes, unclipped};
pub use tiles::TileError;

use crate::Storage;
use smidgen_program::Run;

pub(crate) use column_splits::{Parts, in_parts};
pub(crate) use flow::Flow;
pub(crate) use live::{Peak, Scan, live};
pub(crate) use merge::merge;
pub(crate) use stream::Writer;
pub(crate) use tiles::{Stage, executed_macs, patches, stage, strips};

/// Which columns of each buffer are stored.
pub(crate) struct Columns {
    /// How many.
    pub width: Vec<usize>,
    /// Whether the buffer is kept in tiles, whose first column changes.
    pub tile: Vec<bool>,
}

impl Columns {
    /// All columns of every buffer.
    pub fn full(flow: &Flow) -> Self {
        let buffers = flow.lowered.buffers.iter().zip(&flow.persistent);
        // What variables take does not depend on the list, and is added when it is placed.
        let width: Vec<usize> = buffers.map(|(b, &lasting)| if lasting { 0 } else { b.extent.cols }).collect();
        Self { tile: vec![false; width.len()], width }
    }

    /// Keeps these buffers in tiles of so many columns.
    pub fn add(&mut self, tiles: &[(usize, usize)]) {
        for &(b, width) in tiles {
            self.width[b] = width;
            self.tile[b] = true;
        }
    }

    /// Keeps them as [`full`](Self::full) does again.
    pub fn remove(&mut self, flow: &Flow, tiles: &[(usize, usize)]) {
        for &(b, _) in tiles {
            self.width[b] = flow.lowered.buffers[b].extent.cols;
            self.tile[b] = false;
        }
    }
}

/// How each buffer of a list is kept: a ring or a tile where fewer rows or columns than all are ever alive together.
pub(crate) fn storage(flow: &Flow, runs: &[Run], columns: &Columns) -> Vec<Storage> {
    let mut streamed = vec![false; flow.lowered.inputs.len()];
    for run in runs {
        if let Run::Await { input, .. } = *run {
            streamed[input] = true;
        }
    }
    let count = flow.lowered.buffers.len();
    let whole: Vec<usize> =
        flow.inputs.iter().copied().filter(|&b| flow.input[b].is_some_and(|input| !streamed[input])).collect();
    let outputs: Vec<usize> = (0..count).filter(|&b| flow.output[b]).collect();
    let span = live(flow, runs, &whole, &outputs, columns).span;
    (0..count)
        .map(|b| match (columns.tile[b], flow.plain[b] && span[b] < flow.rows(b)) {
            (true, _) => Storage::Tile,
            (false, true) => Storage::Ring,
            (false, false) => Storage::Whole,
        })
        .collect()
}
