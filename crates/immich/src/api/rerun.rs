//! Does analyses of single pictures again.
use std::{collections::HashSet, sync::Arc};

use uuid::Uuid;
use viewfinder_catalog::{AnalysisKind, AnalysisState, Asset, AssetId, StoreError};

use crate::{
    api::{account::Account, library::ApiConfig, listed::place},
    library::{LibraryError, RerunKind},
};

/// Reads pictures again, or embeds them again; all of them must be the user's own. Returns when it is done.
pub(crate) async fn rerun(
    account: &Arc<Account>,
    config: &ApiConfig,
    kind: RerunKind,
    ids: &[Uuid],
) -> Result<(), LibraryError> {
    let kind = match kind {
        RerunKind::Ocr => AnalysisKind::Ocr,
        RerunKind::Clip => AnalysisKind::Clip,
    };
    let mut assets = HashSet::new();
    for id in ids {
        assets.insert(own(account, *id).await?.id);
    }
    let all: Vec<AssetId> = assets.iter().copied().collect();
    account.store.forget(kind, &all, false).await.map_err(|error| failed(&error))?;
    let analysed = config.means().again(account, kind, assets).await;
    let analysed = analysed.map_err(|message| LibraryError::Failed { code: "analysis", message })?;
    for asset in account.store.assets(&all).await.map_err(|error| failed(&error))? {
        let message = match &asset.states[kind as usize] {
            AnalysisState::Done { .. } => continue,
            AnalysisState::Failed { message, .. } => message.clone(),
            AnalysisState::Never => {
                let first = analysed.problems.iter().next().and_then(|(_, problem)| problem.files.first());
                first.map_or_else(|| "Immich has no preview of it".to_owned(), |(_, why)| why.clone())
            }
        };
        return Err(LibraryError::Picture { code: "analysis", message });
    }
    Ok(())
}

/// The asset of an id of Immich's, if it is the user's.
pub(crate) async fn own(account: &Account, id: Uuid) -> Result<Asset, LibraryError> {
    let known =
        account.store.list(&place(account.user, id), None, 1).await.map_err(|error| failed(&error))?;
    known.into_iter().next().ok_or(LibraryError::NotYours)
}

pub(crate) fn failed(error: &StoreError) -> LibraryError {
    LibraryError::Failed { code: "catalogue", message: error.to_string() }
}
