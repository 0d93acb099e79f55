//! Comparisons, SELECT_V2, GATHER, CAST and BATCH_MATMUL. All but CAST take tensors whole, with any broadcast.

use super::builder::Builder;
use super::convert::stored;
use super::elementwise::{ORDER, broadcast_strides, dims, met, push_one, push_whole, push_whole_in, strides, walked};
use super::error::Refusal;
use super::options::KernelSet;
use super::quant;
use smidgen_ir::{CompareKind, ElementType, Operator};
use smidgen_kernels::Rounding;
use smidgen_kernels::int8::Product;
use smidgen_kernels::int8::fast::MATMUL_COLUMNS;
use smidgen_kernels::plain;
use smidgen_kernels::requant::Factor;
use smidgen_program::footprint::{Footprint, Granularity, WriteOrder};
use smidgen_program::kernel;
use smidgen_program::kernel::{Broadcast, Kernel};

pub(super) fn compare(builder: &mut Builder, operator: &Operator, kind: CompareKind) -> Result<(), Refusal> {
    let ids = [operator.inputs[0], operator.inputs[1]];
    let (broadcast, footprint) = met(builder, operator, ids)?;
    let function = match kind {
        CompareKind::Equal => plain::Compare::Equal,
        CompareKind::NotEqual => plain::Compare::NotEqual,
        CompareKind::Less => plain::Compare::Less,
        CompareKind::LessEqual => plain::Compare::LessEqual,
        CompareKind::Greater => plain::Compare::Greater,
        CompareKind::GreaterEqual => plain::Compare::GreaterEqual,
        CompareKind::And => plain::Compare::And,
        CompareKind::Or => plain::Compare::Or,
    };
    let [a, b] = ids.map(|id| builder.tensor(id));
    let kernel = match a.dtype.quantisation() {
        None => Kernel::Compare(kernel::Compare { function, from: stored(a)?, broadcast }),
        Some(_) => {
            let ((sa, za), (sb, zb)) = (quant::int8(a)?, quant::int8(b)?);
            let factors = [sa, sb].map(|scale| Factor::new(scale.into()));
            let how = plain::Scaled { function, zeros: [za, zb], factors, rounding: Rounding::Twice };
            Kernel::CompareI8(kernel::CompareI8 { how, broadcast })
        }
    };
    push_whole(builder, operator, kernel, footprint);
    Ok(())
}

pub(super) fn select(builder: &mut Builder, operator: &Operator) -> Result<(), Refusal> {
    let ids = [operator.inputs[0], operator.inputs[1], operator.inputs[2]];
    let (broadcast, footprint) = met(builder, operator, ids)?;
    let element = builder.tensor(ids[1]).element();
    if element == ElementType::Int4 {
        return Err(Refusal(format!("`{}` is {element}, of less than a byte", builder.tensor(ids[1]).name)));
    }
    push_whole(builder, operator, Kernel::Select(kernel::Select { element, broadcast }), footprint);
    Ok(())
}

pub(super) fn cast(builder: &mut Builder, operator: &Operator) -> Result<(), Refusal> {
    let (from, to) = (stored(builder.tensor(operator.inputs[0]))?, stored(builder.tensor(operator.outputs[0]))?);
    push_one(builder, operator, Kernel::Cast(kernel::Cast { from, to }), vec![]);
    Ok(())
}

pub(super) fn gather(builder: &mut Builder, operator: &Operator, axis: usize, batch: usize) -> Result<(), Refusal> {
    let [table, indices] = [0, 1].map(|i| builder.tensor(operator.inputs[i]));
    let (dims, element) = (table.shape.dims(), table.element());
    let product = |sizes: &[usize]| sizes.iter().product::<usize>();
    let take = plain::Take {
        sizes: [
            product(&dims[..batch]),
            product(&dims[batch..axis]),
            dims[axis],
            product(&indices.shape.dims()[batch..]),
        ],
        slice: product(&dims[axis + 1..]),
        element: element.bits().div_ceil(8),
        indices: stored(indices)?,
    };
    let order = WriteOrder { granularity: Granularity::Run, reads_first: false };
    let kernel = Kernel::Take(kernel::Take { element, take });
    push_whole_in(builder, operator, kernel, vec![Footprint::ALL; 2], order);
    Ok(())
}

pub(super) fn matmul(builder: &mut Builder, operator: &Operator, adjoint: [bool; 2]) -> Result<(), Refusal> {
    let dims = dims(builder, operator)?;
    let (rank, cols) = (dims.len(), dims[dims.len() - 1]);
    let mut depth = 1;
    let (mut all, mut steps) = ([const { Vec::new() }; 2], [0; 2]);
    for (i, &id) in operator.inputs.iter().enumerate() {
        let own = builder.tensor(id).shape.dims();
        let mut stride = broadcast_strides(own, rank);
        let matrix = strides(&own[own.len() - 2..]);
        let [rows, cols] = if adjoint[i] { [matrix[1], matrix[0]] } else { [matrix[0], matrix[1]] };
        // Rows of the first and columns of the second are the output's; over the other axis it is summed.
        (stride[rank - 2], stride[rank - 1], steps[i]) = if i == 0 { (rows, 0, cols) } else { (0, cols, rows) };
        if i == 0 {
            depth = own[own.len() - if adjoint[0] { 2 } else { 1 }];
        }
        all[i] = stride;
    }
    let length = |i: usize| (depth.saturating_sub(1) as isize * steps[i]) as usize + 1;
    let footprint = (0..2).map(|i| walked(&dims, 0, &all[i], length(i))).collect();
    let matmul = kernel::Matmul { broadcast: Broadcast { dims, strides: all }, depth, steps };
    if builder.tensor(operator.inputs[0]).element() == ElementType::Float32 {
        push_whole(builder, operator, Kernel::MatmulF32(kernel::MatmulF32(matmul)), footprint);
        return Ok(());
    }
    let product = product(builder, operator, depth)?;
    let fast = builder.options.kernels != KernelSet::Reference;
    let order = if fast { by_columns(cols) } else { ORDER };
    let kernel = Kernel::MatmulI8(kernel::MatmulI8 { matmul, product, fast });
    push_whole_in(builder, operator, kernel, footprint, order);
    Ok(())
}

/// The order in which the fast product of matrices writes rows of so many elements.
fn by_columns(cols: usize) -> WriteOrder {
    if cols.is_multiple_of(MATMUL_COLUMNS) {
        return WriteOrder { granularity: Granularity::Elements(MATMUL_COLUMNS), reads_first: true };
    }
    // Blocks begin anew in each row, at places that are no multiples of their size.
    WriteOrder { granularity: Granularity::Elements(cols.max(1)), reads_first: false }
}

/// How sums of `depth` products of int8 become outputs.
fn product(builder: &Builder, operator: &Operator, depth: usize) -> Result<Product, Refusal> {
    let [(sa, za), (sb, zb)] =
        [quant::int8(builder.tensor(operator.inputs[0]))?, quant::int8(builder.tensor(operator.inputs[1]))?];
    let y = builder.tensor(operator.outputs[0]);
    let (sy, zy) = quant::int8(y)?;
    // The product of the scales is taken in single precision.
    let factor = Factor::new(f64::from(sa * sb) / f64::from(sy));
    let furthest = |zero: i32| i64::from((zero + 128).max(127 - zero));
    let most = furthest(za) * furthest(zb) * depth as i64;
    // What follows where a sum leaves 32 bits depends on how the reference was built.
    if most.checked_mul(1 << factor.shift.max(0)).is_none_or(|most| most > i32::MAX.into()) {
        return Err(Refusal(format!(
            "sums of {depth} products reach {most}, which in steps of the output `{}` leave 32 bits",
            y.name
        )));
    }
    Ok(Product { zeros: [za, zb], factor, output_zero: zy, min: i8::MIN, max: i8::MAX, rounding: Rounding::Twice })
}
