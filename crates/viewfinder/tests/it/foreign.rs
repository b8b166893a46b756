//! HEIC and others that the system's programs decode: read the same by everything that reads pictures.
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::index::Library;
use crate::serve::{Server, exchange};
use crate::support::{Run, fixture, need_ocr, stderr, stdout};

/// Sends a picture in a form, behind what else is in it.
fn post(server: &Server, path: &str, part: &str, picture: &[u8], more: &str) -> (u16, Value) {
    let before =
        format!("{more}--x\r\nContent-Disposition: form-data; name=\"{part}\"; filename=\"a\"\r\n\r\n");
    let body = [before.as_bytes(), picture, b"\r\n--x--\r\n"].concat();
    let head = format!(
        "POST {path} HTTP/1.1\r\nApi-Key: mt_photos_ai_extra\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    );
    let (status, answer) = exchange(server.address, &head, &body);
    (status, serde_json::from_slice(&answer).unwrap())
}

/// The texts of lines, in their order.
fn texts(lines: &Value) -> Vec<String> {
    let lines = lines.as_array().unwrap_or_else(|| panic!("{lines}"));
    let text = |line: &Value| line.as_str().or(line["text"].as_str()).unwrap().to_owned();
    lines.iter().map(text).collect()
}

/// The numbers of a vector, which Immich gets as a text.
fn numbers(vector: &Value) -> Vec<f64> {
    let read = vector.as_str().map(|text| serde_json::from_str(text).unwrap());
    read.as_ref()
        .unwrap_or(vector)
        .as_array()
        .unwrap()
        .iter()
        .map(|number| number.as_f64().unwrap())
        .collect()
}

fn path() -> std::ffi::OsString {
    std::env::var_os("PATH").unwrap()
}

#[test]
#[ignore = "needs the programs of libheif, LibRaw and ffmpeg; cargo xtask test provides them"]
fn a_picture_has_the_same_lines_wherever_it_is_read() {
    let library = Library::new();
    let files = ["receipt.heic", "receipt.dng", "late.mp4"].map(|name| fixture(&format!("index/{name}")));
    let run = || Run::with_models().env("PATH", path());
    let server = Server::start(run().env("VIEWFINDER_MT_PHOTOS_OCR_PROFILE", "viewfinder"), &[]);
    for file in &files {
        let name = file.file_name().unwrap().to_str().unwrap();
        let picture = fs::read(file).unwrap();
        library.put(name, &picture);
        let told = stdout(&run().args(["ocr", "--json"]).args([file]).succeeds());
        let told: Value = serde_json::from_str(&told).unwrap();
        let expected = texts(&told["lines"]);
        assert!(!expected.is_empty() || name == "late.mp4", "{name}");

        let (status, answer) = post(&server, "/api/analyze", "image", &picture, "");
        assert_eq!((status, texts(&answer["lines"])), (200, expected.clone()), "{name}: {answer}");
        let (status, answer) = post(&server, "/ocr", "file", &picture, "");
        assert_eq!((status, texts(&answer["result"]["texts"])), (200, expected.clone()), "{name}");

        let entries = "--x\r\nContent-Disposition: form-data; name=\"entries\"\r\n\r\n\
             {\"clip\":{\"visual\":{\"modelName\":\"tiny\"}}}\r\n";
        let (status, answer) = post(&server, "/predict", "image", &picture, entries);
        assert_eq!(status, 200, "{name}: {answer}");
        let embedded = stdout(&run().args(["embed", "--model", "tiny", "--json"]).args([file]).succeeds());
        let embedded: Value = serde_json::from_str(&embedded).unwrap();
        let (sent, embedded) = (numbers(&answer["clip"]), numbers(&embedded["embedding"]));
        assert!(sent.len() == 32 && sent.iter().zip(&embedded).all(|(a, b)| (a - b).abs() < 1e-4), "{name}");
        run().args(["faces", "--model", "probe"]).args([file]).succeeds();
    }
    library.index().env("PATH", path()).exits(1);
    for file in &files {
        let name = file.file_name().unwrap().to_str().unwrap();
        let told = stdout(&run().args(["ocr"]).args([file]).succeeds());
        assert_eq!(library.lines(name), told.lines().collect::<Vec<_>>(), "{name}");
    }
    server.signal("-TERM");
    assert_eq!(server.end().0, Some(0));
}

/// A program in place of libheif's that decodes everything to this picture.
fn install(folder: &Path, picture: &Path) {
    let script = format!("#!/bin/sh\nexec /bin/cp '{}' \"$4\"\n", picture.display());
    // Not by this process: a program is not run while somebody has it open to write, as a child of another test would.
    let write = ["-c", "printf %s \"$1\" > \"$0\" && chmod 755 \"$0\""];
    assert!(
        Command::new("sh").args(write).arg(folder.join("heif-dec")).arg(script).status().unwrap().success()
    );
}

#[test]
fn what_waited_for_a_program_is_taken_up_when_it_is_installed() {
    let library = Library::new();
    let programs = tempfile::tempdir().unwrap();
    library.put("photo.heic", &fs::read(fixture("index/receipt.heic")).unwrap());
    let index = || library.index().args(["--ocr", "--clip"]).env("PATH", programs.path());
    for analysed in ["8 new, 8 analysed", "1 analysed"] {
        let told = stderr(&index().exits(1));
        assert!(told.contains(analysed), "{told}");
        let named: Vec<_> = told.lines().filter(|line| line.contains("photo.heic")).collect();
        let [line] = named[..] else { panic!("{told}") };
        assert!(line.contains("photo.heic: reading it takes heif-dec or heif-convert (libheif)"), "{line}");
        assert!(told.contains("decoder_missing: 1"), "{told}");
    }
    let status = stdout(&library.run(["index", "--status"]).succeeds());
    assert!(status.contains("photo.heic: ocr, clip: decoder_missing"), "{status}");
    let picture = fixture("library/0002.jpg");
    let ocr = || {
        Run::with_models().env("PATH", programs.path()).args(["ocr"]).args([fixture("index/receipt.heic")])
    };
    need_ocr();
    let told = stderr(&ocr().exits(1));
    assert!(told.contains("receipt.heic: reading it takes heif-dec"), "{told}");

    install(programs.path(), &picture);
    let told = stderr(&index().succeeds());
    assert!(told.contains("1 analysed") && !told.contains("decoder_missing"), "{told}");
    let read = stdout(&ocr().succeeds());
    assert_eq!(library.lines("photo.heic"), read.lines().collect::<Vec<_>>());
}
