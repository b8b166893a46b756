//! `index`, `rerun` and `people` on real pictures, killed, disturbed and taken up again.
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use viewfinder_catalog::search::Source as _;
use viewfinder_catalog::text::Segmenter;
use viewfinder_catalog::{AnalysisState, Asset, SqliteStore, Store as _};
use viewfinder_test_support::PostgresServer;

use crate::schema::assert_fits;
use crate::support::{Run, Running, fixture, need_faces, need_ocr, stderr, stdout, wait};

/// Pictures of every sort: with text, with faces, with neither; one is no picture.
const PICTURES: [(&str, &str); 6] = [
    ("receipt.jpg", "library/0002.jpg"),
    ("screen.jpg", "library/0003.jpg"),
    ("plain.jpg", "library/0000.jpg"),
    ("people.jpg", "faces/t1.jpg"),
    ("sub/bird.jpg", "faces/prairie_falcon.jpg"),
    ("sub/card.jpg", "library/0005.jpg"),
];

/// A folder of pictures and its catalogue.
pub(crate) struct Library {
    pictures: TempDir,
    catalogue: TempDir,
}

impl Library {
    pub(crate) fn new() -> Self {
        need_ocr();
        need_faces();
        let library = Self { pictures: TempDir::new().unwrap(), catalogue: TempDir::new().unwrap() };
        for (name, source) in PICTURES {
            library.put(name, &std::fs::read(fixture(source)).unwrap());
        }
        library.put("broken.jpg", b"\xFF\xD8\xFF and no more");
        library
    }

    pub(crate) fn put(&self, name: &str, content: &[u8]) {
        let path = self.root().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.pictures.path().canonicalize().unwrap()
    }

    fn catalog(&self) -> PathBuf {
        self.catalogue.path().join("catalog.db")
    }

    /// The program with the tests' small models and this catalogue.
    pub(crate) fn run<const N: usize>(&self, args: [&str; N]) -> Run {
        Run::with_models()
            .env("VIEWFINDER_FACES_MODEL", "probe")
            .env("VIEWFINDER_CLIP_MODEL", "tiny")
            .env("VIEWFINDER_FACES_SAME_PERSON", "0.99")
            .env("VIEWFINDER_CATALOG_FILE", self.catalog())
            .args(args)
    }

    pub(crate) fn index(&self) -> Run {
        self.run(["index"]).args([self.root()])
    }

    pub(crate) fn store(&self) -> SqliteStore {
        wait(SqliteStore::open(&self.catalog(), Arc::new(Segmenter::new(None).unwrap()))).unwrap()
    }

    /// The text of a picture, line by line.
    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        let store = self.store();
        let path = self.root().join(name);
        let asset = wait(store.by_path(path.to_str().unwrap())).unwrap().unwrap();
        wait(store.lines(&[asset.id])).unwrap().remove(0).into_iter().map(|line| line.text).collect()
    }

    fn assets(&self) -> Vec<Asset> {
        wait(self.store().list("", None, 1000)).unwrap()
    }
}

#[test]
fn a_catalogue_in_a_database_is_left_in_order() {
    let library = Library::new();
    let server = PostgresServer::start(&[]);
    let url = server.new_database();
    // One picture is broken, which is told once.
    for code in [1, 0] {
        let output = library.index().env("VIEWFINDER_CATALOG_URL", &url).spawn().wait();
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        assert!(!stderr(&output).contains("panic"), "{}", stderr(&output));
    }
    let output = library.run(["search", "ocr:bakery"]).env("VIEWFINDER_CATALOG_URL", &url).spawn().wait();
    assert!(stdout(&output).contains("receipt.jpg"), "{}", stderr(&output));
}

/// Everything that a catalogue says, but for numbers and times of day.
#[derive(Debug, PartialEq)]
struct Said {
    path: PathBuf,
    hash: [u8; 32],
    size: [Option<u32>; 2],
    states: Vec<String>,
    lines: Vec<String>,
    faces: Vec<[i32; 4]>,
}

fn said(library: &Library) -> Vec<Said> {
    let store = library.store();
    let state = |state: &AnalysisState| match state {
        AnalysisState::Never => "never".to_owned(),
        AnalysisState::Done { model, .. } => format!("done {model}"),
        AnalysisState::Failed { model, code, .. } => format!("failed {model} {code}"),
    };
    let of = |asset: Asset| Said {
        path: Path::new(&asset.file.path).strip_prefix(library.root()).unwrap().to_owned(),
        hash: asset.file.hash,
        size: [asset.properties.width, asset.properties.height],
        states: asset.states.iter().map(state).collect(),
        lines: wait(store.lines(&[asset.id])).unwrap().remove(0).into_iter().map(|line| line.text).collect(),
        // To a hundredth of the picture: the last bits depend on how many threads shared the work.
        faces: wait(store.faces(asset.id))
            .unwrap()
            .iter()
            .map(|face| face.corners.map(|part| (part * 100.0).round() as i32))
            .collect(),
    };
    library.assets().into_iter().map(of).collect()
}

fn cosines(a: &Library, b: &Library) -> Vec<f32> {
    let vectors = |library: &Library| -> Vec<Option<Vec<f32>>> {
        let store = library.store();
        let vector = |asset: &Asset| wait(store.embedding(asset.id)).unwrap().map(|(_, vector)| vector);
        library.assets().iter().map(vector).collect()
    };
    let dot = |(a, b): (Option<Vec<f32>>, Option<Vec<f32>>)| match (a, b) {
        (Some(a), Some(b)) => a.iter().zip(&b).map(|(a, b)| a * b).sum(),
        (None, None) => 1.0,
        _ => 0.0,
    };
    vectors(a).into_iter().zip(vectors(b)).map(dot).collect()
}

#[test]
fn a_folder_is_indexed_once_and_told_in_groups() {
    let library = Library::new();
    let output = library.index().exits(1);
    let told = stderr(&output);
    assert!(told.contains("7 new, 7 analysed"), "{told}");
    assert!(told.contains("image_undecodable: 1"), "{told}");
    assert!(told.contains("broken.jpg: the JPEG picture cannot be decoded"), "{told}");
    assert_eq!(stdout(&output), "");

    let told = stderr(&library.index().succeeds());
    assert!(told.contains("7 unchanged") && !told.contains("analysed"), "{told}");

    let status = stdout(&library.run(["index", "--status"]).succeeds());
    assert!(status.starts_with("7 pictures and videos\nocr    6 done, 0 waiting, 1 failed\n"), "{status}");
    let status = stdout(&library.run(["index", "--status", "--json"]).succeeds());
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["faces"], serde_json::json!({ "waiting": 0, "done": 6, "failed": 1 }));
    assert_fits("index-status", &status);
    let table = stdout(&library.run(["index", "--status", "--csv"]).succeeds());
    assert_eq!(table, "kind,done,waiting,failed\nocr,6,0,1\nclip,6,0,1\nfaces,6,0,1\n");

    let told = stderr(&library.index().args(["--retry-failed"]).exits(1));
    assert!(told.contains("1 analysed"), "{told}");
    let told = stderr(&library.run(["rerun", "ocr"]).args([library.root().join("sub")]).succeeds());
    assert!(told.contains("2 analysed"), "{told}");
}

#[test]
fn people_are_listed_and_named() {
    let library = Library::new();
    library.index().args(["--faces"]).exits(1);
    let people = |flags: &[&str]| -> Vec<serde_json::Value> {
        let output = library.run(["people", "--json"]).args(flags).succeeds();
        stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let everybody = people(&["--all"]);
    for person in &everybody {
        assert_fits("people", person);
    }
    let faces: u64 = everybody.iter().map(|person| person["faces"].as_u64().unwrap()).sum();
    // As InsightFace's code finds them: faces/golden.json.
    assert_eq!(faces, 6);
    let id = everybody[0]["id"].to_string();
    library.run(["people", "name", &id, "Ada"]).succeeds();
    assert!(people(&[]).iter().any(|person| person["name"] == "Ada"));
    let told = stderr(&library.run(["people", "name", "999999", "Nobody"]).exits(2));
    assert!(told.contains("there is no person 999999"), "{told}");

    // With a picture to know everybody by, for people and for programs.
    let picture = library.root().join("people.jpg");
    let picture = picture.to_str().unwrap();
    assert!(everybody.iter().all(|person| person["example"] == picture && person["pictures"] == 1));
    let told = stdout(&library.run(["people"]).succeeds());
    assert_eq!(told, format!("{id:>6}  Ada: 1 face in 1 picture\n        {picture}\n"));
    let ids: Vec<String> = everybody.iter().map(|person| person["id"].to_string()).collect();
    library.run(["people", "name", &ids[1..3].join(","), "Ben, \"the\" other"]).succeeds();
    let table = stdout(&library.run(["people", "--csv"]).succeeds());
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines[0], "id,name,faces,pictures,example");
    assert_eq!(lines[2], format!("{},\"Ben, \"\"the\"\" other\",1,1,{picture}", ids[1]));
    let told = stderr(&library.run(["people", "merge", &id, &ids[1], "999999"]).exits(2));
    assert!(told.contains("there is no person 999999"), "{told}");
    library.run(["people", "merge", &id, &ids[1], &ids[2]]).succeeds();
    let merged = people(&[]);
    assert_eq!((merged.len(), &merged[0]["name"], &merged[0]["faces"]), (1, &"Ada".into(), &3.into()));
}

#[test]
fn what_was_indexed_is_found_with_the_match_marked() {
    let library = Library::new();
    library.index().exits(1);
    // The true text of the receipt, from labels.json: "Receipt 0824628".
    let output = library.run(["search", "ocr:0824628"]).succeeds();
    let path = library.root().join("receipt.jpg");
    let found = stdout(&output);
    assert_eq!(found.lines().next(), path.to_str());
    assert!(found.contains("[0824628]"), "{found}");
    let hit: serde_json::Value =
        serde_json::from_str(stdout(&library.run(["search", "--json", "ocr:0824628"]).succeeds()).trim())
            .unwrap();
    assert_eq!(hit["asset"]["path"], path.to_str().unwrap());
    assert_eq!(hit["words"], serde_json::json!(["0824628"]));
    assert_fits("search", &hit);
    let all = stdout(&library.run(["search", "--json", "path:jpg"]).succeeds());
    // With a failure, without text.
    assert!(all.contains("image_undecodable"), "{all}");
    for line in all.lines() {
        assert_fits("search", &serde_json::from_str(line).unwrap());
    }
    // Meaning: the small model knows no meaning, but has a vector for every picture.
    let found = stdout(&library.run(["search", "clip:a bird", "--limit", "2"]).succeeds());
    assert_eq!(found.lines().filter(|line| line.contains("shows it, similarity")).count(), 2, "{found}");
    let none = library.run(["search", "ocr:zzqqxx"]).succeeds();
    assert_eq!(stdout(&none), "");
    assert!(stderr(&none).contains("nothing found"));
    let told = stderr(&library.run(["search", "\"open"]).exits(2));
    assert!(told.contains("character 1"), "{told}");
    // A query names what to do again, too.
    let told = stderr(&library.run(["rerun", "ocr", "ocr:0824628"]).succeeds());
    assert!(told.contains("1 analysed"), "{told}");
}

/// Kills the run after so long, as a power cut would.
fn killed_after(mut running: Running, time: Duration) -> Output {
    sleep(time);
    // It may have ended by itself.
    let _ = running.process.kill();
    running.wait()
}

#[test]
fn killed_at_any_moment_the_next_run_ends_with_the_same_catalogue() {
    let (undisturbed, killed) = (Library::new(), Library::new());
    let begin = Instant::now();
    undisturbed.index().exits(1);
    let whole = begin.elapsed();
    // Twenty in the run by hand.
    let kills: u32 = std::env::var("VIEWFINDER_TEST_KILLS").map_or(3, |kills| kills.parse().unwrap());
    for kill in 0..kills {
        // Spread over the run by the golden ratio, which never comes back to where it was.
        let part = (f64::from(kill + 1) * 0.618_033_988_75).fract();
        killed_after(killed.index().spawn(), whole.mul_f64(part));
    }
    killed.index().spawn().wait();
    assert_eq!(said(&killed), said(&undisturbed));
    let cosines = cosines(&killed, &undisturbed);
    assert!(cosines.iter().all(|cosine| *cosine > 0.9999), "{cosines:?}");
    let people = |library: &Library| {
        wait(library.store().people()).unwrap().into_iter().map(|person| person.faces).collect::<Vec<_>>()
    };
    assert_eq!(people(&killed), people(&undisturbed));
}

#[cfg(unix)]
#[test]
fn asked_to_stop_it_stops_and_says_so() {
    let library = Library::new();
    let running = library.index().spawn();
    let pid = running.process.id().to_string();
    // Once there is a catalogue, signals are listened for.
    while !library.catalog().exists() {
        sleep(Duration::from_millis(20));
    }
    sleep(Duration::from_millis(500));
    std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap();
    let output = running.wait();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    library.index().spawn().wait();
    assert_eq!(library.assets().len(), 7);
    assert!(said(&library).iter().all(|said| said.states.iter().all(|state| state != "never")));
}

#[cfg(unix)]
#[test]
fn a_full_disk_is_a_clear_error_and_loses_nothing() {
    let library = Library::new();
    library.run(["index", "--ocr"]).args([library.root().join("sub")]).succeeds();
    let before = said(&library);
    // As with a disk that has room for no more than the catalogue has already. (A signal would end the program; a full disk
    // sends none.)
    let blocks = std::fs::metadata(library.catalog()).unwrap().len() / 512;
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    let output = library.index().under(&["/bin/sh", "-c", &script]).exits(3);
    let told = stderr(&output);
    assert!(told.contains("catalog"), "{told}");
    let kept = said(&library);
    for line in &before {
        assert!(kept.iter().any(|kept| kept.path == line.path && kept.lines == line.lines), "{line:?}");
    }
    library.index().exits(1);
    assert_eq!(said(&library).len(), 7);
    assert!(said(&library).iter().all(|said| said.states.iter().all(|state| state != "never")));
}

#[test]
fn wrong_places_are_clear_errors() {
    let library = Library::new();
    let told = stderr(&library.run(["index", "--status"]).exits(2));
    assert!(told.contains("there is no catalogue at"), "{told}");
    let file = library.root().join("receipt.jpg");
    let told = stderr(&library.run(["index"]).args([&file]).exits(2));
    assert!(told.contains("is a file; a folder is expected"), "{told}");
    let inside = file.join("catalog.db");
    let told = stderr(&library.index().args(["--catalog".as_ref(), inside.as_os_str()]).exits(3));
    assert!(told.contains("cannot make"), "{told}");
    let told = stderr(&library.run(["index"]).args([library.root().join("nowhere")]).exits(1));
    assert!(told.contains("folder_missing"), "{told}");
    let told = stderr(&library.run(["rerun", "ocr", "/nowhere/x.jpg"]).exits(2));
    assert!(told.contains("nothing at /nowhere/x.jpg"), "{told}");
    library.index().args(["--ocr", "--no-ocr"]).exits(2);
}

#[test]
fn watching_follows_what_comes_changes_and_goes() {
    let library = Library::new();
    std::fs::remove_file(library.root().join("broken.jpg")).unwrap();
    let mut watching = library.index().args(["--watch", "--clip"]).spawn();
    let names = || -> Vec<String> {
        if !library.catalog().exists() {
            return Vec::new();
        }
        let done = |asset: &Asset| matches!(asset.states[1], AnalysisState::Done { .. });
        let name =
            |asset: Asset| Path::new(&asset.file.path).file_name().unwrap().to_str().unwrap().to_owned();
        library.assets().into_iter().filter(done).map(name).collect()
    };
    // Patience without end: the tests' own limit ends what never comes.
    let until = |what: &dyn Fn(&[String]) -> bool| {
        while !what(&names()) {
            sleep(Duration::from_millis(200));
        }
    };
    until(&|names| names.len() == 6);
    library.put("late/new.jpg", &std::fs::read(fixture("ocr/en.jpg")).unwrap());
    until(&|names| names.iter().any(|name| name == "new.jpg"));
    std::fs::rename(library.root().join("plain.jpg"), library.root().join("sub/renamed.jpg")).unwrap();
    std::fs::remove_file(library.root().join("receipt.jpg")).unwrap();
    until(&|names| {
        names.iter().any(|name| name == "renamed.jpg")
            && !names.iter().any(|name| name == "plain.jpg" || name == "receipt.jpg")
    });
    assert_eq!(watching.process.try_wait().unwrap(), None);
    watching.process.kill().unwrap();
    watching.wait();
}
