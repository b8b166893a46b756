//! Bodies are streams: bounded in memory, passed on piece by piece, answered early.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::mpsc,
    time::sleep,
};

use viewfinder_test_support::TestServer;

use crate::support::{Running, exactly, head, header, rest, soon};

const LENGTH: u64 = 1 << 30;
/// What may lie between two ends: the system's buffers of two connections, up to 6 + 4 MB each by Linux's defaults, and
/// the proxy's own.
const BETWEEN: u64 = 64 << 20;

/// Writes `LENGTH` bytes and counts them.
async fn pour(stream: &mut (impl tokio::io::AsyncWrite + Unpin), count: &AtomicU64) {
    let piece = vec![7; 256 << 10];
    while count.load(Ordering::SeqCst) < LENGTH {
        stream.write_all(&piece).await.unwrap();
        count.fetch_add(piece.len() as u64, Ordering::SeqCst);
    }
}

/// Reads `LENGTH` bytes.
async fn drain(stream: &mut TcpStream) {
    let mut buffer = vec![0; 256 << 10];
    let mut left = LENGTH;
    while left > 0 {
        let read = soon(stream.read(&mut buffer)).await.unwrap();
        assert_ne!(read, 0, "{left} bytes are missing");
        assert!(buffer[..read].iter().all(|byte| *byte == 7));
        left -= read as u64;
    }
}

/// Waits until a counter stands still, and returns it.
async fn settled(count: &AtomicU64) -> u64 {
    let (mut last, mut same) = (u64::MAX, 0);
    while same < 5 {
        sleep(Duration::from_millis(100)).await;
        let now = count.load(Ordering::SeqCst);
        same = if now == last { same + 1 } else { 0 };
        last = now;
    }
    last
}

#[tokio::test]
async fn a_gigabyte_goes_up_only_as_fast_as_it_is_taken() {
    let poured = Arc::new(AtomicU64::new(0));
    let watched = Arc::clone(&poured);
    let server = TestServer::connections(move |_, mut stream| {
        let poured = Arc::clone(&watched);
        async move {
            let asked = head(&mut stream).await;
            assert_eq!(header(&asked, "content-length"), Some(LENGTH.to_string().as_str()), "{asked}");
            let held = settled(&poured).await;
            assert!(0 < held && held < BETWEEN, "{held} bytes are somewhere");
            drain(&mut stream).await;
            stream.write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
        }
    })
    .address;
    let proxy = Running::before(server).await;
    let mut client = proxy.connect().await;
    let asked = format!("POST /u HTTP/1.1\r\nHost: h\r\nContent-Length: {LENGTH}\r\n\r\n");
    client.write_all(asked.as_bytes()).await.unwrap();
    pour(&mut client, &poured).await;
    let answer = head(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    assert_eq!(exactly(&mut client, 2).await, "ok");
}

#[tokio::test]
async fn a_gigabyte_comes_down_only_as_fast_as_it_is_taken() {
    let poured = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&poured);
    let server = TestServer::connections(move |_, mut stream| {
        let poured = Arc::clone(&count);
        async move {
            head(&mut stream).await;
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
            pour(&mut stream, &poured).await;
        }
    })
    .address;
    let proxy = Running::before(server).await;
    let mut client = proxy.connect().await;
    client.write_all(b"GET /d HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    head(&mut client).await;
    let held = settled(&poured).await;
    assert!(0 < held && held < BETWEEN, "{held} bytes are somewhere");
    drain(&mut client).await;
}

#[tokio::test]
async fn pieces_come_one_by_one() {
    let (more, next) = mpsc::channel::<()>(1);
    let next = Arc::new(tokio::sync::Mutex::new(next));
    let server = TestServer::connections(move |_, mut stream| {
        let next = Arc::clone(&next);
        async move {
            head(&mut stream).await;
            let answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/jsonlines+json\r\nTransfer-Encoding: chunked\r\n\r\n";
            stream.write_all(answer).await.unwrap();
            for piece in ["3\r\none\r\n", "3\r\ntwo\r\n", "0\r\n\r\n"] {
                stream.write_all(piece.as_bytes()).await.unwrap();
                // Nothing more before the client has it.
                next.lock().await.recv().await;
            }
        }
    }).address;
    let proxy = Running::before(server).await;
    let mut client = proxy.connect().await;
    client.write_all(b"POST /s HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    head(&mut client).await;
    for piece in ["3\r\none\r\n", "3\r\ntwo\r\n", "0\r\n\r\n"] {
        assert_eq!(exactly(&mut client, piece.len()).await, piece);
        more.send(()).await.unwrap();
    }
}

/// Sends the head of an upload of 64 MB, then its body while the answer may come.
async fn upload(client: TcpStream) -> String {
    let (mut reading, mut writing) = client.into_split();
    let length = 64 << 20;
    let sending = tokio::spawn(async move {
        let asked = format!("POST /u HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n");
        writing.write_all(asked.as_bytes()).await.unwrap();
        let piece = vec![7; 1 << 20];
        for _ in 0..length / piece.len() {
            writing.write_all(&piece).await.unwrap();
        }
        writing
    });
    // Reads only when everything is sent, as many clients do.
    let _writing = soon(sending).await.unwrap();
    let mut bytes = Vec::new();
    soon(reading.read_to_end(&mut bytes)).await.unwrap();
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn an_upload_that_is_refused_while_it_comes_gets_the_whole_answer_and_a_clean_end() {
    let server = TestServer::connections(|_, mut stream| async move {
        head(&mut stream).await;
        let answer = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 7\r\nConnection: close\r\n\r\nnot you";
        stream.write_all(answer).await.unwrap();
        // Closed with bytes unread: the system resets the connection.
    })
    .address;
    let proxy = Running::before(server).await;
    for _ in 0..10 {
        let answer = upload(proxy.connect().await).await;
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
        assert!(answer.ends_with("\r\n\r\nnot you"), "{answer}");
    }
}

#[tokio::test]
async fn an_upload_that_is_answered_before_it_was_read_may_go_on() {
    let server = TestServer::connections(|_, mut stream| async move {
        loop {
            let asked = head(&mut stream).await;
            let Some(length) = header(&asked, "content-length") else { break };
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nduplicate";
            stream.write_all(answer).await.unwrap();
            // Node reads and forgets what nobody wants.
            exactly(&mut stream, length.parse().unwrap()).await;
        }
    })
    .address;
    let proxy = Running::before(server).await;
    let mut client = proxy.connect().await;
    for _ in 0..3 {
        client.write_all(b"POST /u HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n").await.unwrap();
        let answer = head(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert_eq!(exactly(&mut client, 9).await, "duplicate");
        client.write_all(&vec![b'x'; 100_000]).await.unwrap();
    }
}

#[tokio::test]
async fn a_body_that_waits_to_be_asked_for_comes_when_the_server_asks() {
    let server = TestServer::connections(|_, mut stream| async move {
        let asked = head(&mut stream).await;
        assert_eq!(header(&asked, "expect"), Some("100-continue"), "{asked}");
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.unwrap();
        assert_eq!(exactly(&mut stream, 4).await, "body");
        stream.write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    })
    .address;
    let proxy = Running::before(server).await;
    let mut client = proxy.connect().await;
    let asked = b"POST /u HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n";
    client.write_all(asked).await.unwrap();
    assert!(head(&mut client).await.starts_with("HTTP/1.1 100 "));
    client.write_all(b"body").await.unwrap();
    assert!(head(&mut client).await.starts_with("HTTP/1.1 201 "));
}

#[tokio::test]
async fn a_body_that_waits_to_be_asked_for_never_comes_when_the_server_refuses() {
    let server = TestServer::connections(|_, mut stream| async move {
        head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno").await.unwrap();
        // Kept open: the end of this connection must not be what ends the other.
        head(&mut stream).await;
    })
    .address;
    let proxy = Running::before(server).await;
    let mut client = proxy.connect().await;
    let asked = b"POST /u HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n";
    client.write_all(asked).await.unwrap();
    let answer = rest(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    assert!(answer.ends_with("\r\n\r\nno"), "{answer}");
}
