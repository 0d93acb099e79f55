//! Arguments that several commands share.

use clap::{Args, ValueEnum};
use smidgen::boards::{self, Board};
use smidgen::ir::Graph;
use smidgen::network::ReadOptions;
use smidgen::plan::ScheduleChoice;
use smidgen::plan::planner::{Objective, PlanOptions};
use smidgen::{Error, LowerOptions, Network, Reference, Target};
use std::path::PathBuf;

use super::Failure;

/// The model to work on.
#[derive(Args, Debug)]
pub struct Model {
    /// The network: a TensorFlow Lite or ONNX file, or the text that `inspect --ir` prints
    #[arg(value_name = "MODEL")]
    pub path: PathBuf,
    #[command(flatten)]
    pub shapes: Shapes,
    /// Rewrite it first, with the same results: fold constants and padding, drop operators that do nothing
    #[arg(long)]
    pub clean: bool,
    /// Cut the QUANTIZE and DEQUANTIZE at its ends, so that it takes and gives integers
    #[arg(long, value_enum, value_name = "TYPE")]
    pub io: Option<IoType>,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum IoType {
    /// The stored integers of a quantised network
    Int8,
}

/// Shapes that a file leaves open.
#[derive(Args, Debug, Default)]
pub struct Shapes {
    /// Shape of an ONNX file's input, in the file's order: `x=1,3,96,96`; repeatable
    #[arg(long = "shape", value_name = "INPUT=SIZES", value_parser = shape)]
    shapes: Vec<(String, Vec<usize>)>,
}

impl Shapes {
    pub fn options(&self) -> ReadOptions {
        ReadOptions { shapes: self.shapes.clone(), ..ReadOptions::default() }
    }
}

/// The name of an input and sizes that are at least 1.
fn shape(text: &str) -> Result<(String, Vec<usize>), String> {
    // A name may hold `=` itself; sizes do not.
    let (name, sizes) = text.rsplit_once('=').ok_or("there is no `=`; write INPUT=1,3,96,96")?;
    let sizes = sizes.split(',').map(|size| size.trim().parse().ok().filter(|&n: &usize| n > 0)).collect();
    let sizes: Option<Vec<usize>> = sizes;
    Ok((name.to_owned(), sizes.ok_or("sizes are numbers of at least 1 with commas between: 1,3,96,96")?))
}

impl Model {
    /// Reads the network without rewriting it.
    pub fn as_it_is(&self) -> Result<Network, Failure> {
        Ok(Network::open_with(&self.path, &self.shapes.options())?)
    }

    /// Reads the network to quantise it, weights of dynamic-range quantisation as floats, and rewrites it as asked.
    pub fn open_to_quantise(&self) -> Result<Network, Failure> {
        let options = ReadOptions { float_weights: true, ..self.shapes.options() };
        self.rewritten(Network::open_with(&self.path, &options)?)
    }

    /// Reads the network and rewrites it as asked.
    pub fn open(&self) -> Result<Network, Failure> {
        self.rewritten(self.as_it_is()?)
    }

    fn rewritten(&self, mut network: Network) -> Result<Network, Failure> {
        if self.io == Some(IoType::Int8) {
            network.strip_io()?;
        }
        if self.clean {
            network.canonicalise()?;
        }
        Ok(network)
    }
}

/// The board that a network is meant for, and how it is planned for it.
#[derive(Args, Debug)]
pub struct Deployment {
    /// The board: a name from `smidgen boards`, or your own file
    #[arg(short, long, value_name = "NAME|FILE")]
    pub board: String,
    /// auto, layer, stream, patch:ROWSxCOLS@OPERATORS or strips:COUNT@OPERATORS
    #[arg(long, default_value = "auto")]
    pub schedule: ScheduleChoice,
    /// What its plan should be good at
    #[arg(long, value_enum, default_value_t)]
    pub objective: ObjectiveName,
    /// The caller pushes rows of the input; no full frame is stored
    #[arg(long)]
    pub stream_input: bool,
    /// SRAM for the network, stack aside: bytes, or with K or M for KiB or MiB [default: all that the board has]
    #[arg(long, value_name = "BYTES", value_parser = size)]
    pub sram: Option<usize>,
    #[command(flatten)]
    pub reference: ReferenceOption,
}

/// What a plan should be good at.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ObjectiveName {
    /// Little SRAM: at most a sixteenth (or 1 KiB) above the least, where that saves instructions
    #[default]
    Balanced,
    /// The smallest SRAM, whatever that costs
    Sram,
    /// The fewest (modelled) instructions that fit
    Speed,
}

impl ObjectiveName {
    pub fn name(self) -> &'static str {
        match self {
            Self::Balanced => "balanced",
            Self::Sram => "sram",
            Self::Speed => "speed",
        }
    }
}

impl From<ObjectiveName> for Objective {
    fn from(name: ObjectiveName) -> Self {
        match name {
            ObjectiveName::Balanced => Self::Balanced,
            ObjectiveName::Sram => Self::Sram,
            ObjectiveName::Speed => Self::Speed,
        }
    }
}

/// Bytes of a memory, from text like `320K`.
pub fn size(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor: usize = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        other => return Err(format!("`{other}` is no unit: write bytes, or K or M for KiB or MiB")),
    };
    let n: usize = digits.parse().map_err(|_| "write a whole number, such as 262144 or 256K".to_owned())?;
    n.checked_mul(factor).filter(|&n| n > 0).ok_or_else(|| "that is no size of a memory".to_owned())
}

impl Deployment {
    /// The board.
    pub fn board(&self) -> Result<Board, Failure> {
        Ok(boards::find(&self.board).map_err(Error::from)?)
    }

    /// The board, and how a network is planned for it.
    pub fn target(&self, board: &Board) -> Target {
        let all = Target::on(board);
        let plan = PlanOptions {
            schedule: self.schedule,
            objective: self.objective.into(),
            stream_input: self.stream_input,
            budget: self.sram.into_iter().chain(all.plan.budget).min(),
            ..all.plan
        };
        Target { lower: self.reference.options(), plan, ..all }
    }
}

/// How far quantised values may be from those of a golden file.
#[derive(Args, Debug)]
pub struct Tolerance {
    /// Take quantised values, and floats that are dequantised ones, for equal up to so many steps of their quantisation
    /// [default: 0]
    #[arg(long = "tolerance", value_name = "STEPS", requires = "golden")]
    steps: Option<u32>,
}

impl Tolerance {
    /// Steps by which quantised values of this network may differ.
    pub fn steps(&self, network: &Network) -> Result<u32, Failure> {
        let steps = self.steps.unwrap_or(0);
        if steps > 0 && !smidgen::verify::has_steps(network.graph()) {
            return Err(Failure::usage(
                "--tolerance counts steps of quantised outputs, and no output of this network is quantised",
                "leave it out: floats of an all-float network may differ by 1e-5 of the greatest anyway",
            ));
        }
        Ok(steps)
    }
}

/// Whose bytes to reproduce.
#[derive(Args, Debug)]
pub struct ReferenceOption {
    /// Whose bytes to reproduce, where versions of TensorFlow Lite differ
    #[arg(long, value_enum, default_value_t)]
    pub reference: ReferenceName,
}

impl ReferenceOption {
    pub fn options(&self) -> LowerOptions {
        LowerOptions { reference: self.reference.into(), ..LowerOptions::default() }
    }
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ReferenceName {
    /// The reference kernels of LiteRT 2.3
    #[default]
    Litert,
    /// TensorFlow Lite 2.14 and TensorFlow Lite Micro
    Tflm,
}

impl ReferenceName {
    pub const ALL: [Self; 2] = [Self::Litert, Self::Tflm];

    pub fn name(self) -> &'static str {
        match self {
            Self::Litert => "litert",
            Self::Tflm => "tflm",
        }
    }
}

impl From<ReferenceName> for Reference {
    fn from(name: ReferenceName) -> Self {
        match name {
            ReferenceName::Litert => Self::LiteRt2_3,
            ReferenceName::Tflm => Self::TfLite2_14,
        }
    }
}

/// A network's name for headings: the graph's, unless that is a converter's default.
pub fn title(graph: &Graph) -> Option<&str> {
    Some(graph.name.as_str()).filter(|name| !name.is_empty() && *name != "main")
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_have_units() {
        assert_eq!(size("320K"), Ok(327_680));
        assert_eq!(size("1MiB"), Ok(1 << 20));
        assert_eq!(size("4096"), Ok(4096));
        for wrong in ["", "K", "-1", "3.5K", "12q", "99999999999999999999", "18446744073709551615M", "0"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
