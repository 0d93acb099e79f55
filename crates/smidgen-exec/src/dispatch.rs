//! From a step to the call of its kernel.

mod elementwise;

use crate::arena::Aligned;
use smidgen_ir::PoolKind;
use smidgen_kernels::float::Clamp;
use smidgen_kernels::int8::device::Width;
use smidgen_kernels::int8::{Channels, Int8};
use smidgen_kernels::int16::Int16;
use smidgen_kernels::{Arena, Flash, Isa, Region, View, Window2d, float, int8, int16, movement};
use smidgen_plan::{Buffer, Bytes, Extent, Kernel, Operand, Program, Step, StepId};

/// Packed constants at aligned addresses.
#[derive(Clone, Debug)]
pub(crate) struct Constants {
    all: Aligned,
    starts: Vec<usize>,
    lens: Vec<usize>,
}

impl Constants {
    pub fn new(program: &Program) -> Self {
        let (all, starts) = Aligned::joined(program.constants.iter().map(|c| c.bytes.as_slice()));
        Self { all, starts, lens: program.constants.iter().map(|c| c.bytes.len()).collect() }
    }

    pub fn bytes(&self, index: usize) -> &[u8] {
        &self.all.bytes()[self.starts[index]..][..self.lens[index]]
    }
}

/// One run of one step.
pub(crate) struct Call<'a> {
    pub program: &'a Program,
    pub constants: &'a Constants,
    /// For each buffer, the first column that it holds.
    pub columns: &'a [usize],
    pub id: StepId,
    pub step: &'a Step,
    /// Where the step's state lies.
    pub state: Bytes,
    pub isa: Isa,
    pub region: Region,
}

impl Call<'_> {
    /// The elements of constant `i` of the step.
    fn constant<T: bytemuck::Pod>(&self, i: usize) -> Flash<'_, T> {
        Flash::new(bytemuck::cast_slice(self.constants.bytes(self.step.constants[i].index())))
    }

    /// Constant `i` of the step, which has an entry for each stored int8.
    fn table<T: bytemuck::Pod>(&self, i: usize) -> &[T; 256] {
        self.constant(i).array(0)
    }

    /// Bias, multipliers and shifts, from constant `first` of the step on.
    fn channels(&self, first: usize) -> Channels<'_> {
        Channels { bias: self.constant(first), multipliers: self.constant(first + 1), shifts: self.constant(first + 2) }
    }

    /// The same for a layer on int16.
    fn wide_channels(&self, first: usize) -> int16::Channels<'_> {
        let (bias, multipliers, shifts) = (self.constant(first), self.constant(first + 1), self.constant(first + 2));
        int16::Channels { bias, multipliers, shifts }
    }

    /// Byte offset of the step's scratch.
    fn scratch(&self) -> usize {
        self.program.scratch[self.id.index()].offset
    }

    /// Where input `i` lies, counted in its elements. An input that is a constant has no place: it is an empty view.
    fn input(&self, i: usize) -> View {
        match self.step.inputs[i] {
            Operand::Buffer(id, extent) => {
                view(&self.program.buffers[id.index()], extent, self.columns[id.index()], false)
            }
            Operand::Constant(_) => View { base: 0, row_stride: 0, rows: 1, x0: 0, pixel_stride: 0 },
        }
    }

    /// Where output `i` lies, counted in its elements.
    fn output(&self, i: usize) -> View {
        let target = self.step.outputs[i];
        view(&self.program.buffers[target.buffer.index()], target.extent, self.columns[target.buffer.index()], false)
    }

    /// Where output `i` lies, counted in bytes.
    fn output_bytes(&self, i: usize) -> View {
        let target = self.step.outputs[i];
        view(&self.program.buffers[target.buffer.index()], target.extent, self.columns[target.buffer.index()], true)
    }

    /// Runs the kernel.
    pub fn run(&self, arena: &mut Aligned) {
        let region = self.region;
        match &self.step.kernel {
            Kernel::Load { element } => {
                let (extent, bytes) = (self.step.outputs[0].extent, element.bits().div_ceil(8));
                let pixel = extent.depth * bytes;
                movement::load(arena.arena(), self.output_bytes(0), region, extent.cols, pixel, self.constant(0));
            }
            Kernel::Conv2dI8 { window, quant } => self.int8(arena, int8::conv2d::<Int8, _>, window, quant),
            Kernel::DepthwiseI8 { window, quant } => self.int8(arena, int8::depthwise::<Int8, _>, window, quant),
            Kernel::Conv2dI8Fast { window, quant } => int8::fast::conv2d(
                self.isa,
                arena.arena(),
                self.input(0),
                self.output(0),
                region,
                self.scratch(),
                window,
                quant,
                self.constant(0),
                self.channels(1),
            ),
            Kernel::DepthwiseI8Fast { window, quant } => int8::fast::depthwise(
                self.isa,
                arena.arena(),
                self.input(0),
                self.output(0),
                region,
                window,
                quant,
                self.constant(0),
                self.channels(1),
            ),
            Kernel::Conv2dI8Device { window, width, input_zero, finish } => (match width {
                Width::Eight => int8::device::conv2d,
                Width::Four => int8::device::conv2d_i4,
            })(
                arena.arena(),
                self.input(0),
                self.output(0),
                region,
                self.scratch(),
                window,
                *input_zero,
                finish,
                int8::device::Tails::of(*width, finish),
                self.constant(0),
            ),
            Kernel::DepthwiseI8Device { window, input_zero, finish, rows } => int8::device::depthwise(
                arena.arena(),
                self.input(0),
                self.output(0),
                region,
                self.scratch(),
                window,
                *input_zero,
                finish,
                *rows,
                self.constant(0),
                self.constant(1),
            ),
            Kernel::FullyConnectedI8Device { inputs, outputs, width, finish } => (match width {
                Width::Eight => int8::device::fully_connected,
                Width::Four => int8::device::fully_connected_i4,
            })(
                arena.arena(),
                self.input(0),
                self.output(0),
                region,
                [*inputs, *outputs],
                finish,
                self.constant(0),
                self.constant(1),
            ),
            Kernel::FullyConnectedI8Fast { inputs, outputs, quant } => int8::fast::fully_connected(
                self.isa,
                arena.arena(),
                self.input(0),
                self.output(0),
                region,
                [*inputs, *outputs],
                quant,
                self.constant(0),
                self.channels(1),
            ),
            Kernel::TransposeConvI8 { window, quant } => {
                self.int8(arena, int8::transpose_conv::<Int8, _>, window, quant)
            }
            Kernel::Conv2dI16 { window, quant } => self.int16(arena, int16::conv2d::<Int16, _>, window, quant),
            Kernel::DepthwiseI16 { window, quant } => self.int16(arena, int16::depthwise::<Int16, _>, window, quant),
            Kernel::TransposeConvI16 { window, quant } => {
                self.int16(arena, int16::transpose_conv::<Int16, _>, window, quant)
            }
            Kernel::FullyConnectedI16 { inputs, outputs, quant } => int16::fully_connected(
                arena.arena(),
                self.input(0),
                self.output(0),
                region,
                [*inputs, *outputs],
                0,
                quant,
                self.constant(0),
                self.wide_channels(1),
            ),
            Kernel::Conv2dI16Device { window, clamp } => {
                self.int16_device(arena, int16::device::conv2d, window, *clamp);
            }
            Kernel::DepthwiseI16Device { window, clamp } => {
                self.int16_device(arena, int16::device::depthwise, window, *clamp);
            }
            Kernel::FullyConnectedI16Device { inputs, outputs, clamp } => int16::device::fully_connected(
                arena.arena(),
                self.input(0),
                self.output(0),
                region,
                [*inputs, *outputs],
                *clamp,
                self.constant(0),
                self.constant(1),
            ),
            Kernel::Conv2dF32 { window, clamp } => self.float(arena, float::conv2d, window, *clamp),
            Kernel::DepthwiseF32 { window, clamp } => self.float(arena, float::depthwise, window, *clamp),
            Kernel::Conv2dHybrid { window, clamp, weight_scale } => float::conv2d_hybrid(
                arena.arena(),
                self.input(0),
                self.output(0),
                region,
                window,
                *clamp,
                *weight_scale,
                self.constant(0),
                self.constant(1),
            ),
            Kernel::TransposeConvF32 { window, clamp } => self.float(arena, float::transpose_conv, window, *clamp),
            Kernel::PoolI8 { kind, window, clamp } => {
                let kernel = match kind {
                    PoolKind::Average => int8::average_pool,
                    PoolKind::Max => int8::max_pool,
                };
                kernel(arena.arena(), self.input(0), self.output(0), region, window, *clamp);
            }
            Kernel::PoolI16 { kind, window, clamp } => {
                let kernel = match kind {
                    PoolKind::Average => int16::average_pool,
                    PoolKind::Max => int16::max_pool,
                };
                kernel(arena.arena(), self.input(0), self.output(0), region, window, *clamp);
            }
            Kernel::PoolF32 { kind, window, clamp } => {
                let kernel = match kind {
                    PoolKind::Average => float::average_pool,
                    PoolKind::Max => float::max_pool,
                };
                kernel(arena.arena(), self.input(0), self.output(0), region, window, *clamp);
            }
            Kernel::FullyConnectedI8 { inputs, outputs, weight_zero, quant } => int8::fully_connected(
                arena.arena(),
                self.input(0),
                self.output(0),
                region,
                [*inputs, *outputs],
                *weight_zero,
                quant,
                self.constant(0),
                self.channels(1),
            ),
            Kernel::FullyConnectedF32 { inputs, outputs, clamp } => float::fully_connected(
                arena.arena(),
                self.input(0),
                self.output(0),
                region,
                [*inputs, *outputs],
                *clamp,
                self.constant(0),
                self.constant(1),
            ),
            Kernel::Elementwise(kernel) => self.elementwise(arena, kernel),
            Kernel::Movement(kernel) => self.movement(arena, kernel),
            Kernel::Reduction(kernel) => self.reduction(arena, kernel),
            Kernel::ResizeI8 { scales } => {
                let (input, output, depth) = (self.input(0), self.output(0), self.step.outputs[0].extent.depth);
                int8::resize_bilinear(arena.arena::<i8>(), input, output, region, depth, scales);
            }
            Kernel::ResizeI16 { scales } => {
                let (input, output, depth) = (self.input(0), self.output(0), self.step.outputs[0].extent.depth);
                int16::resize_bilinear(arena.arena::<i16>(), input, output, region, depth, scales);
            }
            Kernel::ResizeF32 { scales } => {
                let (input, output, depth) = (self.input(0), self.output(0), self.step.outputs[0].extent.depth);
                float::resize_bilinear(arena.arena(), input, output, region, depth, scales);
            }
        }
    }

    /// Runs an int8 kernel with a window and weights.
    fn int8(&self, arena: &mut Aligned, kernel: WindowI8, window: &Window2d, quant: &Int8) {
        let (input, output) = (self.input(0), self.output(0));
        kernel(arena.arena(), input, output, self.region, window, quant, self.constant(0), self.channels(1));
    }

    /// Runs an int16 kernel with a window and weights.
    fn int16(&self, arena: &mut Aligned, kernel: WindowI16, window: &Window2d, quant: &Int16) {
        let (input, output) = (self.input(0), self.output(0));
        kernel(arena.arena(), input, output, self.region, window, quant, self.constant(0), self.wide_channels(1));
    }

    /// Runs a device kernel on int16 with a window and weights.
    fn int16_device(&self, arena: &mut Aligned, kernel: DeviceI16, window: &Window2d, clamp: int16::device::Clamp) {
        let (input, output, scratch) = (self.input(0), self.output(0), self.scratch() / 2);
        kernel(arena.arena(), input, output, self.region, scratch, window, clamp, self.constant(0), self.constant(1));
    }

    /// Runs a float32 kernel with a window and weights.
    fn float(&self, arena: &mut Aligned, kernel: WindowF32, window: &Window2d, clamp: Clamp) {
        let (input, output) = (self.input(0), self.output(0));
        kernel(arena.arena(), input, output, self.region, window, clamp, self.constant(0), self.constant(1));
    }
}

type WindowI8 = fn(Arena<'_, i8>, View, View, Region, &Window2d, &Int8, Flash<'_, i8>, Channels<'_>);
type WindowI16 = fn(Arena<'_, i16>, View, View, Region, &Window2d, &Int16, Flash<'_, i8>, int16::Channels<'_>);
type DeviceI16 =
    fn(Arena<'_, i16>, View, View, Region, usize, &Window2d, int16::device::Clamp, Flash<'_, i8>, Flash<'_, u32>);
type WindowF32 = fn(Arena<'_, f32>, View, View, Region, &Window2d, Clamp, Flash<'_, f32>, Flash<'_, f32>);

/// A buffer seen with an extent; `column` is the first column it holds. Counted in elements, or in bytes.
fn view(buffer: &Buffer, extent: Extent, column: usize, in_bytes: bool) -> View {
    let bytes = buffer.spec.element_bytes();
    let unit = if in_bytes { bytes } else { 1 };
    let base = buffer.offset / bytes * unit;
    if extent != buffer.spec.extent {
        return View::linear(base, extent.rows, extent.cols, extent.depth * unit);
    }
    let pixel = extent.depth * unit;
    View { base, row_stride: buffer.width * pixel, rows: buffer.slots, x0: column, pixel_stride: pixel }
}
