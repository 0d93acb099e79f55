//! Kernels over rows of channels: activation on the fly, the gradient through a normalisation, sums for each channel,
//! pooling.
//!
//! Each goes down the rows for sixteen channels at a time. Sums of a call are made in f32, in the order of the rows and
//! in two chains (even and odd rows), and added to the caller's f64: calls are short enough (a block in cache) for that
//! to lose nothing.

use super::Isa;
use super::form::{Activation, Form, Read, with_form};
use super::instances;
use super::lanes::Lanes;

/// What completes the gradient of a tensor that is [read](Read) through an activation: it is multiplied by the
/// activation's derivative, and summed for each channel.
pub(crate) struct Masked<'a> {
    /// The tensor.
    pub read: Read<'a>,
    /// Sum of each channel's gradients.
    pub sum: &'a mut [f64],
    /// Sum of each channel's gradients times what was stored.
    pub dot: &'a mut [f64],
}

/// The channels in blocks of up to sixteen: the first of each, and how many.
#[inline(always)]
pub(super) fn blocks(c: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..c).step_by(16).map(move |first| (first, (c - first).min(16)))
}

fn check(read: &Read<'_>, rows: usize, c: usize) {
    assert!(read.z.len() >= rows * c && read.a.len() >= c && read.b.len() >= c);
}

/// `out = f(z a + b)` for `rows` rows of `c` channels.
pub(crate) fn activate(isa: Isa, read: Read<'_>, rows: usize, c: usize, out: &mut [f32]) {
    check(&read, rows, c);
    assert!(out.len() >= rows * c);
    // SAFETY: lengths were checked.
    unsafe { activate_run(isa, &read, rows, c, out.as_mut_ptr()) }
}

instances! {
    /// # Safety
    /// As `activate` checks.
    unsafe fn activate_run(read: &Read<'_>, rows: usize, c: usize, out: *mut f32) of activate_kernel
}

#[inline(always)]
unsafe fn activate_kernel<L: Lanes>(read: &Read<'_>, rows: usize, c: usize, out: *mut f32) {
    // SAFETY: rows and channels lie inside the operands.
    unsafe {
        let (a, b, z) = (read.a.as_ptr(), read.b.as_ptr(), read.z.as_ptr());
        with_form!(read.form, L, f => for r in 0..rows {
            let mut i = 0;
            while i + 16 <= c {
                let u = L::fma(L::load(z.add(r * c + i)), L::load(a.add(i)), L::load(b.add(i)));
                L::store(out.add(r * c + i), Activation::<L>::apply(f, u));
                i += 16;
            }
            if i < c {
                let n = c - i;
                let u = L::fma(L::load_n(z.add(r * c + i), n), L::load_n(a.add(i), n), L::load_n(b.add(i), n));
                L::store_n(out.add(r * c + i), Activation::<L>::apply(f, u), n);
            }
        })
    }
}

/// `out = f(x + y)`, both read through their activations; all `[rows, c]`. Without `y`, `out = f(x)`.
pub(crate) fn add(isa: Isa, x: Read<'_>, y: Option<Read<'_>>, form: Form, rows: usize, c: usize, out: &mut [f32]) {
    check(&x, rows, c);
    if let Some(y) = &y {
        check(y, rows, c);
    }
    assert!(out.len() >= rows * c);
    // SAFETY: lengths were checked.
    unsafe { add_run(isa, &x, y.as_ref(), form, rows, c, out.as_mut_ptr()) }
}

instances! {
    /// # Safety
    /// As `add` checks.
    unsafe fn add_run(
        x: &Read<'_>, y: Option<&Read<'_>>, form: Form, rows: usize, c: usize, out: *mut f32,
    ) of add_kernel
}

#[inline(always)]
unsafe fn add_kernel<L: Lanes>(x: &Read<'_>, y: Option<&Read<'_>>, form: Form, rows: usize, c: usize, out: *mut f32) {
    // SAFETY: rows and channels lie inside the operands.
    unsafe {
        with_form!(x.form, L, f => with_form!(y.map_or(Form::NONE, |y| y.form), L, g => with_form!(form, L, h => {
            for (i, n) in blocks(c) {
                let (a, b) = (L::load_n(x.a.as_ptr().add(i), n), L::load_n(x.b.as_ptr().add(i), n));
                let p = x.z.as_ptr().add(i);
                if let Some(y) = y {
                    let (a2, b2) = (L::load_n(y.a.as_ptr().add(i), n), L::load_n(y.b.as_ptr().add(i), n));
                    let q = y.z.as_ptr().add(i);
                    for r in 0..rows {
                        let left = Activation::<L>::apply(f, L::fma(L::load_n(p.add(r * c), n), a, b));
                        let right = Activation::<L>::apply(g, L::fma(L::load_n(q.add(r * c), n), a2, b2));
                        L::store_n(out.add(r * c + i), Activation::<L>::apply(h, L::add(left, right)), n);
                    }
                } else {
                    for r in 0..rows {
                        let left = Activation::<L>::apply(f, L::fma(L::load_n(p.add(r * c), n), a, b));
                        L::store_n(out.add(r * c + i), Activation::<L>::apply(h, left), n);
                    }
                }
            }
        })))
    }
}

/// `out = k1 dy + (k2 z + k3)`: the gradient of what a normalised layer stored.
pub(crate) fn combine(isa: Isa, dy: &[f32], z: &[f32], k: [&[f32]; 3], rows: usize, c: usize, out: &mut [f32]) {
    assert!(dy.len() >= rows * c && z.len() >= rows * c && k.iter().all(|k| k.len() >= c));
    assert!(out.len() >= rows * c);
    // SAFETY: lengths were checked.
    unsafe { combine_run(isa, dy.as_ptr(), z.as_ptr(), k, rows, c, out.as_mut_ptr()) }
}

instances! {
    /// # Safety
    /// As `combine` checks.
    unsafe fn combine_run(
        dy: *const f32, z: *const f32, k: [&[f32]; 3], rows: usize, c: usize, out: *mut f32,
    ) of combine_kernel
}

#[inline(always)]
unsafe fn combine_kernel<L: Lanes>(
    dy: *const f32,
    z: *const f32,
    k: [&[f32]; 3],
    rows: usize,
    c: usize,
    out: *mut f32,
) {
    // SAFETY: rows and channels lie inside the operands.
    unsafe {
        let [k1, k2, k3] = k.map(<[f32]>::as_ptr);
        for r in 0..rows {
            let mut i = 0;
            while i + 16 <= c {
                let at = r * c + i;
                let by_z = L::fma(L::load(z.add(at)), L::load(k2.add(i)), L::load(k3.add(i)));
                L::store(out.add(at), L::fma(L::load(dy.add(at)), L::load(k1.add(i)), by_z));
                i += 16;
            }
            if i < c {
                let (at, n) = (r * c + i, c - i);
                let by_z = L::fma(L::load_n(z.add(at), n), L::load_n(k2.add(i), n), L::load_n(k3.add(i), n));
                L::store_n(out.add(at), L::fma(L::load_n(dy.add(at), n), L::load_n(k1.add(i), n), by_z), n);
            }
        }
    }
}

/// Adds each channel's sum and sum of squares over `rows` rows.
pub(crate) fn moments(isa: Isa, z: &[f32], rows: usize, c: usize, sum: &mut [f64], square: &mut [f64]) {
    assert!(z.len() >= rows * c && sum.len() >= c && square.len() >= c);
    // SAFETY: lengths were checked.
    unsafe { moments_run(isa, z.as_ptr(), rows, c, sum.as_mut_ptr(), square.as_mut_ptr()) }
}

instances! {
    /// # Safety
    /// As `moments` checks.
    unsafe fn moments_run(z: *const f32, rows: usize, c: usize, sum: *mut f64, square: *mut f64) of moments_kernel
}

#[inline(always)]
unsafe fn moments_kernel<L: Lanes>(z: *const f32, rows: usize, c: usize, sum: *mut f64, square: *mut f64) {
    // SAFETY: rows and channels lie inside the operands.
    unsafe {
        for (i, n) in blocks(c) {
            let mut sums = [L::zero(); 2];
            let mut squares = [L::zero(); 2];
            for r in 0..rows {
                let v = L::load_n(z.add(r * c + i), n);
                sums[r % 2] = L::add(sums[r % 2], v);
                squares[r % 2] = L::fma(v, v, squares[r % 2]);
            }
            L::add_to_doubles(sum.add(i), L::add(sums[0], sums[1]), n);
            L::add_to_doubles(square.add(i), L::add(squares[0], squares[1]), n);
        }
    }
}

/// Completes gradients: see [`Masked`], whose tensor's first `rows` rows belong to those of `dy`.
pub(crate) fn finish(isa: Isa, dy: &mut [f32], masked: &mut Masked<'_>, rows: usize, c: usize) {
    check(&masked.read, rows, c);
    assert!(dy.len() >= rows * c && masked.sum.len() >= c && masked.dot.len() >= c);
    let (sum, dot) = (masked.sum.as_mut_ptr(), masked.dot.as_mut_ptr());
    // SAFETY: lengths were checked.
    unsafe { finish_run(isa, dy.as_mut_ptr(), &masked.read, rows, c, sum, dot) }
}

instances! {
    /// # Safety
    /// As `finish` checks.
    unsafe fn finish_run(
        dy: *mut f32, read: &Read<'_>, rows: usize, c: usize, sum: *mut f64, dot: *mut f64,
    ) of finish_kernel
}

#[inline(always)]
unsafe fn finish_kernel<L: Lanes>(dy: *mut f32, read: &Read<'_>, rows: usize, c: usize, sum: *mut f64, dot: *mut f64) {
    // SAFETY: rows and channels lie inside the operands.
    unsafe {
        let masks = read.form != Form::NONE;
        with_form!(read.form, L, f => for (i, n) in blocks(c) {
            let (a, b) = (L::load_n(read.a.as_ptr().add(i), n), L::load_n(read.b.as_ptr().add(i), n));
            let mut sums = [L::zero(); 2];
            let mut dots = [L::zero(); 2];
            for r in 0..rows {
                let at = r * c + i;
                let z = L::load_n(read.z.as_ptr().add(at), n);
                let mut d = L::load_n(dy.add(at), n);
                if masks {
                    d = Activation::<L>::pass(f, L::fma(z, a, b), d);
                    L::store_n(dy.add(at), d, n);
                }
                sums[r % 2] = L::add(sums[r % 2], d);
                dots[r % 2] = L::fma(d, z, dots[r % 2]);
            }
            L::add_to_doubles(sum.add(i), L::add(sums[0], sums[1]), n);
            L::add_to_doubles(dot.add(i), L::add(dots[0], dots[1]), n);
        })
    }
}

/// `out[i]` = mean over `rows` of `f(z a + b)`.
pub(crate) fn pool(isa: Isa, read: Read<'_>, rows: usize, c: usize, out: &mut [f32]) {
    check(&read, rows, c);
    assert!(out.len() >= c && rows > 0);
    // SAFETY: lengths were checked.
    unsafe { pool_run(isa, &read, rows, c, out.as_mut_ptr()) }
}

instances! {
    /// # Safety
    /// As `pool` checks.
    unsafe fn pool_run(read: &Read<'_>, rows: usize, c: usize, out: *mut f32) of pool_kernel
}

#[inline(always)]
unsafe fn pool_kernel<L: Lanes>(read: &Read<'_>, rows: usize, c: usize, out: *mut f32) {
    // SAFETY: rows and channels lie inside the operands.
    unsafe {
        let scale = L::splat(1.0 / rows as f32);
        with_form!(read.form, L, f => for (i, n) in blocks(c) {
            let (a, b) = (L::load_n(read.a.as_ptr().add(i), n), L::load_n(read.b.as_ptr().add(i), n));
            let z = read.z.as_ptr().add(i);
            let mut sums = [L::zero(); 2];
            for r in 0..rows {
                let y = Activation::<L>::apply(f, L::fma(L::load_n(z.add(r * c), n), a, b));
                sums[r % 2] = L::add(sums[r % 2], y);
            }
            L::store_n(out.add(i), L::mul(L::add(sums[0], sums[1]), scale), n);
        })
    }
}

/// The gradient of [`pool`]: each of `rows` rows of `dx` becomes `dy / rows`, or has it added if `plus`.
pub(crate) fn unpool(dy: &[f32], rows: usize, c: usize, dx: &mut [f32], plus: bool) {
    let scale = 1.0 / rows as f32;
    for row in dx[..rows * c].chunks_exact_mut(c) {
        for (x, &d) in row.iter_mut().zip(&dy[..c]) {
            *x = if plus { *x + d * scale } else { d * scale };
        }
    }
}
