//! PyTorch as a second witness of the definition that integer gradients are held to, where `SMIDGEN_TORCH` names a Python that has it: the script
//! beside this file differentiates the same networks by itself.

use serde_json::{Value, json};
use smidgen_adapt::surrogate::backward;
use smidgen_adapt::{Features, activations, drawn};
use smidgen_ir::{Activation, BinaryKind, Graph, Op, Operator, Padding, PoolKind, TensorId, UnaryKind, Window};
use smidgen_reference::{Lack, skip};
use smidgen_synthetic::{Random, random_classifier};
use std::path::PathBuf;
use std::process::Command;

/// Rows and columns of padding on both sides.
fn pads(graph: &Graph, operator: &Operator, size: [usize; 2], stride: [usize; 2], padding: Padding) -> Value {
    let [_, h, w, _] = graph.tensor(operator.inputs[0]).shape.nhwc().unwrap();
    let along = |axis: usize, input: usize| {
        let window = Window::resolve(input, size[axis], stride[axis], 1, padding, axis).unwrap();
        let end = (window.output - 1) * stride[axis] + size[axis];
        json!([window.before, end.saturating_sub(input + window.before)])
    };
    json!([along(0, h), along(1, w)])
}

fn limits(graph: &Graph, operator: &Operator, activation: Activation) -> Value {
    let (low, high) = activation.range();
    let (scale, zero) = graph.tensor(operator.outputs[0]).per_tensor().unwrap();
    let stored = |real: f32| (f64::from(real) / f64::from(scale)).round() + f64::from(zero);
    json!([stored(low).max(-128.0), stored(high).min(127.0)])
}

fn described(graph: &Graph, operator: &Operator) -> Value {
    let ids = |all: &[TensorId]| all.iter().map(|id| id.index()).collect::<Vec<_>>();
    let plain = || limits(graph, operator, Activation::None);
    let mut found = match &operator.op {
        Op::Conv2d(conv) | Op::DepthwiseConv2d { conv, .. } => {
            let [_, kh, kw, _] = graph.tensor(operator.inputs[1]).shape.nhwc().unwrap();
            assert_eq!(conv.dilation, [1; 2], "the script's padding knows no other");
            json!({
                "pads": pads(graph, operator, [kh, kw], conv.stride, conv.padding),
                "stride": conv.stride,
                "dilation": conv.dilation,
                "limits": limits(graph, operator, conv.activation),
            })
        }
        Op::FullyConnected { activation, .. } => json!({ "limits": limits(graph, operator, *activation) }),
        Op::Binary { kind: BinaryKind::Add | BinaryKind::Mul, activation } => {
            json!({ "limits": limits(graph, operator, *activation) })
        }
        Op::Pool2d { kind: PoolKind::Average | PoolKind::Max, window, stride, padding, .. } => json!({
            "pads": pads(graph, operator, *window, *stride, *padding),
            "window": window,
            "stride": stride,
            "limits": plain(),
        }),
        Op::Reduce { axes, .. } => json!({ "axes": axes, "limits": plain() }),
        Op::Pad { pads, .. } => json!({ "pads": pads, "limits": plain() }),
        Op::Transpose { perm } => json!({ "perm": perm, "limits": plain() }),
        Op::Slice { begin, size } => json!({ "begin": begin, "size": size, "limits": plain() }),
        Op::Concatenation { axis, .. } | Op::Split { axis, .. } => json!({ "axis": axis, "limits": plain() }),
        Op::Resize { half_pixel_centers, align_corners, .. } => {
            json!({ "half": half_pixel_centers, "align": align_corners, "limits": plain() })
        }
        Op::Unary(UnaryKind::LeakyRelu { alpha }) => json!({ "alpha": alpha, "limits": plain() }),
        _ => json!({ "limits": plain() }),
    };
    found["op"] = operator.op.name().into();
    found["inputs"] = ids(&operator.inputs).into();
    found["outputs"] = ids(&operator.outputs).into();
    found
}

#[test]
fn pytorch_differentiates_the_same_networks_alike() {
    let Some(python) = std::env::var_os("SMIDGEN_TORCH") else {
        return skip(Lack::Optional, "the comparison with PyTorch", "SMIDGEN_TORCH names no Python that has PyTorch");
    };
    let (mut networks, mut expected) = (Vec::new(), Vec::new());
    for seed in 0..320 {
        let mut graph = random_classifier(seed);
        smidgen_ir::passes::canonicalise(&mut graph);
        let features = Features::of(&graph).unwrap();
        let sample = drawn(&features, 3).remove(2);
        let found = activations(&features, &Default::default(), &[sample]).unwrap().remove(0);
        let mut random = Random::new(seed);
        let gradient: Vec<f64> = (0..features.count).map(|_| random.unit() - 0.5).collect();
        let trained = vec![true; features.graph.operators.len()];
        let exact = backward(&features, &trained, &found, &gradient).unwrap();
        let graph = &features.graph;
        let tensor = |i: usize| {
            let id = TensorId(i as u32);
            let tensor = graph.tensor(id);
            let constant = || tensor.integers().map(|all| all.into_iter().map(f64::from).collect::<Vec<_>>());
            let stored = found.get(&id).map(|all| all.iter().map(|&x| f64::from(x)).collect()).or_else(constant);
            let (scale, zero) = tensor.per_tensor().map_or((1.0, 0), |(scale, zero)| (f64::from(scale), zero));
            json!({ "shape": tensor.shape.dims(), "scale": scale, "zero": zero, "stored": stored })
        };
        let mut described_tensors: Vec<Value> = (0..graph.tensors.len()).map(tensor).collect();
        // As many scales as there are output channels.
        for operator in &graph.operators {
            let outputs = match &operator.op {
                Op::Conv2d(_) | Op::FullyConnected { .. } => graph.tensor(operator.inputs[1]).shape.dims()[0],
                Op::DepthwiseConv2d { .. } => graph.tensor(operator.inputs[1]).shape.dims()[3],
                _ => continue,
            };
            let of = graph.tensor(operator.inputs[1]).dtype.quantisation().unwrap();
            let scales: Vec<f64> = (0..outputs).map(|c| f64::from(of.scale(c))).collect();
            described_tensors[operator.inputs[1].index()]["scales"] = scales.into();
        }
        networks.push(json!({
            "tensors": described_tensors,
            "operators": graph.operators.iter().map(|operator| described(graph, operator)).collect::<Vec<_>>(),
            "input": graph.inputs[0].index(),
            "features": features.tensor().index(),
            "gradient": gradient,
        }));
        expected.push((seed, exact));
    }
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let (given, answers) = (folder.join("networks.json"), folder.join("gradients.json"));
    std::fs::write(&given, serde_json::to_vec(&networks).unwrap()).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/torch/gradients.py");
    let status = Command::new(python).arg(script).arg(&given).arg(&answers).status().expect("the Python starts");
    assert!(status.success(), "the script failed");
    let answers: Vec<Value> = serde_json::from_slice(&std::fs::read(answers).unwrap()).unwrap();
    let numbers = |value: &Value| -> Vec<f64> {
        value.as_array().into_iter().flatten().map(|x| x.as_f64().expect("a number")).collect()
    };
    let norm = |all: &[f64]| all.iter().map(|x| x * x).sum::<f64>().sqrt();
    let (mut tensors, mut parameters) = (0, 0);
    let sure = |answer: &Value| answer["near"].as_u64() == Some(0);
    for ((seed, exact), answer) in expected.iter().zip(&answers).filter(|(_, answer)| sure(answer)) {
        let same = |what: String, own: &[f64], theirs: &[f64]| {
            assert_eq!(own.len(), theirs.len(), "network {seed}, {what}");
            let error: Vec<f64> = own.iter().zip(theirs).map(|(a, b)| a - b).collect();
            let error = norm(&error) / norm(theirs).max(1e-12);
            assert!(error < 1e-4 || norm(own) < 1e-12, "network {seed}, {what}: relative error {error:e}");
        };
        for (id, own) in &exact.tensors {
            let theirs = numbers(&answer["tensors"][id.index().to_string()]);
            if !theirs.is_empty() {
                same(format!("tensor {}", id.index()), own, &theirs);
                tensors += 1;
            }
        }
        for (index, (weights, biases)) in &exact.parameters {
            let theirs = &answer["parameters"][index.to_string()];
            same(format!("weights of operator {index}"), weights, &numbers(&theirs[0]));
            same(format!("biases of operator {index}"), biases, &numbers(&theirs[1]));
            parameters += 1;
        }
    }
    assert!(tensors > 1_200 && parameters > 700, "{tensors} tensors and {parameters} layers");
}
