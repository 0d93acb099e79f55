//! Prints a [`Program`] as a Rust crate for firmware: no heap, no operating system, nothing that panics.
//!
//! A generated crate is the Program written down: the steps with their kernels' parameters, the run list as bytes, the constants in one
//! file, and a typed front. It needs the kernels and nothing else; their sources are written beside it. Nothing is decided here and
//! nothing is left to be decided on the device.
//!
//! The invariant that matters: only a Program that [`smidgen_certify::certify`](smidgen_certify::certify()) has certified is printed, because
//! generated code makes its accesses without checks.
#![forbid(unsafe_code)]

mod api;
mod arduino;
mod c;
mod call;
mod folder;
mod helpers;
mod learning;
mod memory;
mod ports;
mod progress;
mod reserved;
mod runs;
mod source;
mod steps;
mod value;
mod vendor;

pub use folder::Processor;
pub use source::{LONGEST_NAME, identifier};

use smidgen_certify::Certified;
use smidgen_ir::front::Ports;
use smidgen_ir::{ElementType, Graph};
use smidgen_program::{BufferId, Program, StepId};
use std::collections::BTreeMap;

/// What the Program does not say.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Options {
    /// Name of the crate; made an [`identifier`] of.
    pub name: String,
    /// The network's name for people: the model's file name, say.
    pub title: String,
    /// The board it was planned for.
    pub board: Option<String>,
    /// Its processor. Without one, the code suits any, and none of its features is on by default.
    pub processor: Option<Processor>,
    /// Names of the classes.
    pub labels: Vec<String>,
    /// What a pixel becomes, if the input is a picture.
    pub pixels: Option<Pixels>,
    /// How the model file orders the axes of its inputs and outputs, where it is an ONNX file: the code says so where
    /// it does otherwise.
    pub ports: Option<Ports>,
    /// The Program is an iteration of training: the code has entry points for inference and for learning.
    pub training: Option<Training>,
}

/// What is known of a Program that is an iteration of training. Its inputs are the sample, the label and the learning rate, its outputs the logits
/// and the loss, each of the latter four of int32.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Training {
    /// The step that computes the logits: those up to it are an inference.
    pub logits: StepId,
    /// Classes: labels are less.
    pub classes: usize,
}

/// The stored number for each pixel value.
#[derive(Clone, PartialEq, Debug)]
pub struct Pixels {
    /// For pixel values 0 to 255: one list for all channels, or one for each of the network's.
    pub stored: Vec<[i16; 256]>,
    /// How the input stores them: int8, uint8 or int16.
    pub element: ElementType,
    /// The network's channels are blue, green and red.
    pub swapped: bool,
    /// How they were normalised, in words.
    pub description: String,
}

/// Files by their path in the folder, with `/` between its parts.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Why nothing was printed.
#[derive(Debug, thiserror::Error)]
pub enum CodegenError {
    /// More than the generated code can count.
    #[error("the network has {count} {what}; generated code can count {most}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        count: usize,
        /// The most that are possible.
        most: usize,
    },
    /// The Program is no iteration of training.
    #[error("the plan is no iteration of training: {0}")]
    Training(&'static str),
}

/// The generated crate: manifest, sources, constants, and the kernels' sources in `kernels/`. The graph is the one that the Program
/// was made from.
///
/// # Errors
/// [`CodegenError`] if the Program has more runs of different kinds than 16 bits can count, or is not the iteration of training that the
/// options say it is.
pub fn rust_crate(program: &Certified, graph: &Graph, options: &Options) -> Result<Files, CodegenError> {
    let tiled = |&i: &usize| program.buffers[i].width < program.buffers[i].spec.extent.cols;
    let tiles: Vec<BufferId> = (0..program.buffers.len()).filter(tiled).map(|i| BufferId(i as u32)).collect();
    let schedule = runs::schedule(program);
    for (what, count, most) in [
        ("different runs", schedule.entries.len(), u16::MAX as usize - 1),
        ("tiles", tiles.len(), call::NO_TILE as usize - 1),
    ] {
        if count > most {
            return Err(CodegenError::TooMany { what, count, most });
        }
    }
    let (constants, places) = memory::pack(program);
    let count = tiles.len();
    let steps = steps::print(call::Surroundings { program, tiles: &tiles, places: &places });
    let learning = learning::of(program, options, &schedule)?;
    let (inputs, outputs) = ports::ports(program, graph, options);
    let mut used = steps.constants.clone();
    if outputs.iter().any(|o| matches!(o.place, ports::Place::Constant(_))) || api::has_initial_constants(program) {
        used.push("array");
    }
    let api = api::Api {
        program,
        options,
        inputs,
        outputs,
        constants: constants.len(),
        places: &places,
        digest: program.digest(),
        learning,
    };
    let check = options.processor.as_ref().filter(|processor| processor.has_dsp() && !processor.rustc_flags.is_empty());
    let mut files = vendor::kernels("kernels/", &kernels_package(options), floats(program), check);
    let facts = facts(program, options, constants.len());
    files.extend(folder::licences(""));
    files.extend(folder::licences("kernels/"));
    let text = [
        ("Cargo.toml", manifest(options)),
        ("README.md", folder::rust_page(&facts, &package(options), &api.example())),
        ("rustfmt.toml", "max_width = 120\nuse_small_heuristics = \"Max\"\n".to_owned()),
        ("src/lib.rs", api.print()),
        ("src/arena.rs", memory::arena(program, &steps)),
        ("src/constants.rs", memory::constants(constants.len(), &used)),
        ("src/schedule.rs", progress::print(program, &schedule, (count, learning))),
        ("src/steps.rs", steps.text),
    ];
    files.extend(text.map(|(path, text)| (path.to_owned(), text.into_bytes())));
    if !used.is_empty() {
        files.insert("src/constants.bin".to_owned(), constants);
    }
    Ok(files)
}

/// What a C program needs of the same network: the files that are ready, by their path, and a project whose static library is to be
/// put beside them as `lib/libNAME.a`, `NAME` being the [`identifier`] of the name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CLibrary {
    /// The library's name: the prefix of all that it exports.
    pub name: String,
    /// Header, CMake file, page and licences.
    pub files: Files,
    /// The Rust project.
    pub project: Files,
}

/// Prints a Program for C. `rust` is what [`rust_crate`] gave for the same arguments.
pub fn c_library(program: &Certified, graph: &Graph, options: &Options, rust: &Files) -> CLibrary {
    let c = c::C::new(program, graph, options);
    let name = identifier(&options.name);
    let text = |files: &[(String, String)]| -> Files {
        files.iter().map(|(path, text)| (path.clone(), text.clone().into_bytes())).collect()
    };
    let mut project =
        text(&[("Cargo.toml".to_owned(), c.manifest(&package(options))), ("src/lib.rs".to_owned(), c.exports())]);
    project.extend(rust.iter().map(|(path, bytes)| (format!("network/{path}"), bytes.clone())));
    let facts = facts(program, options, c.constants);
    let mut files = text(&[
        (format!("include/{name}.h"), c.header(program.digest())),
        ("CMakeLists.txt".to_owned(), c.cmake()),
        ("README.md".to_owned(), folder::c_page(&facts, &name, &c.example())),
    ]);
    files.extend(folder::licences(""));
    CLibrary { name, files, project }
}

/// What an Arduino library has besides the archives, of which there is one, called `libNAME.a`, in each of `folders` under `src/`: its header, properties, a sketch,
/// a page. `architectures` are those of Arduino's cores that it suits. The header holds for all of the archives, so the options' processor has
/// no flags for floating point.
pub fn arduino_library(
    program: &Certified,
    graph: &Graph,
    options: &Options,
    architectures: &[&str],
    folders: &[String],
) -> Files {
    let c = c::C::new(program, graph, options);
    let name = c.name();
    let facts = facts(program, options, c.constants);
    let text = [
        ("library.properties".to_owned(), c.properties(architectures)),
        ("keywords.txt".to_owned(), c.keywords()),
        ("README.md".to_owned(), folder::arduino_page(&facts, &name, folders)),
        (format!("src/{name}.h"), c.header(program.digest())),
        ("examples/Predict/Predict.ino".to_owned(), c.sketch()),
    ];
    text.into_iter().map(|(path, text)| (path, text.into_bytes())).chain(folder::licences("")).collect()
}

fn facts<'a>(program: &Certified, options: &'a Options, constants: usize) -> folder::Facts<'a> {
    folder::Facts { options, arena: program.arena_bytes, constants, digest: program.digest() }
}

/// Whether a kernel computes with floats; one that only moves them does not.
fn floats(program: &Program) -> bool {
    program.steps.iter().filter(|step| !step.kernel.spec().pattern().only_moves()).any(|step| {
        let demands = step.kernel.demands(step);
        demands.inputs.iter().chain(&demands.outputs).any(|(element, _)| *element == ElementType::Float32)
    })
}

fn package(options: &Options) -> String {
    identifier(&options.name).replace('_', "-")
}

fn kernels_package(options: &Options) -> String {
    package(options) + "-kernels"
}

fn manifest(options: &Options) -> String {
    let (name, kernels) = (package(options), kernels_package(options));
    let title = source::plain(&options.title);
    let feature = options.processor.as_ref().and_then(|processor| processor.feature.as_ref());
    let default = feature.map_or_else(String::new, |feature| format!("{feature:?}"));
    let rust = vendor::RUST_VERSION;
    format!(
        "\
[package]
name = \"{name}\"
description = \"{title}, computed without heap; made by smidgen\"
version = \"0.1.0\"
edition = \"2024\"
rust-version = \"{rust}\"
readme = \"README.md\"
publish = false

[features]
default = [{default}]
# For Arm cores with the DSP instructions of Armv7E-M: Cortex-M4, M7, and those M33 and M55 that have them.
dsp = [\"smidgen-kernels/dsp\"]
# For Arm cores without them: with the instructions of Armv7-M (Cortex-M3), and with those of Armv6-M alone (Cortex-M0 and M0+).
armv7m = [\"smidgen-kernels/armv7m\"]
armv6m = [\"smidgen-kernels/armv6m\"]

[dependencies]
smidgen-kernels = {{ package = \"{kernels}\", path = \"kernels\" }}
"
    )
}
