//! What an innocent client sees meanwhile, and what the server holds.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Ipv6Addr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use super::{MB, ground::Ground};
use crate::server::memory;

/// Between two pings.
const PAUSE: Duration = Duration::from_millis(20);
/// A ping that takes as long is none.
const PATIENCE: Duration = Duration::from_secs(10);

/// Watches until it is stopped.
pub(super) struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Duration>>,
    process: u32,
    before: u64,
}

/// What was seen.
pub(super) struct Seen {
    pings: Vec<Duration>,
    before: u64,
    most: u64,
}

impl Watch {
    pub(super) fn start(ground: &Ground) -> Result<Self> {
        let process = ground.server().id();
        let before = ground.server().resident()?;
        // The most ever held is counted anew from here.
        fs::write(format!("/proc/{process}/clear_refs"), "5").context("cannot reset the peak of memory")?;
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, ports) = (Arc::clone(&stop), ground.ports);
        let thread = std::thread::spawn(move || {
            let ways = [(ports[0], "/ping"), (ports[0], "/health"), (ports[1], "/api/server/ping")];
            let mut times = Vec::new();
            for (port, path) in ways.into_iter().cycle() {
                if stopped.load(Ordering::Relaxed) {
                    return times;
                }
                times.push(ping(port, path).unwrap_or(PATIENCE));
                std::thread::sleep(PAUSE);
            }
            times
        });
        Ok(Self { stop, thread, process, before })
    }

    pub(super) fn stop(self) -> Result<Seen> {
        self.stop.store(true, Ordering::Relaxed);
        let mut pings = self.thread.join().expect("the watch does not panic");
        pings.sort_unstable();
        let most = memory(self.process, "VmHWM").context("the server is gone")?;
        Ok(Seen { pings, before: self.before, most })
    }
}

/// Asks on a new connection, as whoever comes new; by another address than the attackers.
fn ping(port: u16, path: &str) -> Option<Duration> {
    let started = Instant::now();
    let mut stream = TcpStream::connect((Ipv6Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    answer.starts_with(b"HTTP/1.1 200 ").then(|| started.elapsed())
}

impl Seen {
    pub(super) fn pings(&self) -> usize {
        self.pings.len()
    }

    /// The longest of so many of a hundred pings.
    pub(super) fn at(&self, part: usize) -> Duration {
        let at = (self.pings.len() * part / 100).min(self.pings.len().saturating_sub(1));
        self.pings.get(at).copied().unwrap_or(PATIENCE)
    }

    pub(super) fn before(&self) -> u64 {
        self.before
    }

    pub(super) fn grown(&self) -> u64 {
        self.most.saturating_sub(self.before)
    }

    /// What is over its bound.
    pub(super) fn wrong(&self, ping: Duration, memory: u64) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.at(99) > ping {
            wrong.push(format!("99 of 100 pings took up to {:?}", self.at(99)));
        }
        if self.grown() > memory {
            wrong.push(format!("memory grew by {} MB", self.grown() / MB));
        }
        wrong
    }
}
