//! Peers that misbehave: each gives its error, in time.

use std::time::{Duration, Instant};

use viewfinder_cluster::nodes::{Node, NodeError, NodeKind};
use viewfinder_core::ErrorCode;
use viewfinder_test_support::{Response, TestServer};

use crate::support::{ask, config, node, request};

/// Asks a peer that sends this with little patience.
async fn with(answer: Response) -> NodeError {
    let mut config = config(NodeKind::ImmichMl, TestServer::saying(answer).url());
    config.request_timeout = Duration::from_secs(2);
    ask(&Node::new(config).unwrap()).await.unwrap_err()
}

#[track_caller]
fn unreachable(error: &NodeError) {
    assert!(matches!(error, NodeError::Unreachable(_)), "{error:?}");
    assert!(error.may_help_elsewhere());
    assert_eq!((error.label(), error.code()), ("unreachable", ErrorCode::NodeUnavailable));
}

#[track_caller]
fn garbage(error: &NodeError) {
    assert!(matches!(error, NodeError::Garbage(_)), "{error:?}");
    assert!(error.may_help_elsewhere());
    assert_eq!((error.label(), error.code()), ("garbage", ErrorCode::NodeGarbage));
}

#[tokio::test]
async fn nobody_listens() {
    unreachable(&ask(&node(NodeKind::MtPhotos, TestServer::gone())).await.unwrap_err());
    let nameless = config(NodeKind::ImmichMl, "http://no-such-host.invalid:1".into());
    unreachable(&ask(&Node::new(nameless).unwrap()).await.unwrap_err());
}

#[tokio::test]
async fn a_plain_peer_cannot_speak_encrypted() {
    let address = TestServer::saying(Response::raw("HTTP/1.1 400 Bad Request\r\n\r\n").close()).address;
    let mut config = config(NodeKind::ImmichMl, format!("https://{address}"));
    config.connect_timeout = Duration::from_millis(300);
    let begin = Instant::now();
    // It waits for the end of a head, so that the encryption never begins.
    unreachable(&ask(&Node::new(config).unwrap()).await.unwrap_err());
    assert!(begin.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn silence_and_drips_end_with_the_time_given() {
    for answer in [
        Response::raw("").hang(),
        Response::raw("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n{").hang(),
        Response::raw("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n{").drip(),
        Response::raw("HTTP/1.1 500 Internal Server Error\r\ncontent-length: 60000\r\n\r\n{").drip(),
    ] {
        let error = with(answer).await;
        assert_eq!(error, NodeError::TimedOut(Duration::from_secs(2)));
        assert_eq!((error.label(), error.code()), ("timed_out", ErrorCode::NodeTimedOut));
        assert!(error.may_help_elsewhere() && error.code().retryable());
    }
}

#[tokio::test]
async fn connections_that_break() {
    for answer in
        ["", "HTTP/1.1 200 OK\r\ncontent-le", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"clip\":"]
    {
        unreachable(&with(Response::raw(answer).close()).await);
    }
}

#[tokio::test]
async fn answers_that_are_none() {
    let json = |body: &str| Response::json(body);
    for answer in [
        Response::raw("220 mail.example ESMTP\r\n\r\n"),
        Response::ok("<!doctype html><title>Router login</title>").with("content-type", "text/html"),
        json(""),
        json(r#"{"clip":"[1.0,0."#),
        json(r#"{"clip":"[NaN,0.5]","imageWidth":1,"imageHeight":1}"#),
        json(r#"{"clip":"[1e40]","imageWidth":1,"imageHeight":1}"#),
        json(r#"{"imageWidth":1,"imageHeight":1}"#),
        json(r#"{"clip":"[1.0]","imageWidth":0,"imageHeight":1}"#),
        json(r#"{"clip":"[1.0]","facial-recognition":[],"imageWidth":1,"imageHeight":1}"#),
        json(r#"{"message":"pong"}"#),
    ] {
        garbage(&with(answer.close()).await);
    }
    // A face's vector of another length.
    let body = r#"{"facial-recognition":[{"boundingBox":{"x1":1,"y1":1,"x2":2,"y2":2},"embedding":"[1.0]","score":1}],"imageWidth":9,"imageHeight":9}"#;
    let address = TestServer::saying(Response::json(body)).address;
    let faces = viewfinder_core::PictureTask::Faces {
        detection: "f".into(),
        recognition: "f".into(),
        min_score: 0.5,
    };
    garbage(&node(NodeKind::ImmichMl, address).picture(&request(vec![faces])).await.unwrap_err());
}

#[tokio::test]
async fn answers_that_never_end() {
    garbage(&with(Response::raw("HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n").hang()).await);
    // Without an announced length, only counting helps.
    let mut endless = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec();
    endless.resize(100_000_000, b' ');
    let address = TestServer::saying(Response::raw(endless).close()).address;
    garbage(&ask(&node(NodeKind::ImmichMl, address)).await.unwrap_err());
}

#[tokio::test]
async fn probes_want_the_right_words() {
    for (kind, body, good) in [
        (NodeKind::ImmichMl, "pong", true),
        (NodeKind::ImmichMl, "pong\n", true),
        (NodeKind::Viewfinder, r#"{"message":"Immich ML"}"#, true),
        (NodeKind::Viewfinder, "pong", false),
        (NodeKind::ImmichMl, "<html>", false),
        (NodeKind::MtPhotos, r#"{"result":"pass"}"#, true),
        (NodeKind::MtPhotos, r#"{"result":"fail"}"#, false),
        (NodeKind::MtPhotos, "pong", false),
    ] {
        let address = TestServer::saying(Response::ok(body)).address;
        match node(kind, address).probe().await {
            Ok(()) => assert!(good, "{kind} {body}"),
            Err(error) => {
                assert!(!good, "{kind} {body}");
                garbage(&error);
            }
        }
    }
}

#[tokio::test]
async fn connections_are_kept_and_shared_by_clones() {
    let server = TestServer::saying(Response::ok("pong"));
    let node = node(NodeKind::ImmichMl, server.address);
    for _ in 0..20 {
        assert_eq!(node.clone().probe().await, Ok(()));
    }
    assert_eq!((server.requests().len(), server.connected()), (20, 1));
}
