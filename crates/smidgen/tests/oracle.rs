//! What the oracle says of networks, beside their exact plans.

use smidgen::ir::Graph;
use smidgen::lowering::{LowerOptions, lower, select};
use smidgen::plan::planner::Oracle;
use smidgen::plan::{Objective, PlanOptions, plan};
use smidgen::program::{Lowered, Step};
use smidgen_synthetic::{RandomGraphOptions, demo, gated, mcunet_space, mobilenet_v2, random_graph};
use std::mem::discriminant;

/// Holds a network's exact plans to what the oracle says of it.
fn agrees(name: &str, graph: &Graph, stream_input: bool) {
    let options = PlanOptions { stream_input, ..PlanOptions::default() };
    let cost = Oracle::new(LowerOptions::default(), options.clone()).cost(graph).expect("supported");
    let lowered = lower(graph, &LowerOptions::default().for_mcu()).expect("supported");
    let least = plan(&lowered, &PlanOptions { objective: Objective::Sram, ..options }).expect("a plan").report;
    let (lower, upper) = (cost.sram_lower, cost.sram);
    assert!((lower..=upper).contains(&least.total_bytes), "{name}: {lower} to {upper}, {}", least.total_bytes);
    assert!(upper - least.total_bytes <= least.total_bytes / 8, "{name}: {} and {upper}", least.total_bytes);
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

/// The steps of firmware, but for what depends on weights: true if they are those that the oracle takes for granted.
fn as_assumed(lowered: &Lowered, selected: &Lowered) -> bool {
    let like = |a: &Step, b: &Step| {
        discriminant(&a.kernel) == discriminant(&b.kernel) && (a.scratch_bytes, a.order) == (b.scratch_bytes, b.order)
    };
    lowered.steps.len() == selected.steps.len() && lowered.steps.iter().zip(&selected.steps).all(|(a, b)| like(a, b))
}

#[test]
fn random_networks_take_what_is_said() {
    let (mut as_said, mut unlike) = (0, 0);
    for seed in 0..200 {
        let graph = random_graph(seed, &RandomGraphOptions::default());
        let options = PlanOptions { stream_input: seed % 2 == 1, objective: Objective::Sram, ..PlanOptions::default() };
        let cost = Oracle::new(LowerOptions::default(), options.clone()).cost(&graph).expect("supported");
        let bracket = cost.sram_lower..=cost.sram;
        let selected = select(&graph, &LowerOptions::default()).expect("supported");
        let least = plan(&selected, &options).expect("a plan").report.total_bytes;
        assert!(bracket.contains(&least), "{seed}: {bracket:?} and {least}");
        let lowered = lower(&graph, &LowerOptions::default().for_mcu()).expect("supported");
        if as_assumed(&lowered, &selected) {
            let least = plan(&lowered, &options).expect("a plan").report.total_bytes;
            assert!(bracket.contains(&least), "{seed}: {bracket:?} and {least}");
            as_said += 1;
        } else {
            assert!(cost.assumed > 0, "{seed}");
            unlike += 1;
        }
    }
    assert!(as_said > 50 && unlike > 50, "{as_said} and {unlike}: both kinds are wanted");
}

#[test]
fn the_layers_of_a_network_of_floats_assume_nothing() {
    let graph = smidgen::ir::text::parse(
        r#"graph "floats" inputs(%0) outputs(%3)
        %0 "x" : f32[1x8x8x3]
        %1 "w" : f32[4x3x3x3] = splat 0.5
        %2 "b" : f32[4] = splat 0
        %3 "y" : f32[1x8x8x4] = CONV_2D(%0, %1, %2) stride=[1, 1] padding=same"#,
    )
    .expect("a network");
    let oracle = Oracle::new(LowerOptions::default(), PlanOptions::default());
    assert_eq!(oracle.cost(&graph).expect("supported").assumed, 0);
    let cost = oracle.cost(&mcunet_space(0.3, 48, 10, 1)).expect("supported");
    let operators = mcunet_space(0.3, 48, 10, 1).operators.len();
    // All but the global mean.
    assert_eq!(cost.assumed, operators - 1);
}

#[test]
fn a_bracket_of_mcunets_space_is_narrow_and_instructions_are_about_right() {
    let (mut widths, mut errors) = (Vec::new(), Vec::new());
    for (seed, (width, resolution)) in [(0.2, 96), (0.4, 64), (0.7, 48)].into_iter().enumerate() {
        let graph = mcunet_space(width, resolution, 10, 7 + seed as u64);
        let cost = Oracle::new(LowerOptions::default(), PlanOptions::default()).cost(&graph).expect("supported");
        let lowered = lower(&graph, &LowerOptions::default().for_mcu()).expect("supported");
        let balanced = plan(&lowered, &PlanOptions::default()).expect("a plan").report;
        let sram = PlanOptions { objective: Objective::Sram, ..PlanOptions::default() };
        let (bracket, least) = (cost.sram_lower..=cost.sram, plan(&lowered, &sram).expect("a plan").report.total_bytes);
        assert!(bracket.contains(&least), "{seed}: {bracket:?} and {least}");
        widths.push((cost.sram - cost.sram_lower) as f64 / cost.sram_lower as f64);
        errors.push((cost.instructions as f64 / balanced.instructions as f64 - 1.0).abs());
    }
    assert!(widths.iter().all(|&width| width < 0.15), "{widths:?}");
    assert!(errors.iter().all(|&error| error < 0.08), "{errors:?}");
}

#[test]
fn many_networks_cost_what_each_does_alone() {
    // Threads of a search share one oracle.
    fn is_shared<T: Send + Sync>() {}
    is_shared::<Oracle>();
    let graphs: Vec<Graph> = (0..12).map(|seed| mcunet_space(0.3, 48, 10, seed / 2)).collect();
    let oracle = Oracle::new(LowerOptions::default(), PlanOptions::default());
    let together = oracle.costs(&graphs);
    for (graph, cost) in graphs.iter().zip(together) {
        let alone = Oracle::new(LowerOptions::default(), PlanOptions::default()).cost(graph);
        assert_eq!(cost, alone);
        assert_eq!(oracle.cost(graph), alone);
    }
    assert!(oracle.costs(&[]).is_empty());
}

#[test]
fn networks_that_differ_in_their_images_alone_cost_what_each_does_alone() {
    let graph = |images: usize| {
        let text = format!(
            r#"graph "images" inputs(%0) outputs(%6)
            %0 "x" : i8[{images}x16x16x8]{{0.02; -128}}
            %1 "w" : i8[8x1x1x8]{{axis 0: 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01}} = splat 3
            %2 "b" : i32[8] = splat 0
            %3 "pointwise" : i8[{images}x16x16x8]{{0.02; -128}} = CONV_2D(%0, %1, %2) stride=[1, 1] padding=same
            %4 "v" : i8[1x3x3x8]{{axis 3: 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01}} = splat 3
            %5 "c" : i32[8] = splat 0
            %6 "y" : i8[{images}x16x16x8]{{0.02; -128}} = DEPTHWISE_CONV_2D(%3, %4, %5) stride=[1, 1] padding=same multiplier=1"#
        );
        smidgen::ir::text::parse(&text).expect("a network")
    };
    let together = Oracle::new(LowerOptions::default(), PlanOptions::default());
    for graph in [1, 2, 5].map(graph) {
        let alone = Oracle::new(LowerOptions::default(), PlanOptions::default()).cost(&graph);
        assert_eq!(together.cost(&graph), alone);
    }
}
