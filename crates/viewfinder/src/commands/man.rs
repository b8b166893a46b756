use std::path::Path;

use anyhow::Context as _;
use clap::CommandFactory as _;

use crate::cli::Cli;
use crate::failure::{Failure, Outcome};
use crate::output;

/// Prints the manual page, or writes one for each command into a folder.
pub(crate) fn run(folder: Option<&Path>) -> Result<Outcome, Failure> {
    if let Some(folder) = folder {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        clap_mangen::generate_to(Cli::command(), folder)
            .with_context(|| format!("cannot write to {}", folder.display()))?;
    } else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command()).render(&mut page)?;
        output::text(&String::from_utf8_lossy(&page))?;
    }
    Ok(Outcome::Done)
}
