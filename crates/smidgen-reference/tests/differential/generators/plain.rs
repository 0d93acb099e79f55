//! Operators of elements that are not quantised, and products of matrices that are both computed.

use super::elementwise::operands;
use crate::draw::{Builder, Draw, Numbers, indices};
use smidgen_ir::{CompareKind, DataType, ElementType, Graph, NormaliseKind, Op};

const BOOL: DataType = DataType::Plain(ElementType::Bool);

/// Operands are drawn for one kind of numbers alone where there is no integer form.
fn once(draw: &Draw) -> Option<()> {
    (draw.numbers == Numbers::Float).then_some(())
}

/// An operand that is computed or, now and then, constant.
fn operand(draw: &mut Draw, builder: Builder, shape: Vec<usize>, dtype: &DataType) -> Builder {
    if draw.chance(25) {
        let constant = draw.constant("constant", shape, dtype.clone());
        return builder.constant(constant);
    }
    builder.input(shape, dtype.clone())
}

/// A question about two int8, of scales below 1, at which the reference stops.
fn compare_int8(draw: &mut Draw, kind: CompareKind) -> Option<Graph> {
    let scale = draw.log_uniform(1e-4, 0.9);
    let x = draw.integer(scale);
    let y = match draw.between(0, 2) {
        0 => x.clone(),
        _ => {
            let scale = (scale * draw.log_uniform(0.3, 3.0)).min(0.99);
            draw.integer(scale)
        }
    };
    let [mut a, mut b] = operands(draw);
    [&mut a, &mut b].into_iter().for_each(|dims| {
        dims.drain(..dims.len().saturating_sub(4));
    });
    let builder = Builder::default().input(a, x);
    let builder = operand(draw, builder, b, &y);
    builder.finish(Op::Compare(kind), BOOL)
}

macro_rules! questions {
    ($($name:ident $kind:ident),*) => { $(
        pub fn $name(draw: &mut Draw) -> Option<Graph> {
            match draw.numbers {
                Numbers::Int8 => compare_int8(draw, CompareKind::$kind),
                _ => compare_of(draw, CompareKind::$kind),
            }
        }
    )* };
}

questions!(
    equal Equal, not_equal NotEqual, less Less, less_equal LessEqual, greater Greater, greater_equal GreaterEqual
);

pub fn compare(draw: &mut Draw) -> Option<Graph> {
    once(draw)?;
    let kind = draw.pick(CompareKind::ALL);
    compare_of(draw, kind)
}

fn compare_of(draw: &mut Draw, kind: CompareKind) -> Option<Graph> {
    let [int32, int64] = [ElementType::Int32, ElementType::Int64].map(DataType::Plain);
    let dtype = match kind {
        CompareKind::And | CompareKind::Or => BOOL,
        CompareKind::Equal | CompareKind::NotEqual => draw.pick(&[DataType::FLOAT32, int32, int64, BOOL]),
        _ => draw.pick(&[DataType::FLOAT32, int32, int64]),
    };
    // The reference broadcasts up to four dimensions.
    let [mut a, mut b] = operands(draw);
    [&mut a, &mut b].into_iter().for_each(|dims| {
        dims.drain(..dims.len().saturating_sub(4));
    });
    // One of them is computed, or there is no network.
    let builder = Builder::default().input(a, dtype.clone());
    let builder = operand(draw, builder, b, &dtype);
    builder.finish(Op::Compare(kind), BOOL)
}

pub fn select_v2(draw: &mut Draw) -> Option<Graph> {
    let [int32, int64] = [ElementType::Int32, ElementType::Int64].map(DataType::Plain);
    let dtype = match draw.numbers {
        Numbers::Float => draw.pick(&[DataType::FLOAT32, int32, int64, BOOL]),
        _ => draw.dtype(),
    };
    let whole = draw.dims(1, 4);
    let mut shapes = [whole.clone(), whole.clone(), whole];
    if draw.chance(60) {
        for shape in &mut shapes {
            for dim in shape.iter_mut().filter(|_| draw.chance(25)) {
                *dim = 1;
            }
        }
    }
    let [condition, a, b] = shapes;
    let builder = Builder::default().input(condition, BOOL);
    let builder = operand(draw, builder, a, &dtype);
    let builder = operand(draw, builder, b, &dtype);
    builder.finish(Op::Select, dtype)
}

pub fn gather(draw: &mut Draw) -> Option<Graph> {
    let [int32, int64] = [ElementType::Int32, ElementType::Int64].map(DataType::Plain);
    let dtype = match draw.numbers {
        Numbers::Float => draw.pick(&[DataType::FLOAT32, int32, int64, BOOL]),
        _ => draw.dtype(),
    };
    let table = draw.dims(1, 4);
    let axis = draw.between(0, table.len() - 1);
    let batch = if draw.chance(30) { draw.between(0, axis) } else { 0 };
    let mut shape = table[..batch].to_vec();
    shape.extend((0..draw.between(0, 2)).map(|_| draw.dim(6)));
    // The reference takes indices of 64 bits of some types alone, and those of 16 of none but int8.
    let element = draw.pick(&[ElementType::Int32, ElementType::Int64]);
    let rows = table[axis];
    let builder = operand(draw, Builder::default(), table, &dtype);
    let builder = match draw.chance(15) {
        true => {
            let mut constant = draw.constant("indices", shape, DataType::Plain(element));
            constant.data = constant.data.map(|data| indices(&data, element, rows).into());
            builder.constant(constant)
        }
        false => builder.input(shape, DataType::Plain(element)),
    };
    builder.finish(Op::Gather { axis, batch }, dtype)
}

pub fn cast(draw: &mut Draw) -> Option<Graph> {
    once(draw)?;
    let types = [ElementType::Float32, ElementType::Int32, ElementType::Int64, ElementType::Bool, ElementType::Uint8];
    let (from, mut to) = (draw.pick(&types), draw.pick(&types));
    if (from, to) == (ElementType::Float32, ElementType::Uint8) {
        // What a negative float is as a byte the language of the reference leaves open.
        to = ElementType::Int32;
    }
    let shape = draw.dims(1, 5);
    Builder::default().input(shape, DataType::Plain(from)).finish(Op::Cast, DataType::Plain(to))
}

/// An output of a prescribed quantisation, of int8 alone.
fn normalised(draw: &mut Draw, kind: NormaliseKind) -> Option<Graph> {
    let scale = match kind {
        NormaliseKind::L2 => draw.log_uniform(1e-4, 1.0),
        NormaliseKind::LogSoftmax => draw.log_uniform(1e-3, 2.0),
    };
    let x = draw.integer(scale);
    let shape = draw.dims(1, 5);
    Builder::default().input(shape, x).finish(Op::Normalise(kind), kind.output())
}

pub fn l2_normalization(draw: &mut Draw) -> Option<Graph> {
    normalised(draw, NormaliseKind::L2)
}

pub fn log_softmax(draw: &mut Draw) -> Option<Graph> {
    normalised(draw, NormaliseKind::LogSoftmax)
}

pub fn batch_matmul(draw: &mut Draw) -> Option<Graph> {
    let [m, k, n] = [(); 3].map(|()| draw.dim(12));
    let adjoint = [draw.chance(50), draw.chance(50)];
    let batch: Vec<usize> = (0..draw.between(0, 2)).map(|_| draw.dim(4)).collect();
    let mut shapes = [vec![m, k], vec![k, n]];
    for (shape, turned) in shapes.iter_mut().zip(adjoint) {
        if turned {
            shape.reverse();
        }
        let lead: Vec<usize> = batch.iter().map(|&dim| if draw.chance(25) { 1 } else { dim }).collect();
        shape.splice(0..0, lead);
    }
    let [a, b] = shapes;
    let x = draw.dtype();
    let y = draw.dtype_like(&x);
    let output = match [&x, &y].map(DataType::quantisation) {
        [Some(p), Some(q)] => {
            // The real products are about 74^2 steps wide, and sums of them that times the root of their number.
            let steps = 5400.0 * (k as f32).sqrt();
            let scale = p.scale(0) * q.scale(0) * steps / draw.log_uniform(5.0, 400.0);
            draw.integer(scale)
        }
        _ => x.clone(),
    };
    let builder = Builder::default().input(a, x);
    let builder = operand(draw, builder, b, &y);
    builder.finish(Op::BatchMatmul { adjoint }, output)
}
