use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use crate::Connection;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};

/// How long a closing connection goes on reading at most, and how long it waits for more. As in nginx, but for the
/// second, which also delays the end of connections that are merely idle.
const LONGEST: Duration = Duration::from_secs(30);
const QUIET: Duration = Duration::from_secs(1);

/// A client's connection that closes only when the client has had time to read its answer.
///
/// Closing while bytes of a request wait to be read makes the system reset the connection, and a reset destroys the
/// answer at the client. So the end is said first, and what still comes is read and thrown away.
pub(crate) struct Lingering {
    tcp: Connection,
    /// The client has said its own end.
    ended: bool,
    closing: Option<Closing>,
}

struct Closing {
    until: Instant,
    quiet: Pin<Box<Sleep>>,
}

impl Lingering {
    pub(crate) fn new(tcp: Connection) -> Self {
        Self { tcp, ended: false, closing: None }
    }
}

impl AsyncRead for Lingering {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.tcp).poll_read(context, buffer));
        self.ended |= read.is_err() || (buffer.filled().len() == before && buffer.remaining() > 0);
        Poll::Ready(read)
    }
}

impl AsyncWrite for Lingering {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let closing = if let Some(closing) = &mut this.closing {
            closing
        } else {
            ready!(Pin::new(&mut this.tcp).poll_shutdown(context))?;
            let quiet = Box::pin(sleep(QUIET));
            this.closing.insert(Closing { until: Instant::now() + LONGEST, quiet })
        };
        let mut waste = [0; 16 << 10];
        while !this.ended && Instant::now() < closing.until {
            let mut buffer = ReadBuf::new(&mut waste);
            match Pin::new(&mut this.tcp).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    closing.quiet.as_mut().reset(Instant::now() + QUIET);
                }
                Poll::Ready(_) => this.ended = true,
                Poll::Pending => {
                    ready!(closing.quiet.as_mut().poll(context));
                    this.ended = true;
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}
