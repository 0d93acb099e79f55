//! `smidgen diff`: a gate for a user's own tests.

use super::Answer;
use crate::console::output::Output;
use crate::console::{Code, Failure};
use clap::Args;
use serde_json::{Value, json};
use smidgen::ir::visible_path;
use smidgen::sim::report::{self, Diff as Difference, DiffError, Limit, Pair};
use smidgen::{Error, files};
use std::path::{Path, PathBuf};

/// Compare two reports of `simulate --json`, `bench --json` or `plan --json`, and fail if a figure got worse
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  smidgen diff before.json after.json
      a Markdown table of instructions, SRAM and flash
  smidgen diff before.json after.json --fail-on sram=+0,flash=+1%,instructions=+0
      exit code 1 if SRAM or instructions grow at all, or flash by more than 1 %
  smidgen diff before.json after.json --fail-on sram.stack=+64,steps.3.instructions=+2%
      any figure of the report, by its path

  smidgen diff kws-int8.json kws-mixed.json
      two variants of a network, whatever their names
  smidgen diff before.json after.json --pair kws-int8.tflite=kws-mixed.tflite
      two variants among several networks

A limit is FIGURE=+CHANGE: FIGURE is a dotted path in the JSON (of a group such as `sram` its `total` is meant; lists \
count from 0), +CHANGE by how much it may grow, in the figure's own unit or with % in per cent of the earlier value. \
What is exactly at the limit passes. FIGURE=-CHANGE is for figures that must not shrink. Networks are matched by name; where each report has one network, these two are compared, and --pair compares those that it names \
and no others. \
Where the layers of two variants do not match, a note says from which step on, and limits on such a step are refused.

Exit code 0: every limit is kept. 1: one is not; or, with limits, a network of the first report is missing in the \
second; or outputs in the second are wrong (`matches_host` or `matches_golden` is false). 2: a report cannot be read, or \
a figure is not in it.")]
pub struct Diff {
    /// The earlier report
    #[arg(value_name = "BEFORE.json")]
    before: PathBuf,
    /// The later report
    #[arg(value_name = "AFTER.json")]
    after: PathBuf,
    /// Limits, separated by commas
    #[arg(long, value_name = "FIGURE=+CHANGE", value_delimiter = ',')]
    fail_on: Vec<Limit>,
    /// Compare only these networks, of different names: that of the first report, that of the second; repeatable
    #[arg(long, value_name = "BEFORE=AFTER", value_parser = pair)]
    pair: Vec<Pair>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Diff {
    pub fn run(&self, out: &mut Output) -> Result<Answer, Failure> {
        let paths = [&self.before, &self.after];
        let (before, after) = (read(paths[0])?, read(paths[1])?);
        let diff = report::compare(&before, &after, &self.fail_on, &self.pair)
            .map_err(|(i, error)| at_fault(paths[i], &error))?;
        if self.json {
            out.json(&describe(&diff))?;
        } else {
            out.print(diff.markdown())?;
        }
        Ok(if diff.passes() { Answer::Yes } else { Answer::No(Code::Differs) })
    }
}

/// Two names around a `=`.
fn pair(text: &str) -> Result<Pair, String> {
    let names = text.split_once('=').filter(|(a, b)| !a.is_empty() && !b.is_empty());
    names
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .ok_or_else(|| "two names, such as int8.tflite=mixed.tflite".to_owned())
}

fn read(path: &Path) -> Result<Value, Failure> {
    let bytes = files::read(path).map_err(Error::from)?;
    serde_json::from_slice(&bytes).map_err(|e| {
        Failure::usage(
            format!("`{}` is not JSON: {e}", visible_path(path)),
            "write it with `smidgen simulate --json`, `bench --json` or `plan --json`",
        )
    })
}

fn at_fault(path: &Path, error: &DiffError) -> Failure {
    let help = match error {
        DiffError::NoReport => "write one with `smidgen simulate MODEL --board NAME --json > FILE`",
        DiffError::Twice(_) => "networks are told apart by their file names: give each its own",
        DiffError::NoNetwork { .. } => "--pair BEFORE=AFTER takes the names that the reports give their networks",
        DiffError::OtherStep { .. } => "give limits for figures of the whole network",
        DiffError::NothingCommon { .. } => "compare two reports of one command",
        DiffError::NoFigure { .. } => "a figure is named by its path in the JSON, such as `sram.stack`",
    };
    Failure::usage(format!("`{}`: {error}", visible_path(path)), help)
}

fn describe(diff: &Difference) -> Value {
    json!({
        "passes": diff.passes(),
        "rows": diff.rows.iter().map(|r| json!({
            "model": r.model, "before_model": r.from, "figure": r.path, "before": r.before, "after": r.after,
            "limit": r.limit.as_ref().map(Limit::to_string), "passes": r.passes(),
        })).collect::<Vec<_>>(),
        "missing": diff.missing,
        "added": diff.added,
        "wrong": diff.wrong,
        "notes": diff.notes,
    })
}
