//! What `.viewfinderignore` files say: rules in the syntax of `.gitignore`, in any folder, for all below it.
//!
//! They are read here and not by the library that walks: it would wait for ever for a pipe, and read a device or a link to one until memory
//! is full.
use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use ignore::{
    Match,
    gitignore::{Gitignore, GitignoreBuilder},
};
use viewfinder_files::{Links, OpenError, open};

use crate::ignored::RULES;

/// Bytes of one file.
const LARGEST: u64 = 64 << 10;
/// Lines of one file. A rule takes a thousand times as much memory as its line.
const LONGEST: usize = 2000;
/// Bytes and lines of all files that hold at one place.
const LARGEST_TOGETHER: usize = 4 * LARGEST as usize;
const LONGEST_TOGETHER: usize = 4 * LONGEST;
/// Bytes of one line, and choices such as `{a,b}` in it: they may lie in each other, and each takes room on the stack.
const WIDEST: usize = 4096;
const CHOICES: usize = 32;

/// The rules that hold where the walk is. It goes into one folder after the other, so those of a folder that it has left are
/// dropped: one file may be linked into any number of folders.
#[derive(Debug)]
pub(crate) struct Rules {
    links: Links,
    /// Where a link may lead to rules, whatever `links` says.
    roots: Vec<PathBuf>,
    /// Only folders that have some, each inside the one before.
    folders: Vec<Folder>,
}

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    rules: Gitignore,
    bytes: usize,
    lines: usize,
}

/// The rules of a folder cannot be read, so nobody knows what in it is to be left out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RulesError {
    #[error(transparent)]
    Unreadable(#[from] OpenError),
    #[error("it has more than {LARGEST} bytes or {LONGEST} lines")]
    TooLarge,
    #[error(
        "it and those of the folders above have more than {LARGEST_TOGETHER} bytes or {LONGEST_TOGETHER} lines together"
    )]
    TooManyTogether,
    #[error("line {0} has more than {WIDEST} bytes or {CHOICES} choices in braces")]
    TooIntricate(usize),
    #[error(transparent)]
    Broken(#[from] ignore::Error),
}

impl Rules {
    pub(crate) fn new(links: Links, roots: Vec<PathBuf>) -> Self {
        Self { links, roots, folders: Vec::new() }
    }

    /// Reads the rules of a folder, after those of the folders above it and before anything in it is asked about.
    pub(crate) fn enter(&mut self, folder: &Path) -> Result<(), RulesError> {
        self.leave_for(folder);
        let path = folder.join(RULES);
        let file = match self.open(&path) {
            Ok(file) => file,
            Err(OpenError::Io(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let mut bytes = Vec::new();
        file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(OpenError::from)?;
        if bytes.len() as u64 > LARGEST {
            return Err(RulesError::TooLarge);
        }
        let text = String::from_utf8_lossy(&bytes);
        let lines = text.lines().count();
        if lines > LONGEST {
            return Err(RulesError::TooLarge);
        }
        if self.bytes() + bytes.len() > LARGEST_TOGETHER || self.lines() + lines > LONGEST_TOGETHER {
            return Err(RulesError::TooManyTogether);
        }
        let mut builder = GitignoreBuilder::new(folder);
        for (line, number) in text.trim_start_matches('\u{feff}').lines().zip(1..) {
            if line.len() > WIDEST || line.matches('{').count() > CHOICES {
                return Err(RulesError::TooIntricate(number));
            }
            // A line that is no rule says nothing, as in git.
            let _ = builder.add_line(Some(path.clone()), line);
        }
        self.folders.push(Folder {
            path: folder.to_owned(),
            rules: builder.build()?,
            bytes: bytes.len(),
            lines,
        });
        Ok(())
    }

    /// What the rules of all folders above it say of a file or folder, the nearest first.
    pub(crate) fn of(&mut self, path: &Path, is_folder: bool) -> Match<()> {
        self.leave_for(path);
        let mut said =
            self.folders.iter().rev().map(|folder| folder.rules.matched(path, is_folder).map(drop));
        said.find(|said| !said.is_none()).unwrap_or(Match::None)
    }

    /// Opens a file of rules. One that is kept elsewhere in the indexed folders, and linked, is found there.
    fn open(&self, path: &Path) -> Result<File, OpenError> {
        match open(path, self.links) {
            Err(OpenError::Link) => match path.canonicalize() {
                Ok(target) if self.roots.iter().any(|root| target.starts_with(root)) => {
                    open(&target, self.links)
                }
                _ => Err(OpenError::Link),
            },
            opened => opened,
        }
    }

    /// Drops the rules that do not hold for `path`.
    fn leave_for(&mut self, path: &Path) {
        while self.folders.pop_if(|folder| path == folder.path || !path.starts_with(&folder.path)).is_some() {
        }
    }

    fn bytes(&self) -> usize {
        self.folders.iter().map(|folder| folder.bytes).sum()
    }

    fn lines(&self) -> usize {
        self.folders.iter().map(|folder| folder.lines).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_link_leads_to_rules_within_the_indexed_folders_alone() {
        use std::os::unix::fs::symlink;
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let root = folder.path().canonicalize().unwrap();
        let enter = |target: &Path| {
            let _ = fs::remove_file(root.join(RULES));
            symlink(target, root.join(RULES)).unwrap();
            let mut rules = Rules::new(Links::Refused, vec![root.clone()]);
            rules.enter(&root).map(|()| rules.of(&root.join("x.jpg"), false).is_ignore())
        };
        fs::write(root.join("kept"), "x.jpg\n").unwrap();
        assert!(enter(Path::new("kept")).unwrap());
        put(outside.path(), "x.jpg\n");
        let far = outside.path().join(RULES);
        for target in [far.as_path(), Path::new("/dev/zero"), Path::new("nowhere")] {
            assert!(enter(target).is_err(), "{target:?}");
        }
    }

    fn put(folder: &Path, text: &str) {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join(RULES), text).unwrap();
    }

    fn many(lines: usize) -> String {
        (0..lines).map(|line| format!("{line:x}\n")).collect::<Vec<_>>().concat()
    }

    #[test]
    fn rules_are_dropped_when_their_folder_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let mut rules = Rules::new(Links::Refused, vec![]);
        put(root, "all\n");
        rules.enter(root).unwrap();
        for place in 0..30 {
            let place = root.join(place.to_string());
            let below = place.join("below");
            put(&place, &many(LONGEST));
            put(&below, "x\n");
            for folder in [&place, &below] {
                assert!(rules.of(folder, true).is_none());
                rules.enter(folder).unwrap();
            }
            assert!(rules.of(&below.join("7cf"), false).is_ignore());
            assert!(rules.of(&below.join("all"), false).is_ignore());
            assert!(rules.of(&place.join("x"), false).is_none());
            assert_eq!(rules.lines(), 1 + LONGEST);
        }
        assert!(rules.of(&root.join("7cf"), false).is_none());
        assert_eq!(rules.lines(), 1);
    }

    #[test]
    fn rules_that_take_too_much_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let enter = |text: &str| {
            put(root, text);
            Rules::new(Links::Refused, vec![]).enter(root)
        };
        assert!(matches!(enter(&many(LONGEST + 1)), Err(RulesError::TooLarge)));
        assert!(matches!(enter(&"#".repeat((64 << 10) + 1)), Err(RulesError::TooLarge)));
        let nested = format!("fine\n{}x{}", "{".repeat(2000), "}".repeat(2000));
        assert!(matches!(enter(&nested), Err(RulesError::TooIntricate(2))));
        assert!(matches!(enter(&"*a".repeat(3000)), Err(RulesError::TooIntricate(1))));
        enter(&format!("{}x{}", "{".repeat(CHOICES), "}".repeat(CHOICES))).unwrap();

        let wide = format!("{}\n", "a".repeat(WIDEST - 1)).repeat(16);
        for (name, text) in [("long", many(LONGEST)), ("wide", wide)] {
            let mut rules = Rules::new(Links::Refused, vec![]);
            let mut deep = root.join(name);
            for _ in 0..4 {
                deep.push("deep");
                put(&deep, &text);
                rules.enter(&deep).unwrap();
            }
            deep.push("deep");
            put(&deep, "one more\n");
            assert!(matches!(rules.enter(&deep), Err(RulesError::TooManyTogether)));
            let beside = root.join(name).join("beside");
            put(&beside, "one more\n");
            rules.enter(&beside).unwrap();
        }
    }
}
