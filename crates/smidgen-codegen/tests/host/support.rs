//! Generated crates, compiled for the host and run.

use smidgen_certify::Certified;
use smidgen_codegen::{Files, Options, rust_crate};
use smidgen_exec::Executor;
use smidgen_ir::{ElementType, Graph};
use smidgen_lower::{KernelSet, LowerOptions, lower};
use smidgen_plan::ScheduleChoice;
use smidgen_plan::planner::{PlanOptions, plan};
use smidgen_program::{Operand, Run};
use smidgen_reference::{Lack, skip};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A network with a schedule.
pub struct Case {
    pub name: String,
    pub graph: Graph,
    pub program: Certified,
}

impl Case {
    /// Plans the graph; `None` if the schedule does not suit it.
    pub fn new(name: &str, graph: &Graph, schedule: &str, stream_input: bool) -> Option<Self> {
        Self::with_kernels(KernelSet::Mcu, name, graph, schedule, stream_input)
    }

    /// The same with one of the other sets of kernels.
    pub fn with_kernels(set: KernelSet, name: &str, graph: &Graph, schedule: &str, stream: bool) -> Option<Self> {
        let lowered =
            lower(graph, &LowerOptions { kernels: set, ..LowerOptions::default() }).expect("supported operators");
        let schedule: ScheduleChoice = schedule.parse().expect("a schedule");
        let options = PlanOptions { schedule, stream_input: stream, ..PlanOptions::default() };
        let program = plan(&lowered, &options).ok()?.program;
        Some(Self { name: name.to_owned(), graph: graph.clone(), program })
    }

    /// The generated crate.
    pub fn files(&self) -> Files {
        rust_crate(&self.program, &self.graph, &self.options()).expect("a sound Program")
    }

    /// What it is printed with.
    pub fn options(&self) -> Options {
        Options { name: self.name.clone(), title: format!("{}.tflite", self.name), ..Options::default() }
    }

    /// Bytes for every input that look like nothing in particular; floats between -2 and 2.
    pub fn inputs(&self) -> Vec<Vec<u8>> {
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        let mut next = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as u32
        };
        let mut of = |id: smidgen_program::BufferId| {
            let spec = &self.program.buffers[id.index()].spec;
            match spec.element {
                ElementType::Float32 => (0..spec.bytes() / 4)
                    .flat_map(|_| ((next() & 0xffff) as f32 / 16384.0 - 2.0).to_le_bytes())
                    .collect::<Vec<u8>>(),
                ElementType::Bool => (0..spec.bytes()).map(|_| next() as u8 & 1).collect(),
                _ => (0..spec.bytes()).map(|_| next() as u8).collect(),
            }
        };
        self.program.inputs.iter().filter_map(|port| port.operand.buffer()).map(&mut of).collect()
    }

    /// What the executor makes of them, output after output.
    pub fn expected(&self, inputs: &[Vec<u8>]) -> Vec<u8> {
        let mut executor = Executor::new(self.program.clone());
        for (i, bytes) in inputs.iter().enumerate() {
            executor.set_input(i, bytes).expect("an input of this size");
        }
        executor.run();
        (0..self.program.outputs.len()).flat_map(|i| executor.output(i).to_vec()).collect()
    }

    fn streamed(&self, input: usize) -> bool {
        self.program.runs.iter().any(|run| matches!(run, Run::Await { input: i, .. } if *i == input))
    }

    /// The runner's own arithmetic beside that of the crate's functions for single numbers.
    fn helpers(&self) -> String {
        let (inputs, outputs) = (self.program.inputs.len(), self.program.outputs.len());
        let suffix = |i: usize, count: usize| if count == 1 { String::new() } else { format!("_{i}") };
        let name = &self.name;
        let mut text = String::new();
        let quantised = |id| self.graph.tensor(id).per_tensor().is_some();
        for (i, &id) in self.graph.inputs.iter().enumerate().filter(|(_, id)| quantised(**id)) {
            let (s, of) = (suffix(i, inputs), self.graph.tensor(id).element().name());
            if !["i8", "i16"].contains(&of) {
                continue;
            }
            let _ = write!(
                text,
                "    for k in -70_000..70_000 {{\n        let scale = {name}::INPUT{s}_SCALE;\n        let value = k as f32 * 0.5 * scale;\n        \
                 let stored = ((value / scale).round() as i64 + {name}::INPUT{s}_ZERO_POINT as i64).clamp({of}::MIN as i64, {of}::MAX as i64);\n        \
                 assert_eq!({name}::quantise_input{s}(value) as i64, stored, \"{{value}}\");\n    }}\n    for value in [f32::NAN, f32::INFINITY, f32::MIN, \
                 -0.0, f32::MIN_POSITIVE] {{\n        let whole = (value / {name}::INPUT{s}_SCALE).round() as i64;\n        let stored = \
                 whole.saturating_add({name}::INPUT{s}_ZERO_POINT as i64).clamp({of}::MIN as i64, {of}::MAX as i64);\n        \
                 assert_eq!({name}::quantise_input{s}(value) as i64, stored, \"{{value}}\");\n    }}\n"
            );
        }
        for (j, &id) in self.graph.outputs.iter().enumerate() {
            let (s, tensor) = (suffix(j, outputs), self.graph.tensor(id));
            let of = tensor.element().name();
            if quantised(id) && ["i8", "i16"].contains(&of) {
                let _ = write!(
                    text,
                    "    for stored in {of}::MIN..={of}::MAX {{\n        let real = {name}::OUTPUT{s}_SCALE as f64 * (stored as i64 - \
                     {name}::OUTPUT{s}_ZERO_POINT as i64) as f64;\n        assert_eq!({name}::dequantise_output{s}(stored), real as f32);\n    }}\n"
                );
            }
            let list = tensor.shape.dims().iter().filter(|&&n| n != 1).count() == 1;
            if list && ["i8", "i16", "i32", "f32"].contains(&of) {
                let _ = write!(
                    text,
                    "    let best = {name}::argmax{s}(own.output{s}());\n    assert!(own.output{s}().iter().all(|v| *v <= own.output{s}()[best]));\n    \
                     assert!(own.output{s}()[..best].iter().all(|v| *v < own.output{s}()[best]));\n"
                );
            }
        }
        text
    }

    /// A function of the runner that computes this network in every way that the crate offers.
    fn runner(&self) -> String {
        let (inputs, outputs) = (self.program.inputs.len(), self.program.outputs.len());
        let suffix = |i: usize, count: usize| if count == 1 { String::new() } else { format!("_{i}") };
        let name = &self.name;
        let mut text = format!("pub fn {name}(inputs: &[u8]) -> Vec<u8> {{\n    let mut from = inputs;\n");
        let mut arguments = String::new();
        for (i, port) in self.program.inputs.iter().enumerate() {
            let Operand::Buffer(id, _) = port.operand else { panic!("an input is a buffer") };
            let element = self.program.buffers[id.index()].spec.element;
            let camel = format!("Input{}", suffix(i, inputs).trim_start_matches('_'));
            let of = if element == ElementType::Bool { "u8".to_owned() } else { element.name().to_owned() };
            let _ = writeln!(
                text,
                "    let input_{i}: Box<{name}::{camel}> = Box::new(std::array::from_fn(|_| {{ let (a, b) = \
                 from.split_first_chunk().unwrap(); from = b; {of}::from_le_bytes(*a) }}));"
            );
            let _ = write!(arguments, "&input_{i}, ");
        }
        let bytes = |model: &str| -> String {
            let one = |j| format!("{model}.output{}().iter().flat_map(|v| v.to_le_bytes())", suffix(j, outputs));
            let parts: Vec<String> = (1..outputs).map(|j| format!(".chain({})", one(j))).collect();
            format!("{}{}.collect::<Vec<u8>>()", one(0), parts.concat())
        };
        let _ = writeln!(
            text,
            "    let mut own = Box::new({name}::Model::new());\n    own.predict({arguments});\n    let first = {};",
            bytes("own")
        );
        // In memory that is not zero, a step at a time, twice, interrupted in between.
        let _ = writeln!(
            text,
            "    let mut memory = vec![0xa5u8; {name}::ARENA_BYTES + 16];\n    let offset = memory.as_ptr().align_offset(16);\n    \
             let arena = {name}::Arena::from_bytes(&mut memory[offset..]).unwrap();\n    let mut model = \
             {name}::Model::in_arena(arena);\n    model.step();\n    model.restart();"
        );
        for (i, _) in self.program.inputs.iter().enumerate() {
            let s = suffix(i, inputs);
            if self.streamed(i) {
                let _ = writeln!(text, "    let mut rows_{i} = input_{i}.as_chunks().0.iter();");
            } else {
                let _ = writeln!(text, "    *model.input{s}_mut() = *input_{i};");
            }
        }
        text.push_str("    loop {\n        match model.step() {\n");
        let _ = writeln!(text, "            {name}::Status::Running => {{}}");
        let _ = writeln!(text, "            {name}::Status::Done => break,");
        if (0..inputs).any(|i| self.streamed(i)) {
            let _ = writeln!(text, "            {name}::Status::NeedsRow => {{");
            for i in (0..inputs).filter(|&i| self.streamed(i)) {
                let s = suffix(i, inputs);
                let _ = writeln!(
                    text,
                    "                if model.wants_row{s}() {{ assert!(model.give_row{s}(rows_{i}.next().unwrap())); }}"
                );
            }
            text.push_str("            }\n");
        }
        text.push_str("        }\n    }\n");
        let _ = writeln!(text, "    let second = {};\n    assert_eq!(first, second, \"{name}\");", bytes("model"));
        if inputs == 1 && self.streamed(0) && outputs == 1 {
            let _ = writeln!(
                text,
                "    for _ in 0..2 {{\n        let (rows, _) = input_0.as_chunks();\n        let (last, others) = \
                 rows.split_last().unwrap();\n        for row in others {{ assert!(own.push_row(row).is_none()); }}\n        \
                 let pushed = own.push_row(last).unwrap().iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();\n        \
                 assert_eq!(first, pushed, \"{name}\");\n    }}"
            );
        }
        text += &self.helpers();
        text.push_str("    first\n}\n\n");
        text
    }
}

/// Writes the crates of all cases and a program that runs them, and gives the folder.
pub fn write(folder: &Path, cases: &[Case], share: bool) {
    let mut manifest = "[package]\nname = \"runner\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
                        [profile.dev]\nopt-level = 1\n\n[dependencies]\n"
        .to_owned();
    let mut main = String::new();
    for case in cases {
        let files = case.files();
        let crate_folder = folder.join(&case.name);
        // What an earlier version of the kernels had is not to be found beside what this one has.
        remove_others(&crate_folder, &files.keys().map(|path| crate_folder.join(path)).collect());
        for (path, mut bytes) in files {
            // One copy of the kernels for all, as users may have it too; compiling one for each would take long.
            if let Some(first) = cases.first().filter(|first| share && path == "Cargo.toml" && first.name != case.name)
            {
                let (own, others) = (case.name.replace('_', "-"), first.name.replace('_', "-"));
                let text = String::from_utf8(bytes).expect("a manifest");
                let text = text.replace(&format!("\"{own}-kernels\""), &format!("\"{others}-kernels\""));
                bytes = text.replace("\"kernels\"", &format!("\"../{}/kernels\"", first.name)).into_bytes();
            }
            put(&crate_folder.join(path), &bytes);
        }
        let package = case.name.replace('_', "-");
        let _ = writeln!(manifest, "{package} = {{ path = \"{}\" }}", case.name);
        main += &case.runner();
    }
    main += "fn main() {\n    let read = |name: &str| std::fs::read(name).unwrap();\n";
    for case in cases {
        let name = &case.name;
        let _ = writeln!(main, "    std::fs::write(\"{name}.out\", {name}(&read(\"{name}.in\"))).unwrap();");
        put(&folder.join(format!("{name}.in")), &case.inputs().concat());
    }
    main += "}\n";
    put(&folder.join("Cargo.toml"), manifest.as_bytes());
    put(&folder.join("src/main.rs"), main.as_bytes());
}

/// Removes the files in a folder that are not to be kept.
fn remove_others(folder: &Path, keep: &BTreeSet<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            remove_others(&path, keep);
        } else if !keep.contains(&path) && path.extension().is_some_and(|e| e == "rs") {
            fs::remove_file(path).unwrap();
        }
    }
}

fn put(path: &Path, bytes: &[u8]) {
    // Files that stay the same keep their time, so that nothing is compiled anew.
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return;
    }
    fs::create_dir_all(path.parent().expect("a folder")).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Runs cargo in a folder; panics with its messages if it fails.
pub fn cargo(folder: &Path, arguments: &[&str]) {
    // One folder for all of a test's crates, which share what they can.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("target");
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(arguments)
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", target)
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{arguments:?}:\n{}", String::from_utf8_lossy(&output.stderr));
}

/// Compiles and runs all cases and compares with the executor.
pub fn compare(folder: &Path, cases: &[Case], share: bool) {
    write(folder, cases, share);
    cargo(folder, &["run", "--quiet", "--offline"]);
    for case in cases {
        let got = fs::read(folder.join(format!("{}.out", case.name))).unwrap();
        assert_eq!(got, case.expected(&case.inputs()), "{}", case.name);
    }
}

/// The folder for a test's crates: kept, so that the next run compiles only what has changed.
pub fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// A real model, if the folder with them is there.
pub fn shared(name: &str) -> Option<Graph> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let path = std::env::var_os("SMIDGEN_SHARED").map_or_else(beside, PathBuf::from).join("models").join(name);
    let Ok(bytes) = fs::read(&path) else {
        skip(Lack::Optional, name, &format!("there is no {}", path.display()));
        return None;
    };
    let mut graph = smidgen_tflite::read(&bytes).expect("a model");
    smidgen_exec::fold_constants(&mut graph, &LowerOptions::default());
    smidgen_ir::passes::canonicalise(&mut graph);
    Some(graph)
}

/// Holds a generated crate to what a careful author would hold it to: no other layout than rustfmt's, nothing that clippy says.
pub fn check_style(folder: &Path) {
    cargo(folder, &["fmt", "--check"]);
    cargo(folder, &["clippy", "--quiet", "--offline", "--", "-D", "warnings"]);
}
