//! The catalogue over HTTP, and the page to find photos with.
//!
//! [`router()`] offers the API ([`ROUTES`], under `/api/v1`) and the page (`/photos`), to be merged into the routes of
//! `viewfinder_server::Server`, which brings limits, ids, logs and keys. `access` decides who may see photos (`session`
//! is their cookie), `jobs` does analyses again, `thumbnail` makes small pictures and `face_crop` cuts faces out of them,
//! `range` and `content_type` say what is sent of a file, `storage` bounds what waits for disks, `view` holds what is
//! shown, `extract` reads what is asked, `problem` is how the API says no.

mod access;
mod content_type;
mod extract;
mod face_crop;
mod jobs;
mod page;
mod problem;
mod range;
mod routes;
mod session;
mod storage;
mod thumbnail;
mod view;

pub use access::Access;
pub use routes::{Catalogue, Photos, PhotosConfig, ROUTES, open_paths, router};
pub use storage::StorageLimits;
