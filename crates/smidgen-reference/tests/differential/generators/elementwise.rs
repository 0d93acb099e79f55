//! Operators that treat every element alike, and reductions.

use crate::draw::{Builder, Draw, Numbers};
use smidgen_ir::names::in_tflite;
use smidgen_ir::{
    Activation, BinaryKind, DataType, ElementType, Function, Graph, Op, Quantisation, ReduceKind, UnaryKind,
};

/// Dimensions of two operands that broadcast together.
pub(super) fn operands(draw: &mut Draw) -> [Vec<usize>; 2] {
    let a = draw.dims(1, 5);
    let mut pair = [a.clone(), a];
    if draw.chance(40) {
        return pair;
    }
    if draw.chance(30) {
        // One element against many.
        let which = draw.between(0, 1);
        pair[which] = if draw.chance(50) { vec![] } else { vec![1] };
        return pair;
    }
    for dims in &mut pair {
        for dim in dims.iter_mut() {
            if draw.chance(25) {
                *dim = 1;
            }
        }
    }
    let which = draw.between(0, 1);
    let cut = draw.between(0, pair[which].len() - 1);
    pair[which].drain(..cut);
    pair
}

fn binary(draw: &mut Draw, kind: BinaryKind) -> Option<Graph> {
    let [a, b] = operands(draw);
    let x = draw.dtype();
    let extremum = matches!(kind, BinaryKind::Minimum | BinaryKind::Maximum);
    let (y, output) = if extremum {
        (x.clone(), x.clone())
    } else {
        let y = draw.dtype_like(&x);
        let output = match (kind, x.quantisation(), y.quantisation()) {
            (BinaryKind::Mul, Some(p), Some(q)) => {
                // The real products are about 74^2 steps wide, those of int16 256 times as wide.
                let steps = if draw.bytes() { 5400.0 } else { 5400.0 * 256.0 };
                let scale = p.scale(0) * q.scale(0) * steps / draw.log_uniform(5.0, 400.0);
                draw.integer(scale)
            }
            _ => draw.dtype_like(&x),
        };
        (y, output)
    };
    let activation = if extremum { Activation::None } else { draw.activation() };
    let op = Op::Binary { kind, activation };
    let builder = Builder::default();
    let builder = match draw.between(0, 4) {
        0 => {
            let constant = draw.constant("a", a, x);
            builder.constant(constant).input(b, y)
        }
        1 | 2 => {
            let constant = draw.constant("b", b, y);
            builder.input(a, x).constant(constant)
        }
        _ => builder.input(a, x).input(b, y),
    };
    builder.finish(op, output)
}

pub fn add(draw: &mut Draw) -> Option<Graph> {
    binary(draw, BinaryKind::Add)
}

pub fn sub(draw: &mut Draw) -> Option<Graph> {
    binary(draw, BinaryKind::Sub)
}

pub fn mul(draw: &mut Draw) -> Option<Graph> {
    binary(draw, BinaryKind::Mul)
}

/// On integers with outputs of so small steps that the reference shifts by no more than 31 bits.
pub fn div(draw: &mut Draw) -> Option<Graph> {
    let kind = BinaryKind::Div;
    if draw.numbers == Numbers::Float {
        return binary(draw, kind);
    }
    let [a, b] = operands(draw);
    let x = draw.dtype();
    let y = draw.dtype_like(&x);
    let [p, q] = [&x, &y].map(|dtype| dtype.quantisation().map_or(1.0, |q| q.scale(0)));
    let scale = p / q / draw.log_uniform(130.0, 4e6);
    let output = draw.integer(scale);
    let op = Op::Binary { kind, activation: draw.activation() };
    Builder::default().input(a, x).input(b, y).finish(op, output)
}

/// The greatest square is about as large as the output's range.
pub fn squared_difference(draw: &mut Draw) -> Option<Graph> {
    let kind = BinaryKind::SquaredDifference;
    let op = Op::Binary { kind, activation: Activation::None };
    let [a, b] = operands(draw);
    let x = draw.dtype();
    let y = draw.dtype_like(&x);
    let output = match [&x, &y].map(|dtype| dtype.quantisation().map(|q| q.scale(0))) {
        [Some(p), Some(q)] => {
            let scale = p.max(q).powi(2) * draw.log_uniform(1.0, 400.0);
            draw.integer(scale)
        }
        _ => x.clone(),
    };
    let builder = Builder::default().input(a, x);
    let builder = match draw.chance(30) {
        true => {
            let constant = draw.constant("b", b, y);
            builder.constant(constant)
        }
        false => builder.input(b, y),
    };
    builder.finish(op, output)
}

pub fn minimum(draw: &mut Draw) -> Option<Graph> {
    binary(draw, BinaryKind::Minimum)
}

pub fn maximum(draw: &mut Draw) -> Option<Graph> {
    binary(draw, BinaryKind::Maximum)
}

/// `output`: scale and zero point of int8 that the function's values always have.
fn unary(draw: &mut Draw, kind: UnaryKind, output: Option<(f32, i32)>) -> Option<Graph> {
    let x = draw.dtype();
    let shape = draw.dims(1, 5);
    let output = match output {
        Some((scale, zero_point)) if draw.bytes() => draw.of_bytes(scale, zero_point),
        Some(_) if draw.numbers == Numbers::Int16 => DataType::int16(1.0 / 32768.0),
        _ => draw.dtype_like(&x),
    };
    Builder::default().input(shape, x).finish(Op::Unary(kind), output)
}

/// LOGISTIC and TANH of int16 treat some scales differently, and others not at all.
fn sigmoid(draw: &mut Draw, kind: UnaryKind, output: (f32, i32)) -> Option<Graph> {
    if draw.numbers != Numbers::Int16 || draw.chance(40) {
        return unary(draw, kind, Some(output));
    }
    let scale = match draw.between(0, 2) {
        0 => draw.pick(&[1.0 / 8192.0, 1.0 / 4096.0, 1.0 / 2048.0, 1.0 / 1024.0]),
        1 => draw.pick(&[1.0 / 4096.0, 1.0 / 2048.0]) * draw.float(0.999, 1.001),
        _ => draw.log_uniform(1e-9, 2.6),
    };
    let shape = draw.dims(1, 5);
    Builder::default().input(shape, DataType::int16(scale)).finish(Op::Unary(kind), DataType::int16(1.0 / 32768.0))
}

pub fn logistic(draw: &mut Draw) -> Option<Graph> {
    sigmoid(draw, UnaryKind::Logistic, (1.0 / 256.0, -128))
}

pub fn tanh(draw: &mut Draw) -> Option<Graph> {
    sigmoid(draw, UnaryKind::Tanh, (1.0 / 128.0, 0))
}

pub fn relu(draw: &mut Draw) -> Option<Graph> {
    unary(draw, UnaryKind::Relu, None)
}

pub fn relu_n1_to_1(draw: &mut Draw) -> Option<Graph> {
    unary(draw, UnaryKind::ReluN1To1, None)
}

pub fn relu6(draw: &mut Draw) -> Option<Graph> {
    unary(draw, UnaryKind::Relu6, None)
}

pub fn leaky_relu(draw: &mut Draw) -> Option<Graph> {
    let alpha = match draw.between(0, 3) {
        0 => draw.pick(&[0.0, 0.1, 0.2, 0.5, 1.0]),
        1 => draw.float(-1.5, 1.5),
        _ => draw.log_uniform(1e-3, 1.0),
    };
    unary(draw, UnaryKind::LeakyRelu { alpha }, None)
}

pub fn hard_swish(draw: &mut Draw) -> Option<Graph> {
    unary(draw, UnaryKind::HardSwish, None)
}

/// Whose greatest result lies beyond 2^31 steps is refused: the reference's own depends on the machine there.
pub fn exp(draw: &mut Draw) -> Option<Graph> {
    if draw.numbers == Numbers::Float {
        return unary(draw, UnaryKind::Exp, None);
    }
    if draw.numbers == Numbers::Int16 {
        let scale = draw.log_uniform(1e-6, 2e-3);
        let greatest = (scale * 32767.0).exp();
        let steps = draw.log_uniform(1e3, 1e7);
        let output = draw.integer(greatest / steps);
        let x = draw.integer(scale);
        return Builder::default().input(draw.dims(1, 5), x).finish(Op::Unary(UnaryKind::Exp), output);
    }
    let (scale, zero_point) = (draw.log_uniform(1e-3, 0.1), draw.zero_point());
    let greatest = (scale * (127 - zero_point) as f32).exp();
    let steps = draw.log_uniform(20.0, 1e6);
    let x = DataType::int8(draw.scale(scale), zero_point);
    let output = draw.integer(greatest / steps);
    Builder::default().input(draw.dims(1, 5), x).finish(Op::Unary(UnaryKind::Exp), output)
}

pub fn abs(draw: &mut Draw) -> Option<Graph> {
    unary(draw, UnaryKind::Function(Function::Abs), None)
}

pub fn gelu(draw: &mut Draw) -> Option<Graph> {
    unary(draw, UnaryKind::Function(Function::Gelu), None)
}

/// GELU by TANH.
pub fn gelu_tanh(draw: &mut Draw) -> Option<Graph> {
    unary(draw, UnaryKind::Function(Function::GeluTanh), None)
}

/// A root of what is not below 0, of which the reference stops.
fn root(draw: &mut Draw, function: Function) -> Option<Graph> {
    let x = draw.dtype();
    let output = match x.quantisation().and_then(Quantisation::per_tensor) {
        None => DataType::FLOAT32,
        Some((scale, _)) => {
            let most = scale * if draw.bytes() { 200.0 } else { 32767.0 };
            // The least positive input, or the greatest, comes near the greatest output.
            let greatest = if function == Function::Sqrt { most.sqrt() } else { scale.sqrt().recip() };
            let steps = if draw.bytes() { 256.0 } else { 32768.0 };
            let scale = greatest / steps * draw.log_uniform(0.05, 4.0);
            draw.integer(scale)
        }
    };
    let shape = draw.dims(1, 5);
    let builder = Builder::default().input(shape, x.clone());
    let builder = match draw.numbers {
        Numbers::Float => builder,
        _ => builder.then(Op::Unary(UnaryKind::Relu), x)?,
    };
    builder.finish(Op::Unary(UnaryKind::Function(function)), output)
}

pub fn sqrt(draw: &mut Draw) -> Option<Graph> {
    root(draw, Function::Sqrt)
}

pub fn rsqrt(draw: &mut Draw) -> Option<Graph> {
    root(draw, Function::Rsqrt)
}

/// Of all functions that have only a form for float32.
pub fn function(draw: &mut Draw) -> Option<Graph> {
    let known: Vec<Function> = Function::ALL.iter().copied().filter(|&f| in_tflite(f)).collect();
    let function = draw.pick(&known);
    unary(draw, UnaryKind::Function(function), None)
}

pub fn log(draw: &mut Draw) -> Option<Graph> {
    unary(draw, UnaryKind::Log, None)
}

pub fn prelu(draw: &mut Draw) -> Option<Graph> {
    let x = draw.dtype();
    let shape = draw.dims(1, 4);
    let mut alpha: Vec<usize> = shape.iter().map(|&d| if draw.chance(60) { 1 } else { d }).collect();
    let cut = draw.between(0, alpha.len() - 1);
    alpha.drain(..cut);
    let alpha_type = match draw.bytes() {
        true => {
            let scale = draw.log_uniform(1e-3, 0.02);
            draw.integer(scale)
        }
        false => DataType::FLOAT32,
    };
    let output = draw.dtype_like(&x);
    let alpha = draw.constant("alpha", alpha, alpha_type);
    Builder::default().input(shape, x).constant(alpha).finish(Op::Prelu, output)
}

fn reduce(draw: &mut Draw, kind: ReduceKind) -> Option<Graph> {
    let x = draw.dtype();
    let shape = draw.dims(1, 5);
    // Global pooling is what networks have; any set of axes is what the format has.
    let axes = if shape.len() == 4 && draw.chance(40) {
        vec![1, 2]
    } else {
        let axes: Vec<usize> = (0..shape.len()).filter(|_| draw.chance(50)).collect();
        if axes.is_empty() { vec![draw.between(0, shape.len() - 1)] } else { axes }
    };
    let mut output = match kind {
        ReduceKind::Mean | ReduceKind::Sum => draw.dtype_like(&x),
        ReduceKind::Max | ReduceKind::Min => x.clone(),
    };
    if kind == ReduceKind::Sum
        && let Some((scale, zero_point)) = output.quantisation().and_then(|q| q.per_tensor())
    {
        let count: usize = axes.iter().map(|&a| shape[a]).product();
        let scale = scale * (count as f32).sqrt();
        output = match draw.numbers {
            Numbers::Uint8 => draw.of_bytes(scale, zero_point - 128),
            _ => DataType::int8(scale, zero_point),
        };
    }
    let op = Op::Reduce { kind, axes, keep_dims: draw.chance(50) };
    Builder::default().input(shape, x).finish(op, output)
}

pub fn mean(draw: &mut Draw) -> Option<Graph> {
    reduce(draw, ReduceKind::Mean)
}

pub fn sum(draw: &mut Draw) -> Option<Graph> {
    reduce(draw, ReduceKind::Sum)
}

pub fn reduce_max(draw: &mut Draw) -> Option<Graph> {
    reduce(draw, ReduceKind::Max)
}

pub fn reduce_min(draw: &mut Draw) -> Option<Graph> {
    reduce(draw, ReduceKind::Min)
}

pub fn arg_max(draw: &mut Draw) -> Option<Graph> {
    let x = draw.dtype();
    let shape = draw.dims(1, 4);
    let axis = draw.between(0, shape.len() - 1);
    let output = DataType::Plain(draw.pick(&[ElementType::Int32, ElementType::Int64]));
    Builder::default().input(shape, x).finish(Op::ArgMax { axis }, output)
}

/// To the drawn integers from float, int8 or int16, or from them to int8.
pub fn quantize(draw: &mut Draw) -> Option<Graph> {
    let (x, output) = match draw.numbers {
        Numbers::Float => (DataType::FLOAT32, DataType::int8(draw.log_uniform(1e-3, 1.0), draw.zero_point())),
        Numbers::Int8 => {
            let x = draw.dtype();
            (x.clone(), draw.dtype_like(&x))
        }
        // From and to uint8; in half of the cases of one scale.
        Numbers::Uint8 => {
            let bytes = draw.dtype();
            let (scale, zero_point) = bytes.quantisation().and_then(Quantisation::per_tensor).unwrap_or((1.0, 0));
            let other = match draw.chance(50) {
                true => DataType::int8(scale, zero_point - 128),
                false => DataType::int8(scale * draw.log_uniform(0.1, 6.0), draw.zero_point()),
            };
            match draw.between(0, 3) {
                0 => (DataType::FLOAT32, bytes),
                1 => (bytes.clone(), draw.dtype_like(&bytes)),
                2 => (bytes, other),
                _ => (other, bytes),
            }
        }
        Numbers::Int16 => {
            let wide = draw.dtype();
            let scale = wide.quantisation().and_then(Quantisation::per_tensor).map_or(1.0, |(scale, _)| scale);
            let narrow = DataType::int8(scale * 256.0 * draw.log_uniform(0.1, 6.0), draw.zero_point());
            match draw.between(0, 3) {
                // Floats beyond 2^31 steps become what the machine makes of them; ours saturate.
                0 => (DataType::FLOAT32, DataType::int16(scale.max(1e-7))),
                1 => (wide.clone(), draw.dtype_like(&wide)),
                2 => (wide, narrow),
                _ => (narrow, wide),
            }
        }
    };
    Builder::default().input(draw.dims(1, 4), x).finish(Op::Quantize, output)
}

pub fn dequantize(draw: &mut Draw) -> Option<Graph> {
    let x = draw.dtype();
    Builder::default().input(draw.dims(1, 4), x).finish(Op::Dequantize, DataType::FLOAT32)
}
