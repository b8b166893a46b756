//! Taking files out of zip archives (wheels, release assets) and compressed tar archives.
use crate::{checksum::Hasher, manifest};
use std::{
    fs::{self, File},
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
};

/// No single model file is larger; stops an archive that unpacks without end.
const MAX_BYTES: u64 = 16 << 30;

/// A file wanted from an archive.
#[derive(Clone, Debug)]
pub(crate) struct ArchiveMember {
    /// Its path inside; leading folders may be left out.
    pub(crate) member: String,
    /// Where it goes.
    pub(crate) dest: PathBuf,
    /// What it must be.
    pub(crate) sha256: Option<String>,
}

/// A file taken out.
#[derive(Clone, Debug)]
pub(crate) struct Extracted {
    pub(crate) dest: PathBuf,
    pub(crate) sha256: String,
}

/// Takes the wanted files out of an archive; each lands complete and verified, or not at all.
pub(crate) fn extract(archive: &Path, wanted: &[ArchiveMember]) -> Result<Vec<Extracted>, String> {
    let mut out = Vec::new();
    each_file(archive, |name, content| {
        for file in wanted {
            if name == file.member
                || name.strip_suffix(file.member.as_str()).is_some_and(|head| head.ends_with('/'))
            {
                out.push(land(content, &file.dest, file.sha256.as_deref())?);
                return Ok(());
            }
        }
        Ok(())
    })?;
    match wanted.iter().find(|file| !out.iter().any(|found| found.dest == file.dest)) {
        Some(missing) => Err(format!("the archive holds no {}", missing.member)),
        None => Ok(out),
    }
}

/// Takes out every file for which `place` names a destination.
pub(crate) fn extract_matching(
    archive: &Path,
    mut place: impl FnMut(&str) -> Option<PathBuf>,
) -> Result<Vec<Extracted>, String> {
    let mut out = Vec::new();
    each_file(archive, |name, content| {
        if let Some(dest) = place(name) {
            out.push(land(content, &dest, None)?);
        }
        Ok(())
    })?;
    Ok(out)
}

fn each_file(
    archive: &Path,
    mut visit: impl FnMut(&str, &mut dyn Read) -> Result<(), String>,
) -> Result<(), String> {
    let unreadable = |error: &dyn std::fmt::Display| format!("unreadable archive: {error}");
    let file = BufReader::new(File::open(archive).map_err(|error| unreadable(&error))?);
    let name = archive.to_string_lossy();
    if name.ends_with(".tar.gz") || name.ends_with(".tgz") {
        let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(file));
        for entry in tar.entries().map_err(|error| unreadable(&error))? {
            let mut entry = entry.map_err(|error| unreadable(&error))?;
            let name = entry.path().map_err(|error| unreadable(&error))?.to_string_lossy().into_owned();
            if entry.header().entry_type().is_file() {
                visit(&name, &mut entry)?;
            }
        }
    } else {
        let mut zip = zip::ZipArchive::new(file).map_err(|error| unreadable(&error))?;
        for index in 0..zip.len() {
            let mut entry = zip.by_index(index).map_err(|error| unreadable(&error))?;
            if entry.is_file() {
                let name = entry.name().map_err(|error| unreadable(&error))?.into_owned();
                visit(&name, &mut entry)?;
            }
        }
    }
    Ok(())
}

/// Writes content beside its destination, checks it, and renames it into place.
fn land(content: &mut dyn Read, dest: &Path, sha256: Option<&str>) -> Result<Extracted, String> {
    let name = dest.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let failed = |error: io::Error| format!("could not extract {name}: {error}");
    let folder = dest.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(failed)?;
    let file = tempfile::Builder::new().prefix(".extract-").tempfile_in(folder).map_err(failed)?;
    let mut sum = Hasher::new(file.as_file());
    let copied = crate::checksum::copy(&mut content.take(MAX_BYTES + 1), &mut sum).map_err(failed)?;
    if copied > MAX_BYTES {
        return Err(format!("{name} is larger than any model"));
    }
    let found = sum.finish();
    if let Some(expected) = sha256
        && expected != found
    {
        return Err(format!("the SHA-256 of {name} is {found}, not {expected}"));
    }
    file.as_file().sync_all().map_err(failed)?;
    manifest::share(file.path()).map_err(failed)?;
    file.persist(dest).map_err(|error| failed(error.error))?;
    manifest::sync_folder(folder);
    Ok(Extracted { dest: dest.to_owned(), sha256: found })
}
