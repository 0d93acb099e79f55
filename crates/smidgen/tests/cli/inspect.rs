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
    let folder = Folder::new();
    let table = folder.smidgen(&["ops"]).expect(0).stdout;
    let json = folder.smidgen(&["ops", "--json"]).expect(0).json();
    let rows = json.as_array().unwrap();
    assert_eq!(rows.len(), smidgen::tflite::SUPPORTED.len() + smidgen::tflite::READ_AWAY.len());
    for row in rows {
        assert!(table.contains(row["operator"].as_str().unwrap()));
    }
    assert!(table.lines().all(|line| line.chars().count() <= 100), "{table}");
}
