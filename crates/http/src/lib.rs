//! Connections, under whatever HTTP is spoken on them: [`listen`] and [`accept`] for servers, [`Connector`] for clients.
//! `connection_limit` bounds a server's connections, and says who leaves when they run short; [`proxy`] passes what its
//! handler does not answer on to one server.

mod connection;
mod connection_limit;
mod connector;
mod heads;
mod listen;

pub mod proxy;

pub use connection::Connection;
pub use connection_limit::{ActiveRequest, Answer, Place, RequestBody, client};
pub use connector::{Connector, EncryptionError, certificate_error};
pub use heads::head_error;
pub use listen::{BindError, accept, listen};
