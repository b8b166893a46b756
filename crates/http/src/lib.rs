//! Connections, under whatever HTTP is spoken on them: [`listen`] and [`accept`] for servers, [`Connector`] for clients. `places` bounds a
//! server's connections, and says who leaves when they run short; `proxy` passes what it does not answer on to one server.

mod connection;
mod connector;
mod heads;
mod listen;
mod places;

pub mod proxy;

pub use connection::Connection;
pub use connector::{Connector, EncryptionError, distrust};
pub use heads::unfit;
pub use listen::{BindError, accept, listen};
pub use places::{Answer, Answering, Place, Receiving, client};
