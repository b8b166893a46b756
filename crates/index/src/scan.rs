//! Folders compared with the catalogue: what is new, changed, moved or gone.
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs, io,
    path::{MAIN_SEPARATOR, Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use tokio_util::sync::CancellationToken;
use viewfinder_catalog::{
    AnalysisKind, AnalysisState, Asset, AssetId, ContentHash, FileRecord, Properties, Store,
};
use viewfinder_files::Links;

use crate::{
    Event, IndexError, Listener, Problems, Tools,
    blocking::blocking,
    properties::describe,
    retry::retry,
    walk::{FileStamp, WalkResult, walk},
};

/// Files recorded in one transaction, at most.
const BATCH: usize = 256;
/// Files wait no longer for their batch.
const BATCH_TIME: Duration = Duration::from_secs(2);
/// Assets read from the catalogue at a time.
const PAGE: usize = 1000;

/// What to compare, and how.
#[derive(Clone, Debug)]
pub struct Scan {
    /// The folders, absolute and without links in their paths.
    pub roots: Vec<PathBuf>,
    /// Only these folders in them; all if empty.
    pub within: Vec<PathBuf>,
    /// Forget what is gone even where a disk may only be missing.
    pub prune: bool,
    /// Leave files alone that changed in so short a time: somebody may still be writing them.
    pub settle: Duration,
    /// Kinds of analysis that count as waiting.
    pub kinds: Vec<AnalysisKind>,
    /// Decoders, for what headers tell.
    pub tools: Tools,
    /// Pictures with more bytes are not read as a whole.
    pub max_bytes: u64,
    /// Links that lead out of the folders.
    pub links: Links,
}

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scanned {
    /// Files that the catalogue knows as they are.
    pub unchanged: u64,
    /// Files that it did not know.
    pub new: u64,
    /// Of the new and the changed ones, those with the content of another file.
    pub copies: u64,
    /// Files with other content than before.
    pub changed: u64,
    /// Files that lie elsewhere now.
    pub moved: u64,
    /// Files that are gone, and forgotten.
    pub gone: u64,
    /// Files that are gone and kept, because a disk may be missing.
    pub kept: u64,
    /// Files that are still being written.
    pub unsettled: u64,
    /// What could not be read.
    pub problems: Problems,
    /// Did it go through to the end?
    pub complete: bool,
}

/// Compares the folders with the catalogue and records the differences. Ends early when asked to stop.
pub async fn scan(
    scan: Scan,
    store: &dyn Store,
    stop: &CancellationToken,
    listener: &dyn Listener,
) -> Result<Scanned, IndexError> {
    let scan = Arc::new(scan);
    let mut run = Run {
        scan: Arc::clone(&scan),
        store,
        stop,
        listener,
        batch: Batch::default(),
        scanned: Scanned::default(),
    };
    let mut gone = Vec::new();
    for root in &scan.roots {
        let Some(looked) = run.root(root).await? else {
            run.flush().await?;
            return Ok(run.scanned);
        };
        gone.push((root, looked));
    }
    // A file that moved, be it from one folder to another, has given its findings on by now.
    for (root, CheckedFolders { unread, missing }) in gone {
        run.forget(root, unread, missing).await?;
    }
    run.scanned.complete = true;
    Ok(run.scanned)
}

struct Run<'a> {
    scan: Arc<Scan>,
    store: &'a dyn Store,
    stop: &'a CancellationToken,
    listener: &'a dyn Listener,
    batch: Batch,
    scanned: Scanned,
}

/// Files to be recorded together.
#[derive(Default)]
struct Batch {
    files: Vec<(FileRecord, Properties)>,
    hashes: HashSet<ContentHash>,
    since: Option<Instant>,
}

/// What a folder was found not to hold.
struct CheckedFolders {
    /// What was not looked into, and said so.
    unread: Vec<PathBuf>,
    missing: Vec<Missing>,
}

/// What the catalogue has and the folder has not.
struct Missing {
    id: AssetId,
    path: String,
}

impl Run<'_> {
    /// One folder, through to its end unless it was asked to stop.
    async fn root(&mut self, root: &Path) -> Result<Option<CheckedFolders>, IndexError> {
        let (there, walked) = self.walk(root).await?;
        let Some(WalkResult { mut files, unread }) = walked else { return Ok(None) };
        self.listener.tell(Event::Walked { files: files.len() as u64 });
        let mut changed = Vec::new();
        let mut missing = Vec::new();
        for folder in self.folders(root) {
            self.compare(&folder, &mut files, &mut changed, &mut missing).await?;
        }
        if !there && missing.is_empty() {
            self.scanned.problems.add("folder_missing", root.to_string_lossy(), "there is no such folder");
        }
        // What is left was never seen. In order, so that two runs give the same numbers.
        let mut new: Vec<(String, FileStamp)> = files.into_iter().collect();
        new.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        changed.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let waiting = (new.len() + changed.len()) as u64;
        self.listener.tell(Event::Waiting { files: waiting });
        let known = changed.into_iter().map(|(path, stamp, hash)| (path, stamp, Some(hash)));
        for (path, stamp, hash) in known.chain(new.into_iter().map(|(path, stamp)| (path, stamp, None))) {
            if self.stop.is_cancelled() {
                return Ok(None);
            }
            self.look(path, stamp, hash).await?;
        }
        self.flush().await?;
        // One that was not read to its end may have moved as well.
        Ok((!self.stop.is_cancelled()).then_some(CheckedFolders { unread, missing }))
    }

    /// Is there such a folder, and what is in it? Nothing if it was asked to stop.
    async fn walk(&mut self, root: &Path) -> Result<(bool, Option<WalkResult>), IndexError> {
        let (scan, stop, root) = (Arc::clone(&self.scan), self.stop.clone(), root.to_owned());
        let (there, walked, problems) = blocking(move || {
            let Scan { within, roots, links, .. } = &*scan;
            let mut problems = Problems::default();
            let there = root.is_dir();
            let walked = if there {
                walk(&root, within, roots, *links, &stop, &mut problems)
            } else {
                Some(WalkResult::default())
            };
            (there, walked, problems)
        })
        .await?;
        self.scanned.problems.merge(problems);
        Ok((there, walked))
    }

    /// The parts of the catalogue that lie in the folders to be compared.
    fn folders(&self, root: &Path) -> Vec<String> {
        let within = &self.scan.within;
        if within.is_empty() {
            return vec![with_slash(root)];
        }
        within.iter().filter(|folder| folder.starts_with(root)).map(|folder| with_slash(folder)).collect()
    }

    /// Takes the files that the catalogue knows out of `files`; those that look changed go to `changed`, and assets without a
    /// file to `missing`.
    async fn compare(
        &mut self,
        folder: &str,
        files: &mut HashMap<String, FileStamp>,
        changed: &mut Vec<(String, FileStamp, ContentHash)>,
        missing: &mut Vec<Missing>,
    ) -> Result<(), IndexError> {
        let mut waiting = 0;
        let mut after: Option<String> = None;
        loop {
            let page =
                retry(self.stop, self.listener, || self.store.list(folder, after.as_deref(), PAGE)).await?;
            let full = page.len() == PAGE;
            after = page.last().map(|asset| asset.file.path.clone());
            for asset in page {
                let Some(stamp) = files.remove(&asset.file.path) else {
                    missing.push(Missing { id: asset.id, path: asset.file.path });
                    continue;
                };
                if stamp.size != asset.file.size || stamp.modified_ns != asset.file.modified_ns {
                    changed.push((asset.file.path, stamp, asset.file.hash));
                    continue;
                }
                self.scanned.unchanged += 1;
                waiting += u64::from(self.waits(&asset));
            }
            if !full {
                break;
            }
        }
        self.listener.tell(Event::Waiting { files: waiting });
        Ok(())
    }

    fn waits(&self, asset: &Asset) -> bool {
        let state = |kind: &AnalysisKind| &asset.states[*kind as usize];
        self.scan.kinds.iter().any(|kind| *state(kind) == AnalysisState::Never)
    }

    /// A file that is new, or whose size or time is not what it was when it had the hash `was`.
    async fn look(
        &mut self,
        path: String,
        stamp: FileStamp,
        was: Option<ContentHash>,
    ) -> Result<(), IndexError> {
        if is_fresh(stamp, self.scan.settle) {
            self.scanned.unsettled += 1;
            return Ok(());
        }
        let (scan, stop, at) = (Arc::clone(&self.scan), self.stop.clone(), path.clone());
        let described = blocking(move || {
            let Scan { tools, max_bytes, links, .. } = &*scan;
            describe(&at, stamp, tools, *max_bytes, *links, &stop)
        });
        let (file, properties) = match described.await? {
            Ok(Some(described)) => described,
            Ok(None) if self.stop.is_cancelled() => return Ok(()),
            Ok(None) => {
                self.scanned.unsettled += 1;
                return Ok(());
            }
            // It went while we looked.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                self.scanned.problems.add("file_unreadable", path, error.to_string());
                return Ok(());
            }
        };
        if was == Some(file.hash) {
            self.scanned.unchanged += 1;
        } else {
            let twins = retry(self.stop, self.listener, || self.store.by_hash(&file.hash)).await?;
            let copy = !twins.is_empty() || self.batch.hashes.contains(&file.hash);
            if let Some(old) = self.moved(twins).await? {
                self.scanned.moved += 1;
                retry(self.stop, self.listener, || self.store.move_file(old, &file)).await?;
                return Ok(());
            }
            match was {
                Some(_) => self.scanned.changed += 1,
                None => self.scanned.new += 1,
            }
            self.scanned.copies += u64::from(copy);
        }
        self.batch.add((file, properties));
        if self.batch.is_due() { self.flush().await } else { Ok(()) }
    }

    /// The first of these assets that is not at its path any more.
    async fn moved(&self, twins: Vec<Asset>) -> Result<Option<AssetId>, IndexError> {
        if twins.is_empty() {
            return Ok(None);
        }
        let links = self.scan.links;
        let first_gone = move || {
            let gone = twins.iter().find(|asset| is_gone(&asset.file.path, links))?;
            Some(gone.id)
        };
        blocking(first_gone).await
    }

    async fn flush(&mut self) -> Result<(), IndexError> {
        let batch = std::mem::take(&mut self.batch);
        if !batch.files.is_empty() {
            retry(self.stop, self.listener, || self.store.put_files(&batch.files)).await?;
        }
        Ok(())
    }

    /// Forgets assets whose file is gone, unless it looks as if a disk were missing.
    async fn forget(
        &mut self,
        root: &Path,
        unread: Vec<PathBuf>,
        missing: Vec<Missing>,
    ) -> Result<(), IndexError> {
        let mut gone = Vec::new();
        for missing in missing {
            let id = [missing.id];
            let found = retry(self.stop, self.listener, || self.store.assets(&id)).await?;
            // Others moved.
            if found.iter().any(|asset| asset.file.path == missing.path) {
                gone.push(missing);
            }
        }
        let (prune, root) = (self.scan.prune, root.to_owned());
        let Gone { ids, empty, unread } = blocking(move || Gone::of(gone, &unread, prune, &root)).await?;
        self.scanned.kept += unread; // The folder or link was told of.
        for (folder, files) in empty {
            self.scanned.kept += files;
            let message = format!(
                "it is empty or missing, so its {files} files stay in the catalogue: is its disk there? \
                 If they are gone for good, --prune forgets them"
            );
            self.scanned.problems.add("folder_empty", folder.to_string_lossy(), message);
        }
        self.scanned.gone += ids.len() as u64;
        for ids in ids.chunks(PAGE) {
            retry(self.stop, self.listener, || self.store.remove(ids)).await?;
        }
        Ok(())
    }
}

/// Assets without a file.
#[derive(Default)]
struct Gone {
    /// To be forgotten.
    ids: Vec<AssetId>,
    /// How many may come back with a disk, by the folder that is empty.
    empty: BTreeMap<PathBuf, u64>,
    /// How many lie where nothing could be read.
    unread: u64,
}

impl Gone {
    /// Tells them apart. Blocks.
    fn of(missing: Vec<Missing>, unread: &[PathBuf], prune: bool, root: &Path) -> Self {
        let unread: HashSet<&Path> = unread.iter().map(PathBuf::as_path).collect();
        let mut folders = EmptyFolders::default();
        let mut gone = Self::default();
        for Missing { id, path } in missing {
            if Path::new(&path).ancestors().any(|place| unread.contains(place)) {
                gone.unread += 1;
                continue;
            }
            let folder = if prune { None } else { folders.above(Path::new(&path), root) };
            match folder {
                Some(folder) => *gone.empty.entry(folder.to_owned()).or_default() += 1,
                None => gone.ids.push(id),
            }
        }
        gone
    }
}

impl Batch {
    fn add(&mut self, file: (FileRecord, Properties)) {
        self.since.get_or_insert_with(Instant::now);
        self.hashes.insert(file.0.hash);
        self.files.push(file);
    }

    fn is_due(&self) -> bool {
        self.files.len() >= BATCH || self.since.is_some_and(|since| since.elapsed() >= BATCH_TIME)
    }
}

/// Folders that are there and hold nothing at all, as a mount point does without its disk. Asked once each.
#[derive(Default)]
struct EmptyFolders(HashMap<PathBuf, bool>);

impl EmptyFolders {
    /// The nearest empty folder above a file; the root itself also counts when it is missing.
    fn above<'a>(&mut self, path: &'a Path, root: &'a Path) -> Option<&'a Path> {
        path.ancestors().skip(1).take_while(|folder| folder.starts_with(root)).find(|folder| {
            let ask = || match fs::read_dir(folder) {
                Ok(mut entries) => entries.next().is_none(),
                Err(_) => *folder == root,
            };
            *self.0.entry(folder.to_path_buf()).or_insert_with(ask)
        })
    }
}

/// Is there nothing any more at a path? What only a link leads to is gone as well where links are not followed: it is known by the path at
/// which it really lies.
fn is_gone(path: &str, links: Links) -> bool {
    match fs::symlink_metadata(path) {
        Err(error) => error.kind() == io::ErrorKind::NotFound,
        Ok(_) if links == Links::Followed => false,
        Ok(_) => fs::canonicalize(path).is_ok_and(|real| real != Path::new(path)),
    }
}

/// Did it change in the last moments, or, by a clock that is wrong, in the next ones?
fn is_fresh(stamp: FileStamp, settle: Duration) -> bool {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let age = now.as_nanos() as i128 - i128::from(stamp.modified_ns);
    age.unsigned_abs() < settle.as_nanos()
}

/// A folder as the beginning of the paths in it.
fn with_slash(folder: &Path) -> String {
    let folder = folder.to_string_lossy();
    format!("{}{MAIN_SEPARATOR}", folder.trim_end_matches(MAIN_SEPARATOR))
}
