//! `cargo xtask demo`: what smidgen does, on one network: from a model file to firmware that runs on an emulated board.
//!
//! With real models at hand (`../shared`, or the folder in `SMIDGEN_SHARED`) that is TensorFlow Lite Micro's person detection on
//! two photographs; else a network made here, on a picture made here.

use crate::Error;
use crate::process::{cargo, check, root};
use crate::setup::emulation;
use std::fs;
use std::path::{Path, PathBuf};

const HELP: &str = "\
usage: cargo xtask demo

Reads a network, shows what it computes and costs, plans its memory for a board, builds it as firmware for that board, runs
that on the emulated core with pictures as input, and compares its output bytes with those of the host and of the reference
where they are known. Uses person-detect.tflite of the folder ../shared (or SMIDGEN_SHARED) if there is one, and a network of its
own making otherwise. Files are written to target/demo.

Firmware needs a compiler for the board's core and QEMU: what is missing is installed where that needs no question
answered, else the demo says what to install and ends without that part.
";

/// The board that the network is compiled for.
const BOARD: &str = "stm32f746";

/// Seed of the network that is made where no real one is at hand.
const SEED: u64 = 2026;

/// Runs the demo; takes no arguments but `--help`.
pub fn run(arguments: &[String]) -> Result<(), Error> {
    match arguments {
        [] => {}
        [help] if help == "--help" || help == "-h" => {
            print!("{HELP}");
            return Ok(());
        }
        [other, ..] => return Err(Error::Usage(format!("`cargo xtask demo` takes no `{other}`"))),
    }
    // Commands run in the workspace's root, so that the paths they show are short ones.
    let folder = Path::new("target/demo");
    fs::create_dir_all(root().join(folder)).map_err(|e| failed(folder, e))?;
    println!("Building smidgen (the first time takes some minutes) ...");
    check(&mut cargo(&["build", "--package", "smidgen"]))?;
    let emulated = match emulation("thumbv7em-none-eabihf") {
        Ok(()) => true,
        Err(Error::Failed(missing)) => {
            println!("\n{missing}\nThe demo goes on without firmware.");
            false
        }
        Err(error) => return Err(error),
    };
    match shared() {
        Some(shared) => person_detection(&shared, folder, emulated),
        None => own_network(folder, emulated),
    }
}

/// The folder of real models (relative to the workspace's root or absolute), if it holds what the demo needs.
fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("SMIDGEN_SHARED").map_or_else(|| "../shared".into(), PathBuf::from);
    exists(&folder.join("models/person-detect.tflite")).then_some(folder)
}

/// Photographs that come with the network, and what is on them.
const PICTURES: [(&str, &str); 2] = [("person.bmp", "with a person"), ("no_person.bmp", "without one")];

fn person_detection(shared: &Path, folder: &Path, emulated: bool) -> Result<(), Error> {
    let model = shared.join("models/person-detect.tflite");
    let labels = write(folder, "labels.txt", b"no person\nperson\n")?;
    heading("A network that finds people in 96x96 grey pictures, as TensorFlow Lite Micro ships it: what it costs");
    smidgen(&["inspect", text(&model)])?;
    planning(&model, folder)?;
    let golden = shared.join("golden/person-detect.npz");
    if !emulated {
        for (picture, what) in PICTURES {
            let picture = shared.join("data/images").join(picture);
            if exists(&picture) {
                heading(&format!("The network on a picture {what}, on this computer"));
                let arguments = ["run", text(&model), "--input", text(&picture), "--labels", text(&labels)];
                smidgen(&[&arguments[..], &["--normalise", "bytes"]].concat())?;
            }
        }
        if exists(&golden) {
            heading("Its output bytes beside the reference's, for eight pictures");
            smidgen(&["verify", text(&model), "--golden", text(&golden)])?;
        }
        return closing(&model);
    }
    for (picture, what) in PICTURES {
        let picture = shared.join("data/images").join(picture);
        if exists(&picture) {
            heading(&format!("Firmware on the emulated Cortex-M7 of that board, with a picture {what}"));
            let arguments = ["simulate", text(&model), "--board", BOARD, "--input", text(&picture)];
            let more = ["--labels", text(&labels), "--normalise", "bytes"];
            smidgen(&[&arguments[..], &more].concat())?;
        }
    }
    if exists(&golden) {
        heading(
            "The firmware's output bytes beside the reference's, for eight pictures, and where the instructions go",
        );
        smidgen(&["simulate", text(&model), "--board", BOARD, "--golden", text(&golden), "--per-step"])?;
    }
    closing(&model)
}

fn own_network(folder: &Path, emulated: bool) -> Result<(), Error> {
    println!(
        "No real models beside the checkout, so the demo makes a network with random weights; its classes mean nothing."
    );
    let graph = smidgen_zoo::demo(SEED);
    let source = write(folder, "demo.ir", smidgen_ir::text::print(&graph).as_bytes())?;
    let model = folder.join("demo.tflite");
    let picture = write(folder, "disc.bmp", &disc(64))?;
    heading("A small image classifier, written as a TensorFlow Lite file");
    smidgen(&["convert", text(&source), text(&model)])?;
    heading("What it computes and costs");
    smidgen(&["inspect", text(&model)])?;
    heading("The network on a picture, resized and normalised as its input asks");
    let result = folder.join("result.npz");
    smidgen(&["run", text(&model), "--input", text(&picture), "--top", "3", "--output", text(&result)])?;
    heading("Its bytes again, after folding and dropping what it does not need");
    smidgen(&["verify", text(&model), "--clean", "--golden", text(&result)])?;
    planning(&model, folder)?;
    if emulated {
        heading("Firmware on the emulated Cortex-M7 of that board, with the same picture: its bytes are the host's");
        let arguments =
            ["simulate", text(&model), "--board", BOARD, "--input", text(&picture), "--top", "3", "--per-step"];
        smidgen(&arguments)?;
    }
    closing(&model)
}

fn planning(model: &Path, folder: &Path) -> Result<(), Error> {
    heading("The smallest memory that gives the same bytes, for a board");
    let page = folder.join("plan.html");
    smidgen(&["plan", text(model), "--board", BOARD, "--html", text(&page)])
}

fn closing(model: &Path) -> Result<(), Error> {
    println!("\nNext: `cargo run -p smidgen -- --help`, and the same commands on a model of yours:");
    println!("      `cargo run -p smidgen -- check {}`", model.display());
    Ok(())
}

fn heading(text: &str) {
    println!("\n== {text}");
}

/// Shows the command as a user would type it, then runs it.
fn smidgen(arguments: &[&str]) -> Result<(), Error> {
    println!("$ smidgen {}", arguments.join(" "));
    check(cargo(&["run", "--quiet", "--package", "smidgen", "--"]).args(arguments))
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf, Error> {
    let path = folder.join(name);
    fs::write(root().join(&path), bytes).map_err(|e| failed(&path, e))?;
    Ok(path)
}

fn failed(path: &Path, error: std::io::Error) -> Error {
    Error::Failed(format!("cannot write {}: {error}", path.display()))
}

fn exists(path: &Path) -> bool {
    root().join(path).is_file()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap_or("(a path that is not text)")
}

/// A bright disc on a dark slope, as an uncompressed 24-bit BMP of `side` by `side` pixels; `side` is a multiple of 4.
fn disc(side: u32) -> Vec<u8> {
    const HEADER: u32 = 54;
    let pixels = side * side * 3;
    let mut bmp = b"BM".to_vec();
    for word in [HEADER + pixels, 0, HEADER, 40, side, side, 24 << 16 | 1, 0, pixels, 2835, 2835, 0, 0] {
        bmp.extend(word.to_le_bytes());
    }
    let centre = side as i64 / 2;
    for y in 0..side {
        for x in 0..side {
            let (dx, dy) = (i64::from(x) - centre, i64::from(y) - centre);
            let inside = dx * dx + dy * dy < (centre / 2) * (centre / 2);
            let slope = (x * 128 / side) as u8;
            bmp.extend(if inside { [60, 200, 250] } else { [slope, slope / 2, 40] });
        }
    }
    bmp
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_is_as_long_as_it_says() {
        let bmp = disc(64);
        assert_eq!(bmp.len(), 54 + 64 * 64 * 3);
        assert_eq!(bmp[2..6], (bmp.len() as u32).to_le_bytes());
    }

    #[test]
    fn only_help_is_taken() {
        assert!(run(&["--help".into()]).is_ok());
        assert!(matches!(run(&["--fast".into()]), Err(Error::Usage(_))));
    }
}
