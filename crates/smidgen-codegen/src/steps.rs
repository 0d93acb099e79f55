//! Prints `steps.rs`: the parameters of every step, and the call of its kernel.

use crate::call::{Call, NO_TILE, Surroundings};
use crate::source::{Source, count, plain};
use crate::value::{array, atom, invoke, structure};
use smidgen_program::{BufferId, Extent, Operand, Program, Step, StepId};

/// Names that generated code takes from the kernels; used ones are imported.
const IMPORTS: [&str; 21] = [
    "Certified",
    "Factor",
    "Isa",
    "Operand",
    "Region",
    "Rounding",
    "SmallFactor",
    "Stored",
    "View",
    "Views",
    "Whole",
    "Window2d",
    "convert",
    "float",
    "int8",
    "int16",
    "movement",
    "nd",
    "plain",
    "reference",
    "training",
];

/// What was printed, and what it uses of the other files.
pub(crate) struct Steps {
    pub text: String,
    /// Element types as which the arena is seen.
    pub arena: Vec<&'static str>,
    /// What it uses of the file of constants.
    pub constants: Vec<&'static str>,
}

/// The file.
pub(crate) fn print(around: Surroundings) -> Steps {
    let program = around.program;
    let calls: Vec<Call> = (0..program.steps.len()).map(|i| around.call(StepId(i as u32))).collect();
    let mut kinds: Vec<&Call> = Vec::new();
    for call in &calls {
        if !kinds.iter().any(|k| k.type_name() == call.type_name()) {
            kinds.push(call);
        }
    }
    let tiled = !around.tiles.is_empty();
    let mut body = Source::default();
    for kind in &kinds {
        parameters(kind, tiled, &mut body);
    }
    body.line("/// A kernel and its parameters.");
    body.line("enum Step {");
    for kind in &kinds {
        body.line(format!("    {0}(&'static {0}),", kind.type_name()));
    }
    body.line("}\n");
    compute(&kinds, tiled, &mut body);
    if tiled {
        let has = |name| kinds.iter().any(|k| k.fields().any(|f| f.name == name));
        tiles(around.tiles.len(), has("views"), has("a_tile"), has("piece_tiles"), &mut body);
    }
    for (i, (step, call)) in program.steps.iter().zip(&calls).enumerate() {
        for line in describe(program, i, step) {
            body.line(format!("/// {line}"));
        }
        let fields = call.fields().map(|f| (f.name, f.value.clone())).collect();
        let name = call.type_name();
        body.value(0, &format!("static STEP_{i}: {name} = "), &structure(&name, fields), ";");
        body.line("");
    }
    body.line("/// The steps in the order in which they depend on each other.");
    let all = array(calls.iter().enumerate().map(|(i, call)| atom(format!("Step::{}(&STEP_{i})", call.type_name()))));
    body.value(0, &format!("static STEPS: [Step; {}] = ", calls.len()), &all, ";");

    let mut text = Source::default();
    text.line("//! The steps of the network: one kernel each, with every parameter resolved.\n");
    let arena =
        ["f32", "i16", "i8", "u8"].into_iter().filter(|&e| kinds.iter().any(|k| k.memory() == Some(e))).collect();
    let constants: Vec<_> = ["Flash", "array", "elements"].into_iter().filter(|name| word(&body.text, name)).collect();
    imports(&body.text, &constants, &mut text);
    text.add(&body.text);
    Steps { text: text.text, arena, constants }
}

/// Whether the text uses the name by itself.
fn word(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let edge = |c: Option<char>| !c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
        let before = text[..at].chars().next_back();
        edge(before) && before != Some(':') && edge(text[at + name.len()..].chars().next())
    })
}

fn imports(body: &str, constants: &[&str], out: &mut Source) {
    let used: Vec<&str> = IMPORTS.into_iter().filter(|name| word(body, name)).collect();
    let named = |wanted: &[&str]| used.iter().copied().filter(|n| wanted.contains(n)).collect::<Vec<_>>();
    out.line("use crate::arena::Arena;");
    if !constants.is_empty() {
        out.line(braces("crate::constants::", constants));
    }
    let deep = [
        ("smidgen_kernels::convert::", vec!["Stored"]),
        ("smidgen_kernels::nd::", vec!["Whole"]),
        ("smidgen_kernels::requant::", vec!["Factor", "SmallFactor"]),
    ];
    for (path, names) in deep {
        let names = named(&names);
        if !names.is_empty() {
            out.line(braces(path, &names));
        }
    }
    let direct = named(&[
        "Certified",
        "Isa",
        "Operand",
        "Region",
        "Rounding",
        "View",
        "Views",
        "Window2d",
        "convert",
        "float",
        "int8",
        "int16",
        "movement",
        "plain",
        "reference",
        "training",
    ]);
    out.line(braces("smidgen_kernels::", &direct));
    out.line("");
}

/// `use path::name;` or `use path::{a, b};`.
fn braces(path: &str, names: &[&str]) -> String {
    match names {
        [one] => format!("use {path}{one};"),
        _ => format!("use {path}{{{}}};", names.join(", ")),
    }
}

/// The struct and the function that calls the kernel.
fn parameters(call: &Call, tiled: bool, out: &mut Source) {
    let name = call.type_name();
    out.line(format!("/// Parameters of [`smidgen_kernels::{}`].", call.function));
    out.line(format!("struct {name} {{"));
    for field in call.fields() {
        out.line(format!("    {}: {},", field.name, field.of));
    }
    out.line("}\n");
    // On its own stack frame, which is gone when the next step begins.
    out.line("#[inline(never)]");
    let tiles = if tiled { ", tiles: &mut Tiles" } else { "" };
    let region = if call.takes_region() { "region" } else { "_" };
    out.line(format!("fn {}(arena: &mut Arena{tiles}, p: &{name}, {region}: Region) {{", call.function_name()));
    if call.fields().any(|f| f.name == "output_tile") {
        out.line("    tiles.begin(p.output_tile, region.x0);");
    }
    if let Some(element) = call.memory() {
        out.line("    // SAFETY: parameters and regions are those of the certified Program.");
        out.line(format!("    let memory = unsafe {{ arena.{element}s() }};"));
    }
    out.value(4, "", &invoke(call.function, call.passed()), ";");
    out.line("}\n");
}

/// The function that the schedule calls, and the tiles.
fn compute(kinds: &[&Call], tiled: bool, out: &mut Source) {
    let (more, pass) = if tiled { (", tiles: &mut Tiles", ", tiles") } else { ("", "") };
    out.line("/// Computes a region of a step's output.");
    if kinds.is_empty() {
        // A network that only hands on what it is given.
        out.line("pub(crate) fn compute(_: &mut Arena, step: usize, _: Region) {");
        out.line("    if let Some(step) = STEPS.get(step) {\n        match *step {}\n    }\n}\n");
        return;
    }
    out.line(format!("pub(crate) fn compute(arena: &mut Arena{more}, step: usize, region: Region) {{"));
    out.line("    match STEPS.get(step) {");
    for kind in kinds {
        let (name, function) = (kind.type_name(), kind.function_name());
        out.line(format!("        Some(Step::{name}(p)) => {function}(arena{pass}, p, region),"));
    }
    out.line("        None => {}\n    }\n}\n");
}

/// The generated type that follows the tiles.
fn tiles(count: usize, views: bool, operands: bool, pieces: bool, out: &mut Source) {
    out.line("/// For each buffer that stores only some columns at a time: the first one, which is that of the run that last wrote it.");
    out.line("#[derive(Clone, Copy)]");
    out.line(format!("pub(crate) struct Tiles([usize; {count}]);\n"));
    out.line("impl Tiles {");
    out.line("    pub const fn new() -> Self {");
    out.line(format!("        Self([0; {count}])"));
    out.line("    }\n");
    out.line("    /// The tile is written anew from column `x0` on.");
    out.line("    fn begin(&mut self, tile: u8, x0: usize) {");
    out.line("        if let Some(first) = self.0.get_mut(tile as usize) {");
    out.line("            *first = x0;");
    out.line("        }\n    }\n");
    out.line(format!("    /// The view where the tile lies at the moment; {NO_TILE} is no tile."));
    out.line("    fn view(&self, view: View, tile: u8) -> View {");
    out.line("        View { x0: self.0.get(tile as usize).copied().unwrap_or(0), ..view }");
    out.line("    }");
    if views {
        out.line("\n    /// The same of an input and an output.");
        out.line("    fn views(&self, views: &Views, input: u8, output: u8) -> Views {");
        out.line("        Views { input: self.view(views.input, input), output: self.view(views.output, output) }");
        out.line("    }");
    }
    if operands || pieces {
        out.line("\n    /// The same of an operand.");
        out.line(
            "    fn operand<'a, T>(&self, operand: Operand<'a, T, Certified>, tile: u8) -> Operand<'a, T, Certified> {",
        );
        out.line("        Operand { view: self.view(operand.view, tile), ..operand }");
        out.line("    }");
    }
    if pieces {
        out.add(PIECES);
    }
    out.line("}\n");
}

const PIECES: &str = "
    /// The same of the pieces of a CONCATENATION.
    fn pieces<const N: usize>(
        &self,
        mut pieces: [movement::Piece<'static, Certified>; N],
        tiles: [u8; N],
    ) -> [movement::Piece<'static, Certified>; N] {
        for (piece, tile) in pieces.iter_mut().zip(tiles) {
            piece.operand = self.operand(piece.operand, tile);
        }
        pieces
    }
";

/// `48x48x8`.
pub(crate) fn shape(extent: Extent) -> String {
    format!("{}x{}x{}", extent.rows, extent.cols, extent.depth)
}

/// Where a buffer lies: `bytes 0..1024`, and how if not as a whole.
pub(crate) fn whereabouts(program: &Program, id: BufferId) -> String {
    let buffer = &program.buffers[id.index()];
    let mut text = format!("bytes {}..{}", buffer.offset, buffer.offset + buffer.bytes());
    if buffer.slots < buffer.spec.extent.rows {
        text += &format!(", a ring of {}", count(buffer.slots, "row"));
    }
    if buffer.width < buffer.spec.extent.cols {
        text += &format!(", {} at a time", count(buffer.width, "column"));
    }
    text
}

/// What a step is, for its comment.
fn describe(program: &Program, index: usize, step: &Step) -> Vec<String> {
    let mut lines = vec![format!("Step {index}: {}.", plain(&step.name)), String::new()];
    for operand in &step.inputs {
        lines.push(match *operand {
            Operand::Buffer(id, extent) => format!("- from {} in {}", shape(extent), whereabouts(program, id)),
            Operand::Constant(id) => {
                format!("- from constant {}", plain(&program.constants[id.index()].name))
            }
        });
    }
    for target in &step.outputs {
        lines.push(format!("- to {} in {}", shape(target.extent), whereabouts(program, target.buffer)));
    }
    for (what, range) in [("scratch", program.scratch[index]), ("accumulators", program.state[index])] {
        if range.len > 0 {
            lines.push(format!("- {what} in bytes {}..{}", range.offset, range.offset + range.len));
        }
    }
    if step.macs > 0 {
        lines.push(format!("- {} multiply-accumulates", step.macs));
    }
    lines
}
