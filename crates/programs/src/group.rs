//! A process and all that it starts.
use std::{
    io,
    mem::MaybeUninit,
    process::{Child, ExitStatus},
};

/// Has the leader of a group ended? If so, whatever it left behind is ended as well.
pub(crate) fn ended(leader: &mut Child) -> io::Result<Option<ExitStatus>> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: `info` is writable for the length of the call, and zeros are a valid value of it.
    let waited = unsafe { libc::waitid(libc::P_PID, leader.id(), info.as_mut_ptr(), options) };
    if waited != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: zeroed above, and perhaps filled by the system.
    if unsafe { info.assume_init() }.si_signo == 0 {
        return Ok(None);
    }
    end(leader).map(Some)
}

/// Ends the leader and its group. It is still waited for when the signal is sent, so that its number is nobody else's.
pub(crate) fn end(leader: &mut Child) -> io::Result<ExitStatus> {
    if let Ok(group) = libc::pid_t::try_from(leader.id()) {
        // SAFETY: takes two numbers. That the group is gone already is no error here.
        unsafe { libc::kill(-group, libc::SIGKILL) };
    }
    leader.wait()
}
