//! Tables, and how older files become newer ones.
use rusqlite::Connection;

/// Marks a file as a catalogue (`VFnd`), so that no other program's database is taken for one.
pub(super) const APPLICATION_ID: i32 = 0x5646_6e64;

/// What brings a file from one format to the next; the first makes an empty file into format 1. Never change an entry that was
/// released: add one.
pub(super) const STEPS: &[&str] = &[V1, V2];

/// Vectors are little-endian 32-bit floats. `sequence` numbers vectors as they come, so that what keeps them in memory
/// can ask for newer ones; `pictures_gone` and `faces_gone` count removals. `analysis.state`: 0 never, 1 done, 2
/// failed. A time that is not known is the least number.
const V1: &str = "
CREATE TABLE state (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    revision INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    pictures_gone INTEGER NOT NULL,
    faces_gone INTEGER NOT NULL,
    segmentation TEXT NOT NULL,
    refreshed_up_to INTEGER
) STRICT;
INSERT INTO state VALUES (1, 0, 0, 0, 0, '', NULL);

CREATE TABLE asset (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    path TEXT NOT NULL UNIQUE,
    folded_path TEXT NOT NULL,
    size INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    hash BLOB NOT NULL,
    width INTEGER,
    height INTEGER,
    taken_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX asset_by_hash ON asset(hash);
CREATE INDEX asset_by_time ON asset(taken_ms, id);

CREATE TABLE analysis (
    asset INTEGER NOT NULL REFERENCES asset ON DELETE CASCADE,
    kind INTEGER NOT NULL,
    state INTEGER NOT NULL DEFAULT 0,
    model TEXT,
    at_ms INTEGER,
    code TEXT,
    message TEXT,
    PRIMARY KEY (asset, kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX analysis_by_state ON analysis(kind, state, asset);

CREATE TABLE line (
    asset INTEGER NOT NULL REFERENCES asset ON DELETE CASCADE,
    place INTEGER NOT NULL,
    text TEXT NOT NULL,
    score REAL NOT NULL,
    corners BLOB NOT NULL,
    read_text TEXT,
    read_score REAL,
    PRIMARY KEY (asset, place)
) STRICT, WITHOUT ROWID;

CREATE VIRTUAL TABLE text_index USING fts5(
    words, grams, content='', contentless_delete=1, tokenize='ascii', prefix='1 2'
);

CREATE TABLE embedding (
    id INTEGER PRIMARY KEY REFERENCES asset ON DELETE CASCADE,
    model TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    vector BLOB NOT NULL
) STRICT;
CREATE INDEX embedding_by_model ON embedding(model, sequence);

CREATE TABLE person (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL DEFAULT '',
    folded_name TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX person_by_name ON person(folded_name);

CREATE TABLE face (
    id INTEGER PRIMARY KEY,
    asset INTEGER NOT NULL REFERENCES asset ON DELETE CASCADE,
    place INTEGER NOT NULL,
    corners BLOB NOT NULL,
    score REAL NOT NULL,
    person INTEGER REFERENCES person,
    model TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    vector BLOB NOT NULL,
    UNIQUE (asset, place)
) STRICT;
CREATE INDEX face_by_person ON face(person, asset);
CREATE INDEX face_of_somebody ON face(model, sequence) WHERE person IS NOT NULL;
CREATE INDEX face_of_nobody ON face(model, asset, place) WHERE person IS NULL;
";

/// A person's word that a face is not somebody's. It holds for a place in the picture, because faces are found anew.
const V2: &str = "
CREATE TABLE rejection (
    asset INTEGER NOT NULL REFERENCES asset ON DELETE CASCADE,
    corners BLOB NOT NULL,
    person INTEGER NOT NULL REFERENCES person ON DELETE CASCADE,
    PRIMARY KEY (asset, corners, person)
) STRICT, WITHOUT ROWID;
CREATE INDEX rejection_by_person ON rejection(person);
";

/// Counts a change of what a search could find.
pub(super) fn touch(db: &Connection) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE state SET revision = revision + 1")?.execute([])?;
    Ok(())
}

/// The number for one more vector.
pub(super) fn next_sequence(db: &Connection) -> rusqlite::Result<i64> {
    db.prepare_cached("UPDATE state SET sequence = sequence + 1 RETURNING sequence")?
        .query_row([], |row| row.get(0))
}

/// How often a search could have found something else.
pub(super) fn revision(db: &Connection) -> rusqlite::Result<i64> {
    db.query_row("SELECT revision FROM state", [], |row| row.get(0))
}
