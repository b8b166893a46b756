//! One user whose key is known: their catalogue, and what keeps it as Immich's lists are.
use std::{path::Path, sync::Arc};

use tokio::sync::Notify;
use uuid::Uuid;
use viewfinder_catalog::{SqliteStore, Store, StoreError, text::Segmenter};

use crate::api::client::KeyClient;

/// A user.
pub(crate) struct Account {
    pub(crate) user: Uuid,
    pub(crate) client: Arc<KeyClient>,
    pub(crate) store: Arc<dyn Store>,
    /// There may be something to analyse.
    pub(crate) changed: Notify,
}

impl Account {
    /// Opens the user's catalogue in a folder; a file of the user's id.
    pub(crate) async fn open(
        client: Arc<KeyClient>,
        user: Uuid,
        folder: &Path,
        segmenter: Arc<Segmenter>,
    ) -> Result<Self, StoreError> {
        // A moment, once.
        viewfinder_files::private::create_folder(folder)
            .map_err(|error| StoreError::Unusable(format!("{}: {error}", folder.display())))?;
        let store = SqliteStore::open(&folder.join(format!("{user}.db")), segmenter).await?;
        Ok(Self { user, client, store: Arc::new(store), changed: Notify::new() })
    }
}
