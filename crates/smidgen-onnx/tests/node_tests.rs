//! The ONNX project's own tests of single operators, made by its Python package.
//!
//! A case is skipped if the reader says that it does not support what the case asks for; whatever it takes must give the
//! expected numbers. With `SMIDGEN_SKIPPED=1` and `--nocapture` it says what stands in the way of the others, and of how many.

mod common;

use common::{Array, Stream, floats, run};
use smidgen_onnx::{Options, ReadError, SUPPORTED, Subject, read_with};
use std::collections::BTreeMap;
use std::io::BufReader;

struct Case {
    name: String,
    rtol: f64,
    atol: f64,
    /// The model with none, some and all of its inputs as constants.
    models: Vec<Vec<u8>>,
    inputs: Vec<Array>,
    outputs: Vec<Array>,
}

/// Cases that pass at least; as many as did when this was last raised.
const LEAST: usize = 1_143;

enum Verdict {
    /// By the model with this number.
    Passed(usize),
    Skipped(String),
    Failed(String),
}

fn judge(case: &Case) -> Verdict {
    let mut reasons = Vec::new();
    for (number, model) in case.models.iter().enumerate() {
        // Sizes that the model leaves open are those of the case's inputs.
        let shapes = case.inputs.iter().map(|a| (a.name.clone(), a.dims.clone()));
        let shapes = if number == 0 { shapes.collect() } else { shapes.take(case.models.len() - 1 - number).collect() };
        let import = match read_with(model, &Options { shapes, ..Options::default() }) {
            Ok(import) => import,
            Err(ReadError::Unsupported(found)) => {
                let reason = &found[0].reason;
                reasons.push(match &found[0].subject {
                    Subject::Operator { name, .. } => format!("{name}: {reason}"),
                    _ => reason.clone(),
                });
                continue;
            }
            Err(ReadError::Invalid(error)) => {
                reasons.push(error.to_string());
                continue;
            }
            Err(error) => return Verdict::Failed(format!("model {number}: {error}")),
        };
        return match run(&import, &case.inputs) {
            Ok(outputs) => match compare(case, &outputs) {
                Ok(()) => Verdict::Passed(number),
                Err(what) => Verdict::Failed(format!("model {number}: {what}\n{:?}", common::names(&import.graph))),
            },
            Err(what) => Verdict::Failed(format!("model {number}: {what}")),
        };
    }
    // What stands in the way of the model whose parameters are constants.
    Verdict::Skipped(reasons.swap_remove((reasons.len() - 1).min(1)))
}

fn compare(case: &Case, outputs: &[(smidgen_onnx::Port, Vec<u8>)]) -> Result<(), String> {
    for ((port, found), expected) in outputs.iter().zip(&case.outputs) {
        if port.shape != expected.dims {
            return Err(format!("{} has the shape {:?}, not {:?}", port.name, port.shape, expected.dims));
        }
        if expected.data_type != 1 {
            if *found != expected.data {
                return Err(format!("{} differs", port.name));
            }
            continue;
        }
        for (i, (&f, &e)) in floats(found).iter().zip(&floats(&expected.data)).enumerate() {
            let close = (f64::from(f) - f64::from(e)).abs() <= case.atol + case.rtol * f64::from(e).abs();
            if !(close || f == e || f.is_nan() && e.is_nan()) {
                return Err(format!("{} element {i}: {f}, not {e}", port.name));
            }
        }
    }
    Ok(())
}

#[test]
fn every_claimed_operator_passes_the_projects_own_tests() {
    let program = include_str!("python/node_cases.py");
    let Some(mut child) = common::python(program, &[], "onnx", "ONNX's node tests") else { return };
    let mut stream = Stream(BufReader::new(child.stdout.take().expect("piped")));
    let (mut passed, mut failed, mut skipped) = ([0; 3], Vec::new(), BTreeMap::<String, Vec<String>>::new());
    let mut total = 0;
    loop {
        let name = match stream.u8() {
            0 => break,
            2 => {
                total += 1;
                let name = stream.text();
                skipped.entry("it is no function of tensors of numbers".into()).or_default().push(name);
                continue;
            }
            _ => stream.text(),
        };
        total += 1;
        let (rtol, atol) = (stream.f64(), stream.f64());
        let models = (0..stream.u32()).map(|_| stream.blob()).collect();
        let case = Case { name, rtol, atol, models, inputs: stream.arrays(), outputs: stream.arrays() };
        match judge(&case) {
            Verdict::Passed(number) => passed[number] += 1,
            Verdict::Skipped(reason) => skipped.entry(reason).or_default().push(case.name),
            Verdict::Failed(what) => failed.push(format!("{}: {what}", case.name)),
        }
    }
    child.wait().expect("Python ends");
    let skips: usize = skipped.values().map(Vec::len).sum();
    if std::env::var_os("SMIDGEN_SKIPPED").is_some() {
        let mut all: Vec<_> = skipped.iter().collect();
        all.sort_by_key(|(_, names)| std::cmp::Reverse(names.len()));
        for (reason, names) in all {
            println!("skipped {:4}  {reason}: {}", names.len(), names.join(" "));
        }
    }
    println!(
        "{total} cases: {} passed ({} as they are, {} with constant parameters, {} computed when reading), {skips} skipped \
         (not claimed), {} failed; {} operators are claimed",
        passed.iter().sum::<usize>(),
        passed[0],
        passed[1],
        passed[2],
        failed.len(),
        SUPPORTED.len()
    );
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
    assert!(passed.iter().sum::<usize>() >= LEAST, "fewer than {LEAST} cases passed");
}
