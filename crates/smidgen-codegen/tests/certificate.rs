//! Generated code makes its accesses without checks, so nothing is printed of a Program that does not stand up to them.

use smidgen_certify::certify;
use smidgen_lower::{LowerOptions, lower};
use smidgen_plan::planner::{PlanOptions, plan};
use smidgen_program::Program;

/// A sound Program, and the constant of it that has most bytes.
fn program() -> (Program, usize) {
    let graph = smidgen_synthetic::demo(7);
    let lowered = lower(&graph, &LowerOptions::default().for_mcu()).expect("supported operators");
    let program = plan(&lowered, &PlanOptions::default()).expect("a plan").program.into_program();
    let largest = (0..program.constants.len()).max_by_key(|&i| program.constants[i].bytes.len()).expect("weights");
    (program, largest)
}

#[test]
fn weights_that_are_cut_short_are_not_printed() {
    let (sound, largest) = program();
    assert!(sound.constants[largest].bytes.len() > 4);
    certify(sound.clone()).expect("a sound program");
    for bytes in [4, sound.constants[largest].bytes.len() - 4] {
        let mut cut = sound.clone();
        cut.constants[largest].bytes.truncate(bytes);
        // `rust_crate` takes nothing but what this gives.
        let refused = certify(cut).expect_err("weights that are too short");
        assert!(refused.to_string().contains(&format!("{bytes} bytes where the kernel takes")), "{refused}");
    }
}
