//! Prints `lib.rs`: what the user of a generated crate sees.

use crate::Options;
use crate::helpers;
use crate::learning::{self, Learning};
use crate::ports::{Place, PortInfo, rust_type};
use crate::source::{Source, count, plain, plain_up_to};
use crate::steps::{shape, whereabouts};
use crate::value::{Literal, WIDTH, atom, fill, numbers};
use smidgen_program::{Initial, Program, operator_of};

/// What the file needs to know.
pub(crate) struct Api<'a> {
    pub program: &'a Program,
    pub options: &'a Options,
    pub inputs: Vec<PortInfo>,
    pub outputs: Vec<PortInfo>,
    /// Bytes of the constants, and where each begins.
    pub constants: usize,
    pub places: &'a [usize],
    pub digest: u64,
    /// What it is, if it is an iteration of training.
    pub learning: Option<Learning>,
}

/// Whether a variable begins with other bytes than one over and over.
pub(crate) fn has_initial_constants(program: &Program) -> bool {
    program.variables.iter().any(|variable| matches!(variable.initial, Initial::Constant(_)))
}

impl Api<'_> {
    /// Whether something outlives an inference.
    fn has_state(&self) -> bool {
        !self.program.variables.is_empty()
    }

    fn streamed(&self) -> bool {
        self.inputs.iter().any(|i| i.rows.is_some())
    }

    /// The only input that there is, if it is streamed.
    fn only_stream(&self) -> Option<&PortInfo> {
        match &self.inputs[..] {
            [one] if one.rows.is_some() => Some(one),
            _ => None,
        }
    }

    /// The file.
    pub fn print(&self) -> String {
        let mut out = Source::default();
        self.documentation(&mut out);
        out.line("#![no_std]\n");
        out.line("mod arena;");
        out.line("mod constants;");
        out.line("mod schedule;");
        out.line("mod steps;\n");
        out.line("pub use arena::{ARENA_BYTES, Arena};");
        out.line("pub use constants::CONSTANT_BYTES;");
        if self.outputs.iter().any(|o| matches!(o.place, Place::Constant(_))) || has_initial_constants(self.program) {
            out.line("use constants::array;");
        }
        out.line("use core::borrow::BorrowMut;");
        out.line("use schedule::Progress;");
        if self.learning.is_some() {
            out.line("pub use smidgen_kernels::store::{self, ExportError, Failed, Refusal, Store, slot_bytes};");
        }
        out.line("");
        self.numbers(&mut out);
        for port in &self.inputs {
            self.port(port, "input", &mut out);
            helpers::input(port, &mut out);
        }
        for port in &self.outputs {
            self.port(port, "output", &mut out);
            helpers::output(port, &mut out);
        }
        self.labels(&mut out);
        self.pixels(&mut out);
        self.model(&mut out);
        out.text
    }

    /// One inference, for a page: without the lines that documentation hides.
    pub fn example(&self) -> String {
        self.usage().iter().filter(|line| !line.starts_with("# ")).map(|line| line.clone() + "\n").collect()
    }

    /// One inference, as documentation that is compiled.
    fn usage(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let name = &self.options.name;
        let krate = crate::source::identifier(name);
        match (self.only_stream(), &self.inputs[..], &self.outputs[..]) {
            (Some(input), _, _) => {
                let more = if self.learning.is_some() { ", RATE_ONE" } else { "" };
                lines.push(format!("use {krate}::{{INPUT_ROWS, Model{more}, Row}};"));
                lines.push(String::new());
                lines.push("let mut model = Model::new();".into());
                let elements = input.rows.map_or(0, |r| r.elements);
                lines.push(format!("let row: Row = [{}; {elements}];", zero(input.element)));
                lines.push("// Rows as they come from the camera; the last one completes the result.".into());
                lines.push("for _ in 1..INPUT_ROWS {".into());
                lines.push("    assert!(model.push_row(&row).is_none());".into());
                lines.push("}".into());
                lines.push("let output = model.push_row(&row).unwrap();".into());
                lines.push("# let _ = output;".into());
                if self.learning.is_some() {
                    lines.push(String::new());
                    lines.push("// That the next rows are of class 1; the learning rate is 0.002.".into());
                    lines.push("assert!(model.begin_training(1, RATE_ONE / 500).is_ok());".into());
                    lines.push("for _ in 0..INPUT_ROWS {".into());
                    lines.push("    model.push_row(&row);".into());
                    lines.push("}".into());
                    lines.push("let loss = model.loss();".into());
                    lines.push("# let _ = loss;".into());
                }
            }
            (None, [input], [_]) => {
                let more = if self.learning.is_some() { ", RATE_ONE" } else { "" };
                lines.push(format!("use {krate}::{{Input, Model{more}}};"));
                lines.push(String::new());
                lines.push("let mut model = Model::new();".into());
                lines.push(format!("let input: Input = [{}; {}];", zero(input.element), input.elements));
                if self.learning.is_some() {
                    lines.push("// That this is of class 1; the learning rate is 0.002.".into());
                    lines.push("let loss = model.train_step(&input, 1, RATE_ONE / 500);".into());
                    lines.push("assert!(loss.is_ok());".into());
                }
                lines.push("let output = model.predict(&input);".into());
                lines.push("# let _ = output;".into());
            }
            _ => {
                lines.push(format!("let mut model = {krate}::Model::new();"));
                lines.push("while model.step() == {krate}::Status::Running {}".replace("{krate}", &krate));
            }
        }
        lines
    }

    fn documentation(&self, out: &mut Source) {
        let title = &self.options.title;
        let mut line = |text: &str| out.line(format!("//! {text}").trim_end());
        line(&format!("`{}`, computed without heap and without operating system.", plain(title)));
        line("");
        line("```");
        self.usage().iter().for_each(|text| line(text));
        line("```");
        line("");
        if self.has_state() {
            line(
                "[`Model::new`] owns its memory and can be the value of a `static`; [`Model::in_arena`] takes the caller's. Nothing here panics.",
            );
            line("");
            line(if self.learning.is_some() {
                "The network learns: [`Model::train_step`] changes what [`Model::predict`] gives, and nothing else does, until [`Model::reset`]."
            } else {
                "The network has state: what an inference gives depends on those before it, from the first or from the last [`Model::reset`] on."
            });
        } else {
            line(
                "[`Model::new`] owns its memory and can be the value of a `static`; [`Model::in_arena`] takes memory that other code uses between",
            );
            line("inferences. Nothing here panics.");
        }
        line("");
        let total = self.program.arena_bytes;
        line(&format!(
            "- SRAM: {total} bytes of arena; [`SRAM_BYTES`] with the model's own few. The stack comes on top."
        ));
        if self.has_state() {
            let bytes = self.program.persistent_bytes();
            line(&format!("- State: {bytes} bytes of the arena outlive an inference."));
        }
        line(&format!("- Flash: {} bytes of constants; code comes on top.", self.constants));
        if let Some(board) = &self.options.board {
            line(&format!("- Planned for: {}.", plain(board)));
        }
        line(&format!("- Made by smidgen {}; digest of the plan {:#018x}.", env!("CARGO_PKG_VERSION"), self.digest));
        line("");
        line("# Memory");
        line("");
        line("| step | operator | output | arena |");
        line("|---:|---|---|---|");
        for port in &self.inputs {
            if let Place::Arena(offset) = port.place {
                let shape = port.shape.iter().map(ToString::to_string).collect::<Vec<_>>().join("x");
                let held = port.rows.map_or(String::new(), |r| format!(", a ring of {}", count(r.slots, "row")));
                let stored = port.rows.map_or(port.elements, |r| r.elements * r.slots);
                let end = offset + stored * crate::call::element_size(port.element);
                line(&format!("| | input | {shape} | bytes {offset}..{end}{held} |"));
            }
        }
        for variable in &self.program.variables {
            let (bytes, extent) =
                (self.program.variable_bytes(variable), self.program.buffers[variable.value.index()].spec.extent);
            let end = bytes.offset + bytes.len;
            let name = plain(&variable.name);
            line(&format!("| | state `{name}` | {} | bytes {}..{end} |", shape(extent), bytes.offset));
        }
        for (i, step) in self.program.steps.iter().enumerate() {
            for target in &step.outputs {
                let (extent, place) = (shape(target.extent), whereabouts(self.program, target.buffer));
                line(&format!("| {i} | {} | {extent} | {place} |", plain(operator_of(&step.name))));
            }
        }
        line("");
        line(
            "Outputs may lie where inputs of the same step lie: an order of reading and writing in which that is right was proven when this",
        );
        line("was made, and no kernel here departs from it.");
    }

    fn numbers(&self, out: &mut Source) {
        out.line("/// Bytes of SRAM: the arena and the model's own variables. The stack comes on top.");
        out.line("pub const SRAM_BYTES: usize = size_of::<Model>();\n");
        if self.has_state() {
            out.line("/// Bytes of the state: what outlives an inference.");
            out.line(format!("pub const STATE_BYTES: usize = {};\n", self.program.persistent_bytes()));
            out.line("/// A copy of the state, good for this network alone.");
            out.line("pub type State = [u8; STATE_BYTES];\n");
        }
        if let Some(learning) = &self.learning {
            learning::items(learning, out);
        }
        out.line("/// Digest of the plan that this code was printed from: `smidgen plan --json` gives the same for the same plan.");
        out.line(format!("pub const DIGEST: u64 = {:#018x};\n", self.digest));
    }

    fn port(&self, port: &PortInfo, kind: &str, out: &mut Source) {
        let upper = kind.to_ascii_uppercase() + &port.suffix;
        let camel = port.camel(&(kind[..1].to_ascii_uppercase() + &kind[1..]));
        let shape = port.shape.iter().map(ToString::to_string).collect::<Vec<_>>().join("x");
        out.line(format!("/// The {kind} `{}`: {shape}, row by row.", port.tensor));
        if let Some(order) = &port.order {
            out.line("///");
            out.line(format!("/// {order}"));
        }
        out.line(format!("pub type {camel} = [{}; {}];\n", port.element, port.elements));
        out.line(format!("/// Shape of [`{camel}`]."));
        out.value(0, &format!("pub const {upper}_SHAPE: [usize; {}] = ", port.shape.len()), &numbers(&port.shape), ";");
        out.line("");
        if let Some((scale, zero)) = port.quantisation {
            out.line(format!(
                "/// A stored number `q` of [`{camel}`] stands for `{upper}_SCALE * (q - {upper}_ZERO_POINT)`."
            ));
            out.value(0, &format!("pub const {upper}_SCALE: f32 = "), &scale.source(), ";\n");
            out.line(format!("/// See [`{upper}_SCALE`]."));
            out.value(0, &format!("pub const {upper}_ZERO_POINT: i32 = "), &atom(zero), ";\n");
        }
        if let Some(rows) = port.rows {
            out.line(format!("/// A row of [`{camel}`]."));
            out.line(format!("pub type {} = [{}; {}];\n", port.camel("Row"), port.element, rows.elements));
            out.line(format!("/// Rows of [`{camel}`]."));
            out.line(format!("pub const {upper}_ROWS: usize = {};\n", rows.count));
        }
    }

    fn labels(&self, out: &mut Source) {
        let labels = &self.options.labels;
        if labels.is_empty() {
            return;
        }
        out.line("/// Names of the classes, in the order of the output.");
        out.line("#[rustfmt::skip]");
        out.line(format!("pub const LABELS: [&str; {}] = [", labels.len()));
        out.add(&fill(labels.iter().map(|l| format!("{l:?}")), 4));
        out.line("];\n");
    }

    fn pixels(&self, out: &mut Source) {
        let Some(pixels) = &self.options.pixels else { return };
        let element = rust_type(pixels.element);
        let each = pixels.stored.len() > 1;
        out.line(if each {
            "/// The stored number for a pixel of 0 to 255 of a channel of the network, 0 to 2; a greater one is taken for the last."
        } else {
            "/// The stored number for a pixel of 0 to 255."
        });
        out.line("///");
        if pixels.swapped {
            out.line("/// The network's channels are blue, green and red, in this order.");
        }
        out.line(format!("/// Normalised as {}.", plain_up_to(&pixels.description, 240)));
        let channel = if each { "channel: usize, " } else { "" };
        out.line(format!("pub const fn pixel({channel}value: u8) -> {element} {{"));
        let expressions: Option<Vec<String>> =
            pixels.stored.iter().map(|stored| pixel_expression(stored, element)).collect();
        match expressions {
            Some(all) if each => {
                out.line("    match channel {");
                for (channel, expression) in all.iter().enumerate() {
                    let pattern = if channel + 1 == all.len() { "_".to_owned() } else { channel.to_string() };
                    out.line(format!("        {pattern} => {expression},"));
                }
                out.line("    }");
            }
            Some(all) => out.line(format!("    {}", all[0])),
            None => {
                let count = pixels.stored.len();
                let (kind, margin) =
                    if each { (format!("[[{element}; 256]; {count}]"), 12) } else { (format!("[{element}; 256]"), 8) };
                out.line("    #[rustfmt::skip]");
                out.line(format!("    const STORED: {kind} = ["));
                for stored in &pixels.stored {
                    let table = fill(stored.iter().map(ToString::to_string), margin);
                    out.add(&if each { format!("        [\n{table}        ],\n") } else { table });
                }
                out.line("    ];");
                if each {
                    out.line(format!("    let channel = if channel < {count} {{ channel }} else {{ {} }};", count - 1));
                }
                out.line(format!("    STORED{}[value as usize]", if each { "[channel]" } else { "" }));
            }
        }
        out.line("}\n");
    }

    fn model(&self, out: &mut Source) {
        out.add(STATUS);
        if self.streamed() {
            out.line("    /// A row of a streamed input must be given before it goes on.");
            out.line("    NeedsRow,");
        }
        out.line("    /// The outputs are there.");
        out.line("    Done,\n}\n");
        if self.outputs.len() > 1 {
            out.line("/// All outputs. They lie in the arena until the next inference.");
            out.line("pub struct Outputs<'a> {");
            for port in &self.outputs {
                out.line(format!("    /// `{}`.", port.tensor));
                out.line(format!("    pub output{}: &'a {},", port.suffix, port.camel("Output")));
            }
            out.line("}\n");
        }
        out.line("/// The network, with an arena of its own or one that it was given.");
        out.line("pub struct Model<A = Arena> {");
        out.line("    arena: A,");
        out.line("    progress: Progress,");
        // A ring of one row has no next place.
        let streams: Vec<&PortInfo> = self.inputs.iter().filter(|i| i.rows.is_some_and(|r| r.slots > 1)).collect();
        for port in &streams {
            out.line("    /// Where the next row goes.");
            out.line(format!("    slot{}: u16,", port.suffix));
        }
        if self.has_state() {
            out.line("    /// Whether the state is there: what it begins with, or what an inference has left.");
            out.line("    primed: bool,");
        }
        if self.learning.is_some() {
            out.line("    /// Whether what was begun is an iteration of training.");
            out.line("    training: bool,");
        }
        let waits = self.learning.is_some_and(|learning| learning.waits());
        if waits {
            out.line("    /// Label and learning rate.");
            out.line("    taught: [i32; 2],");
        }
        out.line("}\n");
        let mut slots: String = streams.iter().map(|p| format!(", slot{}: 0", p.suffix)).collect();
        if self.has_state() {
            slots += ", primed: false";
        }
        if self.learning.is_some() {
            slots += ", training: false";
        }
        if waits {
            slots += ", taught: [0; 2]";
        }
        out.line("impl Model {");
        out.line("    /// A network with its own arena.");
        out.line("    pub const fn new() -> Self {");
        out.line(format!("        Self {{ arena: Arena::new(), progress: Progress::new(){slots} }}"));
        out.line("    }\n}\n");
        out.line("impl Default for Model {\n    fn default() -> Self {\n        Self::new()\n    }\n}\n");
        out.line("impl<'a> Model<&'a mut Arena> {");
        out.line(if self.has_state() {
            "    /// A network that computes, and keeps its state, in the caller's arena; whatever is in there."
        } else {
            "    /// A network that computes in the caller's arena; whatever is in there."
        });
        out.line("    pub const fn in_arena(arena: &'a mut Arena) -> Self {");
        out.line(format!("        Self {{ arena, progress: Progress::new(){slots} }}"));
        out.line("    }\n}\n");
        out.line("impl<A: BorrowMut<Arena>> Model<A> {");
        self.predict(out);
        if let Some(learning) = &self.learning {
            learning::methods(learning, self.program.persistent().offset, out);
        }
        for port in &self.inputs {
            self.input(port, out);
        }
        out.line("    /// Begins a new inference, whatever has become of the last one.");
        if self.has_state() {
            out.line("    ///");
            out.line(if self.learning.is_some() {
                "    /// What was learnt stays, and of an iteration of training that was not done what that had learnt so far."
            } else {
                "    /// The state stays. If the last inference was not done, part of it may be new already: then [`reset`](Self::reset) is what helps."
            });
        }
        out.line("    pub fn restart(&mut self) {");
        out.line("        self.progress = Progress::new();");
        if self.learning.is_some() {
            out.line("        self.training = false;");
        }
        for port in &streams {
            out.line(format!("        self.slot{} = 0;", port.suffix));
        }
        out.line("    }\n");
        match self.has_state() {
            true => self.state(out),
            false => out.add(STEP),
        }
        for port in &self.outputs {
            output(port, self.places, out);
        }
        if self.outputs.len() > 1 {
            out.line("\n    /// All outputs, once the inference is done.");
            out.line("    pub fn outputs(&self) -> Outputs<'_> {");
            let fields: Vec<String> =
                self.outputs.iter().map(|p| format!("output{0}: self.output{0}()", p.suffix)).collect();
            let line = format!("        Outputs {{ {} }}", fields.join(", "));
            if line.len() <= WIDTH {
                out.line(line);
            } else {
                out.line(format!("        Outputs {{\n            {},\n        }}", fields.join(",\n            ")));
            }
            out.line("    }");
        }
        out.line("}");
    }

    /// What has to do with state, and the step that begins with it.
    fn state(&self, out: &mut Source) {
        out.line(match self.learning {
            Some(_) => "    /// Forgets what was learnt: the network is as it left the factory.",
            None => "    /// Forgets all earlier inferences: the next one is as the first.",
        });
        out.line("    pub fn reset(&mut self) {");
        out.line("        self.restart();");
        out.line("        self.primed = false;");
        out.line("    }\n");
        let offset = self.program.persistent().offset;
        out.line("    /// The state, to be kept and given to [`set_state`](Self::set_state) another time.");
        out.line("    pub fn state(&mut self) -> &State {");
        out.line("        if !self.primed {");
        out.line("            self.prime();");
        out.line("        }");
        out.line(format!("        self.arena.borrow().get::<u8, {offset}, STATE_BYTES>()"));
        out.line("    }\n");
        out.line("    /// Goes on from a state that was kept. Nothing is checked: any bytes are taken for a state.");
        out.line("    pub fn set_state(&mut self, state: &State) {");
        out.line("        self.restart();");
        out.line("        self.primed = true;");
        out.line(format!("        *self.arena.borrow_mut().get_mut::<u8, {offset}, STATE_BYTES>() = *state;"));
        out.line("    }\n");
        out.line("    /// Gives the state the values that it begins with.");
        out.line("    fn prime(&mut self) {");
        out.line("        self.primed = true;");
        out.line("        let arena = self.arena.borrow_mut();");
        let held = self.program.variables.iter().map(|variable| self.program.variable_bytes(variable).len);
        if held.sum::<usize>() < self.program.persistent_bytes() {
            // What is between variables is part of the state, which is compared and kept; the caller's memory may hold anything.
            out.line(format!("        arena.get_mut::<u8, {offset}, STATE_BYTES>().fill(0);"));
        }
        for variable in &self.program.variables {
            let bytes = self.program.variable_bytes(variable);
            let held = format!("arena.get_mut::<i8, {}, {}>()", bytes.offset, bytes.len);
            match variable.initial {
                Initial::Fill(byte) => out.line(format!("        {held}.fill({});", byte as i8)),
                Initial::Constant(id) => {
                    out.line(format!("        *{held} = *const {{ array({}) }};", self.places[id.index()]));
                }
            }
        }
        out.line("    }\n");
        let first = "        self.progress.step(self.arena.borrow_mut())";
        let mut before = "        if !self.primed {\n            self.prime();\n        }\n".to_owned();
        if self.learning.is_some() {
            before += "        if !self.training && self.progress.has_logits() {\n            return Status::Done;\n        }\n";
        }
        if self.learning.is_some_and(|learning| learning.waits()) {
            before += "        self.teach();\n";
        }
        out.add(&STEP.replace(first, &(before + first)));
    }

    /// The type and the expression of what an inference gives.
    fn result(&self) -> (&'static str, &'static str) {
        match self.outputs.len() {
            1 => ("&Output", "self.output()"),
            _ => ("Outputs<'_>", "self.outputs()"),
        }
    }

    fn predict(&self, out: &mut Source) {
        let (of, result) = self.result();
        let parameters: Vec<String> = std::iter::once("&mut self".to_owned())
            .chain(self.inputs.iter().map(|p| format!("input{}: &{}", p.suffix, p.camel("Input"))))
            .collect();
        out.line("    /// Computes the outputs for these inputs, which are copied into the arena.");
        if self.learning.is_some() {
            out.line("    /// What was learnt is used and not changed.");
        }
        let line = format!("    pub fn predict({}) -> {of} {{", parameters.join(", "));
        if line.len() <= WIDTH {
            out.line(line);
        } else {
            out.line("    pub fn predict(");
            parameters.iter().for_each(|parameter| out.line(format!("        {parameter},")));
            out.line(format!("    ) -> {of} {{"));
        }
        out.line("        self.restart();");
        if self.learning.is_some() {
            out.line("        self.complete(input);");
            out.line(format!("        {result}"));
            out.line("    }\n");
            out.line("    /// Gives the sample and does all of what was begun.");
            out.line("    fn complete(&mut self, input: &Input) {");
        }
        for port in self.inputs.iter().filter(|p| p.rows.is_none()) {
            out.line(format!("        *self.input{0}_mut() = *input{0};", port.suffix));
        }
        let streams: Vec<&PortInfo> = self.inputs.iter().filter(|i| i.rows.is_some()).collect();
        if streams.is_empty() {
            out.line("        while self.step() == Status::Running {}");
        } else {
            for port in &streams {
                out.line(format!("        let mut rows{0} = input{0}.as_chunks().0.iter();", port.suffix));
            }
            out.line("        loop {");
            out.line("            match self.step() {");
            out.line("                Status::Running => {}");
            out.line("                Status::Done => break,");
            out.line("                Status::NeedsRow => {");
            for port in &streams {
                out.line(format!("                    if self.wants_row{0}() {{", port.suffix));
                out.line(format!(
                    "                        let Some(row) = rows{0}.next() else {{ break }};",
                    port.suffix
                ));
                out.line(format!("                        self.give_row{0}(row);", port.suffix));
                out.line("                    }");
            }
            out.line("                }\n            }\n        }");
        }
        if self.learning.is_none() {
            out.line(format!("        {result}"));
        }
        out.line("    }\n");
        if let Some(port) = self.only_stream() {
            let rows = port.camel("Row");
            out.line("    /// Takes the next row of the input and computes all that it makes possible. The last row of an input gives the result; the");
            out.line("    /// row after that begins the next input.");
            out.line(format!("    pub fn push_row(&mut self, row: &{rows}) -> Option<{of}> {{"));
            out.line("        if self.run() == Status::Done {");
            out.line("            self.restart();");
            out.line("            self.run();");
            out.line("        }");
            out.line("        self.give_row(row);");
            out.line(format!("        (self.run() == Status::Done).then(|| {result})"));
            out.line("    }\n");
            out.line("    /// Computes until there is nothing to do.");
            out.line("    fn run(&mut self) -> Status {");
            out.line("        loop {");
            out.line("            let status = self.step();");
            out.line("            if status != Status::Running {");
            out.line("                return status;");
            out.line("            }\n        }\n    }\n");
        }
    }

    fn input(&self, port: &PortInfo, out: &mut Source) {
        let suffix = &port.suffix;
        let Place::Arena(offset) = port.place else { return };
        match port.rows {
            None => {
                let camel = port.camel("Input");
                out.line("    /// Where the input lies, to be filled in place (by a camera, say) before the first [`step`](Self::step) of an inference,");
                out.line("    /// which overwrites it.");
                out.line(format!("    pub fn input{suffix}_mut(&mut self) -> &mut {camel} {{"));
                out.line(format!(
                    "        self.arena.borrow_mut().get_mut::<{}, {offset}, {}>()",
                    port.element, port.elements
                ));
                out.line("    }\n");
            }
            Some(rows) => {
                let index = self.inputs.iter().position(|p| p == port).unwrap_or(0);
                out.line(format!(
                    "    /// Whether a row of the input{} is what [`step`](Self::step) waits for.",
                    suffix.replace('_', " ")
                ));
                out.line(format!("    pub fn wants_row{suffix}(&mut self) -> bool {{"));
                out.line(format!("        self.progress.awaits() == Some({index})"));
                out.line("    }\n");
                out.line("    /// Takes the next row, without computing anything: that is [`step`](Self::step)'s. False, and nothing is taken, where no row is");
                out.line("    /// waited for.");
                out.line(format!("    pub fn give_row{suffix}(&mut self, row: &{}) -> bool {{", port.camel("Row")));
                out.line(format!("        let wanted = self.wants_row{suffix}();"));
                out.line("        if wanted {");
                let ring = format!("get_mut::<{}, {offset}, {}>()", port.element, rows.elements * rows.slots);
                out.line(format!("            let ring = self.arena.borrow_mut().{ring};"));
                if rows.slots > 1 {
                    out.line("            let (slots, _) = ring.as_chunks_mut();");
                    out.line(format!("            if let Some(slot) = slots.get_mut(self.slot{suffix} as usize) {{"));
                    out.line("                *slot = *row;");
                    out.line("            }");
                    let (slot, last) = (format!("self.slot{suffix}"), rows.slots - 1);
                    out.line(format!("            {slot} = if {slot} < {last} {{ {slot} + 1 }} else {{ 0 }};"));
                } else {
                    out.line("            *ring = *row;");
                }
                out.line("            self.progress.given();");
                out.line("        }");
                out.line("        wanted");
                out.line("    }\n");
            }
        }
    }
}

fn output(port: &PortInfo, places: &[usize], out: &mut Source) {
    let camel = port.camel("Output");
    out.line("");
    out.line(format!("    /// The output `{}`, once the inference is done.", port.tensor));
    out.line(format!("    pub fn output{}(&self) -> &{camel} {{", port.suffix));
    match port.place {
        Place::Arena(offset) => {
            out.line(format!("        self.arena.borrow().get::<{}, {offset}, {}>()", port.element, port.elements));
        }
        Place::Constant(id) => out.line(format!("        const {{ array({}) }}", places[id])),
    }
    out.line("    }");
}

fn zero(element: &str) -> &'static str {
    if element == "f32" { "0.0" } else { "0" }
}

/// An expression of `value` that gives these stored numbers, where a short one does.
fn pixel_expression(stored: &[i16; 256], element: &str) -> Option<String> {
    let all = |f: &dyn Fn(i32) -> i32| (0..256).all(|v| f(v) == stored[v as usize] as i32);
    let narrow = element == "i8";
    if element == "u8" && all(&|v| v) {
        return Some("value".to_owned());
    }
    if narrow && all(&|v| v as u8 as i8 as i32) {
        return Some("value as i8".to_owned());
    }
    if narrow && all(&|v| v - 128) {
        return Some("(value ^ 0x80) as i8".to_owned());
    }
    // Rounded straight lines, in 16.16 fixed point; the steps of int16 from one pixel to the next have no room there.
    if (stored[255] as i32 - stored[0] as i32).unsigned_abs() > 0x7fff {
        return None;
    }
    let slope = (stored[255] as i32 - stored[0] as i32) << 16;
    for slope in [slope / 255, slope / 255 + 1] {
        for offset in (0..16).map(|half| ((stored[0] as i32) << 16) + (half << 12)) {
            let fits = (255 * i64::from(slope) + i64::from(offset)).unsigned_abs() <= 0x7fff_ffff;
            if fits && all(&|v| (v * slope + offset) >> 16) {
                return Some(format!("((value as i32 * {slope} + {offset}) >> 16) as {element}").replace("+ -", "- "));
            }
        }
    }
    None
}

const STATUS: &str = "\
/// What [`Model::step`] found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// It did some of the work; there may be more.
    Running,
";

const STEP: &str =
    "    /// Does a part of the work: one run of the schedule. For schedulers that have other things to do in between.
    pub fn step(&mut self) -> Status {
        self.progress.step(self.arena.borrow_mut())
    }
";
