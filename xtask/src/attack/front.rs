//! Private routes, directly and behind the reverse proxies that people have, as they come out of the box.

use std::{
    fs,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use super::{Outcome, ground::Ground};
use crate::{http, server};

/// Every route that shows or changes something of somebody's photos.
const PRIVATE: &[(&str, &str)] = &[
    ("GET", "/api/v1/search"),
    ("GET", "/api/v1/assets/1"),
    ("GET", "/api/v1/assets/1/similar"),
    ("GET", "/api/v1/assets/1/thumbnail"),
    ("GET", "/api/v1/assets/1/file"),
    ("PATCH", "/api/v1/assets/1/lines/0"),
    ("POST", "/api/v1/assets/1/rerun"),
    ("POST", "/api/v1/rerun"),
    ("GET", "/api/v1/people"),
    ("PATCH", "/api/v1/people/1"),
    ("GET", "/api/v1/jobs"),
    ("GET", "/api/v1/failures"),
    ("GET", "/api/v1/status"),
];

/// What strangers carry: nothing, or what proxies and browsers might be thought to vouch for.
const STRANGERS: &[&str] = &[
    "",
    "X-Forwarded-For: 127.0.0.1\r\n",
    "Forwarded: for=127.0.0.1;host=localhost\r\n",
    "X-Real-IP: ::1\r\n",
    "Authorization: Bearer wrong\r\n",
    "Cookie: viewfinder_token=wrong; viewfinder_key=wrong\r\n",
    "Origin: http://localhost\r\n",
];

pub(super) fn directly(ground: &Ground) -> Result<Outcome> {
    table(ground, &ground.gateway(), &["localhost", "127.0.0.1", "photos.example"])
}

/// nginx as its own documentation begins: `proxy_pass` and nothing else.
pub(super) fn nginx(ground: &Ground) -> Result<Outcome> {
    let port = server::free_port()?;
    let folder = ground.scratch("nginx")?;
    let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {0}/{name};", folder.display()))
        .concat();
    let config = format!(
        "daemon off; pid {0}/pid; error_log {0}/error.log; events {{}}\nhttp {{ access_log off; {paths}\n\
         server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://{1}; }} }} }}\n",
        folder.display(),
        ground.gateway()
    );
    fs::write(folder.join("nginx.conf"), config)?;
    let mut command = Command::new("nginx");
    command.arg("-p").arg(&folder).arg("-c").arg(folder.join("nginx.conf"));
    let _front = Front::start(&mut command, port)?;
    table(ground, &format!("127.0.0.1:{port}"), &["localhost", "photos.example"])
}

/// Caddy as its own documentation begins: one command.
pub(super) fn caddy(ground: &Ground) -> Result<Outcome> {
    let port = server::free_port()?;
    let folder = ground.scratch("caddy")?;
    let mut command = Command::new("caddy");
    command.args(["reverse-proxy", "--from", &format!("http://:{port}"), "--to", &ground.gateway()]);
    // Its own data and its door for administrators.
    command.env("XDG_DATA_HOME", &folder).env("XDG_CONFIG_HOME", &folder).env("HOME", &folder);
    let _front = Front::start(&mut command, port)?;
    table(ground, &format!("127.0.0.1:{port}"), &["localhost", "photos.example"])
}

/// A proxy that ends with its owner.
struct Front(Child);

impl Front {
    fn start(command: &mut Command, port: u16) -> Result<Self> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let front = Self(child.with_context(|| format!("cannot start {}", command.get_program().display()))?);
        let deadline = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            ensure!(Instant::now() < deadline, "the proxy does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(front)
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        // It has children of its own, which end with it if they are asked.
        drop(Command::new("kill").arg(self.0.id().to_string()).status());
        drop(self.0.wait());
    }
}

/// Strangers are refused everywhere, and the token is let in by each of its carriers.
fn table(ground: &Ground, address: &str, hosts: &[&str]) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let mut ask = |method: &str, path: &str, host: &str, headers: &str| -> Result<(u16, String)> {
        outcome.sent += 1;
        let body: &[u8] = if method == "GET" { b"" } else { b"{}" };
        let kind =
            if method == "GET" { "" } else { "Content-Type: application/json\r\nContent-Length: 2\r\n" };
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{kind}{headers}\r\n");
        http::whole(address, &head, body)
    };
    let mut wrong = Vec::new();
    for host in hosts {
        for (method, path) in PRIVATE {
            for stranger in STRANGERS {
                let (status, _) = ask(method, path, host, stranger)?;
                if !matches!(status, 401 | 403 | 421) {
                    wrong.push(format!("{method} {path} of {host} answers {status} to {stranger:?}"));
                }
            }
        }
        let (_, page) = ask("GET", &format!("/photos?token={}", ground.token), host, "")?;
        let cookie = page.lines().find_map(|line| {
            line.to_ascii_lowercase()
                .starts_with("set-cookie: ")
                .then(|| line["set-cookie: ".len()..].to_owned())
        });
        let cookie = cookie.with_context(|| format!("{host} gives no cookie for the token"))?;
        let cookie = format!("Cookie: {}\r\n", cookie.split(';').next().unwrap_or_default());
        for carrier in [cookie, format!("Authorization: Bearer {}\r\n", ground.token)] {
            let (status, _) = ask("GET", "/api/v1/status", host, &carrier)?;
            if status != 200 {
                wrong.push(format!(
                    "{host} answers {status} to {}",
                    carrier.split(' ').next().unwrap_or_default()
                ));
            }
        }
    }
    outcome.wrong = wrong;
    Ok(outcome)
}
