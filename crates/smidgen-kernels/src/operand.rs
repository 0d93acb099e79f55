//! One operand of an element-wise kernel: in the arena or a constant, and broadcast along the axes where it has size 1.

use crate::memory::{Arena, Bounds, Checked, Element, Flash};
use crate::view::{Region, View, Views};

/// An operand of an element-wise kernel.
///
/// Broadcasting needs no code of its own: along rows it is a view with one slot (or with as many slots as the rows that repeat),
/// along columns a pixel stride of 0, along channels a `step` of 0.
#[derive(Clone, Copy, Debug)]
pub struct Operand<'a, T, B: Bounds = Checked> {
    /// The constant that `view` indexes; `None` if it indexes the arena.
    pub constant: Option<Flash<'a, T, B>>,
    /// Where rows and pixels lie.
    pub view: View,
    /// Elements from one channel to the next: 1, or 0 where one value serves all channels.
    pub step: usize,
}

impl<'a, T, B: Bounds> Operand<'a, T, B> {
    /// An operand in the arena with all channels.
    pub const fn arena(view: View) -> Self {
        Self { constant: None, view, step: 1 }
    }

    /// A constant with all channels.
    pub const fn constant(data: Flash<'a, T, B>, view: View) -> Self {
        Self { constant: Some(data), view, step: 1 }
    }
}

/// Calls `run(row, col, elements)` for each piece of `region` in row-major order: whole row segments where all of `dense` holds
/// (pixels lie behind one another without gaps), else single pixels.
#[inline]
pub(crate) fn pieces(region: Region, depth: usize, dense: bool, mut run: impl FnMut(usize, usize, usize)) {
    if region.x0 >= region.x1 {
        return;
    }
    for y in region.y0..region.y1 {
        if dense {
            run(y, region.x0, (region.x1 - region.x0) * depth);
        } else {
            for x in region.x0..region.x1 {
                run(y, x, depth);
            }
        }
    }
}

/// `output[i] = f(input[i])` over a region; `depth` channels to a pixel. Order: one element at a time, read before write.
#[inline]
pub(crate) fn map<T: Element, B: Bounds>(
    mut arena: Arena<'_, T, B>,
    views: &Views,
    region: Region,
    depth: usize,
    f: impl Fn(T) -> T,
) {
    let Views { input, output } = views;
    let dense = input.pixel_stride == depth && output.pixel_stride == depth;
    pieces(region, depth, dense, |y, x, count| {
        let (from, to) = (input.at(y, x), output.at(y, x));
        // One check here for each spares two in each round of the loop.
        let [from, to] = arena.cells([from, to], count);
        for (to, from) in to.iter().zip(from) {
            to.set(f(from.get()));
        }
    });
}

/// `output[i] = f(a[i], b[i])` over a region; `depth` channels to a pixel. Order: one element at a time, reads before its write.
#[inline]
pub(crate) fn zip<T: Element, B: Bounds>(
    mut arena: Arena<'_, T, B>,
    a: Operand<'_, T, B>,
    b: Operand<'_, T, B>,
    output: View,
    region: Region,
    depth: usize,
    f: impl Fn(T, T) -> T,
) {
    let dense = |o: &Operand<'_, T, B>| o.step == 1 && o.view.pixel_stride == depth;
    let dense = dense(&a) && dense(&b) && output.pixel_stride == depth;
    pieces(region, depth, dense, |y, x, count| {
        let (from_a, from_b, to) = (a.view.at(y, x), b.view.at(y, x), output.at(y, x));
        match (a.constant, b.constant) {
            (None, None) => {
                for i in 0..count {
                    arena[to + i] = f(arena[from_a + i * a.step], arena[from_b + i * b.step]);
                }
            }
            (None, Some(b_data)) => {
                for i in 0..count {
                    arena[to + i] = f(arena[from_a + i * a.step], b_data[from_b + i * b.step]);
                }
            }
            (Some(a_data), None) => {
                for i in 0..count {
                    arena[to + i] = f(a_data[from_a + i * a.step], arena[from_b + i * b.step]);
                }
            }
            (Some(a_data), Some(b_data)) => {
                for i in 0..count {
                    arena[to + i] = f(a_data[from_a + i * a.step], b_data[from_b + i * b.step]);
                }
            }
        }
    });
}
