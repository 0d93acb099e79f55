//! Back from integers: the float graph that an integer graph stands for, and that integer graph with other weights.
//!
//! Both graphs have the same tensors and operators at the same indices, so that training can read from the one how
//! each tensor of the other is stored.

use crate::affine::Affine;
use crate::error::QuantError;
use crate::weights::{self, Layout, Width};
use smidgen_ir::{
    Activation, DataType, ElementType, Graph, Op, PadValue, Quantisation, ReshapeKind, Tensor, Values, validate,
};

/// The float graph that computes what the integers of a graph stand for, without their rounding.
///
/// Tensors and operators keep their indices. Weights, biases and other constants become the reals that they stand for,
/// QUANTIZE and DEQUANTIZE a RESHAPE to the same shape, which [cleaning up](smidgen_ir::passes::canonicalise) drops. Where
/// nothing but the range of an output clamps a layer's sums at 0 (and at 6), as converters leave a ReLU (ReLU6), the
/// layer gets that activation.
///
/// # Errors
/// [`QuantError::Graph`] if the graph is not valid, or no float graph is (an operator that has no form for floats).
pub fn dequantise(integer: &Graph) -> Result<Graph, QuantError> {
    validate(integer).map_err(QuantError::Graph)?;
    let mut graph = integer.clone();
    for operator in &mut graph.operators {
        let output = integer.tensor(operator.outputs[0]);
        match &mut operator.op {
            op @ (Op::Quantize | Op::Dequantize) => {
                *op = Op::Reshape { kind: ReshapeKind::Reshape, shape: output.shape.dims().to_vec() };
            }
            Op::Pad { value, .. } => {
                if let (PadValue::Integer(stored), Some(affine)) = (*value, Affine::of(output)) {
                    *value = PadValue::Float(affine.real(stored) as f32);
                }
            }
            op => {
                if let (Some(activation), Some(affine)) = (clamp(op), Affine::of(output))
                    && *activation == Activation::None
                {
                    *activation = implied(affine);
                }
            }
        }
    }
    for tensor in &mut graph.tensors {
        if tensor.dtype.quantisation().is_none() {
            continue;
        }
        if let Some(reals) = tensor.reals() {
            tensor.data = Some(reals.iter().flat_map(|&real| (real as f32).to_le_bytes()).collect::<Vec<u8>>().into());
        }
        tensor.dtype = DataType::FLOAT32;
    }
    validate(&graph).map_err(QuantError::Graph)?;
    Ok(graph)
}

/// The activation of an operator whose sums are clamped before they are stored.
fn clamp(op: &mut Op) -> Option<&mut Activation> {
    let traits = op.traits();
    op.activation_mut().filter(|_| traits.int8 && traits.values == Values::Computed)
}

/// The activation that storing values so amounts to.
fn implied(affine: Affine) -> Activation {
    let (low, high) = affine.range();
    match () {
        () if low < 0.0 => Activation::None,
        // The end of a range is as exact as a scale in single precision.
        () if (high - 6.0).abs() < 1e-4 => Activation::Relu6,
        () => Activation::Relu,
    }
}

/// An integer graph with the weights and biases of a float one, as [`dequantise`] made it from that and training went
/// on from: activations keep their scales. `scales` has for each tensor of weights its steps: one for each output
/// channel, or one for all.
///
/// A step that a layer's bias, or its output's scale, asks to be larger is raised: what it stands for cannot be seen in
/// the output.
///
/// # Errors
/// [`QuantError`] if the result would not be valid.
///
/// # Panics
/// If the graphs do not belong together.
pub fn requantise(integer: &Graph, float: &Graph, scales: &[Option<Vec<f32>>]) -> Result<Graph, QuantError> {
    let mut graph = integer.clone();
    for operator in &integer.operators {
        let Some(&id) = operator.inputs.get(1) else { continue };
        let stored = integer.tensor(id);
        let width = match stored.element() {
            ElementType::Int8 => Width::Int8,
            ElementType::Int4 => Width::Int4,
            _ => continue,
        };
        let ends = [operator.inputs[0], operator.outputs[0]].map(|id| Affine::of(integer.tensor(id)));
        let (Some(layout), [Some(input), Some(output)]) = (Layout::of(&operator.op, stored.shape.dims()), ends) else {
            continue;
        };
        let ends = weights::Ends { input, output };
        let (Some(values), Some(steps)) = (float.tensor(id).floats(), &scales[id.index()]) else { continue };
        let bias_id = operator.inputs.get(2).copied();
        let bias = bias_id.and_then(|id| float.tensor(id).floats()).unwrap_or_else(|| vec![0.0; layout.outputs]);
        let least = weights::scales(&values, &layout, &bias, ends, width).least;
        let steps = (0..layout.outputs).map(|o| steps[o.min(steps.len() - 1)].max(least[o])).collect();
        let rounded = weights::rounded(&values, &layout, steps, width);
        let reals: Vec<f64> = bias.iter().map(|&b| b.into()).collect();
        let biases = weights::biases(&reals, ends, &rounded.scales);
        let products: Vec<f32> =
            rounded.scales.iter().map(|&s| (f64::from(s) * f64::from(input.scale)) as f32).collect();
        let weights = &mut graph.tensors[id.index()];
        weights.data = Some(width.bytes(&rounded.stored).into());
        restep(weights, &rounded.scales);
        if let Some(id) = bias_id {
            let bias = &mut graph.tensors[id.index()];
            let each = bias.element().bits() / 8;
            bias.data =
                Some(biases.iter().flat_map(|b| b.to_le_bytes().into_iter().take(each)).collect::<Vec<u8>>().into());
            restep(bias, &products);
        }
    }
    validate(&graph).map_err(|error| QuantError::of_result(&graph, error))?;
    Ok(graph)
}

/// Gives a quantised tensor other steps, as many as it has.
fn restep(tensor: &mut Tensor, steps: &[f32]) {
    if let DataType::Quantised(_, quantisation) = &mut tensor.dtype {
        match quantisation {
            Quantisation::PerTensor { scale, .. } => *scale = steps[0],
            Quantisation::PerChannel { scales, .. } => scales.copy_from_slice(steps),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smidgen_ir::{passes, text};

    const TEXT: &str = r#"
graph "integers"
inputs(%0)
outputs(%8)

%0 "x" : f32[1x2x2x2]
%1 "xq" : i8[1x2x2x2]{0.5; -4} = QUANTIZE(%0)
%2 "w" : i8[2x1x1x2]{axis 0: 0.5, 0.25} = [2, -1, 4, 8]
%3 "b" : i32[2]{axis 0: 0.25, 0.125} = [4, -8]
%4 "a" : i8[1x2x2x2]{0.023529412; -128} = CONV_2D(%1, %2, %3) stride=[1, 1] padding=valid
%5 "p" : i8[1x3x2x2]{0.023529412; -128} = PADV2(%4) pads=[[0, 0], [1, 0], [0, 0], [0, 0]] value=-43
%6 "v" : i8[2x12]{0.125; 0} = splat 8
%7 "c" : i8[1x2]{2.0; 3} = FULLY_CONNECTED(%5, %6)
%8 "y" : f32[1x2] = DEQUANTIZE(%7)
"#;

    fn parsed() -> Graph {
        text::parse(TEXT).unwrap_or_else(|e| panic!("{e}"))
    }

    #[test]
    fn integers_become_the_reals_that_they_stand_for() {
        let integer = parsed();
        let float = dequantise(&integer).unwrap();
        assert!(float.tensors.iter().all(|t| t.dtype == DataType::FLOAT32));
        assert_eq!(float.tensor(smidgen_ir::TensorId(2)).floats().unwrap(), [1.0, -0.5, 1.0, 2.0]);
        assert_eq!(float.tensor(smidgen_ir::TensorId(3)).floats().unwrap(), [1.0, -1.0]);
        let Op::Conv2d(conv) = &float.operators[1].op else { panic!("{:?}", float.operators) };
        assert_eq!(conv.activation, Activation::Relu6);
        let Op::Pad { value: PadValue::Float(value), .. } = float.operators[2].op else { panic!() };
        assert!((value - 2.0).abs() < 1e-5, "{value}");
        let Op::FullyConnected { activation, .. } = float.operators[3].op else { panic!() };
        assert_eq!(activation, Activation::None);
        let mut clean = float.clone();
        passes::canonicalise(&mut clean);
        let names: Vec<&str> = clean.operators.iter().map(|o| o.op.name()).collect();
        assert_eq!(names, ["CONV_2D", "PADV2", "FULLY_CONNECTED"]);
    }

    #[test]
    fn weights_that_did_not_change_are_the_same_integers() {
        let integer = parsed();
        let float = dequantise(&integer).unwrap();
        let mut scales = vec![None; integer.tensors.len()];
        scales[2] = Some(vec![0.5, 0.25]);
        scales[6] = Some(vec![0.125]);
        assert_eq!(requantise(&integer, &float, &scales).unwrap(), integer);
        // Finer steps: other integers for the same reals.
        scales[2] = Some(vec![0.25, 0.125]);
        let finer = requantise(&integer, &float, &scales).unwrap();
        assert_eq!(finer.tensors[2].integers().unwrap(), [4, -2, 8, 16]);
        assert_eq!(finer.tensors[3].integers().unwrap(), [8, -16]);
        assert_eq!(dequantise(&finer).unwrap(), float);
    }
}
