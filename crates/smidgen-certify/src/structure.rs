//! Invariants 1 to 6: what can be said of a Program's tables without knowing its kernels.

use super::{Refused, is_whole, variables};
use smidgen_kernels::Region;
use smidgen_program::Regions;
use smidgen_program::footprint::AxisFootprint;
use smidgen_program::kernel::{MOST_BYTES, product};
use smidgen_program::program::{BufferId, Bytes, Extent, Operand, Port, Program, Run, Step};

/// Checks all of them.
pub(super) fn check(program: &Program) -> Result<(), Refused> {
    if program.arena_bytes > MOST_BYTES {
        return Err(too_large("the arena".into()));
    }
    for (i, constant) in program.constants.iter().enumerate() {
        if !constant.align.is_power_of_two() || constant.align > MOST_BYTES {
            let place = format!("constant {i} ({})", constant.name);
            return Err(Refused::Misaligned { place, offset: 0, align: constant.align });
        }
    }
    buffers(program)?;
    for (name, table) in [("scratch", &program.scratch), ("state", &program.state)] {
        if table.len() != program.steps.len() {
            let place = format!("the table of {name}");
            return Err(Refused::OutOfRange { place, what: "step", index: table.len(), count: program.steps.len() });
        }
    }
    for (i, step) in program.steps.iter().enumerate() {
        check_step(program, i, step)?;
    }
    for port in &program.inputs {
        check_port(program, "input", port)?;
    }
    for port in &program.outputs {
        check_port(program, "output", port)?;
    }
    variables::check(program)?;
    for (i, run) in program.runs.iter().enumerate() {
        check_run(program, i, *run)?;
    }
    Ok(())
}

fn too_large(place: String) -> Refused {
    Refused::TooLarge { place, most: MOST_BYTES }
}

fn buffers(program: &Program) -> Result<(), Refused> {
    for (i, buffer) in program.buffers.iter().enumerate() {
        let place = || format!("buffer {i} ({})", buffer.spec.name);
        let Extent { rows, cols, depth } = buffer.spec.extent;
        let element = buffer.spec.element_bytes();
        let Some(tensor) = product(&[rows, cols, depth, element]) else { return Err(too_large(place())) };
        let fits = (1..=rows).contains(&buffer.slots) && (1..=cols).contains(&buffer.width);
        if tensor == 0 || !fits {
            let buffer = buffer.spec.name.clone();
            return Err(Refused::Extent { place: place(), buffer, rows, cols, depth });
        }
        inside_arena(program, place, Bytes { offset: buffer.offset, len: buffer.bytes() })?;
        aligned(place, buffer.offset, element)?;
    }
    Ok(())
}

pub(super) fn in_range(
    place: impl Fn() -> String,
    what: &'static str,
    index: usize,
    count: usize,
) -> Result<(), Refused> {
    if index < count {
        return Ok(());
    }
    Err(Refused::OutOfRange { place: place(), what, index, count })
}

fn check_step(program: &Program, index: usize, step: &Step) -> Result<(), Refused> {
    let place = || format!("step {index} ({})", step.name);
    let consumes_buffer = matches!(step.inputs.first(), Some(Operand::Buffer(..)));
    if step.inputs.len() != step.footprint.len() || step.outputs.is_empty() || (step.consumes && !consumes_buffer) {
        return Err(Refused::Malformed {
            step: index,
            name: step.name.clone(),
            inputs: step.inputs.len(),
            accesses: step.footprint.len(),
        });
    }
    for constant in &step.constants {
        in_range(place, "constant", constant.index(), program.constants.len())?;
    }
    for &operand in &step.inputs {
        check_operand(program, place, operand)?;
    }
    for target in &step.outputs {
        check_seen(program, place, target.buffer, target.extent)?;
    }
    let output = step.outputs[0].extent;
    for footprint in &step.footprint {
        for (reach, indices) in
            [(&footprint.rows, output.rows), (&footprint.cols, output.cols), (&footprint.depth, output.depth)]
        {
            check_reach(index, step, reach, indices)?;
        }
    }
    let (scratch, state) = (program.scratch[index], program.state[index]);
    for (what, needed, given) in [("scratch", step.scratch_bytes, scratch), ("state", step.state_bytes, state)] {
        if given.len < needed {
            let name = step.name.clone();
            return Err(Refused::TooShort { step: index, name, what, needed, given: given.len });
        }
        let place = || format!("{what} of step {index} ({})", step.name);
        inside_arena(program, place, given)?;
        if given.len > 0 {
            aligned(place, given.offset, 4)?;
        }
    }
    let shared = scratch.offset.max(state.offset)..(scratch.offset + scratch.len).min(state.offset + state.len);
    if !shared.is_empty() {
        return Err(demand(index, step, format!("its scratch and its state share bytes {shared:?}")));
    }
    Ok(())
}

/// What is wrong with a step that has everything it names.
pub(super) fn demand(index: usize, step: &Step, reason: String) -> Refused {
    Refused::Demand { step: index, name: step.name.clone(), reason }
}

fn check_reach(index: usize, step: &Step, reach: &AxisFootprint, indices: usize) -> Result<(), Refused> {
    let AxisFootprint::Table(table) = reach else { return Ok(()) };
    let grows = table.windows(2).all(|w| w[0].0 <= w[1].0 && w[0].1 <= w[1].1);
    // A consuming step's table of rows is never looked at.
    if grows && (table.len() >= indices || step.consumes) {
        return Ok(());
    }
    let reason = format!("its table of reach has {} entries for {indices} indices, or bounds that fall", table.len());
    Err(demand(index, step, reason))
}

fn check_operand(program: &Program, place: impl Fn() -> String, operand: Operand) -> Result<(), Refused> {
    match operand {
        Operand::Buffer(buffer, extent) => check_seen(program, place, buffer, extent),
        Operand::Constant(constant) => in_range(place, "constant", constant.index(), program.constants.len()),
    }
}

fn check_seen(program: &Program, place: impl Fn() -> String, id: BufferId, seen: Extent) -> Result<(), Refused> {
    in_range(&place, "buffer", id.index(), program.buffers.len())?;
    let buffer = &program.buffers[id.index()];
    let Extent { rows, cols, depth } = seen;
    let alike = || product(&[rows, cols, depth]) == Some(buffer.spec.extent.elements()) && is_whole(buffer);
    if seen == buffer.spec.extent || alike() {
        return Ok(());
    }
    Err(Refused::Extent { place: place(), buffer: buffer.spec.name.clone(), rows, cols, depth })
}

fn check_port(program: &Program, kind: &'static str, port: &Port) -> Result<(), Refused> {
    let place = || format!("{kind} of tensor {}", port.tensor.0);
    check_operand(program, place, port.operand)?;
    let reason = match port.operand {
        Operand::Constant(_) if kind == "input" => "is a constant, which the caller cannot fill",
        Operand::Buffer(id, _) if kind == "output" && !is_whole(&program.buffers[id.index()]) => {
            "is not stored whole, so that its end is not there when its beginning is"
        }
        Operand::Buffer(id, _) if program.buffers[id.index()].width < program.buffers[id.index()].spec.extent.cols => {
            "is not stored at full width"
        }
        _ => return Ok(()),
    };
    Err(Refused::Port { port: kind, tensor: port.tensor.0, reason })
}

fn check_run(program: &Program, index: usize, run: Run) -> Result<(), Refused> {
    let place = || format!("run {index}");
    match run {
        Run::Await { input, y0, y1 } => {
            in_range(place, "input", input, program.inputs.len())?;
            let Operand::Buffer(id, extent) = program.inputs[input].operand else { return Ok(()) };
            let buffer = &program.buffers[id.index()];
            if y0 >= y1 || y1 > extent.rows || y1 - y0 > buffer.slots || extent != buffer.spec.extent {
                let why = "these rows of the input are not there, or more than its buffer holds";
                let name = buffer.spec.name.clone();
                return Err(Refused::Region { run: index, name, y0, y1, x0: 0, x1: extent.cols, why });
            }
            Ok(())
        }
        Run::Compute { step, region } => {
            in_range(place, "step", step.index(), program.steps.len())?;
            check_region(index, &program.steps[step.index()], region)
        }
    }
}

fn check_region(run: usize, step: &Step, r: Region) -> Result<(), Refused> {
    let bounds = match step.inputs.first() {
        Some(&Operand::Buffer(_, extent)) if step.consumes => extent,
        _ => step.outputs[0].extent,
    };
    let whole = r == Region::whole(bounds.rows, bounds.cols);
    let why = if r.y0 >= r.y1 || r.x0 >= r.x1 {
        "it is empty"
    } else if r.y1 > bounds.rows || r.x1 > bounds.cols {
        "it lies outside"
    } else if !step.consumes && (!step.partial || step.kernel.regions() == Regions::Whole) && !whole {
        "this step only runs whole"
    } else if step.kernel.regions() == Regions::Rows && (r.x0, r.x1) != (0, bounds.cols) {
        "its kernel computes full rows"
    } else if !step.consumes && step.outputs.len() > 1 && !whole {
        "a step with several outputs only runs whole"
    } else if step.consumes && (r.x0, r.x1) != (0, bounds.cols) {
        "a consuming step takes full rows"
    } else {
        return Ok(());
    };
    let name = step.name.clone();
    Err(Refused::Region { run, name, y0: r.y0, y1: r.y1, x0: r.x0, x1: r.x1, why })
}

fn inside_arena(program: &Program, place: impl Fn() -> String, bytes: Bytes) -> Result<(), Refused> {
    match bytes.offset.checked_add(bytes.len) {
        Some(end) if end <= program.arena_bytes => Ok(()),
        end => Err(Refused::OutsideArena {
            place: place(),
            start: bytes.offset,
            end: end.unwrap_or(usize::MAX),
            arena: program.arena_bytes,
        }),
    }
}

fn aligned(place: impl Fn() -> String, offset: usize, align: usize) -> Result<(), Refused> {
    if offset.is_multiple_of(align) {
        return Ok(());
    }
    Err(Refused::Misaligned { place: place(), offset, align })
}
