//! What `deploy/` tells Prometheus and Grafana exists, and the image needs nothing but the archive.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::serve::{Server, predict};
use crate::support::{Run, need_ocr, workspace};

fn read(path: &str) -> String {
    std::fs::read_to_string(workspace().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn dashboard() -> Value {
    serde_json::from_str(&read("deploy/grafana-dashboard.json")).unwrap()
}

/// Every expression that the dashboard asks Prometheus.
fn expressions(dashboard: &Value) -> Vec<String> {
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let variables = dashboard["templating"]["list"].as_array().unwrap().iter();
    targets
        .map(|target| &target["expr"])
        .chain(variables.filter_map(|variable| variable.get("definition")))
        .map(|text| text.as_str().unwrap().to_owned())
        .collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|word| !word.is_empty())
}

/// Metrics in an expression, as Prometheus calls the parts of a histogram.
fn metrics(expression: &str) -> impl Iterator<Item = &str> {
    words(expression).filter(|word| word.starts_with("viewfinder_") || word.starts_with("process_"))
}

/// Metrics that a server shows, each with its labels.
fn shown(text: &str) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut found: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (series, _) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let labels = labels.split("\",").filter_map(|label| Some(label.split_once('=')?.0));
        found.entry(name).or_default().extend(labels);
    }
    found
}

/// Metrics that the program describes, whether or not anything was counted yet.
fn described() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for path in ["immich/src/companion", "server/src", "http/src/proxy", "cluster/src"] {
        let source = read(&format!("crates/{path}/metric.rs"));
        let constant = |name: &str| {
            let (_, rest) = source.split_once(&format!("const {name}: &str = \""))?;
            rest.split('"').next().map(str::to_owned)
        };
        for kind in ["counter", "gauge", "histogram"] {
            for call in source.split(&format!("describe_{kind}!(")).skip(1) {
                let name = words(call).next().and_then(constant).expect("described by a constant");
                if kind == "histogram" {
                    names.insert(format!("{name}_bucket"));
                }
                names.insert(name);
            }
        }
    }
    names
}

#[test]
fn every_metric_of_the_dashboard_exists_with_its_labels() {
    need_ocr();
    let strong = Server::start(Run::with_models(), &[]);
    let front = Run::new().env("VIEWFINDER_OFFLINE", "true");
    let front = Server::start(front.env("IMMICH_API", format!("http://{}", strong.address)), &[]);
    assert_eq!(predict(front.address).0, 200);
    let text = String::from_utf8(front.get("/metrics").1).unwrap();
    let (shown, described) = (shown(&text), described());
    let mut seen = 0;
    for expression in expressions(&dashboard()) {
        for metric in metrics(&expression) {
            let Some(labels) = shown.get(metric) else {
                assert!(described.contains(metric), "{metric} does not exist: {expression}");
                continue;
            };
            seen += 1;
            let groups = expression.split("by (").skip(1).map(|rest| rest.split(')').next().unwrap());
            for label in groups.flat_map(words).filter(|label| *label != "instance") {
                assert!(labels.contains(label), "{metric} has no {label}: {expression}");
            }
        }
    }
    assert!(seen > 15, "the server showed only {seen} of them:\n{text}");
    for server in [front, strong] {
        server.signal("-TERM");
        assert_eq!(server.end().0, Some(0));
    }
}

#[test]
fn panels_lie_side_by_side_and_ask_the_chosen_source() {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut ids = BTreeSet::new();
    let mut places = BTreeSet::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{}", panel["id"]);
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
        assert!(x + w <= 24, "{}", panel["title"]);
        for place in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(places.insert(place), "{} lies over another", panel["title"]);
        }
        if panel["type"] != "row" {
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
            assert!(!panel["targets"].as_array().unwrap().is_empty(), "{}", panel["title"]);
        }
    }
}

#[test]
fn eight_lines_give_text_without_a_compiler_or_a_download() {
    let compose = read("deploy/compose.ocr.yml");
    let lines: Vec<&str> = compose.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines.len(), 8, "{lines:?}");
    let dockerfile = read("deploy/Dockerfile");
    let steps: String = dockerfile.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(steps.contains("EXPOSE 3003") && compose.contains("\"3003:3003\""));
    for word in ["cargo", "rust", "gcc"] {
        assert!(!steps.contains(word), "{word}");
    }
    // The name that is given to it, wherever it is told how to make it, and the folder that `cargo xtask dist` fills.
    for path in [
        "deploy/Dockerfile",
        "deploy/compose.ocr.yml",
        "deploy/compose.viewfinder.yml",
        "deploy/compose.cuda.yml",
    ] {
        let text = read(path);
        let made = text.lines().filter(|line| line.contains("docker build"));
        for line in made {
            assert!(
                line.starts_with('#') && line.contains("-t viewfinder") && line.ends_with("target/dist"),
                "{line}"
            );
        }
        assert!(text.contains("cargo xtask dist"), "{path}");
    }
}
