//! Addresses of other servers, tried for their form before anything is asked of them. What is wrong is told without the address,
//! which may hold a password.
use viewfinder_catalog::postgres::Pool;
use viewfinder_cluster::nodes::NodeKind;
use viewfinder_http::proxy::ProxyConfig;

use super::settings::Config;

/// What is wrong, each with the key of its setting.
pub(super) fn check(config: &Config) -> Vec<(String, String)> {
    let node = |url: &str| viewfinder_cluster::nodes::check_url(url).map_err(|error| error.to_string());
    let database = |url: &str| Pool::new(url).map(drop).map_err(|error| error.to_string());
    let immich = |url: &str| ProxyConfig::new(url).check().map_err(|error| error.to_string());
    let mut wrong = Vec::new();
    let mut tell = |key: &str, found: Result<(), String>| {
        wrong.extend(found.err().map(|message| (key.to_owned(), message)));
    };
    for (key, url) in [
        ("store.hf_endpoint", &config.store.hf_endpoint),
        ("store.modelscope_endpoint", &config.store.modelscope_endpoint),
        ("store.github_endpoint", &config.store.github_endpoint),
    ] {
        tell(key, url.as_deref().map_or(Ok(()), mirror));
    }
    for (key, url) in
        [("catalog.url", &config.catalog.url), ("companion.database_url", &config.companion.database_url)]
    {
        tell(key, url.as_ref().map_or(Ok(()), |url| database(url.reveal())));
    }
    tell("companion.immich_url", config.companion.immich_url.as_deref().map_or(Ok(()), immich));
    for (key, url) in [
        ("remote.immich_api", &config.remote.immich_api),
        ("remote.mt_photos_api", &config.remote.mt_photos_api),
    ] {
        tell(key, url.as_deref().map_or(Ok(()), node));
    }
    for (index, entry) in config.nodes.iter().enumerate() {
        let named = |message: String| format!("node {}: {message}", entry.name);
        let kind = entry.kind.parse::<NodeKind>().map(drop).map_err(|error| named(error.to_string()));
        tell(&format!("nodes[{index}].kind"), kind);
        tell(&format!("nodes[{index}].url"), node(&entry.url).map_err(named));
    }
    wrong
}

fn mirror(url: &str) -> Result<(), String> {
    let host = url.trim().split_once("://").and_then(|(scheme, rest)| {
        let known = ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
        let host = rest.split(['/', '?', '#']).next()?;
        known.then_some(host)
    });
    match host {
        Some(host) if !host.is_empty() && !host.contains(char::is_whitespace) => Ok(()),
        _ => Err("the address cannot be read; it should look like https://host".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_are_addresses() {
        for good in ["https://mirror.example", "http://[::1]:8080/hub", " https://m/ "] {
            assert!(mirror(good).is_ok(), "{good}");
        }
        for bad in ["", "mirror.example", "ftp://mirror", "https://", "http://a b", "https:/mirror"] {
            assert!(mirror(bad).is_err(), "{bad}");
        }
    }
}
