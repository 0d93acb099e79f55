//! Convolutions by themselves, for those who differentiate a network of their own with the loops of this crate.

use crate::conv::{Conv, ConvKind, Dense, Incoming, Input, Operands, Packed, Scratch};
use crate::geometry::Geometry;
use crate::simd::{Form, Isa, Read, Sink};
use smidgen_ir::Padding;

/// Where the windows of a convolution lie, each for height and width.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Windows {
    /// Pixels of the input.
    pub input: [usize; 2],
    /// Taps.
    pub kernel: [usize; 2],
    /// Pixels between neighbouring windows.
    pub stride: [usize; 2],
    /// Pixels between neighbouring taps.
    pub dilation: [usize; 2],
    /// Padding with zeros.
    pub padding: Padding,
}

/// A convolution without bias and activation: its sums, and their gradients. Images are `[rows, columns, channels]`,
/// one after the other.
///
/// ```
/// use smidgen_train::Convolution;
///
/// // One row of two inputs, three outputs.
/// let mut layer = Convolution::pointwise(1, 2, 3);
/// let (x, weights) = ([1.0, 2.0], [1.0, 2.0, 3.0, 10.0, 20.0, 30.0]);
/// layer.pack(&weights);
/// let mut z = [0.0; 3];
/// layer.forward(&x, &weights, &mut z);
/// assert_eq!(z, [21.0, 42.0, 63.0]);
/// let (mut dw, mut dx) = ([0.0; 6], [0.0; 2]);
/// layer.backward(&x, &weights, &[1.0, 0.0, 1.0], Some(&mut dw), Some(&mut dx));
/// assert_eq!((dw, dx), ([1.0, 0.0, 1.0, 2.0, 0.0, 2.0], [4.0, 40.0]));
/// ```
#[derive(Clone, Debug)]
pub struct Convolution {
    conv: Conv,
    images: usize,
    isa: Isa,
    packed: Packed,
    scratch: Scratch,
}

impl Convolution {
    /// A fully connected layer over so many rows, or a convolution of one tap over so many pixels. Weights are
    /// `[inputs, outputs]`.
    pub fn pointwise(rows: usize, inputs: usize, outputs: usize) -> Self {
        let kind = ConvKind::Pointwise { rows };
        Self::of(Conv { kind, ci: inputs, co: outputs, weight: 0, weights: inputs * outputs }, 1)
    }

    /// A convolution of so many images. Weights are `[height, width, inputs, outputs]`. `None` if its window fits
    /// nowhere.
    pub fn dense(images: usize, windows: &Windows, inputs: usize, outputs: usize) -> Option<Self> {
        let geometry = windows.geometry()?;
        if geometry.is_pointwise() {
            return Some(Self::pointwise(images * geometry.output_pixels(), inputs, outputs));
        }
        let weights = windows.kernel.iter().product::<usize>() * inputs * outputs;
        let kind = ConvKind::Dense(Dense::new(geometry, inputs, outputs));
        Some(Self::of(Conv { kind, ci: inputs, co: outputs, weight: 0, weights }, images))
    }

    /// A depthwise convolution of so many images, each channel by itself. Weights are `[height, width, channels]`.
    /// `None` if its window fits nowhere.
    pub fn depthwise(images: usize, windows: &Windows, channels: usize) -> Option<Self> {
        let kind = ConvKind::Depthwise(windows.geometry()?);
        let weights = windows.kernel.iter().product::<usize>() * channels;
        Some(Self::of(Conv { kind, ci: channels, co: channels, weight: 0, weights }, images))
    }

    fn of(conv: Conv, images: usize) -> Self {
        let (packed, scratch) = (conv.packed(), conv.scratch().allocate());
        Self { conv, images, isa: Isa::detect(), packed, scratch }
    }

    /// Elements of the output.
    pub fn output_len(&self) -> usize {
        self.images * self.conv.output_rows() * self.conv.co
    }

    /// Takes other weights: what the passes read has to be packed before the first of them.
    ///
    /// # Panics
    /// If there are fewer weights than the convolution has.
    pub fn pack(&mut self, weights: &[f32]) {
        self.conv.pack(weights, &mut self.packed);
    }

    /// Writes the sums of `x` to `z`, with the weights that were [packed](Self::pack).
    ///
    /// # Panics
    /// If a slice is shorter than its tensor.
    pub fn forward(&mut self, x: &[f32], weights: &[f32], z: &mut [f32]) {
        let operands = operands(self.isa, self.images, x, weights, &self.packed);
        self.conv.forward(operands, z, None, &mut self.scratch);
    }

    /// From the gradient of the sums, `dz`, writes that of the weights and adds that of the input to what `dx` has,
    /// where they are wanted. `x` and `weights` are those of the [forward pass](Self::forward); where no gradient of the
    /// weights is wanted, `x` is not read.
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    pub fn backward(&mut self, x: &[f32], weights: &[f32], dz: &[f32], dw: Option<&mut [f32]>, dx: Option<&mut [f32]>) {
        let operands = operands(self.isa, self.images, x, weights, &self.packed);
        let incoming = Incoming { dy: dz, z: dz, k: None };
        let sink = dx.map(|dx| Sink { dx, plus: true, last: None });
        self.conv.backward(operands, incoming, dw, false, sink, &mut self.scratch);
    }
}

impl Windows {
    fn geometry(&self) -> Option<Geometry> {
        Geometry::new(self.input, self.kernel, self.stride, self.dilation, self.padding)
    }
}

/// The input is stored as it is read: there is no activation in front.
fn operands<'a>(isa: Isa, n: usize, x: &'a [f32], parameters: &'a [f32], packed: &'a Packed) -> Operands<'a> {
    let read = Read { z: x, a: &[], b: &[], form: Form::NONE };
    Operands { isa, n, input: Input { read, direct: true }, parameters, packed }
}
