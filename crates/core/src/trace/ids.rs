//! Names that no two requests share.

use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use http::HeaderValue;

/// A number that nobody can foresee; never zero, which means "none" in a trace.
pub(crate) fn random() -> u64 {
    RandomState::new().hash_one(0).max(1)
}

/// A request's id, unique among the processes of one installation: a random half, and a count.
pub(crate) fn request_id() -> HeaderValue {
    static PROCESS: OnceLock<u32> = OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let process = PROCESS.get_or_init(|| random() as u32);
    let id = format!("{process:08x}-{:06x}", COUNT.fetch_add(1, Ordering::Relaxed));
    HeaderValue::from_str(&id).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}
