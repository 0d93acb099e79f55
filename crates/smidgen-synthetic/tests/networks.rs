//! The published networks: their sizes, and that random weights leave them alive.

mod common;

use common::{distinct, expose, inputs, run};
use smidgen_ir::{ElementType, Graph, Op, cost};
use smidgen_reference::{Lack, skip};
use smidgen_synthetic::{demo, gated, mcunet, mobilenet_v2};
use std::path::PathBuf;

/// Weights of convolutions and fully connected layers, two numbers of batch normalisation for each convolution's channel, and
/// the classifier's bias: how papers count parameters.
fn parameters(graph: &Graph) -> usize {
    let elements = |t: &smidgen_ir::TensorId| graph.tensor(*t).shape.elements();
    let of = |o: &smidgen_ir::Operator| match o.op {
        Op::Conv2d(_) | Op::DepthwiseConv2d { .. } => elements(&o.inputs[1]) + 2 * elements(&o.inputs[2]),
        Op::FullyConnected { .. } => elements(&o.inputs[1]) + elements(&o.inputs[2]),
        _ => 0,
    };
    graph.operators.iter().map(of).sum()
}

#[test]
fn mobilenet_v2_has_its_published_size() {
    let graph = mobilenet_v2(1.0, 224, 1000, 0);
    // torchvision counts 300,774,272 multiply-accumulates of the layers and 3,504,872 parameters.
    assert_eq!(cost(&graph).macs, 300_774_272);
    assert_eq!(parameters(&graph), 3_504_872);
    let graph = mobilenet_v2(0.35, 96, 10, 0);
    assert_eq!(graph.tensor(graph.outputs[0]).shape.dims(), [1, 10]);
}

/// Millions of multiply-accumulates and of parameters that the model zoo states.
const STATED: [(&str, f64, f64); 8] = [
    ("mcunet-10fps_imagenet", 6.36, 0.750),
    ("mcunet-5fps_imagenet", 12.79, 0.636),
    ("mcunet-256kb-1mb_imagenet", 67.29, 0.729),
    ("mcunet-320kb-1mb_imagenet", 81.79, 0.737),
    ("mcunet-512kb-2mb_imagenet", 125.87, 1.733),
    ("mbv2-w0.35-r144_imagenet", 23.50, 0.750),
    ("proxyless-w0.3-r176_imagenet", 38.28, 0.754),
    ("proxyless_mobile", 320.43, 4.081),
];

#[test]
fn the_zoo_has_its_stated_sizes() {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let folder =
        std::env::var_os("SMIDGEN_SHARED").map_or_else(beside, PathBuf::from).join("data/mcunet-architectures");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        skip(Lack::Optional, "the model zoo", &format!("there is no {}", folder.display()));
        return;
    };
    let mut checked = 0;
    for entry in entries {
        let path = entry.expect("a folder entry").path();
        let name = path.file_stem().expect("a file name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).expect("a readable description");
        let graph = mcunet(&text, 1).unwrap_or_else(|error| panic!("{name}: {error}"));
        let (macs, params) = (cost(&graph).macs as f64 / 1e6, parameters(&graph) as f64 / 1e6);
        println!("{name}: {macs:.3} M MACs, {params:.4} M parameters");
        if let Some((_, stated, stated_params)) = STATED.iter().find(|(n, ..)| *n == name) {
            assert!((macs - stated).abs() < 0.006, "{name}: {macs} M, stated {stated} M");
            assert!((params - stated_params).abs() < 0.0006, "{name}: {params} M, stated {stated_params} M");
            checked += 1;
        }
    }
    assert_eq!(checked, STATED.len());
}

const DESCRIPTION: &str = r#"{
    "resolution": 32,
    "first_conv": {"kernel_size": 3, "stride": 2, "in_channels": 3, "out_channels": 8, "act_func": "relu6"},
    "blocks": [
        {"mobile_inverted_conv": {"name": "MBInvertedConvLayer", "in_channels": 8, "out_channels": 8, "kernel_size": 3, "stride": 1, "expand_ratio": 1,
            "mid_channels": null, "use_se": false}, "shortcut": null},
        {"mobile_inverted_conv": {"name": "MBInvertedConvLayer", "in_channels": 8, "out_channels": 8, "kernel_size": 7, "stride": 1, "expand_ratio": 3.5},
            "shortcut": {"name": "IdentityLayer"}},
        {"mobile_inverted_conv": {"name": "ZeroLayer", "stride": 1}, "shortcut": {"name": "IdentityLayer"}}
    ],
    "feature_mix_layer": {"kernel_size": 1, "stride": 1, "in_channels": 8, "out_channels": 24, "act_func": "relu6"},
    "classifier": {"in_features": 24, "out_features": 5}
}"#;

#[test]
fn a_description_becomes_a_network() {
    let graph = mcunet(DESCRIPTION, 3).unwrap();
    let names: Vec<&str> = graph.operators.iter().map(|o| o.op.name()).collect();
    let (conv, depthwise) = ("CONV_2D", "DEPTHWISE_CONV_2D");
    assert_eq!(names, [conv, depthwise, conv, conv, depthwise, conv, "ADD", conv, "MEAN", "FULLY_CONNECTED"]);
    assert_eq!(graph.tensor(graph.operators[4].inputs[1]).shape.dims(), [1, 7, 7, 28]);
}

#[test]
fn a_wrong_description_is_an_error() {
    let error = |from: &str, to: &str| {
        assert!(DESCRIPTION.contains(from));
        mcunet(&DESCRIPTION.replacen(from, to, 1), 0).unwrap_err().to_string()
    };
    assert!(error("\"resolution\": 32,", "").contains("missing field `resolution`"));
    assert!(
        error("\"in_channels\": 8", "\"in_channels\": 9").contains("takes 9 channels, but the layer before makes 8")
    );
    assert!(error("\"kernel_size\": 7", "\"kernel_size\": 4").contains("needs an odd one"));
    assert!(
        error("\"kernel_size\": 7, \"stride\": 1", "\"kernel_size\": 7, \"stride\": 2").contains("different shapes")
    );
    assert!(error("\"use_se\": false", "\"use_se\": true").contains("blocks[0]: squeeze-and-excitation"));
    assert!(
        error(
            "\"ZeroLayer\", \"stride\": 1}, \"shortcut\": {\"name\": \"IdentityLayer\"}",
            "\"ZeroLayer\"}, \"shortcut\": null"
        )
        .contains("blocks[2]: a block without layers")
    );
    assert!(error("ZeroLayer", "OtherLayer").contains("unknown variant `OtherLayer`"));
    assert!(error("relu6", "swish").contains("first_conv: the activation swish"));
    assert!(error("\"resolution\": 32", "\"resolution\": 0").contains("a size of 0"));
    assert!(error("\"out_channels\": 8", "\"out_channels\": 99999999999").contains("sizes are from 1 to"));
}

/// Every tensor of an int8 network carries information: it has many values, few of which lie at an end of the range, and
/// another image gives other outputs.
fn alive(graph: &Graph) {
    let all = expose(graph);
    let (first, second) = (run(&all, &inputs(graph, 1)), run(&all, &inputs(graph, 2)));
    for (operator, (a, b)) in graph.operators.iter().zip(first.iter().zip(&second)) {
        let y = graph.tensor(operator.outputs[0]);
        assert_eq!(y.element(), ElementType::Int8);
        let upper = a.iter().filter(|&&v| v == 127).count();
        assert!(upper * 2 <= a.len() || a.len() < 20, "{}: {upper} of {} saturate", y.name, a.len());
        // A gate squeezes to few channels; anything larger must show a spread.
        if a.len() >= 64 {
            assert!(distinct(a) >= 8, "{}: {} distinct values", y.name, distinct(a));
        }
        assert_ne!(a, b, "{}: the input does not matter", y.name);
    }
}

#[test]
fn networks_are_alive() {
    for graph in [demo(7), gated(64, 6, 7), mobilenet_v2(0.5, 64, 100, 7), mcunet(DESCRIPTION, 7).unwrap()] {
        alive(&graph);
    }
}

#[test]
fn the_same_seed_gives_the_same_network_and_another_another() {
    assert_eq!(demo(1), demo(1));
    assert_ne!(demo(1), demo(2));
    assert_eq!(gated(32, 2, 5), gated(32, 2, 5));
}

#[test]
fn the_demo_is_small() {
    let cost = cost(&demo(0));
    println!("demo: {} MACs, {} parameter bytes", cost.macs, cost.parameter_bytes);
    assert!(cost.macs < 3_000_000 && cost.parameter_bytes < 40_000);
}
