//! A network with a plan: the second link of the chain from a model to firmware.
//!
//! [`Network::plan`] lowers, plans and certifies. What a report says of the plan, and the [code](Planned::compile) for it, follow from what
//! it has found, so that nothing is computed twice.

use crate::compile::{Compiled, compile};
use crate::error::Error;
use crate::fit::Fit;
use crate::network::Network;
use crate::scope::{Scope, costs};
use smidgen_boards::Board;
use smidgen_codegen::{Options, Training};
use smidgen_lower::{LowerOptions, Lowerer};
use smidgen_plan::ScheduleChoice;
use smidgen_plan::planner::{Advice, Plan, PlanOptions, PlanPoint, advise, flash, pareto, plan};
use smidgen_program::Lowered;

/// Where a network is to run, and how it is planned for it. By default: no board in particular, and no bound.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// The board; without one, plans are for any whose core is among [those](Scope::cores) that instructions are modelled for.
    pub board: Option<Board>,
    /// Whose roundings. The kernels are always those that firmware runs, whichever these options name: the host's take many times the
    /// instructions on a device.
    pub lower: LowerOptions,
    /// How memory is planned.
    pub plan: PlanOptions,
}

impl Target {
    /// All of a board's SRAM, with what kernels take on its core.
    pub fn on(board: &Board) -> Self {
        let budget = Some(board.sram.bytes as usize);
        let plan = PlanOptions { budget, costs: costs(board.core), ..PlanOptions::default() };
        Self { board: Some(board.clone()), lower: LowerOptions::default(), plan }
    }

    /// For which cores modelled figures hold.
    pub fn scope(&self) -> Scope<'_> {
        Scope::of(self.board.as_ref())
    }

    /// Bytes of SRAM that a plan may take: all that the board has, or the budget where that is less; `None` if nothing was said.
    pub fn sram(&self) -> Option<usize> {
        let board = self.board.as_ref().map(|board| board.sram.bytes as usize);
        board.into_iter().chain(self.plan.budget).min()
    }
}

/// What a network takes whose QUANTIZE at inputs and DEQUANTIZE at outputs are cut off, so that the application passes and takes stored
/// integers ([`Network::strip_io`], `--io int8`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IntegerEnds {
    /// Operators that are cut.
    pub cut: usize,
    /// Bytes of SRAM: [`PlanReport::total_bytes`](smidgen_plan::PlanReport::total_bytes) under the same options.
    pub total_bytes: usize,
    /// Its modelled instructions.
    pub instructions: u64,
}

/// A network with its plan, and what it would be otherwise.
#[derive(Clone, Debug)]
pub struct Planned<'n> {
    /// The network.
    pub network: &'n Network,
    /// What it was planned for.
    pub target: Target,
    /// The steps that were planned.
    pub lowered: Lowered,
    /// The plan.
    pub plan: Plan,
    /// The same with integers at the ends, if the network has float ends that can be cut and takes fewer bytes or
    /// instructions without.
    pub integer_ends: Option<IntegerEnds>,
    /// What is planned is an iteration of training.
    pub training: Option<Training>,
}

impl Network {
    /// Plans a network that is [cleaned up](Self::canonicalise). A network with float ends is planned with integers as well, beside the
    /// plan itself. A plan that takes more than there is is still a plan: see [`Planned::fit`].
    ///
    /// # Errors
    /// If an operator has no kernel, or the schedule does not suit the network.
    pub fn plan(&self, target: &Target) -> Result<Planned<'_>, Error> {
        let lowerer = Lowerer::new(target.lower.for_mcu());
        let lowered = lowerer.lower(self.graph())?;
        let (plan, integer_ends) = std::thread::scope(|scope| {
            let mut other = self.clone();
            let cut = other.strip_io()?;
            let lowerer = &lowerer;
            let integers = (cut > 0).then(|| {
                scope.spawn(move || {
                    // What cannot be planned so is no alternative: tiles, for one, count operators.
                    let lowered = lowerer.lower(other.graph()).ok()?;
                    let Plan { report, .. } = plan(&lowered, &target.plan).ok()?;
                    Some(IntegerEnds { cut, total_bytes: report.total_bytes, instructions: report.instructions })
                })
            });
            let plan = plan(&lowered, &target.plan)?;
            let integers = integers.and_then(|thread| thread.join().ok().flatten());
            let here = (plan.report.total_bytes, plan.report.instructions);
            let less = |ends: &IntegerEnds| ends.total_bytes < here.0 || ends.instructions < here.1;
            Ok::<_, Error>((plan, integers.filter(less)))
        })?;
        Ok(Planned { network: self, target: target.clone(), lowered, plan, integer_ends, training: None })
    }
}

impl<'n> Planned<'n> {
    /// What the network takes of the target, and what that has.
    pub fn fit(&self) -> Fit {
        let Target { board, plan, .. } = &self.target;
        let code = || self.target.scope().costs().code(&self.lowered, plan.stream_input);
        Fit {
            sram: self.plan.report.total_bytes,
            sram_limit: self.target.sram(),
            flash: flash(&self.lowered),
            flash_limit: board.as_ref().map(|board| board.flash.bytes as usize),
            code: board.as_ref().map(|_| code()),
        }
    }

    /// What would make the plan fit its budget; `None` if it does.
    pub fn advice(&self) -> Option<Advice> {
        advise(&self.lowered, &self.target.plan, &self.plan.report)
    }

    /// Plans that no other beats in both SRAM and modelled instructions, by ascending SRAM.
    ///
    /// # Errors
    /// If a list cannot be placed, which is a fault of smidgen's.
    pub fn front(&self) -> Result<Vec<PlanPoint>, Error> {
        let PlanOptions { stream_input, costs, .. } = self.target.plan;
        Ok(pareto(&self.lowered, stream_input, costs)?)
    }

    /// The plan with every tensor whole, one step after the other; `None` if that is beyond a bound of the planner's.
    pub fn layer_by_layer(&self) -> Option<Plan> {
        let costs = self.target.plan.costs;
        plan(&self.lowered, &PlanOptions { schedule: ScheduleChoice::Layer, costs, ..PlanOptions::default() }).ok()
    }

    /// Prints the plan as firmware code, for the target's board where it has one.
    ///
    /// # Errors
    /// If there is more than generated code can count. A network that is too large for the board is not an error here: see
    /// [`fit`](Self::fit).
    pub fn compile(self, options: Options) -> Result<Compiled<'n>, Error> {
        compile(self, options)
    }
}
