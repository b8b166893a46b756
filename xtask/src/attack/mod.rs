//! The program under attack: a real server in front of real pictures, and whoever wishes it ill.
//!
//! Each attack is watched from another address, as an innocent client would see it. It fails if a private answer is given away, if
//! anything broken is answered well, if the server ends or panics, if `/ping` waits, or if memory goes over the attack's bound.

mod bodies;
mod crowd;
mod files;
mod front;
mod ground;
mod immich;
mod watch;

use std::{path::PathBuf, process::Command};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{
    machine::{Need, provide},
    process::{self, cargo, say},
    server,
};
use ground::Ground;
use watch::Watch;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only the attacks whose names hold this.
    attack: Option<String>,
    /// The program, where it is not to be built.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// What an attack found.
#[derive(Default)]
struct Outcome {
    /// Requests, connections or files.
    sent: usize,
    /// What should not have happened, each in one line.
    wrong: Vec<String>,
}

/// One attack.
struct Attack {
    name: &'static str,
    /// Bytes that the server may hold beyond what it held before.
    memory: u64,
    run: fn(&Ground) -> Result<Outcome>,
}

const MB: u64 = 1_000_000;

/// A body may have 100 MB by default, and is held once and in parts.
const BODY: u64 = 100 * MB;

/// The longest that 99 of 100 pings may take.
const PING: std::time::Duration = std::time::Duration::from_millis(250);

const ATTACKS: &[Attack] = &[
    Attack { name: "private routes", memory: 50 * MB, run: front::directly },
    Attack { name: "behind nginx", memory: 50 * MB, run: front::nginx },
    Attack { name: "behind Caddy", memory: 50 * MB, run: front::caddy },
    Attack { name: "broken requests", memory: 100 * MB, run: |ground| Ok(bodies::broken(ground)) },
    Attack { name: "smuggling", memory: 50 * MB, run: bodies::smuggled },
    Attack { name: "100 MB of JSON", memory: 3 * BODY, run: |ground| Ok(bodies::huge(ground)) },
    Attack { name: "JSON bombs", memory: 3 * BODY, run: bodies::bombs },
    Attack { name: "idle connections", memory: 150 * MB, run: |ground| Ok(crowd::idle(ground)) },
    Attack { name: "slow heads", memory: 250 * MB, run: |ground| Ok(crowd::slow_heads(ground)) },
    Attack { name: "slow bodies", memory: 150 * MB, run: |ground| Ok(crowd::slow_bodies(ground)) },
    Attack { name: "failures in the log", memory: 100 * MB, run: crowd::noise },
    Attack { name: "links and pipes", memory: 100 * MB, run: files::links },
    Attack { name: "hostile folder", memory: 700 * MB, run: files::folder },
    Attack { name: "hostile pictures", memory: 700 * MB, run: files::pictures },
];

/// A connection takes a file handle here and one there.
const HANDLES: u64 = 8192;

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if std::env::var_os(WITH_HANDLES).is_none() {
        return with_handles();
    }
    provide(&[Need::Pip, Need::Assembler, Need::Decoders, Need::Fronts])?;
    let program = if let Some(program) = &arguments.program {
        program.canonicalize().with_context(|| program.display().to_string())?
    } else {
        process::run(cargo().args(["build", "--release", "--package", "viewfinder"]))?;
        server::program()
    };
    let wanted = |attack: &&Attack| arguments.attack.as_ref().is_none_or(|name| attack.name.contains(name));
    let attacks: Vec<&Attack> = ATTACKS.iter().filter(wanted).collect();
    ensure!(!attacks.is_empty(), "no attack has such a name");
    let ground = Ground::prepare(&program)?;
    let mut rows = Vec::new();
    for attack in attacks {
        say(attack.name);
        let watch = Watch::start(&ground)?;
        let outcome = (attack.run)(&ground).with_context(|| attack.name);
        let seen = watch.stop()?;
        let mut wrong = Vec::new();
        let sent = match outcome {
            Ok(outcome) => {
                wrong.extend(outcome.wrong);
                outcome.sent
            }
            Err(error) => {
                wrong.push(format!("{error:#}"));
                0
            }
        };
        wrong.extend(seen.wrong(PING, attack.memory));
        wrong.extend(ground.panics()?);
        for one in wrong.iter().take(10) {
            say(&format!("WRONG {one}"));
        }
        rows.push((attack, sent, seen, wrong.len()));
    }
    let ended = ground.stop();
    print(&rows);
    ended?;
    let wrong: usize = rows.iter().map(|row| row.3).sum();
    ensure!(wrong == 0, "{wrong} things went wrong");
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the result")]
fn print(rows: &[(&Attack, usize, watch::Seen, usize)]) {
    println!(
        "{:<22} {:>8} {:>8} {:>10} {:>10} {:>12} {:>10} {:>6}",
        "attack", "sent", "pings", "p50, ms", "p99, ms", "memory, MB", "bound, MB", "wrong"
    );
    for (attack, sent, seen, wrong) in rows {
        let ms = |part| seen.at(part).as_secs_f64() * 1e3;
        println!(
            "{:<22} {sent:>8} {:>8} {:>10.1} {:>10.1} {:>12} {:>10} {wrong:>6}",
            attack.name,
            seen.pings(),
            ms(50),
            ms(99),
            format!("{} +{}", seen.before() / MB, seen.grown() / MB),
            attack.memory / MB,
        );
    }
}

/// Set where the limit on handles was raised already.
const WITH_HANDLES: &str = "VIEWFINDER_ATTACK_HANDLES";

/// Starts this program once more with as many handles as connections take.
fn with_handles() -> Result<()> {
    let limit = format!("--nofile={HANDLES}:{HANDLES}");
    let mut command = Command::new("prlimit");
    command.arg(limit).arg("--").arg(std::env::current_exe()?).args(std::env::args_os().skip(1));
    let status = command.env(WITH_HANDLES, "1").status().context("cannot start prlimit")?;
    if !status.success() {
        bail!("see above");
    }
    Ok(())
}
