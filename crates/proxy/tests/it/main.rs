//! The proxy between real sockets.

mod bodies;
mod encrypted;
mod heads;
mod support;
mod trouble;
mod tunnels;
