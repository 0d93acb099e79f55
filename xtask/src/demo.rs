//! `cargo xtask demo`: what smidgen does, from labelled pictures and the name of a board to firmware that runs on it.
//!
//! With real models at hand (`../shared`, or the folder in `SMIDGEN_SHARED`) TensorFlow Lite Micro's person detection is shown
//! after that, on a photograph.

use crate::Error;
use crate::process::{cargo, check, root};
use crate::setup::emulation;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

const HELP: &str = "\
usage: cargo xtask demo

Draws a labelled set of pictures, searches the network that suits them and a board, trains and quantises it, shows what it
costs and how its memory is used, builds its firmware, and counts on the emulated board how often that is right, beside the
same network on this computer. Then, if there is a folder ../shared (or SMIDGEN_SHARED) with person-detect.tflite, that network
on a photograph. At the end the network that was found is given a new classifier, and learns on the emulated board. Takes about
five minutes on two cores once everything is built. Files are written to target/demo.

Firmware needs a compiler for the board's core and QEMU: what is missing is installed where that needs no question
answered, else the demo says what to install and ends without that part.
";

/// The board that the network is compiled for.
const BOARD: &str = "stm32f746";

/// What the search may take of it, which is far less than it has: bytes.
const SRAM: &str = "16K";
const FLASH: &str = "96K";

/// How long the search takes in all.
const TIME: &str = "150s";

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
    let found = own_pictures(folder, emulated)?;
    if let Some(shared) = shared() {
        person_detection(&shared, folder, emulated)?;
    }
    let learnt = learning(folder, emulated)?;
    println!("{}", found.told(folder, learnt.as_ref()));
    Ok(())
}

/// What the search came to, and the emulated board.
struct Found {
    result: Value,
    /// Pictures that the board was right about, and that it was shown; `None` without an emulator.
    board: Option<(u64, u64)>,
}

/// A number of a result.
fn number(result: &Value, path: &str) -> f64 {
    result.pointer(path).and_then(Value::as_f64).unwrap_or(f64::NAN)
}

impl Found {
    /// The last paragraph.
    fn told(&self, folder: &Path, learnt: Option<&Learnt>) -> String {
        let number = |path: &str| number(&self.result, path);
        let percent = |path: &str| format!("{:.2} %", 100.0 * number(path));
        let of = |figure: &str| number(&format!("/figures/{figure}"));
        let mut text = format!(
            "\n== What has been shown\n\
             From {} classes of drawn pictures and the name of a board, a network was searched that keeps to {SRAM} of SRAM\n\
             and {FLASH} of flash, and trained. Of the pictures that it has never seen it is right about {} with floats,\n\
             {} with integers. It takes {} bytes of SRAM, about {} of flash and {:.1} million\n\
             instructions.",
            self.result["classes"].as_array().map_or(0, Vec::len),
            percent("/float_accuracy"),
            percent("/accuracy"),
            of("sram"),
            of("flash"),
            of("instructions") / 1e6,
        );
        if let Some((right, shown)) = self.board {
            text += &format!(
                " On an emulated Cortex-M7 its firmware was right about {:.2} % ({right} of {shown}), with the\n\
                 bytes of the same network on this computer for every picture.",
                100.0 * right as f64 / shown as f64,
            );
        }
        if let Some(Learnt { steps, sram, instructions, right }) = learnt {
            text += &format!(
                "\nThe same core then learnt {steps} pictures with a new classifier in place of the network's own, one at a time: {:.1} million\n\
                 instructions and {sram} bytes of SRAM each, with this computer's bytes after every one. With {TAUGHT} pictures, learnt in the\n\
                 same integers on this computer, it is right about {:.2} % of those that it has never seen.",
                instructions / 1e6,
                100.0 * right,
            );
        }
        let page = folder.join("network/report.html");
        text + &format!(
            "\nThe report: {}\nNext: `cargo run -p smidgen -- search --data YOUR_PICTURES --board NAME --time 30m -o OUT`\n\
             (`cargo run -p smidgen -- boards` lists boards).",
            page.display()
        )
    }
}

/// The folder of real models (relative to the workspace's root or absolute), if it holds what the demo needs.
fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("SMIDGEN_SHARED").map_or_else(|| "../shared".into(), PathBuf::from);
    exists(&folder.join("models/person-detect.tflite")).then_some(folder)
}

fn person_detection(shared: &Path, folder: &Path, emulated: bool) -> Result<(), Error> {
    let model = shared.join("models/person-detect.tflite");
    let labels = write(folder, "labels.txt", b"no person\nperson\n")?;
    heading("A network that finds people in 96x96 grey pictures, as TensorFlow Lite Micro ships it: what it costs");
    smidgen(&["inspect", text(&model)])?;
    planning(&model, folder)?;
    let picture = shared.join("data/images/person.bmp");
    if exists(&picture) {
        let (what, place): (&[&str], &str) = match emulated {
            true => (&["simulate", text(&model), "--board", BOARD], "Firmware on the emulated Cortex-M7 of that board"),
            false => (&["run", text(&model)], "On this computer"),
        };
        heading(&format!("{place}, with a picture with a person"));
        let arguments = ["--input", text(&picture), "--labels", text(&labels), "--normalise", "bytes"];
        smidgen(&[what, &arguments].concat())?;
    }
    Ok(())
}

fn own_pictures(folder: &Path, emulated: bool) -> Result<Found, Error> {
    let (data, out) = (folder.join("shapes"), folder.join("network"));
    heading("A labelled set of pictures: shapes on textured grounds");
    smidgen(&["demo-data", text(&data)])?;
    heading(&format!(
        "The network that suits them and {SRAM} of SRAM, {FLASH} of flash: searched, trained, quantised, compiled"
    ));
    // Begun anew each time: an interrupted search would go on.
    match fs::remove_dir_all(root().join(&out)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(&out, error)),
        _ => {}
    }
    let arguments = ["search", "--data", text(&data), "--board", BOARD, "--sram", SRAM, "--flash", FLASH];
    smidgen(&[&arguments[..], &["--time", TIME, "-o", text(&out)]].concat())?;
    let path = out.join("result.json");
    let bytes =
        fs::read(root().join(&path)).map_err(|e| Error::Failed(format!("cannot read {}: {e}", path.display())))?;
    let result = serde_json::from_slice(&bytes).map_err(|e| Error::Failed(format!("{}: {e}", path.display())))?;
    let model = out.join("network.tflite");
    planning(&model, folder)?;
    let mut board = None;
    if emulated {
        heading("Its firmware on the emulated Cortex-M7 of that board, on all pictures to test (a minute)");
        let arguments = ["simulate", text(&model), "--board", BOARD, "--data", text(&data), "--json"];
        let counted = smidgen_json(&arguments)?;
        let samples = number(&counted, "/data/samples");
        let right = (number(&counted, "/data/top1") * samples).round();
        let equal = counted["data"]["differing"].as_array().is_some_and(Vec::is_empty);
        if !equal {
            return Err(Error::Failed("the firmware's bytes differ from the host's; please report this".into()));
        }
        println!("right about {right} of {samples}; the host's bytes for every one");
        board = Some((right as u64, samples as u64));
    }
    Ok(Found { result, board })
}

/// What learning on the board came to.
struct Learnt {
    /// Pictures that the emulated board learnt.
    steps: usize,
    /// Bytes of SRAM, and instructions of a step.
    sram: u64,
    instructions: f64,
    /// Share of pictures to test that the network is right about once it has learnt on this computer.
    right: f64,
}

/// Steps of learning on the emulated board.
const STEPS: usize = 3;
/// Pictures that are learnt on this computer, once each.
const TAUGHT: usize = 300;
/// What is trained beside the classifier. In the networks of the search nothing lies between their last two convolutions that
/// gradients do not pass.
const SCHEME: &str = "n_bias_update = 2\n";
const RATE: &str = "0.004";

/// The network that was found, with a new classifier that knows nothing: what it learns on the emulated board and on this computer.
fn learning(folder: &Path, emulated: bool) -> Result<Option<Learnt>, Error> {
    let (model, data) = (folder.join("network/network.tflite"), folder.join("shapes"));
    let scheme = write(folder, "scheme.toml", SCHEME.as_bytes())?;
    let (taught, steps) = (TAUGHT.to_string(), STEPS.to_string());
    heading(&format!(
        "The network with a new classifier, which {TAUGHT} pictures are shown to, once each: what it learns"
    ));
    let arguments = ["adapt", "eval", text(&model), "--data", text(&data), "--scheme", text(&scheme), "--rate", RATE];
    let counted = smidgen_json(&[&arguments[..], &["--epochs", "1", "--train-samples", &taught, "--json"]].concat())?;
    let right = number(&counted, "/schemes/0/accuracy");
    let of = number(&counted, "/schemes/0/samples");
    println!("right about {} of {of} pictures that were not shown", (right * of).round());
    if !emulated {
        return Ok(None);
    }
    heading(&format!("The same on the emulated Cortex-M7 of that board: {STEPS} pictures are learnt"));
    let classes = number(&counted, "/schemes/0/classes").to_string();
    let arguments =
        ["adapt", "simulate", text(&model), "--data", text(&data), "--scheme", text(&scheme), "--rate", RATE];
    let more = ["--classes", &classes, "--board", BOARD, "--steps", &steps, "--json"];
    let counted = smidgen_json(&[&arguments[..], &more].concat())?;
    if counted["matches_host"] != true {
        return Err(Error::Failed(
            "what the firmware learnt differs from what the host learns; please report this".into(),
        ));
    }
    let instructions = number(&counted, "/instructions/total");
    for (i, loss) in counted["losses"].as_array().into_iter().flatten().enumerate() {
        println!("step {}: the loss was {:.3} before it", i + 1, loss.as_f64().unwrap_or(f64::NAN));
    }
    println!(
        "{instructions} instructions a step: {} for the picture's result, {} for gradients, {} for what is learnt from them",
        number(&counted, "/instructions/forward"),
        number(&counted, "/instructions/backward"),
        number(&counted, "/instructions/update")
    );
    Ok(Some(Learnt { steps: STEPS, sram: number(&counted, "/sram/total") as u64, instructions, right }))
}

fn planning(model: &Path, folder: &Path) -> Result<(), Error> {
    heading("The smallest memory that gives the same bytes, for a board");
    let page = folder.join("plan.html");
    smidgen(&["plan", text(model), "--board", BOARD, "--html", text(&page)])
}

fn heading(text: &str) {
    println!("\n== {text}");
}

/// Shows the command as a user would type it, then runs it.
fn smidgen(arguments: &[&str]) -> Result<(), Error> {
    println!("$ smidgen {}", arguments.join(" "));
    check(cargo(&["run", "--quiet", "--package", "smidgen", "--"]).args(arguments))
}

/// The same, of a command that prints JSON, which is not shown.
fn smidgen_json(arguments: &[&str]) -> Result<Value, Error> {
    println!("$ smidgen {}", arguments.join(" "));
    let mut command = cargo(&["run", "--quiet", "--package", "smidgen", "--"]);
    let output = command.args(arguments).stderr(std::process::Stdio::inherit()).output();
    let output = output.map_err(|error| Error::Failed(format!("cargo cannot be run: {error}")))?;
    serde_json::from_slice(&output.stdout).map_err(|_| Error::Failed(format!("smidgen {} failed", arguments[0])))
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
