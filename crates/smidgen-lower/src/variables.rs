//! Variables: where each lies, and the steps that give it its next value.
//!
//! The value that a variable begins with and the one that it holds next are two buffers in one place. The step that
//! computes what is to be held writes that place itself where it stands behind every reader of the old value; else a
//! step that copies does so, after all others. Either way all of the old value has been read before any of the new one
//! is written, if the steps run in their order.

use super::builder::Builder;
use smidgen_ir::TensorId;
use smidgen_kernels::movement::Axis;
use smidgen_program::footprint::{Footprint, Granularity, WriteOrder};
use smidgen_program::kernel;
use smidgen_program::kernel::Kernel;
use smidgen_program::program::{BufferId, Initial, Lowered, Operand, Step, Target, Variable};

/// Adds the graph's variables, with all operators lowered, and the places of its outputs.
pub(super) fn finish(builder: &mut Builder) -> Vec<Operand> {
    let graph = builder.graph;
    let values: Vec<BufferId> =
        graph.variables.iter().filter_map(|variable| builder.input(variable.value).buffer()).collect();
    // What the next inference would find overwritten is copied first: old values that the caller reads, or that other
    // variables hold next.
    let mut outputs: Vec<Operand> = Vec::new();
    for &id in &graph.outputs {
        let operand = match builder.input(id) {
            Operand::Buffer(buffer, extent) => match values.iter().position(|&value| value == buffer) {
                Some(i) if !keeps(builder, i, &values) => {
                    copy(builder, id, Operand::Buffer(buffer, extent), "READ_VARIABLE", "")
                }
                _ => Operand::Buffer(buffer, extent),
            },
            constant => constant,
        };
        outputs.push(operand);
    }
    let mut nexts = Vec::new();
    for (i, variable) in graph.variables.iter().enumerate() {
        let next = builder.input(variable.next);
        let old = next.buffer().is_some_and(|buffer| values.contains(&buffer));
        nexts.push(match old && !keeps(builder, i, &values) {
            true => copy(builder, variable.next, next, "READ_VARIABLE", " of before"),
            false => next,
        });
    }
    for ((variable, &value), next) in graph.variables.iter().zip(&values).zip(nexts) {
        let held = match next.buffer() {
            Some(buffer) if buffer == value || is_written_last(&builder.lowered, value, buffer) => buffer,
            _ => match copy(builder, variable.value, next, "ASSIGN_VARIABLE", " next") {
                Operand::Buffer(buffer, _) => buffer,
                Operand::Constant(_) => continue,
            },
        };
        let name = builder.tensor(variable.value).name.clone();
        let bytes = graph.initial_bytes(variable);
        let initial = match bytes.first() {
            Some(&first) if bytes.iter().all(|&byte| byte == first) => Initial::Fill(first),
            _ => {
                let align = builder.tensor(variable.value).element().bits().div_ceil(8);
                Initial::Constant(builder.constant(format!("{name} (initial value)"), bytes.to_vec(), align))
            }
        };
        builder.lowered.variables.push(Variable { name, value, next: held, initial });
    }
    outputs
}

/// True if nothing is assigned to a variable.
fn keeps(builder: &mut Builder, variable: usize, values: &[BufferId]) -> bool {
    builder.input(builder.graph.variables[variable].next).buffer() == Some(values[variable])
}

/// True if the place of a variable can be that of `buffer`: it has the same size, no other variable has taken it, it is
/// no input, and of the steps those that read `value` all stand before the one that writes it, or that one reads all of
/// it first.
fn is_written_last(lowered: &Lowered, value: BufferId, buffer: BufferId) -> bool {
    let spec = |id: BufferId| &lowered.buffers[id.index()];
    let alike = spec(value).element == spec(buffer).element && spec(value).bytes() == spec(buffer).bytes();
    let taken = lowered.variables.iter().any(|other| other.value == buffer || other.next == buffer);
    let Some(writer) = lowered.steps.iter().position(|s| s.outputs.iter().any(|t| t.buffer == buffer)) else {
        return false;
    };
    let order = lowered.steps[writer].order;
    let at_once = order.granularity == Granularity::Run && order.reads_first && !lowered.steps[writer].partial;
    let later = writer + usize::from(at_once && !lowered.steps[writer].consumes);
    let read = lowered.steps[later..].iter().any(|s| s.inputs.iter().any(|o| o.buffer() == Some(value)));
    alike && !taken && !read
}

/// Adds a step that copies to a buffer of its own, named after the tensor `id`, of whose shape and type both are.
fn copy(builder: &mut Builder, id: TensorId, from: Operand, what: &str, kind: &str) -> Operand {
    let tensor = builder.tensor(id);
    let (element, extent) = (tensor.element(), smidgen_program::Extent::of(tensor.shape.dims()));
    let name = format!("{}{kind}", tensor.name);
    let buffer = builder.temporary(name.clone(), element, extent);
    let from = match from {
        Operand::Buffer(from, _) => Operand::Buffer(from, extent),
        constant => constant,
    };
    builder.lowered.steps.push(Step {
        name: format!("{what} {name}"),
        inputs: vec![from],
        outputs: vec![Target { buffer, extent }],
        footprint: vec![Footprint::SAME],
        partial: true,
        ..Step::new(
            Kernel::Concat(kernel::Concat { element, axis: Axis::Rows, sizes: vec![extent.rows] }),
            WriteOrder { granularity: Granularity::Elements(1), reads_first: true },
        )
    });
    Operand::Buffer(buffer, extent)
}
