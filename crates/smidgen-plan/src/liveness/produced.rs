//! Which bytes of each row have been produced so far: catches lists that read what is not there.

use super::Storage;
use smidgen_program::program::{BufferSpec, Extent};

/// A box of a tensor seen with some extent: rows, columns and channels, none of them empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Block3 {
    pub rows: (usize, usize),
    pub cols: (usize, usize),
    pub depth: (usize, usize),
}

impl Block3 {
    /// First byte, and one past the last, counted from the tensor's first byte.
    pub fn hull(&self, extent: Extent, element: usize) -> (usize, usize) {
        let row = extent.cols * extent.depth;
        let first = self.rows.0 * row + self.cols.0 * extent.depth + self.depth.0;
        let last = (self.rows.1 - 1) * row + (self.cols.1 - 1) * extent.depth + self.depth.1;
        (first * element, last * element)
    }

    /// True if the hull holds no byte outside the box.
    pub fn is_solid(&self, extent: Extent) -> bool {
        let full_depth = self.depth == (0, extent.depth);
        let one_row = self.rows.1 - self.rows.0 == 1;
        (full_depth || one_row && self.cols.1 - self.cols.0 == 1) && (one_row || self.cols == (0, extent.cols))
    }

    /// Calls `each` with the hull of every row of the box, or once with all of it if it is solid.
    fn each_segment(&self, extent: Extent, element: usize, mut each: impl FnMut(usize, usize) -> bool) -> bool {
        if self.is_solid(extent) {
            let (start, end) = self.hull(extent, element);
            return each(start, end);
        }
        (self.rows.0..self.rows.1).all(|row| {
            let (start, end) = Block3 { rows: (row, row + 1), ..*self }.hull(extent, element);
            each(start, end)
        })
    }
}

/// For each row of a buffer in its own shape, the byte range within the row that holds valid elements.
pub(crate) struct Produced {
    /// Empty as long as all rows hold nothing or everything: most buffers are written whole, and some have very many rows.
    rows: Vec<(usize, usize)>,
    /// Every element is there.
    all: bool,
    height: usize,
    row_bytes: usize,
    element: usize,
    /// First column of the tile that the rows belong to.
    tile: Option<usize>,
    is_tile: bool,
}

impl Produced {
    pub fn new(spec: &BufferSpec, storage: Storage) -> Self {
        Self {
            rows: Vec::new(),
            all: false,
            height: spec.extent.rows,
            row_bytes: spec.row_bytes(),
            element: spec.element_bytes(),
            tile: None,
            is_tile: storage == Storage::Tile,
        }
    }

    /// Marks a box as produced. A tile that moves to another first column loses what it held.
    pub fn write(&mut self, block: Block3, extent: Extent) {
        if self.is_tile && self.tile != Some(block.cols.0) {
            self.rows.fill((0, 0));
            self.all = false;
            self.tile = Some(block.cols.0);
        }
        let whole = block.is_solid(extent) && block.hull(extent, self.element) == (0, self.height * self.row_bytes);
        if self.all || whole {
            self.all = true;
            return;
        }
        if self.rows.is_empty() {
            self.rows = vec![(0, 0); self.height];
        }
        let (row_bytes, rows) = (self.row_bytes, &mut self.rows);
        block.each_segment(extent, self.element, |start, end| {
            for_each_row(row_bytes, start, end, |row, from, to| {
                let held = &mut rows[row];
                // Two ranges with a gap between them are not kept: the newer one is what a sensible list reads next.
                *held = if held.0 < held.1 && from <= held.1 && held.0 <= to {
                    (held.0.min(from), held.1.max(to))
                } else {
                    (from, to)
                };
                true
            })
        });
    }

    /// The first row of which a box needs something that is not there.
    pub fn missing(&self, block: Block3, extent: Extent) -> Option<usize> {
        if self.all {
            return None;
        }
        if self.rows.is_empty() {
            return Some(block.hull(extent, self.element).0 / self.row_bytes.max(1));
        }
        let mut missing = None;
        block.each_segment(extent, self.element, |start, end| {
            for_each_row(self.row_bytes, start, end, |row, from, to| {
                let held = self.rows[row];
                let there = held.0 <= from && to <= held.1;
                if !there {
                    missing = Some(row);
                }
                there
            })
        });
        missing
    }
}

/// Cuts a byte range at the rows' ends; stops at the first `false`.
fn for_each_row(row_bytes: usize, start: usize, end: usize, mut each: impl FnMut(usize, usize, usize) -> bool) -> bool {
    let mut at = start;
    while at < end {
        let row = at / row_bytes;
        let from = at - row * row_bytes;
        let to = (end - row * row_bytes).min(row_bytes);
        if !each(row, from, to) {
            return false;
        }
        at = (row + 1) * row_bytes;
    }
    true
}
