//! Forward passes of convolutions.

use super::{Conv, ConvKind, Dense, Input, Operands, Scratch, block_rows};
use crate::geometry::Geometry;
use crate::simd::{self, Isa, Left, Right, Segment};

impl Conv {
    /// Computes the raw sums of `n` samples: `z [n * output rows, co]`. Each channel's sum and sum of squares are added
    /// to `moments` if given.
    pub(crate) fn forward(
        &self,
        operands: Operands<'_>,
        z: &mut [f32],
        mut moments: Option<[&mut [f64]; 2]>,
        scratch: &mut Scratch,
    ) {
        let Operands { isa, n, input, parameters, packed } = operands;
        let (ci, co) = (self.ci, self.co);
        match &self.kind {
            ConvKind::Pointwise { rows } => {
                let (total, block) = (n * rows, block_rows(ci));
                for first in (0..total).step_by(block) {
                    let rows = block.min(total - first);
                    let y = input.rows(isa, first, rows, ci, &mut scratch.left);
                    let inner = [Segment { offset: 0, len: ci }];
                    let left = Left { data: y, row: ci, column: 1, segments: &inner };
                    let z = &mut z[first * co..][..rows * co];
                    simd::product(isa, [rows, co], left, Right::Packed(&packed.forward), z, co, false);
                    if let Some([sum, square]) = &mut moments {
                        simd::moments(isa, z, rows, co, sum, square);
                    }
                }
            }
            ConvKind::Dense(Dense { geometry: g, window, .. }) => {
                let plane = &mut scratch.plane[..g.plane_pixels() * ci];
                plane.fill(0.0);
                for image in 0..n {
                    fill_plane(isa, g, ci, input, image, plane);
                    let z = &mut z[image * g.output_pixels() * co..][..g.output_pixels() * co];
                    for (y, z) in z.chunks_exact_mut(g.output[1] * co).enumerate() {
                        let data = &plane[y * g.stride[0] * g.plane[1] * ci..];
                        let left = Left { data, row: g.stride[1] * ci, column: 1, segments: window };
                        simd::product(isa, [g.output[1], co], left, Right::Packed(&packed.forward), z, co, false);
                    }
                    if let Some([sum, square]) = &mut moments {
                        simd::moments(isa, z, g.output_pixels(), co, sum, square);
                    }
                }
            }
            ConvKind::Depthwise(g) => {
                let plane = &mut scratch.plane[..g.plane_pixels() * ci];
                plane.fill(0.0);
                let weights = &parameters[self.weight..][..self.weights];
                let grid = g.forward();
                // The kernel sums as it goes, wanted or not.
                let [sum, square] = moments.unwrap_or_else(|| scratch.unwanted.each_mut().map(Vec::as_mut_slice));
                for image in 0..n {
                    fill_plane(isa, g, ci, input, image, plane);
                    let z = &mut z[image * g.output_pixels() * co..][..g.output_pixels() * co];
                    simd::depthwise_forward(isa, &grid, plane, weights, z, [&mut sum[..ci], &mut square[..ci]]);
                }
            }
        }
    }
}

/// Activates one image of the input into the inside of its padded plane.
pub(super) fn fill_plane(isa: Isa, g: &Geometry, c: usize, input: Input<'_>, image: usize, plane: &mut [f32]) {
    let width = g.input[1];
    for y in 0..g.input[0] {
        let at = ((y + g.before[0]) * g.plane[1] + g.before[1]) * c;
        let read = input.read.from((image * g.input[0] + y) * width * c);
        if input.direct {
            plane[at..][..width * c].copy_from_slice(&read.z[..width * c]);
        } else {
            simd::activate(isa, read, width, c, &mut plane[at..]);
        }
    }
}
