use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;

use crate::proxy::{Visitor, metric};

/// Joins two connections that change their protocol, until one of them ends or the server stops.
pub(crate) fn join(client: OnUpgrade, server: OnUpgrade, visitor: Visitor) {
    tokio::spawn(async move {
        let (client, server) = match tokio::try_join!(client, server) {
            Ok(both) => both,
            Err(error) => {
                tracing::debug!(%error, "a connection did not change its protocol");
                return;
            }
        };
        let _open = metric::Tunnel::open();
        let (mut client, mut server) = (TokioIo::new(client), TokioIo::new(server));
        tokio::select! {
            ended = copy_bidirectional(&mut client, &mut server) => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a tunnel broke");
                }
            }
            // Such connections never end by themselves; their clients connect again.
            () = visitor.stop.cancelled() => {}
        }
    });
}
