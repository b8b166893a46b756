//! Running other programs, with progress.

use std::{
    io::{BufRead, BufReader, Write as _},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

/// One line of progress, set apart from what programs print.
#[expect(clippy::print_stderr, reason = "this program talks to a person")]
pub(crate) fn say(text: &str) {
    eprintln!("==> {text}");
}

/// `cargo` of the tool chain that runs this, in the workspace.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(crate::workspace());
    // What cargo tells this program of its own package. Build scripts (ring's) look at that, and all that depends on them would be
    // compiled once more than by a cargo that was called by hand.
    for (name, _) in std::env::vars_os() {
        if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|head| name.to_string_lossy().starts_with(head)) {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a program to its end and fails if it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = show(command);
    say(&shown);
    let status = command.status().with_context(|| format!("cannot start {shown}"))?;
    if !status.success() {
        bail!("{shown}: {status}");
    }
    Ok(())
}

/// Runs a program to its end, passes its standard output through line by line, and tells whether it succeeded.
pub(crate) fn run_watching(command: &mut Command, mut line: impl FnMut(&str)) -> Result<bool> {
    let shown = show(command);
    say(&shown);
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start {shown}"))?;
    if let Some(output) = child.stdout.take() {
        let mut out = std::io::stdout().lock();
        for text in BufReader::new(output).lines() {
            let text = text?;
            line(&text);
            writeln!(out, "{text}")?;
        }
    }
    Ok(child.wait()?.success())
}

/// Does the program start and succeed? For asking whether something is installed.
pub(crate) fn works(program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
