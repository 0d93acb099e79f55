//! The call of a kernel: what is the same for all steps that use it is text, the rest becomes fields of the step's
//! parameters.

use crate::value::{Literal, Value, array, atom, invoke, numbers, slice, structure};
use smidgen_kernels::int8::TableSum;
use smidgen_kernels::int8::mcu::{Epilogue, Width};
use smidgen_kernels::{View, Views};
use smidgen_program::kernel::{Bound, Gather, Place, Print, Site};
use smidgen_program::{BufferId, ConstantId, Program, StepId};

/// One argument.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Argument {
    /// The same for every step.
    Same(&'static str),
    /// The arena as elements of a type.
    Arena(&'static str),
    /// What fields of the step's parameters, which are called `p`, are passed as.
    Made { fields: Vec<Field>, pass: String },
}

/// A field of the parameters of a step.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Field {
    pub name: &'static str,
    pub of: String,
    pub value: Value,
}

/// A step's kernel with its arguments.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Call {
    /// Path under `smidgen_kernels`.
    pub function: &'static str,
    /// Added to the names of what is generated, where the arena's elements or the number of fields differ from one
    /// call of the function to another.
    pub variant: String,
    pub arguments: Vec<Argument>,
}

impl Call {
    /// Name of the parameters' type: the path's words in upper camel case. Steps whose calls have the same fields
    /// share it.
    pub fn type_name(&self) -> String {
        let words = self.function.split("::").flat_map(|part| part.split('_'));
        let variant = (!self.variant.is_empty()).then_some(self.variant.as_str());
        words.chain(variant).map(|w| w[..1].to_ascii_uppercase() + &w[1..]).collect()
    }

    /// Name of the function that makes the call.
    pub fn function_name(&self) -> String {
        let name = self.function.replace("::", "_");
        let between = if self.variant.starts_with(|first: char| first.is_ascii_alphabetic()) { "_" } else { "" };
        format!("{name}{between}{}", self.variant)
    }

    /// All fields.
    pub fn fields(&self) -> impl Iterator<Item = &Field> {
        self.arguments.iter().flat_map(|argument| match argument {
            Argument::Same(_) | Argument::Arena(_) => &[][..],
            Argument::Made { fields, .. } => fields,
        })
    }

    /// The arguments as they stand in the call.
    pub fn passed(&self) -> Vec<Value> {
        let text = |argument: &Argument| match argument {
            Argument::Same(text) => (*text).to_owned(),
            Argument::Arena(_) => "memory".to_owned(),
            Argument::Made { pass, .. } => pass.clone(),
        };
        self.arguments.iter().map(|a| atom(text(a))).collect()
    }

    /// As which elements the kernel sees the arena.
    pub fn memory(&self) -> Option<&'static str> {
        self.arguments.iter().find_map(|a| if let Argument::Arena(element) = a { Some(*element) } else { None })
    }

    /// Whether the kernel computes any region, and not always all.
    pub fn takes_region(&self) -> bool {
        self.arguments.iter().any(|a| matches!(a, Argument::Same(text) if text.starts_with("region")))
    }
}

/// What parameters refer to.
#[derive(Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    pub program: &'a Program,
    /// Buffers of which only some columns are stored at a time.
    pub tiles: &'a [BufferId],
    /// Where each constant begins in the constants' bytes.
    pub places: &'a [usize],
}

impl Surroundings<'_> {
    /// The call of a step's kernel.
    pub fn call(&self, id: StepId) -> Call {
        let site = Site { program: self.program, id };
        let call = Call { function: "", variant: String::new(), arguments: Vec::new() };
        site.step().kernel.print(&site, Printer { around: *self, call }).call
    }

    /// A constant as elements of a type.
    fn elements(&self, id: ConstantId, element: &str) -> Value {
        let len = self.program.constants[id.index()].bytes.len() / element_size(element);
        invoke("elements", vec![atom(self.places[id.index()]), atom(len)])
    }

    fn constant_or_none(&self, id: Option<ConstantId>, element: &str) -> Value {
        id.map_or_else(|| atom("None"), |id| invoke("Some", vec![self.elements(id, element)]))
    }

    /// The tile's number in the parameters.
    fn tile(&self, buffer: Option<BufferId>) -> u8 {
        buffer.and_then(|id| self.tiles.iter().position(|&t| t == id)).map_or(NO_TILE, |i| i as u8)
    }
}

/// The tile's number in the parameters of an operand that is none.
pub(crate) const NO_TILE: u8 = 255;

/// Collects the arguments of a call.
struct Printer<'a> {
    around: Surroundings<'a>,
    call: Call,
}

impl Printer<'_> {
    fn with(mut self, argument: Argument) -> Self {
        self.call.arguments.push(argument);
        self
    }

    fn same(self, text: &'static str) -> Self {
        self.with(Argument::Same(text))
    }

    fn field(self, name: &'static str, of: String, value: Value) -> Self {
        self.made(vec![Field { name, of, value }], format!("p.{name}"))
    }

    fn made(self, fields: Vec<Field>, pass: impl Into<String>) -> Self {
        self.with(Argument::Made { fields, pass: pass.into() })
    }

    /// A structure whose fields are constants: their names, which they are, and their elements.
    fn constants(
        self,
        name: &'static str,
        of: &str,
        fields: impl Iterator<Item = ((&'static str, ConstantId), &'static str)>,
    ) -> Self {
        let fields = fields.map(|((field, id), element)| (field, self.around.elements(id, element))).collect();
        self.field(name, format!("{of}<'static, Certified>"), structure(of, fields))
    }

    /// A view, or something with a view in it, of a buffer that may be a tile: then its first column is known when
    /// running only.
    fn placed(self, name: &'static str, of: String, value: Value, buffer: Option<BufferId>, through: &str) -> Self {
        if self.around.tiles.is_empty() {
            return self.field(name, of, value);
        }
        let tile_name = match name {
            "input" => "input_tile",
            "output" => "output_tile",
            "a" => "a_tile",
            _ => "b_tile",
        };
        let tile = Field { name: tile_name, of: "u8".to_owned(), value: atom(self.around.tile(buffer)) };
        let fields = vec![Field { name, of, value }, tile];
        self.made(fields, format!("tiles.{through}(p.{name}, p.{tile_name})"))
    }
}

impl Print for Printer<'_> {
    fn function(mut self, path: &'static str) -> Self {
        self.call.function = path;
        self
    }

    fn isa(self) -> Self {
        self.same("Isa::PORTABLE")
    }

    fn arena(mut self, element: &'static str) -> Self {
        // Modules named after a type have kernels on that type, this one has kernels on several.
        if self.call.function.starts_with("reference::") {
            self.call.variant = element.to_owned();
        }
        self.with(Argument::Arena(element))
    }

    fn region(self) -> Self {
        self.same("region")
    }

    fn rows(self) -> Self {
        self.same("region.y0..region.y1")
    }

    fn view(self, name: &'static str, place: Place) -> Self {
        self.placed(name, View::type_name(), place.view.source(), place.buffer, "view")
    }

    fn views(self, input: Place, output: Place) -> Self {
        let views = Views { input: input.view, output: output.view };
        if self.around.tiles.is_empty() {
            return self.reference("views", &views);
        }
        let field = |name, of, value| Field { name, of, value };
        let tile = |name, place: Place| field(name, "u8".to_owned(), atom(self.around.tile(place.buffer)));
        let both = field("views", Views::type_name(), views.source());
        let fields = vec![both, tile("input_tile", input), tile("output_tile", output)];
        self.made(fields, "&tiles.views(&p.views, p.input_tile, p.output_tile)")
    }

    fn lookup(self, sum: &TableSum, id: ConstantId) -> Self {
        let place = self.around.places[id.index()];
        let sum = Field { name: "sum", of: TableSum::type_name(), value: sum.source() };
        let (of, value) = ("&'static [i32; 256]".to_owned(), invoke("array", vec![atom(place)]));
        self.made(vec![sum, Field { name: "table", of, value }], "int8::Lookup { sum: &p.sum, table: p.table }")
    }

    fn value<T: Literal>(self, name: &'static str, value: &T) -> Self {
        self.field(name, T::type_name(), value.source())
    }

    fn reference<T: Literal>(self, name: &'static str, value: &T) -> Self {
        self.made(vec![Field { name, of: T::type_name(), value: value.source() }], format!("&p.{name}"))
    }

    fn constant(self, name: &'static str, element: &'static str, id: ConstantId) -> Self {
        let value = self.around.elements(id, element);
        self.field(name, format!("Flash<{element}>"), value)
    }

    fn table(self, name: &'static str, element: &'static str, id: ConstantId) -> Self {
        let place = self.around.places[id.index()];
        self.field(name, format!("&'static [{element}; 256]"), invoke("array", vec![atom(place)]))
    }

    fn channels(self, module: &'static str, bias: &'static str, ids: [ConstantId; 3]) -> Self {
        let fields = ["bias", "multipliers", "shifts"].into_iter().zip(ids).zip([bias, "i32", "i8"]);
        self.constants("channels", &format!("{module}::Channels"), fields)
    }

    fn factors(self, ids: [ConstantId; 2]) -> Self {
        let fields = ["multipliers", "shifts"].into_iter().zip(ids).zip(["i32", "i8"]);
        self.constants("factors", "training::Factors", fields)
    }

    fn operand(self, name: &'static str, element: &'static str, bound: Bound) -> Self {
        let fields = vec![
            ("constant", self.around.constant_or_none(bound.constant, element)),
            ("view", bound.place.view.source()),
            ("step", bound.step.source()),
        ];
        let of = format!("Operand<'static, {element}, Certified>");
        self.placed(name, of, structure("Operand", fields), bound.place.buffer, "operand")
    }

    fn whole(self, name: &'static str, element: &'static str, bound: Bound) -> Self {
        let constant = self.around.constant_or_none(bound.constant, element);
        let value = structure("Whole", vec![("constant", constant), ("base", bound.place.view.base.source())]);
        self.field(name, format!("Whole<'static, {element}, Certified>"), value)
    }

    fn pieces(mut self, pieces: Vec<(Bound, usize)>) -> Self {
        let piece = |&(bound, size): &(Bound, usize)| {
            let view = bound.place.view.source();
            let operand = match bound.constant {
                None => invoke("Operand::arena", vec![view]),
                Some(id) => invoke("Operand::constant", vec![self.around.elements(id, "u8"), view]),
            };
            structure("movement::Piece", vec![("operand", operand), ("size", size.source())])
        };
        let values: Vec<Value> = pieces.iter().map(piece).collect();
        if self.around.tiles.is_empty() {
            let of = "&'static [movement::Piece<'static, Certified>]";
            return self.field("pieces", of.to_owned(), slice(values));
        }
        let count = pieces.len();
        let tiles = numbers(pieces.iter().map(|(bound, _)| self.around.tile(bound.place.buffer)));
        self.call.variant = count.to_string();
        let of = format!("[movement::Piece<'static, Certified>; {count}]");
        let pieces = Field { name: "pieces", of, value: array(values) };
        let tiles = Field { name: "piece_tiles", of: format!("[u8; {count}]"), value: tiles };
        self.made(vec![pieces, tiles], "&tiles.pieces(p.pieces, p.piece_tiles)")
    }

    fn gather(self, gather: &Gather, depth: usize, tables: &[ConstantId]) -> Self {
        let affine = |start: isize, stride: usize, divide: usize| {
            let fields = vec![("start", start.source()), ("stride", stride.source()), ("divide", divide.source())];
            structure("movement::Index::Affine", fields)
        };
        let table = |i: usize| invoke("movement::Index::Table", vec![self.around.elements(tables[i], "i32")]);
        let fields = vec![
            ("input", [gather.input.rows, gather.input.cols, gather.input.depth].source()),
            ("depth", depth.source()),
            ("element", gather.element.bits().div_ceil(8).source()),
            ("index", array(gather.indices(affine, table))),
            ("fill", gather.fill.source()),
        ];
        let value = structure("movement::Gather", fields);
        let of = "movement::Gather<'static, Certified>".to_owned();
        self.made(vec![Field { name: "what", of, value }], "&p.what")
    }

    fn variants(self, width: Width, epilogue: &Epilogue) -> Self {
        let (shift, by_sign) = (epilogue.shift, epilogue.by_sign);
        let variants = format!("int8::mcu::EpilogueVariants::new::<{shift}, {by_sign}>(int8::mcu::Width::{width:?})");
        self.field("variants", "int8::mcu::EpilogueVariants".to_owned(), atom(variants))
    }
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
