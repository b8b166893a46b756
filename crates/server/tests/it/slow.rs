//! Clients that are slow on purpose. There is room for one connection: if a slow client kept it, nobody else would be
//! answered.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};
use viewfinder_server::Limits;

use viewfinder_test_support::FakeBackend;

use crate::support::{Part, Running, backend, config, form, read};

/// What each kind of slowness is allowed.
const SHORT: Duration = Duration::from_millis(200);
/// Generous, so that only a hang trips it.
const PATIENCE: Duration = Duration::from_mins(1);

async fn start(change: impl FnOnce(&mut Limits)) -> (Running, Arc<FakeBackend>) {
    let mut config = config();
    config.limits.connections = 1;
    change(&mut config.limits);
    let fake = Arc::new(backend());
    (Running::start(config, fake.clone()).await, fake)
}

fn predict() -> Vec<u8> {
    let entries = r#"{"clip":{"visual":{"modelName":"m"}}}"#;
    form("/predict", &[], &[Part::Text("entries", entries), Part::File("image", b"jpeg")])
}

/// Sends a byte now and then for as long as somebody takes them.
async fn drip(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut endless = bytes.iter().cycle();
    let dripping = async {
        while stream.write_all(&[*endless.next().unwrap()]).await.is_ok() {
            sleep(SHORT / 20).await;
        }
    };
    timeout(PATIENCE, dripping).await.expect("the server takes bytes for ever");
    stream
}

/// The one place is free again.
async fn assert_free(server: &Running) {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(&predict()).await.unwrap();
    assert_eq!(read(&mut stream).await.status, 200);
}

#[tokio::test]
async fn a_head_in_drops() {
    let (server, fake) = start(|limits| limits.head_time = SHORT).await;
    drip(server.address, b"POST /predict HTTP/1.1\r\nx: ").await;
    assert!(fake.pictures.lock().unwrap().is_empty());
    assert_free(&server).await;
}

#[tokio::test]
async fn nothing_at_all_and_a_second_request_that_never_comes() {
    let (server, _) = start(|limits| limits.head_time = SHORT).await;
    for first in [&b""[..], b"GET /ping HTTP/1.1\r\nhost: x\r\n\r\n"] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(first).await.unwrap();
        let mut rest = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("still open").unwrap();
    }
    assert_free(&server).await;
}

#[tokio::test]
async fn a_body_in_drops() {
    let (server, fake) = start(|limits| limits.body_time = SHORT).await;
    let head = format!(
        "POST /predict HTTP/1.1\r\nhost: x\r\n{}\r\ncontent-length: 90000\r\n\r\n",
        crate::support::FORM
    );
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut reading, mut writing) = stream.into_split();
    let dripping = tokio::spawn(async move {
        while writing.write_all(b"-").await.is_ok() {
            sleep(SHORT / 20).await;
        }
    });
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, reading.read_to_end(&mut answer)).await.expect("still open");
    assert!(answer.starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&answer));
    timeout(PATIENCE, dripping).await.expect("the server takes bytes for ever").unwrap();
    assert!(fake.pictures.lock().unwrap().is_empty());
    assert_free(&server).await;
}

#[tokio::test]
async fn an_answer_that_is_not_fetched() {
    let (server, fake) = start(|limits| limits.answer_time = SHORT).await;
    // More than both ends of a connection keep.
    fake.contents.lock().unwrap().vector = vec![0.123_456_7; 2_000_000];
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(&predict()).await.unwrap();
    // The work is done; only the answer is left, of which a little is read now and then.
    fake.arrived.acquire().await.unwrap().forget();
    fake.contents.lock().unwrap().vector = vec![0.5; 512];
    let fetch = async {
        let mut fetched = 0;
        let mut some = [0; 100];
        loop {
            match stream.read(&mut some).await {
                Ok(0) | Err(_) => return fetched,
                Ok(read) => fetched += read,
            }
            // Until the connection is gone, at which point what has come already is read at once.
            if fetched < 2000 {
                sleep(SHORT / 10).await;
            }
        }
    };
    let other = assert_free(&server);
    let (fetched, ()) = timeout(PATIENCE, async { tokio::join!(fetch, other) }).await.expect("still held");
    assert!(fetched < 20_000_000, "{fetched} bytes came, which is all of it");
}

#[tokio::test]
async fn a_crowd_at_one_address_keeps_nobody_from_another() {
    let mut config = config();
    config.limits.connections = 1;
    config.listen.push(config.listen[0].clone());
    let mut server = Running::start(config, Arc::new(backend())).await;
    let mut crowd = Vec::new();
    for _ in 0..5 {
        crowd.push(TcpStream::connect(server.address).await.unwrap());
    }
    server.address = server.addresses[1];
    assert_free(&server).await;
}

#[tokio::test]
async fn heads_have_bounds() {
    let (server, _) = start(|limits| {
        limits.head_bytes = 8192;
        limits.headers = 10;
    })
    .await;
    for headers in ["x: 1\r\n".repeat(20), format!("x: {}\r\n", "y".repeat(10_000))] {
        let answer = server.send(format!("GET /ping HTTP/1.1\r\nhost: x\r\n{headers}\r\n").as_bytes()).await;
        assert_eq!(answer.status, 431);
    }
    assert_free(&server).await;
}
