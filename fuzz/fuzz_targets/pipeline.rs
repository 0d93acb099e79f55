//! Any bytes through every stage: read, print, clean up, lower, plan, certify, generate code, run, quantise. No panic, no fault of
//! smidgen's own, every schedule gives the same bytes, and nothing takes more than two seconds of the processor. Text is mutated by its words.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use rustix::time::{ClockId, clock_gettime};
use smidgen_synthetic::Random;
use std::time::Duration;

#[path = "../../crates/smidgen/tests/pipeline/mutate.rs"]
mod mutate;
#[path = "../../crates/smidgen/tests/pipeline/stages.rs"]
mod stages;

/// What one case may take. The fuzzer's own limit is one of time that passes, which on a busy machine says little.
const MOST: Duration = Duration::from_secs(2);

/// Time of the processor that this thread has taken.
fn taken() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fuzz_target!(|bytes: &[u8]| {
    let one = || {
        let before = taken();
        stages::through_all(bytes);
        taken() - before
    };
    let first = one();
    // Where a core is shared, others' work makes this one slower: the least of three says what the case itself takes.
    let took = if first <= MOST { first } else { first.min(one()).min(one()) };
    assert!(took <= MOST, "took {took:?}");
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
