//! `/ping` is answered before anything that keeps the server busy is done.

use std::sync::{
    Arc, Mutex, OnceLock,
    mpsc::{Receiver, channel},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
    sync::Semaphore,
};
use viewfinder_core::{DecodeRules, PictureRequest, PictureTask, ocr};
use viewfinder_engine::Engine;
use viewfinder_image::RgbImage;
use viewfinder_vision::Dump;

use crate::{
    engine::{OCR, engine_config, fixture},
    support::{Running, config},
};

/// A server with one thread for all requests, so that whatever blocks it shows; the tests have threads of their own.
async fn start(engine: Engine) -> Running {
    static ONE_THREAD: OnceLock<Runtime> = OnceLock::new();
    let build = || Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let server = Running::start(config(), Arc::new(engine));
    ONE_THREAD.get_or_init(build).spawn(server).await.unwrap()
}

#[tokio::test]
async fn a_loading_model_does_not_delay_it() {
    let hub = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut engine = engine_config();
    engine.models.offline = false;
    engine.models.hf_endpoint = Some(format!("http://{}", hub.local_addr().unwrap()));
    let server = Arc::new(start(Engine::new(engine).unwrap()).await);

    let asked = tokio::spawn({
        let server = server.clone();
        let entries = json!({"clip": {"visual": {"modelName": "ViT-B-16__openai"}}});
        async move { server.predict(&entries, b"jpeg").await }
    });
    let (mut waiting, _) = hub.accept().await.unwrap();
    assert_eq!(server.get("/ping").await.text(), "pong");
    assert!(!asked.is_finished(), "the model was still being fetched");

    // The hub turns out not to have it.
    not_found(&mut waiting).await;
    drop(waiting);
    let refusing = tokio::spawn(async move {
        while let Ok((mut stream, _)) = hub.accept().await {
            not_found(&mut stream).await;
        }
    });
    assert_eq!(asked.await.unwrap().status, 503);
    refusing.abort();
}

async fn not_found(stream: &mut TcpStream) {
    let _ = stream.read(&mut [0; 4096]).await;
    let answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let _ = stream.write_all(answer).await;
}

/// Holds up each worker that reports what it found until the other end of the channel is dropped.
struct Held {
    arrived: Semaphore,
    release: Mutex<Receiver<()>>,
}

impl Dump for Held {
    fn picture(&self, _: &str, _: &RgbImage) {}

    fn map(&self, _: &str, _: usize, _: usize, _: &[f32]) {}

    fn json(&self, _: &str, _: Value) {
        self.arrived.add_permits(1);
        let _ = self.release.lock().unwrap().recv();
    }
}

#[tokio::test]
async fn busy_workers_do_not_delay_it() {
    let engine = Engine::new(engine_config()).unwrap();
    let server = start(engine.clone()).await;
    let workers = engine.status().workers;
    let (hold, release) = channel();
    let held = Arc::new(Held { arrived: Semaphore::new(0), release: Mutex::new(release) });
    let job = || {
        let (engine, held) = (engine.clone(), held.clone());
        tokio::task::spawn_blocking(move || {
            let options = ocr::Options::rapidocr();
            let request = PictureRequest {
                bytes: fixture("ocr/short.png").into(),
                decode: DecodeRules::AS_STORED,
                tasks: vec![PictureTask::TextRegions { detection: OCR.to_owned(), options }],
            };
            engine.picture_dumped(request, Some(held))
        })
    };
    // One more than can be worked on, so that the queue is not empty either.
    let jobs: Vec<_> = (0..=workers).map(|_| job()).collect();
    held.arrived.acquire_many(workers as u32).await.unwrap().forget();
    assert_eq!(server.get("/ping").await.text(), "pong");
    assert_eq!(engine.status().running, workers);
    assert!(jobs.iter().all(|job| !job.is_finished()));

    drop(hold);
    for job in jobs {
        job.await.unwrap().unwrap();
    }
}
