//! Any bytes through every stage: read, print, clean up, lower, plan, certify, generate code, run, quantise. No panic, no fault of
//! smidgen's own, and every schedule gives the same bytes. Text is mutated by its words.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use smidgen_zoo::Random;

#[path = "../../crates/smidgen/tests/pipeline/mutate.rs"]
mod mutate;
#[path = "../../crates/smidgen/tests/pipeline/stages.rs"]
mod stages;

fuzz_target!(|bytes: &[u8]| {
    stages::through_all(bytes);
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let mut random = Random::new(u64::from(seed));
    if random.chance(1, 4) {
        return fuzzer_mutate(data, size, max_size);
    }
    let mutated = mutate::mutate(&data[..size], &mut random);
    let len = mutated.len().min(max_size);
    data[..len].copy_from_slice(&mutated[..len]);
    len
});
