//! `smidgen completions`: what a shell needs to complete the command line.

use super::{Answer, Cli};
use crate::console::{Failure, Output};
use clap::{Args, CommandFactory};
use clap_complete::Shell;

/// Print a shell's completion script
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  smidgen completions bash > ~/.local/share/bash-completion/completions/smidgen
  smidgen completions zsh > ~/.zfunc/_smidgen
  smidgen completions fish > ~/.config/fish/completions/smidgen.fish")]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub fn run(&self, out: &mut Output) -> Result<Answer, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "smidgen", &mut script);
        out.raw(&script)?;
        Ok(Answer::Yes)
    }
}
