//! What only a file can get wrong.
use std::{fs, path::Path};

use viewfinder_catalog::{
    AssetId, Filter, Finding, SqliteStore, Store as _, StoreError, search::Source as _,
};

use crate::{
    data::{CLIP_MODEL, FACE_MODEL, add, add_text, face, file, hash, noise, outcome, taken, unit, word},
    places::{File, Place as _, segmenter, wait},
};

fn open(path: &Path) -> Result<SqliteStore, StoreError> {
    wait(SqliteStore::open(path, segmenter()))
}

fn unusable(path: &Path) -> String {
    match open(path) {
        Err(StoreError::Unusable(text)) => {
            assert!(text.contains(path.to_str().unwrap()), "{text}");
            text
        }
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it opened"),
    }
}

#[test]
fn a_newer_file_is_refused_and_left_alone() {
    let place = File::new();
    drop(place.open());
    let db = rusqlite::Connection::open(place.path()).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    drop(db);
    let before = fs::read(place.path()).unwrap();
    let Err(error) = place.open_with(segmenter()) else { panic!("it opened") };
    assert!(matches!(error, StoreError::TooNew { found: 99, known: 2 }), "{error:?}");
    assert_eq!(
        error.to_string(),
        "the catalogue has format 99, but this version knows only up to 2; update Viewfinder"
    );
    assert!(fs::read(place.path()).unwrap() == before);
}

#[test]
fn a_file_of_the_first_format_keeps_its_people() {
    let place = File::new();
    let store = place.open();
    let id = add(&*store, "/1.jpg", 1);
    let found = Finding::Faces(vec![face(0.1, &[1.0, 0.0])]);
    wait(store.record(&[outcome(id, 1, FACE_MODEL, found)])).unwrap();
    let anna = wait(store.assign(id, 0, None)).unwrap().unwrap();
    drop(store);
    let db = rusqlite::Connection::open(place.path()).unwrap();
    db.execute_batch("DROP TABLE rejection; PRAGMA user_version = 1").unwrap();
    drop(db);
    let store = place.open();
    assert!(wait(store.reject(id, 0, anna)).unwrap());
    assert_eq!(wait(store.assign(id, 0, Some(anna))).unwrap(), None);
}

#[test]
fn what_is_no_catalogue_is_refused_and_left_alone() {
    let place = File::new();
    fs::write(place.path(), "not a database, but long enough to be read as the header of one: ".repeat(20))
        .unwrap();
    let before = fs::read(place.path()).unwrap();
    let text = unusable(&place.path());
    assert!(text.contains("is no catalogue; give another path"), "{text}");
    assert!(fs::read(place.path()).unwrap() == before);

    let place = File::new();
    let db = rusqlite::Connection::open(place.path()).unwrap();
    db.execute_batch("CREATE TABLE theirs (a); INSERT INTO theirs VALUES (1); PRAGMA user_version = 1")
        .unwrap();
    let text = unusable(&place.path());
    assert!(text.contains("is a database of another program"), "{text}");
    let kept: i64 = db.query_row("SELECT a FROM theirs", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 1);
}

#[test]
fn a_folder_that_is_missing_or_read_only_and_one_in_place_of_the_file_are_told() {
    let place = File::new();
    let text = unusable(&place.0.path().join("missing/catalogue.db"));
    assert!(text.contains("check that its folder exists"), "{text}");
    fs::create_dir(place.path()).unwrap();
    unusable(&place.path());
    // Nobody may write there, not even root.
    let text = unusable(Path::new("/proc/catalogue.db"));
    assert!(text.contains("this user may write there"), "{text}");
}

#[test]
fn a_damaged_file_is_told() {
    let place = File::new();
    let store = place.open();
    for i in 0..300 {
        add_text(&*store, &format!("/{i}.jpg"), i, &["some words to fill pages"]);
    }
    drop(store);
    let mut bytes = fs::read(place.path()).unwrap();
    let pages = bytes.len() / 8192;
    assert!(pages > 10);
    bytes[2 * 8192..].fill(0xab);
    fs::write(place.path(), bytes).unwrap();
    let found = open(&place.path()).and_then(|store| wait(store.list("", None, 1000)));
    let Err(error) = found else { panic!("{found:?}") };
    assert_eq!(error.code(), "catalogue_damaged");
    let text = error.to_string();
    assert!(text.contains("is damaged; move it away") && text.ends_with("(catalogue_damaged)"), "{text}");
    assert!(text.contains(place.path().to_str().unwrap()), "{text}");
}

/// Asks and writes as much as there is, and answers what went wrong.
fn use_it(path: &Path) -> Vec<StoreError> {
    let store = match open(path) {
        Ok(store) => store,
        Err(error) => return vec![error],
    };
    let (ids, all) = ((1..=80).map(AssetId).collect::<Vec<_>>(), Filter::default());
    let vector = unit(&noise(1, 8));
    [
        wait(store.list("", None, 1000)).map(drop),
        wait(store.assets(&ids)).map(drop),
        wait(store.by_path("/7.jpg")).map(drop),
        wait(store.by_hash(&hash(7))).map(drop),
        wait(store.find_text(&word("words"), &all, 10)).map(drop),
        wait(store.lines(&ids)).map(drop),
        wait(store.nearest(CLIP_MODEL, &vector, &all, 10)).map(drop),
        wait(store.background(CLIP_MODEL, &vector, 10)).map(drop),
        wait(store.embedding(AssetId(3))).map(drop),
        wait(store.faces(AssetId(3))).map(drop),
        wait(store.people()).map(drop),
        wait(store.counts()).map(drop),
        wait(store.revision()).map(drop),
        wait(store.failures(10)).map(drop),
        wait(store.correct(AssetId(5), 0, "other words")).map(drop),
        wait(store.put_files(&[(file("/new.jpg", 900), taken(1))])).map(drop),
        wait(store.remove(&ids[..9])).map(drop),
    ]
    .into_iter()
    .filter_map(Result::err)
    .collect()
}

#[test]
fn wherever_a_file_is_damaged_it_is_said_so() {
    let place = File::new();
    let store = place.open();
    for i in 0..60 {
        let id = add_text(&*store, &format!("/{i}.jpg"), i, &["some words to fill pages", "and more"]);
        let found = [
            outcome(id, i, CLIP_MODEL, Finding::Embedding(unit(&noise(i, 8)))),
            outcome(id, i, FACE_MODEL, Finding::Faces(vec![face(0.1, &noise(i + 100, 8))])),
        ];
        wait(store.record(&found)).unwrap();
    }
    drop(store);
    let sound = fs::read(place.path()).unwrap();
    assert!(use_it(&place.path()).is_empty());
    let mut damaged = 0;
    for page in 0..sound.len() / 8192 {
        for fill in [0x00, 0xff, 0x0a] {
            // The header of the first page stays, or it would be no database at all.
            let start = page * 8192 + if page == 0 { 100 } else { 0 };
            let mut bytes = sound.clone();
            bytes[start..(page + 1) * 8192].fill(fill);
            for name in ["-wal", "-shm"] {
                let _ = fs::remove_file(format!("{}{name}", place.path().display()));
            }
            fs::write(place.path(), bytes).unwrap();
            for error in use_it(&place.path()) {
                assert_eq!(error.code(), "catalogue_damaged", "page {page}, {fill}: {error:?}");
                damaged += 1;
            }
        }
    }
    assert!(damaged > 100, "{damaged}");
}

#[test]
fn tables_that_another_program_changed_are_told() {
    for change in [
        "DROP TABLE state",
        "DELETE FROM state",
        "DROP TABLE asset",
        "PRAGMA writable_schema = 1; UPDATE sqlite_schema SET sql = replace(sql, 'STRICT', '') WHERE name = 'asset'; \
         PRAGMA writable_schema = RESET; UPDATE asset SET size = 'big'",
        "ALTER TABLE asset RENAME COLUMN modified_ns TO other",
        "UPDATE asset SET hash = x'00'",
        "PRAGMA ignore_check_constraints = 1; UPDATE asset SET width = -5",
    ] {
        let place = File::new();
        let store = place.open();
        add_text(&*store, "/7.jpg", 7, &["some words"]);
        drop(store);
        let db = rusqlite::Connection::open(place.path()).unwrap();
        db.execute_batch(change).unwrap();
        drop(db);
        let errors = use_it(&place.path());
        assert!(!errors.is_empty(), "{change}");
        for error in errors {
            assert_eq!(error.code(), "catalogue_damaged", "{change}: {error:?}");
        }
    }
}

#[test]
fn a_file_locked_by_another_program_is_told() {
    let place = File::new();
    let store = place.open();
    let db = rusqlite::Connection::open(place.path()).unwrap();
    db.execute_batch("BEGIN IMMEDIATE").unwrap();
    // Reading goes on.
    assert_eq!(wait(store.find_text(&word("hello"), &Filter::default(), 1)).unwrap(), []);
    let error = wait(store.remove(&[])).unwrap_err();
    let StoreError::Away(text) = error else { panic!("{error:?}") };
    assert!(text.contains("is locked by another program; wait until it is done"), "{text}");
    db.execute_batch("ROLLBACK").unwrap();
    wait(store.remove(&[])).unwrap();
}
