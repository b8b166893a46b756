//! Chooses who answers a task, and sees to it that somebody does.
//!
//! [`Router`] is a [`Backend`](viewfinder_core::Backend) in front of engines: the local one and [`nodes`] elsewhere,
//! which look alike through `engine_client`. A task's [`Route`] lists engines by preference; among equals the one that
//! will be ready first gets the work (`balance`). `engine_state` is what is known of one: it probes it, and calls its
//! work off when it goes down. Engines that fail are left alone until probes find them well again (`health`). A picture
//! that nobody can take is held until somebody can, within bounds of time and bytes (`hold`); a sentence never waits.
//! `retry` keeps the record of one picture's tasks, by which `router` gives them to engine after engine until each is
//! answered or has failed for good.

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

pub use engine_client::{AttemptError, EngineClient, FailureClass};
pub use health::Thresholds;
pub use hold::HoldLimits;
pub use route::{LOCAL, Route, RouteError, Routes};
pub use router::{Router, RouterConfig};
