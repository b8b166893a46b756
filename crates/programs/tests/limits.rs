//! Scripts that stand in for decoders which a file has led astray.
#![cfg(unix)]

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, time::Duration};

use tempfile::TempDir;
use viewfinder_programs::{Bounds, Environment, Program, ProgramError};

/// A script of bash in a folder of its own.
struct Script {
    folder: TempDir,
}

impl Script {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("decoder");
        fs::write(&path, format!("#!/bin/bash\ncd '{}'\n{text}\n", folder.path().display())).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).unwrap();
        Self { folder }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn program(&self, bounds: Bounds) -> Program {
        Program::new(self.file("decoder"), Environment::Closed, bounds)
    }

    fn run(&self) -> Result<String, ProgramError> {
        self.run_within(Bounds::decoder(1 << 20))
    }

    fn run_within(&self, bounds: Bounds) -> Result<String, ProgramError> {
        self.program(bounds).run().map(|output| String::from_utf8(output).unwrap())
    }
}

/// Is a process of this number alive? One that nobody has waited for yet is not.
fn is_alive(process: &str) -> bool {
    let output = std::process::Command::new("ps").args(["-o", "stat=", "-p", process]).output().unwrap();
    let state = String::from_utf8(output.stdout).unwrap();
    !state.trim().is_empty() && !state.trim().starts_with('Z')
}

#[test]
fn its_environment_is_closed() {
    // The test's own has these, whoever runs it.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    let said = Script::new("env").run().unwrap();
    let names: Vec<&str> =
        said.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    assert!(names.contains(&"PATH") && names.contains(&"LC_ALL"), "{said}");
    assert!(!names.iter().any(|name| name.starts_with("CARGO") || *name == "HOME"), "{said}");
}

#[test]
fn it_reads_the_file_that_was_opened_for_it_and_nothing_else() {
    let script = Script::new("cat");
    assert_eq!(script.run().unwrap(), "");
    let picture = script.file("picture");
    fs::write(&picture, "the picture").unwrap();
    let file = fs::File::open(&picture).unwrap();
    // Whatever stands there now.
    fs::write(script.file("other"), "another").unwrap();
    fs::rename(script.file("other"), &picture).unwrap();
    let output = script.program(Bounds::decoder(100)).input(file).run().unwrap();
    assert_eq!(output, b"the picture");
}

#[cfg(target_os = "linux")]
#[test]
fn memory_is_bounded() {
    let script = Script::new("x=$(head -c 300000000 /dev/zero | tr '\\0' a); echo ${#x}");
    assert_eq!(script.run().unwrap(), "300000000\n");
    let bounds = Bounds { memory: Some(100 << 20), ..Bounds::decoder(1 << 20) };
    let error = script.run_within(bounds).unwrap_err();
    assert!(matches!(error, ProgramError::Refused { .. }), "{error}");
}

#[test]
fn written_files_are_bounded() {
    let script = Script::new("exec head -c 1000000 /dev/zero > large");
    let error = script.run_within(Bounds::decoder(10_000)).unwrap_err();
    assert!(matches!(error, ProgramError::TooLarge { limit: 10_000, .. }), "{error}");
    assert_eq!(fs::metadata(script.file("large")).unwrap().len(), 10_000);
}

#[test]
fn answers_are_bounded() {
    let error = Script::new("exec cat /dev/zero").run_within(Bounds::decoder(10_000)).unwrap_err();
    assert!(matches!(error, ProgramError::TooLarge { limit: 10_000, .. }), "{error}");
}

#[test]
fn nothing_it_started_outlives_its_time() {
    let script = Script::new("sleep 1000 & echo $! > process; exec sleep 1000");
    let bounds = Bounds { time: Duration::from_secs(3), ..Bounds::decoder(100) };
    let error = script.run_within(bounds).unwrap_err();
    assert!(matches!(error, ProgramError::TooSlow { .. }), "{error}");
    assert!(!is_alive(fs::read_to_string(script.file("process")).unwrap().trim()));
}

#[test]
fn nothing_it_started_outlives_it_or_holds_the_answer() {
    // The sleeper has the pipes that we listen to.
    let script = Script::new("sleep 1000 & echo $!");
    let process = script.run().unwrap();
    assert!(!is_alive(process.trim()));
}

#[test]
fn it_dumps_no_core_and_opens_few_files() {
    let said = Script::new("ulimit -c; ulimit -n").run().unwrap();
    assert_eq!(said, "0\n64\n");
}

#[cfg(target_os = "linux")]
#[test]
fn it_gains_no_rights() {
    assert_eq!(Script::new("grep NoNewPrivs /proc/self/status").run().unwrap(), "NoNewPrivs:\t1\n");
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
#[test]
fn it_has_no_network_and_stays_in_its_group() {
    assert!(viewfinder_programs::network_can_be_forbidden());
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let script = Script::new(&format!("(exec 3<>/dev/tcp/127.0.0.1/{port}) && echo connected; setsid true"));
    let error = script.run().unwrap_err();
    let ProgramError::Refused { complaint, .. } = error else { panic!("{error}") };
    assert!(complaint.contains("Permission denied") && complaint.contains("setsid"), "{complaint}");
    // What fetches may.
    let fetcher = script.run_within(Bounds::fetcher()).unwrap();
    assert_eq!(fetcher, "connected\n");
}

#[test]
fn a_refusal_tells_its_last_words() {
    let error = Script::new("echo one >&2; echo two >&2; echo >&2; exit 3").run().unwrap_err();
    assert_eq!(error.to_string(), "decoder refuses: two");
    let error = Script::new("exit 3").run().unwrap_err();
    assert_eq!(error.to_string(), "decoder refuses: it ended with exit status: 3");
    let missing =
        Program::new("/nowhere/decoder", Environment::Closed, Bounds::decoder(1)).run().unwrap_err();
    assert!(matches!(missing, ProgramError::Broken { .. }), "{missing}");
}
