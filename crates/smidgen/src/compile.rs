//! From a network to a folder with firmware code.

use crate::error::Error;
use crate::fit::{Fit, code_estimate};
use crate::network::Network;
use crate::planning::{IntegerEnds, Planned, plan_network};
use smidgen_boards::{Board, Core};
use smidgen_codegen::{CLibrary, Files, Options, Pixels};
use smidgen_data::picture::Normalise;
use smidgen_data::{PictureInput, zipped};
use smidgen_ir::ElementType;
use smidgen_plan::planner::{Advice, Plan, PlanOptions, advise, flash};
use smidgen_plan::{LowerOptions, Lowered};
use smidgen_sim::library::library;
use smidgen_sim::toolchain::Toolchain;

/// What to compile.
#[derive(Clone, Debug)]
pub struct Job<'a> {
    /// The network.
    pub network: &'a Network,
    /// Where it is to run.
    pub board: &'a Board,
    /// Whose roundings. The kernels are always those that firmware runs, whichever these options name: the host's take many times the
    /// instructions on a device.
    pub lower: LowerOptions,
    /// How its memory is planned.
    pub plan: PlanOptions,
    /// Names, labels, pixels.
    pub options: Options,
}

/// A plan, and the crate that was printed from it.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The plan.
    pub plan: Plan,
    /// The steps that were planned.
    pub lowered: Lowered,
    /// What it would be with integers at the ends, where that is less.
    pub integer_ends: Option<IntegerEnds>,
    /// The Rust crate.
    pub rust: Files,
    /// What it was printed with.
    pub options: Options,
}

impl Compiled {
    /// Bytes of constants in flash.
    pub fn constants(&self) -> usize {
        self.plan.program.constants.iter().map(|c| c.bytes.len()).sum()
    }

    /// What the network takes of the job's board: of all of its SRAM, or of the plan's budget where that is less.
    pub fn fit(&self, job: &Job) -> Fit {
        let flash = flash(&self.lowered);
        Fit {
            sram: self.plan.report.total_bytes,
            sram_limit: Some(job.plan.budget.unwrap_or(usize::MAX).min(job.board.sram.bytes as usize)),
            flash,
            flash_limit: Some(job.board.flash.bytes as usize),
            code: Some(code_estimate(&flash, job.board.core)),
        }
    }

    /// What would make the plan fit its budget; `None` if it does.
    pub fn advice(&self, options: &PlanOptions) -> Option<Advice> {
        advise(&self.lowered, options, &self.plan.report)
    }
}

/// Plans the network and prints it.
///
/// # Errors
/// If an operator has no kernel, the schedule does not suit the network, or the plan is not sound. A network that is too large for
/// the board is not an error here: see [`Compiled::fit`].
pub fn compile(job: &Job) -> Result<Compiled, Error> {
    let Planned { lowered, plan, integer_ends } = plan_network(job.network, &job.lower.for_device(), &job.plan)?;
    let options =
        Options { board: Some(job.board.title.clone()), dsp: job.board.core.has_dsp(), ..job.options.clone() };
    let rust = smidgen_codegen::rust_crate(&plan.program, job.network.graph(), &options)?;
    Ok(Compiled { plan, lowered, integer_ends, rust, options })
}

/// How floating-point numbers are passed to C functions, which all of a program must agree about.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum FloatAbi {
    /// In registers of the floating-point unit, where the core may have one.
    #[default]
    Hard,
    /// In ordinary registers: what `-mfloat-abi=soft` and `softfp` ask for.
    Soft,
}

impl FloatAbi {
    /// The Rust target for a core.
    fn target(self, core: Core) -> String {
        match self {
            Self::Hard => core.target().to_owned(),
            Self::Soft => core.target().replace("eabihf", "eabi"),
        }
    }
}

fn c_sources(job: &Job, compiled: &Compiled) -> CLibrary {
    let options = &compiled.options;
    smidgen_codegen::c_library(&compiled.plan.program, job.network.graph(), options, &compiled.rust)
}

fn archive(made: &CLibrary, core: Core, abi: FloatAbi) -> Result<Vec<u8>, Error> {
    let toolchain = Toolchain::find(&abi.target(core)).map_err(smidgen_sim::Error::from)?;
    Ok(library(&made.project, &made.name, core, &toolchain).map_err(smidgen_sim::Error::from)?)
}

/// Builds the C library: header, CMake file and `lib/libNAME.a`.
///
/// # Errors
/// If there is no compiler for the board's core, or it refuses what was generated.
pub fn c_library(job: &Job, compiled: &Compiled, abi: FloatAbi) -> Result<Files, Error> {
    let mut made = c_sources(job, compiled);
    let archive = archive(&made, job.board.core, abi)?;
    made.files.insert(format!("lib/lib{}.a", made.name), archive);
    Ok(made.files)
}

/// Builds an Arduino library: `NAME.zip`, to be added in the Arduino IDE. It holds the archive for both ways to pass floating-point
/// numbers where the board's processor has them, since Arduino's cores differ in that.
///
/// # Errors
/// As [`c_library`].
pub fn arduino(job: &Job, compiled: &Compiled) -> Result<Files, Error> {
    let made = c_sources(job, compiled);
    let core = job.board.core;
    // The folder is named after the processor, as Arduino's cores do, and further after the floating-point unit.
    let (processor, unit) = match core {
        Core::CortexM4 => ("cortex-m4", Some("fpv4-sp-d16-hard")),
        Core::CortexM7 => ("cortex-m7", Some("fpv5-d16-hard")),
        Core::CortexM33 => ("cortex-m33", Some("fpv5-sp-d16-hard")),
        Core::Rv32imc => (if job.board.name.starts_with("esp32") { "esp32c3" } else { "rv32imc" }, None),
        other => (other.name(), None),
    };
    let mut files = made.arduino.clone();
    let header = format!("{}.h", made.name);
    files.extend(made.files.get(&format!("include/{header}")).map(|text| (format!("src/{header}"), text.clone())));
    let soft = archive(&made, core, FloatAbi::Soft)?;
    files.insert(format!("src/{processor}/lib{}.a", made.name), soft);
    if let Some(unit) = unit {
        let hard = archive(&made, core, FloatAbi::Hard)?;
        files.insert(format!("src/{processor}/{unit}/lib{}.a", made.name), hard);
    }
    let name = &made.name;
    let inside = files.into_iter().map(|(path, bytes)| (format!("{name}/{path}"), bytes));
    Ok(Files::from([(format!("{name}.zip"), zipped(inside))]))
}

/// What a pixel becomes, if the network's only input is a picture of int8 or int16; `None` for any other network. Also whether that is a guess.
pub fn pixels(network: &Network, normalise: Normalise) -> Option<(Pixels, bool)> {
    let graph = network.graph();
    let [input] = graph.inputs[..] else { return None };
    let wide = match graph.tensor(input).element() {
        ElementType::Int8 => false,
        ElementType::Int16 => true,
        _ => return None,
    };
    let picture = PictureInput::of(graph, 0).ok()?;
    let [height, width, channels] = picture.size();
    // A pixel of each value, as often as it takes to fill the picture.
    let values: Vec<u8> = (0..=255u8).collect();
    let mut stored = [0i16; 256];
    let (mut description, mut guessed) = (String::new(), false);
    let size = height * width * channels;
    for part in values.chunks(size) {
        let mut picture_bytes = part.to_vec();
        picture_bytes.resize(size, 0);
        let prepared = picture.from_pixels(&picture_bytes, normalise);
        for (&value, real) in part.iter().zip(prepared.array.to_f64()) {
            stored[value as usize] = real as i16;
        }
        (description, guessed) = (prepared.describe(), prepared.guessed);
    }
    let description = description.trim_start_matches("normalised ").replace('`', "");
    Some((Pixels { stored, wide, description }, guessed))
}
