//! By which addresses other machines reach this one.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Beginnings of names that programs give to networks within a machine.
const INNER: [&str; 6] = ["docker", "br-", "veth", "virbr", "cni", "podman"];

/// The addresses at which other machines can open what listens here, the likeliest first; none where only this machine can.
pub(crate) fn reachable(listening: SocketAddr) -> Vec<SocketAddr> {
    let of = |ip: IpAddr| SocketAddr::new(ip, listening.port());
    match listening.ip() {
        ip if ip.is_loopback() => Vec::new(),
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => own(false).into_iter().map(of).collect(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => own(true).into_iter().map(of).collect(),
        ip => vec![of(ip)],
    }
}

/// This machine's own addresses in its networks; those of IPv6 only where there are no others, for nobody likes to type them.
fn own(version_6: bool) -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let likeliest = default_route();
    let mut found: Vec<(bool, bool, IpAddr)> = interfaces
        .into_iter()
        .filter(|interface| !interface.is_loopback() && !interface.is_link_local())
        .map(|interface| {
            let inner = INNER.iter().any(|start| interface.name.starts_with(start));
            (Some(interface.ip()) != likeliest, inner, interface.ip())
        })
        .collect();
    found.sort();
    found.dedup();
    let (version_4s, version_6s): (Vec<_>, Vec<_>) =
        found.into_iter().map(|(.., ip)| ip).partition(IpAddr::is_ipv4);
    if version_4s.is_empty() && version_6 { version_6s } else { version_4s }
}

/// The address by which this machine speaks to the world. Nothing is sent: the system only looks for a way to an address that is
/// nobody's (RFC 5737).
fn default_route() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    socket.local_addr().ok().map(|address| address.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_listens_for_this_machine_alone_is_reached_by_no_other() {
        for here in ["127.0.0.1:3003", "[::1]:3003"] {
            assert!(reachable(here.parse().unwrap()).is_empty(), "{here}");
        }
        let own: SocketAddr = "192.168.1.5:80".parse().unwrap();
        assert_eq!(reachable(own), [own]);
        for everywhere in ["0.0.0.0:3003", "[::]:3003"] {
            let found = reachable(everywhere.parse().unwrap());
            assert!(found.iter().all(|found| !found.ip().is_loopback() && found.port() == 3003), "{found:?}");
        }
    }
}
