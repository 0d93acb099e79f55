//! Truncated and mutated files: no panic, no hang, no more memory than the file's size justifies.
//!
//! This test binary counts every allocation, so it holds one test only: others beside it would be counted too.

mod common;

use common::Random;
use smidgen_tflite::{check, read, write};
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

/// Most bytes that anything here may take, whatever the file.
const CAP: usize = 256 << 20;

/// Most bytes that reading a file of this size may take: the reader's budget, and what its lists grow beyond their contents.
fn bound(file: usize) -> usize {
    (40 * file + (256 << 10)).min(CAP)
}

/// Most bytes that the turns of loops may take besides, whatever the file.
const LOOPS: usize = 96 << 20;

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
    invalid: usize,
    sound: usize,
    slowest: Duration,
    /// Peak memory over file size, and the peak.
    largest: (f64, usize),
}

impl Tally {
    /// Reads the file and writes the graph; now and then also lists what is unsupported and reads what was written.
    /// Loops may take `loops` bytes besides.
    fn try_file(&mut self, bytes: &[u8], loops: usize, what: &dyn Fn() -> String) {
        let start = Instant::now();
        let mut graph = None;
        let bound = bound(bytes.len()) + loops;
        let used = peak(|| graph = read(bytes).ok());
        assert!(used <= bound, "{}: reading {} bytes took {used} bytes of memory", what(), bytes.len());
        let ratio = used as f64 / bytes.len().max(1) as f64;
        if bytes.len() > 4096 && ratio > self.largest.0 {
            self.largest = (ratio, used);
        }
        let number = self.refused + self.invalid + self.sound;
        if number.is_multiple_of(4) {
            let listed = peak(|| drop(check(bytes)));
            assert!(listed <= bound, "{}: checking {} bytes took {listed}", what(), bytes.len());
        }
        match graph {
            None => self.refused += 1,
            Some(graph) => {
                let mut valid = false;
                let used = peak(|| {
                    valid = smidgen_ir::validate(&graph).is_ok();
                    // Writing a graph that is not valid may fail, but not otherwise than by an error.
                    let file = write(&graph);
                    if let (Ok(file), true, 0) = (file, valid, number % 8) {
                        let again = read(&file).unwrap_or_else(|error| panic!("{}, written: {error}", what()));
                        assert!(write(&again).as_ref() == Ok(&file), "{}: the second file differs", what());
                    }
                });
                assert!(used <= bound, "{}: writing took {used} bytes of memory", what());
                if valid { self.sound += 1 } else { self.invalid += 1 }
            }
        }
        let took = start.elapsed();
        assert!(took < Duration::from_secs(1), "{}: took {took:?}", what());
        self.slowest = self.slowest.max(took);
    }
}

/// The real models, or small files of our own where they are absent.
fn files() -> Vec<(String, Vec<u8>)> {
    let models = common::models();
    if !models.is_empty() {
        return models;
    }
    let written = |(name, graph): (String, smidgen_ir::Graph)| (name, write(&graph).expect("a file"));
    common::samples::graphs().into_iter().map(written).collect()
}

#[test]
fn damaged_files_cost_nothing_but_an_error() {
    let files = files();
    let mut tally = Tally::default();
    let mut random = Random::new(20_000);
    for (name, bytes) in &files {
        for i in 0..200 {
            // Evenly spread, and one in four at the very start, where the tables' tables are.
            let length = if i % 4 == 0 { i } else { bytes.len() * i / 200 };
            tally.try_file(&bytes[..length], 0, &|| format!("{name} cut after {length} bytes"));
        }
    }
    let cut = files.len() * 200;
    let hostile = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/hostile")).expect("the hostile files");
    for path in hostile.map(|entry| entry.expect("an entry").path()) {
        let bytes = std::fs::read(&path).expect("a hostile file");
        let is_loop = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("loop-"));
        tally.try_file(&bytes, if is_loop { LOOPS } else { 0 }, &|| path.display().to_string());
    }
    for i in 0..20_000 {
        let (name, bytes) = &files[i % files.len()];
        let mut bytes = bytes.clone();
        let mut changes = Vec::new();
        for _ in 0..[1, 1, 2, 8][random.below(4)] {
            let at = somewhere(&bytes, &mut random);
            let value = match random.below(4) {
                0 => [0, 1, 0x7f, 0x80, 0xff][random.below(5)],
                1 => bytes[at] ^ (1 << random.below(8)),
                _ => random.next() as u8,
            };
            changes.push((at, value));
            bytes[at] = value;
        }
        tally.try_file(&bytes, 0, &|| format!("{name} with {changes:?} (mutation {i})"));
    }
    let Tally { refused, invalid, sound, slowest, largest } = tally;
    println!(
        "{cut} truncations and 20000 mutations of {} files: {refused} refused, {invalid} read but not valid, {sound} sound; \
         slowest {slowest:?}, largest peak {:.1} times the file ({} KiB)",
        files.len(),
        largest.0,
        largest.1 / 1024
    );
    assert!(refused > 1000 && sound > 1000, "the mutations hit nothing of interest");
}

/// A place to change: half of the time any, else one that looks like an offset, a count or a small number, since most bytes of
/// a model are weights, which may be anything.
fn somewhere(bytes: &[u8], random: &mut Random) -> usize {
    let any = random.below(bytes.len());
    if random.below(2) == 0 {
        return any;
    }
    let words = bytes.len() / 4;
    let structural = |word: usize| matches!(bytes[4 * word..4 * word + 4], [_, _, 0, 0] | [_, _, 0xff, 0xff]);
    (0..words.min(200_000))
        .map(|step| (any / 4 + step) % words.max(1))
        .find(|&word| structural(word))
        .map_or(any, |word| 4 * word + random.below(4))
}
