//! Accepting connections.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::sleep,
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

/// Has every connection served by `converse` until `stopped` becomes true, then waits for those that are open. At most
/// `connections` are open at once; more wait to be accepted.
pub async fn accept<F>(
    listener: TcpListener,
    connections: usize,
    mut stopped: watch::Receiver<bool>,
    converse: impl Fn(TcpStream, SocketAddr) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    // Of this address, so that a crowd at one keeps nobody from another.
    let places = Arc::new(Semaphore::new(connections));
    let mut open = JoinSet::new();
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            accepted = accepted => accepted,
            _ = stopped.changed() => break,
        };
        while open.try_join_next().is_some() {}
        match accepted {
            Ok((stream, peer)) => {
                // What is sent is complete as it is; waiting to fill a segment would only delay it.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "no TCP_NODELAY");
                }
                let connection = converse(stream, peer);
                open.spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            // Out of file handles, for example: others may close in the meantime.
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    while open.join_next().await.is_some() {}
}
