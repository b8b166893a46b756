//! Which files of a folder are pictures and videos.
use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use ignore::{DirEntry, WalkBuilder};
use tokio_util::sync::CancellationToken;
use viewfinder_files::{Links, open};

use crate::{
    FileKind, Problems,
    ignored::{RULES, is_folder_ignored},
    properties::head,
    rules::Rules,
};

/// Size and time of a file, as the file system tells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileStamp {
    /// Bytes.
    pub(crate) size: u64,
    /// Nanoseconds since 1970 of the last change.
    pub(crate) modified_ns: i64,
}

impl FileStamp {
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
pub(crate) struct WalkResult {
    /// Pictures and videos by their path.
    pub(crate) files: HashMap<String, FileStamp>,
    /// Folders that could not be read, and links that are not followed: nothing is known about what is there.
    pub(crate) unread: Vec<PathBuf>,
}

/// Walks `root`, or only the folders `within` it that are given. `None` if it was asked to stop.
///
/// Left out are hidden files and folders, what `ignored` lists, and what `rules` say. A link that leads into one of all `roots` is
/// left out too: what lies there is found anyway, and no circle can begin. One that leads out is followed only if `links` says so.
pub(crate) fn walk(
    root: &Path,
    within: &[PathBuf],
    roots: &[PathBuf],
    links: Links,
    stop: &CancellationToken,
    problems: &mut Problems,
) -> Option<WalkResult> {
    let gate = Arc::new(WalkFilter {
        roots: roots.to_vec(),
        within: within.to_vec(),
        links,
        seen: Mutex::new(VisitedFolders {
            rules: Rules::new(links, roots.to_vec()),
            problems: Problems::default(),
            walked: WalkResult::default(),
        }),
    });
    // Rules hold for all below them, those of folders above the root too.
    let mut above: Vec<_> = root.ancestors().collect();
    above.reverse();
    if above.into_iter().all(|folder| gate.enter(folder, root)) {
        let mut builder = WalkBuilder::new(root);
        let at_gate = Arc::clone(&gate);
        builder
            .standard_filters(false)
            .follow_links(links == Links::Followed)
            .filter_entry(move |entry| entry.depth() == 0 || at_gate.admits(entry));
        for entry in builder.build() {
            if stop.is_cancelled() {
                return None;
            }
            let VisitedFolders { problems, walked, .. } = &mut *gate.seen();
            match entry {
                Ok(entry) if is_within(entry.path(), within) => take(&entry, links, walked, problems),
                Ok(_) => {}
                Err(error) => refuse(&error, root, walked, problems),
            }
        }
    }
    let VisitedFolders { problems: found, walked, .. } = &mut *gate.seen();
    problems.merge(std::mem::take(found));
    Some(std::mem::take(walked))
}

/// Is the file below one of the folders? Without any, everything is.
fn is_within(path: &Path, folders: &[PathBuf]) -> bool {
    folders.is_empty() || folders.iter().any(|folder| path.starts_with(folder))
}

/// Decides what is worth a look.
struct WalkFilter {
    roots: Vec<PathBuf>,
    within: Vec<PathBuf>,
    links: Links,
    seen: Mutex<VisitedFolders>,
}

struct VisitedFolders {
    rules: Rules,
    problems: Problems,
    walked: WalkResult,
}

impl WalkFilter {
    /// One thread walks; after a panic nothing is shown of what it saw.
    fn seen(&self) -> MutexGuard<'_, VisitedFolders> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Is an entry worth a look, and a folder worth a descent?
    fn admits(&self, entry: &DirEntry) -> bool {
        let path = entry.path();
        let is_link = entry.path_is_symlink();
        let is_folder =
            if is_link { path.is_dir() } else { entry.file_type().is_some_and(|kind| kind.is_dir()) };
        let said = self.seen().rules.of(path, is_folder);
        if said.is_ignore() || (is_hidden(entry) && !said.is_whitelist()) {
            return false;
        }
        if is_folder && (!self.is_on_the_way(path) || is_folder_ignored(path, entry.file_name())) {
            return false;
        }
        if is_link && !self.follows(path, is_folder) {
            return false;
        }
        !is_folder || self.enter(path, path)
    }

    fn is_on_the_way(&self, folder: &Path) -> bool {
        let leads = |within: &PathBuf| within.starts_with(folder) || folder.starts_with(within);
        self.within.is_empty() || self.within.iter().any(leads)
    }

    fn follows(&self, link: &Path, is_folder: bool) -> bool {
        // One that leads nowhere is left to the walk, which says nothing of it.
        let Ok(target) = link.canonicalize() else { return self.links == Links::Followed };
        if self.roots.iter().any(|root| target.starts_with(root)) {
            return false;
        }
        if self.links == Links::Refused
            && (is_folder || FileKind::of_name(link).is_some())
            && is_within(link, &self.within)
        {
            let VisitedFolders { problems, walked, .. } = &mut *self.seen();
            walked.unread.push(link.to_owned());
            let message = format!(
                "it leads out of the indexed folders, to {}: index that folder too, set index.follow_links, or name the link in {RULES}",
                target.display()
            );
            problems.add("link_not_followed", link.to_string_lossy(), message);
        }
        self.links == Links::Followed
    }

    /// Reads a folder's rules. If nobody can tell what is to be left out, what lies in `whole` is left as it is.
    fn enter(&self, folder: &Path, whole: &Path) -> bool {
        let VisitedFolders { rules, problems, walked } = &mut *self.seen();
        let entered = rules.enter(folder);
        if let Err(error) = &entered {
            walked.unread.push(whole.to_owned());
            let message =
                format!("{error}; nobody knows what it leaves out, so this folder is not looked at");
            problems.add("rules_unreadable", folder.join(RULES).to_string_lossy(), message);
        }
        entered.is_ok()
    }
}

fn is_hidden(entry: &DirEntry) -> bool {
    #[cfg(windows)]
    {
        use std::os::windows::fs::MetadataExt as _;
        const HIDDEN: u32 = 2;
        if entry.metadata().is_ok_and(|found| found.file_attributes() & HIDDEN != 0) {
            return true;
        }
    }
    entry.file_name().as_encoded_bytes().starts_with(b".")
}

fn take(entry: &DirEntry, links: Links, walked: &mut WalkResult, problems: &mut Problems) {
    let path = entry.path();
    if !entry.file_type().is_some_and(|kind| kind.is_file()) || !is_media(path, links) {
        return;
    }
    let Some(name) = path.to_str() else {
        problems.add("name_not_unicode", path.to_string_lossy(), "the name is not valid Unicode");
        return;
    };
    match entry.metadata() {
        Ok(metadata) => drop(walked.files.insert(name.to_owned(), FileStamp::of(&metadata))),
        // It went while we looked.
        Err(error) if error.io_error().is_some_and(|error| error.kind() == io::ErrorKind::NotFound) => {}
        Err(error) => problems.add("file_unreadable", name, error.to_string()),
    }
}

/// Is it media by its name or, where the name says nothing at all, by its first bytes?
fn is_media(path: &Path, links: Links) -> bool {
    if path.extension().is_some() {
        return FileKind::of_name(path).is_some();
    }
    open(path, links)
        .is_ok_and(|mut file| head(&mut file).is_ok_and(|head| FileKind::of_file(path, &head).is_some()))
}

/// Notes a part of the tree that could not be walked.
fn refuse(error: &ignore::Error, root: &Path, walked: &mut WalkResult, problems: &mut Problems) {
    let at = path_of(error).unwrap_or(root);
    if is_loop(error) || is_dangling_link(error, at) {
        return;
    }
    walked.unread.push(at.to_owned());
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

    /// Files by name, and problems.
    fn walked(root: &Path, within: &[PathBuf], links: Links) -> (Vec<String>, Problems) {
        let root = root.canonicalize().unwrap();
        let mut problems = Problems::default();
        let roots = [root.clone()];
        let walked = walk(&root, within, &roots, links, &CancellationToken::new(), &mut problems).unwrap();
        let relative =
            |path: &String| Path::new(path).strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        let mut names: Vec<_> = walked.files.keys().map(relative).collect();
        names.sort();
        (names, problems)
    }

    fn names(root: &Path, within: &[PathBuf]) -> Vec<String> {
        let (names, problems) = walked(root, within, Links::Refused);
        assert!(problems.is_empty(), "{problems:?}");
        names
    }

    /// Kinds of problems, with the names of what has them.
    #[cfg(unix)]
    fn named(problems: &Problems) -> Vec<(&str, Vec<&str>)> {
        problems
            .iter()
            .map(|(kind, problem)| {
                (kind, problem.files.iter().filter_map(|(path, _)| path.rsplit('/').next()).collect())
            })
            .collect()
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

    #[test]
    fn rules_hide_and_show_and_the_nearest_ones_win() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        put(root, &["a/x.jpg", "a/b/x.jpg", "a/b/y.jpg", "a/.shown/z.jpg", "a/.hidden/z.jpg"]);
        fs::write(root.join(".viewfinderignore"), "\u{feff}# all of them\nx.jpg\n!.shown/\n[\n").unwrap();
        fs::write(root.join("a/b/.viewfinderignore"), "!x.jpg\ny.*\n").unwrap();
        assert_eq!(names(root, &[]), ["a/.shown/z.jpg", "a/b/x.jpg"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_lead_out_only_where_wanted_and_never_around() {
        use std::os::unix::fs::symlink;
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let root = folder.path();
        put(root, &["a.jpg", "b/c.jpg"]);
        put(outside.path(), &["far.jpg"]);
        fs::write(outside.path().join("secret"), "text").unwrap();
        symlink(root, root.join("b/loop")).unwrap();
        symlink(root.join("b"), root.join("again")).unwrap();
        symlink(root.join("a.jpg"), root.join("copy.jpg")).unwrap();
        symlink(root.join("nowhere"), root.join("dangling.jpg")).unwrap();
        symlink(outside.path(), root.join("out")).unwrap();
        symlink(outside.path().join("secret"), root.join("secret.jpg")).unwrap();
        symlink(outside.path().join("secret"), root.join("notes.txt")).unwrap();
        symlink("/dev/zero", root.join("zero.jpg")).unwrap();
        symlink(outside.path(), outside.path().join("round")).unwrap();
        symlink(root, outside.path().join("back")).unwrap();
        let (names, problems) = walked(root, &[], Links::Refused);
        assert_eq!(names, ["a.jpg", "b/c.jpg"]);
        let [(kind, mut links)] = named(&problems).try_into().unwrap();
        links.sort_unstable();
        assert_eq!((kind, links), ("link_not_followed", vec!["out", "secret.jpg", "zero.jpg"]));
        let (names, problems) = walked(root, &[], Links::Followed);
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(names, ["a.jpg", "b/c.jpg", "out/far.jpg", "secret.jpg"]);

        fs::write(root.join(".viewfinderignore"), "/out/\nsecret.jpg\nzero.jpg\n").unwrap();
        let (names, problems) = walked(root, &[], Links::Refused);
        assert!(
            names.len() == 2 && problems.is_empty(),
            "a link that the rules name is no problem: {problems:?}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn pipes_devices_and_rules_that_never_end_hold_nobody_up() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let pipe = |name: &str| {
            assert!(std::process::Command::new("mkfifo").arg(root.join(name)).status().unwrap().success());
        };
        put(root, &["a.jpg", "b/in.jpg", "c/in.jpg", "d/in.jpg", "e/in.jpg"]);
        pipe("x.jpg");
        pipe("no-extension");
        pipe("b/.viewfinderignore");
        symlink("/dev/zero", root.join("c/.viewfinderignore")).unwrap();
        fs::write(root.join("d/.viewfinderignore"), "#".repeat((64 << 10) + 1)).unwrap();
        fs::write(root.join("e/.viewfinderignore"), "#\n".repeat(2000)).unwrap();
        for links in [Links::Refused, Links::Followed] {
            let (names, problems) = walked(root, &[], links);
            assert_eq!(names, ["a.jpg", "e/in.jpg"]);
            let told: Vec<_> = problems.iter().map(|(kind, problem)| (kind, problem.count)).collect();
            assert_eq!(told, [("rules_unreadable", 3)]);
        }
        pipe(".viewfinderignore");
        let (names, problems) = walked(root, &[], Links::Refused);
        assert_eq!(
            (names.len(), named(&problems)),
            (0, vec![("rules_unreadable", vec![".viewfinderignore"])])
        );
    }
}
