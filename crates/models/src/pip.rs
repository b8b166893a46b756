//! Packages of the Python index, fetched by the user's own pip: its index, mirrors, proxies and credentials apply.
//!
//! A wheel is an archive that pip only downloads. For a source archive pip insists on asking the package's build backend
//! for metadata, which would run foreign code. So the archive's SHA-256 is pinned, and pip is given a backend of the
//! declared name that answers with name and version and does nothing else; nothing from the archive runs.
use crate::{checksum, error::redact, http::Trouble, source::Sdist};
use std::{
    env, fs, io,
    path::{Path, PathBuf},
};
use viewfinder_programs::{Bounds, Environment, Program, ProgramError};

/// How pip may be called, in this order.
const PROGRAMS: [(&str, &[&str]); 4] =
    [("pip3", &[]), ("pip", &[]), ("python3", &["-m", "pip"]), ("python", &["-m", "pip"])];

/// Downloads a package into an empty folder and returns the archive. With `wheels`, one of these is insisted on.
pub(crate) fn download(
    package: &str,
    version: &str,
    sdist: Option<&Sdist>,
    wheels: &[String],
    into: &Path,
) -> Result<PathBuf, String> {
    let requirement = if version.starts_with(|c: char| c.is_ascii_digit()) {
        format!("{package}=={version}")
    } else {
        format!("{package}{version}")
    };
    if let Some(sdist) = sdist {
        source_archive(package, version, &requirement, sdist, into)?;
    } else if wheels.is_empty() {
        wheel(&requirement, into)?;
    } else {
        // One build for each kind of machine, whatever Python is here: so there is one sum for each.
        foreign_wheel(&requirement, into)?;
    }
    let found = fs::read_dir(into)
        .map_err(|error| error.to_string())?
        .filter_map(Result::ok)
        .map(|entry| entry.path());
    let archive = found
        .into_iter()
        .find(|path| {
            let name = path.to_string_lossy();
            name.ends_with(".whl") || name.ends_with(".tar.gz") || name.ends_with(".zip")
        })
        .ok_or("pip reported success but left no archive")?;
    if !wheels.is_empty() {
        let sum = checksum::of_file(&archive).map_err(|error| error.to_string())?;
        if !wheels.contains(&sum) {
            return Err(format!(
                "what pip brought has the SHA-256 {sum}, which is none of those that are trusted"
            ));
        }
    }
    Ok(archive)
}

fn wheel(requirement: &str, into: &Path) -> Result<(), String> {
    let Err(reason) = call(&["--only-binary=:all:", requirement], into, None) else { return Ok(()) };
    // The wheel may exist, only not for the Python at hand, whose version does not matter to us.
    if !reason.contains("No matching distribution") {
        return Err(reason);
    }
    foreign_wheel(requirement, into).map_err(|_| reason)
}

/// A wheel for some common Python on a machine like this.
fn foreign_wheel(requirement: &str, into: &Path) -> Result<(), String> {
    let foreign = any_python();
    if foreign.is_empty() {
        return Err("there is no build for this kind of machine".into());
    }
    let mut arguments = vec!["--only-binary=:all:", requirement];
    arguments.extend(foreign.iter().map(String::as_str));
    call(&arguments, into, None)
}

fn source_archive(
    package: &str,
    version: &str,
    requirement: &str,
    sdist: &Sdist,
    into: &Path,
) -> Result<(), String> {
    let failed = |error: io::Error| error.to_string();
    let work = tempfile::tempdir().map_err(failed)?;
    let mut module = work.path().to_owned();
    let mut parts: Vec<&str> = sdist.build_backend.split('.').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        module.push(part);
        fs::create_dir_all(&module).map_err(failed)?;
        fs::write(module.join("__init__.py"), "").map_err(failed)?;
    }
    let backend = format!(
        "import pathlib\n\
         def prepare_metadata_for_build_wheel(folder, config_settings=None):\n    \
             name = {name:?} + \".dist-info\"\n    \
             target = pathlib.Path(folder, name)\n    \
             target.mkdir()\n    \
             (target / \"METADATA\").write_text({metadata:?})\n    \
             return name\n",
        name = format!("{}-{version}", package.replace('-', "_")),
        metadata = format!("Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n"),
    );
    fs::write(module.join(format!("{last}.py")), backend).map_err(failed)?;
    let list = work.path().join("requirements.txt");
    fs::write(&list, format!("{requirement} --hash=sha256:{}\n", sdist.sha256)).map_err(failed)?;
    let list = list.to_string_lossy();
    call(
        &["--no-binary=:all:", "--no-build-isolation", "--use-pep517", "--require-hashes", "-r", &list],
        into,
        Some(work.path()),
    )
}

/// pip found nobody who could tell it about packages.
const UNREACHABLE: &str = "pip cannot reach its index (`pip config list` shows which one)";

/// Whose fault it is that pip brought nothing.
pub(crate) fn blame(reason: String) -> Trouble {
    if reason == UNREACHABLE { Trouble::unreachable(reason) } else { reason.into() }
}

/// Runs `pip download`, with whichever spelling of pip exists.
fn call(arguments: &[&str], into: &Path, python_path: Option<&Path>) -> Result<(), String> {
    // Packages are unpacked where they are wanted, and not on a small disk of temporary files.
    let unpacked = into.join("unpacked");
    fs::create_dir_all(&unpacked).map_err(|error| error.to_string())?;
    for (program, prefix) in PROGRAMS {
        let mut command = Program::new(program, Environment::Pip, Bounds::fetcher()).args(prefix);
        command = command.args(["download", "--no-deps", "--no-input", "--disable-pip-version-check", "-q"]);
        command = command.arg("--dest").arg(into).args(arguments);
        for variable in ["TMPDIR", "TEMP", "TMP"] {
            command = command.variable(variable, &unpacked);
        }
        if let Some(path) = python_path {
            command = command.variable("PYTHONPATH", path);
        }
        tracing::debug!(program, ?arguments, "calling pip");
        match command.run() {
            Ok(_) => return Ok(()),
            // `python3 -m pip` where Python is there and pip is not.
            Err(ProgramError::Refused { complaint, .. }) if complaint.contains("No module named pip") => {}
            Err(ProgramError::Refused { complaint, reason, .. }) => {
                return Err(last_words(&complaint, &reason));
            }
            Err(ProgramError::Broken { error, .. }) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    Err("pip is not installed (on Debian and Ubuntu: apt install python3-pip)".into())
}

/// pip's own last words, without credentials.
fn last_words(complaint: &str, reason: &str) -> String {
    // It says of an index that does not answer that it has no such package; only its tries tell.
    if complaint.contains("Retrying (") && complaint.contains("No matching distribution") {
        return UNREACHABLE.to_owned();
    }
    let lines: Vec<&str> =
        complaint.lines().map(str::trim).filter(|line| line.starts_with("ERROR:")).collect();
    let words = if lines.is_empty() { reason.to_owned() } else { lines.join(" ") };
    let short: String = redact(&words).chars().take(400).collect();
    format!("pip: {short}")
}

/// Options that ask for a wheel of this machine for some common Python.
fn any_python() -> Vec<String> {
    let platforms: &[&str] = match (env::consts::OS, env::consts::ARCH) {
        ("linux", "x86_64") => &["manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux2014_x86_64"],
        ("linux", "aarch64") => {
            &["manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux2014_aarch64"]
        }
        ("macos", "aarch64") => &["macosx_14_0_arm64", "macosx_13_0_arm64", "macosx_13_0_universal2"],
        ("macos", "x86_64") => &["macosx_13_0_x86_64", "macosx_13_0_universal2"],
        ("windows", "x86_64") => &["win_amd64"],
        ("windows", "aarch64") => &["win_arm64"],
        _ => return Vec::new(),
    };
    let mut options: Vec<String> =
        ["--python-version", "3.12", "--implementation", "cp", "--abi", "cp312"].map(String::from).into();
    options.extend(platforms.iter().flat_map(|platform| ["--platform".to_owned(), (*platform).to_owned()]));
    options
}
