//! A simulation as text.

use crate::commands::inspect::port;
use crate::console::ends::written;
use crate::console::format::{bytes, count, short, thousands, wrap};
use crate::console::output::{BAD, GOOD, Output, STRONG};
use crate::console::table::{Column, Table};
use crate::console::{Failure, classes};
use serde_json::Value;
use smidgen::boards::Board;
use smidgen::data::{Array, input};
use smidgen::ir::Graph;
use smidgen::ir::visible;
use smidgen::program::operator_of;
use smidgen::scope::Scope;
use smidgen::sim::report::Simulation;
use smidgen::simulate::Differing;

const STEPS: [Column; 7] = [
    Column::right("#", 0),
    Column::left("step", 0),
    Column::right("runs", 2),
    Column::right("instructions", 0),
    Column::right("per\nMAC", 1),
    Column::right("SRAM\nbytes", 3),
    Column::right("flash\nbytes", 4),
];

/// What the network says, as `smidgen run` shows it.
pub fn outputs(
    out: &mut Output,
    graph: &Graph,
    outputs: &[Array],
    labels: &[String],
    top: usize,
) -> Result<(), Failure> {
    for (j, output) in outputs.iter().enumerate() {
        let tensor = graph.tensor(graph.outputs[j]);
        out.note(format!("{STRONG}output {j}{STRONG:#}  {}", port(tensor)))?;
        let reals = input::reals(graph, j, output);
        out.print(classes::show(output, &reals, labels, tensor.per_tensor().is_some(), top))?;
    }
    Ok(())
}

/// All figures for programs.
pub fn json(report: &Simulation) -> Result<Value, Failure> {
    serde_json::to_value(report).map_err(|e| Failure::usage(e.to_string(), "leave --json out"))
}

/// Samples of which the emulated core does not say what the host says, the first few by name; `None` if there are none.
pub fn differing(samples: &[Differing]) -> Option<String> {
    const SHOWN: usize = 3;
    let named = |one: &Differing| format!("`{}` in {}", visible(&one.name), count(one.bytes, "byte"));
    let first: Vec<String> = samples.iter().take(SHOWN).map(named).collect();
    let more = if samples.len() > SHOWN { ", ..." } else { "" };
    (!samples.is_empty()).then(|| {
        let all = count(samples.len(), "sample");
        format!("the emulated core does not say the host's bytes of {all}: {}{more}", first.join(", "))
    })
}

/// All figures.
pub fn text(out: &mut Output, report: &Simulation, board: &Board, per_step: bool) -> Result<(), Failure> {
    let samples = count(report.samples, "sample");
    out.line(match (report.matches_host, report.matches_golden) {
        (true, None) => {
            format!("{GOOD}equal{GOOD:#}  the emulated {}'s outputs and the host's, {samples}", report.core)
        }
        (true, Some(true)) => {
            format!(
                "{GOOD}equal{GOOD:#}  the emulated {}'s outputs, the host's, and the golden file's, {samples}",
                report.core
            )
        }
        (false, _) => {
            format!("{BAD}different{BAD:#}  the emulated {}'s outputs and the host's, {samples}", report.core)
        }
        (true, Some(false)) => {
            format!(
                "{BAD}different{BAD:#}  the emulated {}'s outputs (and the host's) and the golden file's, {samples}",
                report.core
            )
        }
    })?;
    if let Some(ends) = &report.integer_ends {
        let modelled: Option<u64> = report.steps.iter().map(|step| step.modelled_instructions).sum();
        let instructions = modelled.zip(ends.modelled_instructions).map(|(now, then)| [now, then]);
        let planned = [report.sram.planned, ends.planned].map(|bytes| bytes as usize);
        let said = written(planned, instructions, Scope::of(Some(board)), None);
        out.line(wrap(&format!("  {said}"), out.width, 4))?;
    }
    let mut figure = |label: &str, value: String, kind: &str| out.line(format!("  {label:22} {value} ({kind})"));
    let (sram, flash) = (&report.sram, &report.flash);
    let per_mac = match report.macs {
        0 => String::new(),
        macs => format!(", {:.2} for each of {} MACs", report.instructions as f64 / macs as f64, thousands(macs)),
    };
    figure("instructions", thousands(report.instructions), &format!("exact{per_mac}"))?;
    if let Some(cycles) = report.modelled_m4_cycles {
        figure("Cortex-M4 cycles", thousands(cycles), "modelled")?;
    }
    if let Some(reason) = &report.not_modelled {
        figure("modelled", "not all".to_owned(), reason)?;
    }
    if let Some(milliseconds) = report.modelled_milliseconds {
        figure(
            "milliseconds",
            format!("{milliseconds:.2}"),
            "these cycles at the board's clock, no waiting for memory",
        )?;
    }
    if let Some(mix) = &report.mix {
        let all = mix.loads + mix.stores + mix.multiplies + mix.extends + mix.branches + mix.others;
        let share = |n: u64| format!("{:.0} %", 100.0 * n as f64 / all.max(1) as f64);
        figure(
            "executed mix",
            format!(
                "loads {}, stores {}, multiplies {}, extends {}, branches {}, others {}",
                share(mix.loads),
                share(mix.stores),
                share(mix.multiplies),
                share(mix.extends),
                share(mix.branches),
                share(mix.others)
            ),
            "exact",
        )?;
    }
    figure("SRAM in all", bytes(sram.total as usize), &format!("measured; {} planned", thousands(sram.planned)))?;
    figure("  arena", bytes(sram.arena as usize), "exact")?;
    figure("  kernel scratch", bytes(sram.scratch as usize), "exact, beyond the arena's buffers")?;
    figure("  variables", bytes(sram.statics as usize), "exact")?;
    figure("  stack", bytes(sram.stack as usize), "measured, deepest")?;
    figure("flash in all", bytes(flash.total as usize), "exact")?;
    figure("  code", bytes(flash.code as usize), "exact, kernels included")?;
    figure("  constants", bytes(flash.constants as usize), "exact")?;
    let checks = [
        (&report.checks.panics, "ways to panic"),
        (&report.checks.heap, "allocator"),
        (&report.checks.floats, "software floats"),
    ];
    for (found, what) in checks {
        if !found.is_empty() {
            out.note(format!("  {what} in the firmware: {}", visible(&found.join(", "))))?;
        }
    }
    if per_step {
        out.line(format!("\n{STRONG}Steps{STRONG:#} (of the first sample)"))?;
        out.print(steps(report, out.width))?;
    }
    if out.verbose() {
        out.line(format!("\n{STRONG}Functions{STRONG:#} by instructions"))?;
        for function in &report.symbols {
            out.line(format!("{:>14}  {}", thousands(function.instructions), visible(&function.name)))?;
        }
    }
    let versions = &report.versions;
    out.note(format!("  {} on {}, plan {}", visible(&report.board), visible(&report.machine), report.digest))?;
    let versions = [&versions.rustc, &versions.linker, &versions.emulator].map(|version| short(version));
    out.note(format!("  {}", versions.join(", ")))
}

fn steps(report: &Simulation, width: usize) -> String {
    let mut table = Table::new(&STEPS);
    let per_mac = |instructions: u64, macs: u64| match macs {
        0 => "-".to_owned(),
        macs => format!("{:.2}", instructions as f64 / macs as f64),
    };
    for (i, step) in report.steps.iter().enumerate() {
        table.row(vec![
            i.to_string(),
            operator_of(&step.name).to_owned(),
            step.runs.to_string(),
            thousands(step.instructions),
            per_mac(step.instructions, step.macs),
            thousands(step.sram),
            thousands(step.flash),
        ]);
    }
    let sum = report.steps.iter().map(|s| s.instructions).sum();
    table.footer(vec![
        String::new(),
        "total".into(),
        report.steps.iter().map(|s| s.runs).sum::<usize>().to_string(),
        thousands(sum),
        per_mac(sum, report.macs),
        thousands(report.steps.iter().map(|s| s.sram).max().unwrap_or(0)),
        thousands(report.steps.iter().map(|s| s.flash).sum()),
    ]);
    table.render(width)
}
