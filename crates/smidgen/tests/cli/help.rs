//! Help and usage.

use crate::support::Folder;

const COMMANDS: [&str; 15] = [
    "inspect", "run", "verify", "eval", "quantize", "check", "ops", "convert", "plan", "compile", "boards", "diff",
    "doctor", "simulate", "bench",
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
fn version_is_told() {
    assert_eq!(
        Folder::new().smidgen(&["--version"]).expect(0).stdout,
        format!("smidgen {}\n", env!("CARGO_PKG_VERSION"))
    );
}
