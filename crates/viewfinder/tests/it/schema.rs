//! What commands print for programs keeps to its schema, and the schemas that are published are those of the program.
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::{Run, stderr, stdout, workspace};

fn published(name: &str) -> PathBuf {
    workspace().join(format!("docs/schema/{name}.json"))
}

/// What is wrong with a line of JSON.
fn faults(name: &str, line: &Value) -> Vec<String> {
    let schema: Value = serde_json::from_slice(&fs::read(published(name)).unwrap()).unwrap();
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    validator.iter_errors(line).map(|error| error.to_string()).collect()
}

/// The line is as its schema says.
pub(crate) fn assert_fits(name: &str, line: &Value) {
    let faults = faults(name, line);
    assert!(faults.is_empty(), "{name}: {faults:?} in {line}");
}

#[test]
fn the_published_schemas_are_the_programs() {
    let listed = stdout(&Run::new().args(["schema"]).succeeds());
    for name in listed.lines() {
        let printed = stdout(&Run::new().args(["schema", name]).succeeds());
        let file = published(name);
        let kept = fs::read_to_string(&file).unwrap_or_default();
        assert!(kept == printed, "viewfinder schema {name} > {}", file.display());
    }
    let files = fs::read_dir(workspace().join("docs/schema")).unwrap();
    let files: BTreeSet<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(files, listed.lines().map(|name| format!("{name}.json")).collect());
    let told = stderr(&Run::new().args(["schema", "nothing"]).exits(2));
    assert!(told.contains("search"), "{told}");
}

#[test]
fn what_does_not_fit_is_noticed() {
    let states = json!({"waiting": 0, "done": 1, "failed": 2});
    let counts = json!({"assets": 3, "ocr": states, "clip": states, "faces": states});
    assert_fits("index-status", &counts);
    for (place, wrong) in [("/assets", json!("3")), ("/ocr/done", json!(-1)), ("/faces", json!([0, 1, 2]))] {
        let mut counts = counts.clone();
        *counts.pointer_mut(place).unwrap() = wrong;
        assert_eq!(faults("index-status", &counts).len(), 1, "{counts}");
    }
    assert!(!faults("index-status", &json!({"assets": 3})).is_empty());
}
