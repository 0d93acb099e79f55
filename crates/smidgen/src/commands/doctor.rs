//! `smidgen doctor`: what is installed of what building and emulating needs.

use super::Answer;
use crate::console::format::short;
use crate::console::output::{BAD, GOOD, Output};
use crate::console::table::{Column, Table};
use crate::console::{Code, Failure};
use clap::Args;
use serde_json::{Value, json};
use smidgen::Error;
use smidgen::boards::{self, Core};
use smidgen::ir::{visible, visible_lines};
use smidgen::sim::doctor::{self, Findings};
use smidgen::sim::plugin::PluginError;
use std::path::PathBuf;

/// Say which compilers, linkers and emulators are there, and how to get the others
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  smidgen doctor                      every core that code can be generated for
  smidgen doctor --board stm32f746    that board's core alone
  smidgen doctor --json

Exit code 0: firmware can be built for every core asked about, and simulated; 1: something is missing.")]
pub struct Doctor {
    /// Only what this board needs: a name that `smidgen boards` lists, or a board file
    #[arg(short, long, value_name = "NAME|FILE")]
    board: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

const COLUMNS: [Column; 5] = [
    Column::left("core", 0),
    Column::left("build", 0),
    Column::left("simulate", 0),
    Column::left("compiler", 0),
    Column::left("linker", 1),
];

impl Doctor {
    pub fn run(&self, out: &mut Output) -> Result<Answer, Failure> {
        let cores = match &self.board {
            Some(name) => vec![boards::find(name).map_err(Error::from)?.core],
            None => Core::ALL.to_vec(),
        };
        let findings: Vec<Findings> = cores.into_iter().map(doctor::examine).collect();
        let plug_in = doctor::plug_in();
        let well = plug_in.is_ok() && findings.iter().all(Findings::simulates);
        if self.json {
            out.json(&json!({
                "complete": well,
                "path": smidgen::sim::no_path().is_none(),
                "plug_in": describe_plug_in(&plug_in),
                "cores": findings.iter().map(|f| describe(f, plug_in.is_ok())).collect::<Vec<_>>(),
            }))?;
        } else {
            show(out, &findings, &plug_in)?;
        }
        Ok(if well { Answer::Yes } else { Answer::No(Code::Differs) })
    }
}

fn show(out: &mut Output, findings: &[Findings], plug_in: &Result<PathBuf, PluginError>) -> Result<(), Failure> {
    let mut table = Table::new(&COLUMNS);
    let yes = |yes: bool| if yes { "yes".to_owned() } else { "no".to_owned() };
    for f in findings {
        let (compiler, linker) = match &f.toolchain {
            Ok(t) => {
                let core = if t.builds_core { ", builds `core` itself" } else { "" };
                (format!("{}{core}", short(&t.version)), short(&t.linker.version))
            }
            Err(_) => ("none".to_owned(), String::new()),
        };
        let simulates = yes(f.simulates() && plug_in.is_ok());
        table.row(vec![f.core.to_string(), yes(f.builds()), simulates, compiler, linker]);
    }
    out.print(table.render(out.width))?;
    out.line("")?;
    let mut emulators: Vec<_> = findings.iter().map(|f| &f.emulator).collect();
    emulators.dedup();
    for emulator in emulators {
        let version = emulator.version.as_deref().map_or("not installed".to_owned(), short);
        out.line(format!("{:20} {version}", emulator.program))?;
    }
    out.line(format!("{:20} {}", "counting plug-in", if plug_in.is_ok() { "compiles" } else { "does not compile" }))?;
    if let Err(error) = plug_in {
        out.line(format!("{BAD}missing{BAD:#}  {}", visible_lines(&error.to_string())))?;
        if let Some(source) = std::error::Error::source(error) {
            out.line(format!("  {}", visible(&source.to_string())))?;
        }
    }
    if let Some(advice) = smidgen::sim::no_path().filter(|_| plug_in.is_err() || findings.iter().any(|f| !f.builds())) {
        out.line(format!("{BAD}missing{BAD:#}  PATH"))?;
        out.wrapped(&format!("  {advice}"), 2)?;
    }
    // Cores that share a target share the remedy.
    let mut remedies: Vec<(String, Vec<String>)> = Vec::new();
    for f in findings {
        for advice in f.advice() {
            match remedies.iter_mut().find(|(known, _)| *known == advice) {
                Some((_, cores)) => cores.push(f.core.to_string()),
                None => remedies.push((advice, vec![f.core.to_string()])),
            }
        }
    }
    for (advice, cores) in &remedies {
        out.line(format!("{BAD}missing{BAD:#}  for {}", cores.join(", ")))?;
        out.line(format!("  {advice}"))?;
    }
    for f in findings {
        for tried in f.toolchain.as_ref().err().iter().flat_map(|e| &e.tried) {
            out.detail(format!("  {}: {}", f.core, visible(tried)))?;
        }
    }
    if remedies.is_empty() && plug_in.is_ok() {
        out.line(format!("{GOOD}complete{GOOD:#}"))?;
    }
    Ok(())
}

fn describe_plug_in(plug_in: &Result<PathBuf, PluginError>) -> Value {
    match plug_in {
        Ok(path) => json!({ "compiles": true, "path": path.to_string_lossy() }),
        Err(error) => json!({ "compiles": false, "reason": error.to_string() }),
    }
}

fn describe(f: &Findings, counts: bool) -> Value {
    json!({
        "core": f.core.name(),
        "target": f.core.target(),
        "builds": f.builds(),
        "simulates": f.simulates() && counts,
        "compiler": f.toolchain.as_ref().ok().map(|t| json!({
            "path": t.rustc.to_string_lossy(), "version": t.version, "builds_core": t.builds_core,
        })),
        "linker": f.toolchain.as_ref().ok().map(|t| json!({
            "path": t.linker.program.to_string_lossy(), "version": t.linker.version,
        })),
        "emulator": { "program": f.emulator.program, "version": f.emulator.version },
        "tried": f.toolchain.as_ref().err().map(|e| &e.tried),
        "advice": f.advice(),
    })
}
