//! Which models strangers may have fetched: else one request each would bring a hundred gigabytes of them.
use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use viewfinder_core::{ErrorCode, TaskError};
use viewfinder_models::{ModelError, Role, Store};

/// The models that a request may have fetched. What is on this machine answers in any case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum OnRequest {
    /// All of the catalogue.
    #[default]
    Any,
    /// These, and those that were fetched before.
    Known(Vec<String>),
}

/// Judges requests by [`OnRequest`].
pub(crate) struct DownloadPolicy {
    /// As the catalogue spells them; `None` lets everything pass.
    known: Option<BTreeSet<String>>,
    /// What was asked for and refused since the start. All of these are in the catalogue, so that there are not many.
    refused: Mutex<BTreeSet<String>>,
}

impl DownloadPolicy {
    /// `spell` turns a name into the catalogue's.
    pub(crate) fn new(allowed: &OnRequest, spell: impl Fn(&str) -> String) -> Self {
        let known = match allowed {
            OnRequest::Any => None,
            OnRequest::Known(names) => Some(names.iter().map(|name| spell(name)).collect()),
        };
        Self { known, refused: Mutex::default() }
    }

    /// May this network be fetched, or made, if it is not here?
    pub(crate) fn check(&self, store: &Store, name: &str, role: Role) -> Result<(), TaskError> {
        let Some(known) = &self.known else { return Ok(()) };
        let may = known.contains(name)
            || store.is_offline()
            || !matches!(store.local(name, role), Err(ModelError::Missing { .. }))
            || store.has_any(name);
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if may {
            refused.remove(name);
            return Ok(());
        }
        let error = TaskError::new(
            ErrorCode::ModelNotAllowed,
            format!(
                "model {name} is not on this machine, and a request alone does not have it fetched: if you want it, set \
                 engine.preload = [{name:?}] (VIEWFINDER_PRELOAD={name}), or run `viewfinder models pull {name}`; \
                 store.on_request = \"any\" lets requests fetch every model"
            ),
        );
        if refused.insert(name.to_owned()) {
            tracing::warn!("{error}");
        }
        Err(error)
    }

    /// What was refused and is not allowed yet.
    pub(crate) fn refused(&self) -> Vec<String> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
