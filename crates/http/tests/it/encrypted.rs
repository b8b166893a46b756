//! A server behind the proxy that speaks https, with a certificate of its own making.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use viewfinder_http::proxy::ProxyConfig;
use viewfinder_test_support::{Identity, TestServer};

use crate::support::{Running, exactly, head, soon};

/// A certificate for 127.0.0.1 that signs itself, as PEM, and a server that has it: it answers `ok`, or changes the protocol if asked, and then
/// sends back what it gets.
fn server() -> (Vec<u8>, SocketAddr) {
    let plain = TestServer::connections(|_, mut stream| async move {
        let asked = head(&mut stream).await.to_lowercase();
        let answer = if asked.contains("upgrade: websocket") {
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
        } else {
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
        };
        stream.write_all(answer.as_bytes()).await.unwrap();
        let mut piece = [0; 5];
        while stream.read_exact(&mut piece).await.is_ok() {
            stream.write_all(&piece).await.unwrap();
        }
    });
    let identity = Identity::self_signed("127.0.0.1");
    (identity.pem(), TestServer::encrypted(plain.address, &identity).address)
}

const ASK: &str = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn its_own_authority_is_enough_and_needed() {
    let (pem, address) = server();
    let (other, _) = server();
    for (authorities, status) in [(Some(pem), "200"), (Some(other), "502"), (None, "502")] {
        let config = ProxyConfig { authorities, ..ProxyConfig::new(format!("https://{address}")) };
        let answer = Running::with(&config).await.exchange(ASK).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
}

#[tokio::test]
async fn a_web_socket_is_joined() {
    let (pem, address) = server();
    let config = ProxyConfig { authorities: Some(pem), ..ProxyConfig::new(format!("https://{address}")) };
    let proxy = Running::with(&config).await;
    let mut client = proxy.connect().await;
    let ask = "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    client.write_all(ask.as_bytes()).await.unwrap();
    let answer = head(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    for word in ["hello", "again"] {
        soon(client.write_all(word.as_bytes())).await.unwrap();
        assert_eq!(exactly(&mut client, word.len()).await, word);
    }
}
