//! How long searches take in a large catalogue, and what it costs.

use std::{fmt::Write as _, process::Command};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::{
    bench::machine,
    machine::{Need, provide},
    process::{self, cargo, say},
    report, workspace,
};

/// Measures both stores with 100,000 pictures, and PostgreSQL with a million if wanted.
pub(crate) fn bench(million: bool, dry_run: bool) -> Result<()> {
    provide(&[Need::Pip])?;
    process::run(cargo().args(["build", "--release", "-p", "viewfinder-catalog", "--example", "catalogue"]))?;
    let mut runs = vec![("sqlite", "100000"), ("postgres", "100000")];
    if million {
        runs.push(("postgres", "1000000"));
    }
    let mut found = Vec::new();
    for (store, count) in runs {
        say(&format!("{store} with {count} pictures"));
        let program = workspace().join("target/release/examples/catalogue");
        let mut command = Command::new(program);
        // As the program has it, whose memory is told of; see `tune_allocator`.
        command.env("MALLOC_ARENA_MAX", "2");
        let output = command.current_dir(workspace().join("target")).args([store, count]).output()?;
        ensure!(output.status.success(), "{store}: {}", String::from_utf8_lossy(&output.stderr));
        found.push((store, serde_json::from_slice(&output.stdout).context("the measurement's answer")?));
    }
    let text = table(&found)?;
    report::write("Catalogue", &text, dry_run)
}

fn table(runs: &[(&str, Value)]) -> Result<String> {
    let mut text = format!(
        "Written by `cargo xtask bench catalogue`: made-up pictures (70 % without text, 20 % with 1 to 5 lines, 10 % with 20 to \
         60,\nChinese and English; vectors of 512 numbers in 1000 clusters), 300 searches for words \
         and for pieces of lines,\nwhole searches with judging, fusing and a page of 50 hits.\nMachine: {}. PostgreSQL 16 with pgvector 0.8 on the same machine, 1 GB of shared buffers.\n\n\
         | store | pictures | open, ms | `ocr:` p50 / p95, ms | vector p50 / p95, ms | hybrid p50 / p95, ms | first vector \
         search, ms | recall@10 of vectors |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n",
        machine()
    );
    for (store, found) in runs {
        let pair = |name: &str| format!("{:.1} / {:.1}", number(&found[name][0]), number(&found[name][1]));
        writeln!(
            text,
            "| {store} | {} | {:.0} | {} | {} | {} | {:.0} | {:.3} |",
            found["count"],
            number(&found["open_ms"]),
            pair("text_ms"),
            pair("vector_ms"),
            pair("hybrid_ms"),
            number(&found["first_vector_ms"]),
            number(&found["recall_at_10"])
        )?;
    }
    text.push_str(
        "\n| store | pictures | disk, kB a picture | of it vector index | text index | memory of the program, MB | filling, s | \
         vector index, s |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for (store, found) in runs {
        let count = number(&found["count"]);
        let share = |name: &str| match found[name].as_f64() {
            Some(bytes) => format!("{:.2}", bytes / count / 1000.0),
            None => "–".to_owned(),
        };
        let seconds =
            |name: &str| found[name].as_f64().map_or("–".to_owned(), |seconds| format!("{seconds:.0}"));
        writeln!(
            text,
            "| {store} | {} | {} | {} | {} | {:.0} | {} | {} |",
            found["count"],
            share("bytes"),
            share("vector_index_bytes"),
            share("text_index_bytes"),
            number(&found["memory_mb"]),
            seconds("fill_seconds"),
            seconds("index_seconds")
        )?;
    }
    text.push_str(
        "\nVector: the 200 nearest of a vector. Hybrid: what plain words find by text and by their vector, which is given (the network's time \
         is not in it).\nRecall: share of the ten truly nearest vectors among the ten found. Memory: of the process that searches, after all searches; PostgreSQL's own is beside it.\n",
    );
    Ok(text)
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}
