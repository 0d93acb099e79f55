//! `smidgen check`: everything in the way of a network, at once.

use super::Answer;
use crate::console::format::{count, wrap};
use crate::console::options::Shapes;
use crate::console::output::{BAD, GOOD, Output};
use crate::console::table::{Column, Table};
use crate::console::{Code, Failure};
use clap::Args;
use serde_json::{Value, json};
use smidgen::ir::front::{Subject, Unsupported, UnsupportedGroup};
use smidgen::ir::visible_path;
use smidgen::lowering::LowerError;
use smidgen::network::{ReadOptions, unsupported};
use smidgen::{Error, LowerOptions, Network};
use std::path::{Path, PathBuf};

/// List everything in a model that smidgen does not support, with what to do about it
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  smidgen check model.tflite
  smidgen check model.tflite --json

Lists everything unsupported at once: one line for each cause, with its first place in the network and a hint; with \
--json every operator, tensor and feature for itself. Of a network \
that is quantised already in an ONNX file it also names the operators that compute on floats all the same. Exit code \
0: all is supported; 3: something is not, or the file is of another kind, which is named; 4: the file is damaged; 5: it \
declares tensors that no board holds.")]
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
            out.line(format!("{GOOD}supported{GOOD:#}  {}", visible_path(path)))?;
            for line in moved {
                out.wrapped(&format!("  {line}"), 4)?;
            }
            return notes.iter().try_for_each(|note| out.wrapped(&format!("note: {note}"), 2)).map(|()| answer);
        }
        let obstacles = UnsupportedGroup::group(&found);
        out.line(format!("{BAD}unsupported{BAD:#}  {}: {}", visible_path(path), count(obstacles.len(), "obstacle")))?;
        out.line("")?;
        let mut table = Table::new(&COLUMNS);
        let mut hints: Vec<(&str, Vec<String>)> = Vec::new();
        for obstacle in &obstacles {
            table.row(vec![obstacle.place(), obstacle.reason(), obstacle.tensors().into()]);
            // Many obstacles have one remedy.
            match hints.iter_mut().find(|(known, _)| *known == obstacle.hint()) {
                Some((_, places)) => places.push(obstacle.place()),
                None => hints.push((obstacle.hint(), vec![obstacle.place()])),
            }
        }
        out.print(table.render(out.width))?;
        out.line("\nwhat to do")?;
        for (hint, places) in hints {
            out.line(wrap(&format!("  {}: {hint}", places.join(", ")), out.width, 4))?;
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
    let without_kernel = |error| match error {
        LowerError::Unsupported { index, operator, output, reason } => Ok(Unsupported {
            subject: Subject::Operator { index, name: operator.into() },
            tensors: format!("-> {output:?}"),
            reason,
            hint: "`smidgen ops` shows what is supported of it".into(),
            cause: None,
        }),
        // Not an obstacle in the network's operators: it fits nothing.
        error @ LowerError::TooLarge { .. } => Err(Error::from(error).at(path)),
    };
    let network = Network::open_with(path, options)?;
    let obstacles = network.obstacles(&LowerOptions::default());
    let obstacles = obstacles.into_iter().map(without_kernel).collect::<Result<_, _>>()?;
    Ok((obstacles, network.notes().to_vec(), super::inspect::moved(&network, "the network")))
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
        "cause": found.cause,
        "reason": found.reason,
        "hint": found.hint,
    })
}
