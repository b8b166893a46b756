//! Tries the archive where there is nothing: an empty root with the C and C++ libraries alone, an empty home, no network, no Python.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, Result, bail, ensure};

use super::pack;
use crate::{process::say, workspace};

/// A picture, a word in it, and where it lies in the empty root.
const PICTURE: &str = "tests/fixtures/ocr/ch_en_num.jpg";
const WORD: &str = "正品促销";
const PHOTOS: &str = "/home/me/Pictures";
/// How a program ends that has done what it could: here, without the models for faces and for what pictures show.
const SOME_MISSING: i32 = 3;

/// Unpacks `archive`, whose folder is `name`, in an empty root, and reads and finds text there; then again after a move.
pub(super) fn run(archive: &Path, name: &str) -> Result<()> {
    if !cfg!(target_os = "linux") {
        say("the archive was not tried in an empty root, which only Linux has");
        return Ok(());
    }
    let root = workspace().join("target/dist-root");
    clear(&root)?;
    for folder in ["proc", "tmp", "opt", PHOTOS.trim_start_matches('/')] {
        fs::create_dir_all(root.join(folder))?;
    }
    fs::copy(workspace().join(PICTURE), root.join(PHOTOS.trim_start_matches('/')).join("photo.jpg"))?;
    pack::unpack(archive, &root.join("opt"))?;
    let folder = root.join("opt").join(name);
    libraries(&folder, &root)?;
    let before = state(&folder)?;

    let program = format!("/opt/{name}/viewfinder");
    let photo = format!("{PHOTOS}/photo.jpg");
    let started = Instant::now();
    let text = inside(&root, &[&program, "ocr", &photo], 0)?;
    let taken = started.elapsed();
    ensure!(text.contains(WORD), "the text of the picture is not in {text:?}");
    say(&format!("first text after {:.2} s, in an empty home, without a network", taken.as_secs_f32()));
    inside(&root, &[&program, "index", PHOTOS], SOME_MISSING)?;
    let found = inside(&root, &[&program, "search", &format!("ocr:{WORD}")], 0)?;
    ensure!(found.contains(&photo), "the picture is not found: {found:?}");
    ensure!(state(&folder)? == before, "the program has written into its own folder");

    let moved = root.join("elsewhere");
    fs::rename(&folder, &moved)?;
    let text = inside(&root, &["/elsewhere/viewfinder", "ocr", &photo], 0)?;
    ensure!(text.contains(WORD), "after a move, the text of the picture is not in {text:?}");
    say(
        "read and found in an empty root; nothing was written into the program's folder; read again after a move",
    );
    clear(&root)
}

fn clear(root: &Path) -> Result<()> {
    if root.exists() { fs::remove_dir_all(root).context("the empty root of an earlier run") } else { Ok(()) }
}

/// Runs a program in `root`, with a network of its own that leads nowhere, to the expected exit code, and tells what it printed.
fn inside(root: &Path, command: &[&str], expected: i32) -> Result<String> {
    let administrator = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.starts_with(b"0\n"));
    let user: &[&str] = if administrator { &[] } else { &["--user", "--map-root-user"] };
    let output = Command::new("unshare")
        .args(user)
        .args(["--net", "--pid", "--fork", "--mount-proc", "--root"])
        .arg(root)
        .args(command)
        .env_clear()
        .env("HOME", "/home/me")
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .stdin(Stdio::null())
        .output()
        .context("cannot start unshare")?;
    let [stdout, stderr] =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    if output.status.code() != Some(expected) {
        bail!("{}: {}\n{stdout}{stderr}", command.join(" "), output.status);
    }
    Ok(stdout)
}

/// Copies what the program and its library are linked with, and nothing else, to the same places in `root`.
fn libraries(folder: &Path, root: &Path) -> Result<()> {
    let runtime = folder.join("models/runtime/cpu");
    let library = fs::read_dir(&runtime)?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("libonnxruntime.so"))
        })
        .context("the archive holds no library")?;
    let mut needed = BTreeSet::new();
    for file in [folder.join("viewfinder"), library] {
        let output = Command::new("ldd").arg(&file).output().context("cannot start ldd")?;
        needed.extend(paths(&String::from_utf8_lossy(&output.stdout)));
    }
    ensure!(!needed.is_empty(), "ldd tells of no libraries");
    for path in needed {
        let target = root.join(path.strip_prefix("/").unwrap_or(&path));
        fs::create_dir_all(target.parent().context("a library lies in a folder")?)?;
        fs::copy(&path, &target).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// The files in what `ldd` says.
fn paths(said: &str) -> Vec<PathBuf> {
    said.lines()
        .filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')))
        .map(PathBuf::from)
        .collect()
}

/// Everything below a folder, with sizes and times.
fn state(folder: &Path) -> Result<BTreeSet<(PathBuf, u64, std::time::SystemTime)>> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                waiting.push(entry.path());
            }
            found.insert((entry.path(), metadata.len(), metadata.modified()?));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_read_from_what_ldd_says() {
        let said = "\tlinux-vdso.so.1 (0x00007f1756d8f000)\n\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x0)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x00007f1756d91000)\n";
        assert_eq!(
            paths(said),
            ["/lib/x86_64-linux-gnu/libm.so.6", "/lib64/ld-linux-x86-64.so.2"].map(PathBuf::from)
        );
    }
}
