//! `smidgen demo-data`: the same pictures every time, which training reads, and nothing where there can be none.

use crate::support::Folder;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// All files below a folder by their path in it.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|(below, bytes)| (format!("{name}/{below}"), bytes)));
        } else {
            found.insert(name, fs::read(path).unwrap());
        }
    }
    found
}

fn draw(folder: &Folder, name: &str, more: &[&str]) -> BTreeMap<String, Vec<u8>> {
    let arguments = ["demo-data", name, "--size", "16"];
    folder.smidgen(&[&arguments, more].concat()).expect(0);
    files(&folder.path(name))
}

#[test]
fn the_same_options_draw_the_same_pictures_and_training_reads_them() {
    let folder = Folder::new();
    let few = ["--classes", "3", "--per-class", "10"];
    let one = draw(&folder, "one", &few);
    let pictures = one.keys().filter(|name| name.ends_with(".png")).count();
    assert_eq!(pictures, 3 * (10 + 3), "{:?}", one.keys());
    assert_eq!(draw(&folder, "two", &few), one);
    assert_ne!(draw(&folder, "other", &[&few[..], &["--seed", "2"]].concat()), one);
    // What it has written before it replaces; a set of more holds the same pictures.
    let more = draw(&folder, "one", &["--classes", "4", "--per-class", "20"]);
    assert!(one.iter().filter(|(name, _)| name.ends_with(".png")).all(|(name, bytes)| more[name] == *bytes));

    let arguments = ["train", "--arch", "resnet8", "--resolution", "16", "--data", "two", "--epochs", "1"];
    let told = folder.smidgen(&[&arguments[..], &["-o", "two.tflite"]].concat()).expect(0).stdout;
    assert!(told.contains("3 classes; 30 samples to train on, part `train`; 9 to test, part `test`"), "{told}");
    let json = folder.smidgen(&["demo-data", "three", "--per-class", "2", "--json"]).expect(0).json();
    assert_eq!(json["classes"].as_array().unwrap().len(), 6, "{json}");
    assert_eq!((&json["pictures_per_class"]["train"], &json["pictures_per_class"]["test"]), (&2.into(), &1.into()));
}

#[test]
fn what_cannot_be_drawn_is_said_and_leaves_nothing() {
    let folder = Folder::new();
    fs::create_dir(folder.path("mine")).unwrap();
    folder.write("mine/notes.txt", "kept");
    for (arguments, said) in [
        (&["none", "--classes", "11"][..], "number of classes is 11; there are 2 to 10"),
        (&["none", "--size", "8"], "8x8 pixels; they have 16 to 512"),
        (&["none", "--per-class", "0"], "no pictures of a class"),
        (&["none", "--per-class", "18446744073709551615"], "1024 MiB"),
        (&["mine", "--per-class", "1"], "mine"),
        (&["no/such/place", "--per-class", "1"], "no/such/place"),
    ] {
        let refused = folder.smidgen(&[&["demo-data"], arguments].concat()).expect(2).stderr;
        assert!(refused.contains(said), "{refused}");
    }
    assert_eq!(files(&folder.path("")).into_iter().collect::<Vec<_>>(), [("mine/notes.txt".into(), b"kept".to_vec())]);
}
