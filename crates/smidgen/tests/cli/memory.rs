//! Firmware touches its own memory and no other: on a board that faults beside it, and, by the check of every load and store, on one
//! that does not.

use crate::support::{Folder, shared, simulates};
use smidgen::boards;

/// Simulates a network on boards that are emulated by machines of both kinds, with one plan after the other.
fn stays_inside(folder: &Folder, model: &str, golden: Option<&str>, plans: &[&str]) {
    for board in ["mps2-an505", "mps2-an500"] {
        if !boards::find(board).is_ok_and(|board| simulates(board.core)) {
            continue;
        }
        for plan in plans {
            let mut arguments = vec!["simulate", model, "--board", board, "--io", "int8", "--schedule", plan, "--json"];
            arguments.extend(golden.into_iter().flat_map(|file| ["--golden", file]));
            let report = folder.smidgen(&arguments).expect(0).json();
            assert_eq!(report["matches_host"], true, "{model} on {board}, {plan}: {report}");
            assert_ne!(report["matches_golden"], false, "{model} on {board}, {plan}: {report}");
        }
    }
}

/// Padded windows of 3x3 with scratch at the very start of memory: what their blocks load lies in scratch.
#[test]
fn own_networks_stay_inside_their_memory() {
    let folder = Folder::new();
    for (name, graph) in
        [("demo", smidgen_synthetic::demo(2026)), ("small", smidgen_synthetic::mobilenet_v2(0.35, 32, 10, 7))]
    {
        let name = format!("{name}.tflite");
        folder.write(&name, smidgen::tflite::write(&graph).unwrap());
        stays_inside(&folder, &name, None, &["layer"]);
    }
}

/// The network and the plan that once faulted on a Cortex-M33.
#[test]
fn a_keyword_spotter_stays_inside_its_memory() {
    let Some(shared) = shared() else { return };
    let [model, golden] = ["models/mlperf-kws.tflite", "golden/mlperf-kws.npz"].map(|file| shared.join(file));
    stays_inside(&Folder::new(), model.to_str().unwrap(), golden.to_str(), &["layer", "auto", "stream"]);
}
