//! Depthwise convolutions, sixteen channels at a time.
//!
//! Forward, and backward to the input, are one loop: each output pixel of a plane is a sum of taps of another, padded
//! plane. With a stride, the gradient's pixels fall into classes by their remainder, each with taps of its own, so that
//! no zero is multiplied.

mod weights;

use super::Isa;
use super::form::{Activation, Read, with_form};
use super::instances;
use super::lanes::Lanes;
use super::rows::{Masked, blocks};

pub(crate) use weights::depthwise_weights;

/// One tap: where it reads, in pixels from the output pixel's base, and the index of its weight.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Tap {
    /// Pixels of the padded plane.
    pub offset: usize,
    /// Which of the kernel's `kh * kw` weights.
    pub weight: usize,
}

/// Output pixels in a regular grid, each a sum of taps. Distances are in pixels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Correlation<'a> {
    /// Rows and columns of the grid.
    pub grid: [usize; 2],
    /// In the plane that is read: from one grid row, and one grid column, to the next.
    pub input: [usize; 2],
    /// In the plane that is written: the grid's first pixel, and from one grid row, and one grid column, to the next.
    pub output: [usize; 3],
    /// The taps.
    pub taps: &'a [Tap],
}

impl Correlation<'_> {
    /// Checks that the grid lies in planes of these many pixels, and taps in a kernel of as many weights.
    fn check(&self, input: usize, output: usize, weights: usize) -> bool {
        let [rows, columns] = self.grid;
        if rows == 0 || columns == 0 {
            return false;
        }
        let read = (rows - 1) * self.input[0] + (columns - 1) * self.input[1];
        let written = self.output[0] + (rows - 1) * self.output[1] + (columns - 1) * self.output[2];
        assert!(written < output && self.taps.iter().all(|t| read + t.offset < input && t.weight < weights));
        true
    }
}

/// What is done with each sum of taps.
trait Emit<L: Lanes>: Copy {
    /// Takes the sum for the pixel `at` elements into the output; `parity` is 0 or 1, of the grid's column.
    unsafe fn emit(self, at: usize, v: L::V, n: usize, sums: &mut [[L::V; 2]; 2], parity: usize);
}

/// Forward: store, and sum for each channel.
#[derive(Clone, Copy)]
struct Forward(*mut f32);

impl<L: Lanes> Emit<L> for Forward {
    #[inline(always)]
    unsafe fn emit(self, at: usize, v: L::V, n: usize, sums: &mut [[L::V; 2]; 2], parity: usize) {
        // SAFETY: the pixel lies in the output.
        unsafe {
            L::store_n(self.0.add(at), v, n);
            sums[0][parity] = L::add(sums[0][parity], v);
            sums[1][parity] = L::fma(v, v, sums[1][parity]);
        }
    }
}

/// Backward: add what is there, store.
#[derive(Clone, Copy)]
struct Gradient {
    dx: *mut f32,
    plus: bool,
}

impl<L: Lanes> Emit<L> for Gradient {
    #[inline(always)]
    unsafe fn emit(self, at: usize, v: L::V, n: usize, _: &mut [[L::V; 2]; 2], _: usize) {
        // SAFETY: the pixel lies in the output.
        unsafe {
            let to = self.dx.add(at);
            L::store_n(to, if self.plus { L::add(v, L::load_n(to, n)) } else { v }, n);
        }
    }
}

/// Backward for the last time: add what is there, pass through the activation, store, and sum for each channel.
#[derive(Clone, Copy)]
struct Last<V, F> {
    dx: *mut f32,
    plus: bool,
    z: *const f32,
    a: V,
    b: V,
    f: F,
}

impl<L: Lanes, F: Activation<L>> Emit<L> for Last<L::V, F> {
    #[inline(always)]
    unsafe fn emit(self, at: usize, v: L::V, n: usize, sums: &mut [[L::V; 2]; 2], parity: usize) {
        // SAFETY: the pixel lies in the output, and in the tensor that it is the gradient of.
        unsafe {
            let to = self.dx.add(at);
            let z = L::load_n(self.z.add(at), n);
            let d = if self.plus { L::add(v, L::load_n(to, n)) } else { v };
            let d = self.f.pass(L::fma(z, self.a, self.b), d);
            L::store_n(to, d, n);
            sums[0][parity] = L::add(sums[0][parity], d);
            sums[1][parity] = L::fma(d, z, sums[1][parity]);
        }
    }
}

/// Where a correlation reads, for one block of channels.
#[derive(Clone, Copy)]
struct Planes<'a> {
    grid: &'a Correlation<'a>,
    input: *const f32,
    weights: *const f32,
    c: usize,
    n: usize,
}

impl<'a> Planes<'a> {
    /// All channels, as one block.
    fn new(grid: &'a Correlation<'a>, c: usize, plane: &[f32], weights: &[f32]) -> Self {
        Self { grid, input: plane.as_ptr(), weights: weights.as_ptr(), c, n: c }
    }

    /// The block of `n` channels from channel `i` on.
    ///
    /// # Safety
    /// There are so many channels.
    #[inline(always)]
    unsafe fn block(self, i: usize, n: usize) -> Self {
        // SAFETY: every pixel and every tap has the channel.
        unsafe { Self { input: self.input.add(i), weights: self.weights.add(i), n, ..self } }
    }
}

/// Pixels at a time: as many independent chains of multiply-adds.
const COLUMNS: usize = 4;

/// Sums of taps.
trait Sum<L: Lanes> {
    /// Those of [`COLUMNS`] pixels, the first at `at` and `step` elements apart.
    unsafe fn many(&self, at: *const f32, step: usize) -> [L::V; COLUMNS];
    /// That of the pixel at `at`.
    unsafe fn one(&self, at: *const f32) -> L::V;
}

/// N taps whose weights are in registers.
struct Few<V, const N: usize> {
    weights: [V; N],
    offsets: [usize; N],
    n: usize,
}

impl<V, const N: usize> Few<V, N> {
    #[inline(always)]
    unsafe fn new<L: Lanes<V = V>>(p: Planes<'_>) -> Self
    where
        V: Copy,
    {
        // SAFETY: the grid has N taps, of weights that were checked.
        unsafe {
            let mut few = Self { weights: [L::zero(); N], offsets: [0; N], n: p.n };
            for t in 0..N {
                let tap = p.grid.taps.get_unchecked(t);
                few.weights[t] = L::load_n(p.weights.add(tap.weight * p.c), p.n);
                few.offsets[t] = tap.offset * p.c;
            }
            few
        }
    }
}

impl<L: Lanes, const N: usize> Sum<L> for Few<L::V, N> {
    #[inline(always)]
    unsafe fn many(&self, at: *const f32, step: usize) -> [L::V; COLUMNS] {
        // SAFETY: the taps of pixels of the grid lie in the plane.
        unsafe {
            let mut sums = [L::zero(); COLUMNS];
            for t in 0..N {
                for (j, s) in sums.iter_mut().enumerate() {
                    *s = L::fma(self.weights[t], L::load_n(at.add(self.offsets[t] + j * step), self.n), *s);
                }
            }
            sums
        }
    }

    #[inline(always)]
    unsafe fn one(&self, at: *const f32) -> L::V {
        // SAFETY: the taps of a pixel of the grid lie in the plane.
        unsafe {
            let mut sum = L::zero();
            for t in 0..N {
                sum = L::fma(self.weights[t], L::load_n(at.add(self.offsets[t]), self.n), sum);
            }
            sum
        }
    }
}

/// Any number of taps.
impl<L: Lanes> Sum<L> for Planes<'_> {
    #[inline(always)]
    unsafe fn many(&self, at: *const f32, step: usize) -> [L::V; COLUMNS] {
        // SAFETY: the taps of pixels of the grid lie in the plane, their weights in the kernel.
        unsafe {
            let mut sums = [L::zero(); COLUMNS];
            for tap in self.grid.taps {
                let w = L::load_n(self.weights.add(tap.weight * self.c), self.n);
                for (j, s) in sums.iter_mut().enumerate() {
                    *s = L::fma(w, L::load_n(at.add(tap.offset * self.c + j * step), self.n), *s);
                }
            }
            sums
        }
    }

    #[inline(always)]
    unsafe fn one(&self, at: *const f32) -> L::V {
        // SAFETY: the taps of a pixel of the grid lie in the plane, their weights in the kernel.
        unsafe {
            let mut sum = L::zero();
            for tap in self.grid.taps {
                let w = L::load_n(self.weights.add(tap.weight * self.c), self.n);
                sum = L::fma(w, L::load_n(at.add(tap.offset * self.c), self.n), sum);
            }
            sum
        }
    }
}

/// The grid, row by row.
#[inline(always)]
unsafe fn correlate_rows<L: Lanes, E: Emit<L>>(p: Planes<'_>, taps: &impl Sum<L>, e: E, sums: &mut [[L::V; 2]; 2]) {
    // SAFETY: the grid was checked.
    unsafe {
        let [rows, columns] = p.grid.grid;
        let (step, stride) = (p.grid.input[1] * p.c, p.grid.output[2] * p.c);
        for y in 0..rows {
            let row = p.input.add(y * p.grid.input[0] * p.c);
            let out = (p.grid.output[0] + y * p.grid.output[1]) * p.c;
            let mut x = 0;
            while x + COLUMNS <= columns {
                // Written out: a loop would keep the four in memory.
                let [first, second, third, fourth] = taps.many(row.add(x * step), step);
                let at = out + x * stride;
                e.emit(at, first, p.n, sums, 0);
                e.emit(at + stride, second, p.n, sums, 1);
                e.emit(at + 2 * stride, third, p.n, sums, 0);
                e.emit(at + 3 * stride, fourth, p.n, sums, 1);
                x += COLUMNS;
            }
            while x < columns {
                e.emit(out + x * stride, taps.one(row.add(x * step)), p.n, sums, x % 2);
                x += 1;
            }
        }
    }
}

#[inline(always)]
unsafe fn correlate<L: Lanes, E: Emit<L>>(p: Planes<'_>, e: E, sums: &mut [[L::V; 2]; 2]) {
    // SAFETY: as the callees'.
    unsafe {
        match p.grid.taps.len() {
            1 => correlate_rows(p, &Few::<L::V, 1>::new::<L>(p), e, sums),
            2 => correlate_rows(p, &Few::<L::V, 2>::new::<L>(p), e, sums),
            4 => correlate_rows(p, &Few::<L::V, 4>::new::<L>(p), e, sums),
            9 => correlate_rows(p, &Few::<L::V, 9>::new::<L>(p), e, sums),
            _ => correlate_rows(p, &p, e, sums),
        }
    }
}

/// One image forward: `z[pixel, c] = sum_t weights[t, c] plane[pixel + t, c]`; the sums and sums of squares of
/// the `c` channels are added.
pub(crate) fn depthwise_forward(
    isa: Isa,
    grid: &Correlation<'_>,
    plane: &[f32],
    weights: &[f32],
    z: &mut [f32],
    [sum, square]: [&mut [f64]; 2],
) {
    let c = sum.len();
    assert_eq!(square.len(), c);
    if grid.check(plane.len() / c, z.len() / c, weights.len() / c) {
        let (sum, square) = (sum.as_mut_ptr(), square.as_mut_ptr());
        // SAFETY: the grid, its taps and the sums lie in their slices.
        unsafe { forward_run(isa, Planes::new(grid, c, plane, weights), z.as_mut_ptr(), sum, square) }
    }
}

instances! {
    /// # Safety
    /// As `depthwise_forward` checks.
    unsafe fn forward_run(all: Planes<'_>, z: *mut f32, sum: *mut f64, square: *mut f64) of forward_kernel
}

#[inline(always)]
unsafe fn forward_kernel<L: Lanes>(all: Planes<'_>, z: *mut f32, sum: *mut f64, square: *mut f64) {
    // SAFETY: the caller checked the grid for all channels.
    unsafe {
        for (i, n) in blocks(all.c) {
            let mut sums = [[L::zero(); 2]; 2];
            let planes = all.block(i, n);
            correlate::<L, _>(planes, Forward(z.add(i)), &mut sums);
            L::add_to_doubles(sum.add(i), L::add(sums[0][0], sums[0][1]), n);
            L::add_to_doubles(square.add(i), L::add(sums[1][0], sums[1][1]), n);
        }
    }
}

/// Where the gradient of a tensor goes.
pub(crate) struct Sink<'a> {
    /// The gradient, `[rows, c]`.
    pub dx: &'a mut [f32],
    /// It holds what other readers of the tensor gave: add to it.
    pub plus: bool,
    /// Given if no other reader follows.
    pub last: Option<Masked<'a>>,
}

impl Sink<'_> {
    /// The part for `rows` rows of `c` channels from row `first` on.
    pub(crate) fn part(&mut self, first: usize, rows: usize, c: usize) -> Sink<'_> {
        let last = self.last.as_mut().map(|m| Masked { read: m.read.from(first * c), sum: m.sum, dot: m.dot });
        Sink { dx: &mut self.dx[first * c..][..rows * c], plus: self.plus, last }
    }
}

/// One image, backward to its input, for one class of its pixels: `dx[pixel, c] = sum_t weights[t, c] plane[pixel + t,
/// c]`.
pub(crate) fn depthwise_backward(
    isa: Isa,
    grid: &Correlation<'_>,
    c: usize,
    plane: &[f32],
    weights: &[f32],
    sink: &mut Sink<'_>,
) {
    if !grid.check(plane.len() / c, sink.dx.len() / c, weights.len() / c) {
        return;
    }
    let (all, dx) = (Planes::new(grid, c, plane, weights), sink.dx.as_mut_ptr());
    // SAFETY: the grid, its taps, the tensor and the sums lie in their slices.
    unsafe {
        match &mut sink.last {
            None => backward_run(isa, all, dx, sink.plus),
            Some(Masked { read, sum, dot }) => {
                assert!(read.z.len() >= sink.dx.len() && read.a.len() >= c && read.b.len() >= c);
                assert!(sum.len() >= c && dot.len() >= c);
                let (sum, dot) = (sum.as_mut_ptr(), dot.as_mut_ptr());
                last_run(isa, all, dx, sink.plus, read, [sum, dot]);
            }
        }
    }
}

instances! {
    /// # Safety
    /// As `depthwise_backward` checks.
    unsafe fn backward_run(all: Planes<'_>, dx: *mut f32, plus: bool) of backward_kernel
}

#[inline(always)]
unsafe fn backward_kernel<L: Lanes>(all: Planes<'_>, dx: *mut f32, plus: bool) {
    // SAFETY: the caller checked the grid for all channels.
    unsafe {
        for (i, n) in blocks(all.c) {
            let mut sums = [[L::zero(); 2]; 2];
            let planes = all.block(i, n);
            correlate::<L, _>(planes, Gradient { dx: dx.add(i), plus }, &mut sums);
        }
    }
}

instances! {
    /// # Safety
    /// As `depthwise_backward` checks.
    unsafe fn last_run(
        all: Planes<'_>, dx: *mut f32, plus: bool, read: &Read<'_>, sums: [*mut f64; 2],
    ) of last_kernel
}

#[inline(always)]
unsafe fn last_kernel<L: Lanes>(all: Planes<'_>, dx: *mut f32, plus: bool, read: &Read<'_>, [sum, dot]: [*mut f64; 2]) {
    // SAFETY: the caller checked the grid for all channels.
    unsafe {
        with_form!(read.form, L, f => for (i, n) in blocks(all.c) {
            let mut sums = [[L::zero(); 2]; 2];
            let planes = all.block(i, n);
            let (a, b) = (L::load_n(read.a.as_ptr().add(i), n), L::load_n(read.b.as_ptr().add(i), n));
            let last = Last { dx: dx.add(i), plus, z: read.z.as_ptr().add(i), a, b, f };
            correlate::<L, _>(planes, last, &mut sums);
            L::add_to_doubles(sum.add(i), L::add(sums[0][0], sums[0][1]), n);
            L::add_to_doubles(dot.add(i), L::add(sums[1][0], sums[1][1]), n);
        })
    }
}
