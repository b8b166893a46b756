//! Connections, under whatever HTTP is spoken on them: [`listen`] and [`accept`] for servers, [`Connector`] for clients.

mod connector;
mod listen;

pub use connector::{Connector, EncryptionError, distrust};
pub use listen::{BindError, accept, listen};
