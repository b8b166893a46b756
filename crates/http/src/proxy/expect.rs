use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::{HeaderMap, Request, StatusCode, header::EXPECT};
use tokio::{
    sync::oneshot,
    time::{Sleep, sleep},
};

use crate::proxy::Body;

/// How long a server may take to ask for the body. RFC 9110 wants no client to wait for ever; curl waits as long.
const PATIENCE: Duration = Duration::from_secs(1);

/// A body that waits until the server asks for it, so that one that is refused never comes.
///
/// The client's own wait ends when its body is first read (hyper then sends `100 Continue`).
struct Waiting {
    body: Option<Body>,
    asked: Option<(oneshot::Receiver<()>, Pin<Box<Sleep>>)>,
}

/// Does the client wait to be asked for its body?
pub(crate) fn is_expected(headers: &HeaderMap) -> bool {
    headers.get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// Makes the request's body wait for the server's word, which the returned gate hears.
pub(crate) fn wait(request: Request<Body>) -> (Request<Body>, Gate) {
    let (ask, asked) = oneshot::channel();
    let asked = Some((asked, Box::pin(sleep(PATIENCE))));
    let mut request = request.map(|body| Body::new(Waiting { body: Some(body), asked }));
    let gate = Gate(Arc::new(Mutex::new(Some(ask))));
    let told = gate.clone();
    hyper::ext::on_informational(&mut request, move |answer| {
        if answer.status() == StatusCode::CONTINUE
            && let Some(ask) = told.take()
        {
            // The body may be gone with its connection.
            let _ = ask.send(());
        }
    });
    (request, gate)
}

/// Lets the body through once the server asks for it.
#[derive(Clone)]
pub(crate) struct Gate(Arc<Mutex<Option<oneshot::Sender<()>>>>);

impl Gate {
    fn take(&self) -> Option<oneshot::Sender<()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The answer is there: a body that was not asked for by now never is.
    pub(crate) fn close(&self) {
        drop(self.take());
    }
}

impl HttpBody for Waiting {
    type Data = Bytes;
    type Error = <Body as HttpBody>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some((asked, patience)) = &mut self.asked {
            let wanted = match Pin::new(asked).poll(context) {
                Poll::Ready(word) => word.is_ok(),
                Poll::Pending => {
                    ready!(patience.as_mut().poll(context));
                    true
                }
            };
            self.asked = None;
            if !wanted {
                // Its reader learns of it; towards the server, nothing may follow but the end of the connection.
                self.body = None;
            }
        }
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_some_and(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(HttpBody::size_hint).unwrap_or_default()
    }
}
