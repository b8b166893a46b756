//! Requests and answers as they go over the wire. One program, for each costs a link.

mod answers;
mod entries;
mod replies;
