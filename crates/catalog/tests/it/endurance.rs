//! Readers beside a writer, and a writer that is killed.
use std::{
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread::{scope, sleep},
    time::Duration,
};

use viewfinder_catalog::{AssetId, Filter, Finding, Store};

use crate::{
    data::{CLIP_MODEL, OCR_MODEL, file, letters, lines, noise, outcome, taken, unit},
    places::{Database, File, Place, named, wait},
};

/// Assets in a batch.
const BATCH: usize = 10;
/// Tells a test program that it is the one to be killed, and where to write.
const VICTIM: &str = "VIEWFINDER_TEST_VICTIM";

#[test]
fn readers_see_whole_batches_while_a_file_is_written() {
    readers_see_whole_batches(&File::new());
}

#[test]
fn readers_see_whole_batches_while_a_database_is_written() {
    readers_see_whole_batches(&Database::new());
}

#[test]
fn a_killed_writer_leaves_whole_batches_in_a_file() {
    a_killed_writer_leaves_whole_batches(&File::new(), "a_killed_writer_leaves_whole_batches_in_a_file");
}

#[test]
fn a_killed_writer_leaves_whole_batches_in_a_database() {
    a_killed_writer_leaves_whole_batches(
        &Database::new(),
        "a_killed_writer_leaves_whole_batches_in_a_database",
    );
}

fn readers_see_whole_batches(place: &dyn Place) {
    let store = place.open();
    let done = AtomicBool::new(false);
    scope(|scope| {
        let read = || {
            let mut seen = 0;
            while !done.load(Ordering::Relaxed) {
                seen = seen.max(check(&*store));
            }
            seen
        };
        let readers = [scope.spawn(read), scope.spawn(read)];
        for batch in 0..30 {
            write(&*store, batch);
        }
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            assert!(reader.join().unwrap() <= 30 * BATCH);
        }
    });
    assert_eq!(check(&*store), 30 * BATCH);
}

fn a_killed_writer_leaves_whole_batches(place: &dyn Place, test: &str) {
    if let Ok(name) = std::env::var(VICTIM) {
        let store = named(&name);
        let first = wait(store.counts()).unwrap().assets as usize / BATCH;
        for batch in first.. {
            write(&*store, batch);
        }
    }
    drop(place.open());
    let mut before = 0;
    for round in 0..8 {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &format!("endurance::{test}")])
            .env(VICTIM, place.name())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let store = place.open();
        // It is killed some time after it has written more, each time at another moment of its work.
        while check(&*store) < before + BATCH {
            assert!(victim.try_wait().unwrap().is_none(), "it ended by itself");
            sleep(Duration::from_millis(5));
        }
        sleep(Duration::from_micros(7919 * round));
        victim.kill().unwrap();
        victim.wait().unwrap();
        drop(store);
        before = check(&*place.open());
    }
}

/// Writes files with text and vectors, all outcomes in one call.
fn write(store: &dyn Store, batch: usize) {
    let numbers = (batch * BATCH..(batch + 1) * BATCH).map(|i| i as u64);
    let files: Vec<_> = numbers.clone().map(|i| (file(&format!("/{i}.jpg"), i), taken(0))).collect();
    let ids = wait(store.put_files(&files)).unwrap();
    let outcomes: Vec<_> = numbers
        .zip(ids)
        .flat_map(|(i, id)| {
            let text = Finding::Text(lines(&["hello world", "another line"]));
            let vector = Finding::Embedding(unit(&noise(i, 16)));
            [outcome(id, i, OCR_MODEL, text), outcome(id, i, CLIP_MODEL, vector)]
        })
        .collect();
    wait(store.record(&outcomes)).unwrap();
}

/// Checks that only whole batches can be seen, and returns how many assets have findings.
fn check(store: &dyn Store) -> usize {
    let assets = wait(store.counts()).unwrap().assets as usize;
    assert_eq!(assets % BATCH, 0);
    let all = Filter::default();
    let texts = wait(store.find_text(&letters("hello world"), &all, 100_000)).unwrap();
    assert_eq!(texts.len() % BATCH, 0, "texts");
    let vectors = wait(store.nearest(CLIP_MODEL, &unit(&noise(1, 16)), &all, 100_000)).unwrap();
    assert_eq!(vectors.len() % BATCH, 0, "vectors");
    assert!(vectors.len() >= texts.len(), "they come together, and these were read later");
    let ids: Vec<AssetId> = texts.iter().map(|scored| scored.asset).collect();
    assert!(wait(store.lines(&ids)).unwrap().iter().all(|lines| lines.len() == 2));
    texts.len()
}
