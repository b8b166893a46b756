//! What happens while indexing, for whoever shows it.

use viewfinder_catalog::AnalysisKind;

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// The folders were walked: so many files will be compared with the catalogue.
    Walked {
        /// Pictures and videos found.
        files: u64,
    },
    /// So many more files wait for their analysis, or wait again, for a kind whose network has come.
    Waiting {
        /// Files.
        files: u64,
    },
    /// A file's analysis ended, one way or the other.
    Analysed {
        /// Did it end before, with other kinds, whose networks were here earlier?
        again: bool,
    },
    /// Nobody can take work at the moment; it goes on by itself.
    Paused {
        /// Why, in one line.
        reason: String,
    },
    /// A kind of analysis is left out from here on.
    LeftOut {
        /// Which.
        kind: AnalysisKind,
        /// Why, in one line.
        reason: String,
    },
}

/// Is told what happens, from several threads.
pub trait Listener: Send + Sync {
    /// Something happened. Returns soon.
    fn tell(&self, event: Event);
}
