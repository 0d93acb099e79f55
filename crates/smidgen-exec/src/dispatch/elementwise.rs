//! Calls of the element-wise kernels, RESIZE_BILINEAR, movement and reductions.

use super::{Call, view};
use crate::arena::Aligned;
use smidgen_kernels::movement::{Gather, Index, Piece};
use smidgen_kernels::nd::Whole;
use smidgen_kernels::{Flash, View, convert, float, int8, int16, movement, operand};
use smidgen_plan::kernel::{AxisIndex, Elementwise, Movement, Reduction};
use smidgen_plan::{Extent, Operand};

impl Call<'_> {
    pub(super) fn elementwise(&self, arena: &mut Aligned, kernel: &Elementwise) {
        let region = self.region;
        let depth = self.step.outputs[0].extent.depth;
        match kernel {
            Elementwise::TableI8 => {
                int8::table(arena.arena(), self.input(0), self.output(0), region, depth, self.table(0));
            }
            Elementwise::BinaryI8 { function, operands } => {
                let [a, b] = [0, 1].map(|i| self.operand(i, operands[i]));
                int8::binary(arena.arena(), a, b, self.output(0), region, depth, function);
            }
            Elementwise::SumI8 { sum, operands } => {
                let [a, b] = [0, 1].map(|i| self.operand(i, operands[i]));
                int8::table_sum(arena.arena(), a, b, self.output(0), region, depth, sum, self.table(0));
            }
            Elementwise::SumI8Device { terms, operands } => {
                let [a, b] = [0, 1].map(|i| self.operand(i, operands[i]));
                let by_pixels = Elementwise::by_pixels(operands);
                let sum = if by_pixels { int8::device::sum_by_pixels } else { int8::device::sum };
                sum(arena.arena(), a, b, self.output(0), region, depth, terms);
            }
            Elementwise::ProductI8Device { products, operands } => {
                let [a, b] = [0, 1].map(|i| self.operand(i, operands[i]));
                let by_pixels = Elementwise::by_pixels(operands);
                let product = if by_pixels { int8::device::product_by_pixels } else { int8::device::product };
                product(arena.arena(), a, b, self.output(0), region, depth, products);
            }
            Elementwise::BinaryI16 { function, operands } => {
                let [a, b] = [0, 1].map(|i| self.operand(i, operands[i]));
                int16::binary(arena.arena(), a, b, self.output(0), region, depth, function);
            }
            Elementwise::SumI16 { terms, operands } => {
                let [a, b] = [0, 1].map(|i| self.operand(i, operands[i]));
                int16::sum(arena.arena(), a, b, self.output(0), region, depth, terms);
            }
            Elementwise::BinaryF32 { function, clamp, operands } => {
                let [a, b] = [0, 1].map(|i| self.operand(i, operands[i]));
                float::binary(arena.arena(), a, b, self.output(0), region, depth, *function, *clamp);
            }
            Elementwise::BroadcastI8 { function, broadcast } => {
                let (a, b, to) = (self.whole(0), self.whole(1), self.output(0).base);
                let strides = [&broadcast.strides[0][..], &broadcast.strides[1][..]];
                int8::broadcast(arena.arena(), a, b, to, &broadcast.dims, strides, function);
            }
            Elementwise::BroadcastI16 { function, broadcast } => {
                let (a, b, to) = (self.whole(0), self.whole(1), self.output(0).base);
                let strides = [&broadcast.strides[0][..], &broadcast.strides[1][..]];
                int16::broadcast(arena.arena(), a, b, to, &broadcast.dims, strides, function);
            }
            Elementwise::BroadcastF32 { function, clamp, broadcast } => {
                let (a, b, to) = (self.whole(0), self.whole(1), self.output(0).base);
                let strides = [&broadcast.strides[0][..], &broadcast.strides[1][..]];
                float::broadcast(arena.arena(), a, b, to, &broadcast.dims, strides, *function, *clamp);
            }
            Elementwise::SlopesI16(how) => {
                int16::slopes(arena.arena(), self.input(0), self.output(0), region, depth, how);
            }
            Elementwise::SigmoidI16(how) => {
                int16::sigmoid(arena.arena(), self.input(0), self.output(0), region, depth, how, self.table(0));
            }
            Elementwise::SoftmaxI16(how) => {
                int16::softmax(arena.arena(), self.input(0), self.output(0), region, depth, how, self.constant(0));
            }
            Elementwise::UnaryF32(function) => {
                float::unary(arena.arena(), self.input(0), self.output(0), region, depth, *function);
            }
            Elementwise::SoftmaxI8 => {
                int8::softmax(arena.arena(), self.input(0), self.output(0), region, depth, self.table(0));
            }
            Elementwise::SoftmaxF32 { beta } => {
                float::softmax(arena.arena(), self.input(0), self.output(0), region, depth, *beta);
            }
            &Elementwise::Quantise { to, scale, zero_point } => {
                let (input, output) = (self.input(0), self.output(0));
                convert::quantize(arena.arena(), input, output, region, depth, to, scale, zero_point);
            }
            &Elementwise::Dequantise { from, scale, zero_point } => {
                let (input, output) = (self.input(0), self.output(0));
                convert::dequantize(arena.arena(), input, output, region, depth, from, scale, zero_point);
            }
            Elementwise::Rescale(how) => {
                convert::rescale(arena.arena(), self.input(0), self.output(0), region, depth, how);
            }
            Elementwise::Requantise(how) => {
                convert::requantise(arena.arena(), self.input(0), self.output(0), region, depth, how);
            }
        }
    }

    pub(super) fn movement(&self, arena: &mut Aligned, kernel: &Movement) {
        let output = self.step.outputs[0].extent;
        match kernel {
            Movement::Gather { element, input, index, fill } => {
                let mut tables = 0;
                let index = index.each_ref().map(|index| match *index {
                    AxisIndex::Affine { start, stride, divide } => Index::Affine { start, stride, divide },
                    AxisIndex::Table(_) => {
                        tables += 1;
                        Index::Table(self.constant(tables - 1))
                    }
                });
                let what = Gather {
                    input: [input.rows, input.cols, input.depth],
                    depth: output.depth,
                    element: element.bits().div_ceil(8),
                    index,
                    fill: *fill,
                };
                movement::gather(arena.arena(), self.input_bytes(0), self.output_bytes(0), self.region, &what);
            }
            Movement::Concat { element, axis, sizes } => {
                let bytes = element.bits().div_ceil(8);
                let extents = self.step.kernel.demands(self.step).inputs;
                let pieces: Vec<Piece<'_>> = (sizes.iter().zip(&extents).enumerate())
                    .map(|(i, (&size, &(_, extent)))| Piece { operand: self.operand_bytes(i, extent, bytes), size })
                    .collect();
                let pixel = match axis {
                    movement::Axis::Depth => bytes,
                    movement::Axis::Rows | movement::Axis::Cols => output.depth * bytes,
                };
                movement::concat(arena.arena(), &pieces, *axis, self.output_bytes(0), self.region, pixel);
            }
            Movement::Permute { element, dims, first, strides, .. } => {
                let (from, to) = (self.input_bytes(0).base, self.output_bytes(0).base);
                let bytes = element.bits().div_ceil(8);
                movement::permute(arena.arena(), from, to, bytes, dims, *first, strides);
            }
        }
    }

    pub(super) fn reduction(&self, arena: &mut Aligned, kernel: &Reduction) {
        let (input, output) = (self.input(0), self.output(0));
        let rows = self.region.y0..self.region.y1;
        match kernel {
            Reduction::ImageI8 { input: extent, reduce } => {
                let sizes = [extent.rows, extent.cols, extent.depth];
                int8::reduce_image(arena.arena(), input, output, rows, sizes, self.state.offset, reduce);
            }
            Reduction::PoolI8 { input: extent, clamp } => {
                let sizes = [extent.rows, extent.cols, extent.depth];
                int8::average_image(arena.arena(), input, output, rows, sizes, self.state.offset, *clamp);
            }
            Reduction::ImageI16 { input: extent, reduce } => {
                let sizes = [extent.rows, extent.cols, extent.depth];
                int16::reduce_image(arena.arena(), input, output, rows, sizes, self.state.offset / 2, reduce);
            }
            Reduction::PoolI16 { input: extent, clamp } => {
                let sizes = [extent.rows, extent.cols, extent.depth];
                int16::average_image(arena.arena(), input, output, rows, sizes, self.state.offset / 2, *clamp);
            }
            Reduction::ImageF32 { input: extent, divisor } => {
                let sizes = [extent.rows, extent.cols, extent.depth];
                float::reduce_image(arena.arena(), input, output, rows, sizes, self.state.offset / 4, *divisor);
            }
            Reduction::AnyI8 { kept, reduced, reduce } => int8::reduce(
                arena.arena(),
                input.base,
                output.base,
                (&kept.dims, &kept.strides),
                (&reduced.dims, &reduced.strides),
                reduce,
            ),
            Reduction::AnyI16 { kept, reduced, reduce } => int16::reduce(
                arena.arena(),
                input.base,
                output.base,
                (&kept.dims, &kept.strides),
                (&reduced.dims, &reduced.strides),
                reduce,
            ),
            Reduction::AnyF32 { kept, reduced, divisor } => float::reduce(
                arena.arena(),
                input.base,
                output.base,
                (&kept.dims, &kept.strides),
                (&reduced.dims, &reduced.strides),
                *divisor,
            ),
            &Reduction::ArgMax { shape, from, to } => {
                convert::arg_max(arena.arena(), input.base, output.base, shape, from, to);
            }
        }
    }

    /// Input `i`, seen with `extent` and broadcast to the output.
    fn operand<T: bytemuck::Pod>(&self, i: usize, extent: Extent) -> operand::Operand<'_, T> {
        let output = self.step.outputs[0].extent;
        let (constant, mut view) = match self.step.inputs[i] {
            Operand::Buffer(..) => (None, self.input(i)),
            Operand::Constant(id) => (
                Some(Flash::new(bytemuck::cast_slice(self.constants.bytes(id.index())))),
                View::linear(0, extent.rows, extent.cols, extent.depth),
            ),
        };
        if extent.cols != output.cols {
            view.pixel_stride = 0;
        }
        operand::Operand { constant, view, step: usize::from(extent.depth == output.depth) }
    }

    /// Input `i`, seen with `extent`, in elements of `bytes` bytes, counted in bytes.
    fn operand_bytes(&self, i: usize, extent: Extent, bytes: usize) -> operand::Operand<'_, u8> {
        match self.step.inputs[i] {
            Operand::Buffer(..) => operand::Operand::arena(self.input_bytes(i)),
            Operand::Constant(id) => operand::Operand::constant(
                Flash::new(self.constants.bytes(id.index())),
                View::linear(0, extent.rows, extent.cols, extent.depth * bytes),
            ),
        }
    }

    /// Input `i` of a kernel that takes tensors whole.
    fn whole<T: bytemuck::Pod>(&self, i: usize) -> Whole<'_, T> {
        match self.step.inputs[i] {
            Operand::Buffer(..) => Whole { constant: None, base: self.input(i).base },
            Operand::Constant(id) => {
                Whole { constant: Some(Flash::new(bytemuck::cast_slice(self.constants.bytes(id.index())))), base: 0 }
            }
        }
    }

    /// Where input `i` lies, counted in bytes. It must not be a constant.
    fn input_bytes(&self, i: usize) -> View {
        match self.step.inputs[i] {
            Operand::Buffer(id, extent) => {
                view(&self.program.buffers[id.index()], extent, self.columns[id.index()], true)
            }
            Operand::Constant(_) => self.input(i),
        }
    }
}
