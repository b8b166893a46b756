//! Every parser of foreign bytes as a function of bytes, with what must hold of it.
//!
//! [`TARGETS`] is the table. What each has seen that matters lies in `tests/fuzz/corpus/NAME`, which the test `replay` goes
//! through with mutations of it, and which `cargo xtask fuzz` starts from: it builds this crate's program with libFuzzer, and
//! lets coverage lead it. An input that breaks something is kept there.
//!
//! Beside what a target itself asserts, no input may make it allocate more than its [`Memory`] allows.

mod allocation;
mod scratch;
mod targets;

pub use allocation::peak;
pub use targets::TARGETS;

use std::path::PathBuf;

/// A parser and what must hold of it.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, and that of its corpus's folder.
    pub name: &'static str,
    /// Longer inputs are not tried.
    pub longest: usize,
    /// What it may allocate.
    pub memory: Memory,
    /// Folders of `tests/fixtures` whose files are seeds too.
    pub fixtures: &'static [&'static str],
    /// Parses, and panics where something does not hold.
    run: fn(&[u8]),
}

/// Bytes that a target may hold at once: so many, and so many more for each byte of the input.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Whatever the input.
    pub base: usize,
    /// For each of its bytes.
    pub each: usize,
}

impl Target {
    /// The target of this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|target| target.name == name)
    }

    /// Runs it.
    ///
    /// # Panics
    /// If something does not hold.
    pub fn check(&self, input: &[u8]) {
        let ((), peak) = peak(|| (self.run)(input));
        let allowed = self.memory.base + self.memory.each * input.len();
        assert!(
            peak <= allowed,
            "{}: {} bytes make it hold {peak} bytes at once, more than {allowed}",
            self.name,
            input.len()
        );
    }

    /// Folders of inputs: its own corpus first.
    pub fn folders(&self) -> Vec<PathBuf> {
        let tests = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests"));
        let own = tests.join("fuzz/corpus").join(self.name);
        let fixtures = self.fixtures.iter().map(|folder| tests.join("fixtures").join(folder));
        [own].into_iter().chain(fixtures).collect()
    }
}
