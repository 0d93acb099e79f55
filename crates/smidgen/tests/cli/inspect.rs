//! `smidgen inspect` and `smidgen ops`.

use crate::support::{Folder, TINY, finish};

#[test]
fn the_table_is_as_reviewed() {
    let folder = Folder::new();
    folder.write("tiny.ir", TINY);
    insta::assert_snapshot!("inspect", folder.smidgen(&["inspect", "tiny.ir"]).expect(0).stdout);
    insta::assert_snapshot!("inspect_verbose", folder.smidgen(&["inspect", "-v", "tiny.ir"]).expect(0).stdout);
    let narrow = finish(folder.command(&["inspect", "tiny.ir", "--quiet"]).env("COLUMNS", "44"));
    insta::assert_snapshot!("inspect_narrow", narrow.expect(0).stdout);
}

#[test]
fn json_says_the_same() {
    let folder = Folder::new();
    folder.write("tiny.ir", TINY);
    let json = folder.smidgen(&["inspect", "tiny.ir", "--json"]).expect(0).json();
    assert_eq!(json["macs"], 4 * 4 * 2 * 9 + 32 * 3);
    assert_eq!(json["weight_bytes"], 18 + 8 + 96 + 12);
    assert_eq!(json["largest_activation_pair_bytes"], 48);
    assert_eq!(json["operators"][0]["operator"], "CONV_2D");
    assert_eq!(json["operators"][0]["outputs"][0]["shape"], serde_json::json!([1, 4, 4, 2]));
    assert_eq!(json["inputs"][0]["quantisation"]["zero_point"], -128);
}

#[test]
fn the_text_reads_back_as_the_same_network() {
    let folder = Folder::new();
    folder.write("tiny.ir", TINY);
    let text = folder.smidgen(&["inspect", "tiny.ir", "--ir"]).expect(0).stdout;
    folder.write("again.ir", &text);
    assert_eq!(folder.smidgen(&["inspect", "again.ir", "--ir"]).expect(0).stdout, text);
}

#[test]
fn the_support_table_lists_what_the_reader_goes_by() {
    use smidgen::{onnx, tflite};
    let folder = Folder::new();
    let taken = [tflite::SUPPORTED.len() + tflite::READ_AWAY.len(), onnx::SUPPORTED.len()];
    for (format, taken, lacking) in [("tflite", taken[0], tflite::LACKING), ("onnx", taken[1], onnx::LACKING)] {
        let table = folder.smidgen(&["ops", "--format", format]).expect(0).stdout;
        let json = folder.smidgen(&["ops", "--json", "--format", format]).expect(0).json();
        let rows = |list: &str| json[list].as_array().unwrap().clone();
        assert_eq!([rows("supported").len(), rows("unsupported").len()], [taken, lacking.len()]);
        let (first, second) = table.split_once("\nnot supported\n").unwrap();
        for (part, list) in [(first, "supported"), (second, "unsupported")] {
            for row in rows(list) {
                let name = row["operator"].as_str().unwrap();
                assert!(part.lines().any(|line| line.split_whitespace().next() == Some(name)), "{name}: {part}");
            }
        }
        assert!(table.lines().all(|line| line.chars().count() <= 100), "{table}");
    }
}
