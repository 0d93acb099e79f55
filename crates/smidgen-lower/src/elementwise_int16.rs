//! Functions of one int16: their parameters, as TensorFlow Lite's reference kernels have them.

use super::builder::Builder;
use super::elementwise::push_one;
use super::error::Refusal;
use super::{quant, tables};
use smidgen_ir::{Activation, Function, Operator, UnaryKind, power_of_two};
use smidgen_kernels::int16::{Sigmoid, Slopes, Softmax};
use smidgen_kernels::requant::{Factor, Rounding};
use smidgen_program::kernel;
use smidgen_program::kernel::Kernel;

/// Adds a step for an element-wise function of int16.
pub(super) fn unary(builder: &mut Builder, operator: &Operator, kind: UnaryKind) -> Result<(), Refusal> {
    let (x, y) = (builder.tensor(operator.inputs[0]), builder.tensor(operator.outputs[0]));
    let (from, to) = (quant::int16(x)?, quant::int16(y)?);
    let tanh = match kind {
        UnaryKind::Logistic => false,
        UnaryKind::Tanh => true,
        UnaryKind::Relu => return push_slopes(builder, operator, relu(from, to, Activation::Relu)?),
        UnaryKind::Relu6 => return push_slopes(builder, operator, relu(from, to, Activation::Relu6)?),
        UnaryKind::LeakyRelu { alpha } => return push_slopes(builder, operator, leaky_relu(from, to, alpha)?),
        UnaryKind::Function(Function::Abs) => return push_slopes(builder, operator, leaky_relu(from, to, -1.0)?),
        _ => {
            let Some(table) = tables::wide(kind, from, to)? else {
                return Err(Refusal(format!("`{}` is i16; this function is not supported on that", x.name)));
            };
            let table = builder.constant_i16(format!("{} table", y.name), &table);
            push_one(builder, operator, Kernel::TableI16(kernel::TableI16), vec![table]);
            return Ok(());
        }
    };
    let name = format!("{} sigmoid", y.name);
    let how = sigmoid(tanh, from)?;
    // Bits are bits: the table's are unsigned.
    let table = builder.constant_i16(name, &Sigmoid::table().map(|entry| entry as i16));
    push_one(builder, operator, Kernel::SigmoidI16(kernel::SigmoidI16(how)), vec![table]);
    Ok(())
}

fn push_slopes(builder: &mut Builder, operator: &Operator, how: Slopes) -> Result<(), Refusal> {
    // More would leave 32 bits, and what the reference gives then depends on how it was built.
    if how.positive.shift.max(how.negative.shift) > 15 {
        return Err(Refusal("the output's scale is under 2^-15 of the input's: quantise the network again".into()));
    }
    push_one(builder, operator, Kernel::SlopesI16(kernel::SlopesI16(how)), vec![]);
    Ok(())
}

fn relu(from: f32, to: f32, activation: Activation) -> Result<Slopes, Refusal> {
    let (min, max) = quant::clamp(activation, to, 0)?;
    let factor = Factor::new((from / to) as f64);
    Ok(Slopes { positive: factor, negative: factor, falls: false, min, max, rounding: Rounding::Twice })
}

fn leaky_relu(from: f32, to: f32, alpha: f32) -> Result<Slopes, Refusal> {
    let (min, max) = quant::clamp(Activation::None, to, 0)?;
    Ok(Slopes {
        positive: Factor::new((from / to) as f64),
        negative: Factor::new((from * alpha / to).abs() as f64),
        falls: alpha < 0.0,
        min,
        max,
        rounding: Rounding::Twice,
    })
}

/// Scales that are powers of two near the table's own are met by a shift, all others by a multiplier of 15 bits.
fn sigmoid(tanh: bool, scale: f32) -> Result<Sigmoid, Refusal> {
    let most = if tanh { 1 } else { 0 };
    if let Some(exponent) = power_of_two(scale)
        && (0..=most).contains(&(exponent + 12))
    {
        return Ok(Sigmoid { multiplier: 3 << (exponent + 12), shift: 0, tanh });
    }
    let mut multiplier = f64::from(scale) * 4096.0 * 3.0;
    if multiplier >= 32768.0 {
        return Err(Refusal(format!("the input's scale is {scale}; this function of i16 takes scales below 8/3")));
    }
    let mut shift = 0;
    while multiplier <= 32767.0 / 2.0 && shift <= 30 {
        shift += 1;
        multiplier *= 2.0;
    }
    if multiplier < 1.0 {
        return Err(Refusal(format!("the input's scale is {scale}; this function of i16 takes scales above 4e-14")));
    }
    Ok(Sigmoid { multiplier: multiplier as i32, shift, tanh })
}

/// The parameters of SOFTMAX.
pub(super) fn softmax(beta: f32, scale: f32) -> Result<Softmax, Refusal> {
    let real = f64::from(scale * beta) / (10.0 / 65535.0);
    // Differences have 17 bits with their sign.
    if !(0.0..32768.0).contains(&real) {
        return Err(Refusal(format!("beta {beta} times the input's scale {scale} is not within 0 .. 5")));
    }
    Ok(Softmax { factor: Factor::new(real), rounding: Rounding::Twice })
}
