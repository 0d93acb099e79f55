//! `smidgen check`: everything in the way of a network, at once.

use super::Answer;
use crate::console::format::{count, wrap};
use crate::console::options::Shapes;
use crate::console::output::{BAD, GOOD, Output};
use crate::console::table::{Column, Table};
use crate::console::{Code, Failure};
use clap::Args;
use serde_json::{Value, json};
use smidgen::ir::front::{Subject, Unsupported};
use smidgen::network::{ReadOptions, unsupported};
use smidgen::plan::LowerError;
use smidgen::{Error, LowerOptions, Network};
use std::path::{Path, PathBuf};

/// List everything in a model that smidgen does not support, with what to do about it
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  smidgen check model.tflite
  smidgen check model.tflite --json

Lists every unsupported operator, type and feature at once, each with its place in the network and a hint. Of a network \
that is quantised already in an ONNX file it also names the operators that compute on floats all the same. Exit code \
0: all is supported; 3: something is not; 4: the file is damaged.")]
pub struct Check {
    /// The network: a TensorFlow Lite or ONNX file, or the text that `inspect --ir` prints
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    #[command(flatten)]
    shapes: Shapes,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

const COLUMNS: [Column; 3] = [Column::left("where", 0), Column::left("what", 0), Column::left("tensors", 0)];

impl Check {
    pub fn run(&self, out: &mut Output) -> Result<Answer, Failure> {
        let path = &self.model;
        let (found, notes, moved) = obstacles(path, &self.shapes.options())?;
        let answer = if found.is_empty() { Answer::Yes } else { Answer::No(Code::Unsupported) };
        if self.json {
            let list = |entries: &[Unsupported]| entries.iter().map(describe).collect::<Vec<_>>();
            let supported = found.is_empty();
            let (found, notes) = (list(&found), list(&notes));
            out.json(&json!({ "supported": supported, "unsupported": found, "notes": notes, "orders": moved }))?;
            return Ok(answer);
        }
        if found.is_empty() {
            out.line(format!("{GOOD}supported{GOOD:#}  {}", path.display()))?;
            for line in moved {
                out.wrapped(&format!("  {line}"), 4)?;
            }
            return notes.iter().try_for_each(|note| out.wrapped(&format!("note: {note}"), 2)).map(|()| answer);
        }
        out.line(format!("{BAD}unsupported{BAD:#}  {}: {}", path.display(), count(found.len(), "obstacle")))?;
        out.line("")?;
        let mut table = Table::new(&COLUMNS);
        let mut hints: Vec<(&str, Vec<String>)> = Vec::new();
        for Unsupported { subject, tensors, reason, hint } in &found {
            table.row(vec![subject.to_string(), reason.clone(), tensors.clone()]);
            // Many obstacles have one remedy.
            match hints.iter_mut().find(|(known, _)| known == hint) {
                Some((_, subjects)) => subjects.push(subject.to_string()),
                None => hints.push((hint, vec![subject.to_string()])),
            }
        }
        out.print(table.render(out.width))?;
        out.line("\nwhat to do")?;
        for (hint, subjects) in hints {
            out.line(wrap(&format!("  {}: {hint}", subjects.join(", ")), out.width, 4))?;
        }
        Ok(answer)
    }
}

/// What stands in the way of reading the model, or else (where it can be read) of running it; what there is to say
/// about a model that runs; and which of its inputs and outputs lie otherwise in the file.
type Found = (Vec<Unsupported>, Vec<Unsupported>, Vec<String>);

fn obstacles(path: &Path, options: &ReadOptions) -> Result<Found, Error> {
    let found = unsupported(path, options)?;
    if !found.is_empty() {
        return Ok((found, Vec::new(), Vec::new()));
    }
    let without_kernel = |LowerError::Unsupported { index, operator, output, reason }| Unsupported {
        subject: Subject::Operator { index, name: operator.into() },
        tensors: format!("-> {output:?}"),
        reason,
        hint: "`smidgen ops` shows what is supported of it".into(),
    };
    let network = Network::open_with(path, options)?;
    let obstacles = network.obstacles(&LowerOptions::default());
    Ok((
        obstacles.into_iter().map(without_kernel).collect(),
        network.notes().to_vec(),
        super::inspect::moved(&network, "the network"),
    ))
}

fn describe(found: &Unsupported) -> Value {
    let (kind, index, name) = match &found.subject {
        Subject::Operator { index, name } => ("operator", Some(index), Some(name)),
        Subject::Tensor { index, name } => ("tensor", Some(index), Some(name)),
        Subject::File => ("file", None, None),
    };
    json!({
        "kind": kind,
        "index": index,
        "name": name,
        "tensors": found.tensors,
        "reason": found.reason,
        "hint": found.hint,
    })
}
