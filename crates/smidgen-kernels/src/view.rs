//! Where a tensor's rows lie in the arena, and which part of an output to compute.
//!
//! Every tensor is seen as `[rows, cols, depth]`: rank 4 `[N,H,W,C]` is `[N*H, W, C]`, rank 2 `[M,K]` is `[M, 1, K]`, rank 1 `[K]` is
//! `[1, 1, K]`, and any other rank joins all but its last two dimensions into rows.

use crate::geometry::split;

/// A tensor's rows in the arena, counted in elements of the arena slice that the kernel is given.
///
/// Row `r` lies in slot `r % rows`. A tensor stored whole has at least as many slots as rows; fewer make a ring. Columns
/// `x0 ..` are stored; a tensor stored at full width has `x0 == 0`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct View {
    /// Element index of slot 0, column `x0`, channel 0.
    pub base: usize,
    /// Elements from one slot to the next.
    pub row_stride: usize,
    /// Number of slots; at least 1.
    pub rows: usize,
    /// First column stored.
    pub x0: usize,
    /// Elements from one column to the next: the depth, unless the tensor is a slice of a deeper one's channels.
    pub pixel_stride: usize,
}

impl View {
    /// A tensor of `rows * cols * depth` elements stored whole from element `base` on.
    pub const fn linear(base: usize, rows: usize, cols: usize, depth: usize) -> Self {
        Self { base, row_stride: cols * depth, rows, x0: 0, pixel_stride: depth }
    }

    /// Element index of column `x0` of row `row`.
    #[inline]
    pub fn row(&self, row: usize) -> usize {
        let (_, slot) = split(row, self.rows);
        self.base + slot * self.row_stride
    }

    /// Element index of channel 0 of the pixel at `row`, `col`. `col` must not lie before `x0`.
    #[inline]
    pub fn at(&self, row: usize, col: usize) -> usize {
        self.row(row) + (col - self.x0) * self.pixel_stride
    }
}

/// Where the input and the output of a kernel lie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Views {
    /// The input.
    pub input: View,
    /// The output.
    pub output: View,
}

/// Rows `y0 .. y1` and columns `x0 .. x1` of an output.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Region {
    /// First row.
    pub y0: usize,
    /// One past the last row.
    pub y1: usize,
    /// First column.
    pub x0: usize,
    /// One past the last column.
    pub x1: usize,
}

impl Region {
    /// All of an output of `rows` by `cols`.
    pub const fn whole(rows: usize, cols: usize) -> Self {
        Self { y0: 0, y1: rows, x0: 0, x1: cols }
    }
}
