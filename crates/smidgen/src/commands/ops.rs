//! `smidgen ops`: the support table, printed from the list that the reader goes by, and the operators that are lacking.

use super::Answer;
use crate::console::Failure;
use crate::console::Output;
use crate::console::format::wrap;
use crate::console::table::{Column, Table};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use smidgen::ir::front::{LackingEntry, SupportEntry};

/// List the operators that are supported, and why others are not
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  smidgen ops
  smidgen ops --format onnx
  smidgen ops --json

Types are those of an operator's data. Weights follow them: int8 or packed int4 beside int8, float32 beside float32. An \
operator without types is computed when reading, of constants and of the shapes of tensors, or goes into the one that its remark names.

Behind them come all other operators of the format and of TensorFlow Lite Micro, or of the ONNX standard: why each is not supported, and \
what to do about it. A name that ends with * stands for all that begin so.")]
pub struct Ops {
    /// The files' format
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(ValueEnum, Clone, Copy, Debug, Default)]
enum Format {
    /// TensorFlow Lite
    #[default]
    Tflite,
    /// ONNX
    Onnx,
}

const TAKEN: [Column; 3] = [Column::left("operator", 0), Column::left("types", 0), Column::left("remarks", 0)];
const LACKING: [Column; 2] = [Column::left("operator", 0), Column::left("why", 0)];

impl Ops {
    pub fn run(&self, out: &mut Output) -> Result<Answer, Failure> {
        let (mut supported, lacking): (Vec<SupportEntry>, &[LackingEntry]) = match self.format {
            Format::Tflite => {
                let taken = [&smidgen::tflite::SUPPORTED[..], &smidgen::tflite::READ_AWAY].concat();
                (taken, smidgen::tflite::LACKING)
            }
            Format::Onnx => (smidgen::onnx::SUPPORTED.to_vec(), smidgen::onnx::LACKING),
        };
        supported.sort_by_key(|entry| entry.name);
        let types = |entry: &SupportEntry| entry.types.iter().map(|t| t.name()).collect::<Vec<_>>();
        if self.json {
            let taken = |e: &SupportEntry| json!({ "operator": e.name, "types": types(e), "remarks": e.remarks });
            let lacks = |e: &LackingEntry| json!({ "operator": e.name, "why": e.why, "hint": e.hint });
            let supported: Vec<Value> = supported.iter().map(taken).collect();
            let unsupported: Vec<Value> = lacking.iter().map(lacks).collect();
            out.json(&json!({ "supported": supported, "unsupported": unsupported }))?;
            return Ok(Answer::Yes);
        }
        let mut table = Table::new(&TAKEN);
        for entry in &supported {
            table.row(vec![entry.name.into(), types(entry).join(" "), entry.remarks.into()]);
        }
        out.print(table.render(out.width))?;
        out.line("\nnot supported")?;
        let mut table = Table::new(&LACKING);
        let mut hints: Vec<(&str, Vec<&str>)> = Vec::new();
        for entry in lacking {
            table.row(vec![entry.name.into(), entry.why.into()]);
            match hints.iter_mut().find(|(known, _)| *known == entry.hint) {
                Some((_, names)) => names.push(entry.name),
                None => hints.push((entry.hint, vec![entry.name])),
            }
        }
        out.print(table.render(out.width))?;
        out.line("\nwhat to do about these")?;
        for (hint, names) in hints {
            out.line(wrap(&format!("  {}: {hint}", names.join(", ")), out.width, 4))?;
        }
        Ok(Answer::Yes)
    }
}
