//! Functions of one element.

use smidgen_ir::UnaryKind;

/// An element-wise function.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unary {
    /// Which.
    pub kind: UnaryKind,
}

impl Unary {
    pub(super) fn forward(&self, x: &[f32], out: &mut [f32]) {
        for (y, &x) in out.iter_mut().zip(x) {
            *y = self.value(x);
        }
    }

    pub(super) fn backward(&self, x: &[f32], y: &[f32], dy: &[f32], dx: &mut [f32]) {
        for (((dx, &x), &y), d) in dx.iter_mut().zip(x).zip(y).zip(dy) {
            *dx += d * self.slope(x, y);
        }
    }

    fn value(&self, x: f32) -> f32 {
        let wide = f64::from(x);
        match self.kind {
            UnaryKind::Logistic => (1.0 / (1.0 + libm::exp(-wide))) as f32,
            UnaryKind::Tanh => libm::tanh(wide) as f32,
            UnaryKind::Relu => clamp(x, 0.0, f32::INFINITY),
            UnaryKind::ReluN1To1 => clamp(x, -1.0, 1.0),
            UnaryKind::Relu6 => clamp(x, 0.0, 6.0),
            UnaryKind::LeakyRelu { alpha } if x <= 0.0 => alpha * x,
            UnaryKind::LeakyRelu { .. } => x,
            UnaryKind::HardSwish => x * clamp(x + 3.0, 0.0, 6.0) * (1.0 / 6.0),
            UnaryKind::Exp => libm::exp(wide) as f32,
            UnaryKind::Log => libm::log(wide) as f32,
            UnaryKind::Function(function) => function.apply(x),
        }
    }

    /// The derivative at `x`, where the function is `y`.
    fn slope(&self, x: f32, y: f32) -> f32 {
        let inside = |low: f32, high: f32| f32::from(u8::from(low < x && x < high));
        match self.kind {
            UnaryKind::Logistic => y * (1.0 - y),
            UnaryKind::Tanh => 1.0 - y * y,
            UnaryKind::Relu => inside(0.0, f32::INFINITY),
            UnaryKind::ReluN1To1 => inside(-1.0, 1.0),
            UnaryKind::Relu6 => inside(0.0, 6.0),
            UnaryKind::LeakyRelu { alpha } if x <= 0.0 => alpha,
            UnaryKind::LeakyRelu { .. } => 1.0,
            UnaryKind::HardSwish if x <= -3.0 => 0.0,
            UnaryKind::HardSwish if x >= 3.0 => 1.0,
            UnaryKind::HardSwish => x / 3.0 + 0.5,
            UnaryKind::Exp => y,
            UnaryKind::Log => 1.0 / x,
            UnaryKind::Function(function) => function.slope(x, y),
        }
    }
}

/// A clamp that a NaN passes.
fn clamp(x: f32, low: f32, high: f32) -> f32 {
    if x < low {
        low
    } else if x > high {
        high
    } else {
        x
    }
}
