//! Updates of parameters, element by element. Products and sums are rounded one by one, in plain Rust that compilers
//! vectorise.

use super::Isa;
use super::instances;
use super::lanes::Lanes;

/// What an update by stochastic gradient descent goes by.
#[derive(Clone, Copy)]
pub(crate) struct Sgd {
    /// Learning rate.
    pub rate: f32,
    /// Factor on the old momentum.
    pub momentum: f32,
    /// Weight decay, added to the gradient.
    pub decay: f32,
    /// Factor on the gradient.
    pub scale: f32,
}

/// `g' = scale g + decay p; v = momentum v + g'; p -= rate (g' + momentum v)` (Sutskever et al. 2013, in the form of
/// PyTorch).
pub(crate) fn sgd(isa: Isa, by: Sgd, parameters: &mut [f32], gradient: &[f32], velocity: &mut [f32]) {
    // SAFETY: the kernel indexes by iterators alone.
    unsafe { sgd_run(isa, by, parameters, gradient, velocity) }
}

instances! {
    /// # Safety
    /// None beyond the instruction set.
    unsafe fn sgd_run(by: Sgd, parameters: &mut [f32], gradient: &[f32], velocity: &mut [f32]) of sgd_kernel
}

#[inline(always)]
unsafe fn sgd_kernel<L: Lanes>(by: Sgd, parameters: &mut [f32], gradient: &[f32], velocity: &mut [f32]) {
    for ((p, &g), v) in parameters.iter_mut().zip(gradient).zip(velocity) {
        let g = g * by.scale + by.decay * *p;
        *v = by.momentum * *v + g;
        *p -= by.rate * (g + by.momentum * *v);
    }
}

/// What an update by AdamW goes by.
#[derive(Clone, Copy)]
pub(crate) struct Adam {
    /// Learning rate over `1 - beta1^t`.
    pub rate: f32,
    /// `1 - rate * decay`, with the plain learning rate.
    pub keep: f32,
    /// Decay of the mean of gradients.
    pub beta1: f32,
    /// Decay of the mean of squares.
    pub beta2: f32,
    /// `1 / sqrt(1 - beta2^t)`.
    pub correction: f32,
    /// Added to the root.
    pub epsilon: f32,
    /// Factor on the gradient.
    pub scale: f32,
}

/// `p = keep p - rate m / (correction sqrt(v) + epsilon)` (Loshchilov and Hutter 2019, "Decoupled weight decay
/// regularization").
pub(crate) fn adam(isa: Isa, by: Adam, parameters: &mut [f32], gradient: &[f32], mean: &mut [f32], square: &mut [f32]) {
    // SAFETY: the kernel indexes by iterators alone.
    unsafe { adam_run(isa, by, parameters, gradient, mean, square) }
}

instances! {
    /// # Safety
    /// None beyond the instruction set.
    unsafe fn adam_run(
        by: Adam, parameters: &mut [f32], gradient: &[f32], mean: &mut [f32], square: &mut [f32],
    ) of adam_kernel
}

#[inline(always)]
unsafe fn adam_kernel<L: Lanes>(
    by: Adam,
    parameters: &mut [f32],
    gradient: &[f32],
    mean: &mut [f32],
    square: &mut [f32],
) {
    for (((p, &g), m), v) in parameters.iter_mut().zip(gradient).zip(mean).zip(square) {
        let g = g * by.scale;
        *m = by.beta1 * *m + (1.0 - by.beta1) * g;
        *v = by.beta2 * *v + (1.0 - by.beta2) * g * g;
        *p = by.keep * *p - by.rate * *m / (by.correction * v.sqrt() + by.epsilon);
    }
}

/// `average += share (x - average)`.
pub(crate) fn average(isa: Isa, share: f32, x: &[f32], average: &mut [f32]) {
    // SAFETY: the kernel indexes by iterators alone.
    unsafe { average_run(isa, share, x, average) }
}

instances! {
    /// # Safety
    /// None beyond the instruction set.
    unsafe fn average_run(share: f32, x: &[f32], average: &mut [f32]) of average_kernel
}

#[inline(always)]
unsafe fn average_kernel<L: Lanes>(share: f32, x: &[f32], average: &mut [f32]) {
    for (a, &x) in average.iter_mut().zip(x) {
        *a += share * (x - *a);
    }
}

/// `to += x`.
pub(crate) fn sum_into(isa: Isa, x: &[f32], to: &mut [f32]) {
    // SAFETY: the kernel indexes by iterators alone.
    unsafe { sum_run(isa, x, to) }
}

instances! {
    /// # Safety
    /// None beyond the instruction set.
    unsafe fn sum_run(x: &[f32], to: &mut [f32]) of sum_kernel
}

#[inline(always)]
unsafe fn sum_kernel<L: Lanes>(x: &[f32], to: &mut [f32]) {
    for (t, &x) in to.iter_mut().zip(x) {
        *t += x;
    }
}
