//! How many small questions a second a node forwards: `cargo run --release --example forwarding -- [SECONDS]`.
//!
//! The peer is in the same process and answers every connection with the same few bytes, so half the work counted
//! here is the peer's.

#![allow(clippy::print_stdout)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use viewfinder_engine::{DecodeRules, PictureRequest, PictureTask};
use viewfinder_image::Alpha;
use viewfinder_nodes::{Node, NodeConfig, NodeKind};

const PICTURE: usize = 20_000;
const QUESTIONS_AT_ONCE: usize = 32;

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seconds = std::env::args().nth(1).map_or(Ok(3), |seconds| seconds.parse())?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let config = NodeConfig {
        name: "peer".to_owned(),
        kind: NodeKind::Viewfinder,
        url: format!("http://{}", listener.local_addr()?),
        key: None,
        authorities: None,
        request_timeout: Duration::from_secs(10),
        connect_timeout: Duration::from_secs(1),
    };
    tokio::spawn(answer(listener));
    let node = Node::new(config)?;
    let request = Arc::new(PictureRequest {
        bytes: Bytes::from(vec![7; PICTURE]),
        decode: DecodeRules { orient: false, alpha: Alpha::Drop, max_side: None },
        tasks: vec![PictureTask::Embed { model: "ViT-B-32__openai".to_owned() }],
        dump: None,
    });
    let done = Arc::new(AtomicUsize::new(0));
    for _ in 0..QUESTIONS_AT_ONCE {
        let (node, request, done) = (node.clone(), Arc::clone(&request), Arc::clone(&done));
        tokio::spawn(async move {
            while node.picture(&request).await.is_ok() {
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    println!("{:.0} questions a second", done.load(Ordering::Relaxed) as f64 / seconds as f64);
    Ok(())
}

/// Answers whenever a whole question's worth of bytes has come.
async fn answer(listener: TcpListener) {
    let vector = vec!["0.0131"; 512].join(",");
    let body = format!(r#"{{"clip":"[{vector}]","imageHeight":1440,"imageWidth":1920}}"#);
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let answer: Arc<[u8]> = answer.into_bytes().into();
    while let Ok((mut stream, _)) = listener.accept().await {
        let answer = Arc::clone(&answer);
        tokio::spawn(async move {
            let mut buffer = vec![0; 64 << 10];
            let mut got = 0;
            while let Ok(count @ 1..) = stream.read(&mut buffer).await {
                got += count;
                // The end of the form's closing delimiter is the end of the question.
                if got > PICTURE && buffer[..count].ends_with(b"--\r\n") {
                    got = 0;
                    if stream.write_all(&answer).await.is_err() {
                        return;
                    }
                }
            }
        });
    }
}
