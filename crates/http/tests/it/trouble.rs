//! Servers that are gone, die, or close at the wrong moment; and the end of the proxy itself.

use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinSet,
};

use viewfinder_test_support::TestServer;

use crate::support::{Running, exactly, head, header, rest, soon};

const ASK: &str = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn a_server_that_is_gone_is_told_in_the_clients_words() {
    let address = TestServer::gone();
    let proxy = Running::before(address).await;
    let answer = proxy.exchange(ASK).await;
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    assert_eq!(header(&answer, "content-type"), Some("application/json"));
    assert!(answer.ends_with("\"statusCode\":502}"), "{answer}");
    let answer = proxy.exchange(&ASK.replace("Host", "Accept: text/html,*/*\r\nHost")).await;
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    assert_eq!(header(&answer, "content-type"), Some("text/html; charset=utf-8"));
    assert!(answer.contains("The server does not answer"), "{answer}");

    // It comes back at the same address.
    let listener = TcpListener::bind(address).await.unwrap();
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
    });
    let answer = proxy.exchange(ASK).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("ok"), "{answer}");
    serving.await.unwrap();
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_not_taken_for_a_whole_one() {
    for (start, whole) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "10 bytes"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", "0\r\n\r\n"),
    ] {
        let server = TestServer::connections(move |_, mut stream| async move {
            head(&mut stream).await;
            stream.write_all(start.as_bytes()).await.unwrap();
        })
        .address;
        let proxy = Running::before(server).await;
        let mut client = proxy.connect().await;
        client.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
        let answer_head = head(&mut client).await;
        let body = rest(&mut client).await;
        assert!(body.contains("half"), "{body}");
        assert!(!body.ends_with(whole), "{body}");
        assert_eq!(
            header(&answer_head, "content-length").is_some(),
            start.contains("Content-Length"),
            "{answer_head}"
        );
    }
}

#[tokio::test]
async fn a_kept_connection_that_closes_under_a_request_does_not_spoil_it() {
    let server = TestServer::connections(|number, mut stream| async move {
        head(&mut stream).await;
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{number}");
        stream.write_all(answer.as_bytes()).await.unwrap();
        // Closes as the next request arrives.
        head(&mut stream).await;
    })
    .address;
    let proxy = Running::before(server).await;
    let mut client = proxy.connect().await;
    let mut answers = Vec::new();
    for _ in 0..4 {
        client.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
        let answer = head(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        answers.push(exactly(&mut client, 1).await);
    }
    assert_eq!(answers.len(), 4);
}

#[tokio::test]
async fn what_is_no_http_is_a_bad_gateway() {
    let server = TestServer::connections(|_, mut stream| async move {
        head(&mut stream).await;
        stream.write_all(b"SSH-2.0-nothing\r\n\r\n").await.unwrap();
    })
    .address;
    let answer = Running::before(server).await.exchange(ASK).await;
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
}

#[tokio::test]
async fn what_a_client_does_wrong_is_said_as_immich_says_it() {
    let server = TestServer::connections(|_, mut stream| async move {
        head(&mut stream).await;
        // Until the connection breaks.
        rest(&mut stream).await;
    })
    .address;
    let proxy = Running::before(server).await;
    for (asked, status) in [
        ("Host: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nthis is no length\r\n", 400),
        ("Host: h\r\nHost: h\r\n\r\n", 400),
        ("Content-Length: 0\r\n\r\n", 400),
        ("Host: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    ] {
        for accept in ["*/*", "text/html"] {
            let asked = format!("POST / HTTP/1.1\r\nConnection: close\r\nAccept: {accept}\r\n{asked}");
            let answer = proxy.exchange(&asked).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{asked}: {answer}");
            assert_eq!(header(&answer, "content-type"), Some("application/json"), "{asked}");
            assert!(answer.ends_with(&format!("\"statusCode\":{status}}}")), "{asked}: {answer}");
        }
    }
}

#[tokio::test]
async fn a_thousand_at_once_are_all_answered() {
    let server = TestServer::connections(|_, mut stream| async move {
        loop {
            let asked = head(&mut stream).await;
            let Some(path) = asked.split(' ').nth(1) else { break };
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{path}", path.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    })
    .address;
    let proxy = Running::before(server).await;
    let mut clients = JoinSet::new();
    for number in 0..1000 {
        let address = proxy.address;
        clients.spawn(async move {
            let mut client = TcpStream::connect(address).await.unwrap();
            for round in 0..3 {
                let path = format!("/{number}/{round}");
                let asked = format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n");
                client.write_all(asked.as_bytes()).await.unwrap();
                let answer = head(&mut client).await;
                assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
                assert_eq!(exactly(&mut client, path.len()).await, path);
            }
        });
    }
    let mut answered = 0;
    while let Some(client) = soon(clients.join_next()).await {
        client.unwrap();
        answered += 1;
    }
    assert_eq!(answered, 1000);
}

#[tokio::test]
async fn a_stop_lets_a_running_answer_finish_and_takes_no_more() {
    let (finish, go_on) = oneshot::channel::<()>();
    let go_on = std::sync::Mutex::new(Some(go_on));
    let server = TestServer::connections(move |_, mut stream| {
        let go_on = go_on.lock().unwrap().take();
        async move {
            head(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf").await.unwrap();
            if let Some(go_on) = go_on {
                go_on.await.unwrap();
            }
            stream.write_all(b"half").await.unwrap();
        }
    })
    .address;
    let proxy = Running::before(server).await;
    let address = proxy.address;
    let mut client = proxy.connect().await;
    client.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    head(&mut client).await;
    assert_eq!(exactly(&mut client, 4).await, "half");
    let ended = proxy.stop();
    // The listener is gone as soon as the stop is heard of.
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    finish.send(()).unwrap();
    assert_eq!(rest(&mut client).await, "half");
    drop(client);
    assert!(soon(ended).await.unwrap());
}
