//! Rules of folders: they leave out, and never add.
use std::{collections::BTreeSet, fs};

use viewfinder_index::fuzzing::found;

use crate::scratch::within;

const PICTURES: [&str; 6] = ["a.jpg", "b c.png", "d/e.jpg", "d/f/g.jpg", "[h].gif", "日本/i.jpg"];

pub(super) fn run(input: &[u8]) {
    within(|folder| {
        let root = folder.join("pictures");
        if !root.exists() {
            for picture in PICTURES {
                let file = root.join(picture);
                fs::create_dir_all(file.parent().unwrap_or(&root)).expect("a folder for what is fuzzed");
                fs::write(file, b"\xFF\xD8\xFF").expect("a file for what is fuzzed");
            }
        }
        fs::write(root.join(".viewfinderignore"), input).expect("a file for what is fuzzed");
        let all: BTreeSet<String> =
            PICTURES.iter().map(|picture| root.join(picture).to_string_lossy().into_owned()).collect();
        let seen: BTreeSet<String> = found(&root).into_iter().collect();
        assert!(seen.is_subset(&all));
        let says_nothing = input.split(|&byte| byte == b'\n').all(|line| line.trim_ascii().is_empty());
        assert!(!says_nothing || seen == all, "nothing was to be left out");
    });
}
