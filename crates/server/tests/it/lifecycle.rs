//! Load, limits, clients that leave, and the end.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use viewfinder_server::Server;

use crate::support::{FORM, Part, Running, backend, config, form, post, read};

const VISUAL: &str = r#"{"clip":{"visual":{"modelName":"m"}}}"#;

fn predict(image: &[u8]) -> Vec<u8> {
    form("/predict", &[], &[Part::Text("entries", VISUAL), Part::File("image", image)])
}

async fn connect(address: SocketAddr, request: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    stream
}

#[tokio::test]
async fn ping_and_health_answer_while_every_worker_is_busy() {
    let fake = Arc::new(backend().closed());
    let server = Running::start(config(), fake.clone()).await;
    let mut waiting = Vec::new();
    for _ in 0..50 {
        waiting.push(connect(server.address, &predict(b"jpeg")).await);
    }
    fake.arrived.acquire_many(50).await.unwrap().forget();
    assert_eq!(server.get("/ping").await.text(), "pong");
    assert_eq!(server.get("/health").await.status, 200);
    assert_eq!(server.get("/metrics").await.status, 200);
    fake.gate.add_permits(50);
    for mut stream in waiting {
        assert_eq!(read(&mut stream).await.status, 200);
    }
}

#[tokio::test]
async fn work_of_clients_that_leave_is_dropped() {
    let fake = Arc::new(backend().closed());
    let server = Running::start(config(), fake.clone()).await;
    let stream = connect(server.address, &predict(b"jpeg")).await;
    fake.arrived.acquire().await.unwrap().forget();
    drop(stream);
    timeout(Duration::from_secs(30), fake.dropped.acquire()).await.expect("nobody noticed").unwrap().forget();
}

#[tokio::test]
async fn several_addresses_offer_everything() {
    let mut config = config();
    config.listen.push(SocketAddr::from(([127, 0, 0, 1], 0)).into());
    let mut server = Running::start(config, Arc::new(backend())).await;
    assert_eq!(server.addresses.len(), 2);
    for address in server.addresses.clone() {
        server.address = address;
        assert_eq!(server.get("/ping").await.status, 200);
        assert_eq!(server.post("/check", &["api-key: secret"], b"").await.status, 200);
    }
}

#[tokio::test]
async fn a_taken_address_is_named() {
    let (server, fake) = Running::fake().await;
    let config = viewfinder_server::ServerConfig { listen: vec![server.address.into()], ..config() };
    let error = Server::bind(config, fake).await.err().expect("the address is taken").to_string();
    assert!(error.contains(&server.address.to_string()), "{error}");
}

#[tokio::test]
async fn bodies_beyond_the_limit_are_refused_and_the_refusal_is_read() {
    let mut config = config();
    config.limits.body_bytes = 10_000;
    let fake = Arc::new(backend());
    let server = Running::start(config, fake.clone()).await;
    let refused = (413, json!({"detail": "the request is larger than 10000 bytes"}));
    assert_eq!(server.send(&predict(&vec![0; 3_000_000])).await.outcome(), refused);
    let own = server.form("/api/analyze", &[], &[Part::File("image", &vec![0; 20_000])]).await;
    assert_eq!((own.status, &own.json()["error"]["code"]), (413, &json!("request_too_large")));

    // One that does not announce its size is found out on the way.
    let head = format!("POST /predict HTTP/1.1\r\nhost: x\r\n{FORM}\r\ntransfer-encoding: chunked\r\n\r\n");
    let mut stream = connect(server.address, head.as_bytes()).await;
    for _ in 0..20 {
        stream.write_all(format!("3e8\r\n{}\r\n", "x".repeat(1000)).as_bytes()).await.unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    assert_eq!(read(&mut stream).await.outcome(), refused);
    assert!(fake.pictures.lock().unwrap().is_empty());
    assert_eq!(server.send(&predict(b"small")).await.status, 200);
}

#[tokio::test]
async fn bodies_have_room_together_and_give_it_back() {
    let mut config = config();
    config.limits.held_bytes = 250_000;
    let fake = Arc::new(backend().closed());
    let server = Running::start(config, fake.clone()).await;
    let image = vec![0; 100_000];
    let mut first = connect(server.address, &predict(&image)).await;
    let second = connect(server.address, &predict(&image)).await;
    fake.arrived.acquire_many(2).await.unwrap().forget();
    let full = server.send(&predict(&image)).await;
    assert_eq!(full.status, 503);
    assert_eq!(full.header("retry-after"), Some("2"));
    // The first is answered, the second's client leaves: both give their room back.
    drop(second);
    fake.dropped.acquire().await.unwrap().forget();
    fake.gate.add_permits(3);
    assert_eq!(read(&mut first).await.status, 200);
    // The room is free an instant after the answer.
    let mut third = server.send(&predict(&vec![0; 200_000])).await;
    while third.status == 503 {
        third = server.send(&predict(&vec![0; 200_000])).await;
    }
    assert_eq!(third.status, 200);
}

#[tokio::test]
async fn bodies_that_do_not_arrive_are_given_up() {
    let mut config = config();
    config.limits.body_time = Duration::from_millis(100);
    let server = Running::start(config, Arc::new(backend())).await;
    let request = predict(b"jpeg");
    let mut stream = connect(server.address, &request[..request.len() - 10]).await;
    assert_eq!(read(&mut stream).await.status, 408);
}

#[tokio::test]
async fn heads_that_do_not_arrive_are_given_up() {
    let mut config = config();
    config.limits.head_time = Duration::from_millis(100);
    let server = Running::start(config, Arc::new(backend())).await;
    let mut stream = connect(server.address, b"POST /predict HTTP/1.1\r\nhost:").await;
    let mut rest = Vec::new();
    timeout(Duration::from_secs(30), stream.read_to_end(&mut rest)).await.expect("still open").unwrap();
}

#[tokio::test]
async fn a_stop_lets_running_work_finish_and_accepts_no_more() {
    let fake = Arc::new(backend().closed());
    let mut server = Running::start(config(), fake.clone()).await;
    let address = server.address;
    // One connection is idle, one in the middle of a request.
    let mut idle = connect(address, b"GET /ping HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(read(&mut idle).await.status, 200);
    let mut busy = connect(address, &predict(b"jpeg")).await;
    fake.arrived.acquire().await.unwrap().forget();
    server.ask_to_stop();
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty(), "the idle connection is closed");
    fake.gate.add_permits(1);
    assert_eq!(read(&mut busy).await.status, 200);
    assert!(server.stopped().await, "everything finished");
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_stop_cuts_off_what_takes_too_long() {
    let mut config = config();
    config.drain = Duration::from_millis(50);
    let fake = Arc::new(backend().closed());
    let mut server = Running::start(config, fake.clone()).await;
    let mut busy = connect(server.address, &predict(b"jpeg")).await;
    fake.arrived.acquire().await.unwrap().forget();
    server.ask_to_stop();
    assert!(!server.stopped().await);
    let mut rest = Vec::new();
    let _ = busy.read_to_end(&mut rest).await;
    assert!(rest.is_empty());
}

#[tokio::test]
async fn refusals_do_not_break_uploads() {
    let (server, fake) = Running::fake().await;
    // The key is checked before the body is read; the client, still sending, must get to read the answer.
    let image = vec![0; 3_000_000];
    for _ in 0..5 {
        let request = form("/ocr", &["api-key: wrong"], &[Part::File("file", &image)]);
        assert_eq!(server.send(&request).await.status, 401);
        assert_eq!(server.send(&post("/ocr", &[], &image)).await.status, 422);
    }
    assert!(fake.pictures.lock().unwrap().is_empty());
}

#[tokio::test]
async fn garbage_instead_of_http() {
    let (server, _) = Running::fake().await;
    for garbage in [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], b"GET\r\n\r\n", b"\0\0\0\0\r\n\r\n"]
    {
        let mut stream = connect(server.address, garbage).await;
        stream.shutdown().await.unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 400"), "{rest:?}");
    }
    assert_eq!(server.get("/ping").await.status, 200);
}
