//! Folders and files that are replaced by several writers, and by writers that are killed: always whole, and nothing stays behind.

use smidgen_data::{files, write_folder};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Set for a process that is to write: the place to write to.
const VARIABLE: &str = "SMIDGEN_TEST_WRITER";

/// Version `k` of the folder: each has files of its own, all with its number in them.
fn version(k: u32) -> BTreeMap<String, Vec<u8>> {
    let text = |i: u32| format!("{k}\n").repeat(200 + i as usize).into_bytes();
    (0..5).map(|i| (format!("{}/{i}.txt", if i < 3 { "same".into() } else { format!("own-{k}") }), text(i))).collect()
}

/// The version of a folder, all of whose files must be there and of one version.
#[track_caller]
fn whole(folder: &Path) -> u32 {
    let list = fs::read_to_string(folder.join(".smidgen")).expect("the list of a folder that is never away");
    let first = fs::read_to_string(folder.join("same/0.txt")).expect("a file of every version");
    let k: u32 = first.lines().next().unwrap().parse().unwrap();
    let expected = version(k);
    assert_eq!(list.lines().collect::<Vec<_>>(), expected.keys().map(String::as_str).collect::<Vec<_>>());
    for (name, bytes) in &expected {
        assert_eq!(&fs::read(folder.join(name)).unwrap(), bytes, "{name} of version {k}");
    }
    k
}

fn left_behind(place: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(place).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(".smidgen-")).collect()
}

/// This very program, as a writer that goes on until it is killed, or for so many versions.
fn writer(place: &Path, first: u32, versions: u32) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["writes_if_it_is_told_to", "--exact", "--nocapture"])
        .env(VARIABLE, place)
        .env("SMIDGEN_TEST_VERSIONS", format!("{first} {versions}"))
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn writes_if_it_is_told_to() {
    let Some(place) = std::env::var_os(VARIABLE).map(PathBuf::from) else { return };
    let numbers = std::env::var("SMIDGEN_TEST_VERSIONS").unwrap();
    let (first, versions) = numbers.split_once(' ').unwrap();
    let (first, versions): (u32, u32) = (first.parse().unwrap(), versions.parse().unwrap());
    for k in (first..).take(versions as usize) {
        write_folder(&place.join("out"), &version(k)).unwrap();
        files::write_atomically(&place.join("file"), &version(k)["same/0.txt"]).unwrap();
    }
}

#[test]
fn a_writer_killed_at_any_moment_leaves_a_whole_folder() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("out");
    write_folder(&out, &version(0)).unwrap();
    let mut moment = 0x9e37_79b9u32;
    let mut seen = std::collections::BTreeSet::new();
    for round in 0..40 {
        let mut child = writer(place.path(), 1000 * (round + 1), u32::MAX);
        moment = moment.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        std::thread::sleep(Duration::from_micros(2_000 + u64::from(moment >> 16) % 60_000));
        child.kill().unwrap();
        child.wait().unwrap();
        seen.insert(whole(&out));
        if let Ok(text) = fs::read_to_string(place.path().join("file")) {
            let k = text.lines().next().unwrap();
            assert!(text.lines().count() == 200 && text.lines().all(|line| line == k), "a torn file");
        }
    }
    assert!(seen.len() > 3, "no writer came to write: {seen:?}");
    // What was killed before it held a lock is left alone for a moment.
    std::thread::sleep(Duration::from_millis(2100));
    write_folder(&out, &version(7)).unwrap();
    assert_eq!(whole(&out), 7);
    assert_eq!(left_behind(place.path()), Vec::<PathBuf>::new());
}

#[test]
fn three_writers_at_once_leave_one_whole_folder() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("out");
    write_folder(&out, &version(0)).unwrap();
    let mut writers: Vec<Child> = (1..=3).map(|i| writer(place.path(), 100 * i, 15)).collect();
    for writer in &mut writers {
        assert!(writer.wait().unwrap().success(), "a writer was refused");
    }
    whole(&out);
    assert_eq!(left_behind(place.path()), Vec::<PathBuf>::new());
}
