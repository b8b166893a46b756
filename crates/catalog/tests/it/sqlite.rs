//! What only a file can get wrong.
use std::{fs, path::Path};

use viewfinder_catalog::{Filter, SqliteStore, Store as _, StoreError};

use crate::{
    data::{add_text, word},
    places::{File, Place as _, segmenter},
};

fn open(path: &Path) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(path, segmenter())
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
    assert!(matches!(error, StoreError::TooNew { found: 99, known: 1 }), "{error:?}");
    assert_eq!(
        error.to_string(),
        "the catalogue has format 99, but this version knows only up to 1; update Viewfinder"
    );
    assert!(fs::read(place.path()).unwrap() == before);
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
    let found = open(&place.path()).and_then(|store| store.list("", None, 1000));
    let Err(StoreError::Unusable(text)) = found else { panic!("{found:?}") };
    assert!(text.contains("is damaged; move it away"), "{text}");
}

#[test]
fn a_file_locked_by_another_program_is_told() {
    let place = File::new();
    let store = place.open();
    let db = rusqlite::Connection::open(place.path()).unwrap();
    db.execute_batch("BEGIN IMMEDIATE").unwrap();
    // Reading goes on.
    assert_eq!(store.find_text(&word("hello"), &Filter::default(), 1).unwrap(), []);
    let error = store.remove(&[]).unwrap_err();
    let StoreError::Away(text) = error else { panic!("{error:?}") };
    assert!(text.contains("is locked by another program; wait until it is done"), "{text}");
    db.execute_batch("ROLLBACK").unwrap();
    store.remove(&[]).unwrap();
}
