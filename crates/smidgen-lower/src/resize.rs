//! RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR.

use super::builder::Builder;
use super::error::Refusal;
use super::movement;
use super::quant::unsupported;
use super::window::nhwc;
use smidgen_ir::{ElementType, Operator, ResizeKind};
use smidgen_kernels::{float, int8};
use smidgen_program::footprint::{AxisFootprint, Footprint, Granularity, WriteOrder};
use smidgen_program::kernel;
use smidgen_program::kernel::Kernel;
use smidgen_program::program::Step;

/// How output positions are laid over input positions.
#[derive(Clone, Copy)]
struct Grid {
    align_corners: bool,
    half_pixel_centers: bool,
}

pub(super) fn resize(
    builder: &mut Builder,
    operator: &Operator,
    kind: ResizeKind,
    align_corners: bool,
    half_pixel_centers: bool,
) -> Result<(), Refusal> {
    let grid = Grid { align_corners, half_pixel_centers };
    let (x, y) = (builder.tensor(operator.inputs[0]), builder.tensor(operator.outputs[0]));
    let ([_, h, w, _], [_, out_h, out_w, _]) = (nhwc(x)?, nhwc(y)?);
    if [h, w, out_h, out_w].contains(&0) {
        return Err(Refusal(format!("`{}` of {} cannot be resized to {}", x.name, x.shape, y.shape)));
    }
    // The fixed-point positions of integers must fit into 32 bits.
    if [h, w, out_h, out_w].iter().any(|&size| size >= 1 << 20) {
        return Err(Refusal("images of 2^20 and more rows or columns are not supported".into()));
    }
    let sizes = [(h, out_h), (w, out_w)];
    match (kind, x.element()) {
        (ResizeKind::Nearest, _) => {
            let maps = sizes.map(|(input, output)| (0..output).map(|i| Some(grid.nearest(i, input, output))).collect());
            movement::push_gather_images(builder, operator, maps);
        }
        (ResizeKind::Bilinear, ElementType::Int8) if operator.uint8 => {
            let scales = sizes.map(|(input, output)| grid.float(input, output));
            let needs = scales.map(|scale| need(scale.output, |i| (scale.at(i).0, scale.at(i).1)));
            push_bilinear(builder, operator, Kernel::ResizeUint8(kernel::ResizeUint8 { scales }), needs);
        }
        (ResizeKind::Bilinear, element @ (ElementType::Int8 | ElementType::Int16)) => {
            let scales = sizes.map(|(input, output)| grid.fixed(input, output));
            let needs = scales.map(|scale| need(scale.output, |i| (scale.at(i).0, scale.at(i).1)));
            let kernel = match element {
                ElementType::Int16 => Kernel::ResizeI16(kernel::ResizeI16 { scales }),
                _ => Kernel::ResizeI8(kernel::ResizeI8 { scales }),
            };
            push_bilinear(builder, operator, kernel, needs);
        }
        (ResizeKind::Bilinear, ElementType::Float32) => {
            let scales = sizes.map(|(input, output)| grid.float(input, output));
            let needs = scales.map(|scale| need(scale.output, |i| (scale.at(i).0, scale.at(i).1)));
            push_bilinear(builder, operator, Kernel::ResizeF32(kernel::ResizeF32 { scales }), needs);
        }
        (ResizeKind::Bilinear, other) => return Err(unsupported(x, other)),
    }
    Ok(())
}

/// The input ranges that output indices need, given the first and the last index that each reads.
fn need(outputs: usize, between: impl Fn(usize) -> (usize, usize)) -> Vec<(usize, usize)> {
    (0..outputs).map(between).map(|(first, last)| (first, last + 1)).collect()
}

/// `needs`: what rows of one image, and columns, need of the input.
fn push_bilinear(builder: &mut Builder, operator: &Operator, kernel: Kernel, needs: [Vec<(usize, usize)>; 2]) {
    let (input, output) = (builder.activation(operator.inputs[0]), builder.target(operator.outputs[0]));
    let height = builder.tensor(operator.inputs[0]).shape.dims()[1];
    let [image_rows, cols] = needs;
    let rows = (0..output.extent.rows)
        .map(|row| {
            let (image, (start, end)) = (row / image_rows.len() * height, image_rows[row % image_rows.len()]);
            (image + start, image + end)
        })
        .collect();
    builder.push(Step {
        inputs: vec![input],
        outputs: vec![output],
        footprint: vec![Footprint {
            rows: AxisFootprint::Table(rows),
            cols: AxisFootprint::Table(cols),
            depth: AxisFootprint::SAME,
        }],
        partial: true,
        macs: 4 * output.extent.elements() as u64,
        ..Step::new(kernel, WriteOrder { granularity: Granularity::Elements(1), reads_first: true })
    });
}

impl Grid {
    /// Input steps of one output step in single precision.
    fn step(self, input: usize, output: usize) -> f32 {
        if self.align_corners && output > 1 {
            (input - 1) as f32 / (output - 1) as f32
        } else {
            input as f32 / output as f32
        }
    }

    fn float(self, input: usize, output: usize) -> float::Scale {
        float::Scale { input, output, step: self.step(input, output), half_pixel_centers: self.half_pixel_centers }
    }

    /// In 10-bit fixed point, the step rounded to nearest.
    fn fixed(self, input: usize, output: usize) -> int8::Scale {
        let (from, to) = if self.align_corners && output > 1 { (input - 1, output - 1) } else { (input, output) };
        let step = ((1024 * from + to / 2) / to) as i32;
        let start = if self.half_pixel_centers { step / 2 - 512 } else { 0 };
        int8::Scale { input, output, step, start }
    }

    /// The input index nearest to an output index, in single precision.
    fn nearest(self, i: usize, input: usize, output: usize) -> usize {
        let offset = if self.half_pixel_centers { 0.5 } else { 0.0 };
        let position = (i as f32 + offset) * self.step(input, output);
        let index = if self.align_corners { libm::roundf(position) } else { libm::floorf(position) };
        (index as usize).min(input - 1)
    }
}
