//! Networks in QDQ form, as several quantisers write them, against what ONNX's definition of their operators gives.

mod common;

use common::{Stream, floats, names, run};
use smidgen_ir::{DataType, Graph, Op};
use std::collections::BTreeMap;
use std::io::BufReader;

/// The scale of the integers that the network's first output is.
fn step(graph: &Graph) -> f32 {
    let last = graph.operators.iter().find(|o| o.outputs[0] == graph.outputs[0]).expect("an operator writes it");
    let stored = (last.op == Op::Dequantize).then(|| graph.tensor(last.inputs[0]));
    stored.and_then(|t| t.per_tensor()).expect("it ends with DEQUANTIZE").0
}

/// Differences in steps of the output's scale.
#[derive(Default)]
struct Differences {
    networks: usize,
    count: usize,
    equal: usize,
    worst: f32,
    sum: f64,
    /// Sums of squares of what lies between the integers, ONNX's results and the float network's.
    found: f64,
    expected: f64,
}

impl Differences {
    fn mean(&self) -> f64 {
        self.sum / self.count as f64
    }

    /// Noise of the integers over that of ONNX's results.
    fn noise(&self) -> f64 {
        (self.found / self.expected).sqrt()
    }
}

/// The most steps that an output may be off, that outputs may be off on average, and the most noise.
///
/// An operator is off by a step at most, and hardly ever: it rounds as TensorFlow Lite does, which rounds twice where ONNX rounds
/// once. That of a whole network grows with its depth, as its noise does: there the integers must be as near to the float network
/// as ONNX's results are.
fn bounds(name: &str) -> (f32, f64, f64) {
    const STEP: f32 = 1.001;
    match name.split_once(": ") {
        // They make steps of 1/256 always, which then become those of the file.
        Some(("operator", "Sigmoid" | "Softmax")) => (STEP, 0.3, 1.2),
        // Negative values are rounded to a fraction of few bits first.
        Some(("operator", "LeakyRelu")) => (STEP, 0.12, 1.1),
        Some(("operator", _)) => (STEP, 0.06, 1.1),
        Some((layers, _)) if layers.starts_with("layers") => (STEP, 0.02, 1.0),
        // Its last operator is a Softmax.
        Some(("branches", _)) => (STEP, 0.4, 1.5),
        _ => (f32::INFINITY, f64::INFINITY, 1.1),
    }
}

#[test]
fn integers_agree_with_onnx() {
    let program = include_str!("python/quantised.py");
    let Some(mut child) = common::python(program, &[], "onnx, numpy", "networks in QDQ form") else { return };
    let mut stream = Stream(BufReader::new(child.stdout.take().expect("piped")));
    let mut all: BTreeMap<String, Differences> = BTreeMap::new();
    while stream.u8() != 0 {
        let (name, model, samples) = (stream.text(), stream.blob(), stream.u32());
        let import = smidgen_onnx::read(&model).unwrap_or_else(|e| panic!("{name}: {e}"));
        let step = step(&import.graph);
        let differences = all.entry(name.clone()).or_default();
        differences.networks += 1;
        for _ in 0..samples {
            let (inputs, outputs, real) = (stream.arrays(), stream.arrays(), stream.arrays());
            let found = run(&import, &inputs).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(found[0].0.shape, outputs[0].dims, "{name}");
            let real = real.first().map(|array| floats(&array.data));
            for (i, (f, e)) in floats(&found[0].1).into_iter().zip(floats(&outputs[0].data)).enumerate() {
                let steps = ((f - e) / step).abs();
                differences.worst = differences.worst.max(steps);
                differences.sum += f64::from(steps);
                differences.count += 1;
                differences.equal += usize::from(steps < 0.5);
                if let Some(real) = &real {
                    differences.found += f64::from(f - real[i]).powi(2);
                    differences.expected += f64::from(e - real[i]).powi(2);
                }
            }
        }
        // ONNX Runtime's quantiser leaves some operators out.
        let on_floats = |o: &&smidgen_ir::Operator| {
            o.op != Op::Dequantize && import.graph.tensor(o.outputs[0]).dtype == DataType::FLOAT32
        };
        let left: Vec<_> = import.graph.operators.iter().filter(on_floats).map(|o| o.op.name()).collect();
        let expected: &[&str] = if name.starts_with("branches: ONNX Runtime") { &["HARD_SWISH", "SUB"] } else { &[] };
        assert_eq!(left, expected, "{name}: {:?}", names(&import.graph));
        assert_eq!(import.notes.len(), expected.len(), "{name}: {:?}", import.notes);
    }
    child.wait().expect("Python ends");
    for (name, d) in &all {
        println!(
            "{name}: of {} outputs of {} network(s) {} are equal; the worst is {:.2} steps off, the mean {:.4}; noise {:.3}",
            d.count,
            d.networks,
            d.equal,
            d.worst,
            d.mean(),
            d.noise()
        );
    }
    for (name, d) in &all {
        let (worst, mean, noise) = bounds(name);
        assert!(d.worst <= worst && d.mean() <= mean, "{name}: {} and {}", d.worst, d.mean());
        // Nothing to compare with where there is no float network.
        assert!(d.expected == 0.0 || d.noise() <= noise, "{name}: {}", d.noise());
    }
    assert!(all.len() > 40, "only {} networks were made", all.len());
}
