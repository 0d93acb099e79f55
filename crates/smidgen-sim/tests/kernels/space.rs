//! The arena of a case: where its tensors are placed, and what of them the call may touch.

use crate::cases::{bytes, small};
use smidgen_kernels::View;
use smidgen_synthetic::Random;
use std::ops::Range;

/// A part of the arena that belongs to a call.
#[derive(Clone, Debug)]
pub struct Operand {
    /// What it is to the kernel.
    pub name: &'static str,
    /// The bytes that the call needs, in runs without a gap.
    pub runs: Vec<Range<usize>>,
    pub writable: bool,
}

/// An arena and what of it belongs to the call.
pub struct Filled {
    pub arena: Vec<u8>,
    pub operands: Vec<Operand>,
}

/// Rows of a tensor that a call needs, and columns.
#[derive(Clone, Copy, Debug)]
pub struct Needs {
    pub rows: (usize, usize),
    pub cols: (usize, usize),
}

/// An arena in the making.
pub struct Space {
    len: usize,
    operands: Vec<Operand>,
}

impl Space {
    /// An empty one; what is placed first does not always come at 0.
    pub fn new(random: &mut Random) -> Self {
        Self { len: random.below(2) * 16, operands: Vec::new() }
    }

    fn place(&mut self, bytes: usize, alignment: usize) -> usize {
        let at = self.len.next_multiple_of(alignment);
        self.len = at + bytes;
        at
    }

    fn push(&mut self, name: &'static str, runs: impl IntoIterator<Item = Range<usize>>, writable: bool) {
        self.operands.push(Operand { name, runs: runs.into_iter().collect(), writable });
    }

    /// `bytes` bytes at a multiple of `alignment` to read and to write, their offset.
    pub fn take(&mut self, bytes: usize, alignment: usize) -> usize {
        let at = self.place(bytes, alignment);
        self.push("scratch, sums or the output", std::iter::once(at..at + bytes), true);
        at
    }

    /// The same to read only.
    pub fn take_input(&mut self, bytes: usize, alignment: usize) -> usize {
        let at = self.place(bytes, alignment);
        self.push("an input", std::iter::once(at..at + bytes), false);
        at
    }

    /// Lets the input that was placed last be written, as an output that lies in its place.
    pub fn in_place(&mut self) {
        if let Some(input) = self.operands.last_mut() {
            input.writable = true;
        }
    }

    /// An input as [`view`](Self::view) lays it out.
    pub fn input(&mut self, random: &mut Random, shape: [usize; 3], needs: Needs, bytes: usize) -> View {
        self.view(random, shape, needs, bytes, false)
    }

    /// An output as [`view`](Self::view) lays it out.
    pub fn output(&mut self, random: &mut Random, shape: [usize; 3], needs: Needs, bytes: usize) -> View {
        self.view(random, shape, needs, bytes, true)
    }

    /// A tensor `[rows, cols, depth]` of which a call needs a part: stored whole, as a ring of rows, as a tile, or with its pixels
    /// apart. Counts elements of so many bytes.
    fn view(
        &mut self,
        random: &mut Random,
        [rows, cols, depth]: [usize; 3],
        needs: Needs,
        bytes: usize,
        writable: bool,
    ) -> View {
        let needed = needs.rows.1 - needs.rows.0;
        let slots = match random.below(3) {
            0 => rows,
            1 => needed,
            _ => small(random, needed as i64, rows as i64),
        };
        let (x0, width) = if random.chance(1, 2) { (0, cols) } else { (needs.cols.0, needs.cols.1 - needs.cols.0) };
        let pixel_stride = depth + if random.chance(1, 6) { random.below(9) } else { 0 };
        let elements = slots * width * pixel_stride;
        // A gap before it makes its address odd now and then.
        let gap = if bytes == 1 { random.choose(&[0, 0, 1, 2, 3]) } else { 0 };
        let base = (self.place(gap + elements * bytes, bytes.max(4)) + gap) / bytes;
        let view = View { base, row_stride: width * pixel_stride, rows: slots, x0, pixel_stride };
        let name = if writable { "the output" } else { "an input" };
        self.push(name, runs(&view, depth, needs, bytes), writable);
        view
    }

    /// The arena, full of random bytes.
    pub fn fill(self, random: &mut Random) -> Filled {
        Filled { arena: bytes(random, self.len.next_multiple_of(8)), operands: self.operands }
    }
}

/// The bytes of what is needed of a tensor with pixels of `depth` elements of so many bytes: not of its neighbours in a deeper tensor, nor
/// of rows and columns that are not needed.
fn runs(view: &View, depth: usize, needs: Needs, bytes: usize) -> Vec<Range<usize>> {
    let mut pixels: Vec<usize> = (needs.rows.0..needs.rows.1)
        .flat_map(|y| (needs.cols.0..needs.cols.1).map(move |x| view.at(y, x) * bytes))
        .collect();
    pixels.sort_unstable();
    let mut runs: Vec<Range<usize>> = Vec::new();
    for at in pixels {
        match runs.last_mut() {
            Some(run) if run.end >= at => run.end = run.end.max(at + depth * bytes),
            _ => runs.push(at..at + depth * bytes),
        }
    }
    runs
}
