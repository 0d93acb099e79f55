//! Invariants 7 to 9: what each kernel asks of the step that names it.

use super::structure::demand;
use super::{Refused, footprint};
use smidgen_ir::ElementType;
use smidgen_program::kernel::Kernel;
use smidgen_program::program::{BufferId, Extent, Operand, Program, Step};

/// Checks every step.
pub(super) fn check(program: &Program) -> Result<(), Refused> {
    for (index, step) in program.steps.iter().enumerate() {
        check_step(program, index, step).map_err(|reason| demand(index, step, reason))?;
    }
    Ok(())
}

fn check_step(program: &Program, index: usize, step: &Step) -> Result<(), String> {
    if !step.kernel.spec().pattern().is_sized() {
        return Err("its parameters do not go together, or are too large".into());
    }
    let demands = step.kernel.demands(step);
    for (what, given, taken) in [
        ("inputs", step.inputs.len(), demands.inputs.len()),
        ("outputs", step.outputs.len(), demands.outputs.len()),
        ("constants", step.constants.len(), demands.constants.len()),
    ] {
        if given != taken {
            return Err(format!("{given} {what} where the kernel takes {taken}"));
        }
    }
    for (i, (operand, &(element, extent))) in step.inputs.iter().zip(&demands.inputs).enumerate() {
        match *operand {
            Operand::Buffer(id, given) => agrees(program, id, given, element, extent)?,
            Operand::Constant(id) => {
                let given = program.constants[id.index()].bytes.len();
                has_bytes(&format!("input {i}, a constant,"), given, extent.elements() * element.bits().div_ceil(8))?;
            }
        }
    }
    for (target, &(element, extent)) in step.outputs.iter().zip(&demands.outputs) {
        agrees(program, target.buffer, target.extent, element, extent)?;
    }
    if Kernel::TRAINING.contains(&step.kernel.name()) {
        let read = step.inputs.iter().filter_map(|operand| operand.buffer());
        for id in read.chain(step.outputs.iter().map(|target| target.buffer)) {
            let buffer = &program.buffers[id.index()];
            if buffer.spec.element == ElementType::Int16 && !buffer.offset.is_multiple_of(4) {
                return Err(format!(
                    "`{}`, a gradient, lies at byte {}, not at a word",
                    buffer.spec.name, buffer.offset
                ));
            }
        }
    }
    for (i, (id, &wanted)) in step.constants.iter().zip(&demands.constants).enumerate() {
        has_bytes(&format!("constant {i}"), program.constants[id.index()].bytes.len(), wanted)?;
    }
    for (what, given, needed) in
        [("scratch", program.scratch[index].len, demands.scratch), ("state", program.state[index].len, demands.state)]
    {
        if given < needed {
            return Err(format!("{given} bytes of {what} where the kernel needs {needed}"));
        }
    }
    if !step.kernel.spec().is_sound(&|i| &program.constants[step.constants[i].index()].bytes) {
        return Err("its constants point outside themselves".into());
    }
    footprint::check(program, step)
}

fn has_bytes(what: &str, given: usize, wanted: usize) -> Result<(), String> {
    if given == wanted { Ok(()) } else { Err(format!("{what} has {given} bytes where the kernel takes {wanted}")) }
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
