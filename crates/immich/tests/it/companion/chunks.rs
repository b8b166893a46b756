//! Bodies whose length is not told beforehand.

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use viewfinder_immich::library::Capability;

use crate::companion::{
    immich::{Asked, SESSION, captured},
    support::{OWN, Running, page_of_the_shelf},
};

fn framing(asked: &Asked) -> (Option<&str>, Option<&str>) {
    let header = |name: &str| asked.headers.get(name).map(|value| value.to_str().unwrap());
    (header("content-length"), header("transfer-encoding"))
}

#[tokio::test]
async fn searches_jobs_and_anchors_are_read() {
    let running = Running::start().await;
    let answer = running.post_in_chunks("/api/search/smart", r#"{"query":"ocr:Gate"}"#).await;
    assert_eq!((answer.status, answer.json()), (200, page_of_the_shelf()));
    let job = json!({"assetIds": [OWN], "name": "refresh-ocr"}).to_string();
    assert_eq!(running.post_in_chunks("/api/assets/jobs", &job).await.status, 204);
    assert_eq!(running.post_in_chunks("/_viewfinder/jobs", &job).await.status, 202);
    assert_eq!(running.post_in_chunks("/_viewfinder/anchors", r#"{"missing":["marks"]}"#).await.status, 204);
    assert!(running.missing(Capability::Marks).is_some());
}

#[tokio::test]
async fn what_was_read_goes_on_with_its_length() {
    let running = Running::start().await;
    let body = r#"{"city":"Rome","size":3}"#;
    let answer = running.post_in_chunks("/api/search/metadata", body).await;
    assert_eq!(answer.json(), captured("search-metadata-ocr"));
    let asked = running.immich.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].body, json!({"city": "Rome", "size": 3}));
    assert_eq!(framing(&asked[0]), (Some(body.len().to_string().as_str()), None));
}

#[tokio::test]
async fn what_is_too_long_to_be_read_goes_on_whole_and_in_chunks() {
    let running = Running::start().await;
    let body = json!({"ocr": "cat", "unheardOf": "0123456789abcdef".repeat(200_000)});
    let answer = running.post_in_chunks("/api/search/metadata", &body.to_string()).await;
    assert_eq!(answer.json(), captured("search-metadata-ocr"));
    let mut asked = running.immich.asked();
    // Whether it knows the sender, before so much is read.
    assert_eq!(asked.remove(0).path, "/api/users/me");
    assert_eq!(asked.len(), 1);
    assert!(asked[0].body == body, "something was lost on the way");
    assert_eq!(framing(&asked[0]), (None, Some("chunked")));
    assert!(running.shelf.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_body_that_breaks_off_is_refused() {
    let running = Running::start().await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let text = format!(
        "POST /api/search/smart HTTP/1.1\r\nHost: photos\r\nAuthorization: Bearer {SESSION}\r\n\
         Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{{\"query\"\r\nnone\r\n"
    );
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    assert!(bytes.starts_with(b"HTTP/1.1 400 "), "{}", String::from_utf8_lossy(&bytes));
    assert!(running.immich.asked().iter().all(|asked| asked.body == Value::Null));
}
