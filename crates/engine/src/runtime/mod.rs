//! ONNX Runtime: finding and checking its library, sessions, execution providers, worker threads, time-to-live
//! and memory. This module does not know what a tensor means.
//!
//! The life of a network: [`Library::load`] checks and opens `libonnxruntime`; a [`Runtime`] picks the execution
//! provider; [`Runtime::open`] makes a [`Session`], which answers through [`viewfinder_vision::Network`];
//! a [`Cache`] keeps sessions until they have been idle for their time-to-live; a [`Pool`] of owner threads is
//! the only place where they run.

mod arena;
mod cache;
mod cores;
mod library;
mod memory;
mod pool;
mod provider;
mod session;

pub use cache::Cache;
pub use cores::{Cores, Helpers};
pub use library::{Library, LibraryError, forbid_telemetry};
pub use memory::{leave, trim, tune_allocator, usable_bytes};
pub use pool::{Lane, Pool, PoolError};
pub use provider::{Device, DeviceError};
pub use session::{Calls, Runtime, RuntimeConfig, Session, SessionError};
