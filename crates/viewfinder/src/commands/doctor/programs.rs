//! Which programs decode what Viewfinder does not decode itself, and how they are held back.
use viewfinder_index::{Tool, Tools};

use super::Finding;

/// Each program with what is not read without it, and whether they can be kept from the network.
pub(super) fn programs() -> Vec<Finding> {
    let mut findings: Vec<Finding> = Tools::find().list().into_iter().map(finding).collect();
    findings.push(confined());
    findings
}

fn finding(tool: Tool) -> Finding {
    let Tool { name, path, without, package } = tool;
    match path {
        Some(path) => Finding::ok("program", format!("{name}: {}", path.display())),
        None => Finding::warn(
            "program",
            format!("{name} is not on this machine: {without}"),
            format!("install it if you have such files (on Debian and Ubuntu: apt install {package})"),
        ),
    }
}

/// Can they be held back?
fn confined() -> Finding {
    if viewfinder_programs::network_can_be_forbidden() {
        return Finding::ok("programs", "ffmpeg and other decoders run within limits and without a network");
    }
    Finding::warn(
        "programs",
        "ffmpeg and other decoders run within limits, but this system cannot keep them from the network",
        "only Linux on x86-64 and ARM64 can; index no videos of strangers on another, or do it in a container without a network",
    )
}
