//! What only a server can get wrong.
use std::sync::Arc;

use viewfinder_catalog::{
    AssetId, Filter, PostgresConfig, PostgresStore, Store, StoreError,
    search::{Page, Searcher, Similarity, Source as _},
};
use viewfinder_test_support::PostgresServer;

use crate::{
    data::{add_text, letters, word},
    places::{Database, Place as _, segmenter, server, wait},
};

fn open(url: &str) -> Result<PostgresStore, StoreError> {
    wait(PostgresStore::open(&PostgresConfig::new(url), segmenter()))
}

fn refused(url: &str) -> StoreError {
    match open(url) {
        Err(error) => error,
        Ok(_) => panic!("it opened"),
    }
}

fn database(url: &str) -> &str {
    url.rsplit('/').next().unwrap()
}

#[test]
fn newer_tables_are_refused() {
    let place = Database::new();
    drop(place.open());
    server().sql(database(&place.0), "INSERT INTO viewfinder.migration (format) VALUES (99)");
    let error = refused(&place.0);
    assert!(matches!(error, StoreError::TooNew { found: 99, known: 3 }), "{error:?}");
}

#[test]
fn tables_of_the_first_format_keep_what_was_found() {
    let place = Database::new();
    let store = place.open();
    let id = add_text(&*store, "/1.jpg", 1, &["Order SN0012345 shipped"]);
    drop(store);
    server().sql(
        database(&place.0),
        "ALTER TABLE viewfinder.tokens DROP COLUMN letters; DROP TABLE viewfinder.rejection;
         DELETE FROM viewfinder.migration WHERE format > 1",
    );
    let store = place.open();
    while wait(store.refresh_text(10)).unwrap() > 0 {}
    let found = wait(store.find_text(&letters("0012345 ship"), &Filter::default(), 9)).unwrap();
    assert_eq!(found[0].asset, id);
}

#[test]
fn two_programs_may_open_a_new_catalogue_at_the_same_time() {
    let place = Database::new();
    std::thread::scope(|scope| {
        let openings: Vec<_> = (0..4).map(|_| scope.spawn(|| open(&place.0).map(drop))).collect();
        for opening in openings {
            opening.join().unwrap().unwrap();
        }
    });
    assert_eq!(server().sql(database(&place.0), "SELECT count(*) FROM viewfinder.migration"), "3");
}

#[test]
fn only_its_own_schema_is_touched() {
    let place = Database::new();
    server().sql(database(&place.0), "CREATE TABLE asset (theirs INT); INSERT INTO asset VALUES (1)");
    let store = place.open();
    add_text(&*store, "/1.jpg", 1, &["hello"]);
    assert_eq!(wait(store.counts()).unwrap().assets, 1);
    assert_eq!(server().sql(database(&place.0), "SELECT theirs FROM public.asset"), "1");
}

#[test]
fn a_server_that_restarts_is_away_and_then_there_again() {
    let mut server = PostgresServer::start(&[]);
    let store = open(&server.new_database()).unwrap();
    let id = add_text(&store, "/1.jpg", 1, &["hello"]);
    server.stop();
    let error = wait(store.counts()).unwrap_err();
    assert!(matches!(error, StoreError::Away(_)), "{error:?}");
    server.start_again();
    let found = wait(store.find_text(&word("hello"), &Filter::default(), 1)).unwrap();
    assert_eq!(found[0].asset, id);
    add_text(&store, "/2.jpg", 2, &["hello"]);
    assert_eq!(wait(store.counts()).unwrap().assets, 2);
}

#[test]
fn a_restart_in_the_middle_of_writing_loses_no_batch_that_was_confirmed() {
    let mut server = PostgresServer::start(&["fsync=on"]);
    let url = server.new_database();
    let store = open(&url).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    let confirmed = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut confirmed = Vec::new();
            for i in 0.. {
                let batch: Vec<_> = (0..10)
                    .map(|j| (crate::data::file(&format!("/{i}/{j}.jpg"), i), crate::data::taken(0)))
                    .collect();
                match wait(store.put_files(&batch)) {
                    Ok(_) => confirmed.push(i),
                    Err(StoreError::Away(_)) => {}
                    Err(error) => panic!("{error:?}"),
                }
                if done.load(std::sync::atomic::Ordering::Relaxed) {
                    break;
                }
            }
            confirmed
        });
        for _ in 0..3 {
            std::thread::sleep(std::time::Duration::from_millis(200));
            server.stop();
            server.start_again();
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        writer.join().unwrap()
    });
    assert!(!confirmed.is_empty());
    for i in confirmed {
        assert_eq!(wait(store.list(&format!("/{i}/"), None, 100)).unwrap().len(), 10, "{i}");
    }
    assert_eq!(wait(store.counts()).unwrap().assets % 10, 0);
}

#[test]
fn errors_say_what_to_do_and_never_the_password() {
    let check = |url: &str, kind: fn(&StoreError) -> bool, hint: &str| {
        let error = refused(url);
        assert!(kind(&error), "{error:?}");
        assert!(error.to_string().contains(hint), "{error}");
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
    };
    let away = |error: &StoreError| matches!(error, StoreError::Away(_));
    let unusable = |error: &StoreError| matches!(error, StoreError::Unusable(_));
    check("postgresql://u:s3cret@127.0.0.1:1/photos", away, "database photos on 127.0.0.1:1 does not answer");
    check("postgresql://u:s3cret@127.0.0.1:x/photos", unusable, "not of the form postgresql://");
    check("host=a password=s3cret port=1x", unusable, "not of the form postgresql://");
    check(
        "postgresql://u:s3cret@127.0.0.1:1/photos?sslmode=verify-full&sslrootcert=/nowhere.pem",
        unusable,
        "the database's sslrootcert /nowhere.pem: No such file",
    );
    let unencrypted = server().url("postgres").replace("postgres@", "postgres:s3cret@") + "?sslmode=require";
    check(&unencrypted, unusable, "no encrypted connection: server does not support TLS");
    let missing = server().url("missing");
    check(&missing, unusable, "make it first");
}

#[test]
fn a_user_without_rights_is_told_what_is_missing() {
    let place = Database::new();
    let name = database(&place.0);
    server().sql(name, "CREATE ROLE guest LOGIN");
    let guest = place.0.replace("postgres@", "guest@");
    let error = refused(&guest);
    assert!(error.to_string().contains("run CREATE EXTENSION vector"), "{error}");
    server().sql(name, "CREATE EXTENSION vector");
    let error = refused(&guest);
    assert!(error.to_string().contains("needs the right to create in this database"), "{error}");
    assert!(matches!(error, StoreError::Unusable(_)), "{error:?}");
    server().sql(name, &format!("GRANT CREATE ON DATABASE {name} TO guest"));
    add_text(&open(&guest).unwrap(), "/1.jpg", 1, &["hello"]);
}

#[test]
fn the_extension_may_be_in_any_schema() {
    let place = Database::new();
    server().sql(database(&place.0), "CREATE SCHEMA \"Ext\"; CREATE EXTENSION vector SCHEMA \"Ext\"");
    let store = place.open();
    let id = crate::data::add_vector(&*store, "/1.jpg", 1, "m", &[1.0, 0.0]);
    assert_eq!(wait(store.nearest("m", &[1.0, 0.0], &Filter::default(), 1)).unwrap()[0].asset, id);
}

#[test]
fn a_configuration_of_the_database_finds_words_in_other_forms() {
    let place = Database::new();
    let config = |name: &str| PostgresConfig {
        text_search_config: Some(name.to_owned()),
        ..PostgresConfig::new(&place.0)
    };
    let Err(error) = wait(PostgresStore::open(&config("chinese"), segmenter())) else { panic!("it opened") };
    assert!(error.to_string().contains("no text search configuration chinese"), "{error}");
    let store = wait(PostgresStore::open(&config("english"), segmenter())).unwrap();
    let id = add_text(&store, "/1.jpg", 1, &["three invoices", "of yesterday"]);
    let found =
        |store: &dyn Store, text: &str| wait(store.find_text(&word(text), &Filter::default(), 9)).unwrap();
    assert_eq!(found(&store, "invoice")[0].asset, id, "its stemmer knows the plural");
    assert_eq!(found(&store, "receipt"), []);
    let pieces = wait(store.find_text(&letters("voic"), &Filter::default(), 9)).unwrap();
    assert_eq!(pieces[0].asset, id);
    // What its parser leaves out or cuts otherwise is found and excluded as without it.
    let other = add_text(&store, "/2.jpg", 2, &["Wi-Fi invoices", "Café USB-C"]);
    let store: Arc<dyn Store> = Arc::new(store);
    let searcher = Searcher::new(Arc::clone(&store), segmenter(), None, Similarity::default());
    let search = |query: &str| -> Vec<AssetId> {
        let results = wait(searcher.search(query, &Page { cursor: None, limit: 9 })).unwrap();
        results.hits.iter().map(|hit| hit.asset.id).collect()
    };
    assert_eq!(search("ocr:invoicing").len(), 2);
    assert_eq!(search("ocr:invoicing -wifi"), [id]);
    assert_eq!(search("ocr:invoices -cafe"), [id]);
    assert_eq!(search("ocr:\"invoice\""), [], "a phrase is meant word for word");
    assert_eq!(search("ocr:invoices usbc"), [other]);
    drop((searcher, store));
    // Without it, texts are cut by the segmenter again.
    let store = place.open();
    assert_eq!(wait(store.refresh_text(10)).unwrap(), 0);
    assert_eq!(found(&*store, "invoice"), []);
    assert_eq!(found(&*store, "invoices")[0].asset, id);
}

#[test]
fn many_threads_share_few_connections() {
    let place = Database::new();
    let store = place.open();
    let id = add_text(&*store, "/1.jpg", 1, &["hello"]);
    std::thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| {
                for _ in 0..5 {
                    let found = wait(store.find_text(&word("hello"), &Filter::default(), 1)).unwrap();
                    assert_eq!(found[0].asset, id);
                }
            });
        }
    });
    let connections = server().sql(
        "postgres",
        &format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{}'", database(&place.0)),
    );
    assert!(connections.parse::<u32>().unwrap() <= 8, "{connections}");
}
