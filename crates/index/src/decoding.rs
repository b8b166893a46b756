//! What a server is sent, decoded by programs where the engines do not decode it.
use std::{
    panic::resume_unwind,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};
use viewfinder_core::{
    AnswerFuture, Backend, DecodeRules, EngineStatus, ErrorCode, NodeStatus, PictureAnswer, PictureRequest,
    SentenceRequest, TaskError,
};

use crate::{FileKind, Tools};

/// A request waits no longer for a place among the programs.
const WAIT: Duration = Duration::from_secs(30);

/// A backend that has HEIF, RAW and videos decoded by the system's programs before it asks another about them. What that
/// decodes itself it gets as it came.
pub struct DecodingBackend {
    backend: Arc<dyn Backend>,
    tools: Tools,
    max_bytes: u64,
    places: Arc<Semaphore>,
}

impl DecodingBackend {
    /// Lets `programs` programs run at once, each for files of at most `max_bytes`.
    pub fn new(backend: Arc<dyn Backend>, tools: Tools, max_bytes: u64, programs: usize) -> Self {
        Self { backend, tools, max_bytes, places: Arc::new(Semaphore::new(programs)) }
    }

    /// The request with a picture that engines decode.
    ///
    /// Programs turn pictures upright as far as they say how, so that none is turned once more. Here no rule says otherwise:
    /// what a protocol's reference server makes of a turned HEIC depends on its libraries.
    async fn decoded(&self, request: PictureRequest) -> Result<PictureRequest, TaskError> {
        let PictureRequest { bytes, decode, tasks } = request;
        let is_foreign = FileKind::of_bytes(&bytes).is_some_and(|kind| kind != FileKind::Picture);
        // What is too long is refused by whoever is asked.
        if !is_foreign || bytes.len() as u64 > self.max_bytes {
            return Ok(PictureRequest { bytes, decode, tasks });
        }
        let place = timeout(WAIT, Arc::clone(&self.places).acquire_owned()).await;
        let Ok(Ok(place)) = place else {
            return Err(TaskError::new(ErrorCode::Busy, "too many pictures wait for their decoders"));
        };
        let (tools, max_bytes, span) = (self.tools.clone(), self.max_bytes, tracing::Span::current());
        let asker = Asker::default();
        let gone = Arc::clone(&asker.gone);
        let converted = spawn_blocking(move || {
            let _in_request = span.entered();
            let converted = tools.picture_of_bytes(bytes, max_bytes, &gone);
            // Whether or not anybody still waits: there are never more programs than places.
            drop(place);
            converted
        });
        let converted = converted.await.unwrap_or_else(|error| resume_unwind(error.into_panic()))?;
        let decode = DecodeRules { orient: converted.orient, ..decode };
        Ok(PictureRequest { bytes: converted.bytes, decode, tasks })
    }
}

/// Whoever waits for a picture to be decoded. A program for one who has left would keep others waiting.
#[derive(Default)]
struct Asker {
    gone: Arc<AtomicBool>,
}

impl Drop for Asker {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::Relaxed);
    }
}

impl Backend for DecodingBackend {
    fn picture(&self, request: PictureRequest) -> AnswerFuture<'_, PictureAnswer> {
        Box::pin(async move { self.backend.picture(self.decoded(request).await?).await })
    }

    fn sentence(&self, request: SentenceRequest) -> AnswerFuture<'_, Vec<f32>> {
        self.backend.sentence(request)
    }

    fn status(&self) -> EngineStatus {
        self.backend.status()
    }

    fn nodes(&self) -> Vec<NodeStatus> {
        self.backend.nodes()
    }

    fn unload(&self) {
        self.backend.unload();
    }
}
