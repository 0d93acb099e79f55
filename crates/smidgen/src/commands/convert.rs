//! `smidgen convert`: read, rewrite, write.

use super::Answer;
use super::inspect::moved;
use crate::console::format::{bytes, count};
use crate::console::options::Model;
use crate::console::{Failure, Output, interrupt};
use clap::Args;
use smidgen::Network;
use smidgen::ir::visible_path;
use std::path::PathBuf;

/// Write a model as a TensorFlow Lite file, cleaned up on request
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  smidgen convert model.tflite small.tflite --clean
      without padding that a convolution can do itself, constants computed anew each time, and operators that do nothing
  smidgen convert model.tflite device.tflite --io int8 --clean
      also with int8 inputs and outputs instead of float ones
  smidgen convert model.onnx model.tflite
      from an ONNX file
  smidgen convert model.ir model.tflite
      from the text that `inspect --ir` prints

An ONNX file has the channels of its images first, what is written has them last, and arrays for the two differ likewise; \
the command says which inputs and outputs that is.

Results keep their bytes. The file is written as a whole or not at all, and the same model gives the same bytes.")]
pub struct Convert {
    #[command(flatten)]
    model: Model,
    /// The file to write
    #[arg(value_name = "OUT.tflite", required_unless_present = "output")]
    out: Option<PathBuf>,
    /// The file to write, as other commands have it
    #[arg(short, long, value_name = "OUT.tflite", conflicts_with = "out")]
    output: Option<PathBuf>,
}

impl Convert {
    pub fn run(&self, out: &mut Output) -> Result<Answer, Failure> {
        let Some(path) = self.output.as_ref().or(self.out.as_ref()) else {
            return Err(Failure::usage("no file to write is named", "give it behind the model, or with -o"));
        };
        if path.extension().is_none_or(|extension| extension != "tflite") {
            return Err(Failure::usage(
                format!("`{}` does not end in .tflite", visible_path(path)),
                "TensorFlow Lite files are what can be written; `smidgen inspect MODEL --ir` prints text",
            ));
        }
        let before = self.model.as_it_is()?;
        let after = self.model.open()?;
        let written = after.to_tflite().map_err(|e| e.at(&self.model.path))?;
        // What cannot be read back must not replace what can.
        Network::from_tflite(&written).map_err(|e| e.at(path))?;
        interrupt::write(path, &written)?;
        let operators = |network: &Network| network.graph().operators.len();
        let was = match (operators(&before), operators(&after)) {
            (before, after) if before == after => String::new(),
            (before, _) => format!(" (of {before})"),
        };
        out.note(format!(
            "{}: {}{was}, {}",
            visible_path(path),
            count(operators(&after), "operator"),
            bytes(written.len())
        ))?;
        for line in moved(&after, &visible_path(path).to_string()) {
            out.wrapped(&format!("  {line}"), 4)?;
        }
        Ok(Answer::Yes)
    }
}
