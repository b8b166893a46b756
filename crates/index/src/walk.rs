//! Which files of a folder are pictures and videos.
use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
    time::SystemTime,
};

use ignore::{DirEntry, WalkBuilder};

use crate::{
    FileKind, Problems, Stop,
    ignored::{RULES, is_folder_ignored},
    kind::HEAD,
    scan::with_slash,
};

/// Size and time of a file, as the file system tells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Bytes.
    pub(crate) size: u64,
    /// Nanoseconds since 1970 of the last change.
    pub(crate) modified_ns: i64,
}

impl Stamp {
    /// Of a file's metadata. Times before 1970 are negative; a file system without times gives 0.
    pub(crate) fn of(metadata: &fs::Metadata) -> Self {
        let nanos = |duration: std::time::Duration| i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
        let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        let modified_ns = match modified.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => nanos(after),
            Err(before) => -nanos(before.duration()),
        };
        Self { size: metadata.len(), modified_ns }
    }
}

/// What a walk found.
#[derive(Debug, Default)]
pub(crate) struct Walked {
    /// Pictures and videos by their path.
    pub(crate) files: HashMap<String, Stamp>,
    /// Folders that could not be read: nothing is known about what is in them. With a slash at the end.
    pub(crate) unreadable: Vec<String>,
}

/// Walks `root`, or only the folders `within` it that are given. `None` if it was asked to stop.
///
/// Left out are hidden files and folders, what `ignored` lists, and what `.viewfinderignore` files say. A link is
/// followed only if it leads out of all `roots`: what lies inside is found anyway, and no circle can begin.
pub(crate) fn walk(
    root: &Path,
    within: &[PathBuf],
    roots: &[PathBuf],
    stop: &Stop,
    problems: &mut Problems,
) -> Option<Walked> {
    let (all_roots, only) = (roots.to_vec(), within.to_vec());
    let mut builder = WalkBuilder::new(root);
    builder
        .standard_filters(false)
        .hidden(true)
        .parents(true)
        .follow_links(true)
        .add_custom_ignore_filename(RULES)
        .filter_entry(move |entry| admits(entry, &all_roots, &only));
    let mut walked = Walked::default();
    for entry in builder.build() {
        if stop.asked() {
            return None;
        }
        match entry {
            Ok(entry) if is_within(entry.path(), within) => take(&entry, &mut walked, problems),
            Ok(_) => {}
            Err(error) => refuse(&error, root, &mut walked, problems),
        }
    }
    Some(walked)
}

/// Is the file below one of the folders? Without any, everything is.
fn is_within(path: &Path, folders: &[PathBuf]) -> bool {
    folders.is_empty() || folders.iter().any(|folder| path.starts_with(folder))
}

/// Is an entry worth a look, and a folder worth a descent?
fn admits(entry: &DirEntry, roots: &[PathBuf], within: &[PathBuf]) -> bool {
    if entry.depth() == 0 {
        return true;
    }
    let path = entry.path();
    if entry.path_is_symlink() && leads_inside(path, roots) {
        return false;
    }
    if !entry.file_type().is_some_and(|kind| kind.is_dir()) {
        return true;
    }
    let on_the_way =
        within.is_empty() || within.iter().any(|folder| folder.starts_with(path) || path.starts_with(folder));
    on_the_way && !is_folder_ignored(path, entry.file_name())
}

fn leads_inside(link: &Path, roots: &[PathBuf]) -> bool {
    link.canonicalize().is_ok_and(|target| roots.iter().any(|root| target.starts_with(root)))
}

fn take(entry: &DirEntry, walked: &mut Walked, problems: &mut Problems) {
    let path = entry.path();
    if !entry.file_type().is_some_and(|kind| kind.is_file()) || !is_media(path) {
        return;
    }
    let Some(name) = path.to_str() else {
        problems.add("name_not_unicode", path.to_string_lossy(), "the name is not valid Unicode");
        return;
    };
    match entry.metadata() {
        Ok(metadata) => drop(walked.files.insert(name.to_owned(), Stamp::of(&metadata))),
        // It went while we looked.
        Err(error) if error.io_error().is_some_and(|error| error.kind() == io::ErrorKind::NotFound) => {}
        Err(error) => problems.add("file_unreadable", name, error.to_string()),
    }
}

/// Is it media by its name or, where the name says nothing at all, by its first bytes?
fn is_media(path: &Path) -> bool {
    if path.extension().is_some() {
        return FileKind::of_name(path).is_some();
    }
    head(path).is_ok_and(|head| FileKind::of_file(path, &head).is_some())
}

/// The first bytes of a file.
pub(crate) fn head(path: &Path) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(HEAD);
    File::open(path)?.take(HEAD as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// Notes a part of the tree that could not be walked.
fn refuse(error: &ignore::Error, root: &Path, walked: &mut Walked, problems: &mut Problems) {
    let at = path_of(error).unwrap_or(root);
    if is_loop(error) || is_dangling_link(error, at) {
        return;
    }
    walked.unreadable.push(with_slash(at));
    let reason = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
    problems.add("folder_unreadable", at.to_string_lossy(), reason);
}

fn path_of(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => path_of(err),
        _ => None,
    }
}

fn is_loop(error: &ignore::Error) -> bool {
    match error {
        ignore::Error::Loop { .. } => true,
        ignore::Error::WithPath { err, .. }
        | ignore::Error::WithDepth { err, .. }
        | ignore::Error::WithLineNumber { err, .. } => is_loop(err),
        _ => false,
    }
}

fn is_dangling_link(error: &ignore::Error, path: &Path) -> bool {
    error.io_error().is_some_and(|error| error.kind() == io::ErrorKind::NotFound)
        && path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(root: &Path, within: &[PathBuf]) -> Vec<String> {
        let root = root.canonicalize().unwrap();
        let mut problems = Problems::default();
        let roots = [root.clone()];
        let walked = walk(&root, within, &roots, &Stop::default(), &mut problems).unwrap();
        assert!(problems.is_empty(), "{problems:?}");
        let relative =
            |path: &String| Path::new(path).strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        let mut names: Vec<_> = walked.files.keys().map(relative).collect();
        names.sort();
        names
    }

    fn put(root: &Path, names: &[&str]) {
        for name in names {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"\xFF\xD8\xFFx").unwrap();
        }
    }

    #[test]
    fn what_people_ignore_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        put(
            root,
            &[
                "a.jpg",
                "b/c.PNG",
                "b/notes.txt",
                "b/d",
                ".hidden/x.jpg",
                ".x.jpg",
                "b/@eaDir/t.jpg",
                "#recycle/y.jpg",
                "$Recycle.Bin/y.jpg",
                "Cat Previews.lrdata/y.jpg",
                "app/.nomedia",
                "app/deep/z.jpg",
                ".git/x.jpg",
                "Thumbs.db",
                "drafts/k.jpg",
                "drafts/keep.jpg",
                "e.jpg.part",
            ],
        );
        fs::write(root.join(".viewfinderignore"), "drafts/*\n!keep.jpg\n").unwrap();
        // Other programs' rules are none of ours.
        fs::write(root.join(".gitignore"), "*\n").unwrap();
        assert_eq!(names(root, &[]), ["a.jpg", "b/c.PNG", "b/d", "drafts/keep.jpg"]);
    }

    #[test]
    fn only_the_folders_asked_for_are_walked_and_rules_above_them_hold() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        put(&root, &["a.jpg", "b/c.jpg", "b/deep/d.jpg", "b2/e.jpg", "f/g.jpg", "secret/in/h.jpg"]);
        fs::write(root.join(".viewfinderignore"), "secret/\n").unwrap();
        let within = [root.join("b"), root.join("secret/in")];
        assert_eq!(names(&root, &within), ["b/c.jpg", "b/deep/d.jpg"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_lead_out_but_never_around() {
        use std::os::unix::fs::symlink;
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let root = folder.path();
        put(root, &["a.jpg", "b/c.jpg"]);
        put(outside.path(), &["far.jpg"]);
        symlink(root, root.join("b/loop")).unwrap();
        symlink(root.join("b"), root.join("again")).unwrap();
        symlink(root.join("a.jpg"), root.join("copy.jpg")).unwrap();
        symlink(root.join("nowhere"), root.join("dangling.jpg")).unwrap();
        symlink(outside.path(), root.join("out")).unwrap();
        symlink(outside.path(), outside.path().join("round")).unwrap();
        symlink(root, outside.path().join("back")).unwrap();
        assert_eq!(names(root, &[]), ["a.jpg", "b/c.jpg", "out/far.jpg"]);
    }
}
