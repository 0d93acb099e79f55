//! What cannot be quantised is refused by name; what needs rewriting is rewritten.

use smidgen_ir::{Graph, Op, text};
use smidgen_quant::{Inputs, Options, QuantError, quantise};

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn tried(graph: &Graph, samples: &[Inputs]) -> Result<Graph, QuantError> {
    quantise(graph, samples, &Options::default(), &|_| {}).map(|q| q.graph)
}

fn dense(weights: &str) -> Graph {
    let source = format!(
        "graph \"t\" inputs(%0) outputs(%2) %0 \"x\" : f32[1x2] %1 \"w\" : f32[1x2] = {weights}
         %2 \"y\" : f32[1x1] = FULLY_CONNECTED(%0, %1)"
    );
    text::parse(&source).unwrap()
}

#[test]
fn weights_and_values_must_be_finite() {
    let samples = [vec![floats(&[1.0, 2.0])]];
    let nan = tried(&dense("[1.0, bits7fc00000]"), &samples).unwrap_err();
    assert_eq!(nan.to_string(), "the constant `w` of FULLY_CONNECTED holds NaN");
    assert!(matches!(tried(&dense("[inf, 1.0]"), &samples), Err(QuantError::Constant { .. })));
    let graph = dense("[1.0, 1.0]");
    let value = tried(&graph, &[samples[0].clone(), vec![floats(&[f32::NAN, 0.0])]]).unwrap_err();
    assert_eq!(value.to_string(), "with sample 1, the tensor `x` gets a value that is not a finite number");
    assert!(tried(&graph, &samples).is_ok());
}

#[test]
fn samples_must_be_there_and_fit() {
    let graph = dense("[1.0, 1.0]");
    assert_eq!(tried(&graph, &[]), Err(QuantError::NoSamples));
    let short = tried(&graph, &[vec![floats(&[1.0])]]).unwrap_err();
    assert_eq!(short.to_string(), "sample 0 has 4 bytes for the input `x`, which takes 8");
    assert!(matches!(tried(&graph, &[vec![]]), Err(QuantError::InputCount { .. })));
}

#[test]
fn what_is_quantised_already_is_refused() {
    let quantised = tried(&dense("[1.0, 1.0]"), &[vec![floats(&[1.0, 2.0])]]).unwrap();
    let again = tried(&quantised, &[vec![vec![0, 0]]]).unwrap_err();
    assert!(matches!(again, QuantError::Quantised { .. }), "{again}");
    let nothing = text::parse("graph \"t\" inputs(%0) outputs(%1) %0 : i32[1x2] %1 : i32[2] = RESHAPE(%0) shape=[2]");
    assert_eq!(tried(&nothing.unwrap(), &[vec![vec![0; 8]]]), Err(QuantError::NothingToDo));
}

#[test]
fn operators_without_an_int8_form_are_rewritten() {
    let source = "graph \"t\" inputs(%0) outputs(%3, %5)
        %0 \"x\" : f32[1x2x2x1]
        %1 \"w\" : i8[1x1x1x1]{0.5; 0} = [2]
        %2 \"c\" : f32[1x2x2x1] = CONV_2D(%0, %1) stride=[1, 1] padding=same
        %3 \"s\" : f32[1x1] = SUM(%2) axes=[1, 2]
        %4 \"j\" : f32[1x2x2x2] = CONCATENATION(%2, %0) axis=3 activation=relu
        %5 \"p\" : f32[1x4x4x2] = PADV2(%4) pads=[[0, 0], [1, 1], [1, 1], [0, 0]] value=-inf";
    let graph = text::parse(source).unwrap();
    let quantised = tried(&graph, &[vec![floats(&[-1.0, 0.5, 2.0, 1.0])]]).unwrap();
    let names: Vec<&str> = quantised.operators.iter().map(|o| o.op.name()).collect();
    for name in ["MEAN", "MUL", "RELU"] {
        assert!(names.contains(&name), "{names:?}");
    }
    assert!(
        !quantised
            .operators
            .iter()
            .any(|o| matches!(o.op, Op::Concatenation { activation, .. } if activation != Default::default()))
    );
    // The padding that stands for minus infinity does not take the range with it.
    let padded = quantised.tensor(quantised.outputs[1]).per_tensor().unwrap();
    assert!(padded.0 < 0.1, "{padded:?}");
}
