use super::*;
use crate::schedule::fixture::{Net, mobilenet_v2};
use smidgen_certify::check_runs;
use smidgen_program::costs::work;
use smidgen_program::{Region, StepId};

// The kernels of these networks are stand-ins, so that their plans get no certificate: lists and offsets are judged alone.

fn options(schedule: &str) -> PlanOptions {
    PlanOptions { schedule: schedule.parse().unwrap(), ..PlanOptions::default() }
}

/// Small enough to plan often: MobileNetV2 at 64 pixels.
fn net() -> Lowered {
    mobilenet_v2(64).0
}

#[test]
fn the_plan_is_valid_small_and_the_same_every_time() {
    let net = net();
    let layer = draft(&net, &options("layer")).unwrap().report.total_bytes;
    let auto = draft(&net, &options("auto")).unwrap();
    assert!(auto.report.total_bytes < layer && auto.report.extra_macs_percent == 0.0);
    assert_eq!(auto.report.total_bytes, auto.program.arena_bytes);
    check_runs(&auto.program).unwrap();
    assert_eq!(draft(&net, &options("auto")).unwrap(), auto);
    let covered: Vec<usize> = auto.report.segments.iter().flat_map(|s| s.steps.clone()).collect();
    assert_eq!(covered, (0..net.steps.len()).collect::<Vec<_>>());
}

#[test]
fn more_memory_buys_speed_and_too_little_costs_recomputation() {
    let net = net();
    let sram = PlanOptions { objective: Objective::Sram, ..options("auto") };
    let least = draft(&net, &sram).unwrap().report;
    let ample = Some(2 * least.total_bytes);
    let fast =
        draft(&net, &PlanOptions { objective: Objective::Speed, budget: ample, ..PlanOptions::default() }).unwrap();
    assert!(fast.report.fits && fast.report.instructions <= least.instructions);
    assert!(
        fast.report.least.is_none_or(|l| l.total_bytes <= least.total_bytes),
        "the least is what --objective sram finds"
    );
    let tight = PlanOptions { budget: Some(least.total_bytes - 1), ..sram };
    let tiled = draft(&net, &tight).unwrap().report;
    if tiled.fits {
        assert!(tiled.extra_macs_percent > 0.0);
    } else {
        assert_eq!(tiled.total_bytes, least.total_bytes);
    }
}

#[test]
fn tiles_report_what_they_compute_again() {
    let (net, ends) = mobilenet_v2(64);
    for schedule in [format!("patch:2x2@{}", ends[2]), format!("strips:3@{}", ends[2])] {
        let plan = draft(&net, &options(&schedule)).unwrap();
        check_runs(&plan.program).unwrap();
        let unclipped = plan.report.extra_macs_unclipped_percent.unwrap();
        assert!(plan.report.extra_macs_percent > 0.0 && plan.report.extra_macs_percent < unclipped);
    }
    let streamed = PlanOptions { stream_input: true, ..options("patch:2x2@3") };
    assert!(matches!(draft(&net, &streamed), Err(PlanError::StreamedTiles(_))));
}

#[test]
fn the_front_goes_from_small_to_fast() {
    let front = pareto(&net(), false, Default::default()).unwrap();
    assert!(front.len() >= 2);
    for pair in front.windows(2) {
        assert!(pair[0].total_bytes < pair[1].total_bytes && pair[0].instructions > pair[1].instructions);
    }
}

#[test]
fn advice_names_what_would_help() {
    let net = net();
    let tight = PlanOptions { budget: Some(10_000), ..options("layer") };
    let report = draft(&net, &tight).unwrap().report;
    let advice = advise(&net, &tight, &report).unwrap();
    assert_eq!(advice.excess, report.total_bytes - 10_000);
    assert!(advice.alternatives.iter().any(|(what, bytes)| what.contains("auto") && *bytes < report.total_bytes));
    let ample = PlanOptions { budget: Some(10_000_000), ..options("layer") };
    assert!(advise(&net, &ample, &draft(&net, &ample).unwrap().report).is_none());
}

#[test]
fn independent_branches_run_in_the_order_that_keeps_least() {
    // Both branches widen and narrow; the graph's order widens both before it narrows either.
    let mut net = Net::default();
    let x = net.input(8, 8, 2);
    let a = net.conv(x, 3, 1, 32);
    let b = net.conv(x, 3, 1, 32);
    let c = net.conv(a, 3, 1, 2);
    let d = net.conv(b, 3, 1, 2);
    let y = net.add(c, d);
    let net = net.outputs(&[y]);
    let plan = draft(&net, &options("layer")).unwrap();
    check_runs(&plan.program).unwrap();
    assert!(plan.report.total_bytes < 2 * 8 * 8 * 32, "{}", plan.report.total_bytes);
}

/// A chain of element-wise steps on so many rows.
fn chain(steps: usize, rows: usize) -> Lowered {
    let mut net = Net::default();
    let mut x = net.input(rows, 2, 2);
    for _ in 0..steps {
        x = net.conv(x, 1, 1, 2);
    }
    net.outputs(&[x])
}

/// All segments of a network, and the best choice of them found by looking at every one: the least greatest peak, and the fewest
/// instructions within a limit.
fn by_brute_force(
    flow: &Flow,
    (stream_input, costs): (bool, &'static Costs),
    limit: Option<usize>,
    measure: segments::Measure,
) -> Option<u64> {
    let end = flow.lowered.steps.len();
    let mut evaluator = Evaluator::new(flow, stream_input, costs);
    let mut best = vec![None; end + 1];
    best[0] = Some(0);
    for to in 1..=end {
        for from in 0..to {
            let Some(so_far) = best[from] else { continue };
            let open = |at: usize| flow.tensors_alive(at) <= 3 || at == 0 || at == end;
            let kinds = match to - from {
                1 => vec![Kind::Layer],
                _ if open(from) && open(to) => vec![Kind::Stream { parts: 1 }, Kind::Stream { parts: 4 }],
                _ => Vec::new(),
            };
            for kind in kinds {
                let segment = evaluator.evaluate(from, to, kind);
                let peak = measure(segment.peak);
                let cost = match limit {
                    None => (peak as u64).max(so_far),
                    Some(limit) if peak <= limit => segment.instructions + so_far,
                    Some(_) => continue,
                };
                best[to] = Some(best[to].map_or(cost, |known: u64| known.min(cost)));
            }
        }
    }
    best[end]
}

#[test]
fn what_is_not_looked_at_is_no_better() {
    for (seed, side) in [(1_usize, 12), (2, 16), (3, 20), (4, 9), (5, 24)] {
        let mut net = Net::default();
        let mut x = net.input(side, side, 3);
        for block in 0..4 {
            let n = seed * 7 + block * 5;
            x = net.bottleneck(x, 2 + n % 5, 3 + 2 * (n % 3), 1 + (n + seed) % 2, 4 + 4 * (n % 4));
        }
        net.staged();
        let lowered = net.outputs(&[x]);
        let flow = Flow::new(&lowered);
        let costs = Costs::ALL[seed % Costs::ALL.len()];
        for stream_input in [false, true] {
            let candidates = Candidates::new(&flow, stream_input, costs);
            for measure in MEASURES {
                let brute = |limit| by_brute_force(&flow, (stream_input, costs), limit, measure);
                let least = candidates.least_peak(&flow, 0, measure);
                assert_eq!(brute(None), Some(least as u64), "{seed}");
                for limit in [least - 1, least, least + least / 24, 2 * least, usize::MAX] {
                    let found = candidates.fastest(&flow, 0, limit, measure);
                    assert!(found.iter().flatten().all(|segment| measure(segment.peak) <= limit));
                    let found = found.map(|segments| segments.iter().map(|s| s.instructions).sum::<u64>());
                    assert_eq!(found, brute(Some(limit)), "{seed}, {limit}");
                }
            }
        }
    }
}

/// Numbers below any other, by chance.
fn chance(seed: u64) -> impl FnMut(usize) -> usize {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed + 1);
    move |n: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        ((random >> 33) % n as u64) as usize
    }
}

/// Some rows of a tensor.
fn sliced(net: &mut Net, x: usize, mut below: impl FnMut(usize) -> usize) -> usize {
    let rows = net.extent(x).rows;
    let first = below(rows);
    let end = first + 1 + below(rows - first);
    net.sliced(x, (first, end), 1 + below(3), below(2) == 0, below(2) == 0)
}

/// A chain of bottlenecks of random sizes, as they may be.
fn bottlenecks(seed: usize) -> Lowered {
    let mut below = chance(seed as u64);
    let mut net = Net::default();
    let (rows, cols) = (1 + below(24), 1 + below(24));
    let mut x = net.input(rows, cols, 1 + below(4));
    for _ in 0..1 + below(5) {
        let depth = net.extent(x).depth;
        x = match below(7) {
            6 => sliced(&mut net, x, &mut below),
            0 => net.conv(x, 1 + 2 * below(3), 1 + below(2), 1 + below(20)),
            1 => net.depthwise(x, 3, 1),
            2 => net.bottleneck(x, 1 + below(6), 3 + 2 * below(3), 1, depth),
            _ => net.bottleneck(x, 1 + below(6), 3 + 2 * below(3), 1 + below(2), 1 + below(20)),
        };
    }
    match below(6) {
        0 | 3 => {
            let mean = net.mean(x);
            x = net.connected(mean, 5);
        }
        1 => x = sliced(&mut net, x, &mut below),
        _ => {}
    }
    net.staged();
    net.outputs(&[x])
}

#[test]
fn arithmetic_gives_no_more_than_a_walk_over_all_rows() {
    let (mut said, mut equal) = (0, 0);
    for seed in 100..400 {
        let lowered = bottlenecks(seed);
        let flow = Flow::new(&lowered);
        for stream_input in [false, true] {
            let arithmetic = segments::arithmetic(&flow, stream_input);
            let mut evaluator = Evaluator::new(&flow, stream_input, PlanOptions::default().costs);
            for from in 0..lowered.steps.len() {
                for to in from + 2..=lowered.steps.len() {
                    let bound = arithmetic.stream(from, to, arithmetic::NEVER).unwrap_or_default();
                    for (parts, bound) in [1, 4].into_iter().zip(bound.during) {
                        let Segment { peak, .. } = evaluator.evaluate(from, to, Kind::Stream { parts });
                        let peak = peak.rings.min(peak.slots);
                        assert!(bound <= peak, "{seed} {stream_input} {from}..{to} in {parts}: {bound} and {peak}");
                        said += usize::from(bound > 0);
                        equal += usize::from(bound == peak);
                    }
                }
            }
        }
    }
    assert!(said > 2_000 && 3 * equal > said, "{equal} of {said}");
}

#[test]
fn no_segments_bands_and_parts_keep_less_than_the_lower_end() {
    let (mut forms, mut close, mut said) = (0, 0, 0);
    for seed in 300..380 {
        let lowered = bottlenecks(seed);
        let end = lowered.steps.len();
        let mut below = chance(seed as u64);
        for stream_input in [false, true] {
            let flow = Flow::new(&lowered);
            let lower = sketch::Ground::new(&flow, stream_input).lower(usize::MAX);
            let mut least = usize::MAX;
            for draw in 0..60 {
                // Bands as the search for faster steps may choose them.
                let mut banded = lowered.clone();
                for step in banded.steps.iter_mut().filter(|_| draw % 4 > 0) {
                    let band = [1, 1, 2, 3, 4, 6, 8][below(7)];
                    let height = step.outputs[0].extent.rows;
                    if let Some(other) = local_search::with_rows(step, band.min(height)) {
                        *step = other;
                    }
                }
                let flow = Flow::new(&banded);
                let mut evaluator = Evaluator::new(&flow, stream_input, PlanOptions::default().costs);
                let (mut segments, mut from) = (Vec::new(), 0);
                while from < end {
                    let to = if below(3) == 0 { end } else { from + 1 + below(end - from) };
                    let kind = match below(4) {
                        0 => Kind::Layer,
                        1 => Kind::Stream { parts: 4 },
                        _ => Kind::Stream { parts: 1 },
                    };
                    let open = flow.tensors_alive(to) <= segments::MOST_ALIVE || to == end;
                    if kind == Kind::Layer || open && flow.tensors_alive(from) <= segments::MOST_ALIVE {
                        segments.push(evaluator.evaluate(from, to, kind));
                        from = to;
                    }
                }
                let mut form = Candidate::new(&flow, None, segments);
                form.parts.iter_mut().for_each(|parts| *parts = [usize::MAX, 2, 1][below(3)]);
                let list = form.list(&flow, stream_input, PlanOptions::default().costs, false).unwrap();
                least = least.min(crate::estimate(&banded, &list.runs, &list.storage).unwrap().live_bytes);
                forms += 1;
            }
            assert!(lower <= least, "{seed} {stream_input}: {lower} and {least}");
            close += usize::from(10 * lower >= 8 * least);
            said += 1;
        }
    }
    assert!(2 * close > said, "of {forms} forms of {said} networks {close} are near the lower end");
}

#[test]
fn a_kernel_that_computes_several_rows_together_takes_no_less_scratch() {
    // The lower end counts the scratch of single rows.
    for seed in 0..60 {
        for step in &bottlenecks(seed).steps {
            let scratch = |rows| local_search::with_rows(step, rows).map(|step| step.scratch_bytes);
            assert!((2..9).all(|rows| scratch(rows) >= scratch(rows - 1)), "{}", step.name);
        }
    }
}

/// Runs that are looked at where all segments are.
fn visits(steps: usize, rows: usize) -> usize {
    let net = chain(steps, rows);
    let flow = Flow::new(&net);
    let candidates = Candidates::new(&flow, false, PlanOptions::default().costs);
    candidates.limits(&flow, 0);
    candidates.visits()
}

#[test]
fn the_search_for_segments_is_bounded_and_says_so() {
    // Segments of every length, as long as there are few steps.
    let few = visits(10, 8);
    assert!(few >= 10 * 9 / 2 * 8);
    for (steps, rows) in [(1000, 4), (300, 64), (40, 20_000), (2, 1_000_000)] {
        let found = visits(steps, rows);
        // One segment may exceed what is left, by its own two lists.
        let most = segments::VISITS + 4 * segments::MOST_STREAMED_ROWS;
        assert!(found <= most, "{steps} steps of {rows} rows: {found}");
    }
    let report = draft(&chain(3, 100_000), &options("auto")).unwrap().report;
    assert!(report.coarse && report.runs <= 3, "{} runs", report.runs);
    assert!(!draft(&chain(3, 100), &options("auto")).unwrap().report.coarse);
}

#[test]
fn a_stream_of_too_many_steps_or_rows_is_cut() {
    for (steps, rows) in [(1000, 2), (3, 100_000), (5, 30_000)] {
        let planned = draft(&chain(steps, rows), &options("stream")).unwrap();
        check_runs(&planned.program).unwrap();
        assert!(planned.report.coarse, "{steps} {rows}");
        // Steps that have too many rows alone come together as one segment, whole.
        let segments = &planned.report.segments;
        assert!(segments.len() > 1 || segments[0].schedule == "layer", "{steps} {rows}");
        let covered: Vec<usize> = planned.report.segments.iter().flat_map(|s| s.steps.clone()).collect();
        assert_eq!(covered, (0..steps).collect::<Vec<_>>());
    }
}

#[test]
fn a_chain_longer_than_a_stack_is_streamed() {
    let net = chain(40_000, 2);
    let flow = Flow::new(&net);
    let mut writer = crate::schedule::Writer::starting_at(&flow, 0, true);
    writer.stream(0, 40_000);
    assert_eq!(writer.runs.len(), 2 * 40_001);
}

#[test]
fn parts_of_other_kernels_add_up() {
    let mut net = Net::default();
    let x = net.input(8, 6, 4);
    let y = net.add(x, x);
    let net = net.outputs(&[y]);
    for costs in Costs::ALL {
        let run =
            |y0, y1| costs.of_run(&net, &Run::Compute { step: StepId(0), region: Region { y0, y1, x0: 0, x1: 6 } });
        let one = costs.rates[work(&net.steps[0], Region { y0: 0, y1: 8, x0: 0, x1: 6 }).family as usize][0];
        assert_eq!(run(0, 4) + run(4, 8), run(0, 8) + u64::from(one), "{}", costs.name);
    }
}
