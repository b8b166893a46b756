//! A server behind the proxy that speaks https, with a certificate of its own making.

use std::{net::SocketAddr, sync::Arc};

use rcgen::{CertificateParams, KeyPair};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpListener,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};
use viewfinder_http::proxy::ProxyConfig;

use crate::support::{Running, exactly, head, soon};

/// A certificate for 127.0.0.1 that signs itself, as PEM, and a server that has it: it answers `ok`, or changes the protocol if asked, and then
/// sends back what it gets.
async fn server() -> (Vec<u8>, SocketAddr) {
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            let mut stream = BufReader::new(stream);
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                asked.push(stream.read_u8().await.unwrap());
            }
            let asked = String::from_utf8(asked).unwrap().to_lowercase();
            let answer = if asked.contains("upgrade: websocket") {
                "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
            } else {
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
            };
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            let mut piece = [0; 5];
            while stream.read_exact(&mut piece).await.is_ok() {
                stream.write_all(&piece).await.unwrap();
                stream.flush().await.unwrap();
            }
        }
    });
    (certificate.pem().into_bytes(), address)
}

const ASK: &str = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn its_own_authority_is_enough_and_needed() {
    let (pem, address) = server().await;
    let (other, _) = server().await;
    for (authorities, status) in [(Some(pem), "200"), (Some(other), "502"), (None, "502")] {
        let config = ProxyConfig { authorities, ..ProxyConfig::new(format!("https://{address}")) };
        let answer = Running::with(&config).await.exchange(ASK).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
}

#[tokio::test]
async fn a_web_socket_is_joined() {
    let (pem, address) = server().await;
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
