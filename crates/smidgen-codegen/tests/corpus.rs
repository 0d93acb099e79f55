//! What every stage makes of the networks in corpus/: steps, plan, generated calls. Drop a file there and look at what comes out;
//! `INSTA_UPDATE=always` writes the results anew, to be read before they are committed.

use smidgen_codegen::{Options, rust_crate};
use smidgen_ir::text::parse;
use smidgen_ir::validate;
use smidgen_lower::{LowerOptions, lower};
use smidgen_plan::planner::{PlanOptions, plan};
use smidgen_program::{Lowered, Operand, Program, Run};
use std::fmt::Write;

/// Kernel, operands and bytes of each step.
fn steps(lowered: &Lowered, text: &mut String) {
    for (i, step) in lowered.steps.iter().enumerate() {
        let inputs: Vec<String> = (step.inputs.iter())
            .map(|operand| match operand {
                Operand::Buffer(id, extent) => {
                    let name = &lowered.buffers[id.index()].name;
                    format!("`{name}` {}x{}x{}", extent.rows, extent.cols, extent.depth)
                }
                Operand::Constant(id) => format!("constant `{}`", lowered.constants[id.index()].name),
            })
            .collect();
        let outputs: Vec<&str> =
            step.outputs.iter().map(|target| lowered.buffers[target.buffer.index()].name.as_str()).collect();
        writeln!(text, "{i} {}: {} -> `{}`", step.name, inputs.join(", "), outputs.join("`, `")).unwrap();
        let constants: Vec<usize> = step.constants.iter().map(|id| lowered.constants[id.index()].bytes.len()).collect();
        let (scratch, state) = (step.scratch_bytes, step.state_bytes);
        writeln!(text, "    {:?}", step.kernel).unwrap();
        writeln!(text, "    {:?}, constants {constants:?}, scratch {scratch}, state {state}", step.order).unwrap();
    }
}

/// Where everything lies, and when what is computed.
fn program(program: &Program, text: &mut String) {
    writeln!(text, "{} bytes", program.arena_bytes).unwrap();
    for buffer in &program.buffers {
        let (from, until) = (buffer.offset, buffer.offset + buffer.bytes());
        writeln!(text, "    {from:>5} .. {until:<5} `{}`, {} rows", buffer.spec.name, buffer.slots).unwrap();
    }
    for run in &program.runs {
        match *run {
            Run::Compute { step, region } => {
                let columns = format!("{}..{}", region.x0, region.x1);
                writeln!(text, "    step {} rows {}..{} columns {columns}", step.0, region.y0, region.y1).unwrap();
            }
            Run::Await { input, y0, y1 } => writeln!(text, "    input {input} rows {y0}..{y1}").unwrap(),
        }
    }
}

#[test]
fn every_file() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "ir"));
    files.sort();
    assert!(!files.is_empty());
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(&folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for path in files {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let graph = parse(&std::fs::read_to_string(&path).unwrap()).unwrap_or_else(|error| panic!("{name}: {error}"));
        validate(&graph).unwrap_or_else(|error| panic!("{name}: {error}"));
        let lowered = lower(&graph, &LowerOptions::default().for_mcu()).unwrap_or_else(|e| panic!("{name}: {e}"));
        let planned = plan(&lowered, &PlanOptions::default()).unwrap_or_else(|e| panic!("{name}: {e}")).program;
        let mut text = String::from("# lowered\n");
        steps(&lowered, &mut text);
        text += "\n# planned\n";
        program(&planned, &mut text);
        text += "\n# generated: src/steps.rs\n";
        let options = Options { name: name.clone(), title: name.clone(), ..Options::default() };
        let files = rust_crate(&planned, &graph, &options).unwrap_or_else(|e| panic!("{name}: {e}"));
        text += std::str::from_utf8(&files["src/steps.rs"]).unwrap();
        settings.bind(|| insta::assert_snapshot!(name.clone(), text));
    }
}
