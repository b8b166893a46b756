//! A node that answers every question at once with the same vector, so that only what stands in front of it takes time:
//! `cargo run --release --package viewfinder-cluster --example instant -- PORT`.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port: u16 = std::env::args().nth(1).ok_or("a port is missing")?.parse()?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let vector: Vec<String> =
        (0..512_u32).map(|index| format!("{:.7}", f64::from(index).sin() / 16.0)).collect();
    let answer = format!(r#"{{"clip":"[{}]","imageHeight":1440,"imageWidth":1920}}"#, vector.join(","));
    let answer = Bytes::from(answer);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let answer = answer.clone();
        let service = service_fn(move |request| respond(request, answer.clone()));
        // A client that goes away is no concern of this one.
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

/// Reads the question to its end, as a real node does.
async fn respond(request: Request<Incoming>, answer: Bytes) -> Result<Response<Full<Bytes>>, Infallible> {
    let answer = match request.uri().path() {
        "/" => Bytes::from_static(br#"{"message":"Immich ML"}"#),
        "/ping" => Bytes::from_static(b"pong"),
        _ => answer,
    };
    let mut body = request.into_body();
    while let Some(Ok(_)) = body.frame().await {}
    Ok(Response::new(Full::new(answer)))
}
