//! The bounds of a Program: everything that could make a run read or write outside what it may.
//!
//! This is not the validator of a plan: it does not ask whether the bytes read are the right ones, only whether they are there.

use crate::error::ExecError;
use smidgen_ir::ElementType;
use smidgen_kernels::Region;
use smidgen_plan::{BufferId, Bytes, ConstantId, Extent, Operand, Program, Run, Step, Target};

/// Checks every bound.
pub(crate) fn check(program: &Program) -> Result<(), ExecError> {
    buffers(program)?;
    ports(program)?;
    for (i, step) in program.steps.iter().enumerate() {
        check_step(program, i, step).map_err(|reason| ExecError::Step { step: i, name: step.name.clone(), reason })?;
    }
    let mut columns: Vec<usize> = vec![0; program.buffers.len()];
    for (i, run) in program.runs.iter().enumerate() {
        check_run(program, &mut columns, *run).map_err(|reason| ExecError::Run { run: i, reason })?;
    }
    Ok(())
}

fn buffers(program: &Program) -> Result<(), ExecError> {
    for (i, buffer) in program.buffers.iter().enumerate() {
        let fail = |reason: &str| {
            Err(ExecError::Bounds { what: format!("buffer {i} ({})", buffer.spec.name), reason: reason.into() })
        };
        let Extent { rows, cols, depth } = buffer.spec.extent;
        let size = (buffer.slots.checked_mul(buffer.width))
            .and_then(|n| n.checked_mul(depth)?.checked_mul(buffer.spec.element_bytes()));
        if !inside(buffer.offset, size, program.arena_bytes) {
            return fail("it reaches past the end of the arena");
        }
        if !buffer.offset.is_multiple_of(buffer.spec.element_bytes()) {
            return fail("its offset is not a multiple of its element's size");
        }
        if buffer.slots > rows || buffer.width > cols || (rows > 0 && buffer.slots == 0) {
            return fail("its slots or its width do not fit its rows and columns");
        }
    }
    Ok(())
}

fn ports(program: &Program) -> Result<(), ExecError> {
    let all = program.inputs.iter().map(|p| (p, "input")).chain(program.outputs.iter().map(|p| (p, "output")));
    for (port, kind) in all {
        let fail = |reason: &str| {
            Err(ExecError::Bounds { what: format!("{kind} of tensor {}", port.tensor), reason: reason.into() })
        };
        match port.operand {
            Operand::Constant(id) if kind == "output" && id.index() < program.constants.len() => {}
            Operand::Constant(_) => {
                return fail("it names a constant that is not there, or that the caller would fill");
            }
            Operand::Buffer(id, extent) => {
                let Some(buffer) = program.buffers.get(id.index()) else { return fail("it names no buffer") };
                if checked_elements(extent) != Some(buffer.spec.extent.elements()) {
                    return fail("its extent and that of its buffer differ in size");
                }
                if kind == "output" && !whole(program, id) {
                    return fail("an output must be stored whole");
                }
                if kind == "input" && buffer.width != buffer.spec.extent.cols {
                    return fail("an input must be stored at full width");
                }
            }
        }
    }
    Ok(())
}

fn check_step(program: &Program, index: usize, step: &Step) -> Result<(), String> {
    if step.outputs.is_empty() {
        return Err("it writes nothing".into());
    }
    for target in &step.outputs {
        seen(program, target.buffer, target.extent)?;
    }
    for operand in &step.inputs {
        match *operand {
            Operand::Buffer(id, extent) => seen(program, id, extent)?,
            Operand::Constant(id) => present(program, id)?,
        }
    }
    if step.access.len() != step.inputs.len() {
        return Err(format!("{} inputs, but {} access patterns", step.inputs.len(), step.access.len()));
    }
    let demands = step.kernel.demands(step);
    if demands.inputs.len() != step.inputs.len() || demands.outputs.len() != step.outputs.len() {
        return Err(format!(
            "the kernel takes {} inputs and {} outputs, the step has {} and {}",
            demands.inputs.len(),
            demands.outputs.len(),
            step.inputs.len(),
            step.outputs.len()
        ));
    }
    for (operand, &(element, extent)) in step.inputs.iter().zip(&demands.inputs) {
        match *operand {
            Operand::Buffer(id, given) => agrees(program, id, given, element, extent)?,
            Operand::Constant(id) => {
                let (given, wanted) =
                    (program.constants[id.index()].bytes.len(), extent.elements() * element.bits().div_ceil(8));
                if given != wanted {
                    return Err(format!("an input is a constant of {given} bytes where the kernel takes {wanted}"));
                }
            }
        }
    }
    for (&Target { buffer, extent: given }, &(element, extent)) in step.outputs.iter().zip(&demands.outputs) {
        agrees(program, buffer, given, element, extent)?;
    }
    if step.constants.len() != demands.constants.len() {
        return Err(format!("{} constants where the kernel takes {}", step.constants.len(), demands.constants.len()));
    }
    for (i, (&id, &wanted)) in step.constants.iter().zip(&demands.constants).enumerate() {
        present(program, id)?;
        let given = program.constants[id.index()].bytes.len();
        if given != wanted {
            return Err(format!("constant {i} has {given} bytes where the kernel takes {wanted}"));
        }
    }
    if !step.kernel.is_sound(|i| &program.constants[step.constants[i].index()].bytes) {
        return Err("its constants point outside themselves".into());
    }
    range(program, &program.scratch, index, demands.scratch, "scratch")?;
    range(program, &program.state, index, demands.state, "state")?;
    apart(program, index)
}

/// Scratch and state are both in use for all of a run. What they share with buffers is the validator's affair: they may lie where
/// no row is alive.
fn apart(program: &Program, index: usize) -> Result<(), String> {
    let (scratch, state) = (program.scratch[index], program.state[index]);
    let clash = scratch.offset < state.offset + state.len && state.offset < scratch.offset + scratch.len;
    if clash && scratch.len > 0 && state.len > 0 {
        return Err("its scratch and its state overlap".into());
    }
    Ok(())
}

/// A buffer seen with an extent: the same, or as many elements of a buffer stored whole.
fn seen(program: &Program, id: BufferId, extent: Extent) -> Result<(), String> {
    let Some(buffer) = program.buffers.get(id.index()) else { return Err(format!("there is no buffer {}", id.0)) };
    if extent != buffer.spec.extent {
        if !whole(program, id) {
            return Err(format!("`{}` is seen with another shape but not stored whole", buffer.spec.name));
        }
        if checked_elements(extent) != Some(buffer.spec.extent.elements()) {
            return Err(format!("`{}` is seen with another number of elements", buffer.spec.name));
        }
    }
    Ok(())
}

fn agrees(program: &Program, id: BufferId, given: Extent, element: ElementType, extent: Extent) -> Result<(), String> {
    let spec = &program.buffers[id.index()].spec;
    if given != extent || spec.element != element {
        return Err(format!(
            "`{}` is {} {given:?} where the kernel takes {element} {extent:?}",
            spec.name, spec.element
        ));
    }
    Ok(())
}

fn present(program: &Program, id: ConstantId) -> Result<(), String> {
    if id.index() < program.constants.len() { Ok(()) } else { Err(format!("there is no constant {}", id.0)) }
}

fn range(program: &Program, ranges: &[Bytes], step: usize, demanded: usize, what: &str) -> Result<(), String> {
    let Some(&Bytes { offset, len }) = ranges.get(step) else { return Err(format!("it has no {what} range")) };
    if len < demanded {
        return Err(format!("{len} bytes of {what} where the kernel takes {demanded}"));
    }
    if len > 0 && (!inside(offset, Some(len), program.arena_bytes) || !offset.is_multiple_of(4)) {
        return Err(format!("its {what} is unaligned or reaches past the end of the arena"));
    }
    Ok(())
}

/// `columns` follows the first column that each tile holds.
fn check_run(program: &Program, columns: &mut [usize], run: Run) -> Result<(), String> {
    match run {
        Run::Await { input, y0, y1 } => {
            let Some(port) = program.inputs.get(input) else { return Err(format!("there is no input {input}")) };
            let Some(id) = port.operand.buffer() else { return Err("a constant cannot be awaited".into()) };
            let buffer = &program.buffers[id.index()];
            if y0 >= y1 || y1 > buffer.spec.extent.rows || y1 - y0 > buffer.slots {
                return Err(format!("rows {y0}..{y1} are not there, or more than the buffer holds"));
            }
            Ok(())
        }
        Run::Compute { step: id, region } => {
            let Some(step) = program.steps.get(id.index()) else { return Err(format!("there is no step {}", id.0)) };
            let extent = match step.inputs.first() {
                Some(&Operand::Buffer(_, extent)) if step.consumes => extent,
                _ => step.outputs[0].extent,
            };
            let Region { y0, y1, x0, x1 } = region;
            if y0 > y1 || y1 > extent.rows || x0 > x1 || x1 > extent.cols {
                return Err(format!("{region:?} is not inside {extent:?} of {}", step.name));
            }
            let all = Region::whole(extent.rows, extent.cols);
            if !(step.partial || step.consumes) && region != all {
                return Err(format!("{} can only run whole", step.name));
            }
            if step.consumes && (x0, x1) != (0, extent.cols) {
                return Err(format!("{} takes whole rows", step.name));
            }
            for (operand, access) in step.inputs.iter().zip(&step.access) {
                let Operand::Buffer(id, extent) = *operand else { continue };
                let buffer = &program.buffers[id.index()];
                if buffer.width < buffer.spec.extent.cols {
                    let (first, end) = if step.consumes { (x0, x1) } else { access.cols.needs((x0, x1), extent.cols) };
                    let held = columns[id.index()];
                    let rows = access.rows.needs((y0, y1), extent.rows);
                    // Rows that lie in the padding altogether read nothing, wherever the tile is.
                    let reads = first < end && (step.consumes || rows.0 < rows.1);
                    if reads && (first < held || end > held + buffer.width) {
                        return Err(format!("{} reads columns that `{}` does not hold", step.name, buffer.spec.name));
                    }
                }
            }
            for target in &step.outputs {
                let buffer = &program.buffers[target.buffer.index()];
                if buffer.width < buffer.spec.extent.cols {
                    if x1 - x0 > buffer.width || step.consumes {
                        return Err(format!("{} writes more columns than its tile holds", step.name));
                    }
                    columns[target.buffer.index()] = x0;
                }
            }
            Ok(())
        }
    }
}

/// Whether every element of the buffer has a place of its own, in order.
pub(crate) fn whole(program: &Program, id: BufferId) -> bool {
    let buffer = &program.buffers[id.index()];
    buffer.slots == buffer.spec.extent.rows && buffer.width == buffer.spec.extent.cols
}

fn checked_elements(extent: Extent) -> Option<usize> {
    extent.rows.checked_mul(extent.cols)?.checked_mul(extent.depth)
}

fn inside(offset: usize, len: Option<usize>, end: usize) -> bool {
    len.and_then(|len| offset.checked_add(len)).is_some_and(|last| last <= end)
}
