//! Generated crates give the executor's bytes, and read as if written by hand.

mod support;

use support::{Case, check_style, compare, folder, shared};

#[test]
fn real_networks_give_the_bytes_of_the_executor() {
    let all = ["mlperf-kws", "person-detect"].map(|name| (name, shared(&format!("{name}.tflite"))));
    let cases: Vec<Case> = all
        .iter()
        .filter_map(|(name, graph)| Case::new(&name.replace('-', "_"), graph.as_ref()?, "layer", false))
        .collect();
    if !cases.is_empty() {
        compare(&folder("real"), &cases);
        check_style(&folder("real/mlperf_kws"));
    }
}
