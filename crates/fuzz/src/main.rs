//! One target under libFuzzer; `cargo xtask fuzz` builds and runs it. Without a target it lists them all.
#![no_main]

use std::{
    env,
    panic::{self, AssertUnwindSafe},
    process,
    sync::{Mutex, OnceLock, PoisonError},
};

use viewfinder_fuzz::{TARGETS, Target};

/// Names the target.
const TARGET: &str = "VIEWFINDER_FUZZ_TARGET";

static CHOSEN: OnceLock<&Target> = OnceLock::new();
/// What the last panic said.
static SAID: Mutex<String> = Mutex::new(String::new());

/// libFuzzer's crate ends the program at every panic, but decoders may panic as long as we catch it.
fn start() {
    panic::set_hook(Box::new(|panic| {
        *SAID.lock().unwrap_or_else(PoisonError::into_inner) = panic.to_string();
    }));
    let chosen = env::var(TARGET).ok();
    match chosen.as_deref().map(Target::find) {
        Some(Some(target)) => CHOSEN.get_or_init(|| target),
        Some(None) => quit(2, &format!("{TARGET} names no target")),
        None => quit(0, &list()),
    };
}

/// A line for each target: its name, the longest input, and folders of seeds, with tabs between them.
fn list() -> String {
    let line = |target: &Target| {
        let folders = target.folders();
        let folders: Vec<_> = folders.iter().map(|folder| folder.to_string_lossy()).collect();
        format!("{}\t{}\t{}", target.name, target.longest, folders.join("\t"))
    };
    TARGETS.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[expect(clippy::print_stdout, clippy::exit, reason = "there is no main function to return from")]
fn quit(code: i32, text: &str) -> ! {
    println!("{text}");
    process::exit(code)
}

#[expect(clippy::print_stderr, reason = "libFuzzer reports there too")]
fn check(input: &[u8]) {
    let Some(target) = CHOSEN.get() else { return };
    if panic::catch_unwind(AssertUnwindSafe(|| target.check(input))).is_err() {
        eprintln!("{}", SAID.lock().unwrap_or_else(PoisonError::into_inner));
        process::abort();
    }
}

libfuzzer_sys::fuzz_target!(init: { start() }, |input: &[u8]| check(input));
