//! A transparent reverse proxy in front of one server, which it knows nothing about.
//!
//! [`Server`] accepts connections and hands each request to a handler, which answers it or has [`Proxy::forward`] do so.
//! Bodies are streams in both directions: a chunk is read when the other side has taken the one before, so memory does
//! not depend on their size. Nothing is limited in time but connecting and the arrival of a request's head.
//!
//! `headers` says what is changed on the way, and `target` what is encoded in a request's target; `expect` lets the server decide whether a body shall come, `tunnel` joins
//! the two connections of a web socket, and `link` and `linger` see to it that an answer which comes before the request
//! was read is not lost when a connection closes.

mod body;
mod config;
mod connector;
mod expect;
mod failure;
mod headers;
mod linger;
mod link;
mod metric;
mod reverse;
mod server;
mod target;
mod tunnel;
mod upstream;
mod warning_throttle;

pub use body::{Body, empty, full};
pub use config::{ConfigError, Limits, ProxyConfig};
pub use metric::describe as describe_metrics;
pub use reverse::Proxy;
pub use server::{Server, Visitor};
pub use upstream::UpstreamError;
pub use warning_throttle::WarningThrottle;
