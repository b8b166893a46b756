//! One user's searches through the companion beside another's many re-runs.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::{
    bench::machine,
    process::{self, cargo},
    report, workspace,
};

/// The most that 95 of 100 searches may take, in ms.
const P95: f64 = 300.0;

pub(crate) fn bench(dry_run: bool) -> Result<()> {
    let example = ["--package", "viewfinder-immich", "--example", "reruns"];
    process::run(cargo().args(["build", "--release"]).args(example))?;
    let mut command = Command::new(workspace().join("target/release/examples/reruns"));
    let output = command.stderr(Stdio::inherit()).output().context("cannot start the example")?;
    ensure!(output.status.success(), "the example failed");
    let figures: Value = serde_json::from_slice(&output.stdout).context("the example's figures")?;
    let figure = |name: &str| figures[name].as_f64().with_context(|| format!("no figure {name}"));
    let (p50, p95, most) = (figure("p50")?, figure("p95")?, figure("most")?);
    let (left, searches) = (figure("left_to_immich")?, figure("searches")?);
    let text = format!(
        "Written by `cargo xtask bench reruns`. Machine: {}. Stand-ins take 20 ms for a search and 200 ms for a picture that is \
         done again. 30 clients of one user have 8 pictures done again each, over and over; another user searches.\n\n\
         | searches | median, ms | p95, ms | longest, ms | left to Immich |\n\
         | --- | --- | --- | --- | --- |\n\
         | {searches} | {p50:.0} | {p95:.0} | {most:.0} | {left} |\n",
        machine()
    );
    report::write("Re-runs", &text, dry_run)?;
    ensure!(p95 <= P95, "95 of 100 searches take up to {p95:.0} ms");
    ensure!(left == 0.0, "{left} searches were left to Immich");
    Ok(())
}
