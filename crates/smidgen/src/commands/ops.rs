//! `smidgen ops`: the support table, printed from the list that the reader goes by.

use super::Answer;
use crate::console::Failure;
use crate::console::Output;
use crate::console::table::{Column, Table};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use smidgen::ir::front::SupportEntry;

/// List the supported operators
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  smidgen ops
  smidgen ops --format onnx
  smidgen ops --json

Types are those of an operator's data. Weights follow them: int8 or packed int4 beside int8, float32 beside float32. An \
operator without types is computed when reading, of constants and of the shapes of tensors, or goes into the one that its remark names.")]
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

const COLUMNS: [Column; 3] = [Column::left("operator", 0), Column::left("types", 0), Column::left("remarks", 0)];

impl Ops {
    pub fn run(&self, out: &mut Output) -> Result<Answer, Failure> {
        let mut supported: Vec<SupportEntry> = match self.format {
            Format::Tflite => [&smidgen::tflite::SUPPORTED[..], &smidgen::tflite::READ_AWAY].concat(),
            Format::Onnx => smidgen::onnx::SUPPORTED.to_vec(),
        };
        supported.sort_by_key(|entry| entry.name);
        let types = |entry: &SupportEntry| entry.types.iter().map(|t| t.name()).collect::<Vec<_>>();
        if self.json {
            let rows: Vec<Value> = supported
                .iter()
                .map(|e| json!({ "operator": e.name, "types": types(e), "remarks": e.remarks }))
                .collect();
            out.json(&Value::Array(rows))?;
        } else {
            let mut table = Table::new(&COLUMNS);
            for entry in &supported {
                table.row(vec![entry.name.into(), types(entry).join(" "), entry.remarks.into()]);
            }
            out.print(table.render(out.width))?;
        }
        Ok(Answer::Yes)
    }
}
