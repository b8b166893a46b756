//! What a process does to itself between its birth and the foreign program: the only such code there is.
use std::{io, os::unix::process::CommandExt as _, process::Command};

use crate::Bounds;

/// Lets the command's process lead a group of its own and bind itself before the program takes over.
pub(crate) fn confine(command: &mut Command, bounds: &Bounds) {
    let bounds = *bounds;
    command.process_group(0);
    // SAFETY: between fork and exec only what is safe in a signal handler may run. The closure makes system calls with numbers
    // and structures on its own stack, and nothing else: no memory is allocated, no lock taken, nothing printed.
    unsafe { command.pre_exec(move || bind(&bounds)) };
}

fn bind(bounds: &Bounds) -> io::Result<()> {
    // A core dump holds a stranger's picture, and may be large.
    limit(libc::RLIMIT_CORE as _, 0, 0);
    if let Some(memory) = bounds.memory {
        // Memory of its own, and not RLIMIT_AS, which counts what is merely reserved as well, and allocators reserve a lot.
        limit(libc::RLIMIT_DATA as _, memory, memory);
        // Every core may help. A second signal ends what ignores the first.
        let seconds = bounds.time.as_secs() * 2;
        limit(libc::RLIMIT_CPU as _, seconds, seconds + 1);
    }
    if let Some(file) = bounds.file {
        limit(libc::RLIMIT_FSIZE as _, file, file);
    }
    if let Some(files) = bounds.open_files {
        limit(libc::RLIMIT_NOFILE as _, files, files);
    }
    #[cfg(target_os = "linux")]
    {
        privileges()?;
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
        if !bounds.network {
            crate::sandbox::enter();
        }
    }
    Ok(())
}

/// Lowers a limit, as far as the system knows it.
fn limit(resource: libc::c_int, soft: u64, hard: u64) {
    let mut set = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `set` is writable and readable for the length of the calls.
    unsafe {
        if libc::getrlimit(resource as _, &raw mut set) == 0 {
            // Only root may raise the upper one.
            set.rlim_max = set.rlim_max.min(hard as libc::rlim_t);
            set.rlim_cur = set.rlim_max.min(soft as libc::rlim_t);
            libc::setrlimit(resource as _, &raw const set);
        }
    }
}

/// The process gains no rights by what it runs, and ends when the thread does that waits for it.
#[cfg(target_os = "linux")]
fn privileges() -> io::Result<()> {
    // SAFETY: takes numbers alone. That it is told of its parent's end is a convenience which old systems may lack.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong, 0, 0, 0);
        match libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1 as libc::c_ulong, 0, 0, 0) {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}
