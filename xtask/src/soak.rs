//! Thousands of requests of every kind, one in ten broken, against a server started for the purpose.
//!
//! A good request must be answered well, a broken one refused, the server must live, and its memory must not grow.

use std::{
    collections::BTreeMap,
    fs,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    http::{self, BOUNDARY, part},
    machine::{Need, provide},
    process::{self, cargo, say},
    quality,
    server::{self, Installation, Server},
    workspace,
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How many requests.
    #[arg(long, default_value_t = 20_000)]
    requests: usize,
    /// How many at a time.
    #[arg(long, default_value_t = 4)]
    clients: usize,
}

/// The same requests come in the same order so many times: what is held goes up and down with the pictures at hand, by
/// far more than it may grow, so that only equal work compares.
const ROUNDS: usize = 5;

/// Memory is looked at so often.
const REQUESTS_PER_SAMPLE: usize = 4;

/// How much the mean resident set may grow from the second round, when all models are loaded, to the last.
const GROWTH: f64 = 1.05;

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    provide(&[Need::Pip, Need::Assembler])?;
    process::run(cargo().args(["build", "--release", "--package", "viewfinder"]))?;
    let port = server::free_port()?;
    let server = start(port)?;
    let address = format!("127.0.0.1:{port}");
    let pictures = Pictures::read()?;

    let round = arguments.requests.div_ceil(ROUNDS).max(1);
    let next = AtomicUsize::new(0);
    let tally = Mutex::new(Tally::default());
    let started = Instant::now();
    let worker = || -> Result<()> {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= arguments.requests {
                return Ok(());
            }
            let request = Request::number((index % round) as u64, &pictures);
            let outcome = http::send(&address, &request.head, &request.body);
            let mut tally = tally.lock().expect("no client panics while counting");
            tally.count(&request, outcome);
            if index.is_multiple_of(REQUESTS_PER_SAMPLE) {
                tally.memory[index / round].push(server.resident()?);
            }
            if index.is_multiple_of(arguments.requests.div_ceil(50)) {
                let memory = server.resident()?;
                let rate = (index + 1) as f64 / started.elapsed().as_secs_f64();
                say(&format!("{index} requests, {rate:.0}/s, {} MB resident", memory >> 20));
            }
        }
    };
    std::thread::scope(|scope| -> Result<()> {
        let clients: Vec<_> = (0..arguments.clients.max(1)).map(|_| scope.spawn(worker)).collect();
        for client in clients {
            client.join().expect("a client does not panic")?;
        }
        Ok(())
    })?;

    let tally = tally.into_inner().expect("all clients are done");
    tally.print();
    server.stop()?;
    ensure!(tally.wrong.is_empty(), "{} wrong answers", tally.wrong.len());
    tally.check_memory()
}

/// What the picture folder offers.
struct Pictures {
    text: Vec<Vec<u8>>,
    faces: Vec<Vec<u8>>,
}

impl Pictures {
    fn read() -> Result<Self> {
        let folder = |name: &str| -> Result<Vec<Vec<u8>>> {
            let paths = quality::pictures(&workspace().join("tests/fixtures").join(name))?;
            paths.iter().map(|path| fs::read(path).with_context(|| path.display().to_string())).collect()
        };
        Ok(Self { text: folder("library")?, faces: folder("faces")? })
    }
}

/// Small numbers from an index, the same in every run.
pub(crate) fn mix(index: u64, salt: u64) -> u64 {
    let mut x = index.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ salt.wrapping_mul(0xD134_2543_DE82_EF95);
    x ^= x >> 32;
    x = x.wrapping_mul(0xD6E8_FEB8_6659_FD93);
    x ^ (x >> 32)
}

struct Request {
    kind: &'static str,
    broken: Option<&'static str>,
    head: String,
    body: Vec<u8>,
}

impl Request {
    /// The request with this number: its kind and what is broken about it follow from the number alone.
    fn number(index: u64, pictures: &Pictures) -> Self {
        const KINDS: &[(&str, &str, &str)] = &[
            ("clip.visual", "/predict", server::CLIP),
            (
                "clip.textual",
                "/predict",
                r#"{"clip":{"textual":{"modelName":"ViT-B-32__openai","options":{"language":"zh-CN"}}}}"#,
            ),
            ("ocr", "/predict", server::TEXT),
            ("faces", "/predict", server::FACES),
            ("mt.ocr", "/ocr", ""),
            ("mt.clip.img", "/clip/img", ""),
            ("mt.clip.txt", "/clip/txt", ""),
            ("ping", "/ping", ""),
            ("health", "/health", ""),
        ];
        // Reading text takes most of the time, so it is asked for less often.
        const ORDER: &[usize] = &[0, 1, 3, 5, 6, 7, 1, 0, 8, 6, 0, 2, 3, 5, 1, 7, 6, 0, 4, 1];
        let (kind, path, entries) = KINDS[ORDER[(mix(index, 1) % ORDER.len() as u64) as usize]];
        let picture = |salt| {
            let set = if kind == "faces" { &pictures.faces } else { &pictures.text };
            set[(mix(index, salt) % set.len() as u64) as usize].clone()
        };
        let mut broken = None;
        let mut upload = picture(2);
        let mut entries = entries.to_owned();
        let takes_upload = !matches!(kind, "clip.textual" | "mt.clip.txt" | "ping" | "health");
        if mix(index, 3).is_multiple_of(10) && !matches!(kind, "ping" | "health") {
            let mut choices = vec!["nothing at all"];
            if takes_upload {
                choices.extend(["cut short", "empty", "random bytes", "huge dimensions", "text instead"]);
            }
            if path == "/predict" {
                choices.extend([
                    "no entries",
                    "entries cut short",
                    "entries of a wrong type",
                    "unknown model",
                ]);
            }
            let choice = choices[(mix(index, 4) % choices.len() as u64) as usize];
            broken = Some(choice);
            match choice {
                // Inside the header: a picture that ends later is decoded as far as it goes.
                "cut short" => upload.truncate(2 + (mix(index, 5) % 18) as usize),
                "empty" => upload.clear(),
                "random bytes" => upload = (0..5000).map(|i| mix(index, i + 9) as u8).collect(),
                "huge dimensions" => upload = huge_bmp(),
                "text instead" => upload = b"this is not a picture".to_vec(),
                "entries cut short" => entries.truncate(entries.len() / 2),
                "entries of a wrong type" => r#"{"clip":"visual"}"#.clone_into(&mut entries),
                "unknown model" => {
                    entries = entries.replace("ViT-B-32__openai", "no-such").replace("buffalo_l", "no-such");
                    entries = entries.replace("PP-OCRv6_small", "no-such");
                }
                _ => {}
            }
        }
        let mut body = Vec::new();
        let mut method = "POST";
        let mut kind_of_body = format!("multipart/form-data; boundary={BOUNDARY}");
        match kind {
            _ if broken == Some("nothing at all") => {}
            "ping" | "health" => method = "GET",
            "mt.clip.txt" => {
                "application/json".clone_into(&mut kind_of_body);
                body = format!(r#"{{"text":"海边的日落 {index}"}}"#).into_bytes();
            }
            _ => {
                if path == "/predict" && broken != Some("no entries") {
                    part(&mut body, "entries", false, entries.as_bytes());
                }
                if kind == "clip.textual" {
                    part(&mut body, "text", false, format!("sunset number {index}").as_bytes());
                } else {
                    part(&mut body, if path == "/predict" { "image" } else { "file" }, true, &upload);
                }
                http::end(&mut body);
            }
        }
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\napi-key: soak\r\n\
             Content-Type: {kind_of_body}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        Self { kind, broken, head, body }
    }

    /// What is wrong with an answer, if anything.
    fn judge(&self, status: u16, body: &str) -> Option<String> {
        let good = (200..300).contains(&status);
        // MT Photos' own services answer 200 with a message when a picture cannot be worked on.
        let told = good && body.contains("\"msg\"");
        let right = match (self.broken, self.kind) {
            (None, _) => good && !told && !body.is_empty(),
            (Some(_), "mt.ocr" | "mt.clip.img") => told || (400..500).contains(&status),
            (Some(_), _) => (400..500).contains(&status),
        };
        (!right).then(|| format!("{} ({}): {status} {:.120}", self.kind, self.broken.unwrap_or("good"), body))
    }
}

/// The header of a bitmap of 60,000 by 60,000 pixels.
fn huge_bmp() -> Vec<u8> {
    let mut file = b"BM".to_vec();
    file.extend([0; 8]);
    file.extend(54_u32.to_le_bytes());
    file.extend(40_u32.to_le_bytes());
    file.extend(60_000_u32.to_le_bytes());
    file.extend(60_000_u32.to_le_bytes());
    file.extend([1, 0, 24, 0]);
    file.extend([0; 24]);
    file
}

#[derive(Default)]
struct Tally {
    answers: BTreeMap<(&'static str, &'static str, u16), usize>,
    wrong: Vec<String>,
    memory: [Vec<u64>; ROUNDS],
}

impl Tally {
    fn count(&mut self, request: &Request, outcome: Result<(u16, String)>) {
        let verdict = match outcome {
            Ok((status, body)) => {
                *self.answers.entry((request.kind, request.broken.unwrap_or("good"), status)).or_default() +=
                    1;
                request.judge(status, &body)
            }
            Err(error) => Some(format!("{} ({}): {error:#}", request.kind, request.broken.unwrap_or("good"))),
        };
        if let Some(wrong) = verdict {
            say(&format!("WRONG {wrong}"));
            self.wrong.push(wrong);
        }
    }

    #[expect(clippy::print_stdout, reason = "the result")]
    fn print(&self) {
        println!("{:<14} {:<24} {:>6} {:>7}", "kind", "request", "status", "count");
        for ((kind, state, status), count) in &self.answers {
            println!("{kind:<14} {state:<24} {status:>6} {count:>7}");
        }
    }

    fn check_memory(&self) -> Result<()> {
        let mut means = Vec::new();
        for (round, samples) in self.memory.iter().enumerate().filter(|(_, samples)| !samples.is_empty()) {
            let mean = samples.iter().sum::<u64>() as f64 / samples.len() as f64;
            let most = samples.iter().max().copied().unwrap_or(0);
            say(&format!(
                "round {}: {:.0} MB resident on average, {} MB at most",
                round + 1,
                mean / 1e6,
                most / 1_000_000
            ));
            means.push(mean);
        }
        let [_, early, .., late] = means[..] else { return Ok(()) };
        ensure!(late <= early * GROWTH, "memory grew by {:.1} %", (late / early - 1.0) * 100.0);
        Ok(())
    }
}

/// Starts a server of its own, with the fixtures' small models.
fn start(port: u16) -> Result<Server> {
    let fixture = |path: &str| workspace().join("tests/fixtures").join(path).display().to_string();
    let settings = format!(
        "api_key = \"soak\"\n{}[clip]\nmodel = \"tiny\"\n\
         [limits]\nmax_bytes = 20000000\nmax_pixels = 50000000\n\
         [[models]]\nname = \"tiny\"\nfamily = \"chinese-clip\"\nwidth = 32\n\
         [models.visual]\nsources = [{{ file = {:?} }}]\n[models.textual]\nsources = [{{ file = {:?} }}]\n",
        server::small_models(),
        fixture("models/tiny.img.onnx"),
        fixture("models/tiny.txt.onnx"),
    );
    let installation = Installation::new("soak", port, &settings)?;
    installation.pull_small_models()?;
    installation.start()
}
