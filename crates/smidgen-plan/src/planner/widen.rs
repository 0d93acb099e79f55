//! Lets kernels that can compute several rows together do so where the plan has room.
//!
//! A depthwise convolution stages each input row once for a band of output rows, so higher bands take fewer instructions; but more of
//! the input must be there while the band is written. Plans are made with bands of one row. Once the schedule is chosen, bands grow as
//! far as the arena need not.

use super::{List, Objective, Plan, PlanError, PlanOptions, report};
use crate::schedule::Flow;
use crate::{Block, Buffer, Kernel, Lowered, Order, Program, Run, Step, Storage, outline};
use smidgen_kernels::int8::device;

/// Rows of a band to try, the best first.
const ROWS: [usize; 5] = [8, 6, 4, 3, 2];

/// The plan with bands as high as the budget or, without one or where only the arena counts, the arena allows.
pub(super) fn widen(plan: Plan, options: &PlanOptions) -> Result<Plan, PlanError> {
    let total = plan.report.total_bytes;
    let limit = match (options.objective, options.budget) {
        (Objective::Sram, _) => total,
        (Objective::Speed, None) => usize::MAX,
        (Objective::Speed, Some(budget)) => budget.max(total),
    };
    let program = &plan.program;
    let mut lowered = lowered_of(program);
    let storage: Vec<Storage> = program.buffers.iter().map(storage_of).collect();
    // A quick look may see a larger arena than the thorough search that the plan has behind it.
    let seen = outline(&lowered, &program.runs, &storage)?.max(limit);
    let mut wider = false;
    for index in 0..lowered.steps.len() {
        let rows = together(program, index);
        for rows in ROWS.iter().map(|&r| r.min(rows)).filter(|&r| r > 1) {
            let Some(step) = with_rows(&lowered.steps[index], rows) else { break };
            let before = std::mem::replace(&mut lowered.steps[index], step);
            if outline(&lowered, &program.runs, &storage)? <= seen {
                wider = true;
                break;
            }
            lowered.steps[index] = before;
        }
    }
    if !wider {
        return Ok(plan);
    }
    let list = List {
        runs: program.runs.clone(),
        storage,
        segments: plan.report.segments.clone(),
        instructions: plan.report.instructions * 100,
    };
    let widened = report::finish(&Flow::new(&lowered), list, options)?;
    Ok(if widened.report.total_bytes <= limit { widened } else { plan })
}

/// The most rows that a run of the step computes.
fn together(program: &Program, index: usize) -> usize {
    let rows = program.runs.iter().map(|run| match run {
        Run::Compute { step, region } if step.index() == index => region.y1 - region.y0,
        _ => 0,
    });
    rows.max().unwrap_or(0)
}

/// The step with its rows computed so many at a time, if its kernel can do that.
fn with_rows(step: &Step, rows: usize) -> Option<Step> {
    let Kernel::DepthwiseI8Device { window, input_zero, finish, .. } = step.kernel else { return None };
    let Block::Planes { channels, .. } = step.order.block else { return None };
    // A band never spans two images.
    if step.outputs[0].extent.rows != window.output[0] {
        return None;
    }
    Some(Step {
        kernel: Kernel::DepthwiseI8Device { window, input_zero, finish, rows },
        order: Order { block: Block::Planes { rows, channels }, ..step.order },
        scratch_bytes: device::depthwise_scratch(&window, rows).next_multiple_of(4),
        ..step.clone()
    })
}

/// What the program was placed from.
fn lowered_of(program: &Program) -> Lowered {
    Lowered {
        name: program.name.clone(),
        constants: program.constants.clone(),
        buffers: program.buffers.iter().map(|b| b.spec.clone()).collect(),
        steps: program.steps.clone(),
        inputs: program.inputs.clone(),
        outputs: program.outputs.clone(),
    }
}

/// How the schedule keeps a buffer.
fn storage_of(buffer: &Buffer) -> Storage {
    let extent = buffer.spec.extent;
    if buffer.width < extent.cols {
        Storage::Tile
    } else if buffer.slots < extent.rows {
        Storage::Ring
    } else {
        Storage::Whole
    }
}
