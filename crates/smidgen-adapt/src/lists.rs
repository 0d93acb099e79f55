//! Lists of steps after parts of them have gone.

use smidgen_program::program::{BufferId, ConstantId, Extent, Initial, Lowered, Operand};

/// An extent that is not looked at.
const NOTHING: Extent = Extent { rows: 0, cols: 0, depth: 0 };

/// Drops constants that nothing names, and buffers that no step, port or variable does.
pub(crate) fn drop_unused(lowered: &mut Lowered) {
    let mut used = vec![false; lowered.constants.len()];
    let mut buffers = vec![false; lowered.buffers.len()];
    let mut operand = |operand: &Operand, used: &mut Vec<bool>| match *operand {
        Operand::Constant(id) => used[id.index()] = true,
        Operand::Buffer(id, _) => buffers[id.index()] = true,
    };
    for step in &lowered.steps {
        step.inputs.iter().for_each(|input| operand(input, &mut used));
        step.outputs.iter().for_each(|target| operand(&Operand::Buffer(target.buffer, target.extent), &mut used));
        step.constants.iter().for_each(|id| used[id.index()] = true);
    }
    for port in lowered.inputs.iter().chain(&lowered.outputs) {
        operand(&port.operand, &mut used);
    }
    for variable in &lowered.variables {
        for id in [variable.value, variable.next] {
            operand(&Operand::Buffer(id, NOTHING), &mut used);
        }
        if let Initial::Constant(id) = variable.initial {
            used[id.index()] = true;
        }
    }
    let renumbered = |used: &[bool]| {
        let mut next = 0;
        let number = |&used: &bool| {
            let id = next;
            next += u32::from(used);
            id
        };
        used.iter().map(number).collect::<Vec<u32>>()
    };
    let (constants, places) = (renumbered(&used), renumbered(&buffers));
    let mut kept = used.iter();
    lowered.constants.retain(|_| *kept.next().unwrap_or(&true));
    let mut kept = buffers.iter();
    lowered.buffers.retain(|_| *kept.next().unwrap_or(&true));
    let constant = |id: &mut ConstantId| id.0 = constants[id.index()];
    let buffer = |id: &mut BufferId| id.0 = places[id.index()];
    let operand = |operand: &mut Operand| match operand {
        Operand::Constant(id) => constant(id),
        Operand::Buffer(id, _) => buffer(id),
    };
    for step in &mut lowered.steps {
        step.inputs.iter_mut().for_each(operand);
        step.outputs.iter_mut().for_each(|target| buffer(&mut target.buffer));
        step.constants.iter_mut().for_each(constant);
    }
    for port in lowered.inputs.iter_mut().chain(&mut lowered.outputs) {
        operand(&mut port.operand);
    }
    for variable in &mut lowered.variables {
        buffer(&mut variable.value);
        buffer(&mut variable.next);
        if let Initial::Constant(id) = &mut variable.initial {
            constant(id);
        }
    }
}
