//! State in C: it goes on from one prediction to the next, until a reset.

use super::{LowerOptions, STRICT, TARGET, boards, compiled, emulated, example, gcc, library, numbers, write};
use smidgen::plan::ScheduleChoice;
use smidgen::{Array, Network, Runner};

/// A convolution over time whose ring of past frames is a variable that begins with numbers.
const STREAMING: &str = include_str!("../../../smidgen-exec/tests/variables/streaming.ir");
const FRAMES: usize = 12;

#[test]
fn state_goes_on_in_c_until_a_reset() {
    let board = boards::find("mps2-an500").unwrap();
    let network = Network::from_text(STREAMING).unwrap();
    let Some(files) = library(&compiled(&network, &board, "ear", ScheduleChoice::Auto, false)) else { return };
    let header = String::from_utf8_lossy(&files["include/ear.h"]).into_owned();
    assert!(
        header.contains("#define EAR_STATE_BYTES 32\n") && header.contains("void ear_reset(ear *model);"),
        "{header}"
    );
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &files);
    // The example's, around other predictions: one sequence, and half of it again as the first.
    let text = std::fs::read_to_string(example("main.c")).unwrap();
    let text = text.replace("demo", "ear").replace("DEMO", "EAR");
    let (head, rest) = text.split_once("    for (int i = 0; i < EAR_INPUT_COUNT").expect("what fills the picture");
    let tail = rest.split_once("    return 0;\n").expect("the end of the program").1;
    let body = format!(
        "    ear_init(&model);\n    for (int k = 0; k < {FRAMES} + {FRAMES} / 2; k++) {{\n        if (k == {FRAMES}) {{\n            ear_reset(&model);\n        }}\n        \
         for (int i = 0; i < EAR_INPUT_COUNT; i++) {{\n            picture[i] = (int8_t)((k % {FRAMES} * 29 + i * 37) % 256 - 128);\n        }}\n        \
         const int8_t *output = ear_predict(&model, picture);\n        for (int i = 0; i < EAR_OUTPUT_COUNT; i++) {{\n            print_number(output[i]);\n        }}\n    }}\n    return 0;\n"
    );
    std::fs::write(folder.path().join("main.c"), format!("{head}{body}{tail}")).unwrap();
    let (startup, script) = (example("startup.c"), format!("-T{}", example("link.ld")));
    let arguments = ["main.c", &startup, "lib/libear.a", &script, "-o", "ear.elf"];
    if !gcc(folder.path(), &[&TARGET[..], &STRICT, &arguments].concat()) {
        return;
    }
    let Some(console) = emulated(folder.path(), "ear.elf") else { return };
    let mut runner = Runner::new(&network, &LowerOptions::default()).unwrap();
    let mut expected = Vec::new();
    for k in 0..FRAMES + FRAMES / 2 {
        if k == FRAMES {
            runner.reset();
        }
        let frame: [i8; 4] = std::array::from_fn(|i| ((k % FRAMES * 29 + i * 37) as i32 % 256 - 128) as i8);
        expected.extend(runner.run(&[Array::from_i8(&[1, 1, 1, 4], &frame)]).unwrap()[0].to_f64());
    }
    assert_eq!(numbers(&console), expected, "{console}");
}
