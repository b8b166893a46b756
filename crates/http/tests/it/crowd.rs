//! One client that takes more places than there are.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};
use viewfinder_http::proxy::{Limits, ProxyConfig};

use viewfinder_test_support::TestServer;

use crate::support::{Running, exactly, head, header, soon};

const PLACES: usize = 32;
const ASK: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";

async fn start(server: SocketAddr) -> Running {
    let limits = Limits { connections: PLACES, ..Limits::default() };
    Running::within(&ProxyConfig::new(format!("http://{server}")), limits).await
}

/// A connection of another client than all others are.
async fn stranger(proxy: &Running) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    socket.connect(proxy.address).await.unwrap()
}

/// A server that changes its protocol where it is asked to and sends back what comes; other answers it begins at once and
/// ends when it is asked for the next thing.
fn server() -> SocketAddr {
    TestServer::connections(|_, mut stream| async move {
        let asked = head(&mut stream).await;
        if header(&asked, "upgrade").is_some() {
            let answer =
                b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
            stream.write_all(answer).await.unwrap();
        } else if asked.starts_with("POST ") {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n").await.unwrap();
        } else {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
        }
        let mut buffer = [0; 16];
        while let Ok(read @ 1..) = stream.read(&mut buffer).await {
            stream.write_all(&buffer[..read]).await.unwrap();
        }
    })
    .address
}

async fn assert_served(proxy: &Running) {
    let mut client = proxy.connect().await;
    client.write_all(ASK).await.unwrap();
    assert!(head(&mut client).await.starts_with("HTTP/1.1 200 "));
    assert_eq!(exactly(&mut client, 2).await, "ok");
}

#[tokio::test]
async fn connections_that_wait_keep_nobody_out() {
    for words in [&b""[..], b"GET / HTTP/1.1\r\nHost: "] {
        let proxy = start(server()).await;
        let mut crowd = Vec::new();
        for _ in 0..2 * PLACES {
            let mut stream = stranger(&proxy).await;
            stream.write_all(words).await.unwrap();
            crowd.push(stream);
        }
        assert_served(&proxy).await;
    }
}

#[tokio::test]
async fn tunnels_and_streams_are_never_given_up() {
    let proxy = start(server()).await;
    let mut tunnel = stranger(&proxy).await;
    let ask = b"GET /socket HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    tunnel.write_all(ask).await.unwrap();
    assert!(head(&mut tunnel).await.starts_with("HTTP/1.1 101 "));
    let mut streaming = stranger(&proxy).await;
    streaming.write_all(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\none").await.unwrap();
    assert!(head(&mut streaming).await.starts_with("HTTP/1.1 200 "));
    assert_eq!(exactly(&mut streaming, 3).await, "one");

    let mut crowd = Vec::new();
    for _ in 0..2 * PLACES {
        crowd.push(stranger(&proxy).await);
    }
    assert_served(&proxy).await;
    assert_eq!(soon(crowd[0].read(&mut [0])).await.unwrap(), 0, "closed without a reset");

    tunnel.write_all(b"hello").await.unwrap();
    assert_eq!(exactly(&mut tunnel, 5).await, "hello");
    streaming.write_all(b"two").await.unwrap();
    assert_eq!(exactly(&mut streaming, 3).await, "two");
}

#[tokio::test]
async fn a_tunnel_keeps_its_place_until_it_ends() {
    let proxy = start(server()).await;
    let ask = b"GET /socket HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let mut tunnels = Vec::new();
    for _ in 0..PLACES - PLACES / 8 {
        let mut tunnel = stranger(&proxy).await;
        tunnel.write_all(ask).await.unwrap();
        assert!(head(&mut tunnel).await.starts_with("HTTP/1.1 101 "));
        tunnels.push(tunnel);
    }
    let mut more = stranger(&proxy).await;
    assert!(head(&mut more).await.starts_with("HTTP/1.1 503 "));
    assert_served(&proxy).await;
    drop(tunnels);
    // The place is free a little after the end.
    loop {
        let mut more = stranger(&proxy).await;
        let _ = more.write_all(ASK).await;
        if head(&mut more).await.starts_with("HTTP/1.1 200 ") {
            break;
        }
    }
}
