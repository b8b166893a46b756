//! `/predict` beside Immich's own machine-learning server, turn by turn in one run, over one model cache.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::{
    bench::machine,
    http,
    machine::{Need, provide},
    process::{self, cargo, say},
    quality::{self, Set},
    report,
    server::{self, Server},
    workspace,
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Model cache in Immich's layout: ocr/PP-OCRv5_mobile, facial-recognition/buffalo_l, clip/ViT-B-16__openai.
    /// The other server must use the same files.
    #[arg(long)]
    cache: PathBuf,
    /// Address of Immich's machine-learning server, such as `http://127.0.0.1:3003`; the comparison is a section of
    /// BENCHMARKS.md. Without it, only ours is measured.
    #[arg(long)]
    against: Option<String>,
    /// Process of that server; its memory, with that of its children, is reported.
    #[arg(long)]
    against_pid: Option<u32>,
    /// The ONNX Runtime library of our server. Without it, the one that the project fetches.
    #[arg(long)]
    library: Option<PathBuf>,
}

/// Pictures that one server works on before it is the other's turn.
const TURN: usize = 12;

/// Least share of text lines that both servers must read the same.
const SAME_LINES: f64 = 0.99;
/// Least cosine of the two servers' vectors of one picture or face.
const SAME_VECTOR: f64 = 0.999;

/// The requests that Immich 2.7.5 sends with its default settings.
const TEXT: &str = r#"{"ocr":{"detection":{"modelName":"PP-OCRv5_mobile","options":{"minScore":0.5,"maxResolution":736}},"recognition":{"modelName":"PP-OCRv5_mobile","options":{"minScore":0.8}}}}"#;
const FACES: &str = r#"{"facial-recognition":{"detection":{"modelName":"buffalo_l","options":{"minScore":0.7}},"recognition":{"modelName":"buffalo_l"}}}"#;
const CLIP: &str = r#"{"clip":{"visual":{"modelName":"ViT-B-16__openai"}}}"#;

const HEAD: &str = "Written by `cargo xtask bench-predict --against …`: the requests of Immich 2.7.5, to Viewfinder and to Immich's own server over one \
                    model cache,\ntaking turns every 12 pictures. Each server is as it is by default.";

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    provide(&[Need::Pip, Need::Assembler])?;
    process::run(cargo().args(["build", "--release", "--package", "viewfinder"]))?;
    let port = server::free_port()?;
    let server = start(arguments, port)?;
    let mut sides =
        vec![Side { name: "Viewfinder", address: format!("127.0.0.1:{port}"), process: Some(server.id()) }];
    if let Some(url) = &arguments.against {
        let address = address(url).with_context(|| format!("{url} is not http://HOST:PORT"))?.to_owned();
        sides.push(Side { name: "Immich", address, process: arguments.against_pid });
    }

    let jobs = jobs()?;
    // The first pictures of each kind load the models, and are not counted.
    for job in &jobs {
        for side in &sides {
            side.work(job, &job.pictures[..2])?;
        }
    }
    let rows = jobs.iter().map(|job| measure(job, &sides)).collect::<Result<Vec<_>>>()?;

    let mut text = format!("{HEAD}\nMachine: {}.\n\n{}", machine(), table(&sides, &rows));
    text.push_str("\n| server | most memory held, MB |\n| --- | --- |\n");
    for side in &sides {
        if let Some(process) = side.process {
            let peak = server::peak_of_family(process)?;
            writeln!(text, "| {} | {:.0} |", side.name, peak as f64 / 1e6)?;
        }
    }
    report::write("Immich's machine-learning server", &text, arguments.against.is_none())?;
    server.stop()?;
    for (job, row) in jobs.iter().zip(&rows) {
        let Some(agreement) = &row.agreement else { continue };
        ensure!(agreement.is_good(), "{}: the servers' answers differ: {}", job.name, agreement.shown());
    }
    Ok(())
}

/// Our server as somebody runs it who exchanges Immich's for it: the same variables, the same files.
fn start(arguments: &Arguments, port: u16) -> Result<Server> {
    let folder = workspace().join("target/bench-predict");
    fs::create_dir_all(&folder)?;
    let store = workspace().join("target/test-store");
    let mut command = Command::new(server::program());
    command.arg("--store").arg(&store).arg("serve").current_dir(&folder);
    if let Some(library) = &arguments.library {
        command.arg("--library").arg(fs::canonicalize(library)?);
    } else {
        let mut fetch = Command::new(server::program());
        process::run(fetch.arg("--store").arg(&store).args(["models", "pull", "runtime"]))?;
    }
    let cache = fs::canonicalize(&arguments.cache).with_context(|| arguments.cache.display().to_string())?;
    command
        .env("MACHINE_LEARNING_CACHE_FOLDER", cache)
        .env("IMMICH_HOST", "127.0.0.1")
        .env("IMMICH_PORT", port.to_string())
        .env("VIEWFINDER_OFFLINE", "true");
    Server::start(&mut command, port, &folder)
}

/// HOST:PORT of a plain HTTP address without a path.
fn address(url: &str) -> Option<&str> {
    let address = url.strip_prefix("http://").unwrap_or(url);
    let address = address.strip_suffix('/').unwrap_or(address);
    let (host, port) = address.rsplit_once(':')?;
    (!host.is_empty() && !host.contains('/') && port.parse::<u16>().is_ok()).then_some(address)
}

/// A stream of requests of one kind.
struct Job {
    name: &'static str,
    entries: &'static str,
    /// Requests under way at a time, as many as Immich's queue for the kind sends.
    at_a_time: usize,
    pictures: Vec<Picture>,
}

/// A picture as it is sent.
struct Picture {
    name: String,
    body: Vec<u8>,
}

fn jobs() -> Result<Vec<Job>> {
    let library = Set::Library.files()?;
    let hard = Set::Hard.files()?;
    let faces = quality::pictures(&workspace().join("tests/fixtures/faces"))?;
    let several = faces.iter().find(|path| path.ends_with("t1.jpg")).context("t1.jpg is missing")?;
    let people = with_faces(&library, &faces, several);
    let all: Vec<PathBuf> = library.iter().chain(&hard).cloned().collect();
    let job = |name, entries, at_a_time, paths: &[PathBuf]| -> Result<Job> {
        let pictures = paths.iter().map(|path| picture(path, entries)).collect::<Result<_>>()?;
        Ok(Job { name, entries, at_a_time, pictures })
    };
    Ok(vec![
        job("text, library", TEXT, 1, &library)?,
        job("text, library_hard", TEXT, 1, &hard)?,
        job("text, library", TEXT, 2, &library)?,
        job("text, library_hard", TEXT, 2, &hard)?,
        job("faces", FACES, 2, &people)?,
        job("CLIP ViT-B/16", CLIP, 2, &all)?,
    ])
}

/// A face after every second picture of a library: mostly the picture with several faces, sometimes another.
fn with_faces(library: &[PathBuf], faces: &[PathBuf], several: &Path) -> Vec<PathBuf> {
    let mut mixed = Vec::new();
    let mut others = faces.iter().filter(|path| *path != several).cycle();
    for (index, pair) in library.chunks(2).enumerate() {
        mixed.extend_from_slice(pair);
        let other = if index % 4 == 3 { others.next() } else { None };
        mixed.push(other.map_or_else(|| several.to_owned(), Clone::clone));
    }
    mixed
}

fn picture(path: &Path, entries: &str) -> Result<Picture> {
    let content = fs::read(path).with_context(|| path.display().to_string())?;
    let body = http::question(entries, "image", &content);
    Ok(Picture { name: path.display().to_string(), body })
}

/// A server to measure.
struct Side {
    name: &'static str,
    /// HOST:PORT
    address: String,
    process: Option<u32>,
}

impl Side {
    /// Sends pictures, as many at a time as the job says; returns how long all took, and the answers.
    fn work(&self, job: &Job, pictures: &[Picture]) -> Result<(Duration, Vec<Value>)> {
        let next = AtomicUsize::new(0);
        let answers = Mutex::new(vec![String::new(); pictures.len()]);
        let client = || -> Result<()> {
            while let Some((index, picture)) = {
                let index = next.fetch_add(1, Ordering::Relaxed);
                pictures.get(index).map(|picture| (index, picture))
            } {
                let body = http::predict(&self.address, &picture.body)
                    .with_context(|| format!("{}: {}", self.name, picture.name))?;
                answers.lock().expect("no client panics while it stores an answer")[index] = body;
            }
            Ok(())
        };
        let started = Instant::now();
        std::thread::scope(|scope| -> Result<()> {
            let clients: Vec<_> = (0..job.at_a_time).map(|_| scope.spawn(client)).collect();
            clients.into_iter().try_for_each(|client| client.join().expect("a client does not panic"))
        })?;
        let took = started.elapsed();
        let answers = answers.into_inner().expect("all clients are done");
        let answers = answers.iter().map(|answer| Ok(serde_json::from_str(answer)?));
        Ok((took, answers.collect::<Result<_>>()?))
    }
}

/// What was measured of a job.
struct Row {
    name: &'static str,
    at_a_time: usize,
    pictures: usize,
    /// Pictures per second of each side.
    rates: Vec<f64>,
    /// Between the two sides, if there are two.
    agreement: Option<Agreement>,
}

fn measure(job: &Job, sides: &[Side]) -> Result<Row> {
    let mut times = vec![Duration::ZERO; sides.len()];
    let mut agreement = match job.entries {
        TEXT => Agreement::Lines { same: 0, all: 0 },
        _ => Agreement::Vectors { least: 1.0, compared: 0, uneven: 0 },
    };
    for (index, turn) in job.pictures.chunks(TURN).enumerate() {
        let mut answers = vec![Vec::new(); sides.len()];
        // Who begins changes, so that neither always finds the machine as the other left it.
        for place in 0..sides.len() {
            let side = (place + index) % sides.len();
            let (took, answered) = sides[side].work(job, turn)?;
            times[side] += took;
            answers[side] = answered;
        }
        if let [ours, theirs] = &answers[..] {
            for ((ours, theirs), picture) in ours.iter().zip(theirs).zip(turn) {
                if !agreement.add(ours, theirs).with_context(|| picture.name.clone())? {
                    say(&format!("{}: answers differ", picture.name));
                }
            }
        }
    }
    let rates = times.iter().map(|time| job.pictures.len() as f64 / time.as_secs_f64()).collect();
    let row = Row {
        name: job.name,
        at_a_time: job.at_a_time,
        pictures: job.pictures.len(),
        rates,
        agreement: (sides.len() == 2).then_some(agreement),
    };
    say(&row.markdown());
    Ok(row)
}

impl Row {
    fn markdown(&self) -> String {
        let mut cells = vec![self.name.to_owned(), self.at_a_time.to_string(), self.pictures.to_string()];
        cells.extend(self.rates.iter().map(|rate| format!("{rate:.2}")));
        if let [ours, theirs] = self.rates[..] {
            cells.push(format!("{:.2}", ours / theirs));
        }
        cells.extend(self.agreement.iter().map(Agreement::shown));
        format!("| {} |", cells.join(" | "))
    }
}

fn table(sides: &[Side], rows: &[Row]) -> String {
    let mut head = vec!["work".to_owned(), "requests at a time".to_owned(), "pictures".to_owned()];
    head.extend(sides.iter().map(|side| format!("{}, pictures/s", side.name)));
    if sides.len() == 2 {
        head.extend(["ratio".to_owned(), "agreement".to_owned()]);
    }
    let mut text = format!("| {} |\n|{}\n", head.join(" | "), " --- |".repeat(head.len()));
    for row in rows {
        text.push_str(&row.markdown());
        text.push('\n');
    }
    text
}

/// How far the answers of the two servers agree.
#[derive(Debug, PartialEq)]
enum Agreement {
    /// Lines of text.
    Lines {
        /// Lines that both read, in the same order.
        same: usize,
        /// Lines of whoever read more, picture by picture.
        all: usize,
    },
    /// Vectors of pictures or of faces.
    Vectors {
        /// Least cosine.
        least: f64,
        compared: usize,
        /// Pictures on which the servers found different numbers of faces.
        uneven: usize,
    },
}

impl Agreement {
    /// Takes in both servers' answers to a picture; tells whether they agree.
    fn add(&mut self, ours: &Value, theirs: &Value) -> Result<bool> {
        match self {
            Self::Lines { same, all } => {
                let (ours, theirs) = (lines(ours)?, lines(theirs)?);
                *same += in_both(&ours, &theirs);
                *all += ours.len().max(theirs.len());
                Ok(ours == theirs)
            }
            Self::Vectors { least, compared, uneven } => {
                let (ours, theirs) = (vectors(ours)?, vectors(theirs)?);
                if ours.len() != theirs.len() {
                    *uneven += 1;
                    return Ok(false);
                }
                let of_picture = ours.iter().zip(&theirs).map(|(a, b)| cosine(a, b)).fold(1.0, f64::min);
                *compared += ours.len();
                *least = least.min(of_picture);
                Ok(of_picture >= SAME_VECTOR)
            }
        }
    }

    fn is_good(&self) -> bool {
        match *self {
            Self::Lines { same, all } => same as f64 >= SAME_LINES * all as f64,
            Self::Vectors { least, uneven, .. } => uneven == 0 && least >= SAME_VECTOR,
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Lines { same, all } => format!("{same} of {all} lines the same"),
            Self::Vectors { least, compared, uneven: 0 } => format!("least cosine of {compared}: {least:.6}"),
            Self::Vectors { least, compared, uneven } => {
                format!("least cosine of {compared}: {least:.6}; {uneven} pictures with different faces")
            }
        }
    }
}

fn lines(answer: &Value) -> Result<Vec<&str>> {
    let texts = answer["ocr"]["text"].as_array().context("an answer without lines of text")?;
    texts.iter().map(|text| text.as_str().context("a line that is no text")).collect()
}

/// Vectors in an answer: the picture's, or those of its faces.
fn vectors(answer: &Value) -> Result<Vec<Vec<f64>>> {
    let parse = |value: &Value| -> Result<Vec<f64>> {
        Ok(serde_json::from_str(value.as_str().context("a vector that is no text")?)?)
    };
    match &answer["facial-recognition"] {
        Value::Array(faces) => faces.iter().map(|face| parse(&face["embedding"])).collect(),
        _ => Ok(vec![parse(&answer["clip"])?]),
    }
}

/// Length of the longest common subsequence.
fn in_both(a: &[&str], b: &[&str]) -> usize {
    let mut row = vec![0; b.len() + 1];
    for x in a {
        let mut diagonal = 0;
        for (j, y) in b.iter().enumerate() {
            let best = if x == y { diagonal + 1 } else { row[j].max(row[j + 1]) };
            diagonal = std::mem::replace(&mut row[j + 1], best);
        }
    }
    row[b.len()]
}

/// Zero where the vectors cannot be compared.
fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let norms = (dot(a, a) * dot(b, b)).sqrt();
    if a.len() == b.len() && norms > 0.0 { dot(a, b) / norms } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn addresses_are_hosts_with_ports() {
        assert_eq!(address("http://127.0.0.1:3003"), Some("127.0.0.1:3003"));
        assert_eq!(address("http://ml.local:3003/"), Some("ml.local:3003"));
        assert_eq!(address("http://[::1]:3003"), Some("[::1]:3003"));
        for wrong in
            ["http://ml.local", "https://ml.local:3003", "http://ml.local:3003/ml", "http://:3003", ""]
        {
            assert_eq!(address(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn every_third_picture_shows_faces_and_most_show_several() {
        let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        let library = paths(&["a", "b", "c", "d", "e", "f", "g", "h", "i"]);
        let faces = paths(&["one", "t1", "two"]);
        let mixed = with_faces(&library, &faces, Path::new("t1"));
        let expected = ["a", "b", "t1", "c", "d", "t1", "e", "f", "t1", "g", "h", "one", "i", "t1"];
        assert_eq!(mixed, paths(&expected));
    }

    #[test]
    fn common_lines_keep_their_order() {
        let cases: [(&[&str], &[&str], usize); 5] = [
            (&[], &["a"], 0),
            (&["a", "b", "c"], &["a", "b", "c"], 3),
            (&["a", "b", "c"], &["c", "b", "a"], 1),
            (&["a", "x", "b"], &["a", "b", "y"], 2),
            (&["a", "a"], &["a"], 1),
        ];
        for (a, b, common) in cases {
            assert_eq!(in_both(a, b), common, "{a:?} {b:?}");
            assert_eq!(in_both(b, a), common, "{b:?} {a:?}");
        }
    }

    #[test]
    fn text_agrees_line_by_line() {
        let answer = |texts: &[&str]| json!({ "ocr": { "text": texts } });
        let mut agreement = Agreement::Lines { same: 0, all: 0 };
        assert!(agreement.add(&answer(&["a", "b"]), &answer(&["a", "b"])).unwrap());
        assert!(agreement.is_good());
        assert!(!agreement.add(&answer(&["a"]), &answer(&["a", "c"])).unwrap());
        assert_eq!(agreement, Agreement::Lines { same: 3, all: 4 });
        assert!(!agreement.is_good());
        assert!(agreement.add(&json!({}), &answer(&[])).is_err());
    }

    #[test]
    fn vectors_agree_by_direction_and_number() {
        let faces = |vectors: &[&str]| {
            let faces: Vec<Value> = vectors.iter().map(|vector| json!({ "embedding": vector })).collect();
            json!({ "facial-recognition": faces })
        };
        let mut agreement = Agreement::Vectors { least: 1.0, compared: 0, uneven: 0 };
        assert!(agreement.add(&json!({ "clip": "[3e0,4]" }), &json!({ "clip": "[6,8]" })).unwrap());
        assert!(agreement.add(&faces(&[]), &faces(&[])).unwrap());
        assert!(agreement.is_good());
        assert!(!agreement.add(&faces(&["[1,0]", "[0,1]"]), &faces(&["[1,0]", "[1,0]"])).unwrap());
        assert_eq!(agreement, Agreement::Vectors { least: 0.0, compared: 3, uneven: 0 });
        assert!(!agreement.is_good());
        let mut agreement = Agreement::Vectors { least: 1.0, compared: 0, uneven: 0 };
        assert!(!agreement.add(&faces(&["[1,0]"]), &faces(&[])).unwrap());
        assert!(!agreement.is_good());
        assert_eq!(cosine(&[1.0], &[1.0, 2.0]), 0.0);
        assert_eq!(cosine(&[0.0], &[1.0]), 0.0);
    }
}
