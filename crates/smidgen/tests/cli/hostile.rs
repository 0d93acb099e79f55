//! Files that are not what they should be, full disks and closed pipes: a clear word, the right exit code, no panic.

use crate::support::{Folder, TINY, finish};
use smidgen::data::Array;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Stdio;

#[test]
fn files_that_are_no_models_are_told_apart() {
    let folder = Folder::new();
    folder
        .write("tiny.ir", TINY)
        .write("empty.tflite", "")
        .write("text.tflite", "hello")
        .write("bad.ir", "graph \"x\"\n%0");
    fs::create_dir(folder.path("folder")).unwrap();
    for command in ["inspect", "check"] {
        let error = |file: &str, code: i32| {
            let stderr = folder.smidgen(&[command, file]).expect(code).stderr;
            assert!(stderr.contains(file), "{stderr}");
            stderr
        };
        assert!(error("missing.ir", 2).contains("tiny.ir"), "names what is there instead");
        assert!(error("folder", 2).contains("is a folder"));
        assert!(error("empty.tflite", 4).contains("is empty"));
        assert!(error("text.tflite", 4).contains("TensorFlow Lite"));
        assert!(error("bad.ir", 4).contains("line 2"));
    }
}

#[test]
fn errors_are_plain_text_where_no_terminal_is() {
    let folder = Folder::new();
    let stderr = folder.smidgen(&["inspect", "missing.tflite"]).expect(2).stderr;
    assert!(!stderr.contains('\x1b'), "{stderr:?}");
    let forced = finish(folder.command(&["inspect", "missing.tflite"]).env("CLICOLOR_FORCE", "1"));
    assert!(forced.expect(2).stderr.contains('\x1b'));
}

#[test]
fn a_failed_write_leaves_nothing_and_keeps_the_old_file() {
    let folder = Folder::new();
    folder.write("tiny.ir", TINY).npy("x.npy", &Array::from_i8(&[1, 4, 4, 1], &[0; 16])).write("old.npz", "old");
    let before = folder.files();
    let run = |output: &str| folder.smidgen(&["run", "tiny.ir", "--input", "x.npy", "--output", output]);
    assert!(run("no/such/folder/out.npz").expect(2).stderr.contains("make the folder first"));
    assert!(run(".").expect(2).stderr.contains("is a folder"));
    assert_eq!(folder.files(), before);
    assert_eq!(fs::read(folder.path("old.npz")).unwrap(), b"old");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said_to_be_full() {
    let folder = Folder::new();
    folder.write("tiny.ir", TINY).npy("x.npy", &Array::from_i8(&[1, 4, 4, 1], &[0; 16]));
    let finished = folder.smidgen(&["run", "tiny.ir", "--input", "x.npy", "--output", "/dev/full"]).expect(2);
    assert!(finished.stderr.contains("cannot write `/dev/full`"), "{}", finished.stderr);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status = folder.command(&["ops"]).stdout(full).stderr(Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(2));
}

#[test]
fn a_closed_pipe_ends_it_quietly() {
    let folder = Folder::new();
    // More text than any pipe holds.
    let many = (0..20_000)
        .fold(TINY.to_owned(), |text, i| text + &format!("%{} \"a tensor of no use\" : i32[1] = [0]\n", i + 9));
    folder.write("tiny.ir", many);
    let mut child =
        folder.command(&["inspect", "--ir", "tiny.ir"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut start = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut start).unwrap();
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(141));
    assert_eq!(stderr, "");
}

#[test]
fn every_hostile_model_is_answered_by_its_kind() {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../smidgen-tflite/tests/hostile");
    let folder = Folder::new();
    let mut seen = [0; 5];
    for entry in fs::read_dir(models).unwrap() {
        let path = entry.unwrap().path();
        let finished = folder.smidgen(&["check", path.to_str().unwrap()]);
        let code = finished.code.expect("an exit code");
        // 0: odd but sound; 3: unsupported; 4: malformed. Never a request that makes no sense, nor a fault of ours.
        assert!(matches!(code, 0 | 3 | 4), "{}: {finished:?}", path.display());
        assert!(code != 4 || finished.stderr.contains("help:"), "{finished:?}");
        seen[code as usize] += 1;
    }
    assert!(seen[3] > 5 && seen[4] > 20, "{seen:?}");
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_it_and_leaves_nothing() {
    use nix::sys::signal::{Signal, kill};
    use nix::sys::stat::Mode;
    use nix::unistd::{Pid, mkfifo};
    use std::os::unix::process::ExitStatusExt;
    use std::time::{Duration, Instant};
    let folder = Folder::new();
    // A pipe that nobody writes to: the command waits for its model.
    let pipe = folder.path("model.tflite");
    mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    let mut child = folder.command(&["convert", "model.tflite", "out.tflite"]).stderr(Stdio::piped()).spawn().unwrap();
    let pid = Pid::from_raw(child.id().try_into().unwrap());
    let deadline = Instant::now() + Duration::from_secs(10);
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None if Instant::now() > deadline => {
                child.kill().unwrap();
                child.wait().unwrap();
                panic!("an interrupt does not end it");
            }
            // Again and again: where this test itself runs in the background its children ignore what comes before they listen.
            None => {
                kill(pid, Signal::SIGINT).unwrap();
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    };
    // By the signal itself where it came before the handler was set.
    assert!(status.code() == Some(130) || status.signal() == Some(2), "{status}");
    assert_eq!(folder.files(), ["model.tflite"]);
}

/// A RELU on so many rows of a byte.
fn tall(rows: usize) -> String {
    let tensor = format!("i8[1x{rows}x1x1]{{0.5; 3}}");
    format!("graph \"tall\"\ninputs(%0)\noutputs(%1)\n\n%0 \"x\" : {tensor}\n%1 \"y\" : {tensor} = RELU(%0)\n")
}

#[test]
fn what_no_board_holds_does_not_fit_whatever_is_asked() {
    let folder = Folder::new();
    folder.write("huge.ir", tall(400_000_000)).write("rows.ir", tall(2_000_000));
    for model in ["huge.ir", "rows.ir"] {
        for command in [
            &["plan"][..],
            &["plan", "--board", "stm32f746"],
            &["plan", "--schedule", "layer", "--json"],
            &["compile", "--board", "stm32f746", "-o", "firmware"],
            &["check"],
        ] {
            let stderr = folder.smidgen(&[command, &[model]].concat()).expect(5).stderr;
            assert!(stderr.contains("larger than any board") && stderr.contains("`x`"), "{command:?}: {stderr}");
        }
        folder.smidgen(&["inspect", model]).expect(0);
    }
    assert!(!folder.path("firmware").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn devices_are_no_files() {
    let folder = Folder::new();
    folder.write("tiny.ir", TINY);
    for arguments in [&["inspect", "/dev/zero"][..], &["run", "tiny.ir", "--input", "/dev/zero"]] {
        let stderr = folder.smidgen(arguments).expect(2).stderr;
        assert!(stderr.contains("is a device"), "{stderr}");
    }
    let stderr = folder.smidgen(&["plan", "tiny.ir", "--board", "/dev/zero"]).expect(2).stderr;
    assert!(stderr.contains("regular file"), "{stderr}");
}
