//! Does analyses of single pictures again.
use std::{collections::HashSet, sync::Arc};

use uuid::Uuid;
use viewfinder_catalog::{AnalysisKind, AnalysisState, Asset, AssetId, StoreError};

use crate::{
    api::{account::Account, library::ApiConfig, listed::place},
    library::{LibraryError, RerunKind},
};

/// Reads pictures again, or embeds them again; all of them must be the user's own. Blocks until it is done.
pub(crate) fn rerun(
    account: &Arc<Account>,
    config: &ApiConfig,
    kind: RerunKind,
    ids: &[Uuid],
) -> Result<(), LibraryError> {
    let kind = match kind {
        RerunKind::Ocr => AnalysisKind::Ocr,
        RerunKind::Clip => AnalysisKind::Clip,
    };
    let assets: Vec<Asset> = ids.iter().map(|id| own(account, *id)).collect::<Result<_, _>>()?;
    let ids: HashSet<AssetId> = assets.iter().map(|asset| asset.id).collect();
    let all: Vec<AssetId> = ids.iter().copied().collect();
    account.store.forget(kind, &all, false).map_err(|error| failed(&error))?;
    let analysed = config.runtime.block_on(config.means().again(account, kind, ids));
    let analysed = analysed.map_err(|message| LibraryError::Failed { code: "analysis", message })?;
    for asset in account.store.assets(&all).map_err(|error| failed(&error))? {
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
pub(crate) fn own(account: &Account, id: Uuid) -> Result<Asset, LibraryError> {
    let known = account.store.list(&place(account.user, id), None, 1).map_err(|error| failed(&error))?;
    known.into_iter().next().ok_or(LibraryError::NotYours)
}

pub(crate) fn failed(error: &StoreError) -> LibraryError {
    LibraryError::Failed { code: "catalogue", message: error.to_string() }
}
