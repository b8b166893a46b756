//! What `.viewfinderignore` files say: rules in the syntax of `.gitignore`, in any folder, for all below it.
//!
//! They are read here and not by the library that walks: it would wait for ever for a pipe, and read a device or a link to one until memory
//! is full.
use std::{
    collections::HashMap,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use ignore::{
    Match,
    gitignore::{Gitignore, GitignoreBuilder},
};
use viewfinder_files::{Links, OpenError, open};

use crate::ignored::RULES;

/// Bytes of one file: many thousand rules.
const LARGEST: u64 = 1 << 20;

/// The rules of the folders that were entered.
#[derive(Debug)]
pub(crate) struct Rules {
    links: Links,
    /// Only of folders that have some.
    folders: HashMap<PathBuf, Gitignore>,
}

/// The rules of a folder cannot be read, so nobody knows what in it is to be left out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RulesError {
    #[error(transparent)]
    Unreadable(#[from] OpenError),
    #[error("it has more than {LARGEST} bytes")]
    TooLarge,
    #[error(transparent)]
    Broken(#[from] ignore::Error),
}

impl Rules {
    pub(crate) fn new(links: Links) -> Self {
        Self { links, folders: HashMap::new() }
    }

    /// Reads the rules of a folder, before anything in it is asked about.
    pub(crate) fn enter(&mut self, folder: &Path) -> Result<(), RulesError> {
        let path = folder.join(RULES);
        let file = match open(&path, self.links) {
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
        let mut builder = GitignoreBuilder::new(folder);
        for line in text.trim_start_matches('\u{feff}').lines() {
            // A line that is no rule says nothing, as in git.
            let _ = builder.add_line(Some(path.clone()), line);
        }
        self.folders.insert(folder.to_owned(), builder.build()?);
        Ok(())
    }

    /// What the rules of all folders above it say of a file or folder, the nearest first.
    pub(crate) fn of(&self, path: &Path, is_folder: bool) -> Match<()> {
        let folders = path.ancestors().skip(1).filter_map(|folder| self.folders.get(folder));
        let mut said = folders.map(|rules| rules.matched(path, is_folder).map(drop));
        said.find(|said| !said.is_none()).unwrap_or(Match::None)
    }
}
