//! Prints `schedule.rs`: the run list, and what goes through it.

use crate::learning::Learning;
use crate::runs::{Entry, REPEAT, Schedule};
use crate::source::Source;
use crate::value::{array, atom, fill, numbers, structure};
use smidgen_program::Program;

/// The file.
pub(crate) fn print(program: &Program, schedule: &Schedule, (tiles, learning): (usize, Option<Learning>)) -> String {
    let Schedule { entries, codes, partial, .. } = schedule;
    let steps = program.steps.len();
    let streamed = entries.iter().any(|e| e.step >= steps);
    let plain = codes.iter().enumerate().all(|(i, &c)| i == c as usize);
    let mut out = Source::default();
    out.line("//! The schedule: which rows of which step come next. Nothing else is decided when running.\n");
    out.line("use crate::Status;\nuse crate::arena::Arena;");
    out.line(if tiles > 0 { "use crate::steps::{Tiles, compute};" } else { "use crate::steps::compute;" });
    out.line("use smidgen_kernels::Region;\n");
    entry_type(schedule, steps, &mut out);
    entry_table(entries, *partial, &mut out);
    if !plain {
        code_table(schedule, &mut out);
    }
    if let Some(Learning { logits_end, .. }) = learning {
        out.line("/// Index of what comes after the logits.");
        let of = index_type(codes.len());
        out.line(format!("const LOGITS_END: {of} = {logits_end};\n"));
    }
    progress(schedule, program, plain, streamed, tiles, &mut out);
    if learning.is_some() {
        out.line("\nimpl Progress {");
        out.line("    /// Whether the logits are there.");
        out.line("    pub fn has_logits(&self) -> bool {");
        out.line("        self.at >= LOGITS_END");
        out.line("    }\n}");
    }
    out.text
}

/// The type of an index of the run list.
fn index_type(codes: usize) -> &'static str {
    if codes > u16::MAX as usize { "u32" } else { "u16" }
}

fn entry_type(schedule: &Schedule, steps: usize, out: &mut Source) {
    out.line("/// Some rows of one step.");
    out.line("struct Run {");
    let number = |max: usize| {
        if max <= u8::MAX as usize {
            "u8"
        } else if max <= u16::MAX as usize {
            "u16"
        } else {
            "u32"
        }
    };
    let most = |f: fn(&Entry) -> usize| schedule.entries.iter().map(f).max().unwrap_or(0);
    let fed = if most(|e| e.step) >= steps {
        "; from the number of steps on, the input of which rows must be given"
    } else {
        ""
    };
    out.line(format!("    /// The step{fed}."));
    out.line(format!("    step: {},", number(most(|e| e.step))));
    if schedule.partial {
        let furthest = most(|e| e.skip.unsigned_abs());
        let of = if furthest <= i8::MAX as usize {
            "i8"
        } else if furthest <= i16::MAX as usize {
            "i16"
        } else {
            "i32"
        };
        out.line("    /// First row, counted from the end of the step's last run.");
        out.line(format!("    skip: {of},"));
    }
    out.line("    /// How many rows.");
    out.line(format!("    rows: {},", number(most(|e| e.rows))));
    out.line("    /// First column and one past the last.");
    out.line(format!("    columns: [{}; 2],", number(most(|e| e.x1))));
    out.line("}\n");
}

fn entry_table(entries: &[Entry], partial: bool, out: &mut Source) {
    out.line("/// Every run that occurs.");
    let run = |e: &Entry| {
        let mut fields = vec![("step", atom(e.step))];
        fields.extend(partial.then(|| ("skip", atom(e.skip))));
        fields.extend([("rows", atom(e.rows)), ("columns", numbers([e.x0, e.x1]))]);
        structure("Run", fields)
    };
    let all = array(entries.iter().map(run));
    out.value(0, &format!("static RUNS: [Run; {}] = ", entries.len()), &all, ";\n");
}

fn code_table(schedule: &Schedule, out: &mut Source) {
    let of = if schedule.wide { "u16" } else { "u8" };
    out.line("/// The order of the runs, by their index.");
    if schedule.repeats {
        out.line("///");
        out.line("/// [`REPEAT`] goes back as many codes as the next one says, as often as the one after that says.");
    }
    out.line("#[rustfmt::skip]");
    out.line(format!("static ORDER: [{of}; {}] = [", schedule.codes.len()));
    out.add(&fill(schedule.codes.iter().map(ToString::to_string), 4));
    out.line("];\n");
    if schedule.repeats {
        out.line(format!("const REPEAT: {of} = {};\n", REPEAT[usize::from(schedule.wide)]));
    }
}

fn progress(schedule: &Schedule, program: &Program, plain: bool, streamed: bool, tiles: usize, out: &mut Source) {
    let (steps, codes) = (program.steps.len(), schedule.codes.len());
    // Wide enough for every row index.
    let row = if schedule.entries.iter().any(|e| e.rows.max(e.skip.unsigned_abs()) > i16::MAX as usize) {
        "32"
    } else {
        "16"
    };
    out.line("/// How far an inference has come.");
    out.line("pub(crate) struct Progress {");
    out.line("    /// Index of what comes next.");
    let at = index_type(codes);
    out.line(format!("    at: {at},"));
    let mut fields = vec![("at", "0".to_owned())];
    if schedule.repeats {
        out.line("    /// How often the part that is being repeated is still to be repeated.");
        out.line("    left: u16,");
        fields.push(("left", "0".to_owned()));
    }
    if schedule.partial {
        out.line("    /// For each step, the row after its last run.");
        out.line(format!("    rows: [u{row}; {steps}],"));
        fields.push(("rows", format!("[0; {steps}]")));
    }
    if streamed {
        out.line("    /// Rows given of those that are awaited.");
        out.line(format!("    given: u{row},"));
        fields.push(("given", "0".to_owned()));
    }
    if tiles > 0 {
        out.line("    tiles: Tiles,");
        fields.push(("tiles", "Tiles::new()".to_owned()));
    }
    out.line("}\n");
    out.line("impl Progress {");
    out.line("    pub const fn new() -> Self {");
    let fields = fields.into_iter().map(|(name, value)| (name, atom(value))).collect();
    out.value(8, "", &structure("Self", fields), "");
    out.line("    }\n");
    out.line("    /// The run that comes next.");
    let receiver = if schedule.repeats { "&mut self" } else { "&self" };
    out.line(format!("    fn next({receiver}) -> Option<&'static Run> {{"));
    if plain {
        out.line("        RUNS.get(self.at as usize)");
    } else if schedule.repeats {
        out.line("        let at = self.at as usize;");
        out.line("        let mut code = *ORDER.get(at)?;");
        out.line("        if code == REPEAT {");
        out.line(format!("            let (back, times) = (*ORDER.get(at + 1)? as {at}, *ORDER.get(at + 2)? as u16);"));
        out.line("            self.left = if self.left == 0 { times } else { self.left.wrapping_sub(1) };");
        out.line(
            "            self.at = if self.left > 0 { self.at.wrapping_sub(back) } else { self.at.wrapping_add(3) };",
        );
        out.line("            code = *ORDER.get(self.at as usize)?;");
        out.line("        }");
        out.line("        RUNS.get(code as usize)");
    } else {
        out.line("        RUNS.get(*ORDER.get(self.at as usize)? as usize)");
    }
    out.line("    }\n");
    out.line("    /// Does the next run.");
    out.line("    pub fn step(&mut self, arena: &mut Arena) -> Status {");
    out.line("        let Some(run) = self.next() else { return Status::Done };");
    if streamed {
        out.line("        if run.step as usize >= STEPS {");
        out.line("            return Status::NeedsRow;");
        out.line("        }");
    }
    out.line("        self.at = self.at.wrapping_add(1);");
    if schedule.partial {
        out.line("        let Some(row) = self.rows.get_mut(run.step as usize) else { return Status::Done };");
        out.line(format!("        let y0 = row.wrapping_add_signed(run.skip as i{row});"));
        out.line(format!("        let y1 = y0.wrapping_add(run.rows as u{row});"));
        out.line("        *row = y1;");
    } else {
        out.line("        let (y0, y1) = (0, run.rows);");
    }
    out.line("        let [x0, x1] = run.columns;");
    out.line("        let region = Region { y0: y0 as usize, y1: y1 as usize, x0: x0 as usize, x1: x1 as usize };");
    let pass = if tiles > 0 { ", &mut self.tiles" } else { "" };
    out.line(format!("        compute(arena{pass}, run.step as usize, region);"));
    out.line("        Status::Running");
    out.line("    }");
    if streamed {
        out.add(&STREAMED.replace("u16", &format!("u{row}")));
        out.line("}\n");
        out.line(format!("const STEPS: usize = {steps};"));
    } else {
        out.line("}");
    }
}

const STREAMED: &str = "
    /// The input of which a row must be given now.
    pub fn awaits(&mut self) -> Option<usize> {
        (self.next()?.step as usize).checked_sub(STEPS)
    }

    /// A row has been given.
    pub fn given(&mut self) {
        self.given = self.given.wrapping_add(1);
        if self.next().is_some_and(|run| self.given >= run.rows as u16) {
            self.given = 0;
            self.at = self.at.wrapping_add(1);
        }
    }
";
