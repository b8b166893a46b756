//! Bodies that are read whole, up to a bound; past it, nothing of them is lost.

use std::{
    collections::VecDeque,
    error::Error,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body as HttpBody, Frame};
use viewfinder_http::proxy::{Body, empty};

type Frames = VecDeque<Result<Frame<Bytes>, Box<dyn Error + Send + Sync>>>;

/// A body that could not be read whole.
pub(crate) struct Unread {
    /// In one line.
    pub(crate) why: String,
    /// All of it, with what was read already; it breaks off where it broke off.
    pub(crate) body: Body,
}

/// Reads a body of at most so many bytes. What may follow them, as a checksum, is left out.
///
/// # Errors
/// If it is longer, or breaks off.
pub(crate) async fn gather(mut body: Body, most: usize) -> Result<Bytes, Unread> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        match frame.map(Frame::into_data) {
            Ok(Ok(data)) if bytes.len() + data.len() > most => {
                let frames = [Ok(Frame::data(bytes.freeze())), Ok(Frame::data(data))];
                let why = format!("it is longer than {most} bytes");
                return Err(Unread { why, body: resumed(frames.into(), body) });
            }
            Ok(Ok(data)) => bytes.extend_from_slice(&data),
            Ok(Err(_)) => {}
            Err(error) => {
                let why = error.to_string();
                let frames = [Ok(Frame::data(bytes.freeze())), Err(error)];
                return Err(Unread { why, body: resumed(frames.into(), empty()) });
            }
        }
    }
    Ok(bytes.freeze())
}

/// What was read, and then the rest.
struct Resumed {
    read: Frames,
    rest: Body,
}

fn resumed(read: Frames, rest: Body) -> Body {
    Resumed { read, rest }.boxed_unsync()
}

impl HttpBody for Resumed {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.read.pop_front() {
            Some(frame) => Poll::Ready(Some(frame)),
            None => Pin::new(&mut self.rest).poll_frame(context),
        }
    }
}
