//! The catalogue over HTTP, and the page to find photos with.
//!
//! [`router()`] offers the API ([`ROUTES`], under `/api/v1`) and the page (`/photos`), to be merged into the routes of
//! `viewfinder_server::Server`, which brings limits, ids, logs and keys. `access` decides who may see photos (`session`
//! is their cookie), `jobs` does analyses again, `thumbnail` makes small pictures, `storage` bounds what waits for
//! disks, `view` holds what is shown, `extract` reads what is asked, `problem` is how the API says no.

mod access;
mod extract;
mod jobs;
mod page;
mod problem;
mod routes;
mod session;
mod storage;
mod thumbnail;
mod view;

pub use access::Access;
pub use routes::{Catalogue, Photos, PhotosConfig, ROUTES, open_paths, router};
pub use storage::StorageLimits;
