//! The command line: one variant of [`Command`] and one file for each command.
//!
//! To add one: a file with its arguments and a `run`, a variant of [`Command`], and its line in [`run`]. What commands share lies in
//! [`console`](crate::console).

mod adapt;
mod bench;
mod boards;
mod check;
mod compile;
mod completions;
mod convert;
mod demo_data;
mod diff;
mod doctor;
mod eval;
mod export;
mod inspect;
mod man;
mod ops;
mod plan;
mod quantize;
mod run;
mod search;
mod simulate;
mod train;
mod verify;

use crate::console::output::{Output, Verbosity};
use crate::console::{Code, Failure, failure};
use clap::{Args, Parser, Subcommand};

/// What a command found out, where it did what was asked.
pub enum Answer {
    /// All is well.
    Yes,
    /// The answer is no: what was to be verified differs, what was to be checked is not supported.
    No(Code),
}

/// The command line.
#[derive(Parser, Debug)]
#[command(
    name = "smidgen",
    version,
    about = "Deep learning on microcontrollers",
    long_about = "Deep learning on microcontrollers: read a network, see what it costs, run it with the very bytes of the \
                  reference kernels.",
    arg_required_else_help = true,
    subcommand_required = true,
    disable_help_subcommand = true,
    after_long_help = failure::EXIT_CODES,
    after_help = "`smidgen COMMAND --help` explains each by example."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    global: Global,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Common options")]
struct Global {
    /// Print results only: no notes, no warnings
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Print more about each step
    #[arg(short, long, global = true)]
    verbose: bool,
}

#[derive(Subcommand, Debug)]
enum Command {
    Inspect(inspect::Inspect),
    Run(run::Run),
    Verify(verify::Verify),
    Eval(eval::Eval),
    Train(train::Train),
    Search(search::Search),
    Adapt(adapt::Adapt),
    DemoData(demo_data::DemoData),
    Export(export::Export),
    Quantize(quantize::Quantize),
    Plan(plan::Plan),
    Compile(compile::Compile),
    Simulate(simulate::Simulate),
    Bench(bench::Bench),
    Boards(boards::Boards),
    Check(check::Check),
    Ops(ops::Ops),
    Convert(convert::Convert),
    Diff(diff::Diff),
    Doctor(doctor::Doctor),
    Completions(completions::Completions),
    Man(man::Man),
}

/// Does what the command line says.
pub fn run(cli: &Cli) -> Result<Answer, Failure> {
    let verbosity = match cli.global {
        Global { quiet: true, .. } => Verbosity::Quiet,
        Global { verbose: true, .. } => Verbosity::Verbose,
        Global { .. } => Verbosity::Normal,
    };
    let mut out = Output::new(verbosity);
    match &cli.command {
        Command::Inspect(command) => command.run(&mut out),
        Command::Run(command) => command.run(&mut out),
        Command::Verify(command) => command.run(&mut out),
        Command::Eval(command) => command.run(&mut out),
        Command::Train(command) => command.run(&mut out),
        Command::Search(command) => command.run(&mut out),
        Command::Adapt(command) => command.run(&mut out),
        Command::DemoData(command) => command.run(&mut out),
        Command::Export(command) => command.run(&mut out),
        Command::Quantize(command) => command.run(&mut out),
        Command::Plan(command) => command.run(&mut out),
        Command::Compile(command) => command.run(&mut out),
        Command::Simulate(command) => command.run(&mut out),
        Command::Bench(command) => command.run(&mut out),
        Command::Boards(command) => command.run(&mut out),
        Command::Check(command) => command.run(&mut out),
        Command::Ops(command) => command.run(&mut out),
        Command::Convert(command) => command.run(&mut out),
        Command::Diff(command) => command.run(&mut out),
        Command::Doctor(command) => command.run(&mut out),
        Command::Completions(command) => command.run(&mut out),
        Command::Man(command) => command.run(&mut out),
    }
}
