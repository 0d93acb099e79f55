//! Every command that the descriptions of the cases from the field show, run as it stands there: what they say is right, or, for a
//! feature that is not there yet, an exit code of 3 with one line a cause.
//!
//! The commands are taken from the descriptions themselves, so that a case which comes in later fails here until what is
//! right for it has been written down. Without the folder `../shared/cases` this is skipped.

use crate::support::{Finished, Folder, cases, finish};
use smidgen::ir::visible::is_hidden;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a command must end with, and what it must say.
struct Right {
    command: &'static str,
    code: i32,
    says: &'static [&'static str],
}

const fn right(command: &'static str, code: i32, says: &'static [&'static str]) -> Right {
    Right { command, code, says }
}

/// Commands of the folders' own descriptions.
const RIGHT: &[Right] = &[
    right("check dilated_keras/model.tflite", 0, &["supported"]),
    right("check float16_weights/model.tflite", 0, &["supported"]),
    right("inspect float16_weights/model.tflite", 0, &["FULLY_CONNECTED", "f32"]),
    right("plan float_ends/model.tflite --board stm32h743", 0, &["Converted ends: with --io int8 it takes"]),
    right("simulate float_ends/model.tflite --board stm32h743 --per-step", 0, &["equal", "QUANTIZE", "--io int8"]),
    right("check foreign_files/lfs.tflite", 3, &["a pointer of Git LFS", "git lfs pull"]),
    right("check foreign_files/model.h5", 3, &["Keras", "TFLiteConverter"]),
    right("check foreign_files/model.keras", 3, &["Keras", "TFLiteConverter"]),
    right("check foreign_files/weights.pt", 3, &["PyTorch", "torch.onnx.export"]),
    right("check foreign_files/model.tflite.gz", 0, &["supported"]),
    right("check foreign_files/model_data.cc", 0, &["supported"]),
    right("check foreign_files/model.espdl", 3, &["ESP-DL", "was made from"]),
    right("plan hybrid_conv_time/model.tflite", 0, &["Takes 1,049,024 bytes"]),
    right("check hybrid_dense/model.tflite", 0, &["supported"]),
    right("compile hybrid_dense/model.tflite -o hybrid", 0, &[]),
    right("quantize hybrid_dense/model.tflite -o out.tflite --data hybrid_dense/samples.npz", 0, &["FULLY_CONNECTED"]),
    right("verify onnx_layout/oblong.onnx -g onnx_layout/oblong.npz", 0, &["equal", "transposed"]),
    right("verify onnx_layout/square.onnx -g onnx_layout/square.npz", 0, &["equal", "transposed"]),
    right(
        "quantize onnx_layout/square.onnx -o out.tflite --data onnx_layout/square_calibration.npz",
        0,
        &["as the model file has it, transposed"],
    ),
    right("run onnx_layout/square.onnx -i onnx_layout/square.npz", 0, &["transposed", "-0.8591"]),
    right("check onnx_order/model.onnx", 0, &["supported"]),
    right("check onnx_recurrent/gru.onnx", 0, &["supported"]),
    right("check onnx_recurrent/lstm.onnx", 0, &["supported"]),
    right("check open_length/model.tflite", 0, &["supported"]),
    right("compile open_length/model.tflite -o unrolled", 0, &[]),
    right(
        "verify qdq_one_step/model.onnx -g qdq_one_step/golden_channels_last.npz",
        1,
        &["no element is more than one step away", "with --tolerance 1 all is equal"],
    ),
    right("check shape_of_static/model.tflite", 0, &["supported"]),
    right("check streaming_state/model.tflite", 0, &["supported"]),
    right("plan streaming_state/model.tflite", 0, &["of it state", "outlives an inference"]),
    right("check uint8_ends/model.tflite", 0, &["supported"]),
    right("plan uint8_ends/model.tflite --io int8", 0, &["Takes", "of SRAM"]),
    right("check uint8_weights/model.tflite", 0, &["supported"]),
    right("check unaligned_zero_point/model.tflite", 0, &["supported"]),
    right("check variable_tensor/model.tflite", 0, &["supported"]),
];

/// Folders that the table of the collection's description names, with a command for each of their files of a kind: `MODEL` stands for
/// the file, `DATA` for the arrays that belong to it.
const FILES: &[(&str, &str, Right)] = &[
    ("onnx-external-data-budget", "onnx", right("check MODEL", 0, &["supported"])),
    ("onnx-memory-budget", "onnx", right("check MODEL", 0, &["supported"])),
    ("plan-memory-bomb", "onnx", right("plan MODEL --board stm32f746", 5, &["larger than any board"])),
    ("plan-memory-bomb", "tflite", right("plan MODEL --board stm32f746", 5, &["larger than any board"])),
    ("plan-quadratic-rows", "onnx", right("plan MODEL", 0, &["Takes", "of SRAM"])),
    ("quantise-extreme-weights", "ir", right("quantize MODEL -o q.tflite --data DATA", 0, &["output 0"])),
    ("quantise-unquantisable-op", "onnx", right("quantize MODEL -o q.tflite --data DATA", 0, &["output 0"])),
    ("terminal-escapes", "tflite", right("inspect MODEL", 0, &["operators"])),
];

/// Runs a command of words beside a copy of the case's folder. It may take 768 MiB of addresses and a minute of CPU time: what is
/// said to be at once or linear took gigabytes or did not end.
fn run(folder: &Folder, words: &[String]) -> Finished {
    // An emulator maps far more than it uses.
    let mut command = if cfg!(unix) && words[0] != "simulate" {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "ulimit -v 786432; ulimit -t 60; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_smidgen")]);
        shell.current_dir(folder.path(""));
        shell
    } else {
        folder.command(&[])
    };
    finish(command.args(words))
}

#[track_caller]
fn is_right(name: &str, finished: &Finished, right: &Right) {
    let Finished { code, stdout, stderr } = finished;
    assert_eq!(*code, Some(right.code), "{name}\nstdout:\n{stdout}\nstderr:\n{stderr}");
    let text = format!("{stdout}{stderr}");
    let hidden = text.chars().find(|&c| c != '\n' && is_hidden(c));
    assert_eq!(hidden, None, "{name} prints a control character: {text:?}");
    // Boxes break what is long: the words are joined again.
    let words = text.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ");
    let spread: String = words.split_whitespace().collect();
    // Advice that breaks a streaming network, or asks for training tools where nothing is missing.
    assert!(!words.contains("freeze") && !words.contains("fixed input shape"), "{name}: {words}");
    for part in right.says {
        let joined: String = part.split_whitespace().collect();
        assert!(words.contains(part) || spread.contains(&joined), "{name} lacks {part:?}:\n{text}");
    }
}

/// A folder with the case's files in it, under the case's name.
fn beside(case: &Path) -> Folder {
    let folder = Folder::new();
    let name = case.file_name().unwrap();
    fs::create_dir(folder.path("").join(name)).unwrap();
    for entry in fs::read_dir(case).unwrap().map(|entry| entry.unwrap().path()) {
        fs::write(folder.path("").join(name).join(entry.file_name().unwrap()), fs::read(&entry).unwrap()).unwrap();
    }
    folder
}

/// The words after `$ smidgen` of each line of a description.
fn commands(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| line.strip_prefix("$ smidgen ")).map(str::trim)
}

#[test]
fn every_command_of_a_description_gets_what_is_right() {
    let Some(cases) = cases() else { return };
    let mut folders: Vec<PathBuf> = fs::read_dir(&cases).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.retain(|path| path.is_dir());
    folders.sort();
    let described = fs::read_to_string(cases.join("README.md")).unwrap();
    let mut ran = 0;
    for case in &folders {
        let name = case.file_name().unwrap().to_str().unwrap();
        let table = FILES.iter().any(|(folder, ..)| *folder == name);
        let Ok(text) = fs::read_to_string(case.join("README.md")) else {
            assert!(table && described.contains(&format!("| {name} |")), "{name} is not described");
            continue;
        };
        for command in commands(&text) {
            let right = RIGHT.iter().find(|right| right.command == command);
            let right = right.unwrap_or_else(|| panic!("what is right for `smidgen {command}` is not written down"));
            if command.starts_with("simulate") && !crate::support::simulates(smidgen::boards::Core::CortexM7) {
                continue;
            }
            let words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
            let folder = beside(case);
            let mut finished = run(&folder, &words);
            // The cells of a table are narrow; JSON has the same words in one piece.
            if command.starts_with("check") {
                let again = run(&folder, &[words, vec!["--json".to_owned()]].concat());
                assert_eq!(again.code, finished.code, "{command} with --json");
                finished.stdout += &again.stdout;
            }
            is_right(command, &finished, right);
            ran += 1;
        }
    }
    assert!(ran > 20, "{ran} commands were found in {} folders", folders.len());
}

#[test]
fn every_row_of_the_collections_table_gets_what_is_right() {
    let Some(cases) = cases() else { return };
    for (name, extension, right) in FILES {
        let case = cases.join(name);
        let mut ran = 0;
        for model in fs::read_dir(&case).unwrap().map(|entry| entry.unwrap().path()) {
            if model.extension().is_none_or(|found| found != *extension) {
                continue;
            }
            let own = model.with_extension("npz");
            let data = if own.exists() { own } else { case.join("x.npz") };
            let local = |path: &Path| format!("{name}/{}", path.file_name().unwrap().to_str().unwrap());
            let words: Vec<String> = right
                .command
                .split_whitespace()
                .map(|word| match word {
                    "MODEL" => local(&model),
                    "DATA" => local(&data),
                    other => other.to_owned(),
                })
                .collect();
            is_right(&words.join(" "), &run(&beside(&case), &words), right);
            ran += 1;
        }
        assert_ne!(ran, 0, "{name} holds no .{extension} file");
    }
    // The labels of the last row, which only `run` prints.
    let case = cases.join("terminal-escapes");
    let folder = beside(&case);
    folder.npy("in.npy", &smidgen::Array::from_i8(&[1, 49, 10, 1], &[0; 490]));
    let labels =
        ["run", "terminal-escapes/escape.tflite", "-i", "in.npy", "--labels", "terminal-escapes/labels-escape.txt"];
    let words: Vec<String> = labels.iter().map(|&word| word.to_owned()).collect();
    is_right("run with labels", &run(&folder, &words), &right("run", 0, &["RED"]));
}
