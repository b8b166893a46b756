//! The proxy between real sockets.

mod bodies;
mod heads;
mod support;
mod trouble;
mod tunnels;
