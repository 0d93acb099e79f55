//! Invariant 9: what a kernel's parameters and constants make it read lies in its operands, and in what the step says that it reads.

use smidgen_program::footprint::Granularity;
use smidgen_program::kernel::{Kernel, Pattern, covers};
use smidgen_program::program::{Operand, Program, Step};

/// Checks, of a step that gives its kernel what it demands, that its access covers what the kernel reads, and that what a kernel keeps twice
/// (tables, rows at a time) agrees.
pub(super) fn check(program: &Program, step: &Step) -> Result<(), String> {
    let pattern = step.kernel.spec().pattern();
    if step.consumes != pattern.consumes() {
        return Err("it is said to consume its input and does not, or the other way round".into());
    }
    if let (Kernel::DepthwiseI8Mcu(kernel), Granularity::Planes { rows: declared, .. }) =
        (&step.kernel, step.order.granularity)
        && kernel.rows != declared
    {
        return Err(format!("its kernel computes {} rows at a time, its order says {declared}", kernel.rows));
    }
    let output = step.outputs[0].extent;
    if let Kernel::Gather(kernel) = &step.kernel {
        let sizes = [output.rows, output.cols, output.depth];
        let tables = kernel.index.iter().zip(sizes).filter_map(|(index, size)| Some((index.table()?, size)));
        for ((table, size), id) in tables.zip(&step.constants) {
            let bytes = &program.constants[id.index()].bytes;
            if table.len() < size || !table.iter().map(|i| i.to_le_bytes()).eq(bytes.as_chunks::<4>().0.iter().copied())
            {
                return Err(format!("a table of {size} indices is too short, or not that of its constant"));
            }
        }
    }
    if step.consumes {
        return taken(step, &pattern);
    }
    for (i, (operand, footprint)) in step.inputs.iter().zip(&step.footprint).enumerate() {
        let Operand::Buffer(_, input) = *operand else { continue };
        let [rows, cols, depth] = pattern.input_range(i, input, output);
        for (axis, reach, needs, outputs, inputs) in [
            ("rows", &footprint.rows, rows, output.rows, input.rows),
            ("columns", &footprint.cols, cols, output.cols, input.cols),
            ("channels", &footprint.depth, depth, output.depth, input.depth),
        ] {
            if !covers(reach, &needs, outputs, inputs) {
                return Err(format!("its kernel reads other {axis} of input {i} than the step says"));
            }
        }
    }
    Ok(())
}

/// Checks that what a consuming step says of its inputs behind the first covers what its kernel reads of them for each row that it takes in.
fn taken(step: &Step, pattern: &Pattern<'_>) -> Result<(), String> {
    let Some(&Operand::Buffer(_, first)) = step.inputs.first() else { return Ok(()) };
    for (i, operand) in step.inputs.iter().enumerate().skip(1) {
        let Operand::Buffer(_, input) = *operand else { continue };
        let [rows, ..] = pattern.input_range(i, input, first);
        let is_short = |row: usize| {
            let (needs, says) = (rows(row), step.rows_taken(i, (row, row + 1), input.rows));
            needs.0 < needs.1 && (needs.0 < says.0 || says.1 < needs.1)
        };
        if (0..first.rows).any(is_short) {
            return Err(format!("its kernel reads other rows of input {i} than the step says"));
        }
    }
    Ok(())
}
