//! A server to measure a proxy before: `origin ADDRESS FILE`.
//!
//! `GET /small` answers at once, `GET /file` sends the file, or `?bytes=N` of nothing, as a whole or the one range that is
//! asked for, and `POST /upload` reads a body and answers how long it was.

use std::{error::Error, io, path::PathBuf, sync::Arc};

use bytes::Bytes;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::{Method, Request, Response, StatusCode, header};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncSeekExt as _},
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;
use viewfinder_http::proxy::{Body, Limits, Server, full};

/// As much as Node reads from a file at a time.
const PIECE: usize = 64 << 10;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(file)) = (arguments.next(), arguments.next()) else {
        return Err("usage: origin ADDRESS FILE".into());
    };
    let file = Arc::new(PathBuf::from(file));
    let server = Server::bind(&[address.parse()?], Limits::default()).await?;
    let answer = move |request: Request<Body>, _| {
        let file = Arc::clone(&file);
        async move {
            answer(request, &file).await.unwrap_or_else(|error| {
                let mut response = Response::new(full(error.to_string()));
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                response
            })
        }
    };
    server.run(answer, CancellationToken::new()).await;
    Ok(())
}

type Answer = Result<Response<Body>, Box<dyn Error + Send + Sync>>;

async fn answer(request: Request<Body>, file: &PathBuf) -> Answer {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/small") => Ok(Response::new(full(vec![b'x'; 1000]))),
        (&Method::GET, "/file") => send(&request.map(drop), file).await,
        (&Method::POST, "/upload") => {
            let (mut body, mut length) = (request.into_body(), 0);
            while let Some(frame) = body.frame().await {
                length += frame?.data_ref().map_or(0, Bytes::len);
            }
            Ok(Response::new(full(length.to_string())))
        }
        _ => Err("nothing here".into()),
    }
}

async fn send(request: &Request<()>, path: &PathBuf) -> Answer {
    let made_up = request.uri().query().and_then(|query| query.strip_prefix("bytes=")).map(str::parse::<u64>);
    let size = match &made_up {
        Some(size) => size.clone()?,
        None => tokio::fs::metadata(path).await?.len(),
    };
    let range = request.headers().get(header::RANGE).and_then(|range| range.to_str().ok());
    let range = range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
    let (from, to) = match range {
        Some((from, to)) => (from.parse::<u64>()?, to.parse::<u64>()?),
        None => (0, size - 1),
    };
    let source: Box<dyn AsyncRead + Send + Unpin> = if made_up.is_some() {
        Box::new(tokio::io::repeat(0))
    } else {
        let mut file = tokio::fs::File::open(path).await?;
        file.set_max_buf_size(PIECE);
        file.seek(io::SeekFrom::Start(from)).await?;
        Box::new(file)
    };
    let length = to - from + 1;
    let mut response = Response::new(pieces(source.take(length)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, length.into());
    if range.is_some() {
        headers.insert(header::CONTENT_RANGE, format!("bytes {from}-{to}/{size}").parse()?);
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

/// Reads a piece ahead of the one that is sent.
fn pieces(mut source: impl AsyncRead + Send + Unpin + 'static) -> Body {
    let (give, mut take) = mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            let mut piece = bytes::BytesMut::with_capacity(PIECE);
            let read = source.read_buf(&mut piece).await;
            if matches!(read, Ok(0)) {
                return;
            }
            let failed = read.is_err();
            let piece = read.map(|_| Frame::data(piece.freeze())).map_err(Into::into);
            if give.send(piece).await.is_err() || failed {
                return;
            }
        }
    });
    let stream = futures_util::stream::poll_fn(move |context| take.poll_recv(context));
    StreamBody::new(stream).boxed_unsync()
}
