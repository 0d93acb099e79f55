//! What candidates take, by the planner, before they have weights.

use super::{Estimator, Figures, SearchError};
use smidgen_ir::Graph;
use smidgen_lower::{LowerError, LowerOptions, lower};
use smidgen_plan::planner::{Oracle, OracleError, PlanOptions, plan};
use smidgen_plan::{Objective, ScheduleChoice};

/// Bytes that firmware's code may take more than is modelled: that of networks of inverted residuals took 330 to 840 more.
const CODE: usize = 1 << 10;

/// Asks the [`Oracle`], which knows the schedules that the planner chooses among; where one is fixed, the planner itself.
#[derive(Debug)]
pub struct Planner {
    oracle: Oracle,
    /// How networks are lowered and planned with the schedule that is fixed.
    fixed: Option<(LowerOptions, PlanOptions)>,
}

impl Planner {
    /// For plans with these options; a budget counts for nothing.
    pub fn new(lower: LowerOptions, plan: PlanOptions) -> Self {
        let plan = PlanOptions { budget: None, objective: Objective::Sram, ..plan };
        let fixed = (plan.schedule != ScheduleChoice::Auto).then(|| (lower, plan.clone()));
        Self { oracle: Oracle::new(lower, plan), fixed }
    }
}

impl Estimator for Planner {
    fn figures(&self, network: &Graph) -> Result<Figures, SearchError> {
        let figures = self.oracle.figures(network)?;
        let figures = Figures { flash: figures.flash + CODE, ..figures };
        let Some((options, wanted)) = &self.fixed else { return Ok(figures) };
        let lowered = lower(network, options).map_err(|error: LowerError| OracleError::from(error))?;
        let planned = plan(&lowered, wanted).map_err(OracleError::from)?;
        Ok(Figures { sram: planned.report.total_bytes, instructions: planned.report.instructions, ..figures })
    }
}
