//! The licences of everything that is in the folder.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use crate::metadata::{Metadata, Package};

/// How deep below a package's folder a bundled library's licence may lie.
const DEPTH: usize = 2;
/// No licence is longer; what is, is something else of that name.
const LONGEST: u64 = 512 << 10;

/// Writes `crates.txt` and `PP-OCR.txt` into `folder`. The library's licence lies beside the library.
pub(super) fn write(folder: &Path, metadata: &Metadata) -> Result<()> {
    fs::create_dir_all(folder)?;
    let linked: Vec<&Package> =
        metadata.linked()?.into_iter().filter(|package| package.source.is_some()).collect();
    let texts = texts(&linked)?;
    fs::write(folder.join("crates.txt"), of_crates(&linked, &texts)?)?;
    let apache = texts.keys().find(|text| {
        text.trim_start().starts_with("Apache License") && text.contains("END OF TERMS AND CONDITIONS")
    });
    let apache = apache.context("no package brings the text of the Apache License")?;
    fs::write(
        folder.join("PP-OCR.txt"),
        format!(
            "models/PP-OCRv6_small and models/ppocr_mobile_v2.0_cls are networks of PaddleOCR,\n\
             Copyright (c) PaddlePaddle Authors, converted to ONNX by the RapidOCR project (RapidAI).\n\
             They are used and passed on unchanged, under this licence:\n\n{apache}"
        ),
    )?;
    Ok(())
}

/// The list of packages, then each text once.
fn of_crates(linked: &[&Package], texts: &BTreeMap<String, Vec<String>>) -> Result<String> {
    let mut out = String::from("What the program is made of, and under which licences.\n\n");
    for package in linked {
        let licence = package.license.as_deref().unwrap_or("see its text");
        let place = package.repository.as_deref().unwrap_or("");
        writeln!(out, "{}  {licence}  {place}", named(package))?;
    }
    let silent: Vec<&&Package> = linked
        .iter()
        .filter(|package| !texts.values().any(|owners| owners.contains(&named(package))))
        .collect();
    if !silent.is_empty() {
        out.push_str("\nWithout a text of their own, by these authors; the text stands below, as others brought it:\n\n");
        for package in silent {
            writeln!(out, "{}  {}", named(package), package.authors.join(", "))?;
        }
    }
    for (text, owners) in texts {
        writeln!(out, "\n{}\n{}\n", "=".repeat(100), owners.join(", "))?;
        out.push_str(text);
    }
    Ok(out)
}

fn named(package: &Package) -> String {
    format!("{} {}", package.name, package.version)
}

/// Every text, with the packages that bring it.
fn texts(linked: &[&Package]) -> Result<BTreeMap<String, Vec<String>>> {
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    // By its words alone: the same text is broken into lines in many ways.
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    for package in linked {
        let folder = package.manifest_path.parent().context("a manifest lies in a folder")?;
        let mut files = Vec::new();
        find(folder, DEPTH, &mut files)?;
        files.sort();
        for file in files {
            let text = String::from_utf8_lossy(&fs::read(&file)?).replace("\r\n", "\n");
            if is_not_chosen(&text) {
                continue;
            }
            let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let owners = texts.entry(known.entry(words).or_insert(text).clone()).or_default();
            let name = named(package);
            if !owners.contains(&name) {
                owners.push(name);
            }
        }
    }
    Ok(texts)
}

/// Files that hold a licence or a notice.
fn find(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() && depth > 0 {
            find(&path, depth - 1, found)?;
        } else if kind.is_file()
            && is_licence(&entry.file_name().to_string_lossy())
            && entry.metadata()?.len() < LONGEST
        {
            found.push(path);
        }
    }
    Ok(())
}

/// A licence that its owner offers beside another. `deny.toml` allows none of these, so it is the other that is taken.
fn is_not_chosen(text: &str) -> bool {
    text.lines()
        .take(5)
        .any(|line| line.contains("GNU") && line.to_uppercase().contains("GENERAL PUBLIC LICENSE"))
}

fn is_licence(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let starts = ["license", "licence", "copying", "copyright", "notice", "unlicense", "readme.ijg"];
    let code = [".rs", ".c", ".h", ".html", ".json", ".toml", ".yml", ".yaml", ".py", ".js", ".spdx"];
    starts.iter().any(|start| name.starts_with(start)) && !code.iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::host;

    #[test]
    fn every_package_is_listed_and_most_bring_their_text() {
        let metadata = Metadata::read(&host().unwrap()).unwrap();
        let folder = crate::workspace().join("target/tmp/licences");
        write(&folder, &metadata).unwrap();
        let text = fs::read_to_string(folder.join("crates.txt")).unwrap();
        let linked = metadata.linked().unwrap();
        for package in linked.iter().filter(|package| package.source.is_some()) {
            assert!(text.lines().any(|line| line.starts_with(&named(package))), "{}", named(package));
        }
        for words in ["Independent JPEG Group", "UNICODE LICENSE V3", "Permission is hereby granted"] {
            assert!(text.contains(words), "{words}");
        }
        assert!(!text.contains("GENERAL PUBLIC LICENSE"), "none of these is ours to give");
        let models = fs::read_to_string(folder.join("PP-OCR.txt")).unwrap();
        assert!(models.contains("PaddlePaddle") && models.contains("TERMS AND CONDITIONS FOR USE"));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn licences_are_known_by_their_names() {
        for name in ["LICENSE", "LICENSE-MIT", "license.txt", "COPYING", "NOTICE", "UNLICENSE", "README.ijg"]
        {
            assert!(is_licence(name), "{name}");
        }
        for name in ["license.rs", "README.md", "licenses.json", "lib.rs"] {
            assert!(!is_licence(name), "{name}");
        }
    }
}
