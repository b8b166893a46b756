//! Connections that change their protocol.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use viewfinder_test_support::TestServer;

use crate::support::{Running, exactly, head, header, rest, soon};

const ASK: &[u8] = b"GET /api/socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: h\r\n\
    Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\nSec-WebSocket-Version: 13\r\n\r\n";

async fn echo() -> Running {
    let server = TestServer::connections(|_, mut stream| async move {
        let asked = head(&mut stream).await;
        assert_eq!(header(&asked, "upgrade"), Some("websocket"), "{asked}");
        assert_eq!(header(&asked, "connection"), Some("upgrade"), "{asked}");
        assert_eq!(header(&asked, "sec-websocket-key"), Some("k"), "{asked}");
        let answer = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
            Sec-WebSocket-Accept: a\r\n\r\nhello";
        stream.write_all(answer).await.unwrap();
        let mut buffer = [0; 1024];
        loop {
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => break,
                Ok(read) => stream.write_all(&buffer[..read]).await.unwrap(),
            }
        }
    })
    .address;
    Running::before(server).await
}

#[tokio::test]
async fn bytes_go_both_ways_until_one_side_ends() {
    let proxy = echo().await;
    let mut client = proxy.connect().await;
    client.write_all(ASK).await.unwrap();
    let answer = head(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    assert_eq!(header(&answer, "upgrade"), Some("websocket"));
    assert_eq!(header(&answer, "sec-websocket-accept"), Some("a"));
    assert_eq!(exactly(&mut client, 5).await, "hello");
    for word in ["one", "another"] {
        client.write_all(word.as_bytes()).await.unwrap();
        assert_eq!(exactly(&mut client, word.len()).await, word);
    }
    client.shutdown().await.unwrap();
    assert_eq!(rest(&mut client).await, "");
}

#[tokio::test]
async fn a_tunnel_does_not_hold_up_a_stop() {
    let proxy = echo().await;
    let mut client = proxy.connect().await;
    client.write_all(ASK).await.unwrap();
    head(&mut client).await;
    assert_eq!(exactly(&mut client, 5).await, "hello");
    assert!(soon(proxy.stop()).await.unwrap());
    assert_eq!(rest(&mut client).await, "");
}

#[tokio::test]
async fn a_refused_change_is_an_answer_like_others() {
    let server = TestServer::connections(|_, mut stream| async move {
        head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno").await.unwrap();
    })
    .address;
    let proxy = Running::before(server).await;
    let mut client = proxy.connect().await;
    client.write_all(ASK).await.unwrap();
    let answer = head(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    assert_eq!(exactly(&mut client, 2).await, "no");
}
