//! The call of a kernel, declared once: [`call!`](macro@call) turns a function and a list of arguments into what runs it on the host and into
//! what prints its call for firmware.

use super::source::Literal;
use crate::program::{Buffer, BufferId, ConstantId, Extent, Operand, Program, Step, StepId};
use bytemuck::Pod;
use smidgen_kernels::int8::mcu::{Epilogue, Width};
use smidgen_kernels::nd::Whole;
use smidgen_kernels::{Arena, Flash, Isa, Region, View, Views, int8, movement, operand};

/// A step of a Program, and where its operands lie.
#[derive(Clone, Copy)]
pub struct Site<'a> {
    /// The Program.
    pub program: &'a Program,
    /// The step.
    pub id: StepId,
}

/// Where an operand lies.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Place {
    /// Rows and pixels. For an operand that is a constant, nothing; its first column is 0 whatever a tile holds.
    pub view: View,
    /// The buffer, if it is one.
    pub buffer: Option<BufferId>,
}

/// An operand that may be a constant, and may be broadcast.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Bound {
    /// The constant that the place indexes, if it is one.
    pub constant: Option<ConstantId>,
    /// Where it lies, in the arena or in the constant.
    pub place: Place,
    /// Elements from one channel to the next.
    pub step: usize,
}

impl<'a> Site<'a> {
    /// The step itself.
    pub fn step(&self) -> &'a Step {
        &self.program.steps[self.id.index()]
    }

    /// The extent of the output.
    pub fn output(&self) -> Extent {
        self.step().outputs[0].extent
    }

    fn place(&self, id: BufferId, extent: Extent, in_bytes: bool) -> Place {
        Place { view: view(&self.program.buffers[id.index()], extent, in_bytes), buffer: Some(id) }
    }

    /// Where input `i` lies, in its elements or in bytes.
    pub fn input_place(&self, i: usize, in_bytes: bool) -> Place {
        match self.step().inputs[i] {
            Operand::Buffer(id, extent) => self.place(id, extent, in_bytes),
            // Nothing is read through it.
            Operand::Constant(_) => Place { view: NOWHERE, buffer: None },
        }
    }

    /// Where the output lies, in its elements or in bytes.
    pub fn output_place(&self, in_bytes: bool) -> Place {
        let target = self.step().outputs[0];
        self.place(target.buffer, target.extent, in_bytes)
    }

    /// First element or byte of input `i`, which is stored whole.
    pub fn input_base(&self, i: usize, in_bytes: bool) -> usize {
        self.input_place(i, in_bytes).view.base
    }

    /// First element or byte of the output, which is stored whole.
    pub fn output_base(&self, in_bytes: bool) -> usize {
        self.output_place(in_bytes).view.base
    }

    /// Byte offset of output `i`, which is stored whole.
    pub fn output_bytes(&self, i: usize) -> usize {
        let target = self.step().outputs[i];
        self.place(target.buffer, target.extent, true).view.base
    }

    /// Constant `i` of the step.
    pub fn constant(&self, i: usize) -> ConstantId {
        self.step().constants[i]
    }

    /// Byte offset of the scratch.
    pub fn scratch(&self) -> usize {
        self.program.scratch[self.id.index()].offset
    }

    /// Byte offset of the state.
    pub fn state(&self) -> usize {
        self.program.state[self.id.index()].offset
    }

    /// Input `i`, seen with `extent` and broadcast to the output.
    pub fn operand(&self, i: usize, extent: Extent) -> Bound {
        let output = self.output();
        let mut bound = self.piece(i, extent, None);
        if extent.cols != output.cols {
            bound.place.view.pixel_stride = 0;
        }
        Bound { step: usize::from(extent.depth == output.depth), ..bound }
    }

    /// Input `i`, which as a constant has `extent`: in its elements or, given the bytes of one, in bytes.
    pub fn piece(&self, i: usize, extent: Extent, bytes: Option<usize>) -> Bound {
        match self.step().inputs[i] {
            Operand::Buffer(..) => Bound { constant: None, place: self.input_place(i, bytes.is_some()), step: 1 },
            Operand::Constant(id) => {
                let view = View::linear(0, extent.rows, extent.cols, extent.depth * bytes.unwrap_or(1));
                Bound { constant: Some(id), place: Place { view, buffer: None }, step: 1 }
            }
        }
    }

    /// The pieces of a CONCATENATION in bytes, and the size of each along the axis.
    pub fn pieces<'s>(&'s self, sizes: &'s [usize], bytes: usize) -> impl Iterator<Item = (Bound, usize)> + 's {
        let extents = self.step().kernel.demands(self.step()).inputs;
        sizes
            .iter()
            .zip(extents)
            .enumerate()
            .map(move |(i, (&size, (_, extent)))| (self.piece(i, extent, Some(bytes)), size))
    }
}

const NOWHERE: View = View { base: 0, row_stride: 0, rows: 1, x0: 0, pixel_stride: 0 };

/// A buffer seen with an extent, in elements or in bytes; its first column is 0.
fn view(buffer: &Buffer, extent: Extent, in_bytes: bool) -> View {
    let size = buffer.spec.element_bytes();
    let unit = if in_bytes { size } else { 1 };
    let base = buffer.offset / size * unit;
    if extent != buffer.spec.extent {
        return View::linear(base, extent.rows, extent.cols, extent.depth * unit);
    }
    let pixel = extent.depth * unit;
    View { base, row_stride: buffer.width * pixel, rows: buffer.slots, x0: 0, pixel_stride: pixel }
}

/// Memory to run kernels in.
pub trait Memory {
    /// All of it as elements of a type.
    fn arena<T: Pod>(&mut self) -> Arena<'_, T>;
}

/// One run of a step on the host.
#[derive(Clone, Copy)]
pub struct Invocation<'a> {
    /// The step.
    pub site: Site<'a>,
    /// What to compute.
    pub region: Region,
    /// The instructions to use.
    pub isa: Isa,
    /// For each buffer, the first column that it holds.
    pub columns: &'a [usize],
    /// The bytes of a constant, at an address that suits any element.
    pub constants: &'a dyn Fn(ConstantId) -> &'a [u8],
}

impl<'a> Invocation<'a> {
    pub(super) fn view(&self, place: Place) -> View {
        View { x0: place.buffer.map_or(0, |id| self.columns[id.index()]), ..place.view }
    }

    /// Where the first input and the output lie, in their elements or in bytes.
    pub(super) fn views(&self, in_bytes: bool) -> Views {
        Views {
            input: self.view(self.site.input_place(0, in_bytes)),
            output: self.view(self.site.output_place(in_bytes)),
        }
    }

    fn flash<T: Pod>(&self, id: ConstantId) -> Flash<'a, T> {
        Flash::new(bytemuck::cast_slice((self.constants)(id)))
    }

    pub(super) fn constant<T: Pod>(&self, i: usize) -> Flash<'a, T> {
        self.flash(self.site.constant(i))
    }

    pub(super) fn operand<T: Pod>(&self, bound: Bound) -> operand::Operand<'a, T> {
        let constant = bound.constant.map(|id| self.flash(id));
        operand::Operand { constant, view: self.view(bound.place), step: bound.step }
    }

    pub(super) fn whole<T: Pod>(&self, i: usize) -> Whole<'a, T> {
        let bound = self.site.piece(i, self.site.output(), None);
        Whole { constant: bound.constant.map(|id| self.flash(id)), base: bound.place.view.base }
    }

    pub(super) fn pieces(&self, sizes: &[usize], bytes: usize) -> Vec<movement::Piece<'a>> {
        let pieces = self.site.pieces(sizes, bytes);
        pieces.map(|(bound, size)| movement::Piece { operand: self.operand(bound), size }).collect()
    }
}

/// Takes the text of a call, argument by argument in the function's order. Names are those of the parameters that differ from step to
/// step.
pub trait Print: Sized {
    /// The function's path under `smidgen_kernels`.
    fn function(self, path: &'static str) -> Self;
    /// The instructions to use: those the target has.
    fn isa(self) -> Self;
    /// The arena as elements of a type.
    fn arena(self, element: &'static str) -> Self;
    /// What to compute.
    fn region(self) -> Self;
    /// The rows to take in.
    fn rows(self) -> Self;
    /// Where an operand lies.
    fn view(self, name: &'static str, place: Place) -> Self;
    /// Where the input and the output lie.
    fn views(self, input: Place, output: Place) -> Self;
    /// Something that is passed as it is.
    fn value<T: Literal>(self, name: &'static str, value: &T) -> Self;
    /// Something that is passed by reference.
    fn reference<T: Literal>(self, name: &'static str, value: &T) -> Self;
    /// A constant as elements of a type.
    fn constant(self, name: &'static str, element: &'static str, id: ConstantId) -> Self;
    /// A constant of 256 elements.
    fn table(self, name: &'static str, element: &'static str, id: ConstantId) -> Self;
    /// A sum with a table of 256 elements.
    fn lookup(self, sum: &int8::TableSum, id: ConstantId) -> Self;
    /// Bias (elements of a type), multipliers and shifts for a module's `Channels`.
    fn channels(self, module: &'static str, bias: &'static str, ids: [ConstantId; 3]) -> Self;
    /// Multipliers and shifts of a training step's layer.
    fn factors(self, ids: [ConstantId; 2]) -> Self;
    /// An operand that may be a constant or broadcast.
    fn operand(self, name: &'static str, element: &'static str, bound: Bound) -> Self;
    /// An operand that is taken whole.
    fn whole(self, name: &'static str, element: &'static str, bound: Bound) -> Self;
    /// The pieces of a CONCATENATION.
    fn pieces(self, pieces: Vec<(Bound, usize)>) -> Self;
    /// The parameters of a movement, and the constants of its tables.
    fn gather(self, gather: &super::Gather, depth: usize, tables: &[ConstantId]) -> Self;
    /// The code that goes with a finish.
    fn variants(self, width: Width, epilogue: &Epilogue) -> Self;
}

/// How a kernel is called: `call!(Kernel(k, site) => path: arguments)`, or `call!(Kernel(k, site) of expression => { pattern => path, ... }:
/// arguments)` where the function depends on parameters, or `call!(Kernel(k, site) => path as expression; arguments)` where generated code
/// calls the function whose path the expression is. `k` is the kernel, `site` its [`Site`]; arguments are words of
/// [`argument!`](macro@argument) in the function's order.
macro_rules! call {
    ($kernel:ident($k:ident, $site:ident) => $function:path: $($word:ident($($what:tt)*)),* $(,)?) => {
        call!($kernel($k, $site) of () => { () => $function }: $($word($($what)*)),*);
    };
    (
        $kernel:ident($k:ident, $site:ident) => $function:path as $printed:expr; $($word:ident($($what:tt)*)),* $(,)?
    ) => {
        impl $kernel {
            pub(super) fn run<M: $crate::kernel::Memory>(&self, run: &$crate::kernel::Invocation<'_>, memory: &mut M) {
                let ($k, $site) = (self, &run.site);
                let _ = (&$k, &$site);
                call!(@call run memory $function, ($($word($($what)*)),*));
            }

            pub(super) fn print<P: $crate::kernel::Print>(&self, $site: &$crate::kernel::Site<'_>, printer: P) -> P {
                let $k = self;
                let printer = printer.function($printed);
                $(let printer = text!(printer $site $word $($what)*);)*
                printer
            }

            /// By the words of its call.
            pub(super) fn regions(&self) -> $crate::kernel::Regions {
                $crate::kernel::Regions::of(&[$(stringify!($word)),*])
            }
        }
    };
    (
        $kernel:ident($k:ident, $site:ident) of $on:expr => { $($pattern:pat => $function:path),* $(,)? }:
        $($word:ident($($what:tt)*)),* $(,)?
    ) => {
        impl $kernel {
            pub(super) fn run<M: $crate::kernel::Memory>(&self, run: &$crate::kernel::Invocation<'_>, memory: &mut M) {
                let ($k, $site) = (self, &run.site);
                let _ = (&$k, &$site);
                call!(@match run, memory, $on => { $($pattern => $function),* } ($($word($($what)*)),*));
            }

            pub(super) fn print<P: $crate::kernel::Print>(&self, $site: &$crate::kernel::Site<'_>, printer: P) -> P {
                let $k = self;
                let _ = (&$k, &$site);
                let printer = printer.function(match $on { $($pattern => stringify!($function)),* });
                $(let printer = text!(printer $site $word $($what)*);)*
                printer
            }

            /// By the words of its call.
            pub(super) fn regions(&self) -> $crate::kernel::Regions {
                $crate::kernel::Regions::of(&[$(stringify!($word)),*])
            }
        }
    };
    (@match $run:ident, $memory:ident, $on:expr => { $($pattern:pat => $function:path),* } $arguments:tt) => {
        match $on { $($pattern => call!(@call $run $memory $function, $arguments)),* }
    };
    (@call $run:ident $memory:ident $function:path, ($($word:ident($($what:tt)*)),*)) => {
        $function($(argument!($run $memory $word $($what)*)),*)
    };
}

/// An argument on the host. `text!` has the same words.
macro_rules! argument {
    ($run:ident $memory:ident isa) => {
        $run.isa
    };
    ($run:ident $memory:ident arena $element:ty) => {
        $memory.arena::<$element>()
    };
    ($run:ident $memory:ident region) => {
        $run.region
    };
    ($run:ident $memory:ident rows) => {
        $run.region.y0..$run.region.y1
    };
    ($run:ident $memory:ident views) => {
        &$run.views(false)
    };
    ($run:ident $memory:ident views_bytes) => {
        &$run.views(true)
    };
    ($run:ident $memory:ident input_bytes $name:ident = $i:expr) => {
        $run.view($run.site.input_place($i, true))
    };
    ($run:ident $memory:ident output) => {
        $run.view($run.site.output_place(false))
    };
    ($run:ident $memory:ident output_bytes) => {
        $run.view($run.site.output_place(true))
    };
    ($run:ident $memory:ident value $name:ident = $value:expr) => {
        $value
    };
    ($run:ident $memory:ident reference $name:ident = $value:expr) => {
        &$value
    };
    ($run:ident $memory:ident constant $name:ident: $element:ty = $i:expr) => {
        $run.constant::<$element>($i)
    };
    ($run:ident $memory:ident table $name:ident: $element:ty = $i:expr) => {
        $run.constant::<$element>($i).array(0)
    };
    ($run:ident $memory:ident lookup $sum:expr, $i:expr) => {
        int8::Lookup { sum: &$sum, table: $run.constant::<i32>($i).array(0) }
    };
    ($run:ident $memory:ident channels $module:ident: $bias:ty) => {
        $module::Channels { bias: $run.constant(1), multipliers: $run.constant(2), shifts: $run.constant(3) }
    };
    ($run:ident $memory:ident factors $first:expr) => {
        smidgen_kernels::training::Factors { multipliers: $run.constant($first), shifts: $run.constant($first + 1) }
    };
    ($run:ident $memory:ident operand $name:ident: $element:ty = $i:expr, $extent:expr) => {
        $run.operand::<$element>($run.site.operand($i, $extent))
    };
    ($run:ident $memory:ident whole $name:ident: $element:ty = $i:expr) => {
        $run.whole::<$element>($i)
    };
    ($run:ident $memory:ident pieces $sizes:expr, $bytes:expr) => {
        &$run.pieces($sizes, $bytes)
    };
    ($run:ident $memory:ident gather $kernel:expr) => {
        &$kernel.parameters($run)
    };
    ($run:ident $memory:ident variants $width:expr, $epilogue:expr) => {
        smidgen_kernels::int8::mcu::EpilogueVariants::of($width, $epilogue)
    };
}

/// An argument in generated code.
macro_rules! text {
    ($printer:ident $site:ident isa) => {
        $printer.isa()
    };
    ($printer:ident $site:ident arena $element:ty) => {
        $printer.arena(stringify!($element))
    };
    ($printer:ident $site:ident region) => {
        $printer.region()
    };
    ($printer:ident $site:ident rows) => {
        $printer.rows()
    };
    ($printer:ident $site:ident views) => {
        $printer.views($site.input_place(0, false), $site.output_place(false))
    };
    ($printer:ident $site:ident views_bytes) => {
        $printer.views($site.input_place(0, true), $site.output_place(true))
    };
    ($printer:ident $site:ident input_bytes $name:ident = $i:expr) => {
        $printer.view(stringify!($name), $site.input_place($i, true))
    };
    ($printer:ident $site:ident output) => {
        $printer.view("output", $site.output_place(false))
    };
    ($printer:ident $site:ident output_bytes) => {
        $printer.view("output", $site.output_place(true))
    };
    ($printer:ident $site:ident value $name:ident = $value:expr) => {
        $printer.value(stringify!($name), &$value)
    };
    ($printer:ident $site:ident reference $name:ident = $value:expr) => {
        $printer.reference(stringify!($name), &$value)
    };
    ($printer:ident $site:ident constant $name:ident: $element:ty = $i:expr) => {
        $printer.constant(stringify!($name), stringify!($element), $site.constant($i))
    };
    ($printer:ident $site:ident table $name:ident: $element:ty = $i:expr) => {
        $printer.table(stringify!($name), stringify!($element), $site.constant($i))
    };
    ($printer:ident $site:ident lookup $sum:expr, $i:expr) => {
        $printer.lookup(&$sum, $site.constant($i))
    };
    ($printer:ident $site:ident channels $module:ident: $bias:ty) => {
        $printer.channels(stringify!($module), stringify!($bias), [1, 2, 3].map(|i| $site.constant(i)))
    };
    ($printer:ident $site:ident factors $first:expr) => {
        $printer.factors([$first, $first + 1].map(|i| $site.constant(i)))
    };
    ($printer:ident $site:ident operand $name:ident: $element:ty = $i:expr, $extent:expr) => {
        $printer.operand(stringify!($name), stringify!($element), $site.operand($i, $extent))
    };
    ($printer:ident $site:ident whole $name:ident: $element:ty = $i:expr) => {
        $printer.whole(stringify!($name), stringify!($element), $site.piece($i, $site.output(), None))
    };
    ($printer:ident $site:ident pieces $sizes:expr, $bytes:expr) => {
        $printer.pieces($site.pieces($sizes, $bytes).collect())
    };
    ($printer:ident $site:ident gather $kernel:expr) => {
        $printer.gather($kernel, $site.output().depth, &$site.step().constants)
    };
    ($printer:ident $site:ident variants $width:expr, $epilogue:expr) => {
        $printer.variants($width, $epilogue)
    };
}
