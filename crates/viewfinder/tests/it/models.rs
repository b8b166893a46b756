//! The model store's commands, and `doctor`.
use std::net::TcpListener;
use std::path::Path;

use serde_json::Value;
use viewfinder_models::Role;
use viewfinder_test_support as test_support;

use crate::support::{Run, need_ocr, stderr, stdout};

const SMALL: &str = "ppocr_mobile_v2.0_cls";

/// A store with a copy of one small model.
fn small_store(folder: &Path) -> std::path::PathBuf {
    let model = test_support::model(SMALL, Role::Classification).model;
    let source = model.parent().unwrap();
    let target = folder.join("store").join(SMALL).join("classification");
    std::fs::create_dir_all(&target).unwrap();
    for entry in std::fs::read_dir(source).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), target.join(entry.file_name())).unwrap();
    }
    target
}

fn run_on(folder: &Path) -> Run {
    Run::new().env("VIEWFINDER_MODELS", folder.join("store")).env("VIEWFINDER_OFFLINE", "1")
}

#[test]
fn list_knows_the_catalogue_and_what_is_here() {
    let folder = tempfile::TempDir::new().unwrap();
    small_store(folder.path());
    let table = stdout(&run_on(folder.path()).args(["models", "list"]).succeeds());
    for name in ["PP-OCRv6_small", "buffalo_l", "cn-clip/ViT-B-16", "ViT-B-32__openai", "runtime"] {
        assert!(
            table.lines().any(|line| line.starts_with(&format!("{name} "))),
            "{name} is missing in {table}"
        );
    }
    let lines = stdout(&run_on(folder.path()).args(["models", "list", "--json"]).succeeds());
    let models: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(models.len() + 1, table.lines().count());
    let faces = models.iter().find(|model| model["name"] == "buffalo_l").unwrap();
    assert!(faces["licence"].as_str().unwrap().contains("non-commercial"), "{faces}");

    let installed =
        stdout(&run_on(folder.path()).args(["models", "list", "--installed", "--json"]).succeeds());
    let names: Vec<String> = installed
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, [SMALL]);
}

#[test]
fn verify_finds_a_changed_byte() {
    let folder = tempfile::TempDir::new().unwrap();
    let target = small_store(folder.path());
    let output = run_on(folder.path()).args(["models", "verify"]).succeeds();
    assert!(stdout(&output).starts_with("ok "), "{}", stdout(&output));

    let model = target.join("model.onnx");
    let mut bytes = std::fs::read(&model).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&model, bytes).unwrap();
    let output = run_on(folder.path()).args(["models", "verify", SMALL]).exits(1);
    assert!(stdout(&output).starts_with("bad "), "{}", stdout(&output));
    let output = run_on(folder.path()).args(["models", "verify", "--json"]).exits(1);
    let finding: Value = serde_json::from_str(stdout(&output).lines().next().unwrap()).unwrap();
    assert_eq!(finding["verdict"], "bad");
}

#[test]
fn remove_frees_and_where_tells() {
    let folder = tempfile::TempDir::new().unwrap();
    let target = small_store(folder.path());
    let output = run_on(folder.path()).args(["models", "where", SMALL]).succeeds();
    assert_eq!(stdout(&output).trim(), format!("classification: {}", target.join("model.onnx").display()));
    let output = run_on(folder.path()).args(["models", "where"]).succeeds();
    assert_eq!(stdout(&output).trim(), folder.path().join("store").to_str().unwrap());

    let output = run_on(folder.path()).args(["models", "remove", SMALL]).succeeds();
    assert!(stdout(&output).contains("freed"), "{}", stdout(&output));
    assert!(!target.exists());
    run_on(folder.path()).args(["models", "where", SMALL]).exits(3);
    let output = run_on(folder.path()).args(["models", "remove", SMALL]).succeeds();
    assert!(stdout(&output).contains("nothing of it"), "{}", stdout(&output));
}

#[test]
fn pull_says_what_is_wrong() {
    let folder = tempfile::TempDir::new().unwrap();
    let unknown = run_on(folder.path()).args(["models", "pull", "PP-OCRv6_small", "nonsense"]).exits(2);
    assert!(stderr(&unknown).contains("nonsense"), "{}", stderr(&unknown));
    let offline = run_on(folder.path()).args(["models", "pull", "PP-OCRv6_small"]).exits(3);
    assert!(stderr(&offline).contains("offline"), "{}", stderr(&offline));
    let library = run_on(folder.path()).args(["models", "pull", "runtime"]).exits(3);
    assert!(stderr(&library).contains("offline"), "{}", stderr(&library));
}

#[test]
fn pull_of_what_is_here_fetches_nothing() {
    need_ocr();
    let output = Run::with_models().args(["models", "pull", "PP-OCRv6_small", "--json"]).succeeds();
    let pulled: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(pulled["name"], "PP-OCRv6_small");
    assert_eq!(pulled["files"].as_array().unwrap().len(), 3);
    assert_eq!(stderr(&output), "");
}

#[test]
fn wrong_entries_in_the_configuration_are_wrong_use() {
    let run = Run::new().file("viewfinder.toml", "[[models]]\nname = \"x\"\nfamily = \"crystal-ball\"\n");
    let output = run.args(["models", "list"]).exits(2);
    assert!(stderr(&output).contains("crystal-ball"), "{}", stderr(&output));
}

fn verdict(findings: &str, subject: &str) -> String {
    findings
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .find(|finding| finding["subject"] == subject)
        .unwrap_or_else(|| panic!("nothing about {subject} in {findings}"))["verdict"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn doctor_finds_a_healthy_machine_healthy() {
    need_ocr();
    let output = Run::with_models()
        .env("API_AUTH_KEY", "k")
        .args(["doctor", "--json", "--listen", "127.0.0.1:0"])
        .succeeds();
    let findings = stdout(&output);
    for subject in ["configuration", "store", "network", "library", "device", "text", "port"] {
        assert_eq!(verdict(&findings, subject), "ok", "{subject}");
    }
    assert!(!findings.contains("\"api key\""));
}

#[test]
fn doctor_says_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = Run::new()
        .file("store", "a file where the folder should be")
        .env("VIEWFINDER_MODELS", "store")
        .env("VIEWFINDER_OFFLINE", "1")
        .env("VIEWFINDER_ORT_LIB", "/nowhere/libonnxruntime.so")
        .env("VIEWFINDER_ALIASES", "ViT-B-32__openai=buffalo_l,RN50__openai=cn-clip/ViT-B-16")
        .args(["doctor", "--listen", &address])
        .exits(1);
    let text = stdout(&output);
    for subject in ["store", "library", "port", "aliases"] {
        assert!(
            text.lines().any(|line| line.starts_with("FAIL") && line.contains(subject)),
            "{subject}: {text}"
        );
    }
    for advice in ["models pull runtime", "--listen", "VIEWFINDER_MODELS", "same width", "API_AUTH_KEY"] {
        assert!(text.contains(advice), "{advice}: {text}");
    }
}
