//! What a network takes of a board, by a look that is quick enough for a search over architectures.
//!
//! Nothing depends on the values of weights, which a search does not have yet, and nothing is certified or can be run. SRAM is bracketed:
//! from above by a plan that the planner that makes the plan in the end has among its candidates, and from below by [what every choice of
//! segments keeps alive](super::arithmetic).

use super::sketch::{Memo, Part, Sketch};
use super::{FlashReport, MEASURES, Objective, PlanError, PlanOptions, Planner, local_search, order};
use smidgen_ir::Graph;
use smidgen_lower::LowerOptions;
use smidgen_lower::{LowerError, select};
use smidgen_program::Kernel;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a network takes, if all of its [`assumed`](Self::assumed) layers get the kernel that they are taken to have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cost {
    /// Bytes of the arena at most: the plan that [`plan`](super::plan()) finds with [`Objective::Sram`] takes no more, and less where
    /// a thorough search for offsets finds a better order. `docs/planning.md` says how much.
    pub sram: usize,
    /// Bytes of the arena at least: as many are alive at some moment of every plan that computes each row once, in whatever segments, bands
    /// and parts. The argument is that of the planner's `arithmetic::floor`.
    pub sram_lower: usize,
    /// Layers whose kernel depends on the values of their weights: it is taken to be the one with the cheap requantisation epilogue, which
    /// lowering gives them if it can prove it to be exact. A layer for which it cannot falls back to a kernel with other scratch, another
    /// order and other constants, of which nothing is said here.
    pub assumed: usize,
    /// Bytes of constants.
    pub flash: FlashReport,
    /// Bytes of code, [modelled](smidgen_program::costs::Costs::code).
    pub code: usize,
    /// [Modelled](smidgen_program::costs) instructions of the [balanced](Objective::Balanced) plan, about.
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

/// True if lowering proves from the values of weights that a layer can have this kernel.
fn rests_on_proof(kernel: &Kernel) -> bool {
    matches!(
        kernel,
        Kernel::Conv2dI8Mcu(_)
            | Kernel::DepthwiseI8Mcu(_)
            | Kernel::FullyConnectedI8Mcu(_)
            | Kernel::SumI8Mcu(_)
            | Kernel::ProductI8Mcu(_)
    )
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
    /// As [`lower`](smidgen_lower::lower()), for what does not depend on the values of weights.
    pub fn cost(&self, graph: &Graph) -> Result<Cost, OracleError> {
        let selected = select(graph, &self.lower)?;
        let (mut least, mut lower) = (None, usize::MAX);
        for lowered in &order::candidates(&selected) {
            let planner = Planner::new(lowered, &self.plan);
            let ground = planner.ground();
            let sketch = Sketch::new(&ground, self.plan.costs, &self.memo);
            let (sram, instructions) = self.of_order(&planner, sketch)?;
            lower = lower.min(ground.lower(sram));
            if least.is_none_or(|(known, _)| sram < known) {
                least = Some((sram, instructions));
            }
        }
        let (sram, instructions) = least.expect("there is at least the order of the graph");
        Ok(Cost {
            sram,
            sram_lower: lower.min(sram),
            assumed: selected.steps.iter().filter(|step| rests_on_proof(&step.kernel)).count(),
            flash: super::flash(&selected),
            code: self.plan.costs.code(&selected, self.plan.stream_input),
            instructions,
        })
    }

    /// What each of these networks takes, in their order: as [`cost`](Self::cost) gives, on all processors there are.
    pub fn costs(&self, graphs: &[Graph]) -> Vec<Result<Cost, OracleError>> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(graphs.len());
        let next = AtomicUsize::new(0);
        let work = || {
            let mut done = Vec::new();
            while let at = next.fetch_add(1, Ordering::Relaxed)
                && let Some(graph) = graphs.get(at)
            {
                done.push((at, self.cost(graph)));
            }
            done
        };
        let mut all: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
        });
        all.sort_by_key(|&(at, _)| at);
        all.into_iter().map(|(_, cost)| cost).collect()
    }

    /// Bytes and instructions for one order of the steps.
    fn of_order(&self, planner: &Planner, mut sketch: Sketch) -> Result<(usize, u64), OracleError> {
        let flow = &planner.flow;
        if !sketch.thorough {
            // The planner looks at this very form too.
            let candidates = planner.candidates();
            let limit = candidates.least_peak(flow, 0, MEASURES[0]);
            let segments = candidates.fastest(flow, 0, limit, MEASURES[0]);
            sketch.parts = segments.unwrap_or_else(|| planner.streamed().segments).iter().map(Part::from).collect();
        }
        // The planner takes no plan of this form or of any other that places worse.
        let (runs, columns) = sketch.runs(flow, self.plan.stream_input);
        let storage = crate::schedule::storage(flow, &runs, &columns);
        let sram = crate::quick_allocation(flow.lowered, &runs, &storage).map_err(PlanError::from)?;
        Ok((sram, sketch.instructions(flow, local_search::tolerated(sram))))
    }
}
