//! Element-wise operators of one and two operands.

use super::builder::Builder;
use super::error::Refusal;
use super::options::KernelSet;
use super::quant::{self, unsupported};
use super::{elementwise_int16, tables};
use super::{product, sum};
use smidgen_ir::{Activation, BinaryKind, ElementType, Operator, Tensor, TensorId, UnaryKind};
use smidgen_kernels::float::Clamp;
use smidgen_kernels::int8::{Pair, Prelu, Quotient, SquaredDifference};
use smidgen_kernels::memory::Integer;
use smidgen_kernels::nd::MAX_RANK;
use smidgen_kernels::reference::{Binary, Product, Sum};
use smidgen_kernels::requant::{Factor, Rounding};
use smidgen_kernels::{float, int8, int16};
use smidgen_program::footprint::{AxisFootprint, Footprint, Granularity, WriteOrder};
use smidgen_program::kernel;
use smidgen_program::kernel::{Broadcast, Kernel, flat};
use smidgen_program::program::{ConstantId, Extent, Operand, Step, Target};

/// How every element-wise kernel proceeds, so that it can work in place.
pub(super) const ORDER: WriteOrder = WriteOrder { granularity: Granularity::Elements(1), reads_first: true };

/// Adds a step that computes each element of the output from the same element of the only input.
pub(super) fn push_one(builder: &mut Builder, operator: &Operator, kernel: Kernel, constants: Vec<ConstantId>) {
    let input = builder.activation(operator.inputs[0]);
    push_of(builder, operator, input, kernel, constants);
}

/// The same of the one input that is not folded into the kernel.
fn push_of(builder: &mut Builder, operator: &Operator, input: Operand, kernel: Kernel, constants: Vec<ConstantId>) {
    let output = builder.target(operator.outputs[0]);
    push_to(builder, input, output, kernel, constants);
}

/// The same with another output than an operator's.
pub(super) fn push_to(
    builder: &mut Builder,
    input: Operand,
    output: Target,
    kernel: Kernel,
    constants: Vec<ConstantId>,
) {
    builder.push(Step {
        inputs: vec![input],
        constants,
        outputs: vec![output],
        footprint: vec![Footprint::SAME],
        partial: true,
        ..Step::new(kernel, ORDER)
    });
}

pub(super) fn unary(builder: &mut Builder, operator: &Operator, kind: UnaryKind) -> Result<(), Refusal> {
    let (x, y) = (builder.tensor(operator.inputs[0]), builder.tensor(operator.outputs[0]));
    match x.element() {
        ElementType::Int8 => {
            let ends = tables::Ends { from: quant::int8(x)?, to: quant::int8(y)? };
            let table = tables::unary(kind, ends)?;
            push_table(builder, operator, &table)?;
        }
        ElementType::Int16 => elementwise_int16::unary(builder, operator, kind)?,
        ElementType::Float32 => push_one(builder, operator, Kernel::UnaryF32(kernel::UnaryF32(real(kind))), vec![]),
        other => return Err(unsupported(x, other)),
    }
    Ok(())
}

/// Adds a step that looks every element up.
pub(super) fn push_table(builder: &mut Builder, operator: &Operator, table: &[i8; 256]) -> Result<(), Refusal> {
    let input = builder.activation(operator.inputs[0]);
    push_table_of(builder, operator, (operator.inputs[0], input), table)
}

/// The same for any of its inputs.
fn push_table_of(
    builder: &mut Builder,
    operator: &Operator,
    input: (TensorId, Operand),
    table: &[i8; 256],
) -> Result<(), Refusal> {
    // Where every operator is to be seen by itself, as when a network is verified, none is left out.
    if builder.options.kernels == KernelSet::Mcu && builder.follow_table(input, operator.outputs[0], table)? {
        return Ok(());
    }
    let name = format!("{} table", builder.tensor(operator.outputs[0]).name);
    let table = builder.constant_i8(name, table);
    push_of(builder, operator, input.1, Kernel::TableI8(kernel::TableI8), vec![table]);
    Ok(())
}

fn real(kind: UnaryKind) -> float::Unary {
    let clamp = |activation| float::Unary::Clamp(float_clamp(activation));
    match kind {
        UnaryKind::Logistic => float::Unary::Logistic,
        UnaryKind::Tanh => float::Unary::Tanh,
        UnaryKind::Relu => clamp(Activation::Relu),
        UnaryKind::ReluN1To1 => clamp(Activation::ReluN1To1),
        UnaryKind::Relu6 => clamp(Activation::Relu6),
        UnaryKind::LeakyRelu { alpha } => float::Unary::LeakyRelu { alpha },
        UnaryKind::HardSwish => float::Unary::HardSwish,
        UnaryKind::Exp => float::Unary::Exp,
        UnaryKind::Log => float::Unary::Log,
        UnaryKind::Function(function) => float::Unary::Function(function),
    }
}

fn float_clamp(activation: Activation) -> Clamp {
    let (min, max) = activation.range();
    Clamp { min, max }
}

pub(super) fn binary(
    builder: &mut Builder,
    operator: &Operator,
    kind: BinaryKind,
    activation: Activation,
) -> Result<(), Refusal> {
    let [a, b] = [0, 1].map(|i| builder.tensor(operator.inputs[i]));
    let y = builder.tensor(operator.outputs[0]);
    match y.element() {
        ElementType::Int8 => {
            let ends = [quant::int8(a)?, quant::int8(b)?, quant::int8(y)?];
            let function = match kind {
                BinaryKind::Div => Two::Pair(Pair::Quotient(quotient(ends, activation)?)),
                BinaryKind::SquaredDifference => Two::Pair(Pair::SquaredDifference(squared_difference(ends))),
                _ => Two::Int8(integers(kind, ends, activation)?.ok_or_else(|| unsupported(y, ElementType::Int8))?),
            };
            push_two(builder, operator, function)
        }
        ElementType::Int16 => {
            let ends = [(quant::int16(a)?, 0), (quant::int16(b)?, 0), (quant::int16(y)?, 0)];
            let function = integers(kind, ends, activation)?.ok_or_else(|| unsupported(y, ElementType::Int16))?;
            push_two(builder, operator, Two::Int16(function))
        }
        ElementType::Float32 => {
            let function = match kind {
                BinaryKind::Add => float::Binary::Add,
                BinaryKind::Sub => float::Binary::Sub,
                BinaryKind::Mul => float::Binary::Mul,
                BinaryKind::Div => float::Binary::Div,
                BinaryKind::Minimum => float::Binary::Minimum,
                BinaryKind::Maximum => float::Binary::Maximum,
                BinaryKind::SquaredDifference => return Err(unsupported(y, ElementType::Float32)),
            };
            push_two(builder, operator, Two::Float32(function, float_clamp(activation)))
        }
        other => Err(unsupported(y, other)),
    }
}

pub(super) fn prelu(builder: &mut Builder, operator: &Operator) -> Result<(), Refusal> {
    let [x, alpha] = [0, 1].map(|i| builder.tensor(operator.inputs[i]));
    let y = builder.tensor(operator.outputs[0]);
    match y.element() {
        ElementType::Int8 => {
            let ((sx, zx), (sa, za), (sy, zy)) = (quant::int8(x)?, quant::int8(alpha)?, quant::int8(y)?);
            let function = Binary::Prelu(Prelu {
                zeros: [zx, za],
                positive: Factor::new((sx / sy) as f64),
                negative: Factor::new((sx * sa / sy) as f64),
                output_zero: zy,
                rounding: Rounding::Twice,
            });
            push_two(builder, operator, Two::Int8(function))
        }
        ElementType::Float32 => {
            push_two(builder, operator, Two::Float32(float::Binary::Prelu, float_clamp(Activation::None)))
        }
        other => Err(unsupported(y, other)),
    }
}

/// Scales and zero points of two operands and of the output.
type Ends = [(f32, i32); 3];

/// The function of integers of any width, if there is one.
fn integers<T: Integer>(kind: BinaryKind, ends: Ends, activation: Activation) -> Result<Option<Binary<T>>, Refusal> {
    Ok(Some(match kind {
        BinaryKind::Add => Binary::Sum(sum(ends, activation, false)?),
        BinaryKind::Sub => Binary::Sum(sum(ends, activation, true)?),
        BinaryKind::Mul => Binary::Product(product(ends, activation)?),
        BinaryKind::Div | BinaryKind::SquaredDifference => return Ok(None),
        BinaryKind::Minimum => Binary::Minimum,
        BinaryKind::Maximum => Binary::Maximum,
    }))
}

/// SQUARED_DIFFERENCE brings both operands to twice the greater scale, with seven more bits, which the square has twice.
fn squared_difference([(sa, za), (sb, zb), (sy, zy)]: Ends) -> SquaredDifference {
    // Twice the scale is taken in single precision, its square in double.
    let common = f64::from(2.0 * sa.max(sb));
    SquaredDifference {
        zeros: [za, zb],
        factors: [sa, sb].map(|scale| Factor::new(f64::from(scale) / common)),
        output: Factor::new(common * common / (f64::from(1u32 << (2 * SquaredDifference::SHIFT)) * f64::from(sy))),
        output_zero: zy,
        rounding: Rounding::Twice,
    }
}

fn quotient([(sa, za), (sb, zb), (sy, zy)]: Ends, activation: Activation) -> Result<Quotient, Refusal> {
    let (min, max) = quant::clamp(activation, sy, zy)?;
    // The scales are divided in single precision.
    Ok(Quotient { zeros: [za, zb], factor: Factor::new((sa / (sb * sy)) as f64), output_zero: zy, min, max })
}

/// ADD and SUB bring both operands to twice the greater scale, with some more bits.
fn sum<T: Integer>(
    [(sa, za), (sb, zb), (sy, zy)]: Ends,
    activation: Activation,
    subtract: bool,
) -> Result<Sum<T>, Refusal> {
    let common = 2.0 * sa.max(sb) as f64;
    let (min, max) = quant::clamp(activation, sy, zy)?;
    Ok(Sum {
        zeros: [za, zb],
        factors: [Factor::new(sa as f64 / common), Factor::new(sb as f64 / common)],
        output: Factor::new(common / ((1u32 << T::SUM_SHIFT) as f64 * sy as f64)),
        output_zero: zy,
        min,
        max,
        subtract,
        rounding: Rounding::Twice,
    })
}

fn product<T: Integer>([(sa, za), (sb, zb), (sy, zy)]: Ends, activation: Activation) -> Result<Product<T>, Refusal> {
    let (min, max) = quant::clamp(activation, sy, zy)?;
    // The product and quotient of the scales are taken in single precision.
    let factor = Factor::new((sa * sb / sy) as f64);
    Ok(Product { zeros: [za, zb], factor, output_zero: zy, min, max, rounding: Rounding::Twice })
}

/// A function of two operands.
enum Two {
    Int8(int8::Binary),
    Pair(Pair),
    Int16(int16::Binary),
    Float32(float::Binary, Clamp),
}

/// Adds a step for a function of two operands: by rows where broadcasting allows it, else whole.
fn push_two(builder: &mut Builder, operator: &Operator, function: Two) -> Result<(), Refusal> {
    let ids = [operator.inputs[0], operator.inputs[1]];
    let output = builder.tensor(operator.outputs[0]).shape.dims();
    let rows = ids.map(|id| rows_of(builder.tensor(id), output));
    let [Some(a), Some(b)] = rows else { return push_broadcast(builder, operator, function) };
    let operands = [a, b];
    let set = builder.options.kernels;
    let bytes: Option<&dyn Fn(i8, i8) -> i8> = match &function {
        Two::Int8(function) => Some(&|a, b| function.apply(a, b)),
        Two::Pair(function) => Some(&|a, b| function.apply(a, b)),
        Two::Int16(_) | Two::Float32(..) => None,
    };
    if let (Some(function), true) = (bytes, set != KernelSet::Reference)
        && let Some((at, table)) = of_one(builder, operator, function)
        && [a, b][at] == Extent::of(output)
    {
        let input = seen(builder, ids[at], [a, b][at]);
        return push_table_of(builder, operator, (ids[at], input), &table);
    }
    let on_device = match &function {
        Two::Int8(int8::Binary::Sum(_)) if builder.unread => Some(sum::UNREAD),
        Two::Int8(int8::Binary::Sum(sum)) if set == KernelSet::Mcu => builder.proofs.terms(sum),
        _ => None,
    };
    let products = match &function {
        Two::Int8(int8::Binary::Product(product)) if builder.unread => Some(product::unread(product)),
        Two::Int8(int8::Binary::Product(product)) if set == KernelSet::Mcu => product::products(product),
        _ => None,
    };
    let quick = match &function {
        Two::Int8(int8::Binary::Sum(sum)) if set != KernelSet::Reference && on_device.is_none() => sum.with_table(),
        _ => None,
    };
    let mut constants = Vec::new();
    let kernel = match (quick, function) {
        _ if let Some(terms) = on_device => Kernel::SumI8Mcu(kernel::SumI8Mcu { terms, operands }),
        _ if let Some(products) = products => Kernel::ProductI8Mcu(kernel::ProductI8Mcu { products, operands }),
        (Some((sum, table)), _) => {
            let name = format!("{} terms", builder.tensor(operator.outputs[0]).name);
            constants.push(builder.constant_i32(name, &table));
            Kernel::SumI8(kernel::SumI8 { sum, operands })
        }
        (None, Two::Int8(function)) => Kernel::BinaryI8(kernel::BinaryI8 { function, operands }),
        (None, Two::Pair(function)) => Kernel::PairI8(kernel::PairI8 { function, operands }),
        (None, Two::Int16(int16::Binary::Sum(sum)))
            if set != KernelSet::Reference
                && let Some(terms) = int16::Terms::of(&sum) =>
        {
            Kernel::SumI16(kernel::SumI16 { terms, operands })
        }
        (None, Two::Int16(function)) => Kernel::BinaryI16(kernel::BinaryI16 { function, operands }),
        (None, Two::Float32(function, clamp)) => Kernel::BinaryF32(kernel::BinaryF32 { function, clamp, operands }),
    };
    let inputs = vec![seen(builder, ids[0], a), seen(builder, ids[1], b)];
    let target = builder.target(operator.outputs[0]);
    builder.push(Step {
        inputs,
        constants,
        outputs: vec![target],
        footprint: operands.iter().map(|&extent| footprint(extent, target.extent)).collect(),
        partial: true,
        ..Step::new(kernel, ORDER)
    });
    Ok(())
}

/// Which operand is variable, and the function of it, where the other operand is one number, or the same number everywhere.
fn of_one(builder: &Builder, operator: &Operator, function: &dyn Fn(i8, i8) -> i8) -> Option<(usize, [i8; 256])> {
    let constant = |i: usize| -> Option<i8> {
        let tensor = builder.tensor(operator.inputs[i]);
        let data = tensor.data.as_ref().filter(|_| tensor.element() == ElementType::Int8)?;
        let first = *data.first()?;
        data.iter().all(|&byte| byte == first).then_some(first as i8)
    };
    let (at, value) = [0, 1].into_iter().find_map(|i| Some((i, constant(i)?)))?;
    let table = std::array::from_fn(|i| {
        let x = i as u8 as i8;
        if at == 0 { function(value, x) } else { function(x, value) }
    });
    (!builder.tensor(operator.inputs[1 - at]).is_constant()).then_some((1 - at, table))
}

/// A tensor as an operand seen with another extent.
pub(super) fn seen(builder: &mut Builder, id: TensorId, extent: Extent) -> Operand {
    match builder.input(id) {
        Operand::Buffer(buffer, _) => Operand::Buffer(buffer, extent),
        constant => constant,
    }
}

/// Along an axis where the operand is broadcast, every output index needs all of it.
fn footprint(operand: Extent, output: Extent) -> Footprint {
    let along =
        |operand: usize, output: usize| if operand == output { AxisFootprint::SAME } else { AxisFootprint::All };
    Footprint {
        rows: along(operand.rows, output.rows),
        cols: along(operand.cols, output.cols),
        depth: along(operand.depth, output.depth),
    }
}

/// Dimensions with ones in front up to a rank.
pub(super) fn aligned(dims: &[usize], rank: usize) -> Vec<usize> {
    let mut all = vec![1; rank - dims.len()];
    all.extend_from_slice(dims);
    all
}

/// An operand's extent beside an output with these dimensions, if views of rows and pixels can express how it is broadcast.
fn rows_of(tensor: &Tensor, output: &[usize]) -> Option<Extent> {
    let dims = aligned(tensor.shape.dims(), output.len());
    // As `Extent::of` joins them: all but the last two dimensions, or (of two) the first, are rows.
    let leading = match output.len() {
        0 | 1 => 0,
        2 => 1,
        rank => rank - 2,
    };
    let (own, of_output) = (&dims[..leading], &output[..leading]);
    // From where on the operand has all rows; before that it must be repeated.
    let repeated = own.iter().take_while(|&&d| d == 1).count();
    let all_ones = repeated == leading;
    let same = own[repeated..] == of_output[repeated..];
    let full = own == of_output;
    // A constant can repeat a block of rows; a buffer may be a ring, which cannot.
    (all_ones || full || (same && tensor.is_constant())).then(|| Extent::of(&dims))
}

/// Adds a step for any broadcast, run whole.
fn push_broadcast(builder: &mut Builder, operator: &Operator, function: Two) -> Result<(), Refusal> {
    let (broadcast, footprint) = met(builder, operator, [operator.inputs[0], operator.inputs[1]])?;
    let kernel = match function {
        Two::Int8(function) => Kernel::BroadcastI8(kernel::BroadcastI8 { function, broadcast }),
        Two::Pair(function) => Kernel::BroadcastPairI8(kernel::BroadcastPairI8 { function, broadcast }),
        Two::Int16(function) => Kernel::BroadcastI16(kernel::BroadcastI16 { function, broadcast }),
        Two::Float32(function, clamp) => Kernel::BroadcastF32(kernel::BroadcastF32 { function, clamp, broadcast }),
    };
    push_whole(builder, operator, kernel, footprint);
    Ok(())
}

/// The box of the output, if a walk can have so many dimensions.
pub(super) fn dims(builder: &Builder, operator: &Operator) -> Result<Vec<usize>, Refusal> {
    let y = builder.tensor(operator.outputs[0]);
    let dims = y.shape.dims().to_vec();
    if dims.len() > MAX_RANK {
        return Err(Refusal(format!("`{}` has {} dimensions; up to {MAX_RANK} are supported", y.name, dims.len())));
    }
    Ok(dims)
}

/// Elements that a tensor of these dimensions advances for one step along each of `rank` axes: 0 where it is broadcast.
pub(super) fn broadcast_strides(own: &[usize], rank: usize) -> Vec<isize> {
    let own = aligned(own, rank);
    strides(&own).iter().zip(&own).map(|(&stride, &dim)| if dim == 1 { 0 } else { stride }).collect()
}

/// Adds a step that takes its inputs whole.
pub(super) fn push_whole(builder: &mut Builder, operator: &Operator, kernel: Kernel, footprint: Vec<Footprint>) {
    push_whole_in(builder, operator, kernel, footprint, ORDER);
}

/// The same with another order of writing.
pub(super) fn push_whole_in(
    builder: &mut Builder,
    operator: &Operator,
    kernel: Kernel,
    footprint: Vec<Footprint>,
    order: WriteOrder,
) {
    let inputs = operator.inputs.iter().map(|&id| {
        let elements = builder.tensor(id).shape.elements();
        seen(builder, id, flat(elements))
    });
    let inputs = inputs.collect();
    let target = builder.target_as(operator.outputs[0], flat(builder.tensor(operator.outputs[0]).shape.elements()));
    let macs = smidgen_ir::cost::macs(builder.graph, operator).unwrap_or(0);
    builder.push(Step { inputs, outputs: vec![target], footprint, macs, ..Step::new(kernel, order) });
}

/// Which elements of some tensors meet, and what of them each element of the output needs.
pub(super) fn met<const N: usize>(
    builder: &Builder,
    operator: &Operator,
    ids: [TensorId; N],
) -> Result<(Broadcast<N>, Vec<Footprint>), Refusal> {
    let dims = dims(builder, operator)?;
    let strides = ids.map(|id| broadcast_strides(builder.tensor(id).shape.dims(), dims.len()));
    let footprint = strides.iter().map(|strides| walked(&dims, 0, strides, 1)).collect();
    Ok((Broadcast { dims, strides }, footprint))
}

/// Elements of an output beyond which [`walked`] does not spell out what each reads.
const MOST_WALKED: usize = 1 << 18;

/// The access of a kernel that sees its tensors flat and writes the elements of the box `dims` in order, reading for each the
/// `length` elements from `first + index * strides` on.
pub(super) fn walked(dims: &[usize], first: usize, strides: &[isize], length: usize) -> Footprint {
    let count: usize = dims.iter().product();
    if count > MOST_WALKED {
        return Footprint::ALL;
    }
    let mut starts = vec![first as isize];
    for (&dim, &stride) in dims.iter().zip(strides) {
        let along = |&start: &isize| (0..dim as isize).map(move |i| start + i * stride);
        starts = starts.iter().flat_map(along).collect();
    }
    let ranges = starts.iter().map(|&start| (start as usize, start as usize + length)).collect();
    Footprint { rows: AxisFootprint::SAME, cols: AxisFootprint::SAME, depth: AxisFootprint::covering(ranges) }
}

/// Elements from one index to the next along each axis of a row-major tensor.
pub(super) fn strides(dims: &[usize]) -> Vec<isize> {
    let mut strides = vec![1isize; dims.len()];
    for axis in (1..dims.len()).rev() {
        strides[axis - 1] = strides[axis] * dims[axis] as isize;
    }
    strides
}
