//! Accepting connections.

use std::{
    io::{self, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use crate::{
    connection::Connection,
    connection_limit::{ConnectionLimiter, client},
};

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}")]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// What the system says.
    pub source: io::Error,
}

/// Listens; where the system has no IPv6, "every address" means every IPv4 address.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, BindError> {
    let result = match TcpListener::bind(address).await {
        Err(error) if address.ip().is_unspecified() && address.is_ipv6() && lacks_ipv6(&error) => {
            TcpListener::bind((IpAddr::from(Ipv4Addr::UNSPECIFIED), address.port())).await
        }
        result => result,
    };
    result.map_err(|source| BindError { address, source })
}

fn lacks_ipv6(error: &io::Error) -> bool {
    // The second is what Linux says where IPv6 is compiled out or disabled at boot (EAFNOSUPPORT).
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(97)
}

/// Has every connection served by `converse` until `stop` is cancelled, then waits for those that are open. At most
/// `connections` are open at once; when they run short, those leave that nobody waits at, see [`Place`].
///
/// [`Place`]: crate::Place
pub async fn accept<F>(
    listener: TcpListener,
    connections: usize,
    stop: CancellationToken,
    converse: impl Fn(Connection, SocketAddr) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    // Of this address, so that a crowd at one keeps nobody from another.
    let places = ConnectionLimiter::new(listener.local_addr().ok(), connections);
    let mut open = JoinSet::new();
    loop {
        let accepted = async {
            let (tcp, peer) = listener.accept().await?;
            let place = places.take(client(peer)).await;
            Ok((tcp, peer, place))
        };
        let accepted = tokio::select! {
            accepted = accepted => accepted,
            () = stop.cancelled() => break,
        };
        while open.try_join_next().is_some() {}
        match accepted {
            Ok((tcp, peer, Some(place))) => {
                // What is sent is complete as it is; waiting to fill a segment would only delay it.
                if let Err(error) = tcp.set_nodelay(true) {
                    tracing::debug!(%error, "no TCP_NODELAY");
                }
                open.spawn(converse(Connection::new(tcp, place), peer));
            }
            Ok((tcp, _, None)) => refuse(tcp),
            Err(error) if is_the_clients(&error) => {
                tracing::debug!(%error, "a connection was gone before it was accepted");
            }
            // Out of descriptors, for example.
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                if !places.give_up_one().await {
                    sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
    drop(listener);
    while open.join_next().await.is_some() {}
}

fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Tells a client that has more than its share, all of it in use, to come later. Nobody waits until it has read this.
fn refuse(tcp: TcpStream) {
    const WORDS: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let told = tcp.into_std().and_then(|mut tcp| {
        tcp.write_all(WORDS)?;
        // To close before a request is read would destroy the answer.
        tcp.read(&mut [0; 16 << 10])
    });
    if let Err(error) = told {
        tracing::debug!(%error, "refused a connection");
    }
}
