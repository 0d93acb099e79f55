//! Surroundings that are not as they should be: paths that are no text, missing tools, full disks, a cache that cannot be used, an
//! emulator that hangs. Each is told as what it is, and never as a fault of smidgen's or of the network's.

use crate::support::{Finished, Folder, TINY, finish, simulates};
use smidgen::boards::Core;
use smidgen::data::Array;
use std::fs;

const SIMULATE: [&str; 4] = ["simulate", "tiny.ir", "--board", "mps2-an500"];

/// What is said on standard error, without line breaks and the marks of boxes.
fn flat(finished: &Finished) -> String {
    finished.stderr.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ")
}

fn tiny() -> Folder {
    let folder = Folder::new();
    folder.write("tiny.ir", TINY).npy("x.npy", &Array::from_i8(&[1, 4, 4, 1], &[7; 16]));
    folder
}

#[cfg(target_os = "linux")]
#[test]
fn paths_need_not_be_text() {
    use std::ffi::{OsStr, OsString};
    use std::os::unix::ffi::OsStrExt;
    let odd = |text: &[u8]| OsStr::from_bytes(text).to_owned();
    let folder = tiny();
    let (model, input, labels) = (odd(b"m\xff.ir"), odd(b"x\xff.npy"), odd(b"l\xff.txt"));
    let (out, made, set) = (odd(b"o\xff"), odd(b"c\xff.tflite"), odd(b"set\xff"));
    let at = |name: &OsString| folder.path("").join(name);
    fs::copy(folder.path("tiny.ir"), at(&model)).unwrap();
    fs::copy(folder.path("x.npy"), at(&input)).unwrap();
    fs::write(at(&labels), "a\nb\nc\n").unwrap();
    for class in [&b"a\xff"[..], b"b", b"c"] {
        fs::create_dir_all(at(&set).join(OsStr::from_bytes(class))).unwrap();
        let picture = image::GrayImage::from_pixel(4, 4, image::Luma([90]));
        picture.save(folder.path("p.png")).unwrap();
        fs::rename(folder.path("p.png"), at(&set).join(OsStr::from_bytes(class)).join(odd(b"p\xff.png"))).unwrap();
    }
    let run = |arguments: &[&OsStr], codes: &[i32]| {
        for json in [false, true] {
            let mut command = folder.command(&[]);
            command.args(arguments);
            if json {
                command.arg("--json");
            }
            let finished = finish(&mut command);
            let code = finished.code.expect("an exit code");
            assert!(codes.contains(&code) || json && code == 2, "{arguments:?}: {finished:?}");
            assert!(!finished.stderr.contains("fault of its own"), "{finished:?}");
        }
    };
    let word = OsStr::new;
    run(&[word("inspect"), &model], &[0]);
    run(&[word("check"), &model], &[0]);
    run(&[word("run"), &model, word("--input"), &input, word("--labels"), &labels], &[0]);
    run(&[word("run"), &model, word("--input"), &input, word("--output"), &odd(b"r\xff.npz")], &[0]);
    run(&[word("verify"), &model, word("--golden"), &odd(b"r\xff.npz")], &[0]);
    run(&[word("convert"), &model, &made], &[0]);
    run(&[word("plan"), &model, word("--board"), word("rp2040"), word("--html"), &odd(b"p\xff.html")], &[0]);
    run(&[word("compile"), &model, word("--board"), word("rp2040"), word("-o"), &out], &[0]);
    run(&[word("eval"), &model, word("--data"), &set], &[2]);
    run(&[word("quantize"), &model, word("-o"), &made, word("--data"), &set], &[2]);
    run(&[word("diff"), &model, &input], &[2]);
    run(&[word("inspect"), &odd(b"none\xff.ir")], &[2]);
    run(&[word("boards"), &odd(b"none\xff.toml")], &[2, 4]);
    assert!(at(&out).join("rust/Cargo.toml").exists());
    if simulates(Core::CortexM7) {
        run(&[word("simulate"), &model, word("--board"), word("mps2-an500")], &[0]);
        run(&[word("bench"), folder.path("").as_os_str(), word("--board"), word("mps2-an500")], &[0]);
        // Commas are special to the emulator; cargo takes no path that is not text.
        let refused = finish(folder.command(&SIMULATE).env("XDG_CACHE_HOME", at(&odd(b"cache\xff")))).expect(2);
        assert!(flat(&refused).contains("XDG_CACHE_HOME"), "{}", refused.stderr);
        let odd_cache = folder.path("cache,comma");
        let odd_tmp = at(&odd(b"tmp,\xff"));
        fs::create_dir(&odd_tmp).unwrap();
        let mut command = folder.command(&SIMULATE);
        finish(command.env("XDG_CACHE_HOME", odd_cache).env("TMPDIR", odd_tmp)).expect(0);
    }
}

#[test]
fn names_that_no_compiler_takes_are_changed_and_that_is_said() {
    let folder = tiny();
    for (asked, name) in
        [("size_t", "model_size_t"), ("int8_t", "model_int8_t"), ("restrict", "model_restrict"), ("main", "model_main")]
    {
        let compile = ["compile", "tiny.ir", "--board", "rp2040", "-o", "out", "--name", asked, "--json"];
        let finished = folder.smidgen(&compile).expect(0);
        assert_eq!(finished.json()["name"], name);
        assert!(flat(&finished).contains(&format!("the library is called `{name}`")), "{}", finished.stderr);
    }
    let good = ["compile", "tiny.ir", "--board", "rp2040", "-o", "out", "--name", "kws_2"];
    assert_eq!(folder.smidgen(&good).expect(0).stderr, "");
    let long = "x".repeat(300);
    let refused = folder.smidgen(&["compile", "tiny.ir", "--board", "rp2040", "-o", "new", "--name", &long]).expect(2);
    assert!(flat(&refused).contains("300 letters"), "{}", refused.stderr);
    assert!(!folder.path("new").exists());
    // The model's own name may be long without anybody having asked for it.
    let file = format!("{}.ir", "m".repeat(200));
    folder.write(&file, TINY);
    folder.smidgen(&["compile", &file, "--board", "rp2040", "-o", "out"]).expect(0);
}

#[test]
fn a_missing_tool_is_named_with_what_to_install() {
    let folder = tiny();
    let cache = folder.path("cache");
    for command in [&SIMULATE[..], &["compile", "tiny.ir", "--board", "rp2040", "--emit", "c", "-o", "out"]] {
        let mut command = folder.command(command);
        command.env("PATH", folder.path("")).env_remove("CARGO").env_remove("RUSTC").env("XDG_CACHE_HOME", &cache);
        let finished = finish(&mut command);
        // A system's own toolchain is found without PATH; then there is no emulator.
        if finished.code == Some(0) {
            continue;
        }
        let finished = finished.expect(2);
        let said = flat(&finished);
        assert!(said.contains("smidgen doctor") && said.contains("install"), "{said}");
        assert!(!said.contains("tiny.ir") && !said.contains("fault"), "{said}");
        assert!(!folder.path("out").exists());
    }
    let mut bench = folder.command(&["bench", "tiny.ir", "--board", "mps2-an500"]);
    finish(bench.env("PATH", folder.path("")).env_remove("CARGO").env("XDG_CACHE_HOME", &cache)).expect(2);
}

#[test]
fn a_temporary_folder_that_cannot_be_used_is_named() {
    if !simulates(Core::CortexM7) {
        return;
    }
    let folder = tiny();
    folder.smidgen(&SIMULATE).expect(0);
    let missing = folder.path("missing");
    let finished = finish(folder.command(&SIMULATE).env("TMPDIR", &missing)).expect(2);
    let said = flat(&finished);
    assert!(said.contains("TMPDIR") && said.contains("temporary folder") && !said.contains("tiny.ir"), "{said}");
    let file = folder.path("tiny.ir");
    assert!(flat(&finish(folder.command(&SIMULATE).env("TMPDIR", file)).expect(2)).contains("TMPDIR"));
}

/// A file system of so many KiB in memory, which goes away with the value.
#[cfg(target_os = "linux")]
struct Small(std::path::PathBuf);

#[cfg(target_os = "linux")]
impl Small {
    fn mount(place: std::path::PathBuf, kib: u32) -> Option<Self> {
        use nix::mount::{MsFlags, mount};
        fs::create_dir_all(&place).unwrap();
        let options = format!("size={kib}k");
        match mount(Some("tmpfs"), &place, Some("tmpfs"), MsFlags::empty(), Some(options.as_str())) {
            Ok(()) => Some(Self(place)),
            Err(error) => {
                let why = format!("a small file system cannot be mounted ({error}); that takes root");
                smidgen_reference::skip(smidgen_reference::Lack::Optional, "a full disk", &why);
                None
            }
        }
    }

    /// Takes all but so many KiB.
    fn fill(&self, left: usize) {
        use std::io::Write;
        let mut file = fs::File::create(self.0.join("filler")).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
        let length = file.metadata().unwrap().len();
        file.set_len(length.saturating_sub(left as u64 * 1024)).unwrap();
    }
}

#[cfg(target_os = "linux")]
impl Drop for Small {
    fn drop(&mut self) {
        let _ = nix::mount::umount2(&self.0, nix::mount::MntFlags::MNT_DETACH);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn full_disks_are_said_to_be_full_and_nothing_half_written_stays() {
    let folder = tiny();
    let Some(disk) = Small::mount(folder.path("disk"), 512) else { return };
    let before = |disk: &Small| fs::read_dir(&disk.0).unwrap().count();
    disk.fill(8);
    for command in [
        &["compile", "tiny.ir", "--board", "rp2040", "-o", "disk/out"][..],
        &["plan", "tiny.ir", "--board", "rp2040", "--html", "disk/plan.html"],
    ] {
        let finished = folder.smidgen(command).expect(2);
        let said = flat(&finished);
        assert!(said.contains("No space left") && said.contains("nothing was left behind"), "{said}");
        assert_eq!(before(&disk), 1, "{command:?} leaves something behind");
    }
    if !simulates(Core::CortexM7) {
        return;
    }
    folder.smidgen(&SIMULATE).expect(0);
    for left in [0, 8, 40] {
        disk.fill(left);
        let finished = finish(folder.command(&SIMULATE).env("TMPDIR", folder.path("disk"))).expect(2);
        let said = flat(&finished);
        assert!(
            said.contains("TMPDIR") && said.contains("free some space") && !said.contains("fault"),
            "{left}: {said}"
        );
    }
    let finished = finish(folder.command(&SIMULATE).env("XDG_CACHE_HOME", folder.path("disk"))).expect(2);
    let said = flat(&finished);
    assert!(said.contains("XDG_CACHE_HOME") && said.contains("free some space"), "{said}");
}

#[test]
fn a_cache_that_cannot_be_used_is_named() {
    if !simulates(Core::CortexM7) {
        return;
    }
    let folder = tiny();
    let finished = finish(folder.command(&SIMULATE).env("XDG_CACHE_HOME", folder.path("tiny.ir"))).expect(2);
    let said = flat(&finished);
    assert!(said.contains("XDG_CACHE_HOME") && !said.contains("fault"), "{said}");
    let finished = finish(folder.command(&SIMULATE).env("SMIDGEN_CACHE_SIZE", "much").env_remove("HOME"));
    // Looked up only where something is built, so that what is cached is of use in any case.
    assert!(matches!(finished.code, Some(0 | 2)), "{finished:?}");
}

#[test]
fn an_emulator_that_does_not_end_is_stopped() {
    if !simulates(Core::CortexM7) {
        return;
    }
    let folder = tiny();
    let finished = folder.smidgen(&[&SIMULATE[..], &["--timeout", "0"]].concat()).expect(2);
    let said = flat(&finished);
    assert!(said.contains("within 0 seconds") && said.contains("--timeout SECONDS"), "{said}");
    folder.smidgen(&[&SIMULATE[..], &["--timeout", "300"]].concat()).expect(0);
}

#[test]
fn results_go_nowhere_but_where_they_can() {
    let folder = tiny();
    fs::create_dir(folder.path("folder")).unwrap();
    folder.write("folder/mine", "").write("file", "");
    let before = folder.files();
    for (arguments, what) in [
        (&["convert", "tiny.ir", "folder.tflite/x.tflite"][..], "make the folder first"),
        (&["convert", "tiny.ir", "file/x.tflite"], "a file, not a folder"),
        (&["plan", "tiny.ir", "--board", "rp2040", "--html", "folder"], "is a folder"),
        (&["compile", "tiny.ir", "--board", "rp2040", "-o", "file"], "cannot write `file`"),
        (&["compile", "tiny.ir", "--board", "rp2040", "-o", "file/out"], "cannot write"),
        (&["compile", "tiny.ir", "--board", "rp2040", "-o", "folder"], "not a folder that smidgen wrote"),
        (&["compile", "tiny.ir", "--board", "rp2040", "-o", "no/such/out"], "make the folder first"),
    ] {
        let said = flat(&folder.smidgen(arguments).expect(2));
        assert!(said.contains(what), "{arguments:?}: {said}");
        assert_eq!(folder.files(), before);
    }
    let name = format!("{}.tflite", "x".repeat(300));
    assert!(flat(&folder.smidgen(&["convert", "tiny.ir", &name]).expect(2)).contains("too long"));
}
