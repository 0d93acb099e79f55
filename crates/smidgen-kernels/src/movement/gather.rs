//! PAD, PADV2, SLICE, STRIDED_SLICE, SPLIT, UNPACK and RESIZE_NEAREST_NEIGHBOR: each output element is one input element or the fill,
//! and each axis chooses for itself.

use crate::memory::{Arena, Bounds, Checked, Flash};
use crate::view::{Region, Views};

/// Which input index an output index takes along one axis; outside the input lies the fill.
#[derive(Clone, Copy, Debug)]
pub enum Index<'a, B: Bounds = Checked> {
    /// `start + i * stride / divide`, rounded down.
    Affine {
        /// The input index of output index 0, perhaps outside the input.
        start: isize,
        /// Input steps in `divide` output steps.
        stride: usize,
        /// At least 1; more where each input index is repeated.
        divide: usize,
    },
    /// One input index for each output index; negative: the fill.
    Table(Flash<'a, i32, B>),
}

impl<B: Bounds> Index<'_, B> {
    /// Output index `i` takes input index `i`.
    pub const SAME: Self = Index::Affine { start: 0, stride: 1, divide: 1 };

    /// The input index that output index `i` takes, `None` for the fill.
    #[inline]
    pub fn get(&self, i: usize, size: usize) -> Option<usize> {
        let at = match *self {
            Index::Affine { start, stride, divide } => {
                let steps = if divide == 1 { i * stride } else { i * stride / divide.max(1) };
                start + steps as isize
            }
            Index::Table(table) => table[i] as isize,
        };
        usize::try_from(at).ok().filter(|&at| at < size)
    }
}

/// What [`gather`] takes from where.
#[derive(Clone, Copy, Debug)]
pub struct Gather<'a, B: Bounds = Checked> {
    /// Rows, columns and channels of the input.
    pub input: [usize; 3],
    /// Channels of the output.
    pub depth: usize,
    /// Bytes of an element, at most 8.
    pub element: usize,
    /// For rows, columns and channels.
    pub index: [Index<'a, B>; 3],
    /// The first `element` bytes are the fill.
    pub fill: [u8; 8],
}

/// `output[y, x, c] = input[index(y), index(x), index(c)]`, or the fill. Views count bytes.
///
/// Order: where channels are taken in a row (stride 1), one pixel at a time, read before written; else one element at a time.
pub fn gather<B: Bounds>(mut arena: Arena<'_, u8, B>, views: &Views, region: Region, what: &Gather<'_, B>) {
    let Views { input, output } = views;
    let [rows, cols, depth] = what.input;
    let element = what.element;
    let fill = |arena: &mut Arena<'_, u8, B>, at: usize, count: usize| {
        for i in 0..count {
            arena.span_mut(at + i * element, element).iter_mut().zip(what.fill).for_each(|(to, fill)| *to = fill);
        }
    };
    let contiguous = match what.index[2] {
        Index::Affine { start, stride: 1, divide: 1 } => Some(start),
        _ => None,
    };
    for y in region.y0..region.y1 {
        let row = what.index[0].get(y, rows);
        for x in region.x0..region.x1 {
            let to = output.at(y, x);
            let (Some(row), Some(col)) = (row, what.index[1].get(x, cols)) else {
                fill(&mut arena, to, what.depth);
                continue;
            };
            let from = input.at(row, col);
            if let Some(start) = contiguous {
                // Output channels `first .. end` lie inside the input.
                let first = (-start).max(0).min(what.depth as isize) as usize;
                let end = (depth as isize - start).min(what.depth as isize).max(first as isize) as usize;
                let source = from + first.saturating_add_signed(start) * element;
                if first < end {
                    arena.copy(source, to + first * element, (end - first) * element);
                }
                fill(&mut arena, to, first);
                fill(&mut arena, to + end * element, what.depth - end);
            } else {
                for c in 0..what.depth {
                    match what.index[2].get(c, depth) {
                        Some(channel) => {
                            let source = from + channel * element;
                            arena.copy(source, to + c * element, element);
                        }
                        None => fill(&mut arena, to + c * element, 1),
                    }
                }
            }
        }
    }
}
