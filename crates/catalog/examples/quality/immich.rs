//! Text search as Immich 2.7.5 does it: pieces of two CJK characters, trigrams of the whole text, similarity above 0.5, newest first.
use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use postgres::{Client, NoTls};
use tempfile::TempDir;

use super::ours::Readings;

pub(crate) struct Immich {
    client: Client,
    server: Child,
    _folder: TempDir,
}

impl Immich {
    pub(crate) fn new(package: &Path, readings: &Readings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let data = folder.path().join("data");
        let bin = package.join("native/bin");
        // PostgreSQL refuses to run as root.
        let plain = |program: &str| {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(bin.join(program));
            command.stdout(Stdio::null()).stderr(Stdio::null());
            command
        };
        let made = plain("initdb")
            .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-D"])
            .arg(&data)
            .status();
        assert!(made.unwrap().success(), "initdb");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
        let server = plain("postgres")
            .arg("-D")
            .arg(&data)
            .args(["-h", "127.0.0.1", "-p", &port, "-c", "unix_socket_directories="])
            .spawn()
            .unwrap();
        let url = format!("postgresql://postgres@127.0.0.1:{port}/postgres");
        let mut tries = 0;
        let mut client = loop {
            match Client::connect(&url, NoTls) {
                Ok(client) => break client,
                Err(error) if tries == 100 => panic!("{error}"),
                Err(_) => sleep(Duration::from_millis(100)),
            }
            tries += 1;
        };
        client
            .batch_execute(
                "CREATE EXTENSION unaccent; CREATE EXTENSION pg_trgm;
                 CREATE FUNCTION f_unaccent(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT unaccent('unaccent', $1) $$;
                 CREATE TABLE ocr_search (id serial, path text, text text);",
            )
            .unwrap();
        for (path, lines) in readings {
            let text = lines.iter().map(|line| tokens(line)).collect::<Vec<_>>().join(" ");
            client.execute("INSERT INTO ocr_search (path, text) VALUES ($1, $2)", &[path, &text]).unwrap();
        }
        Self { client, server, _folder: folder }
    }

    pub(crate) fn search(&mut self, query: &str) -> Vec<String> {
        let rows = self.client.query(
            "SELECT path FROM ocr_search WHERE f_unaccent(text) %>> f_unaccent($1) ORDER BY id DESC LIMIT 10",
            &[&tokens(query)],
        );
        rows.unwrap().iter().map(|row| row.get(0)).collect()
    }
}

impl Drop for Immich {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Runs of CJK become overlapping pairs, everything else words.
fn tokens(line: &str) -> String {
    let is_cjk = |c: char| matches!(c, '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' | '\u{3040}'..='\u{30ff}' | '\u{ac00}'..='\u{d7af}');
    let mut tokens: Vec<String> = Vec::new();
    for word in line.split(|c: char| c <= ' ').filter(|word| !word.is_empty()) {
        let letters: Vec<char> = word.chars().collect();
        for run in letters.chunk_by(|one, next| is_cjk(*one) == is_cjk(*next)) {
            if is_cjk(run[0]) && run.len() > 1 {
                tokens.extend(run.windows(2).map(|pair| pair.iter().collect::<String>()));
            } else {
                tokens.push(run.iter().collect());
            }
        }
    }
    tokens.join(" ")
}
