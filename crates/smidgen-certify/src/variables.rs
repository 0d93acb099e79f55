//! Invariant 16: the variables of a Program, and that nothing else lies where they do.

use super::structure::in_range;
use super::{Refused, is_whole};
use smidgen_program::program::{BufferId, Initial, Operand, Program, Variable};
use std::ops::Range;

/// Checks all variables of a Program whose buffers, steps and ports are sound by themselves.
pub(super) fn check(program: &Program) -> Result<(), Refused> {
    if program.variables.is_empty() {
        return Ok(());
    }
    let mut owner = vec![None; program.buffers.len()];
    for (index, variable) in program.variables.iter().enumerate() {
        one(program, variable)?;
        for id in [variable.value, variable.next] {
            match owner[id.index()].replace(index) {
                Some(other) if other != index => {
                    return Err(refuse(variable, "has a buffer that is another variable's too".into()));
                }
                _ => {}
            }
        }
    }
    for step in &program.steps {
        for target in &step.outputs {
            let Some(index) = owner[target.buffer.index()] else { continue };
            let variable: &Variable = &program.variables[index];
            if target.buffer == variable.value {
                let name = &step.name;
                return Err(refuse(variable, format!("is written in place of its next value by step {name}")));
            }
        }
    }
    for port in &program.inputs {
        let Operand::Buffer(id, _) = port.operand else { continue };
        if let Some(index) = owner[id.index()] {
            return Err(refuse(
                &program.variables[index],
                format!("is what the caller fills as tensor {}", port.tensor.0),
            ));
        }
    }
    alone(program, &owner)
}

fn refuse(variable: &Variable, reason: String) -> Refused {
    Refused::Variable { name: variable.name.clone(), reason }
}

/// Both buffers are stored whole in one place, and the constant that it begins with has as many bytes.
fn one(program: &Program, variable: &Variable) -> Result<(), Refused> {
    let place = || format!("variable {}", variable.name);
    let buffer = |id: BufferId| {
        in_range(place, "buffer", id.index(), program.buffers.len())?;
        Ok(&program.buffers[id.index()])
    };
    let (value, next) = (buffer(variable.value)?, buffer(variable.next)?);
    let bytes = value.spec.bytes();
    if !is_whole(value) || !is_whole(next) {
        return Err(refuse(variable, "is not stored whole".into()));
    }
    if next.offset != value.offset || next.spec.bytes() != bytes || next.spec.element != value.spec.element {
        return Err(refuse(variable, "does not hold its next value where it holds this one".into()));
    }
    if let Initial::Constant(id) = variable.initial {
        in_range(place, "constant", id.index(), program.constants.len())?;
        let given = program.constants[id.index()].bytes.len();
        if given != bytes {
            return Err(refuse(variable, format!("takes {bytes} bytes and begins with a constant of {given}")));
        }
    }
    Ok(())
}

/// Nothing but its own two buffers takes a byte of a variable.
fn alone(program: &Program, owner: &[Option<usize>]) -> Result<(), Refused> {
    let mut taken: Vec<(Range<usize>, usize)> = Vec::with_capacity(program.variables.len());
    for (index, variable) in program.variables.iter().enumerate() {
        let bytes = program.variable_bytes(variable);
        taken.push((bytes.offset..bytes.offset + bytes.len, index));
    }
    taken.sort_unstable_by_key(|(range, _)| range.start);
    for pair in taken.windows(2) {
        if pair[0].0.end > pair[1].0.start {
            let other = &program.variables[pair[1].1].name;
            return Err(refuse(&program.variables[pair[0].1], format!("shares bytes with variable {other}")));
        }
    }
    let free = |what: &dyn Fn() -> String, range: Range<usize>| {
        let at = taken.partition_point(|(other, _)| other.end <= range.start);
        match taken.get(at).filter(|(other, _)| other.start < range.end && !range.is_empty()) {
            Some(&(_, index)) => Err(refuse(&program.variables[index], format!("shares bytes with {}", what()))),
            None => Ok(()),
        }
    };
    for (buffer, owner) in program.buffers.iter().zip(owner) {
        if owner.is_none() {
            free(&|| format!("buffer {}", buffer.spec.name), buffer.offset..buffer.offset + buffer.bytes())?;
        }
    }
    for (kind, places) in [("scratch", &program.scratch), ("state", &program.state)] {
        for (step, place) in program.steps.iter().zip(places) {
            free(&|| format!("the {kind} of step {}", step.name), place.offset..place.offset + place.len)?;
        }
    }
    Ok(())
}
