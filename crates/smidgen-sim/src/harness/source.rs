//! Prints the firmware's `main.rs` for a network's inputs and outputs.

use super::{INPUTS, JOB, Network, OUTPUTS};
use std::fmt::Write;

/// `""` for the only port, else `_0`, `_1`, ...: as generated code names them.
fn suffix(index: usize, count: usize) -> String {
    if count == 1 { String::new() } else { format!("_{index}") }
}

/// The file.
pub(super) fn main(network: &Network) -> String {
    let mut out = String::new();
    // The label and the learning rate are no inputs of their own in generated code, and the loss is no output.
    let (inputs, outputs) = match network.learns {
        true => (&network.inputs[..1], 1),
        false => (&network.inputs[..], network.outputs.len()),
    };
    let streams: Vec<(usize, usize)> =
        inputs.iter().enumerate().filter_map(|(i, input)| Some((i, input.rows?))).collect();
    let of_input = |i: usize| suffix(i, inputs.len());
    let camel = |i: usize| of_input(i).replace('_', "");
    out.push_str(HEAD);
    for (name, value) in [("JOB", JOB), ("INPUTS", INPUTS), ("OUTPUTS", OUTPUTS)] {
        let _ = writeln!(
            out,
            "#[unsafe(link_section = \".harness_constants\")]\nstatic {name}: [u8; {}] = *b\"{value}\\0\";",
            value.len() + 1
        );
    }
    if network.learns {
        out.push_str(
            "/// Label and learning rate.\n#[unsafe(link_section = \".harness\")]\nstatic mut TAUGHT: MaybeUninit<[u32; 2]> = MaybeUninit::uninit();\n",
        );
    }
    for &(i, rows) in &streams {
        let row = format!("[network::Row{}; {rows}]", camel(i));
        let _ = writeln!(
            out,
            "#[unsafe(link_section = \".harness\")]\nstatic mut ROWS{i}: MaybeUninit<{row}> = MaybeUninit::uninit();"
        );
    }
    let parameters: String =
        streams.iter().map(|&(i, rows)| format!(", rows{i}: &[network::Row{}; {rows}]", camel(i))).collect();
    let arguments: String = streams.iter().map(|(i, _)| format!(", rows{i}")).collect();
    let next: String = streams.iter().map(|(i, _)| format!("    let mut next{i} = rows{i}.iter();\n")).collect();
    let (mut give, pad) = (String::new(), " ".repeat(16));
    for &(i, _) in &streams {
        let suffix = of_input(i);
        let _ = write!(
            give,
            "{pad}if model.wants_row{suffix}()\n{pad}    && let Some(row) = next{i}.next()\n{pad}{{\n{pad}    \
             model.give_row{suffix}(row);\n{pad}}}\n"
        );
    }
    let needs_row = if streams.is_empty() {
        String::new()
    } else {
        format!("            Status::NeedsRow => {{\n{give}            }}\n")
    };
    let _ = write!(
        out,
        "\n/// One inference, which counts as the network's own code.\n#[inline(never)]\nfn infer(model: &mut Model{parameters}) \
         {{\n{next}    loop {{\n        match model.step() {{\n            Status::Running => {{}}\n            Status::Done => \
         break,\n{needs_row}        }}\n    }}\n}}\n"
    );
    let _ = write!(
        out,
        "\n/// The same with a marker before each step.\n#[unsafe(link_section = \".harness_text\")]\n#[inline(never)]\nfn \
         infer_by_steps(model: &mut Model{parameters}) {{\n{next}    loop {{\n        runtime::marker();\n        match model.step() \
         {{\n            Status::Running => {{}}\n            Status::Done => break,\n{needs_row}        }}\n    }}\n    \
         runtime::marker();\n}}\n"
    );
    let mut read = String::new();
    for (i, input) in inputs.iter().enumerate() {
        match input.rows {
            None => {
                let _ = writeln!(
                    read,
                    "    if !inputs.read(bytes_mut(model.input{}_mut())) {{\n        return false;\n    }}",
                    of_input(i)
                );
            }
            Some(rows) => {
                let _ = writeln!(
                    read,
                    "    // SAFETY: one thread, and this is the only reference; any bytes are rows, and all are written.\n    let rows{i} \
                     = unsafe {{ &mut *(&raw mut ROWS{i}).cast::<[network::Row{}; {rows}]>() }};\n    if \
                     !inputs.read(bytes_mut(rows{i})) {{\n        return false;\n    }}",
                    camel(i)
                );
            }
        }
    }
    if network.learns {
        read.push_str(
            "    // SAFETY: one thread, and this is the only reference; any bytes are numbers, and all are written.\n    let taught = unsafe {\n        &mut *(&raw mut TAUGHT).cast::<[u32; 2]>()\n    };\n    if !inputs.read(bytes_mut(taught)) \
             || model.begin_training(taught[0] as usize, taught[1] as i32).is_err() {\n        return false;\n    }\n",
        );
    }
    let restart = "    model.restart();\n";
    // The samples are frames of one sequence; the first of them once more begins it anew.
    let begin = if network.state > 0 { "    model.reset();\n" } else { restart };
    let outputs: String = (0..outputs)
        .map(|i| format!("        && outputs.write(bytes(model.output{}()))\n", suffix(i, outputs)))
        .chain(network.learns.then(|| "        && outputs.write(bytes(&model.loss()))\n".to_owned()))
        .collect();
    let outputs = match network.state {
        0 => outputs,
        _ => outputs + "        && outputs.write(model.state())\n",
    };
    let _ = write!(
        out,
        "\n/// Runs one sample and writes its outputs, its stack, and whether that was too deep.\n#[unsafe(link_section = \
         \".harness_text\")]\n#[inline(never)]\nfn sample(model: &mut Model, inputs: &File, outputs: &File) -> bool \
         {{\n{restart}{read}    let stack = runtime::stack_pointer();\n    runtime::paint_stack();\n    runtime::marker();\n    \
         infer(model{arguments});\n    runtime::marker();\n    let used = [runtime::deepest_stack(stack) as u32, \
         runtime::stack_overflowed(stack) as u32];\n    true\n{outputs}        && outputs.write(bytes(&used))\n}}\n"
    );
    let _ = write!(
        out,
        "\n/// Runs one sample with a marker before each step.\n#[unsafe(link_section = \
         \".harness_text\")]\n#[inline(never)]\nfn sample_by_steps(model: &mut Model, inputs: &File) -> bool {{\n{begin}{read}    \
         infer_by_steps(model{arguments});\n    true\n}}\n"
    );
    out.push_str(TAIL);
    out
}

const HEAD: &str = r#"//! Feeds inputs to a generated network and takes its outputs. Made by smidgen.
#![no_std]
#![no_main]
#![allow(unused_imports)]

mod runtime;

use core::mem::MaybeUninit;
use network::{Model, Status};
use runtime::File;

main!(work);

static mut MODEL: Model = Model::new();
#[unsafe(link_section = ".harness")]
static mut ASKED: MaybeUninit<[u32; 2]> = MaybeUninit::uninit();
"#;

const TAIL: &str = r#"
#[inline(always)]
fn bytes_mut<T>(value: &mut T) -> &mut [u8] {
    // SAFETY: only numbers and arrays of them are handed in: no padding, and any bytes are valid.
    unsafe { core::slice::from_raw_parts_mut((&raw mut *value).cast(), size_of::<T>()) }
}

#[inline(always)]
fn bytes<T>(value: &T) -> &[u8] {
    // SAFETY: as above.
    unsafe { core::slice::from_raw_parts((&raw const *value).cast(), size_of::<T>()) }
}

/// What the file `job.bin` asks for.
#[unsafe(link_section = ".harness_text")]
fn work() -> bool {
    // SAFETY: one thread, which comes here once; any bytes are numbers.
    let (model, asked) = unsafe { (&mut *(&raw mut MODEL), &mut *(&raw mut ASKED).cast::<[u32; 2]>()) };
    let (Some(job), Some(inputs), Some(outputs)) = (File::open(&JOB), File::open(&INPUTS), File::create(&OUTPUTS)) else {
        return false;
    };
    if !job.read(bytes_mut(asked)) {
        return false;
    }
    let [samples, steps] = *asked;
    for _ in 0..samples {
        if !sample(model, &inputs, &outputs) {
            return false;
        }
    }
    outputs.close();
    if steps != 0 {
        let Some(again) = File::open(&INPUTS) else { return false };
        return sample_by_steps(model, &again);
    }
    true
}
"#;

#[cfg(test)]
mod tests {
    use super::super::{Input, Network};
    use super::*;

    fn network(rows: &[Option<usize>], outputs: usize) -> Network {
        Network {
            files: Default::default(),
            inputs: rows.iter().map(|&rows| Input { bytes: 12, rows }).collect(),
            outputs: vec![4; outputs],
            stretches: vec![],
            arena: 64,
            state: 0,
            learns: false,
        }
    }

    #[test]
    fn the_source_is_as_reviewed() {
        insta::assert_snapshot!("main_whole", main(&network(&[None], 1)));
        insta::assert_snapshot!("main_streamed", main(&network(&[None, Some(3)], 2)));
        let learns = Network { learns: true, ..network(&[Some(8), Some(1), None], 2) };
        insta::assert_snapshot!("main_learns", main(&learns));
    }

    #[test]
    fn brackets_are_balanced() {
        for network in [network(&[None], 1), network(&[Some(5)], 1), network(&[Some(2), None, Some(7)], 3)] {
            let text = main(&network);
            for (open, close) in [('{', '}'), ('(', ')'), ('[', ']')] {
                assert_eq!(text.matches(open).count(), text.matches(close).count(), "{text}");
            }
        }
    }
}
