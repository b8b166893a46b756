//! What becomes of files in the catalogue, without any analysis.
use std::{
    fs::{self, File},
    time::{Duration, SystemTime},
};

use tokio_util::sync::CancellationToken;
use viewfinder_catalog::{AnalysisKind, AnalysisState, Finding, Outcome, TextLine};
use viewfinder_index::{Scan, Scanned};

use crate::support::{Library, Told, wait};

fn counts(scanned: &Scanned) -> [u64; 6] {
    let Scanned { unchanged, new, changed, moved, gone, kept, .. } = scanned;
    [*unchanged, *new, *changed, *moved, *gone, *kept]
}

/// Gives an asset a text, as an analysis would.
fn read(library: &Library, name: &str, text: &str) {
    let asset = library.asset(name);
    let line = TextLine { text: text.to_owned(), score: 0.9, corners: [[0.0, 0.0]; 4], corrected: false };
    let outcome = Outcome {
        asset: asset.id,
        hash: asset.file.hash,
        model: "m".to_owned(),
        at_ms: 1,
        finding: Finding::Text(vec![line]),
    };
    wait(library.store.record(&[outcome])).unwrap();
}

fn text(library: &Library, name: &str) -> Vec<String> {
    let lines = wait(library.store.lines(&[library.asset(name).id])).unwrap();
    lines.into_iter().flatten().map(|line| line.text).collect()
}

fn touch(library: &Library, name: &str, seconds: u64) {
    let file = File::options().write(true).open(library.root().join(name)).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
}

#[test]
fn what_headers_tell_is_kept() {
    let library = Library::new();
    library.put("turned.jpg", "image/orientation6.jpg");
    library.put("plain.png", "image/rgb.png");
    library.put("sensor.dng", "index/receipt.dng");
    touch(&library, "plain.png", 1_600_000_000);
    assert_eq!(counts(&library.scan()), [0, 3, 0, 0, 0, 0]);
    let [stored, upright] = [("plain.png", false), ("turned.jpg", true)].map(|(name, _)| {
        let properties = library.asset(name).properties;
        (properties.width.unwrap(), properties.height.unwrap())
    });
    let header = |name: &str| {
        let bytes = fs::read(library.root().join(name)).unwrap();
        let header = viewfinder_image::header(&bytes).unwrap();
        (header.width, header.height)
    };
    assert_eq!(stored, header("plain.png"));
    let (width, height) = header("turned.jpg");
    assert_ne!(width, height);
    assert_eq!(upright, (height, width));
    assert_eq!(library.asset("plain.png").properties.taken_ms, Some(1_600_000_000_000));
    // As exiftool wrote it: 2023-11-12 13:14:15. `date -u -d '2023-11-12 13:14:15' +%s`
    assert_eq!(library.asset("sensor.dng").properties.taken_ms, Some(1_699_794_855_000));
}

#[test]
fn unchanged_touched_and_changed_files_are_told_apart() {
    let library = Library::new();
    for (name, fixture) in
        [("a.jpg", "ocr/en.jpg"), ("b/c.jpg", "ocr/ch_en_num.jpg"), ("d.png", "image/rgb.png")]
    {
        library.put(name, fixture);
    }
    library.scan();
    for name in ["a.jpg", "b/c.jpg", "d.png"] {
        read(&library, name, name);
    }
    assert_eq!(counts(&library.scan()), [3, 0, 0, 0, 0, 0]);
    touch(&library, "a.jpg", 1_700_000_000);
    library.put("b/c.jpg", "image/444.jpg");
    assert_eq!(counts(&library.scan()), [2, 0, 1, 0, 0, 0]);
    assert_eq!(library.asset("a.jpg").file.modified_ns, 1_700_000_000_000_000_000);
    assert_eq!(text(&library, "a.jpg"), ["a.jpg"]);
    assert_eq!(text(&library, "b/c.jpg"), [""; 0]);
    assert_eq!(library.asset("b/c.jpg").states[AnalysisKind::Ocr as usize], AnalysisState::Never);
    assert_eq!(text(&library, "d.png"), ["d.png"]);
}

#[test]
fn moved_files_keep_what_was_found_and_copies_are_files_of_their_own() {
    let library = Library::new();
    library.put("a.jpg", "ocr/en.jpg");
    library.put("b.jpg", "image/444.jpg");
    library.scan();
    read(&library, "a.jpg", "first");
    read(&library, "b.jpg", "second");
    fs::create_dir(library.root().join("sub")).unwrap();
    fs::rename(library.root().join("a.jpg"), library.root().join("sub/new.jpg")).unwrap();
    fs::copy(library.root().join("b.jpg"), library.root().join("copy.jpg")).unwrap();
    let scanned = library.scan();
    assert_eq!(counts(&scanned), [1, 1, 0, 1, 0, 0]);
    assert_eq!(scanned.copies, 1);
    assert_eq!(text(&library, "sub/new.jpg"), ["first"]);
    assert_eq!(text(&library, "copy.jpg"), [""; 0]);
    assert_eq!(library.names(), ["b.jpg", "copy.jpg", "sub/new.jpg"]);
    // One takes the place of another.
    fs::rename(library.root().join("sub/new.jpg"), library.root().join("b.jpg")).unwrap();
    let scanned = library.scan();
    assert_eq!((scanned.moved, scanned.changed), (1, 0));
    assert_eq!(text(&library, "b.jpg"), ["first"]);
    assert_eq!(library.scan(), Scanned { unchanged: 2, complete: true, ..Scanned::default() });
}

#[test]
fn deleted_files_leave_but_a_missing_disk_takes_nothing_along() {
    let library = Library::new();
    library.put("a.jpg", "ocr/en.jpg");
    library.put("b.jpg", "image/444.jpg");
    library.put("disk/c.jpg", "image/420.jpg");
    library.put("folder/d.jpg", "image/422.jpg");
    library.scan();
    fs::remove_file(library.root().join("a.jpg")).unwrap();
    // A mount point without its disk is there and empty; a folder that somebody deleted is not there.
    fs::remove_file(library.root().join("disk/c.jpg")).unwrap();
    fs::remove_dir_all(library.root().join("folder")).unwrap();
    let scanned = library.scan();
    assert_eq!(counts(&scanned), [1, 0, 0, 0, 2, 1]);
    let problems: Vec<_> = scanned.problems.iter().map(|(kind, problem)| (kind, problem.count)).collect();
    assert_eq!(problems, [("folder_empty", 1)]);
    assert_eq!(library.names(), ["b.jpg", "disk/c.jpg"]);
    let scanned = library.scan_as(&Scan { prune: true, ..library.plan() });
    assert_eq!(counts(&scanned), [1, 0, 0, 0, 1, 0]);
    assert!(scanned.problems.is_empty());
    assert_eq!(library.names(), ["b.jpg"]);
}

#[test]
fn a_missing_root_is_told_and_forgotten_only_on_request() {
    let library = Library::new();
    library.put("root/a.jpg", "ocr/en.jpg");
    let roots = vec![library.root().join("root")];
    let plan = Scan { roots: roots.clone(), ..library.plan() };
    library.scan_as(&plan);
    let away = library.root().join("away");
    fs::rename(&roots[0], &away).unwrap();
    assert_eq!(counts(&library.scan_as(&plan)), [0, 0, 0, 0, 0, 1]);
    fs::rename(&away, &roots[0]).unwrap();
    assert_eq!(counts(&library.scan_as(&plan)), [1, 0, 0, 0, 0, 0]);
    fs::remove_dir_all(&roots[0]).unwrap();
    assert_eq!(counts(&library.scan_as(&Scan { prune: true, ..plan.clone() })), [0, 0, 0, 0, 1, 0]);
    let never = library.scan_as(&plan);
    assert_eq!(never.problems.iter().map(|(kind, _)| kind).collect::<Vec<_>>(), ["folder_missing"]);
}

#[test]
fn only_folders_that_are_asked_for_are_compared() {
    let library = Library::new();
    library.put("a/x.jpg", "ocr/en.jpg");
    library.put("b/y.jpg", "image/444.jpg");
    let plan = Scan { within: vec![library.root().join("a")], ..library.plan() };
    assert_eq!(counts(&library.scan_as(&plan)), [0, 1, 0, 0, 0, 0]);
    library.scan();
    fs::remove_dir_all(library.root().join("b")).unwrap();
    assert_eq!(counts(&library.scan_as(&plan)), [1, 0, 0, 0, 0, 0]);
    assert_eq!(library.names(), ["a/x.jpg", "b/y.jpg"]);
}

#[test]
fn files_that_are_being_written_wait() {
    let library = Library::new();
    library.put("a.jpg", "ocr/en.jpg");
    let plan = Scan { settle: Duration::from_secs(3600), ..library.plan() };
    let scanned = library.scan_as(&plan);
    assert_eq!((scanned.new, scanned.unsettled), (0, 1));
    touch(&library, "a.jpg", 1_700_000_000);
    assert_eq!(library.scan_as(&plan).new, 1);
}

#[test]
fn broken_and_empty_files_are_assets_without_a_size() {
    let library = Library::new();
    library.write("empty.jpg", b"");
    library.write("broken.png", b"no picture at all");
    assert_eq!(counts(&library.scan()), [0, 2, 0, 0, 0, 0]);
    for name in ["empty.jpg", "broken.png"] {
        let properties = library.asset(name).properties;
        assert_eq!((properties.width, properties.height), (None, None));
        assert!(properties.taken_ms.is_some());
    }
}

#[test]
fn asked_to_stop_it_stops() {
    let library = Library::new();
    library.put("a.jpg", "ocr/en.jpg");
    let stop = CancellationToken::new();
    stop.cancel();
    let scanned =
        wait(viewfinder_index::scan(library.plan(), &*library.store, &stop, &Told::default())).unwrap();
    assert!(!scanned.complete);
    assert_eq!(library.names(), [""; 0]);
    assert!(library.scan().complete);
}

#[cfg(unix)]
#[test]
fn what_a_link_leads_to_is_catalogued_only_where_wanted_and_what_was_known_stays() {
    use std::os::unix::fs::symlink;
    use viewfinder_index::Links;
    let library = Library::new();
    library.put("a.jpg", "ocr/en.jpg");
    library.put("sub/b.jpg", "image/444.jpg");
    library.put("c.jpg", "image/420.jpg");
    library.scan();
    // All of it goes to another disk, and links stand in its place.
    let away = tempfile::tempdir().unwrap();
    for name in ["sub", "c.jpg"] {
        let status =
            std::process::Command::new("mv").arg(library.root().join(name)).arg(away.path()).status();
        assert!(status.unwrap().success());
        symlink(away.path().join(name), library.root().join(name)).unwrap();
    }
    symlink("/etc/passwd", library.root().join("passwd.jpg")).unwrap();
    let scanned = library.scan_as(&Scan { prune: true, ..library.plan() });
    assert_eq!(counts(&scanned), [1, 0, 0, 0, 0, 2]);
    let problems: Vec<_> = scanned.problems.iter().map(|(kind, problem)| (kind, problem.count)).collect();
    assert_eq!(problems, [("link_not_followed", 3)]);
    assert_eq!(library.names(), ["a.jpg", "c.jpg", "sub/b.jpg"]);
    let known = library.asset("c.jpg").id;
    let scanned = library.scan_as(&Scan { links: Links::Followed, ..library.plan() });
    assert_eq!(counts(&scanned), [3, 1, 0, 0, 0, 0]);
    assert!(scanned.problems.is_empty(), "{scanned:?}");
    // Whoever has the other place indexed instead keeps what was found, and what was corrected by hand.
    let away = away.path().canonicalize().unwrap();
    let roots = vec![library.root(), away.clone()];
    let scanned = library.scan_as(&Scan { roots, ..library.plan() });
    assert_eq!(scanned.moved, 2, "{scanned:?}");
    let moved = wait(library.store.by_path(away.join("c.jpg").to_str().unwrap())).unwrap().unwrap();
    assert_eq!(moved.id, known);
}
