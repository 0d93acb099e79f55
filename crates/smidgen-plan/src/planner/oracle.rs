//! What a network takes of a board, by a look that is quick enough for a search over architectures.
//!
//! Nothing depends on the values of weights, which a search does not have yet, and nothing is certified or can be run. What is said of SRAM is
//! never too little: the planner that makes the plan in the end looks at the same segments, among others.

use super::sketch::{Memo, Part, Sketch};
use super::{FlashReport, MEASURES, Objective, PlanError, PlanOptions, Planner, order, tune};
use crate::LowerOptions;
use crate::lower::{LowerError, select};
use smidgen_ir::Graph;
use std::sync::Arc;

/// What a network takes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cost {
    /// Bytes of the arena at most: the plan that [`plan`](super::plan()) finds with [`Objective::Sram`] takes no more, and less where
    /// a thorough search for offsets finds a better order. `docs/planning.md` says how much.
    pub sram: usize,
    /// Bytes of the arena at least.
    pub sram_lower: usize,
    /// Bytes of constants.
    pub flash: FlashReport,
    /// Bytes of code, [modelled](crate::costs::Costs::code).
    pub code: usize,
    /// [Modelled](crate::costs) instructions of the [balanced](Objective::Balanced) plan, about.
    pub instructions: u64,
}

/// Why there is no figure.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OracleError {
    /// No kernel computes the network, or no board holds it.
    #[error(transparent)]
    Lower(#[from] LowerError),
    /// An error of ours.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

/// Answers what networks take, and remembers what the steps of earlier ones did.
#[derive(Clone, Debug, Default)]
pub struct Oracle {
    lower: LowerOptions,
    plan: PlanOptions,
    memo: Arc<Memo>,
}

impl Oracle {
    /// For plans with these options; budget and objective count for nothing.
    pub fn new(lower: LowerOptions, plan: PlanOptions) -> Self {
        let plan = PlanOptions { objective: Objective::Sram, budget: None, ..plan };
        Self { lower, plan, memo: Arc::default() }
    }

    /// What a network takes. Weights are not read.
    ///
    /// # Errors
    /// As [`lower`](crate::lower()), for what does not depend on the values of weights.
    pub fn cost(&self, graph: &Graph) -> Result<Cost, OracleError> {
        let selected = select(graph, &self.lower)?;
        let (mut least, mut lower) = (None, usize::MAX);
        for lowered in &order::candidates(&selected) {
            let planner = Planner::new(lowered, &self.plan);
            let sketch = planner.sketch(&self.memo);
            lower = lower.min(sketch.lower);
            let (sram, instructions) = self.of_order(&planner, sketch)?;
            if least.is_none_or(|(known, _)| sram < known) {
                least = Some((sram, instructions));
            }
        }
        let (sram, instructions) = least.expect("there is at least the order of the graph");
        Ok(Cost {
            sram,
            sram_lower: lower.min(sram),
            flash: super::flash(&selected),
            code: self.plan.costs.code(&selected, self.plan.stream_input),
            instructions,
        })
    }

    /// Bytes and instructions for one order of the steps.
    fn of_order(&self, planner: &Planner, mut sketch: Sketch) -> Result<(usize, u64), OracleError> {
        let flow = &planner.flow;
        if !sketch.thorough {
            // Then the planner looks at this very form, and takes none that places worse.
            let candidates = planner.candidates();
            let limit = candidates.least_peak(flow, 0, MEASURES[0]);
            let segments = candidates.fastest(flow, 0, limit, MEASURES[0]);
            sketch.parts = segments.unwrap_or_else(|| planner.streamed().segments).iter().map(Part::from).collect();
        }
        let (runs, columns) = sketch.runs(flow, self.plan.stream_input);
        let storage = crate::schedule::storage(flow, &runs, &columns);
        let sram = crate::outline(flow.lowered, &runs, &storage).map_err(PlanError::from)?;
        Ok((sram, sketch.instructions(flow, tune::tolerated(sram))))
    }
}
