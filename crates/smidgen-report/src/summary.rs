//! What the planner knows and a program does not say: the board, the budget, segments, alternatives.

use serde::Serialize;
use std::ops::Range;

/// The SRAM that a plan may take, and whose it is.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Budget {
    /// The board, or how the budget was given.
    pub name: String,
    /// Bytes of SRAM.
    pub bytes: usize,
}

/// A figure with where it comes from.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Figure {
    /// What it is.
    pub label: String,
    /// The value with its unit.
    pub value: String,
    /// `exact`, `modelled` or `measured`, and any remark.
    pub kind: String,
}

/// Steps that one schedule covers.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Segment {
    /// The schedule, such as `stream` or `patch:3x3`.
    pub schedule: String,
    /// The runs it takes.
    pub runs: Range<usize>,
    /// What the reader should see when pointing at it: first and last step, bytes at its peak.
    pub detail: String,
}

/// One row of the table of steps.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct StepRow {
    /// Index of the step.
    pub index: usize,
    /// Operator.
    pub kind: String,
    /// Output tensor.
    pub name: String,
    /// Output shape.
    pub shape: String,
    /// How it is scheduled.
    pub schedule: String,
    /// Runs it takes.
    pub runs: usize,
    /// Multiply-accumulates, recomputation included.
    pub macs: u64,
    /// Scratch bytes.
    pub scratch: usize,
    /// Live bytes at its peak.
    pub live: usize,
    /// Live bytes when the same network runs layer by layer, if that can be planned.
    pub layered: Option<usize>,
}

/// One alternative plan.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ParetoPoint {
    /// Its schedule.
    pub schedule: String,
    /// SRAM in bytes.
    pub total_bytes: usize,
    /// Modelled instructions of one inference.
    pub instructions: u64,
    /// Multiply-accumulates computed again, in per cent of the network's.
    pub extra_macs_percent: f64,
    /// The one that this report shows.
    pub chosen: bool,
}

/// Everything of a report that is not drawn from the program.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Summary {
    /// Name of the model.
    pub model: String,
    /// The schedule as a whole.
    pub schedule: String,
    /// SRAM that may be taken, if a board or a size was given.
    pub budget: Option<Budget>,
    /// Verdict in a sentence: fits, and by how much, or what would make it fit.
    pub verdict: String,
    /// True if it fits, or no budget was given.
    pub fits: bool,
    /// Figures at the top.
    pub figures: Vec<Figure>,
    /// Segments in time order.
    pub segments: Vec<Segment>,
    /// The table of steps.
    pub steps: Vec<StepRow>,
    /// For which cores instructions are modelled, in a sentence.
    pub instructions: String,
    /// Alternatives, each with more bytes and fewer instructions than the one before; empty if none were computed.
    pub pareto: Vec<ParetoPoint>,
}
