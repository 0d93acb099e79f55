//! Bytes of code: firmware is built, and not run.

use crate::networks::Sample;
use crate::{BUDGET, PLAIN};
use smidgen::boards::Board;
use smidgen::lowering::LowerOptions;
use smidgen::plan::planner::PlanOptions;
use smidgen::plan::{Objective, ScheduleChoice};
use smidgen::program::costs;
use smidgen::program::costs::{CodeMeasurement, CodeRates};
use smidgen::sim::elf::Elf;
use smidgen::sim::toolchain::Toolchain;
use smidgen::sim::{build, harness};
use smidgen::{Compiled, Planned, Target};

/// Parts of the networks, each of which is left out once.
const PARTS: usize = 4;

/// Builds all networks, with whole inputs and with pushed ones.
pub fn measure(board: &Board, samples: &[Sample]) -> Vec<CodeMeasurement> {
    let toolchain = Toolchain::find(board.core.target()).expect("a toolchain");
    let mut measured = Vec::new();
    for sample in samples {
        let mut pushes: Vec<bool> = sample.schedules.iter().map(|&(_, _, pushed)| pushed).collect();
        pushes.sort_unstable();
        pushes.dedup();
        for pushed in pushes {
            // As among the schedules that are measured, so that firmware may be at hand.
            let (schedule, objective) = match pushed {
                true => (ScheduleChoice::Auto, Objective::Balanced),
                false => (ScheduleChoice::Layer, Objective::Sram),
            };
            let plan = PlanOptions { schedule, objective, stream_input: pushed, budget: Some(BUDGET), costs: &PLAIN };
            let target = Target { board: Some(board.clone()), lower: LowerOptions::default(), plan };
            let options = smidgen::codegen::Options { name: "network".into(), ..Default::default() };
            let network = format!("{} {}", sample.name, if pushed { "pushed" } else { "whole" });
            let compiled = sample.network.plan(&target).and_then(|planned| planned.compile(options));
            let Compiled { planned: Planned { plan, lowered, .. }, rust, .. } =
                compiled.unwrap_or_else(|error| panic!("{network}: {error}"));
            let firmware = harness::Network::new(&plan.program, rust, false);
            let bytes = match build::build(&firmware, board, &toolchain) {
                Ok(path) => Elf::read(&path).expect("firmware").section(".text"),
                Err(build::BuildError::DoesNotFit(_)) => 0,
                Err(error) => panic!("{network}: {error}"),
            };
            println!("{network}: {bytes} bytes of code");
            measured.push(CodeMeasurement { network, counts: costs::code_counts(&lowered, pushed), bytes });
        }
    }
    measured
}

/// Prints how far off the rates are.
pub fn said(measured: &[CodeMeasurement], fitted: &CodeRates) {
    let name = |one: &CodeMeasurement| one.network.split(' ').next().unwrap_or_default().to_owned();
    let mut networks: Vec<String> = measured.iter().map(name).collect();
    networks.dedup();
    let part = |one: &CodeMeasurement| networks.iter().position(|network| *network == name(one)).unwrap_or(0) % PARTS;
    let (mut sum, mut worst, mut count) = (0.0, 0.0f64, 0);
    for held in 0..PARTS {
        let rates = costs::fit_code(measured.iter().filter(|one| part(one) != held));
        let errors = costs::code_errors(&rates, measured.iter().filter(|one| part(one) == held));
        (sum, count) = (sum + errors.mean * errors.steps as f64, count + errors.steps);
        worst = worst.max(errors.worst);
    }
    let all = costs::code_errors(fitted, measured.iter());
    let [a, b, c, d] = [all.mean, all.worst, sum / f64::from(count.max(1) as u32), worst].map(|error| 100.0 * error);
    println!("{:24} {:>6} {a:>7.2} {b:>7.1}   {count:>8} {c:>7.2} {d:>7.1}", "code of a network", all.steps);
    let mobile = measured.iter().filter(|one| one.network.starts_with("mobile"));
    let mobile = costs::code_errors(fitted, mobile);
    println!(
        "{:24} {:>6} {:>7.2} {:>7.1}",
        "of it like MCUNet",
        mobile.steps,
        100.0 * mobile.mean,
        100.0 * mobile.worst
    );
    let error = |one: &&CodeMeasurement| costs::code_errors(fitted, std::iter::once(*one)).worst;
    let mut far: Vec<&CodeMeasurement> = measured.iter().collect();
    far.sort_by(|a, b| error(b).total_cmp(&error(a)));
    for one in far.iter().take(crate::WORST) {
        println!("    {:>6.1} % off {:>9}: {}", 100.0 * error(one), one.bytes, one.network);
    }
}
