//! Mutated files through every stage: the part of `fuzz/` that needs no other toolchain, with a fixed seed.

mod mutate;
mod seeds;
mod stages;

use smidgen_synthetic::Random;
use stages::{Reached, through_all};
use std::collections::BTreeMap;

/// Files tried of each seed.
const MUTATIONS: usize = 6;
/// Bytes of a seed that is mutated.
const MOST_BYTES: usize = 20_000;

#[test]
fn mutated_files_pass_every_stage_or_are_refused_with_a_reason() {
    let mut reached: BTreeMap<Reached, usize> = BTreeMap::new();
    let mut random = Random::new(26);
    for (name, seed) in seeds::seeds().into_iter().filter(|(_, bytes)| bytes.len() <= MOST_BYTES) {
        for round in 0..MUTATIONS {
            let bytes = mutate::mutate(&seed, &mut random);
            let outcome = std::panic::catch_unwind(|| through_all(&bytes));
            let Ok(outcome) = outcome else {
                let path = std::env::temp_dir().join(format!("smidgen-{round}-{name}"));
                std::fs::write(&path, &bytes).unwrap();
                panic!("mutation {round} of {name}, kept as {}", path.display());
            };
            *reached.entry(outcome).or_default() += 1;
        }
    }
    println!("{reached:?}");
    // Mutations that are all refused at once would test nothing.
    let all: usize = reached.values().sum();
    let beyond = |least: Reached| reached.range(least..).map(|(_, count)| count).sum::<usize>();
    assert!(all > 1000 && 20 * beyond(Reached::Run) > all, "{reached:?}");
    assert!(beyond(Reached::Quantised) > 20, "{reached:?}");
}

#[test]
fn seeds_that_nobody_damaged_pass_every_stage() {
    for (name, seed) in seeds::seeds() {
        assert!(through_all(&seed) >= Reached::Read, "{name}");
    }
}
