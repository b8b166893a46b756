//! Fills a store with made-up pictures and measures how long searches take.
//!
//! `catalogue fill PLACE COUNT` adds pictures, `catalogue measure PLACE` prints a line of JSON. PLACE is a file or
//! `postgresql://…`. `catalogue sqlite|postgres COUNT` does both in a place of its own, each in a process of its own; words after
//! `--fill` and `--measure` are put before the command, such as `nice`.
use std::{
    error::Error,
    fs,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::Instant,
};

use serde_json::{Value, json};
use viewfinder_catalog::{
    FileRecord, Filter, Finding, Outcome, PostgresConfig, PostgresStore, Properties, SqliteStore, Store,
    TextLine,
    search::{EmbedError, Page, QueryVector, Searcher, Similarity},
    text::Segmenter,
};
use viewfinder_test_support::{
    PostgresServer,
    made_up::{CLUSTERS, Random, Vocabulary, vector},
};

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

const MODEL: &str = "cn-clip/ViT-B-16";
const WIDTH: usize = 512;
const BATCH: usize = 500;
const QUERIES: u64 = 300;
/// Pictures that a search by vectors finds.
const LIMIT: usize = 200;
/// Hits that a page shows.
const PAGE: usize = 50;
/// Settings that a server with a gigabyte to spare gets.
const SERVER: &[&str] = &[
    "shared_buffers=1GB",
    "maintenance_work_mem=3GB",
    "max_parallel_maintenance_workers=1",
    "max_wal_size=8GB",
    "fsync=on",
    "synchronous_commit=off",
];

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["fill", place, count] => {
            let store = open(place, Arc::new(Segmenter::new(None)?)).await?;
            fill(&*store, count.parse()?).await
        }
        ["measure", place] => {
            // Where searches of a server run.
            let found = tokio::spawn(measure(place.to_owned())).await??;
            show(&found);
            Ok(())
        }
        ["sqlite", count, ref rest @ ..] => {
            let folder = tempfile::tempdir_in(std::env::current_dir()?)?;
            let place = folder.path().join("catalogue.db");
            let place = place.to_str().ok_or("the folder's name is not UTF-8")?;
            let seconds = step(rest, "--fill", &["fill", place, count])?.1;
            let mut found: Value = serde_json::from_str(&step(rest, "--measure", &["measure", place])?.0)?;
            found["fill_seconds"] = json!(seconds);
            found["bytes"] = json!(fs::metadata(place)?.len());
            show(&found);
            Ok(())
        }
        ["postgres", count, ref rest @ ..] => {
            let server = PostgresServer::start(SERVER);
            let place = server.new_database();
            let database = place.rsplit('/').next().unwrap_or_default();
            // The model and its index come with the first vector; a large index is built much faster at once.
            step(rest, "--fill", &["fill", &place, "1"])?;
            let definition = server
                .sql(database, "SELECT indexdef FROM pg_indexes WHERE indexname = 'embedding_of_model_1'");
            server.sql(database, "DROP INDEX viewfinder.embedding_of_model_1");
            let seconds = step(rest, "--fill", &["fill", &place, count])?.1;
            let start = Instant::now();
            server.sql(database, &definition);
            let index_seconds = start.elapsed().as_secs_f64();
            server.sql(database, "VACUUM ANALYZE");
            let mut found: Value = serde_json::from_str(&step(rest, "--measure", &["measure", &place])?.0)?;
            found["fill_seconds"] = json!(seconds);
            found["index_seconds"] = json!(index_seconds);
            let bytes = |sql: &str| server.sql(database, sql).parse::<u64>();
            found["bytes"] = json!(bytes("SELECT pg_database_size(current_database())")?);
            found["vector_index_bytes"] =
                json!(bytes("SELECT pg_relation_size('viewfinder.embedding_of_model_1')")?);
            found["text_index_bytes"] =
                json!(bytes("SELECT pg_relation_size('viewfinder.tokens_by_token')")?);
            show(&found);
            Ok(())
        }
        _ => Err("usage: catalogue sqlite|postgres COUNT [--fill WORD…] [--measure WORD…]".into()),
    }
}

#[expect(clippy::print_stdout, reason = "the result")]
fn show(found: &Value) {
    println!("{found}");
}

/// Runs this program with the words that belong before it, and returns what it printed and its seconds.
fn step(rest: &[&str], name: &str, arguments: &[&str]) -> Result<(String, f64)> {
    let prefix =
        rest.iter().skip_while(|word| **word != name).skip(1).take_while(|word| !word.starts_with("--"));
    let this = std::env::current_exe()?;
    let mut words: Vec<&str> = prefix.copied().collect();
    words.push(this.to_str().ok_or("the program's name is not UTF-8")?);
    words.extend(arguments);
    let start = Instant::now();
    let output = Command::new(words[0]).args(&words[1..]).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("{words:?}: {}", output.status).into());
    }
    Ok((String::from_utf8(output.stdout)?, start.elapsed().as_secs_f64()))
}

async fn open(place: &str, segmenter: Arc<Segmenter>) -> Result<Arc<dyn Store>> {
    Ok(if place.starts_with("postgresql:") {
        Arc::new(PostgresStore::open(&PostgresConfig::new(place), segmenter).await?)
    } else {
        Arc::new(SqliteStore::open(Path::new(place), segmenter).await?)
    })
}

async fn fill(store: &dyn Store, count: usize) -> Result<()> {
    let vocabulary = Vocabulary::new();
    let first = store.counts().await?.assets;
    for start in (first..count as u64).step_by(BATCH) {
        let numbers = start..(start + BATCH as u64).min(count as u64);
        let files: Vec<_> = numbers.clone().map(picture).collect();
        let ids = store.put_files(&files).await?;
        let outcomes: Vec<Outcome> = numbers
            .zip(ids)
            .flat_map(|(i, asset)| {
                let found = |model: &str, finding| Outcome {
                    asset,
                    hash: picture(i).0.hash,
                    model: model.to_owned(),
                    at_ms: i as i64,
                    finding,
                };
                let vector = vector(WIDTH, i % CLUSTERS, i, 0.5);
                [
                    found("PP-OCRv6_small", Finding::Text(lines(&vocabulary, i))),
                    found(MODEL, Finding::Embedding(vector)),
                ]
            })
            .collect();
        store.record(&outcomes).await?;
    }
    Ok(())
}

fn picture(i: u64) -> (FileRecord, Properties) {
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&i.to_le_bytes());
    let path = format!("/home/somebody/Pictures/{}/{:02}/IMG_{i:07}.jpg", 2010 + i / 7000, i % 12 + 1);
    let taken_ms = Some(1_262_304_000_000 + i as i64 * 4_000_000);
    (
        FileRecord { path, size: 2_000_000 + i, modified_ns: i as i64, hash },
        Properties { width: Some(4000), height: Some(3000), taken_ms },
    )
}

/// Lines from the top of a picture on.
fn lines(vocabulary: &Vocabulary, i: u64) -> Vec<TextLine> {
    let line = |(n, text)| {
        let y = n as f32 / 61.0;
        TextLine {
            text,
            score: 0.97,
            corners: [[0.1, y], [0.9, y], [0.9, y + 0.01], [0.1, y + 0.01]],
            corrected: false,
        }
    };
    vocabulary.lines(i).into_iter().enumerate().map(line).collect()
}

/// A vector near one of the clusters, another one for each text.
fn meaning(text: &str) -> Vec<f32> {
    let seed = text.bytes().fold(0, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    vector(WIDTH, seed % CLUSTERS, 5_000_000_000 + seed, 1.0)
}

async fn measure(place: String) -> Result<Value> {
    let segmenter = Arc::new(Segmenter::new(None)?);
    let start = Instant::now();
    let store = open(&place, Arc::clone(&segmenter)).await?;
    let open_ms = start.elapsed().as_secs_f64() * 1e3;
    let count = store.counts().await?.assets;
    let before_mb = resident_mb();
    let vocabulary = Vocabulary::new();
    let query = |seed| vocabulary.query(seed, &mut Random::new(77_000 + seed), count);
    let queries: Vec<String> = (0..QUERIES).map(query).collect();
    let all = Filter::default();
    let near = async |text: &str, limit| store.nearest(MODEL, &meaning(text), &all, limit).await;
    let start = Instant::now();
    near(&queries[0], LIMIT).await?;
    let first_ms = start.elapsed().as_secs_f64() * 1e3;

    let embedder = |text: &str| -> Result<QueryVector, EmbedError> {
        Ok(QueryVector { model: MODEL.to_owned(), vector: meaning(text) })
    };
    let searcher =
        Searcher::new(Arc::clone(&store), segmenter, Some(Arc::new(embedder)), Similarity::default());
    let page = Page { limit: PAGE, cursor: None };
    let (mut text, mut vectors, mut both, mut hits) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for query in &queries {
        let words = format!("ocr:{query}");
        let (found, ms) = timed(searcher.search(&words, &page)).await;
        text.push(ms);
        hits.push(found?.found as f64);
        let (found, ms) = timed(near(query, LIMIT)).await;
        vectors.push(ms);
        found?;
        let (found, ms) = timed(searcher.search(query, &page)).await;
        both.push(ms);
        found?;
    }
    let after_mb = resident_mb();
    // More results than an index holds are found by comparing all.
    let mut found = 0;
    let exact = 20;
    for query in &queries[..exact] {
        let quickly = near(query, 10).await?;
        let true_ones = near(query, 1001).await?;
        found += quickly
            .iter()
            .filter(|scored| true_ones[..10].iter().any(|other| other.asset == scored.asset))
            .count();
    }
    Ok(json!({
        "count": count, "open_ms": open_ms, "first_vector_ms": first_ms,
        "text_ms": spread(text), "vector_ms": spread(vectors), "hybrid_ms": spread(both), "text_hits": spread(hits),
        "memory_mb": after_mb, "memory_before_mb": before_mb, "recall_at_10": found as f64 / (10 * exact) as f64,
    }))
}

/// An answer, and the milliseconds that it took.
async fn timed<T>(answer: impl Future<Output = T>) -> (T, f64) {
    let start = Instant::now();
    let answer = answer.await;
    (answer, start.elapsed().as_secs_f64() * 1e3)
}

/// Median, 95th percentile, largest.
fn spread(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [values[values.len() / 2], values[values.len() * 95 / 100], values[values.len() - 1]]
}

fn resident_mb() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).map_or(0.0, |kb: f64| kb / 1024.0)
}
