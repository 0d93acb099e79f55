//! `smidgen doctor`.

use crate::support::{Folder, finish};

#[test]
fn a_missing_path_is_told_as_what_it_is() {
    let folder = Folder::new();
    folder.write("tiny.ir", crate::support::TINY);
    for (arguments, code) in [(&["doctor"][..], 1), (&["simulate", "tiny.ir", "--board", "mps2-an500"][..], 2)] {
        let mut command = folder.command(arguments);
        command.env_clear().env("XDG_CACHE_HOME", folder.path("cache"));
        let finished = finish(&mut command);
        // Where the tools lie in the system's own folders they are found all the same.
        if finished.code != Some(0) {
            let finished = finished.expect(code);
            let said = finished.stdout + &finished.stderr;
            let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(said.contains("the variable PATH is not set"), "{said}");
        }
    }
}

#[test]
fn every_core_is_told_of_and_the_exit_code_follows() {
    let folder = Folder::new();
    let finished = folder.smidgen(&["doctor", "--json"]);
    let json = finished.json();
    let complete = json["complete"].as_bool().unwrap();
    assert_eq!(finished.code, Some(if complete { 0 } else { 1 }), "{json}");
    let cores = json["cores"].as_array().unwrap();
    assert_eq!(cores.len(), smidgen::boards::Core::ALL.len());
    for core in cores {
        let missing = !core["advice"].as_array().unwrap().is_empty();
        let simulates = core["builds"] == true && core["emulator"]["version"].is_string();
        assert_eq!(simulates, !missing, "{core}");
    }
    let text = folder.smidgen(&["doctor"]).expect(finished.code.unwrap()).stdout;
    assert!(text.contains("cortex-m55") && text.contains("qemu-system-arm"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 160), "{text}");
}

#[test]
fn without_any_tool_everything_is_missing_and_it_says_what_to_install() {
    let folder = Folder::new();
    // No program can be found where there is no path to look on; the system's own compiler is asked for by its full name.
    let run = |more: &[&str]| {
        let arguments = [&["doctor", "--board", "stm32f746"], more].concat();
        finish(folder.command(&arguments).env("PATH", folder.path("")).env_remove("CARGO").env_remove("RUSTC"))
    };
    let said = run(&[]).expect(1).stdout;
    assert!(said.contains("apt install qemu-system-arm") && said.contains("does not compile"), "{said}");
    assert_eq!(run(&["--json"]).expect(1).json()["complete"], false);
    folder.smidgen(&["doctor", "--board", "stm32f745"]).expect(2);
}
