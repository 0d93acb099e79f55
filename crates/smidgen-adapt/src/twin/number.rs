//! Numbers that a network can be computed in: floats of 32 bits, fast, and of 64, by the definition, to check those
//! with.

use smidgen_kernels::Window2d;
use smidgen_train::{Convolution, Windows};
use std::fmt::Debug;
use std::ops::{Add, AddAssign, Mul, MulAssign, Sub, SubAssign};

/// A kind of floating-point number.
pub trait Number:
    Copy
    + Debug
    + Default
    + PartialOrd
    + Send
    + Sync
    + 'static
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
{
    /// How convolutions are computed.
    type Convolution: Convolve<Self>;
    /// Bytes of a number.
    const BYTES: usize;
    /// The nearest number.
    fn of(real: f64) -> Self;
    /// In double precision.
    fn real(self) -> f64;
    /// Appends its bytes.
    fn store(self, bytes: &mut Vec<u8>);
    /// The number of these bytes, of which there are [`BYTES`](Self::BYTES).
    fn load(bytes: &[u8]) -> Self;
}

/// What a convolution is.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// Its window, where the output of a depthwise convolution has as many channels as the input.
    pub window: Window2d,
    /// Images.
    pub images: usize,
    /// Each channel by itself.
    pub depthwise: bool,
}

/// A convolution without bias and clamp, as `smidgen_train::Convolution` describes its parameters and methods.
#[allow(missing_docs)]
pub trait Convolve<T>: Clone + Debug + Send + Sync {
    fn new(form: Form) -> Option<Self>;
    fn pack(&mut self, weights: &[T]);
    fn forward(&mut self, x: &[T], weights: &[T], z: &mut [T]);
    fn backward(&mut self, x: &[T], weights: &[T], dz: &[T], dw: Option<&mut [T]>, dx: Option<&mut [T]>);
}

macro_rules! number {
    ($type:ty, $convolution:ty) => {
        impl Number for $type {
            type Convolution = $convolution;
            const BYTES: usize = size_of::<$type>();

            fn of(real: f64) -> Self {
                real as Self
            }

            fn real(self) -> f64 {
                self.into()
            }

            fn store(self, bytes: &mut Vec<u8>) {
                bytes.extend(self.to_le_bytes());
            }

            fn load(bytes: &[u8]) -> Self {
                bytes.first_chunk().map_or(0.0, |&bytes| Self::from_le_bytes(bytes))
            }
        }
    };
}
number!(f32, Convolution);
number!(f64, Form);

impl Convolve<f32> for Convolution {
    fn new(Form { window, images, depthwise }: Form) -> Option<Self> {
        let [height, width, inputs] = window.input;
        let [rows, columns, outputs] = window.output;
        let along = |axis: usize, input: usize, output: usize| {
            let covered = output.checked_sub(1)? * window.stride[axis]
                + window.dilation[axis] * window.size[axis].checked_sub(1)?
                + 1;
            Some((window.before[axis], covered.saturating_sub(input + window.before[axis])))
        };
        let ((top, bottom), (left, right)) = (along(0, height, rows)?, along(1, width, columns)?);
        let windows = Windows {
            input: [height, width],
            kernel: window.size,
            stride: window.stride,
            dilation: window.dilation,
            padding: smidgen_ir::Padding::Explicit { top, bottom, left, right },
        };
        let made = match depthwise {
            true => Self::depthwise(images, &windows, inputs)?,
            false => Self::dense(images, &windows, inputs, outputs)?,
        };
        (made.output_len() == images * rows * columns * outputs).then_some(made)
    }

    fn pack(&mut self, weights: &[f32]) {
        self.pack(weights);
    }

    fn forward(&mut self, x: &[f32], weights: &[f32], z: &mut [f32]) {
        self.forward(x, weights, z);
    }

    fn backward(&mut self, x: &[f32], weights: &[f32], dz: &[f32], dw: Option<&mut [f32]>, dx: Option<&mut [f32]>) {
        self.backward(x, weights, dz, dw, dx);
    }
}

impl Form {
    /// Calls `each` with the indices of an element of the input, of a weight, and of the output, for all products.
    fn products(&self, mut each: impl FnMut(usize, usize, usize)) {
        let Self { window, images, depthwise } = self;
        let ([height, width, inputs], [rows, columns, outputs]) = (window.input, window.output);
        for row in 0..images * rows {
            let (image, oy) = (row / rows, row % rows);
            let (taps_y, y0) = window.taps(0, oy);
            for ox in 0..columns {
                let (taps_x, x0) = window.taps(1, ox);
                for (i, ky) in taps_y.clone().enumerate() {
                    for (j, kx) in taps_x.clone().enumerate() {
                        let (y, x) = (y0 + i * window.dilation[0], x0 + j * window.dilation[1]);
                        let from = ((image * height + y) * width + x) * inputs;
                        let (tap, to) = (ky * window.size[1] + kx, (row * columns + ox) * outputs);
                        for o in 0..outputs {
                            if *depthwise {
                                each(from + o, tap * outputs + o, to + o);
                                continue;
                            }
                            for c in 0..inputs {
                                each(from + c, (tap * inputs + c) * outputs + o, to + o);
                            }
                        }
                    }
                }
            }
        }
    }
}

impl Convolve<f64> for Form {
    fn new(form: Form) -> Option<Self> {
        Some(form)
    }

    fn pack(&mut self, _: &[f64]) {}

    fn forward(&mut self, x: &[f64], weights: &[f64], z: &mut [f64]) {
        z.fill(0.0);
        self.products(|from, w, to| z[to] += x[from] * weights[w]);
    }

    fn backward(&mut self, x: &[f64], weights: &[f64], dz: &[f64], dw: Option<&mut [f64]>, dx: Option<&mut [f64]>) {
        if let Some(dw) = dw {
            dw.fill(0.0);
            self.products(|from, w, to| dw[w] += x[from] * dz[to]);
        }
        if let Some(dx) = dx {
            self.products(|from, w, to| dx[from] += weights[w] * dz[to]);
        }
    }
}
