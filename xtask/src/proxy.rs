//! What the companion's way to a server adds to the direct one: time, and memory with large bodies.

use std::{
    fmt::Write as _,
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    bench::machine,
    forwarding::{Times, rate},
    http::Kept,
    machine::{Need, provide},
    process::{self, cargo, say},
    report,
    server::{self, Installation, Server},
    workspace,
};

/// Small requests before anything is counted, and those that count, on each way.
const WARM_UP: usize = 200;
const QUESTIONS: usize = 3_000;
/// Connections of the load, and its length.
const AT_A_TIME: usize = 32;
const SECONDS: u64 = 10;
/// Bytes of the file that is downloaded as fast as possible, and how often on each way: three programs on two cores disturb one
/// another, and single shares differ by a quarter.
const FILE: u64 = 1 << 30;
const DOWNLOADS: usize = 21;
/// Bytes of the bodies during which memory is watched.
const LONG: u64 = 4 << 30;

/// The most that the proxy may add, and the least that must go through.
const MEDIAN: Duration = Duration::from_millis(1);
const RATE: f64 = 5_000.0;
const SHARE: f64 = 0.8;
/// What 4 GB may add to the memory held before: buffers of two connections.
const GROWTH: u64 = 16 << 20;

pub(crate) fn bench(dry_run: bool) -> Result<()> {
    provide(&[Need::Pip, Need::LoadGenerator, Need::Assembler])?;
    process::run(cargo().args(["build", "--release", "--package", "viewfinder"]))?;
    let example = ["--package", "viewfinder-http", "--example", "origin"];
    process::run(cargo().args(["build", "--release"]).args(example))?;

    let folder = workspace().join("target/proxy");
    fs::create_dir_all(&folder)?;
    let file = folder.join("file");
    write_file(&file)?;
    let port = server::free_port()?;
    let direct = format!("127.0.0.1:{port}");
    let mut command = Command::new(workspace().join("target/release/examples/origin"));
    let origin = Server::start(command.arg(&direct).arg(&file), port, &folder)?;
    let through_port = server::free_port()?;
    let through = format!("127.0.0.1:{through_port}");
    let settings = format!(
        "{}[companion]\nimmich_url = \"http://{direct}\"\nlisten = [\"{through}\"]\n",
        server::small_models()
    );
    let installation = Installation::new("proxy/companion", server::free_port()?, &settings)?;
    let companion = installation.start()?;
    companion.wait_for(through_port)?;

    let ways = [direct.as_str(), through.as_str()];
    let [direct_times, through_times] = alternate(ways)?;
    let rates = ways.map(load);
    let (speeds, share) = downloads(ways)?;
    let before = companion.resident()?;
    upload(&through)?;
    download(&through, &format!("/file?bytes={LONG}"), Some(LONG))?;
    // The most ever held, so also during the downloads before.
    let most = server::memory(companion.id(), "VmHWM")?;
    companion.stop()?;
    drop(origin);
    fs::remove_file(file)?;

    let [direct_rate, through_rate] = rates;
    let (direct_rate, through_rate) = (direct_rate?, through_rate?);
    let [direct_speed, through_speed] = speeds;
    let added = through_times.at(50).saturating_sub(direct_times.at(50));
    let ms = |time: Duration| format!("{:.2}", time.as_secs_f64() * 1e3);
    let mut text = format!(
        "Written by `cargo xtask bench proxy`. Machine: {}. Client, companion and server run on the same cores, over the loopback \
         interface.\n\n| | directly | through the companion |\n| --- | --- | --- |\n",
        machine()
    );
    let mut row =
        |name: &str, direct: String, through: String| writeln!(text, "| {name} | {direct} | {through} |");
    row(
        &format!("1 kB, {QUESTIONS} times, taking turns on kept connections: median, ms"),
        ms(direct_times.at(50)),
        ms(through_times.at(50)),
    )?;
    row("the same: p99, ms", ms(direct_times.at(99)), ms(through_times.at(99)))?;
    row(
        &format!("1 kB on {AT_A_TIME} connections (wrk), requests/s"),
        format!("{direct_rate:.0}"),
        format!("{through_rate:.0}"),
    )?;
    row(
        &format!("a file of {} MB, {DOWNLOADS} times, taking turns: median, MB/s", FILE >> 20),
        format!("{direct_speed:.0}"),
        format!("{through_speed:.0}"),
    )?;
    row("the same: share of the direct speed, median of the pairs", "1".to_owned(), format!("{share:.2}"))?;
    let mb = |bytes: u64| bytes >> 20;
    writeln!(
        text,
        "\nMemory of the companion: {} MB before an upload of 4 GB and a download of the same as one range, {} MB at most \
         ever.",
        mb(before),
        mb(most)
    )?;
    report::write("Proxy", &text, dry_run)?;
    ensure!(added <= MEDIAN, "the companion adds {} ms at the median", ms(added));
    ensure!(through_rate >= RATE, "only {through_rate:.0} small requests a second pass");
    ensure!(share >= SHARE, "large files come at {share:.2} of the direct speed");
    ensure!(most <= before + GROWTH, "memory grew from {} to {} MB", mb(before), mb(most));
    Ok(())
}

/// A file that the system keeps in memory.
fn write_file(path: &Path) -> Result<()> {
    let mut file = fs::File::create(path).with_context(|| path.display().to_string())?;
    let piece = vec![7; 1 << 20];
    for _ in 0..FILE >> 20 {
        file.write_all(&piece)?;
    }
    Ok(())
}

/// Asks both ways in turns.
fn alternate(ways: [&str; 2]) -> Result<[Times; 2]> {
    let mut kept = [Kept::open(ways[0])?, Kept::open(ways[1])?];
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..WARM_UP + QUESTIONS {
        for place in 0..kept.len() {
            // Who begins changes.
            let way = (round + place) % kept.len();
            let started = Instant::now();
            kept[way].get("/small")?;
            if round >= WARM_UP {
                times[way].push(started.elapsed());
            }
        }
    }
    Ok(times.map(Times::new))
}

/// Answers a second under load; fails if one is no good answer.
fn load(address: &str) -> Result<f64> {
    let mut command = Command::new("wrk");
    command
        .args(["--threads", "1", "--connections", &AT_A_TIME.to_string()])
        .args(["--duration", &format!("{SECONDS}s")])
        .arg(format!("http://{address}/small"));
    let output = command.stderr(Stdio::inherit()).output().context("cannot start wrk")?;
    rate(&output)
}

/// Median speeds of downloads that take turns, in MB/s, and the median share of the second way in the first one's.
fn downloads(ways: [&str; 2]) -> Result<([f64; 2], f64)> {
    let mut speeds = [Vec::new(), Vec::new()];
    // The first of each is not counted.
    for round in 0..=DOWNLOADS {
        for place in 0..ways.len() {
            let way = (round + place) % ways.len();
            let started = Instant::now();
            download(ways[way], "/file", None)?;
            if round > 0 {
                speeds[way].push(FILE as f64 / 1e6 / started.elapsed().as_secs_f64());
            }
        }
        say(&format!("downloads: {round} of {DOWNLOADS}"));
    }
    let shares = speeds[0].iter().zip(&speeds[1]).map(|(direct, through)| through / direct).collect();
    Ok((speeds.map(median), median(shares)))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Downloads a path, as one range of `length` bytes if that is given, and throws it away.
fn download(address: &str, path: &str, length: Option<u64>) -> Result<()> {
    let mut stream = TcpStream::connect(address)?;
    let range = length.map_or_else(String::new, |length| format!("Range: bytes=0-{}\r\n", length - 1));
    let ask = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{range}\r\n");
    stream.write_all(ask.as_bytes())?;
    let mut buffer = vec![0; 1 << 20];
    let read = stream.read(&mut buffer)?;
    let expected = if length.is_some() { "HTTP/1.1 206 " } else { "HTTP/1.1 200 " };
    let head = String::from_utf8_lossy(&buffer[..read.min(200)]).into_owned();
    ensure!(head.starts_with(expected), "{head}");
    let mut total = read as u64;
    loop {
        match stream.read(&mut buffer)? {
            0 => break,
            read => total += read as u64,
        }
    }
    ensure!(total > length.unwrap_or(FILE), "only {total} bytes came");
    Ok(())
}

/// Uploads `LONG` bytes.
fn upload(address: &str) -> Result<()> {
    let mut stream = TcpStream::connect(address)?;
    let head = format!(
        "POST /upload HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {LONG}\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    let piece = vec![7; 1 << 20];
    for _ in 0..LONG >> 20 {
        stream.write_all(&piece)?;
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    ensure!(answer.ends_with(&LONG.to_string()), "{answer}");
    Ok(())
}
