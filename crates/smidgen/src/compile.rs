//! From a network to a folder with firmware code.

use crate::error::Error;
use crate::network::Network;
use smidgen_boards::Board;
use smidgen_codegen::{Files, Options, Pixels};
use smidgen_data::PictureInput;
use smidgen_data::picture::Normalise;
use smidgen_ir::ElementType;
use smidgen_plan::planner::{Plan, PlanOptions, plan};
use smidgen_plan::{LowerOptions, lower};

/// What to compile.
#[derive(Clone, Debug)]
pub struct Job<'a> {
    /// The network.
    pub network: &'a Network,
    /// Where it is to run.
    pub board: &'a Board,
    /// Which kernels.
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
    /// The Rust crate.
    pub rust: Files,
}

impl Compiled {
    /// Bytes of constants in flash.
    pub fn constants(&self) -> usize {
        self.plan.program.constants.iter().map(|c| c.bytes.len()).sum()
    }
}

/// Plans the network and prints it.
///
/// # Errors
/// If an operator has no kernel, the schedule does not suit the network, or the plan is not sound. A network that is too large for
/// the board is not an error here: see [`excess`].
pub fn compile(job: &Job) -> Result<Compiled, Error> {
    let lowered = lower(job.network.graph(), &job.lower)?;
    let plan = plan(&lowered, &job.plan)?;
    let options =
        Options { board: Some(job.board.title.clone()), dsp: job.board.core.has_dsp(), ..job.options.clone() };
    let rust = smidgen_codegen::rust_crate(&plan.program, job.network.graph(), &options)?;
    Ok(Compiled { plan, rust })
}

/// What the network takes too much of: bytes of SRAM and of flash, for the arena and the constants alone.
pub fn excess(compiled: &Compiled, board: &Board) -> [usize; 2] {
    let sram = compiled.plan.report.total_bytes.saturating_sub(board.sram.bytes as usize);
    [sram, compiled.constants().saturating_sub(board.flash.bytes as usize)]
}

/// What a pixel becomes, if the network's only input is an int8 picture; `None` for any other network. Also whether that is a guess.
pub fn pixels(network: &Network, normalise: Normalise) -> Option<(Pixels, bool)> {
    let graph = network.graph();
    let [input] = graph.inputs[..] else { return None };
    if graph.tensor(input).element() != ElementType::Int8 {
        return None;
    }
    let picture = PictureInput::of(graph, 0).ok()?;
    let [height, width, channels] = picture.size();
    // A pixel of each value, as often as it takes to fill the picture.
    let values: Vec<u8> = (0..=255u8).collect();
    let mut stored = [0i8; 256];
    let (mut description, mut guessed) = (String::new(), false);
    let size = height * width * channels;
    for part in values.chunks(size) {
        let mut picture_bytes = part.to_vec();
        picture_bytes.resize(size, 0);
        let prepared = picture.from_pixels(&picture_bytes, normalise);
        for (&value, &byte) in part.iter().zip(&prepared.array.data) {
            stored[value as usize] = byte as i8;
        }
        (description, guessed) = (prepared.describe(), prepared.guessed);
    }
    let description = description.trim_start_matches("normalised ").replace('`', "");
    Some((Pixels { stored, description }, guessed))
}
