use std::thread::available_parallelism;

use anyhow::{Result, bail};

use crate::{
    deny,
    machine::{Need, provide},
    process::{self, cargo, run_watching, say},
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only the tests, without format, lints, documentation and a look at the dependencies.
    #[arg(long)]
    only_tests: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    provide(&[Need::Pip, Need::Assembler, Need::Browser, Need::Decoders, Need::Npm])?;
    if !arguments.only_tests {
        process::run(cargo().args(["fmt", "--all", "--check"]))?;
        process::run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
        process::run(cargo().env("RUSTDOCFLAGS", "-D warnings").args([
            "doc",
            "--workspace",
            "--no-deps",
            "--quiet",
        ]))?;
        deny::check()?;
    }

    let mut tally = Tally::default();
    // What needs Chromium or the system's decoders is marked as ignored for a plain `cargo test`; here it is provided.
    // Examples were compiled for the lints; to link eighteen of them takes a minute.
    let tests =
        ["test", "--workspace", "--no-fail-fast", "--lib", "--bins", "--tests", "--", "--include-ignored"];
    // Most tests wait for servers, browsers and disks: twice as many at once as there are cores take a third less time.
    let threads = (2 * available_parallelism()?.get()).to_string();
    let mut succeeded =
        run_watching(cargo().args(tests).env("RUST_TEST_THREADS", threads), |line| tally.read(line))?;
    let in_documentation = ["test", "--workspace", "--no-fail-fast", "--doc"];
    succeeded &= run_watching(cargo().args(in_documentation), |line| tally.read(line))?;
    say("all test programs together:");
    #[expect(clippy::print_stdout, reason = "the last line is for whoever reads only that")]
    {
        println!("{} passed, {} failed", tally.passed, tally.failed);
    }
    if !succeeded || tally.failed > 0 {
        bail!("there are failed tests");
    }
    if tally.passed == 0 {
        bail!("no test ran");
    }
    Ok(())
}

/// Sums the closing lines of the test programs.
#[derive(Default)]
struct Tally {
    passed: u64,
    failed: u64,
}

impl Tally {
    fn read(&mut self, line: &str) {
        let Some(summary) = line.strip_prefix("test result: ") else { return };
        let count = |word: &str| {
            let mut words = summary.split([' ', ';', '.']).filter(|part| !part.is_empty());
            let mut previous = "";
            words.find_map(|part| {
                let found = (part == word).then(|| previous.parse().ok()).flatten();
                previous = part;
                found
            })
        };
        self.passed += count("passed").unwrap_or(0);
        self.failed += count("failed").unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_summed() {
        let mut tally = Tally::default();
        tally.read(
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s",
        );
        tally.read("test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out");
        tally.read("test it ... ok");
        assert_eq!((tally.passed, tally.failed), (15, 2));
    }
}
