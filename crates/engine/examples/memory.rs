//! Does memory stay flat? Reads text in pictures of random shapes and prints the resident set after each, as mean and
//! greatest of every 200, then waits for the time-to-live and prints what is left.
//!
//! Arguments: store folder, folder of pictures, OCR profile, how many pictures (default 2000).

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use viewfinder_core::{Alpha, DecodeRules, PictureRequest, PictureTask, ocr::Options, resident_bytes};
use viewfinder_engine::runtime::{Device, tune_allocator};
use viewfinder_engine::{Engine, EngineConfig};
use viewfinder_image::{Limits, decode, encode, resize};
use viewfinder_models::StoreConfig;

const MODEL: &str = "PP-OCRv6_small";
/// Pictures of one line of the report.
const WINDOW: usize = 200;
const TIME_TO_LIVE: Duration = Duration::from_secs(5);

#[expect(clippy::print_stdout, reason = "the result")]
fn main() {
    tune_allocator();
    let mut arguments = std::env::args().skip(1);
    let store = arguments.next().expect("the store's folder");
    let pictures = arguments.next().expect("a folder of pictures");
    let options = match arguments.next().as_deref() {
        Some("rapidocr") => Options::rapidocr(),
        Some("viewfinder") => Options::viewfinder(),
        _ => Options::immich(0.5, 0.8, 736),
    };
    let count: usize = arguments.next().map_or(2000, |count| count.parse().expect("a number"));
    let mut config = EngineConfig::new(StoreConfig::new(store));
    config.device = Device::Cpu;
    config.model_ttl = Some(TIME_TO_LIVE);
    let engine = Engine::new(config).expect("the engine starts");
    let mut files: Vec<_> = std::fs::read_dir(pictures)
        .expect("the folder of pictures")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|kind| kind == "jpg"))
        .collect();
    files.sort();

    let window = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for worker in 0..2 {
            let (engine, files, options, window) = (&engine, &files, &options, &window);
            scope.spawn(move || {
                let mut state = 0x9E37_79B9_7F4A_7C15_u64 + worker as u64;
                let mut random = |below: usize| {
                    state =
                        state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    (state >> 33) as usize % below
                };
                for _ in (worker..count).step_by(2) {
                    let bytes = std::fs::read(&files[random(files.len())]).expect("a picture");
                    let picture =
                        decode(&bytes, &Limits::default()).expect("a picture").into_rgb(true, Alpha::Drop);
                    let shaped = resize::bilinear(&picture, 200 + random(1400), 200 + random(1400));
                    let request = PictureRequest {
                        bytes: encode::png(&shaped).into(),
                        decode: DecodeRules { orient: false, alpha: Alpha::Drop, max_side: None },
                        tasks: vec![PictureTask::Text {
                            detection: MODEL.into(),
                            recognition: MODEL.into(),
                            options: options.clone(),
                        }],
                    };
                    drop((picture, shaped));
                    let answer = engine.picture_blocking(request).expect("an answer");
                    assert!(answer.answers.iter().all(Result::is_ok), "{answer:?}");
                    let mut window = window.lock().unwrap_or_else(PoisonError::into_inner);
                    window.push(megabytes());
                    if window.len() == WINDOW {
                        report(&window);
                        window.clear();
                    }
                }
            });
        }
    });
    std::thread::sleep(TIME_TO_LIVE * 2 + Duration::from_secs(3));
    println!("idle, models dropped: {} MB resident", megabytes());
}

#[expect(clippy::print_stdout, reason = "the result")]
fn report(window: &[u64]) {
    let mean = window.iter().sum::<u64>() / window.len() as u64;
    let most = window.iter().max().copied().unwrap_or(0);
    println!("{} pictures: {mean} MB resident on average, {most} MB at most", window.len());
}

fn megabytes() -> u64 {
    resident_bytes().unwrap_or(0) >> 20
}
