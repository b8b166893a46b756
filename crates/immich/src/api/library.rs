use std::{
    collections::{BTreeSet, HashMap},
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use viewfinder_catalog::{search::Similarity, text::Segmenter};
use viewfinder_core::Backend;
use viewfinder_index::Models;

use crate::{
    api::{
        account::Account, analyse::Means, client::KeyClient, confirm::Rankings, filters::MetadataFilters,
        follow::FollowError, rerun,
    },
    client::Client,
    library::{
        Caller, Capabilities, ImmichAsCaller, Library, LibraryError, Page, RerunKind, SearchRequest,
        SearchRoute, WarningThrottle,
    },
};

/// Between two tries after trouble.
const PAUSE: Duration = Duration::from_secs(30);
/// Searches of catalogues at once.
const RANKINGS: usize = 16;

/// Which Immich, whose pictures, and who helps.
#[derive(Clone)]
pub struct ApiConfig {
    /// The way to Immich.
    pub client: Client,
    /// API keys, one of each user. They need `asset.read`, `asset.view` and `user.read`.
    pub keys: Vec<String>,
    /// Where the users' catalogues are kept.
    pub folder: PathBuf,
    /// Cuts texts and queries.
    pub segmenter: Arc<Segmenter>,
    /// Reads and embeds.
    pub backend: Arc<dyn Backend>,
    /// Models for pictures. Faces are not looked for.
    pub models: Models,
    /// The model for words.
    pub sentence_model: String,
    /// What counts as similar to words.
    pub similarity: Similarity,
    /// Longest time for an answer to a search.
    pub search_time: Duration,
    /// Between two looks at what was changed.
    pub every: Duration,
    /// Between two comparisons of everything, which find what is gone.
    pub compare: Duration,
    /// Ends what goes on in the background.
    pub stop: CancellationToken,
}

impl ApiConfig {
    pub(crate) fn means(&self) -> Means {
        Means { backend: Arc::clone(&self.backend), models: self.models.clone(), stop: self.stop.clone() }
    }
}

/// The library of an Immich, as far as keys open it.
pub struct ApiLibrary {
    config: Arc<ApiConfig>,
    accounts: Accounts,
    rankings: Rankings,
    warnings: Arc<WarningThrottle>,
    places: Arc<Semaphore>,
}

type Accounts = Arc<RwLock<HashMap<Uuid, Arc<Account>>>>;

impl ApiLibrary {
    /// Opens the catalogues as soon as Immich tells whose keys these are, and keeps them up to date from then on. Within a Tokio
    /// runtime.
    pub fn start(config: ApiConfig) -> Self {
        let (config, accounts) = (Arc::new(config), Accounts::default());
        for (number, key) in config.keys.iter().enumerate() {
            let client = KeyClient::new(config.client.clone(), key);
            tokio::spawn(serve(number + 1, client, Arc::clone(&config), Arc::clone(&accounts)));
        }
        Self {
            config,
            accounts,
            rankings: Rankings::default(),
            warnings: Arc::default(),
            places: Arc::new(Semaphore::new(RANKINGS)),
        }
    }

    /// What fits a request, best first. A catalogue goes on with what it was asked even if nobody waits for it any more, and so this
    /// does, and keeps its place.
    async fn rank(&self, account: Arc<Account>, request: &SearchRequest) -> Result<Vec<Uuid>, LibraryError> {
        let broke = |message: String| LibraryError::Failed { code: "internal", message };
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.map_err(|error| broke(error.to_string()))?;
        let (config, warnings) = (Arc::clone(&self.config), Arc::clone(&self.warnings));
        let request = request.clone();
        let ranked = tokio::spawn(async move {
            let ranked = account.rank(&config, &request, &warnings).await;
            drop(place);
            ranked
        });
        ranked.await.unwrap_or_else(|error| Err(broke(error.to_string())))
    }

    fn account(&self, caller: &Caller) -> Result<Arc<Account>, LibraryError> {
        let known = self.accounts.read().unwrap_or_else(PoisonError::into_inner).get(&caller.user).cloned();
        known.ok_or_else(|| LibraryError::Unsupported("no API key of this user is configured".to_owned()))
    }
}

/// Everything that is done for one key.
async fn serve(number: usize, client: KeyClient, config: Arc<ApiConfig>, accounts: Accounts) {
    let Some(account) = open(number, client, &config).await else { return };
    let known =
        accounts.write().unwrap_or_else(PoisonError::into_inner).insert(account.user, Arc::clone(&account));
    if known.is_some() {
        tracing::warn!(user = %account.user, key = number, "two API keys are of the same user");
        return;
    }
    tracing::info!(user = %account.user, key = number, "Immich's pictures of this user are searched here");
    tokio::spawn(config.means().run(Arc::clone(&account)));
    follow(account, &config).await;
}

/// Tries until it works, or the program stops.
async fn open(number: usize, client: KeyClient, config: &ApiConfig) -> Option<Arc<Account>> {
    let client = Arc::new(client);
    let mut told = BTreeSet::new();
    while !config.stop.is_cancelled() {
        let error = match open_once(&client, config).await {
            Ok(account) => return Some(Arc::new(account)),
            Err(error) => error.to_string(),
        };
        if told.insert(error.clone()) {
            tracing::warn!(key = number, error, "an API key of Immich cannot be used yet; it is tried again");
        }
        config.stop.run_until_cancelled(sleep(PAUSE)).await;
    }
    None
}

async fn open_once(client: &Arc<KeyClient>, config: &ApiConfig) -> Result<Account, FollowError> {
    let user = client.user().await?;
    let segmenter = Arc::clone(&config.segmenter);
    Ok(Account::open(Arc::clone(client), user, &config.folder, segmenter).await?)
}

/// Keeps the catalogue as Immich's lists are.
async fn follow(account: Arc<Account>, config: &ApiConfig) {
    let ApiConfig { every, compare, stop, .. } = config;
    let mut newest: Option<Timestamp> = None;
    let mut compared: Option<Instant> = None;
    let mut told = None;
    while !stop.is_cancelled() {
        let whole = compared.is_none_or(|at| at.elapsed() > *compare);
        let begun = Instant::now();
        let user = account.user;
        let error = match account.follow(newest.filter(|_| !whole)).await {
            Ok(found) => {
                newest = found;
                if whole {
                    compared = Some(begun);
                }
                None
            }
            Err(error) => Some(error.to_string()),
        };
        match &error {
            Some(error) if told.as_ref() != Some(error) => {
                tracing::warn!(%user, error, "Immich's changes cannot be followed now; it is tried again");
            }
            None if told.is_some() => tracing::info!(%user, "following Immich's changes again"),
            _ => {}
        }
        let pause = if error.is_some() { PAUSE } else { *every };
        stop.run_until_cancelled(sleep(pause)).await;
        told = error;
    }
}

#[async_trait]
impl Library for ApiLibrary {
    async fn search(
        &self,
        caller: &Caller,
        route: SearchRoute,
        body: &Value,
        immich: &dyn ImmichAsCaller,
    ) -> Result<Page, LibraryError> {
        let left = |why: &str| LibraryError::Unsupported(why.to_owned());
        let deadline = Instant::now() + self.config.search_time;
        let request = SearchRequest::parse(route, body)?;
        let filters = MetadataFilters::of(caller, route, body).map_err(left)?;
        if !request.query().people.is_empty() {
            return Err(left("people are known to Immich only"));
        }
        let account = self.account(caller)?;
        let rank = async {
            let mut ranked = self.rank(account, &request).await?;
            ranked.retain(|id| filters.allow(*id));
            Ok::<_, LibraryError>(ranked)
        };
        let mut ranking = self.rankings.get(caller.user, body, rank).await?;
        let places = request.places();
        let page = ranking.page(places.clone(), &filters, immich, deadline).await;
        let (items, more) = page.map_err(|message| LibraryError::Failed { code: "immich_away", message })?;
        if items.is_empty() && places.start == 0 && request.is_plain() {
            return Err(LibraryError::NothingFound);
        }
        self.rankings.keep(ranking);
        Ok(Page { total: places.start + items.len(), items, next: request.next(more) })
    }

    async fn require_own(&self, caller: &Caller, assets: &[Uuid]) -> Result<(), LibraryError> {
        let account = self.account(caller)?;
        for id in assets {
            rerun::own(&account, *id).await?;
        }
        Ok(())
    }

    async fn rerun(
        &self,
        caller: &Caller,
        kind: RerunKind,
        assets: &[Uuid],
        _: &dyn ImmichAsCaller,
    ) -> Result<(), LibraryError> {
        // The key may be asked about still, as after a start: what was begun goes on later.
        let away = |_| LibraryError::Failed {
            code: "no_account",
            message: "no API key of this user can be used yet".to_owned(),
        };
        rerun::rerun(&self.account(caller).map_err(away)?, &self.config, kind, assets).await
    }

    fn capabilities(&self) -> Capabilities {
        if self.accounts.read().unwrap_or_else(PoisonError::into_inner).is_empty() {
            return Capabilities::none("no API key of companion.api_keys could be used yet");
        }
        Capabilities::default()
    }

    fn has_text(&self) -> bool {
        // It reads by itself what Immich lists.
        !self.accounts.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn reruns_as_caller(&self) -> bool {
        false
    }
}
