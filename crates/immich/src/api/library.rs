use std::{
    collections::{BTreeSet, HashMap},
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use serde_json::Value;
use tokio::{runtime::Handle, task::spawn_blocking, time::sleep};
use uuid::Uuid;
use viewfinder_catalog::{search::Similarity, text::Segmenter};
use viewfinder_core::Backend;
use viewfinder_index::{Models, Stop};

use crate::{
    api::{
        account::Account, analyse::Means, client::Client, confirm::Rankings, filters::Filters,
        follow::FollowError, rerun,
    },
    library::{
        AsCaller, Caller, Capabilities, Complaints, Library, LibraryError, Page, RerunKind, SearchRequest,
        SearchRoute,
    },
};

/// Between two tries after trouble.
const PAUSE: Duration = Duration::from_secs(30);

/// Which Immich, whose pictures, and who helps.
#[derive(Clone)]
pub struct ApiConfig {
    /// `http://host:port` of Immich, or `https`.
    pub url: String,
    /// Certificates of authorities, as PEM. One of them must have signed Immich's certificate; nobody else is then trusted to. Without any,
    /// the public authorities are.
    pub authorities: Option<Vec<u8>>,
    /// API keys, one of each user. They need `asset.read`, `asset.view` and `user.read`.
    pub keys: Vec<String>,
    /// Where the users' catalogues are kept.
    pub folder: PathBuf,
    /// Cuts texts and queries.
    pub segmenter: Arc<Segmenter>,
    /// Reads and embeds.
    pub backend: Arc<dyn Backend>,
    /// Where `backend` is waited for.
    pub runtime: Handle,
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
    pub stop: Stop,
}

impl ApiConfig {
    pub(crate) fn means(&self) -> Means {
        Means { backend: Arc::clone(&self.backend), models: self.models.clone(), stop: self.stop.clone() }
    }
}

/// The library of an Immich, as far as keys open it.
pub struct ApiLibrary {
    config: ApiConfig,
    accounts: Accounts,
    rankings: Rankings,
    complaints: Complaints,
}

type Accounts = Arc<RwLock<HashMap<Uuid, Arc<Account>>>>;

impl ApiLibrary {
    /// Opens the catalogues as soon as Immich tells whose keys these are, and keeps them up to date from then on. Within a Tokio
    /// runtime.
    pub fn start(config: ApiConfig) -> Self {
        let accounts = Accounts::default();
        for (number, key) in config.keys.iter().enumerate() {
            let client = Client::new(&config.url, key, config.authorities.as_deref());
            config.runtime.spawn(serve(number + 1, client, config.clone(), Arc::clone(&accounts)));
        }
        Self { config, accounts, rankings: Rankings::default(), complaints: Complaints::default() }
    }

    fn account(&self, caller: &Caller) -> Result<Arc<Account>, LibraryError> {
        let known = self.accounts.read().unwrap_or_else(PoisonError::into_inner).get(&caller.user).cloned();
        known.ok_or_else(|| LibraryError::NotUnderstood("no API key of this user is configured".to_owned()))
    }
}

/// Everything that is done for one key.
async fn serve(number: usize, client: Client, config: ApiConfig, accounts: Accounts) {
    let Some(account) = open(number, client, &config).await else { return };
    let known =
        accounts.write().unwrap_or_else(PoisonError::into_inner).insert(account.user, Arc::clone(&account));
    if known.is_some() {
        tracing::warn!(user = %account.user, key = number, "two API keys are of the same user");
        return;
    }
    tracing::info!(user = %account.user, key = number, "Immich's pictures of this user are searched here");
    config.runtime.spawn(config.means().run(Arc::clone(&account)));
    follow(account, &config).await;
}

/// Tries until it works, or the program stops.
async fn open(number: usize, client: Client, config: &ApiConfig) -> Option<Arc<Account>> {
    let client = Arc::new(client);
    let mut told = BTreeSet::new();
    while !config.stop.asked() {
        let (client, folder, segmenter) =
            (Arc::clone(&client), config.folder.clone(), Arc::clone(&config.segmenter));
        let opened = spawn_blocking(move || {
            let user = client.user()?;
            Ok::<_, FollowError>(Account::open(client, user, &folder, segmenter)?)
        });
        let error = match opened.await {
            Ok(Ok(account)) => return Some(Arc::new(account)),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        if told.insert(error.clone()) {
            tracing::warn!(key = number, error, "an API key of Immich cannot be used yet; it is tried again");
        }
        rest(PAUSE, &config.stop).await;
    }
    None
}

/// Keeps the catalogue as Immich's lists are.
async fn follow(account: Arc<Account>, config: &ApiConfig) {
    let ApiConfig { every, compare, stop, .. } = config;
    let mut newest: Option<Timestamp> = None;
    let mut compared: Option<Instant> = None;
    let mut told = None;
    while !stop.asked() {
        let whole = compared.is_none_or(|at| at.elapsed() > *compare);
        let begun = Instant::now();
        let (account, after) = (Arc::clone(&account), newest.filter(|_| !whole));
        let user = account.user;
        let error = match spawn_blocking(move || account.follow(after)).await {
            Ok(Ok(found)) => {
                newest = found;
                if whole {
                    compared = Some(begun);
                }
                None
            }
            Ok(Err(error)) => Some(error.to_string()),
            Err(error) => Some(error.to_string()),
        };
        match &error {
            Some(error) if told.as_ref() != Some(error) => {
                tracing::warn!(%user, error, "Immich's changes cannot be followed now; it is tried again");
            }
            None if told.is_some() => tracing::info!(%user, "following Immich's changes again"),
            _ => {}
        }
        rest(if error.is_some() { PAUSE } else { *every }, stop).await;
        told = error;
    }
}

async fn rest(time: Duration, stop: &Stop) {
    tokio::select! {
        () = sleep(time) => {}
        () = stop.wait() => {}
    }
}

impl Library for ApiLibrary {
    fn search(
        &self,
        caller: &Caller,
        route: SearchRoute,
        body: &Value,
        immich: &dyn AsCaller,
    ) -> Result<Page, LibraryError> {
        let left = |why: &str| LibraryError::NotUnderstood(why.to_owned());
        let deadline = Instant::now() + self.config.search_time;
        let request = SearchRequest::parse(route, body)?;
        let filters = Filters::of(caller, route, body).map_err(left)?;
        if !request.query().people.is_empty() {
            return Err(left("people are known to Immich only"));
        }
        let account = self.account(caller)?;
        let rank = || {
            let mut ranked = account.rank(&self.config, &request, &self.complaints)?;
            ranked.retain(|id| filters.allow(*id));
            Ok::<_, LibraryError>(ranked)
        };
        let mut ranking = self.rankings.get(caller.user, body, rank)?;
        let places = request.places();
        let page = ranking.page(places.clone(), &filters, immich, deadline);
        let (items, more) = page.map_err(|message| LibraryError::Failed { code: "immich_away", message })?;
        if items.is_empty() && places.start == 0 && request.is_plain() {
            return Err(LibraryError::NothingFound);
        }
        self.rankings.keep(ranking);
        Ok(Page { total: places.start + items.len(), items, next: request.next(more) })
    }

    fn require_own(&self, caller: &Caller, assets: &[Uuid]) -> Result<(), LibraryError> {
        let account = self.account(caller)?;
        assets.iter().try_for_each(|id| rerun::own(&account, *id).map(drop))
    }

    fn rerun(
        &self,
        caller: &Caller,
        kind: RerunKind,
        assets: &[Uuid],
        _: &dyn AsCaller,
    ) -> Result<(), LibraryError> {
        // The key may be asked about still, as after a start: what was begun goes on later.
        let away = |_| LibraryError::Failed {
            code: "no_account",
            message: "no API key of this user can be used yet".to_owned(),
        };
        rerun::rerun(&self.account(caller).map_err(away)?, &self.config, kind, assets)
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
