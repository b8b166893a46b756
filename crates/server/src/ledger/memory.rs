use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use crate::ledger::{
    entry::{Entry, Failed, Key, Picture},
    file::File,
};

/// How much is kept, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerConfig {
    /// Entries at most; the oldest give way.
    pub capacity: usize,
    /// File that keeps them beyond the end of the process. It belongs to one server alone.
    pub file: Option<PathBuf>,
}

impl Default for LedgerConfig {
    fn default() -> Self {
        Self { capacity: 1000, file: None }
    }
}

/// The tasks that failed for good.
pub struct Ledger {
    entries: Mutex<Entries>,
    /// Locked first and for longer: disks are slow, and whoever reads must not wait for them.
    file: Mutex<Option<File>>,
}

/// Entries by when they failed last.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    capacity: usize,
    /// By a number that grows with every failure.
    list: BTreeMap<u64, Entry>,
    /// The number of each.
    numbers: HashMap<Key, u64>,
    next: u64,
}

impl Entries {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, ..Self::default() }
    }

    /// Adds an entry as the newest, in place of the one about the same.
    pub(crate) fn put(&mut self, entry: Entry) {
        if let Some(number) = self.numbers.insert(entry.key(), self.next) {
            self.list.remove(&number);
        }
        self.list.insert(self.next, entry);
        self.next += 1;
        while self.list.len() > self.capacity
            && let Some((_, oldest)) = self.list.pop_first()
        {
            self.numbers.remove(&oldest.key());
        }
    }

    /// Counts a failure, and answers its entry.
    fn count(&mut self, mut entry: Entry) -> Entry {
        if let Some(known) = self.numbers.get(&entry.key()).and_then(|number| self.list.get(number)) {
            entry.count = known.count.saturating_add(1);
            entry.first = known.first;
        }
        self.put(entry.clone());
        entry
    }

    /// The one that failed last first.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = &Entry> {
        self.list.values().rev()
    }

    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }
}

impl Ledger {
    /// Takes over what the file holds. A file that cannot be used is said in the log, and the ledger works without it.
    pub fn open(config: LedgerConfig) -> Self {
        let mut entries = Entries::new(config.capacity);
        let file = config.file.and_then(|path| File::open(path, &mut entries));
        Self { entries: Mutex::new(entries), file: Mutex::new(file) }
    }

    /// Enters tasks about one picture. Blocks while it sums the picture and writes to the disk.
    pub fn enter(&self, picture: &[u8], request: Option<&str>, failed: impl IntoIterator<Item = Failed>) {
        let picture = Picture::of(picture);
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        for failed in failed {
            let entry = self.entries().count(Entry::new(&failed, &picture, request));
            if let Some(file) = &mut *file {
                file.append(&entry, || self.newest(usize::MAX), Instant::now());
            }
        }
    }

    /// Up to so many entries, those that failed last first. Returns at once.
    pub fn newest(&self, limit: usize) -> Vec<Entry> {
        self.entries().newest_first().take(limit).cloned().collect()
    }

    /// How many entries there are. Returns at once.
    pub fn len(&self) -> usize {
        self.entries().list.len()
    }

    /// Has nothing failed for good?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
