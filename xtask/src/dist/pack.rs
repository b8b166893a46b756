//! A folder as an archive that is the same whenever the folder is.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result, ensure};

/// Nearly the smallest; one step more would need as much again of memory to unpack.
const LEVEL: &str = "-19";

/// Gives every file and folder one time, in seconds since 1970, and the store's manifests the same: so they need no new look.
pub(super) fn fix_times(folder: &Path, seconds: u64) -> Result<()> {
    for path in entries(folder)? {
        if path.file_name().is_some_and(|name| name == "manifest.json") {
            let mut manifest: serde_json::Value = serde_json::from_slice(&fs::read(&path)?)?;
            let files = manifest["files"].as_object_mut().with_context(|| path.display().to_string())?;
            for record in files.values_mut() {
                record["modified_ns"] = (seconds * 1_000_000_000).into();
            }
            fs::write(&path, serde_json::to_string_pretty(&manifest)?)?;
        }
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        File::open(&path)?.set_modified(time).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// Writes `folder` to `archive` under its own name: sorted, of one time and owner, with no rights but the usual.
pub(super) fn pack(folder: &Path, seconds: u64, archive: &Path) -> Result<()> {
    let mut zstd = Command::new("zstd")
        // Two threads always: with another number of them, the bytes may differ.
        .args([LEVEL, "-T2", "--quiet", "--force", "-o"])
        .arg(archive)
        .stdin(Stdio::piped())
        .spawn()
        .context("cannot start zstd")?;
    let input = zstd.stdin.take().context("zstd takes no input")?;
    tar(folder, seconds, input)?;
    ensure!(zstd.wait()?.success(), "zstd failed");
    Ok(())
}

fn tar(folder: &Path, seconds: u64, out: impl Write) -> Result<()> {
    let parent = folder.parent().context("the folder lies in another")?;
    let mut tar = tar::Builder::new(out);
    for path in entries(folder)? {
        let name = path.strip_prefix(parent)?;
        let file = File::open(&path)?;
        let metadata = file.metadata()?;
        let mut header = tar::Header::new_gnu();
        header.set_mtime(seconds);
        if metadata.is_dir() {
            header.set_entry_type(tar::EntryType::Directory);
            header.set_mode(0o755);
            header.set_size(0);
            tar.append_data(&mut header, name, std::io::empty())?;
        } else {
            header.set_mode(if is_executable(&metadata) { 0o755 } else { 0o644 });
            header.set_size(metadata.len());
            tar.append_data(&mut header, name, file)?;
        }
    }
    tar.into_inner()?.flush()?;
    Ok(())
}

/// The folder and all below it, each before what it holds.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = vec![folder.to_owned()];
    let mut at = 0;
    while let Some(path) = found.get(at).cloned() {
        if path.is_dir() {
            for entry in fs::read_dir(&path)? {
                found.push(entry?.path());
            }
        }
        at += 1;
    }
    found.sort();
    Ok(found)
}

#[cfg(unix)]
fn is_executable(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &fs::Metadata) -> bool {
    false
}

/// Takes an archive apart in `folder`.
pub(super) fn unpack(archive: &Path, folder: &Path) -> Result<()> {
    let mut zstd = Command::new("zstd")
        .args(["--decompress", "--stdout", "--quiet"])
        .arg(archive)
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start zstd")?;
    let output = zstd.stdout.take().context("zstd gives no output")?;
    tar::Archive::new(output).unpack(folder)?;
    ensure!(zstd.wait()?.success(), "zstd failed");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_folder_gives_the_same_archive() {
        let base = crate::workspace().join("target/tmp/pack");
        let _ = fs::remove_dir_all(&base);
        let mut archives = Vec::new();
        // Made in another order, at another time, in another place.
        for (place, order) in [("a", ["b/x", "b/a", "c"]), ("z", ["c", "b/a", "b/x"])] {
            let folder = base.join(place).join("name");
            fs::create_dir_all(folder.join("b")).unwrap();
            for name in order {
                fs::write(folder.join(name), name).unwrap();
            }
            let manifest = r#"{"files":{"x":{"bytes":3,"sha256":"00","modified_ns":12345}}}"#;
            fs::write(folder.join("b/manifest.json"), manifest).unwrap();
            fix_times(&folder, 1_000).unwrap();
            let mut bytes = Vec::new();
            tar(&folder, 1_000, &mut bytes).unwrap();
            archives.push(bytes);
        }
        assert_eq!(archives[0], archives[1]);
        let mut read = tar::Archive::new(archives[0].as_slice());
        let names: Vec<String> = read
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                assert_eq!(entry.header().mtime().unwrap(), 1_000);
                entry.path().unwrap().display().to_string()
            })
            .collect();
        let below = ["", "/b", "/b/a", "/b/manifest.json", "/b/x", "/c"];
        assert_eq!(
            names.iter().map(|name| name.trim_end_matches('/')).collect::<Vec<_>>(),
            below.map(|end| format!("name{end}"))
        );
        let manifest = fs::read_to_string(base.join("a/name/b/manifest.json")).unwrap();
        assert!(manifest.contains("1000000000000"), "{manifest}");
        fs::remove_dir_all(base).unwrap();
    }
}
