//! Constants folded by the kernels.

use smidgen_certify::certify;
use smidgen_exec::{Executor, fold_constants};
use smidgen_ir::text::parse;
use smidgen_ir::{Graph, passes, validate};
use smidgen_lower::{LowerOptions, lower};
use smidgen_plan::layer_wise;

fn graph(text: &str) -> Graph {
    let graph = parse(text).unwrap();
    validate(&graph).unwrap();
    graph
}

/// Output 0 for this input, in the words of its type.
fn run(graph: &Graph, input: &[u8]) -> Vec<u8> {
    let mut executor = Executor::new(certify(layer_wise(&lower(graph, &LowerOptions::default()).unwrap())).unwrap());
    executor.set_input(0, input).unwrap();
    executor.run();
    executor.output(0).to_vec()
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

#[test]
fn float_weights_stored_as_integers_become_constants() {
    let mut g = graph(
        r#"graph "t" inputs(%0) outputs(%5)
        %0 : f32[1x2]
        %1 : i8[2x2]{0.5; 1} = [1, 3, 5, -7]
        %2 : f32[2] = [1, -1]
        %3 : f32[2x2] = DEQUANTIZE(%1)
        %4 : f32[2x2] = TRANSPOSE(%3) perm=[1, 0]
        %5 : f32[1x2] = FULLY_CONNECTED(%0, %4, %2)"#,
    );
    assert!(lower(&g, &LowerOptions::default()).is_err(), "computed weights have no kernel");
    assert_eq!(fold_constants(&mut g, &LowerOptions::default()), 2);
    passes::remove_dead(&mut g);
    validate(&g).unwrap();
    assert_eq!(g.operators.len(), 1);
    assert_eq!(g.tensor(g.operators[0].inputs[1]).floats(), Some(vec![0.0, 2.0, 1.0, -4.0]));
    assert_eq!(run(&g, &floats(&[3.0, 5.0])), floats(&[11.0, -18.0]));
}

#[test]
fn every_quantisation_of_constants_becomes_floats() {
    let mut g = graph(
        r#"graph "t" inputs() outputs(%1, %3, %5, %7)
        %0 : i8[2x2]{axis 1: 0.5, 2.0} = [1, 2, -3, -4]
        %1 : f32[2x2] = DEQUANTIZE(%0)
        %2 : i8[2x2]{axis 0: 0.5, 2.0; 1, 0} = [1, 2, -3, -4]
        %3 : f32[2x2] = DEQUANTIZE(%2)
        %4 : i4[3]{0.5; -1} = [-8, 7, 0]
        %5 : f32[3] = DEQUANTIZE(%4)
        %6 : i32[2]{axis 0: 0.25, 4.0} = [100000, -3]
        %7 : f32[2] = DEQUANTIZE(%6)"#,
    );
    assert_eq!(fold_constants(&mut g, &LowerOptions::default()), 4);
    let values: Vec<Vec<f32>> = g.outputs.iter().map(|&t| g.tensor(t).floats().unwrap()).collect();
    assert_eq!(values[0], [0.5, 4.0, -1.5, -8.0]);
    assert_eq!(values[1], [0.0, 0.5, -6.0, -8.0]);
    assert_eq!(values[2], [-3.5, 4.0, 0.5]);
    assert_eq!(values[3], [25000.0, -12.0]);
}

#[test]
fn folding_gives_the_bytes_that_running_gives() {
    let text = r#"graph "t" inputs(%0) outputs(%6)
        %0 : i8[1x2x2x3]{0.1; -4}
        %1 : i8[1x2x3]{0.3; 5} = [1, -20, 33, 47, -59, 127]
        %2 : i8[3]{0.02; 0} = [100, -100, 17]
        %3 : i8[1x2x3]{0.25; -3} = ADD(%1, %2) activation=relu
        %4 : i8[1x2x3]{0.25; -3} = MUL(%3, %2)
        %5 : i8[2x2x3]{0.25; -3} = CONCATENATION(%4, %3) axis=0
        %6 : i8[1x2x2x3]{0.2; 7} = SUB(%0, %5)"#;
    let plain = graph(text);
    let mut folded = plain.clone();
    assert_eq!(fold_constants(&mut folded, &LowerOptions::default()), 3);
    validate(&folded).unwrap();
    let input: Vec<u8> = (0..12u8).map(|i| i.wrapping_mul(37)).collect();
    assert_eq!(run(&folded, &input), run(&plain, &input));
}

#[test]
fn an_output_may_become_a_constant() {
    let mut g = graph(
        r#"graph "t" inputs(%0) outputs(%2)
        %0 : f32[1]
        %1 : f32[2] = [-1.5, 2.5]
        %2 : f32[2] = RELU(%1)"#,
    );
    assert_eq!(fold_constants(&mut g, &LowerOptions::default()), 1);
    validate(&g).unwrap();
    assert_eq!(run(&g, &floats(&[0.0])), floats(&[0.0, 2.5]));
}
