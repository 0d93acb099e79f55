//! PRELU: a rectifier whose slopes for negative inputs are learnt (He et al. 2015, "Delving deep into rectifiers").

/// `y = x` where positive, else `alpha x`.
#[derive(Clone, Debug)]
pub(crate) struct Prelu {
    /// Offset of the slopes in the parameters.
    pub offset: usize,
    /// For each element, its slope.
    pub slope_of: Vec<u32>,
}

impl Prelu {
    pub(super) fn forward(&self, x: &[f32], parameters: &[f32], out: &mut [f32]) {
        for ((y, &x), &i) in out.iter_mut().zip(x).zip(&self.slope_of) {
            *y = if x > 0.0 { x } else { parameters[self.offset + i as usize] * x };
        }
    }

    pub(super) fn backward(&self, x: &[f32], parameters: &[f32], dy: &[f32], dx: &mut [f32]) {
        for (((dx, &x), d), &i) in dx.iter_mut().zip(x).zip(dy).zip(&self.slope_of) {
            *dx += if x > 0.0 { *d } else { parameters[self.offset + i as usize] * d };
        }
    }

    pub(super) fn backward_slopes(&self, x: &[f32], dy: &[f32], gradient: &mut [f32]) {
        for ((&x, d), &i) in x.iter().zip(dy).zip(&self.slope_of) {
            if x <= 0.0 {
                gradient[self.offset + i as usize] += d * x;
            }
        }
    }
}
