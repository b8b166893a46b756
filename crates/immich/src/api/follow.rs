//! Keeps a catalogue as Immich's lists are.
use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;
use viewfinder_catalog::{AssetId, FileRecord, Properties, StoreError};

use crate::api::{
    account::Account,
    client::ClientError,
    listed::{Listed, id_of, place},
};

/// What is listed. Locked pictures are not given to keys, and hidden ones are the moving parts of others.
const VISIBILITIES: [&str; 2] = ["timeline", "archive"];
/// Changes that were made before the newest known one may become visible after it.
const OVERLAP: SignedDuration = SignedDuration::from_secs(60);
/// Assets read from the catalogue at a time.
const SLICE: usize = 1000;

/// Why a catalogue could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FollowError {
    #[error(transparent)]
    Immich(#[from] ClientError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Account {
    /// Takes over what was changed since `after`; everything without it, and then forgets what is gone. Returns the time of the
    /// newest change.
    pub(crate) async fn follow(&self, after: Option<Timestamp>) -> Result<Option<Timestamp>, FollowError> {
        let since = after.map(|after| (after - OVERLAP).to_string());
        let mut newest = after;
        let mut listed = HashSet::new();
        for visibility in VISIBILITIES {
            let mut next = Some(1);
            while let Some(page) = next {
                let found = self.client.list(visibility, since.as_deref(), page).await?;
                newest = newest.max(found.pictures.iter().map(|picture| picture.updated).max());
                listed.extend(found.pictures.iter().map(|picture| picture.id));
                self.take(found.pictures).await?;
                next = found.next.filter(|next| *next > page);
            }
        }
        if after.is_none() {
            self.forget_all_but(&listed).await?;
        }
        Ok(newest)
    }

    /// Adds and updates pictures.
    async fn take(&self, pictures: Vec<Listed>) -> Result<(), StoreError> {
        let mut changed: Vec<(FileRecord, Properties)> = Vec::new();
        for Listed { owner, id, file, mut properties, .. } in pictures {
            let known = self.store.list(&place(owner, id), None, 1).await?.pop();
            if let Some(known) = &known {
                if known.file.path != file.path {
                    // Renamed. Should the content be another as well, it is written below.
                    let moved = FileRecord { hash: known.file.hash, ..file.clone() };
                    self.store.move_file(known.id, &moved).await?;
                }
                // Older versions do not tell the size; the analysis did.
                properties.width = properties.width.or(known.properties.width);
                properties.height = properties.height.or(known.properties.height);
            }
            if known.is_none_or(|known| known.file != file || known.properties != properties) {
                changed.push((file, properties));
            }
        }
        if !changed.is_empty() {
            self.store.put_files(&changed).await?;
            self.changed.notify_one();
        }
        Ok(())
    }

    /// Forgets what was not listed and cannot be seen either: a list that is read page by page while it changes may lack
    /// something.
    async fn forget_all_but(&self, listed: &HashSet<Uuid>) -> Result<(), FollowError> {
        let mut gone: Vec<AssetId> = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let assets = self.store.list("", after.as_deref(), SLICE).await?;
            let Some(last) = assets.last() else { break };
            after = Some(last.file.path.clone());
            for asset in assets {
                match id_of(&asset) {
                    Some(id) if listed.contains(&id) || self.client.sees(id).await? => {}
                    _ => gone.push(asset.id),
                }
            }
        }
        if !gone.is_empty() {
            tracing::info!(user = %self.user, pictures = gone.len(), "pictures are gone from Immich, and from the catalogue");
            self.store.remove(&gone).await?;
        }
        Ok(())
    }
}
