//! A plan as text, as JSON, and as what the HTML report needs.

use super::Findings;
use crate::console::Failure;
use crate::console::format::{bytes, percent, thousands, wrap};
use crate::console::output::{Output, STRONG};
use crate::console::table::{Column, Table};
use serde_json::{Value, json};
use smidgen::certificate::Occupancy;
use smidgen::fit::boards;
use smidgen::plan::planner::{self, Plan};
use smidgen::program::{Extent, operator_of};
use smidgen::report::{Budget, Figure, MemoryMap, ParetoPoint, Segment, StepRow, Summary};
use std::ops::Range;

const SEGMENTS: [Column; 5] = [
    Column::left("schedule", 0),
    Column::left("from", 0),
    Column::left("to", 1),
    Column::right("peak\nbytes", 0),
    Column::right("instructions\n(modelled)", 2),
];

const STEPS: [Column; 7] = [
    Column::right("#", 0),
    Column::left("step", 0),
    Column::left("output", 3),
    Column::left("kept", 1),
    Column::right("runs", 2),
    Column::right("scratch\nbytes", 4),
    Column::right("live\nbytes", 0),
];

const POINTS: [Column; 4] = [
    Column::right("SRAM\nbytes", 0),
    Column::right("extra\nMACs", 0),
    Column::left("schedule", 1),
    Column::right("instructions\n(modelled)", 0),
];

/// Sizes, segments, steps and the memory map.
pub fn text(f: &Findings, map: &Occupancy, out: &mut Output) -> Result<(), Failure> {
    let report = &f.planned.plan.report;
    for figure in figures(f) {
        out.line(format!("  {:22} {} ({})", figure.label, figure.value, figure.kind))?;
    }
    let remedies = f.fit().remedies(bytes);
    if f.advice.is_some() || !remedies.is_empty() {
        out.line("")?;
    }
    if let Some(advice) = &f.advice {
        out.line(advice.to_string())?;
    }
    for remedy in remedies {
        out.line(wrap(&format!("- {remedy}"), out.width, 2))?;
    }
    out.line(format!("\n{STRONG}Segments{STRONG:#}"))?;
    let mut table = Table::new(&SEGMENTS);
    for segment in &report.segments {
        table.row(vec![
            segment.schedule.clone(),
            format!("{} {}", segment.steps.start, operator_of(&segment.first)),
            format!("{} {}", segment.steps.end.saturating_sub(1), operator_of(&segment.last)),
            thousands(segment.peak_bytes as u64),
            thousands(segment.instructions),
        ]);
    }
    out.print(table.render(out.width))?;
    out.line(format!("\n{STRONG}Steps{STRONG:#}"))?;
    let mut table = Table::new(&STEPS);
    for row in steps(f, map) {
        table.row(vec![
            row.index.to_string(),
            row.kind,
            row.shape,
            report.steps[row.index].storage.clone(),
            row.runs.to_string(),
            thousands(row.scratch as u64),
            thousands(row.live as u64),
        ]);
    }
    out.print(table.render(out.width))?;
    out.line(format!("\n{STRONG}Memory map{STRONG:#} (time across, addresses down)"))?;
    let cells = out.width.saturating_sub(12).clamp(10, 84);
    let drawn = MemoryMap::new(&f.planned.plan.program, map, cells, 24).render(out.width, 12, true);
    // The stream takes the colours out again where nobody wants them.
    out.print(drawn)?;
    if !f.front.is_empty() {
        out.line(format!("\n{STRONG}Plans that no other beats{STRONG:#}"))?;
        let mut table = Table::new(&POINTS);
        for point in &f.front {
            table.row(vec![
                thousands(point.total_bytes as u64),
                format!("{:.1} %", point.extra_macs_percent),
                point.schedule.clone(),
                thousands(point.instructions),
            ]);
        }
        out.print(table.render(out.width))?;
    }
    Ok(())
}

/// For which core instructions are modelled, and whether they are rough.
fn modelled(f: &Findings) -> String {
    let scope = f.scope();
    let rough = scope.reason(&f.planned.lowered).map(|reason| format!("; {reason}"));
    scope.modelled() + &rough.unwrap_or_default()
}

/// `1,024 bytes, 12.5 % of the board's`.
fn share(n: usize, of: Option<u32>) -> String {
    let part = of.map(|all| format!(", {} of the board's", percent(n as u64, u64::from(all), 1)));
    bytes(n) + &part.unwrap_or_default()
}

/// What the same network takes layer by layer, and how this plan compares.
fn layered(f: &Findings) -> String {
    match &f.layered {
        None => "cannot be planned so".to_owned(),
        Some(layered) => {
            let part = percent(f.planned.plan.report.total_bytes as u64, layered.total_bytes as u64, 1);
            format!("{}; this plan takes {part} of it", bytes(layered.total_bytes))
        }
    }
}

fn figures(f: &Findings) -> Vec<Figure> {
    let report = &f.planned.plan.report;
    let (scope, fit) = (f.scope(), f.fit());
    let sram = f.planned.target.board.as_ref().map(|board| board.sram.bytes);
    let flash = f.planned.target.board.as_ref().map(|board| board.flash.bytes);
    let figure =
        |label: &str, value: String, kind: &str| Figure { label: label.to_owned(), value, kind: kind.to_owned() };
    let gap = 100.0 * (report.total_bytes - report.lower_bound_bytes) as f64 / report.lower_bound_bytes.max(1) as f64;
    let bound = if report.optimal {
        "proven: no offsets for this schedule take less".to_owned()
    } else {
        format!("proven for this schedule; the plan is {gap:.1} % above")
    };
    let mut figures = vec![
        figure("SRAM in all", share(report.total_bytes, sram), "exact; stack not included"),
        figure("arena", bytes(report.arena_bytes), "exact"),
        figure("of it rings and tiles", bytes(report.ring_bytes), "exact, added up"),
        figure("kernel scratch", bytes(report.scratch_bytes), "exact, largest"),
        figure("accumulators", bytes(report.state_bytes), "exact"),
        figure("lower bound", bytes(report.lower_bound_bytes), &bound),
        figure("layer by layer", layered(f), "exact; every tensor whole, one step after the other"),
        figure("constants in flash", share(fit.flash.constants, flash), "exact; code comes on top"),
        figure("instructions", thousands(report.instructions), &modelled(f)),
        figure("extra MACs", format!("{:.1} %", report.extra_macs_percent), "exact"),
        figure("schedule", report.schedule.clone(), &format!("{} runs", report.runs)),
    ];
    if report.persistent_bytes > 0 {
        figures.insert(2, figure("of it state", bytes(report.persistent_bytes), "exact; outlives an inference"));
    }
    let place = |label: &str, figures: &[Figure]| figures.iter().position(|f| f.label == label).map_or(0, |at| at + 1);
    if let Some(code) = fit.code {
        let all = share(fit.flash_with_code(), flash);
        let kind = "estimated from other networks' firmware; `smidgen simulate` measures it";
        figures.insert(place("constants in flash", &figures), figure("with code about", all, kind));
        if fit.code_is_tight() {
            let kind = format!("that with about {} of code the flash is too small", bytes(code));
            figures.insert(place("with code about", &figures), figure("beware", "estimated".to_owned(), &kind));
        }
    }
    if let Some([least, most]) = scope.milliseconds(report.instructions) {
        let kind = "the modelled instructions at 1.3 to 1.6 cycles and the board's clock; no waiting for memory";
        figures
            .insert(place("instructions", &figures), figure("milliseconds", format!("{least:.1} to {most:.1}"), kind));
    }
    if let Some(traded) = report.traded() {
        let kind = format!("bytes exact, instructions as {}", scope.modelled());
        figures.insert(1, figure("traded", traded, &kind));
    }
    if report.coarse {
        let what = "too many rows or steps to look at every schedule; a smaller plan may exist";
        figures.push(figure("search", "bounded".to_owned(), what));
    }
    if let Some(unclipped) = report.extra_macs_unclipped_percent {
        figures.push(figure("extra MACs, unclipped", format!("{unclipped:.1} %"), "convention of MCUNetV2"));
    }
    figures
}

fn shape(e: Extent) -> String {
    format!("{}x{}x{}", e.rows, e.cols, e.depth)
}

fn steps(f: &Findings, map: &Occupancy) -> Vec<StepRow> {
    let program = &f.planned.plan.program;
    let mut live = vec![0; program.steps.len()];
    for (step, &bytes) in program.steps_of_runs().iter().zip(&map.live_bytes) {
        live[step.index()] = bytes.max(live[step.index()]);
    }
    let schedule_of = |step: usize| {
        // Segments follow one another.
        let segments = &f.planned.plan.report.segments;
        let segment = segments.get(segments.partition_point(|s| s.steps.end <= step));
        segment.map_or_else(String::new, |s| s.schedule.clone())
    };
    let rows = program.steps.iter().zip(&f.planned.plan.report.steps).enumerate();
    rows.map(|(index, (step, said))| StepRow {
        index,
        kind: operator_of(&step.name).to_owned(),
        name: step.name.split_once(' ').map_or_else(String::new, |(_, output)| output.to_owned()),
        shape: step.outputs.first().map_or_else(String::new, |t| shape(t.extent)),
        schedule: schedule_of(index),
        runs: said.runs,
        macs: said.macs,
        scratch: said.scratch_bytes,
        live: live[index],
        // Steps of another plan may come in another order.
        layered: f.layered.as_ref().and_then(|layered| layered.steps.get(&step.name).copied()),
    })
    .collect()
}

/// A plan's schedules in the order of its runs.
pub fn segments(plan: &Plan) -> Vec<Segment> {
    let of_runs = plan.program.steps_of_runs();
    // The first and last run of each step.
    let mut ends: Vec<Option<(usize, usize)>> = vec![None; plan.program.steps.len()];
    for (run, step) in of_runs.iter().enumerate() {
        let (_, last) = ends[step.index()].get_or_insert((run, run));
        *last = run;
    }
    let runs_of = |steps: &Range<usize>| {
        let ends = ends[steps.clone()].iter().flatten();
        let (first, last) = ends.fold((usize::MAX, 0), |(a, b), &(first, last)| (a.min(first), b.max(last + 1)));
        if first < last { first..last } else { 0..0 }
    };
    let segment = |s: &planner::SegmentReport| Segment {
        schedule: s.schedule.clone(),
        runs: runs_of(&s.steps),
        detail: format!(
            "steps {} to {}, at most {}",
            s.steps.start,
            s.steps.end.saturating_sub(1),
            bytes(s.peak_bytes)
        ),
    };
    plan.report.segments.iter().map(segment).collect()
}

/// What the HTML report shows besides the program itself.
pub fn summary(f: &Findings, map: &Occupancy) -> Summary {
    let report = &f.planned.plan.report;
    let pareto = f.front.iter().map(|p| ParetoPoint {
        schedule: p.schedule.clone(),
        total_bytes: p.total_bytes,
        instructions: p.instructions,
        extra_macs_percent: p.extra_macs_percent,
        chosen: p.total_bytes == report.total_bytes && p.instructions == report.instructions,
    });
    let mut verdict = f.verdict();
    for more in f.float_ends().into_iter().chain(f.advice.as_ref().map(|a| a.to_string())) {
        verdict = format!("{verdict} {more}");
    }
    for remedy in f.fit().remedies(bytes) {
        verdict += &format!("\n- {remedy}");
    }
    Summary {
        model: f.model.clone(),
        schedule: report.schedule.clone(),
        budget: f.planned.target.sram().map(|bytes| Budget {
            name: f.planned.target.board.as_ref().map_or_else(|| "the given size".to_owned(), |b| b.title.clone()),
            bytes,
        }),
        verdict,
        instructions: format!("Instructions are {}.", modelled(f)),
        fits: f.fits(),
        figures: figures(f),
        segments: segments(&f.planned.plan),
        steps: steps(f, map),
        pareto: pareto.collect(),
    }
}

/// Everything for programs.
pub fn json(f: &Findings) -> Value {
    let report = &f.planned.plan.report;
    let (scope, fit) = (f.scope(), f.fit());
    let program = &f.planned.plan.program;
    let mut all = json!({
        "model": f.model,
        "board": f.planned.target.board.as_ref().map(|b| &b.name),
        "sram_bytes": f.planned.target.sram(),
        "fits": f.fits(),
        "verdict": f.verdict(),
        "arena_bytes": report.arena_bytes,
        "scratch_bytes": report.scratch_bytes,
        "ring_bytes": report.ring_bytes,
        "state_bytes": report.state_bytes,
        "persistent_bytes": report.persistent_bytes,
        "total_bytes": report.total_bytes,
        "traded": report.traded(),
        "least": report.least.map(|l| json!({
            "total_bytes": l.total_bytes, "modelled_instructions": l.instructions,
        })),
        "layer_by_layer_bytes": f.layered.as_ref().map(|layered| layered.total_bytes),
        "lower_bound_bytes": report.lower_bound_bytes,
        "optimal": report.optimal,
        "constants_bytes": fit.flash.constants,
        "macs": f.planned.lowered.steps.iter().map(|s| s.macs).sum::<u64>(),
        "extra_macs_percent": report.extra_macs_percent,
        "extra_macs_unclipped_percent": report.extra_macs_unclipped_percent,
        "modelled_instructions": report.instructions,
        "schedule": report.schedule,
        "stream_input": f.command.stream_input,
        "runs": report.runs,
        "digest": format!("{:016x}", program.digest()),
        "segments": report.segments.iter().map(|s| json!({
            "schedule": s.schedule, "first_step": s.steps.start, "end_step": s.steps.end,
            "peak_bytes": s.peak_bytes, "modelled_instructions": s.instructions,
        })).collect::<Vec<_>>(),
        "steps": program.steps.iter().zip(&report.steps).map(|(step, said)| json!({
            "name": said.name, "operator": step.op.map(|o| o.index()), "runs": said.runs, "rows": said.rows,
            "macs": said.macs, "modelled_instructions": said.instructions, "scratch_bytes": said.scratch_bytes, "output_bytes": said.output_bytes,
            "kept": said.storage,
        })).collect::<Vec<_>>(),
        "buffers": program.buffers.iter().map(|b| json!({
            "name": b.spec.name, "offset": b.offset, "bytes": b.bytes(), "row_slots": b.slots, "width": b.width,
            "shape": [b.spec.extent.rows, b.spec.extent.cols, b.spec.extent.depth],
        })).collect::<Vec<_>>(),
        "advice": f.advice.as_ref().map(|a| json!({
            "excess_bytes": a.excess, "bottleneck": a.bottleneck, "bottleneck_bytes": a.bottleneck_bytes,
            "alternatives": a.alternatives.iter().map(|(what, bytes)| json!({ "options": what, "total_bytes": bytes }))
                .collect::<Vec<_>>(),
        })),
        "pareto": f.front.iter().map(|p| json!({
            "schedule": p.schedule, "total_bytes": p.total_bytes, "modelled_instructions": p.instructions,
            "extra_macs_percent": p.extra_macs_percent,
        })).collect::<Vec<_>>(),
    });
    let board = json!({
        "constants_with_int4_bytes": fit.flash.with_int4,
        "estimated_code_bytes": fit.code,
        "modelled_for": scope.cores(),
        "not_modelled": scope.reason(&f.planned.lowered),
        "modelled_milliseconds": scope.milliseconds(report.instructions),
        "float_ends": f.float_ends(),
        "integer_ends": f.planned.integer_ends.map(|ends| json!({
            "total_bytes": ends.total_bytes, "modelled_instructions": ends.instructions,
        })),
        "remedies": fit.remedies(bytes),
        "boards_that_hold_it": boards(fit.sram, fit.flash_with_code()).iter().map(|b| &b.name).collect::<Vec<_>>(),
    });
    if let (Some(all), Value::Object(board)) = (all.as_object_mut(), board) {
        all.extend(board);
    }
    all
}
