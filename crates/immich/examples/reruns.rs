//! One user's searches beside another's re-runs, before stand-ins for Immich and its library: prints a line of JSON.
//!
//! The library takes 20 ms for a search and 200 ms for a picture that is done again. 30 clients of one user each send a
//! re-run of 8 pictures as soon as the last one was answered, while another user searches, one search after the other.

use std::{
    error::Error,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use hyper::{Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::sleep,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use viewfinder_http::proxy::{Body, Limits, ProxyConfig, Server, Visitor, full};
use viewfinder_immich::{
    client::Client,
    companion::{Companion, CompanionConfig},
    library::{Caller, Capabilities, ImmichAsCaller, Library, LibraryError, Page, RerunKind, SearchRoute},
};

const SEARCH: Duration = Duration::from_millis(20);
const PICTURE: Duration = Duration::from_millis(200);
const CLIENTS: usize = 30;
const PICTURES: u64 = 8;
const SEARCHES: usize = 300;
/// The re-runs fill what there is to fill before anything is measured.
const WARM_UP: Duration = Duration::from_secs(2);

/// A library that only takes its time.
struct Slow;

#[async_trait]
impl Library for Slow {
    async fn search(
        &self,
        _: &Caller,
        _: SearchRoute,
        _: &Value,
        _: &dyn ImmichAsCaller,
    ) -> Result<Page, LibraryError> {
        sleep(SEARCH).await;
        Ok(Page::default())
    }

    async fn require_own(&self, _: &Caller, _: &[Uuid]) -> Result<(), LibraryError> {
        Ok(())
    }

    async fn rerun(
        &self,
        _: &Caller,
        _: RerunKind,
        assets: &[Uuid],
        immich: &dyn ImmichAsCaller,
    ) -> Result<(), LibraryError> {
        for asset in assets {
            let preview = immich.preview(*asset).await;
            preview.map_err(|message| LibraryError::Failed { code: "preview", message })?;
            sleep(PICTURE).await;
        }
        Ok(())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    fn has_text(&self) -> bool {
        true
    }

    fn reruns_as_caller(&self) -> bool {
        true
    }
}

/// An Immich that grants everything; its users are told apart by a header.
async fn immich(request: Request<Body>, _: Visitor) -> Response<Body> {
    let mut response = Response::new(full(Vec::new()));
    match request.uri().path() {
        "/api/users/me" => {
            let user = request.headers().get("x-api-key").and_then(|key| key.to_str().ok());
            *response.body_mut() = full(json!({"id": user}).to_string());
        }
        "/api/assets/jobs" => *response.status_mut() = StatusCode::NO_CONTENT,
        _ => *response.body_mut() = full(json!({"by": "immich"}).to_string()),
    }
    response
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::bind(&["127.0.0.1:0".parse()?], Limits::default()).await?;
    let upstream = server.addresses()[0];
    tokio::spawn(server.run(immich, CancellationToken::new()));
    let companion = Arc::new(Companion::new(CompanionConfig {
        client: Client::new(&ProxyConfig::new(format!("http://{upstream}")))?,
        library: Some(Arc::new(Slow)),
        time: Duration::from_secs(3),
        preview_time: Duration::from_secs(30),
        jobs: None,
        script: false,
    }));
    let server = Server::bind(&["127.0.0.1:0".parse()?], Limits::default()).await?;
    let address = server.addresses()[0];
    let handle = move |request, visitor| Arc::clone(&companion).handle(request, visitor);
    tokio::spawn(server.run(handle, CancellationToken::new()));

    let started = Arc::new(AtomicU64::new(0));
    for _ in 0..CLIENTS {
        let started = Arc::clone(&started);
        tokio::spawn(async move {
            loop {
                let first = started.fetch_add(PICTURES, Ordering::Relaxed);
                let assets: Vec<Uuid> =
                    (first..first + PICTURES).map(|number| Uuid::from_u128(number.into())).collect();
                let body = json!({"name": "refresh-ocr", "assetIds": assets});
                // Refused when far too much is to do already; more is offered all the same.
                let _ = post(address, 1, "/api/assets/jobs", &body).await;
            }
        });
    }
    sleep(WARM_UP).await;
    let (mut times, mut left) = (Vec::new(), 0);
    for _ in 0..SEARCHES {
        let asked = Instant::now();
        let answer = post(address, 2, "/api/search/smart", &json!({"query": "ocr:exit"})).await?;
        times.push(asked.elapsed().as_secs_f64() * 1e3);
        left += usize::from(answer.contains("\"by\":\"immich\""));
    }
    times.sort_by(f64::total_cmp);
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    let figures =
        json!({"p50": at(50), "p95": at(95), "most": at(100), "searches": SEARCHES, "left_to_immich": left});
    #[expect(clippy::print_stdout, reason = "the result")]
    {
        println!("{figures}");
    }
    Ok(())
}

/// Posts as a user, on a connection of its own; gives the answer as it is.
async fn post(address: SocketAddr, user: u128, path: &str, body: &Value) -> std::io::Result<String> {
    let (key, body) = (Uuid::from_u128(user), body.to_string());
    let mut stream = TcpStream::connect(address).await?;
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: photos\r\nConnection: close\r\nx-api-key: {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
