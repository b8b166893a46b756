//! Tables, and how older ones become newer ones.
use super::transaction::{Result, Transaction};
use crate::StoreError;

/// What brings the tables from one format to the next; the first makes format 1. Never change an entry that was released: add
/// one.
const STEPS: &[&str] = &[V1, V2, V3];

/// The number of the lock under which tables change (`VFnd`).
const LOCK: i64 = 0x5646_6e64;
/// The first pgvector that goes on searching when a filter leaves too few rows, and has half-precision indices.
const PGVECTOR: (u32, u32) = (0, 8);

/// A vector belongs to a `model`: a name and a width. Each has an index of its own over its part of the table, made with
/// the first vector. Vectors stay in their rows (`main`): a comparison of all need not look each up beside the table.
/// `analysis.state`: 0 never, 1 done, 2 failed. A time that is not known is the least number.
/// The index on `tokens` has no list of pending entries: each search would have to read it. A text's `size` is in its row, its tokens
/// mostly beside the table.
const V1: &str = "
CREATE TABLE state (
    one BOOLEAN PRIMARY KEY DEFAULT true CHECK (one),
    revision BIGINT NOT NULL DEFAULT 0,
    segmentation TEXT NOT NULL DEFAULT '',
    refreshed_up_to BIGINT
);
INSERT INTO state DEFAULT VALUES;

CREATE TABLE asset (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    path TEXT COLLATE \"C\" NOT NULL UNIQUE,
    folded_path TEXT COLLATE \"C\" NOT NULL,
    size BIGINT NOT NULL,
    modified_ns BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    width BIGINT,
    height BIGINT,
    taken_ms BIGINT NOT NULL
);
CREATE INDEX asset_by_hash ON asset(hash);
CREATE INDEX asset_by_time ON asset(taken_ms, id);

CREATE TABLE analysis (
    asset BIGINT NOT NULL REFERENCES asset ON DELETE CASCADE,
    kind SMALLINT NOT NULL,
    state SMALLINT NOT NULL DEFAULT 0,
    model TEXT,
    at_ms BIGINT,
    code TEXT,
    message TEXT,
    PRIMARY KEY (asset, kind)
);
CREATE INDEX analysis_by_state ON analysis(kind, state, asset);

CREATE TABLE line (
    asset BIGINT NOT NULL REFERENCES asset ON DELETE CASCADE,
    place INTEGER NOT NULL,
    text TEXT NOT NULL,
    score REAL NOT NULL,
    corners REAL[] NOT NULL,
    read_text TEXT,
    read_score REAL,
    PRIMARY KEY (asset, place)
);

CREATE TABLE tokens (
    asset BIGINT PRIMARY KEY REFERENCES asset ON DELETE CASCADE,
    tokens TSVECTOR NOT NULL,
    size INTEGER NOT NULL GENERATED ALWAYS AS (length(tokens)) STORED
);
CREATE INDEX tokens_by_token ON tokens USING gin (tokens) WITH (fastupdate = off);

CREATE TABLE model (
    id INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name TEXT NOT NULL,
    width INTEGER NOT NULL,
    UNIQUE (name, width)
);

CREATE TABLE embedding (
    asset BIGINT PRIMARY KEY REFERENCES asset ON DELETE CASCADE,
    model INTEGER NOT NULL REFERENCES model,
    vector VECTOR NOT NULL
);
ALTER TABLE embedding ALTER COLUMN vector SET STORAGE main;

CREATE TABLE person (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name TEXT NOT NULL DEFAULT '',
    folded_name TEXT NOT NULL DEFAULT ''
);
CREATE INDEX person_by_name ON person(folded_name);

CREATE TABLE face (
    asset BIGINT NOT NULL REFERENCES asset ON DELETE CASCADE,
    place INTEGER NOT NULL,
    corners REAL[] NOT NULL,
    score REAL NOT NULL,
    person BIGINT REFERENCES person,
    model INTEGER NOT NULL REFERENCES model,
    vector VECTOR NOT NULL,
    PRIMARY KEY (asset, place)
);
ALTER TABLE face ALTER COLUMN vector SET STORAGE main;
CREATE INDEX face_by_person ON face(person, asset);
CREATE INDEX face_of_nobody ON face(model, asset, place) WHERE person IS NULL;
";

/// The letters of a text stay in its row (`main`): a phrase is looked for in those of every text that may have it. Texts are cut anew.
const V2: &str = "
ALTER TABLE tokens ADD COLUMN letters TEXT NOT NULL DEFAULT '';
ALTER TABLE tokens ALTER COLUMN letters SET STORAGE main;
UPDATE state SET segmentation = '';
";

/// A person's word that a face is not somebody's. It holds for a place in the picture, because faces are found anew.
const V3: &str = "
CREATE TABLE rejection (
    asset BIGINT NOT NULL REFERENCES asset ON DELETE CASCADE,
    corners REAL[] NOT NULL,
    person BIGINT NOT NULL REFERENCES person ON DELETE CASCADE,
    PRIMARY KEY (asset, corners, person)
);
CREATE INDEX rejection_by_person ON rejection(person);
";

/// Which formats were made, and when.
const LOG: &str = "migration";

/// Brings the catalogue's tables to the newest format.
pub(super) async fn prepare(tx: &Transaction) -> Result<()> {
    if format(tx, LOG).await? == 0 {
        provide_pgvector(tx).await?;
    }
    migrate(tx, LOG, STEPS).await
}

/// Brings tables in the schema `viewfinder` to their newest format; `log` is the table that tells which they have. `steps` lead from one
/// format to the next, the first to format 1.
pub async fn migrate(tx: &Transaction, log: &str, steps: &[&str]) -> Result<()> {
    let found = format(tx, log).await?;
    let known = steps.len() as i64;
    if found > known {
        return Err(StoreError::TooNew { found, known });
    }
    if found == 0 {
        tx.batch(&format!(
            "CREATE SCHEMA IF NOT EXISTS viewfinder;
             CREATE TABLE viewfinder.{log} (format BIGINT PRIMARY KEY, at TIMESTAMPTZ NOT NULL DEFAULT now())"
        ))
        .await?;
    }
    for (format, step) in (1i64..).zip(steps).skip(found as usize) {
        tx.batch(step).await?;
        tx.execute(&format!("INSERT INTO viewfinder.{log} (format) VALUES ($1)"), &[&format]).await?;
    }
    Ok(())
}

/// The format of tables, 0 where there are none. Whoever asks first may change them; others wait for this transaction, and find it done.
async fn format(tx: &Transaction, log: &str) -> Result<i64> {
    tx.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await?;
    let log = format!("viewfinder.{log}");
    if !tx.one::<bool>("SELECT to_regclass($1::text) IS NOT NULL", &[&log]).await? {
        return Ok(0);
    }
    tx.one(&format!("SELECT coalesce(max(format), 0) FROM {log}"), &[]).await
}

async fn provide_pgvector(tx: &Transaction) -> Result<()> {
    const VERSION: &str = "SELECT extversion FROM pg_extension WHERE extname = 'vector'";
    let unusable = |text: String| Err(StoreError::Unusable(text));
    if tx.row(VERSION, &[]).await?.is_none() {
        let available = tx.row("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'", &[]).await?;
        if available.is_none() {
            return unusable(
                "the database server lacks pgvector; install it there (on Debian: postgresql-16-pgvector)"
                    .into(),
            );
        }
        let allowed: bool = tx
            .one(
                "SELECT rolsuper OR has_database_privilege(current_database(), 'CREATE') AND coalesce((
                 SELECT bool_or(trusted) FROM pg_available_extension_versions WHERE name = 'vector'
             ), false) FROM pg_roles WHERE rolname = current_user",
                &[],
            )
            .await?;
        if !allowed {
            return unusable(
                "pgvector is not set up in the database, and this user may not do it; as its superuser, run CREATE EXTENSION vector"
                    .into(),
            );
        }
        tx.batch("CREATE EXTENSION vector SCHEMA public").await?;
    }
    let version: String = tx.one(VERSION, &[]).await?;
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    if (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) < PGVECTOR {
        let (major, minor) = PGVECTOR;
        return unusable(format!(
            "the database has pgvector {version}, but {major}.{minor} is needed; install it and run ALTER EXTENSION vector UPDATE"
        ));
    }
    Ok(())
}

/// Checks that the database has a text search configuration.
pub async fn require_config(tx: &Transaction, config: &str) -> Result<()> {
    let exists: bool = tx
        .one(
            "SELECT EXISTS (
             SELECT FROM pg_ts_config AS config JOIN pg_namespace ON pg_namespace.oid = cfgnamespace
             WHERE nspname || '.' || cfgname = $1 OR cfgname = $1 AND pg_ts_config_is_visible(config.oid)
         )",
            &[&config],
        )
        .await?;
    if exists {
        return Ok(());
    }
    Err(StoreError::Unusable(format!(
        "the database has no text search configuration {config}; create it, or leave the setting out"
    )))
}

/// Counts a change of what a search could find.
pub(super) async fn touch(tx: &Transaction) -> Result<()> {
    tx.execute("UPDATE state SET revision = revision + 1", &[]).await?;
    Ok(())
}

/// How often a search could have found something else.
pub(super) async fn revision(tx: &Transaction) -> Result<i64> {
    tx.one("SELECT revision FROM state", &[]).await
}
