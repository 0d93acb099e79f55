//! The memory of the published schemes by their authors' formula (Lin et al. 2022: what the schemes are named after, in whole KiB).

use serde_json::Value;
use smidgen_adapt::Scheme;
use smidgen_adapt::memory::{ConvolutionSize, extra_bits};
use smidgen_reference::shared;
use std::path::Path;

/// Network, scheme, KiB.
const PUBLISHED: [(&str, &str, f64); 15] = [
    ("mcunet-5fps", "mcunet-5fps-49kb", 49.8),
    ("mcunet-5fps", "mcunet-5fps-74kb", 74.8),
    ("mcunet-5fps", "mcunet-5fps-99kb", 99.8),
    ("mcunet-5fps", "mcunet-5fps-124kb", 125.0),
    ("mcunet-5fps", "mcunet-5fps-148kb", 148.4),
    ("mbv2-w0.35", "mbv2-w0.35-49kb", 49.8),
    ("mbv2-w0.35", "mbv2-w0.35-73kb", 73.9),
    ("mbv2-w0.35", "mbv2-w0.35-99kb", 99.4),
    ("mbv2-w0.35", "mbv2-w0.35-123kb", 123.6),
    ("mbv2-w0.35", "mbv2-w0.35-138kb", 138.2),
    ("proxyless-w0.3", "proxyless-w0.3-49kb", 49.7),
    ("proxyless-w0.3", "proxyless-w0.3-74kb", 74.9),
    ("proxyless-w0.3", "proxyless-w0.3-98kb", 98.5),
    ("proxyless-w0.3", "proxyless-w0.3-120kb", 120.2),
    ("proxyless-w0.3", "proxyless-w0.3-148kb", 148.2),
];

/// The convolutions of a published architecture at 128x128, without the layer that mixes features, and how many features there are then.
fn network(name: &str) -> Option<(Vec<ConvolutionSize>, usize)> {
    let file = match name {
        "mcunet-5fps" => "mcunet-5fps_imagenet.json",
        "mbv2-w0.35" => "mbv2-w0.35-r144_imagenet.json",
        _ => "proxyless-w0.3-r176_imagenet.json",
    };
    let text = std::fs::read_to_string(
        shared("the memory of published schemes")?.join("data/mcunet-architectures").join(file),
    )
    .expect("an architecture");
    let json: Value = serde_json::from_str(&text).expect("JSON");
    let number = |value: &Value, field: &str| value[field].as_u64().map(|n| n as usize);
    let mut convolutions = Vec::new();
    let mut side = 128usize;
    let mut channels = 3;
    let mut add = |kernel: usize, stride: usize, outputs: usize, depthwise: bool| {
        let input = [side, side, channels];
        (side, channels) = (side.div_ceil(stride), outputs);
        let output = [side, side, channels];
        convolutions.push(ConvolutionSize { input, output, area: kernel * kernel, depthwise });
        channels
    };
    let first = &json["first_conv"];
    let mut before = add(3, 2, number(first, "out_channels")?, false);
    for block in json["blocks"].as_array()? {
        let conv = &block["mobile_inverted_conv"];
        let middle = number(conv, "mid_channels");
        let ratio = conv["expand_ratio"].as_f64()?;
        let middle = middle.unwrap_or((before as f64 * ratio).round() as usize);
        if ratio != 1.0 {
            add(1, 1, middle, false);
        }
        add(number(conv, "kernel_size")?, number(conv, "stride")?, middle, true);
        before = add(1, 1, number(conv, "out_channels")?, false);
    }
    Some((convolutions, before))
}

fn kib((convolutions, features): &(Vec<ConvolutionSize>, usize), scheme: &Scheme) -> f64 {
    extra_bits(convolutions, *features, scheme).unwrap() as f64 / 8192.0
}

#[test]
fn d_t5_memory_of_the_published_schemes() {
    for (network_name, name, published) in PUBLISHED {
        let Some(network) = network(network_name) else { return };
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../schemes/{name}.toml"));
        let scheme: Scheme = std::fs::read_to_string(&path).unwrap().parse().unwrap();
        let kib = kib(&network, &scheme);
        assert!((kib - published).abs() <= 0.05 + 1e-9, "{name}: {kib} KiB instead of {published}");
    }
}

#[test]
fn d_t5_memory_of_dense_updates() {
    let Some(network) = network("mcunet-5fps") else { return };
    let last = |count: usize| Scheme {
        n_bias_update: count,
        manual_weight_idx: (42 - count..42).collect(),
        weight_update_ratio: vec![1.0; count],
        ..Scheme::default()
    };
    assert_eq!(network.0.len(), 42);
    for (count, published) in [(6, 276.3), (12, 448.0), (22, 600.7), (42, 1400.4)] {
        let kib = kib(&network, &last(count));
        assert!((kib - published).abs() <= 0.05 + 1e-9, "last {count}: {kib} KiB instead of {published}");
    }
    for (count, published) in [(12, 22.8), (22, 36.5), (42, 121.3)] {
        let kib = kib(&network, &Scheme::bias_only(count));
        assert!((kib - published).abs() <= 0.05 + 1e-9, "biases of the last {count}: {kib} KiB instead of {published}");
    }
}

#[test]
fn schemes_that_make_no_sense_are_refused() {
    for (text, wanted) in [
        ("n_bias_update = 3\nmanual_weight_idx = [1]", "one for each"),
        ("manual_weight_idx = [2, 1]\nweight_update_ratio = [1, 1]", "ascend"),
        ("manual_weight_idx = [2]\nweight_update_ratio = [1.5]", "1.5"),
        ("n_bias_updates = 3", "n_bias_updates"),
        ("n_bias_update = ", "n_bias_update"),
    ] {
        let error = text.parse::<Scheme>().unwrap_err().to_string();
        assert!(error.contains(wanted) || error.contains("expected"), "{text}: {error}");
    }
    let scheme: Scheme = "manual_weight_idx = [9]\nweight_update_ratio = [1.0]".parse().unwrap();
    assert!(scheme.weights(5).unwrap_err().to_string().contains("convolution 9"));
    assert!(Scheme::bias_only(7).weights(5).unwrap_err().to_string().contains("n_bias_update is 7"));
}
