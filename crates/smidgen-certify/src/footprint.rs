//! Invariant 9: what a kernel's parameters and constants make it read lies in its operands, and in what the step says that it reads.

use smidgen_program::footprint::Granularity;
use smidgen_program::kernel::{Kernel, covers};
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
        return Ok(());
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
