//! The certifier's replay, which proves whole rows and regions at once, against one that looks at every byte of every block.

#[path = "support/replay.rs"]
mod bytewise;
mod support;

use proptest::prelude::*;
use smidgen_certify::{Refused, check_runs};
use smidgen_plan::allocate;
use smidgen_program::{Program, Run};
use support::{Generator, Random, layer_wise, patched, streamed};

/// Whether a Program was refused before its runs were replayed; the simple replay takes structure for granted.
fn is_structural(refused: &Refused) -> bool {
    use Refused::{Clobbered, Incomplete, OutOfOrder, Tile, Trampled, Unfed, Unfinished};
    !matches!(
        refused,
        Clobbered { .. }
            | Incomplete { .. }
            | OutOfOrder { .. }
            | Tile { .. }
            | Trampled { .. }
            | Unfed { .. }
            | Unfinished { .. }
    )
}

/// Seeds a fault, or two.
fn spoil(p: &mut Program, random: &mut Random) {
    for _ in 0..random.range(1, 2) {
        let b = random.below(p.buffers.len());
        let s = random.below(p.steps.len());
        let run = random.below(p.runs.len());
        match random.below(12) {
            0 => p.buffers[b].offset += p.buffers[b].spec.element_bytes(),
            1 => p.buffers[b].offset = p.buffers[b].offset.saturating_sub(p.buffers[b].spec.element_bytes()),
            2 => p.buffers[b].offset = p.buffers[random.below(p.buffers.len())].offset,
            3 => p.buffers[b].slots = random.range(1, p.buffers[b].spec.extent.rows),
            4 => p.steps[s].order = support::order(random),
            5 if p.runs.len() > 1 => drop(p.runs.remove(run)),
            6 => p.runs.insert(run, p.runs[random.below(p.runs.len())]),
            7 => {
                let other = random.below(p.runs.len());
                p.runs.swap(run, other);
            }
            8 => p.scratch[s].offset = p.buffers[b].offset / 4 * 4,
            9 => p.state[s].offset = p.buffers[b].offset / 4 * 4,
            10 => p.buffers[b].offset += random.below(40),
            _ => {
                if let Run::Compute { region, .. } = &mut p.runs[run] {
                    region.y0 += random.below(2);
                    region.x1 = region.x1.saturating_sub(random.below(2));
                }
            }
        }
        p.arena_bytes += random.below(2) * 64;
    }
}

/// Compares the two verdicts on a Program whose structure is sound; whether it was refused for its runs.
fn agree(program: &Program) -> bool {
    let verdict = check_runs(program);
    if verdict.as_ref().is_err_and(is_structural) {
        return false;
    }
    assert_eq!(bytewise::replay(program), verdict, "{program:?}");
    verdict.is_err()
}

/// Compares the verdicts on a Program and on some that are spoilt; whether any of these was refused for its runs.
fn compare(program: &Program, random: &mut Random) -> bool {
    agree(program);
    let mut refused = false;
    for _ in 0..12 {
        let mut spoilt = program.clone();
        spoil(&mut spoilt, random);
        refused |= agree(&spoilt);
    }
    refused
}

/// Compares on the plans of one random network.
fn judge(seed: u64, operators: usize, rings: usize) {
    let (lowered, mut random) = Generator::new(seed).graph(operators);
    for (runs, storage) in [layer_wise(&lowered), streamed(&lowered, &mut random, rings)] {
        if let Ok((program, _)) = allocate(lowered.clone(), runs, storage) {
            compare(&program, &mut random);
        }
    }
    let (lowered, runs, storage) = patched(seed, operators.min(4), 1 + operators % 3);
    if let Ok((program, _)) = allocate(lowered, runs, storage) {
        compare(&program, &mut random);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..Default::default() })]

    #[test]
    fn whole_rows_are_judged_as_single_blocks_are(seed: u64, operators in 1usize..8, rings in prop::sample::select(vec![0, 60, 100])) {
        judge(seed, operators, rings);
    }
}

/// A block of a whole row needs the columns between those that its windows meet, too.
#[test]
fn columns_that_a_stride_leaves_out_count_as_read() {
    judge(15_514_784_260_306_106_310, 5, 0);
}

#[test]
fn most_faults_are_found() {
    let refused = (0..200).filter(|&seed| {
        let (lowered, mut random) = Generator::new(seed).graph(5);
        let (runs, storage) = streamed(&lowered, &mut random, 60);
        allocate(lowered, runs, storage).is_ok_and(|(program, _)| compare(&program, &mut random))
    });
    let refused = refused.count();
    assert!(refused > 150, "{refused}");
}
