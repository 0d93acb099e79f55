//! Proofs about many blocks of a run at once.

use super::Replay;
use super::blocks::{Box3, Stretch, along};
use smidgen_kernels::Region;
use smidgen_program::footprint::{AxisFootprint, Footprint, Granularity};
use smidgen_program::program::{BufferId, Extent, Operand, Step};
use std::ops::Range;

/// Rows of an input that share bytes with what is written: where their column 0 would lie, and what is read of them in all.
struct Shared<'a> {
    footprint: &'a Footprint,
    id: BufferId,
    seen: Extent,
    rows: Vec<usize>,
}

fn meet(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end
}

impl Replay<'_> {
    /// True if everything that a box of the output needs is there and lies apart from the box. Then no write of the box can harm a read for
    /// it, whatever the order. `false` says nothing: more is looked at than the blocks read where windows leave gaps.
    pub fn apart(&self, step: &Step, written: Box3) -> bool {
        let written_at = self.hull(step, written);
        self.inputs(step).all(|(id, seen, footprint)| {
            let needed = written.needed(footprint, seen);
            let reads = needed.rows.0 < needed.rows.1 && needed.cols.0 < needed.cols.1;
            (!reads || self.tile_holds(0, id, seen, needed.cols).is_ok())
                && self.pieces(id, seen, needed).all(|piece| {
                    !meet(&(piece.address..piece.address + piece.len), &written_at)
                        && self.shadow.first_wrong(piece.address, piece.len, piece.tag).is_none()
                })
        })
    }

    /// True if the blocks of a band leave alone what later blocks of it need, though what is written shares bytes with what is read. `false`
    /// says nothing.
    pub fn in_order(&self, step: &Step, band: Region) -> bool {
        let written = Box3::of(band, step.outputs[0].extent.depth);
        let written_at = self.hull(step, written);
        let mut shared = Vec::new();
        for (id, seen, footprint) in self.inputs(step) {
            let needed = written.needed(footprint, seen);
            if needed.is_empty() {
                continue;
            }
            if self.tile_holds(0, id, seen, needed.cols).is_err() {
                return false;
            }
            if self.pieces(id, seen, needed).any(|p| self.shadow.first_wrong(p.address, p.len, p.tag).is_some()) {
                return false;
            }
            let mut rows = Vec::new();
            for row in needed.rows.0..needed.rows.1 {
                let base = self.row(id, seen, row);
                if meet(&self.span(id, seen, base, needed.cols, needed.depth), &written_at) {
                    rows.push(base);
                }
            }
            if !rows.is_empty() {
                shared.push(Shared { footprint, id, seen, rows });
            }
        }
        let depth = step.outputs[0].extent.depth;
        let len = match step.order.granularity {
            Granularity::Run => return false,
            Granularity::Planes { .. } => {
                return step.order.reads_first && shared.iter().all(|s| self.same_planes(step, s));
            }
            Granularity::Row => usize::MAX,
            Granularity::Pixels(n) => n.max(1).saturating_mul(depth),
            Granularity::Elements(n) => n.max(1),
        };
        shared.iter().all(|s| self.row_in_order(step, band, len, written_at.start, s))
    }

    /// For a single row whose blocks have `len` elements and which is written from byte `start` of the arena on.
    fn row_in_order(&self, step: &Step, row: Region, len: usize, start: usize, s: &Shared) -> bool {
        let target = step.outputs[0];
        let depth = target.extent.depth;
        let element = self.program.buffers[target.buffer.index()].spec.element_bytes();
        let (from, to) = (row.x0 * depth, row.x1 * depth);
        // Bytes written when a block reads for the last time.
        let done = |at: usize, to: usize| {
            start..start + (if step.order.reads_first { at - from } else { to - 1 - from }) * element
        };
        let unharmed = |done: &Range<usize>, b: Box3| {
            let needed = b.needed(s.footprint, s.seen);
            needed.is_empty()
                || s.rows.iter().all(|&base| !meet(&self.span(s.id, s.seen, base, needed.cols, needed.depth), done))
        };
        if s.footprint.depth == AxisFootprint::All && len <= depth {
            // All blocks of a pixel need the same: its last one is in the greatest danger.
            return (row.x0..row.x1).all(|x| {
                let at = from + ((x + 1) * depth - 1 - from) / len * len;
                unharmed(
                    &done(at, to.min(at + len)),
                    Box3 { rows: (row.y0, row.y1), cols: (x, x + 1), depth: (0, depth) },
                )
            });
        }
        along(from, to, len).all(|(at, to)| {
            let done = done(at, to);
            let block = match step.order.granularity {
                Granularity::Elements(_) => Stretch::of_row(row.y0, at, to, depth),
                // Whole pixels, looked at as one box: what lies between their windows counts as read.
                _ => Stretch::one(Box3 {
                    rows: (row.y0, row.y1),
                    cols: (at / depth, to.div_ceil(depth)),
                    depth: (0, depth),
                }),
            };
            block.boxes().iter().all(|&b| unharmed(&done, b))
        })
    }

    /// True if the pixels of input and output coincide, so that writing some channels touches the same channels of the input alone, which
    /// a staged kernel has read by then.
    fn same_planes(&self, step: &Step, s: &Shared) -> bool {
        let (input, output) = (&self.program.buffers[s.id.index()], step.outputs[0]);
        let (written, depth) = (&self.program.buffers[output.buffer.index()], output.extent.depth);
        let pixel = depth * written.spec.element_bytes();
        s.footprint.depth == AxisFootprint::SAME
            && s.seen.depth == depth
            && input.spec.element_bytes() == written.spec.element_bytes()
            && input.offset % pixel == written.offset % pixel
    }

    fn inputs<'a>(&self, step: &'a Step) -> impl Iterator<Item = (BufferId, Extent, &'a Footprint)> {
        step.inputs.iter().zip(&step.footprint).filter_map(|(&operand, footprint)| match operand {
            Operand::Buffer(id, seen) => Some((id, seen, footprint)),
            Operand::Constant(_) => None,
        })
    }

    /// From the first byte of a box of output 0 to one past its last.
    fn hull(&self, step: &Step, b: Box3) -> Range<usize> {
        let target = step.outputs[0];
        let pieces = self.pieces(target.buffer, target.extent, b);
        let ends = pieces.map(|p| p.address..p.address + p.len);
        ends.reduce(|all, one| all.start.min(one.start)..all.end.max(one.end)).unwrap_or(0..0)
    }

    /// Where column 0 of a row would lie; before the arena's beginning, it wraps around, if only later columns are stored.
    fn row(&self, id: BufferId, seen: Extent, row: usize) -> usize {
        let buffer = &self.program.buffers[id.index()];
        let pixel = seen.depth * buffer.spec.element_bytes();
        let (slots, width, x0) = crate::slots_of(buffer, seen, self.x0[id.index()]);
        (buffer.offset + (row % slots) * width * pixel).wrapping_sub(x0 * pixel)
    }

    /// The bytes from the first to the last element of columns and channels of such a row.
    fn span(
        &self,
        id: BufferId,
        seen: Extent,
        base: usize,
        cols: (usize, usize),
        depth: (usize, usize),
    ) -> Range<usize> {
        let element = self.program.buffers[id.index()].spec.element_bytes();
        let at = |col: usize, channel: usize| base.wrapping_add((col * seen.depth + channel) * element);
        at(cols.0, depth.0)..at(cols.1 - 1, depth.1)
    }
}
