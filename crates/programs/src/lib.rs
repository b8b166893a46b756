//! Runs foreign programs within limits.
//!
//! A program that decodes a stranger's file must be able to do no more than that, whatever the file makes of it. So each runs
//! - with a closed [`Environment`]: no keys, no tokens, nobody's configuration,
//! - without input but one file that was opened for it,
//! - in a process group of its own, of which nothing is left when it has ended or its time is over,
//! - within [`Bounds`] on time, memory and what it writes (`confine`),
//! - without a network, where the system can forbid it (`sandbox`).
//!
//! | | Linux | other Unix | Windows |
//! | --- | --- | --- | --- |
//! | environment, time, output | yes | yes | yes |
//! | group, written files, processor time | yes | yes | no |
//! | memory | yes | as far as the system minds `RLIMIT_DATA` | no |
//! | network | on x86-64 and ARM64 | no | no |

mod bounds;
#[cfg(unix)]
mod confine;
mod environment;
#[cfg(unix)]
mod group;
mod pipe;
mod program;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod sandbox;

pub use bounds::Bounds;
pub use environment::Environment;
pub use program::{Program, ProgramError};

/// Can programs be kept from the network here?
pub fn network_can_be_forbidden() -> bool {
    #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
    return sandbox::is_supported();
    #[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
    false
}
