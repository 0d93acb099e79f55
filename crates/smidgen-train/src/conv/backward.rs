//! Backward passes of convolutions.

use super::forward::fill_plane;
use super::{Conv, ConvKind, Dense, Operands, Scratch, block_rows};
use crate::geometry::Geometry;
use crate::simd::{self, Isa, Left, Right, Segment, Sink};

/// The gradient of what a convolution stored: `dz = k1 dy + k2 z + k3`, or `dy` itself.
#[derive(Clone, Copy)]
pub(crate) struct Incoming<'a> {
    /// The gradient of the normalised value, its activation's mask applied.
    pub dy: &'a [f32],
    /// What was stored.
    pub z: &'a [f32],
    /// The constants of each channel.
    pub k: Option<[&'a [f32]; 3]>,
}

impl Incoming<'_> {
    /// Computes `rows` rows from row `first` on into `out`.
    fn rows(&self, isa: Isa, first: usize, rows: usize, c: usize, out: &mut [f32]) {
        let (dy, z) = (&self.dy[first * c..], &self.z[first * c..]);
        match self.k {
            Some(k) => simd::combine(isa, dy, z, k, rows, c, out),
            None => out[..rows * c].copy_from_slice(&dy[..rows * c]),
        }
    }
}

impl Conv {
    /// Writes the gradient of the weights of `n` samples to `gradient` (all parameters) if it is wanted, or adds it to
    /// what is there if `plus`, and gives that of the input to `sink`.
    pub(crate) fn backward(
        &self,
        operands: Operands<'_>,
        incoming: Incoming<'_>,
        gradient: Option<&mut [f32]>,
        plus: bool,
        sink: Option<Sink<'_>>,
        scratch: &mut Scratch,
    ) {
        let mut gradient = gradient.map(|all| &mut all[self.weight..][..self.weights]);
        if let (Some(gradient), false) = (&mut gradient, plus) {
            // Cleared and then added to, which is faster than written by tiles that would fetch each line from memory.
            gradient.fill(0.0);
        }
        match &self.kind {
            ConvKind::Pointwise { rows } => self.pointwise(*rows, operands, incoming, gradient, sink, scratch),
            ConvKind::Dense(dense) => self.dense(dense, operands, incoming, gradient, sink, scratch),
            ConvKind::Depthwise(g) => self.depthwise(g, operands, incoming, gradient, sink, scratch),
        }
    }

    fn pointwise(
        &self,
        rows: usize,
        operands: Operands<'_>,
        incoming: Incoming<'_>,
        mut gradient: Option<&mut [f32]>,
        mut sink: Option<Sink<'_>>,
        scratch: &mut Scratch,
    ) {
        let Operands { isa, n, input, packed, .. } = operands;
        let (ci, co, total) = (self.ci, self.co, n * rows);
        let block = block_rows(ci.max(co));
        for first in (0..total).step_by(block) {
            let rows = block.min(total - first);
            let dz = if incoming.k.is_some() {
                incoming.rows(isa, first, rows, co, &mut scratch.right);
                &scratch.right
            } else {
                &incoming.dy[first * co..]
            };
            if let Some(gradient) = &mut gradient {
                let y = input.rows(isa, first, rows, ci, &mut scratch.left);
                let down = [Segment { offset: 0, len: rows }];
                let left = Left { data: y, row: 1, column: ci, segments: &down };
                simd::product(isa, [ci, co], left, Right::Rows(dz), gradient, co, true);
            }
            if let Some(sink) = &mut sink {
                let mut sink = sink.part(first, rows, ci);
                let along = [Segment { offset: 0, len: co }];
                let left = Left { data: dz, row: co, column: 1, segments: &along };
                simd::product(isa, [rows, ci], left, Right::Packed(&packed.backward), sink.dx, ci, sink.plus);
                if let Some(last) = &mut sink.last {
                    simd::finish(isa, sink.dx, last, rows, ci);
                }
            }
        }
    }

    fn dense(
        &self,
        dense: &Dense,
        operands: Operands<'_>,
        incoming: Incoming<'_>,
        mut gradient: Option<&mut [f32]>,
        mut sink: Option<Sink<'_>>,
        scratch: &mut Scratch,
    ) {
        let Operands { isa, n, input, packed, .. } = operands;
        let (ci, co, g) = (self.ci, self.co, &dense.geometry);
        let plane = &mut scratch.plane[..g.plane_pixels() * ci];
        plane.fill(0.0);
        let padded = &mut scratch.gradient[..g.gradient_pixels() * co];
        padded.fill(0.0);
        let pixels = g.output_pixels();
        for image in 0..n {
            let dz = &mut scratch.left[..pixels * co];
            incoming.rows(isa, image * pixels, pixels, co, dz);
            if let Some(gradient) = &mut gradient {
                fill_plane(isa, g, ci, input, image, plane);
                let mut done = 0;
                for segment in &dense.window {
                    let data = &plane[segment.offset..];
                    let left = Left { data, row: 1, column: g.stride[1] * ci, segments: &dense.pixels };
                    let part = &mut gradient[done * co..][..segment.len * co];
                    simd::product(isa, [segment.len, co], left, Right::Rows(dz), part, co, true);
                    done += segment.len;
                }
            }
            let Some(sink) = &mut sink else { continue };
            for (y, row) in dz.chunks_exact(g.output[1] * co).enumerate() {
                let at = ((y + g.margin[0]) * g.gradient[1] + g.margin[1]) * co;
                padded[at..][..row.len()].copy_from_slice(row);
            }
            let mut sink = sink.part(image * g.input_pixels(), g.input_pixels(), ci);
            let mut panels = packed.backward.as_slice();
            for (class, along) in g.classes.iter().zip(&dense.classes) {
                let (own, after) = panels.split_at(simd::packed_len(class.taps.len() * co, ci));
                panels = after;
                for j in 0..class.grid[0] {
                    let left = Left { data: &padded[j * g.gradient[1] * co..], row: co, column: 1, segments: along };
                    let first = (class.first[0] + j * g.stride[0]) * g.input[1] + class.first[1];
                    let dx = &mut sink.dx[first * ci..];
                    let pitch = g.stride[1] * ci;
                    simd::product(isa, [class.grid[1], ci], left, Right::Packed(own), dx, pitch, sink.plus);
                }
            }
            if let Some(last) = &mut sink.last {
                simd::finish(isa, sink.dx, last, g.input_pixels(), ci);
            }
        }
    }

    fn depthwise(
        &self,
        g: &Geometry,
        operands: Operands<'_>,
        incoming: Incoming<'_>,
        mut gradient: Option<&mut [f32]>,
        mut sink: Option<Sink<'_>>,
        scratch: &mut Scratch,
    ) {
        let Operands { isa, n, input, parameters, .. } = operands;
        let weights = &parameters[self.weight..][..self.weights];
        let c = self.ci;
        let plane = &mut scratch.plane[..g.plane_pixels() * c];
        plane.fill(0.0);
        let padded = &mut scratch.gradient[..g.gradient_pixels() * c];
        padded.fill(0.0);
        for image in 0..n {
            for y in 0..g.output[0] {
                let at = ((y + g.margin[0]) * g.gradient[1] + g.margin[1]) * c;
                incoming.rows(isa, (image * g.output[0] + y) * g.output[1], g.output[1], c, &mut padded[at..]);
            }
            if let Some(gradient) = &mut gradient {
                fill_plane(isa, g, c, input, image, plane);
                simd::depthwise_weights(isa, &g.to_weights(), c, plane, padded, gradient);
            }
            if let Some(sink) = &mut sink {
                let mut sink = sink.part(image * g.input_pixels(), g.input_pixels(), c);
                for class in &g.classes {
                    simd::depthwise_backward(isa, &g.backward(class), c, padded, weights, &mut sink);
                }
            }
        }
    }
}
