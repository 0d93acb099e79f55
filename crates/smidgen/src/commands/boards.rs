//! `smidgen boards`: what boards are known.

use super::Answer;
use crate::console::Failure;
use crate::console::Output;
use crate::console::table::{Column, Table};
use clap::Args;
use serde_json::json;
use smidgen::Error;
use smidgen::boards::{self, Board};
use smidgen::ir::visible;

/// List the boards that networks can be planned for
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  smidgen boards                              a table of all
  smidgen boards stm32f746                    one board
  smidgen boards stm32f746 --toml > my.toml   a file to make your own board from: name, core, SRAM, flash
  smidgen plan model.tflite --board my.toml   and to plan for it")]
pub struct Boards {
    /// One board, by its name or its file
    name: Option<String>,
    /// Print the board's file
    #[arg(long, requires = "name", conflicts_with = "json")]
    toml: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

const COLUMNS: [Column; 7] = [
    Column::left("name", 0),
    Column::left("board", 2),
    Column::left("core", 0),
    Column::right("MHz", 1),
    Column::right("SRAM\nKiB", 0),
    Column::right("flash\nKiB", 0),
    Column::left("emulated by", 3),
];

impl Boards {
    pub fn run(&self, out: &mut Output) -> Result<Answer, Failure> {
        let chosen = match &self.name {
            Some(name) => vec![boards::find(name).map_err(Error::from)?],
            None => boards::builtin().to_vec(),
        };
        if self.toml {
            let text = toml::to_string(&chosen[0])
                .map_err(|e| Failure::usage(format!("the board cannot be written: {e}"), "choose another board"))?;
            out.print(text)?;
        } else if self.json {
            out.json(&json!(chosen))?;
        } else {
            let mut table = Table::new(&COLUMNS);
            for board in &chosen {
                table.row(row(board));
            }
            out.print(table.render(out.width))?;
            if let [board] = &chosen[..]
                && !board.note.is_empty()
            {
                out.note(format!("note: {}", visible(&board.note)))?;
            }
            if self.name.is_none() {
                out.note(
                    "Your own: `smidgen boards NAME --toml > my.toml`, change it, and give the file for the name.",
                )?;
            }
        }
        Ok(Answer::Yes)
    }
}

fn row(board: &Board) -> Vec<String> {
    vec![
        board.name.clone(),
        board.title.clone(),
        board.core.to_string(),
        board.clock_mhz.to_string(),
        (board.sram.bytes / 1024).to_string(),
        (board.flash.bytes / 1024).to_string(),
        board.qemu.as_ref().map_or_else(String::new, |q| q.machine.clone()),
    ]
}
