//! The process's memory as its operator sees it.

/// Prepares the allocator for a server that must give memory back. Call once, first thing in `main`.
///
/// glibc otherwise keeps a heap for every thread, and raises its threshold for mapping large blocks after the
/// first one is freed, after which picture-sized buffers fragment the heap and are never returned.
pub fn tune_allocator() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: mallopt only sets parameters of the allocator.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 2);
        libc::mallopt(libc::M_MMAP_THRESHOLD, 4 << 20);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 64 << 20);
    }
}

/// Returns freed heap to the system. Takes some tens of milliseconds.
pub fn trim() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: malloc_trim may be called at any time from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Ends the process with this exit code, without running what loaded libraries do at the end.
///
/// A thread may still be inside ONNX Runtime, opening it or working on a picture that ran out of time; the library
/// would be taken apart under it, and the process would end by a crash.
pub fn leave(code: u8) -> ! {
    #[cfg(unix)]
    // SAFETY: `_exit` may be called at any time; nothing of this process is used after it.
    unsafe {
        libc::_exit(code.into())
    }
    #[cfg(not(unix))]
    #[expect(clippy::exit, reason = "there is no other way")]
    std::process::exit(code.into())
}

/// Memory that this process may use: the machine's, or less where a control group says so. None where the system does not tell.
pub fn usable_bytes() -> Option<u64> {
    let machine = machine_bytes();
    machine.into_iter().chain(group_bytes()).min()
}

fn machine_bytes() -> Option<u64> {
    #[cfg(unix)]
    {
        // SAFETY: takes a number and gives one.
        let [pages, page] =
            [libc::_SC_PHYS_PAGES, libc::_SC_PAGESIZE].map(|name| unsafe { libc::sysconf(name) });
        u64::try_from(pages).ok()?.checked_mul(u64::try_from(page).ok()?).filter(|bytes| *bytes > 0)
    }
    #[cfg(not(unix))]
    None
}

/// The least limit of this process's control group (version 2) and those around it.
fn group_bytes() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
    let root = std::path::Path::new("/sys/fs/cgroup");
    let around = root.join(own);
    let limit = |folder: &std::path::Path| -> Option<u64> {
        std::fs::read_to_string(folder.join("memory.max")).ok()?.trim().parse().ok()
    };
    around.ancestors().take_while(|folder| folder.starts_with(root)).filter_map(limit).min()
}

#[cfg(all(test, unix))]
mod tests {
    use viewfinder_core::resident_bytes;

    use super::*;

    #[test]
    fn the_machine_has_more_than_this_process_takes() {
        assert!(usable_bytes() > resident_bytes(), "{:?}", usable_bytes());
    }
}
