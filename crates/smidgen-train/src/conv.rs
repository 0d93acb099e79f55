//! Convolutions: pointwise (and fully connected) as one matrix product, dense ones as products of windows where they
//! lie in a padded plane, depthwise ones by their own kernels.
//!
//! Each reads its input through that one's normalisation and activation, a block in cache at a time, and writes its raw
//! sums.

mod backward;
mod forward;

use crate::geometry::{Geometry, segments};
use crate::simd::{self, Isa, Read, Segment, pack, packed_len};

pub(crate) use backward::Incoming;

/// A convolution of a node.
#[derive(Clone, Debug)]
pub(crate) struct Conv {
    /// Which loops.
    pub kind: ConvKind,
    /// Channels of the input.
    pub ci: usize,
    /// Channels of the output.
    pub co: usize,
    /// Offset of the weights in the parameters.
    pub weight: usize,
    /// Number of weights.
    pub weights: usize,
}

/// Which loops a convolution is computed by.
#[derive(Clone, Debug)]
pub(crate) enum ConvKind {
    /// `rows` rows of channels for one sample. Weights `[ci, co]`.
    Pointwise {
        /// Rows.
        rows: usize,
    },
    /// Weights `[kh, kw, ci, co]`.
    Dense(Dense),
    /// Weights `[kh, kw, c]`.
    Depthwise(Geometry),
}

/// A dense convolution's geometry as segments of products.
#[derive(Clone, Debug)]
pub(crate) struct Dense {
    /// The geometry.
    pub geometry: Geometry,
    /// A window in the padded input.
    window: Vec<Segment>,
    /// For each segment of the window, the output rows' pixels as the inner dimension of the weights' gradient.
    pixels: Vec<Segment>,
    /// For each class of input pixels, its taps in the padded gradient.
    classes: Vec<Vec<Segment>>,
}

impl Dense {
    /// A dense convolution of `ci` to `co` channels.
    pub(crate) fn new(geometry: Geometry, ci: usize, co: usize) -> Self {
        let row = geometry.stride[0] * geometry.plane[1] * ci;
        let pixels = (0..geometry.output[0]).map(|y| Segment { offset: y * row, len: geometry.output[1] }).collect();
        let classes = geometry.classes.iter().map(|class| segments(&class.taps, co)).collect();
        Self { window: segments(&geometry.taps, ci), pixels, classes, geometry }
    }
}

/// Weights as the products take them, packed once a step.
#[derive(Clone, Debug, Default)]
pub(crate) struct Packed {
    forward: Vec<f32>,
    /// Transposed; of a dense convolution, class by class.
    backward: Vec<f32>,
}

/// A value as a convolution reads it.
#[derive(Clone, Copy)]
pub(crate) struct Input<'a> {
    /// The value.
    pub read: Read<'a>,
    /// It is stored as it is read.
    pub direct: bool,
}

impl<'a> Input<'a> {
    /// The values of `rows` rows of `c` channels from row `first` on: where they lie, or activated into a buffer.
    fn rows<'b>(&self, isa: Isa, first: usize, rows: usize, c: usize, buffer: &'b mut [f32]) -> &'b [f32]
    where
        'a: 'b,
    {
        let read = self.read.from(first * c);
        if self.direct {
            return read.z;
        }
        simd::activate(isa, read, rows, c, buffer);
        buffer
    }
}

/// What a convolution is computed from: `n` samples of its input, and weights.
#[derive(Clone, Copy)]
pub(crate) struct Operands<'a> {
    /// The instructions to use.
    pub isa: Isa,
    /// Samples.
    pub n: usize,
    /// The input.
    pub input: Input<'a>,
    /// All parameters.
    pub parameters: &'a [f32],
    /// The weights as the products take them.
    pub packed: &'a Packed,
}

/// Buffers of a worker that hold a block or a plane at a time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scratch {
    plane: Vec<f32>,
    gradient: Vec<f32>,
    left: Vec<f32>,
    right: Vec<f32>,
    /// Sums that nobody asked for.
    unwanted: [Vec<f64>; 2],
}

/// Elements of the buffers of a [`Scratch`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct ScratchSize {
    plane: usize,
    gradient: usize,
    block: usize,
    channels: usize,
}

impl ScratchSize {
    /// Enough for both.
    pub(crate) fn max(self, other: Self) -> Self {
        Self {
            plane: self.plane.max(other.plane),
            gradient: self.gradient.max(other.gradient),
            block: self.block.max(other.block),
            channels: self.channels.max(other.channels),
        }
    }

    /// The buffers.
    pub(crate) fn allocate(self) -> Scratch {
        let zeros = |n| vec![0.0; n];
        let (left, right) = (zeros(self.block), zeros(self.block));
        let unwanted = [vec![0.0; self.channels], vec![0.0; self.channels]];
        Scratch { plane: zeros(self.plane), gradient: zeros(self.gradient), left, right, unwanted }
    }
}

/// Rows of a pointwise convolution that are worked on at a time, so that its blocks stay in the first levels of cache.
/// It depends on nothing but the channels: sums over rows are made block by block.
fn block_rows(channels: usize) -> usize {
    (8192 / channels.max(1)).clamp(24, 192) / 12 * 12
}

impl Conv {
    /// Multiply-accumulates for one sample.
    pub(crate) fn macs(&self) -> usize {
        match &self.kind {
            ConvKind::Pointwise { rows } => rows * self.weights,
            ConvKind::Dense(dense) => dense.geometry.output_pixels() * self.weights,
            ConvKind::Depthwise(geometry) => geometry.output_pixels() * self.weights,
        }
    }

    /// Rows of channels of the output for one sample.
    pub(crate) fn output_rows(&self) -> usize {
        match &self.kind {
            ConvKind::Pointwise { rows } => *rows,
            ConvKind::Dense(Dense { geometry, .. }) | ConvKind::Depthwise(geometry) => geometry.output_pixels(),
        }
    }

    /// What it needs of a scratch.
    pub(crate) fn scratch(&self) -> ScratchSize {
        match &self.kind {
            ConvKind::Pointwise { .. } => {
                let most = self.ci.max(self.co);
                let forward = block_rows(self.ci) * self.ci;
                ScratchSize { block: forward.max(block_rows(most) * most), ..Default::default() }
            }
            ConvKind::Dense(Dense { geometry, .. }) => ScratchSize {
                plane: geometry.plane_pixels() * self.ci,
                gradient: geometry.gradient_pixels() * self.co,
                block: geometry.output_pixels() * self.co,
                channels: 0,
            },
            ConvKind::Depthwise(geometry) => ScratchSize {
                plane: geometry.plane_pixels() * self.ci,
                gradient: geometry.gradient_pixels() * self.co,
                block: 0,
                channels: self.ci,
            },
        }
    }

    /// Room for packed weights.
    pub(crate) fn packed(&self) -> Packed {
        let (forward, backward) = match &self.kind {
            ConvKind::Pointwise { .. } => (packed_len(self.ci, self.co), packed_len(self.co, self.ci)),
            ConvKind::Dense(dense) => {
                let taps = &dense.geometry.taps;
                let class = |c: &crate::geometry::Class| packed_len(c.taps.len() * self.co, self.ci);
                (packed_len(taps.len() * self.ci, self.co), dense.geometry.classes.iter().map(class).sum())
            }
            ConvKind::Depthwise(_) => (0, 0),
        };
        Packed { forward: vec![0.0; forward], backward: vec![0.0; backward] }
    }

    /// Packs the weights, which begin at `self.weight` of the parameters.
    pub(crate) fn pack(&self, parameters: &[f32], packed: &mut Packed) {
        let w = &parameters[self.weight..][..self.weights];
        let (ci, co) = (self.ci, self.co);
        match &self.kind {
            ConvKind::Pointwise { .. } => {
                pack(ci, co, &mut packed.forward, |i, o| w[i * co + o]);
                pack(co, ci, &mut packed.backward, |o, i| w[i * co + o]);
            }
            ConvKind::Dense(dense) => {
                let taps = dense.geometry.taps.len();
                pack(taps * ci, co, &mut packed.forward, |p, o| w[p * co + o]);
                let mut rest = packed.backward.as_mut_slice();
                for class in &dense.geometry.classes {
                    let rows = class.taps.len() * co;
                    let (panels, after) = rest.split_at_mut(packed_len(rows, ci));
                    pack(rows, ci, panels, |p, i| w[(class.taps[p / co].weight * ci + i) * co + p % co]);
                    rest = after;
                }
            }
            ConvKind::Depthwise(_) => {}
        }
    }
}
