//! Clients of other engines ("nodes"), which answer in the engine's own types.
//!
//! A [`Node`] speaks one of three protocols ([`NodeKind`]) and turns a [`PictureRequest`] or a [`SentenceRequest`]
//! into HTTP requests and their answers back, so that a router can send any task to any node. Requests go through
//! `client`, over connections that are kept; `form` frames a picture without copying it; `refusal` understands how
//! peers say no; `immich` and `mt_photos` know the protocols, with the types of `wire`. Every way this
//! can go wrong is a [`NodeError`].
//!
//! What a protocol leaves out: vectors come without landmarks from faces that are recognised (zero), MT Photos' lines
//! have one score for both and upright corners, and neither protocol names an OCR profile: a node uses its own.
//!
//! [`PictureRequest`]: viewfinder_core::PictureRequest
//! [`SentenceRequest`]: viewfinder_core::SentenceRequest

mod address;
mod body;
mod client;
mod config;
mod error;
mod form;
mod found;
mod immich;
mod mt_photos;
mod node;
mod picture;
mod refusal;
mod words;

pub use address::check_url;
pub use config::{ConfigError, NodeConfig, NodeKind, Secret, UnknownKind};
pub use error::NodeError;
pub use node::Node;
