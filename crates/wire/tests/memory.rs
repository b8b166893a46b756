//! What a request makes us hold while it is read.

#![allow(unsafe_code, reason = "an allocator that counts")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use viewfinder_wire::immich::Entries;

/// Counts what this thread holds, and the most that it held.
struct Counting;

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
    static MOST: Cell<usize> = const { Cell::new(0) };
}

fn changed(more: usize, less: usize) {
    // A thread that ends frees its last memory without these.
    let _ = HELD.try_with(|held| {
        held.set((held.get() + more).saturating_sub(less));
        MOST.with(|most| most.set(most.get().max(held.get())));
    });
}

// SAFETY: every call is passed on as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        changed(layout.size(), 0);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        changed(0, layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes held while this is done, beyond those held before.
fn most_held(work: impl FnOnce()) -> usize {
    let before = HELD.get();
    MOST.set(before);
    work();
    MOST.get() - before
}

#[test]
fn reading_entries_takes_no_more_memory_than_they_have_bytes() {
    let many = |item: &str| vec![item; (1 << 20) / (item.len() + 1)].join(",");
    let entry = |options: &str| {
        format!(r#"{{"clip":{{"visual":{{"modelName":"m","options":{{"language":{options}}}}}}}}}"#)
    };
    for bomb in [
        format!("[{}]", many("[]")),
        format!("{{{}}}", many(r#""a":{}"#)),
        format!(r#"{{"clip":{{"visual":{{"modelName":"m",{}}}}}}}"#, many(r#""a":[0]"#)),
        entry(&format!("[{}]", many(r#"{"a":0}"#))),
        entry(&format!("{{{}}}", many(r#""b":{"a":0}"#))),
        entry(&format!("\"{}\"", "x".repeat(1 << 20))),
        format!("{}1", "[".repeat(1 << 20)),
        format!("{{\"clip\":{{\"visual\":{}", "{\"a\":".repeat(1 << 18)),
        format!(r#"{{"clip":{{"{}":{{"modelName":"m"}}}}}}"#, "é".repeat(1 << 19)),
        format!("{{{}}}", many(r#""t":{"k":{"modelName":"m"}}"#)),
    ] {
        let most = most_held(|| drop(Entries::parse(&bomb)));
        assert!(most <= bomb.len() * 3, "{most} bytes for {}: {}", bomb.len(), &bomb[..40]);
    }
}
