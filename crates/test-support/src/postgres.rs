//! A real PostgreSQL for tests and measurements.
use std::{
    fs,
    io::{self, Write as _},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread::sleep,
    time::Duration,
};

use postgres::{Client, NoTls, SimpleQueryMessage};

use crate::postgres_package::PostgresVersion;

/// The name of its superuser, and of the database that always exists.
const NAME: &str = "postgres";

/// A server of its own on 127.0.0.1, with its data in a temporary folder. It stops when this is dropped, or when the program ends,
/// however it ends.
pub struct PostgresServer {
    keeper: Child,
    folder: PathBuf,
    port: u16,
    databases: AtomicU32,
}

/// Starts the server, obeys `stop` and `start`, and when nobody is there to give orders stops it and takes everything away.
const KEEPER: &str = r#"
folder=$1; shift
"$@" >"$folder/log" 2>&1 & server=$!
while read -r order; do
    case $order in
        stop) kill -INT $server; wait $server ;;
        start) "$@" >>"$folder/log" 2>&1 & server=$! ;;
    esac
done
kill -INT $server; wait $server
rm -rf "$folder"
"#;

impl PostgresServer {
    /// Fetches what is missing and starts a PostgreSQL 16 with pgvector, with more settings (`name=value`) if wanted.
    pub fn start(settings: &[&str]) -> Self {
        Self::start_version(PostgresVersion::V16, settings)
    }

    /// The same of another version.
    pub fn start_version(version: PostgresVersion, settings: &[&str]) -> Self {
        Self::start_with(version, settings, &[])
    }

    /// A PostgreSQL 14 that encrypts, with a certificate and its key as PEM. `rules`, as of `pg_hba.conf`, say which users beside
    /// [`Self::sql`]'s come how.
    pub fn start_encrypted(certificate: &str, key: &str, rules: &str) -> Self {
        let rules = format!("host all {NAME} 127.0.0.1/32 trust\n{rules}\n");
        let files = [("server.crt", certificate), ("server.key", key), ("pg_hba.conf", &rules)];
        Self::start_with(PostgresVersion::V14, &["ssl=on"], &files)
    }

    /// With files in the folder of its data.
    fn start_with(version: PostgresVersion, settings: &[&str], files: &[(&str, &str)]) -> Self {
        let temporary = tempfile::Builder::new().prefix("viewfinder-postgres").tempdir();
        let temporary = temporary.unwrap_or_else(|error| panic!("no temporary folder: {error}"));
        let folder = temporary.path();
        let installation = version.unpack(folder);
        let data = folder.join("data");
        let give_away = || {
            if is_root() {
                run(Command::new("chown").args(["-R", "nobody"]).arg(folder));
            }
        };
        give_away();
        let bin = installation.join("bin");
        run(as_plain_user(&bin.join("initdb"))
            .args([
                "--username",
                NAME,
                "--auth",
                "trust",
                "--encoding",
                "UTF8",
                "--no-locale",
                "--no-sync",
                "-D",
            ])
            .arg(&data));
        for (name, content) in files {
            write_private(&data.join(name), content)
                .unwrap_or_else(|error| panic!("{name} cannot be written: {error}"));
        }
        give_away();
        let port = free_port();
        let server = as_plain_user(&bin.join("postgres"));
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER, "sh"]).arg(folder);
        keeper.arg(server.get_program()).args(server.get_args());
        keeper.arg("-D").arg(&data).args(["-h", "127.0.0.1", "-p", &port.to_string()]);
        for setting in ["unix_socket_directories=", "fsync=off"].iter().chain(settings) {
            keeper.args(["-c", setting]);
        }
        let keeper = keeper
            .stdin(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("a shell does not start: {error}"));
        let server = Self { keeper, folder: temporary.keep(), port, databases: AtomicU32::new(0) };
        server.wait_until(true);
        server
    }

    /// Makes an empty database and returns its address.
    pub fn new_database(&self) -> String {
        self.create("")
    }

    /// Makes a copy of a database, which nobody may be connected to, and returns its address.
    pub fn copy_of(&self, url: &str) -> String {
        let template = url.rsplit('/').next().unwrap_or(url);
        self.create(&format!("TEMPLATE {template}"))
    }

    fn create(&self, options: &str) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql(NAME, &format!("CREATE DATABASE {name} {options}"));
        self.url(&name)
    }

    /// The address of a database.
    pub fn url(&self, database: &str) -> String {
        format!("postgresql://{NAME}@127.0.0.1:{}/{database}", self.port)
    }

    /// Runs statements in a database as superuser, and returns what they give: values parted by `|`.
    pub fn sql(&self, database: &str, statements: &str) -> String {
        let url = self.url(database);
        let run = || -> Result<String, postgres::Error> {
            let rows = Client::connect(&url, NoTls)?.simple_query(statements)?;
            let rows = rows.iter().filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => Some(row),
                _ => None,
            });
            let value = |row: &postgres::SimpleQueryRow, at| row.get(at).unwrap_or_default().to_owned();
            let line =
                |row| (0..postgres::SimpleQueryRow::len(row)).map(|at| value(row, at)).collect::<Vec<_>>();
            Ok(rows.map(|row| line(row).join("|")).collect::<Vec<_>>().join("\n"))
        };
        // Of its own, because it blocks, which a thread of an asynchronous runtime must not.
        let result = std::thread::scope(|scope| scope.spawn(run).join());
        match result {
            Ok(Ok(text)) => text,
            Ok(Err(error)) => panic!("{statements}: {error:?}"),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    /// Stops the server; connections break.
    pub fn stop(&mut self) {
        self.order("stop");
        self.wait_until(false);
    }

    /// Starts it again after [`Self::stop`].
    pub fn start_again(&mut self) {
        self.order("start");
        self.wait_until(true);
    }

    fn order(&mut self, order: &str) {
        let orders = self.keeper.stdin.as_mut().expect("it was opened above");
        writeln!(orders, "{order}").unwrap_or_else(|error| panic!("the server's keeper is gone: {error}"));
    }

    fn wait_until(&self, accepts: bool) {
        let url = self.url(NAME);
        for _ in 0..1200 {
            let connects = || Client::connect(&url, NoTls).is_ok();
            if std::thread::scope(|scope| scope.spawn(connects).join().is_ok_and(|is| is == accepts)) {
                return;
            }
            sleep(Duration::from_millis(50));
        }
        let log = self.folder.join("log");
        panic!("PostgreSQL does not react: {}", fs::read_to_string(log).unwrap_or_default());
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait(); // whatever it returns, it is gone
    }
}

/// PostgreSQL takes no key that others may read.
fn write_private(path: &Path, content: &str) -> io::Result<()> {
    fs::write(path, content)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
}

/// PostgreSQL refuses to run as root.
fn as_plain_user(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=nobody", "--regid=65534", "--clear-groups", "--"]).arg(program);
    command
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.starts_with(b"0"))
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    listener.unwrap_or_else(|error| panic!("no free port: {error}")).port()
}

/// Runs a program to its end, from a folder that any user may read, and returns what it printed.
fn run(command: &mut Command) -> String {
    let output = command
        .current_dir("/")
        .output()
        .unwrap_or_else(|error| panic!("{} does not start: {error}", command.get_program().display()));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{command:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text.trim_end().to_owned()
}
