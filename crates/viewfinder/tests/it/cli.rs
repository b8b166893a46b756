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
    "schema",
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

/// ONNX Runtime reads its environment before it can be told anything else. What the program calls has the same one.
#[cfg(unix)]
#[test]
fn onnx_runtime_is_told_not_to_report_to_its_makers() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::TempDir::new().unwrap();
    let program = folder.path().join("pip3");
    std::fs::write(&program, "#!/bin/sh\n/usr/bin/env > \"${0%/*}/environment\"\nexit 1\n").unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let failed = Run::new().env("PATH", folder.path()).args(["models", "pull", "runtime"]).spawn().wait();
    let environment = std::fs::read_to_string(folder.path().join("environment"));
    let environment = environment.unwrap_or_else(|error| panic!("pip was not called: {error}; {failed:?}"));
    assert!(environment.lines().any(|line| line == "ORT_DISABLE_TELEMETRY=1"), "{environment}");
}
