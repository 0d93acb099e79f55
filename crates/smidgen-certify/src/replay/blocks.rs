//! The pieces in which a step writes, as boxes of its output.

use smidgen_kernels::Region;
use smidgen_program::footprint::{Footprint, Granularity};
use smidgen_program::program::{Extent, Step};

/// A box of a tensor: half-open ranges of rows, columns and channels.
#[derive(Clone, Copy)]
pub(super) struct Box3 {
    pub rows: (usize, usize),
    pub cols: (usize, usize),
    pub depth: (usize, usize),
}

impl Box3 {
    /// All of a tensor.
    pub fn whole(e: Extent) -> Self {
        Self { rows: (0, e.rows), cols: (0, e.cols), depth: (0, e.depth) }
    }

    /// The pixels of a region, with all channels.
    pub fn of(r: Region, depth: usize) -> Self {
        Self { rows: (r.y0, r.y1), cols: (r.x0, r.x1), depth: (0, depth) }
    }

    pub fn is_empty(&self) -> bool {
        [self.rows, self.cols, self.depth].iter().any(|range| range.0 >= range.1)
    }

    /// The box of an input (seen with extent `e`) that this box of the output needs.
    pub fn needed(&self, footprint: &Footprint, e: Extent) -> Self {
        Self {
            rows: footprint.rows.input_range(self.rows, e.rows),
            cols: footprint.cols.input_range(self.cols, e.cols),
            depth: footprint.depth.input_range(self.depth, e.depth),
        }
    }
}

/// One block of a step's order: up to three boxes, because a stretch of elements may begin and end inside a pixel.
pub(super) struct Stretch {
    boxes: [Box3; 3],
    len: usize,
}

impl Stretch {
    /// A block that is one box.
    pub fn one(b: Box3) -> Self {
        Self { boxes: [b; 3], len: 1 }
    }

    /// Elements `at .. to` of row `y`, counted from column 0.
    pub fn of_row(y: usize, at: usize, to: usize, depth: usize) -> Self {
        let piece = |cols: (usize, usize), depth: (usize, usize)| Box3 { rows: (y, y + 1), cols, depth };
        let (first, last) = (at / depth, (to - 1) / depth);
        if first == last {
            return Self::one(piece((first, first + 1), (at % depth, (to - 1) % depth + 1)));
        }
        let candidates = [
            piece((first, first + 1), (at % depth, depth)),
            piece((first + 1, last), (0, depth)),
            piece((last, last + 1), (0, (to - 1) % depth + 1)),
        ];
        let mut stretch = Self { boxes: candidates, len: 0 };
        for b in candidates {
            if b.cols.0 < b.cols.1 {
                stretch.boxes[stretch.len] = b;
                stretch.len += 1;
            }
        }
        stretch
    }

    pub fn boxes(&self) -> &[Box3] {
        &self.boxes[..self.len]
    }
}

/// `from .. to` in parts of `n`.
pub(super) fn along(from: usize, to: usize, n: usize) -> impl Iterator<Item = (usize, usize)> + Clone {
    (from..to).step_by(n.max(1)).map(move |i| (i, to.min(i.saturating_add(n.max(1)))))
}

/// The region cut into the blocks of the step's order.
pub(super) fn blocks(step: &Step, r: Region) -> Box<dyn Iterator<Item = Stretch>> {
    let depth = step.outputs[0].extent.depth;
    let part = move |rows, cols| Stretch::one(Box3 { rows, cols, depth: (0, depth) });
    let rows = r.y0..r.y1;
    match step.order.granularity {
        Granularity::Run => Box::new(std::iter::once(Stretch::one(Box3::of(r, depth)))),
        Granularity::Row => Box::new(rows.map(move |y| part((y, y + 1), (r.x0, r.x1)))),
        Granularity::Pixels(n) => {
            Box::new(rows.flat_map(move |y| along(r.x0, r.x1, n).map(move |cols| part((y, y + 1), cols))))
        }
        Granularity::Planes { rows, channels } => Box::new(along(r.y0, r.y1, rows).flat_map(move |rows| {
            along(0, depth, channels).map(move |depth| Stretch::one(Box3 { rows, cols: (r.x0, r.x1), depth }))
        })),
        Granularity::Elements(n) => Box::new(rows.flat_map(move |y| {
            along(r.x0 * depth, r.x1 * depth, n).map(move |(at, to)| Stretch::of_row(y, at, to, depth))
        })),
    }
}
