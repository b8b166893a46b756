//! Where to listen, and which keys are wanted there.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};

use anyhow::{Context as _, bail};
use viewfinder_server::{Key, Listen};

use crate::config::Config;
use crate::keys;

/// Every configured address. Keys are read from their files.
pub(crate) fn addresses(config: &Config) -> anyhow::Result<Vec<Listen>> {
    let mut listen: Vec<Listen> = Vec::new();
    for name in &config.listen {
        let key = key(config, name).with_context(|| format!("listen_keys: {name}"))?;
        for address in name.to_socket_addrs().with_context(|| format!("cannot listen on {name}"))? {
            let new = Listen { address, key: key.clone() };
            match listen.iter().find(|known| known.address == address) {
                None => listen.push(new),
                Some(known) if *known == new => {}
                // Which of two keys it wants must not depend on the order of its names.
                Some(_) => bail!("listen_keys: {name} is {address}, which has another name without this key"),
            }
        }
    }
    Ok(listen)
}

/// Where a program on this machine reaches what listens on an address.
pub(crate) fn from_here(listening: SocketAddr) -> Vec<SocketAddr> {
    let here: &[IpAddr] = match listening.ip() {
        // "Every address" includes those of IPv4, and is only those where there is no IPv6.
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => &[Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()],
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => &[Ipv4Addr::LOCALHOST.into()],
        ip => &[ip],
    };
    here.iter().map(|ip| SocketAddr::new(*ip, listening.port())).collect()
}

fn key(config: &Config, address: &str) -> anyhow::Result<Option<Key>> {
    let Some(source) = config.listen_keys.get(address) else { return Ok(None) };
    Ok(Some(Key::new(&keys::reveal(source)?)?))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::{KeySource, Secret};

    fn config(listen: &[&str], keys: &[(&str, &str)]) -> Config {
        let keys =
            keys.iter().map(|(address, key)| ((*address).to_owned(), KeySource::Written(Secret::new(*key))));
        Config {
            listen: listen.iter().map(|&address| address.to_owned()).collect(),
            listen_keys: keys.collect::<BTreeMap<_, _>>(),
            ..Config::default()
        }
    }

    #[test]
    fn each_address_wants_its_own_key_or_none() {
        let found = addresses(&config(&["[::]:1", "127.0.0.1:2"], &[("127.0.0.1:2", "word")])).unwrap();
        assert_eq!(
            found.iter().map(|listen| listen.key.clone()).collect::<Vec<_>>(),
            [None, Some(Key::new("word").unwrap())]
        );
    }

    #[test]
    fn an_address_by_two_names_is_not_open_by_one_of_them() {
        for names in [["127.0.0.1:1", "127.0.0.1:01"], ["127.0.0.1:01", "127.0.0.1:1"]] {
            assert_eq!(addresses(&config(&names, &[])).unwrap().len(), 1);
            let error = addresses(&config(&names, &[(names[0], "word")])).unwrap_err().to_string();
            assert!(error.contains(names[1]) && !error.contains("word"), "{error}");
        }
    }

    #[test]
    fn what_cannot_be_sent_is_no_key() {
        let error = addresses(&config(&["[::]:1"], &[("[::]:1", "two words")])).unwrap_err();
        let error = format!("{error:#}");
        assert!(
            error.contains("listen_keys: [::]:1: a key is made of") && !error.contains("two words"),
            "{error}"
        );
    }
}
