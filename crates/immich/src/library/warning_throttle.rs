//! Warnings of searches and jobs, which are told once in a while for each cause and caller.

use std::net::IpAddr;

use uuid::Uuid;
use viewfinder_http::proxy::Visitor;

use crate::library::Caller;

/// Warnings, by the stable code of their cause and by who gave it.
pub type WarningThrottle = viewfinder_http::proxy::WarningThrottle<(&'static str, Who)>;

/// Who gave cause for a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// A user.
    User(Uuid),
    /// The other end of a connection; who asks is not known.
    Peer(IpAddr),
}

impl From<&Caller> for Who {
    fn from(caller: &Caller) -> Self {
        Self::User(caller.user)
    }
}

impl From<&Visitor> for Who {
    fn from(visitor: &Visitor) -> Self {
        Self::Peer(visitor.address.ip())
    }
}
