//! State in C: it goes on from one prediction to the next, until a reset.

use super::{LowerOptions, STRICT, TARGET, boards, compiled, emulated_on, example, gcc, library, numbers, write};
use smidgen::plan::ScheduleChoice;
use smidgen::{Array, Network, Runner};

/// A convolution over time whose ring of past frames is a variable that begins with numbers.
const STREAMING: &str = include_str!("../../../smidgen-exec/tests/variables/streaming.ir");
/// A network with state in C on an emulated board, which a compiler is told of by these arguments: all predictions of one sequence of frames, a
/// reset, and half of the sequence again; the host's beside them. Nothing, with a note, where a tool is missing.
fn heard(network: &Network, board: &str, target: &[&str], frames: usize) -> Option<()> {
    let board = boards::find(board).unwrap();
    let files = library(&compiled(network, &board, "ear", ScheduleChoice::Auto, false))?;
    let header = String::from_utf8_lossy(&files["include/ear.h"]).into_owned();
    let state: usize = network.graph().variables.iter().map(|v| network.graph().initial_bytes(v).len()).sum();
    assert!(header.contains("void ear_reset(ear *model);"), "{header}");
    let bytes = header.split("#define EAR_STATE_BYTES ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
    assert!(bytes.is_some_and(|bytes: usize| bytes >= state), "{header}");
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &files);
    // The example's, around other predictions.
    let text = std::fs::read_to_string(example("main.c")).unwrap();
    let text = text.replace("demo", "ear").replace("DEMO", "EAR");
    let (head, rest) = text.split_once("    for (int i = 0; i < EAR_INPUT_COUNT").expect("what fills the picture");
    let tail = rest.split_once("    return 0;\n").expect("the end of the program").1;
    let body = format!(
        "    ear_init(&model);\n    for (int k = 0; k < {frames} + {frames} / 2; k++) {{\n        if (k == {frames}) {{\n            ear_reset(&model);\n        }}\n        \
         for (int i = 0; i < EAR_INPUT_COUNT; i++) {{\n            picture[i] = (int8_t)((k % {frames} * 29 + i * 37) % 256 - 128);\n        }}\n        \
         const int8_t *output = ear_predict(&model, picture);\n        for (int i = 0; i < EAR_OUTPUT_COUNT; i++) {{\n            print_number(output[i]);\n        }}\n    }}\n    return 0;\n"
    );
    std::fs::write(folder.path().join("main.c"), format!("{head}{body}{tail}")).unwrap();
    let (startup, script) = (example("startup.c"), format!("-T{}", example("link.ld")));
    let arguments = ["main.c", &startup, "lib/libear.a", &script, "-o", "ear.elf"];
    if !gcc(folder.path(), &[target, &STRICT, &arguments].concat()) {
        return None;
    }
    let console = emulated_on(&board, folder.path(), "ear.elf")?;
    let shape = network.graph().tensor(network.graph().inputs[0]).shape.dims().to_vec();
    let mut runner = Runner::new(network, &LowerOptions::default()).unwrap();
    let mut expected = Vec::new();
    for k in 0..frames + frames / 2 {
        if k == frames {
            runner.reset();
        }
        let count: usize = shape.iter().product();
        let frame: Vec<i8> = (0..count).map(|i| ((k % frames * 29 + i * 37) as i32 % 256 - 128) as i8).collect();
        expected.extend(runner.run(&[Array::from_i8(&shape, &frame)]).unwrap()[0].to_f64());
    }
    // After the reset the bytes are those of a fresh start.
    let outputs = expected.len() / (frames + frames / 2);
    let (first, again) = expected.split_at(outputs * frames);
    assert_eq!(first[..again.len()], *again);
    assert_eq!(numbers(&console), expected, "{console}");
    Some(())
}

#[test]
fn state_goes_on_in_c_until_a_reset() {
    let _ = heard(&Network::from_text(STREAMING).unwrap(), "mps2-an500", &TARGET, 12);
}

#[test]
fn a_wake_word_goes_on_in_c_on_a_cortex_m4_until_a_reset() {
    let network = Network::from_graph(smidgen_synthetic::wake_word(5)).unwrap();
    let target = [&["-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"], &TARGET[3..]].concat();
    let _ = heard(&network, "mps2-an386", &target, 60);
}
