//! Truncated and mutated files: no panic, no hang, no more memory than the file's size justifies.
//!
//! This test binary counts every allocation, so it holds one test only: others beside it would be counted too.

mod common;

use common::build;
use smidgen_onnx::{Options, check, read};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// The system's allocator, counting the bytes in use and their peak.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to `System` with the arguments it came with; only the sizes are added up beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = IN_USE.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(now, Relaxed);
        // SAFETY: the caller's promises about `layout` are those that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: `pointer` came from `alloc` above, thus from `System`, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Most bytes that reading a file of this size may take: the budget of the file, that of one attempt at its graph and of the
/// one before, and the rewrites' copies.
fn bound(file: usize) -> usize {
    64 * file + (128 << 10)
}

/// Peak memory of `run`, beyond what was in use before.
fn peak(run: impl FnOnce()) -> usize {
    let before = IN_USE.load(Relaxed);
    PEAK.store(before, Relaxed);
    run();
    PEAK.load(Relaxed) - before
}

/// What became of the files.
#[derive(Default)]
struct Tally {
    refused: usize,
    sound: usize,
    slowest: Duration,
    largest: usize,
}

impl Tally {
    fn try_file(&mut self, bytes: &[u8], what: &dyn Fn() -> String) {
        let start = Instant::now();
        let mut result = None;
        let used = peak(|| result = Some(read(bytes)));
        assert!(used <= bound(bytes.len()), "{}: reading {} bytes took {used} bytes of memory", what(), bytes.len());
        self.largest = self.largest.max(used);
        match result.expect("it ran") {
            Ok(import) => {
                smidgen_ir::validate(&import.graph).unwrap_or_else(|e| panic!("{}: {e}", what()));
                assert!(check(bytes, &Options::default()).is_ok_and(|found| found.is_empty()), "{}", what());
                self.sound += 1;
            }
            Err(_) => self.refused += 1,
        }
        let took = start.elapsed();
        assert!(took < Duration::from_secs(1), "{}: took {took:?}", what());
        self.slowest = self.slowest.max(took);
    }
}

/// Reproducible numbers (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

#[test]
fn damaged_files_cost_nothing_but_an_error() {
    let files = [("classifier", build::classifier()), ("mixer", build::mixer()), ("quantised", build::quantised())];
    let mut tally = Tally::default();
    for count in [150, 1000, 3000, 20_000] {
        // Sound files that are nothing but operators, in and out of order, take the most memory for their size.
        for bytes in [build::chain(0..count), build::chain((0..count).rev())] {
            let used = peak(|| drop(read(&bytes).expect("a sound file")));
            assert!(
                used <= bound(bytes.len()),
                "{count} operators in {} bytes took {used} bytes of memory",
                bytes.len()
            );
        }
    }
    // Two bytes ask for a node, four for a node with an input.
    for piece in [&[0x0a, 0][..], &[0x0a, 2, 0x0a, 0]] {
        let nodes = piece.repeat(40_000);
        let bytes = build::file(17, build::Message(nodes));
        let used = peak(|| drop(read(&bytes)));
        assert!(used <= bound(bytes.len()), "{} bytes of nodes took {used} bytes of memory", bytes.len());
    }
    for (name, bytes) in &files {
        let import = read(bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(import.graph.operators.len() > 2, "{name}");
        for length in 0..bytes.len() {
            tally.try_file(&bytes[..length], &|| format!("{name} cut after {length} bytes"));
        }
    }
    let cut = tally.refused + tally.sound;
    let mut random = Random(1);
    for i in 0..20_000 {
        let (name, bytes) = &files[i % files.len()];
        let mut bytes = bytes.clone();
        for _ in 0..[1, 1, 2, 8][random.below(4)] {
            let at = random.below(bytes.len());
            bytes[at] = match random.below(4) {
                0 => [0, 1, 0x7f, 0x80, 0xff][random.below(5)],
                1 => bytes[at] ^ (1 << random.below(8)),
                _ => random.next() as u8,
            };
        }
        tally.try_file(&bytes, &|| format!("{name}, mutation {i}"));
    }
    let Tally { refused, sound, slowest, largest } = tally;
    println!(
        "{cut} truncations and 20000 mutations: {refused} refused, {sound} sound; slowest {slowest:?}, largest peak {} KiB",
        largest / 1024
    );
    assert!(refused > 1000 && sound > 1000, "the mutations hit nothing of interest");
}
