//! Fits the costs of one kind of core: simulates networks on the emulated core, writes what each of their steps did
//! and took, fits rates to that,
//! writes these, and says how far off they are.
//!
//! Called with the name of the costs and the folder with `models/`, or `-`; `cargo xtask fit-costs` does. With `--family=NAME` (once or more)
//! and the folder alone, the networks with kernels of that family are measured anew on every kind of core, and nothing else. With
//! `--only-fit` nothing is measured:
//! the rates are fitted anew to the measurements at hand; with `--only-code` nothing is simulated, but code is built.
//! Firmware that was built before comes out of the cache.
//!
//! Networks and plans are the same for every kind of core, so that what steps do is written once. Where it is no
//! longer what was written, the
//! other kinds must be measured anew as well, and reading says so. Steps that wait for rows of the input are left out:
//! what the
//! caller does meanwhile counts there.

mod code;
mod networks;
mod rates;

use networks::Sample;
use smidgen::ErrorKind;
use smidgen::boards::{self, Board, Core};
use smidgen::lowering::LowerOptions;
use smidgen::plan::planner::{Plan, PlanOptions};
use smidgen::plan::{Objective, ScheduleChoice};
use smidgen::program::Run;
use smidgen::program::costs;
use smidgen::program::costs::{CodeMeasurement, Costs, Errors, Family, Measurement, Work};
use smidgen::scope;
use smidgen::sim::report::Versions;
use smidgen::sim::toolchain::Toolchain;
use smidgen::{Planned, Session, Simulated, Target};
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What plans are made with here: what is measured must not follow from what was measured before.
static PLAIN: Costs = Costs {
    name: "plain",
    cores: "no core",
    awaits: 100,
    steps: [0; Family::ALL.len()],
    rates: [[100; costs::MOST_FEATURES]; Family::ALL.len()],
    code: [0; costs::CODE_FEATURES],
};

/// Bytes of SRAM that plans may take: every board has more.
const BUDGET: usize = 200_000;

/// A family with a mean error beyond this has its worst steps printed, ...
const NOTABLE: f64 = 0.05;
/// ... so many of them.
const WORST: usize = 4;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let (flags, names): (Vec<String>, Vec<String>) = arguments.into_iter().partition(|a| a.starts_with("--"));
    let families: Vec<Family> = flags.iter().filter_map(|flag| flag.strip_prefix("--family=")).map(family).collect();
    if !families.is_empty() {
        return refit(Path::new(names.first().expect("the folder with models/, or `-`")), &families);
    }
    let costs = names.first().and_then(|name| Costs::named(name));
    let (Some(costs), Some(shared)) = (costs, names.get(1)) else {
        let all: Vec<&str> = Costs::ALL.iter().map(|costs| costs.name).collect();
        println!("name the costs ({}) and the folder with models/; `cargo xtask fit-costs` does", all.join(", "));
        return;
    };
    let files = Files::of(costs);
    let is_set = |name: &str| flags.iter().any(|flag| flag == name);
    if !is_set("--only-fit") {
        let board = board(costs);
        if !is_set("--only-code") {
            let (measured, versions) = measure(&board, &networks::all(Path::new(shared)));
            files.write_steps(&board, &versions, &measured);
        }
        files.write_code(&board, &code::measure(&board, &networks::of_code(Path::new(shared))));
    }
    files.fit(costs, &Family::ALL);
}

fn family(name: &str) -> Family {
    Family::named(name).unwrap_or_else(|| {
        let all: Vec<&str> = Family::ALL.into_iter().map(Family::name).collect();
        panic!("no family `{name}`: there are {}", all.join(", "))
    })
}

/// Measures the networks with steps of some families anew, on every kind of core: what these steps do is written once for all. Everything
/// else stays as it was measured.
fn refit(shared: &Path, families: &[Family]) {
    let samples: Vec<Sample> =
        networks::all(shared).into_iter().filter(|sample| has_steps_of(sample, families)).collect();
    let names: HashSet<&str> = samples.iter().map(|sample| sample.name.as_str()).collect();
    // All is read before anything is written: each kind's figures belong to the steps as they were.
    let mut kinds = Vec::new();
    for costs in Costs::ALL {
        let files = Files::of(costs);
        let [steps, instructions, counts, bytes] =
            [&files.steps, &files.instructions, &files.code, &files.bytes].map(|path| read(path));
        let old = costs::read_others(&steps, &instructions, families);
        let mut measured = old.unwrap_or_else(|error| panic!("{}: {error}", costs.name));
        let old = costs::read_all_code(&counts, &bytes);
        let mut code = old.unwrap_or_else(|error| panic!("{}: {error}", costs.name));
        let board = board(costs);
        let (mut new, versions) = measure(&board, &samples);
        new.retain(|step| families.contains(&step.work.family));
        measured.extend(new);
        code.retain(|one| !names.contains(one.network.split(' ').next().unwrap_or_default()));
        code.extend(code::measure(&board, &samples));
        kinds.push((costs, files, board, versions, measured, code));
    }
    for (costs, files, board, versions, measured, code) in kinds {
        files.write_steps(&board, &versions, &measured);
        files.write_code(&board, &code);
        files.fit(costs, families);
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("there are measurements")
}

/// True if a network has steps of one of these families.
fn has_steps_of(sample: &Sample, families: &[Family]) -> bool {
    let options = LowerOptions::default().for_mcu();
    let lowered = smidgen::lowering::lower(sample.network.graph(), &options).expect("a sound network");
    lowered.steps.iter().any(|step| families.contains(&costs::family(step)))
}

/// Where measurements and rates of one kind of core are.
struct Files {
    steps: PathBuf,
    instructions: PathBuf,
    code: PathBuf,
    bytes: PathBuf,
    rates: PathBuf,
}

impl Files {
    fn of(costs: &Costs) -> Self {
        let (folder, name) = (folder(), costs.name.replace('-', "_"));
        Self {
            steps: folder.join("measured/steps.csv"),
            instructions: folder.join("measured").join(format!("{name}.txt")),
            code: folder.join("measured/code.csv"),
            bytes: folder.join("measured").join(format!("{name}_code.txt")),
            rates: folder.join("rates").join(format!("{name}.rs")),
        }
    }

    fn write_steps(&self, board: &Board, versions: &Versions, measured: &[Measurement]) {
        write(&self.steps, &costs::write_steps(measured));
        write(&self.instructions, &costs::write_instructions(&comment("Instructions", board, versions), measured));
    }

    fn write_code(&self, board: &Board, measured: &[CodeMeasurement]) {
        let toolchain = Toolchain::find(board.core.target()).expect("a toolchain");
        let versions = Versions { rustc: toolchain.version, linker: toolchain.linker.version, ..Versions::default() };
        write(&self.code, &costs::write_code_counts(measured));
        write(&self.bytes, &costs::write_code_bytes(&comment("Bytes of code", board, &versions), measured));
    }

    /// Fits rates to what was written, writes them, and says how far off those of some families are.
    fn fit(&self, costs: &Costs, families: &[Family]) {
        let measured = costs::read(&read(&self.steps), &read(&self.instructions)).expect("as they were written");
        let code = costs::read_code(&read(&self.code), &read(&self.bytes)).expect("as they were written");
        let (fitted, fitted_code) = (costs::fit(measured.iter()), costs::fit_code(code.iter()));
        write(&self.rates, &rates::text(costs, &measured, &fitted, &code, &fitted_code));
        let of_families: Vec<Measurement> =
            measured.into_iter().filter(|step| families.contains(&step.work.family)).collect();
        said(costs, &of_families, &fitted);
        code::said(&code, &fitted_code);
    }
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    println!("written: {}", path.display());
}

fn comment(what: &str, board: &Board, versions: &Versions) -> String {
    let words = |text: &str, count| text.split(' ').take(count).collect::<Vec<_>>().join(" ");
    let emulator = words(&versions.emulator, 4);
    let tools = [words(&versions.rustc, 2), words(&versions.linker, 2), emulator];
    let tools: Vec<&str> = tools.iter().map(String::as_str).filter(|tool| !tool.is_empty()).collect();
    format!("{what} on a {}, board {}: {}.", board.core.title(), board.name, tools.join(", "))
}

/// Where the model is.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../smidgen-program/src/costs")
}

/// The emulated board with most memory that has a core with these costs.
fn board(costs: &Costs) -> Board {
    let same = |board: &&Board| scope::costs(board.core) == costs && board.qemu.is_some();
    let all = boards::builtin().iter().filter(same);
    // Cortex-M7 and M4 run the same code; the M7 has the larger boards.
    all.max_by_key(|board| (board.core == Core::CortexM7, board.sram.bytes, board.flash.bytes))
        .expect("every kind of core is emulated")
        .clone()
}

/// Simulates all networks under their schedules.
fn measure(board: &Board, samples: &[Sample]) -> (Vec<Measurement>, Versions) {
    let (mut measured, mut versions) = (Vec::new(), Versions::default());
    let mut seen: HashSet<Work> = HashSet::new();
    for sample in samples {
        for (schedule, objective, stream_input) in &sample.schedules {
            let schedule: ScheduleChoice = schedule.parse().expect("a schedule");
            let plan = PlanOptions {
                schedule,
                objective: *objective,
                stream_input: *stream_input,
                budget: Some(BUDGET),
                costs: &PLAIN,
            };
            let name = format!("{} {}", sample.name, label(schedule, *objective, *stream_input));
            let target = Target { board: Some(board.clone()), lower: LowerOptions::default(), plan };
            let planned = match sample.network.plan(&target) {
                Ok(planned) => planned,
                Err(error) => {
                    println!("{name}: left out: {error}");
                    continue;
                }
            };
            let plan = planned.plan.clone();
            let taken = match simulated(sample, planned) {
                Ok(Simulated { report, .. }) => {
                    assert!(report.matches_host, "{name}: wrong bytes");
                    println!("{name}: {} instructions", report.instructions);
                    versions = report.versions;
                    report.steps.iter().map(|step| step.instructions).collect()
                }
                Err(error) if error.kind() == ErrorKind::DoesNotFit => {
                    println!("{name}: not measured: {error}");
                    vec![0; plan.program.steps.len()]
                }
                Err(error) => panic!("{name}: {error}"),
            };
            // The same step twice says little new.
            let steps = steps(&name, &plan, taken).into_iter();
            measured.extend(steps.filter(|step| seen.insert(step.work)));
        }
    }
    (measured, versions)
}

fn label(schedule: ScheduleChoice, objective: Objective, stream_input: bool) -> String {
    let objective = match objective {
        Objective::Balanced => "balanced",
        Objective::Sram => "sram",
        Objective::Speed => "speed",
    };
    format!("{schedule} {objective}{}", if stream_input { " streamed" } else { "" })
}

fn simulated(sample: &Sample, planned: Planned) -> Result<Simulated, smidgen::Error> {
    let options = smidgen::codegen::Options { name: "network".into(), ..Default::default() };
    let session = Session { model: sample.name.clone(), ..Session::default() };
    planned.compile(options)?.simulate(&session, &[networks::noise(sample.network.graph())])
}

/// What each step did, and what it took.
fn steps(name: &str, plan: &Plan, taken: Vec<u64>) -> Vec<Measurement> {
    let program = &plan.program;
    let mut did: Vec<Option<Work>> = vec![None; program.steps.len()];
    let mut waits = vec![false; program.steps.len()];
    for (run, of) in program.runs.iter().zip(program.steps_of_runs()) {
        let Run::Compute { step, region } = *run else {
            waits[of.index()] = true;
            continue;
        };
        let more = costs::work(&program.steps[step.index()], region);
        match &mut did[step.index()] {
            Some(work) => work.counts.iter_mut().zip(more.counts).for_each(|(sum, more)| *sum += more),
            none => *none = Some(more),
        }
    }
    let both = did.into_iter().zip(taken).zip(waits);
    both.filter(|&(_, waits)| !waits)
        .filter_map(|((work, instructions), _)| {
            Some(Measurement { network: name.to_owned(), work: work?, instructions })
        })
        .collect()
}

/// Prints the steps that the rates are furthest off for.
fn worst(measured: &[Measurement], fitted: &costs::Rates, family: Family) {
    let error = |step: &&Measurement| costs::errors(fitted, std::iter::once(*step), None).worst;
    let mut steps: Vec<&Measurement> = measured.iter().filter(|step| step.work.family == family).collect();
    steps.sort_by(|a, b| error(b).total_cmp(&error(a)));
    for step in steps.iter().take(WORST) {
        let counts = &step.work.counts[..family.features().len()];
        println!("    {:>6.1} % off {:>9}: {} {counts:?}", 100.0 * error(step), step.instructions, step.network);
    }
}

/// Prints how far off the rates are.
fn said(costs: &Costs, measured: &[Measurement], fitted: &costs::Rates) {
    println!(
        "{}: error of a step in per cent, each counting the same; `held out`: by rates that were not fitted",
        costs.cores
    );
    println!("to its network");
    println!("{:24} {:>6} {:>7} {:>7}   {:>8} {:>7} {:>7}", "", "steps", "mean", "worst", "held out", "mean", "worst");
    let line = |name: &str, all: Errors, held: Errors| {
        if all.steps > 0 {
            let [a, b, c, d] = [all.mean, all.worst, held.mean, held.worst].map(|error| 100.0 * error);
            println!("{name:24} {:>6} {a:>7.2} {b:>7.1}   {:>8} {c:>7.2} {d:>7.1}", all.steps, held.steps);
        }
    };
    for family in Family::ALL {
        let all = costs::errors(fitted, measured.iter(), Some(family));
        line(family.name(), all, costs::held_out(measured, Some(family)));
        if all.mean > NOTABLE {
            worst(measured, fitted, family);
        }
    }
    let all = costs::errors(fitted, measured.iter(), None);
    line("all", all, costs::held_out(measured, None));
}
