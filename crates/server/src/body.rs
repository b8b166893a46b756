//! Reads request bodies whole, once, under limits: bytes for one, bytes for all together, and time.

use std::{future::poll_fn, pin::Pin, sync::Arc, time::Duration};

use axum::{
    body::{Body, HttpBody},
    http::{HeaderMap, StatusCode, header},
};
use bytes::Bytes;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::{Limits, failure::Failure, metric};

/// Room for all bodies in memory.
pub(crate) struct Bodies {
    room: Arc<Semaphore>,
    limits: Limits,
}

/// A body, and the room it takes until dropped.
pub(crate) struct BufferedBody {
    pub(crate) bytes: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

/// How long a refused body is read on and thrown away, so that its sender comes to read the refusal.
const LINGER: Duration = Duration::from_secs(5);

/// Memory for the first bytes of a body, as far as so many are announced: all of most pictures.
const FIRST_ROOM: usize = 256 << 10;

impl Bodies {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { room: Arc::new(Semaphore::new(limits.held_bytes.min(Semaphore::MAX_PERMITS))), limits }
    }

    /// Bytes held now.
    pub(crate) fn held(&self) -> usize {
        self.limits.held_bytes.saturating_sub(self.room.available_permits())
    }

    /// Reads a body to its end.
    pub(crate) async fn read(&self, headers: &HeaderMap, body: Body) -> Result<BufferedBody, Failure> {
        self.read_at_most(headers, body, self.limits.body_bytes).await
    }

    /// Reads a body of at most so many bytes, and of no more than any may have.
    pub(crate) async fn read_at_most(
        &self,
        headers: &HeaderMap,
        mut body: Body,
        most: usize,
    ) -> Result<BufferedBody, Failure> {
        let most = most.min(self.limits.body_bytes);
        let announced = headers
            .get(header::CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok())
            .and_then(|length| length.parse().ok())
            .unwrap_or(0);
        let Ok(result) = timeout(self.limits.body_time, self.collect(announced, &mut body, most)).await
        else {
            let seconds = self.limits.body_time.as_secs();
            return Err(Failure::caller(
                StatusCode::REQUEST_TIMEOUT,
                "request_timeout",
                format!("the request did not arrive within {seconds} s"),
            ));
        };
        if result.is_err() {
            discard(body).await;
        }
        result
    }

    async fn collect(&self, announced: usize, body: &mut Body, most: usize) -> Result<BufferedBody, Failure> {
        check(announced, most)?;
        if announced > self.room.available_permits() {
            return Err(Failure::full());
        }
        let mut bytes = Vec::new();
        let mut room: Option<OwnedSemaphorePermit> = None;
        while let Some(chunk) = next_chunk(body).await? {
            check(bytes.len() + chunk.len(), most)?;
            metric::received(chunk.len());
            let more = Arc::clone(&self.room)
                .try_acquire_many_owned(u32::try_from(chunk.len()).map_err(|_| Failure::full())?)
                .map_err(|_| Failure::full())?;
            match &mut room {
                Some(room) => room.merge(more),
                None => room = Some(more),
            }
            make_room(&mut bytes, chunk.len(), announced);
            bytes.extend_from_slice(&chunk);
        }
        Ok(BufferedBody { bytes: bytes.into(), _room: room })
    }
}

fn check(length: usize, most: usize) -> Result<(), Failure> {
    if length <= most {
        return Ok(());
    }
    Err(Failure::caller(
        StatusCode::PAYLOAD_TOO_LARGE,
        "request_too_large",
        format!("the request is larger than {most} bytes"),
    ))
}

/// Grows with what really comes: an announcement costs its sender nothing, and memory for it must not cost us. Never
/// beyond the announcement, so that an honest one ends in memory of exactly its size.
fn make_room(bytes: &mut Vec<u8>, more: usize, announced: usize) {
    let needed = bytes.len() + more;
    if needed > bytes.capacity() {
        let most = if announced < needed { usize::MAX } else { announced };
        let wanted = (2 * needed).max(FIRST_ROOM).min(most);
        bytes.reserve_exact(wanted - bytes.len());
    }
}

/// Reads on for a while and throws away. A server that answers and closes in the middle of an upload makes the
/// client see a broken connection instead of the answer.
pub async fn discard(mut body: Body) {
    let _ = timeout(LINGER, async { while let Ok(Some(_)) = next_chunk(&mut body).await {} }).await;
}

async fn next_chunk(body: &mut Body) -> Result<Option<Bytes>, Failure> {
    loop {
        match poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await {
            None => return Ok(None),
            // Trailers carry nothing for us.
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
            Some(Err(error)) => {
                return Err(Failure::caller(
                    StatusCode::BAD_REQUEST,
                    "request_broken",
                    format!("the request broke off: {error}"),
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The capacity after each of several chunks.
    fn rooms(announced: usize, chunks: &[usize]) -> Vec<usize> {
        let mut bytes = Vec::new();
        let mut grow = |chunk: &usize| {
            make_room(&mut bytes, *chunk, announced);
            bytes.resize(bytes.len() + chunk, 0);
            bytes.capacity()
        };
        chunks.iter().map(&mut grow).collect()
    }

    #[test]
    fn memory_follows_what_comes_and_not_what_is_announced() {
        assert_eq!(rooms(200_000, &[65_536, 65_536, 65_536, 3392]), [200_000; 4]);
        assert_eq!(rooms(100_000_000, &[1]), [FIRST_ROOM]);
        assert_eq!(rooms(600_000, &[200_000, 200_000, 200_000]), [400_000, 400_000, 600_000]);
        // Nothing announced, or a lie.
        for announced in [0, 10] {
            assert_eq!(rooms(announced, &[1000, 1000, 300_000]), [FIRST_ROOM, FIRST_ROOM, 604_000]);
        }
    }
}
