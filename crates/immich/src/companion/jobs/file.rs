//! The file in which jobs outlive this program.

use std::{
    ffi::OsString,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use viewfinder_files::{private, read as read_file};

use super::job::Job;

/// Of the file's form.
const VERSION: u32 = 1;
/// Bytes that are read of it. There are far fewer in as many jobs as may wait.
const LARGEST: u64 = 64 << 20;

#[derive(Deserialize)]
struct Read {
    version: u32,
    jobs: Vec<Job>,
}

#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    jobs: &'a [Job],
}

/// Reads the jobs of a file. One that cannot be understood is told once, and kept aside.
pub(crate) fn read(path: &Path) -> Vec<Job> {
    private::narrow(path);
    let bytes = match read_file(path, LARGEST) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            tracing::warn!(%error, file = %path.display(), "jobs of before cannot be read");
            return Vec::new();
        }
    };
    let error = match serde_json::from_slice::<Read>(&bytes) {
        Ok(Read { version: VERSION, jobs }) => return jobs,
        Ok(Read { version, .. }) => format!("version {version} is not known"),
        Err(error) => error.to_string(),
    };
    let aside = beside(path, ".damaged");
    let kept = match fs::rename(path, &aside) {
        Ok(()) => aside.display().to_string(),
        Err(error) => format!("nowhere: {error}"),
    };
    tracing::warn!(error, file = %path.display(), kept, "jobs of before are damaged, and are not gone on with");
    Vec::new()
}

/// Writes all of them, whole or not at all. Gives the number of bytes.
pub(crate) fn write(path: &Path, jobs: &[Job]) -> io::Result<usize> {
    let bytes = serde_json::to_vec(&Written { version: VERSION, jobs })?;
    if let Some(folder) = path.parent() {
        private::create_folder(folder)?;
    }
    let part = beside(path, ".part");
    // It says which pictures users have.
    let mut file = private::create(&part)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&part, path)?;
    Ok(bytes.len())
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn jobs_are_for_their_owner_alone_and_a_pipe_in_their_place_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/jobs.json");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        write(&path, &[]).unwrap();
        assert_eq!([mode(&path), mode(path.parent().unwrap())], [0o600, 0o700]);
        // As a crash of a former version left them.
        for path in [&path, &beside(&path, ".part")] {
            fs::write(path, r#"{"version":1,"jobs":[]}"#).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
        }
        assert_eq!(read(&path), []);
        assert_eq!(mode(&path), 0o600);
        write(&path, &[]).unwrap();
        assert_eq!(mode(&path), 0o600);
        fs::remove_file(&path).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        assert_eq!(read(&path), []);
    }
}
