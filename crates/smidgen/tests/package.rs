//! What would be published: every crate is packaged, and `smidgen` is installed from the packages alone, as a user would install it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Crates that are not published: what only this repository's own tests and tasks need.
const PRIVATE: [&str; 2] = ["smidgen-reference", "xtask"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn run(command: &mut Command) -> String {
    let output = command.output().expect("a program that starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}\n{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// Packages every crate and unpacks the packages into a folder; gives back their folders, `NAME-VERSION` each.
fn packages(target: &Path, into: &Path) -> Vec<PathBuf> {
    let mut package = Command::new(env!("CARGO"));
    package.args(["package", "--workspace", "--no-verify", "--allow-dirty", "--offline", "--quiet"]);
    run(package.arg("--target-dir").arg(target).current_dir(root()));
    let mut folders = Vec::new();
    for entry in fs::read_dir(target.join("package")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "crate") {
            let archive = flate2::read::GzDecoder::new(fs::File::open(&path).unwrap());
            tar::Archive::new(archive).unpack(into).unwrap();
            folders.push(into.join(path.file_stem().unwrap()));
        }
    }
    folders.sort();
    folders
}

fn name(folder: &Path) -> &str {
    folder.file_name().unwrap().to_str().unwrap().rsplit_once('-').unwrap().0
}

#[test]
fn smidgen_is_installed_from_its_packages_in_an_empty_folder() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("package");
    // Packages of crates that have gone, or of an older version, would be taken for present ones.
    let _ = fs::remove_dir_all(target.join("package"));
    let folder = tempfile::tempdir().unwrap();
    let folders = packages(&target, folder.path());
    let public: Vec<&PathBuf> = folders.iter().filter(|f| !PRIVATE.contains(&name(f))).collect();
    assert!(public.len() > 10, "{folders:?}");

    for folder in &public {
        for file in ["README.md", "LICENSE-MIT", "LICENSE-APACHE"] {
            assert!(folder.join(file).is_file(), "{} comes without {file}", name(folder));
        }
        let manifest: toml::Table = fs::read_to_string(folder.join("Cargo.toml")).unwrap().parse().unwrap();
        for key in ["description", "license", "repository", "documentation", "keywords", "categories", "readme"] {
            assert!(manifest["package"].get(key).is_some(), "{} says nothing of its {key}", name(folder));
        }
    }

    // No registry has these packages yet, so each is told where the others lie.
    let smidgen = public.iter().find(|f| name(f) == "smidgen").unwrap();
    let mut install = Command::new(env!("CARGO"));
    install.args(["install", "--debug", "--locked", "--offline", "--quiet", "--path"]).arg(smidgen);
    for folder in &public {
        let patch = format!("patch.crates-io.{}.path = {:?}", name(folder), folder.to_str().unwrap());
        install.args(["--config", &patch]);
    }
    let installed = folder.path().join("installed");
    install.arg("--root").arg(&installed).arg("--target-dir").arg(target.join("build")).current_dir(folder.path());
    // A third of the bytes on disk: nobody debugs this build or changes it.
    run(install.env("CARGO_INCREMENTAL", "0").env("CARGO_PROFILE_DEV_DEBUG", "none"));

    let program = installed.join("bin").join(format!("smidgen{}", std::env::consts::EXE_SUFFIX));
    let empty = tempfile::tempdir().unwrap();
    let graph = smidgen_synthetic::demo(1);
    fs::write(empty.path().join("demo.ir"), smidgen::ir::text::print(&graph)).unwrap();
    let smidgen = |arguments: &[&str]| run(Command::new(&program).args(arguments).current_dir(empty.path()));
    assert!(smidgen(&["--version"]).contains(env!("CARGO_PKG_VERSION")));
    smidgen(&["convert", "demo.ir", "demo.tflite"]);
    // The kernels' sources come out of the package.
    smidgen(&["compile", "demo.tflite", "--board", "stm32f746", "--emit", "rust", "-o", "firmware"]);
    assert!(empty.path().join("firmware/rust/kernels/src/lib.rs").is_file());
}
