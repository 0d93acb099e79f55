//! The oracle on random networks of MCUNet's space: how many a second it answers for, and how far off it is beside the exact plan.
//!
//! `cargo xtask bench oracle [EXACT [NETWORKS]]`. Widths 0.2 to 1.0 and resolutions 48 to 224 are drawn evenly. Networks are built
//! beforehand, since a search makes them without weights; times are of the processor, for one thread. The first EXACT networks are
//! lowered and planned too.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use smidgen::lowering::{LowerOptions, lower};
use smidgen::plan::planner::Oracle;
use smidgen::plan::{Objective, PlanOptions, plan};
use smidgen_zoo::{Random, mcunet_space};

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

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse().ok());
    let exact: usize = numbers.next().unwrap_or(60);
    let count = numbers.next().unwrap_or(1000).max(exact).max(1);
    let mut random = Random::new(2026);
    let oracle = Oracle::new(LowerOptions::default(), PlanOptions::default());
    let (mut seconds, mut exact_seconds, mut held) = (0.0, 0.0, 0);
    let [mut width, mut excess, mut slack, mut constants, mut instructions] = [const { Vec::new() }; 5];
    for seed in 0..count {
        let multiplier = random.between(2, 10) as f64 / 10.0;
        let resolution = 16 * random.between(3, 14) as usize;
        let graph = mcunet_space(multiplier, resolution, 1000, seed as u64);
        let start = taken();
        let cost = oracle.cost(&graph).expect("a network of the space is supported");
        seconds += taken() - start;
        if seed >= exact {
            continue;
        }
        let start = taken();
        let lowered = lower(&graph, &LowerOptions::default().for_mcu()).expect("supported");
        let planned =
            |objective| plan(&lowered, &PlanOptions { objective, ..PlanOptions::default() }).expect("a plan").report;
        let (least, balanced) = (planned(Objective::Sram).total_bytes, planned(Objective::Balanced));
        exact_seconds += taken() - start;
        if (cost.sram_lower..=cost.sram).contains(&least) {
            held += 1;
        } else {
            let bracket = format!("{} to {}", cost.sram_lower, cost.sram);
            println!("width {multiplier} resolution {resolution} seed {seed}: {least} is not within {bracket}");
        }
        let off = |a: f64, b: f64| 100.0 * (a / b - 1.0).abs();
        width.push(off(cost.sram as f64, cost.sram_lower as f64));
        excess.push(off(cost.sram as f64, least as f64));
        slack.push(off(cost.sram_lower as f64, least as f64));
        let all: usize = lowered.constants.iter().map(|constant| constant.bytes.len()).sum();
        constants.push(off(cost.flash.constants as f64, all as f64));
        instructions.push(off(cost.instructions as f64, balanced.instructions as f64));
    }
    println!("{count} networks, {:.0} a second of the processor", count as f64 / seconds);
    if exact == 0 {
        return;
    }
    println!("lowered and planned twice: {exact}, {:.1} a second of the processor", exact as f64 / exact_seconds);
    println!("the least plan's SRAM is within the bracket: {held} of {exact}");
    for (what, mut values) in [
        ("width of the bracket", width),
        ("upper end above the least", excess),
        ("lower end below the least", slack),
        ("error of constants", constants),
        ("error of instructions", instructions),
    ] {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let [median, ninety, most] = [0.5, 0.9, 1.0].map(|part| quantile(&mut values, part));
        println!("{what:25} median {median:5.2} %  mean {mean:5.2} %  nine in ten {ninety:5.2} %  most {most:5.2} %");
    }
}
