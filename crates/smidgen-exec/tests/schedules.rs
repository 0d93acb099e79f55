//! Every schedule of a network gives the bytes that running it layer by layer gives.

use smidgen_certify::live_ranges;
use smidgen_certify::{Certified, certify};
use smidgen_exec::Executor;
use smidgen_lower::{LowerOptions, lower};
use smidgen_plan::{Objective, PlanError, PlanOptions, ScheduleChoice, layer_wise, plan};
use smidgen_program::{Lowered, Operand};
use smidgen_reference::{Lack, skip};
use std::path::PathBuf;

/// The folder with real models and data: beside the checkout, or `SMIDGEN_SHARED`.
fn shared() -> PathBuf {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    std::env::var_os("SMIDGEN_SHARED").map_or_else(beside, PathBuf::from)
}

/// The real models as firmware runs them, from beside the checkout or `SMIDGEN_SHARED`, by name, in order. Empty, with a note, if there are none.
fn models(io_int8: bool) -> Vec<(String, Lowered)> {
    let folder = shared().join("models");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        skip(Lack::Optional, "the real models", &format!("there is no {}", folder.display()));
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a folder entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "tflite"));
    paths.sort();
    let read = |path: &PathBuf| {
        let mut graph = smidgen_tflite::read(&std::fs::read(path).expect("a readable model")).expect("a model");
        smidgen_ir::passes::canonicalise(&mut graph);
        if io_int8 {
            smidgen_ir::passes::strip_io(&mut graph);
        }
        lower(&graph, &LowerOptions::default().for_mcu()).expect("supported operators")
    };
    let name = |path: &PathBuf| path.file_stem().expect("a file name").to_string_lossy().into_owned();
    paths.iter().map(|path| (name(path), read(path))).collect()
}

/// Input bytes that look like nothing in particular; floats between -2 and 2.
fn inputs(lowered: &Lowered) -> Vec<Vec<u8>> {
    let of = |(i, port): (usize, &smidgen_program::Port)| match port.operand {
        Operand::Buffer(id, _) => {
            let spec = &lowered.buffers[id.index()];
            let mut state = 0x9e37_79b9_7f4a_7c15u64 ^ i as u64;
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 40) as u32
            };
            match spec.element {
                smidgen_program::ElementType::Float32 => (0..spec.bytes() / 4)
                    .flat_map(|_| ((next() & 0xffff) as f32 / 16384.0 - 2.0).to_le_bytes())
                    .collect(),
                _ => (0..spec.bytes()).map(|_| next() as u8).collect(),
            }
        }
        Operand::Constant(_) => Vec::new(),
    };
    lowered.inputs.iter().enumerate().map(of).collect()
}

/// The oracle's Program.
fn certified(lowered: &Lowered) -> Certified {
    certify(layer_wise(lowered)).expect("a sound program")
}

fn outputs(program: Certified, inputs: &[Vec<u8>], poison: bool) -> Vec<Vec<u8>> {
    let live = poison.then(|| live_ranges(&program).after);
    let mut executor = Executor::new(program);
    if let Some(live) = live {
        executor = executor.with_poison(live).expect("ranges inside the arena");
    }
    for (i, bytes) in inputs.iter().enumerate() {
        executor.set_input(i, bytes).expect("an input of this size");
    }
    executor.run();
    (0..executor.program().outputs.len()).map(|i| executor.output(i).to_vec()).collect()
}

/// All schedules to try: name and options.
fn schedules() -> Vec<PlanOptions> {
    let choices = [
        "layer",
        "stream",
        "auto",
        "patch:2x2@2",
        "patch:3x2@4",
        "patch:2x3@6",
        "patch:4x4@8",
        "strips:2@5",
        "strips:3@8",
    ];
    let mut all: Vec<PlanOptions> = choices
        .iter()
        .map(|c| PlanOptions { schedule: c.parse().expect("a schedule"), ..PlanOptions::default() })
        .collect();
    all.push(PlanOptions { schedule: ScheduleChoice::Stream, stream_input: true, ..PlanOptions::default() });
    all.push(PlanOptions { stream_input: true, ..PlanOptions::default() });
    all.push(PlanOptions { objective: Objective::Speed, budget: Some(60_000), ..PlanOptions::default() });
    all.push(PlanOptions { objective: Objective::Speed, ..PlanOptions::default() });
    all.push(PlanOptions { objective: Objective::Sram, ..PlanOptions::default() });
    all
}

/// Compares every schedule that suits the network with the layer-wise oracle; returns how many did.
fn check(name: &str, lowered: &Lowered, schedules: &[PlanOptions]) -> usize {
    let inputs = inputs(lowered);
    let expected = outputs(certified(lowered), &inputs, false);
    let mut suited = 0;
    for options in schedules {
        let label =
            format!("{name}, {}{}", options.schedule, if options.stream_input { ", input streamed" } else { "" });
        let plan = match plan(lowered, options) {
            Ok(plan) => plan,
            // Not every first K operators can be tiled.
            Err(PlanError::Tile(error)) => {
                eprintln!("{label}: {error}");
                continue;
            }
            Err(error) => panic!("{label}: {error}"),
        };
        suited += 1;
        println!("{label}: {} bytes, at least {}", plan.report.total_bytes, plan.report.lower_bound_bytes);
        assert_eq!(outputs(plan.program, &inputs, true), expected, "{label}");
    }
    suited
}

/// The same tiling over the number of operators nearest to the one asked for that can be tiled so.
fn suitable(lowered: &Lowered, choice: ScheduleChoice) -> Option<ScheduleChoice> {
    let (ScheduleChoice::Patch { operators: wanted, .. } | ScheduleChoice::Strips { operators: wanted, .. }) = choice
    else {
        return Some(choice);
    };
    let mut counts: Vec<usize> = (1..=lowered.steps.len()).collect();
    counts.sort_by_key(|&n| (n.abs_diff(wanted), n));
    counts.into_iter().find_map(|n| {
        let mut choice = choice;
        if let ScheduleChoice::Patch { operators, .. } | ScheduleChoice::Strips { operators, .. } = &mut choice {
            *operators = n;
        }
        plan(lowered, &PlanOptions { schedule: choice, ..PlanOptions::default() }).is_ok().then_some(choice)
    })
}

#[test]
fn every_schedule_of_every_model_gives_the_same_bytes() {
    for (name, lowered) in models(false) {
        let schedules: Vec<PlanOptions> = schedules()
            .into_iter()
            .filter_map(|options| Some(PlanOptions { schedule: suitable(&lowered, options.schedule)?, ..options }))
            .collect();
        // The six tiled schedules do not suit vectors, which have no rows or columns, nor convolutions of float pictures with
        // int8 weights, which quantise by the range of the whole picture.
        let expected = if name == "mlperf-ad" || name == "mlperf-kws-float" { 8 } else { 14 };
        assert_eq!(check(&name, &lowered, &schedules), expected, "{name}");
    }
}

/// What the arena may take with int8 inputs and outputs and nothing recomputed: whole input, streamed input.
const BUDGETS: [(&str, usize, Option<usize>); 7] = [
    ("mcunet-vww", 27_000, Some(20_000)),
    ("mcunet-person-detection", 86_000, None),
    ("mlperf-resnet8", 20_500, None),
    ("mlperf-kws", 9_500, None),
    ("mlperf-ad", 1_500, None),
    ("person-detect", 19_000, Some(17_000)),
    ("mcunet-5fps-imagenet", 60_000, Some(33_000)),
];

#[test]
fn plans_of_the_models_stay_within_their_budgets() {
    for (name, lowered) in models(true) {
        let Some(&(_, whole, streamed)) = BUDGETS.iter().find(|(of, ..)| *of == name) else { continue };
        for (stream_input, budget) in [(false, whole), (true, streamed.unwrap_or(whole))] {
            let start = std::time::Instant::now();
            let plan = plan(&lowered, &PlanOptions { stream_input, ..PlanOptions::default() }).expect("a plan");
            let r = &plan.report;
            println!(
                "{name}{}: {} bytes, at least {}{}, budget {budget}; {} runs; planned in {} ms",
                if stream_input { ", input streamed" } else { "" },
                r.total_bytes,
                r.lower_bound_bytes,
                if r.optimal { " (optimal)" } else { "" },
                r.runs,
                start.elapsed().as_millis()
            );
            assert!(r.extra_macs_percent == 0.0 && r.total_bytes <= budget, "{name}: {} > {budget}", r.total_bytes);
        }
    }
}

#[test]
fn every_schedule_of_random_graphs_gives_the_same_bytes() {
    for seed in 0..1000u64 {
        let graph = smidgen_synthetic::random_graph(seed, &smidgen_synthetic::RandomGraphOptions::default());
        let lowered = lower(&graph, &LowerOptions::default()).expect("supported operators");
        let (n, operators) = (seed as usize, 1 + seed as usize % 7);
        let tiled = match n % 3 {
            0 => ScheduleChoice::Strips { count: 2 + n % 2, operators },
            _ => ScheduleChoice::Patch { rows: 1 + n % 3, cols: 1 + n / 3 % 3, operators },
        };
        let choose = |schedule, stream_input| PlanOptions { schedule, stream_input, ..PlanOptions::default() };
        let schedules = [
            choose(ScheduleChoice::Layer, false),
            choose(ScheduleChoice::Stream, n % 2 == 0),
            choose(ScheduleChoice::Auto, n % 2 == 1),
            choose(tiled, false),
        ];
        check(&format!("seed {seed}"), &lowered, &schedules);
    }
}

/// Plans a network of the zoo and checks that what it needs is within a budget and the bytes are right.
fn check_zoo(name: &str, graph: &smidgen_ir::Graph, options: &PlanOptions, budget: usize) {
    let lowered = lower(graph, &LowerOptions::default()).expect("supported operators");
    let start = std::time::Instant::now();
    let plan = plan(&lowered, options).expect("a plan");
    let report = &plan.report;
    println!(
        "{name}: {} bytes, at least {} for this list; planned in {} ms",
        report.total_bytes,
        report.lower_bound_bytes,
        start.elapsed().as_millis()
    );
    assert!(report.total_bytes <= budget && report.extra_macs_percent == 0.0);
    let inputs = inputs(&lowered);
    assert_eq!(outputs(plan.program, &inputs, false), outputs(certified(&lowered), &inputs, false));
}

#[test]
fn a_network_with_channel_gates_fits() {
    check_zoo("gated, 224x224", &smidgen_synthetic::gated(224, 6, 1), &PlanOptions::default(), 300 << 10);
}

#[test]
fn a_published_network_fits_with_a_streamed_input() {
    let file = shared().join("data/mcunet-architectures/mcunet-320kb-1mb_imagenet.json");
    let Ok(json) = std::fs::read_to_string(&file) else {
        skip(Lack::Optional, "a published network", &format!("there is no {}", file.display()));
        return;
    };
    let graph = smidgen_synthetic::mcunet(&json, 1).expect("a network");
    let options = PlanOptions { stream_input: true, ..PlanOptions::default() };
    check_zoo("mcunet-320kb-1mb, 176x176, input streamed", &graph, &options, 70_000);
}
