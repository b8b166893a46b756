//! Every input that a target has learned from, and mutations of it: the same at every run, and few enough for every commit.
use std::{collections::BTreeSet, fs, panic, path::Path, thread};

use viewfinder_fuzz::{TARGETS, Target};

/// Mutations of each input.
const MUTATIONS: u64 = 400;
/// Longer inputs are only replayed: mutations of them teach little and take long.
const MUTATED: usize = 16 << 10;

fn inputs(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let files = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    let mut inputs: Vec<_> = files
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(path).unwrap()))
        .collect();
    inputs.sort();
    inputs
}

/// A small generator of numbers that only looks random (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end.max(1) as u64) as usize
    }
}

/// Bytes that parsers look at twice.
const STRANGE: [u8; 12] = [0, 1, 0x7F, 0x80, 0xFF, b'"', b'{', b'[', b'\n', b'-', b'9', b'\\'];

fn mutate(input: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len());
        match dice.below(5) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, STRANGE[dice.below(STRANGE.len())]),
            2 => {
                let piece = bytes[at..bytes.len().min(at + 1 + dice.below(64))].to_vec();
                let to = dice.below(bytes.len());
                bytes.splice(to..to, piece);
            }
            _ if bytes.is_empty() => {}
            3 => bytes[at] ^= 1 << dice.below(8),
            _ => bytes[at] = STRANGE[dice.below(STRANGE.len())],
        }
    }
    bytes
}

/// Answers how many inputs were checked, or which one broke what.
fn replay(target: &'static Target) -> Result<usize, String> {
    let (mut count, folders) = (0, target.folders());
    for folder in &folders {
        for (name, input) in inputs(folder) {
            let mut dice = Dice(0x9E37_79B9_7F4A_7C15 ^ input.len() as u64);
            let mutations = if input.len() > MUTATED { 0 } else { MUTATIONS };
            for round in 0..=mutations {
                let tried = if round == 0 { input.clone() } else { mutate(&input, &mut dice) };
                if tried.len() > target.longest {
                    continue;
                }
                count += 1;
                panic::catch_unwind(|| target.check(&tried)).map_err(|_| {
                    let kept = std::env::temp_dir().join(format!("viewfinder-fuzz-{}", target.name));
                    fs::write(&kept, &tried).unwrap();
                    format!("{}: {name}, mutation {round}, kept as {}", target.name, kept.display())
                })?;
            }
        }
    }
    Ok(count)
}

#[test]
fn everything_that_was_learned_holds() {
    let results: Vec<_> = thread::scope(|scope| {
        let running: Vec<_> = TARGETS.iter().map(|target| scope.spawn(|| replay(target))).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let broken: Vec<_> = results.iter().filter_map(|result| result.as_ref().err()).collect();
    assert!(broken.is_empty(), "{broken:#?}");
    for (target, count) in TARGETS.iter().zip(results) {
        let own = inputs(&target.folders()[0]).len();
        assert!(own > 0 && count.unwrap() > own, "{} has no corpus", target.name);
    }
}

#[test]
fn every_corpus_belongs_to_a_target() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus");
    let folders = fs::read_dir(corpora).unwrap().map(|entry| entry.unwrap());
    let folders = folders.filter(|entry| entry.path().is_dir());
    let found: BTreeSet<String> =
        folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(found, TARGETS.iter().map(|target| target.name.to_owned()).collect());
}
