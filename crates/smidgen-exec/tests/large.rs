//! Certifying takes time in proportion to rows, whatever a row holds and however many elements a window covers.

use smidgen_certify::certify;
use smidgen_certify::occupancy;
use smidgen_ir::Activation;
use smidgen_lower::{LowerOptions, lower};
use smidgen_plan::{Storage, allocate, layer_wise};
use smidgen_program::Run;
use smidgen_synthetic::{Builder, Precision, Taps};
use std::time::{Duration, Instant};

/// Far more than it takes (a fraction of this on a slow machine), and far less than a look at every byte of every window would.
const LIMIT: Duration = Duration::from_secs(10);

/// A float network of a detector's size, whose kernels write single elements.
fn detector(size: usize) -> smidgen_ir::Graph {
    let mut b = Builder::new("detector", Precision::Float32, 1);
    let x = b.input([1, size, size, 3]);
    let x = b.conv(x, Taps::square(3), 16, Activation::Relu);
    let x = b.depthwise(x, Taps::square(3), 1, Activation::Relu6);
    let x = b.conv(x, Taps::square(3).stride(2), 16, Activation::None);
    b.finish(&[x])
}

#[test]
fn networks_of_a_detectors_size_are_certified_in_time() {
    for size in [320, 640] {
        let lowered = lower(&detector(size), &LowerOptions::default()).expect("supported operators");
        let apart = layer_wise(&lowered);
        let runs: Vec<Run> =
            lowered.step_ids().map(|step| Run::Compute { step, region: lowered.whole(step) }).collect();
        let storage = vec![Storage::Whole; lowered.buffers.len()];
        let (overlapping, _) = allocate(lowered, runs, storage).expect("a list in order");
        for (name, program) in [("apart", apart), ("overlapping", overlapping)] {
            let start = Instant::now();
            let certified = certify(program).expect("a sound program");
            let proven = start.elapsed();
            let map = occupancy(&certified);
            println!("{size}, {name}: certified in {proven:?}, with a memory map in {:?}", start.elapsed());
            assert!(start.elapsed() < LIMIT, "{size}, {name}");
            assert_eq!(map.live_bytes.len(), certified.runs.len());
        }
    }
}
