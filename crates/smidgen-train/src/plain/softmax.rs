//! Softmax over the last dimension.

/// `y = exp(beta x) / sum exp(beta x)` over runs of `width` elements.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Softmax {
    /// Factor on the input.
    pub beta: f32,
    /// Elements of a run.
    pub width: usize,
}

impl Softmax {
    pub(super) fn forward(&self, x: &[f32], out: &mut [f32]) {
        for (y, x) in out.chunks_exact_mut(self.width).zip(x.chunks_exact(self.width)) {
            let most = x.iter().fold(f32::NEG_INFINITY, |m, &v| m.max(self.beta * v));
            let power = |v: f32| libm::exp(f64::from(self.beta * v - most));
            let total: f64 = x.iter().map(|&v| power(v)).sum();
            for (y, &v) in y.iter_mut().zip(x) {
                *y = (power(v) / total) as f32;
            }
        }
    }

    /// `dx = beta y (dy - sum y dy)`.
    pub(super) fn backward(&self, y: &[f32], dy: &[f32], dx: &mut [f32]) {
        let runs = dx.chunks_exact_mut(self.width).zip(y.chunks_exact(self.width)).zip(dy.chunks_exact(self.width));
        for ((dx, y), dy) in runs {
            let mean: f64 = y.iter().zip(dy).map(|(&y, &d)| f64::from(y) * f64::from(d)).sum();
            for ((dx, &y), &d) in dx.iter_mut().zip(y).zip(dy) {
                *dx += (f64::from(self.beta) * f64::from(y) * (f64::from(d) - mean)) as f32;
            }
        }
    }
}
