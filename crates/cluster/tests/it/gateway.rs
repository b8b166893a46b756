//! The router behind the server, over real sockets: what callers see of it.

use std::{net::SocketAddr, sync::Arc};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;
use viewfinder_cluster::{FailureClass, HoldLimits, Router};
use viewfinder_core::{Backend as _, ErrorCode};
use viewfinder_server::{Server, ServerConfig};

use crate::{DOWN, Fake, Mood, equals, faces, picture, route, router, sentence};

/// A server in front of a router. It lives as long as the test.
pub(crate) async fn serve(router: Arc<Router>) -> SocketAddr {
    let config = ServerConfig {
        listen: vec![SocketAddr::from(([127, 0, 0, 1], 0)).into()],
        ..ServerConfig::default()
    };
    let server = Server::bind(config, router).await.unwrap();
    let address = server.addresses()[0];
    tokio::spawn(server.run(CancellationToken::new()));
    address
}

/// Sends a request and returns head and body of the answer.
async fn exchange(address: SocketAddr, head: &str, body: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let request = format!("{head} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n");
    let kind = "content-type: multipart/form-data; boundary=b\r\n\r\n";
    stream.write_all(format!("{request}{kind}{body}").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_ascii_lowercase(), body.to_owned())
}

/// Asks for the vector of a picture.
async fn predict(address: SocketAddr, picture: &str) -> (String, String) {
    let body = format!(
        "--b\r\nContent-Disposition: form-data; name=\"entries\"\r\n\r\n\
         {{\"clip\":{{\"visual\":{{\"modelName\":\"m\"}}}}}}\r\n\
         --b\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a\"\r\n\r\n{picture}\r\n--b--\r\n"
    );
    exchange(address, "POST /predict", &body).await
}

#[tokio::test]
async fn a_bad_picture_is_in_the_ledger_once_and_says_which_node_said_so() {
    let bad = Mood::Failing(ErrorCode::ImageUndecodable, FailureClass::BadPicture);
    let fakes = [Fake::new(1.0, bad), Fake::new(2.0, bad), Fake::new(3.0, bad)];
    let address = serve(equals(&fakes.each_ref())).await;
    let (head, _) = predict(address, "no picture").await;
    assert!(head.starts_with("http/1.1 422"), "{head}");
    assert_eq!(fakes.iter().map(|fake| fake.asked()).sum::<usize>(), 2);
    let ledger: Value = serde_json::from_str(&exchange(address, "GET /api/failures", "").await.1).unwrap();
    let [entry] = &ledger["failures"].as_array().unwrap()[..] else { panic!("{ledger}") };
    assert_eq!(entry["code"], "image_undecodable");
    assert_eq!((&entry["count"], &entry["bytes"]), (&1.into(), &10.into()));
    assert!(["a", "b", "c"].iter().any(|name| entry["engine"] == *name), "{entry}");
}

#[tokio::test]
async fn a_picture_without_room_to_wait_is_told_when_to_come_back() {
    let node = Fake::new(1.0, DOWN);
    let hold = HoldLimits { bytes: 5, ..HoldLimits::default() };
    let address = serve(router(&[&node], &[("default", route(&[&["a"]]))], hold)).await;
    let (head, body) = predict(address, "a picture").await;
    assert!(head.starts_with("http/1.1 503") && head.contains("\r\nretry-after: 2\r\n"), "{head}");
    assert!(body.contains("no more can be held"), "{body}");
    // It has not failed for good.
    let (_, ledger) = exchange(address, "GET /api/failures", "").await;
    assert!(ledger.contains(r#""failures":[]"#), "{ledger}");
}

#[tokio::test]
async fn metrics_tell_of_engines_and_second_attempts() {
    let (slow, quick) = (Fake::new(1.0, Mood::Frozen), Fake::new(2.0, Mood::Well(1)));
    let routes = [
        ("clip.textual", route(&[&["a"], &["b"]])),
        ("clip.visual", route(&[&["c"], &["b"]])),
        ("facial-recognition", route(&[&["c"]])),
    ];
    let failing = Fake::new(3.0, DOWN);
    let hold = HoldLimits { bytes: 1500, ..HoldLimits::default() };
    let router = router(&[&slow, &quick, &failing], &routes, hold);
    let address = serve(Arc::clone(&router)).await;
    router.sentence(sentence()).await.unwrap();
    assert!(predict(address, "a picture").await.0.starts_with("http/1.1 200"));
    // Of two pictures one is held and called off when the other is refused for want of room.
    tokio::select! {
        refused = router.picture(picture(vec![faces()])) => assert!(refused.is_err()),
        refused = router.picture(picture(vec![faces()])) => assert!(refused.is_err()),
    }
    let (_, text) = exchange(address, "GET /metrics", "").await;
    let value = |start: &str| -> f64 {
        let line = text
            .lines()
            .find(|line| line.starts_with(start))
            .unwrap_or_else(|| panic!("no {start} in {text}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    // Counters are the process's, which other tests share.
    for (start, least) in [
        ("viewfinder_hedges_total ", 1.0),
        ("viewfinder_hedges_won_total ", 1.0),
        (r#"viewfinder_retries_total{reason="sick"} "#, 1.0),
        (r#"viewfinder_engine_requests_total{engine="b",outcome="ok"} "#, 2.0),
        (r#"viewfinder_engine_seconds_bucket{engine="b",task="clip.visual",le="+Inf"} "#, 1.0),
        (r#"viewfinder_engine_seconds_count{engine="b",task="clip.textual"} "#, 1.0),
        (r#"viewfinder_engine_in_flight{engine="b"} "#, 0.0),
        (r#"viewfinder_engine_up{engine="b"} "#, 0.0),
        ("viewfinder_held_pictures ", 0.0),
        (r#"viewfinder_held_pictures_total{outcome="refused"} "#, 1.0),
        (r#"viewfinder_held_pictures_total{outcome="cancelled"} "#, 1.0),
        ("viewfinder_held_picture_bytes ", 0.0),
        ("viewfinder_held_seconds_count ", 1.0),
    ] {
        assert!(value(start) >= least, "{start}");
        let name =
            start.split(['{', ' ']).next().unwrap().trim_end_matches("_bucket").trim_end_matches("_count");
        assert!(text.contains(&format!("# HELP {name} ")), "{name} is not explained in\n{text}");
    }
}
