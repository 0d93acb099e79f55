//! What ADD, SUB and MUL on a device share: the walk over two operands that lie behind one another, four elements at a time.

use crate::memory::{Arena, Bounds};
use crate::operand::{Operand, pieces, zip};
use crate::view::{Region, View};

/// A function of two int8, with a form for four elements at a time.
pub(super) trait Pairwise {
    /// The stored output of two stored inputs.
    fn apply(&self, a: i8, b: i8) -> i8;

    /// Four elements at a time, read before they are written.
    ///
    /// # Safety
    /// All pointers are good for four times `quads` elements; `quads` is at least 1.
    unsafe fn of_quads(&self, a: *const i8, b: *const i8, to: *mut i8, quads: usize) {
        for i in 0..quads {
            // SAFETY: the caller's promise; arrays of int8 need no alignment.
            unsafe {
                let (a, b) = (a.cast::<[i8; 4]>().add(i).read(), b.cast::<[i8; 4]>().add(i).read());
                to.cast::<[i8; 4]>().add(i).write(core::array::from_fn(|k| self.apply(a[k], b[k])));
            }
        }
    }

    /// Elements that lie behind one another.
    ///
    /// # Safety
    /// All pointers are good for `count` elements.
    #[inline(always)]
    unsafe fn span(&self, a: *const i8, b: *const i8, to: *mut i8, count: usize) {
        let rest = count & 3;
        // SAFETY: the caller's promise; the rest is what the quads leave.
        unsafe {
            let quads = count - rest;
            if quads > 0 {
                self.of_quads(a, b, to, quads / 4);
            }
            for i in quads..count {
                to.add(i).write(self.apply(a.add(i).read(), b.add(i).read()));
            }
        }
    }
}

/// `output[i] = f(a[i], b[i])`, row by row where all lie densely, else element by element.
#[inline(always)]
pub(super) fn rows<B: Bounds>(
    mut arena: Arena<'_, i8, B>,
    a: Operand<'_, i8, B>,
    b: Operand<'_, i8, B>,
    output: View,
    region: Region,
    depth: usize,
    f: &impl Pairwise,
) {
    let dense = |o: &Operand<'_, i8, B>| o.step == 1 && o.view.pixel_stride == depth;
    if !(dense(&a) && dense(&b) && output.pixel_stride == depth) {
        return zip(arena, a, b, output, region, depth, |a, b| f.apply(a, b));
    }
    pieces(region, depth, true, |y, x, count| {
        let (from_a, from_b, to) = (a.view.at(y, x), b.view.at(y, x), output.at(y, x));
        let mut pointer = |o: &Operand<'_, i8, B>, from: usize| match o.constant {
            Some(data) => data.span(from, count).as_ptr(),
            None => arena.pointer(from, count).cast_const(),
        };
        let (a, b) = (pointer(&a, from_a), pointer(&b, from_b));
        let to = arena.pointer(to, count);
        // SAFETY: all three are good for `count` elements, and nothing else uses the arena meanwhile.
        unsafe { f.span(a, b, to, count) };
    });
}

/// The same pixel by pixel, for operands with all channels of which one may be the same for several pixels: their steps are 1 and are not
/// looked at.
#[inline(always)]
pub(super) fn pixels<B: Bounds>(
    mut arena: Arena<'_, i8, B>,
    a: Operand<'_, i8, B>,
    b: Operand<'_, i8, B>,
    output: View,
    region: Region,
    depth: usize,
    f: &impl Pairwise,
) {
    if region.x0 >= region.x1 {
        return;
    }
    let last = region.x1 - region.x0 - 1;
    for y in region.y0..region.y1 {
        // Where a row begins takes a division, the next pixel an addition.
        let mut pointer = |o: &Operand<'_, i8, B>| {
            let (from, count) = (o.view.at(y, region.x0), last * o.view.pixel_stride + depth);
            match o.constant {
                Some(data) => data.span(from, count).as_ptr(),
                None => arena.pointer(from, count).cast_const(),
            }
        };
        let (mut from_a, mut from_b) = (pointer(&a), pointer(&b));
        let mut to = arena.pointer(output.at(y, region.x0), last * output.pixel_stride + depth);
        for _ in region.x0..region.x1 {
            // SAFETY: all three are good for the pixels of the row, and nothing else uses the arena meanwhile.
            unsafe { f.span(from_a, from_b, to, depth) };
            from_a = from_a.wrapping_add(a.view.pixel_stride);
            from_b = from_b.wrapping_add(b.view.pixel_stride);
            to = to.wrapping_add(output.pixel_stride);
        }
    }
}
