//! The proxy between real sockets.

mod bodies;
mod crowd;
mod encrypted;
mod heads;
mod support;
mod trouble;
mod tunnels;
