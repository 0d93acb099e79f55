//! `smidgen man`: the manual's pages.

use super::{Answer, Cli};
use crate::console::{Failure, Output};
use clap::{Args, CommandFactory};
use clap_mangen::Man as Page;

/// Print a page of the manual
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  smidgen man | man -l -
      read it
  smidgen man quantize > ~/.local/share/man/man1/smidgen-quantize.1
      the page of one command, where `man smidgen-quantize` finds it")]
pub struct Man {
    /// The command to describe [default: smidgen itself, with a list of the commands]
    command: Option<String>,
}

impl Man {
    pub fn run(&self, out: &mut Output) -> Result<Answer, Failure> {
        let mut all = Cli::command();
        all.build();
        let command = match &self.command {
            None => all,
            Some(name) => match all.find_subcommand(name) {
                Some(found) => found.clone(),
                None => {
                    return Err(Failure::usage(
                        format!("there is no command `{name}`"),
                        "`smidgen --help` lists the commands",
                    ));
                }
            },
        };
        let mut page = Vec::new();
        Page::new(command).render(&mut page).map_err(Failure::Output)?;
        out.raw(&page)?;
        Ok(Answer::Yes)
    }
}
