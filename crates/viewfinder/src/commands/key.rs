//! Keys that open the page of photos on other machines.
use std::io::{self, IsTerminal as _};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use qrcode::{QrCode, render::unicode::Dense1x2};
use serde_json::json;

use super::look::json_line;
use crate::cli::KeyVerb;
use crate::config::Loaded;
use crate::failure::{Failure, Outcome};
use crate::page_keys::PageKeys;
use crate::{lan, listen, output, token};

/// A server answers this at once.
const PATIENCE: Duration = Duration::from_secs(5);
/// A server looks for new keys every second.
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_millis(500);

/// Black on white whatever the terminal's colours are: not every telephone reads white on black.
const ON_WHITE: &str = "\x1b[30;107m";
const PLAIN: &str = "\x1b[0m";

/// Makes, lists and takes away keys.
pub(crate) fn run(verb: &KeyVerb, loaded: &Loaded) -> Result<Outcome, Failure> {
    let keys = PageKeys::of_this_user().map_err(Failure::Environment)?;
    match verb {
        KeyVerb::New { name, json, .. } => new(&keys, name.as_deref(), *json, loaded),
        KeyVerb::List { json } => list(&keys, *json),
        KeyVerb::Remove { name } => remove(&keys, name),
    }
}

/// What the server that runs here says to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Server {
    Takes,
    /// It answers, and does not know the key: it is somebody else's.
    Refuses,
    Silent,
}

fn new(keys: &PageKeys, name: Option<&str>, json: bool, loaded: &Loaded) -> Result<Outcome, Failure> {
    let addresses = listen::addresses(&loaded.config).map_err(Failure::Usage)?;
    let open: Vec<SocketAddr> =
        addresses.iter().filter(|listen| listen.key.is_none()).map(|listen| listen.address).collect();
    if open.is_empty() {
        return Err(Failure::Usage(anyhow!(
            "every address wants a key of its own (listen_keys); open /photos there and enter that one"
        )));
    }
    let (name, key) = keys.make(name).map_err(Failure::Usage)?;
    let reachable: Vec<SocketAddr> = open.iter().flat_map(|address| lan::reachable(*address)).collect();
    let pages: Vec<String> = reachable.iter().map(|address| token::page(*address, &key)).collect();
    let server = ask(&open, &key);
    if json {
        let works = server == Server::Takes;
        json_line(&json!({ "name": name, "key": key, "pages": pages, "works_now": works }))?;
    } else {
        tell(&name, &key, &pages, &open)?;
    }
    match server {
        Server::Takes => {}
        Server::Refuses => output::complain(
            "the server that runs here does not know this key: it belongs to another user; make the key as that user, such as \
             `sudo -u viewfinder viewfinder key new`, and in a container, within it",
        ),
        Server::Silent => {
            output::complain("no server runs here; the key works as soon as `viewfinder serve` does");
        }
    }
    Ok(Outcome::Done)
}

fn tell(name: &str, key: &str, pages: &[String], open: &[SocketAddr]) -> Result<(), Failure> {
    if let Some(page) = pages.first() {
        for line in ["Open this on the other machine:", "", &format!("  {page}"), ""] {
            output::line(line)?;
        }
        if io::stdout().is_terminal() {
            output::text(&picture(page)?)?;
        }
        for other in &pages[1..] {
            output::line(&format!("or, in another network: {other}"))?;
        }
    } else {
        let port = open.first().map_or(3003, SocketAddr::port);
        for line in [
            &format!("The key is {key}"),
            "",
            &format!(
                "Only this machine reaches Viewfinder now. For others, set `listen` to [\"[::]:{port}\"] (VIEWFINDER_LISTEN=[::]:{port}), \
                 start `viewfinder serve` again, and enter the key on the page"
            ),
        ] {
            output::line(line)?;
        }
    }
    output::line("")?;
    output::line(&format!(
        "Whoever has the key sees all photos; `viewfinder key remove {name}` takes it away again"
    ))?;
    Ok(())
}

/// A QR code of a text, for a terminal.
fn picture(text: &str) -> anyhow::Result<String> {
    let code = QrCode::new(text).context("the address is too long for a QR code")?;
    let picture = code.render::<Dense1x2>().quiet_zone(true).build();
    Ok(picture.lines().flat_map(|line| [ON_WHITE, line, PLAIN, "\n"]).collect())
}

fn list(keys: &PageKeys, json: bool) -> Result<Outcome, Failure> {
    let names = keys.names().map_err(Failure::Environment)?;
    if names.is_empty() && !json {
        output::complain("there are no keys; `viewfinder key new` makes one");
    }
    for name in names {
        if json {
            json_line(&json!({ "name": name }))?;
        } else {
            output::line(&name)?;
        }
    }
    Ok(Outcome::Done)
}

fn remove(keys: &PageKeys, name: &str) -> Result<Outcome, Failure> {
    if !keys.remove(name).map_err(Failure::Usage)? {
        return Err(Failure::Usage(anyhow!(
            "there is no key named {name}; `viewfinder key list` tells them"
        )));
    }
    output::line(&format!("{name}: removed; it opens nothing any more"))?;
    Ok(Outcome::Done)
}

/// Does the server that runs here take the key?
fn ask(open: &[SocketAddr], key: &str) -> Server {
    let here: Vec<SocketAddr> = open.iter().flat_map(|address| listen::from_here(*address)).collect();
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        // The server is near.
        .proxy(None)
        .timeout_global(Some(PATIENCE))
        .build()
        .into();
    let status = |address: &SocketAddr| {
        let request = agent.get(format!("http://{address}/api/v1/status"));
        request
            .header("authorization", format!("Bearer {key}"))
            .call()
            .ok()
            .map(|answer| answer.status().as_u16())
    };
    let mut found = Server::Silent;
    for _ in 0..TRIES {
        found = match here.iter().find_map(status) {
            None => return Server::Silent,
            Some(401 | 429) => Server::Refuses,
            Some(_) => return Server::Takes,
        };
        std::thread::sleep(PAUSE);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_black_on_white_with_a_margin_and_fits_a_terminal() {
        let page = format!("http://192.168.178.100:3003/photos#key={}", "0".repeat(32));
        let drawn = picture(&page).unwrap();
        let lines: Vec<&str> = drawn
            .lines()
            .map(|line| line.strip_prefix(ON_WHITE).unwrap().strip_suffix(PLAIN).unwrap())
            .collect();
        assert!(lines.len() <= 24 && lines.iter().all(|line| line.chars().count() <= 80), "{drawn}");
        assert!(lines[0].chars().all(|cell| cell == ' '));
        assert!(lines.iter().all(|line| line.starts_with("    ") && line.ends_with("    ")));
        assert!(lines[2].starts_with("    █▀▀▀▀▀█"), "{}", lines[2]);
    }
}
