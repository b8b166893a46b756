//! One side of a benchmark: embeds pictures and sentences as fast as the engine can.
//!
//! Arguments: store folder, model. Then one JSON object per line on standard input: `{"pictures": [files]}` or
//! `{"sentences": […]}` is answered by `{"seconds"}`; with both, the sentences come one after the other while
//! the pictures keep every worker busy, and `{"p95_ms"}` says how long 95 in 100 of them waited at most.

use std::{
    io::{BufRead as _, Write as _},
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use serde_json::{Value, json};
use viewfinder_core::{Alpha, DecodeRules, PictureRequest, PictureTask, SentenceRequest};
use viewfinder_engine::runtime::{Device, tune_allocator};
use viewfinder_engine::{Engine, EngineConfig};
use viewfinder_models::StoreConfig;

fn main() {
    tune_allocator();
    let mut arguments = std::env::args().skip(1);
    let store = arguments.next().expect("the store's folder");
    let model = arguments.next().expect("the model");
    let mut config = EngineConfig::new(StoreConfig::new(store));
    config.device = Device::Cpu;
    let engine = Engine::new(config).expect("the engine starts");
    let mut output = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let order: Value =
            serde_json::from_str(&line.expect("standard input is text")).expect("an order is JSON");
        let list = |key: &str| -> Vec<String> {
            let values = order[key].as_array().map(Vec::as_slice).unwrap_or_default();
            values.iter().filter_map(|value| value.as_str().map(str::to_owned)).collect()
        };
        let (pictures, sentences) = (list("pictures"), list("sentences"));
        let started = Instant::now();
        let waits = match (pictures.is_empty(), sentences.is_empty()) {
            (false, true) => {
                embed_all(&engine, &model, &pictures, &AtomicUsize::new(0));
                Vec::new()
            }
            (true, false) => sentences.iter().map(|text| embed_text(&engine, &model, text)).collect(),
            _ => under_load(&engine, &model, &pictures, &sentences),
        };
        let answer = json!({
            "seconds": started.elapsed().as_secs_f64(), "p95_ms": p95(waits),
        });
        writeln!(output, "{answer}").and_then(|()| output.flush()).expect("standard output is open");
    }
}

/// As many pictures at a time as the engine has workers, from the `next` on.
fn embed_all(engine: &Engine, model: &str, files: &[String], next: &AtomicUsize) {
    std::thread::scope(|scope| {
        for _ in 0..engine.status().workers {
            scope.spawn(|| {
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    embed(engine, model, file);
                }
            });
        }
    });
}

fn under_load(engine: &Engine, model: &str, pictures: &[String], sentences: &[String]) -> Vec<f64> {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| embed_all(engine, model, pictures, &next));
        let waits = sentences.iter().map(|text| embed_text(engine, model, text)).collect();
        assert!(next.load(Ordering::Relaxed) < pictures.len(), "the pictures ended before the sentences");
        next.store(pictures.len(), Ordering::Relaxed);
        waits
    })
}

fn embed(engine: &Engine, model: &str, file: &str) {
    let bytes = std::fs::read(file).unwrap_or_else(|error| panic!("{file}: {error}"));
    let answer = engine.picture_blocking(PictureRequest {
        bytes: bytes.into(),
        decode: DecodeRules { orient: false, alpha: Alpha::Drop, max_side: None },
        tasks: vec![PictureTask::Embed { model: model.to_owned() }],
    });
    answer.unwrap_or_else(|error| panic!("{file}: {error}"));
}

/// How long the sentence took, in milliseconds.
fn embed_text(engine: &Engine, model: &str, text: &str) -> f64 {
    let started = Instant::now();
    let request = SentenceRequest { model: model.to_owned(), text: text.to_owned(), language: None };
    engine.sentence_blocking(request).unwrap_or_else(|error| panic!("{text}: {error}"));
    started.elapsed().as_secs_f64() * 1e3
}

fn p95(mut waits: Vec<f64>) -> Option<f64> {
    waits.sort_by(f64::total_cmp);
    waits.get((waits.len() * 95 / 100).min(waits.len().saturating_sub(1))).copied()
}
