//! The local engine: a picture or a sentence in; text, vectors and faces out.
//!
//! It joins the store (`models`), the sessions and worker threads (`runtime`) and the pipelines (`vision`).
//! A request first gets its networks from the cache, where they stay until idle for their time-to-live; only then
//! does it wait for a worker, so that no worker ever waits for a download.

pub mod runtime;

mod config;
mod engine;
mod load;
mod on_request;
mod picture;
mod variant;

pub use config::{EngineConfig, LogProgress};
pub use engine::{Engine, SharedDump, runtime_flavour};
pub use on_request::OnRequest;
pub use variant::{LEAST_COSINE, MadeVariant, sample_pictures};
