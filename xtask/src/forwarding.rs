//! What a gateway adds to a node's answer, and how many questions a second it forwards.

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    bench::machine,
    http::{self, BOUNDARY, Kept},
    machine::{Need, provide},
    process::{self, cargo, say},
    report,
    server::{self, CLIP, Installation, SENTENCE, Server},
    workspace,
};

/// Bytes of the picture whose way is timed.
const PICTURE: usize = 200_000;
/// Bytes of the picture that is sent as often as possible.
const THUMBNAIL: usize = 2_000;
/// Questions before anything is counted, and those that count, on each way.
const WARM_UP: usize = 200;
const QUESTIONS: usize = 3_000;
/// Connections of the load, and its length.
const AT_A_TIME: usize = 32;
const SECONDS: u64 = 10;

/// The most that forwarding may add, and the least that must go through.
const MEDIAN: Duration = Duration::from_millis(1);
const P99: Duration = Duration::from_millis(3);
const RATE: f64 = 3_000.0;

pub(crate) fn bench(dry_run: bool) -> Result<()> {
    provide(&[Need::Pip, Need::LoadGenerator, Need::Assembler])?;
    process::run(cargo().args(["build", "--release", "--package", "viewfinder"]))?;
    let example = ["--package", "viewfinder-cluster", "--example", "instant"];
    process::run(cargo().args(["build", "--release"]).args(example))?;

    let folder = workspace().join("target/forwarding");
    fs::create_dir_all(&folder)?;
    let port = server::free_port()?;
    let mut command = Command::new(workspace().join("target/release/examples/instant"));
    let node = Server::start(command.arg(port.to_string()), port, &folder)?;
    let direct = format!("127.0.0.1:{port}");
    let settings = format!(
        "{}[routes]\ndefault = \"instant\"\n\
         [[nodes]]\nname = \"instant\"\nkind = \"viewfinder\"\nurl = \"http://{direct}\"\n",
        server::small_models()
    );
    let installation = Installation::new("forwarding/gateway", server::free_port()?, &settings)?;
    let gateway = installation.start()?;
    let through = installation.address();

    let [direct_times, through_times] = alternate(&direct, &through)?;
    let mut rates = Vec::new();
    for (name, field, entries, content) in [
        ("a sentence", "text", SENTENCE, b"sunset at the sea".to_vec()),
        ("a picture of 2 kB", "image", CLIP, noise(THUMBNAIL)),
    ] {
        let script = script(&folder, &http::question(entries, field, &content))?;
        rates.push((name, load(&direct, &script)?, load(&through, &script)?));
    }
    gateway.stop()?;
    drop(node);

    let median = through_times.at(50).saturating_sub(direct_times.at(50));
    let p99 = through_times.at(99).saturating_sub(direct_times.at(99));
    let ms = |time: Duration| format!("{:.2}", time.as_secs_f64() * 1e3);
    let mut text = format!(
        "Written by `cargo xtask bench forwarding`. Machine: {}. Load, gateway and node run on the same cores. The node \
         answers at once with a vector of 512 components.\n\n\
         | a picture of 200 kB, {QUESTIONS} times, taking turns on kept connections | median, ms | p99, ms |\n\
         | --- | --- | --- |\n",
        machine()
    );
    writeln!(text, "| node, called directly | {} | {} |", ms(direct_times.at(50)), ms(direct_times.at(99)))?;
    writeln!(text, "| through the gateway | {} | {} |", ms(through_times.at(50)), ms(through_times.at(99)))?;
    writeln!(text, "| added | {} | {} |", ms(median), ms(p99))?;
    writeln!(
        text,
        "\n| {AT_A_TIME} connections (wrk) | directly, requests/s | through the gateway, requests/s |"
    )?;
    writeln!(text, "| --- | --- | --- |")?;
    for (name, direct, through) in &rates {
        writeln!(text, "| {name} | {direct:.0} | {through:.0} |")?;
    }
    report::write("Forwarding", &text, dry_run)?;
    ensure!(median <= MEDIAN, "forwarding adds {} ms at the median", ms(median));
    ensure!(p99 <= P99, "forwarding adds {} ms at the 99th percentile", ms(p99));
    for (name, _, rate) in rates {
        ensure!(rate >= RATE, "only {rate:.0} requests a second are forwarded that ask about {name}");
    }
    Ok(())
}

/// Times in order.
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    pub(crate) fn at(&self, percent: usize) -> Duration {
        self.0[(self.0.len() - 1) * percent / 100]
    }
}

/// Asks both addresses in turns.
fn alternate(direct: &str, through: &str) -> Result<[Times; 2]> {
    let body = http::question(CLIP, "image", &noise(PICTURE));
    let mut ways = [Kept::open(direct)?, Kept::open(through)?];
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..WARM_UP + QUESTIONS {
        for place in 0..ways.len() {
            // Who begins changes.
            let way = (round + place) % ways.len();
            let started = Instant::now();
            ways[way].predict(&body)?;
            if round >= WARM_UP {
                times[way].push(started.elapsed());
            }
        }
    }
    Ok(times.map(Times::new))
}

/// Bytes without pattern, as in a compressed picture.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}

/// Writes down for `wrk` what it is to send.
fn script(folder: &Path, body: &[u8]) -> Result<std::path::PathBuf> {
    let content = folder.join("question");
    fs::write(&content, body)?;
    let path = folder.join("question.lua");
    let lua = format!(
        "local file = io.open({:?}, \"rb\")\nwrk.method = \"POST\"\nwrk.path = \"/predict\"\n\
         wrk.headers[\"Content-Type\"] = \"multipart/form-data; boundary={BOUNDARY}\"\n\
         wrk.body = file:read(\"*a\")\nfile:close()\n",
        content.display().to_string()
    );
    fs::write(&path, lua)?;
    Ok(path)
}

/// Answers a second under load; fails if one is no good answer.
fn load(address: &str, script: &Path) -> Result<f64> {
    let mut command = Command::new("wrk");
    command
        .args(["--threads", "1", "--connections", &AT_A_TIME.to_string()])
        .args(["--duration", &format!("{SECONDS}s"), "--script"])
        .arg(script)
        .arg(format!("http://{address}/predict"));
    let output = command.stderr(Stdio::inherit()).output().context("cannot start wrk")?;
    rate(&output)
}

/// The rate that `wrk` tells; fails if one answer was no good one.
pub(crate) fn rate(output: &Output) -> Result<f64> {
    let text = String::from_utf8_lossy(&output.stdout);
    say(text.trim());
    ensure!(
        output.status.success() && !text.contains("Non-2xx") && !text.contains("Socket errors"),
        "{text}"
    );
    let rate = text.lines().find_map(|line| line.strip_prefix("Requests/sec:")?.trim().parse().ok());
    rate.context("wrk tells no rate")
}
