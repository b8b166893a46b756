//! What a server says of its page when it starts.
//!
//! Whoever sits at its terminal may see the token: they can read its file too. A log is kept, copied and read by others, so what
//! goes there has no token in it.
use std::io::{self, IsTerminal as _};
use std::net::SocketAddr;

use crate::{lan, output, token};

/// Tells where the page is, by address and whether a key is wanted there: to a terminal with the token, to a log without it.
pub(crate) fn tell(listening: &[(SocketAddr, bool)], token: &str) {
    if io::stderr().is_terminal() {
        for line in lines(listening, Some(token)) {
            output::complain(&line);
        }
    } else {
        for line in lines(listening, None) {
            tracing::info!("{line}");
        }
    }
}

fn lines(listening: &[(SocketAddr, bool)], token: Option<&str>) -> Vec<String> {
    let mut lines: Vec<String> = listening
        .iter()
        .map(|(address, wants_key)| match token {
            _ if *wants_key => format!("your photos: {}, with the key of this address", token::bare_page(*address)),
            Some(token) => format!("your photos: {}", token::page(*address, token)),
            None => format!(
                "your photos: {}; `viewfinder open --print` shows this address with its key, which does not belong into a log",
                token::bare_page(*address)
            ),
        })
        .collect();
    let open: Vec<SocketAddr> =
        listening.iter().filter(|(_, wants_key)| !wants_key).map(|(address, _)| *address).collect();
    let others = open.iter().flat_map(|address| lan::reachable(*address)).next();
    match others {
        _ if open.is_empty() => {}
        Some(address) => lines.push(format!(
            "from another machine: {}, with a key that `viewfinder key new` makes",
            token::bare_page(address)
        )),
        None => lines.push(format!(
            "other machines do not reach it: for them, set `listen` to [\"[::]:{}\"] (VIEWFINDER_LISTEN)",
            open[0].port()
        )),
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_told_the_token_and_a_log_is_not() {
        let listening: Vec<(SocketAddr, bool)> =
            vec![("127.0.0.1:3003".parse().unwrap(), false), ("192.168.1.5:8443".parse().unwrap(), true)];
        let terminal = lines(&listening, Some("secret")).join("\n");
        assert!(terminal.starts_with("your photos: http://localhost:3003/photos#key=secret\n"), "{terminal}");
        assert!(
            terminal.contains("http://192.168.1.5:8443/photos, with the key of this address"),
            "{terminal}"
        );
        assert!(terminal.ends_with("(VIEWFINDER_LISTEN)"), "{terminal}");
        let log = lines(&listening, None).join("\n");
        assert!(
            log.starts_with("your photos: http://localhost:3003/photos; `viewfinder open --print`"),
            "{log}"
        );
        let open = lines(&[("192.168.1.5:3003".parse().unwrap(), false)], None).join("\n");
        assert!(open.ends_with("from another machine: http://192.168.1.5:3003/photos, with a key that `viewfinder key new` makes"), "{open}");
    }
}
