//! Reads and embeds what a catalogue holds, from Immich's previews.
use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use viewfinder_catalog::{AnalysisKind, Asset, AssetId};
use viewfinder_core::Backend;
use viewfinder_index::{
    Analysed, Analysis, Converted, Event, IndexError, Listener, Models, Pictures, Scope, Unread,
    analyse_and_group, prepare,
};

use crate::api::{account::Account, client::ClientError, listed::id_of};

/// What is analysed. Faces are Immich's own matter, which knows the people.
pub(crate) const KINDS: [AnalysisKind; 2] = [AnalysisKind::Ocr, AnalysisKind::Clip];
/// Pictures without a preview, and those with trouble that passes, are tried again after this.
const AGAIN: Duration = Duration::from_secs(300);
/// Between two tries to get a preview from an Immich that is away.
const PAUSE: Duration = Duration::from_secs(5);
/// Faces are not analysed, so none are compared.
const SAME_PERSON: f32 = 1.0;

/// Who analyses, and with what.
#[derive(Clone)]
pub(crate) struct Means {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) models: Models,
    pub(crate) stop: CancellationToken,
}

impl Means {
    /// Analyses whatever waits, and then whatever comes, until asked to stop.
    pub(crate) async fn run(self, account: Arc<Account>) {
        while !self.stop.is_cancelled() {
            if let Err(error) = self.round(&account).await {
                tracing::warn!(user = %account.user, %error, "Immich's pictures cannot be analysed now; it is tried again");
            }
            tokio::select! {
                () = account.changed.notified() => {}
                _ = self.stop.run_until_cancelled(sleep(AGAIN)) => {}
            }
        }
    }

    async fn round(&self, account: &Arc<Account>) -> Result<(), IndexError> {
        let listener: Arc<dyn Listener> = Arc::new(Log);
        prepare(&KINDS, &self.models, &*account.store, &self.stop, &*listener).await?;
        if account.store.pending(&KINDS, None, 1).await?.is_empty() {
            return Ok(());
        }
        let started = Instant::now();
        let analysed =
            self.analyse(account, KINDS.to_vec(), Scope::All, listener, self.previews(account, None)).await?;
        let Analysed { done, failed, changed, problems, .. } = analysed;
        let (seconds, user) = (started.elapsed().as_secs(), account.user);
        if done > 0 {
            tracing::info!(%user, done, failed, without_preview = changed, seconds, "analysed pictures of Immich");
        }
        for (code, problem) in problems.iter() {
            let (count, first) =
                (problem.count, problem.files.first().map(|(path, why)| format!("{path}: {why}")));
            tracing::warn!(%user, code, count, first, "pictures of Immich that could not be analysed");
        }
        Ok(())
    }

    /// Does analyses of some pictures again, and returns when they are done, or why no preview of any picture can be had now.
    pub(crate) async fn again(
        &self,
        account: &Arc<Account>,
        kind: AnalysisKind,
        assets: HashSet<AssetId>,
    ) -> Result<Analysed, String> {
        let away = Arc::new(OnceLock::new());
        let previews = self.previews(account, Some(Arc::clone(&away)));
        let analysed =
            self.analyse(account, vec![kind], Scope::Assets(assets), Arc::new(Log), previews).await;
        match away.get() {
            Some(error) => Err(error.to_string()),
            None => analysed.map_err(|error| error.to_string()),
        }
    }

    fn previews(&self, account: &Arc<Account>, away: Option<Arc<OnceLock<ClientError>>>) -> Arc<Previews> {
        Arc::new(Previews { account: Arc::clone(account), stop: self.stop.clone(), away })
    }

    async fn analyse(
        &self,
        account: &Arc<Account>,
        kinds: Vec<AnalysisKind>,
        scope: Scope,
        listener: Arc<dyn Listener>,
        pictures: Arc<Previews>,
    ) -> Result<Analysed, IndexError> {
        let analysis = Analysis { kinds, models: self.models.clone(), scope, pictures };
        let complete = watch::channel(true).1;
        let (store, backend) = (Arc::clone(&account.store), Arc::clone(&self.backend));
        let ended = analyse_and_group(analysis, SAME_PERSON, store, backend, &self.stop, listener, complete);
        Ok(ended.await?.0)
    }
}

/// Immich's previews of a user's pictures.
struct Previews {
    account: Arc<Account>,
    stop: CancellationToken,
    /// Somebody waits for a few pictures: why no preview can be had is said here, and not waited for.
    away: Option<Arc<OnceLock<ClientError>>>,
}

impl fmt::Debug for Previews {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Previews of {}", self.account.user)
    }
}

#[async_trait]
impl Pictures for Previews {
    async fn read(&self, asset: &Asset) -> Result<Converted, Unread> {
        let id =
            id_of(asset).ok_or_else(|| Unread::Unreadable("its path has no id of Immich's".to_owned()))?;
        loop {
            match self.account.client.preview(id).await {
                // Previews are upright.
                Ok(bytes) => return Ok(Converted { bytes, orient: false }),
                // Immich has not made it yet.
                Err(ClientError::Missing) => return Err(Unread::Changed),
                Err(error @ (ClientError::Away(_) | ClientError::Key(_))) if self.away.is_some() => {
                    // The first reason is as good as any.
                    let _ = self.away.as_ref().map(|away| away.set(error));
                    return Err(Unread::Changed);
                }
                // To go on would only be to ask in vain for every other one.
                Err(ClientError::Away(_)) if !self.stop.is_cancelled() => {
                    self.stop.run_until_cancelled(sleep(PAUSE)).await;
                }
                Err(error) => return Err(Unread::Unreadable(error.to_string())),
            }
        }
    }
}

/// Tells the log what somebody may have to do something about.
struct Log;

impl Listener for Log {
    fn tell(&self, event: Event) {
        match event {
            Event::Paused { reason } => tracing::debug!(reason, "waiting"),
            Event::LeftOut { kind, reason } => {
                tracing::error!(
                    kind = kind.as_str(),
                    reason,
                    "this analysis of Immich's pictures is left out"
                );
            }
            Event::Walked { .. } | Event::Waiting { .. } | Event::Analysed { .. } => {}
        }
    }
}
