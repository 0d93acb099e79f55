//! `smidgen bench`: many networks on one emulated board.

use super::Answer;
use super::simulate::{Patience, Reference, noise, open, run};
use crate::console::failure::Code;
use crate::console::format::thousands;
use crate::console::options::{Deployment, IoType, Model, Shapes};
use crate::console::output::Output;
use crate::console::table::{Column, Table};
use crate::console::{Failure, Notice};
use clap::Args;
use smidgen::boards::Board;
use smidgen::ir::{visible, visible_path};
use smidgen::sim::report::{Bench as Report, Failed, SCHEMA, Simulation};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Simulate a folder of networks and print the whole table
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  smidgen bench models/ --board stm32f746
      every .tflite file of the folder
  smidgen bench a.tflite b.tflite --board stm32f746 --io int8 --golden goldens/
      these two, compared with goldens/a.npz and goldens/b.npz where they are there
  smidgen bench models/ --board stm32f746 --json > after.json
  smidgen diff before.json after.json --fail-on instructions=+0,sram=+0
      a gate for your own tests

Each network is simulated as `smidgen simulate` does it; without a golden file its input is noise from a seed. A network \
that cannot be simulated is listed with the reason.

Exit code 0: all were simulated, and all outputs are right. Else that of the first that was not: 1 if outputs differ, 5 if \
it does not fit, and so on.")]
pub struct Bench {
    /// Networks, or folders of .tflite files
    #[arg(value_name = "MODEL|DIR", required = true)]
    models: Vec<PathBuf>,
    #[command(flatten)]
    deployment: Deployment,
    /// Cut the QUANTIZE and DEQUANTIZE at the ends, so that networks take and give integers
    #[arg(long, value_enum, value_name = "TYPE")]
    io: Option<IoType>,
    /// A folder with reference inputs and outputs, NAME.npz for NAME.tflite
    #[arg(short, long, value_name = "DIR")]
    golden: Option<PathBuf>,
    #[command(flatten)]
    patience: Patience,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

const COLUMNS: [Column; 9] = [
    Column::left("network", 0),
    Column::right("instructions", 0),
    Column::right("per\nMAC", 2),
    Column::right("SRAM\nbytes", 0),
    Column::right("of it\nstack", 3),
    Column::right("flash\nbytes", 0),
    Column::right("of it\ncode", 4),
    CYCLES,
    Column::left("outputs", 1),
];

/// Shown for boards whose cycles are modelled.
const CYCLES: Column = Column::right("M4 cycles\n(modelled)", 5);

impl Bench {
    pub fn run(&self, out: &mut Output) -> Result<Answer, Failure> {
        let board = self.deployment.board()?;
        let paths = self.networks()?;
        let (mut models, mut failed) = (Vec::new(), Vec::new());
        let mut worst: Option<Code> = None;
        for path in paths {
            let name = path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
            out.detail(format!("{} ...", visible(&name)))?;
            match self.one(&path, &board) {
                Ok(report) => {
                    if !(report.matches_host && report.matches_golden != Some(false)) {
                        worst = worst.or(Some(Code::Differs));
                    }
                    models.push(report);
                }
                Err(failure @ Failure::Output(_)) => return Err(failure),
                Err(failure) => {
                    worst = worst.or(Some(failure.code()));
                    failed.push(Failed { model: name, reason: Notice(&failure).to_string() });
                }
            }
        }
        let report = Report { schema: SCHEMA, board: board.name.clone(), models, failed };
        if self.json {
            out.json(&serde_json::to_value(&report).map_err(|e| Failure::usage(e.to_string(), "leave --json out"))?)?;
        } else {
            show(out, &report, &board)?;
        }
        Ok(worst.map_or(Answer::Yes, Answer::No))
    }

    /// The networks, in the order given, those of a folder by name.
    fn networks(&self) -> Result<Vec<PathBuf>, Failure> {
        let mut paths = Vec::new();
        for given in &self.models {
            if !given.is_dir() {
                paths.push(given.clone());
                continue;
            }
            let unreadable =
                |e| Failure::usage(format!("cannot read `{}`: {e}", visible_path(given)), "check the path");
            let entries = std::fs::read_dir(given).map_err(unreadable)?;
            let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
            found.retain(|path| path.extension().is_some_and(|e| e == "tflite"));
            if found.is_empty() {
                return Err(Failure::usage(
                    format!("`{}` holds no .tflite file", visible_path(given)),
                    "name the networks themselves",
                ));
            }
            found.sort();
            paths.extend(found);
        }
        let mut names = BTreeMap::new();
        for path in &paths {
            if let Some(other) = path.file_name().and_then(|name| names.insert(name.to_owned(), path)) {
                return Err(Failure::usage(
                    format!("`{}` and `{}` have the same name", visible_path(other), visible_path(path)),
                    "a report tells networks apart by their file names",
                ));
            }
        }
        Ok(paths)
    }

    fn one(&self, path: &Path, board: &Board) -> Result<Simulation, Failure> {
        let model = Model { path: path.to_owned(), shapes: Shapes::default(), clean: true, io: self.io };
        let network = open(&model)?;
        let golden = self.golden.as_ref().zip(path.file_stem()).map(|(folder, stem)| folder.join(stem));
        let golden = golden.map(|mut path| {
            path.as_mut_os_string().push(".npz");
            path
        });
        let golden = golden.filter(|path| path.exists());
        let samples = if golden.is_some() { Vec::new() } else { vec![noise(network.graph())] };
        let golden = golden.as_deref().map(|path| Reference { path, steps: 0 });
        Ok(run(&model, &network, (&self.deployment, self.patience), board, golden, samples)?.0.report)
    }
}

fn show(out: &mut Output, report: &Report, board: &Board) -> Result<(), Failure> {
    // One board, one core: its cycles are modelled for all networks or for none.
    let cycles = report.models.iter().any(|r| r.modelled_m4_cycles.is_some());
    let columns: Vec<Column> = COLUMNS.iter().filter(|c| cycles || c.title != CYCLES.title).copied().collect();
    let mut table = Table::new(&columns);
    for r in &report.models {
        let per_mac = if r.macs == 0 { "-".into() } else { format!("{:.2}", r.instructions as f64 / r.macs as f64) };
        let outputs = match (r.matches_host, r.matches_golden) {
            (false, _) => "differ from the host's",
            (true, Some(false)) => "differ from the golden",
            (true, Some(true)) => "golden",
            (true, None) => "host's",
        };
        let mut row = vec![
            r.model.trim_end_matches(".tflite").to_owned(),
            thousands(r.instructions),
            per_mac,
            thousands(r.sram.total),
            thousands(r.sram.stack),
            thousands(r.flash.total),
            thousands(r.flash.code),
        ];
        row.extend(cycles.then(|| r.modelled_m4_cycles.map_or_else(String::new, thousands)));
        row.push(outputs.to_owned());
        table.row(row);
    }
    out.print(table.render(out.width))?;
    for failed in &report.failed {
        out.line(crate::console::format::wrap(&format!("{}: {}", failed.model, failed.reason), out.width, 4))?;
    }
    let board = &board.title;
    out.note(format!("{board}: instructions are exact, SRAM is measured with the stack, flash is code and constants"))
}
