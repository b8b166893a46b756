//! The command line itself.
use std::ffi::OsStr;

use crate::support::{Run, stderr, stdout};

const COMMANDS: &[&str] = &[
    "serve",
    "ocr",
    "faces",
    "embed",
    "index",
    "search",
    "rerun",
    "people",
    "models",
    "config",
    "doctor",
    "failures",
    "immich",
    "completions",
    "man",
];

#[test]
fn help_names_the_commands_and_the_exit_codes() {
    let text = stdout(&Run::new().args(["--help"]).succeeds());
    for word in COMMANDS.iter().chain(&["Exit codes:"]) {
        assert!(text.contains(word), "{word} is missing in {text}");
    }
    for command in COMMANDS {
        let text = stdout(&Run::new().args([*command, "--help"]).succeeds());
        assert!(text.contains("Usage: viewfinder"), "{text}");
    }
}

#[test]
fn version_is_the_packages() {
    let text = stdout(&Run::new().args(["--version"]).succeeds());
    assert_eq!(text.trim(), concat!("viewfinder ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn wrong_use_exits_2() {
    for args in [
        &[][..],
        &["shoot"],
        &["ocr"],
        &["embed"],
        &["ocr", "--profile", "sharp", "x.jpg"],
        &["faces", "--min-score", "2", "x.jpg"],
        &["ocr", "--draw", "out.png", "a.jpg", "b.jpg"],
        &["models", "pull", "--json"],
    ] {
        let output = Run::new().args(args).exits(2);
        assert_ne!(stderr(&output), "", "{args:?}");
        assert_eq!(stdout(&output), "", "{args:?}");
    }
}

#[test]
fn completions_and_manual_cover_the_commands() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let text = stdout(&Run::new().args(["completions", shell]).succeeds());
        assert!(text.contains("doctor") && text.contains("offline"), "{shell}");
    }
    let page = stdout(&Run::new().args(["man"]).succeeds());
    assert!(page.contains(".TH") && page.contains("viewfinder"), "{page}");
    let folder = tempfile::TempDir::new().unwrap();
    Run::new().args([OsStr::new("man"), folder.path().as_os_str()]).succeeds();
    let pages = std::fs::read_dir(folder.path()).unwrap().count();
    assert!(pages > 9, "{pages} pages");
}

#[test]
fn a_closed_pipe_is_no_failure() {
    for args in [&["config"][..], &["man"], &["config", "--example"], &["--help"]] {
        let mut child = Run::new().args(args).spawn();
        drop(child.process.stdout.take());
        let output = child.wait();
        assert!(output.status.success(), "{args:?}: {output:?}");
        assert_eq!(stderr(&output), "", "{args:?}");
    }
}
