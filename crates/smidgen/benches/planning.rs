//! Plans every real model and the published MCUNet architectures, and prints what each takes and how long planning took.
//!
//! Called with the folder that holds `models/` and `data/mcunet-architectures/`. Times are of this run on this machine; every
//! model is planned twice and both plans must be the same.

use smidgen::Network;
use smidgen::ir::{Graph, cost};
use smidgen::lowering::{LowerOptions, lower};
use smidgen::plan::{Objective, Plan, PlanOptions, plan};
use smidgen::program::Lowered;
use smidgen::report::thousands;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// SRAM in kB that the authors publish for their networks: the table of the model zoo (with TinyEngine on an STM32F746), and that
/// of TinyEngine (on an STM32H743), each as printed there. Weights and input resolution are those of the architecture files.
const PUBLISHED: [(&str, &str, &str); 7] = [
    ("mcunet-10fps_imagenet", "266", "49"),
    ("mcunet-5fps_imagenet", "307", "96"),
    ("mcunet-256kb-1mb_imagenet", "242", "215"),
    ("mcunet-320kb-1mb_imagenet", "293", "260"),
    ("mcunet-512kb-2mb_imagenet", "456", "416"),
    ("mbv2-w0.35-r144_imagenet", "308", "-"),
    ("proxyless-w0.3-r176_imagenet", "292", "259"),
];

fn main() {
    let folder = std::env::args().skip(1).find(|a| !a.starts_with('-')).map(PathBuf::from);
    let Some(folder) = folder else {
        println!("name the folder with models/ and data/mcunet-architectures/; `cargo xtask bench planning` does");
        return;
    };
    println!("Real models, int8 at the ends, nothing recomputed. Bytes are exact, times of this machine.");
    println!(
        "{:26} {:>10} {:>9} {:>6} {:>8}   {:>10} {:>9} {:>6} {:>8}",
        "", "whole", "bound", "gap", "ms", "streamed", "bound", "gap", "ms"
    );
    let mut slowest = Duration::ZERO;
    for path in files(&folder.join("models"), "tflite") {
        let mut network = match Network::open(&path) {
            Ok(network) => network,
            Err(error) => {
                println!("{:26} {error}", stem(&path));
                continue;
            }
        };
        network.strip_io().and_then(|_| network.canonicalise()).expect("passes keep a model valid");
        slowest = slowest.max(row(&stem(&path), network.graph()));
    }
    println!("slowest: {} ms\n", slowest.as_millis());

    println!(
        "The published architectures with random weights, the least bytes, beside the SRAM their authors print (kB: zoo, TinyEngine)."
    );
    println!(
        "{:33} {:>4} {:>7} {:>5} {:>5} {:>10} {:>10} {:>6}",
        "", "r", "M MACs", "zoo", "TE", "whole", "streamed", "ms"
    );
    for path in files(&folder.join("data/mcunet-architectures"), "json") {
        let json = std::fs::read_to_string(&path).expect("a readable file");
        let graph = smidgen_synthetic::mcunet(&json, 1).expect("an architecture");
        let name = stem(&path);
        let (_, zoo, engine) = *PUBLISHED.iter().find(|(of, ..)| *of == name).unwrap_or(&("", "-", "-"));
        let lowered = lower(&graph, &LowerOptions::default().for_mcu()).expect("supported operators");
        let least = |stream_input| timed(&lowered, stream_input, Objective::Sram);
        let ((whole, a), (streamed, b)) = (least(false), least(true));
        println!(
            "{name:33} {:>4} {:>7.2} {zoo:>5} {engine:>5} {:>10} {:>10} {:>6}",
            graph.tensor(graph.inputs[0]).shape.dims()[1],
            cost::cost(&graph).macs as f64 / 1e6,
            thousands(whole.report.total_bytes as u64),
            thousands(streamed.report.total_bytes as u64),
            (a + b).as_millis(),
        );
    }
}

/// One line; returns the longer of the two planning times.
fn row(name: &str, graph: &Graph) -> Duration {
    let lowered = lower(graph, &LowerOptions::default().for_mcu()).expect("supported operators");
    let mut line = format!("{name:26}");
    let mut longest = Duration::ZERO;
    for streamed in [false, true] {
        let (plan, time) = timed(&lowered, streamed, Objective::Balanced);
        let (total, bound) = (plan.report.total_bytes, plan.report.lower_bound_bytes);
        let gap = 100.0 * (total - bound) as f64 / bound as f64;
        let (total, bound) = (thousands(total as u64), thousands(bound as u64));
        line += &format!(" {total:>10} {bound:>9} {gap:>5.1}% {:>8}  ", time.as_millis());
        longest = longest.max(time);
    }
    println!("{}", line.trim_end());
    longest
}

/// Plans twice; the plan, which must be the same and valid, and the longer time.
fn timed(lowered: &Lowered, stream_input: bool, objective: Objective) -> (Plan, Duration) {
    let options = PlanOptions { stream_input, objective, ..PlanOptions::default() };
    let once = || {
        let start = Instant::now();
        let planned = plan(lowered, &options).expect("a plan");
        (planned, start.elapsed())
    };
    let ((first, a), (second, b)) = (once(), once());
    assert!(first == second, "the plan is not the same every time");
    assert_eq!(first.report.extra_macs_percent, 0.0);
    (first, a.max(b))
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|e| e == extension)).collect();
    files.sort();
    if files.is_empty() {
        println!("(no .{extension} files in {})", folder.display());
    }
    files
}

fn stem(path: &Path) -> String {
    path.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned())
}
