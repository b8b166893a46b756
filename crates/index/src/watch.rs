//! Which folders change, once they are quiet.
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _, event::AccessKind};
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

use crate::{FileKind, ignored::RULES};

/// Changes are told once nothing has changed for so long,
const QUIET: Duration = Duration::from_secs(2);
/// or after so long in any case.
const PATIENCE: Duration = Duration::from_secs(30);
/// Network drives and some containers tell of no change, so everything is compared again so often.
const EVERYTHING: Duration = Duration::from_secs(3600);

/// Folders that are told one by one. If more change, all roots are looked at: a round may take days, and meanwhile nothing else
/// bounds what is kept of a busy folder.
const MOST: usize = 1000;

/// Watching is not possible.
#[derive(Debug, thiserror::Error)]
#[error("{path} cannot be watched: {error}")]
pub struct WatchError {
    path: String,
    error: notify::Error,
}

/// Watches folders with all that is in them.
pub struct Watch {
    roots: Vec<PathBuf>,
    changes: Arc<Changes>,
    // Watches as long as it lives.
    _watcher: RecommendedWatcher,
}

/// Where something changed since it was last asked.
#[derive(Default)]
struct Changes {
    folders: Mutex<BTreeSet<PathBuf>>,
    told: Notify,
}

impl Changes {
    fn add(&self, event: &notify::Result<notify::Event>, roots: &[PathBuf]) {
        let found: Vec<PathBuf> = match event {
            Ok(event) if !event.need_rescan() => {
                event.paths.iter().filter_map(|path| folder_of(path, roots)).collect()
            }
            // Some changes were missed.
            _ => roots.to_vec(),
        };
        if !found.is_empty() {
            join(&mut self.folders.lock().unwrap_or_else(PoisonError::into_inner), found, roots);
            self.told.notify_one();
        }
    }

    fn take(&self) -> BTreeSet<PathBuf> {
        std::mem::take(&mut self.folders.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Adds folders, or all roots where they become too many.
fn join(folders: &mut BTreeSet<PathBuf>, more: impl IntoIterator<Item = PathBuf>, roots: &[PathBuf]) {
    folders.extend(more);
    if folders.len() > MOST {
        *folders = roots.iter().cloned().collect();
    }
}

impl Watch {
    /// Begins. Changes from now on are told, also those that come while nobody listens.
    pub fn start(roots: &[PathBuf]) -> Result<Self, WatchError> {
        let changes = Arc::new(Changes::default());
        let (adding, within) = (Arc::clone(&changes), roots.to_vec());
        let failed = |path: &Path| {
            let path = path.display().to_string();
            move |error| WatchError { path, error }
        };
        let tell = move |event: notify::Result<notify::Event>| {
            // Our own reading is no change.
            let read = matches!(&event, Ok(event) if matches!(event.kind, EventKind::Access(kind)
                if !matches!(kind, AccessKind::Close(notify::event::AccessMode::Write))));
            if !read {
                adding.add(&event, &within);
            }
        };
        let mut watcher = notify::recommended_watcher(tell).map_err(failed(Path::new("the file system")))?;
        for root in roots {
            watcher.watch(root, RecursiveMode::Recursive).map_err(failed(root))?;
        }
        Ok(Self { roots: roots.to_vec(), changes, _watcher: watcher })
    }

    /// Waits for changes and returns the folders in which something changed, none inside another; all roots if it is not known
    /// what changed, or if everything has to be looked at once more.
    ///
    /// `pending` folders are looked at again soon whether or not something changes in them.
    pub async fn next(&mut self, pending: Vec<PathBuf>) -> Vec<PathBuf> {
        let mut folders: BTreeSet<PathBuf> = pending.into_iter().collect();
        let begin = Instant::now();
        let mut latest = (!folders.is_empty()).then(|| begin + PATIENCE);
        let mut quiet = if folders.is_empty() { begin + EVERYTHING } else { begin + QUIET };
        loop {
            let until = latest.map_or(quiet, |latest| quiet.min(latest));
            match timeout_at(until, self.changes.told.notified()).await {
                Ok(()) => join(&mut folders, self.changes.take(), &self.roots),
                Err(_) if folders.is_empty() => return self.roots.clone(),
                Err(_) => return outermost(folders),
            }
            if !folders.is_empty() {
                quiet = Instant::now() + QUIET;
                latest.get_or_insert(quiet + PATIENCE);
            }
        }
    }
}

/// The folder to look at for a change at `path`: the nearest one above it that is there. None outside the roots, and for files
/// that are no media, such as a catalogue that lies among its pictures.
fn folder_of(path: &Path, roots: &[PathBuf]) -> Option<PathBuf> {
    let root = roots.iter().find(|root| path.starts_with(root))?;
    let matters = path.extension().is_none()
        || FileKind::of_name(path).is_some()
        || path.ends_with(RULES)
        || !path.is_file();
    if !matters {
        return None;
    }
    if path == root {
        return Some(root.clone());
    }
    let there =
        path.ancestors().skip(1).take_while(|folder| folder.starts_with(root)).find(|folder| folder.is_dir());
    Some(there.unwrap_or(root).to_owned())
}

/// Without those that lie in another one.
fn outermost(folders: BTreeSet<PathBuf>) -> Vec<PathBuf> {
    let mut outer: Vec<PathBuf> = Vec::new();
    // A folder comes before what lies in it.
    for folder in folders {
        if !outer.iter().any(|other| folder.starts_with(other)) {
            outer.push(folder);
        }
    }
    outer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_in_others_are_dropped() {
        let set = ["/a/b", "/a/b/c", "/a/b.c", "/a/d", "/e"].map(PathBuf::from).into_iter().collect();
        assert_eq!(outermost(set), ["/a/b", "/a/b.c", "/a/d", "/e"].map(PathBuf::from));
    }

    #[test]
    fn what_a_busy_folder_leaves_behind_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let changes = Changes::default();
        let change = |path: PathBuf| {
            let event = notify::Event::new(EventKind::Any).add_path(path);
            changes.add(&Ok(event), std::slice::from_ref(&root));
            changes.folders.lock().unwrap().len()
        };
        std::fs::write(root.join("log.tmp"), "x").unwrap();
        assert_eq!((0..10).map(|_| change(root.join("log.tmp"))).max(), Some(0), "it is no media");
        assert_eq!((0..10).map(|_| change(root.join("a.jpg"))).max(), Some(1), "once each");
        let mut most = 0;
        for number in 0..2 * MOST {
            let inner = root.join(number.to_string());
            std::fs::create_dir(&inner).unwrap();
            most = most.max(change(inner.join("a.jpg")));
        }
        assert_eq!(most, MOST);
        assert!(changes.take().contains(&root), "the whole is looked at instead");
        assert_eq!(changes.take(), BTreeSet::new());
    }

    #[tokio::test]
    async fn changes_name_the_folder_that_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        std::fs::create_dir_all(root.join("c")).unwrap();
        let mut watch = Watch::start(std::slice::from_ref(&root)).unwrap();
        std::fs::write(root.join("a/b/x.jpg"), "x").unwrap();
        assert_eq!(watch.next(vec![]).await, [root.join("a/b")]);
        std::fs::remove_dir_all(root.join("a")).unwrap();
        std::fs::write(root.join("c/y.jpg"), "y").unwrap();
        assert_eq!(watch.next(vec![]).await, std::slice::from_ref(&root));
        assert_eq!(watch.next(vec![root.join("c")]).await, [root.join("c")]);
    }
}
