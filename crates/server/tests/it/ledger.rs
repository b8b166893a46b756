//! The ledger in memory and its file, over ends of the process and disks that refuse.

use std::{fs, path::Path};

use tracing::Level;
use viewfinder_server::ledger::{Failed, Ledger, LedgerConfig, read};

use crate::log::Log;

fn failed(task: &'static str, code: &'static str) -> Failed {
    Failed { task, model: "m".into(), code, message: "it is no picture".into(), engine: "local".into() }
}

fn ledger(capacity: usize, file: Option<&Path>) -> Ledger {
    Ledger::open(LedgerConfig { capacity, file: file.map(Into::into) })
}

/// Enters the picture whose only byte this is.
fn enter(ledger: &Ledger, picture: u8) {
    ledger.enter(&[picture], None, [failed("ocr", "image_undecodable")]);
}

fn sums(ledger: &Ledger) -> Vec<String> {
    ledger.newest(usize::MAX).into_iter().map(|entry| entry.sha256).collect()
}

#[test]
fn entries_say_what_failed_and_never_hold_the_picture() {
    let ledger = ledger(10, None);
    let mut one = failed("ocr", "image_undecodable");
    one.message = format!("first\nsecond\u{1b}[31m {}", "long ".repeat(100));
    ledger.enter(b"abc", Some("7-1"), [one, failed("clip.visual", "image_undecodable")]);
    let entries = ledger.newest(10);
    assert_eq!(entries.iter().map(|entry| &*entry.task).collect::<Vec<_>>(), ["clip.visual", "ocr"]);
    let entry = &entries[1];
    // The sum of `abc` is the first example of the standard, FIPS 180-4.
    assert_eq!(entry.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!((entry.bytes, entry.count, &*entry.model), (3, 1, "m"));
    assert_eq!((&*entry.code, &*entry.engine), ("image_undecodable", "local"));
    assert_eq!(entry.request.as_deref(), Some("7-1"));
    assert_eq!(entry.first, entry.last);
    assert!(entry.message.starts_with("first second [31m long"), "{}", entry.message);
    assert_eq!(entry.message.chars().count(), 301);
}

#[test]
fn repeats_are_counted_and_come_first() {
    let ledger = ledger(10, None);
    for picture in [1, 2, 1, 1] {
        enter(&ledger, picture);
    }
    let counts: Vec<_> = ledger.newest(10).iter().map(|entry| entry.count).collect();
    assert_eq!(counts, [3, 1]);
    // Another code is another failure.
    ledger.enter(&[1], None, [failed("ocr", "inference_failed")]);
    assert_eq!(ledger.len(), 3);
    assert_eq!(ledger.newest(1)[0].code, "inference_failed");
}

#[test]
fn the_oldest_give_way() {
    let few = ledger(3, None);
    for picture in [1, 2, 3, 1, 4] {
        enter(&few, picture);
    }
    let all = ledger(10, None);
    for picture in [3, 1, 4] {
        enter(&all, picture);
    }
    assert_eq!(sums(&few), sums(&all));
    let none = ledger(0, None);
    enter(&none, 1);
    assert!(none.is_empty());
}

#[test]
fn the_file_outlives_the_process_and_stays_small() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/failures.jsonl");
    let first = ledger(40, Some(&path));
    for picture in 0..200 {
        enter(&first, picture % 50);
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 80, "{lines} lines");
    }
    let second = ledger(40, Some(&path));
    assert_eq!(second.newest(usize::MAX), first.newest(usize::MAX));
    assert_eq!(second.len(), 40);
    enter(&second, 7);
    let again = ledger(40, Some(&path)).newest(1).remove(0);
    assert_eq!(Some(&again), second.newest(1).first());
    assert_eq!(read(&path).unwrap().first(), Some(&again));
    let names: Vec<_> =
        fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["failures.jsonl"], "nothing is left beside it");
}

#[test]
fn broken_lines_break_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("failures.jsonl");
    let before = ledger(10, Some(&path));
    enter(&before, 1);
    enter(&before, 2);
    let text = fs::read(&path).unwrap();
    // A crash within the second line, and a line that somebody wrote by hand.
    for damaged in [text[..text.len() - 9].to_vec(), [b"\xff {]\n", &text[..]].concat()] {
        fs::write(&path, &damaged).unwrap();
        let after = ledger(10, Some(&path));
        assert!(!after.is_empty());
        enter(&after, 3);
        assert_eq!(ledger(10, Some(&path)).newest(10), after.newest(10));
        assert_eq!(read(&path).unwrap(), after.newest(10));
        let whole = fs::read_to_string(&path).unwrap();
        assert!(whole.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{whole}");
    }
}

#[test]
fn a_file_is_written_anew_at_twice_the_entries_and_no_sooner_than_at_64_lines() {
    for (capacity, most) in [(2, 64), (32, 64), (33, 66)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("failures.jsonl");
        let lines = || fs::read_to_string(&path).unwrap().lines().count();
        let open = ledger(capacity, Some(&path));
        for picture in 1..=most {
            enter(&open, picture);
            assert_eq!(lines(), usize::from(picture), "{capacity}");
        }
        enter(&open, 255);
        assert_eq!(lines(), capacity);
        // The lines of before count, too.
        let again = ledger(capacity, Some(&path));
        for picture in 1..=most {
            enter(&again, picture);
            assert!(lines() <= usize::from(most), "{capacity}");
        }
    }
}

#[test]
fn a_last_line_without_its_end_is_no_place_to_go_on_at() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("failures.jsonl");
    enter(&ledger(10, Some(&path)), 1);
    let text = fs::read(&path).unwrap();
    fs::write(&path, &text[..text.len() - 1]).unwrap();
    let after = ledger(10, Some(&path));
    assert_eq!(after.len(), 1);
    enter(&after, 2);
    assert_eq!(read(&path).unwrap(), after.newest(10));
    assert_eq!(after.len(), 2);
}

#[test]
fn broken_lines_are_told_and_whole_ones_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("failures.jsonl");
    let (log, _guard) = Log::start(Level::WARN);
    enter(&ledger(10, Some(&path)), 1);
    ledger(10, Some(&path));
    assert_eq!(log.text(), "");
    let text = fs::read(&path).unwrap();
    fs::write(&path, [&text[..], b"{\n{\n"].concat()).unwrap();
    ledger(10, Some(&path));
    assert!(
        log.text().contains("2 broken lines in ") && log.text().contains(" are passed over"),
        "{}",
        log.text()
    );
}

#[test]
fn a_file_of_something_else_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("viewfinder.toml");
    fs::write(&path, "listen = []\n").unwrap();
    let ledger = ledger(10, Some(&path));
    enter(&ledger, 1);
    assert_eq!(ledger.len(), 1);
    assert_eq!(fs::read_to_string(&path).unwrap(), "listen = []\n");
}

#[test]
fn what_cannot_be_written_is_kept_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("taken"), "").unwrap();
    // A folder of this name cannot be.
    let ledger = ledger(10, Some(&folder.path().join("taken/failures.jsonl")));
    enter(&ledger, 1);
    enter(&ledger, 2);
    assert_eq!(ledger.len(), 2);
    assert!(read(&folder.path().join("nothing")).is_err());
}
