//! Re-runs: pictures are read again, or embedded again, one after the other, by jobs that outlive their requests.
//!
//! A request says which pictures, and is answered at once (`routes`; `immich` is the route of Immich's own jobs). The jobs
//! are plain data in a `table`, kept in a `file` too. A `queue` has two tasks that take one picture at a time from it and do it
//! (`task`), each user in turn.

mod file;
mod immich;
mod job;
mod queue;
mod routes;
mod start;
mod table;
mod task;

pub(crate) use immich::{PATH as IMMICH_PATH, answer as answer_immich};
pub(crate) use queue::Queue;
pub(crate) use routes::{answer, is_ours};
