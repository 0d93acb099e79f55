//! The call of a kernel: what is the same for all steps that use it is text, the rest becomes fields of the step's parameters.

use crate::value::{Value, array, atom, call, numbers, slice, structure};
use smidgen_kernels::float::Clamp;
use smidgen_kernels::int8::Int8;
use smidgen_kernels::int8::device::{Finish, Width};
use smidgen_kernels::int16::{Int16, Multiplier, device as wide};
use smidgen_kernels::requant::Factor;
use smidgen_kernels::{Rounding, View, Window2d};
use smidgen_plan::{Buffer, BufferId, Extent, Operand, Program, Step, StepId};

/// One argument.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Argument {
    /// The same for every step.
    Same(&'static str),
    /// The arena as elements of a type.
    Arena(String),
    /// A field of the step's parameters.
    Field(Field),
    /// Several fields that make one argument.
    Made { fields: Vec<Field>, pass: String },
}

/// A field of the parameters of a step.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Field {
    pub name: &'static str,
    pub of: String,
    pub value: Value,
    /// What stands in the call; the parameters are called `p`.
    pub pass: String,
}

/// A step's kernel with its arguments.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Call {
    /// Path under `smidgen_kernels`.
    pub function: &'static str,
    /// Added to the names of what is generated, where fields differ in number from one call of the function to another.
    pub variant: String,
    pub arguments: Vec<Argument>,
}

impl Call {
    /// Name of the parameters' type: the path's words in upper camel case. Steps whose calls have the same fields share it.
    pub fn type_name(&self) -> String {
        let words = self.function.split("::").flat_map(|part| part.split('_'));
        words.map(|w| w[..1].to_ascii_uppercase() + &w[1..]).collect::<String>() + &self.variant
    }

    /// Name of the function that makes the call.
    pub fn function_name(&self) -> String {
        self.function.replace("::", "_") + &self.variant
    }

    /// All fields.
    pub fn fields(&self) -> impl Iterator<Item = &Field> {
        self.arguments.iter().flat_map(|argument| match argument {
            Argument::Same(_) | Argument::Arena(_) => &[][..],
            Argument::Field(field) => std::slice::from_ref(field),
            Argument::Made { fields, .. } => fields,
        })
    }

    /// The arguments as they stand in the call.
    pub fn passed(&self) -> Vec<Value> {
        let text = |argument: &Argument| match argument {
            Argument::Same(text) => (*text).to_owned(),
            Argument::Arena(_) => "memory".to_owned(),
            Argument::Field(field) => field.pass.clone(),
            Argument::Made { pass, .. } => pass.clone(),
        };
        self.arguments.iter().map(|a| atom(text(a))).collect()
    }

    /// As which elements the kernel sees the arena.
    pub fn memory(&self) -> Option<&str> {
        self.arguments.iter().find_map(|a| if let Argument::Arena(element) = a { Some(element.as_str()) } else { None })
    }

    /// Whether the kernel computes any region, and not always all.
    pub fn takes_region(&self) -> bool {
        self.arguments.iter().any(|a| matches!(a, Argument::Same(text) if text.starts_with("region")))
    }

    fn with(mut self, argument: Argument) -> Self {
        self.arguments.push(argument);
        self
    }

    fn same(self, text: &'static str) -> Self {
        self.with(Argument::Same(text))
    }

    /// The instructions to use: those the target has.
    pub fn isa(self) -> Self {
        self.same("Isa::PORTABLE")
    }

    /// The arena as elements of a type.
    pub fn arena(self, element: &str) -> Self {
        self.with(Argument::Arena(element.to_owned()))
    }

    /// What to compute.
    pub fn region(self) -> Self {
        self.same("region")
    }

    /// The rows to take in.
    pub fn rows(self) -> Self {
        self.same("region.y0..region.y1")
    }

    /// Something that is passed as it is.
    pub fn by_value(self, name: &'static str, of: &str, value: Value) -> Self {
        self.with(Argument::Field(Field { name, of: of.to_owned(), value, pass: format!("p.{name}") }))
    }

    /// Something that is passed by reference.
    pub fn by_reference(self, name: &'static str, of: &str, value: Value) -> Self {
        self.with(Argument::Field(Field { name, of: of.to_owned(), value, pass: format!("&p.{name}") }))
    }

    /// A number of elements or bytes.
    pub fn count(self, name: &'static str, n: usize) -> Self {
        self.by_value(name, "usize", atom(n))
    }

    /// A window.
    pub fn window(self, window: &Window2d) -> Self {
        self.by_reference("window", "Window2d", self::window(window))
    }

    /// Zero points, clamp and rounding.
    pub fn quant(self, quant: &Int8) -> Self {
        self.by_reference("quant", "int8::Int8", self::quant(quant))
    }

    /// Clamp and multiplier of a layer on int16.
    pub fn wide_quant(self, q: &Int16) -> Self {
        let multiplier = match q.multiplier {
            Multiplier::Reduced => "int16::Multiplier::Reduced",
            Multiplier::Full => "int16::Multiplier::Full",
        };
        let fields = vec![("min", atom(q.min)), ("max", atom(q.max)), ("multiplier", atom(multiplier))];
        self.by_reference("quant", "int16::Int16", structure("int16::Int16", fields))
    }

    /// Clamp of a device kernel on int16.
    pub fn wide_clamp(self, clamp: wide::Clamp) -> Self {
        let value = structure("int16::device::Clamp", vec![("min", atom(clamp.min)), ("max", atom(clamp.max))]);
        self.by_value("clamp", "int16::device::Clamp", value)
    }

    /// How a device kernel's accumulators become outputs.
    pub fn finish(self, finish: &Finish) -> Self {
        let fields = vec![
            ("offset", atom(finish.offset)),
            ("shift", atom(finish.shift)),
            ("tie", atom(finish.tie)),
            ("low", atom(finish.low)),
            ("unit", atom(finish.unit)),
            ("by_sign", atom(finish.by_sign)),
            ("extras", atom(finish.extras)),
            ("own_shifts", atom(finish.own_shifts)),
        ];
        self.by_reference("finish", "int8::device::Finish", structure("int8::device::Finish", fields))
    }

    /// The code that goes with a device kernel's finish.
    pub fn tails(self, width: Width, finish: &Finish) -> Self {
        let tails =
            format!("int8::device::Tails::new::<{}, {}>(int8::device::Width::{width:?})", finish.shift, finish.by_sign);
        self.by_value("tails", "int8::device::Tails", atom(tails))
    }

    /// Least and greatest real output.
    pub fn clamp(self, clamp: Clamp) -> Self {
        self.by_value("clamp", "float::Clamp", self::clamp(clamp))
    }

    /// Least and greatest stored output.
    pub fn stored_clamp<T: ToString>(self, element: &str, clamp: [T; 2]) -> Self {
        self.by_value("clamp", &format!("[{element}; 2]"), numbers(clamp))
    }
}

/// A step of a Program, to make its call from.
#[derive(Clone, Copy)]
pub(crate) struct Site<'a> {
    pub program: &'a Program,
    pub id: StepId,
    pub step: &'a Step,
    /// Buffers of which only some columns are stored.
    pub tiles: &'a [BufferId],
    /// Where each constant begins.
    pub places: &'a [usize],
}

impl Site<'_> {
    /// A call without arguments yet.
    pub fn call(&self, function: &'static str) -> Call {
        Call { function, variant: String::new(), arguments: Vec::new() }
    }

    fn at(&self, call: Call, name: &'static str, operand: Option<(BufferId, Extent)>, bytes: bool) -> Call {
        let value = match operand {
            Some((id, extent)) => place(&self.program.buffers[id.index()], extent, bytes),
            // Nothing is read through it.
            None => View { base: 0, row_stride: 0, rows: 1, x0: 0, pixel_stride: 0 },
        };
        self.placed(call, name, "View", view(value), operand.map(|(id, _)| id), "view")
    }

    /// A view, or something with a view in it, of a buffer that may be a tile: then its first column is known when running only.
    fn placed(
        &self,
        call: Call,
        name: &'static str,
        of: &str,
        value: Value,
        buffer: Option<BufferId>,
        place: &str,
    ) -> Call {
        if self.tiles.is_empty() {
            return call.by_value(name, of, value);
        }
        let tile_name = match name {
            "input" => "input_tile",
            "output" => "output_tile",
            "a" => "a_tile",
            _ => "b_tile",
        };
        let tile = self.tile(buffer);
        let field = |name, of: &str, value| Field { name, of: of.to_owned(), value, pass: String::new() };
        call.with(Argument::Made {
            fields: vec![field(name, of, value), field(tile_name, "u8", atom(tile))],
            pass: format!("tiles.{place}(p.{name}, p.{tile_name})"),
        })
    }

    /// Where input `i` lies, counted in its elements.
    pub fn input(&self, call: Call, i: usize) -> Call {
        self.at(call, "input", self.operand_buffer(i), false)
    }

    /// Where input `i` lies, counted in bytes.
    pub fn input_bytes(&self, call: Call, i: usize) -> Call {
        self.at(call, "input", self.operand_buffer(i), true)
    }

    /// Where the output lies, counted in its elements.
    pub fn output(&self, call: Call) -> Call {
        let target = self.step.outputs[0];
        self.at(call, "output", Some((target.buffer, target.extent)), false)
    }

    /// Where the output lies, counted in bytes.
    pub fn output_bytes(&self, call: Call) -> Call {
        let target = self.step.outputs[0];
        self.at(call, "output", Some((target.buffer, target.extent)), true)
    }

    fn operand_buffer(&self, i: usize) -> Option<(BufferId, Extent)> {
        match self.step.inputs[i] {
            Operand::Buffer(id, extent) => Some((id, extent)),
            Operand::Constant(_) => None,
        }
    }

    /// First element or byte of input `i`, which is stored whole.
    pub fn input_base(&self, i: usize, bytes: bool) -> usize {
        self.operand_buffer(i).map_or(0, |(id, extent)| place(&self.program.buffers[id.index()], extent, bytes).base)
    }

    /// First element or byte of the output, which is stored whole.
    pub fn output_base(&self, bytes: bool) -> usize {
        let target = self.step.outputs[0];
        place(&self.program.buffers[target.buffer.index()], target.extent, bytes).base
    }

    /// Depth of the output.
    pub fn depth(&self) -> usize {
        self.step.outputs[0].extent.depth
    }

    /// The scratch's first element of `size` bytes.
    pub fn scratch(&self, call: Call, size: usize) -> Call {
        call.count("scratch", self.program.scratch[self.id.index()].offset / size)
    }

    /// The state's first element of `size` bytes.
    pub fn state(&self, call: Call, size: usize) -> Call {
        call.count("state", self.program.state[self.id.index()].offset / size)
    }

    /// Constant `id` as elements of a type.
    fn elements(&self, id: usize, element: &str) -> Value {
        let len = self.program.constants[id].bytes.len() / element_size(element);
        call("elements", vec![atom(self.places[id]), atom(len)])
    }

    /// Constant `i` of the step.
    pub fn constant(&self, call: Call, name: &'static str, i: usize, element: &str) -> Call {
        let value = self.elements(self.step.constants[i].index(), element);
        call.by_value(name, &format!("Flash<{element}>"), value)
    }

    /// Constant `i` of the step, which has 256 elements.
    pub fn table(&self, made: Call, name: &'static str, i: usize, element: &str) -> Call {
        let place = self.places[self.step.constants[i].index()];
        made.by_value(name, &format!("&'static [{element}; 256]"), call("array", vec![atom(place)]))
    }

    /// Constant `i` of the step, without a name for it.
    pub fn plain_constant(&self, i: usize, element: &str) -> Value {
        self.elements(self.step.constants[i].index(), element)
    }

    /// Bias (elements of a type), multipliers and shifts of a kernel of a module, from constant 1 of the step on.
    pub fn channels(&self, call: Call, module: &str, bias: &str) -> Call {
        let constant = |i: usize, element| self.elements(self.step.constants[i].index(), element);
        let name = format!("{module}::Channels");
        let fields =
            vec![("bias", constant(1, bias)), ("multipliers", constant(2, "i32")), ("shifts", constant(3, "i8"))];
        call.by_value("channels", &format!("{name}<'static, Certified>"), structure(&name, fields))
    }

    /// Input `i`, seen with `extent` and broadcast to the output.
    pub fn operand(&self, call: Call, name: &'static str, i: usize, extent: Extent, element: &str) -> Call {
        let output = self.step.outputs[0].extent;
        let (constant, mut place) = match self.step.inputs[i] {
            Operand::Buffer(id, extent) => (atom("None"), place(&self.program.buffers[id.index()], extent, false)),
            Operand::Constant(id) => (
                self::call("Some", vec![self.elements(id.index(), element)]),
                View::linear(0, extent.rows, extent.cols, extent.depth),
            ),
        };
        if extent.cols != output.cols {
            place.pixel_stride = 0;
        }
        let step = usize::from(extent.depth == output.depth);
        let value = structure("Operand", vec![("constant", constant), ("view", view(place)), ("step", atom(step))]);
        let buffer = self.operand_buffer(i).map(|(id, _)| id);
        self.placed(call, name, &format!("Operand<'static, {element}, Certified>"), value, buffer, "operand")
    }

    /// Input `i` of a kernel that takes tensors whole.
    pub fn whole(&self, made: Call, name: &'static str, i: usize, element: &str) -> Call {
        let (constant, base) = match self.step.inputs[i] {
            Operand::Buffer(..) => (atom("None"), self.input_base(i, false)),
            Operand::Constant(id) => (call("Some", vec![self.elements(id.index(), element)]), 0),
        };
        let value = structure("Whole", vec![("constant", constant), ("base", atom(base))]);
        made.by_value(name, &format!("Whole<'static, {element}, Certified>"), value)
    }

    /// The pieces of a CONCATENATION, in bytes.
    pub fn pieces(&self, mut made: Call, sizes: &[usize], element: usize) -> Call {
        let extents = self.step.kernel.demands(self.step).inputs;
        let pieces = sizes.iter().zip(&extents).enumerate().map(|(i, (&size, &(_, extent)))| {
            let operand = match self.step.inputs[i] {
                Operand::Buffer(id, extent) => {
                    let place = place(&self.program.buffers[id.index()], extent, true);
                    call("Operand::arena", vec![view(place)])
                }
                Operand::Constant(id) => {
                    let place = View::linear(0, extent.rows, extent.cols, extent.depth * element);
                    call("Operand::constant", vec![self.elements(id.index(), "u8"), view(place)])
                }
            };
            structure("movement::Piece", vec![("operand", operand), ("size", atom(size))])
        });
        if self.tiles.is_empty() {
            return made.by_value("pieces", "&'static [movement::Piece<'static, Certified>]", slice(pieces));
        }
        let count = sizes.len();
        let tile = |i| atom(self.tile(self.operand_buffer(i).map(|(id, _)| id)));
        let field = |name, of, value| Field { name, of, value, pass: String::new() };
        made.variant = count.to_string();
        made.with(Argument::Made {
            fields: vec![
                field("pieces", format!("[movement::Piece<'static, Certified>; {count}]"), array(pieces)),
                field("piece_tiles", format!("[u8; {count}]"), array((0..count).map(tile))),
            ],
            pass: "&tiles.pieces(p.pieces, p.piece_tiles)".to_owned(),
        })
    }

    /// The tile's number in the parameters.
    fn tile(&self, buffer: Option<BufferId>) -> u8 {
        buffer.and_then(|id| self.tiles.iter().position(|&t| t == id)).map_or(NO_TILE, |i| i as u8)
    }
}

/// The tile's number in the parameters of an operand that is none.
pub(crate) const NO_TILE: u8 = 255;

/// A buffer seen with an extent, counted in elements or in bytes; its first column is 0.
fn place(buffer: &Buffer, extent: Extent, bytes: bool) -> View {
    let size = buffer.spec.element_bytes();
    let unit = if bytes { size } else { 1 };
    let base = buffer.offset / size * unit;
    if extent != buffer.spec.extent {
        return View::linear(base, extent.rows, extent.cols, extent.depth * unit);
    }
    let pixel = extent.depth * unit;
    View { base, row_stride: buffer.width * pixel, rows: buffer.slots, x0: 0, pixel_stride: pixel }
}

/// Bytes of an element.
pub(crate) fn element_size(element: &str) -> usize {
    match element {
        "i8" | "u8" | "bool" => 1,
        "i16" | "u16" => 2,
        "i64" => 8,
        _ => 4,
    }
}

fn view(v: View) -> Value {
    structure(
        "View",
        vec![
            ("base", atom(v.base)),
            ("row_stride", atom(v.row_stride)),
            ("rows", atom(v.rows)),
            ("x0", atom(v.x0)),
            ("pixel_stride", atom(v.pixel_stride)),
        ],
    )
}

fn window(w: &Window2d) -> Value {
    structure(
        "Window2d",
        vec![
            ("input", numbers(w.input)),
            ("output", numbers(w.output)),
            ("size", numbers(w.size)),
            ("stride", numbers(w.stride)),
            ("dilation", numbers(w.dilation)),
            ("before", numbers(w.before)),
        ],
    )
}

fn quant(q: &Int8) -> Value {
    structure(
        "int8::Int8",
        vec![
            ("input_zero", atom(q.input_zero)),
            ("output_zero", atom(q.output_zero)),
            ("min", atom(q.min)),
            ("max", atom(q.max)),
            ("rounding", rounding(q.rounding)),
        ],
    )
}

pub(crate) fn rounding(rounding: Rounding) -> Value {
    match rounding {
        Rounding::Twice => atom("Rounding::Twice"),
        Rounding::Once => atom("Rounding::Once"),
    }
}

pub(crate) fn factor(f: Factor) -> Value {
    structure("Factor", vec![("multiplier", atom(f.multiplier)), ("shift", atom(f.shift))])
}

pub(crate) fn factors(factors: [Factor; 2]) -> Value {
    array(factors.map(factor))
}

/// A float32 that reads back to the same bits.
pub(crate) fn real(v: f32) -> Value {
    if v.is_nan() {
        atom(format!("f32::from_bits({:#x})", v.to_bits()))
    } else if v.is_infinite() {
        atom(if v > 0.0 { "f32::INFINITY" } else { "f32::NEG_INFINITY" })
    } else if v == f32::MAX {
        atom("f32::MAX")
    } else if v == f32::MIN {
        atom("f32::MIN")
    } else {
        atom(format!("{v:?}"))
    }
}

pub(crate) fn clamp(c: Clamp) -> Value {
    structure("float::Clamp", vec![("min", real(c.min)), ("max", real(c.max))])
}
