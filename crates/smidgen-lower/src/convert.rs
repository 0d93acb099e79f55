//! QUANTIZE, DEQUANTIZE and ARG_MAX.

use super::builder::Builder;
use super::elementwise::{push_one, push_table, walked};
use super::error::Refusal;
use super::options::KernelSet;
use super::tables::{self, Ends};
use smidgen_ir::{ElementType, Operator, Tensor};
use smidgen_kernels::convert::{Requantise, Rescale, Stored};
use smidgen_kernels::requant::{Factor, Rounding};
use smidgen_program::footprint::{Granularity, WriteOrder};
use smidgen_program::kernel;
use smidgen_program::kernel::{Kernel, flat};
use smidgen_program::program::Step;

/// How the kernels store the elements of a tensor of numbers.
pub(super) fn stored(tensor: &Tensor) -> Result<Stored, Refusal> {
    Ok(match tensor.element() {
        ElementType::Float32 => Stored::Float32,
        ElementType::Int8 => Stored::Int8,
        ElementType::Uint8 => Stored::Uint8,
        ElementType::Int16 => Stored::Int16,
        ElementType::Int32 => Stored::Int32,
        ElementType::Int64 => Stored::Int64,
        ElementType::Bool => Stored::Bool,
        other @ ElementType::Int4 => {
            return Err(Refusal(format!(
                "`{}` is {other}; bool, i8, u8, i16, i32, i64 and f32 are supported",
                tensor.name
            )));
        }
    })
}

/// Scale and zero point of a quantised tensor.
fn per_tensor(tensor: &Tensor) -> Result<(f32, i32), Refusal> {
    tensor
        .per_tensor()
        .ok_or_else(|| Refusal(format!("`{}` has no scale that holds for the whole tensor", tensor.name)))
}

pub(super) fn quantize(builder: &mut Builder, operator: &Operator) -> Result<(), Refusal> {
    let (x, y) = (builder.tensor(operator.inputs[0]), builder.tensor(operator.outputs[0]));
    let (from, to) = (stored(x)?, stored(y)?);
    let (scale, zero_point) = per_tensor(y)?;
    match (from, to) {
        (_, Stored::Float32 | Stored::Int64 | Stored::Bool) | (Stored::Int64 | Stored::Bool, _) => {
            return Err(Refusal(format!("there is no kernel from {} to {}", x.element(), y.element())));
        }
        (Stored::Float32, _) => {
            push_one(builder, operator, Kernel::Quantise(kernel::Quantise { to, scale, zero_point }), vec![])
        }
        (Stored::Int8, Stored::Uint8) | (Stored::Uint8, Stored::Int8)
            if per_tensor(x)? == (scale, if to == Stored::Int8 { zero_point + 128 } else { zero_point - 128 }) =>
        {
            let kernel = Kernel::Flip(kernel::Flip { signed: from == Stored::Int8 });
            push_one(builder, operator, kernel, vec![]);
        }
        (Stored::Int8, Stored::Int8) => {
            let table = tables::requantise(Ends { from: per_tensor(x)?, to: (scale, zero_point) });
            return push_table(builder, operator, &table);
        }
        _ => {
            let (input_scale, input_zero) = per_tensor(x)?;
            let how = Requantise {
                from,
                to,
                zeros: [input_zero, zero_point],
                factor: Factor::new(input_scale as f64 / scale as f64),
                rounding: Rounding::Twice,
            };
            let quick = if builder.options.kernels == KernelSet::Reference { None } else { Rescale::of(&how) };
            let kernel =
                quick.map_or(Kernel::Requantise(kernel::Requantise(how)), |how| Kernel::Rescale(kernel::Rescale(how)));
            push_one(builder, operator, kernel, vec![]);
        }
    }
    Ok(())
}

pub(super) fn dequantize(builder: &mut Builder, operator: &Operator) -> Result<(), Refusal> {
    let (x, y) = (builder.tensor(operator.inputs[0]), builder.tensor(operator.outputs[0]));
    let (from, to) = (stored(x)?, stored(y)?);
    let (scale, zero_point) = per_tensor(x)?;
    if to != Stored::Float32 || matches!(from, Stored::Float32 | Stored::Int64 | Stored::Bool) {
        return Err(Refusal(format!("there is no kernel from {} to {}", x.element(), y.element())));
    }
    push_one(builder, operator, Kernel::Dequantise(kernel::Dequantise { from, scale, zero_point }), vec![]);
    Ok(())
}

pub(super) fn arg_max(builder: &mut Builder, operator: &Operator, axis: usize) -> Result<(), Refusal> {
    let (x, y) = (builder.tensor(operator.inputs[0]), builder.tensor(operator.outputs[0]));
    let (from, to) = (stored(x)?, stored(y)?);
    if !matches!(to, Stored::Int32 | Stored::Int64) || matches!(from, Stored::Int64 | Stored::Bool) {
        return Err(Refusal(format!("there is no kernel from {} to {}", x.element(), y.element())));
    }
    let dims = x.shape.dims();
    let shape = [dims[..axis].iter().product(), dims[axis], dims[axis + 1..].iter().product()];
    let [outer, size, inner] = shape;
    let input = builder.activation_as(operator.inputs[0], flat(x.shape.elements()));
    let output = builder.target_as(operator.outputs[0], flat(y.shape.elements()));
    // From the first to the last of the elements that are compared.
    let length = size.saturating_sub(1) * inner + 1;
    builder.push(Step {
        inputs: vec![input],
        outputs: vec![output],
        footprint: vec![walked(&[outer, inner], 0, &[(size * inner) as isize, 1], length)],
        ..Step::new(
            Kernel::ArgMax(kernel::ArgMax { shape, from, to }),
            WriteOrder { granularity: Granularity::Elements(1), reads_first: true },
        )
    });
    Ok(())
}
