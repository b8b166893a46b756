//! Which request is this? Its id and its trace, carried with the work from the request that came in to those that go out
//! to other machines.
//!
//! A server reads a [`Context`] from a request's headers and answers within [`Context::scope`]; a client, however far
//! below, asks for the [`current`] one and writes it into what it sends. Work that moves to a task of its own takes it
//! along with [`in_current_context`]. Traces follow the W3C's recommendation "Trace Context", level 1.

mod context;
mod ids;
mod parent;

pub use context::{Context, REQUEST_ID, current, in_current_context};
