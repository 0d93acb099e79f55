//! Plans of a network as it is, and as it would be with integers at its ends.

use crate::error::Error;
use crate::network::Network;
use smidgen_lower::{LowerOptions, Lowerer};
use smidgen_plan::planner::{Plan, PlanOptions, plan};
use smidgen_program::Lowered;

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

/// A plan, and what it would be otherwise.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The steps that were planned.
    pub lowered: Lowered,
    /// The plan.
    pub plan: Plan,
    /// The same with integers at the ends, if the network has float ends that can be cut and takes fewer bytes or
    /// instructions without.
    pub integer_ends: Option<IntegerEnds>,
}

/// Plans a network that is [cleaned up](Network::canonicalise). A network with float ends is planned with integers as well, beside the plan
/// itself.
///
/// # Errors
/// If an operator has no kernel, or the schedule does not suit the network.
pub fn plan_network(network: &Network, options: &LowerOptions, wanted: &PlanOptions) -> Result<Planned, Error> {
    let lowerer = Lowerer::new(*options);
    let lowered = lowerer.lower(network.graph())?;
    std::thread::scope(|scope| {
        let mut other = network.clone();
        let cut = other.strip_io()?;
        let integers = (cut > 0).then(|| {
            let lowerer = &lowerer;
            scope.spawn(move || {
                // What cannot be planned so is no alternative: tiles, for one, count operators.
                let lowered = lowerer.lower(other.graph()).ok()?;
                let Plan { report, .. } = plan(&lowered, wanted).ok()?;
                Some(IntegerEnds { cut, total_bytes: report.total_bytes, instructions: report.instructions })
            })
        });
        let plan = plan(&lowered, wanted)?;
        let integers = integers.and_then(|thread| thread.join().ok().flatten());
        let here = (plan.report.total_bytes, plan.report.instructions);
        let less = |ends: &IntegerEnds| ends.total_bytes < here.0 || ends.instructions < here.1;
        let integer_ends = integers.filter(less);
        Ok(Planned { lowered, plan, integer_ends })
    })
}
