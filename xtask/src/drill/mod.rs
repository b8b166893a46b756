//! Two nodes behind a server, broken in every way, one after the other, while a client asks as Immich's server does.
//!
//! No picture may be lost or answered wrongly, sentences stay quick while one node is well, that server's memory stays
//! bounded, and a node that returns gets work at once. How the nodes share the work is measured first.

mod client;
mod stand_in;

use std::{
    fmt::Write as _,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use self::{
    client::{Course, Questions, Tally, ask_pictures, ask_sentences},
    stand_in::{Manner, StandIn},
};
use crate::{
    bench::machine,
    http,
    machine::{Need, provide},
    process::{self, cargo, say},
    report,
    server::{self, Installation, Server},
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Minutes of outages.
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Print the result without writing BENCHMARKS.md.
    #[arg(long)]
    dry_run: bool,
}

/// What happens to nodes.
#[derive(Clone, Copy)]
enum Outage {
    Killed,
    Frozen,
    Replaced(Manner),
    BothKilled,
}

const OUTAGES: [(Outage, &str); 9] = [
    (Outage::Killed, "killed with -9"),
    (Outage::Frozen, "frozen"),
    (Outage::Replaced(Manner::Failing), "answering 500"),
    (Outage::Replaced(Manner::Sick), "answering 500, but well when probed"),
    (Outage::Replaced(Manner::Noise), "answering what is no HTTP"),
    (Outage::Replaced(Manner::Nonsense), "answering another question, but well when probed"),
    (Outage::Replaced(Manner::CutOff), "answering half, but well when probed"),
    (Outage::Replaced(Manner::Silent), "accepting and never answering"),
    (Outage::BothKilled, "both killed with -9"),
];

/// How long an outage lasts, and the time for which all is well before the next. A frozen node is noticed within 11 s.
const AWAY: Duration = Duration::from_secs(14);
const CALM: Duration = Duration::from_secs(5);
/// How long the sharing of work is watched.
const SHARING: Duration = Duration::from_secs(30);
/// A node that is let run for the second of these times and stopped for the first is three times slower.
const STOPPED: Duration = Duration::from_millis(40);
const RUNNING: Duration = Duration::from_millis(20);

/// What has to be kept.
const SENTENCES_P99: Duration = Duration::from_millis(300);
const FIRST_WORK: Duration = Duration::from_secs(2);
const EQUAL_SHARE: std::ops::RangeInclusive<f64> = 0.45..=0.55;
const THIRD: std::ops::RangeInclusive<f64> = 0.25..=0.45;
/// The memory at most of the server in front, and how much more its mean may be in the last quarter than in the first.
const MEMORY: u64 = 256 << 20;
const GROWTH: f64 = 1.2;

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    provide(&[Need::Pip, Need::Assembler])?;
    process::run(cargo().args(["build", "--release", "--package", "viewfinder"]))?;
    let mut nodes = [Node::new("north")?, Node::new("south")?];
    nodes[0].installation.pull_small_models()?;
    nodes.iter_mut().try_for_each(Node::start)?;
    let gateway = Gateway::start(&nodes)?;

    say("asking the nodes directly");
    let questions = Questions::new(&nodes[0].installation.address())?;
    // The other one must be warm too, before shares are compared.
    Questions::new(&nodes[1].installation.address())?;

    let mut findings = Findings::default();
    let equal = shares(&gateway, &nodes, &questions, &mut findings)?;
    say(&format!("shares of two equal nodes: {:.1} % and {:.1} %", 100.0 * equal[0], 100.0 * equal[1]));
    let slowed = slowed(&nodes[1], || shares(&gateway, &nodes, &questions, &mut findings))??;
    let ratio = slowed[1] / slowed[0];
    say(&format!("a node three times slower gets {ratio:.2} of the other's work"));

    let tally = Tally::default();
    let course = Course::new();
    let length = Duration::from_secs_f64(60.0 * arguments.minutes);
    let address = gateway.installation.address();
    std::thread::scope(|scope| {
        let (address, questions, course, tally) = (&address, &questions, &course, &tally);
        scope.spawn(move || ask_pictures(address, questions, course, tally));
        scope.spawn(move || ask_sentences(address, questions, course, tally));
        let gateway = &gateway;
        let watch = scope.spawn(move || watch_memory(gateway, course));
        let broken = break_in_turns(&mut nodes, gateway, course, tally, length);
        course.over.store(true, Ordering::Relaxed);
        findings.outages = broken?;
        findings.memory = watch.join().expect("watching does not panic")?;
        Ok::<_, anyhow::Error>(())
    })?;
    gateway.server.stop()?;
    findings.equal = equal;
    findings.ratio = ratio;
    findings.take(tally);

    let text = findings.markdown(arguments.minutes)?;
    report::write("Outages", &text, arguments.dry_run)?;
    findings.judge()
}

/// A node, whose server comes and goes.
struct Node {
    name: &'static str,
    port: u16,
    installation: Installation,
    server: Option<Server>,
}

impl Node {
    fn new(name: &'static str) -> Result<Self> {
        let port = server::free_port()?;
        // The two stand for two machines: each gets a core of this one.
        let settings = format!("{}[engine]\nworkers = 1\nthreads = 1\n", server::small_models());
        let installation = Installation::new(&format!("drill/{name}"), port, &settings)?;
        Ok(Self { name, port, installation, server: None })
    }

    fn start(&mut self) -> Result<()> {
        self.server = Some(self.installation.start()?);
        Ok(())
    }

    fn kill(&mut self) {
        self.server = None;
    }

    fn server(&self) -> Result<&Server> {
        self.server.as_ref().with_context(|| format!("{} is not running", self.name))
    }
}

/// The server in front, which answers nothing by itself.
struct Gateway {
    installation: Installation,
    server: Server,
}

impl Gateway {
    fn start(nodes: &[Node]) -> Result<Self> {
        let mut settings = server::small_models();
        let names: Vec<_> = nodes.iter().map(|node| node.name).collect();
        writeln!(settings, "[routes]\ndefault = [{names:?}]")?;
        for node in nodes {
            let address = node.installation.address();
            writeln!(
                settings,
                "[[nodes]]\nname = {:?}\nkind = \"viewfinder\"\nurl = \"http://{address}\"",
                node.name
            )?;
        }
        let installation = Installation::new("drill/gateway", server::free_port()?, &settings)?;
        let server = installation.start()?;
        Ok(Self { installation, server })
    }

    /// Is a node up, and working for the server in front?
    fn gives_work(&self, node: &str) -> Result<bool> {
        let health: Value = serde_json::from_str(&http::get(&self.installation.address(), "/health")?)?;
        let nodes = health["nodes"].as_array().context("no nodes in /health")?;
        let node = nodes.iter().find(|entry| entry["name"] == node).context("the node is not in /health")?;
        Ok(node["up"] == true && node["in_flight"].as_u64() > Some(0))
    }

    /// How long after their return nodes get work.
    fn first_work(&self, mut returned: Vec<(&'static str, Instant)>) -> Result<Vec<Duration>> {
        let mut times = Vec::new();
        while !returned.is_empty() {
            let mut waiting = Vec::new();
            for (name, since) in returned {
                if self.gives_work(name)? || since.elapsed() > 5 * FIRST_WORK {
                    times.push(since.elapsed());
                } else {
                    waiting.push((name, since));
                }
            }
            returned = waiting;
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(times)
    }
}

/// Each node's share of the work for a while: of the processors' time, since a text takes as long as many vectors.
fn shares(
    gateway: &Gateway,
    nodes: &[Node; 2],
    questions: &Questions,
    findings: &mut Findings,
) -> Result<[f64; 2]> {
    let count = || -> Result<[u64; 2]> { Ok([nodes[0].server()?.ticks()?, nodes[1].server()?.ticks()?]) };
    let tally = Tally::default();
    let course = Course::new();
    let address = gateway.installation.address();
    let before = count()?;
    std::thread::scope(|scope| {
        scope.spawn(|| ask_pictures(&address, questions, &course, &tally));
        std::thread::sleep(SHARING);
        course.over.store(true, Ordering::Relaxed);
    });
    let after = count()?;
    findings.take(tally);
    let spent = [after[0] - before[0], after[1] - before[1]];
    Ok(spent.map(|ticks| ticks as f64 / (spent[0] + spent[1]).max(1) as f64))
}

/// Does something while a node runs for a third of the time.
fn slowed<T>(node: &Node, work: impl FnOnce() -> T) -> Result<T> {
    let server = node.server()?;
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let brake = scope.spawn(|| -> Result<()> {
            while !over.load(Ordering::Relaxed) {
                server.signal("STOP")?;
                std::thread::sleep(STOPPED);
                server.signal("CONT")?;
                std::thread::sleep(RUNNING);
            }
            Ok(())
        });
        let result = work();
        over.store(true, Ordering::Relaxed);
        brake.join().expect("braking does not panic").map(|()| result)
    })
}

/// An outage, and how long after each node's return it got work.
struct Ended {
    what: &'static str,
    first_work: Vec<Duration>,
}

/// Breaks the nodes in turns until the time is over.
fn break_in_turns(
    nodes: &mut [Node; 2],
    gateway: &Gateway,
    course: &Course,
    tally: &Tally,
    length: Duration,
) -> Result<Vec<Ended>> {
    let started = Instant::now();
    let mut ended = Vec::new();
    std::thread::sleep(CALM);
    for (index, (outage, what)) in OUTAGES.iter().cycle().enumerate() {
        if started.elapsed() >= length {
            break;
        }
        // Their number is odd: every other round the other node has the same outage.
        let node = &mut nodes[index % 2];
        let name = node.name;
        let returned = match outage {
            Outage::Killed => {
                node.kill();
                std::thread::sleep(AWAY);
                node.start()?;
                vec![(name, Instant::now())]
            }
            Outage::Frozen => {
                node.server()?.signal("STOP")?;
                std::thread::sleep(AWAY);
                node.server()?.signal("CONT")?;
                vec![(name, Instant::now())]
            }
            Outage::Replaced(manner) => {
                node.kill();
                let stand_in = StandIn::start(node.port, *manner)?;
                std::thread::sleep(AWAY);
                drop(stand_in);
                node.start()?;
                vec![(name, Instant::now())]
            }
            Outage::BothKilled => {
                course.hope.store(false, Ordering::Relaxed);
                nodes.iter_mut().for_each(Node::kill);
                std::thread::sleep(AWAY);
                let mut returned = Vec::new();
                for node in nodes.iter_mut() {
                    node.start()?;
                    returned.push((node.name, Instant::now()));
                }
                returned
            }
        };
        let first_work = gateway.first_work(returned)?;
        course.hope.store(true, Ordering::Relaxed);
        let after: Vec<String> =
            first_work.iter().map(|time| format!("{:.2} s", time.as_secs_f64())).collect();
        say(&format!(
            "{:.0} s: {name} {what}; work {} after its return; so far {}; {} lost; gateway {} MB",
            started.elapsed().as_secs_f64(),
            after.join(", "),
            tally.kinds(),
            tally.lost.lock().expect("no client panics while counting").len(),
            gateway.server.resident()? >> 20
        ));
        ended.push(Ended { what, first_work });
        std::thread::sleep(CALM);
    }
    Ok(ended)
}

/// The memory of the server in front, every second.
fn watch_memory(gateway: &Gateway, course: &Course) -> Result<Vec<u64>> {
    let mut samples = Vec::new();
    while !course.over.load(Ordering::Relaxed) {
        samples.push(gateway.server.resident()?);
        std::thread::sleep(Duration::from_secs(1));
    }
    Ok(samples)
}

/// Everything that was found.
#[derive(Default)]
struct Findings {
    equal: [f64; 2],
    ratio: f64,
    outages: Vec<Ended>,
    memory: Vec<u64>,
    pictures: usize,
    lost: Vec<String>,
    slowest: Duration,
    /// In order.
    sentences: Vec<Duration>,
    sentences_lost: Vec<String>,
    hopeless: usize,
}

impl Findings {
    fn take(&mut self, tally: Tally) {
        fn inner<T>(counted: Mutex<T>) -> T {
            counted.into_inner().expect("all clients are done")
        }
        self.pictures += tally.pictures();
        self.lost.extend(inner(tally.lost));
        self.slowest = self.slowest.max(inner(tally.slowest));
        self.sentences.extend(inner(tally.sentences));
        self.sentences.sort_unstable();
        self.sentences_lost.extend(inner(tally.sentences_lost));
        self.hopeless += tally.hopeless.into_inner();
    }

    fn sentences_at(&self, percent: usize) -> Duration {
        let last = self.sentences.len().saturating_sub(1);
        self.sentences.get(last * percent / 100).copied().unwrap_or_default()
    }

    fn worst_return(&self) -> Duration {
        self.outages.iter().flat_map(|ended| &ended.first_work).max().copied().unwrap_or_default()
    }

    fn most_memory(&self) -> u64 {
        self.memory.iter().max().copied().unwrap_or(0)
    }

    /// Mean bytes in memory in each quarter of the time.
    fn memory_by_quarter(&self) -> Vec<f64> {
        let quarter = self.memory.len().div_ceil(4).max(1);
        let mean = |samples: &[u64]| samples.iter().sum::<u64>() as f64 / samples.len() as f64;
        self.memory.chunks(quarter).map(mean).collect()
    }

    fn markdown(&self, minutes: f64) -> Result<String> {
        let ms = |time: Duration| format!("{:.0} ms", time.as_secs_f64() * 1e3);
        let mut text = format!(
            "Written by `cargo xtask drill --minutes {minutes}`: two nodes of one thread each behind a gateway, and a client \
             with Immich's concurrency.\nMachine: {}. Client, gateway and nodes run on the same cores. Each outage lasts \
             {} s.\n\n",
            machine(),
            AWAY.as_secs()
        );
        text.push_str("| a node is | times | gets work after its return, at most |\n| --- | --- | --- |\n");
        for (_, what) in OUTAGES {
            let of_kind: Vec<_> = self.outages.iter().filter(|ended| ended.what == what).collect();
            let worst = of_kind.iter().flat_map(|ended| &ended.first_work).max();
            let worst = worst.map_or_else(|| "–".to_owned(), |time| format!("{:.2} s", time.as_secs_f64()));
            writeln!(text, "| {what} | {} | {worst} |", of_kind.len())?;
        }
        text.push_str("\n| measured | value |\n| --- | --- |\n");
        writeln!(text, "| pictures answered rightly | {} |", self.pictures)?;
        writeln!(text, "| pictures lost or answered wrongly | {} |", self.lost.len())?;
        writeln!(text, "| the longest wait for a picture | {:.1} s |", self.slowest.as_secs_f64())?;
        writeln!(
            text,
            "| sentences while a node is well: answered, lost | {}, {} |",
            self.sentences.len() - self.sentences_lost.len(),
            self.sentences_lost.len()
        )?;
        writeln!(
            text,
            "| their time: median, p99, most | {}, {}, {} |",
            ms(self.sentences_at(50)),
            ms(self.sentences_at(99)),
            ms(self.sentences_at(100))
        )?;
        writeln!(text, "| sentences asked while no node is well | {} |", self.hopeless)?;
        let quarters = self.memory_by_quarter();
        let quarters: Vec<String> = quarters.iter().map(|bytes| format!("{:.0}", bytes / 1e6)).collect();
        writeln!(text, "| the gateway's memory, mean of each quarter, MB | {} |", quarters.join(", "))?;
        writeln!(text, "| the gateway's memory, most, MB | {:.0} |", self.most_memory() as f64 / 1e6)?;
        let [north, south] = self.equal.map(|share| 100.0 * share);
        writeln!(
            text,
            "| shares of two equal nodes in the work, by processor time | {north:.1} % and {south:.1} % |"
        )?;
        writeln!(text, "| work of a node three times slower, likewise | {:.2} of the other's |", self.ratio)?;
        Ok(text)
    }

    fn judge(&self) -> Result<()> {
        ensure!(self.lost.is_empty(), "{} pictures were lost", self.lost.len());
        ensure!(self.sentences_lost.is_empty(), "{} sentences were lost", self.sentences_lost.len());
        let p99 = self.sentences_at(99);
        ensure!(p99 <= SENTENCES_P99, "one sentence in a hundred takes longer than {p99:.0?}");
        let worst = self.worst_return();
        ensure!(worst <= FIRST_WORK, "a node got work only {worst:.2?} after its return");
        ensure!(self.most_memory() <= MEMORY, "the gateway held {} MB", self.most_memory() >> 20);
        if let [early, .., late] = self.memory_by_quarter()[..] {
            ensure!(
                late <= early * GROWTH,
                "the gateway's memory grew by {:.0} %",
                (late / early - 1.0) * 100.0
            );
        }
        ensure!(EQUAL_SHARE.contains(&self.equal[0]), "equal nodes got {:.2?} of the work", self.equal);
        ensure!(THIRD.contains(&self.ratio), "a slower node got {:.2} of the other's work", self.ratio);
        Ok(())
    }
}
