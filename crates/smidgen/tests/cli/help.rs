//! Help and usage.

use crate::support::Folder;

const COMMANDS: [&str; 20] = [
    "inspect",
    "run",
    "verify",
    "eval",
    "train",
    "demo-data",
    "export",
    "quantize",
    "check",
    "ops",
    "convert",
    "plan",
    "compile",
    "boards",
    "diff",
    "doctor",
    "simulate",
    "bench",
    "completions",
    "man",
];

#[test]
fn help_is_as_reviewed() {
    let folder = Folder::new();
    insta::assert_snapshot!("help", folder.smidgen(&["--help"]).expect(0).stdout);
    for command in COMMANDS {
        insta::assert_snapshot!(format!("help_{command}"), folder.smidgen(&[command, "--help"]).expect(0).stdout);
    }
}

#[test]
fn help_fits_100_columns_and_explains_by_example() {
    let folder = Folder::new();
    for command in COMMANDS {
        let help = folder.smidgen(&[command, "--help"]).expect(0).stdout;
        assert!(help.contains("Examples:\n  smidgen "), "{help}");
        for line in help.lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
    }
    for command in
        [&["adapt"][..], &["adapt", "eval"], &["adapt", "simulate"], &["adapt", "compile"], &["adapt", "scheme"]]
    {
        let help = folder.smidgen(&[command, &["--help"]].concat()).expect(0).stdout;
        assert!(help.contains("Examples:\n  smidgen adapt ") && help.contains("Exit codes:\n  0 "), "{help}");
        for line in help.lines().filter(|line| !line.starts_with("Usage:")) {
            assert!(line.chars().count() <= 100, "{line}");
        }
    }
}

#[test]
fn wrong_arguments_are_a_request_that_cannot_be_carried_out() {
    let folder = Folder::new();
    for arguments in
        [&["inspekt", "m"][..], &["inspect"], &["verify", "m"], &["run", "m"], &["ops", "extra"], &["ops", "-q", "-v"]]
    {
        let finished = folder.smidgen(arguments).expect(2);
        assert!(finished.stderr.contains("--help"), "{arguments:?}: {}", finished.stderr);
    }
    assert!(folder.smidgen(&["inspekt", "m"]).stderr.contains("inspect"));
    assert!(folder.smidgen(&[]).expect(2).stderr.contains("Usage"));
}

#[test]
fn shells_and_the_manual_know_every_command() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = folder.smidgen(&["completions", shell]).expect(0).stdout;
        assert!(COMMANDS.iter().all(|command| script.contains(command)), "{shell}");
    }
    let page = folder.smidgen(&["man"]).expect(0).stdout;
    assert!(page.starts_with(".ie") || page.contains(".TH smidgen"), "{page}");
    // Where a line may not be broken a hyphen is written with a backslash.
    assert!(COMMANDS.iter().all(|command| page.contains(&command.replace('-', "\\-"))), "{page}");
    assert!(folder.smidgen(&["man", "quantize"]).expect(0).stdout.contains("smidgen\\-quantize"));
    folder.smidgen(&["man", "none"]).expect(2);
}

#[test]
fn programs_are_told_why_there_is_no_result() {
    let folder = Folder::new();
    folder.write("empty.tflite", "");
    let error = |arguments: &[&str], code: i32| folder.smidgen(arguments).expect(code).json()["error"].clone();
    let missing = error(&["inspect", "--json", "missing.ir"], 2);
    assert_eq!((&missing["kind"], &missing["exit_code"]), (&"request".into(), &2.into()), "{missing}");
    assert!(missing["message"].as_str().unwrap().contains("missing.ir") && missing["help"].is_string(), "{missing}");
    assert_eq!(error(&["inspect", "--json", "empty.tflite"], 4)["kind"], "malformed");
    let wrong = error(&["inspect", "--json", "--none", "x"], 2);
    assert!(wrong["message"].as_str().unwrap().contains("--none"), "{wrong}");
}

#[test]
fn version_is_told() {
    assert_eq!(
        Folder::new().smidgen(&["--version"]).expect(0).stdout,
        format!("smidgen {}\n", env!("CARGO_PKG_VERSION"))
    );
}
