//! Counts what this program holds in memory.
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

/// Counts for each thread by itself, so that tests beside each other do not meet.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    /// Bytes held. Below zero where a thread frees what another one made.
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

/// Runs a function, and tells how many bytes more than before it held at once.
pub fn peak<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    MOST.set(before);
    let answer = run();
    (answer, (MOST.get() - before).unsigned_abs())
}

fn count(change: isize) {
    // A thread that ends has no counters any more.
    let _ = HELD.try_with(|held| {
        held.set(held.get() + change);
        let _ = MOST.try_with(|most| most.set(most.get().max(held.get())));
    });
}

// SAFETY: everything is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        // SAFETY: as above.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_is_told_and_not_what_is_left() {
        let (kept, most) = peak(|| {
            drop(vec![1_u8; 1 << 20]);
            vec![2_u8; 10]
        });
        assert_eq!(kept.len(), 10);
        assert!((1 << 20..(1 << 20) + 4096).contains(&most), "{most}");
        let ((), most) = peak(|| drop(vec![0_u8; 1 << 16]));
        assert!((1 << 16..1 << 17).contains(&most), "{most}");
    }
}
