//! What is changed in heads, and what is not.

use tokio::io::AsyncWriteExt as _;

use viewfinder_test_support::TestServer;

use crate::support::{Running, exactly, head, header, rest, soon};

#[tokio::test]
async fn a_request_arrives_as_it_was_sent_with_who_sent_it() {
    let (seen, mut heads) = tokio::sync::mpsc::unbounded_channel();
    let server = TestServer::connections(move |_, mut stream| {
        let seen = seen.clone();
        async move {
            seen.send(head(&mut stream).await).unwrap();
            let answer = "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 5-7/10\r\nContent-Length: 3\r\n\
                Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nKeep-Alive: timeout=5\r\nETag: \"x\"\r\n\r\n567";
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    }).address;
    let proxy = Running::before(server).await;
    let answer = proxy
        .exchange(
            "GET /a%20b//c?d=%7B%22e%22%3A1%7D&f HTTP/1.1\r\nHost: photos.example:2284\r\nRange: bytes=5-7\r\n\
             Cookie: immich_access_token=t\r\nX-Forwarded-For: 203.0.113.9\r\nConnection: close, X-Own\r\n\
             X-Own: 1\r\nTE: trailers\r\n\r\n",
        )
        .await;
    let asked = soon(heads.recv()).await.unwrap();
    assert!(asked.starts_with("GET /a%20b//c?d=%7B%22e%22%3A1%7D&f HTTP/1.1\r\n"), "{asked}");
    for (name, expected) in [
        ("host", Some("photos.example:2284")),
        ("range", Some("bytes=5-7")),
        ("cookie", Some("immich_access_token=t")),
        ("x-forwarded-for", Some("203.0.113.9, 127.0.0.1")),
        ("x-forwarded-proto", Some("http")),
        ("x-forwarded-host", Some("photos.example:2284")),
        ("x-real-ip", Some("127.0.0.1")),
        ("x-own", None),
        ("te", None),
        ("content-length", None),
        ("transfer-encoding", None),
    ] {
        assert_eq!(header(&asked, name), expected, "{name} in {asked}");
    }
    assert!(answer.starts_with("HTTP/1.1 206 Partial Content\r\n"), "{answer}");
    assert_eq!(header(&answer, "content-range"), Some("bytes 5-7/10"));
    assert_eq!(header(&answer, "keep-alive"), None);
    assert_eq!(answer.to_ascii_lowercase().matches("set-cookie: ").count(), 2, "{answer}");
    assert!(answer.ends_with("\r\n\r\n567"), "{answer}");
}

#[tokio::test]
async fn answers_without_a_body_keep_their_length() {
    let server = TestServer::connections(|_, mut stream| async move {
        while head(&mut stream).await.starts_with("HEAD") {
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 123456789\r\nAccept-Ranges: bytes\r\n\r\n";
            stream.write_all(answer).await.unwrap();
        }
        stream.write_all(b"HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n").await.unwrap();
    })
    .address;
    let proxy = Running::before(server).await;
    let mut client = proxy.connect().await;
    for _ in 0..2 {
        client.write_all(b"HEAD /x HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
        let answer = head(&mut client).await;
        assert_eq!(header(&answer, "content-length"), Some("123456789"), "{answer}");
        assert_eq!(header(&answer, "accept-ranges"), Some("bytes"));
    }
    client.write_all(b"GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").await.unwrap();
    let answer = rest(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 304 "), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn an_old_client_gets_a_body_that_it_understands() {
    let server = TestServer::connections(|_, mut stream| async move {
        let asked = head(&mut stream).await;
        assert!(asked.starts_with("GET / HTTP/1.1\r\n"), "{asked}");
        let answer =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n";
        stream.write_all(answer).await.unwrap();
    })
    .address;
    let proxy = Running::before(server).await;
    let answer = proxy.exchange("GET / HTTP/1.0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.0 200 "), "{answer}");
    assert_eq!(header(&answer, "transfer-encoding"), None);
    assert!(answer.ends_with("\r\n\r\nonetwo"), "{answer}");
}

#[tokio::test]
async fn an_empty_post_stays_empty() {
    let server = TestServer::connections(|_, mut stream| async move {
        let asked = head(&mut stream).await;
        assert_eq!(header(&asked, "content-length"), Some("0"), "{asked}");
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    })
    .address;
    let proxy = Running::before(server).await;
    let answer =
        proxy.exchange("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
}

#[tokio::test]
async fn connections_are_kept_on_both_sides() {
    let (seen, mut numbers) = tokio::sync::mpsc::unbounded_channel();
    let server = TestServer::connections(move |number, mut stream| {
        let seen = seen.clone();
        async move {
            while !head(&mut stream).await.is_empty() {
                seen.send(number).unwrap();
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
            }
        }
    })
    .address;
    let proxy = Running::before(server).await;
    let mut client = proxy.connect().await;
    for _ in 0..20 {
        client.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
        head(&mut client).await;
        assert_eq!(exactly(&mut client, 2).await, "ok");
        // A connection that was just made for this request may lose against one that was given back.
        assert!(soon(numbers.recv()).await.unwrap() < 3);
    }
}

/// A server that answers each request with the line that it began with.
async fn mirror() -> Running {
    let server = TestServer::connections(|_, mut stream| async move {
        loop {
            let asked = head(&mut stream).await;
            let Some(line) = asked.lines().next() else { break };
            let length = header(&asked, "content-length").map_or(0, |length| length.parse().unwrap());
            let body = exactly(&mut stream, length).await;
            let answer =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{line}{body}", line.len() + length);
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    })
    .address;
    Running::before(server).await
}

async fn mirrored(client: &mut tokio::net::TcpStream) -> String {
    let answer = head(client).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let length = header(&answer, "content-length").unwrap().parse().unwrap();
    exactly(client, length).await
}

#[tokio::test]
async fn targets_that_node_reads_arrive_on_every_request_of_a_connection() {
    let proxy = mirror().await;
    let mut client = proxy.connect().await;
    let raw = r#"GET /a?q="<x>"{|}\^` HTTP/1.1"#;
    let clean = r"GET /a?q=%22%3Cx%3E%22{|}\^%60 HTTP/1.1";
    let body = r#"GET /"<> HTTP/1.1"#;
    let one = format!("{raw}\r\nHost: h\r\n\r\n");
    let two = format!("POST /< HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    for _ in 0..3 {
        client.write_all(one.as_bytes()).await.unwrap();
        assert_eq!(mirrored(&mut client).await, clean);
        client.write_all(two.as_bytes()).await.unwrap();
        assert_eq!(mirrored(&mut client).await, format!("POST /%3C HTTP/1.1{body}"));
    }
    // All at once.
    client.write_all([one.as_str(), &two, &one, &two].concat().as_bytes()).await.unwrap();
    for _ in 0..2 {
        assert_eq!(mirrored(&mut client).await, clean);
        assert_eq!(mirrored(&mut client).await, format!("POST /%3C HTTP/1.1{body}"));
    }
}

#[tokio::test]
async fn another_http_is_not_changed_to() {
    let server = TestServer::connections(|_, mut stream| async move {
        let asked = head(&mut stream).await;
        for name in ["upgrade", "http2-settings"] {
            assert_eq!(header(&asked, name), None, "{asked}");
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nplain").await.unwrap();
    })
    .address;
    let proxy = Running::before(server).await;
    let mut client = proxy.connect().await;
    for _ in 0..2 {
        let asked = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
            HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n";
        client.write_all(asked).await.unwrap();
        assert!(head(&mut client).await.starts_with("HTTP/1.1 200 "));
        assert_eq!(exactly(&mut client, 5).await, "plain");
    }
}

#[tokio::test]
async fn many_headers_go_both_ways() {
    let many = (0..1500).map(|number| format!("X-{number}: {number}\r\n")).collect::<Vec<_>>().concat();
    let back = many.clone();
    let server = TestServer::connections(move |_, mut stream| {
        let many = back.clone();
        async move {
            assert_eq!(header(&head(&mut stream).await, "x-1499"), Some("1499"));
            let answer = format!("HTTP/1.1 200 OK\r\n{many}Content-Length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    })
    .address;
    let asked = format!("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{many}\r\n");
    let answer = Running::before(server).await.exchange(&asked).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(header(&answer, "x-1499"), Some("1499"));
}
