//! The oracle on random networks of MCUNet's space: how many a second it answers for, and how far off it is beside exact plans and built
//! firmware.
//!
//! `cargo xtask bench oracle [EXACT [NETWORKS [BUILT]]] [--known FILE]`. Widths 0.2 to 1.0 and resolutions 48 to 224 are drawn evenly.
//! Networks are built beforehand, since a search makes them without weights; times are of the processor, for one thread. The first EXACT
//! networks are lowered and planned too; with a file, what is found is added to it, and what it has of these networks is not planned again:
//! a line for each, with its number, the bytes of the least plan, the instructions of the balanced one, and the bytes of constants. Of
//! these networks BUILT, drawn evenly over their size, are built for an emulated Cortex-M7, which has the memory for all of them.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use smidgen::ir::Graph;
use smidgen::lowering::{LowerOptions, lower};
use smidgen::plan::planner::{Cost, Oracle};
use smidgen::plan::{Objective, PlanOptions, plan};
use smidgen::sim::elf::Elf;
use smidgen::sim::toolchain::Toolchain;
use smidgen::sim::{build, harness};
use smidgen::{Network, Target, boards};
use smidgen_synthetic::{Random, mcunet_space};
use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::Write;

/// Where firmware is built for.
const BOARD: &str = "mps2-an500";

/// What a network takes.
#[derive(Clone, Copy)]
struct Exact {
    least: usize,
    instructions: u64,
    constants: usize,
}

/// Seconds of the processor that this process has taken.
fn taken() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("a process can ask for its own usage");
    (usage.user_time() + usage.system_time()).num_microseconds() as f64 / 1e6
}

/// The value below which this part of all lies.
fn quantile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * part).round() as usize]
}

/// What the plans come to.
fn exact(graph: &Graph) -> Exact {
    let lowered = lower(graph, &LowerOptions::default().for_mcu()).expect("supported");
    let planned =
        |objective| plan(&lowered, &PlanOptions { objective, ..PlanOptions::default() }).expect("a plan").report;
    Exact {
        least: planned(Objective::Sram).total_bytes,
        instructions: planned(Objective::Balanced).instructions,
        constants: lowered.constants.iter().map(|constant| constant.bytes.len()).sum(),
    }
}

/// The figures that a file has.
fn read(path: &str) -> HashMap<usize, Exact> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let line = |line: &str| {
        let numbers: Vec<u64> = line.split(' ').filter_map(|number| number.parse().ok()).collect();
        let &[seed, least, instructions, constants] = numbers.as_slice() else { return None };
        Some((seed as usize, Exact { least: least as usize, instructions, constants: constants as usize }))
    };
    text.lines().filter_map(line).collect()
}

/// Bytes of code and constants of built firmware; `None` where there is no toolchain.
fn built(graph: Graph) -> Option<u64> {
    let board = boards::find(BOARD).expect("a board");
    let toolchain = Toolchain::find(board.core.target()).ok()?;
    let network = Network::from_graph(graph).expect("a valid graph");
    let target = Target { board: Some(board.clone()), ..Target::default() };
    let options = smidgen::codegen::Options { name: "network".into(), ..Default::default() };
    let made = network.plan(&target).and_then(|planned| planned.compile(options)).expect("firmware");
    let firmware = harness::Network::new(&made.planned.plan.program, made.rust, false);
    let path = build::build(&firmware, &board, &toolchain).expect("a build");
    let firmware = Elf::read(&path).expect("firmware");
    Some(firmware.section(".text") + firmware.section(".rodata"))
}

fn main() {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let file = arguments.iter().position(|argument| argument == "--known").map(|at| arguments.remove(at + 1));
    let mut numbers = arguments.iter().filter_map(|argument| argument.parse().ok());
    let count_exact: usize = numbers.next().unwrap_or(60);
    let count = numbers.next().unwrap_or(1000).max(count_exact).max(1);
    let count_built: usize = numbers.next().unwrap_or(0);
    let known = file.as_deref().map(read).unwrap_or_default();
    let mut random = Random::new(2026);
    let sizes: Vec<(f64, usize)> =
        (0..count).map(|_| (random.between(2, 10) as f64 / 10.0, 16 * random.between(3, 14) as usize)).collect();
    let graph = |seed: usize, (width, resolution): (f64, usize)| mcunet_space(width, resolution, 1000, seed as u64);
    let oracle = Oracle::new(LowerOptions::default(), PlanOptions::default());
    let (mut seconds, mut exact_seconds, mut planned, mut held) = (0.0, 0.0, 0, 0);
    let mut costs: Vec<(usize, Cost)> = Vec::new();
    let [mut width, mut excess, mut slack, mut constants, mut instructions] = [const { Vec::new() }; 5];
    let off = |a: f64, b: f64| 100.0 * (a / b - 1.0).abs();
    for (seed, &size) in sizes.iter().enumerate() {
        let graph = graph(seed, size);
        let start = taken();
        let cost = oracle.cost(&graph).expect("a network of the space is supported");
        seconds += taken() - start;
        if seed >= count_exact {
            continue;
        }
        let start = taken();
        let exact = known.get(&seed).copied().unwrap_or_else(|| {
            let exact = exact(&graph);
            planned += 1;
            exact_seconds += taken() - start;
            if let Some(file) = &file {
                let mut file = OpenOptions::new().create(true).append(true).open(file).expect("a file to write to");
                let Exact { least, instructions, constants } = exact;
                writeln!(file, "{seed} {least} {instructions} {constants}").expect("room for a line");
            }
            exact
        });
        let least = exact.least;
        if (cost.sram_lower..=cost.sram).contains(&least) {
            held += 1;
        } else {
            let (bracket, (width, resolution)) = (format!("{} to {}", cost.sram_lower, cost.sram), sizes[seed]);
            println!("width {width} resolution {resolution} seed {seed}: {least} is not within {bracket}");
        }
        width.push(off(cost.sram as f64, cost.sram_lower as f64));
        excess.push(off(cost.sram as f64, least as f64));
        slack.push(off(cost.sram_lower as f64, least as f64));
        constants.push(off(cost.flash.constants as f64, exact.constants as f64));
        instructions.push(off(cost.instructions as f64, exact.instructions as f64));
        costs.push((seed, cost));
    }
    println!("{count} networks, {:.0} a second of the processor", count as f64 / seconds);
    if costs.is_empty() {
        return;
    }
    if planned > 0 {
        println!(
            "lowered and planned twice: {planned}, {:.1} a second of the processor",
            planned as f64 / exact_seconds
        );
    }
    println!("the least plan's SRAM is within the bracket: {held} of {}", costs.len());
    costs.sort_by_key(|(seed, cost)| (cost.flash.constants, *seed));
    let places = (0..count_built).map(|i| (2 * i + 1) * costs.len() / (2 * count_built));
    let flash: Vec<f64> = places
        .filter_map(|at| {
            let (seed, cost) = &costs[at];
            let bytes = built(graph(*seed, sizes[*seed]))?;
            Some(off((cost.flash.constants + cost.code) as f64, bytes as f64))
        })
        .collect();
    for (what, mut values) in [
        ("width of the bracket", width),
        ("upper end above the least", excess),
        ("lower end below the least", slack),
        ("error of constants", constants),
        ("error of flash, built", flash),
        ("error of instructions", instructions),
    ] {
        if values.is_empty() {
            continue;
        }
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let [median, ninety, most] = [0.5, 0.9, 1.0].map(|part| quantile(&mut values, part));
        println!(
            "{what:25} of {:4}  median {median:5.2} %  mean {mean:5.2} %  nine in ten {ninety:5.2} %  most {most:5.2} %",
            values.len()
        );
    }
}
