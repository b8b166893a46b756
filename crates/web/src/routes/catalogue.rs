//! The catalogue behind the routes, which may come while they are served.
use std::sync::{Arc, PoisonError, RwLock};

use axum::{
    extract::{FromRef, Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};
use viewfinder_catalog::StoreError;
use viewfinder_server::discard;

use super::Photos;
use crate::problem::Problem;

/// A catalogue that is there, or why it is not.
pub struct Catalogue {
    /// The command that puts a folder into it; the folder follows.
    pub(super) index_command: String,
    photos: RwLock<Result<Arc<Photos>, Problem>>,
}

impl Catalogue {
    /// One that is not there. `index_command` makes it, with a folder behind.
    pub fn absent(index_command: String) -> Self {
        Self { photos: RwLock::new(Err(none_yet(&index_command))), index_command }
    }

    /// From now on it is there.
    pub fn open(&self, photos: Arc<Photos>) {
        self.set(Ok(photos));
    }

    /// It is there, and cannot be opened.
    pub fn fail(&self, error: StoreError) {
        self.set(Err(error.into()));
    }

    /// Its photos, or what is said instead.
    pub(super) fn photos(&self) -> Result<Arc<Photos>, Problem> {
        self.photos.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, photos: Result<Arc<Photos>, Problem>) {
        *self.photos.write().unwrap_or_else(PoisonError::into_inner) = photos;
    }
}

/// Stable code of a catalogue that nobody has made yet.
pub(super) const ABSENT: &str = "catalogue_absent";

fn none_yet(index_command: &str) -> Problem {
    let detail = format!("no folder was indexed yet; `{index_command} FOLDER` does it");
    Problem::new(StatusCode::NOT_FOUND, ABSENT, "There is no catalogue", detail)
}

/// What handlers get their photos from.
#[derive(Clone)]
pub(super) struct Door(pub(super) Arc<Catalogue>);

impl FromRef<Door> for Arc<Photos> {
    fn from_ref(Door(catalogue): &Door) -> Self {
        catalogue
            .photos()
            .unwrap_or_else(|_| unreachable!("a catalogue that was opened stays, and `guard` has seen it"))
    }
}

/// Lets nobody through to photos that are not there.
pub(super) async fn guard(State(catalogue): State<Arc<Catalogue>>, request: Request, next: Next) -> Response {
    match catalogue.photos() {
        Ok(_) => next.run(request).await,
        Err(problem) => {
            discard(request.into_body()).await;
            problem.into_response()
        }
    }
}
