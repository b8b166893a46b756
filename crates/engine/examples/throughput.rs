//! One side of a benchmark: reads pictures as fast as the engine can and reports what it read.
//!
//! Arguments: store folder, OCR profile. Then one JSON object per line on standard input, `{"files": […]}`, each
//! answered by one line `{"seconds", "results": [{"file", "lines": [{"text", "score", "box"}]}]}`.

use std::{
    io::{BufRead as _, Write as _},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use serde_json::{Value, json};
use viewfinder_core::{Alpha, Answer, DecodeRules, PictureRequest, PictureTask, ocr::Options};
use viewfinder_engine::runtime::{Device, tune_allocator};
use viewfinder_engine::{Engine, EngineConfig};
use viewfinder_models::StoreConfig;

const MODEL: &str = "PP-OCRv6_small";

fn main() {
    tune_allocator();
    let mut arguments = std::env::args().skip(1);
    let store = arguments.next().expect("the store's folder");
    let profile = arguments.next().expect("the profile");
    let options = match profile.as_str() {
        "rapidocr" => Options::rapidocr(),
        "immich" => Options::immich(0.5, 0.8, 736),
        "viewfinder" => Options::viewfinder(),
        other => panic!("no profile {other}"),
    };
    let mut config = EngineConfig::new(StoreConfig::new(store));
    config.device = Device::Cpu;
    let engine = Engine::new(config).expect("the engine starts");
    let mut output = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let order: Value =
            serde_json::from_str(&line.expect("standard input is text")).expect("an order is JSON");
        let files: Vec<&str> =
            order["files"].as_array().expect("files").iter().filter_map(Value::as_str).collect();
        let answer = read_all(&engine, &files, &options);
        writeln!(output, "{answer}").and_then(|()| output.flush()).expect("standard output is open");
    }
}

/// As many pictures at a time as the engine has workers.
fn read_all(engine: &Engine, files: &[&str], options: &Options) -> Value {
    let started = Instant::now();
    let next = AtomicUsize::new(0);
    let results = Mutex::new(vec![Value::Null; files.len()]);
    std::thread::scope(|scope| {
        for _ in 0..engine.status().workers {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(file) = files.get(index) else { break };
                    let lines = read(engine, file, options);
                    results.lock().expect("no reader panics")[index] =
                        json!({ "file": file, "lines": lines });
                }
            });
        }
    });
    let seconds = started.elapsed().as_secs_f64();
    let results = results.into_inner().expect("no reader panics");
    json!({ "seconds": seconds, "results": results })
}

fn read(engine: &Engine, file: &str, options: &Options) -> Vec<Value> {
    let bytes = std::fs::read(file).unwrap_or_else(|error| panic!("{file}: {error}"));
    let answer = engine.picture_blocking(PictureRequest {
        bytes: bytes.into(),
        decode: DecodeRules { orient: true, alpha: Alpha::Contrast, max_side: None },
        tasks: vec![PictureTask::Text {
            detection: MODEL.into(),
            recognition: MODEL.into(),
            options: options.clone(),
        }],
    });
    match answer.unwrap_or_else(|error| panic!("{file}: {error}")).answers.pop() {
        Some(Ok(Answer::Text(lines))) => lines
            .into_iter()
            .map(|line| json!({ "text": line.text, "score": line.score, "box": line.corners }))
            .collect(),
        other => panic!("{file}: {other:?}"),
    }
}
