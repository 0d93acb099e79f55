//! Placing schedules of random graphs, judged by the certifier, which shares no code with the planner.

mod support;

use proptest::prelude::*;
use smidgen_certify::check_runs;
use smidgen_plan::aliasing::aliasing;
use smidgen_plan::liveness::analyse;
use smidgen_plan::{Storage, allocate, estimate};
use smidgen_program::{Buffer, Bytes, Lowered, Program, Region, Run, StepId};
use support::{Generator, extent, layer_wise, patched, port, reach, streamed};

/// Places and has the result validated; returns the arena's bytes.
fn check(lowered: Lowered, runs: Vec<Run>, storage: Vec<Storage>) -> usize {
    let estimate = estimate(&lowered, &runs, &storage).unwrap();
    let (program, report) = allocate(lowered, runs, storage).unwrap();
    if let Err(error) = check_runs(&program) {
        panic!("{error}\n{:#?}\n{:?}", program.runs, program.buffers);
    }
    assert_eq!(program.arena_bytes, report.arena_bytes);
    assert!(report.lower_bound <= report.arena_bytes);
    assert_eq!(report.optimal, report.lower_bound == report.arena_bytes);
    assert_eq!(estimate.live_bytes, report.live_bytes.iter().copied().max().unwrap_or(0));
    assert!(estimate.live_bytes <= report.lower_bound);
    report.arena_bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..Default::default() })]

    #[test]
    fn layer_wise_plans_are_valid(seed: u64, operators in 1usize..10) {
        let (lowered, _) = Generator::new(seed).graph(operators);
        let (runs, storage) = layer_wise(&lowered);
        check(lowered, runs, storage);
    }

    #[test]
    fn streamed_plans_are_valid(seed: u64, operators in 1usize..10, rings in prop::sample::select(vec![0, 60, 100])) {
        let (lowered, mut random) = Generator::new(seed).graph(operators);
        let (runs, storage) = streamed(&lowered, &mut random, rings);
        // Where only padding is read of what a consuming step gives, a list on demand leaves it out, which the validator does not allow.
        let runs_of = |s: usize| runs.iter().any(|run| matches!(run, Run::Compute { step, .. } if step.index() == s));
        prop_assume!((0..lowered.steps.len()).all(|s| !lowered.steps[s].consumes || runs_of(s)));
        check(lowered, runs, storage);
    }

    #[test]
    fn patched_plans_are_valid(seed: u64, operators in 1usize..5, n in 1usize..4) {
        let (lowered, runs, storage) = patched(seed, operators, n);
        check(lowered, runs, storage);
    }

    /// One operator between two buffers: the distance found is safe, and one element less is not.
    #[test]
    fn distances_are_safe_and_tight(seed: u64, partial: bool) {
        let mut g = Generator::new(seed);
        let e = extent(g.random.range(1, 14), g.random.range(1, 14), g.random.range(1, 8));
        let x = support::buffer(&mut g.lowered, smidgen_program::ElementType::Int8, e);
        let (rows, out_rows) = reach(&mut g.random, e.rows);
        let (cols, out_cols) = reach(&mut g.random, e.cols);
        let (depth, out_depth) = reach(&mut g.random, e.depth);
        let out = extent(out_rows, out_cols, out_depth);
        let y = support::buffer(&mut g.lowered, smidgen_program::ElementType::Int8, out);
        g.push(vec![(x, e, smidgen_program::Footprint { rows, cols, depth })], vec![y]).scratch_bytes = 0;
        g.lowered.inputs.push(port(&g.lowered, x));
        g.lowered.outputs.push(port(&g.lowered, y));
        // Cut by rows: each part is a run of its own.
        let cut = if partial { g.random.range(1, out.rows) } else { out.rows };
        let runs: Vec<Run> = [(0, cut), (cut, out.rows)]
            .into_iter()
            .filter(|(y0, y1)| y0 < y1)
            .map(|(y0, y1)| Run::Compute { step: StepId(0), region: Region { y0, y1, x0: 0, x1: out.cols } })
            .collect();
        let storage = vec![Storage::Whole; 2];
        let lowered = g.lowered;
        let liveness = analyse(&lowered, &runs, &storage).unwrap();
        let found = aliasing(&lowered, &runs, &storage, &liveness).constraints;
        let at = |distance: isize| {
            let (x_at, y_at) = if distance < 0 { (0, -distance) } else { (distance, 0) };
            program(&lowered, &runs, [x_at as usize, y_at as usize])
        };
        match found.minimum_offset(1, 0) {
            None => {
                for distance in -(e.elements() as isize)..=out.elements() as isize {
                    prop_assert_eq!(check_runs(&at(distance)), Ok(()));
                }
            }
            Some(least) => {
                prop_assert_eq!(check_runs(&at(least)), Ok(()));
                prop_assert_eq!(check_runs(&at(least + 1)), Ok(()));
                prop_assert!(check_runs(&at(least - 1)).is_err(), "{} is not tight {:?} {:?} {:?}", least, lowered.steps, runs, e);
                let most = -found.minimum_offset(0, 1).unwrap();
                prop_assert_eq!(check_runs(&at(most)), Ok(()));
            }
        }
    }
}

/// A program of two buffers at these offsets.
fn program(lowered: &Lowered, runs: &[Run], offsets: [usize; 2]) -> Program {
    let buffers: Vec<Buffer> = lowered
        .buffers
        .iter()
        .zip(offsets)
        .map(|(spec, offset)| Buffer { offset, slots: spec.extent.rows, width: spec.extent.cols, spec: spec.clone() })
        .collect();
    Program {
        arena_bytes: buffers.iter().map(|b| b.offset + b.bytes()).max().unwrap(),
        buffers,
        steps: lowered.steps.clone(),
        scratch: vec![Bytes::default()],
        state: vec![Bytes::default()],
        runs: runs.to_vec(),
        inputs: lowered.inputs.clone(),
        outputs: lowered.outputs.clone(),
        ..Program::default()
    }
}

#[test]
fn lists_that_read_what_is_not_there_are_refused() {
    let (lowered, mut random) = Generator::new(7).graph(4);
    let (runs, storage) = streamed(&lowered, &mut random, 100);
    let missing: Vec<Run> = runs[1..].to_vec();
    assert!(allocate(lowered.clone(), missing, storage.clone()).is_err());
    let mut swapped = runs.clone();
    swapped.reverse();
    assert!(allocate(lowered.clone(), swapped, storage.clone()).is_err());
    assert!(allocate(lowered, runs, storage[1..].to_vec()).is_err());
}
