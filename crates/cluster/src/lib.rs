//! Chooses who answers a task, and sees to it that somebody does.
//!
//! [`Router`] is a backend of the gateway in front of engines: the local one and nodes elsewhere. A task's [`Route`]
//! lists engines by preference; among equals the one that will be ready first gets the work (`balance`). Engines that
//! fail are left alone until probes find them well again (`health`). A picture that nobody can take is held until
//! somebody can, within bounds of time and bytes (`hold`); a sentence never waits. `retry` follows one picture's tasks
//! from engine to engine until each is answered or has failed for good.

mod balance;
mod engine_client;
mod engine_state;
mod health;
mod hold;
mod metric;
pub mod nodes;
mod retry;
mod route;
mod router;

pub use engine_client::{AttemptError, Coming, EngineClient, FailureClass};
pub use health::Thresholds;
pub use hold::HoldLimits;
pub use route::{LOCAL, Route, RouteError, Routes};
pub use router::{Router, RouterConfig};
