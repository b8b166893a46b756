//! Speed, memory and accuracy beside other programs, alternating in one run.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::{
    machine::{Need, provide},
    process::{self, say},
    quality::{self, Readings, Set, Table},
    report,
    side::Side,
    workspace,
};

/// Pictures that each side reads before it is the next side's turn.
const TURN: usize = 15;
/// Versions that the project's figures are stated against.
const PEERS: &[&str] = &["rapidocr==3.10.0", "faster-paddle==1.0.4", "opencv-python==4.12.0.88"];

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What to compare.
    #[arg(default_value = "ocr")]
    subject: Subject,
    /// Print the tables without writing BENCHMARKS.md.
    #[arg(long)]
    dry_run: bool,
    /// `catalogue`: measure PostgreSQL with a million pictures, too. Takes hours and 15 GB.
    #[arg(long)]
    million: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Subject {
    /// Text recognition, with RapidOCR and faster-paddle.
    Ocr,
    /// Chinese-CLIP, with the original package's export in ONNX Runtime.
    Clip,
    /// Searches in made-up catalogues of 100,000 pictures.
    Catalogue,
    /// What a server in front adds to a node's answer, and how much it forwards.
    Forwarding,
    /// What the companion's proxy adds to direct access, and its memory with large bodies.
    Proxy,
    /// One user's searches through the companion beside another's many re-runs.
    Reruns,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    match arguments.subject {
        Subject::Ocr => {}
        Subject::Clip => return crate::clip::bench(arguments.dry_run),
        Subject::Catalogue => return crate::catalogue::bench(arguments.million, arguments.dry_run),
        Subject::Forwarding => return crate::forwarding::bench(arguments.dry_run),
        Subject::Proxy => return crate::proxy::bench(arguments.dry_run),
        Subject::Reruns => return crate::reruns::bench(arguments.dry_run),
    }
    provide(&[Need::Pip, Need::Venv, Need::Assembler])?;
    let store = quality::prepare()?;
    let python = peers()?;
    let mut sides = vec![
        ours(&store, "viewfinder")?,
        peer(&python, "faster-paddle")?,
        ours(&store, "rapidocr")?,
        peer(&python, "rapidocr")?,
    ];
    // The first picture loads the models, and is not counted.
    let warm_up = Set::Real.files()?;
    for side in &mut sides {
        read(side, &warm_up[..2])?;
    }

    let mut table = Table::default();
    let mut rates: Vec<Vec<f64>> = Vec::new();
    for set in Set::ALL {
        let files = set.files()?;
        let mut sums: Vec<Round> = sides.iter().map(|_| Round::default()).collect();
        for turn in files.chunks(TURN) {
            for (side, sum) in sides.iter_mut().zip(&mut sums) {
                sum.add(read(side, turn)?);
            }
            say(&format!("{}: {} of {}", set.folder(), sums[0].files, files.len()));
        }
        let mut of_set = Vec::new();
        for (side, sum) in sides.iter().zip(&sums) {
            let rate = sum.files as f64 / sum.seconds;
            table.add(&side.name, *set, set.judge(&sum.lines)?, Some(rate));
            of_set.push(rate);
        }
        rates.push(of_set);
    }

    let mut text = format!(
        "Written by `cargo xtask bench`: all programs in one run, taking turns every {TURN} pictures, all with PP-OCRv6 \
         small.\nMachine: {}. ONNX Runtime {}; {}.\n\n{}\n",
        machine(),
        runtime_version(&store),
        PEERS.join(", "),
        table.markdown()
    );
    text.push_str("| ratio of pictures/s | library | library_hard | ocr |\n| --- | --- | --- | --- |\n");
    for (ours, peer) in [(0, 1), (0, 3), (2, 3)] {
        let cells: Vec<String> =
            rates.iter().map(|rates| format!("{:.2}", rates[ours] / rates[peer])).collect();
        writeln!(text, "| {} / {} | {} |", sides[ours].name, sides[peer].name, cells.join(" | "))?;
    }
    text.push_str("\n| program | most memory held, MB |\n| --- | --- |\n");
    for side in &sides {
        writeln!(text, "| {} | {} |", side.name, side.peak_mb()?)?;
    }
    text.push_str(
        "\nLines found: true lines that stand, without white space and in lower case, in the joined reading of their \
         picture\n(ocr: lines of RapidOCR's reading that are read the same). Character errors: edit distance of the \
         joined reading.\nLine errors: edit distance of each true line to the most similar line read. False lines: lines \
         read in pictures without text.\n",
    );
    report::write("Text", &text, arguments.dry_run)
}

/// What a program read, and in what time.
#[derive(Default)]
pub(crate) struct Round {
    pub(crate) files: usize,
    pub(crate) seconds: f64,
    pub(crate) lines: Readings,
}

impl Round {
    fn add(&mut self, other: Self) {
        self.files += other.files;
        self.seconds += other.seconds;
        self.lines.extend(other.lines);
    }
}

/// This project's engine with one of its profiles.
pub(crate) fn ours(store: &Path, profile: &str) -> Result<Side> {
    let program = workspace().join("target/release/examples/throughput");
    Side::start(&format!("Viewfinder, profile {profile}"), Command::new(program).arg(store).arg(profile))
}

fn peer(python: &Path, name: &str) -> Result<Side> {
    Side::start(name, Command::new(python).arg(workspace().join("xtask/peers/ocr.py")).arg(name))
}

/// Lets a program read pictures.
pub(crate) fn read(side: &mut Side, files: &[PathBuf]) -> Result<Round> {
    let answer = side.ask(&json!({ "files": files }))?;
    let results = answer["results"].as_array().context("results")?;
    let lines = results.iter().map(|result| {
        let file = Path::new(result["file"].as_str().unwrap_or_default());
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        (name, quality::texts(&result["lines"]))
    });
    Ok(Round {
        files: files.len(),
        seconds: answer["seconds"].as_f64().context("seconds")?,
        lines: lines.collect(),
    })
}

/// A Python of its own, with the peers in it.
pub(crate) fn peers() -> Result<PathBuf> {
    let folder = workspace().join("target/peers");
    let python = folder.join("bin/python");
    let installed = folder.join("installed");
    if fs::read_to_string(&installed).is_ok_and(|text| text == PEERS.join("\n")) {
        return Ok(python);
    }
    process::run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    process::run(Command::new(&python).args(["-m", "pip", "install", "onnxruntime"]).args(PEERS))?;
    // A peer brings another build of OpenCV into the same folder: the stated one has to come last.
    let stated = PEERS.iter().filter(|peer| peer.starts_with("opencv"));
    let again = ["-m", "pip", "install", "--force-reinstall", "--no-deps"];
    process::run(Command::new(&python).args(again).args(stated))?;
    fs::write(installed, PEERS.join("\n"))?;
    Ok(python)
}

/// The processor.
pub(crate) fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split(':').nth(1));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{cores} cores, {}", model.unwrap_or(" unknown processor").trim())
}

fn runtime_version(store: &Path) -> String {
    let doctor = Command::new(workspace().join("target/release/viewfinder"))
        .arg("--store")
        .arg(store)
        .args(["models", "where", "runtime"])
        .output();
    let path = doctor.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let version = path.trim().rsplit(".so.").next().unwrap_or_default().to_owned();
    if version.starts_with(|first: char| first.is_ascii_digit()) { version } else { "as fetched".to_owned() }
}
