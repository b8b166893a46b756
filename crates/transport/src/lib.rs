//! Connections, under whatever HTTP is spoken on them: [`listen`] and [`accept`] for servers, [`Connector`] for clients. `places` bounds a
//! server's connections, and says who leaves when they run short.

mod connection;
mod connector;
mod heads;
mod listen;
mod places;

pub use connection::Connection;
pub use connector::{Connector, EncryptionError, distrust};
pub use heads::unfit;
pub use listen::{BindError, accept, listen};
pub use places::{Answer, Answering, Place, Receiving, client};
