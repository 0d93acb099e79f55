//! Files to start from: small networks that together hold every operator, as text and as TensorFlow Lite files, and some ONNX files.

#[allow(dead_code, reason = "other tests use more")]
#[path = "../../../smidgen-onnx/tests/common/build.rs"]
pub mod build;
#[path = "../../../smidgen-tflite/tests/common/samples.rs"]
pub mod samples;

use smidgen::{ir, tflite};
use smidgen_synthetic::{RandomGraphOptions, random_graph};

/// Names and contents.
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let mut graphs = samples::graphs();
    let random = |seed: u64| (format!("random {seed}"), random_graph(seed, &RandomGraphOptions::default()));
    graphs.extend((0..12).map(random));
    let mut files = Vec::new();
    for (name, graph) in graphs {
        let name = name.replace(' ', "-");
        files.push((format!("{name}.ir"), ir::text::print(&graph).into_bytes()));
        if let Ok(file) = tflite::write(&graph) {
            files.push((format!("{name}.tflite"), file));
        }
    }
    for (name, file) in
        [("classifier", build::classifier()), ("mixer", build::mixer()), ("quantised", build::quantised())]
    {
        files.push((format!("{name}.onnx"), file));
    }
    files
}
