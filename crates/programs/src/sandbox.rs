//! System calls that a decoder has no use for fail: Linux' seccomp, which needs no rights and works in containers, where name
//! spaces of one's own are mostly refused.
//!
//! This keeps an honest decoder that a file leads astray from the network, and in its process group. It does not hold one that
//! runs a stranger's code: that still reads and writes what its user may.
use std::{mem::offset_of, ptr};

use libc::{c_long, c_ulong, sock_filter};

/// `AUDIT_ARCH_*` of `linux/audit.h`.
#[cfg(target_arch = "x86_64")]
const MACHINE: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const MACHINE: u32 = 0xC000_00B7;

/// From here on the numbers are those of x86-64's second table, x32, which repeats the calls.
const SECOND_TABLE: u32 = 0x4000_0000;

/// A socket, by the front door or the back door; a way out of the process group; somebody else's memory.
const FORBIDDEN: [c_long; 6] = [
    libc::SYS_socket,
    libc::SYS_io_uring_setup,
    libc::SYS_setsid,
    libc::SYS_setpgid,
    libc::SYS_ptrace,
    libc::SYS_process_vm_writev,
];

const LENGTH: usize = FORBIDDEN.len() + 6;
/// Where the program lets a call pass, and where it refuses one.
const ALLOW: usize = LENGTH - 2;
const REFUSE: usize = LENGTH - 1;

const FILTER: [sock_filter; LENGTH] = filter();

const fn filter() -> [sock_filter; LENGTH] {
    let load = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    let answer = (libc::BPF_RET | libc::BPF_K) as u16;
    let mut filter = [step(answer, libc::SECCOMP_RET_ALLOW); LENGTH];
    filter[0] = step(load, offset_of!(libc::seccomp_data, arch) as u32);
    filter[1] = refuse_unless_machine(1);
    filter[2] = step(load, offset_of!(libc::seccomp_data, nr) as u32);
    filter[3] = refuse_if(3, libc::BPF_JGE, SECOND_TABLE);
    let mut at = 0;
    while at < FORBIDDEN.len() {
        filter[4 + at] = refuse_if(4 + at, libc::BPF_JEQ, FORBIDDEN[at] as u32);
        at += 1;
    }
    filter[ALLOW] = step(answer, libc::SECCOMP_RET_ALLOW);
    filter[REFUSE] = step(answer, libc::SECCOMP_RET_ERRNO | libc::EACCES as u32);
    filter
}

const fn step(code: u16, k: u32) -> sock_filter {
    sock_filter { code, jt: 0, jf: 0, k }
}

/// Another machine's numbers mean other calls.
const fn refuse_unless_machine(at: usize) -> sock_filter {
    let code = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    sock_filter { code, jt: 0, jf: (REFUSE - at - 1) as u8, k: MACHINE }
}

const fn refuse_if(at: usize, comparison: u32, k: u32) -> sock_filter {
    let code = (libc::BPF_JMP | comparison | libc::BPF_K) as u16;
    sock_filter { code, jt: (REFUSE - at - 1) as u8, jf: 0, k }
}

/// Forbids the calls to this process and all it starts, for good. A system without seccomp lets everything pass.
///
/// Safe between fork and exec: one system call, with memory on the stack and in the program.
pub(crate) fn enter() {
    let program = libc::sock_fprog { len: LENGTH as u16, filter: FILTER.as_ptr().cast_mut() };
    // SAFETY: the system reads the program and its steps, which outlive the call, and writes to neither.
    unsafe {
        libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER as c_ulong, &raw const program, 0, 0);
    }
}

/// A system that knows filters misses the program here; one that does not calls the request invalid.
pub(crate) fn is_supported() -> bool {
    let nothing = ptr::null::<libc::sock_fprog>();
    // SAFETY: no program is given, so that the call cannot succeed and changes nothing.
    let answer =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER as c_ulong, nothing, 0, 0) };
    answer != 0 && std::io::Error::last_os_error().raw_os_error() == Some(libc::EFAULT)
}
