//! What the oracle says of networks, beside their exact plans.

use smidgen::ir::Graph;
use smidgen::plan::planner::Oracle;
use smidgen::plan::{LowerOptions, Objective, PlanOptions, lower, plan};
use smidgen_zoo::{RandomGraphOptions, demo, gated, mcunet_space, mobilenet_v2, random_graph};

/// Holds a network's exact plans to what the oracle says of it.
fn agrees(name: &str, graph: &Graph, stream_input: bool) {
    let options = PlanOptions { stream_input, ..PlanOptions::default() };
    let cost = Oracle::new(LowerOptions::default(), options.clone()).cost(graph).expect("supported");
    let lowered = lower(graph, &LowerOptions::default().for_device()).expect("supported");
    let least = plan(&lowered, &PlanOptions { objective: Objective::Sram, ..options }).expect("a plan").report;
    assert!(least.total_bytes <= cost.sram, "{name}: {} and {}", least.total_bytes, cost.sram);
    assert!(cost.sram - least.total_bytes <= least.total_bytes / 8, "{name}: {} and {}", least.total_bytes, cost.sram);
    let constants: usize = lowered.constants.iter().map(|constant| constant.bytes.len()).sum();
    assert!(cost.flash.constants.abs_diff(constants) * 50 <= constants, "{name}: {constants} {:?}", cost.flash);
}

#[test]
fn the_least_plan_takes_a_little_less_at_most() {
    for (seed, (width, resolution)) in [(0.2, 48), (0.3, 96), (0.5, 80), (1.0, 64)].into_iter().enumerate() {
        let graph = mcunet_space(width, resolution, 10, seed as u64);
        for stream_input in [false, true] {
            agrees(&format!("width {width}, resolution {resolution}"), &graph, stream_input);
        }
    }
    agrees("mobilenet", &mobilenet_v2(0.35, 64, 10, 1), false);
    agrees("demo", &demo(1), true);
    agrees("gated", &gated(32, 3, 1), false);
}

#[test]
fn no_network_takes_more_than_is_said() {
    for seed in 0..60 {
        let graph = random_graph(seed, &RandomGraphOptions::default());
        let options = PlanOptions::default();
        let cost = Oracle::new(LowerOptions::default(), options.clone()).cost(&graph).expect("supported");
        let lowered = lower(&graph, &LowerOptions::default().for_device()).expect("supported");
        let least = plan(&lowered, &PlanOptions { objective: Objective::Sram, ..options }).expect("a plan").report;
        assert!(least.total_bytes <= cost.sram, "{seed}: {} and {}", least.total_bytes, cost.sram);
    }
}
