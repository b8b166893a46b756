//! How much of the text in the labelled pictures is found, and how well it is read.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};
use serde_json::Value;
use strsim::levenshtein;

use crate::{
    machine::{Need, provide},
    process::{self, cargo},
    workspace,
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Profiles to measure.
    #[arg(default_values = ["viewfinder", "rapidocr"])]
    profiles: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    provide(&[Need::Pip, Need::Assembler])?;
    let store = prepare()?;
    let mut table = Table::default();
    for set in Set::ALL {
        let reference = set.reference()?;
        if *set != Set::Real {
            table.add("RapidOCR's results in the fixtures", *set, set.judge(&reference)?, None);
        }
        for profile in &arguments.profiles {
            let mut side = crate::bench::Side::ours(&store, profile)?;
            let round = side.read(&set.files()?)?;
            table.add(profile, *set, set.judge(&round.lines)?, Some(round.files as f64 / round.seconds));
        }
    }
    #[expect(clippy::print_stdout, reason = "the result")]
    {
        println!("{}", table.markdown());
    }
    Ok(())
}

/// Builds the measuring program and fetches the models; returns the store.
pub(crate) fn prepare() -> Result<PathBuf> {
    process::run(cargo().args([
        "build",
        "--release",
        "--package",
        "viewfinder",
        "--package",
        "viewfinder-engine",
        "--examples",
        "--bins",
    ]))?;
    let store = workspace().join("target/test-store");
    for name in ["runtime", "PP-OCRv6_small"] {
        process::run(
            Command::new(workspace().join("target/release/viewfinder"))
                .arg("--store")
                .arg(&store)
                .args(["models", "pull", name]),
        )?;
    }
    Ok(store)
}

/// Lines read, by the picture's file name.
pub(crate) type Readings = BTreeMap<String, Vec<String>>;

/// A folder of pictures with reference results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Set {
    /// Drawn photos, some of them without text.
    Library,
    /// Small text: scans, screenshots, receipts.
    Hard,
    /// Real pictures; the reference is `RapidOCR`'s reading.
    Real,
}

impl Set {
    pub(crate) const ALL: &[Self] = &[Self::Library, Self::Hard, Self::Real];

    pub(crate) fn folder(self) -> &'static str {
        match self {
            Self::Library => "library",
            Self::Hard => "library_hard",
            Self::Real => "ocr",
        }
    }

    fn path(self) -> PathBuf {
        workspace().join("tests/fixtures").join(self.folder())
    }

    pub(crate) fn files(self) -> Result<Vec<PathBuf>> {
        pictures(&self.path())
    }

    /// What `RapidOCR` reads.
    fn reference(self) -> Result<Readings> {
        let name = if self == Self::Real { "golden.json" } else { "rapidocr_golden.json" };
        let golden = read_json(&self.path().join(name))?;
        let golden = golden.as_object().context("the golden file is an object")?;
        Ok(golden.iter().map(|(file, entry)| (file.clone(), texts(&entry["lines"]))).collect())
    }

    /// Compares readings with the truth; with `RapidOCR`'s reading for real pictures.
    pub(crate) fn judge(self, readings: &Readings) -> Result<Score> {
        let truth: Readings = if self == Self::Real {
            self.reference()?
        } else {
            let labels = read_json(&self.path().join("labels.json"))?;
            let labels = labels.as_array().context("labels are a list")?;
            labels
                .iter()
                .map(|label| {
                    let lines = label["lines"].as_array().into_iter().flatten();
                    let lines = lines.filter_map(|line| line.as_str().map(str::to_owned)).collect();
                    (label["file"].as_str().unwrap_or_default().to_owned(), lines)
                })
                .collect()
        };
        let mut score = Score::default();
        for (file, lines) in &truth {
            let read: Vec<String> =
                readings.get(file).into_iter().flatten().map(|line| normalise(line)).collect();
            if lines.is_empty() {
                score.false_lines += read.len();
                continue;
            }
            let lines: Vec<String> = lines.iter().map(|line| normalise(line)).collect();
            let joined = read.concat();
            score.joined_edits += levenshtein(&lines.concat(), &joined);
            for line in &lines {
                let length = line.chars().count();
                score.characters += length;
                score.lines += 1;
                let found =
                    if self == Self::Real { read.contains(line) } else { joined.contains(line.as_str()) };
                score.found += usize::from(found);
                if !found {
                    let best = read.iter().map(|other| levenshtein(line, other)).min().unwrap_or(length);
                    score.line_edits += best.min(length);
                }
            }
        }
        Ok(score)
    }
}

/// How readings compare with the truth. White space is removed and letters are lower-cased first.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Score {
    characters: usize,
    /// Edit distance of all lines of a picture, joined.
    joined_edits: usize,
    /// Edit distance of each true line to the most similar line read.
    line_edits: usize,
    lines: usize,
    /// True lines that stand in the joined reading; for real pictures, lines read exactly.
    found: usize,
    /// Lines read in pictures without text.
    false_lines: usize,
}

/// Results by set and reader.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<[String; 7]>,
}

impl Table {
    pub(crate) fn add(&mut self, reader: &str, set: Set, score: Score, pictures_per_second: Option<f64>) {
        let percent =
            |part: usize, whole: usize| format!("{:.2} %", 100.0 * part as f64 / whole.max(1) as f64);
        self.rows.push([
            set.folder().to_owned(),
            reader.to_owned(),
            percent(score.found, score.lines),
            if set == Set::Real { "–".into() } else { percent(score.joined_edits, score.characters) },
            if set == Set::Real { "–".into() } else { percent(score.line_edits, score.characters) },
            if set == Set::Library { score.false_lines.to_string() } else { "–".into() },
            pictures_per_second.map_or_else(|| "–".to_owned(), |rate| format!("{rate:.2}")),
        ]);
    }

    pub(crate) fn markdown(&self) -> String {
        let head =
            ["set", "reader", "lines found", "character errors", "line errors", "false lines", "pictures/s"];
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let mut text = line(&head.map(str::to_owned));
        text.push_str(&line(&head.map(|_| "---".to_owned())));
        for row in &self.rows {
            text.push_str(&line(row));
        }
        text
    }
}

/// The pictures in a folder, by name.
pub(crate) fn pictures(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .with_context(|| folder.display().to_string())?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|kind| kind == "jpg" || kind == "jpeg" || kind == "png"))
        .collect();
    files.sort();
    Ok(files)
}

pub(crate) fn texts(lines: &Value) -> Vec<String> {
    let lines = lines.as_array().into_iter().flatten();
    lines.filter_map(|line| line["text"].as_str().map(str::to_owned)).collect()
}

fn read_json(path: &Path) -> Result<Value> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}

fn normalise(text: &str) -> String {
    text.split_whitespace().collect::<String>().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published figures of the reference reading fix what the words in the table mean.
    #[test]
    fn the_references_own_score_is_reproduced() {
        let score = |set: Set| set.judge(&set.reference().unwrap()).unwrap();
        let library = score(Set::Library);
        assert_eq!((library.lines, library.found, library.false_lines), (319, 309, 4));
        assert_eq!(format!("{:.2}", 100.0 * library.joined_edits as f64 / library.characters as f64), "1.97");
        let hard = score(Set::Hard);
        assert_eq!((hard.lines, hard.found), (641, 615));
        let real = score(Set::Real);
        assert_eq!(real.lines, real.found);
    }
}
