//! `smidgen check`.

use crate::support::{Folder, TINY};
use std::fs;

#[test]
fn what_is_beyond_a_bound_is_listed_and_not_called_damaged() {
    let folder = crate::support::Folder::new();
    let text = |shape: &str| {
        format!(
            "graph \"g\"\ninputs(%0)\noutputs(%2)\n\n%0 \"wide\" : f32[{shape}]\n%1 \"also\" : f32[{shape}] = LOGISTIC(%0)\n\
             %2 \"end\" : f32[{shape}] = LOGISTIC(%1)\n"
        )
    };
    folder.write("rank.ir", text("1x1x2x1x2x1x2")).write("huge.ir", text("1x1000000x1000000x64"));
    for name in ["rank.ir", "huge.ir"] {
        let found = folder.smidgen(&["check", name, "--json"]).expect(3).json();
        assert_eq!(found["unsupported"].as_array().unwrap().len(), 3, "{name}: {found}");
        let told = folder.smidgen(&["inspect", name]).expect(3).stderr;
        assert!(!told.contains("damaged"), "{told}");
    }
    folder.write("splat.ir", text("1x9000000").replace("\n%1", " = splat 0\n%1").replace("inputs(%0)", "inputs()"));
    assert!(!folder.smidgen(&["inspect", "splat.ir"]).stderr.contains("damaged"));
}

#[test]
fn a_supported_network_passes() {
    let folder = Folder::new();
    folder.write("tiny.ir", TINY);
    assert_eq!(folder.smidgen(&["check", "tiny.ir"]).expect(0).stdout, "supported  tiny.ir\n");
    assert_eq!(folder.smidgen(&["check", "tiny.ir", "--json"]).expect(0).json()["supported"], true);
}

/// Two operators that will be made into ones that no front end reads.
const TWO: &str = r#"
graph "two"
inputs(%0)
outputs(%2)

%0 "x" : f32[1x4]
%1 "between" : f32[1x4] = RELU(%0)
%2 "y" : f32[1x4] = RELU(%1)
"#;

/// RELU in TensorFlow Lite's schema.
const RELU: u8 = 19;
/// SEGMENT_SUM, which has no options either.
const SEGMENT_SUM: u8 = 125;

#[test]
fn every_obstacle_is_listed_at_once() {
    let folder = Folder::new();
    folder.write("two.ir", TWO).smidgen(&["convert", "two.ir", "two.tflite"]).expect(0);
    let bytes = fs::read(folder.path("two.tflite")).unwrap();
    // The operator code is a single byte of the file. Which one: the one whose change makes the reader name SEGMENT_SUM.
    let with = |at: usize| {
        let mut bytes = bytes.clone();
        bytes[at] = SEGMENT_SUM;
        bytes
    };
    let named = |bytes: &[u8]| {
        smidgen::tflite::check(bytes).is_ok_and(|found| found.iter().any(|f| f.to_string().contains("SEGMENT_SUM")))
    };
    let changed = (0..bytes.len()).filter(|&at| bytes[at] == RELU).map(with).find(|bytes| named(bytes));
    folder.write("other.tflite", changed.expect("the byte that says RELU"));
    insta::assert_snapshot!("check_unsupported", folder.smidgen(&["check", "other.tflite"]).expect(3).stdout);
    let json = folder.smidgen(&["check", "other.tflite", "--json"]).expect(3).json();
    assert_eq!(json["supported"], false);
    let listed = json["unsupported"].as_array().unwrap();
    assert_eq!(listed.iter().map(|u| u["index"].as_u64().unwrap()).collect::<Vec<_>>(), [0, 1]);
    // Every other command says so too, and where to look.
    let stderr = folder.smidgen(&["inspect", "other.tflite"]).expect(3).stderr;
    assert!(stderr.contains("SEGMENT_SUM") && stderr.contains("smidgen check"), "{stderr}");
}
