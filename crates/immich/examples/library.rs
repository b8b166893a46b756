//! Fills a made-up Immich and measures how long searches of its library take, and how many of the first ten hits an exact scan gives too:
//! `library COUNT` prints a line of JSON. With the address of a database after it, that one is filled if it is empty, and kept; with `vchordrq`
//! after that, it gets `VectorChord`'s index as Immich makes it. The words' vectors are at hand; what a network would add is not measured.
use std::{
    error::Error,
    sync::{Arc, OnceLock},
    time::Instant,
};

use pgvector::Vector;
use postgres::{Client, NoTls};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use uuid::Uuid;
use viewfinder_catalog::{search::Similarity, text::Segmenter};
use viewfinder_core::{
    AnswerFuture, Backend, EngineStatus, ErrorCode, PictureAnswer, PictureRequest, SentenceRequest,
    TaskError, ocr,
};
use viewfinder_immich::{
    database::{Database, DatabaseConfig},
    library::{Caller, SearchRequest, SearchRoute},
};
use viewfinder_test_support::{
    PostgresServer,
    made_up::{CLUSTERS, Random, Vocabulary, vector},
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const TABLES: &str = concat!(
    include_str!("../tests/layouts/2.7.5/tables.sql"),
    include_str!("../tests/layouts/2.7.5/vectors.sql")
);
/// Numbers in a vector, as in Immich's column.
const WIDTH: usize = 512;
const BATCH: u64 = 500;
const QUERIES: u64 = 300;
/// Settings that a server with a gigabyte to spare gets.
const SERVER: &[&str] = &[
    "shared_buffers=1GB",
    "maintenance_work_mem=3GB",
    "max_parallel_maintenance_workers=1",
    "max_wal_size=8GB",
    "synchronous_commit=off",
];

/// Has the vector of any words at once, in one of the clusters.
struct Words;

impl Backend for Words {
    fn picture(&self, _: PictureRequest) -> AnswerFuture<'_, PictureAnswer> {
        Box::pin(async { Err(TaskError::new(ErrorCode::ModelUnsuited, "only words are answered here")) })
    }

    fn sentence(&self, request: SentenceRequest) -> AnswerFuture<'_, Vec<f32>> {
        let seed = request
            .text
            .bytes()
            .fold(0, |seed: u64, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)));
        Box::pin(async move { Ok(vector(WIDTH, seed % CLUSTERS, 5_000_000_000 + seed % 1_000_000, 1.0)) })
    }

    fn status(&self) -> EngineStatus {
        EngineStatus {
            ready: Ok(()),
            runtime_version: None,
            provider: "none".into(),
            fallback: None,
            workers: 0,
            threads: 0,
            queued_pictures: 0,
            queued_sentences: 0,
            running: 0,
            models: Vec::new(),
            refused_models: Vec::new(),
        }
    }

    fn unload(&self) {}
}

/// What comes of something asynchronous. The client that fills the database is not.
fn wait<T>(future: impl Future<Output = T>) -> T {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().expect("a runtime")).block_on(future)
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let count: u64 = arguments.next().ok_or("usage: library COUNT [URL [vchordrq]]")?.parse()?;
    let server = PostgresServer::start(SERVER);
    let url = arguments.next().unwrap_or_else(|| server.new_database());
    let index = match arguments.next().as_deref() {
        None => HNSW,
        Some("vchordrq") => VCHORDRQ,
        Some(other) => return Err(format!("{other} is no index of Immich's").into()),
    };
    let vocabulary = Vocabulary::new();
    let mut client = Client::connect(&url, NoTls)?;
    if client.query_one("SELECT to_regclass('public.asset') IS NULL", &[])?.get(0) {
        fill(&mut client, &vocabulary, count)?;
    }
    client.batch_execute(&format!("DROP INDEX IF EXISTS clip_index; {index}"))?;
    client.batch_execute("VACUUM ANALYZE")?;
    let me = client.query_one("SELECT id FROM \"user\"", &[])?.get(0);
    let config = DatabaseConfig {
        database_url: url.clone(),
        text_search_config: None,
        segmenter: Arc::new(Segmenter::new(None)?),
        backend: Arc::new(Words),
        ocr: ocr::Options::immich(0.5, 0.8, 736),
        similarity: Similarity::default(),
    };
    let library = wait(Database::open(config.clone()))?;
    let start = Instant::now();
    while !wait(library.follow())? {}
    let catch_up_s = start.elapsed().as_secs_f64();
    client.batch_execute("VACUUM ANALYZE")?;
    let mut found = measure(&library, me, &vocabulary, count)?;
    found["catch_up_s"] = json!(catch_up_s);
    let start = Instant::now();
    for _ in 0..20 {
        wait(library.follow())?;
    }
    found["follow_ms"] = json!(start.elapsed().as_secs_f64() * 50.0);
    let queries = queries(&vocabulary, count);
    let by_index = first_ten(&library, me, &queries)?;
    client.batch_execute("DROP INDEX clip_index")?;
    // It looks at the indices when it is opened.
    let exact = first_ten(&wait(Database::open(config))?, me, &queries)?;
    found["recall_at_10"] = json!(share(&by_index, &exact));
    client.batch_execute(index)?;
    #[expect(clippy::print_stdout, reason = "the result")]
    {
        println!("{found}");
    }
    Ok(())
}

/// Writes pictures of one user with what Immich's jobs would have found.
fn fill(client: &mut Client, vocabulary: &Vocabulary, count: u64) -> Result<()> {
    client.batch_execute(TABLES)?;
    // A large index is built much faster at once.
    client.batch_execute("DROP INDEX clip_index")?;
    let me: Uuid = client.query_one("INSERT INTO \"user\" (name) VALUES ('me') RETURNING id", &[])?.get(0);
    let add_assets = client.prepare(
        "INSERT INTO asset (id, \"deviceAssetId\", \"ownerId\", \"deviceId\", type, \"originalPath\", \"fileCreatedAt\",
             \"fileModifiedAt\", \"localDateTime\", checksum, \"originalFileName\", \"isFavorite\", width, height)
         SELECT id, n, $3, 'phone', CASE WHEN n % 20 = 0 THEN 'VIDEO' ELSE 'IMAGE' END, '/data/upload/' || n || '.jpg',
             taken, taken, taken, sha224(n::text::bytea), 'IMG_' || n || '.jpg', n % 50 = 0, 4000, 3000
         FROM unnest($1::uuid[], $2::bigint[]) AS new(id, n),
             LATERAL (SELECT '2010-01-01'::timestamptz + n * interval '4000 seconds' AS taken) AS time",
    )?;
    let add_exif = client.prepare(
        "INSERT INTO asset_exif (\"assetId\", city, make) SELECT id, 'City ' || n % 300, 'Make ' || n % 10
         FROM unnest($1::uuid[], $2::bigint[]) AS new(id, n)",
    )?;
    let add_status = client.prepare(
        "INSERT INTO asset_job_status (\"assetId\", \"ocrAt\") SELECT id, now() FROM unnest($1::uuid[]) AS new(id)",
    )?;
    let add_lines = client.prepare(
        "INSERT INTO asset_ocr (\"assetId\", x1, y1, x2, y2, x3, y3, x4, y4, \"boxScore\", \"textScore\", text)
         SELECT id, 0.1, y, 0.9, y, 0.9, y + 0.01, 0.1, y + 0.01, 0.9, 0.97, text
         FROM unnest($1::uuid[], $2::real[], $3::text[]) AS new(id, y, text)",
    )?;
    let add_vectors =
        client.prepare("INSERT INTO smart_search SELECT * FROM unnest($1::uuid[], $2::vector[])")?;
    for start in (0..count).step_by(BATCH as usize) {
        let numbers: Vec<i64> = (start..(start + BATCH).min(count)).map(|n| n as i64).collect();
        // As random as Immich's, and the same each time.
        let ids: Vec<Uuid> = numbers.iter().map(|n| id(*n as u64)).collect();
        let (mut of, mut tops, mut texts) = (Vec::new(), Vec::new(), Vec::new());
        for (n, id) in numbers.iter().zip(&ids) {
            for (line, text) in vocabulary.lines(*n as u64).into_iter().enumerate() {
                of.push(*id);
                tops.push(line as f32 / 61.0);
                texts.push(text);
            }
        }
        let vectors: Vec<Vector> = numbers
            .iter()
            .map(|n| Vector::from(vector(WIDTH, *n as u64 % CLUSTERS, *n as u64, 0.5)))
            .collect();
        let mut work = client.transaction()?;
        work.execute(&add_assets, &[&ids, &numbers, &me])?;
        work.execute(&add_exif, &[&ids, &numbers])?;
        work.execute(&add_status, &[&ids])?;
        work.execute(&add_lines, &[&of, &tops, &texts])?;
        work.execute(&add_vectors, &[&ids, &vectors])?;
        work.commit()?;
    }
    Ok(())
}

/// Immich's index with pgvector.
const HNSW: &str = "CREATE INDEX clip_index ON smart_search USING hnsw (embedding vector_cosine_ops) WITH (ef_construction = 300, m = 16)";
/// Immich's index with `VectorChord`, below 128,000 pictures.
const VCHORDRQ: &str = "CREATE EXTENSION IF NOT EXISTS vchord CASCADE;
    CREATE INDEX clip_index ON smart_search USING vchordrq (embedding vector_cosine_ops) WITH (options = $$
        residual_quantization = false
        [build.internal]
        lists = [1]
        spherical_centroids = true
        build_threads = 4
        sampling_factor = 1024
    $$)";

fn id(n: u64) -> Uuid {
    let mut random = Random::new(9_000_000_000 + n);
    uuid::Builder::from_random_bytes(
        (u128::from(random.below(u64::MAX)) << 64 | u128::from(random.below(u64::MAX))).to_be_bytes(),
    )
    .into_uuid()
}

fn queries(vocabulary: &Vocabulary, count: u64) -> Vec<String> {
    let query = |seed| vocabulary.query(seed, &mut Random::new(1_000_000 * (77_000 + seed)), count);
    (0..QUERIES).map(query).collect()
}

/// The first hits of each query by meaning alone, without a filter and with two.
fn first_ten(library: &Database, me: Uuid, queries: &[String]) -> Result<Vec<Vec<String>>> {
    let caller = Caller { user: me, elevated: false };
    let mut found = Vec::new();
    for filters in [json!({}), json!({"isFavorite": true}), json!({"make": "Make 3"})] {
        for query in queries {
            let mut body = filters.clone();
            body["query"] = json!(format!("clip:\"{query}\""));
            body["size"] = json!(10);
            let page = wait(library.search(&caller, &SearchRequest::parse(SearchRoute::Smart, &body)?))?;
            found.push(page.items.iter().map(|item| item["id"].to_string()).collect());
        }
    }
    Ok(found)
}

/// Which part of the others' hits are among these.
fn share(these: &[Vec<String>], others: &[Vec<String>]) -> f64 {
    let (mut all, mut common) = (0, 0);
    for (these, others) in these.iter().zip(others) {
        all += others.len();
        common += others.iter().filter(|one| these.contains(one)).count();
    }
    common as f64 / all.max(1) as f64
}

fn measure(library: &Database, me: Uuid, vocabulary: &Vocabulary, count: u64) -> Result<Value> {
    let queries = queries(vocabulary, count);
    let caller = Caller { user: me, elevated: false };
    let mut kinds = json!({"count": count});
    for (name, prefix, filters) in [
        ("ocr_ms", "ocr:", json!({})),
        ("hybrid_ms", "", json!({})),
        ("ocr_page_250_ms", "ocr:", json!({"size": 250, "withExif": true})),
        ("hybrid_favorite_ms", "", json!({"isFavorite": true})),
        ("hybrid_make_ms", "", json!({"make": "Make 3"})),
    ] {
        let (mut times, mut hits) = (Vec::new(), Vec::new());
        for query in &queries {
            let mut body = filters.clone();
            body["query"] = json!(format!("{prefix}{query}"));
            let request = SearchRequest::parse(SearchRoute::Smart, &body)?;
            let start = Instant::now();
            let items = match wait(library.search(&caller, &request)) {
                Ok(page) => page.items.len(),
                Err(viewfinder_immich::database::Error::NothingFound) => 0,
                Err(error) => return Err(error.into()),
            };
            times.push(start.elapsed().as_secs_f64() * 1e3);
            hits.push(items as f64);
        }
        kinds[name] = json!(spread(times));
        kinds[name.replace("_ms", "_hits")] = json!(spread(hits));
    }
    Ok(kinds)
}

/// Median, 95th percentile, largest.
fn spread(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [values[values.len() / 2], values[values.len() * 95 / 100], values[values.len() - 1]]
}
