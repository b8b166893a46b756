//! One client that takes more places than there are.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use viewfinder_test_support::FakeBackend;

use crate::support::{Part, Running, backend, config, form, read};

const PLACES: usize = 32;
/// What one client may have in use: the last eighth is for others.
const SHARE: usize = PLACES - PLACES / 8;
/// Generous, so that only a hang trips it.
const PATIENCE: Duration = Duration::from_mins(1);
const PING: &[u8] = b"GET /ping HTTP/1.1\r\nhost: x\r\n\r\n";

async fn start(fake: Arc<FakeBackend>) -> Running {
    let mut config = config();
    config.limits.connections = PLACES;
    Running::start(config, fake).await
}

/// A connection of another client than all others are.
async fn stranger(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    socket.connect(address).await.unwrap()
}

fn predict() -> Vec<u8> {
    let entries = r#"{"clip":{"visual":{"modelName":"m"}}}"#;
    form("/predict", &[], &[Part::Text("entries", entries), Part::File("image", b"jpeg")])
}

async fn assert_served(server: &Running) {
    for path in ["/ping", "/health"] {
        assert_eq!(timeout(PATIENCE, server.get(path)).await.expect("no answer").status, 200, "{path}");
    }
}

/// The connection is closed, without a reset.
async fn assert_closed(stream: &mut TcpStream) {
    let read = timeout(PATIENCE, stream.read(&mut [0])).await.expect("still open");
    assert_eq!(read.unwrap(), 0);
}

#[tokio::test]
async fn idle_connections_keep_nobody_out() {
    let server = start(Arc::default()).await;
    let mut crowd = Vec::new();
    for _ in 0..2 * PLACES {
        crowd.push(stranger(server.address).await);
    }
    assert_served(&server).await;
    for stream in &mut crowd[..PLACES] {
        assert_closed(stream).await;
    }
}

#[tokio::test]
async fn kept_connections_of_the_same_client_keep_nobody_out() {
    let server = start(Arc::default()).await;
    let mut crowd = Vec::new();
    for _ in 0..2 * PLACES {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(PING).await.unwrap();
        assert_eq!(read(&mut stream).await.text(), "pong");
        crowd.push(stream);
    }
    assert_served(&server).await;
    assert_closed(&mut crowd[0]).await;
}

#[tokio::test]
async fn heads_that_never_end_keep_nobody_out() {
    let server = start(Arc::default()).await;
    let mut crowd = Vec::new();
    for _ in 0..2 * PLACES {
        let mut stream = stranger(server.address).await;
        stream.write_all(b"GET /ping HTTP/1.1\r\nx: ").await.unwrap();
        crowd.push(stream);
    }
    for stream in &mut crowd {
        // To those that were closed already, it matters no more.
        let _ = stream.write_all(b"x").await;
    }
    assert_served(&server).await;
}

#[tokio::test]
async fn pictures_that_are_worked_on_are_never_given_up_and_leave_places_for_others() {
    let fake = Arc::new(backend().closed());
    let server = start(fake.clone()).await;
    let mut busy = Vec::new();
    for _ in 0..SHARE {
        let mut stream = stranger(server.address).await;
        stream.write_all(&predict()).await.unwrap();
        busy.push(stream);
    }
    fake.arrived.acquire_many(SHARE as u32).await.unwrap().forget();
    // Nothing of it can be given up for more.
    for _ in 0..5 {
        let mut more = stranger(server.address).await;
        let refused = read(&mut more).await;
        assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")));
    }
    // Others come and go, more than there are places.
    let mut others = Vec::new();
    for _ in 0..PLACES {
        others.push(TcpStream::connect(server.address).await.unwrap());
    }
    assert_served(&server).await;
    fake.gate.add_permits(SHARE);
    for mut stream in busy {
        assert_eq!(read(&mut stream).await.status, 200);
    }
}
