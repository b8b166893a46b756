use clap::CommandFactory as _;
use clap_complete::{Shell, generate};

use crate::cli::Cli;
use crate::failure::{Failure, Outcome};
use crate::output;

/// Prints a completion script.
pub(crate) fn run(shell: Shell) -> Result<Outcome, Failure> {
    let mut script = Vec::new();
    generate(shell, &mut Cli::command(), "viewfinder", &mut script);
    output::text(&String::from_utf8_lossy(&script))?;
    Ok(Outcome::Done)
}
