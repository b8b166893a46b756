use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::FutureExt as _;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    companion::as_caller::{PreviewError, Sender},
    library::{Caller, ImmichAsCaller, Library, LibraryError, RerunKind},
};

/// One picture of a job.
#[derive(Clone)]
pub(crate) struct Task {
    pub(crate) job: Uuid,
    pub(crate) asset: Uuid,
    pub(crate) caller: Caller,
    pub(crate) kind: RerunKind,
    /// Whose credentials fetch previews; none where the library reads them by itself.
    pub(crate) sender: Option<Arc<Sender>>,
}

/// What became of a picture.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// It has a fault of its own.
    Failed(String),
    /// Every other picture would have failed, too, for now.
    Later(String),
    /// Immich does not know the credentials any more.
    SignedOut,
    /// Immich knows the credentials, and gives them no previews.
    Refused(String),
}

impl Task {
    /// Does it.
    pub(crate) async fn run(&self, library: &dyn Library) -> Outcome {
        let immich = Listened { sender: self.sender.as_deref(), trouble: Mutex::default() };
        let assets = [self.asset];
        let work = library.rerun(&self.caller, self.kind, &assets, &immich);
        let Ok(result) = AssertUnwindSafe(work).catch_unwind().await else {
            return Outcome::Failed("the library broke over this picture".to_owned());
        };
        match (result, immich.trouble().take()) {
            (Ok(()), _) => Outcome::Done,
            (Err(_), Some(PreviewError::SignedOut)) => Outcome::SignedOut,
            (Err(_), Some(PreviewError::Refused(words))) => Outcome::Refused(words),
            (Err(_), Some(PreviewError::Away(why))) => Outcome::Later(why),
            // What is not understood is no fault of a picture either: a feature is off, or a key's owner is not known yet.
            (Err(LibraryError::Failed { message, .. } | LibraryError::Unsupported(message)), None) => {
                Outcome::Later(message)
            }
            (Err(error), _) => Outcome::Failed(error.to_string()),
        }
    }
}

/// Immich as the library asks it, with an ear for why there was no preview: a library's own errors need not say it.
struct Listened<'a> {
    sender: Option<&'a Sender>,
    trouble: Mutex<Option<PreviewError>>,
}

impl Listened<'_> {
    fn trouble(&self) -> MutexGuard<'_, Option<PreviewError>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ImmichAsCaller for Listened<'_> {
    async fn preview(&self, asset: Uuid) -> Result<Bytes, String> {
        let sender = self.sender.ok_or("nobody's credentials are at hand")?;
        sender.fetch_preview(asset).await.map_err(|error| {
            let told = error.to_string();
            *self.trouble() = Some(error);
            told
        })
    }

    async fn search(&self, bodies: Vec<Value>) -> Vec<Result<Value, String>> {
        match self.sender {
            Some(sender) => sender.search(bodies).await,
            None => bodies.iter().map(|_| Err("nobody's credentials are at hand".to_owned())).collect(),
        }
    }
}
