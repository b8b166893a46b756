//! Our server as a child process, and what processes hold in memory.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use crate::{process, workspace};

/// The program as `cargo build --release` leaves it.
pub(crate) fn program() -> PathBuf {
    workspace().join("target/release/viewfinder")
}

/// The requests that Immich sends, for the fixtures' small models: see [`small_models`].
pub(crate) const TEXT: &str = r#"{"ocr":{"detection":{"modelName":"PP-OCRv6_small","options":{"minScore":0.5,"maxResolution":736}},"recognition":{"modelName":"PP-OCRv6_small","options":{"minScore":0.8}}}}"#;
pub(crate) const FACES: &str = r#"{"facial-recognition":{"detection":{"modelName":"scrfd_2.5g","options":{"minScore":0.7}},"recognition":{"modelName":"buffalo_l"}}}"#;
pub(crate) const CLIP: &str = r#"{"clip":{"visual":{"modelName":"ViT-B-32__openai"}}}"#;
pub(crate) const SENTENCE: &str =
    r#"{"clip":{"textual":{"modelName":"ViT-B-32__openai","options":{"language":"en"}}}}"#;

/// The settings by which a server finds small real models: text readers and a face detector in the tests' store, the rest
/// in the fixtures' cache.
pub(crate) fn small_models() -> String {
    let path = |path: &str| workspace().join(path).display().to_string();
    format!(
        "[store]\nroot = {:?}\nimmich_caches = [{:?}]\n",
        path("target/test-store"),
        path("tests/fixtures/immich-cache")
    )
}

/// Our server with an address, a configuration and a folder of its own.
pub(crate) struct Installation {
    port: u16,
    folder: PathBuf,
}

impl Installation {
    /// Writes the configuration to `target/NAME`: the address, and `settings`.
    pub(crate) fn new(name: &str, port: u16, settings: &str) -> Result<Self> {
        let folder = workspace().join("target").join(name);
        fs::create_dir_all(&folder)?;
        let config = format!("listen = [\"127.0.0.1:{port}\"]\n{settings}");
        fs::write(folder.join("viewfinder.toml"), config)?;
        Ok(Self { port, folder })
    }

    /// HOST:PORT
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(program());
        command.arg("--config").arg(self.folder.join("viewfinder.toml"));
        command
    }

    /// Fetches what [`small_models`] needs.
    pub(crate) fn pull_small_models(&self) -> Result<()> {
        let names = ["runtime", "PP-OCRv6_small", "scrfd_2.5g"];
        names.iter().try_for_each(|name| process::run(self.command().args(["models", "pull", name])))
    }

    /// Starts the server.
    pub(crate) fn start(&self) -> Result<Server> {
        Server::start(self.command().arg("serve"), self.port, &self.folder)
    }
}

/// A server that ends with its owner.
pub(crate) struct Server {
    child: Child,
    log: PathBuf,
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

impl Server {
    /// Runs `command`, which writes its log into `folder`, and waits until something listens on `port`.
    pub(crate) fn start(command: &mut Command, port: u16, folder: &Path) -> Result<Self> {
        let log = folder.join("server.log");
        let output = fs::File::create(&log).with_context(|| log.display().to_string())?;
        let child = command.stdout(output.try_clone()?).stderr(output).stdin(Stdio::null()).spawn()?;
        let server = Self { child, log };
        server.wait_for(port)?;
        Ok(server)
    }

    /// Waits until something listens on `port`.
    pub(crate) fn wait_for(&self, port: u16) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            ensure!(Instant::now() < deadline, "the server does not listen; see {}", self.log.display());
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Bytes of the server in memory now.
    pub(crate) fn resident(&self) -> Result<u64> {
        memory(self.id(), "VmRSS").with_context(|| format!("the server is gone; see {}", self.log.display()))
    }

    /// Time that the server spent on processors so far, in the kernel's ticks.
    pub(crate) fn ticks(&self) -> Result<u64> {
        let path = format!("/proc/{}/stat", self.id());
        let stat = fs::read_to_string(&path).with_context(|| path.clone())?;
        ticks(&stat).with_context(|| format!("no times in {path}"))
    }

    /// Sends the server a signal: `KILL`, `STOP`, `CONT`, `TERM`.
    pub(crate) fn signal(&self, name: &str) -> Result<()> {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.id().to_string()]).status()?;
        ensure!(sent.success(), "the server is gone; see {}", self.log.display());
        Ok(())
    }

    /// Asks the server to end, as a system would, and expects a good end.
    pub(crate) fn stop(mut self) -> Result<()> {
        self.signal("TERM")?;
        let status = self.child.wait()?;
        ensure!(status.success(), "the server ended with {status}; see {}", self.log.display());
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already gone after a good end.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Bytes that the kernel counts for a process under `field`: `VmRSS` is now, `VmHWM` the most ever.
pub(crate) fn memory(process: u32, field: &str) -> Result<u64> {
    let path = format!("/proc/{process}/status");
    let status = fs::read_to_string(&path).with_context(|| path.clone())?;
    amount(&status, field).with_context(|| format!("{field} in {path}"))
}

/// The most bytes ever held by a process and, each counted by itself, by all that descend from it.
pub(crate) fn peak_of_family(root: u32) -> Result<u64> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Some(process) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // Gone since, or not ours to look at.
        let Ok(status) = fs::read_to_string(format!("/proc/{process}/status")) else { continue };
        if let Some(parent) = status.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok())
        {
            parents.push((process, parent));
        }
    }
    family(root, &parents).into_iter().map(|process| memory(process, "VmHWM")).sum()
}

/// A process and its descendants, from pairs of process and parent.
fn family(root: u32, parents: &[(u32, u32)]) -> Vec<u32> {
    let mut members = vec![root];
    let mut seen = 0;
    while seen < members.len() {
        let parent = members[seen];
        let children = parents.iter().filter(|pair| pair.1 == parent && !members.contains(&pair.0));
        let children: Vec<u32> = children.map(|pair| pair.0).collect();
        members.extend(children);
        seen += 1;
    }
    members
}

/// Bytes behind `field:` in a process's status file, which counts in kB.
fn amount(status: &str, field: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Ticks of a process in its own code and in the kernel, from its stat file.
fn ticks(stat: &str) -> Option<u64> {
    // The name stands in brackets and may hold anything; the times are the 12th and 13th words behind it.
    let mut words = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    Some(words.next()?.parse::<u64>().ok()? + words.next()?.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_by_their_whole_name() {
        let status = "Name:\tx\nVmHWM:\t   20 kB\nVmRSS:\t   16 kB\nThreads:\t3\n";
        assert_eq!(amount(status, "VmRSS"), Some(16 * 1024));
        assert_eq!(amount(status, "VmHWM"), Some(20 * 1024));
        assert_eq!(amount(status, "Vm"), None);
        assert_eq!(amount(status, "Threads"), None);
        assert_eq!(amount("", "VmRSS"), None);
    }

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 900 0 3 0 250 31 5 6 20 0 9 0 1234 99 42";
        assert_eq!(ticks(stat), Some(281));
        assert_eq!(ticks("7 (a) S 1 2"), None);
        assert_eq!(ticks(""), None);
    }

    #[test]
    fn a_family_is_all_descendants_and_nobody_else() {
        let parents = [(1, 0), (10, 1), (11, 10), (12, 11), (13, 10), (20, 1), (21, 20)];
        let mut members = family(10, &parents);
        members.sort_unstable();
        assert_eq!(members, [10, 11, 12, 13]);
        assert_eq!(family(21, &parents), [21]);
    }
}
