//! `smidgen compile`: firmware code for a network and a board.

use super::Answer;
use crate::console::classes::read_labels;
use crate::console::ends;
use crate::console::format::{bytes, percent, wrap};
use crate::console::inputs::NormaliseOptions;
use crate::console::interrupt;
use crate::console::options::{Deployment, Model};
use crate::console::output::{BAD, GOOD, Output, STRONG};
use crate::console::{Code, Failure, progress};
use clap::{Args, ValueEnum};
use serde_json::json;
use smidgen::boards::Board;
use smidgen::certificate::occupancy;
use smidgen::codegen::{Files, LONGEST_NAME, Options, identifier};
use smidgen::compile::{self, FloatAbi};
use smidgen::data::write_folder;
use smidgen::ir::{visible, visible_path};
use smidgen::report::MemoryMap;
use smidgen::{Compiled, Error, Network, Planned};
use std::path::{Path, PathBuf};

/// Write firmware code for a network: a Rust crate, a C or Arduino library
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  smidgen compile model.tflite --board stm32f746 -o out
      a Rust crate in out/rust: no heap, no operating system, nothing that panics
  smidgen compile model.tflite --board nrf52840 --emit rust,c -o out
      also a static library and a header in out/c; needs a Rust compiler for the core (`smidgen doctor`)
  smidgen compile model.tflite --board rp2040 --io int8 --stream-input -o out
      rows of the picture are pushed one by one, so that no frame is stored
  smidgen compile person.tflite --board nrf52840 --labels labels.txt --normalise bytes -o out
      with the classes' names, and with a function that turns pixels into the network's input

Generated code takes and gives images row by row with the channels last, and so do pushed rows,
whatever the model's format; where an ONNX file has the channels first, the code's documentation
says so.

The network is planned as `smidgen plan` does with the same options, which shows what would fit
and why. Everything that the code needs lies in the folder; the same model, options and version
give the same bytes. The folder is written as a whole or not at all, and only a folder that
smidgen wrote is replaced. If the board is too small, the exit code is 5 and nothing is written.")]
pub struct Compile {
    #[command(flatten)]
    model: Model,
    #[command(flatten)]
    deployment: Deployment,
    /// The folder to write
    #[arg(short, long = "output", alias = "out", value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    emitted: Emitted,
    /// Name of the crate and prefix of its names [default: the model's file name]
    #[arg(long)]
    name: Option<String>,
    /// Names of the classes, one on each line
    #[arg(short, long, value_name = "FILE")]
    labels: Option<PathBuf>,
    #[command(flatten)]
    normalisation: NormaliseOptions,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is written, and how.
#[derive(Args, Debug)]
pub struct Emitted {
    /// What to write
    #[arg(long, value_enum, value_delimiter = ',', default_value = "rust")]
    emit: Vec<Emit>,
    /// How C functions pass floating-point numbers; all of a C program must agree
    #[arg(long, value_enum, value_name = "ABI", default_value_t)]
    float_abi: FloatAbiName,
}

impl Emitted {
    /// The files, each kind in its folder.
    pub fn files(&self, compiled: &Compiled) -> Result<Files, Error> {
        let mut files = Files::new();
        for emit in &self.emit {
            match emit {
                Emit::Rust => add(&mut files, "rust", &compiled.rust),
                Emit::Arduino => add(&mut files, "arduino", &compiled.arduino()?),
                Emit::C => add(&mut files, "c", &compiled.c_library(self.float_abi.into())?),
            }
        }
        Ok(files)
    }
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum Emit {
    /// A Rust crate without heap, with its kernels as source
    Rust,
    /// A static library, a header for C and C++, a CMake file
    C,
    /// A library for the Arduino IDE, precompiled for the board's processor
    Arduino,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
enum FloatAbiName {
    /// In the registers of the floating-point unit, where the core may have one: -mfloat-abi=hard
    #[default]
    Hard,
    /// In ordinary registers: -mfloat-abi=soft and softfp
    Soft,
}

impl From<FloatAbiName> for FloatAbi {
    fn from(name: FloatAbiName) -> Self {
        match name {
            FloatAbiName::Hard => Self::Hard,
            FloatAbiName::Soft => Self::Soft,
        }
    }
}

impl Compile {
    pub fn run(&self, out: &mut Output) -> Result<Answer, Failure> {
        let board = self.deployment.board()?;
        let mut network = self.model.open()?;
        network.canonicalise()?;
        let options = self.options(&network, out)?;
        let waiting = progress::waiting(out, "planning");
        let compiled = network.plan(&self.deployment.target(&board))?.compile(options)?;
        drop(waiting);
        if let Some(verdict) = too_large(&board, &compiled.planned) {
            if self.json {
                out.json(&self.describe(&board, &compiled, &[]))?;
            } else {
                out.line(format!("{BAD}{verdict}{BAD:#}"))?;
            }
            return Ok(Answer::No(Code::DoesNotFit));
        }
        let files = self.emitted.files(&compiled)?;
        interrupt::finish(|| write_folder(&self.out, &files)).map_err(Error::from)?;
        let names: Vec<&str> = files.keys().map(String::as_str).collect();
        if self.json {
            out.json(&self.describe(&board, &compiled, &names))?;
        } else {
            self.show(&board, &compiled, out)?;
        }
        Ok(Answer::Yes)
    }

    fn name(&self) -> String {
        let stem = || self.model.path.file_stem().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        identifier(&self.name.clone().unwrap_or_else(stem))
    }

    fn options(&self, network: &Network, out: &mut Output) -> Result<Options, Failure> {
        let labels = self.labels.as_deref().map(read_labels).transpose()?.unwrap_or_default();
        let graph = network.graph();
        let sizes = || graph.outputs.iter().filter_map(|&id| graph.tensor(id).shape.checked_elements());
        if !labels.is_empty() && !sizes().any(|n| n == labels.len()) {
            let sizes: Vec<String> = sizes().map(|n| n.to_string()).collect();
            return Err(Failure::usage(
                format!("there are {} labels, but outputs of {} elements", labels.len(), sizes.join(" and ")),
                "give one label on each line, in the order of the output",
            ));
        }
        let pixels = compile::pixels(network, self.normalisation.get()?)?;
        if pixels.as_ref().is_some_and(|(_, guessed)| *guessed) {
            out.warn("nothing in the model says how pixels are to be normalised; name it with --normalise");
        }
        let name = self.name();
        if let Some(asked) = self.name.as_ref().filter(|&asked| *asked != name) {
            let letters = asked.chars().count();
            if letters > LONGEST_NAME {
                return Err(Failure::usage(
                    format!("the --name has {letters} letters; {LONGEST_NAME} are the most"),
                    "files, crates and functions are called after it: choose a shorter one",
                ));
            }
            out.warn(format!(
                "`{asked}` cannot be the name of a crate, a C type and files; the library is called `{name}` (letters, digits and _; no word \
                 that Rust, C, C++ or their libraries have another use for)"
            ));
        }
        Ok(Options {
            name,
            title: self.model.path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned()),
            labels,
            pixels: pixels.map(|(pixels, _)| pixels),
            ports: network.ports().cloned(),
            ..Options::default()
        })
    }

    fn show(&self, board: &Board, compiled: &Compiled, out: &mut Output) -> Result<(), Failure> {
        let Planned { plan, network, .. } = &compiled.planned;
        let report = &plan.report;
        let folder = visible_path(&self.out);
        out.line(format!("{GOOD}{folder} written for {}.{GOOD:#}", visible(&board.title)))?;
        if let Some(said) = float_ends(&compiled.planned) {
            out.line(wrap(&said, out.width, 2))?;
        }
        let free = |all: u32, taken: usize| bytes((all as usize).saturating_sub(taken));
        let share = |all: u32, taken: usize| percent(taken as u64, u64::from(all), 1);
        let constants = compiled.constants();
        let fit = compiled.planned.fit();
        for (label, value) in [
            (
                "SRAM",
                format!(
                    "{} (exact; the stack comes on top), {} of the board's, {} left",
                    bytes(report.total_bytes),
                    share(board.sram.bytes, report.total_bytes),
                    free(board.sram.bytes, report.total_bytes)
                ),
            ),
            (
                "constants in flash",
                format!(
                    "{} (exact; code comes on top), {} of the board's, {} left",
                    bytes(constants),
                    share(board.flash.bytes, constants),
                    free(board.flash.bytes, constants)
                ),
            ),
            (
                "with code about",
                format!(
                    "{} (estimated from other networks' firmware; `smidgen simulate` measures it)",
                    bytes(fit.flash_with_code())
                ),
            ),
            ("schedule", format!("{}, {} runs", report.schedule, report.runs)),
            ("digest of the plan", format!("{:016x}", plan.program.digest())),
        ] {
            out.line(format!("  {label:20} {value}"))?;
        }
        for line in super::inspect::moved(network, "the code") {
            out.wrapped(&format!("  {:20} {line}", "order of axes"), 23)?;
        }
        if let Some(pixels) = &compiled.options.pixels {
            out.wrapped(&format!("  {:20} {}", "pixels", pixels.description), 23)?;
        }
        out.note(format!("\n{STRONG}Memory map{STRONG:#} (time across, addresses down)"))?;
        let map = occupancy(&plan.program);
        let cells = out.width.saturating_sub(12).clamp(10, 84);
        out.note(MemoryMap::new(&plan.program, &map, cells, 16).render(out.width, 8, true).trim_end())?;
        out.note(format!("\n{STRONG}Next{STRONG:#}"))?;
        for line in self.next(&self.out) {
            out.note(format!("  {}", visible(&line)))?;
        }
        Ok(())
    }

    /// Commands that go on from here.
    fn next(&self, folder: &Path) -> Vec<String> {
        let mut lines = Vec::new();
        for emit in &self.emitted.emit {
            match emit {
                Emit::Rust => {
                    lines.push("in your firmware's Cargo.toml:".to_owned());
                    let package = self.name().replace('_', "-");
                    lines.push(format!("    {package} = {{ path = \"{}\" }}", folder.join("rust").display()));
                    lines.push("what it offers:".to_owned());
                    let manifest = folder.join("rust/Cargo.toml");
                    lines.push(format!("    cargo doc --no-deps --open --manifest-path {}", manifest.display()));
                }
                Emit::Arduino => {
                    let zip = folder.join("arduino").join(self.name()).with_extension("zip");
                    lines.push(format!(
                        "in the Arduino IDE: Sketch, Include Library, Add .ZIP Library: {}",
                        zip.display()
                    ));
                }
                Emit::C => {
                    let (name, c) = (self.name(), folder.join("c"));
                    lines.push("in your C project's CMakeLists.txt:".to_owned());
                    lines.push(format!("    add_subdirectory({} {name})", c.display()));
                    lines.push(format!("    target_link_libraries(your_firmware {name})"));
                    lines.push(format!("or: -I{0}/include {0}/lib/lib{name}.a", c.display()));
                }
            }
        }
        lines
    }

    fn describe(&self, board: &Board, compiled: &Compiled, files: &[&str]) -> serde_json::Value {
        let planned = &compiled.planned;
        let (report, fit) = (&planned.plan.report, planned.fit());
        json!({
            "model": compiled.options.title,
            "name": compiled.options.name,
            "board": board.name,
            "fits": fit.fits(),
            "sram_bytes": report.total_bytes,
            "constants_bytes": compiled.constants(),
            "estimated_code_bytes": fit.code,
            "float_ends": float_ends(planned),
            "integer_ends": planned.integer_ends.map(|ends| json!({
                "total_bytes": ends.total_bytes,
                "modelled_instructions": ends.instructions,
            })),
            "remedies": fit.remedies(bytes),
            "schedule": report.schedule,
            "runs": report.runs,
            "digest": format!("{:016x}", planned.plan.program.digest()),
            "folder": self.out.to_string_lossy(),
            "files": files,
        })
    }
}

fn add(files: &mut Files, folder: &str, from: &Files) {
    files.extend(from.iter().map(|(name, bytes)| (format!("{folder}/{name}"), bytes.clone())));
}

/// What float ends cost, if anything.
fn float_ends(planned: &Planned) -> Option<String> {
    let Planned { target, plan, .. } = planned;
    planned.integer_ends.map(|ends| ends::sentence(&plan.report, &ends, target.scope(), target.sram()))
}

/// Why the board is too small, and what would help.
fn too_large(board: &Board, planned: &Planned) -> Option<String> {
    let fit = planned.fit();
    if fit.fits() {
        return None;
    }
    let limit = planned.target.plan.budget.filter(|&budget| budget < board.sram.bytes as usize);
    let what = limit
        .map_or_else(|| visible(&board.title).to_string(), |budget| format!("what --sram allows, {}", bytes(budget)));
    let verdict = fit.verdict(bytes);
    // The board is named where the sentence does not say which memory of it.
    let mut text = match verdict.strip_prefix("Does not fit: ") {
        Some(rest) => format!("Does not fit {what}: {rest}"),
        None => verdict.replacen("the flash", &format!("the flash of {}", visible(&board.title)), 1),
    };
    for more in float_ends(planned).into_iter().chain(planned.advice().map(|a| a.to_string())) {
        text += &format!("\n{more}");
    }
    for remedy in fit.remedies(bytes) {
        text += &format!("\n- {remedy}");
    }
    Some(text + "\nNothing was written.")
}
