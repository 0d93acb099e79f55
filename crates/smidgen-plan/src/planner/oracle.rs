//! What a network takes of a board, by a look that is quick enough for a search over architectures.
//!
//! Nothing depends on the values of weights, which a search does not have yet, and nothing is certified or can be run. What is said of SRAM is
//! never too little: the planner that makes the plan in the end looks at the same segments, among others.

use super::{FlashReport, MEASURES, Objective, PlanError, PlanOptions, Planner, order, tune};
use crate::lower::{LowerError, select};
use crate::{LowerOptions, Lowered};
use smidgen_ir::Graph;

/// What a network takes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cost {
    /// Bytes of the arena. The plan that [`plan`](super::plan()) finds with [`Objective::Sram`] takes no more, and less where a
    /// thorough search for offsets finds a better order: `docs/planning.md` says how much.
    pub sram: usize,
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

/// Answers what networks take.
#[derive(Clone, Debug, Default)]
pub struct Oracle {
    lower: LowerOptions,
    plan: PlanOptions,
}

impl Oracle {
    /// For plans with these options; budget and objective count for nothing.
    pub fn new(lower: LowerOptions, plan: PlanOptions) -> Self {
        Self { lower, plan: PlanOptions { objective: Objective::Sram, budget: None, ..plan } }
    }

    /// What a network takes. Weights are not read.
    ///
    /// # Errors
    /// As [`lower`](crate::lower()), for what does not depend on the values of weights.
    pub fn cost(&self, graph: &Graph) -> Result<Cost, OracleError> {
        let selected = select(graph, &self.lower)?;
        let mut best: Option<Cost> = None;
        for lowered in &order::candidates(&selected) {
            let planner = Planner::new(lowered, &self.plan);
            let (candidates, flow) = (planner.candidates(), &planner.flow);
            let limit = candidates.least_peak(flow, 0, MEASURES[0]);
            // The planner looks at this very form, and takes none that places worse.
            let form = candidates.fastest(flow, 0, limit, MEASURES[0]).map(|segments| planner.untiled(segments));
            let form = form.unwrap_or_else(|| planner.streamed());
            let list = planner.list(&form)?;
            let sram = crate::outline(lowered, &list.runs, &list.storage).map_err(PlanError::from)?;
            if best.as_ref().is_some_and(|known| known.sram <= sram) {
                continue;
            }
            best = Some(Cost {
                sram,
                flash: super::flash(&selected),
                code: self.plan.costs.code(&selected, self.plan.stream_input),
                instructions: self.plan.costs.of_runs(&fastest(lowered), &list.runs) / 100,
            });
        }
        Ok(best.expect("there is at least the order of the graph"))
    }
}

/// Steps as a balanced plan has them where its bytes allow: as many rows together as saves most. It has nothing but the steps.
fn fastest(lowered: &Lowered) -> Lowered {
    let steps = lowered.steps.iter().map(|step| tune::most_rows(step).unwrap_or_else(|| step.clone()));
    Lowered { steps: steps.collect(), ..Lowered::default() }
}
